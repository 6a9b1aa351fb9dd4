//! Columns of `requests` from S3 records.

use super::rules::{CDN_USER_AGENT, RequestRules};
use super::uris::{Uri, parts};
use super::{ORIGIN, addresses, lower_case, tls_version};
use crate::decode::columns::Build;
use crate::decode::located::OriginRows;
use crate::decode::origin;
use crate::decode::span::Span;
use crate::decode::text::Text;
use crate::error::Error;
use crate::schema::{LogsColumn, RequestsColumn as Column};
use arrow::array::{ArrayRef, BooleanArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use s3log_parser::value::operation::{Api, Operation};
use s3log_parser::value::request_uri::RequestUri;
use s3log_parser::value::requester::is_nobody;
use s3log_parser::{Field, FieldSet};
use std::sync::Arc;

/// The column of `logs` with the same values, if there is one.
fn same(column: Column) -> Option<LogsColumn> {
    Some(match column {
        Column::Time | Column::StartTime => LogsColumn::Field(Field::Time),
        Column::Bucket => LogsColumn::Field(Field::Bucket),
        Column::Operation => LogsColumn::Field(Field::Operation),
        Column::ObjectKey => LogsColumn::ObjectKey,
        Column::Status => LogsColumn::Field(Field::HttpStatus),
        Column::ErrorCode => LogsColumn::Field(Field::ErrorCode),
        Column::BytesSent | Column::BodyBytes => LogsColumn::Field(Field::BytesSent),
        Column::ObjectSize => LogsColumn::Field(Field::ObjectSize),
        Column::TotalTimeMs => LogsColumn::Field(Field::TotalTime),
        Column::FirstByteMs => LogsColumn::Field(Field::TurnAroundTime),
        Column::Referer => LogsColumn::Field(Field::Referer),
        Column::UserAgent => LogsColumn::Field(Field::UserAgent),
        Column::CipherSuite => LogsColumn::Field(Field::CipherSuite),
        Column::RequestId => LogsColumn::Field(Field::RequestId),
        Column::VersionId => LogsColumn::Field(Field::VersionId),
        Column::HostId => LogsColumn::Field(Field::HostId),
        Column::AclRequired => LogsColumn::Field(Field::AclRequired),
        Column::SourceRegion => LogsColumn::Field(Field::SourceRegion),
        Column::Ambiguous => LogsColumn::Ambiguous,
        Column::LogObject => LogsColumn::LogObject,
        _ => return None,
    })
}

/// The fields that a column needs.
pub(in crate::decode) fn needs(column: Column, rules: &RequestRules) -> FieldSet {
    if let Some(same) = same(column) {
        return same.needs();
    }
    let fields: &[Field] = match column {
        Column::ClientIp => &[Field::RemoteIp],
        Column::Requester => &[Field::Requester],
        Column::SignatureVersion => &[Field::SignatureVersion, Field::Requester],
        Column::AuthenticationType => &[Field::AuthenticationType, Field::Requester],
        Column::Method => &[Field::RequestUri, Field::Operation],
        Column::Host => &[Field::HostHeader],
        Column::Path | Column::Query | Column::HttpVersion => &[Field::RequestUri],
        Column::TlsVersion => &[Field::TlsVersion],
        Column::Scheme => &[Field::RequestUri, Field::HostId, Field::CipherSuite, Field::TlsVersion],
        Column::IsCdnFetch if rules.knows_addresses() => &[Field::UserAgent, Field::RemoteIp],
        Column::IsCdnFetch => &[Field::UserAgent],
        _ => &[],
    };
    fields.iter().copied().collect()
}

/// Builds a column of `requests`.
pub(in crate::decode) fn array(
    build: &Build<'_>,
    located: &OriginRows,
    column: Column,
    rules: &RequestRules,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
) -> Result<ArrayRef, Error> {
    if let Some(same) = same(column) {
        return origin::array(build, located, same, rows);
    }
    // The common case: all rows are wanted, and the column's values appear verbatim in the log.
    if rows.len() == located.fields.rows
        && let Some(array) = as_it_stands(build, located, column)
    {
        return array;
    }
    by_row(build, located, column, rules, rows)
}

/// A column of all rows, if each value is one contiguous piece of the log.
fn as_it_stands(build: &Build<'_>, located: &OriginRows, column: Column) -> Option<Result<ArrayRef, Error>> {
    let bytes = build.bytes;
    let uris = || located.uris(bytes);
    match column {
        Column::Method => {
            uris().filter(|uris| uris.iter().all(Uri::has_method)).and_then(|uris| parts(build, uris, |uri| uri.method))
        }
        Column::Path => uris().and_then(|uris| parts(build, uris, |uri| uri.path)),
        Column::Query => uris().and_then(|uris| parts(build, uris, |uri| uri.query)),
        Column::HttpVersion => uris().and_then(|uris| parts(build, uris, |uri| uri.version)),
        Column::TlsVersion => {
            let spans = located.spans(Field::TlsVersion);
            let is_as_it_is = |span: &Span| span.text(bytes).is_none_or(|text| tls_version(text) == text);
            spans.iter().all(is_as_it_is).then(|| build.texts(spans.iter().copied()))
        }
        _ => None,
    }
}

/// Builds a column row by row.
fn by_row(
    build: &Build<'_>,
    located: &OriginRows,
    column: Column,
    rules: &RequestRules,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
) -> Result<ArrayRef, Error> {
    let text = |field: Field, row: usize| located.spans(field)[row].text(build.bytes);
    let uri = |row: usize| text(Field::RequestUri, row).map(RequestUri::new);
    match column {
        Column::Source => build.made_texts(rows, |_, builder| builder.push(Text::Made(ORIGIN.as_bytes()))),
        Column::ClientIp => {
            let spans = located.spans(Field::RemoteIp);
            addresses(build, rows.map(|row| spans[row]))
        }
        Column::Requester => signed(build, located, Field::Requester, rows),
        Column::SignatureVersion => signed(build, located, Field::SignatureVersion, rows),
        Column::AuthenticationType => signed(build, located, Field::AuthenticationType, rows),
        Column::Method => build.made_texts(rows, |row, builder| {
            if let Some(method) = uri(row).and_then(|uri| uri.method()) {
                return builder.push(build.borrowed(method));
            }
            let method = text(Field::Operation, row).and_then(method_of);
            builder.push(method.map_or(Text::Null, Text::Made));
        }),
        Column::Host => build.made_texts(rows, |row, builder| match text(Field::HostHeader, row) {
            Some(host) => build.push(lower_case(host), builder),
            None => builder.push(Text::Null),
        }),
        Column::TlsVersion => build.made_texts(rows, |row, builder| match text(Field::TlsVersion, row) {
            Some(version) => build.push(tls_version(version), builder),
            None => builder.push(Text::Null),
        }),
        Column::Path => build.made_texts(rows, |row, builder| {
            builder.push(uri(row).map_or(Text::Null, |uri| build.borrowed(uri.path())));
        }),
        Column::Query => build.made_texts(rows, |row, builder| {
            let query = uri(row).and_then(|uri| uri.query());
            builder.push(query.map_or(Text::Null, |query| build.borrowed(query)));
        }),
        Column::HttpVersion => build.made_texts(rows, |row, builder| {
            let version = uri(row).and_then(|uri| uri.version());
            builder.push(version.map_or(Text::Null, |version| build.borrowed(version)));
        }),
        Column::Scheme => build.made_texts(rows, |row, builder| builder.push(scheme(|field| text(field, row)))),
        Column::IsCdnFetch => {
            let values: BooleanBuffer = rows.map(|row| is_cdn_fetch(|field| text(field, row), rules)).collect();
            Ok(Arc::new(BooleanArray::new(values, None)))
        }
        // Columns that only CDN logs have.
        _ => Ok(new_null_array(&column.data_type(build.layout), rows.len())),
    }
}

/// A column about a signature: NULL where the requester is nobody. Ceph logs a header of the client in front of these
/// fields, and a header with spaces would move words of it into them.
fn signed(
    build: &Build<'_>,
    located: &OriginRows,
    field: Field,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
) -> Result<ArrayRef, Error> {
    let (spans, requesters) = (located.spans(field), located.spans(Field::Requester));
    let by_nobody = |row: usize| requesters[row].text(build.bytes).is_some_and(is_nobody);
    build.texts(rows.map(|row| if by_nobody(row) { Span::ABSENT } else { spans[row] }))
}

/// The scheme of a request, derived from the fields of its record.
fn scheme<'a>(text: impl Fn(Field) -> Option<&'a [u8]>) -> Text<'static> {
    let cipher = text(Field::CipherSuite);
    // Huawei OBS has the target's storage class in the place of the cipher suite, and says nothing about TLS.
    if text(Field::TlsVersion).is_none() && cipher.is_some_and(|cipher| !is_cipher_suite(cipher)) {
        return Text::Null;
    }
    let is_encrypted = text(Field::TlsVersion).or(cipher).is_some();
    // Systems that write no host id do not write TLS fields either. A record without a request line does not belong to
    // a request with its own connection: the source of a copy, a key of a batch request, an action of S3 itself.
    let tells = text(Field::HostId).is_some() && text(Field::RequestUri).is_some();
    match (is_encrypted, tells) {
        (true, _) => Text::Made(b"https"),
        (false, true) => Text::Made(b"http"),
        (false, false) => Text::Null,
    }
}

