//! The finding about a source of requests: its score, and everything the score is based on.
//!
//! Start at [`Finding`]. Rules produce [`Signal`]s, scoring combines them into findings, and all outputs are generated
//! from findings only, so whatever explains a score must be part of them.

use crate::Error;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Prefix length that identifies an IPv6 client: whoever is assigned a /64 can use any address in it.
const V6_PREFIX: u8 = 64;

/// A source of requests with evidence against it, its score, and the reasons.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The source of the requests.
    pub client_ip: Source,
    /// Probability from 0 to 1, given all evidence, that this is not an ordinary client.
    pub score: f64,
    /// The band of the score.
    pub band: Band,
    /// Severity, assuming that the evidence is right.
    pub severity: Severity,
    /// Time of the source's first request in microseconds since the Unix epoch (UTC).
    pub first_seen: i64,
    /// Time of the source's last request in microseconds since the Unix epoch (UTC).
    pub last_seen: i64,
    /// Number of requests.
    pub requests: u64,
    /// Number of bytes sent to the source.
    pub bytes_sent: u64,
    /// Buckets accessed, sorted by name.
    pub buckets: Vec<String>,
    /// Requesters that signed requests from the source, sorted by name.
    pub requesters: Vec<String>,
    /// Signals of rules, strongest first.
    pub detectors: Vec<Signal>,
    /// Reasons that lowered the score.
    pub guards: Vec<Guard>,
    /// Whether log objects of the source's last hours may still be missing.
    pub provisional: bool,
    /// Lists that contain the source.
    pub listed: Listed,
    /// ISO 3166 code of the country, if a database has it.
    pub country: Option<String>,
    /// Autonomous system number, if a database has it.
    pub asn: Option<u32>,
    /// Operator of the autonomous system, if a database has it.
    pub as_org: Option<String>,
}

impl Finding {
    /// The order of findings in all outputs: by descending score, then severity, then time of the last request, then by
    /// address.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        (other.score.total_cmp(&self.score))
            .then_with(|| other.severity.cmp(&self.severity))
            .then_with(|| other.last_seen.cmp(&self.last_seen))
            .then_with(|| self.client_ip.cmp(&other.client_ip))
    }

    /// Sorts findings by [`Finding::order`].
    pub fn sort(findings: &mut [Self]) {
        findings.sort_by(Self::order);
    }
}

/// A source of requests: an IPv4 address, or the /64 network of an IPv6 address.
///
/// ```
/// # use s3log_engine::detect::Source;
/// let source: Source = "2001:db8:0:1:aaaa::1".parse()?;
/// assert_eq!(source.to_string(), "2001:db8:0:1::/64");
/// # Ok::<_, s3log_engine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// A /64 network of IPv6 addresses.
    V6(Ipv6Net),
}

impl Source {
    /// The source that an address belongs to. IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(client_network(address)),
        }
    }

    /// The source as a network.
    #[must_use]
    pub fn network(self) -> IpNet {
        match self {
            Self::V4(address) => IpNet::V4(Ipv4Net::from(address)),
            Self::V6(network) => IpNet::V6(network.trunc()),
        }
    }
}

/// The network with a prefix of [`V6_PREFIX`] bits that contains an address.
fn client_network(address: Ipv6Addr) -> Ipv6Net {
    let network = Ipv6Net::from(address);
    // A prefix length of 64 is always valid, so the fallback is never used.
    Ipv6Net::new(address, V6_PREFIX).unwrap_or(network).trunc()
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

/// Formats in canonical form: `192.0.2.1`, `2001:db8:0:1::/64`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(network) => network.trunc().fmt(f),
        }
    }
}

/// Parses an address, or a /64 network in CIDR notation.
impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::of(address));
        }
        match text.parse::<IpNet>() {
            Ok(IpNet::V4(network)) if network.prefix_len() == 32 => Ok(Self::V4(network.addr())),
            Ok(IpNet::V6(network)) if network.prefix_len() == V6_PREFIX => Ok(Self::of(IpAddr::V6(network.addr()))),
            _ => Err(Error::invalid(format!("`{}` is not a source of requests", text.escape_debug()))
                .with_hint("write an address, or a /64 network such as 2001:db8:0:1::/64")),
        }
    }
}

/// A range of scores, by what they justify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Some evidence, but not enough to act on.
    #[default]
    None,
    /// Worth a look if there is more: from 0.3.
    Watch,
    /// Needs human attention: from 0.6.
    Alert,
    /// Certain enough to block: from 0.9.
    Block,
}

impl Band {
    /// All bands, lowest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Watch, Self::Alert, Self::Block];

    /// The band of a score.
    #[must_use]
    pub fn of(score: f64) -> Self {
        Self::ALL.into_iter().rev().find(|band| score >= band.min_score()).unwrap_or_default()
    }

    /// The lowest score in the band.
    #[must_use]
    pub fn min_score(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Watch => 0.3,
            Self::Alert => 0.6,
            Self::Block => 0.9,
        }
    }

    /// The band's name in all outputs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Watch => "watch",
            Self::Alert => "alert",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Band {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        by_name("band", text, Self::ALL.map(|band| (band.name(), band)))
    }
}

/// Severity, assuming that the evidence is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Informational.
    #[default]
    Info,
    /// Background noise of the internet.
    Low,
    /// Someone searches for a way in, or causes costs.
    Medium,
    /// Data or credentials are in the wrong hands.
    High,
    /// Data or audit trails are being destroyed.
    Critical,
}

