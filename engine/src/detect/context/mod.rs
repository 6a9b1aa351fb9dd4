//! Knowledge about addresses from outside of the logs: lists of networks, and databases of countries and autonomous
//! systems.
//!
//! Everything here is optional, takes text and bytes, and reads no files. Start at [`Context`]: it is built from what
//! the operator has, and queried once per distinct address. This module does not depend on Arrow or DataFusion.

mod date;
mod geo;
mod list;
pub mod network;
mod prefixes;

pub use list::CidrList;
pub use prefixes::Entry;

use crate::detect::facts::Lists;
use crate::error::Error;
use crate::time_units::MICROS_PER_DAY;
use geo::{Database, Holds};
use ipnet::IpNet;
use prefixes::{Prefixes, Worth};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Attackers abandon addresses, and others take them over.
const INTEL_FRESH: i64 = 30 * MICROS_PER_DAY;
/// Operators of crawlers change a few ranges per year.
const CRAWLERS_FRESH: i64 = 180 * MICROS_PER_DAY;
/// Default confidence of a list of attackers.
const INTEL_CONFIDENCE: f64 = 0.5;
/// Maximum confidence of entries of an outdated list.
const STALE_CONFIDENCE: f64 = 0.3;
/// Default confidence of a list of Tor exits: most of their users only want privacy.
const TOR_CONFIDENCE: f64 = 0.3;

/// Knowledge about addresses from outside of the logs.
///
/// ```
/// # use s3log_engine::detect::context::{CidrList, Context};
/// let now = 1_768_435_200_000_000; // 15 January 2026
/// let office = CidrList::parse("office.txt", "192.0.2.0/24 ; name=Berlin", now)?;
/// let attackers = CidrList::parse("attackers.netset", "# date: 2026-01-14\n192.0.2.66\n203.0.113.0/24", now)?;
/// let context = Context::new(now).with_allow(&office).with_intel(&attackers);
///
/// let known = context.of("203.0.113.9".parse()?);
/// assert_eq!(known.intel.map(|entry| entry.confidence), Some(0.5));
/// // Who is allowed is not under suspicion for being on somebody's list.
/// let known = context.of("192.0.2.66".parse()?);
/// assert_eq!(known.allow.as_ref().map(|entry| entry.label()), Some("Berlin"));
/// assert_eq!(known.intel, None);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Context {
    now: i64,
    allow: Prefixes,
    deny: Prefixes,
    cdn: Prefixes,
    crawlers: Prefixes,
    intel: Prefixes,
    /// Published ranges of CDNs.
    edges: Prefixes,
    /// Networks of crawler operators in which their customers' programs run.
    hosted: Vec<(String, IpNet)>,
    /// Operators of crawlers with known ranges, and whether those are outdated.
    operators: HashMap<String, bool>,
    countries: Option<Database>,
    /// Explicit places, which take precedence over databases.
    places: Vec<(IpNet, Option<u32>, Option<Arc<str>>)>,
    systems: Option<Database>,
}

/// What is known about an address, with entries resolved as described at [`Context::of`]. Small, since there is one for
/// each address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Set if the address must never be reported.
    pub allow: Option<Arc<Entry>>,
    /// Set if the address must always be reported. Never set for an allowed address.
    pub deny: Option<Arc<Entry>>,
    /// Set if it belongs to a CDN, which makes requests on behalf of others.
    pub cdn: Option<Arc<Entry>>,
    /// Set if it is in a published range of a CDN. Programs of the CDN's customers may use the same addresses.
    pub edge: Option<Arc<Entry>>,
    /// Set if it is in a published range of a crawler. [`Context::claim`] tells whether that is the crawler a request
    /// claims to be.
    pub crawler: Option<Arc<Entry>>,
    /// Set if it is on a list of attackers.
    pub intel: Option<Arc<Entry>>,
    /// Whether it does not exist on the internet: RFC 1918, loopback, link-local, unique local, unspecified, multicast.
    pub private: bool,
    /// ISO 3166-1 country code, two capital letters.
    pub country: Option<Arc<str>>,
    /// Autonomous system number.
    pub asn: Option<u32>,
    /// Operator of the autonomous system.
    pub as_org: Option<Arc<str>>,
}

/// A kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ListKind {
    /// `--allow`
    Allow,
    /// `--deny`
    Deny,
    /// `--cdn-cidr`
    Cdn,
    /// `--crawlers`
    Crawlers,
    /// `--intel`
    Intel,
}

