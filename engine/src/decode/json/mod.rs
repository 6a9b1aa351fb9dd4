//! Records as JSON objects, one per line, as AWS delivers the same logs if configured so.
//!
//! S3: the fields of "Log format in CloudWatch Logs" (AWS, Amazon S3 User Guide: `bucket_name`, `request_time`,
//! `key_name` …), as exported by CloudWatch Logs, with a timestamp before each object, and as delivered to a bucket.
//! Names that differ between that page and the text format are accepted in both spellings, in any case, with or without
//! `_`. CDN: the names of `#Fields:`.
//!
//! Unknown names are kept as `name=value` in `extra_fields`, or dropped from CDN records, as in text logs. The value of
//! a known field must not be an array or object, or the line is a reject. Under unknown names nested values are kept as
//! written.

use super::cdn::{CdnFields, CdnRows, span_of};
use super::located::{OriginFields, OriginRows};
use super::span::Span;
use s3log_parser::value::{number, time};
use s3log_parser::{Field, Kind, cdn};
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

mod object;

use object::{Found, Value, read_object};

/// The kind of record on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonLine {
    Origin,
    Cdn,
}

/// Why a line is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not a JSON object.
    Syntax,
    /// The names are not those of any log.
    Unknown,
    /// A required field is missing.
    Missing(Field),
    /// A value is not valid for its field.
    Value(Field),
    /// The value of a field is an array or object.
    Nested(Field),
    /// The value of a CDN field is an array or object.
    NestedCdn(cdn::Field),
    /// The values do not form a CDN record.
    Cdn(cdn::Error),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("the line is no JSON object, or it was cut"),
            Self::Unknown => f.write_str("a JSON object whose names are those of no access log"),
            Self::Missing(field) => write!(f, "the JSON object has no {field}"),
            Self::Value(field) => write!(f, "the value of {field} in the JSON object cannot be understood"),
            Self::Nested(field) => write!(f, "the value of {field} in the JSON object is an array or an object"),
            Self::NestedCdn(field) => write!(f, "the value of {field} in the JSON object is an array or an object"),
            Self::Cdn(error) => write!(f, "in the JSON object, {}", error.reason()),
        }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    meaning: Meaning,
    is_cdn: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Field(Field),
    /// Known, but redundant: the schema version, the bucket ARN.
    Spare,
    Unknown,
}

/// Names from AWS's documentation and the text format, in lower case without `_`.
static NAMES: LazyLock<HashMap<Vec<u8>, Meaning>> = LazyLock::new(|| {
    let own = Field::ALL.map(|field| (field.name(), Meaning::Field(field)));
    let others = [
        ("bucket_owner_id", Field::BucketOwner),
        ("bucket_name", Field::Bucket),
        ("request_time", Field::Time),
        ("timestamp", Field::Time),
        ("requester_id", Field::Requester),
        ("key_name", Field::Key),
        ("object_key", Field::Key),
        ("status", Field::HttpStatus),
        ("http_status_code", Field::HttpStatus),
        ("total_time_ms", Field::TotalTime),
        ("turnaround_time", Field::TurnAroundTime),
        ("turn_around_time_ms", Field::TurnAroundTime),
        ("referrer", Field::Referer),
        ("object_version_id", Field::VersionId),
        ("sig_version", Field::SignatureVersion),
        ("auth_type", Field::AuthenticationType),
        ("authentication", Field::AuthenticationType),
        ("access_point", Field::AccessPointArn),
        ("region", Field::SourceRegion),
    ];
    let others = others.map(|(name, field)| (name, Meaning::Field(field)));
    let spare = ["schema_version_id", "bucket_arn"].map(|name| (name, Meaning::Spare));
    own.into_iter().chain(others).chain(spare).map(|(name, meaning)| (normal(name.as_bytes()), meaning)).collect()
});

fn normal(name: &[u8]) -> Vec<u8> {
    name.iter().filter(|byte| !matches!(byte, b'_' | b'-' | b' ')).map(u8::to_ascii_lowercase).collect()
}

/// The names of the previous line, which the next one usually shares.
#[derive(Debug, Default)]
struct Shape {
    keys: Vec<String>,
    names: Vec<Name>,
    header: Option<cdn::Header>,
    is_cdn: bool,
    /// Whether the names are those of an S3 record. Logs of other programs also have a bucket and a time, so more is
    /// required.
    is_origin: bool,
}