impl Severity {
    /// All severities, lowest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The severity's name in all outputs and in rule files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        by_name("severity", text, Self::ALL.map(|severity| (severity.name(), severity)))
    }
}

/// Looks up a value by name, ignoring case.
fn by_name<T, const N: usize>(what: &str, text: &str, values: [(&'static str, T); N]) -> Result<T, Error> {
    let names = values.each_ref().map(|(name, _)| *name).join(", ");
    let found = values.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| value).ok_or_else(|| {
        Error::invalid(format!("`{}` is not a {what}", text.escape_debug())).with_hint(format!("one of: {names}"))
    })
}

/// What one rule found about a source.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Signal {
    /// Id of the rule, such as `S3D-103`.
    pub id: String,
    /// Name of the rule.
    pub name: String,
    /// Family of the rule. Within a family only the strongest evidence counts.
    pub family: String,
    /// Severity, assuming that the evidence is right.
    pub severity: Severity,
    /// Probability from 0 to 1, given this evidence alone, that this is not an ordinary client.
    pub confidence: f64,
    /// Explanation as a sentence, with figures.
    pub explanation: String,
    /// A JSON object with the measured values and their thresholds.
    pub measured: String,
    /// Ids of MITRE ATT&CK techniques.
    pub mitre: Vec<String>,
    /// The bucket concerned, if it is a single one.
    pub bucket: Option<String>,
    /// The requester concerned, if it is a single one.
    pub requester: Option<String>,
    /// Time of the first request of the evidence, in microseconds since the Unix epoch (UTC).
    pub first: Option<i64>,
    /// Time of the last request of the evidence, in microseconds since the Unix epoch (UTC).
    pub last: Option<i64>,
    /// Number of hits: windows, buckets or requesters in which the rule fired.
    pub hits: u64,
    /// Some of the requests.
    pub samples: Vec<Sample>,
}

/// A request as evidence. Its texts are controlled by the client: outputs must escape them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// Time of the request in microseconds since the Unix epoch (UTC).
    pub time: i64,
    /// The bucket.
    pub bucket: String,
    /// The requester, if the request was signed.
    pub requester: Option<String>,
    /// The operation, such as `REST.GET.OBJECT`.
    pub operation: String,
    /// The decoded object key.
    pub key: Option<String>,
    /// The HTTP status of the response.
    pub status: Option<i32>,
    /// The error code, if the request failed.
    pub error_code: Option<String>,
    /// The user agent.
    pub user_agent: Option<String>,
}

/// A reason that lowered a score.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Guard {
    /// The guard's name, such as `shared`.
    pub name: String,
    /// Factor by which confidences were multiplied.
    pub factor: f64,
    /// Explanation as a sentence.
    pub reason: String,
}

/// The lists that contain a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The user's allow list.
    pub allow: bool,
    /// Addresses of a CDN.
    pub cdn: bool,
    /// A crawler within the ranges published by its operator.
    pub crawler: bool,
    /// Addresses not routed on the internet.
    pub private: bool,
    /// The user's deny list.
    pub deny: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::finding;

    #[test]
    fn sources_have_one_form() {
        for (text, canonical) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1/32", Some("192.0.2.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:DB8::1", Some("2001:db8::/64")),
            ("2001:db8:0:1:ffff::/64", Some("2001:db8:0:1::/64")),
            ("2001:db8::/48", None),
            ("192.0.2.0/24", None),
            ("192.0.2.01", None),
            ("example.com", None),
            ("", None),
        ] {
            let source = text.parse::<Source>();
            assert_eq!(source.as_ref().ok().map(ToString::to_string).as_deref(), canonical, "{text}");
            assert!(source.is_ok() || source.unwrap_err().hint().is_some(), "{text}");
        }
    }

    #[test]
    fn bands_begin_at_their_lowest_score() {
        for (score, band) in [
            (-1.0, Band::None),
            (f64::NAN, Band::None),
            (0.0, Band::None),
            (0.299, Band::None),
            (0.3, Band::Watch),
            (0.6, Band::Alert),
            (0.899_999, Band::Alert),
            (0.9, Band::Block),
            (1.0, Band::Block),
        ] {
            assert_eq!(Band::of(score), band, "{score}");
        }
    }

    #[test]
    fn names_are_read_back() {
        assert!(Band::ALL.into_iter().all(|band| band.name().parse::<Band>().ok() == Some(band)));
        assert!(Severity::ALL.into_iter().all(|severity| severity.name().parse::<Severity>().ok() == Some(severity)));
        assert_eq!("HIGH".parse::<Severity>().ok(), Some(Severity::High));
        let error = "red".parse::<Band>().unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hint()),
            ("`red` is not a band", Some("one of: none, watch, alert, block"))
        );
    }

    #[test]
    fn what_matters_most_stands_first() {
        let of = |address, score, severity, last_seen| Finding { severity, last_seen, ..finding(address, score) };
        let mut findings = [
            of("2001:db8::", 0.5, Severity::Low, 1),
            of("192.0.2.9", 0.5, Severity::Low, 1),
            of("192.0.2.10", 0.5, Severity::Low, 1),
            of("192.0.2.3", 0.5, Severity::Low, 2),
            of("192.0.2.2", 0.5, Severity::High, 1),
            of("192.0.2.1", 0.9, Severity::Info, 1),
        ];
        Finding::sort(&mut findings);
        let order: Vec<_> = findings.iter().map(|finding| finding.client_ip.to_string()).collect();
        assert_eq!(order, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9", "192.0.2.10", "2001:db8::/64"]);
    }
}
