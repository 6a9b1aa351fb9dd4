//! Inline tests of rules: requests, and the expected findings.
//!
//! Requests are given as rows of a few columns and [rendered](Case::log) as lines of a log, so that a test covers all
//! of parser, derived columns, tables and query.

mod line;
mod row;

use self::row::{Clock, Row};
use super::parameters::shown;
use super::problem::Problem;
use super::rule::Entity;
use crate::detect::finding::Source;
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use toml::Spanned;

/// A test of a rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Case {
    /// Name of the test: what it demonstrates.
    pub name: String,
    rows: Vec<Row>,
    history: Vec<Row>,
    lines: String,
    /// Addresses and networks on the allow list.
    pub allow: Vec<String>,
    /// Addresses and networks on the deny list.
    pub deny: Vec<String>,
    /// Addresses and networks of a CDN.
    pub cdn: Vec<String>,
    /// Published addresses and networks of crawlers.
    pub crawlers: Vec<String>,
    /// Addresses and networks on a list of attackers.
    pub intel: Vec<String>,
    /// Networks with their autonomous systems and countries.
    pub places: Vec<Place>,
    /// The expected rows; any other row is a failure.
    pub expect: Vec<Expected>,
}

/// The location of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network.
    pub network: IpNet,
    /// Autonomous system number.
    pub asn: Option<u32>,
    /// ISO 3166 country code.
    pub country: Option<String>,
}

/// A row that the rule must return.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Expected {
    /// Address or /64 network.
    pub src: Option<String>,
    /// The requester.
    pub requester: Option<String>,
    /// The bucket.
    pub bucket: Option<String>,
    /// The host in the referer.
    pub referer: Option<String>,
    /// The required confidence.
    pub confidence: Option<Expectation>,
}

/// A row that the rule returned, as far as tests check it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Address or /64 network.
    pub src: Option<String>,
    /// The requester.
    pub requester: Option<String>,
    /// The bucket.
    pub bucket: Option<String>,
    /// The host in the referer.
    pub referer: Option<String>,
    /// The confidence.
    pub confidence: f64,
}

impl Case {
    /// The log: one line per request, followed by the lines of `log`.
    #[must_use]
    pub fn log(&self) -> String {
        let mut log = rendered(&self.rows, Clock::of_rows());
        log.push_str(&self.lines);
        log
    }

    /// The log of an earlier time, from which the baseline is learned.
    #[must_use]
    pub fn history_log(&self) -> Option<String> {
        (!self.history.is_empty()).then(|| rendered(&self.history, Clock::of_history()))
    }

    /// Whether the rule must return anything.
    #[must_use]
    pub fn fires(&self) -> bool {
        !self.expect.is_empty()
    }

    /// Compares the rows returned by the rule with the expected ones. Returns a sentence for each difference.
    #[must_use]
    pub fn verify(&self, found: &[Found]) -> Vec<String> {
        let mut wrong = Vec::new();
        for expected in &self.expect {
            let of = found.iter().filter(|found| expected.is_of(found)).map(|found| found.confidence);
            let Some(confidence) = of.reduce(f64::max) else {
                wrong.push(format!("{expected} is not found"));
                continue;
            };
            if let Some(expectation) = expected.confidence
                && !expectation.is_met_by(confidence)
            {
                wrong.push(format!("{expected} has a confidence of {confidence:.3}, which is not {expectation}"));
            }
        }
        let nobody = |found: &&Found| !self.expect.iter().any(|expected| expected.is_of(found));
        wrong.extend(found.iter().filter(nobody).map(|found| format!("{found} is found, but must not be")));
        wrong
    }
}

fn rendered(rows: &[Row], mut clock: Clock) -> String {
    let mut log = String::new();
    for row in rows {
        row.render(&mut clock, &mut log);
    }
    log
}

impl Expected {
    fn is_of(&self, found: &Found) -> bool {
        let same = |expected: &Option<String>, found: &Option<String>| expected.is_none() || expected == found;
        let source = found.src.as_deref().map(canonical);
        same(&self.src, &source)
            && same(&self.requester, &found.requester)
            && same(&self.bucket, &found.bucket)
            && same(&self.referer, &found.referer)
    }
}

/// An address in the form used in results.
fn canonical(src: &str) -> String {
    src.parse::<Source>().map_or_else(|_| src.to_owned(), |source| source.to_string())
}

