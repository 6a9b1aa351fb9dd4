//! VersityGW's log file: 26 fields in AWS's order, none of them quoted.
//!
//! `s3log/file.go` writes owner, bucket, time, address, requester, request id, operation, key, path, status, error
//! code, four numbers, referer, user agent, version id, host id, `SigV4`, cipher, `AuthHeader`, host, TLS version,
//! `arn:aws:s3:::/bucket/key`, `Yes`. The month is spelled out. Bucket and key are written verbatim and may contain
//! spaces, and so may the error code (a sentence if the gateway itself failed) and what clients send: path, referer,
//! user agent, version id, host id.
//!
//! The anchor is that bucket and key occur twice: the last but one field repeats them. A client that puts a fake end
//! of a line into its user agent would have to put it into its key as well. So the line is read from both ends: first
//! the fields up to the operation; then the end, which reveals the length of the key; then path and numbers from the
//! left; then host id and version id from the right. The referer is one token, and the user agent is what remains.
//!
//! A line is ambiguous if another split is possible and shows: more than one matching end, or none; a second place
//! with status and numbers; a referer that is not a URL; a `-` inside the user agent; a second time. A referer that
//! contains a space cannot be told from a user agent.

use super::{last_token, place};
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::field_set::FieldSet;
use crate::record::{Form, Record, Span};
use crate::token::{at_token_end, long_token, skip_spaces, token, token_len, trim_end_spaces};
use crate::value::number;
use crate::value::time::{self, Minute};
use memchr::{memchr, memchr_iter, memmem};
use std::cell::Cell;

/// Months as Go's `January` layout writes them.
const MONTHS: [&[u8]; 12] = [
    b"January",
    b"February",
    b"March",
    b"April",
    b"May",
    b"June",
    b"July",
    b"August",
    b"September",
    b"October",
    b"November",
    b"December",
];

/// Start of the last but one field, including the space before it.
const ARN: &[u8] = b" arn:aws:s3:::";

/// How many ends with a matching key are examined. In a line written by the gateway the first one succeeds.
const ENDS: usize = 4;

/// Limits the work on hostile lines: key comparisons may cost at most this many times the length of the line. S3 keys
/// have at most 1024 bytes; this is enough for keys ten times as long that consist of nothing but fake line ends.
const COMPARISONS: usize = 64;

/// A time with the month spelled out: `[06/August/2024:10:00:00 +0200]`.
struct Stamp {
    /// Length in bytes, including the brackets.
    len: usize,
    seconds: i64,
    /// May looks the same in full and in short.
    is_may: bool,
}

impl Stamp {
    fn at(minute: &mut Minute, input: &[u8]) -> Option<Self> {
        let (day, behind) = input.split_first_chunk::<4>()?;
        let len = memchr(b'/', behind.get(..10)?)?;
        let (month, behind) = behind.split_at(len);
        if !MONTHS.contains(&month) {
            return None;
        }
        // Decode the standard form, `[06/Aug/2024:10:00:00 +0200]`.
        let mut short = [0; time::LEN];
        short[..4].copy_from_slice(day);
        short[4..7].copy_from_slice(&month[..3]);
        short[7..].copy_from_slice(behind.first_chunk::<{ time::LEN - 7 }>()?);
        let (_, seconds) = minute.bracketed(&short).ok()?;
        Some(Self { len: time::LEN - 3 + len, seconds, is_may: len == 3 })
    }
}

/// Whether a time with an unmistakably long month begins here, i.e. any but May.
pub(super) fn has_full_month(input: &[u8]) -> bool {
    let month = input.get(4..).and_then(|rest| memchr(b'/', rest.get(..10)?).map(|len| &rest[..len]));
    input.first() == Some(&b'[') && month.is_some_and(|month| month.len() > 3 && MONTHS.contains(&month))
}

/// Locates the fields of a line. Returns `None` if neither its time nor its end identifies it as VersityGW's.
pub(super) fn read<'a>(minute: &mut Minute, line: &'a [u8], record: &mut Record<'a>) -> Option<Result<(), Error>> {
    let text = trim_end_spaces(line);
    let (rest, owner) = long_token(skip_spaces(text)).ok()?;
    let start = skip_spaces(rest);
    let (bucket, stamp, time) = bucket_and_stamp(minute, start)?;
    let behind_time = &time[stamp.len..];

    let cut = |field| (!stamp.is_may).then(|| Err(Error::new(ErrorKind::Missing, field, line.len())));
    let mut spans = [Span::default(); Field::COUNT];
    let mut put = |field: Field, part: &[u8]| spans[field.index()] = place(line, part);
    put(Field::BucketOwner, owner);
    put(Field::Bucket, bucket);
    put(Field::Time, &time[1..stamp.len - 1]);
    let mut rest = behind_time;
    for field in [Field::RemoteIp, Field::Requester, Field::RequestId, Field::Operation] {
        let Ok((behind, part)) = token(skip_spaces(rest)) else { return cut(field) };
        put(field, part);
        rest = behind;
    }

    let start = skip_spaces(rest);
    let (end, mut is_ambiguous) = match End::of(bucket, start) {
        Ok(found) => found,
        Err(field) => return cut(field),
    };
    put(Field::Key, &start[..end.key_len]);
    is_ambiguous |= end.middle.is_ambiguous;
    for (field, part) in MIDDLE.into_iter().zip(end.middle.parts) {
        put(field, part);
    }
    for (field, part) in END.into_iter().zip(end.parts) {
        put(field, part);
    }

    record.spans = spans;
    record.form = Form::VersityGw;
    record.time = stamp.seconds;
    record.ambiguous =
        record.wanted.contains_all(FieldSet::AMBIGUOUS) && (is_ambiguous || holds_second_time(minute, behind_time));
    record.tail_start = spans[Field::VersionId.index()].start;
    record.rest_start = line.len() as u32;
    record.located = Field::AclRequired as u8 + 1;
    record.misfits = 0;
    record.march_2019 = None;
    Some(Ok(()))
}