/// Whether this is a name of IANA's (`TLS_AES_128_GCM_SHA256`) or of OpenSSL's (`ECDHE-RSA-AES128-GCM-SHA256`).
fn is_cipher_suite(text: &[u8]) -> bool {
    text.starts_with(b"TLS_") || text.starts_with(b"SSL_") || text.contains(&b'-')
}

/// Whether a CDN made the request, judging by its user agent or its address.
fn is_cdn_fetch<'a>(text: impl Fn(Field) -> Option<&'a [u8]>, rules: &RequestRules) -> bool {
    text(Field::UserAgent) == Some(CDN_USER_AGENT)
        || rules.knows_addresses() && text(Field::RemoteIp).is_some_and(|address| rules.is_cdn_address(address))
}

/// `GET` for `REST.GET.OBJECT`: used if the URI is missing or has no method.
fn method_of(operation: &[u8]) -> Option<&'static [u8]> {
    const METHODS: [&[u8]; 6] = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS"];
    let operation = Operation::new(operation);
    if !matches!(operation.api(), Some(Api::Rest | Api::Website)) {
        return None;
    }
    let method: &[u8] = operation.part(1)?;
    // A copy is a PUT request.
    let method = if method == b"COPY" { b"PUT" } else { method };
    METHODS.into_iter().find(|known| *known == method)
}

