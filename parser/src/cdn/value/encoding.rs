//! Percent-encoding. CloudFront encodes what clients send; from 2013 to 2019 it encoded parts of user agents twice.

use crate::value::key::percent_decode;
use memchr::{memchr, memmem};
use std::borrow::Cow;

/// Percent-decodes once, to the bytes that the client sent, which may themselves be encoded. A `%` without two
/// hexadecimal digits is kept, and `+` never means a space.
///
/// ```
/// use s3log_parser::cdn::value::decode_once;
///
/// assert_eq!(*decode_once(b"/a%2520b+c%"), *b"/a%20b+c%");
/// ```
#[inline]
#[must_use]
pub fn decode_once(text: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(text)
}

/// Decodes a user agent. Between 2013 and 2019 spaces, double quotes and backslashes were encoded twice. Such a text
/// is recognised after the first pass, by `%20` without any space, and those three are decoded once more.
///
/// ```
/// use s3log_parser::cdn::value::user_agent;
///
/// assert_eq!(*user_agent(b"Mozilla/5.0%20(X11)"), *b"Mozilla/5.0 (X11)");
/// assert_eq!(*user_agent(b"Mozilla/5.0%2520(X11)"), *b"Mozilla/5.0 (X11)");
/// ```
#[must_use]
pub fn user_agent(text: &[u8]) -> Cow<'_, [u8]> {
    let once = percent_decode(text);
    if memchr(b' ', &once).is_none() && memmem::find(&once, b"%20").is_some() {
        Cow::Owned(decode_three(&once))
    } else {
        once
    }
}

/// Decodes `%20`, `%22` and `%5C`, the only sequences that were encoded twice.
fn decode_three(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let (value, behind) = match rest {
            [b'%', b'2', b'0', behind @ ..] => (b' ', behind),
            [b'%', b'2', b'2', behind @ ..] => (b'"', behind),
            [b'%', b'5', b'C' | b'c', behind @ ..] => (b'\\', behind),
            _ => (*byte, tail),
        };
        decoded.push(value);
        rest = behind;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_of_all_years() {
        for (text, expected) in [
            ("curl/8.5.0", "curl/8.5.0"),
            ("a%20b", "a b"),
            ("a%2520b%2522c%255Cd%255ce", "a b\"c\\d\\e"),
            // The others were encoded once in those years too.
            ("a%2520b%2523c%C3%A9", "a b%23cé"),
            // Clients of later years may have sent `%20` themselves, next to spaces.
            ("a%20b%2520c", "a b%20c"),
            ("a%2522b", "a%22b"),
            ("a+b%", "a+b%"),
            ("a%2520b%25", "a b%"),
            ("%zz%4", "%zz%4"),
            // The second pass must not create new escapes.
            ("a%2520%252520", "a %2520"),
        ] {
            assert_eq!(user_agent(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert!(matches!(user_agent(b"curl/8.5.0"), Cow::Borrowed(_)));
        assert!(matches!(decode_once(b"/plain"), Cow::Borrowed(_)));
    }
}
