//! Rendering of requests as AWS logs them: operations, error codes, encodings, and the line.

use s3log_parser::value::key::percent_decode;
use std::fmt::Write as _;

/// Subresources of operations: name in the log, query parameter, and the error code if it does not exist.
const SUBRESOURCES: [(&str, &str, &str); 26] = [
    ("ACL", "acl", "NoSuchKey"),
    ("BUCKETVERSIONS", "versions", "NoSuchBucket"),
    ("BUCKETPOLICY", "policy", "NoSuchBucketPolicy"),
    ("BUCKETPOLICYSTATUS", "policyStatus", "NoSuchBucketPolicy"),
    ("VERSIONING", "versioning", "NoSuchBucket"),
    ("LOGGING_STATUS", "logging", "NoSuchBucket"),
    ("LIFECYCLE", "lifecycle", "NoSuchLifecycleConfiguration"),
    ("CORS", "cors", "NoSuchCORSConfiguration"),
    ("WEBSITE", "website", "NoSuchWebsiteConfiguration"),
    ("ENCRYPTION", "encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("REPLICATION", "replication", "ReplicationConfigurationNotFoundError"),
    ("TAGGING", "tagging", "NoSuchTagSet"),
    ("OBJECT_TAGGING", "tagging", "NoSuchKey"),
    ("LOCATION", "location", "NoSuchBucket"),
    ("NOTIFICATION", "notification", "NoSuchBucket"),
    ("PUBLIC_ACCESS_BLOCK", "publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("OWNERSHIP_CONTROLS", "ownershipControls", "OwnershipControlsNotFoundError"),
    ("ACCELERATE", "accelerate", "NoSuchBucket"),
    ("REQUEST_PAYMENT", "requestPayment", "NoSuchBucket"),
    ("OBJECT_LOCK_CONFIGURATION", "object-lock", "ObjectLockConfigurationNotFoundError"),
    ("INVENTORY", "inventory", "NoSuchConfiguration"),
    ("ANALYTICS", "analytics", "NoSuchConfiguration"),
    ("METRICS", "metrics", "NoSuchConfiguration"),
    ("UPLOADS", "uploads", "NoSuchBucket"),
    ("UPLOAD", "uploadId", "NoSuchUpload"),
    ("MULTI_OBJECT_DELETE", "delete", "NoSuchBucket"),
];

/// The operation of a request.
pub(super) fn operation_of(method: &str, has_key: bool, query: Option<&str>) -> String {
    let asked = |name: &str| {
        let names =
            query.into_iter().flat_map(|query| query.split('&')).map(|pair| pair.split('=').next().unwrap_or(pair));
        names.into_iter().any(|asked| asked == name)
    };
    if method == "OPTIONS" {
        return "REST.OPTIONS.PREFLIGHT".to_owned();
    }
    if asked("tagging") && has_key {
        return format!("REST.{method}.OBJECT_TAGGING");
    }
    if asked("partNumber") && method == "PUT" {
        return "REST.PUT.PART".to_owned();
    }
    let found = SUBRESOURCES.iter().find(|(_, parameter, _)| asked(parameter)).map(|(resource, ..)| *resource);
    let resource = found.unwrap_or(if has_key { "OBJECT" } else { "BUCKET" });
    format!("REST.{method}.{resource}")
}

/// The method of an operation; `None` for actions of the service itself.
pub(super) fn method_of(operation: &str) -> Option<&str> {
    let mut parts = operation.split('.');
    match (parts.next(), parts.next()) {
        (Some("REST" | "WEBSITE" | "SOAP"), Some("COPY")) => Some("PUT"),
        (Some("REST" | "WEBSITE" | "SOAP"), method) => method,
        _ => None,
    }
}

/// The query of an operation, if it has one.
pub(super) fn query_of(operation: &str) -> Option<&'static str> {
    let resource = operation.split('.').nth(2)?;
    match resource {
        "PART" => Some("partNumber=1&uploadId=abcdEXAMPLE"),
        "UPLOAD" => Some("uploadId=abcdEXAMPLE"),
        _ => SUBRESOURCES.iter().find(|(name, ..)| *name == resource).map(|(_, parameter, _)| *parameter),
    }
}

/// The error code that corresponds to a status.
pub(super) fn error_code_of(status: u16, operation: &str, has_key: bool) -> Option<&'static str> {
    let resource = operation.split('.').nth(2).unwrap_or_default();
    match status {
        400 => Some("InvalidArgument"),
        403 => Some("AccessDenied"),
        404 => {
            let of_resource = SUBRESOURCES.iter().find(|(name, ..)| *name == resource).map(|(.., code)| *code);
            Some(of_resource.unwrap_or(if has_key { "NoSuchKey" } else { "NoSuchBucket" }))
        }
        405 => Some("MethodNotAllowed"),
        409 => Some("OperationAborted"),
        411 => Some("MissingContentLength"),
        412 => Some("PreconditionFailed"),
        416 => Some("InvalidRange"),
        500 => Some("InternalError"),
        501 => Some("NotImplemented"),
        503 => Some("SlowDown"),
        _ => None,
    }
}

/// Percent-encodes as AWS does, leaving `/` and unreserved characters.
pub(super) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => text.push(char::from(*byte)),
            // Writing to a `String` cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

