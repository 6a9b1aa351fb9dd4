//! Crawlers and their networks: `Googlebot/2.1` is a claim, an address in a network published by Google proves it.
//!
//! ```text
//! [Google]
//! date = 2026-09-02
//! source = https://developers.google.com/...
//! tokens = Googlebot Googlebot-Image
//! 66.249.64.0/20
//! ```
//!
//! Operators change their networks, so check the date of a list before judging by it.

use super::lists::{ListError, entries};
use crate::time_units::SECONDS_PER_DAY;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// An operator and its crawlers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crawler {
    /// The name of the operator, such as `Google`.
    pub(crate) operator: Arc<str>,
    /// Words in user agents that claim to be this crawler, in lower case.
    pub(crate) tokens: Vec<Box<str>>,
    /// Words in user agents that invalidate a claim, in lower case.
    pub(crate) unless: Vec<Box<str>>,
    /// The networks of the crawler.
    pub(crate) networks: Vec<IpNet>,
    /// Networks that the operator publishes as used by its customers' programs. A claim from there is neither proven
    /// nor refuted.
    pub(crate) hosted: Vec<IpNet>,
    /// The date of the networks, in days since the Unix epoch.
    pub(crate) day: i64,
    /// Sources of the networks.
    pub(crate) sources: Vec<Box<str>>,
}

impl Crawler {
    /// Whether an address is in the crawler's networks.
    #[cfg(test)]
    fn owns(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether a user agent in lower case claims to be this crawler.
    fn is_claimed_by(&self, user_agent: &str) -> bool {
        self.tokens.iter().any(|token| finds_claim(user_agent, token))
            && !self.unless.iter().any(|word| user_agent.contains(&**word))
    }
}

/// All operators of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crawlers(Vec<Crawler>);

impl Crawlers {
    /// The name of the list.
    pub(crate) const NAME: &'static str = "crawlers";

    /// Parses the list.
    pub(crate) fn parse(text: &str) -> Result<Self, ListError> {
        let error = |number, message: String| ListError::new(Self::NAME, number, message);
        let mut crawlers: Vec<Crawler> = Vec::new();
        for (number, line) in entries(text) {
            if let Some(operator) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                if let Some(last) = crawlers.last() {
                    check(last, number)?;
                }
                crawlers.push(Crawler {
                    operator: operator.trim().into(),
                    tokens: Vec::new(),
                    unless: Vec::new(),
                    networks: Vec::new(),
                    hosted: Vec::new(),
                    day: i64::MIN,
                    sources: Vec::new(),
                });
                continue;
            }
            let Some(crawler) = crawlers.last_mut() else {
                let message = "there is a line before the first operator; write `[Operator]` above it";
                return Err(error(number, message.to_owned()));
            };
            match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("date", value)) => {
                    crawler.day = day(value).ok_or_else(|| {
                        error(number, format!("`{value}` is not a date; write one such as 2026-01-31"))
                    })?;
                }
                Some(("source", value)) => crawler.sources.push(value.into()),
                Some(("tokens", value)) => crawler.tokens.extend(words(value)),
                Some(("hosted", value)) => crawler.hosted.extend(networks(value, number)?),
                Some(("unless", value)) => crawler.unless.extend(words(value)),
                Some((name, _)) => {
                    let message =
                        format!("`{name}` is not a property; write date, source, tokens, unless, hosted or networks");
                    return Err(error(number, message));
                }
                None => crawler.networks.extend(networks(line, number)?),
            }
        }
        if let Some(last) = crawlers.last() {
            check(last, text.lines().count())?;
        }
        Ok(Self(crawlers))
    }

    /// The crawler that a user agent claims to be. One that names crawlers of two operators is neither.
    pub(crate) fn claimed_by(&self, user_agent: &str) -> Option<&Crawler> {
        let user_agent = user_agent.to_ascii_lowercase();
        let mut claimed = self.0.iter().filter(|crawler| crawler.is_claimed_by(&user_agent));
        let first = claimed.next()?;
        claimed.next().is_none().then_some(first)
    }

    /// All operators, in list order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Crawler> {
        self.0.iter()
    }

    /// Number of operators.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Checks that an operator is complete. Without tokens it would never match; without networks every claim would be
/// false.
fn check(crawler: &Crawler, number: usize) -> Result<(), ListError> {
    let missing = match crawler {
        Crawler { tokens, .. } if tokens.is_empty() => "`tokens = `",
        Crawler { networks, .. } if networks.is_empty() => "networks",
        Crawler { day: i64::MIN, .. } => "`date = `",
        _ => return Ok(()),
    };
    let message = format!("the operator above, `{}`, has no {missing}; write it below its name", crawler.operator);
    Err(ListError::new(Crawlers::NAME, number, message))
}

/// Parses the networks on a line.
fn networks(text: &str, number: usize) -> Result<Vec<IpNet>, ListError> {
    let network = |network: &str| {
        let read = network.parse::<IpNet>().or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
        let message = || format!("`{network}` is not a network; write one such as 192.0.2.0/24");
        read.map(|network| network.trunc()).map_err(|_| ListError::new(Crawlers::NAME, number, message()))
    };
    text.split_ascii_whitespace().map(network).collect()
}

fn words(text: &str) -> impl Iterator<Item = Box<str>> {
    text.split_ascii_whitespace().map(|word| word.to_ascii_lowercase().into_boxed_str())
}

