//! Detection of suspicious client addresses in bucket access logs, with confidence and explanation.
//!
//! ```text
//! requests --one pass--> Collector --> tables --> rules (SQL) --> hits --> score, guards --> Finding
//!             facts      collect       tables     rules, hits               score           finding
//! ```
//!
//! Start at [`detect`]: it takes a session and [`DetectOptions`], and returns a [`Report`] with [`Finding`]s, which
//! [`findings_table`] converts to Arrow. Rules are files ([`rules`]); the tables they query are documented in
//! [`tables`]; [`context`] has knowledge about addresses from outside of the logs, and [`Baseline`] what is normal.
//! `facts` classifies single requests; [`deny`], [`ocsf`] and [`report`] are output formats.

mod advice;
mod backtest;
mod baseline;
mod collect;
pub mod context;
pub mod deny;
mod distinct;
mod explain;
pub(crate) mod facts;
mod finding;
pub mod findings_table;
mod format;
mod gathered;
mod hits;
mod markdown;
mod note;
pub mod ocsf;
mod options;
mod pass;
mod planning;
pub mod report;
mod roll_up;
pub mod rules;
mod samples;
mod score;
pub mod tables;
#[cfg(test)]
mod testing;
mod verify;
mod weighed;

pub(crate) use self::format::rfc3339;

pub use self::backtest::{BacktestDay, backtest};
pub use self::baseline::Baseline;
pub use self::explain::{Explanation, explain};
pub use self::facts::{ListError, Lists, SHIPPED as SHIPPED_LISTS, ShippedList};
pub use self::finding::{Band, Finding, Guard, Listed, Sample, Severity, Signal, Source};
pub use self::markdown::escape_markdown;
pub use self::note::{EntityKind, Note};
pub use self::options::DetectOptions;
pub use self::verify::{Failure, check_rules, verify};

use self::collect::Collector;
use self::collect::sources::Numbers;
use self::context::Known;
use self::hits::Hit;
use self::options::{Judging, Prepared};
use self::pass::{Wanted, failed, pass};
use self::planning::rules_context;
use self::roll_up::roll_ups;
use self::rules::{Entity, Rule, RuleSet};
use self::samples::Samples;
use self::score::{Decay, Evidence};
use self::tables::{EVENTS, Tables};
use self::weighed::Weighed;
use crate::error::Error;
use crate::session::Session;
use datafusion::execution::options::ArrowReadOptions;
use datafusion::execution::spill_file::SpillFile;
use datafusion::prelude::SessionContext;
use futures::{StreamExt as _, TryStreamExt as _};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Delay after which a request's log object is assumed to have been delivered. S3 gives no guarantee, but most arrive
/// within two hours.
pub const DELIVERY: Duration = Duration::from_secs(2 * 3600);

/// Scope and statistics of a detection run.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Looked {
    /// Number of requests in the logs.
    pub requests: u64,
    /// Number of requests without an address, made by services of the provider.
    pub without_address: u64,
    /// Number of sources.
    pub sources: u64,
    /// Number of log objects that the session could not read: what was in them is not in the report. The session's
    /// [progress](crate::session::Progress::unreadable) names them.
    pub unreadable: u64,
    /// Buckets, sorted by name.
    pub buckets: Vec<String>,
    /// Time of the first request in microseconds since the Unix epoch (UTC).
    pub first: Option<i64>,
    /// Time of the last request in microseconds since the Unix epoch (UTC).
    pub last: Option<i64>,
    /// Time from which log objects may still be missing; `None` if the logs end before it.
    pub provisional_from: Option<i64>,
    /// Whether there were more failed keys and folders than are tracked: for some, the number of sources asking is
    /// unknown.
    pub keys_left_out: bool,
    /// Number of rules that ran.
    pub rules: u64,
    /// The physical plan of the scan.
    pub plan: String,
    /// Durations of the phases.
    pub timing: Timing,
}

/// Durations of the phases of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Reading and aggregating the logs.
    pub pass: Duration,
    /// Building the tables.
    pub tables: Duration,
    /// Running the rules.
    pub rules: Duration,
}

