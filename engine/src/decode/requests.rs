//! Columns of the table `requests`, of S3 records and of CDN records.

mod of_cdn;
mod of_origin;
#[cfg(feature = "datafusion")]
mod of_rows;
mod rules;
mod uris;

pub(super) use of_cdn::{array as cdn_array, needs as cdn_needs};
pub(super) use of_origin::{array as origin_array, needs as origin_needs};
#[cfg(feature = "datafusion")]
pub(crate) use of_rows::RequestsOfRows;
pub use rules::{IsCdnAddress, RequestRules};
pub(super) use uris::{Uri, is_part_of_uri};

use super::address;
use super::columns::Build;
use super::span::Span;
use super::text::Text;
use crate::error::Error;
use arrow::array::ArrayRef;
use std::borrow::Cow;

/// The value of `source` in rows of an S3 server access log.
pub const ORIGIN: &str = "origin";
/// The value of `source` in rows of a CDN log.
pub const CDN: &str = "cdn";

/// Addresses in canonical form.
fn addresses(build: &Build<'_>, spans: impl ExactSizeIterator<Item = Span> + Clone) -> Result<ArrayRef, Error> {
    let is_canonical = |span: Span| span.text(build.bytes).is_none_or(address::is_canonical_v4);
    if spans.clone().all(is_canonical) {
        return build.texts(spans);
    }
    let spans: Vec<_> = spans.collect();
    build.made_texts(0..spans.len(), |row, builder| match spans[row].text(build.bytes).and_then(address::canonical) {
        Some(address) => build.push(address, builder),
        None => builder.push(Text::Null),
    })
}

/// Hosts do not depend on case.
fn lower_case(text: &[u8]) -> Cow<'_, [u8]> {
    match text.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// `TLSV1.2`, as AWS's own examples have it, is `TLSv1.2`.
fn tls_version(text: &[u8]) -> Cow<'_, [u8]> {
    match text.strip_prefix(b"TLSV") {
        Some(version) => Cow::Owned([b"TLSv", version].concat()),
        None => Cow::Borrowed(text),
    }
}