/// The verdict on a request that claims to come from a crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The address is in the operator's ranges, or in a range for which the list names no operator.
    Proven,
    /// The operator's ranges are known, and the address is in none of them. If they are `stale`, this is uncertain.
    Refuted {
        /// Whether even the newest of the operator's ranges are more than 180 days old.
        stale: bool,
    },
    /// The operator's ranges are unknown, or the address is where the operator's customers run programs.
    Unknown,
}

impl Context {
    /// An empty context. Lists and their dates are compared with this time, in microseconds since the Unix epoch (UTC).
    #[must_use]
    pub fn new(now_micros: i64) -> Self {
        Self { now: now_micros, ..Self::default() }
    }

    /// Adds networks that must never be reported.
    #[must_use]
    pub fn with_allow(mut self, list: &CidrList) -> Self {
        self.allow.add(list, Worth::FULL);
        self
    }

    /// Adds networks that must always be reported.
    #[must_use]
    pub fn with_deny(mut self, list: &CidrList) -> Self {
        self.deny.add(list, Worth::FULL);
        self
    }

    /// Adds networks of a CDN.
    #[must_use]
    pub fn with_cdn(mut self, list: &CidrList) -> Self {
        self.cdn.add(list, Worth::FULL);
        self
    }

    /// Assigns an autonomous system and a country to a network, for tests of rules.
    #[must_use]
    pub fn with_place(mut self, network: IpNet, asn: Option<u32>, country: Option<&str>) -> Self {
        self.places.push((network, asn, country.map(Arc::from)));
        self
    }

    /// Adds the ranges of crawlers and CDNs in `lists`.
    ///
    /// # Errors
    ///
    /// None expected, since these lists have been parsed already.
    pub fn with_crawlers_of(mut self, lists: &Lists) -> Result<Self, Error> {
        let edges: String = lists.edges.iter().map(|(name, network)| format!("{network} ; name={name}\n")).collect();
        self.edges.add(&CidrList::parse("cdns", &edges, self.now)?, Worth::FULL);
        for crawler in lists.crawlers.iter() {
            self.hosted.extend(crawler.hosted.iter().map(|network| (folded(&crawler.operator), *network)));
        }
        lists.crawlers.iter().try_fold(self, |context, crawler| {
            let mut text = format!("# date: {}\n# name: {}\n", date::of_day(crawler.day), crawler.operator);
            crawler.networks.iter().for_each(|network| text.push_str(&format!("{network}\n")));
            let list = CidrList::parse(&crawler.operator, &text, context.now)?;
            Ok(context.with_crawlers(&list))
        })
    }

    /// Adds ranges of crawlers. The name of an entry is the operator: `192.0.2.0/24 ; name=Googlebot`, or above all
    /// entries `# name: Googlebot`. Entries without a name prove any claim, and refute none.
    #[must_use]
    pub fn with_crawlers(mut self, list: &CidrList) -> Self {
        let stale = self.is_stale(list, CRAWLERS_FRESH);
        for operator in list.items().iter().filter_map(|item| item.name.as_deref()) {
            let newest = self.operators.entry(folded(operator)).or_insert(stale);
            *newest &= stale;
        }
        self.crawlers.add(list, Worth { stale, ..Worth::FULL });
        self
    }

    /// Adds a list of attackers. The confidence of an entry is its own, or else that of the list, or else 0.5 (0.3 if
    /// the list's name mentions Tor). If the list's date is more than 30 days ago, it is at most 0.3.
    #[must_use]
    pub fn with_intel(mut self, list: &CidrList) -> Self {
        let stale = self.is_stale(list, INTEL_FRESH);
        let confidence = if is_of_tor(list.name()) { TOR_CONFIDENCE } else { INTEL_CONFIDENCE };
        self.intel.add(list, Worth { confidence, at_most: if stale { STALE_CONFIDENCE } else { 1.0 }, stale });
        self
    }

    /// Sets a database of countries in MaxMind's format. `name` is its file name, for errors.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not such a database, or if it is damaged or has no countries.
    pub fn with_geoip(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        self.countries = Some(Database::open(name, bytes, Holds::Countries)?);
        Ok(self)
    }

    /// Sets a database of autonomous systems in MaxMind's format. Without it, the one of
    /// [`with_geoip`](Self::with_geoip) is used if it has them.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not such a database, or if it is damaged or has no autonomous systems.
    pub fn with_asn(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        self.systems = Some(Database::open(name, bytes, Holds::Systems)?);
        Ok(self)
    }

