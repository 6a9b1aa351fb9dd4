//! From hits to findings: how much evidence counts, together and with what is to be said for a source.
//!
//! A confidence is the probability that this evidence alone means an attacker. Inside of a family the strongest evidence counts, since
//! it is mostly the same behaviour seen twice; independent families multiply what is left of the doubt. Guards multiply the confidences.

use super::collect::sources::SourceTotals;
use super::context::Known;
use super::finding::{Guard, Severity};
use std::collections::BTreeMap;

/// A source that people share has at least so many different user agents that stay, for which requests work: who guesses names has but
/// few of those, however often he changes his own.
const SHARED_AGENTS: usize = 4;
/// And at most this share of its requests fail.
const SHARED_FAILS: f64 = 0.15;
/// Or it has so many that a few who attack from there fail for all, as long as some requests work.
const SHARED_BY_MANY: usize = 12;
const MANY_FAILS: f64 = 0.8;
/// And so many do.
const MANY_OK: u64 = 100;

/// What evidence is worth against an address whose requests say that a CDN asks for others, which anybody can say.
const CLAIMED_FACTOR: f64 = 0.5;
/// And against one in the ranges that a CDN publishes, that many share: its visitors, but a CDN also runs programs of its customers.
const EDGE_FACTOR: f64 = 0.3;

/// The guard of an address that many share.
const SHARED: &str = "shared";
/// What evidence against it is worth, of which nobody is sure.
const SHARED_FACTOR: f64 = 0.5;
/// Up to this confidence nobody is. From there on it counts more and more, up to the last: payloads and tools of attackers are one
/// person's, whoever else is there.
const SHARED_UNSURE: f64 = 0.6;
const SHARED_SURE: f64 = 0.95;
/// An alert, whatever comes together; a block would hit all the others.
const SHARED_MOST: f64 = 0.85;
/// Families of evidence that an address alone carries. What credentials are used for, theft and destruction are not anybody's who happens
/// to be there.
const OF_ADDRESSES: [&str; 4] = ["recon", "spoof", "cost", "intel"];

/// How often a detector fired, at most, adds so much to the strongest time.
const MOST_BY_HITS: f64 = 0.1;

/// From this confidence on, a detector's severity is the finding's.
const SERIOUS: f64 = 0.5;

/// Half-life of evidence that counts less the older it is.
pub(crate) struct Decay {
    /// From when on age counts, in microseconds.
    pub now: i64,
    /// How long it takes until evidence counts half; none for a report about a fixed time.
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

/// The confidence of a detector that fired `hits` times, `strongest` the strongest time: as if each doubling were one more proof, up to
/// a limit.
pub(crate) fn of_hits(strongest: f64, hits: u64) -> f64 {
    let times = 1.0 + (hits.max(1) as f64).log2();
    let together = 1.0 - (1.0 - strongest).powf(times);
    together.min(strongest + MOST_BY_HITS).min(1.0)
}

/// What is to be said for a source, whatever it did.
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
        (Some(entry), ..) => add("cdn", 0.0, format!("a CDN asks here for others: {}", entry.label())),
        (None, Some(entry), Some(why)) => {
            add("cdn", EDGE_FACTOR, format!("{} publishes its range; {why}", entry.label()))
        }
        _ if totals.seems_cdn() => {
            add(
                "cdn",
                CLAIMED_FACTOR,
                "its user agent says that a CDN asks here for others; --cdn-cidr would prove it".to_owned(),
            );
        }
        _ => {}
    }
    // Both the claim and the range, of nearly all requests: others can make an operator's machines fetch what they like, and one request
    // that is a crawler's says nothing of the others.
    if let Some(entry) = known.crawler.as_ref().filter(|_| totals.is_crawler()) {
        add("crawler", 0.0, format!("a crawler, by its claim and its address: {}", entry.label()));
    }
    if let Some(why) = shared {
        add(SHARED, SHARED_FACTOR, format!("{why}: an address that many share"));
    }
    guards
}

/// Why an address seems to be one that many share.
fn shared(totals: &SourceTotals) -> Option<String> {
    let fails = totals.fails as f64 / totals.requests.max(1) as f64;
    let agents = totals.steady_agents();
    let is_shared = agents >= SHARED_BY_MANY && totals.ok >= MANY_OK && fails < MANY_FAILS
        || agents >= SHARED_AGENTS && fails < SHARED_FAILS;
    is_shared.then(|| format!("requests of {agents} user agents work, {:.0} % of all fail", fails * 100.0))
}

/// Whether a rule may speak of an address that nobody on the internet has: only of what keys are used for, and of damage.
pub(crate) fn counts_for_private(family: &str, id: &str) -> bool {
    family == "impact" || family == "identity" && id.ends_with("204")
}

/// What a detector says of a source, as far as the score asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence<'a> {
    pub family: &'a str,
    pub confidence: f64,
    pub severity: Severity,
    pub last: Option<i64>,
}

/// The score of a source, and how bad it is.
pub(crate) fn score(signals: &[Evidence<'_>], guards: &[Guard], known: &Known, decay: &Decay) -> (f64, Severity) {
    let is_shared = guards.iter().any(|guard| guard.name == SHARED);
    let factor: f64 = guards.iter().filter(|guard| guard.name != SHARED).map(|guard| guard.factor).product();
    let mut families: BTreeMap<&str, f64> = BTreeMap::new();
    for signal in signals {
        let strongest = families.entry(signal.family).or_default();
        *strongest = strongest.max(signal.confidence * decay.factor(signal.last));
    }
    let (mut doubt, mut doubt_of_shared) = (1.0, 1.0);
    for (family, confidence) in families {
        if is_shared && OF_ADDRESSES.contains(&family) {
            doubt_of_shared *= 1.0 - factor * behind_shared(confidence);
        } else {
            doubt *= 1.0 - factor * confidence;
        }
    }
    let mut score = (1.0 - doubt * doubt_of_shared.max(1.0 - SHARED_MOST)).clamp(0.0, 1.0);
    // Whoever runs the bucket knows better than any user agent or range. Of who is allowed too, nothing is known here.
    if known.deny.is_some() {
        score = 1.0;
    }
    let serious = signals.iter().filter(|signal| signal.confidence >= SERIOUS).map(|signal| signal.severity).max();
    let weak = signals.iter().map(|signal| signal.severity.min(Severity::Low)).max();
    (score, serious.or(weak).unwrap_or(Severity::Info))
}

/// What evidence is worth against somebody at an address that many share.
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
        // Theft and destruction need more than a browser beside.
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
