//! A slow, straightforward reader for lines, written from the rules of the format alone.
//!
//! It is independent of the parser and shares only the names of fields with it. It uses plain loops, names each rule
//! where it is applied, and is not optimised. Start at [`read`] and [`lines`].

mod dialects;
mod number;
mod time;

pub(crate) use dialects::{is_of, read_as};

pub(crate) use number::integer;
pub(crate) use time::time_at;

use bstr::BString;
use s3log_parser::Field;
use std::ops::Range;

/// Everything that the rules say about one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RefRecord {
    /// The bytes of each field as written, without brackets and quotes; `None` if the line has none that fits.
    pub(crate) raw: [Option<BString>; Field::COUNT],
    /// The same after rule 3: `-` is `None`.
    pub(crate) text: [Option<BString>; Field::COUNT],
    /// Seconds since 1970, UTC.
    pub(crate) time: Option<i64>,
    /// HTTP status.
    pub(crate) http_status: Option<u16>,
    /// Bytes sent, object size, total time, turn-around time.
    pub(crate) integers: [Option<i64>; 4],
    /// aclRequired.
    pub(crate) acl_required: Option<bool>,
    /// Text after the last documented field, or in place of one whose format it does not have.
    pub(crate) extra_fields: Vec<BString>,
    /// Rule 10.
    pub(crate) ambiguous: bool,
    /// Rule 14.
    pub(crate) object_key: Option<BString>,
}

impl RefRecord {
    /// The field after rule 3.
    pub(crate) fn text(&self, field: Field) -> Option<&[u8]> {
        self.text[field.index()].as_ref().map(|text| text.as_slice())
    }
}

/// The numeric fields.
pub(crate) const INTEGERS: [Field; 4] = [Field::BytesSent, Field::ObjectSize, Field::TotalTime, Field::TurnAroundTime];

/// Why a line is a reject, coarsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reject {
    /// There are fewer than three tokens, or the third is not a time.
    Time,
    /// There are fewer than four tokens between the time and the first quote.
    Operation,
    /// Nothing follows the operation.
    Key,
    /// No request-URI, or none that is followed by status, error code and four numbers.
    RequestUri,
    /// Nothing follows the numbers, or the referer does not end.
    Referer,
    /// The user agent does not end.
    UserAgent,
    /// A truncated line of a dialect.
    Dialect,
}

/// A record, and the pieces of its line in order, including brackets and quotes.
pub(crate) struct Reading {
    pub(crate) record: RefRecord,
    /// Joined by single spaces they are the normalised line.
    pub(crate) pieces: Vec<BString>,
}