    /// What is known about an address.
    ///
    /// For each kind of list, the entry with the narrowest network that contains the address is used. Between kinds,
    /// prefix lengths do not matter: an allowed address is neither denied nor on a list of attackers, however narrow
    /// the networks of those. Otherwise a third-party list could flag an address that the operator has explicitly
    /// allowed.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Known {
        let address = address.to_canonical();
        let allow = self.allow.narrowest(address);
        let unless_allowed = |kind: &Prefixes| kind.narrowest(address).filter(|_| allow.is_none()).cloned();
        let country = self.countries.as_ref().and_then(|database| database.place(address)).unwrap_or_default();
        let system = match &self.systems {
            Some(database) => database.place(address).unwrap_or_default(),
            None => country.clone(),
        };
        let named = self.places.iter().find(|(network, ..)| network.contains(&address));
        let (named_asn, named_country) = named.map_or((None, None), |(_, asn, country)| (*asn, country.clone()));
        Known {
            intel: unless_allowed(&self.intel),
            allow: allow.cloned(),
            deny: unless_allowed(&self.deny),
            cdn: self.cdn.narrowest(address).cloned(),
            edge: self.edges.narrowest(address).cloned(),
            crawler: self.crawlers.narrowest(address).cloned(),
            private: network::is_private(address),
            country: named_country.or_else(|| country.country.clone()),
            asn: named_asn.or(system.asn),
            as_org: system.as_org.clone(),
        }
    }

    /// Verifies the claim that an address belongs to an operator's crawler. Case and punctuation of names are ignored.
    #[must_use]
    pub fn claim(&self, operator: &str, address: IpAddr) -> Claim {
        let operator = folded(operator);
        let of_operator = |entry: &&Arc<Entry>| entry.name.as_deref().is_none_or(|name| folded(name) == operator);
        if self.crawlers.all(address.to_canonical()).iter().any(of_operator) {
            return Claim::Proven;
        }
        let address = address.to_canonical();
        if self.hosted.iter().any(|(name, network)| *name == operator && network.contains(&address)) {
            return Claim::Unknown;
        }
        self.operators.get(&operator).map_or(Claim::Unknown, |stale| Claim::Refuted { stale: *stale })
    }

    /// Why a deny list must not contain this network: it equals, is inside of, or contains a network on an allow list,
    /// of a CDN, or of a crawler. `None` if it may be denied.
    #[must_use]
    pub fn protects(&self, network: IpNet) -> Option<ListKind> {
        [(ListKind::Allow, &self.allow), (ListKind::Cdn, &self.cdn), (ListKind::Crawlers, &self.crawlers)]
            .into_iter()
            .find(|(_, kind)| kind.narrowest_around(network).is_some() || kind.any_within(network))
            .map(|(kind, _)| kind)
    }

    /// All entries of all lists that contain an address, including those that are overruled.
    #[must_use]
    pub fn entries(&self, address: IpAddr) -> Vec<(ListKind, &Arc<Entry>)> {
        let address = address.to_canonical();
        let kinds = [
            (ListKind::Allow, &self.allow),
            (ListKind::Deny, &self.deny),
            (ListKind::Cdn, &self.cdn),
            (ListKind::Crawlers, &self.crawlers),
            (ListKind::Intel, &self.intel),
        ];
        kinds
            .into_iter()
            .flat_map(|(kind, prefixes)| prefixes.all(address).into_iter().map(move |e| (kind, e)))
            .collect()
    }

    /// The first database record that could not be read so far. Its data was treated as unknown, which the operator
    /// should be told.
    #[must_use]
    pub fn geo_fault(&self) -> Option<Error> {
        [&self.countries, &self.systems].into_iter().flatten().find_map(Database::fault)
    }

    /// Whether a list is older than `fresh`. A list without a date is not.
    fn is_stale(&self, list: &CidrList, fresh: i64) -> bool {
        list.date().is_some_and(|date| self.now.saturating_sub(date) > fresh)
    }
}

impl Known {
    /// The group of the address in the column `net`: its autonomous system, such as `AS64500`, or else the network used
    /// for roll-ups.
    #[must_use]
    pub fn net(&self, address: IpAddr) -> String {
        match self.asn {
            Some(asn) => format!("AS{asn}"),
            None => network::text_of(network::roll_up_of(address)).to_string(),
        }
    }
}

/// The name of an operator, normalised for comparison.
fn folded(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether the name of a list mentions Tor: `tor_exits`, `torbulkexitlist`, `dm_tor`.
fn is_of_tor(name: &str) -> bool {
    name.to_ascii_lowercase()
        .split(|char: char| !char.is_ascii_alphanumeric())
        .any(|word| word == "tor" || word.starts_with("torbulk") || word.starts_with("torexit"))
}

#[cfg(test)]
mod tests;
