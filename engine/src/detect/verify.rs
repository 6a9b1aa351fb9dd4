//! Runs the tests in rule files, and reports errors in rules.

use super::baseline::Baseline;
use super::collect::input::{COLUMNS, Input};
use super::collect::{Collector, SharedParts};
use super::context::{CidrList, Context};
use super::facts::Lists;
use super::hits::{self, Hit};
use super::pass::failed;
use super::planning::rules_context;
use super::rules::{Case, Entity, Found, Rule, RuleSet};
use super::samples::Samples;
use super::tables::{EVENTS, Tables, events_schema, requests::events_batch, trail::TrailRows};
use crate::decode::{Block, RecordsDecoder};
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// A failed test of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Id of the rule.
    pub rule: String,
    /// Name of the test; empty if the rule itself is invalid.
    pub test: String,
    /// What is wrong, as sentences.
    pub wrong: Vec<String>,
}

/// Reference time of tests: the day of their rows.
const NOW: i64 = 1_772_530_000_000_000;

/// Runs the tests of rules. Returns the number of tests, and the failures.
///
/// # Errors
///
/// Fails only for reasons other than the rules.
pub async fn verify(rules: impl IntoIterator<Item = &Rule>, lists: &Lists) -> Result<(usize, Vec<Failure>), Error> {
    let mut ran = 0;
    let mut failures = Vec::new();
    for rule in rules {
        for case in &rule.tests {
            ran += 1;
            let wrong = match run(rule, case, lists).await {
                Ok(hits) => case.verify(&hits.iter().map(|hit| found(rule, hit)).collect::<Vec<_>>()),
                Err(error) => vec![error.to_string()],
            };
            if !wrong.is_empty() {
                failures.push(Failure { rule: rule.id.clone(), test: case.name.clone(), wrong });
            }
        }
    }
    Ok((ran, failures))
}

/// Plans all rules over empty tables.
///
/// # Errors
///
/// Fails on the first invalid rule, with the reason.
pub async fn check_rules(rules: &RuleSet) -> Result<(), Error> {
    let shared = SharedParts { lists: Lists::shipped()?, context: Arc::default() };
    let (collector, context) = tables_context(Collector::new(shared, true), &Baseline::default())?;
    let mut samples = Samples::of(Arc::new(TrailRows::new(collector)));
    for rule in rules.enabled() {
        hits::check(&context, rule).await?;
        samples.choose(&context, rule)?;
    }
    Ok(())
}

/// The tables of a test, built from its own or another log.
fn tables_of(rule: &Rule, case: &Case, log: &str, lists: &Lists) -> Result<SessionContext, Error> {
    let mut context = Context::new(NOW).with_crawlers_of(lists)?;
    type With = fn(Context, &CidrList) -> Context;
    for (name, networks, with) in [
        ("allow", &case.allow, Context::with_allow as With),
        ("deny", &case.deny, Context::with_deny),
        ("cdn", &case.cdn, Context::with_cdn),
        ("crawlers", &case.crawlers, Context::with_crawlers),
        ("intel", &case.intel, Context::with_intel),
    ] {
        if !networks.is_empty() {
            context = with(context, &CidrList::parse(name, &networks.join("\n"), NOW)?);
        }
    }
    for place in &case.places {
        context = context.with_place(place.network, place.asn, place.country.as_deref());
    }
    let shared = SharedParts { lists: lists.clone(), context: Arc::new(context) };
    let baseline = match case.history_log() {
        Some(log) => Baseline::of(&counted(&log, &shared)?),
        None => Baseline::default(),
    };
    let mut counted = counted(log, &shared)?;
    for (key, sources) in &baseline.keys {
        counted.keys.remember(*key, *sources);
    }
    tables_context_of(counted, &baseline, rule.tables().contains(EVENTS))
}

/// The hits of a rule in the log of a test.
async fn run(rule: &Rule, case: &Case, lists: &Lists) -> Result<Vec<Hit>, Error> {
    hits::run(&tables_of(rule, case, &case.log(), lists)?, rule).await
}

fn found(rule: &Rule, hit: &Hit) -> Found {
    let src = if rule.entity == Entity::Src { Some(hit.entity.clone()) } else { hit.text("src") };
    let named = |entity: Entity, other: Option<String>| {
        if rule.entity == entity { Some(hit.entity.clone()) } else { other }
    };
    Found {
        src,
        requester: named(Entity::Requester, hit.requester.clone()),
        bucket: named(Entity::Bucket, hit.bucket.clone()),
        referer: named(Entity::Referer, None),
        confidence: hit.confidence,
    }
}

/// Counts the lines of a log; a line that is not a record is an error.
fn counted(log: &str, shared: &SharedParts) -> Result<Collector, Error> {
    let mut decoder = RecordsDecoder::for_columns(Table::Requests, &COLUMNS)?;
    let batch = decoder.decode(&Block::new("test", log.as_bytes().to_vec()))?;
    if decoder.counts().rejects > 0 {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("{} lines of the test are not records", decoder.counts().rejects),
        ));
    }
    let mut collector = Collector::new(shared.clone(), true);
    let input = Input::new(&batch)?;
    collector.add(&input, 0..batch.num_rows());
    collector.requesters.settle();
    Ok(collector)
}

