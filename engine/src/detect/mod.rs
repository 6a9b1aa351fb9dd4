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
mod pass;
mod planning;
pub mod report;
pub mod rules;
mod samples;
mod score;
pub mod tables;
#[cfg(test)]
mod testing;
mod verify;
mod when;

pub(crate) use self::when::rfc3339;

pub use self::backtest::{BacktestDay, backtest};
pub use self::baseline::Baseline;
pub use self::explain::{Explanation, explain};
pub use self::facts::{ListError, Lists, SHIPPED as SHIPPED_LISTS, ShippedList};
pub use self::finding::{Band, Finding, Guard, Listed, Sample, Severity, Signal, Source};
pub use self::note::{EntityKind, Note};
pub use self::verify::{Failure, check_rules, verify};

use self::collect::sources::Numbers;
use self::collect::{Collector, SharedParts};
use self::context::{Context, Known};
use self::hits::Hit;
use self::pass::{Wanted, failed, pass};
use self::planning::rules_context;
use self::rules::{Entity, Rule, RuleSet};
use self::samples::Samples;
use self::score::{Decay, Evidence};
use self::tables::{EVENTS, Tables};
use crate::error::Error;
use crate::session::Session;
use crate::time_units::MICROS_PER_DAY;
use datafusion::execution::options::ArrowReadOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::SpillFile;
use datafusion::prelude::SessionContext;
use futures::{StreamExt as _, TryStreamExt as _};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long after a request its log object may still be missing, as far as is known of S3: most come within two hours.
pub const DELIVERY: Duration = Duration::from_secs(2 * 3600);

/// How suspicious sources are found.
#[derive(Clone, Debug)]
pub struct DetectOptions {
    lists: Lists,
    context: Arc<Context>,
    rules: Arc<RuleSet>,
    baseline: Arc<Baseline>,
    half_life: Option<Duration>,
    min_score: f64,
    now: i64,
}

impl DetectOptions {
    /// The shipped rules and lists; `now`, in microseconds since 1970, is when results become final.
    ///
    /// # Errors
    ///
    /// When a shipped rule or list is damaged.
    pub fn new(now: i64) -> Result<Self, Error> {
        let lists = Lists::shipped()?;
        let context = Context::new(now).with_crawlers_of(&lists)?;
        Ok(Self::of(RuleSet::shipped()?, lists, context, now))
    }

    /// These rules, lists and context: what is shipped takes a moment to load, and is not loaded here. Ranges of crawlers have to be in
    /// the context (see [`Context::with_crawlers_of`]), which is of the same `now`.
    #[must_use]
    pub fn of(rules: RuleSet, lists: Lists, context: Context, now: i64) -> Self {
        Self {
            lists,
            context: Arc::new(context),
            rules: Arc::new(rules),
            baseline: Arc::default(),
            half_life: None,
            min_score: 0.0,
            now,
        }
    }

    /// What is known of addresses. Ranges of crawlers have to be in it: see [`Context::with_crawlers_of`].
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Arc::new(context);
        self
    }

    /// Other rules.
    #[must_use]
    pub fn with_rules(mut self, rules: RuleSet) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// What is normal.
    #[must_use]
    pub fn with_baseline(mut self, baseline: Baseline) -> Self {
        self.baseline = Arc::new(baseline);
        self
    }

    /// Evidence counts half when it is so old; for a running watch, not for a report about a fixed time.
    #[must_use]
    pub fn with_half_life(mut self, half_life: Duration) -> Self {
        self.half_life = Some(half_life);
        self
    }

    /// Leaves out sources of a lower score, which makes a report of many sources smaller and faster.
    #[must_use]
    pub fn with_min_score(mut self, min_score: f64) -> Self {
        self.min_score = min_score;
        self
    }

    /// The same at another time.
    fn at(&self, now: i64) -> Self {
        Self { now, ..self.clone() }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The lists.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// What is known of addresses.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    fn shared(&self) -> SharedParts {
        SharedParts { lists: self.lists.clone(), context: Arc::clone(&self.context) }
    }

    fn needs_events(&self) -> bool {
        self.rules.enabled().any(|rule| rule.tables().contains(EVENTS))
    }
}

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
/// let report = detect(&session, &DetectOptions::new(now)?).await?;
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
    Ok(detected(session, options).await?.report(options))
}

/// Learns what is normal from the logs of a session.
///
/// # Errors
///
/// When the logs cannot be read.
pub async fn learn(session: &Session, options: &DetectOptions) -> Result<Baseline, Error> {
    let passed = pass(session, &options.shared(), Wanted::default()).await?;
    Ok(passed.days.into_values().next().map_or_else(Baseline::default, |collector| Baseline::of(&collector)))
}

