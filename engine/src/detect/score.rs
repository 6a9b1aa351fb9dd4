//! Scoring: combines hits into findings, taking mitigating circumstances into account.
//!
//! A confidence is the probability that this evidence alone indicates an attacker. Within a family only the strongest
//! evidence counts, since the others are usually the same behaviour seen again; independent families multiply the
//! remaining doubt. Guards multiply the confidences.

use super::collect::agents;
use super::collect::sources::SourceTotals;
use super::context::Known;
use super::finding::{Guard, Severity};
use std::collections::BTreeMap;

/// A shared address has at least this many distinct persistent user agents with successful requests. Someone who
/// guesses names has few of those, however often they change their own.
const SHARED_AGENTS: usize = 4;
/// And at most this share of its requests fail.
const SHARED_FAILS: f64 = 0.15;
/// Or it has this many, and some successful requests: a few attackers behind it must not make it look unshared.
const SHARED_BY_MANY: usize = 12;
const MANY_FAILS: f64 = 0.8;
/// Number of successful requests required in that case.
const MANY_OK: u64 = 100;

/// Factor for an address whose requests claim to come from a CDN, which anyone can claim.
const CLAIMED_FACTOR: f64 = 0.5;
/// Factor for an address in the published ranges of a CDN: it is shared by visitors, but a CDN also runs code of its
/// customers.
const EDGE_FACTOR: f64 = 0.3;

/// Name of the guard for such claims. It does not apply to destruction: a CDN makes no such requests, so who destroys is
/// none.
pub(crate) const CLAIMED: &str = "cdn-claim";
/// Name of the guard for shared addresses.
const SHARED: &str = "shared";
/// Its factor for uncertain evidence.
const SHARED_FACTOR: f64 = 0.5;
/// Evidence up to this confidence is uncertain. Between the two, it counts increasingly: attack payloads and tools
/// belong to one person, whoever else uses the address.
const SHARED_UNSURE: f64 = 0.6;
const SHARED_SURE: f64 = 0.95;
/// Upper limit of the score for a shared address: an alert, because blocking would hit everyone else.
const SHARED_MOST: f64 = 0.85;
/// Families of evidence to which the guard applies. Use of credentials, theft and destruction are never attributed to
/// bystanders.
const OF_ADDRESSES: [&str; 4] = ["recon", "spoof", "cost", "intel"];

/// The family of destruction.
const IMPACT: &str = "impact";

/// Upper limit of what repeated hits add to the strongest one.
const MOST_BY_HITS: f64 = 0.1;

/// Minimum confidence for a signal's severity to count for the finding.
const SERIOUS: f64 = 0.5;

/// Decay of evidence with age.
pub(crate) struct Decay {
    /// Reference time in microseconds since the Unix epoch (UTC).
    pub now: i64,
    /// Age at which evidence counts half; `None` for a report about a fixed period.
    pub half_life: Option<std::time::Duration>,
}

impl Decay {
    fn factor(&self, last: Option<i64>) -> f64 {
        match (self.half_life, last) {
            (Some(half_life), Some(last)) if !half_life.is_zero() => {
                let age = (self.now - last).max(0) as f64 / 1_000_000.0;
                2.0_f64.powf(-age / half_life.as_secs_f64())
            }
            _ => 1.0,
        }
    }
}

/// The confidence of a detector with `hits` hits, `strongest` being the highest confidence among them. Each doubling
/// counts as one more piece of evidence, up to a limit.
pub(crate) fn of_hits(strongest: f64, hits: u64) -> f64 {
    let times = 1.0 + (hits.max(1) as f64).log2();
    let together = 1.0 - (1.0 - strongest).powf(times);
    together.min(strongest + MOST_BY_HITS).min(1.0)
}