/// Reads one line, given without its line ending.
pub(crate) fn read(line: &[u8]) -> Result<Reading, Reject> {
    let line = trimmed(line);
    let mut record = RefRecord::default();
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let set = |record: &mut RefRecord, field: Field, bytes: &[u8]| {
        record.raw[field.index()] = Some(bytes.into());
        // Rule 3: `-` is NULL, also inside quotes, which have been removed here.
        record.text[field.index()] = if bytes == b"-" { None } else { Some(bytes.into()) };
    };

    let owner = token_from(line, 0).ok_or(Reject::Time)?;
    let bucket = token_behind(line, owner.end).ok_or(Reject::Time)?;
    // Rule 5, and by convention: the time is at the start of the third token, followed by a space or the end of the
    // line.
    let time_start = token_behind(line, bucket.end).ok_or(Reject::Time)?.start;
    let seconds = time_at(line, time_start).ok_or(Reject::Time)?;
    let time = time_start..time_start + time::LENGTH;
    if time.end < line.len() && line[time.end] != b' ' {
        return Err(Reject::Time);
    }
    set(&mut record, Field::BucketOwner, &line[owner.clone()]);
    set(&mut record, Field::Bucket, &line[bucket.clone()]);
    set(&mut record, Field::Time, &line[time.start + 1..time.end - 1]);
    record.time = Some(seconds);

    // Rule 7: the tokens after the time, up to the first that starts with a quote.
    let mut tokens = Vec::new();
    let mut at = time.end;
    while let Some(token) = token_behind(line, at) {
        if line[token.start] == b'"' {
            break;
        }
        at = token.end;
        tokens.push(token);
    }
    if tokens.len() < 4 {
        return Err(Reject::Operation);
    }
    // Rule 7: the fourth token if it is dotted, else the first dotted one after it, else the fourth.
    let mut operation_number = 3;
    if !is_dotted_operation(&line[tokens[3].clone()]) {
        for (number, token) in tokens.iter().enumerate().skip(4) {
            if is_dotted_operation(&line[token.clone()]) {
                operation_number = number;
                break;
            }
        }
    }
    let remote_ip = tokens[0].clone();
    let requester = tokens[1].start..tokens[operation_number - 2].end;
    let request_id = tokens[operation_number - 1].clone();
    let operation = tokens[operation_number].clone();
    set(&mut record, Field::RemoteIp, &line[remote_ip.clone()]);
    set(&mut record, Field::Requester, &line[requester.clone()]);
    set(&mut record, Field::RequestId, &line[request_id.clone()]);
    set(&mut record, Field::Operation, &line[operation.clone()]);

    // Rule 8: the key is one token if a request-URI follows it.
    let mut key = token_behind(line, operation.end).ok_or(Reject::Key)?;
    let uri_follows = match token_behind(line, key.end) {
        // A request-URI begins with a quote, or is a dash followed by status, error code and four numbers.
        Some(next) => {
            line[next.start] == b'"' || (&line[next.clone()] == b"-" && numbers_behind(line, next.end).is_some())
        }
        None => false,
    };
    if !uri_follows {
        // Rule 8: otherwise it extends to the first quote after a space (Ceph and Scality do not encode keys).
        let quote = first_space_quote(line, key.start).ok_or(Reject::RequestUri)?;
        key = key.start..without_spaces_at_end(line, quote);
    }
    set(&mut record, Field::Key, &line[key.clone()]);

    // Rule 9: the request-URI.
    let uri_start = skip_spaces(line, key.end);
    let uri = if line[uri_start] == b'"' {
        // It closes at the first quote after the opening one that is followed by status, error code and four numbers.
        let mut close = None;
        for quote in uri_start + 1..line.len() {
            if line[quote] == b'"' && numbers_behind(line, quote + 1).is_some() {
                close = Some(quote);
                break;
            }
        }
        let close = close.ok_or(Reject::RequestUri)?;
        set(&mut record, Field::RequestUri, &line[uri_start + 1..close]);
        uri_start..close + 1
    } else {
        set(&mut record, Field::RequestUri, &line[uri_start..uri_start + 1]);
        uri_start..uri_start + 1
    };

    let numbers = numbers_behind(line, uri.end).ok_or(Reject::RequestUri)?;
    let six = [
        Field::HttpStatus,
        Field::ErrorCode,
        Field::BytesSent,
        Field::ObjectSize,
        Field::TotalTime,
        Field::TurnAroundTime,
    ];
    for (field, token) in six.into_iter().zip(&numbers) {
        set(&mut record, field, &line[token.clone()]);
    }
    record.http_status = record.text(Field::HttpStatus).and_then(status);
    for (slot, field) in INTEGERS.into_iter().enumerate() {
        record.integers[slot] = record.text(field).and_then(integer);
    }

    // Rule 9: referer and user agent.
    let (referer, user_agent) = referer_and_user_agent(line, numbers[5].end)?;
    set(&mut record, Field::Referer, &line[without_quotes(line, &referer)]);
    set(&mut record, Field::UserAgent, &line[without_quotes(line, &user_agent)]);

    // Rules 12 and 13: the tail.
    let mut tail = Vec::new();
    let mut at = user_agent.end;
    while let Some(token) = token_behind(line, at) {
        at = token.end;
        tail.push(token);
    }
    let mut values: Vec<&[u8]> = tail.iter().map(|token| &line[token.clone()]).collect();
    // Rule 13: lines of March 2019 have an additional field after the version id.
    if values.len() >= 7
        && (values[1] == b"-" || is_iam_id(values[1]))
        && values[2] != b"-"
        && !values[2].starts_with(b"Sig")
        && values[3].starts_with(b"Sig")
    {
        record.extra_fields.push(values.remove(1).into());
    }
    for (number, value) in values.into_iter().enumerate() {
        // Rule 12: field 18 is the first of the tail; the first seven are identified by position.
        let Some(&field) = Field::ALL.get(Field::VersionId.index() + number) else {
            record.extra_fields.push(value.into());
            continue;
        };
        // Rule 12: fields 25 to 27 must have their format, each in its own place.
        let fits = match field {
            Field::AccessPointArn => value == b"-" || value.starts_with(b"arn:"),
            Field::AclRequired => value == b"-" || value == b"Yes",
            Field::SourceRegion => value == b"-" || is_region(value),
            _ => true,
        };
        if fits {
            set(&mut record, field, value);
        } else {
            record.extra_fields.push(value.into());
        }
    }
    // Rules 2 and 3: `Yes` is true, `-` is NULL.
    record.acl_required = record.text(Field::AclRequired).map(|_| true);

    record.object_key = object_key(&record);
    record.ambiguous = ends_otherwise(line, uri.end)
        || splits_otherwise(line, &referer, &user_agent)
        || holds_another_record(line, time.end);

    pieces.extend([owner, bucket, time, remote_ip, requester, request_id, operation, key, uri]);
    pieces.extend(numbers);
    pieces.extend([referer, user_agent]);
    pieces.extend(tail);
    Ok(Reading { record, pieces: pieces.into_iter().map(|piece| line[piece].into()).collect() })
}

