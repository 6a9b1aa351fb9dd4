//! The parser of lines: an ordinary line by the fast path, any other by the careful one.
//!
//! An *ordinary* line has single spaces, a dotted operation as its seventh token, and no quotes but the pairs around
//! request-URI, referer and user agent. Nearly every line of a real log is ordinary; for such a line both paths give
//! the same, and the fast path decides it in one pass. Whatever does not fit costs the attempt and goes to
//! [`crate::careful`], which resolves unescaped quotes by rules. Change both together: the tests hold each against a
//! slow reference.
//!
//! Whether a line is a record never depends on what is wanted of it: everything up to the user agent's end is checked
//! in every line. Only the tail behind it, which no text can make invalid, is skipped when nobody asked for it.

use crate::ambiguity;
use crate::careful;
use crate::dialect;
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::field_set::FieldSet;
use crate::record::{HEAD, Record, Span};
use crate::tail;
use crate::token::{MISFIT, Parsed, at_token_end, long_token, one_space, token};
use crate::value::number::{is_number_or_null, is_status_or_null};
use crate::value::operation::is_dotted;
use crate::value::time::{self, Minute};
use memchr::memchr;

/// Parses lines into [`Record`]s.
///
/// A parser remembers the last minute that it decoded, so one parser for many lines is faster than many.
///
/// ```
/// use s3log_parser::{Field, FieldSet, Lines, Parser, Record};
///
/// let log = b"a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"-\"\n";
/// let mut parser = Parser::with_fields(FieldSet::from_iter([Field::RemoteIp, Field::BytesSent]));
/// let mut record = Record::default();
/// let mut sent = 0;
/// for line in Lines::new(log).filter(|line| !line.is_blank()) {
///     match parser.parse_into(line.bytes, &mut record) {
///         Ok(()) => sent += record.integer(Field::BytesSent).unwrap_or(0),
///         Err(error) => eprintln!("line {}: {error}", line.number),
///     }
/// }
/// assert_eq!(sent, 2326);
/// ```
#[derive(Clone, Debug)]
pub struct Parser {
    wanted: FieldSet,
    minute: Minute,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser for everything in a record.
    #[must_use]
    pub fn new() -> Self {
        Self::with_fields(FieldSet::ALL)
    }

    /// A parser for these fields of a record. It stops in each line behind the last of them, and behind what decides
    /// that the line is a record.
    #[must_use]
    pub fn with_fields(wanted: FieldSet) -> Self {
        Self { wanted, minute: Minute::default() }
    }

    /// The fields that are wanted.
    #[must_use]
    pub fn fields(&self) -> FieldSet {
        self.wanted
    }

    /// The record that a line holds. The line comes without its end.
    ///
    /// # Errors
    ///
    /// Says what is wrong with a line that is no record, in which field and at which byte.
    pub fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Record<'a>, Error> {
        let mut record = Record::default();
        self.parse_into(line, &mut record)?;
        Ok(record)
    }

    /// As [`Parser::parse`], into a record that is used again for each line.
    ///
    /// # Errors
    ///
    /// As [`Parser::parse`]; the record then holds nothing of use.
    #[inline]
    pub fn parse_into<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Result<(), Error> {
        record.line = line;
        record.wanted = self.wanted;
        if line.len() >= u32::MAX as usize {
            return Err(Error::new(ErrorKind::TooLong, Field::BucketOwner, 0));
        }
        let tail = match ordinary(&mut self.minute, line, record) {
            Ok((tail, ())) => {
                // Quotes leave no second way to split an ordinary line; a second record inside a field may.
                record.ambiguous = self.wanted.contains_all(FieldSet::AMBIGUOUS)
                    && ambiguity::holds_second_record(&line[record.spans[TIME].end as usize..]);
                tail
            }
            Err(_) => self.parse_carefully(line, record)?,
        };
        record.tail_start = position(line, tail);
        record.located = HEAD as u8;
        tail::locate(tail, record);
        Ok(())
    }

    #[cold]
    fn parse_carefully<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Result<&'a [u8], Error> {
        match careful::head(&mut self.minute, line, record) {
            Ok(quotes) => {
                record.ambiguous =
                    self.wanted.contains_all(FieldSet::AMBIGUOUS) && ambiguity::is_ambiguous(line, record, &quotes);
                Ok(&line[quotes.tail_start..])
            }
            Err(error) => {
                record.located = 0;
                Err(dialect::named(line, error))
            }
        }
    }
}

const TIME: usize = Field::Time as usize;

/// Where the rest of a line begins.
#[inline]
pub(crate) fn position(line: &[u8], rest: &[u8]) -> u32 {
    // Lines that offsets do not reach were turned away before.
    (line.len() - rest.len()) as u32
}

