//! Lines of related formats found among access logs. They are rejects whose reason names the format, unless the
//! caller selects their [`Dialect`].

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

/// A format that a parser reads in addition to what it recognises by content.
///
/// Most systems other than AWS write lines that are recognised by content, whatever the dialect (see
/// [`Parser`](crate::Parser)). The named dialects differ more: unless it is told, a parser cannot know whether such a
/// line is complete, or where its fields end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Only what is recognised by content. Lines of the other dialects are rejects whose reason names them.
    #[default]
    Auto,
    /// Ceph journal records, which have seven of the documented fields and an etag. Other lines are read as usual.
    CephJournal,
    /// The log file of VersityGW, which quotes nothing and spells months out. Other lines are read as usual.
    VersityGw,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Auto, Self::CephJournal, Self::VersityGw];

    /// Name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::CephJournal => "ceph-journal",
            Self::VersityGw => "versitygw",
        }
    }

    /// Looks up a dialect by its command-line name.
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

/// Locates the fields of a line of the dialect. Returns `None` for other lines; the record then has no defined
/// content.
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

/// The span of a part of a line.
fn place(line: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr() as usize - line.as_ptr() as usize;
    debug_assert!(start + part.len() <= line.len(), "only parts of the line have a place in it");
    // Longer lines have been rejected before.
    Span { start: start as u32, end: (start + part.len()) as u32 }
}

/// Splits off the last token: `a b c` gives (`a b`, `c`), without the spaces in between. `None` if there is no token.
fn last_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = trim_end_spaces(text);
    let start = memrchr(b' ', text).map_or(0, |space| space + 1);
    (!text.is_empty()).then(|| (trim_end_spaces(&text[..start]), &text[start..]))
}

/// Replaces the error if the line is recognised as a related format.
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
    // A journal record has its operation in place of the remote IP: owner, bucket, time, operation, key, size,
    // version, etag.
    let (_, first) = token(skip_spaces(start.get(time::LEN..)?)).ok()?;
    if is_dotted(first) {
        return Some(ErrorKind::CephJournal);
    }
    // `May` is both the full and the short name, so look at the constant fields instead.
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
