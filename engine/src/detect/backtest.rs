//! Backtesting of rules: what each would have flagged if `s3log flag` had run after every day, with the preceding days
//! as baseline.

use super::baseline::Baseline;
use super::finding::{Band, Finding};
use super::options::Judging;
use super::pass::{Wanted, pass};
use super::{DetectOptions, RuleRun};
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::time_units::MICROS_PER_DAY;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The results of a rule for one day.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BacktestDay {
    /// Start of the day in microseconds since the Unix epoch (UTC).
    pub day: i64,
    /// Id of the rule.
    pub id: String,
    /// Name of the rule.
    pub name: String,
    /// Number of requests on that day.
    pub requests: u64,
    /// Number of sources on that day.
    pub sources: u64,
    /// Number of sources for which the rule fired.
    pub fired: u64,
    /// Number of these whose score was in band `watch` or above.
    pub watch: u64,
    /// Number of these whose score was in band `alert` or above.
    pub alert: u64,
    /// Number of these whose score was in band `block`.
    pub block: u64,
    /// Number of these in band `alert` or above that would be below it without the family of this rule.
    pub decisive: u64,
    /// The highest confidence of the rule.
    pub confidence: f64,
}

/// Runs all rules over each day separately. The logs are read once.
///
/// # Errors
///
/// Fails in the same cases as [`detect`](super::detect), and if a rule reads `s3_events`, which is not available by
/// day.
pub async fn backtest(session: &Session, options: &DetectOptions) -> Result<Vec<BacktestDay>, Error> {
    let options = options.prepared()?;
    if options.needs_events() {
        return Err(Error::new(ErrorKind::Unsupported, "rules that read `s3_events` cannot be run day by day")
            .with_hint("leave them out with `enabled = false`, or let them read `s3_trail`"));
    }
    let passed = pass(session, &options.shared, Wanted { every: false, by_day: true }).await?;
    let first = passed.days.keys().next().map_or(0, |day| i64::from(*day) * MICROS_PER_DAY);
    let mut baseline = Baseline::clone(&options.baseline).before(first);
    let mut rows = Vec::new();
    for (day, counted) in passed.days {
        let learned = Baseline::of(&counted);
        let (requests, sources) = (counted.requests, counted.sources.len() as u64);
        let rules = Arc::clone(&options.rules);
        let run = RuleRun { counted, baseline: &baseline, rules, events: &[], plan: String::new() };
        // Age of evidence as of the end of that day.
        let judging = Judging { now: i64::from(day + 1) * MICROS_PER_DAY, ..options.judging };
        let findings = run.detected(session).await?.findings(&judging);
        let mut by_rule: BTreeMap<&str, BacktestDay> = BTreeMap::new();
        for rule in options.rules.enabled() {
            by_rule.insert(
                &rule.id,
                BacktestDay {
                    day: i64::from(day) * MICROS_PER_DAY,
                    id: rule.id.clone(),
                    name: rule.name.clone(),
                    requests,
                    sources,
                    fired: 0,
                    watch: 0,
                    alert: 0,
                    block: 0,
                    decisive: 0,
                    confidence: 0.0,
                },
            );
        }
        for finding in &findings {
            for signal in &finding.detectors {
                let Some(row) = by_rule.get_mut(signal.id.as_str()) else { continue };
                row.fired += 1;
                row.watch += u64::from(finding.band >= Band::Watch);
                row.alert += u64::from(finding.band >= Band::Alert);
                row.block += u64::from(finding.band >= Band::Block);
                row.decisive += u64::from(finding.band >= Band::Alert && !is_alert_without(finding, &signal.family));
                row.confidence = row.confidence.max(signal.confidence);
            }
        }
        rows.extend(by_rule.into_values());
        baseline.extend(learned);
    }
    Ok(rows)
}

/// Whether a finding would be in band `alert` without the evidence of one family.
fn is_alert_without(finding: &Finding, family: &str) -> bool {
    let mut families: BTreeMap<&str, f64> = BTreeMap::new();
    for signal in finding.detectors.iter().filter(|signal| signal.family != family) {
        let strongest = families.entry(&signal.family).or_default();
        *strongest = strongest.max(signal.confidence);
    }
    let factor: f64 = finding.guards.iter().map(|guard| guard.factor).product();
    let doubt: f64 = families.values().map(|confidence| 1.0 - factor * confidence).product();
    Band::of(1.0 - doubt) >= Band::Alert
}