/// Writes the names that are set, in the syntax of tests.
fn named(f: &mut fmt::Formatter<'_>, names: [(&str, &Option<String>); 4]) -> fmt::Result {
    let mut separator = "";
    for (column, name) in names {
        if let Some(name) = name {
            write!(f, "{separator}{column} {}", name.escape_debug())?;
            separator = ", ";
        }
    }
    Ok(())
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(
            f,
            [("src", &self.src), ("requester", &self.requester), ("bucket", &self.bucket), ("referer", &self.referer)],
        )
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(
            f,
            [("src", &self.src), ("requester", &self.requester), ("bucket", &self.bucket), ("referer", &self.referer)],
        )?;
        write!(f, " with a confidence of {:.3}", self.confidence)
    }
}

/// A condition on a confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expectation {
    /// At least this much.
    AtLeast(f64),
    /// More than this.
    Above(f64),
    /// At most this much.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// This value, within 0.005.
    About(f64),
    /// Within this range, inclusive at both ends.
    Between(f64, f64),
}

impl Expectation {
    /// Parses `>=0.7`, `<0.3`, `0.9`, `0.3..0.5`.
    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
        let text = text.trim();
        if let Some((low, high)) = text.split_once("..") {
            return Some(Self::Between(number(low)?, number(high)?));
        }
        for (sign, expectation) in [
            (">=", Self::AtLeast as fn(f64) -> Self),
            ("<=", Self::AtMost),
            (">", Self::Above),
            ("<", Self::Below),
            ("=", Self::About),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return number(rest).map(expectation);
            }
        }
        number(text).map(Self::About)
    }

    /// Whether a confidence satisfies the condition, with a tolerance of 1e-9, because sums of hundredths are not
    /// exact.
    fn is_met_by(self, confidence: f64) -> bool {
        let tiny = 1e-9;
        match self {
            Self::AtLeast(low) => confidence >= low - tiny,
            Self::Above(low) => confidence > low + tiny,
            Self::AtMost(high) => confidence <= high + tiny,
            Self::Below(high) => confidence < high - tiny,
            Self::About(middle) => (confidence - middle).abs() <= 0.005 + tiny,
            Self::Between(low, high) => confidence >= low - tiny && confidence <= high + tiny,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(low) => write!(f, ">={low}"),
            Self::Above(low) => write!(f, ">{low}"),
            Self::AtMost(high) => write!(f, "<={high}"),
            Self::Below(high) => write!(f, "<{high}"),
            Self::About(middle) => write!(f, "{middle}"),
            Self::Between(low, high) => write!(f, "{low}..{high}"),
        }
    }
}

/// A test as parsed from a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCase {
    name: Spanned<String>,
    #[serde(default)]
    rows: Vec<Spanned<Row>>,
    log: Option<String>,
    #[serde(default)]
    history_rows: Vec<Spanned<Row>>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    deny: Vec<Spanned<String>>,
    #[serde(default)]
    cdn: Vec<Spanned<String>>,
    #[serde(default)]
    crawlers: Vec<Spanned<String>>,
    #[serde(default)]
    intel: Vec<Spanned<String>>,
    #[serde(default)]
    places: BTreeMap<Spanned<String>, String>,
    expect: Option<Vec<Spanned<RawExpected>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    src: Option<String>,
    requester: Option<String>,
    bucket: Option<String>,
    referer: Option<String>,
    confidence: Option<toml::Value>,
}

/// A problem with its byte offset in the file, unless it concerns the test as a whole.
type Placed = (Option<usize>, Problem);