impl Shape {
    fn of(found: &Found) -> Self {
        let keys: Vec<String> = found.keys().map(str::to_owned).collect();
        let names: Vec<Name> = keys.iter().map(|key| name(key.as_bytes())).collect();
        // CDN records have names that no other records have.
        let is_cdn = keys.iter().any(|key| {
            matches!(
                cdn::field_of_name(key.as_bytes()),
                Some(cdn::Cell::Field(cdn::Field::CIp | cdn::Field::CsUriStem | cdn::Field::ScStatus))
            )
        });
        let of_cdn = keys.iter().zip(&names).filter(|(_, name)| name.is_cdn).map(|(key, _)| key.as_bytes());
        let header = is_cdn.then(|| cdn::Header::of_names(of_cdn));
        let has = |field| names.iter().any(|name| name.meaning == Meaning::Field(field));
        let is_origin = has(Field::Bucket)
            && has(Field::Operation)
            && [Field::RemoteIp, Field::RequestId, Field::Requester].into_iter().any(has);
        Self { keys, names, header, is_cdn, is_origin }
    }
}

fn name(key: &[u8]) -> Name {
    let meaning = NAMES.get(&normal(key)).copied().unwrap_or(Meaning::Unknown);
    Name { meaning, is_cdn: cdn::field_of_name(key).is_some() }
}

/// Reads lines of JSON. Field values are written to a separate text, which spans point into.
#[derive(Debug)]
pub(super) struct JsonReader {
    shape: Shape,
    found: Found,
    parser: cdn::Parser,
    /// The fields of the last record.
    spans: [Span; Field::COUNT],
    extras: Vec<Span>,
    /// The fields of the last CDN record.
    cdn_spans: [Span; cdn::Field::COUNT],
    /// Time of the last record in microseconds.
    time: i64,
}

impl JsonReader {
    pub(super) fn new(cdn_fields: cdn::FieldSet) -> Self {
        Self {
            shape: Shape::default(),
            found: Found::default(),
            parser: cdn::Parser::with_fields(cdn_fields),
            spans: [Span::ABSENT; Field::COUNT],
            extras: Vec::new(),
            cdn_spans: [Span::ABSENT; cdn::Field::COUNT],
            time: 0,
        }
    }

    /// Number of names in the last object.
    pub(super) fn name_count(&self) -> usize {
        self.shape.keys.len()
    }

    /// Time of the last record in microseconds since the Unix epoch (UTC).
    pub(super) fn time(&self) -> i64 {
        self.time
    }

    /// Reads a line; appends its field values to `text`.
    pub(super) fn read(&mut self, line: &[u8], text: &mut Vec<u8>) -> Result<JsonLine, JsonError> {
        // CloudWatch Logs writes its ingestion time before the object.
        let start = memchr::memchr(b'{', line).ok_or(JsonError::Syntax)?;
        let object = std::str::from_utf8(&line[start..]).map(std::borrow::Cow::Borrowed);
        let object = object.unwrap_or_else(|_| String::from_utf8_lossy(&line[start..]));
        read_object(&object, text, &mut self.found).map_err(|_| JsonError::Syntax)?;
        if !self.found.keys().eq(self.shape.keys.iter().map(String::as_str)) {
            self.shape = Shape::of(&self.found);
        }
        match self.shape.is_cdn {
            true => self.cdn(text).map(|()| JsonLine::Cdn),
            false => self.origin(&object, text).map(|()| JsonLine::Origin),
        }
    }

