//! Lines of the log with 27 fields, as documented by AWS ("Amazon S3 server access log format").

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use s3s::dto::{Timestamp, TimestampFormat};

use super::ask::Ask;
use crate::proxy::answer::Answer;
use crate::proxy::wire::Head;
use crate::request::unescaped;

/// Characters that S3 does not encode in a key.
pub(super) const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'~');
/// Characters that are encoded again in an encoded key.
const AGAIN: &AsciiSet = &CONTROLS.add(b'%');
/// The owner of all buckets.
const OWNER: &str = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
const ACCOUNT: &str = "123456789012";
/// Error codes for signatures that do not identify the requester.
const UNKNOWN: [&str; 4] =
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed"];

/// A request with its time. Its ids are derived from its number.
pub(super) struct Exchange<'a> {
    pub(super) time: SystemTime,
    pub(super) number: u64,
    pub(super) address: IpAddr,
    /// Time taken to receive the request.
    pub(super) received: Duration,
    /// Time from then until the response was ready.
    pub(super) turned: Duration,
    pub(super) ask: &'a Ask<'a>,
    pub(super) request: &'a Head,
}

/// The fields in which the lines of one request differ.
struct Part<'a> {
    bucket: &'a str,
    operation: &'a str,
    /// As logged.
    key: String,
    /// Including quotes, if any.
    uri: String,
    status: u16,
    error_code: &'a str,
    bytes_sent: Option<usize>,
    object_size: Option<&'a str>,
    times: [String; 2],
    referer: String,
    user_agent: String,
}

impl Exchange<'_> {
    /// The line of the request, and those for other objects that it affected.
    pub(super) fn lines(&self, body: &[u8], answer: &Answer) -> Vec<String> {
        let (ask, status) = (self.ask, answer.head.status());
        let error_code = elements(&answer.body, "Code").next().filter(|_| status >= 400).unwrap_or_else(|| "-".into());
        let milliseconds = |time: Duration| time.as_millis().max(1).to_string();
        let size = object_size(ask, self.request, body, answer);
        let mut lines = vec![self.line(&Part {
            bucket: &ask.bucket,
            operation: &ask.operation,
            key: logged(ask.key.as_deref().unwrap_or_default()),
            uri: format!("\"{}\"", self.request.first_line),
            status,
            error_code: &error_code,
            bytes_sent: Some(answer.body.len()),
            object_size: size.as_deref(),
            times: [milliseconds(self.received + self.turned), milliseconds(self.turned)],
            referer: quoted(self.request.get("referer")),
            user_agent: quoted(self.request.get("user-agent")),
        })];
        if status >= 300 {
            return lines;
        }
        // In such lines, quoted fields are empty and unquoted.
        let none = || "-".to_owned();
        let part = |bucket, operation, key, status| Part {
            bucket,
            operation,
            key,
            uri: none(),
            status,
            error_code: "-",
            bytes_sent: None,
            object_size: None,
            times: [none(), none()],
            referer: none(),
            user_agent: none(),
        };
        match &*ask.operation {
            "REST.POST.MULTI_OBJECT_DELETE" => lines.extend(elements(body, "Key").map(|key| {
                let key = unescaped(&key);
                self.line(&part(&ask.bucket, "BATCH.DELETE.OBJECT", utf8_percent_encode(&key, PLAIN).to_string(), 204))
            })),
            "REST.COPY.OBJECT" | "REST.COPY.PART" => {
                let source = self.request.get("x-amz-copy-source").unwrap_or_default();
                let source = percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy();
                let (bucket, key) = source.split_once('/').unwrap_or((&source, ""));
                let operation = format!("{}_GET", ask.operation);
                lines.push(self.line(&part(bucket, &operation, logged(key), status)));
            }
            _ => {}
        }
        lines
    }

    fn line(&self, part: &Part<'_>) -> String {
        let known = self.ask.signature.as_ref().filter(|_| !UNKNOWN.contains(&part.error_code));
        let requester = known.map_or_else(
            || "-".to_owned(),
            |signature| format!("arn:aws:iam::{ACCOUNT}:user/{}", signature.access_key),
        );
        let (version, place) =
            self.ask.signature.as_ref().map_or(("-", "-"), |signature| (signature.version, signature.place));
        let bytes_sent = part.bytes_sent.filter(|bytes| *bytes > 0).map_or_else(|| "-".to_owned(), |n| n.to_string());
        let [total, turned] = &part.times;
        [
            OWNER,
            part.bucket,
            &bracketed(self.time),
            &self.address.to_string(),
            &requester,
            &request_id(self.number),
            part.operation,
            if part.key.is_empty() { "-" } else { &part.key },
            &part.uri,
            &part.status.to_string(),
            part.error_code,
            &bytes_sent,
            part.object_size.unwrap_or("-"),
            total,
            turned,
            &part.referer,
            &part.user_agent,
            "-",
            &host_id(self.number),
            version,
            "-",
            place,
            &self.ask.host,
            "-",
            "-",
            "-",
            "-",
        ]
        .join(" ")
    }
}

/// Size of the whole object, if one was read or written.
fn object_size(ask: &Ask<'_>, request: &Head, body: &[u8], answer: &Answer) -> Option<String> {
    if answer.head.status() >= 300 {
        return None;
    }
    match ask.operation.split_once('.')?.1 {
        "PUT.OBJECT" | "PUT.PART" => {
            let decoded = request.get("x-amz-decoded-content-length").map(str::to_owned);
            Some(decoded.unwrap_or_else(|| body.len().to_string()))
        }
        "GET.OBJECT" | "HEAD.OBJECT" => {
            let range = answer.head.get("content-range").and_then(|range| range.rsplit('/').next());
            range.or_else(|| answer.head.get("content-length")).map(str::to_owned)
        }
        _ => None,
    }
}

/// Encodes a key twice, as S3 does.
fn logged(key: &str) -> String {
    let once = utf8_percent_encode(key, PLAIN).to_string();
    utf8_percent_encode(&once, AGAIN).to_string()
}

/// Quotes a header without escaping, as S3 does; a missing header is a dash.
fn quoted(header: Option<&str>) -> String {
    format!("\"{}\"", header.unwrap_or("-"))
}

/// Formats as `[06/Feb/2019:00:00:38 +0000]`.
fn bracketed(time: SystemTime) -> String {
    let mut text = Vec::new();
    Timestamp::from(time).format(TimestampFormat::HttpDate, &mut text).expect("memory can be written to");
    let text = String::from_utf8_lossy(&text).into_owned();
    // `Wed, 06 Feb 2019 00:00:38 GMT`
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, clock, ..] = words[..] else { panic!("no date of HTTP: {text}") };
    format!("[{day}/{month}/{year}:{clock} +0000]")
}

/// A unique id of sixteen digits and capital letters.
pub(super) fn request_id(number: u64) -> String {
    format!("{:016X}", scattered(number))
}

/// An id as long as those of S3.
pub(super) fn host_id(number: u64) -> String {
    let part = |nth| format!("{:016x}", scattered(number ^ nth));
    format!("{}{}{}{}/s3log/test=", part(1 << 60), part(2 << 60), part(3 << 60), part(4 << 60))
}

/// A bijection that makes consecutive numbers look random.
fn scattered(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^ (number >> 27)
}

/// The contents of all XML elements with a name.
pub(super) fn elements(body: &[u8], name: &str) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let found: Vec<String> =
        text.split(&begin).skip(1).filter_map(|rest| Some(rest.split_once(&end)?.0.to_owned())).collect();
    found.into_iter()
}
