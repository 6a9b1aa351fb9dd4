//! Lists of networks in files: allowed, denied, CDNs, crawlers, known attackers.
//!
//! ```text
//! # date: 2026-01-07
//! 192.0.2.0/24 ; name=Office Berlin ; until=2026-07-01   # ticket 4711
//! 2001:db8::17
//! ```
//!
//! Published lists can be read unchanged: a comment begins with `#`, or is a line that begins with `;` or `//`; a bare
//! word after `;` is the name of the entry. But nothing that may have been intended is ignored: a line that is not a
//! network is an error, and so is an attribute that looks like a misspelled one.

use super::date;
use crate::error::Error;
use crate::functions::parse_network;
use ipnet::IpNet;
use std::sync::Arc;

/// A list of networks with attributes.
///
/// | in the file | meaning |
/// | --- | --- |
/// | `192.0.2.0/24`, `2001:db8::17` | a network or address; host bits are ignored, `::ffff:192.0.2.1` is IPv4 |
/// | `; name=Office Berlin`, `; SBL1234` | name of the entry |
/// | `; until=2026-07-01` | time of expiry: a date (its first instant in UTC) or RFC 3339 |
/// | `; confidence=0.7` | confidence of an entry in a list of attackers, 0 to 1 |
/// | `# date: 2026-01-07` | date of the list; also `Last-Modified`, `This File Date` and similar |
/// | `# confidence: 0.3` | default for entries without a confidence |
/// | `# name: googlebot` | default for entries without a name |
///
/// Comments about the list must precede its first entry. Comments never cause errors: unknown ones are ignored.
#[derive(Clone, Debug)]
pub struct CidrList {
    name: Arc<str>,
    date: Option<i64>,
    confidence: Option<f64>,
    entry_name: Option<Arc<str>>,
    items: Vec<Item>,
    expired: usize,
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) network: IpNet,
    pub(super) name: Option<Arc<str>>,
    pub(super) confidence: Option<f64>,
}

/// What is wrong with a line, and what to do about it.
type Fault = (String, &'static str);

impl CidrList {
    /// Parses a list. `name` is its path or name; `now_micros` is the current time in microseconds since the Unix epoch
    /// (UTC), with which `until=` is compared.
    ///
    /// # Errors
    ///
    /// Fails if a line is not a network or has invalid attributes; the error names the file and the line.
    pub fn parse(name: &str, text: &str, now_micros: i64) -> Result<Self, Error> {
        let mut list = Self {
            name: title(name).into(),
            date: None,
            confidence: None,
            entry_name: None,
            items: Vec::new(),
            expired: 0,
        };
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            list.read(line.trim(), now_micros).map_err(|(message, hint)| {
                Error::invalid(format!("line {}: {message}", at + 1)).in_object(name).with_hint(hint)
            })?;
        }
        Ok(list)
    }

    /// The name of the list: its file name without folder and extension.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The date of publication in microseconds since the Unix epoch (UTC), if the list has one.
    #[must_use]
    pub fn date(&self) -> Option<i64> {
        self.date
    }

    /// Number of entries that have not expired.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no unexpired entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Number of entries ignored because of their `until=`.
    #[must_use]
    pub fn expired(&self) -> usize {
        self.expired
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&mut self, line: &str, now: i64) -> Result<(), Fault> {
        if line.starts_with(['#', ';']) || line.starts_with("//") {
            self.read_comment(line.trim_start_matches(['#', ';', '/']));
            return Ok(());
        }
        let entry = line.split('#').next().unwrap_or_default();
        let (network, attributes) = entry.split_once(';').unwrap_or((entry, ""));
        let network = network.trim();
        if network.is_empty() && attributes.trim().is_empty() {
            return Ok(());
        }
        let network = parse_network(network).ok_or_else(|| no_network(network))?.trunc();
        let mut item = Item { network, name: None, confidence: None };
        let mut until = None;
        for attribute in attributes.split(';').map(str::trim).filter(|attribute| !attribute.is_empty()) {
            match attribute.split_once('=').map(|(key, value)| (key.trim_end(), value.trim())) {
                None => item.name = item.name.or_else(|| Some(attribute.into())),
                Some((key, value)) => read_attribute(key, value, &mut item, &mut until)?,
            }
        }
        if until.is_some_and(|until| until <= now) {
            self.expired += 1;
            return Ok(());
        }
        item.name = item.name.or_else(|| self.entry_name.clone());
        item.confidence = item.confidence.or(self.confidence);
        self.items.push(item);
        Ok(())
    }

    /// Reads an attribute of the list from a comment above the first entry.
    fn read_comment(&mut self, comment: &str) {
        let Some((key, value)) = comment.split_once(':') else { return };
        if !self.items.is_empty() || self.expired > 0 {
            return;
        }
        match key.trim().to_ascii_lowercase().as_str() {
            "date" | "last-modified" | "last modified" | "last updated" | "source file date" | "this file date" => {
                self.date = self.date.or_else(|| date::of_comment(value));
            }
            "confidence" => self.confidence = self.confidence.or_else(|| share(value.trim())),
            "name" => self.entry_name = named(value),
            _ => {}
        }
    }
}

