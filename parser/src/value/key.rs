//! Object keys: decodes the `key` of a record as many times as its operation encoded it.
//!
//! AWS encodes the key of `REST.*`, `WEBSITE.*` and `SOAP.*` rows twice and that of `S3.*` rows once. For
//! `BATCH.DELETE.OBJECT` it uses form encoding, once, with `+` for a space. Other operations are not known to encode
//! keys.

use bstr::{BStr, ByteSlice};
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// Decodes a `key` field to the object key, according to its operation. Returns bytes because keys need not be UTF-8;
/// invalid `%` sequences are kept.
///
/// ```
/// use s3log_parser::value::key;
///
/// let twice = key::object_key(b"date_%253D2021/a%2520b", b"REST.GET.OBJECT");
/// assert_eq!(&**twice, b"date_=2021/a b");
/// let form = key::object_key(b"Screen+Shot%2B1.png", b"BATCH.DELETE.OBJECT");
/// assert_eq!(&**form, b"Screen Shot+1.png");
/// ```
#[must_use]
pub fn object_key<'a>(key: &'a [u8], operation: &[u8]) -> Cow<'a, BStr> {
    let encoded_twice = [&b"REST."[..], b"WEBSITE.", b"SOAP."].iter().any(|api| operation.starts_with(api));
    let decoded = if encoded_twice {
        match percent_decode(key) {
            Cow::Borrowed(once) => percent_decode(once),
            Cow::Owned(once) => Cow::Owned(percent_decode(&once).into_owned()),
        }
    } else if operation == b"BATCH.DELETE.OBJECT" {
        form_decode(key)
    } else if operation.starts_with(b"S3.") {
        percent_decode(key)
    } else {
        Cow::Borrowed(key)
    };
    match decoded {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.as_bstr()),
        Cow::Owned(bytes) => Cow::Owned(bytes.into()),
    }
}

/// Percent-decodes once. A `%` without two hexadecimal digits is kept.
#[must_use]
pub fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'%', text) else { return Cow::Borrowed(text) };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text[..first]);
    decode_into(&text[first..], false, &mut decoded);
    Cow::Owned(decoded)
}

/// Percent-decodes once, with `+` for a space.
#[must_use]
pub fn form_decode(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr2(b'%', b'+', text) else { return Cow::Borrowed(text) };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text[..first]);
    decode_into(&text[first..], true, &mut decoded);
    Cow::Owned(decoded)
}

/// Percent-decodes once and appends to `decoded`, a buffer that can be reused. `plus_is_space` also decodes `+` to a
/// space.
///
/// ```
/// let mut decoded = Vec::new();
/// s3log_parser::value::key::decode_into(b"a+b%21", true, &mut decoded);
/// assert_eq!(decoded, b"a b!");
/// ```
pub fn decode_into(text: &[u8], plus_is_space: bool, decoded: &mut Vec<u8>) {
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let (value, behind) = match (byte, tail) {
            (b'%', [high, low, behind @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, behind),
                _ => (b'%', tail),
            },
            (b'+', _) if plus_is_space => (b' ', tail),
            _ => (*byte, tail),
        };
        decoded.push(value);
        rest = behind;
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_as_often_as_the_operation_encodes() {
        for (key, operation, object_key) in [
            ("a%252Fb", "REST.GET.OBJECT", "a/b"),
            ("a%252Fb", "WEBSITE.GET.OBJECT", "a/b"),
            ("a%252Fb", "SOAP.PUT.OBJECT", "a/b"),
            ("a%252Fb", "S3.EXPIRE.OBJECT", "a%2Fb"),
            ("a%252Fb+c", "BATCH.DELETE.OBJECT", "a%2Fb c"),
            ("a%252Fb+c", "BATCH.OTHER", "a%252Fb+c"),
            ("a%252Fb", "-", "a%252Fb"),
            ("a+b", "REST.GET.OBJECT", "a+b"),
            ("100%", "REST.GET.OBJECT", "100%"),
            ("%zz%4", "REST.GET.OBJECT", "%zz%4"),
            ("%2541", "REST.GET.OBJECT", "A"),
            // The first pass creates a new escape, which the second decodes: decoding works on bytes, not text.
            ("%2%2541", "REST.GET.OBJECT", "%2A"),
        ] {
            assert_eq!(
                super::object_key(key.as_bytes(), operation.as_bytes()).as_ref(),
                object_key,
                "{key} {operation}"
            );
        }
    }

    #[test]
    fn what_needs_no_decoding_is_borrowed() {
        assert!(matches!(object_key(b"plain/key", b"REST.GET.OBJECT"), Cow::Borrowed(_)));
        assert!(matches!(object_key(b"a%20b", b"REST.GET.OBJECT"), Cow::Owned(_)));
    }
}
