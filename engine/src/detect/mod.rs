//! Which client addresses of bucket access logs are suspicious, how sure that is, and why.
//!
//! ```text
//! requests --one pass--> Collector --> tables --> rules (SQL) --> hits --> score, guards --> Finding
//!             facts      collect       tables     rules, hits               score           finding
//! ```
//!
//! Start at [`detect`]: a session, [`DetectOptions`], and a [`Report`] of typed [`Finding`]s; [`findings_table`] makes Arrow of
//! them. Rules are files ([`rules`]), what they read is documented in [`tables`], what is known of addresses besides the logs is
//! [`context`], what is normal a [`Baseline`]. `facts` classifies single requests, [`deny`], [`ocsf`] and [`report`] write what others
//! read.

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
mod when;

pub(crate) use self::when::rfc3339;

pub use self::backtest::{BacktestDay, backtest};
pub use self::baseline::Baseline;
pub use self::explain::{Explanation, explain};
pub use self::facts::{ListError, Lists, SHIPPED as SHIPPED_LISTS, ShippedList};
pub use self::finding::{Band, Finding, Guard, Listed, Sample, Severity, Signal, Source};
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

/// How long after a request its log object may still be missing, as far as is known of S3: most come within two hours.
pub const DELIVERY: Duration = Duration::from_secs(2 * 3600);

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// Requests in the logs.
    pub requests: u64,
    /// Requests without an address, of the provider's own services.
    pub without_address: u64,
    /// Sources.
    pub sources: u64,
    /// Buckets, by name.
    pub buckets: Vec<String>,
    /// The first request, in microseconds since 1970.
    pub first: Option<i64>,
    /// The last request.
    pub last: Option<i64>,
    /// From when on log objects may still be missing; `None` when the logs end long ago.
    pub provisional_from: Option<i64>,
    /// Whether more keys and folders were asked for in vain than are counted: of some it is not known how many asked.
    pub keys_left_out: bool,
    /// Rules that ran.
    pub rules: u64,
    /// How the logs were read: the plan of the one scan.
    pub plan: String,
    /// How long it took.
    pub timing: Timing,
}

/// How long the parts of a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Reading and counting.
    pub pass: Duration,
    /// Making tables of what was counted.
    pub tables: Duration,
    /// Running the rules.
    pub rules: Duration,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Every source with any evidence, the most suspicious first.
    pub findings: Vec<Finding>,
    /// What is no source's.
    pub notes: Vec<Note>,
    /// What was looked at.
    pub looked: Looked,
}

/// Finds suspicious sources in the logs of a session, which are read once.
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
/// When the logs cannot be read, or a rule does not work.
pub async fn detect(session: &Session, options: &DetectOptions) -> Result<Report, Error> {
    let options = options.prepared()?;
    Ok(detected(session, &options).await?.report(&options.judging))
}

/// Learns what is normal from the logs of a session.
///
/// # Errors
///
/// When the logs cannot be read.
pub async fn learn(session: &Session, options: &DetectOptions) -> Result<Baseline, Error> {
    let passed = pass(session, &options.shared()?, Wanted::default()).await?;
    Ok(passed.days.into_values().next().map_or_else(Baseline::default, |collector| Baseline::of(&collector)))
}

/// The pass and the rules, done.
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

/// What rules run over.
struct RuleRun<'a> {
    /// Of all the logs, or of one day.
    counted: Collector,
    /// Of the time before.
    baseline: &'a Baseline,
    rules: Arc<RuleSet>,
    /// Files of `s3_events`, if a rule reads that.
    events: &'a [Arc<dyn SpillFile>],
    /// How the logs were read.
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
        // Of rules that found nothing, too: a condition that is wrong is an error whatever the logs hold.
        for rule in self.rules.enabled() {
            samples.choose(&context, rule)?;
        }
        let timing = Timing { tables: made, rules: start.elapsed(), ..Timing::default() };
        Ok(Detected { counted, tables, samples, rules: self.rules, hits, plan: self.plan, timing })
    }
}

/// Runs all rules, so many at once; their hits by the rule's id.
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

/// What was counted, and what the rules say of it.
struct Detected {
    counted: Arc<Collector>,
    tables: Tables,
    samples: Samples,
    rules: Arc<RuleSet>,
    /// By the rule's id.
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

    /// Everybody with evidence, in no order.
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

    /// What is known of a source without any rule: no evidence, no score.
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
            first_seen: totals.first,
            last_seen: totals.last,
            requests: totals.requests,
            bytes_sent: totals.bytes_sent,
            buckets: sorted(&totals.buckets, |number| names.buckets.get(number)),
            requesters: sorted(&totals.requesters, |number| names.requesters.get(number)),
            detectors: Vec::new(),
            provisional: provisional_from(judging.now).is_some_and(|from| totals.last >= from),
            listed: Listed {
                allow: known.allow.is_some(),
                cdn: guards.iter().any(|guard| guard.name == "cdn"),
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

    /// What rules say that is about no source.
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

/// From when on log objects may still be missing.
fn provisional_from(now: i64) -> Option<i64> {
    now.checked_sub(i64::try_from(DELIVERY.as_micros()).ok()?)
}

fn sorted<'a>(numbers: &Numbers, text: impl Fn(u32) -> &'a str) -> Vec<String> {
    let mut texts: Vec<String> = numbers.iter().map(|number| text(number).to_owned()).collect();
    texts.sort_unstable();
    texts
}