/// The pass and the rules, done.
async fn detected(session: &Session, options: &DetectOptions) -> Result<Detected, Error> {
    let wanted = Wanted { every: options.needs_events(), by_day: false };
    let start = Instant::now();
    let passed = pass(session, &options.shared(), wanted).await?;
    let took = start.elapsed();
    let counted = passed.days.into_values().next().unwrap_or_else(|| Collector::new(options.shared(), false));
    let rules: Vec<&Rule> = options.rules.enabled().collect();
    let first = counted.first.unwrap_or(options.now);
    let baseline = Baseline::clone(&options.baseline).before(first);
    let runtime = session.context().runtime_env();
    let mut detected =
        Detected::run_rules(counted, &baseline, &rules, runtime, session.threads(), &passed.events, passed.plan)
            .await?;
    detected.timing.pass = took;
    Ok(detected)
}

/// What was counted, and what the rules say of it.
struct Detected {
    counted: Arc<Collector>,
    tables: Tables,
    samples: Samples,
    /// By the rule's id.
    hits: BTreeMap<String, Vec<Hit>>,
    plan: String,
    timing: Timing,
}

impl Detected {
    async fn run_rules(
        mut counted: Collector,
        baseline: &Baseline,
        rules: &[&Rule],
        runtime: Arc<RuntimeEnv>,
        threads: usize,
        events: &[Arc<dyn SpillFile>],
        plan: String,
    ) -> Result<Self, Error> {
        for (key, sources) in &baseline.keys {
            counted.keys.remember(*key, *sources);
        }
        let by_key = rules.iter().any(|rule| rule.tables().contains("good") || rule.tables().contains("asks"));
        let start = Instant::now();
        let counted = Arc::new(counted);
        let tables = Tables::of(&counted, baseline, by_key)?;
        let mut samples = Samples::of(tables.trail());
        let context = rules_context(runtime)?;
        tables.register(&context).map_err(failed)?;
        register_events(&context, events).await?;
        let made = start.elapsed();
        let start = Instant::now();
        let run: Vec<Rule> = rules.iter().copied().cloned().collect();
        let hits: BTreeMap<String, Vec<Hit>> = futures::stream::iter(run)
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
            .await?;
        // Of rules that found nothing, too: a condition that is wrong is an error whatever the logs hold.
        for rule in rules {
            samples.choose(&context, rule)?;
        }
        Ok(Self {
            counted,
            tables,
            samples,
            hits,
            plan,
            timing: Timing { tables: made, rules: start.elapsed(), ..Timing::default() },
        })
    }

    fn report(&self, options: &DetectOptions) -> Report {
        let mut findings = self.findings(options);
        Finding::sort(&mut findings);
        let mut notes = self.notes(options);
        notes.extend(roll_ups(&findings));
        Report { findings, notes, looked: self.looked(options) }
    }

    fn looked(&self, options: &DetectOptions) -> Looked {
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
            provisional_from: provisional_from(options.now)
                .filter(|from| counted.last.is_some_and(|last| last >= *from)),
            rules: self.hits.len() as u64,
            plan: self.plan.clone(),
            timing: self.timing,
        }
    }

    /// Everybody with evidence, in no order.
    fn findings(&self, options: &DetectOptions) -> Vec<Finding> {
        let mut by_source: HashMap<&str, Vec<(&Rule, Vec<&Hit>)>> = HashMap::new();
        for rule in options.rules.enabled().filter(|rule| rule.scored && rule.entity == Entity::Src) {
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
        by_source.par_iter().filter_map(|(source, of_rules)| self.finding(source, of_rules, options)).collect()
    }

    fn finding(&self, source: &str, of_rules: &[(&Rule, Vec<&Hit>)], options: &DetectOptions) -> Option<Finding> {
        let (bare, known) = self.bare(source, options)?;
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
        let decay = Decay { now: options.now, half_life: options.half_life };
        let evidence: Vec<Evidence<'_>> = weighed.iter().map(Weighed::evidence).collect();
        let (score, severity) = score::score(&evidence, &bare.guards, known, &decay);
        let score = hits::round(score);
        if score < options.min_score {
            return None;
        }
        let detectors = weighed.iter().map(|weighed| weighed.signal(source, &self.samples)).collect();
        Some(Finding { score, band: Band::of(score), severity, detectors, ..bare })
    }

    /// What is known of a source without any rule: no evidence, no score.
    fn bare(&self, source: &str, options: &DetectOptions) -> Option<(Finding, &Known)> {
        let counted = &self.counted;
        let names = &counted.names;
        let number = names.sources.find(source)? as usize;
        let (known, totals) = (&counted.sources.get(number)?.known, counted.totals.get(number)?);
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
            guards: score::guards(known, totals),
            provisional: provisional_from(options.now).is_some_and(|from| totals.last >= from),
            listed: Listed {
                allow: known.allow.is_some(),
                cdn: known.cdn.is_some() || totals.seems_cdn(),
                crawler: known.crawler.is_some(),
                private: known.private,
                deny: known.deny.is_some(),
            },
            country: known.country.as_deref().map(str::to_owned),
            asn: known.asn,
            as_org: known.as_org.as_deref().map(str::to_owned),
        };
        Some((finding, known))
    }

    /// What rules say that is about no source.
    fn notes(&self, options: &DetectOptions) -> Vec<Note> {
        let mut notes = Vec::new();
        for rule in options.rules.enabled().filter(|rule| !rule.scored || rule.entity != Entity::Src) {
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

/// What a rule says of a source, all its hits together.
struct Weighed<'a> {
    rule: &'a Rule,
    hits: &'a [&'a Hit],
    strongest: &'a Hit,
    confidence: f64,
}