/// Whether a text has a word, both in lower case, and not after `like `, with which many crawlers mention others.
fn finds_claim(text: &str, word: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    text.match_indices(word).any(|(start, _)| {
        let (before, behind) = (&text.as_bytes()[..start], &text.as_bytes()[start + word.len()..]);
        !before.last().is_some_and(is_word) && !behind.first().is_some_and(is_word) && !before.ends_with(b"like ")
    })
}

/// Days from the Unix epoch to a date such as `2026-01-31`.
fn day(date: &str) -> Option<i64> {
    let midnight = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok()?;
    let seconds = midnight.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(i64::try_from(seconds).ok()? / SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Crawlers {
        Crawlers::parse(include_str!("lists/crawlers.txt")).unwrap()
    }

    #[test]
    fn claims_of_user_agents() {
        let crawlers = shipped();
        for (user_agent, operator) in [
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Some("Google")),
            ("Googlebot-Image/1.0", Some("Google")),
            ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", Some("Microsoft")),
            (
                "Mozilla/5.0 (Macintosh) AppleWebKit/600.2.5 (Applebot/0.1; +http://www.apple.com/go/applebot)",
                Some("Apple"),
            ),
            ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", Some("Yandex")),
            ("DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)", Some("DuckDuckGo")),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
                Some("OpenAI"),
            ),
            ("CCBot/2.0 (https://commoncrawl.org/faq/)", Some("Common Crawl")),
            ("meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)", Some("Meta")),
            ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", Some("Meta")),
            // Apps that fetch link previews the way Facebook does.
            (
                "Mozilla/5.0 (Macintosh) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
                None,
            ),
            ("facebookexternalhit/1.1;line-poker/1.0", None),
            ("facebookexternalhit/1.1; kakaotalk-scrap/1.0", None),
            // No claim.
            ("Mozilla/5.0 (compatible; Qwantify/2.4; like Googlebot)", None),
            ("Mozilla/5.0 (compatible; NotGooglebot/2.1)", None),
            ("Googlebot-Simulator/1.0", None),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; bingbot/2.0)", None),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 YaBrowser/24.1", None),
            ("", None),
        ] {
            let claimed = crawlers.claimed_by(user_agent).map(|crawler| &*crawler.operator);
            assert_eq!(claimed, operator, "{user_agent}");
        }
    }

    #[test]
    fn the_shipped_list_has_all_that_rules_need() {
        let crawlers = shipped();
        for operator in ["Google", "Microsoft", "Apple", "DuckDuckGo", "Yandex", "Meta", "OpenAI"] {
            let crawler = crawlers.iter().find(|crawler| &*crawler.operator == operator).unwrap();
            assert!(crawler.networks.len() > 5 && !crawler.sources.is_empty(), "{operator}");
            assert!(crawler.day > 20_000, "{operator}");
            assert!(!crawler.owns("192.0.2.1".parse().unwrap()), "{operator}");
            assert!(!crawler.owns("2001:db8::1".parse().unwrap()), "{operator}");
            assert!(crawler.owns(crawler.networks[0].addr()), "{operator}");
        }
        assert!(crawlers.len() > 8);
    }

    #[test]
    fn a_list_is_read() {
        let crawlers = Crawlers::parse(
            "# ours\n[Example]\ndate = 1970-01-02\nsource = https://example.com/bots\ntokens = ExampleBot\n\
             unless = Preview\n192.0.2.9/24 2001:db8::1\nhosted = 198.51.100.9/24\n",
        );
        let crawlers = crawlers.unwrap();
        let crawler = crawlers.iter().next().unwrap();
        assert_eq!((crawler.day, crawler.networks.len()), (1, 2));
        assert_eq!(crawler.networks[0].to_string(), "192.0.2.0/24");
        assert_eq!(crawler.hosted[0].to_string(), "198.51.100.0/24");
        assert!(crawler.owns("192.0.2.200".parse().unwrap()) && crawler.owns("2001:db8::1".parse().unwrap()));
        assert!(crawlers.claimed_by("examplebot/1.0").is_some());
        assert!(crawlers.claimed_by("ExampleBot/1.0 Preview").is_none());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, message) in [
            ("192.0.2.0/24\n", 1, "before the first operator"),
            ("[A]\ndate = 31.1.2026\n", 2, "not a date"),
            ("[A]\ncolour = red\n", 2, "not a property"),
            ("[A]\n192.0.2.0/33\n", 2, "not a network"),
            ("[A]\ndate = 2026-01-31\ntokens = a\n", 3, "has no networks"),
            ("[A]\ntokens = a\n192.0.2.0/24\n[B]\n", 4, "`A`, has no `date = `"),
            ("[A]\ndate = 2026-01-31\n192.0.2.0/24\n", 3, "has no `tokens = `"),
        ] {
            let error = Crawlers::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text} {error}");
            assert!(error.message.contains(message), "{text} {error}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        for (date, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("2000-03-01", Some(11_017)),
            ("2026-09-02", Some(20_698)),
            ("9999-12-31", Some(2_932_896)),
            ("1969-12-31", None),
            ("2026-02-31", None),
            ("2025-02-29", None),
            ("2026-13-01", None),
            ("2026-1", None),
            ("2026-01-31T00:00:00", None),
            ("2026-01-3é", None),
            ("", None),
        ] {
            assert_eq!(day(date), expected, "{date}");
        }
    }
}