/// The result of a detection run.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// All sources with evidence, most suspicious first.
    pub findings: Vec<Finding>,
    /// Findings about entities other than sources.
    pub notes: Vec<Note>,
    /// Scope and statistics.
    pub looked: Looked,
}

/// Finds suspicious sources in the logs of a session. The logs are read once.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use s3log_engine::detect::{Band, DetectOptions, detect, findings_table};
/// use s3log_engine::session::{Session, SessionOptions};
///
/// # let directory = tempfile::tempdir()?;
/// # let logs = directory.path().display().to_string();
/// # let line = |second: u32, key: &str| format!("a1b2 photos [15/Jan/2026:10:22:{second:02} +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT {key} \"GET /{key} HTTP/1.1\" 403 AccessDenied 243 - 34 - \"-\" \"curl/8.4.0\"\n");
/// # let lines: String = [".env", ".git/config", ".aws/credentials", "backup.sql"].iter().enumerate().map(|(at, key)| line(at as u32, key)).collect();
/// # std::fs::write(directory.path().join("log"), lines)?;
/// let session = Session::open(&[logs], SessionOptions::new()).await?;
/// let now = 1_768_521_600_000_000; // 16 January 2026
/// let report = detect(&session, &DetectOptions::new(now)).await?;
/// let finding = &report.findings[0];
/// assert_eq!(finding.client_ip.to_string(), "192.0.2.3");
/// assert!(finding.band >= Band::Alert);
/// for signal in &finding.detectors {
///     println!("{} {:.2} {}", signal.id, signal.confidence, signal.explanation);
/// }
/// let batch = findings_table::batch(&report.findings)?;
/// assert_eq!(batch.num_rows(), report.findings.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Fails if the logs cannot be read, or if a rule is invalid.
pub async fn detect(session: &Session, options: &DetectOptions) -> Result<Report, Error> {
    let options = options.prepared()?;
    Ok(detected(session, &options).await?.report(&options.judging))
}

/// Learns a baseline from the logs of a session.
///
/// # Errors
///
/// Fails if the logs cannot be read.
pub async fn learn(session: &Session, options: &DetectOptions) -> Result<Baseline, Error> {
    let passed = pass(session, &options.shared()?, Wanted::default()).await?;
    Ok(passed.days.into_values().next().map_or_else(Baseline::default, |collector| Baseline::of(&collector)))
}

/// Runs the pass and the rules.
async fn detected(session: &Session, options: &Prepared) -> Result<Detected, Error> {
    let wanted = Wanted { every: options.needs_events(), by_day: false };
    let start = Instant::now();
    let passed = pass(session, &options.shared, wanted).await?;
    let took = start.elapsed();
    let counted = passed.days.into_values().next().unwrap_or_else(|| Collector::new(options.shared.clone(), false));
    let first = counted.first.unwrap_or(options.judging.now);
    let baseline = Baseline::clone(&options.baseline).before(first);
    let (rules, events, plan) = (Arc::clone(&options.rules), &passed.events, passed.plan);
    let mut detected = RuleRun { counted, baseline: &baseline, rules, events, plan }.detected(session).await?;
    detected.timing.pass = took;
    Ok(detected)
}

/// Input of a run of all rules.
struct RuleRun<'a> {
    /// Counts for all logs, or for one day.
    counted: Collector,
    /// The baseline of the preceding time.
    baseline: &'a Baseline,
    rules: Arc<RuleSet>,
    /// Files of `s3_events`, if a rule reads that table.
    events: &'a [Arc<dyn SpillFile>],
    /// The physical plan of the scan.
    plan: String,
}

impl RuleRun<'_> {
    async fn detected(mut self, session: &Session) -> Result<Detected, Error> {
        for (key, sources) in &self.baseline.keys {
            self.counted.keys.remember(*key, *sources);
        }
        let read = self.rules.tables();
        let by_key = read.contains("good") || read.contains("asks");
        let start = Instant::now();
        let counted = Arc::new(self.counted);
        let tables = Tables::of(&counted, self.baseline, by_key)?;
        let mut samples = Samples::of(tables.trail());
        let context = rules_context(session.context().runtime_env())?;
        tables.register(&context).map_err(failed)?;
        register_events(&context, self.events).await?;
        let made = start.elapsed();
        let start = Instant::now();
        let hits = hits_of(&context, &self.rules, session.threads()).await?;
        // Also for rules without hits, so that an invalid condition is an error whatever the logs hold.
        for rule in self.rules.enabled() {
            samples.choose(&context, rule)?;
        }
        let timing = Timing { tables: made, rules: start.elapsed(), ..Timing::default() };
        let unreadable = session.progress().unreadable_count();
        Ok(Detected { counted, unreadable, tables, samples, rules: self.rules, hits, plan: self.plan, timing })
    }
}

