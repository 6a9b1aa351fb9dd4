//! Columns of `requests` from CDN records.

use super::rules::RequestRules;
use super::{CDN, addresses, lower_case, tls_version};
use crate::decode::cdn::CdnRows;
use crate::decode::columns::Build;
use crate::decode::text::{Text, TextBuilder};
use crate::error::Error;
use crate::schema::RequestsColumn as Column;
use arrow::array::{ArrayRef, BooleanArray, Int32Array, new_null_array};
use arrow::buffer::BooleanBuffer;
use s3log_parser::cdn::{Field, FieldSet, value};
use s3log_parser::value::number;
use std::borrow::Cow;
use std::sync::Arc;

/// The fields that a column needs.
pub(in crate::decode) fn needs(column: Column) -> FieldSet {
    let fields: &[Field] = match column {
        Column::Time => &[Field::Time],
        Column::StartTime => &[Field::Time, Field::TimeTaken],
        Column::ClientIp => &[Field::CIp],
        Column::Bucket => &[Field::CsHost, Field::XHostHeader],
        Column::Method => &[Field::CsMethod],
        Column::Host => &[Field::XHostHeader, Field::CsHost],
        Column::Path | Column::ObjectKey => &[Field::CsUriStem],
        Column::Query => &[Field::CsUriQuery],
        Column::Status => &[Field::ScStatus],
        Column::ErrorCode => &[Field::XEdgeResultType, Field::XEdgeDetailedResultType],
        Column::BytesSent => &[Field::ScBytes],
        Column::TotalTimeMs => &[Field::TimeTaken],
        Column::Referer => &[Field::CsReferer],
        Column::UserAgent => &[Field::CsUserAgent],
        Column::TlsVersion => &[Field::SslProtocol],
        Column::CipherSuite => &[Field::SslCipher],
        Column::RequestId => &[Field::XEdgeRequestId],
        Column::EdgeLocation => &[Field::XEdgeLocation],
        Column::CacheResult => &[Field::XEdgeResponseResultType, Field::XEdgeResultType],
        Column::Scheme => &[Field::CsProtocol],
        Column::HttpVersion => &[Field::CsProtocolVersion],
        Column::ForwardedFor => &[Field::XForwardedFor],
        Column::ClientPort => &[Field::CPort],
        Column::DistHost => &[Field::CsHost],
        Column::FinalResult => &[Field::XEdgeResultType],
        Column::BodyBytes => &[Field::ScContentLen],
        Column::BytesReceived => &[Field::CsBytes],
        Column::RangeStart => &[Field::ScRangeStart],
        Column::RangeEnd => &[Field::ScRangeEnd],
        Column::FirstByteMs => &[Field::TimeToFirstByte],
        Column::ContentType => &[Field::ScContentType],
        Column::Country => &[Field::CCountry],
        Column::Asn => &[Field::Asn],
        _ => &[],
    };
    fields.iter().copied().collect()
}

