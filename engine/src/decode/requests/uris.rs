//! Request-URIs parsed once for all columns derived from them.

use crate::decode::columns::Build;
use crate::decode::span::{Span, offset_in};
use crate::error::Error;
use crate::schema::RequestsColumn;
use arrow::array::ArrayRef;
use s3log_parser::value::request_uri::RequestUri;

/// Whether a column is part of the request-URI.
pub(in crate::decode) fn is_part_of_uri(column: RequestsColumn) -> bool {
    use RequestsColumn::{HttpVersion, Method, Path, Query};
    matches!(column, Method | Path | Query | HttpVersion)
}

/// The parts of a request-URI.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct Uri {
    pub(super) method: Span,
    pub(super) path: Span,
    pub(super) query: Span,
    pub(super) version: Span,
}

impl Uri {
    const ABSENT: Self = Self { method: Span::ABSENT, path: Span::ABSENT, query: Span::ABSENT, version: Span::ABSENT };

    /// Parses the request-URI at a span of `bytes`.
    pub(in crate::decode) fn of(uri: Span, bytes: &[u8]) -> Self {
        let Some(uri) = uri.text(bytes).map(RequestUri::new) else { return Self::ABSENT };
        let span = |part: &[u8]| {
            let start = offset_in(bytes, part);
            Span { start, end: start + part.len() as u32 }
        };
        Self {
            method: uri.method().map_or(Span::ABSENT, |method| span(method)),
            path: span(uri.path()),
            query: uri.query().map_or(Span::ABSENT, |query| span(query)),
            version: uri.version().map_or(Span::ABSENT, |version| span(version)),
        }
    }

    pub(super) fn has_method(&self) -> bool {
        self.method != Span::ABSENT
    }
}

/// A column with one part of each URI. `None` if any such part is `-`: that is a value here, but means absent in
/// fields.
pub(super) fn parts(build: &Build<'_>, uris: &[Uri], part: fn(&Uri) -> Span) -> Option<Result<ArrayRef, Error>> {
    let is_dash = |span: Span| span.end == span.start.wrapping_add(1) && build.bytes[span.start as usize] == b'-';
    if uris.iter().any(|uri| is_dash(part(uri))) {
        return None;
    }
    Some(build.texts(uris.iter().map(part)))
}

#[cfg(test)]
mod tests {
    use crate::decode::records::Rows;
    use crate::decode::{Block, RecordsDecoder};
    use crate::schema::Table;
    use arrow::array::{Array as _, AsArray as _};
    use proptest::prelude::*;

    const COLUMNS: [&str; 5] = ["method", "path", "query", "http_version", "tls_version"];

    fn line(uri: &str, tls: &str) -> Vec<u8> {
        let (uri, tls) = (uri.replace("\\xff", "\u{1}"), tls);
        let line = format!(
            "a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.HEAD.OBJECT k {uri} 200 - 5 5 3 3 \"-\" \"curl/8.4.0\" - h= SigV4 ECDHE AuthHeader photos.s3.example {tls} - -\n"
        );
        line.into_bytes().into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect()
    }

    proptest! {
        /// All rows of a block take another path than a selection.
        #[test]
        fn all_rows_are_what_each_of_them_is(
            rows in prop::collection::vec(
                (
                    prop::sample::select(vec![
                        "\"GET /photos/a?b=c HTTP/1.1\"", "\"GET /a HTTP/1.1\"", "\"HEAD - HTTP/1.1\"", "\"-\"", "-",
                        "\"GET http://host HTTP/1.1\"", "\"POST /a?\"", "\"?- HTTP/2\"", "\"GET /\\xff?x HTTP/1.1\"",
                    ]),
                    prop::sample::select(vec!["TLSv1.3", "TLSV1.2", "-"]),
                ),
                2..6,
            ),
        ) {
            let log: Vec<u8> = rows.iter().flat_map(|(uri, tls)| line(uri, tls)).collect();
            let block = Block::new("log", bytes::Bytes::from(log));
            let mut decoder = RecordsDecoder::for_columns(Table::Requests, &COLUMNS).unwrap();
            prop_assert_eq!(decoder.locate(&block), rows.len());
            let columns: Vec<usize> = (0..COLUMNS.len()).collect();
            let all = decoder.arrays(&block, &columns, Rows { selected: None, copies_text: false }).unwrap();
            for row in 0..rows.len() {
                let selected = [row as u32];
                let one = Rows { selected: Some(&selected), copies_text: false };
                for (one, all) in decoder.arrays(&block, &columns, one).unwrap().iter().zip(&all) {
                    prop_assert_eq!(one.is_null(0), all.is_null(row));
                    prop_assert_eq!(one.as_string_view().value(0), all.as_string_view().value(row));
                }
            }
        }
    }
}