/// Runs all rules, `threads` at a time; returns their hits by rule id.
async fn hits_of(
    context: &SessionContext,
    rules: &RuleSet,
    threads: usize,
) -> Result<BTreeMap<String, Vec<Hit>>, Error> {
    let rules: Vec<Rule> = rules.enabled().cloned().collect();
    futures::stream::iter(rules)
        .map(|rule| {
            let context = context.clone();
            async move {
                let id = rule.id.clone();
                let ran = tokio::spawn(async move { hits::run(&context, &rule).await }).await;
                let hits = ran.map_err(|error| {
                    Error::new(crate::ErrorKind::Internal, format!("the rule {id} died")).with_source(error)
                })??;
                Ok::<_, Error>((id, hits))
            }
        })
        .buffer_unordered(threads.max(1))
        .try_collect()
        .await
}

/// The counts, and the hits of all rules.
struct Detected {
    counted: Arc<Collector>,
    /// Number of log objects that could not be read.
    unreadable: u64,
    tables: Tables,
    samples: Samples,
    rules: Arc<RuleSet>,
    /// Keyed by rule id.
    hits: BTreeMap<String, Vec<Hit>>,
    plan: String,
    timing: Timing,
}

impl Detected {
    fn report(&self, judging: &Judging) -> Report {
        let mut findings = self.findings(judging);
        Finding::sort(&mut findings);
        let mut notes = self.notes();
        notes.extend(roll_ups(&findings));
        Report { findings, notes, looked: self.looked(judging) }
    }

    fn looked(&self, judging: &Judging) -> Looked {
        let counted = &self.counted;
        let mut buckets: Vec<String> = (0..counted.names.buckets.len() as u32)
            .map(|number| counted.names.buckets.get(number).to_owned())
            .collect();
        buckets.sort_unstable();
        Looked {
            requests: counted.requests,
            without_address: counted.without_address,
            sources: counted.sources.len() as u64,
            unreadable: self.unreadable,
            buckets,
            first: counted.first,
            last: counted.last,
            provisional_from: provisional_from(judging.now)
                .filter(|from| counted.last.is_some_and(|last| last >= *from)),
            keys_left_out: counted.keys.is_full(),
            rules: self.hits.len() as u64,
            plan: self.plan.clone(),
            timing: self.timing,
        }
    }

    /// Findings for all sources with evidence, unsorted.
    fn findings(&self, judging: &Judging) -> Vec<Finding> {
        let mut by_source: HashMap<&str, Vec<(&Rule, Vec<&Hit>)>> = HashMap::new();
        for rule in self.rules.enabled().filter(|rule| rule.scored && rule.entity == Entity::Src) {
            let mut of_rule: BTreeMap<&str, Vec<&Hit>> = BTreeMap::new();
            for hit in self.hits.get(&rule.id).into_iter().flatten() {
                of_rule.entry(&hit.entity).or_default().push(hit);
            }
            for (source, hits) in of_rule {
                by_source.entry(source).or_default().push((rule, hits));
            }
        }
        for (number, source) in self.counted.sources.iter().enumerate() {
            if source.known.deny.is_some() {
                by_source.entry(self.counted.names.sources.get(number as u32)).or_default();
            }
        }
        by_source.par_iter().filter_map(|(source, of_rules)| self.finding(source, of_rules, judging)).collect()
    }