/// A file name without folder and extension.
fn title(name: &str) -> &str {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphabetic()) => stem,
        _ => file,
    }
}

fn read_attribute(key: &str, value: &str, item: &mut Item, until: &mut Option<i64>) -> Result<(), Fault> {
    match key.to_ascii_lowercase().as_str() {
        "name" => item.name = named(value),
        "until" => {
            *until = Some(date::instant(value).ok_or_else(|| {
                (
                    format!("until=`{}` is not a date", shown(value)),
                    "a date is 2026-01-31 or 2026-01-31T12:00:00Z; the entry is ignored from then on",
                )
            })?);
        }
        "confidence" => {
            item.confidence = Some(share(value).ok_or_else(|| {
                (format!("confidence=`{}` is not a number from 0 to 1", shown(value)), "write 0.7 for 70 percent")
            })?);
        }
        other if is_slip(other) => {
            return Err((
                format!("`{}` is not an attribute of an entry", shown(key)),
                "attributes are name=, until= and confidence=; text after `#` is a comment",
            ));
        }
        // Other attributes are for the author of the list.
        _ => {}
    }
    Ok(())
}

/// Whether an unknown attribute is probably a misspelled one. If ignored, `untill=` would allow an address forever.
fn is_slip(key: &str) -> bool {
    ["expire", "expires", "expiry", "valid-until", "valid_until"].contains(&key)
        || ["name", "until", "confidence"].iter().any(|known| strsim::damerau_levenshtein(known, key) == 1)
}

fn named(value: &str) -> Option<Arc<str>> {
    Some(value.trim().trim_matches('"').trim()).filter(|name| !name.is_empty()).map(Into::into)
}

fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
}

/// The beginning of a text, escaped for a terminal.
fn shown(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string().replace("\\\"", "\"")
}