/// Builds a column of `requests`.
pub(in crate::decode) fn array(
    build: &Build<'_>,
    located: &CdnRows,
    column: Column,
    rules: &RequestRules,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
) -> Result<ArrayRef, Error> {
    let bytes = build.bytes;
    let text = |field: Field, row: usize| located.spans(field)[row].text(bytes);
    let spans = |field: Field| {
        let spans = located.spans(field);
        rows.clone().map(move |row| spans[row])
    };
    // 32-bit numbers: what does not fit is not a valid status or port.
    let short = |field: Field| -> ArrayRef {
        let values =
            rows.clone().map(|row| text(field, row).and_then(number::parse).and_then(|it| i32::try_from(it).ok()));
        Arc::new(values.collect::<Int32Array>())
    };
    let push = |decoded: Option<Cow<'_, [u8]>>, builder: &mut TextBuilder| match decoded {
        Some(decoded) => build.push(decoded, builder),
        None => builder.push(Text::Null),
    };
    let decoded = |field: Field| {
        build.made_texts(rows.clone(), |row, builder| push(text(field, row).map(value::decode_once), builder))
    };
    match column {
        Column::Time => Ok(build.times(rows.map(|row| located.times[row]))),
        Column::StartTime => Ok(build.times(rows.map(|row| {
            let taken = text(Field::TimeTaken, row).and_then(value::millis).unwrap_or(0);
            located.times[row].saturating_sub(taken.saturating_mul(1_000))
        }))),
        Column::Source => build.made_texts(rows, |_, builder| builder.push(Text::Made(CDN.as_bytes()))),
        Column::ClientIp => addresses(build, spans(Field::CIp)),
        Column::Bucket => build.made_texts(rows, |row, builder| {
            let hosts = [Field::CsHost, Field::XHostHeader].into_iter().filter_map(|field| text(field, row));
            let mut buckets = hosts.filter_map(|host| rules.bucket(host));
            push(buckets.next(), builder);
        }),
        Column::Method => build.texts(spans(Field::CsMethod)),
        Column::Host => build.made_texts(rows.clone(), |row, builder| {
            push(text(Field::XHostHeader, row).or_else(|| text(Field::CsHost, row)).map(lower_case), builder);
        }),
        Column::DistHost => build.made_texts(rows.clone(), |row, builder| {
            push(text(Field::CsHost, row).map(lower_case), builder);
        }),
        Column::Path => decoded(Field::CsUriStem),
        Column::Query => decoded(Field::CsUriQuery),
        Column::ObjectKey => build.made_texts(rows.clone(), |row, builder| {
            push(text(Field::CsUriStem, row).and_then(object_key), builder);
        }),
        Column::Status => Ok(short(Field::ScStatus)),
        Column::ClientPort => Ok(short(Field::CPort)),
        Column::ErrorCode => build.made_texts(rows.clone(), |row, builder| {
            let has_failed = text(Field::XEdgeResultType, row).is_some_and(is_failure);
            let detail = text(Field::XEdgeDetailedResultType, row).or_else(|| text(Field::XEdgeResultType, row));
            builder.push(detail.filter(|_| has_failed).map_or(Text::Null, |detail| build.borrowed(detail)));
        }),
        Column::CacheResult => build.made_texts(rows.clone(), |row, builder| {
            let result = text(Field::XEdgeResponseResultType, row).or_else(|| text(Field::XEdgeResultType, row));
            builder.push(result.map_or(Text::Null, |result| build.borrowed(result)));
        }),
        Column::BytesSent => Ok(build.integers(spans(Field::ScBytes))),
        Column::BodyBytes => Ok(build.integers(spans(Field::ScContentLen))),
        Column::BytesReceived => Ok(build.integers(spans(Field::CsBytes))),
        Column::RangeStart => Ok(build.integers(spans(Field::ScRangeStart))),
        Column::RangeEnd => Ok(build.integers(spans(Field::ScRangeEnd))),
        Column::Asn => Ok(build.integers(spans(Field::Asn))),
        Column::TotalTimeMs => Ok(build.numbers(spans(Field::TimeTaken), value::millis)),
        Column::FirstByteMs => Ok(build.numbers(spans(Field::TimeToFirstByte), value::millis)),
        Column::Referer => decoded(Field::CsReferer),
        Column::ContentType => decoded(Field::ScContentType),
        Column::UserAgent => build.made_texts(rows.clone(), |row, builder| {
            push(text(Field::CsUserAgent, row).map(value::user_agent), builder);
        }),
        Column::TlsVersion => build.made_texts(rows.clone(), |row, builder| {
            push(text(Field::SslProtocol, row).map(tls_version), builder);
        }),
        Column::CipherSuite => build.texts(spans(Field::SslCipher)),
        Column::RequestId => build.texts(spans(Field::XEdgeRequestId)),
        Column::EdgeLocation => build.texts(spans(Field::XEdgeLocation)),
        Column::FinalResult => build.texts(spans(Field::XEdgeResultType)),
        Column::Scheme => build.texts(spans(Field::CsProtocol)),
        Column::HttpVersion => build.texts(spans(Field::CsProtocolVersion)),
        Column::Country => build.texts(spans(Field::CCountry)),
        Column::ForwardedFor => forwarded_for(build, located, rows),
        Column::IsCdnFetch | Column::Ambiguous => {
            Ok(Arc::new(BooleanArray::new(BooleanBuffer::new_unset(rows.len()), None)))
        }
        Column::LogObject => Ok(build.names(&located.part_ends, rows)),
        // Columns that only S3 logs have.
        _ => Ok(new_null_array(&column.data_type(build.layout), rows.len())),
    }
}

/// The key that a path asks for: without the leading slash, and with the client's own encoding removed.
fn object_key(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    let key = path.strip_prefix(b"/").unwrap_or(path);
    if key.is_empty() {
        return None;
    }
    Some(match value::decode_once(key) {
        Cow::Borrowed(key) => value::decode_once(key),
        Cow::Owned(key) => Cow::Owned(value::decode_once(&key).into_owned()),
    })
}

/// The results for which the detailed result is an error code (AWS, "Standard log file fields").
fn is_failure(result: &[u8]) -> bool {
    matches!(result, b"Error" | b"LimitExceeded" | b"CapacityExceeded")
}

/// Addresses are separated by commas, surrounded by spaces that may be literal or encoded in two ways.
fn forwarded_for(
    build: &Build<'_>,
    located: &CdnRows,
    rows: impl ExactSizeIterator<Item = usize>,
) -> Result<ArrayRef, Error> {
    let spans = located.spans(Field::XForwardedFor);
    build.lists(rows, |row, builder| {
        let addresses = spans[row].text(build.bytes)?.split(|byte| *byte == b',').map(without_spaces);
        let addresses = addresses.filter(|address| !address.is_empty());
        Some(addresses.map(|address| builder.push(build.borrowed(address))).count() as i32)
    })
}

fn without_spaces(mut text: &[u8]) -> &[u8] {
    const SPACES: [&[u8]; 3] = [b" ", b"%20", b"\\x20"];
    while let Some(rest) = SPACES.into_iter().find_map(|space| text.strip_prefix(space)) {
        text = rest;
    }
    while let Some(rest) = SPACES.into_iter().find_map(|space| text.strip_suffix(space)) {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_paths() {
        for (path, key) in [
            ("/photos/cat.jpg", Some("photos/cat.jpg")),
            ("/a%20b", Some("a b")),
            // The client's `%2F`, encoded once more.
            ("/a%252Fb", Some("a/b")),
            ("page.html", Some("page.html")),
            ("/", None),
            ("//a", Some("/a")),
            ("/100%25", Some("100%")),
        ] {
            assert_eq!(object_key(path.as_bytes()).as_deref(), key.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn spaces_go_however_they_are_written() {
        for text in [" 192.0.2.3", "%20192.0.2.3 ", "\\x20192.0.2.3%20"] {
            assert_eq!(without_spaces(text.as_bytes()), b"192.0.2.3");
        }
    }
}
