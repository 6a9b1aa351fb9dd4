//! Selects the networks of a deny list, and explains which are left out despite their score.

use super::IpVersion;
use crate::Error;
use crate::detect::context::{Context, ListKind};
use crate::detect::finding::{Band, Finding};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Default validity of a list: addresses change hands.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Options for the selection of a deny list.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Minimum score to be denied; 0.9 by default.
    pub min_score: f64,
    /// Maximum number of networks; the highest scores take precedence.
    pub max_entries: Option<usize>,
    /// The version of IP addresses to prefer if there is a maximum, for lists that can hold only one.
    pub version: Option<IpVersion>,
    /// Whether to merge adjacent networks. The result covers exactly the same addresses.
    pub aggregate: bool,
    /// Time at which the list is made, in microseconds since the Unix epoch (UTC).
    pub made: i64,
    /// Period of validity; 24 hours by default.
    pub good_for: Duration,
}

impl Selection {
    /// The default options for a list made at this time.
    #[must_use]
    pub fn new(made: i64) -> Self {
        Self {
            min_score: Band::Block.min_score(),
            max_entries: None,
            version: None,
            aggregate: false,
            made,
            good_for: GOOD_FOR,
        }
    }
}

/// A list of networks to deny.
#[derive(Clone, Debug, PartialEq)]
pub struct DenyList {
    networks: Vec<IpNet>,
    sources: usize,
    left_out: LeftOut,
    min_score: f64,
    made: i64,
    good_for: Duration,
}

/// Number of sources left out of the list, each counted for the first reason that applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The score is too low.
    pub score: usize,
    /// On the allow list.
    pub allow: usize,
    /// Of a CDN: denying it would deny all of its visitors.
    pub cdn: usize,
    /// Crawlers within the published ranges of their operators.
    pub crawler: usize,
    /// Addresses not routed on the internet.
    pub private: usize,
    /// The list was full.
    pub full: usize,
}

impl LeftOut {
    /// Whether any source with a sufficient score was left out.
    #[must_use]
    pub fn any(&self) -> bool {
        self.reasons().iter().any(|(number, _)| *number > 0)
    }

    /// The reasons worth reporting. Low scores are not, since most sources have one.
    fn reasons(&self) -> [(usize, &'static str); 5] {
        [
            (self.allow, "on the allow list"),
            (self.cdn, "of a CDN"),
            (self.crawler, "of known crawlers"),
            (self.private, "not routed in the internet"),
            (self.full, "beyond the limit of entries"),
        ]
    }
}

/// Formats as `2 on the allow list, 1 of a CDN`.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.reasons().into_iter().filter(|(number, _)| *number > 0);
        let told: Vec<_> = told.map(|(number, reason)| format!("{number} {reason}")).collect();
        f.write_str(if told.is_empty() { "nobody" } else { "" })?;
        f.write_str(&told.join(", "))
    }
}

impl DenyList {
    /// Selects from findings in any order. Networks protected by the lists of the context are left out, even if only
    /// part of a source is protected. Sources on the user's deny list are included unless they are allowed.
    ///
    /// # Errors
    ///
    /// Fails if the minimum score is not between 0 and 1.
    pub fn select(findings: &[Finding], context: &Context, selection: &Selection) -> Result<Self, Error> {
        let min_score = selection.min_score;
        if !(0.0..=1.0).contains(&min_score) {
            return Err(Error::invalid(format!("{min_score} is not a score")).with_hint("scores are from 0 to 1"));
        }
        let mut findings: Vec<_> = findings.iter().collect();
        findings.sort_by(|a, b| a.order(b));
        let mut left_out = LeftOut::default();
        // In order of scores, so that a limit drops the lowest.
        let mut selected: Vec<IpNet> = Vec::new();
        let mut known = BTreeSet::new();
        for finding in findings {
            let network = finding.client_ip.network();
            let listed = finding.listed;
            // Merging adds no addresses, so it cannot add a protected one.
            let protected = context.protects(network);
            let reason = if finding.score.is_nan() || finding.score < min_score {
                &mut left_out.score
            } else if listed.allow || protected == Some(ListKind::Allow) {
                &mut left_out.allow
            } else if !listed.deny && (listed.cdn || protected == Some(ListKind::Cdn)) {
                &mut left_out.cdn
            } else if !listed.deny && (listed.crawler || protected == Some(ListKind::Crawlers)) {
                &mut left_out.crawler
            } else if listed.private || !is_routed(network.addr()) {
                &mut left_out.private
            } else {
                if known.insert(network) {
                    selected.push(network);
                }
                continue;
            };
            *reason += 1;
        }
        if let Some(version) = selection.version {
            // Stable: within a version, the highest scores stay first.
            selected.sort_by_key(|network| IpVersion::of(network) != version);
        }
        let all = selected.len();
        let networks = fitting(&mut selected, selection);
        left_out.full = all - selected.len();
        let (made, good_for) = (selection.made, selection.good_for);
        Ok(Self { networks, sources: selected.len(), left_out, min_score, made, good_for })
    }

