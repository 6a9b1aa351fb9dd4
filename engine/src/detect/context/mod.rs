//! What is known of addresses besides the logs: lists of networks, and databases of countries and autonomous systems.
//!
//! Everything here is optional, takes texts and bytes, and reads no file. Start at [`Context`]: it is built from what the
//! operator has, and asked once for each distinct address. This module knows neither Arrow nor DataFusion.

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

/// Attackers leave addresses, and others move in.
const INTEL_FRESH: i64 = 30 * MICROS_PER_DAY;
/// Operators of crawlers change a few ranges a year.
const CRAWLERS_FRESH: i64 = 180 * MICROS_PER_DAY;
/// What a list of attackers is worth that does not say.
const INTEL_CONFIDENCE: f64 = 0.5;
/// What an entry is worth at most whose list is not fresh.
const STALE_CONFIDENCE: f64 = 0.3;
/// What a list of Tor exits is worth that does not say: most of who comes from there wants privacy and nothing else.
const TOR_CONFIDENCE: f64 = 0.3;

/// What is known of addresses besides the logs.
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
    /// Ranges that CDNs publish.
    edges: Prefixes,
    /// Networks of an operator of crawlers where programs of others run.
    hosted: Vec<(String, IpNet)>,
    /// Operators of crawlers whose ranges are known, and whether those are stale.
    operators: HashMap<String, bool>,
    countries: Option<Database>,
    /// Places that somebody names, before what a database says.
    places: Vec<(IpNet, Option<u32>, Option<Arc<str>>)>,
    systems: Option<Database>,
}

/// What is known of one address. Entries are those that count: see [`Context::of`]. It is small: there is one for each address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// It must never be reported.
    pub allow: Option<Arc<Entry>>,
    /// It is to be reported whatever it does. Never set of an address that is allowed.
    pub deny: Option<Arc<Entry>>,
    /// It belongs to a CDN, which asks for others.
    pub cdn: Option<Arc<Entry>>,
    /// It is in a range that a CDN publishes. Programs of the CDN's customers may ask from there, too.
    pub edge: Option<Arc<Entry>>,
    /// It is in a published range of a crawler. Whether of the one that a request claims to be, [`Context::claim`] says.
    pub crawler: Option<Arc<Entry>>,
    /// It is on a list of attackers.
    pub intel: Option<Arc<Entry>>,
    /// Nobody on the internet has it: RFC 1918, loopback, link-local, unique local, unspecified, multicast.
    pub private: bool,
    /// ISO 3166-1, two capital letters.
    pub country: Option<Arc<str>>,
    /// Number of its autonomous system.
    pub asn: Option<u32>,
    /// Whose the autonomous system is.
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

/// What comes of a request that says it is a crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// It comes from the operator's ranges, or from a range that a list does not give to any operator.
    Proven,
    /// The operator's ranges are known, and it comes from elsewhere. Of `stale` ranges, that is no certain sign.
    Refuted {
        /// Whether the newest of the operator's ranges are more than 180 days old.
        stale: bool,
    },
    /// Nobody named ranges of this operator, or it comes from where the operator's customers run programs.
    Unknown,
}

impl Context {
    /// Nothing is known yet. Lists and their dates are held against this time, in microseconds since 1970.
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

    /// Adds networks that are to be reported whatever they do.
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

    /// Puts a network into an autonomous system and a country, such as tests of rules need.
    #[must_use]
    pub fn with_place(mut self, network: IpNet, asn: Option<u32>, country: Option<&str>) -> Self {
        self.places.push((network, asn, country.map(Arc::from)));
        self
    }

    /// Adds the ranges of crawlers and of CDNs that the lists of patterns have.
    ///
    /// # Errors
    ///
    /// None that can be met: those lists were parsed.
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

    /// Adds ranges of crawlers. The name of an entry is the operator: `192.0.2.0/24 ; name=Googlebot`, or `# name: Googlebot`
    /// above all entries. Entries without one prove any claim, and refute none.
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

    /// Adds a list of attackers. Entries are worth what they say, else what the list says, else 0.5 (0.3 if the list is
    /// called after Tor); 0.3 at most if the list says that it is more than 30 days old.
    #[must_use]
    pub fn with_intel(mut self, list: &CidrList) -> Self {
        let stale = self.is_stale(list, INTEL_FRESH);
        let confidence = if is_of_tor(list.name()) { TOR_CONFIDENCE } else { INTEL_CONFIDENCE };
        self.intel.add(list, Worth { confidence, at_most: if stale { STALE_CONFIDENCE } else { 1.0 }, stale });
        self
    }

    /// Takes countries from a database in MaxMind's format. `name` is that of its file, for errors.
    ///
    /// # Errors
    ///
    /// The bytes are no such database, it is damaged, or it holds no countries.
    pub fn with_geoip(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        self.countries = Some(Database::open(name, bytes, Holds::Countries)?);
        Ok(self)
    }

    /// Takes autonomous systems from a database in MaxMind's format. Without one they are taken from that of
    /// [`with_geoip`](Self::with_geoip), if it has them.
    ///
    /// # Errors
    ///
    /// The bytes are no such database, it is damaged, or it holds no autonomous systems.
    pub fn with_asn(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        self.systems = Some(Database::open(name, bytes, Holds::Systems)?);
        Ok(self)
    }

    /// What is known of an address.
    ///
    /// Of each kind of list, the entry with the narrowest network around the address counts. Between kinds, lengths do not: who
    /// is allowed is neither denied nor on a list of attackers, however narrow the networks of those are. The other way
    /// round, a long list of somebody's could flag whom the operator promised never to flag.
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

    /// Whether an address is one of the crawler that it claims to be. Letter case and punctuation of names do not count.
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

    /// Why a deny list must leave this network alone: it is, lies in, or has in it something that is allowed, of a CDN, or of a
    /// crawler, by the lists of that kind.
    #[must_use]
    pub fn protects(&self, network: IpNet) -> Option<ListKind> {
        [(ListKind::Allow, &self.allow), (ListKind::Cdn, &self.cdn), (ListKind::Crawlers, &self.crawlers)]
            .into_iter()
            .find(|(_, kind)| kind.narrowest_around(network).is_some() || kind.any_within(network))
            .map(|(kind, _)| kind)
    }

    /// Every entry of every list around an address, those that are overruled too: what there is to explain.
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

    /// The first record of a database that could not be read so far. What was asked of it is unknown; say so to the operator.
    #[must_use]
    pub fn geo_fault(&self) -> Option<Error> {
        [&self.countries, &self.systems].into_iter().flatten().find_map(Database::fault)
    }

    /// Whether a list is older than this. One without a date is not.
    fn is_stale(&self, list: &CidrList, fresh: i64) -> bool {
        list.date().is_some_and(|date| self.now.saturating_sub(date) > fresh)
    }
}

impl Known {
    /// What its requests are grouped by in the column `net`: its autonomous system, such as `AS64500`, else the network it is
    /// rolled up to.
    #[must_use]
    pub fn net(&self, address: IpAddr) -> String {
        match self.asn {
            Some(asn) => format!("AS{asn}"),
            None => network::text_of(network::roll_up_of(address)).to_string(),
        }
    }
}

/// A name of an operator as it is compared.
fn folded(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a list is called after Tor: `tor_exits`, `torbulkexitlist`, `dm_tor`.
fn is_of_tor(name: &str) -> bool {
    name.to_ascii_lowercase()
        .split(|char: char| !char.is_ascii_alphanumeric())
        .any(|word| word == "tor" || word.starts_with("torbulk") || word.starts_with("torexit"))
}

#[cfg(test)]
mod tests;