#[cfg(test)]
mod tests {
    use crate::decode::{Block, RecordsDecoder};
    use crate::schema::Table;
    use arrow::array::AsArray as _;

    /// The text of a column in the row of a line.
    fn text(column: &str, line: &str) -> Option<String> {
        let block = Block::new("log", line.as_bytes().to_vec());
        let batch = RecordsDecoder::for_columns(Table::Requests, &[column]).unwrap().decode(&block).unwrap();
        assert_eq!(batch.num_rows(), 1, "{line}");
        batch.column(0).as_string_view().iter().next().flatten().map(str::to_owned)
    }

    #[test]
    fn only_requests_of_their_own_have_a_scheme() {
        const CIPHER: &str = "TLS_AES_128_GCM_SHA256";
        for (operation, uri, host_id, cipher, tls, expected) in [
            ("REST.GET.OBJECT", "\"GET /k HTTP/1.1\"", "aG9zdA==", CIPHER, "TLSv1.3", Some("https")),
            ("REST.GET.OBJECT", "\"GET /k HTTP/1.1\"", "aG9zdA==", "-", "-", Some("http")),
            ("WEBSITE.GET.OBJECT", "\"GET /k HTTP/1.1\"", "aG9zdA==", "-", "-", Some("http")),
            ("REST.COPY.OBJECT", "\"PUT /k HTTP/1.1\"", "aG9zdA==", "-", "-", Some("http")),
            ("REST.GET.OBJECT", "\"GET /k HTTP/1.1\"", "-", "-", "-", None),
            ("REST.COPY.OBJECT_GET", "-", "aG9zdA==", "-", "-", None),
            ("REST.COPY.PART_GET", "-", "aG9zdA==", "-", "-", None),
            ("REST.COPY.OBJECT_GET", "-", "aG9zdA==", CIPHER, "TLSv1.2", Some("https")),
            ("BATCH.DELETE.OBJECT", "-", "aG9zdA==", "-", "-", None),
            ("BATCH.DELETE.OBJECT", "-", "aG9zdA==", CIPHER, "TLSv1.2", Some("https")),
            ("S3.EXPIRE.OBJECT", "\"-\"", "aG9zdA==", "-", "-", None),
            ("REST.COPY.OBJECT", "\"PUT /k HTTP/1.1\"", "urn", "STANDARD_IA", "-", None),
            ("REST.GET.OBJECT", "\"GET /k HTTP/1.1\"", "aG9zdA==", "DHE-RSA-AES256-SHA", "-", Some("https")),
        ] {
            let line = format!(
                "a1b2 photos [15/Jan/2026:10:22:40 +0000] 192.0.2.3 - 3E56 {operation} k {uri} 200 - 7 7 1 1 \"-\" \"-\" - {host_id} - {cipher} - photos.s3.example.com {tls} - -"
            );
            assert_eq!(text("scheme", &line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn nobody_is_no_requester() {
        for (requester, expected) in [
            ("-", None),
            ("anonymous", None),
            ("Anonymous", None),
            ("media$anonymous", None),
            ("media$story", Some("media$story")),
        ] {
            let line = format!(
                "story media [15/Jan/2026:11:22:44 +0100] 192.0.2.41 {requester} 6f1c REST.PUT.OBJECT k \"PUT /k HTTP/1.1\" 200 - - 7 - 6 - \"-\" - 4179 - - - media.example.com - - -"
            );
            assert_eq!(text("requester", &line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn nobody_has_no_signature() {
        for (requester, expected) in [("anonymous", [None; 2]), ("story", [Some("SigV4"), Some("AuthHeader")])] {
            let line = format!(
                "story media [15/Jan/2026:11:22:44 +0100] 192.0.2.41 {requester} 6f1c REST.PUT.OBJECT k \"PUT /k HTTP/1.1\" 200 - - 7 - 6 - \"-\" - a SigV4 c AuthHeader - - - media.example.com - - -"
            );
            let found = ["signature_version", "authentication_type"].map(|column| text(column, &line));
            assert_eq!(found.each_ref().map(Option::as_deref), expected, "{line}");
        }
    }
}
