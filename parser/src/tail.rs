//! The tail of a line: the fields after the user agent, of which newer logs have more.
//!
//! Version id to TLS version are identified by position. The three fields after them are checked one by one, each in
//! its place; text that does not fit counts as an extra field. No tail makes a line invalid.

use crate::field::Field;
use crate::field_set::FieldSet;
use crate::outline::{HEAD_TOKENS, Outline, token_of};
use crate::parser::{self, position, span};
use crate::record::{FIRST_TESTED, HEAD, Record};
use crate::token::{skip_spaces, token_len};

/// Locates the requested fields of the tail, which begins with a space or is empty.
#[inline]
pub(crate) fn locate<'a>(tail: &'a [u8], record: &mut Record<'a>) {
    record.misfits = 0;
    record.march_2019 = None;
    let extra = record.wanted.contains_all(FieldSet::EXTRA_FIELDS);
    let end = if extra { Field::COUNT } else { record.wanted.end() };
    if end <= HEAD {
        return;
    }
    let line = record.line;
    let mut index = HEAD;
    let mut rest = skip_spaces(tail);
    while index < end && !rest.is_empty() {
        let len = token_len(rest);
        let token = &rest[..len];
        record.spans[index] = span(line, rest, len);
        if index >= FIRST_TESTED && !fits(index, token) {
            record.misfits |= 1 << (index - FIRST_TESTED);
        }
        rest = skip_spaces(&rest[len..]);
        if index == HOST_ID && !begins_with_signature_version(rest) && is_march_2019(tail) {
            // The token just read is the additional column of March 2019; the host id follows it.
            record.march_2019 = Some(record.spans[index]);
            continue;
        }
        index += 1;
    }
    record.located = index as u8;
    record.rest_start = position(line, rest);
}

/// Like [`locate`], for an ordinary line whose outline has the tokens.
#[inline(always)]
pub(crate) fn locate_ordinary(outline: &Outline, record: &mut Record<'_>) {
    record.misfits = 0;
    record.march_2019 = None;
    let line = record.line;
    let (ends, tokens) = (outline.ends(), outline.tokens());
    let signature = ends[token_of(Field::SignatureVersion) - 1] as usize + 1;
    if tokens > token_of(Field::SignatureVersion) && !begins_with_signature_version(&line[signature..]) {
        return locate(&line[record.tail_start as usize..], record);
    }
    parser::locate::<HEAD, { Field::COUNT }>(&mut record.spans, ends);
    let located = (tokens - HEAD_TOKENS + HEAD).min(Field::COUNT);
    for index in FIRST_TESTED..located {
        let token = &line[record.spans[index].range()];
        if !fits(index, token) {
            record.misfits |= 1 << (index - FIRST_TESTED);
        }
    }
    record.located = located as u8;
    let behind = token_of(Field::SourceRegion) + 1;
    record.rest_start = if tokens > behind { ends[behind - 1] + 1 } else { line.len() as u32 };
}

const HOST_ID: usize = Field::HostId as usize;

fn fits(index: usize, token: &[u8]) -> bool {
    if token == b"-" {
        return true;
    }
    match Field::ALL[index] {
        Field::AccessPointArn => token.starts_with(b"arn:"),
        Field::AclRequired => token == b"Yes",
        _ => is_region(token),
    }
}

/// `[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}`: `us-east-1`, `us-gov-west-1`.
fn is_region(token: &[u8]) -> bool {
    let area_and_names = match token {
        [rest @ .., b'-', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit() => rest,
        [rest @ .., b'-', ones] if ones.is_ascii_digit() => rest,
        _ => return false,
    };
    let [first, second, b'-', names @ ..] = area_and_names else { return false };
    let mut dashes = 0;
    let mut before = b'-';
    for &byte in names {
        if byte == b'-' && before != b'-' {
            dashes += 1;
        } else if !byte.is_ascii_lowercase() {
            return false;
        }
        before = byte;
    }
    first.is_ascii_lowercase() && second.is_ascii_lowercase() && before != b'-' && dashes < 3
}

/// Whether the first token is a usual signature version (`-` or `Sig…`), or nothing is left.
#[inline]
fn begins_with_signature_version(rest: &[u8]) -> bool {
    matches!(rest, [] | [b'-'] | [b'-', b' ', ..] | [b'S', b'i', b'g', ..])
}

/// From 14 to 20 March 2019 AWS wrote an additional column between version id and host id: an IAM id, or `-`.
#[cold]
fn is_march_2019(tail: &[u8]) -> bool {
    let mut tokens = tail.split(|byte| *byte == b' ').filter(|token| !token.is_empty());
    let [Some(_version), Some(second), Some(third), Some(fourth)] = std::array::from_fn(|_| tokens.next()) else {
        return false;
    };
    let signature = |token: &[u8]| token.starts_with(b"Sig");
    (second == b"-" || is_iam_id(second))
        && third != b"-"
        && !signature(third)
        && signature(fourth)
        && tokens.take(3).count() == 3
}

/// `A[A-Z]{3}[A-Z0-9]{8,}`: `AIDAIOSFODNN7EXAMPLE`.
fn is_iam_id(token: &[u8]) -> bool {
    token.len() >= 12
        && token[0] == b'A'
        && token[1..4].iter().all(u8::is_ascii_uppercase)
        && token[4..].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        for yes in ["us-east-1", "us-gov-west-1", "ap-southeast-10", "us-iso-b-east-1"] {
            assert!(is_region(yes.as_bytes()), "{yes}");
        }
        for no in ["", "-", "us-1", "us--1", "us-east-", "us-east-100", "usa-east-1", "us-East-1", "us-a-b-c-d-1", "us"]
        {
            assert!(!is_region(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn iam_ids() {
        assert!(is_iam_id(b"AIDAIOSFODNN7EXAMPLE"));
        assert!(is_iam_id(b"AIDAABCDEFGH"));
        for no in ["AIDAABCDEFG", "BIDAABCDEFGH", "A1DAABCDEFGH", "AIDAABCDEFGh", ""] {
            assert!(!is_iam_id(no.as_bytes()), "{no}");
        }
    }
}