/// The span of a part of the line whose first byte is that of `rest`.
#[inline]
pub(crate) fn span(line: &[u8], rest: &[u8], len: usize) -> Span {
    let start = position(line, rest);
    Span { start, end: start + len as u32 }
}

/// Everything up to the user agent's end of an ordinary line; what is left is its tail.
#[inline]
fn ordinary<'a>(minute: &mut Minute, line: &'a [u8], record: &mut Record<'a>) -> Parsed<'a, ()> {
    let spans = &mut record.spans;
    let mut locate = |field: Field, rest: &[u8], len: usize| spans[field.index()] = span(line, rest, len);

    let (rest, owner) = long_token(line)?;
    locate(Field::BucketOwner, line, owner.len());
    let (start, ()) = one_space(rest)?;
    let (rest, bucket) = token(start)?;
    locate(Field::Bucket, start, bucket.len());
    let (start, ()) = one_space(rest)?;
    let (rest, seconds) = minute.bracketed(start)?;
    locate(Field::Time, &start[1..], time::LEN - 2);

    let (start, ()) = one_space(rest)?;
    let (rest, ip) = token(start)?;
    locate(Field::RemoteIp, start, ip.len());
    let (start, ()) = one_space(rest)?;
    let (rest, requester) = token(start)?;
    locate(Field::Requester, start, requester.len());
    let (start, ()) = one_space(rest)?;
    let (rest, request_id) = token(start)?;
    locate(Field::RequestId, start, request_id.len());
    if ip[0] == b'"' || requester[0] == b'"' || request_id[0] == b'"' {
        return Err(MISFIT);
    }
    let (start, ()) = one_space(rest)?;
    let (rest, operation) = token(start)?;
    if !is_dotted(operation) {
        return Err(MISFIT);
    }
    locate(Field::Operation, start, operation.len());
    let (start, ()) = one_space(rest)?;
    let (rest, key) = long_token(start)?;
    locate(Field::Key, start, key.len());

    let (start, ()) = one_space(rest)?;
    let rest = if let [b'"', text @ ..] = start {
        let len = memchr(b'"', text).ok_or(MISFIT)?;
        locate(Field::RequestUri, text, len);
        &text[len + 1..]
    } else {
        let rest = bare_dash(start)?;
        locate(Field::RequestUri, start, 1);
        rest
    };

    let (start, ()) = one_space(rest)?;
    let (rest, status) = token(start)?;
    if !is_status_or_null(status) {
        return Err(MISFIT);
    }
    locate(Field::HttpStatus, start, status.len());
    let (start, ()) = one_space(rest)?;
    let (mut rest, error_code) = token(start)?;
    if error_code != b"-" && memchr(b'"', error_code).is_some() {
        return Err(MISFIT);
    }
    locate(Field::ErrorCode, start, error_code.len());
    for field in [Field::BytesSent, Field::ObjectSize, Field::TotalTime, Field::TurnAroundTime] {
        let (start, ()) = one_space(rest)?;
        let (behind, number) = token(start)?;
        if !is_number_or_null(number) {
            return Err(MISFIT);
        }
        locate(field, start, number.len());
        rest = behind;
    }

    let (start, ()) = one_space(rest)?;
    let rest = if start[0] == b'"' {
        let (rest, len) = plainly_quoted(start)?;
        locate(Field::Referer, &start[1..], len);
        rest
    } else {
        let rest = bare_dash(start)?;
        locate(Field::Referer, start, 1);
        rest
    };

    let (start, ()) = one_space(rest)?;
    let rest = if start[0] == b'"' {
        let (rest, len) = plainly_quoted(start)?;
        locate(Field::UserAgent, &start[1..], len);
        rest
    } else {
        let rest = bare_dash(start)?;
        locate(Field::UserAgent, start, 1);
        rest
    };
    if !at_token_end(rest) || memchr(b'"', rest).is_some() {
        return Err(MISFIT);
    }
    record.time = seconds;
    Ok((rest, ()))
}

/// `"curl/8.4.0" - …` up to the next quote: what is left behind it, and the length between. A quoted text that begins
/// with a space is not ordinary: its opening quote looks like a closing one.
#[inline]
fn plainly_quoted(input: &[u8]) -> Parsed<'_, usize> {
    let text = &input[1..];
    if text.first() == Some(&b' ') {
        return Err(MISFIT);
    }
    let len = memchr(b'"', text).ok_or(MISFIT)?;
    Ok((&text[len + 1..], len))
}

/// A bare `-`; what is left begins with the space behind it, or is empty.
#[inline]
fn bare_dash(input: &[u8]) -> Result<&[u8], nom::Err<()>> {
    match input {
        [b'-', rest @ ..] if at_token_end(rest) => Ok(rest),
        _ => Err(MISFIT),
    }
}
