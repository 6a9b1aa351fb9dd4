//! A row of a test: the columns given by its author, and those derived from them.

use super::line::{self, Line};
use crate::detect::rules::problem::Problem;
use crate::time_units::SECONDS_PER_DAY;
use serde::Deserialize;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// 2026-03-02T10:00:00Z, a Monday.
const ROWS_BEGIN: u64 = 1_772_445_600;
/// Two weeks before.
const HISTORY_BEGINS: u64 = ROWS_BEGIN - 14 * SECONDS_PER_DAY.cast_unsigned();
/// Maximum repetitions of a row: enough for any threshold, and still fast.
const MOST_REPETITIONS: u64 = 20_000;

const BROWSER: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const COMMAND_LINE: &str = "aws-cli/2.17.11 md/awscrt#0.20.11 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.9";
const SIGNED_URL: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260302%2Fus-east-1%2Fs3%2Faws4_request\
                          &X-Amz-Date=20260302T090000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=0123456789abcdef";

/// A row, with fields named like its columns in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Row {
    src: Option<String>,
    ts: Option<String>,
    repeat: Option<u64>,
    every: Option<String>,
    requester: Option<String>,
    bucket: Option<String>,
    operation: Option<String>,
    method: Option<String>,
    key: Option<String>,
    uri: Option<String>,
    query: Option<String>,
    status: Option<u16>,
    error_code: Option<String>,
    bytes_sent: Option<u64>,
    object_size: Option<u64>,
    referer: Option<String>,
    user_agent: Option<String>,
    version_id: Option<String>,
    authentication_type: Option<String>,
    host: Option<String>,
}

/// The time of the next row in Unix seconds, and the base of offsets.
pub(super) struct Clock {
    begin: u64,
    next: u64,
    /// Number of lines written.
    lines: u64,
}

impl Clock {
    /// For the rows examined by the rule.
    pub(super) fn of_rows() -> Self {
        Self { begin: ROWS_BEGIN, next: ROWS_BEGIN, lines: 0 }
    }

    /// For the rows from which the baseline is learned.
    pub(super) fn of_history() -> Self {
        Self { begin: HISTORY_BEGINS, next: HISTORY_BEGINS, lines: 0 }
    }
}

/// The time of a row.
enum When {
    At(u64),
    /// Seconds after the first row.
    After(i64),
}

impl When {
    fn parse(text: &str) -> Option<Self> {
        let offset =
            |text: &str| humantime::parse_duration(text).ok().and_then(|time| i64::try_from(time.as_secs()).ok());
        if let Some(text) = text.strip_prefix('+') {
            return offset(text).map(Self::After);
        }
        if let Some(text) = text.strip_prefix('-') {
            return offset(text).map(|seconds| Self::After(-seconds));
        }
        let time = humantime::parse_rfc3339_weak(text).ok()?;
        time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|time| Self::At(time.as_secs()))
    }
}

