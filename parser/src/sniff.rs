//! Detects the format of a log from a line.
//!
//! Object names are not sufficient: DigitalOcean writes the logs of a bucket and of its CDN under one prefix.

use crate::token::{long_token, skip_spaces, token};
use memchr::memchr;

/// A log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// S3 server access logs, read by [`crate::Parser`].
    S3,
    /// CDN logs in CloudFront's format, read by [`crate::cdn`].
    Cdn,
    /// Logs of either kind with one JSON object per line.
    Json,
}

/// Detects the format of a line, by its shape only: the line need not be a valid record. Returns `None` if the line
/// is not conclusive, for instance if it is blank.
///
/// ```
/// use s3log_parser::{LogFormat, sniff};
///
/// assert_eq!(sniff(b"#Version: 1.0"), Some(LogFormat::Cdn));
/// assert_eq!(sniff(b"a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3"), Some(LogFormat::S3));
/// assert_eq!(sniff(br#"{"sc-status":"200"}"#), Some(LogFormat::Json));
/// assert_eq!(sniff(b"once upon a time"), None);
/// ```
#[must_use]
pub fn sniff(line: &[u8]) -> Option<LogFormat> {
    if is_header(line) || has_date_and_time(line) || is_real_time(line) {
        return Some(LogFormat::Cdn);
    }
    if is_json(line) {
        return Some(LogFormat::Json);
    }
    is_s3(line).then_some(LogFormat::S3)
}

/// Only the two header lines that a CDN log begins with; other lines with `#` may be comments in any format.
fn is_header(line: &[u8]) -> bool {
    let begins = |name: &[u8]| line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    begins(b"#Version:") || begins(b"#Fields:")
}

/// `2026-01-15 TAB 10:22:41 TAB`
fn has_date_and_time(line: &[u8]) -> bool {
    begins_with(line, b"dddd-dd-dd\tdd:dd:dd\t")
}

/// Whether the line begins with `shape`, in which `d` stands for any digit.
fn begins_with(line: &[u8], shape: &[u8]) -> bool {
    let Some(text) = line.get(..shape.len()) else { return false };
    text.iter().zip(shape).all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    })
}

/// `1768472561.358 TAB 192.0.2.3`: a CloudFront real-time log record.
pub(crate) fn is_real_time(line: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(line);
    let [b'.', behind @ ..] = &line[whole..] else { return false };
    let fraction = digits(behind);
    let [b'\t', address @ ..] = &behind[fraction..] else { return false };
    whole > 0 && fraction > 0 && is_address(&address[..memchr(b'\t', address).unwrap_or(address.len())])
}

/// Whether the text looks like an IPv4 or IPv6 address.
fn is_address(text: &[u8]) -> bool {
    let is_of_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    text.len() >= 2 && text.iter().all(is_of_address) && text.iter().any(|byte| matches!(byte, b'.' | b':'))
}

/// `{` after optional white space, or after the time that exports of CloudWatch Logs put before each message.
fn is_json(line: &[u8]) -> bool {
    let is_object = |text: &[u8]| text.trim_ascii_start().first() == Some(&b'{');
    let begins_with_time = begins_with(line, b"dddd-dd-ddTdd:dd:dd");
    is_object(line) || begins_with_time && memchr(b' ', line).is_some_and(|time| is_object(&line[time..]))
}

/// `owner bucket [dd/`, the beginning common to all dialects of S3 server access logs.
fn is_s3(line: &[u8]) -> bool {
    let third = long_token(skip_spaces(line)).and_then(|(rest, _owner)| token(skip_spaces(rest)));
    third.is_ok_and(|(rest, _bucket)| begins_with(skip_spaces(rest), b"[dd/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_decides() {
        for (line, expected) in [
            ("#", None),
            ("#Fields: date time", Some(LogFormat::Cdn)),
            ("2026-01-15\t10:22:41\tFRA56", Some(LogFormat::Cdn)),
            ("2026-13-45\t10:22:99\t", Some(LogFormat::Cdn)),
            ("2026-01-15\t10:22:41", None),
            ("2026-01-15 10:22:41 FRA56", None),
            ("1768472561.358\t192.0.2.3\t0.002", Some(LogFormat::Cdn)),
            ("1768472561.358\t2001:db8::1", Some(LogFormat::Cdn)),
            ("1768472561.358\tGET", None),
            ("1768472561\t192.0.2.3", None),
            ("{}", Some(LogFormat::Json)),
            (" \t{\"date\":", Some(LogFormat::Json)),
            ("2026-01-15T10:22:41.000Z {\"date\":\"2026-01-15\"}", Some(LogFormat::Json)),
            ("2026-01-15T10:22:41.000Z message", None),
            ("[{}]", None),
            ("o b [06/Feb/2019:00:00:38 +0000] 192.0.2.3", Some(LogFormat::S3)),
            (" o  b  [06/Feb/2019", Some(LogFormat::S3)),
            ("owner bucket [06/August/2026:10:00:00 +0200] 192.0.2.9", Some(LogFormat::S3)),
            ("- - [06/", Some(LogFormat::S3)),
            ("192.0.2.3 - - [06/Feb/2019:00:00:38 +0000]", None),
            ("o b 06/Feb/2019", None),
            ("", None),
            (" \t\r", None),
            ("o b", None),
        ] {
            assert_eq!(sniff(line.as_bytes()), expected, "{line}");
        }
    }
}