    /// Interprets the object read last as an S3 record; `json` is its source.
    fn origin(&mut self, json: &str, text: &mut Vec<u8>) -> Result<(), JsonError> {
        self.spans = [Span::ABSENT; Field::COUNT];
        self.extras.clear();
        if !self.shape.is_origin {
            return Err(JsonError::Unknown);
        }
        for ((key, value), name) in self.found.pairs().zip(&self.shape.names) {
            match name.meaning {
                Meaning::Field(field) => {
                    // If two names stand for the same field, the first with a value wins.
                    if self.spans[field.index()].text(text).is_none() {
                        self.spans[field.index()] = match value {
                            Value::Null => Span::ABSENT,
                            Value::Plain(span) => span,
                            Value::Nested(_) => return Err(JsonError::Nested(field)),
                        };
                    }
                }
                Meaning::Spare => {}
                Meaning::Unknown if value == Value::Null => {}
                Meaning::Unknown => {
                    let start = text.len() as u32;
                    text.extend_from_slice(key.as_bytes());
                    text.push(b'=');
                    match value {
                        Value::Null => {}
                        Value::Plain(span) => text.extend_from_within(span.start as usize..span.end as usize),
                        Value::Nested(span) => {
                            text.extend_from_slice(&json.as_bytes()[span.start as usize..span.end as usize]);
                        }
                    }
                    self.extras.push(Span { start, end: text.len() as u32 });
                }
            }
        }
        let Some(written) = self.spans[Field::Time.index()].text(text) else {
            return Err(JsonError::Missing(Field::Time));
        };
        let bracketed = || time::parse(written).map(|seconds| seconds * 1_000_000);
        // A bare number is ambiguous: in other systems `request_time` is a duration.
        let iso = written.get(4).filter(|dash| **dash == b'-').and_then(|_| cdn::value::timestamp(written));
        self.time = iso.or_else(bracketed).ok_or(JsonError::Value(Field::Time))?;
        for info in &s3log_parser::FIELDS {
            let Some(written) = self.spans[info.field.index()].text(text) else { continue };
            let is_understood = match info.kind {
                Kind::Text | Kind::Time => true,
                Kind::Status => number::status(written).is_some(),
                Kind::Integer => number::parse(written).is_some(),
                Kind::YesNo => match yes_or_no(written) {
                    Some(true) => true,
                    // The text format has no word for it.
                    Some(false) => {
                        self.spans[info.field.index()] = Span::ABSENT;
                        true
                    }
                    None => false,
                },
            };
            if !is_understood {
                return Err(JsonError::Value(info.field));
            }
        }
        // Fields that every record in text format has.
        for field in [Field::Bucket, Field::Operation] {
            if self.spans[field.index()].text(text).is_none() {
                return Err(JsonError::Missing(field));
            }
        }
        Ok(())
    }

    /// Appends the S3 record read last.
    pub(super) fn add_origin(&self, wanted: &OriginFields, rows: &mut OriginRows) {
        rows.fields.rows += 1;
        for field in &wanted.spans {
            rows.fields.push_span(*field, self.spans[field.index()]);
        }
        if wanted.time {
            rows.fields.times.push(self.time);
        }
        if wanted.ambiguous {
            rows.ambiguous.push(false);
        }
        if wanted.extra {
            rows.extras.extend_from_slice(&self.extras);
            rows.extra_ends.push(rows.extras.len() as u32);
        }
    }

    /// Writes the equivalent line of a text log, encoding what cannot appear there the way such a log does.
    fn cdn(&mut self, text: &mut Vec<u8>) -> Result<(), JsonError> {
        let start = text.len();
        let of_cdn = self.found.pairs().zip(&self.shape.names).filter(|(_, name)| name.is_cdn);
        for (at, ((key, value), _)) in of_cdn.enumerate() {
            if at > 0 {
                text.push(b'\t');
            }
            let span = match value {
                Value::Null => {
                    text.push(b'-');
                    continue;
                }
                Value::Plain(span) => span,
                Value::Nested(_) => {
                    let field = match cdn::field_of_name(key.as_bytes()) {
                        Some(cdn::Cell::Field(field)) => field,
                        // All other names are parts of the time.
                        _ => cdn::Field::Time,
                    };
                    return Err(JsonError::NestedCdn(field));
                }
            };
            for from in span.start as usize..span.end as usize {
                match text[from] {
                    // Unencoded at the start of a line, it would begin a comment.
                    b'#' if text.len() == start => text.extend_from_slice(b"%23"),
                    b'\t' => text.extend_from_slice(b"%09"),
                    b'\n' => text.extend_from_slice(b"%0A"),
                    b'\r' => text.extend_from_slice(b"%0D"),
                    byte => text.push(byte),
                }
            }
        }
        let record = self.parser.parse(&text[start..], self.shape.header.as_ref()).map_err(JsonError::Cdn)?;
        self.time = record.time_micros().unwrap_or_default();
        for field in cdn::Field::ALL {
            self.cdn_spans[field.index()] = span_of(&record, field, start);
        }
        Ok(())
    }

    /// Appends the CDN record read last.
    pub(super) fn add_cdn(&self, wanted: &CdnFields, rows: &mut CdnRows) {
        rows.rows += 1;
        for field in &wanted.spans {
            rows.push_span(*field, self.cdn_spans[field.index()]);
        }
        if wanted.time {
            rows.times.push(self.time);
        }
    }
}

/// What a field is whose only value in text logs is `Yes`.
fn yes_or_no(written: &[u8]) -> Option<bool> {
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| written.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(["Yes", "true", "1"]) {
        return Some(true);
    }
    (is_one_of(["No", "false", "0"]) || written.is_empty()).then_some(false)
}

#[cfg(test)]
mod tests;
