//! Networks with several sources that did the same within a day: one note in addition to many similar findings.

use super::context::network::{roll_up_of, text_of};
use super::finding::{Finding, Signal};
use super::note::{EntityKind, Note};
use crate::time_units::MICROS_PER_DAY;
use std::collections::BTreeMap;
use std::ops::Range;

/// Number of sources in a network for which the same detector must fire.
const ROLLED_UP_V4: usize = 5;
const ROLLED_UP_V6: usize = 4;
const ROLLED_UP_SYSTEM: usize = 10;
/// Minimum confidence for a detector to count as fired.
const FIRED: f64 = 0.3;
/// Maximum number of sources named in a note.
const NAMED: usize = 5;

/// A source, and the signal of one detector.
type Member<'a> = (&'a Finding, &'a Signal);

/// The notes about networks, by network and detector.
pub(super) fn roll_ups(findings: &[Finding]) -> Vec<Note> {
    let mut notes = Vec::new();
    for ((network, id), mut members) in fired(findings) {
        let needed = match (network.starts_with("AS"), network.contains(':')) {
            (true, _) => ROLLED_UP_SYSTEM,
            (false, true) => ROLLED_UP_V6,
            (false, false) => ROLLED_UP_V4,
        };
        let most = most_within_a_day(&mut members);
        let most = &members[most];
        if most.len() >= needed
            && let Some((_, signal)) = most.first()
        {
            notes.push(Note {
                entity: network,
                entity_kind: EntityKind::Network,
                id: id.to_owned(),
                name: signal.name.clone(),
                severity: most.iter().map(|(_, signal)| signal.severity).max().unwrap_or_default(),
                explanation: format!("{} sources of this network did the same within a day", most.len()),
                measured: format!("{{\"sources\":{}}}", most.len()),
                evidence: most.iter().take(NAMED).map(|(finding, _)| finding.client_ip.to_string()).collect(),
                samples: Vec::new(),
            });
        }
    }
    notes
}

/// Sources for which a detector fired, grouped by network and detector.
fn fired(findings: &[Finding]) -> BTreeMap<(String, &str), Vec<Member<'_>>> {
    let mut fired: BTreeMap<(String, &str), Vec<Member<'_>>> = BTreeMap::new();
    for finding in findings {
        let address = finding.client_ip.network().addr();
        let mut networks = vec![text_of(roll_up_of(address)).to_string()];
        networks.extend(finding.asn.map(|number| format!("AS{number}")));
        for signal in finding.detectors.iter().filter(|signal| signal.confidence >= FIRED) {
            for network in &networks {
                fired.entry((network.clone(), &signal.id)).or_default().push((finding, signal));
            }
        }
    }
    fired
}

/// Sorts members by time and returns the longest run of them that began within one day.
fn most_within_a_day(members: &mut [Member<'_>]) -> Range<usize> {
    let start = |(finding, signal): &Member<'_>| signal.first.unwrap_or(finding.first_seen);
    members.sort_by_key(start);
    let mut from = 0;
    let mut most = 0..0;
    for to in 0..members.len() {
        while start(&members[to]) - start(&members[from]) > MICROS_PER_DAY {
            from += 1;
        }
        if to + 1 - from > most.len() {
            most = from..to + 1;
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{NOON, finding};

    /// A source with a signal that began at this hour.
    fn source(address: &str, confidence: f64, hour: i64) -> Finding {
        let first = Some(NOON + hour * 3_600_000_000);
        let signal = Signal { id: "S3D-103".to_owned(), confidence, first, ..Signal::default() };
        Finding { detectors: vec![signal], ..finding(address, 0.9) }
    }

    fn named(findings: &[Finding]) -> Vec<(String, Vec<String>)> {
        roll_ups(findings).into_iter().map(|note| (note.entity, note.evidence)).collect()
    }

    #[test]
    fn several_sources_within_a_day_name_their_network() {
        let of = |hosts: &[u8], confidence: f64, hours: i64| -> Vec<Finding> {
            let hosts = hosts.iter().enumerate();
            hosts.map(|(at, host)| source(&format!("192.0.2.{host}"), confidence, at as i64 * hours)).collect()
        };
        let five = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"].map(str::to_owned).to_vec();
        let of_five = [("192.0.2.0/24".to_owned(), five)];
        assert_eq!(named(&of(&[1, 2, 3, 4, 5], FIRED, 6)), of_five);
        // The sixth is on the next day, and a weak signal does not count.
        assert_eq!(named(&of(&[1, 2, 3, 4, 5, 6], FIRED, 6)), of_five);
        assert_eq!(named(&of(&[1, 2, 3, 4, 5], 0.29, 6)), []);
        assert_eq!(named(&of(&[1, 2, 3, 4], FIRED, 6)), []);
        assert_eq!(named(&of(&[1, 2, 3, 4, 5], FIRED, 7)), []);
    }

    #[test]
    fn fewer_networks_of_ipv6_and_more_sources_of_a_system_are_needed() {
        let v6: Vec<Finding> = (0..4).map(|at| source(&format!("2001:db8:0:{at}::1"), 0.9, 0)).collect();
        assert_eq!(named(&v6).iter().map(|(network, _)| network.as_str()).collect::<Vec<_>>(), ["2001:db8::/48"]);
        let of_system = |sources: u8| -> Vec<String> {
            let findings: Vec<Finding> = (0..sources)
                .map(|at| Finding { asn: Some(64_500), ..source(&format!("198.51.{at}.1"), 0.9, 0) })
                .collect();
            named(&findings).into_iter().map(|(network, _)| network).collect()
        };
        assert_eq!((of_system(9), of_system(10)), (Vec::new(), vec!["AS64500".to_owned()]));
    }
}
