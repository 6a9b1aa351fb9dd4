//! The careful path: parses any line, with rules that resolve unescaped quotes sent by clients.
//!
//! - The operation is the fourth token after the time if it is dotted, otherwise the first dotted token after that,
//!   since the requester may contain spaces.
//! - The key is one token, unless no request-URI follows it; then it runs to the first quote preceded by a space.
//! - The request-URI closes at the first quote followed by status, error code and four numbers.
//! - The referer closes at the first quote followed by spaces and another quote; the user agent closes at the last
//!   quote followed by a space or the end of the line. An unquoted referer runs to the first quote preceded by a
//!   space.
//!
//! Every search continues where the previous one stopped, so parsing takes linear time even on hostile input.

use crate::ambiguity::Quotes;
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::parser::{position, span};
use crate::record::{Record, Span};
use crate::token::{
    MISFIT, Parsed, at_token_end, last_closing_quote, opening_quote, quote_gap_quote, skip_spaces, spaces, token,
    trim_end_spaces,
};
use crate::value::number::{is_number_or_null, is_status_or_null};
use crate::value::operation::is_dotted;
use crate::value::time::{self, Minute};
use memchr::memchr_iter;

/// The numeric fields after the error code, in order.
const NUMBERS: [Field; 4] = [Field::BytesSent, Field::ObjectSize, Field::TotalTime, Field::TurnAroundTime];

/// Locates every field up to the user agent.
pub(crate) fn head<'a>(minute: &mut Minute, line: &'a [u8], record: &mut Record<'a>) -> Result<Quotes, Error> {
    let rest = skip_spaces(line);
    let rest = one_token(line, rest, Field::BucketOwner, record)?;
    let rest = one_token(line, rest, Field::Bucket, record)?;
    let rest = bracketed_time(minute, line, rest, record)?;
    let rest = ip_to_operation(line, rest, record)?;
    let rest = key_and_request_uri(line, rest, record)?;
    let request_uri_end = position(line, rest) as usize;
    let (rest, parts) = status_to_numbers(rest).map_err(|_| misfit_behind_uri(line, rest))?;
    parts.locate(line, record);
    let (tail, referer_to_user_agent) = referer_and_user_agent(line, skip_spaces(rest), record)?;
    Ok(Quotes { request_uri_end, referer_to_user_agent, tail_start: position(line, tail) as usize })
}

fn one_token<'a>(line: &[u8], rest: &'a [u8], field: Field, record: &mut Record<'_>) -> Result<&'a [u8], Error> {
    let start = skip_spaces(rest);
    let (rest, text) =
        token(start).map_err(|_| Error::new(ErrorKind::Missing, field, position(line, start) as usize))?;
    record.spans[field.index()] = span(line, start, text.len());
    Ok(rest)
}

fn bracketed_time<'a>(
    minute: &mut Minute,
    line: &[u8],
    rest: &'a [u8],
    record: &mut Record<'_>,
) -> Result<&'a [u8], Error> {
    let start = skip_spaces(rest);
    let misfit = |kind| Error::new(kind, Field::Time, position(line, start) as usize);
    if start.is_empty() {
        return Err(misfit(ErrorKind::Missing));
    }
    match minute.bracketed(start) {
        Ok((rest, seconds)) if at_token_end(rest) => {
            record.time = seconds;
            record.spans[Field::Time.index()] = span(line, &start[1..], time::LEN - 2);
            Ok(rest)
        }
        _ => Err(misfit(ErrorKind::Time)),
    }
}

/// Remote IP, requester, request id and operation. The search stops at the first token that begins with a quote.
fn ip_to_operation<'a>(line: &[u8], rest: &'a [u8], record: &mut Record<'_>) -> Result<&'a [u8], Error> {
    const FIELDS: [Field; 4] = [Field::RemoteIp, Field::Requester, Field::RequestId, Field::Operation];
    let mut tokens = [Span::default(); 4];
    let mut rest = rest;
    let mut fourth: &[u8] = &[];
    for (field, located) in FIELDS.into_iter().zip(&mut tokens) {
        let start = skip_spaces(rest);
        let (behind, text) =
            unquoted_token(start).map_err(|_| Error::new(ErrorKind::Missing, field, position(line, start) as usize))?;
        *located = span(line, start, text.len());
        (rest, fourth) = (behind, text);
    }
    let mut operation_end = rest;
    if !is_dotted(fourth)
        && let Some(found) = dotted_operation(line, tokens[2], tokens[3], rest)
    {
        // The requester contains spaces: it extends to the request id.
        let (request_id, operation) = (found.request_id, found.operation);
        tokens = [tokens[0], Span { start: tokens[1].start, end: found.requester_end }, request_id, operation];
        operation_end = found.rest;
    }
    for (field, located) in FIELDS.into_iter().zip(tokens) {
        record.spans[field.index()] = located;
    }
    Ok(operation_end)
}