/// The mitigating circumstances of a source, whatever it did.
pub(crate) fn guards(known: &Known, totals: &SourceTotals) -> Vec<Guard> {
    let mut guards = Vec::new();
    let mut add = |name: &str, factor: f64, reason: String| {
        guards.push(Guard { name: name.to_owned(), factor, reason });
    };
    if let Some(entry) = &known.allow {
        add("allow", 0.0, format!("on the list of allowed addresses: {}", entry.label()));
    }
    let shared = shared(totals);
    match (&known.cdn, &known.edge, &shared) {
        (Some(entry), ..) => add("cdn", 0.0, format!("a CDN that makes requests for others: {}", entry.label())),
        (None, Some(entry), Some(why)) => {
            add("cdn", EDGE_FACTOR, format!("{} publishes its range; {why}", entry.label()))
        }
        _ if totals.seems_cdn() => {
            add(CLAIMED, CLAIMED_FACTOR, "its user agent claims to be a CDN; --cdn-cidr would confirm it".to_owned());
        }
        _ => {}
    }
    // Requires both claim and address range, for nearly all requests: third parties can make an operator's machines
    // fetch anything, and one crawler request says nothing about the others.
    if let Some(entry) = known.crawler.as_ref().filter(|_| totals.is_crawler()) {
        add("crawler", 0.0, format!("a crawler, by its claim and its address: {}", entry.label()));
    }
    if let Some(why) = shared {
        add(SHARED, SHARED_FACTOR, format!("{why}: a shared address"));
    }
    guards
}

/// Why an address appears to be shared, if it does.
fn shared(totals: &SourceTotals) -> Option<String> {
    let fails = totals.fails as f64 / totals.requests.max(1) as f64;
    let steady = totals.steady_agents();
    let is_shared = steady >= SHARED_BY_MANY && totals.ok >= MANY_OK && fails < MANY_FAILS
        || steady >= SHARED_AGENTS && fails < SHARED_FAILS;
    // Beyond that many, their number is an estimate.
    let about = if steady > agents::MOST { "about " } else { "" };
    is_shared.then(|| format!("requests of {about}{steady} user agents work, {:.0} % of all fail", fails * 100.0))
}

/// Whether a rule applies to private addresses: only rules about the use of keys, and about damage.
pub(crate) fn counts_for_private(family: &str, id: &str) -> bool {
    family == IMPACT || family == "identity" && id.ends_with("204")
}

/// The signal of a rule, as far as needed for the score.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence<'a> {
    pub family: &'a str,
    pub confidence: f64,
    pub severity: Severity,
    pub last: Option<i64>,
}