/// The key named by the path of a request.
pub(super) fn key_of_path(path: &str) -> Option<Vec<u8>> {
    let bytes = percent_decode(path.strip_prefix('/')?.as_bytes()).into_owned();
    (!bytes.is_empty()).then_some(bytes)
}

/// Replaces placeholders for the number of the repetition: `{i}`, `{i:04}`, `{i+1}`, `{i*3}`, `{i/10}`, `{i%7}`, and
/// chains of these. Other braces are kept.
pub(super) fn numbered(text: &str, i: u64) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{i") {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let place = rest.find('}').and_then(|end| Some((number_at(&rest[2..end], i)?, end)));
        match place {
            Some((number, end)) => {
                result.push_str(&number);
                rest = &rest[end + 1..];
            }
            None => {
                result.push_str("{i");
                rest = &rest[2..];
            }
        }
    }
    result.push_str(rest);
    result
}

/// The number for the text between `{i` and `}`.
fn number_at(form: &str, i: u64) -> Option<String> {
    let (mut operations, width) = match form.split_once(':') {
        Some((operations, width)) => (operations, width.parse::<usize>().ok().filter(|width| *width <= 20)?),
        None => (form, 0),
    };
    let mut number = i;
    while let Some(operator) = operations.chars().next() {
        let behind = operations.get(1..)?;
        let len = behind.bytes().take_while(u8::is_ascii_digit).count();
        let operand = behind[..len].parse::<u64>().ok()?;
        number = match operator {
            '+' => number.checked_add(operand),
            '*' => number.checked_mul(operand),
            '/' => number.checked_div(operand),
            '%' => number.checked_rem(operand),
            _ => None,
        }?;
        operations = &behind[len..];
    }
    Some(format!("{number:0width$}"))
}

/// Fields of a line as text; `None` is written as `-`.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) bucket: String,
    /// Unix seconds.
    pub(super) time: u64,
    pub(super) remote_ip: Option<String>,
    pub(super) requester: Option<String>,
    /// From which request id and host id are derived.
    pub(super) number: u64,
    pub(super) operation: String,
    /// The key, already encoded.
    pub(super) key: Option<String>,
    /// Method, path with query, and version.
    pub(super) request_uri: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) error_code: Option<String>,
    pub(super) bytes_sent: Option<u64>,
    pub(super) object_size: Option<u64>,
    pub(super) referer: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) version_id: Option<String>,
    pub(super) authentication_type: Option<String>,
    pub(super) host: Option<String>,
}

impl Line {
    /// Appends the line with its 27 fields.
    pub(super) fn append(&self, to: &mut String) {
        let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), token);
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        // Lines of batch operations are the only ones with unquoted texts, and without times.
        let batch = self.operation.starts_with("BATCH.");
        let quoted = |text: &Option<String>| match text {
            _ if batch => "-".to_owned(),
            None => "\"-\"".to_owned(),
            Some(text) => format!("\"{}\"", one_line(text)),
        };
        let took = self.request_uri.is_some() && !batch;
        let request_id = self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let signature = if self.authentication_type.is_some() { "SigV4" } else { "-" };
        let (cipher, tls) = if took { ("TLS_AES_128_GCM_SHA256", "TLSv1.3") } else { ("-", "-") };
        let fields = [
            "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9".to_owned(),
            token(&self.bucket),
            format!("[{}]", log_time(self.time)),
            or_dash(&self.remote_ip),
            or_dash(&self.requester),
            format!("{request_id:016X}"),
            token(&self.operation),
            or_dash(&self.key),
            quoted(&self.request_uri),
            number(self.status.map(u64::from)),
            or_dash(&self.error_code),
            number(self.bytes_sent),
            number(self.object_size),
            number(took.then_some(20)),
            number((took && self.error_code.is_none()).then_some(15)),
            quoted(&self.referer),
            quoted(&self.user_agent),
            or_dash(&self.version_id),
            format!("{request_id:016x}0123456789abcdefEXAMPLE="),
            signature.to_owned(),
            cipher.to_owned(),
            or_dash(&self.authentication_type),
            or_dash(&self.host),
            tls.to_owned(),
            "-".to_owned(),
            "-".to_owned(),
            "us-east-1".to_owned(),
        ];
        to.push_str(&fields.join(" "));
        to.push('\n');
    }
}

/// Makes a text a single unquoted field.
fn token(text: &str) -> String {
    let ends = |char: char| char.is_whitespace() || char.is_control() || char == '"';
    let text: String = text.chars().map(|char| if ends(char) { '_' } else { char }).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Makes a text stay within its line and its quotes. Clients can send quotes, and AWS logs them unescaped, but these
/// tests are about rules, not about ambiguous lines.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' => line.push_str("%22"),
            '\n' => line.push_str("%0A"),
            '\r' => line.push_str("%0D"),
            _ => line.push(char),
        }
    }
    line
}

/// Formats as `02/Mar/2026:10:00:00 +0000`.
fn log_time(seconds: u64) -> String {
    let time = crate::detect::format::time(i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000));
    let month = time.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.get(month.wrapping_sub(1)).copied().unwrap_or("Jan");
    let part = |range: std::ops::Range<usize>| time.get(range).unwrap_or_default();
    format!("{}/{month}/{}:{} +0000", part(8..10), part(0..4), part(11..19))
}