struct Operation<'a> {
    requester_end: u32,
    request_id: Span,
    operation: Span,
    rest: &'a [u8],
}

/// Finds the first dotted operation after the fourth token.
fn dotted_operation<'a>(line: &[u8], third: Span, fourth: Span, rest: &'a [u8]) -> Option<Operation<'a>> {
    let (mut before, mut last, mut rest) = (third, fourth, rest);
    loop {
        let start = skip_spaces(rest);
        let (behind, text) = unquoted_token(start).ok()?;
        let operation = span(line, start, text.len());
        if is_dotted(text) {
            return Some(Operation { requester_end: before.end, request_id: last, operation, rest: behind });
        }
        (before, last, rest) = (last, operation, behind);
    }
}

fn unquoted_token(input: &[u8]) -> Parsed<'_, &[u8]> {
    if input.first() == Some(&b'"') { Err(MISFIT) } else { token(input) }
}

/// Locates key and request-URI; returns the input after the closing quote of the request-URI.
fn key_and_request_uri<'a>(line: &[u8], rest: &'a [u8], record: &mut Record<'_>) -> Result<&'a [u8], Error> {
    let key = skip_spaces(rest);
    let (behind_key, text) =
        token(key).map_err(|_| Error::new(ErrorKind::Missing, Field::Key, position(line, key) as usize))?;
    let mut key_len = text.len();
    let mut start = skip_spaces(behind_key);
    if let [b'-', behind @ ..] = start
        && status_to_numbers(behind).is_ok()
    {
        record.spans[Field::Key.index()] = span(line, key, key_len);
        record.spans[Field::RequestUri.index()] = span(line, start, 1);
        return Ok(behind);
    }
    if start.first() != Some(&b'"') {
        // Some servers write the key verbatim, including spaces.
        let Some(quote) = opening_quote(key) else {
            let kind = if start.is_empty() { ErrorKind::Missing } else { ErrorKind::Unquoted };
            return Err(Error::new(kind, Field::RequestUri, position(line, start) as usize));
        };
        key_len = trim_end_spaces(&key[..quote]).len();
        start = &key[quote..];
    }
    record.spans[Field::Key.index()] = span(line, key, key_len);
    let text = &start[1..];
    let closing = memchr_iter(b'"', text).find(|at| status_to_numbers(&text[at + 1..]).is_ok());
    match closing {
        Some(len) => {
            record.spans[Field::RequestUri.index()] = span(line, text, len);
            Ok(&text[len + 1..])
        }
        None => Err(why_not_closed(line, start)),
    }
}

/// Status, error code and four numbers.
pub(crate) struct StatusToNumbers<'a> {
    /// Input from the start of each part on, and the length of the part.
    parts: [(&'a [u8], usize); 6],
}

impl StatusToNumbers<'_> {
    fn locate(&self, line: &[u8], record: &mut Record<'_>) {
        for ((start, len), field) in self.parts.iter().zip(Field::ALL.into_iter().skip(Field::HttpStatus.index())) {
            record.spans[field.index()] = span(line, start, *len);
        }
    }
}

/// Parses ` 200 - 2326 2326 34 33 …`, which confirms the end of a request-URI. The remaining input begins with the
/// space after the last number.
pub(crate) fn status_to_numbers(input: &[u8]) -> Parsed<'_, StatusToNumbers<'_>> {
    let mut parts: [(&[u8], usize); 6] = [(b"", 0); 6];
    let mut rest = input;
    for (index, part) in parts.iter_mut().enumerate() {
        let (start, ()) = spaces(rest)?;
        let (behind, text) = token(start)?;
        let fits = match index {
            0 => is_status_or_null(text),
            1 => true,
            _ => is_number_or_null(text),
        };
        if !fits {
            return Err(MISFIT);
        }
        *part = (start, text.len());
        rest = behind;
    }
    Ok((rest, StatusToNumbers { parts }))
}

/// Explains why the request-URI that opens at `start` does not close. Looks at what follows the quote that was most
/// likely meant to close it: the first one after ` HTTP/1.1` or the like, otherwise the first one at the end of a
/// token.
#[cold]
fn why_not_closed(line: &[u8], start: &[u8]) -> Error {
    let text = &start[1..];
    let quotes = || memchr_iter(b'"', text).filter(|at| at_token_end(&text[at + 1..]));
    match quotes().find(|at| ends_with_version(&text[..*at])).or_else(|| quotes().next()) {
        Some(at) => misfit_behind_uri(line, &text[at + 1..]),
        None => Error::new(ErrorKind::Unclosed, Field::RequestUri, position(line, start) as usize),
    }
}

