//! Whether a line could have been split otherwise.
//!
//! Nothing in the request-URI, the referer or the user agent is escaped, so a client can write what looks like the end
//! of its field. The rules always choose one split; a record for which another one was possible says so.

use crate::record::Record;
use crate::token::{quote_gap_quote, skip_spaces, spaces};
use crate::value::operation::is_dotted;
use crate::value::time;
use memchr::{memchr, memchr_iter};

/// Where the quotes of a head stand, as positions in the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quotes {
    /// Behind the request-URI and its closing quote.
    pub(crate) request_uri_end: usize,
    /// The referer's opening quote and the user agent's closing one, when both are quoted.
    pub(crate) referer_to_user_agent: Option<(usize, usize)>,
    /// Behind the user agent and its closing quote.
    pub(crate) tail_start: usize,
}

#[cold]
pub(crate) fn is_ambiguous(line: &[u8], record: &Record<'_>, quotes: &Quotes) -> bool {
    closes_request_uri_again(&line[quotes.request_uri_end..])
        || quotes.referer_to_user_agent.is_some_and(|(open, close)| has_two_gaps(&line[open + 1..close]))
        || holds_second_record(&line[record.spans[crate::Field::Time.index()].end as usize..])
}

/// Whether the request-URI could have closed at a later quote: one that status, error code, four numbers and an
/// opening quote follow.
fn closes_request_uri_again(behind_uri: &[u8]) -> bool {
    memchr_iter(b'"', behind_uri).any(|at| {
        crate::careful::status_to_numbers(&behind_uri[at + 1..])
            .and_then(|(rest, _)| spaces(rest))
            .is_ok_and(|(rest, ())| rest.first() == Some(&b'"'))
    })
}

/// Whether there is more than one place between referer and user agent: more than one `" "`.
fn has_two_gaps(text: &[u8]) -> bool {
    // A quote may end one gap and begin the next.
    quote_gap_quote(text).is_some_and(|(_, second)| quote_gap_quote(&text[second..]).is_some())
}

/// Whether a second time stands behind the record's own and, behind that, an operation: two records spliced into one
/// line, or a client that wants it to look so.
#[inline]
pub(crate) fn holds_second_record(behind_time: &[u8]) -> bool {
    // The bracket that closes the record's own time comes first; most lines hold no other bracket.
    let mut rest = behind_time;
    while let Some(at) = memchr(b'[', rest) {
        if time::prefix(&rest[at..]).is_some() {
            // An operation behind a later time is behind this one too: there is nothing more to try.
            return has_operation(&rest[at + time::LEN..]);
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cold]
fn has_operation(behind_time: &[u8]) -> bool {
    // What stands right behind the bracket is a part of its token.
    let Some(at) = memchr(b' ', behind_time) else { return false };
    skip_spaces(&behind_time[at..]).split(|byte| *byte == b' ').any(is_dotted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_records() {
        assert!(holds_second_record(b"] x [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - ID REST.GET.OBJECT k"));
        assert!(holds_second_record(b"] x[15/Jan/2026:10:22:41 +0000]y S3.EXPIRE.OBJECT"));
        assert!(!holds_second_record(b"] x [15/Jan/2026:10:22:41 +0000]REST.GET.OBJECT k"));
        assert!(!holds_second_record(b"] x [15/Jan/2026:10:22:41 +0000] REST.GET.OBJECT\" k"));
        assert!(!holds_second_record(b"] x [31/Feb/2026:10:22:41 +0000] REST.GET.OBJECT k"));
        assert!(holds_second_record(b"] [[15/Jan/2026:10:22:41 +0000] REST.GET.OBJECT"));
    }

    #[test]
    fn gaps_between_quotes_may_overlap() {
        assert!(!has_two_gaps(b"ref\" \"agent"));
        assert!(has_two_gaps(b"ref\" \" \"agent"));
        assert!(has_two_gaps(b"a\" \"b\"   \"c"));
        assert!(!has_two_gaps(b"a\"b\" \"c\"d"));
    }
}
