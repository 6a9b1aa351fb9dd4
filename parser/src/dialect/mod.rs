//! Lines of other formats that turn up among access logs: rejects whose reason names them, or records if somebody says
//! what they are.

mod ceph_journal;
mod versity_gw;

use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::record::{Record, Span};
use crate::token::{long_token, skip_spaces, token, trim_end_spaces};
use crate::value::operation::is_dotted;
use crate::value::time::{self, Minute};
use memchr::{memchr, memrchr};
use std::fmt;

/// What a parser takes for a record beside what it tells by its content.
///
/// Most of what other systems than AWS write in this format is told by its content, line by line, whatever the dialect
/// (see [`Parser`](crate::Parser)). The two that have a name here write something else: without being told, a parser
/// cannot know that the line is whole, or where its fields end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Nothing else: lines of the other two are rejects whose reason names them.
    #[default]
    Auto,
    /// Journal records of Ceph, which have seven of the fields and an etag. What is none of them is read as ever.
    CephJournal,
    /// The log file of VersityGW, which quotes nothing and writes months in full. What is no line of it is read as ever.
    VersityGw,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Auto, Self::CephJournal, Self::VersityGw];

    /// As it is named on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::CephJournal => "ceph-journal",
            Self::VersityGw => "versitygw",
        }
    }

    /// The dialect of this name.
    ///
    /// ```
    /// use s3log_parser::Dialect;
    ///
    /// assert_eq!(Dialect::from_name("ceph-journal"), Some(Dialect::CephJournal));
    /// assert_eq!(Dialect::from_name("aws"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Locates the fields of a line of the dialect. `None` if it is none; the record then holds nothing of use.
pub(crate) fn read<'a>(
    dialect: Dialect,
    minute: &mut Minute,
    line: &'a [u8],
    record: &mut Record<'a>,
) -> Option<Result<(), Error>> {
    match dialect {
        Dialect::Auto => None,
        Dialect::CephJournal => ceph_journal::read(minute, line, record),
        Dialect::VersityGw => versity_gw::read(minute, line, record),
    }
}

/// Where a part of a line stands in it.
fn place(line: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr() as usize - line.as_ptr() as usize;
    debug_assert!(start + part.len() <= line.len(), "only parts of the line have a place in it");
    // Lines that offsets do not reach were turned away before.
    Span { start: start as u32, end: (start + part.len()) as u32 }
}

/// `a b c` gives `c`; what is left is `a b`, without the spaces behind it. `None` if there is no token.
fn last_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = trim_end_spaces(text);
    let start = memrchr(b' ', text).map_or(0, |space| space + 1);
    (!text.is_empty()).then(|| (trim_end_spaces(&text[..start]), &text[start..]))
}

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
        return versity_gw::has_full_month(start).then_some(ErrorKind::VersityGw);
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
