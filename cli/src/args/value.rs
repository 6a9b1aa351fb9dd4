//! Values of flags with a syntax of their own: times, sizes, limits, lists.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::TypedValueParser;
use clap::parser::ValueSource;
use clap::{Arg, Command};

/// A point in time, absolute or relative to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Microseconds since 1970, UTC.
    At(i64),
    /// This long ago.
    Ago(Duration),
}

impl Moment {
    /// Microseconds since 1970, UTC. Clamped to the beginning of the calendar.
    pub(crate) fn micros(self, now: DateTime<Utc>) -> i64 {
        match self {
            Self::At(micros) => micros,
            Self::Ago(duration) => {
                now.timestamp_micros().saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.timestamp_micros()));
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::At(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()));
        }
        if let Ok(duration) = humantime::parse_duration(text) {
            return Ok(Self::Ago(duration));
        }
        Err("expected a time such as 2026-01-31T10:00:00Z, a date such as 2026-01-31, or a duration such as 24h or 7d"
            .into())
    }
}

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub Duration);

impl Span {
    /// The duration in microseconds.
    pub(crate) fn micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map(Self).map_err(|_| "expected a duration such as 24h or 2d".to_owned())
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a number of bytes with a unit, such as 512MiB or 4GiB".to_owned();
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..digits].parse().map_err(|_| expected())?;
        let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            _ => return Err(expected()),
        };
        let bytes = number * unit as f64;
        if bytes < 1.0 || bytes >= usize::MAX as f64 {
            return Err(expected());
        }
        Ok(Self(bytes as usize))
    }
}

/// How many lines may be rejected before the answer counts as incomplete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RejectLimit {
    Unlimited,
    Count(u64),
    /// A percentage of all lines.
    Percent(f64),
}

impl RejectLimit {
    /// Whether `rejects` rejected lines next to `rows` records exceed the limit.
    pub(crate) fn is_exceeded(self, rows: u64, rejects: u64) -> bool {
        match self {
            Self::Unlimited => false,
            Self::Count(limit) => rejects > limit,
            Self::Percent(limit) => {
                rejects > 0 && rejects as f64 * 100.0 > limit * (rows.saturating_add(rejects)) as f64
            }
        }
    }
}

impl FromStr for RejectLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a number of lines such as 100, or a percentage such as 0.1%".to_owned();
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Count).map_err(|_| expected()),
            Some(percent) => match percent.trim().parse() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(expected()),
            },
        }
    }
}

impl fmt::Display for RejectLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("any number"),
            Self::Count(0) => f.write_str("none"),
            Self::Count(limit) => write!(f, "{}", indicatif::HumanCount(*limit)),
            Self::Percent(limit) => write!(f, "{limit}%"),
        }
    }
}

/// The values of one occurrence of a repeatable flag. On the command line that is a single value, which may contain
/// commas. An environment variable cannot be repeated, so it holds several values separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Several<T>(Vec<T>);

impl<'a, T> IntoIterator for &'a Several<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Parses [`Several`], each value with the inner parser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeveralParser<P>(pub P);

impl<P: TypedValueParser> TypedValueParser for SeveralParser<P> {
    type Value = Several<P::Value>;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        self.parse_ref_(command, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Self::Value, clap::Error> {
        let one = |name: &OsStr| self.0.parse_ref(command, arg, name);
        match value.to_str() {
            Some(text) if source == ValueSource::EnvVariable => {
                let names = text.split(',').filter(|name| !name.is_empty());
                names.map(|name| one(name.as_ref())).collect::<Result<_, _>>().map(Several)
            }
            _ => Ok(Several(vec![one(value)?])),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::StringValueParser;

    use super::*;

    #[test]
    fn a_variable_names_several() {
        let read = |value: &str, source| {
            let several =
                SeveralParser(StringValueParser::new()).parse_ref_(&Command::new("x"), None, value.as_ref(), source);
            several.unwrap().0
        };
        assert_eq!(read("a,b", ValueSource::CommandLine), ["a,b"]);
        assert_eq!(read("a,b", ValueSource::EnvVariable), ["a", "b"]);
        assert_eq!(read("a", ValueSource::EnvVariable), ["a"]);
        assert_eq!(read("", ValueSource::EnvVariable), [""; 0]);
    }

    #[test]
    fn moments() {
        assert_eq!("2026-01-31T10:00:00Z".parse(), Ok(Moment::At(1_769_853_600_000_000)));
        assert_eq!("2026-01-31T12:00:00.5+02:00".parse(), Ok(Moment::At(1_769_853_600_500_000)));
        assert_eq!("2026-01-31".parse(), Ok(Moment::At(1_769_817_600_000_000)));
        assert_eq!("24h".parse(), Ok(Moment::Ago(Duration::from_secs(86_400))));
        assert_eq!("7d".parse(), Ok(Moment::Ago(Duration::from_secs(7 * 86_400))));
        for wrong in ["", "yesterday", "2026-02-30", "2026-01-31T10:00:00", "-1h", "7"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_counts_back_from_now() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        assert_eq!(Moment::Ago(Duration::from_secs(1)).micros(now), 999_999_000_000);
        assert_eq!(Moment::At(5).micros(now), 5);
    }

    #[test]
    fn sizes() {
        assert_eq!("4GiB".parse(), Ok(Size(4 << 30)));
        assert_eq!("4G".parse(), Ok(Size(4 << 30)));
        assert_eq!("1.5 MiB".parse(), Ok(Size(3 << 19)));
        assert_eq!("2gb".parse(), Ok(Size(2_000_000_000)));
        assert_eq!("1024".parse(), Ok(Size(1024)));
        for wrong in ["", "GiB", "0", "4 apples", "-1GiB", "1e9999", "99999999999TiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!("100".parse(), Ok(RejectLimit::Count(100)));
        assert_eq!("0.1%".parse(), Ok(RejectLimit::Percent(0.1)));
        for wrong in ["", "-1", "101%", "%", "ten", "NaN%"] {
            assert!(wrong.parse::<RejectLimit>().is_err(), "{wrong}");
        }
        assert!(!RejectLimit::Unlimited.is_exceeded(0, u64::MAX));
        assert!(!RejectLimit::Count(3).is_exceeded(0, 3));
        assert!(RejectLimit::Count(3).is_exceeded(0, 4));
        assert!(!RejectLimit::Percent(1.0).is_exceeded(99, 1));
        assert!(RejectLimit::Percent(1.0).is_exceeded(98, 1));
        assert!(RejectLimit::Percent(0.0).is_exceeded(1_000_000, 1));
        assert!(!RejectLimit::Percent(0.0).is_exceeded(1, 0));
    }
}