impl<'a> Weighed<'a> {
    fn of(rule: &'a Rule, hits: &'a [&'a Hit]) -> Option<Self> {
        let strongest = hits.iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
        let confidence = hits::round(score::of_hits(strongest.confidence, hits.len() as u64));
        Some(Self { rule, hits, strongest, confidence })
    }

    fn severity(&self) -> Severity {
        self.hits.iter().filter_map(|hit| hit.severity).max().unwrap_or(self.rule.severity)
    }

    fn last(&self) -> Option<i64> {
        self.hits.iter().filter_map(|hit| hit.last).max()
    }

    fn evidence(&self) -> Evidence<'a> {
        Evidence {
            family: &self.rule.family,
            confidence: self.confidence,
            severity: self.severity(),
            last: self.last(),
        }
    }

    fn signal(&self, source: &str, samples: &Samples) -> Signal {
        let (rule, strongest) = (self.rule, self.strongest);
        Signal {
            id: rule.id.clone(),
            name: rule.name.clone(),
            family: rule.family.clone(),
            severity: self.severity(),
            confidence: self.confidence,
            explanation: strongest.explanation(rule),
            measured: strongest.measured(rule),
            mitre: rule.mitre.clone(),
            bucket: strongest.bucket.clone(),
            requester: strongest.requester.clone(),
            first: self.hits.iter().filter_map(|hit| hit.first).min(),
            last: self.last(),
            hits: self.hits.len() as u64,
            samples: samples.for_hit(source, rule, strongest),
        }
    }
}

/// In so many sources of one network the same detector has to fire for the network to be named.
const ROLLED_UP_V4: usize = 5;
const ROLLED_UP_V6: usize = 4;
const ROLLED_UP_SYSTEM: usize = 10;
/// The confidence from which on it counts as fired.
const FIRED: f64 = 0.3;

/// Networks of which several sources did the same within a day.
fn roll_ups(findings: &[Finding]) -> Vec<Note> {
    let mut fired: BTreeMap<(String, &str), Vec<(&Finding, &Signal)>> = BTreeMap::new();
    for finding in findings {
        let address = finding.client_ip.network().addr();
        let mut networks = vec![context::network::text_of(context::network::roll_up_of(address)).to_string()];
        networks.extend(finding.asn.map(|number| format!("AS{number}")));
        for signal in finding.detectors.iter().filter(|signal| signal.confidence >= FIRED) {
            for network in &networks {
                fired.entry((network.clone(), &signal.id)).or_default().push((finding, signal));
            }
        }
    }
    let mut notes = Vec::new();
    for ((network, id), mut members) in fired {
        let needed = match (network.starts_with("AS"), network.contains(':')) {
            (true, _) => ROLLED_UP_SYSTEM,
            (false, true) => ROLLED_UP_V6,
            (false, false) => ROLLED_UP_V4,
        };
        // The most that did it within one day.
        members.sort_by_key(|(finding, signal)| signal.first.unwrap_or(finding.first_seen));
        let start = |at: usize| members[at].1.first.unwrap_or(members[at].0.first_seen);
        let mut from = 0;
        let mut most = 0..0;
        for to in 0..members.len() {
            while start(to) - start(from) > MICROS_PER_DAY {
                from += 1;
            }
            if to + 1 - from > most.len() {
                most = from..to + 1;
            }
        }
        if most.len() < needed {
            continue;
        }
        let (_, signal) = members[most.start];
        notes.push(Note {
            entity: network,
            entity_kind: EntityKind::Network,
            id: id.to_owned(),
            name: signal.name.clone(),
            severity: members[most.clone()].iter().map(|(_, signal)| signal.severity).max().unwrap_or_default(),
            explanation: format!("{} sources of this network did the same within a day", most.len()),
            measured: format!("{{\"sources\":{}}}", most.len()),
            evidence: members[most].iter().take(5).map(|(finding, _)| finding.client_ip.to_string()).collect(),
            samples: Vec::new(),
        });
    }
    notes
}