impl RawCase {
    /// Converts to a test of a rule about this entity.
    pub(super) fn case(self, entity: Entity) -> Result<Case, Placed> {
        if self.name.get_ref().trim().is_empty() {
            return Err((
                Some(self.name.span().start),
                Problem::new("a test has no name").with_hint("say what it shows"),
            ));
        }
        let Some(expect) = self.expect else {
            let problem = Problem::new(format!("the test `{}` expects nothing", self.name.get_ref().escape_debug()));
            return Err((None, problem.with_hint("`expect = []` says that no row may be returned")));
        };
        let mut lines = String::new();
        for line in self.log.iter().flat_map(|log| log.lines()).filter(|line| !line.trim().is_empty()) {
            lines.push_str(line.trim());
            lines.push('\n');
        }
        if self.rows.is_empty() && lines.is_empty() {
            let problem = Problem::new(format!("the test `{}` has no request", self.name.get_ref().escape_debug()));
            return Err((
                None,
                problem.with_hint("add `rows = [ {src = \"203.0.113.9\", key = \".env\", status = 403} ]`"),
            ));
        }
        Ok(Case {
            name: self.name.into_inner(),
            rows: rows(self.rows)?,
            history: rows(self.history_rows)?,
            lines,
            allow: networks(self.allow)?,
            deny: networks(self.deny)?,
            cdn: networks(self.cdn)?,
            crawlers: networks(self.crawlers)?,
            intel: networks(self.intel)?,
            places: self
                .places
                .into_iter()
                .map(|(network, place)| placed(network, &place))
                .collect::<Result<_, _>>()?,
            expect: expect.into_iter().map(|expected| expected_row(expected, entity)).collect::<Result<_, _>>()?,
        })
    }
}

fn rows(rows: Vec<Spanned<Row>>) -> Result<Vec<Row>, Placed> {
    let checked = |row: Spanned<Row>| {
        let start = row.span().start;
        let row = row.into_inner();
        row.check().map(|()| row).map_err(|problem| (Some(start), problem))
    };
    rows.into_iter().map(checked).collect()
}

/// Parses the location of a network: `AS64500 FR`, or one of the two.
fn placed(network: Spanned<String>, place: &str) -> Result<Place, Placed> {
    let start = network.span().start;
    let wrong = |what: &str| {
        let problem =
            Problem::new(format!("`{}` is not a {what}", what_is(what, network.get_ref(), place).escape_debug()));
        (Some(start), problem.with_hint("such as `places = { \"198.51.100.0/24\" = \"AS64500 FR\" }`"))
    };
    let found = network.get_ref().parse().map_err(|_| wrong("network"))?;
    let (mut asn, mut country) = (None, None);
    for word in place.split_whitespace() {
        match word.strip_prefix("AS").and_then(|number| number.parse().ok()) {
            Some(number) => asn = Some(number),
            None if word.len() == 2 => country = Some(word.to_owned()),
            None => return Err(wrong("place")),
        }
    }
    Ok(Place { network: found, asn, country })
}

fn what_is<'a>(what: &str, network: &'a str, place: &'a str) -> &'a str {
    if what == "network" { network } else { place }
}

fn networks(texts: Vec<Spanned<String>>) -> Result<Vec<String>, Placed> {
    let is_network = |text: &str| text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok();
    if let Some(wrong) = texts.iter().find(|text| !is_network(text.get_ref())) {
        let problem = Problem::new(format!("`{}` is neither an address nor a network", wrong.get_ref().escape_debug()));
        return Err((Some(wrong.span().start), problem.with_hint("such as \"203.0.113.9\" or \"203.0.113.0/24\"")));
    }
    Ok(texts.into_iter().map(Spanned::into_inner).collect())
}

fn expected_row(expected: Spanned<RawExpected>, entity: Entity) -> Result<Expected, Placed> {
    let start = expected.span().start;
    let RawExpected { src, requester, bucket, referer, confidence } = expected.into_inner();
    let confidence = match confidence {
        None => None,
        Some(value) => {
            let text = value.as_str().map_or_else(|| shown(&value), str::to_owned);
            let problem = || {
                let problem =
                    Problem::new(format!("`confidence = {}` is not a bound of the confidence", shown(&value)));
                (Some(start), problem.with_hint("such as \">=0.7\", \"<0.3\", \"0.9\" or \"0.3..0.5\""))
            };
            Some(Expectation::parse(&text).ok_or_else(problem)?)
        }
    };
    let named = match entity {
        Entity::Src => &src,
        Entity::Requester => &requester,
        Entity::Referer => &referer,
        Entity::Bucket => &bucket,
    };
    if named.is_none() {
        let problem = Problem::new(format!("a row of `expect` does not say which `{entity}`"));
        return Err((Some(start), problem.with_hint(format!("the rule is about `{entity}`"))));
    }
    Ok(Expected { src: src.as_deref().map(canonical), requester, bucket, referer, confidence })
}

#[cfg(test)]
mod tests;
