//! What is found about a source of requests: its score, and everything that the score rests on.
//!
//! Start at [`Finding`]. Rules give [`Signal`]s, the score makes findings of them, and every output is made of findings alone:
//! what is not in here cannot be explained to anybody.

use crate::Error;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// How much of an IPv6 address tells one client from another: who is given a /64 chooses the rest as he likes.
const V6_PREFIX: u8 = 64;

/// One source of requests that gave evidence, how much that counts, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Who asked.
    pub client_ip: Source,
    /// From 0 to 1: how likely it is, after all the evidence, that this is no ordinary client.
    pub score: f64,
    /// What the score is good for.
    pub band: Band,
    /// How bad it is, if it is what it seems to be.
    pub severity: Severity,
    /// First request of the source, in microseconds since 1970 (UTC).
    pub first_seen: i64,
    /// Last request of the source, in microseconds since 1970 (UTC).
    pub last_seen: i64,
    /// How many requests it made.
    pub requests: u64,
    /// How many bytes were sent to it.
    pub bytes_sent: u64,
    /// Buckets that it asked, in order of their names.
    pub buckets: Vec<String>,
    /// Requesters that it signed as, in order of their names.
    pub requesters: Vec<String>,
    /// What rules found, the strongest first.
    pub detectors: Vec<Signal>,
    /// What lowered the score.
    pub guards: Vec<Guard>,
    /// Whether log objects of its last hours may still be missing.
    pub provisional: bool,
    /// Lists that it stands on.
    pub listed: Listed,
    /// ISO 3166 code of its country, if a database tells.
    pub country: Option<String>,
    /// Number of its autonomous system, if a database tells.
    pub asn: Option<u32>,
    /// Who runs that system, if a database tells.
    pub as_org: Option<String>,
}

impl Finding {
    /// The order of findings in every output: the highest score first; of the same score what is worse, then what was
    /// seen last, then by address.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        (other.score.total_cmp(&self.score))
            .then_with(|| other.severity.cmp(&self.severity))
            .then_with(|| other.last_seen.cmp(&self.last_seen))
            .then_with(|| self.client_ip.cmp(&other.client_ip))
    }

    /// Puts findings in [order](Self::order).
    pub fn sort(findings: &mut [Self]) {
        findings.sort_by(Self::order);
    }
}

/// Who asked: an IPv4 address, or the /64 network of an IPv6 address.
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
    /// A network of IPv6 addresses.
    V6(Ipv6Net),
}

impl Source {
    /// The source that this address belongs to. An IPv4 address that is written as an IPv6 one is the IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(client_network(address)),
        }
    }

    /// Its addresses, as a network.
    #[must_use]
    pub fn network(self) -> IpNet {
        match self {
            Self::V4(address) => IpNet::V4(Ipv4Net::from(address)),
            Self::V6(network) => IpNet::V6(network.trunc()),
        }
    }
}

/// The network of [`V6_PREFIX`] bits that an address is in.
fn client_network(address: Ipv6Addr) -> Ipv6Net {
    let network = Ipv6Net::from(address);
    // A prefix of 64 bits always fits; without one the address stands for itself.
    Ipv6Net::new(address, V6_PREFIX).unwrap_or(network).trunc()
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

/// In canonical form: `192.0.2.1`, `2001:db8:0:1::/64`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(network) => network.trunc().fmt(f),
        }
    }
}

/// An address, or a /64 in CIDR form.
impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::of(address));
        }
        match text.parse::<IpNet>() {
            Ok(IpNet::V4(network)) if network.prefix_len() == 32 => Ok(Self::V4(network.addr())),
            Ok(IpNet::V6(network)) if network.prefix_len() == V6_PREFIX => Ok(Self::of(IpAddr::V6(network.addr()))),
            _ => Err(Error::invalid(format!("`{}` is no source of requests", text.escape_debug()))
                .with_hint("write an address, or a /64 network such as 2001:db8:0:1::/64")),
        }
    }
}