impl Row {
    /// Checks that the row can be rendered as intended.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let repeat = self.repeat.unwrap_or(1);
        if repeat == 0 || repeat > MOST_REPETITIONS {
            let problem = Problem::new(format!("`repeat = {repeat}` is not a number of requests"));
            return Err(problem.with_hint(format!("from 1 to {MOST_REPETITIONS}")));
        }
        if let Some(ts) = &self.ts
            && When::parse(ts).is_none()
        {
            let problem = Problem::new(format!("`ts = \"{}\"` is not a time", ts.escape_debug()));
            return Err(problem.with_hint("such as \"2026-03-02T11:30:00Z\", or \"+5m\" after the first row"));
        }
        if let Some(every) = &self.every
            && humantime::parse_duration(every).is_err()
        {
            let problem = Problem::new(format!("`every = \"{}\"` is not a duration", every.escape_debug()));
            return Err(problem.with_hint("such as \"10s\" or \"1h\""));
        }
        if let Some(src) = &self.src {
            let wrong = [0, repeat - 1].map(|i| line::numbered(src, i)).into_iter();
            if let Some(wrong) = wrong.into_iter().find(|src| src != "-" && src.parse::<IpAddr>().is_err()) {
                let problem = Problem::new(format!("`{}` is not an address", wrong.escape_debug()));
                return Err(problem
                    .with_hint("such as \"203.0.113.9\", \"203.0.113.{i%250}\", or \"-\" for the service itself"));
            }
        }
        if self.uri.is_some() && self.query.is_some() {
            let problem = Problem::new("a row has `uri` and `query`");
            return Err(problem.with_hint("`uri` is path and query; leave `query` out"));
        }
        match self.status {
            Some(status) if !(100..=599).contains(&status) => {
                Err(Problem::new(format!("`status = {status}` is not an HTTP status")).with_hint("such as 200 or 403"))
            }
            _ => Ok(()),
        }
    }

    /// Appends the lines of the row.
    pub(super) fn render(&self, clock: &mut Clock, log: &mut String) {
        let mut time = match self.ts.as_deref().and_then(When::parse) {
            Some(When::At(time)) => time,
            Some(When::After(seconds)) => clock.begin.saturating_add_signed(seconds),
            None => clock.next,
        };
        if clock.lines == 0 {
            clock.begin = time;
        }
        let every = self.every.as_deref().and_then(|every| humantime::parse_duration(every).ok());
        let every = every.unwrap_or(Duration::from_secs(1));
        let start = time;
        for i in 0..self.repeat.unwrap_or(1) {
            // Logs have a resolution of one second; shorter steps accumulate.
            let millis = every.as_millis().saturating_mul(u128::from(i));
            time = start.saturating_add(u64::try_from(millis / 1000).unwrap_or(u64::MAX));
            clock.lines += 1;
            self.line(i, time, clock.lines).append(log);
        }
        clock.next = time.saturating_add(1);
    }

    /// The line of one repetition.
    fn line(&self, i: u64, time: u64, number: u64) -> Line {
        let asked = self.asked(i);
        let signed = self.signed(i, &asked);
        let version_id = given(&self.version_id, i).and_then(written);
        let outcome = self.outcome(i, &asked);
        let request_uri = asked.request_uri(version_id.as_deref(), &signed);

        let bucket = given(&self.bucket, i).unwrap_or_else(|| "b".to_owned());
        let host = given(&self.host, i).unwrap_or_else(|| {
            let host = format!("{bucket}.s3.us-east-1.amazonaws.com");
            if asked.by_service { "-".to_owned() } else { host }
        });
        let with_keys = signed.authentication_type.as_deref() == Some("AuthHeader");
        let agent = given(&self.user_agent, i);
        let agent = agent.unwrap_or_else(|| if with_keys { COMMAND_LINE } else { BROWSER }.to_owned());
        let remote_ip = given(&self.src, i);
        let remote_ip = remote_ip.unwrap_or_else(|| if asked.by_service { "-" } else { "203.0.113.1" }.to_owned());
        Line {
            bucket,
            time,
            remote_ip: written(remote_ip),
            requester: signed.requester,
            number,
            key: asked.logged_key(),
            operation: asked.operation,
            request_uri,
            status: outcome.status,
            error_code: outcome.error_code,
            bytes_sent: outcome.bytes_sent,
            object_size: outcome.object_size,
            referer: given(&self.referer, i).and_then(written),
            user_agent: if asked.by_service { None } else { written(agent) },
            version_id,
            authentication_type: signed.authentication_type,
            host: written(host),
        }
    }

    /// What is requested; columns that are not given are derived from the others.
    fn asked(&self, i: u64) -> Asked {
        let by_service = self.operation.as_deref().is_some_and(|operation| operation.starts_with("S3."));
        let uri = given(&self.uri, i);
        let path = uri.as_deref().map(|uri| uri.split('?').next().unwrap_or(uri));
        let key = match (given(&self.key, i).and_then(written), path) {
            (Some(key), _) => Some(key.into_bytes()),
            (None, Some(path)) => line::key_of_path(path),
            (None, None) => None,
        };
        let of_uri = uri.as_deref().and_then(|uri| uri.split_once('?')).map(|(_, query)| query.to_owned());
        let query = of_uri.or_else(|| given(&self.query, i).and_then(written));
        let operation = given(&self.operation, i);
        let method = given(&self.method, i);
        let method = method.or_else(|| operation.as_deref().and_then(line::method_of).map(str::to_owned));
        let method = method.unwrap_or_else(|| "GET".to_owned());
        let operation = operation.unwrap_or_else(|| line::operation_of(&method, key.is_some(), query.as_deref()));
        let in_batch = operation.starts_with("BATCH.");
        Asked { uri, key, query, method, operation, by_service, in_batch }
    }

    /// The requester and the kind of authentication.
    fn signed(&self, i: u64, asked: &Asked) -> Signed {
        let requester = given(&self.requester, i);
        let requester = requester.unwrap_or_else(|| if asked.by_service { "AmazonS3" } else { "-" }.to_owned());
        let requester = written(requester);
        let authentication_type = given(&self.authentication_type, i).unwrap_or_else(|| {
            let signed_url = asked.query.as_deref().is_some_and(|query| query.contains("X-Amz-Signature="));
            let default = if requester.is_some() && !asked.by_service { "AuthHeader" } else { "-" };
            if signed_url { "QueryString" } else { default }.to_owned()
        });
        Signed { requester, authentication_type: written(authentication_type) }
    }

    /// The outcome.
    fn outcome(&self, i: u64, asked: &Asked) -> Outcome {
        let Asked { operation, by_service, .. } = asked;
        let deletes = operation.ends_with("DELETE.OBJECT");
        let status =
            if *by_service { self.status } else { Some(self.status.unwrap_or(if deletes { 204 } else { 200 })) };
        let code = status.and_then(|status| line::error_code_of(status, operation, asked.key.is_some()));
        let error_code = given(&self.error_code, i).map_or_else(|| code.map(str::to_owned), written);
        let failed = status.is_some_and(|status| status >= 300);
        let of_object = asked.key.is_some() && operation.ends_with("OBJECT");
        let object_size = self.object_size.or((of_object && !failed).then_some(self.bytes_sent.unwrap_or(2048)));
        let bytes_sent = self.bytes_sent.or_else(|| {
            let answers = matches!(asked.method.as_str(), "GET" | "POST") && !asked.in_batch && !by_service;
            match status? {
                _ if asked.method == "HEAD" => None,
                304 => None,
                403 => Some(243),
                404 => Some(281),
                400.. => Some(300),
                _ if !answers => None,
                _ if of_object => object_size,
                _ => Some(1500),
            }
        });
        Outcome { status, error_code, object_size, bytes_sent }
    }
}

