//! The log that a CDN in front of a bucket would have written: the same requests in CloudFront's 33 columns.

use std::io::Write as _;

use s3log_parser::{Field, Lines, Parser, Record};

use crate::calendar::{DAY, date};

/// The header lines of such a log.
pub const HEADER: &str = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status \
    cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes \
    time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status \
    fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start \
    sc-range-end\n";

/// Converts the requests of an S3 log to a CDN log with header.
pub fn log(of: &[u8]) -> Vec<u8> {
    let mut out = HEADER.as_bytes().to_vec();
    out.reserve(of.len());
    let mut parser = Parser::new();
    for (number, line) in Lines::new(of).enumerate() {
        if let Ok(record) = parser.parse(line.bytes) {
            row(&record, number, &mut out);
        }
    }
    out
}

fn row(record: &Record<'_>, number: usize, out: &mut Vec<u8>) {
    let text = |field| record.text(field).map(|text| <[u8]>::to_vec(text)).unwrap_or_else(|| b"-".to_vec());
    let uri = record.request_uri();
    let part = |part: Option<&[u8]>| part.filter(|part| !part.is_empty()).map_or_else(|| b"-".to_vec(), encoded);
    let result = ["Hit", "Hit", "Miss", "RefreshHit", "Error"][number % 5];
    let seconds = record.time_seconds().unwrap_or_default();
    let of_day = seconds.rem_euclid(DAY);
    let (year, month, day) = date(seconds);
    let taken = record.integer(Field::TotalTime).unwrap_or_default();
    let first = record.integer(Field::TurnAroundTime).unwrap_or_default();
    let bytes = record.integer(Field::BytesSent).unwrap_or_default();
    let status = record.http_status().unwrap_or_default();
    let cells: [&[u8]; 11] = [
        &text(Field::RemoteIp),
        &part(uri.and_then(|uri| uri.method()).map(AsRef::as_ref)),
        &part(uri.map(|uri| uri.path()).map(AsRef::as_ref)),
        &part(record.text(Field::Referer).map(AsRef::as_ref)),
        &part(record.text(Field::UserAgent).map(AsRef::as_ref)),
        &part(uri.and_then(|uri| uri.query()).map(AsRef::as_ref)),
        &text(Field::RequestId),
        &text(Field::HostHeader),
        &text(Field::TlsVersion),
        &text(Field::CipherSuite),
        &part(uri.and_then(|uri| uri.version()).map(AsRef::as_ref)),
    ];
    let [ip, method, stem, referer, agent, query, id, host, tls, cipher, version] = cells.map(String::from_utf8_lossy);
    let edge = ["AMS1-C1", "FRA56-P4", "SEA19", "LAX3-C2"][number % 4];
    // Writing to a vector cannot fail.
    let _ = writeln!(
        out,
        "{year:04}-{month:02}-{day:02}\t{:02}:{:02}:{:02}\t{edge}\t{}\t{ip}\t{method}\td111111abcdef8.cloudfront.net\t{stem}\t{status:03}\t{referer}\t{agent}\t{query}\t-\t{result}\t{id}==\t{host}\thttps\t{}\t{}.{:03}\t-\t{tls}\t{cipher}\t{result}\t{version}\t-\t-\t{}\t{}.{:03}\t{result}\tapplication/octet-stream\t{bytes}\t-\t-",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60,
        bytes + 400,
        200 + number % 900,
        taken / 1_000,
        taken % 1_000,
        1_024 + number % 60_000,
        first / 1_000,
        first % 1_000,
    );
}

/// Percent-encodes as CloudFront does: control characters, non-ASCII bytes, spaces and some others.
fn encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    for byte in text {
        match byte {
            0..=b' '
            | 127..
            | b'<'
            | b'>'
            | b'"'
            | b'#'
            | b'%'
            | b'{'
            | b'}'
            | b'|'
            | b'\\'
            | b'^'
            | b'~'
            | b'['
            | b']'
            | b'`' => {
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(*byte),
        }
    }
    out
}