/// The score and severity of a source.
pub(crate) fn score(signals: &[Evidence<'_>], guards: &[Guard], known: &Known, decay: &Decay) -> (f64, Severity) {
    let is_shared = guards.iter().any(|guard| guard.name == SHARED);
    let factor_of = |family: &str| -> f64 {
        let applies = |guard: &&Guard| guard.name != SHARED && (guard.name != CLAIMED || family != IMPACT);
        guards.iter().filter(applies).map(|guard| guard.factor).product()
    };
    let mut families: BTreeMap<&str, f64> = BTreeMap::new();
    for signal in signals {
        let strongest = families.entry(signal.family).or_default();
        *strongest = strongest.max(signal.confidence * decay.factor(signal.last));
    }
    let (mut doubt, mut doubt_of_shared) = (1.0, 1.0);
    for (family, confidence) in families {
        let factor = factor_of(family);
        if is_shared && OF_ADDRESSES.contains(&family) {
            doubt_of_shared *= 1.0 - factor * behind_shared(confidence);
        } else {
            doubt *= 1.0 - factor * confidence;
        }
    }
    let mut score = (1.0 - doubt * doubt_of_shared.max(1.0 - SHARED_MOST)).clamp(0.0, 1.0);
    // The operator's deny list outweighs user agents and ranges. It is never set for allowed addresses.
    if known.deny.is_some() {
        score = 1.0;
    }
    let serious = signals.iter().filter(|signal| signal.confidence >= SERIOUS).map(|signal| signal.severity).max();
    let weak = signals.iter().map(|signal| signal.severity.min(Severity::Low)).max();
    (score, serious.or(weak).unwrap_or(Severity::Info))
}

/// Reduced confidence of evidence against a shared address.
fn behind_shared(confidence: f64) -> f64 {
    let unsure = SHARED_FACTOR * SHARED_UNSURE;
    let sure = (confidence - SHARED_UNSURE) / (SHARED_SURE - SHARED_UNSURE);
    if sure <= 0.0 { SHARED_FACTOR * confidence } else { (unsure + sure * (SHARED_MOST - unsure)).min(SHARED_MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn signal(family: &str, confidence: f64, severity: Severity) -> Evidence<'_> {
        Evidence { family, confidence, severity, last: None }
    }

    const NO_DECAY: Decay = Decay { now: 0, half_life: None };

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn families_multiply_doubt_and_hold_their_strongest() {
        let signals = [
            signal("recon", 0.5, Severity::Medium),
            signal("recon", 0.4, Severity::Critical),
            signal("auth", 0.6, Severity::Low),
        ];
        let (score, severity) = score(&signals, &[], &Known::default(), &NO_DECAY);
        assert!(near(score, 1.0 - 0.5 * 0.4), "{score}");
        assert_eq!(severity, Severity::Medium);
    }

    #[test]
    fn a_claim_to_be_a_cdn_excuses_no_destruction() {
        let signals = [signal("impact", 0.9, Severity::Critical), signal("recon", 0.8, Severity::High)];
        let (score, _) = score(&signals, &[guard(CLAIMED, CLAIMED_FACTOR)], &Known::default(), &NO_DECAY);
        assert!(near(score, 1.0 - 0.1 * 0.6), "{score}");
    }

    fn guard(name: &str, factor: f64) -> Guard {
        Guard { name: name.to_owned(), factor, reason: String::new() }
    }

    #[test]
    fn guards_lower_confidences() {
        let signals = [signal("recon", 0.8, Severity::High), signal("auth", 0.4, Severity::Low)];
        let (half, _) = score(&signals, &[guard("cdn", 0.5)], &Known::default(), &NO_DECAY);
        assert!(near(half, 1.0 - 0.6 * 0.8), "{half}");
        assert!(near(score(&signals, &[guard("allow", 0.0)], &Known::default(), &NO_DECAY).0, 0.0));
    }

    #[test]
    fn at_a_shared_address_what_is_sure_is_an_alert_and_no_block() {
        let of = |signals: &[Evidence<'_>]| score(signals, &[guard(SHARED, 0.5)], &Known::default(), &NO_DECAY).0;
        for (confidence, counts) in [(0.4, 0.2), (0.6, 0.3), (0.95, 0.85), (1.0, 0.85)] {
            let counted = of(&[signal("recon", confidence, Severity::High)]);
            assert!(near(counted, counts), "{confidence}: {counted}");
        }
        assert!((0.6..0.9).contains(&of(&[signal("recon", 0.9, Severity::High)])));
        let much = ["recon", "spoof", "cost", "intel"].map(|family| signal(family, 1.0, Severity::High));
        assert!(near(of(&much), SHARED_MOST));
        // Theft and destruction are not excused by other users of the address.
        for family in ["exfil", "identity", "impact", "auth"] {
            assert!(near(of(&[signal(family, 0.95, Severity::High)]), 0.95), "{family}");
        }
    }

    #[test]
    fn who_is_to_be_denied_is_whatever_it_says_of_itself() {
        let list = crate::detect::context::CidrList::parse("deny", "192.0.2.1", 0).unwrap();
        let context = crate::detect::context::Context::new(0).with_deny(&list);
        let known = context.of("192.0.2.1".parse().unwrap());
        for guard in [guard("cdn", 0.0), guard("crawler", 0.0), guard("cdn", 0.5)] {
            assert!(near(score(&[], &[guard], &known, &NO_DECAY).0, 1.0));
        }
    }

    #[test]
    fn more_hits_count_a_little_more() {
        assert!(near(of_hits(0.3, 1), 0.3));
        assert!(near(of_hits(0.3, 2), 0.4));
        assert!(near(of_hits(0.02, 2), 1.0 - 0.98_f64.powi(2)));
        assert!(near(of_hits(0.98, 64), 1.0));
        assert!(near(of_hits(0.3, 0), 0.3));
    }

    #[test]
    fn old_evidence_counts_less_only_when_asked() {
        let day = 86_400_000_000;
        let old = Evidence { last: Some(0), ..signal("recon", 0.8, Severity::High) };
        let decay = |half_life| Decay { now: 3 * day, half_life };
        let of = |decay: &Decay| score(std::slice::from_ref(&old), &[], &Known::default(), decay).0;
        assert!(near(of(&decay(None)), 0.8));
        assert!(near(of(&decay(Some(Duration::from_secs(72 * 3600)))), 0.4));
    }
}