fn tables_context(collector: Collector, baseline: &Baseline) -> Result<(Arc<Collector>, SessionContext), Error> {
    let context = rules_context(Arc::new(RuntimeEnv::default()))?;
    let collector = Arc::new(collector);
    Tables::of(&collector, baseline, true)?.register(&context).map_err(failed)?;
    let events = MemTable::try_new(events_schema(), vec![Vec::new()]).map_err(failed)?;
    context.register_table(EVENTS, Arc::new(events)).map_err(failed)?;
    Ok((collector, context))
}

fn tables_context_of(mut collector: Collector, baseline: &Baseline, events: bool) -> Result<SessionContext, Error> {
    let every = collector.take_every();
    let (collector, context) = tables_context(collector, baseline)?;
    if events && let Some(every) = every {
        let batch = events_batch(&collector, &every)?;
        let table = MemTable::try_new(events_schema(), vec![vec![batch]]).map_err(failed)?;
        context.deregister_table(EVENTS).map_err(failed)?;
        context.register_table(EVENTS, Arc::new(table)).map_err(failed)?;
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tables::{WINDOWS, Window};
    use arrow::array::UInt32Array;
    use arrow::compute::{concat_batches, take_record_batch};
    use arrow::util::pretty::pretty_format_batches;
    use chrono::{DateTime, TimeDelta};
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn the_tests_of_all_shipped_rules_hold() {
        let rules = RuleSet::shipped().unwrap();
        let lists = Lists::shipped().unwrap();
        check_rules(&rules).await.unwrap();
        let (ran, failures) = verify(rules.iter(), &lists).await.unwrap();
        assert!(failures.is_empty(), "{failures:#?}");
        assert!(ran >= 2 * rules.len(), "{ran} tests of {} rules", rules.len());
    }

    /// Reverses the rows of a table.
    async fn turn(context: &SessionContext, name: &str) {
        let batches = context.table(name).await.unwrap().collect().await.unwrap();
        let schema = Arc::clone(context.table(name).await.unwrap().schema().inner());
        let batch = concat_batches(&schema, &batches).unwrap();
        let rows = UInt32Array::from_iter_values((0..batch.num_rows() as u32).rev());
        let table = MemTable::try_new(schema, vec![vec![take_record_batch(&batch, &rows).unwrap()]]).unwrap();
        context.deregister_table(name).unwrap();
        context.register_table(name, Arc::new(table)).unwrap();
    }

    /// A log with its requests repeated hours and days later, so that many windows hold the same counts, and some
    /// overlap.
    fn spread(log: &str) -> String {
        let later = |line: &str, hours: i64| {
            let (start, rest) = line.split_once('[').unwrap();
            let (time, rest) = rest.split_once(']').unwrap();
            let format = "%d/%b/%Y:%H:%M:%S %z";
            let time = DateTime::parse_from_str(time, format).unwrap() + TimeDelta::hours(hours);
            format!("{start}[{}]{rest}\n", time.format(format))
        };
        let hours = [0, 5, 11, 17, 40, 90, 200];
        hours.iter().flat_map(|hours| log.lines().map(|line| later(line, *hours))).collect()
    }

    /// Threads and hashing produce rows in a different order on each run.
    #[tokio::test]
    async fn what_shipped_rules_find_does_not_depend_on_the_order_of_rows() {
        let rules = RuleSet::shipped().unwrap();
        let lists = Lists::shipped().unwrap();
        let cases = rules.iter().flat_map(|rule| rule.tests.iter().map(move |case| (rule, case)));
        let (mut spread_out, mut still_found) = (0, 0);
        for (rule, case) in cases.filter(|(_, case)| case.fires()) {
            for (log, is_spread) in [(case.log(), false), (spread(&case.log()), true)] {
                let context = tables_of(rule, case, &log, &lists).unwrap();
                let found = async || {
                    let hits = hits::run(&context, rule).await.unwrap();
                    hits.iter().map(|hit| format!("{hit:#?}")).collect::<BTreeSet<_>>()
                };
                let forwards = found().await;
                for name in rule.tables() {
                    turn(&context, name).await;
                }
                assert_eq!(forwards, found().await, "{}: {}", rule.id, case.name);
                spread_out += usize::from(is_spread);
                still_found += usize::from(is_spread && !forwards.is_empty());
            }
        }
        assert!(still_found * 2 > spread_out, "{still_found} of {spread_out}");
    }

    #[tokio::test]
    async fn windows_begin_where_date_bin_says() {
        let rules = RuleSet::shipped().unwrap();
        let lists = Lists::shipped().unwrap();
        let rule = rules.iter().find(|rule| rule.id == "S3D-101").unwrap();
        let case = rule.tests.iter().find(|case| case.fires()).unwrap();
        let context = tables_of(rule, case, &case.log(), &lists).unwrap();
        for Window { table, hours, .. } in WINDOWS {
            let (length, shift) = (format!("INTERVAL '{hours} hours'"), format!("INTERVAL '{} minutes'", hours * 30));
            let expected = format!(
                "SELECT date_bin({length}, ts) AS w, ts, src, key FROM s3_trail \
                 UNION ALL SELECT date_bin({length}, ts + {shift}) - {shift} AS w, ts, src, key FROM s3_trail"
            );
            let rows = async |sql: &str| {
                let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
                pretty_format_batches(&batches).unwrap().to_string()
            };
            let expected = rows(&format!("{expected} ORDER BY w, ts, src, key")).await;
            let sql = format!("SELECT w, ts, src, key FROM {table} ORDER BY w, ts, src, key");
            assert!(expected.lines().count() > 10, "{expected}");
            assert_eq!(rows(&sql).await, expected, "{table}");
        }
    }
}