/// The bucket, the time after it, and the input from the time on. The bucket may contain spaces, because it is
/// written as requested, but no slash: the first slash is in the time.
fn bucket_and_stamp<'a>(minute: &mut Minute, start: &'a [u8]) -> Option<(&'a [u8], Stamp, &'a [u8])> {
    let (bucket, time) = start.split_at(memchr(b'/', start)?.checked_sub(b"[06".len())?);
    let stamp = Stamp::at(minute, time)?;
    let bucket = bucket.strip_suffix(b" ").map(trim_end_spaces)?;
    (!bucket.is_empty() && at_token_end(&time[stamp.len..])).then_some((bucket, stamp, time))
}

fn holds_second_time(minute: &mut Minute, behind_time: &[u8]) -> bool {
    memchr_iter(b'[', behind_time).any(|at| Stamp::at(minute, &behind_time[at..]).is_some())
}

/// Fields of [`Middle`], in order.
const MIDDLE: [Field; 11] = [
    Field::RequestUri,
    Field::HttpStatus,
    Field::ErrorCode,
    Field::BytesSent,
    Field::ObjectSize,
    Field::TotalTime,
    Field::TurnAroundTime,
    Field::Referer,
    Field::UserAgent,
    Field::VersionId,
    Field::HostId,
];

/// Fields of [`End`], in order.
const END: [Field; 7] = [
    Field::SignatureVersion,
    Field::CipherSuite,
    Field::AuthenticationType,
    Field::HostHeader,
    Field::TlsVersion,
    Field::AccessPointArn,
    Field::AclRequired,
];

/// Index of the access point's ARN in [`END`].
const ARN_PART: usize = 5;

/// The fields after the host id, and what they reveal about the rest.
struct End<'a> {
    key_len: usize,
    middle: Middle<'a>,
    parts: [&'a [u8]; 7],
}

impl<'a> End<'a> {
    /// Finds the end of a line. `start` begins with the key. Also returns whether it is ambiguous, i.e. whether
    /// another end matches or none repeats the key. Fails with the missing field.
    fn of(bucket: &[u8], start: &'a [u8]) -> Result<(Self, bool), Field> {
        let body = start.strip_suffix(b" Yes").map(trim_end_spaces).ok_or(Field::AclRequired)?;
        let acl_required = &start[start.len() - 3..];
        let mut candidates = memmem::rfind_iter(body, ARN).filter_map(|at| {
            let (before, [signature, cipher, authentication, host, tls]) = last_tokens(&body[..at])?;
            let arn = &body[at + 1..];
            let parts = [signature, cipher, authentication, host, tls, arn, acl_required];
            (signature == b"SigV4" && authentication == b"AuthHeader").then_some((before, parts))
        });
        let compared = Cell::new(0);
        let is_too_much = || compared.get() > COMPARISONS * body.len();
        let mut repeating = candidates
            .clone()
            .take_while(|(_, parts)| {
                compared.set(compared.get() + parts[ARN_PART].len());
                !is_too_much()
            })
            .filter_map(|(before, parts)| {
                let key_len = key_len(bucket, &parts[ARN_PART][ARN.len() - 1..], before)?;
                Some((key_len, before, parts))
            });
        let mut whole = repeating.by_ref().take(ENDS).filter_map(|(key_len, before, parts)| {
            let middle = Middle::of(&before[key_len..])?;
            Some(Self { key_len, middle, parts })
        });
        let found = whole.next();
        let is_ambiguous = whole.next().is_some() || repeating.next().is_some() || is_too_much();
        match (found, candidates.next()) {
            (Some(found), _) => Ok((found, is_ambiguous)),
            // No end repeats bucket and key: assume that the key is one token, as most are.
            (None, Some((before, parts))) => {
                let key_len = token_len(before);
                let middle = Middle::of(&before[key_len..]).ok_or(Field::HttpStatus)?;
                Ok((Self { key_len, middle, parts }, true))
            }
            (None, None) => Err(Field::AccessPointArn),
        }
    }
}

/// Splits off the last five tokens, in line order.
fn last_tokens(text: &[u8]) -> Option<(&[u8], [&[u8]; 5])> {
    let mut tokens: [&[u8]; 5] = [b""; 5];
    let mut rest = text;
    for token in tokens.iter_mut().rev() {
        (rest, *token) = last_token(rest)?;
    }
    Some((rest, tokens))
}