/// Rule 9: referer and user agent, including quotes, after the last number, which ends at `at`.
fn referer_and_user_agent(line: &[u8], at: usize) -> Result<(Range<usize>, Range<usize>), Reject> {
    let referer_start = skip_spaces(line, at);
    if referer_start == line.len() {
        return Err(Reject::Referer);
    }
    if line[referer_start] != b'"' {
        // A bare or unquoted referer extends to the first quote after a space, where the user agent opens.
        if let Some(open) = first_space_quote(line, referer_start) {
            let close = last_closing_quote(line, open).ok_or(Reject::UserAgent)?;
            return Ok((referer_start..without_spaces_at_end(line, open), open..close + 1));
        }
        // Without such a quote it is one token, followed by a bare dash.
        let referer = referer_start..token_end(line, referer_start);
        let user_agent = token_behind(line, referer.end).ok_or(Reject::UserAgent)?;
        if &line[user_agent.clone()] != b"-" {
            return Err(Reject::UserAgent);
        }
        return Ok((referer, user_agent));
    }
    // A quoted referer closes at the first quote followed by spaces and a quote, the user agent at the last closing
    // quote.
    for quote in referer_start + 1..line.len() {
        if let Some(open) = quote_spaces_quote(line, quote) {
            if let Some(close) = last_closing_quote(line, open) {
                return Ok((referer_start..quote + 1, open..close + 1));
            }
            break;
        }
    }
    // If the user agent is bare, the referer closes at the last quote followed by a lone dash.
    for quote in (referer_start + 1..line.len()).rev() {
        if line[quote] == b'"'
            && let Some(dash) = token_behind(line, quote + 1)
            && &line[dash.clone()] == b"-"
        {
            return Ok((referer_start..quote + 1, dash));
        }
    }
    Err(Reject::UserAgent)
}

/// Rule 10, first part: a later quote could have closed the request-URI, with the referer after it. An unquoted referer
/// counts behind a protocol version only.
fn ends_otherwise(line: &[u8], uri_end: usize) -> bool {
    for quote in uri_end..line.len() {
        if line[quote] == b'"'
            && let Some(numbers) = numbers_behind(line, quote + 1)
        {
            let quoted = token_behind(line, numbers[5].end).is_some_and(|next| line[next.start] == b'"');
            let version = &line[uri_end..quote];
            let has_version = version.len() >= 9 && version[version.len() - 9..].starts_with(b" HTTP/");
            if quoted || has_version && line[numbers[5].end..].windows(2).any(|pair| pair == b" \"") {
                return true;
            }
        }
    }
    false
}

