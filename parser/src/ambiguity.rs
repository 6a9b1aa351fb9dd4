//! Detects lines that could have been split in more than one way.
//!
//! Request-URI, referer and user agent are not escaped, so a client can write text that looks like the end of its
//! field. The parser always picks one split; this module tells whether another one was possible.

use crate::careful::{ends_with_version, status_to_numbers};
use crate::record::Record;
use crate::token::{quote_gap_quote, skip_spaces, spaces};
use crate::value::operation::is_dotted;
use crate::value::time;
use memchr::{memchr, memchr_iter, memmem};
use std::cell::LazyCell;

/// Byte positions in the line that delimit the quoted fields of a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quotes {
    /// Just after the closing quote of the request-URI.
    pub(crate) request_uri_end: usize,
    /// Opening quote of the referer and closing quote of the user agent, if both are quoted.
    pub(crate) referer_to_user_agent: Option<(usize, usize)>,
    /// Just after the closing quote of the user agent.
    pub(crate) tail_start: usize,
}

#[cold]
pub(crate) fn is_ambiguous(line: &[u8], record: &Record<'_>, quotes: &Quotes) -> bool {
    closes_request_uri_again(&line[quotes.request_uri_end..])
        || quotes.referer_to_user_agent.is_some_and(|(open, close)| has_two_gaps(&line[open + 1..close]))
        || holds_second_record(&line[record.spans[crate::Field::Time.index()].end as usize..])
}

/// Whether the request-URI could have closed at a later quote, i.e. one followed by status, error code, four numbers
/// and a referer. Ceph does not quote the referer, which then runs to an opening quote, and it writes keys as they
/// are: a key can contain a whole record up to its user agent. So text before an opening quote counts as a referer, but
/// only behind a protocol version, which ends all request-URIs of Ceph.
fn closes_request_uri_again(behind_uri: &[u8]) -> bool {
    let last_opening = LazyCell::new(|| memmem::rfind(behind_uri, b" \""));
    memchr_iter(b'"', behind_uri).any(|at| {
        let Ok((rest, _)) = status_to_numbers(&behind_uri[at + 1..]) else { return false };
        let opens = spaces(rest).is_ok_and(|(rest, ())| rest.first() == Some(&b'"'));
        let opens_later = || last_opening.is_some_and(|opening| behind_uri.len() - rest.len() <= opening);
        opens || ends_with_version(&behind_uri[..at]) && opens_later()
    })
}

/// Whether the boundary between referer and user agent is not unique: more than one `" "`.
fn has_two_gaps(text: &[u8]) -> bool {
    // One quote may end the first gap and begin the second.
    quote_gap_quote(text).is_some_and(|(_, second)| quote_gap_quote(&text[second..]).is_some())
}

/// Whether a second time follows the record's own and, somewhere after it, an operation: two records spliced into one
/// line, or a client that imitates this.
#[inline]
pub(crate) fn holds_second_record(behind_time: &[u8]) -> bool {
    // Most lines have no `[` after that of their own time.
    let mut rest = behind_time;
    while let Some(at) = memchr(b'[', rest) {
        if time::prefix(&rest[at..]).is_some() {
            // An operation after a later time is also after this one, so later times need not be tried.
            return has_operation(&rest[at + time::LEN..]);
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cold]
fn has_operation(behind_time: &[u8]) -> bool {
    // Bytes directly after the bracket belong to the same token.
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
