//! Percent-decoding, and the function `url_decode`.

use super::text_function::{Row, Scratch, TextFunction};
use super::{Documented, FunctionDoc};
use memchr::{memchr, memchr2};
use s3log_parser::value::key::decode_into;

const URL_DECODE: FunctionDoc = FunctionDoc {
    group: "Request-URI",
    name: "url_decode",
    signature: "url_decode(text) -> text",
    description: "Decodes `%XX` sequences, once. A `+` stays a `+`, a `%` without two hexadecimal digits behind it \
                  stays as it is, and bytes that are not UTF-8 become U+FFFD. Log keys of most operations are encoded \
                  twice: the column `object_key` holds them decoded.",
    arguments: &[("text", "Text with percent-encoded bytes.")],
    example_sql: "SELECT url_decode('a%20b+c%2Fd 100%')",
    example_result: "a b+c/d 100%",
};

pub(super) fn functions() -> Vec<Documented> {
    vec![TextFunction::documented(&URL_DECODE, Row::Text(url_decode))]
}

fn url_decode<'a>(text: &'a str, scratch: &'a mut Scratch) -> Option<&'a str> {
    Some(decode(text, Plus::Literal, scratch))
}

/// The meaning of `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    /// A literal `+`, as in paths and keys.
    Literal,
    /// A space, as in queries, which are form-encoded.
    Space,
}

/// Percent-decodes a text: returns the text itself if nothing is encoded, otherwise a slice of the scratch buffer.
pub(super) fn decode<'a>(text: &'a str, plus: Plus, scratch: &'a mut Scratch) -> &'a str {
    let encoded = text.as_bytes();
    let first = match plus {
        Plus::Literal => memchr(b'%', encoded),
        Plus::Space => memchr2(b'%', b'+', encoded),
    };
    let Some(first) = first else { return text };

    let Scratch { bytes, text: repaired } = scratch;
    bytes.clear();
    bytes.extend_from_slice(&encoded[..first]);
    decode_into(&encoded[first..], plus == Plus::Space, bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        return text;
    }
    repaired.clear();
    for chunk in bytes.utf8_chunks() {
        repaired.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            repaired.push(char::REPLACEMENT_CHARACTER);
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    fn decoded(text: &str, plus: Plus) -> String {
        decode(text, plus, &mut Scratch::default()).to_owned()
    }

    #[test]
    fn decodes_once() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a%20b", "a b"),
            ("a%252Fb", "a%2Fb"),
            ("a+b", "a+b"),
            ("%2b%2B", "++"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%%41", "%A"),
            ("%4%41", "%4A"),
            ("%C3%A9t%c3%a9 é", "été é"),
            ("%00", "\0"),
        ] {
            assert_eq!(decoded(text, Plus::Literal), expected, "{text}");
        }
    }

    #[test]
    fn a_plus_of_a_query_is_a_space_and_an_encoded_one_is_not() {
        assert_eq!(decoded("a+b%2Bc%20d", Plus::Space), "a b+c d");
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_replacement_characters() {
        assert_eq!(decoded("a%FFb", Plus::Literal), "a\u{FFFD}b");
        assert_eq!(decoded("%E2%82", Plus::Literal), "\u{FFFD}");
        assert_eq!(decoded("%FE%FF", Plus::Literal), "\u{FFFD}\u{FFFD}");
    }

    proptest! {
        #[test]
        fn decodes_as_the_reference_does(text in "([a-z+é]|%[0-9a-fA-F]{2}|%){0,24}") {
            prop_assert_eq!(decoded(&text, Plus::Literal), percent_decode_str(&text).decode_utf8_lossy());
            let spaced = text.replace('+', " ");
            prop_assert_eq!(decoded(&text, Plus::Space), percent_decode_str(&spaced).decode_utf8_lossy());
        }

        #[test]
        fn any_text_decodes_to_no_more_bytes(text in any::<String>()) {
            prop_assert!(decoded(&text, Plus::Space).len() <= text.len());
        }
    }
}