/// Rule 10, second part: referer and user agent, both quoted, could have been split at another place.
fn splits_otherwise(line: &[u8], referer: &Range<usize>, user_agent: &Range<usize>) -> bool {
    if line[referer.start] != b'"' || line[user_agent.start] != b'"' {
        return false;
    }
    let mut splits = 0;
    for quote in referer.start + 1..user_agent.end - 1 {
        if let Some(second) = quote_spaces_quote(line, quote)
            && second < user_agent.end - 1
        {
            splits += 1;
        }
    }
    splits > 1
}

/// Rule 10, third part: a second time and, after it, a dotted operation as a complete token.
fn holds_another_record(line: &[u8], time_end: usize) -> bool {
    for date in time_end..line.len() {
        if time_at(line, date).is_none() {
            continue;
        }
        // Complete tokens that begin after the second time.
        let mut at = 0;
        while let Some(token) = token_from(line, at) {
            if token.start >= date + time::LENGTH && is_dotted_operation(&line[token.clone()]) {
                return true;
            }
            at = token.end;
        }
    }
    false
}

/// Rule 14: the object key.
fn object_key(record: &RefRecord) -> Option<BString> {
    let key = record.text(Field::Key)?;
    let operation = record.text(Field::Operation).unwrap_or_default();
    let twice = [&b"REST."[..], b"WEBSITE.", b"SOAP."];
    if twice.iter().any(|class| operation.starts_with(class)) {
        return Some(percent_decoded(&percent_decoded(key, false), false).into());
    }
    if operation == b"BATCH.DELETE.OBJECT" {
        return Some(percent_decoded(key, true).into());
    }
    if operation.starts_with(b"S3.") {
        return Some(percent_decoded(key, false).into());
    }
    Some(key.into())
}

/// `%` with two hexadecimal digits is a byte; any other `%` is kept. In form encoding `+` is a space.
pub(crate) fn percent_decoded(bytes: &[u8], form: bool) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' && at + 2 < bytes.len() {
            let high = char::from(bytes[at + 1]).to_digit(16);
            let low = char::from(bytes[at + 2]).to_digit(16);
            if let (Some(high), Some(low)) = (high, low) {
                decoded.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
        }
        decoded.push(if form && bytes[at] == b'+' { b' ' } else { bytes[at] });
        at += 1;
    }
    decoded
}

/// Status, error code and four numbers after `at`, each preceded by spaces.
fn numbers_behind(line: &[u8], at: usize) -> Option<Vec<Range<usize>>> {
    let mut tokens: Vec<Range<usize>> = Vec::new();
    let mut at = at;
    for number in 0..6 {
        let token = token_behind(line, at)?;
        at = token.end;
        let value = &line[token.clone()];
        let fits = match number {
            0 => value == b"-" || status(value).is_some(),
            1 => true,
            // Rule 6: a number that overflows is invalid.
            _ => value == b"-" || integer(value).is_some(),
        };
        if !fits {
            return None;
        }
        tokens.push(token);
    }
    Some(tokens)
}

/// Rule 6: an HTTP status is one to three digits.
fn status(value: &[u8]) -> Option<u16> {
    if value.is_empty() || value.len() > 3 {
        return None;
    }
    let mut status = 0;
    for byte in value {
        if !byte.is_ascii_digit() {
            return None;
        }
        status = status * 10 + u16::from(byte - b'0');
    }
    Some(status)
}

/// Rule 7: `(REST|WEBSITE|SOAP|BATCH|S3)(\.[A-Za-z0-9_]+)+`.
pub(crate) fn is_dotted_operation(token: &[u8]) -> bool {
    let parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    let classes = [&b"REST"[..], b"WEBSITE", b"SOAP", b"BATCH", b"S3"];
    parts.len() >= 2
        && classes.contains(&parts[0])
        && parts[1..]
            .iter()
            .all(|part| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
}

/// Rule 13: `A[A-Z]{3}[A-Z0-9]{8,}`.
fn is_iam_id(token: &[u8]) -> bool {
    token.len() >= 12
        && token[0] == b'A'
        && token[1..4].iter().all(u8::is_ascii_uppercase)
        && token[4..].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Rule 12: `[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}`.
fn is_region(token: &[u8]) -> bool {
    let parts: Vec<&[u8]> = token.split(|byte| *byte == b'-').collect();
    // Two letters, one to three words, a number.
    if parts.len() < 3 || parts.len() > 5 {
        return false;
    }
    let number = parts[parts.len() - 1];
    let words = &parts[1..parts.len() - 1];
    parts[0].len() == 2
        && parts[0].iter().all(u8::is_ascii_lowercase)
        && words.iter().all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_lowercase))
        && (number.len() == 1 || number.len() == 2)
        && number.iter().all(u8::is_ascii_digit)
}