fn no_network(text: &str) -> Fault {
    let hint = if text.starts_with(['{', '[', '"']) {
        "this looks like JSON: write its networks into a text file, one per line"
    } else if text.starts_with('<') {
        "this looks like a web page: was the list really downloaded?"
    } else if text.contains([' ', '\t', ',', '-']) {
        "write one network or address per line, such as 192.0.2.0/24, with attributes after `;` and comments after `#`"
    } else {
        "a network is 192.0.2.0/24 or 2001:db8::/32, an address 192.0.2.1"
    };
    (format!("`{}` is not a network", shown(text)), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2026-01-15T12:00:00Z";

    fn parse(text: &str) -> CidrList {
        try_parse(text).unwrap()
    }

    fn try_parse(text: &str) -> Result<CidrList, Error> {
        CidrList::parse("lists/test.netset", text, date::instant(NOW).unwrap())
    }

    #[test]
    fn entries() {
        for (line, network, name, confidence) in [
            ("192.0.2.0/24", "192.0.2.0/24", None, None),
            ("192.0.2.77", "192.0.2.77/32", None, None),
            ("  192.0.2.77/24\r", "192.0.2.0/24", None, None),
            ("2001:DB8::1", "2001:db8::1/128", None, None),
            ("2001:db8:1:2:3::/48", "2001:db8:1::/48", None, None),
            ("::ffff:192.0.2.1", "192.0.2.1/32", None, None),
            ("::ffff:192.0.2.1/120", "192.0.2.0/24", None, None),
            ("\u{feff}192.0.2.1", "192.0.2.1/32", None, None),
            ("192.0.2.0/24 ; SBL1234", "192.0.2.0/24", Some("SBL1234"), None),
            ("192.0.2.0/24;name=Office Berlin;until=2026-07-01", "192.0.2.0/24", Some("Office Berlin"), None),
            ("192.0.2.0/24 ; NAME = \"Lab\" ; SBL1", "192.0.2.0/24", Some("Lab"), None),
            ("192.0.2.0/24 ; confidence=0.7 # sure", "192.0.2.0/24", None, Some(0.7)),
            ("192.0.2.0/24 # name=no", "192.0.2.0/24", None, None),
            ("192.0.2.0/24 ; name= ;; owner=me ; note=a=b", "192.0.2.0/24", None, None),
            ("# name: googlebot\n192.0.2.1", "192.0.2.1/32", Some("googlebot"), None),
            ("# name: googlebot\n192.0.2.1;name=other", "192.0.2.1/32", Some("other"), None),
            ("# confidence: 0.3\n192.0.2.1", "192.0.2.1/32", None, Some(0.3)),
            ("# confidence: 0.3\n192.0.2.1;confidence=1", "192.0.2.1/32", None, Some(1.0)),
            ("# confidence: 100%\n192.0.2.1", "192.0.2.1/32", None, None),
        ] {
            let expected = Item { network: network.parse().unwrap(), name: name.map(Into::into), confidence };
            assert_eq!(parse(line).items(), [expected], "{line}");
        }
    }

    #[test]
    fn lines_without_entries() {
        for text in ["", "\n\r\n \t", "# 192.0.2.1", "; 192.0.2.1", "// 192.0.2.1", "#", "\u{feff}# x", ";", " # "] {
            assert!(parse(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn entries_that_have_expired() {
        for (until, expired) in [
            ("2026-01-15", 1),
            ("2026-01-16", 0),
            ("2026-01-15T12:00:00Z", 1),
            ("2026-01-15T12:00:01Z", 0),
            ("2026-01-15T14:00:00+02:00", 1),
            ("2026-01-15T12:00:00-02:00", 0),
        ] {
            let list = parse(&format!("192.0.2.1 ; until={until}"));
            assert_eq!((list.expired(), list.len()), (expired, 1 - expired), "{until}");
        }
    }

    #[test]
    fn dates_of_lists() {
        for (comment, expected) in [
            ("# date: 2026-01-07", Some("2026-01-07")),
            ("#Date:2026-01-07T10:00:00Z", Some("2026-01-07T10:00:00Z")),
            ("; Last-Modified: Wed, 07 Jan 2026 12:00:00 GMT", Some("2026-01-07T12:00:00Z")),
            ("# This File Date  : Wed Jan  7 12:00:00 UTC 2026", Some("2026-01-07T12:00:00Z")),
            ("# date: 2026-01-07\n# date: 2026-01-08", Some("2026-01-07")),
            ("192.0.2.1\n# date: 2026-01-07", None),
            ("192.0.2.1;until=2020-01-01\n# date: 2026-01-07", None),
            ("# date: soon", None),
            ("# update: 2026-01-07", None),
        ] {
            assert_eq!(parse(comment).date(), expected.map(|date| date::instant(date).unwrap()), "{comment}");
        }
    }

    #[test]
    fn what_is_wrong_and_where() {
        let errors: Vec<String> = [
            "192.0.2.1\n\nhost.example",
            "192.0.2.0 192.0.2.255 24",
            "192.0.2.0/33",
            "192.0.2.01",
            "192.0.2.1:80",
            "; fine\n;;\n; name=x\n ; until=2026-01-01\n/24;name=x",
            "{\"cidr\":\"192.0.2.0/24\"}",
            "<html>",
            "192.0.2.1;until=soon",
            "192.0.2.1;until=",
            "192.0.2.1;confidence=70",
            "192.0.2.1;confidence=NaN",
            "192.0.2.1;untill=2026-01-01",
            "192.0.2.1;expires=2026-01-01",
            "192.0.2.1;nmae=x",
            "\u{1b}[31m",
        ]
        .into_iter()
        .map(|text| {
            let error = try_parse(text).unwrap_err();
            format!("{error}\n  {}", error.hint().unwrap())
        })
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn names_of_lists() {
        for (file, expected) in [
            ("/etc/s3log/firehol_level1.netset", "firehol_level1"),
            ("tor-exits.txt", "tor-exits"),
            ("office", "office"),
            ("list.2026", "list.2026"),
            (".hidden", ".hidden"),
            ("a.b/c", "c"),
        ] {
            assert_eq!(CidrList::parse(file, "", 0).unwrap().name(), expected, "{file}");
        }
    }

    proptest! {
        #[test]
        fn any_text_will_do(text in any::<String>(), line in "[0-9a-f:./;# =untilconfdecm-]{0,40}") {
            let _ = (try_parse(&text), try_parse(&line));
        }
    }
}