    /// The networks, sorted by address.
    #[must_use]
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Number of sources covered.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// The sources that were left out.
    #[must_use]
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The minimum score of the selection.
    #[must_use]
    pub fn min_score(&self) -> f64 {
        self.min_score
    }

    /// Time at which the list was made, in microseconds since the Unix epoch (UTC).
    #[must_use]
    pub fn made(&self) -> i64 {
        self.made
    }

    /// Time at which the list expires, in microseconds since the Unix epoch (UTC).
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.made.saturating_add(i64::try_from(self.good_for.as_micros()).unwrap_or(i64::MAX))
    }

    /// Period of validity.
    #[must_use]
    pub fn good_for(&self) -> Duration {
        self.good_for
    }
}

/// The networks to be printed. Those beyond the limit are removed from the end of `selected`.
fn fitting(selected: &mut Vec<IpNet>, selection: &Selection) -> Vec<IpNet> {
    let merged = |networks: &[IpNet]| {
        let mut networks = networks.to_vec();
        if selection.aggregate {
            // Only merges networks that together form one: no address is added.
            networks = IpNet::aggregate(&networks);
        }
        networks.sort_unstable();
        networks
    };
    let networks = merged(selected);
    match selection.max_entries {
        Some(most) if networks.len() > most => {
            selected.truncate(most);
            merged(selected)
        }
        _ => networks,
    }
}