    fn finding(&self, source: &str, of_rules: &[(&Rule, Vec<&Hit>)], judging: &Judging) -> Option<Finding> {
        let (bare, known) = self.bare(source, judging)?;
        let counts = |rule: &Rule| !known.private || score::counts_for_private(&rule.family, &rule.id);
        let mut weighed: Vec<Weighed<'_>> = of_rules
            .iter()
            .filter(|(rule, _)| counts(rule))
            .filter_map(|(rule, hits)| Weighed::of(rule, hits))
            .collect();
        weighed.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then_with(|| a.rule.id.cmp(&b.rule.id)));
        if weighed.is_empty() && known.deny.is_none() {
            return None;
        }
        let decay = Decay { now: judging.now, half_life: judging.half_life };
        let evidence: Vec<Evidence<'_>> = weighed.iter().map(Weighed::evidence).collect();
        let (score, severity) = score::score(&evidence, &bare.guards, known, &decay);
        let score = hits::round(score);
        if score < judging.min_score {
            return None;
        }
        let detectors = weighed.iter().map(|weighed| weighed.signal(source, &self.samples)).collect();
        Some(Finding { score, band: Band::of(score), severity, detectors, ..bare })
    }

    /// The finding about a source without evidence, with score 0.
    fn bare(&self, source: &str, judging: &Judging) -> Option<(Finding, &Known)> {
        let counted = &self.counted;
        let names = &counted.names;
        let number = names.sources.find(source)? as usize;
        let (known, totals) = (&counted.sources.get(number)?.known, counted.totals.get(number)?);
        let guards = score::guards(known, totals);
        let finding = Finding {
            client_ip: source.parse().ok()?,
            score: 0.0,
            band: Band::None,
            severity: Severity::Info,
            first_seen: totals.times.first,
            last_seen: totals.times.last,
            requests: totals.requests,
            bytes_sent: totals.bytes_sent,
            buckets: sorted(&totals.buckets, |number| names.buckets.get(number)),
            requesters: sorted(&totals.requesters, |number| names.requesters.get(number)),
            detectors: Vec::new(),
            provisional: provisional_from(judging.now).is_some_and(|from| totals.times.last >= from),
            listed: Listed {
                allow: known.allow.is_some(),
                cdn: guards.iter().any(|guard| guard.name == "cdn" || guard.name == score::CLAIMED),
                crawler: known.crawler.is_some(),
                private: known.private,
                deny: known.deny.is_some(),
            },
            country: known.country.as_deref().map(str::to_owned),
            asn: known.asn,
            as_org: known.as_org.as_deref().map(str::to_owned),
            guards,
        };
        Some((finding, known))
    }

    /// Hits about entities other than sources.
    fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for rule in self.rules.enabled().filter(|rule| !rule.scored || rule.entity != Entity::Src) {
            for hit in self.hits.get(&rule.id).into_iter().flatten() {
                let Ok(entity_kind) = rule.entity.column().parse() else { continue };
                notes.push(Note {
                    entity: hit.entity.clone(),
                    entity_kind,
                    id: rule.id.clone(),
                    name: rule.name.clone(),
                    severity: hit.severity.unwrap_or(rule.severity),
                    explanation: hit.explanation(rule),
                    measured: hit.measured(rule),
                    evidence: hit.evidence.clone(),
                    samples: self.samples.for_note(entity_kind, rule, hit),
                });
            }
        }
        notes.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| (&a.id, &a.entity).cmp(&(&b.id, &b.entity))));
        notes
    }
}

async fn register_events(context: &SessionContext, events: &[Arc<dyn SpillFile>]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> =
        events.iter().filter_map(|file| file.path()).map(|path| path.display().to_string()).collect();
    let schema = tables::events_schema();
    let options = ArrowReadOptions { file_extension: "", schema: Some(&schema), ..ArrowReadOptions::default() };
    let rows = context.read_arrow(paths, options).await.map_err(failed)?;
    context.register_table(EVENTS, rows.into_view()).map_err(failed)?;
    Ok(())
}

/// Time from which log objects may still be missing.
fn provisional_from(now: i64) -> Option<i64> {
    now.checked_sub(i64::try_from(DELIVERY.as_micros()).ok()?)
}

fn sorted<'a>(numbers: &Numbers, text: impl Fn(u32) -> &'a str) -> Vec<String> {
    let mut texts: Vec<String> = numbers.iter().map(|number| text(number).to_owned()).collect();
    texts.sort_unstable();
    texts
}
