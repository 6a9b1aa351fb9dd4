//! Operations: `REST.GET.OBJECT`, `BATCH.DELETE.OBJECT`, `S3.EXPIRE.OBJECT`, `S3.COMPUTE.OBJECT.CHECKSUM`.
//!
//! The set is open: the part after the method depends on the sub-resource that a client asked for.

use crate::token::Parsed;
use bstr::{BStr, ByteSlice};
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, recognize};
use nom::multi::many1_count;
use nom::sequence::{pair, preceded};

/// The interface that was used, or the internal process that acted: the first part of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Api {
    /// The REST interface.
    Rest,
    /// A static website endpoint.
    Website,
    /// The discontinued SOAP interface.
    Soap,
    /// One key of a batch request.
    Batch,
    /// S3 itself: lifecycle, restore, checksums.
    S3,
}

/// An operation, which can be split at its dots.
///
/// ```
/// use s3log_parser::value::operation::{Api, Operation};
///
/// let operation = Operation::new(b"REST.GET.OBJECT");
/// assert_eq!(operation.api(), Some(Api::Rest));
/// assert_eq!(operation.part(1).unwrap(), "GET");
/// assert_eq!(operation.part(3), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    text: &'a BStr,
}

impl<'a> Operation<'a> {
    /// Wraps any text; it need not be a valid operation.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { text: text.as_bstr() }
    }

    /// The text as written.
    #[must_use]
    pub fn as_bstr(&self) -> &'a BStr {
        self.text
    }

    /// The parts between the dots.
    pub fn parts(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        self.text.split_str(".").map(ByteSlice::as_bstr)
    }

    /// The part with this index, from 0.
    #[must_use]
    pub fn part(&self, number: usize) -> Option<&'a BStr> {
        self.parts().nth(number)
    }

    /// The interface that was used; `None` if the text is not a dotted operation.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        if !is_dotted(self.text) {
            return None;
        }
        Some(match self.text.first()? {
            b'R' => Api::Rest,
            b'W' => Api::Website,
            b'B' => Api::Batch,
            _ if self.text.starts_with(b"SOAP.") => Api::Soap,
            _ => Api::S3,
        })
    }
}

/// Whether a token is an operation: `(REST|WEBSITE|SOAP|BATCH|S3)(\.[A-Za-z0-9_]+)+`.
///
/// ```
/// use s3log_parser::value::operation::is_dotted;
///
/// assert!(is_dotted(b"REST.S3_GET_OBJECT"));
/// assert!(!is_dotted(b"REST"));
/// assert!(!is_dotted(b"REST.GET."));
/// ```
#[inline]
#[must_use]
pub fn is_dotted(token: &[u8]) -> bool {
    is_common(token) || dotted(token).is_ok()
}

/// Fast check for the most frequent operations. Comparing with constants of the same length takes only a few
/// registers.
#[inline]
fn is_common(token: &[u8]) -> bool {
    match token.len() {
        15 => token == b"REST.GET.OBJECT" || token == b"REST.PUT.OBJECT" || token == b"REST.GET.BUCKET",
        16 => token == b"REST.HEAD.OBJECT" || token == b"S3.EXPIRE.OBJECT" || token == b"REST.HEAD.BUCKET",
        18 => token == b"REST.DELETE.OBJECT" || token == b"WEBSITE.GET.OBJECT",
        19 => token == b"BATCH.DELETE.OBJECT",
        20 => token == b"REST.COPY.OBJECT_GET",
        29 => token == b"REST.POST.MULTI_OBJECT_DELETE",
        _ => false,
    }
}

fn dotted(input: &[u8]) -> Parsed<'_, &[u8]> {
    let api = alt((tag("REST"), tag("WEBSITE"), tag("SOAP"), tag("BATCH"), tag("S3")));
    let part = take_while1(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_');
    all_consuming(recognize(pair(api, many1_count(preceded(char('.'), part))))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_or_not() {
        for yes in [
            "REST.GET.OBJECT",
            "REST.S3_GET_OBJECT",
            "WEBSITE.INVALIDOPERATION",
            "SOAP.ListAllMyBuckets",
            "BATCH.DELETE.OBJECT",
            "S3.COMPUTE.OBJECT.CHECKSUM",
            "REST.GET.BUCKET.LOCATION",
        ] {
            assert!(is_dotted(yes.as_bytes()), "{yes}");
        }
        for no in ["", "-", "REST", "REST.", "REST..GET", "REST.GET-OBJECT", "rest.get.object", "XREST.GET", "S3X.GET"]
        {
            assert!(!is_dotted(no.as_bytes()), "{no}");
            assert_eq!(Operation::new(no.as_bytes()).api(), None, "{no}");
        }
    }

    #[test]
    fn apis() {
        for (text, api) in [
            ("REST.GET.OBJECT", Api::Rest),
            ("WEBSITE.GET.OBJECT", Api::Website),
            ("SOAP.PUT.OBJECT", Api::Soap),
            ("BATCH.DELETE.OBJECT", Api::Batch),
            ("S3.EXPIRE.OBJECT", Api::S3),
        ] {
            assert_eq!(Operation::new(text.as_bytes()).api(), Some(api), "{text}");
        }
    }
}