/// Rule 4: leading and trailing spaces are ignored; only spaces separate fields.
fn trimmed(line: &[u8]) -> &[u8] {
    let start = skip_spaces(line, 0);
    let mut end = line.len();
    while end > start && line[end - 1] == b' ' {
        end -= 1;
    }
    &line[start..end]
}

fn skip_spaces(line: &[u8], mut at: usize) -> usize {
    while at < line.len() && line[at] == b' ' {
        at += 1;
    }
    at
}

fn token_end(line: &[u8], mut at: usize) -> usize {
    while at < line.len() && line[at] != b' ' {
        at += 1;
    }
    at
}

/// The first token at or after `at`.
fn token_from(line: &[u8], at: usize) -> Option<Range<usize>> {
    let start = skip_spaces(line, at);
    if start == line.len() { None } else { Some(start..token_end(line, start)) }
}

/// The token after `at`, which must be a space (rule 4).
fn token_behind(line: &[u8], at: usize) -> Option<Range<usize>> {
    if at < line.len() && line[at] == b' ' { token_from(line, at) } else { None }
}

/// The end of the text before `end` without trailing spaces.
fn without_spaces_at_end(line: &[u8], mut end: usize) -> usize {
    while end > 0 && line[end - 1] == b' ' {
        end -= 1;
    }
    end
}

fn without_quotes(line: &[u8], piece: &Range<usize>) -> Range<usize> {
    if line[piece.start] == b'"' { piece.start + 1..piece.end - 1 } else { piece.clone() }
}

/// Position of the first quote preceded by a space, where the space is at or after `from`.
fn first_space_quote(line: &[u8], from: usize) -> Option<usize> {
    (from..line.len().saturating_sub(1)).find(|at| line[*at] == b' ' && line[*at + 1] == b'"').map(|at| at + 1)
}

/// If there is a quote at `at` and another one after spaces, the position of the latter.
fn quote_spaces_quote(line: &[u8], at: usize) -> Option<usize> {
    if line[at] != b'"' {
        return None;
    }
    let second = token_behind(line, at + 1)?.start;
    if line[second] == b'"' { Some(second) } else { None }
}

/// Position of the last quote after `open` that is followed by a space or the end of the line.
fn last_closing_quote(line: &[u8], open: usize) -> Option<usize> {
    (open + 1..line.len()).rev().find(|at| line[*at] == b'"' && (at + 1 == line.len() || line[at + 1] == b' '))
}

/// One line of a log object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefLine {
    pub(crate) bytes: BString,
    /// Offset of the first byte in the log object.
    pub(crate) offset: usize,
    /// From 1; blank lines count.
    pub(crate) number: usize,
    pub(crate) blank: bool,
}

/// Rule 4: the lines of a log object.
pub(crate) fn lines(bytes: &[u8]) -> Vec<RefLine> {
    let mut lines = Vec::new();
    // A byte order mark at the start is skipped, but counts for offsets.
    let mut start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while start < bytes.len() {
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'\n' {
            end += 1;
        }
        let mut line = &bytes[start..end];
        // A carriage return before a line feed is removed, but not at the end of the file.
        if end < bytes.len() && line.last() == Some(&b'\r') {
            line = &line[..line.len() - 1];
        }
        // Lines with only spaces, tabs and carriage returns are neither records nor rejects, but they are counted.
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        lines.push(RefLine { bytes: line.into(), offset: start, number: lines.len() + 1, blank });
        start = end + 1;
    }
    lines
}