/// What a score is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// There is something, but less than is worth anybody's time.
    #[default]
    None,
    /// Worth to look at when there is more: from 0.3.
    Watch,
    /// A person should look: from 0.6.
    Alert,
    /// Sure enough to be blocked: from 0.9.
    Block,
}

impl Band {
    /// Every band, the lowest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Watch, Self::Alert, Self::Block];

    /// The band of a score.
    #[must_use]
    pub fn of(score: f64) -> Self {
        Self::ALL.into_iter().rev().find(|band| score >= band.min_score()).unwrap_or_default()
    }

    /// The lowest score of the band.
    #[must_use]
    pub fn min_score(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Watch => 0.3,
            Self::Alert => 0.6,
            Self::Block => 0.9,
        }
    }

    /// Its name in every output.
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

/// How bad it is, if it is what it seems to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Background noise of the internet.
    Low,
    /// Somebody looks for a way in, or makes it dear.
    Medium,
    /// Data or credentials are in the wrong hands.
    High,
    /// Data is being destroyed, or the traces are.
    Critical,
}

impl Severity {
    /// Every severity, the lowest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name in every output, and in rule files.
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

/// The value of this name, in whatever case.
fn by_name<T, const N: usize>(what: &str, text: &str, values: [(&'static str, T); N]) -> Result<T, Error> {
    let names = values.each_ref().map(|(name, _)| *name).join(", ");
    let found = values.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| value).ok_or_else(|| {
        Error::invalid(format!("`{}` is no {what}", text.escape_debug())).with_hint(format!("one of: {names}"))
    })
}

/// What one rule found about a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// Id of the rule, such as `S3D-103`.
    pub id: String,
    /// Name of the rule.
    pub name: String,
    /// Family of the rule; inside a family only the strongest evidence counts.
    pub family: String,
    /// How bad it is, if it is what it seems to be.
    pub severity: Severity,
    /// From 0 to 1: how likely this evidence alone means no ordinary client.
    pub confidence: f64,
    /// A sentence with the numbers in it.
    pub explanation: String,
    /// A JSON object: what was measured, and the thresholds that it was compared with.
    pub measured: String,
    /// MITRE ATT&CK techniques.
    pub mitre: Vec<String>,
    /// The bucket that it is about, if it is about one.
    pub bucket: Option<String>,
    /// The requester that it is about, if it is about one.
    pub requester: Option<String>,
    /// First request that it rests on, in microseconds since 1970 (UTC).
    pub first: Option<i64>,
    /// Last request that it rests on, in microseconds since 1970 (UTC).
    pub last: Option<i64>,
    /// How often the rule found it: in how many windows, buckets or requesters.
    pub hits: u64,
    /// A few of the requests.
    pub samples: Vec<Sample>,
}

/// A request, as evidence. Its texts are the client's: every output has to escape them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When it was received, in microseconds since 1970 (UTC).
    pub time: i64,
    /// Bucket that was asked.
    pub bucket: String,
    /// Who signed it, if anybody did.
    pub requester: Option<String>,
    /// What was asked, such as `REST.GET.OBJECT`.
    pub operation: String,
    /// Key of the object, decoded.
    pub key: Option<String>,
    /// HTTP status of the response.
    pub status: Option<i32>,
    /// Why it failed.
    pub error_code: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

/// What lowered a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Its name, such as `shared-address`.
    pub name: String,
    /// What confidences were multiplied with.
    pub factor: f64,
    /// A sentence that says why.
    pub reason: String,
}

/// Lists that a source stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The user's list of addresses that may do anything.
    pub allow: bool,
    /// Addresses of a CDN.
    pub cdn: bool,
    /// A crawler in the ranges that its operator publishes.
    pub crawler: bool,
    /// Addresses that are not routed in the internet.
    pub private: bool,
    /// The user's list of addresses that are to be blocked.
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
            ("`red` is no band", Some("one of: none, watch, alert, block"))
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
