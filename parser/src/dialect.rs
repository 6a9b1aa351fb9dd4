//! Lines of other formats that turn up among access logs: rejects whose reason names them.

use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::token::{long_token, skip_spaces, token};
use crate::value::operation::is_dotted;
use crate::value::time;
use memchr::memchr;
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{tag, take};
use nom::sequence::preceded;

/// The error of a line that is no record, told by what the line is if it is known.
#[cold]
pub(crate) fn named(line: &[u8], error: Error) -> Error {
    recognise(line, error).map_or(error, |kind| Error::new(kind, error.field(), error.offset()))
}

fn recognise(line: &[u8], error: Error) -> Option<ErrorKind> {
    if line.starts_with(b"#Version:") || line.starts_with(b"#Fields:") {
        return Some(ErrorKind::CloudFrontHeader);
    }
    if line.starts_with(b"log starts ") {
        return Some(ErrorKind::VersityGwStart);
    }
    let (rest, _owner) = long_token(skip_spaces(line)).ok()?;
    let (rest, _bucket) = token(skip_spaces(rest)).ok()?;
    let start = skip_spaces(rest);
    if error.field() == Field::Time {
        return has_full_month(start).then_some(ErrorKind::VersityGw);
    }
    // Its operation stands where a record has the remote IP: owner, bucket, time, operation, key, size, version, etag.
    let (_, first) = token(skip_spaces(start.get(time::LEN..)?)).ok()?;
    if is_dotted(first) {
        return Some(ErrorKind::CephJournal);
    }
    // In May a month's full name is its short one: the fields that are always the same must tell.
    let constants = [&b" SigV4 "[..], b" AuthHeader "];
    let versity = memchr(b'"', line).is_none() && constants.iter().all(|it| memchr::memmem::find(line, it).is_some());
    versity.then_some(ErrorKind::VersityGw)
}

/// `[06/August/2024:10:00:00 +0200] …`.
fn has_full_month(input: &[u8]) -> bool {
    let early = alt((tag("January"), tag("February"), tag("March"), tag("April"), tag("June"), tag("July")));
    let late = alt((tag("August"), tag("September"), tag("October"), tag("November"), tag("December")));
    let mut month = preceded((tag("["), take(2_usize), tag("/")), (alt((early, late)), tag("/")));
    let parsed: crate::token::Parsed<'_, _> = month.parse(input);
    parsed.is_ok()
}

#[cfg(test)]
mod tests {
    use crate::{ErrorKind, Parser};

    #[test]
    fn other_formats_are_named() {
        for (line, kind) in [
            ("#Version: 1.0", ErrorKind::CloudFrontHeader),
            ("log starts 2026-01-15 10:00:00.123 +0000 UTC", ErrorKind::VersityGwStart),
            (
                "owner bucket [15/Jan/2026:10:00:00 +0000] REST.PUT.OBJECT a b 512 null d41d8cd98f00b204e9800998ecf8427e",
                ErrorKind::CephJournal,
            ),
            (
                "owner bucket [06/August/2026:10:00:00 +0200] 192.0.2.9 AKEXAMPLE 17F2 REST.GET.OBJECT k /bucket/k 200 - 5 5 1 1 - curl/8 - - SigV4",
                ErrorKind::VersityGw,
            ),
            (
                "owner bucket [06/May/2026:10:00:00 +0200] 192.0.2.9 AKEXAMPLE 17F2 REST.GET.OBJECT k /bucket/k 200 - 5 5 1 1 - curl/8 - - SigV4 - AuthHeader h -",
                ErrorKind::VersityGw,
            ),
            (
                "owner bucket [06/May/2026:10:00:00 +0200] 192.0.2.9 A 17F2 REST.GET.OBJECT k /k 200",
                ErrorKind::Unquoted,
            ),
            ("once upon a time", ErrorKind::Time),
        ] {
            let error = Parser::new().parse(line.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), kind, "{line}: {error}");
        }
    }
}
