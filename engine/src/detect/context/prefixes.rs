//! The networks of all lists of one kind, with lookup of the narrowest match.

use super::list::CidrList;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use std::net::IpAddr;
use std::sync::Arc;

/// An entry of a list that contains an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The network.
    pub network: IpNet,
    /// The name of the list.
    pub list: Arc<str>,
    /// The name of the entry in the list.
    pub name: Option<Arc<str>>,
    /// Confidence of the entry from 0 to 1, limited by its age. Only lists of attackers use it; for others it is 1.
    pub confidence: f64,
    /// The date of the list in microseconds since the Unix epoch (UTC), if it has one.
    pub date: Option<i64>,
    /// Whether the list is older than lists of its kind should be.
    pub stale: bool,
}

impl Entry {
    /// The name of the entry, or else of the list.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.list)
    }
}

/// Default confidence of the entries of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worth {
    pub(super) confidence: f64,
    /// Maximum confidence of an entry.
    pub(super) at_most: f64,
    pub(super) stale: bool,
}

impl Worth {
    /// For trusted lists.
    pub(super) const FULL: Self = Self { confidence: 1.0, at_most: 1.0, stale: false };
}

/// Maps networks to indexes of `entries`.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    v4: PrefixMap<Ipv4Net, usize>,
    v6: PrefixMap<Ipv6Net, usize>,
    entries: Vec<Arc<Entry>>,
}

impl Prefixes {
    /// Adds the entries of a list. Of two entries for the same network, the one with higher confidence is kept, or else
    /// the first.
    pub(super) fn add(&mut self, list: &CidrList, worth: Worth) {
        for item in list.items() {
            let entry = Arc::new(Entry {
                network: item.network,
                list: list.shared_name().clone(),
                name: item.name.clone(),
                confidence: item.confidence.unwrap_or(worth.confidence).min(worth.at_most),
                date: list.date(),
                stale: worth.stale,
            });
            let new = self.entries.len();
            let place = match entry.network {
                IpNet::V4(network) => *self.v4.entry(network).or_insert(new),
                IpNet::V6(network) => *self.v6.entry(network).or_insert(new),
            };
            match self.entries.get_mut(place) {
                Some(known) if entry.confidence > known.confidence => *known = entry,
                Some(_) => {}
                None => self.entries.push(entry),
            }
        }
    }

    /// The entry with the narrowest network that contains an address in canonical form.
    pub(super) fn narrowest(&self, address: IpAddr) -> Option<&Arc<Entry>> {
        self.narrowest_around(address.into())
    }

    /// The entry with the narrowest network that contains all of this one.
    pub(super) fn narrowest_around(&self, network: IpNet) -> Option<&Arc<Entry>> {
        let place = match network {
            IpNet::V4(network) => self.v4.get_lpm(&network).map(|(_, place)| *place),
            IpNet::V6(network) => self.v6.get_lpm(&network).map(|(_, place)| *place),
        };
        self.entries.get(place?)
    }

    /// All entries that contain an address in canonical form, widest first.
    pub(super) fn all(&self, address: IpAddr) -> Vec<&Arc<Entry>> {
        let places: Vec<usize> = match address {
            IpAddr::V4(address) => self.v4.cover_values(&address.into()).copied().collect(),
            IpAddr::V6(address) => self.v6.cover_values(&address.into()).copied().collect(),
        };
        places.into_iter().filter_map(|place| self.entries.get(place)).collect()
    }