/// What a row requests.
struct Asked {
    /// As given.
    uri: Option<String>,
    key: Option<Vec<u8>>,
    query: Option<String>,
    method: String,
    operation: String,
    /// Whether it is an action of the service itself.
    by_service: bool,
    /// Whether it is part of a batch: its line lacks the fields of the request.
    in_batch: bool,
}

/// The identity of the requester.
struct Signed {
    requester: Option<String>,
    authentication_type: Option<String>,
}

/// The outcome of a request.
struct Outcome {
    status: Option<u16>,
    error_code: Option<String>,
    object_size: Option<u64>,
    bytes_sent: Option<u64>,
}

impl Asked {
    fn request_uri(&self, version_id: Option<&str>, signed: &Signed) -> Option<String> {
        let method = &self.method;
        if let Some(uri) = &self.uri {
            return Some(format!("{method} {uri} HTTP/1.1"));
        }
        if self.by_service || self.in_batch {
            return None;
        }
        let query = self.query.clone().or_else(|| {
            let mut parts: Vec<String> = line::query_of(&self.operation).map(str::to_owned).into_iter().collect();
            parts.extend(version_id.map(|version| format!("versionId={version}")));
            let has_signed_url = signed.authentication_type.as_deref() == Some("QueryString");
            parts.extend(has_signed_url.then(|| SIGNED_URL.to_owned()));
            (!parts.is_empty()).then(|| parts.join("&"))
        });
        let path = self.key.as_deref().map(line::encoded).unwrap_or_default();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Some(format!("{method} /{path}{query} HTTP/1.1"))
    }

    /// Keys are encoded once by the client and once by the log; in lines without a request, only by the log.
    fn logged_key(&self) -> Option<String> {
        self.key.as_deref().map(|key| {
            let once = line::encoded(key);
            if self.by_service || self.in_batch { once } else { line::encoded(once.as_bytes()) }
        })
    }
}

/// A given text for one repetition.
fn given(text: &Option<String>, i: u64) -> Option<String> {
    text.as_deref().map(|text| line::numbered(text, i))
}

/// A `-` means no value, as in a log.
fn written(text: String) -> Option<String> {
    if text == "-" || text.is_empty() { None } else { Some(text) }
}
