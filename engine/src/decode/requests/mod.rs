//! Columns of table `requests`, from S3 records and from CDN records.

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

/// Value of the column `source` in rows from an S3 server access log.
pub const ORIGIN: &str = "origin";
/// Value of the column `source` in rows from a CDN log.
pub const CDN: &str = "cdn";

/// A column of addresses in canonical form.
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

/// Host names are case-insensitive.
fn lower_case(text: &[u8]) -> Cow<'_, [u8]> {
    match text.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// Some of AWS's own examples have `TLSV1.2` for `TLSv1.2`.
fn tls_version(text: &[u8]) -> Cow<'_, [u8]> {
    match text.strip_prefix(b"TLSV") {
        Some(version) => Cow::Owned([b"TLSv", version].concat()),
        None => Cow::Borrowed(text),
    }
}