/// Whether a request-URI ends with its protocol version: ` HTTP/1.1` or the like.
pub(crate) fn ends_with_version(request_uri: &[u8]) -> bool {
    request_uri.len().checked_sub(9).is_some_and(|version| request_uri[version..].starts_with(b" HTTP/"))
}

/// Reports the first field after a request-URI that does not fit.
#[cold]
fn misfit_behind_uri(line: &[u8], behind_uri: &[u8]) -> Error {
    let mut rest = behind_uri;
    let fields = [Field::HttpStatus, Field::ErrorCode].into_iter().chain(NUMBERS);
    for field in fields {
        let start = skip_spaces(rest);
        let error = |kind| Error::new(kind, field, position(line, start) as usize);
        let Ok((behind, text)) = token(start) else { return error(ErrorKind::Missing) };
        match field {
            Field::HttpStatus if !is_status_or_null(text) => return error(ErrorKind::Status),
            Field::HttpStatus | Field::ErrorCode => {}
            _ if !is_number_or_null(text) => return error(ErrorKind::Number),
            _ => {}
        }
        rest = behind;
    }
    Error::new(ErrorKind::Unclosed, Field::RequestUri, position(line, behind_uri) as usize)
}

/// Positions of the referer's opening quote and the user agent's closing quote.
type QuotePair = Option<(usize, usize)>;

/// Locates referer and user agent; returns the input after the user agent.
fn referer_and_user_agent<'a>(
    line: &[u8],
    start: &'a [u8],
    record: &mut Record<'_>,
) -> Result<(&'a [u8], QuotePair), Error> {
    let mut locate = |field: Field, rest: &[u8], len: usize| record.spans[field.index()] = span(line, rest, len);
    let error = |kind, field, rest: &[u8]| Error::new(kind, field, position(line, rest) as usize);

    if let [b'"', referer @ ..] = start {
        let gap = quote_gap_quote(referer);
        if let Some((close, open)) = gap {
            let user_agent = &referer[open + 1..];
            if let Some(len) = last_closing_quote(user_agent) {
                locate(Field::Referer, referer, close);
                locate(Field::UserAgent, user_agent, len);
                let tail = &user_agent[len + 1..];
                let quotes = (position(line, start) as usize, position(line, tail) as usize - 1);
                return Ok((tail, Some(quotes)));
            }
        }
        let Some((len, dash)) = last_quote_before_dash(referer) else {
            return Err(match gap {
                Some((_, open)) => error(ErrorKind::Unclosed, Field::UserAgent, &referer[open..]),
                None => match last_closing_quote(referer).map(|at| skip_spaces(&referer[at + 1..])) {
                    Some(rest) if rest.is_empty() => error(ErrorKind::Missing, Field::UserAgent, rest),
                    Some(rest) => error(ErrorKind::Unquoted, Field::UserAgent, rest),
                    None => error(ErrorKind::Unclosed, Field::Referer, start),
                },
            });
        };
        locate(Field::Referer, referer, len);
        locate(Field::UserAgent, &referer[dash..], 1);
        return Ok((&referer[dash + 1..], None));
    }

    // Some servers never quote the referer.
    let (behind, text) = token(start).map_err(|_| error(ErrorKind::Missing, Field::Referer, start))?;
    if let Some(quote) = opening_quote(start) {
        let user_agent = &start[quote + 1..];
        let Some(len) = last_closing_quote(user_agent) else {
            return Err(error(ErrorKind::Unclosed, Field::UserAgent, &start[quote..]));
        };
        locate(Field::Referer, start, trim_end_spaces(&start[..quote]).len());
        locate(Field::UserAgent, user_agent, len);
        return Ok((&user_agent[len + 1..], None));
    }
    locate(Field::Referer, start, text.len());
    match skip_spaces(behind) {
        [] => Err(error(ErrorKind::Missing, Field::UserAgent, &[])),
        dash @ [b'-', rest @ ..] if at_token_end(rest) => {
            locate(Field::UserAgent, dash, 1);
            Ok((rest, None))
        }
        rest => Err(error(ErrorKind::Unquoted, Field::UserAgent, rest)),
    }
}

/// Where a quoted referer closes if the user agent is a bare `-`: at the last quote followed by spaces and a lone
/// `-`. Returns the positions of the quote and of the dash.
fn last_quote_before_dash(referer: &[u8]) -> Option<(usize, usize)> {
    let mut end = referer.len();
    while let Some(at) = last_closing_quote(&referer[..end]) {
        let behind = skip_spaces(&referer[at + 1..]);
        if let [b'-', rest @ ..] = behind
            && behind.len() < referer.len() - at - 1
            && at_token_end(rest)
        {
            return Some((at, referer.len() - behind.len()));
        }
        end = at;
    }
    None
}