/// Whether an address can belong to a stranger. Documentation addresses count, although they are not routed: nobody has
/// them.
fn is_routed(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let carrier = Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22 == v4.to_bits() >> 22;
            let this_network = v4.octets()[0] == 0;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || carrier
                || this_network)
        }
        IpAddr::V6(v6) => {
            // The /64 of the unspecified address also has the loopback address.
            let first_network = v6.segments()[..4] == [0; 4];
            !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast() || first_network)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::context::CidrList;
    use crate::detect::finding::Listed;
    use crate::detect::testing::{NOON, finding};
    use proptest::prelude::*;

    fn networks(list: &DenyList) -> Vec<String> {
        list.networks().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_list_of_one_version_is_not_filled_with_the_other() {
        let findings = [finding("192.0.2.1", 0.99), finding("2001:db8:0:1::9", 0.95), finding("2001:db8:0:2::9", 0.96)];
        let select = |version| {
            let selection = Selection { max_entries: Some(1), version, ..Selection::new(NOON) };
            networks(&DenyList::select(&findings, &Context::new(NOON), &selection).unwrap())
        };
        assert_eq!(select(None), ["192.0.2.1/32"]);
        assert_eq!(select(Some(IpVersion::V4)), ["192.0.2.1/32"]);
        assert_eq!(select(Some(IpVersion::V6)), ["2001:db8:0:2::/64"]);
    }

    #[test]
    fn nobody_is_denied_who_is_known() {
        let listed = |address, listed| Finding { listed, ..finding(address, 1.0) };
        let findings = [
            finding("198.51.100.7", 0.9),
            finding("192.0.2.1", 0.95),
            finding("192.0.2.1", 0.9),
            finding("2001:db8:0:1::9", 0.95),
            listed("192.0.2.6", Listed { deny: true, ..Listed::default() }),
            finding("192.0.2.2", 0.899),
            finding("192.0.2.9", f64::NAN),
            listed("192.0.2.3", Listed { allow: true, deny: true, cdn: true, ..Listed::default() }),
            listed("192.0.2.4", Listed { cdn: true, ..Listed::default() }),
            listed("192.0.2.7", Listed { cdn: true, crawler: true, deny: true, ..Listed::default() }),
            listed("192.0.2.5", Listed { crawler: true, ..Listed::default() }),
            listed("192.0.2.8", Listed { private: true, ..Listed::default() }),
        ];
        let list = DenyList::select(&findings, &Context::new(NOON), &Selection::new(NOON)).unwrap();
        assert_eq!(
            networks(&list),
            ["192.0.2.1/32", "192.0.2.6/32", "192.0.2.7/32", "198.51.100.7/32", "2001:db8:0:1::/64"]
        );
        assert_eq!(*list.left_out(), LeftOut { score: 2, allow: 1, cdn: 1, crawler: 1, private: 1, full: 0 });
        assert_eq!(list.expires() - list.made(), 86_400_000_000);
    }

    #[test]
    fn a_network_with_somebody_in_it_who_is_protected_is_not_denied() {
        let list = |text| CidrList::parse("list", text, NOON).unwrap();
        let context = Context::new(NOON)
            .with_allow(&list("2001:db8:0:1::9"))
            .with_cdn(&list("2001:db8:0:2::/96"))
            .with_crawlers(&list("2001:db8:0:3::1"));
        let findings: Vec<_> = (0..=4).map(|last| finding(&format!("2001:db8:0:{last}::5"), 1.0)).collect();
        for aggregate in [false, true] {
            let list = DenyList::select(&findings, &context, &Selection { aggregate, ..Selection::new(NOON) }).unwrap();
            assert_eq!(networks(&list), ["2001:db8::/64", "2001:db8:0:4::/64"]);
            assert_eq!(*list.left_out(), LeftOut { allow: 1, cdn: 1, crawler: 1, ..LeftOut::default() });
        }
        let denied = |listed| Finding { listed, ..finding("2001:db8:0:1::5", 1.0) };
        let deny = Listed { deny: true, ..Listed::default() };
        let of = |findings: &[Finding]| DenyList::select(findings, &context, &Selection::new(NOON)).unwrap();
        assert!(of(&[denied(deny)]).networks().is_empty());
        assert_eq!(of(&[Finding { listed: deny, ..finding("2001:db8:0:2::5", 1.0) }]).networks().len(), 1);
    }

    #[test]
    fn what_is_not_routed_is_not_denied_whatever_lists_say() {
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            let list = DenyList::select(&[finding(address, 1.0)], &Context::new(NOON), &Selection::new(NOON)).unwrap();
            assert_eq!((list.networks().len(), list.left_out().private), (0, 1), "{address}");
        }
        for address in ["100.63.255.255", "100.128.0.0", "192.0.2.1", "2001:db8::"] {
            let list = DenyList::select(&[finding(address, 1.0)], &Context::new(NOON), &Selection::new(NOON)).unwrap();
            assert_eq!(list.networks().len(), 1, "{address}");
        }
    }

    #[test]
    fn a_limit_leaves_out_the_lowest_scores() {
        let findings = [finding("192.0.2.0", 0.91), finding("192.0.2.1", 0.95), finding("192.0.2.3", 0.99)];
        let select = |max_entries, aggregate| {
            let list = DenyList::select(
                &findings,
                &Context::new(NOON),
                &Selection { max_entries, aggregate, ..Selection::new(NOON) },
            );
            let list = list.unwrap();
            (networks(&list).join(" "), list.sources(), list.left_out().full)
        };
        assert_eq!(select(Some(2), false), ("192.0.2.1/32 192.0.2.3/32".to_owned(), 2, 1));
        assert_eq!(select(Some(0), false), (String::new(), 0, 3));
        // Three sources merge into two networks, which just fit.
        assert_eq!(select(Some(2), true), ("192.0.2.0/31 192.0.2.3/32".to_owned(), 3, 0));
        assert_eq!(select(Some(1), true), ("192.0.2.3/32".to_owned(), 1, 2));
    }

    #[test]
    fn a_score_that_is_none_is_an_error() {
        for min_score in [-0.1, 1.1, f64::NAN] {
            let error = DenyList::select(&[], &Context::new(NOON), &Selection { min_score, ..Selection::new(NOON) })
                .unwrap_err();
            assert_eq!(error.hint(), Some("scores are from 0 to 1"));
        }
    }

    proptest! {
        /// Small ranges, so that neighbours are frequent.
        #[test]
        fn merging_denies_exactly_who_was_selected(
            v4 in proptest::collection::btree_set(0_u8..64, 0..64),
            v6 in proptest::collection::btree_set(0_u16..64, 0..64),
        ) {
            let v4 = v4.into_iter().map(|last| finding(&format!("192.0.2.{last}"), 1.0));
            let v6 = v6.into_iter().map(|last| finding(&format!("2001:db8:0:{last:x}::"), 1.0));
            let findings: Vec<_> = v4.chain(v6).collect();
            let list = DenyList::select(&findings, &Context::new(NOON), &Selection { aggregate: true, ..Selection::new(NOON) }).unwrap();
            let selected: BTreeSet<_> = findings.iter().map(|finding| finding.client_ip.network()).collect();
            let denied = |network: &IpNet| list.networks().iter().filter(|denied| denied.contains(network)).count();
            for last in 0..=255_u8 {
                let v4 = IpNet::from(IpAddr::from([192, 0, 2, last]));
                let v6 = format!("2001:db8:0:{last:x}::/64").parse().unwrap();
                for network in [v4, v6] {
                    prop_assert_eq!(denied(&network), usize::from(selected.contains(&network)), "{}", network);
                }
            }
            // Nothing outside of the two ranges either: the sizes add up.
            let sizes = |networks: &mut dyn Iterator<Item = &IpNet>| networks
                .map(|network| 1_u128 << (network.max_prefix_len() - network.prefix_len()))
                .sum::<u128>();
            prop_assert_eq!(sizes(&mut list.networks().iter()), sizes(&mut selected.iter()));
        }
    }
}