/// Length of the key at the front of `start`, if it is the one named by `path` (`/bucket/key`).
fn key_len(bucket: &[u8], path: &[u8], start: &[u8]) -> Option<usize> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    // An empty bucket is written as `-` in its own field.
    let path = path.strip_prefix(bucket).or_else(|| (bucket == b"-").then_some(path))?;
    let key: &[u8] = match path {
        [] | [b'/'] => b"-",
        [b'/', key @ ..] => skip_spaces(key),
        _ => return None,
    };
    let fits = start.strip_prefix(key).is_some_and(|rest| rest.first() == Some(&b' '));
    (fits && !key.is_empty()).then_some(key.len())
}

/// The fields between the key and the end.
struct Middle<'a> {
    parts: [&'a [u8]; 11],
    is_ambiguous: bool,
}

impl<'a> Middle<'a> {
    fn of(text: &'a [u8]) -> Option<Self> {
        let text = skip_spaces(text);
        let mut ends = token_ends(text);
        let first = ends.next()?;
        // Failures of the gateway itself have a sentence as error code; others have a word or a dash.
        let is_failure = token(skip_spaces(&text[first..])).is_ok_and(|(_, status)| status == b"500");
        let word = Numbers::behind(text, first).filter(|_| !is_failure).map(|numbers| (numbers, false));
        let (numbers, mut is_ambiguous) = match word.or_else(|| Numbers::behind_a_sentence(text, first)) {
            Some(found) => found,
            // The path contains spaces.
            None => (ends.find_map(|end| Numbers::behind(text, end))?, false),
        };
        is_ambiguous |= ends.any(|end| Numbers::behind(text, end).is_some());

        let (rest, referer) = token(skip_spaces(numbers.rest)).ok()?;
        let (rest, host_id) = last_token(rest)?;
        let (rest, version) = last_token(rest)?;
        let user_agent = skip_spaces(rest);
        if user_agent.is_empty() {
            return None;
        }
        is_ambiguous |= referer != b"-" && memmem::find(referer, b"://").is_none();
        is_ambiguous |= user_agent != b"-" && user_agent.split(|byte| *byte == b' ').any(|word| word == b"-");
        let [status, error, sent, size, total, turn] = numbers.parts;
        let uri = &text[..numbers.uri_end];
        let parts = [uri, status, error, sent, size, total, turn, referer, user_agent, version, host_id];
        Some(Self { parts, is_ambiguous })
    }
}

/// A status as the gateway writes it: three digits, never a dash.
fn is_status(text: &[u8]) -> bool {
    text.len() == 3 && text.iter().all(u8::is_ascii_digit)
}

/// Status, error code and four numbers. Status and numbers are never a dash.
struct Numbers<'a> {
    uri_end: usize,
    parts: [&'a [u8]; 6],
    rest: &'a [u8],
}

impl<'a> Numbers<'a> {
    /// Parses what follows a path that ends at `uri_end`.
    fn behind(text: &'a [u8], uri_end: usize) -> Option<Self> {
        let mut parts: [&[u8]; 6] = [b""; 6];
        let mut rest = &text[uri_end..];
        for (index, part) in parts.iter_mut().enumerate() {
            (rest, *part) = token(skip_spaces(rest)).ok()?;
            let fits = match index {
                0 => is_status(part),
                1 => true,
                _ => number::parse(part).is_some(),
            };
            if !fits {
                return None;
            }
        }
        Some(Self { uri_end, parts, rest })
    }

    /// Like `behind`, with a sentence as error code, which ends before the first four numbers in a row. Also returns
    /// whether the sentence could extend further.
    fn behind_a_sentence(text: &'a [u8], uri_end: usize) -> Option<(Self, bool)> {
        let (behind_status, status) = token(skip_spaces(&text[uri_end..])).ok()?;
        if !is_status(status) {
            return None;
        }
        let sentence = skip_spaces(behind_status);
        // The last four tokens; all of them are numbers once `count` reaches four.
        let mut numbers: [&[u8]; 4] = [b""; 4];
        let mut count = 0;
        let mut found = None;
        let mut rest = sentence;
        while let Ok((behind, part)) = token(skip_spaces(rest)) {
            rest = behind;
            count = if number::parse(part).is_some() { count + 1 } else { 0 };
            numbers.rotate_left(1);
            numbers[3] = part;
            if count < 4 {
                continue;
            }
            let error = trim_end_spaces(&sentence[..place(sentence, numbers[0]).start as usize]);
            if !error.is_empty() {
                let [sent, size, total, turn] = numbers;
                let these = Self { uri_end, parts: [status, error, sent, size, total, turn], rest };
                match found {
                    None => found = Some(these),
                    Some(first) => return Some((first, true)),
                }
            }
        }
        found.map(|found| (found, false))
    }
}

/// End positions of the tokens of `text`.
fn token_ends(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = text.len() - skip_spaces(&text[at..]).len();
        at = start + token_len(&text[start..]);
        (at > start).then_some(at)
    })
}