    /// Whether an entry equals this network or is inside of it.
    pub(super) fn any_within(&self, network: IpNet) -> bool {
        match network {
            IpNet::V4(network) => self.v4.children(&network.trunc()).next().is_some(),
            IpNet::V6(network) => self.v6.children(&network.trunc()).next().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn prefixes(lists: &[(&str, &str)]) -> Prefixes {
        let mut prefixes = Prefixes::default();
        for (name, text) in lists {
            let list = CidrList::parse(name, text, 0).unwrap();
            prefixes.add(&list, Worth { confidence: 0.5, ..Worth::FULL });
        }
        prefixes
    }

    #[test]
    fn the_narrowest_network_counts() {
        let prefixes = prefixes(&[
            ("wide", "192.0.2.0/24\n2001:db8::/32\n203.0.113.7"),
            ("narrow", "192.0.2.64/26;name=n\n192.0.2.65\n2001:db8:1::/48\n203.0.113.7;confidence=0.9"),
            ("late", "203.0.113.7;confidence=0.9;name=late"),
        ]);
        for (address, expected) in [
            ("192.0.2.1", Some(("wide", "192.0.2.0/24"))),
            ("192.0.2.127", Some(("n", "192.0.2.64/26"))),
            ("192.0.2.65", Some(("narrow", "192.0.2.65/32"))),
            ("192.0.3.0", None),
            ("2001:db8::1", Some(("wide", "2001:db8::/32"))),
            ("2001:db8:1:ffff::1", Some(("narrow", "2001:db8:1::/48"))),
            ("::c000:201", None),
            ("203.0.113.7", Some(("narrow", "203.0.113.7/32"))),
        ] {
            let found = prefixes.narrowest(address.parse().unwrap());
            let found = found.map(|entry| (entry.label(), entry.network.to_string()));
            assert_eq!(found, expected.map(|(label, network)| (label, network.to_owned())), "{address}");
        }
        assert_eq!(prefixes.all("192.0.2.65".parse().unwrap()).len(), 3);
    }

    #[test]
    fn entries_inside_of_a_network() {
        let prefixes = prefixes(&[("list", "192.0.2.64/26\n2001:db8:1:2::1")]);
        for (network, expected) in [
            ("192.0.2.0/24", true),
            ("192.0.2.64/26", true),
            ("192.0.2.77/24", true),
            ("192.0.2.64/27", false),
            ("192.0.3.0/24", false),
            ("2001:db8:1:2::/64", true),
            ("2001:db8:1:3::/64", false),
        ] {
            assert_eq!(prefixes.any_within(network.parse().unwrap()), expected, "{network}");
        }
    }

    /// Networks from a small range, so that they overlap.
    fn network() -> impl Strategy<Value = IpNet> {
        let v4 = (0..=255_u32, 0..=32_u8)
            .prop_map(|(bits, length)| Ipv4Net::new(Ipv4Addr::from_bits(bits << 12), length).map(IpNet::V4));
        let v6 = (0..=255_u128, 0..=128_u8)
            .prop_map(|(bits, length)| Ipv6Net::new(Ipv6Addr::from_bits(bits << 60), length).map(IpNet::V6));
        prop_oneof![v4, v6].prop_filter_map("length", Result::ok)
    }

    proptest! {
        #[test]
        fn a_look_up_is_what_a_scan_finds(networks in vec(network(), 0..40), asked in vec(network(), 1..40)) {
            let mut prefixes = Prefixes::default();
            for (at, lines) in networks.chunks(7).enumerate() {
                let text: String = lines.iter().map(|network| format!("{network}\n")).collect();
                let list = CidrList::parse(&format!("list{at}"), &text, 0).map_err(|e| TestCaseError::fail(e.to_string()))?;
                prefixes.add(&list, Worth::FULL);
            }
            for around in asked {
                let address = around.addr();
                let holds: Vec<&IpNet> = networks.iter().filter(|network| network.contains(&address)).collect();
                let longest = holds.iter().max_by_key(|network| network.prefix_len()).map(|network| network.trunc());
                prop_assert_eq!(prefixes.narrowest(address).map(|entry| entry.network), longest);
                let mut all: Vec<IpNet> = holds.iter().map(|network| network.trunc()).collect();
                all.sort_by_key(IpNet::prefix_len);
                all.dedup();
                prop_assert_eq!(prefixes.all(address).iter().map(|entry| entry.network).collect::<Vec<_>>(), all);
                let within = networks.iter().any(|network| around.trunc().contains(&network.trunc()));
                prop_assert_eq!(prefixes.any_within(around), within);
            }
        }
    }
}
