//! A record: the positions of the fields in a line, and their values on demand.

use crate::field::{Field, Kind};
use crate::field_set::FieldSet;
use crate::token::{skip_spaces, token_len};
use crate::value::operation::Operation;
use crate::value::request_uri::RequestUri;
use crate::value::{key, number};
use bstr::{BStr, ByteSlice};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A byte range in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    #[inline]
    fn of(self, line: &[u8]) -> &BStr {
        line[self.range()].as_bstr()
    }
}

/// The kind of a record, which determines the fields it has and how they are delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The format of AWS.
    Standard,
    /// Seven documented fields and an etag; the spans of other fields are meaningless.
    CephJournal,
    /// All fields up to aclRequired, unquoted. Each has a span because any of them may contain spaces.
    VersityGw,
}

impl Form {
    /// Whether records of this form have the field. Only for fields up to the user agent.
    pub(crate) fn has(self, field: Field) -> bool {
        match self {
            Self::Standard | Self::VersityGw => true,
            Self::CephJournal => matches!(
                field,
                Field::BucketOwner | Field::Bucket | Field::Time | Field::Operation | Field::Key | Field::ObjectSize
            ),
        }
    }
}

/// One parsed line of a log. It borrows the line and holds only positions; values are decoded on access.
///
/// Fields that were not requested from the [`Parser`](crate::Parser) read as absent.
///
/// ```
/// use s3log_parser::{Field, Parser};
///
/// let line = br#"a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT a%2520b.jpg "GET /photos/a%20b.jpg HTTP/1.1" 200 - 2326 2326 34 33 "-" "curl/8.4.0" - hostid - TLS_AES_128_GCM_SHA256 - photos.s3.us-east-1.amazonaws.com TLSv1.3 - - -"#;
/// let record = Parser::new().parse(line)?;
/// assert_eq!(record.text(Field::RemoteIp).unwrap(), "192.0.2.3");
/// assert_eq!(record.text(Field::Requester), None);
/// assert_eq!(record.object_key().unwrap().as_ref(), "a b.jpg");
/// assert_eq!(record.http_status(), Some(200));
/// assert_eq!(record.integer(Field::BytesSent), Some(2326));
/// # Ok::<(), s3log_parser::Error>(())
/// ```
#[derive(Clone)]
pub struct Record<'a> {
    pub(crate) line: &'a [u8],
    pub(crate) form: Form,
    /// The requested fields, as far as this form has them.
    pub(crate) wanted: FieldSet,
    pub(crate) spans: [Span; Field::COUNT],
    /// Unix seconds.
    pub(crate) time: i64,
    /// Number of documented fields that were located; later ones are absent or were not requested.
    pub(crate) located: u8,
    /// One bit for each of the fields 25 to 27 whose place holds something else.
    pub(crate) misfits: u8,
    pub(crate) ambiguous: bool,
    /// The additional column of logs of March 2019.
    pub(crate) march_2019: Option<Span>,
    /// Offset of the part after the user agent.
    pub(crate) tail_start: u32,
    /// Offset of the part after field 27.
    pub(crate) rest_start: u32,
}

/// Number of fields that every record has, whatever its age: up to the user agent.
pub(crate) const HEAD: usize = Field::UserAgent as usize + 1;

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            line: b"",
            form: Form::Standard,
            wanted: FieldSet::EMPTY,
            spans: [Span::default(); Field::COUNT],
            time: 0,
            located: 0,
            misfits: 0,
            ambiguous: false,
            march_2019: None,
            tail_start: 0,
            rest_start: 0,
        }
    }
}

impl<'a> Record<'a> {
    /// The line without its line ending.
    #[must_use]
    pub fn line(&self) -> &'a BStr {
        self.line.as_bstr()
    }

    /// Byte range of a field in the line, without brackets or quotes.
    ///
    /// `None` if the line does not have the field, if it was not requested, or if its place (fields 25 to 27) holds
    /// something else.
    #[inline]
    #[must_use]
    pub fn range(&self, field: Field) -> Option<Range<usize>> {
        let located = field.index() < usize::from(self.located) && self.wanted.contains(field);
        (located && !self.is_misfit(field)).then(|| self.spans[field.index()].range())
    }

    /// Text of a field as written, without brackets or quotes; `-` is returned as `-`. `None` in the cases of
    /// [`Record::range`].
    #[inline]
    #[must_use]
    pub fn raw(&self, field: Field) -> Option<&'a BStr> {
        self.range(field).map(|range| self.line[range].as_bstr())
    }

    /// Text of a field; `None` if it is `-` (or `"-"` in a quoted field).
    #[inline]
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&'a BStr> {
        self.raw(field).filter(|text| *text != "-")
    }

    /// When the request was received, in seconds since 1970-01-01T00:00:00Z. `None` only if it was not requested.
    #[inline]
    #[must_use]
    pub fn time_seconds(&self) -> Option<i64> {
        (self.located > 0 && self.wanted.contains(Field::Time)).then_some(self.time)
    }

    /// The HTTP status; `None` if it is `-` or was not requested.
    #[inline]
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.raw(Field::HttpStatus).and_then(|text| number::status(text))
    }

    /// Value of an integer field ([`Kind::Integer`]), with decimals rounded; `None` for fields of any other kind.
    #[inline]
    #[must_use]
    pub fn integer(&self, field: Field) -> Option<i64> {
        if field.info().kind != Kind::Integer {
            return None;
        }
        self.raw(field).and_then(|text| number::parse(text))
    }

    /// `Some(true)` if the request needed an access control list to be authorised, else `None`; logs never say `No`.
    #[inline]
    #[must_use]
    pub fn acl_required(&self) -> Option<bool> {
        self.text(Field::AclRequired).map(|_| true)
    }

    /// The operation, which can be split at its dots.
    #[must_use]
    pub fn operation(&self) -> Option<Operation<'a>> {
        self.text(Field::Operation).map(|text| Operation::new(text))
    }

    /// The request line, split into its parts.
    #[must_use]
    pub fn request_uri(&self) -> Option<RequestUri<'a>> {
        self.text(Field::RequestUri).map(|text| RequestUri::new(text))
    }

    /// The decoded object key. The encoding depends on the operation, so both fields must have been requested.
    #[must_use]
    pub fn object_key(&self) -> Option<Cow<'a, BStr>> {
        let operation = self.raw(Field::Operation)?;
        self.text(Field::Key).map(|text| key::object_key(text, operation))
    }

    /// Text after the last documented field, text in place of a field 25 to 27 whose format it does not have, and the
    /// additional column of logs of March 2019; as written, in line order, including `-`.
    pub fn extra_fields(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        let wanted = self.wanted.contains_all(FieldSet::EXTRA_FIELDS) && self.located > 0;
        let line = self.line;
        let march_2019 = self.march_2019.filter(|_| wanted);
        let misfits = Field::ALL[FIRST_TESTED..].iter().filter(|field| wanted && self.is_misfit(**field));
        let misfits: [Option<Span>; 3] = {
            let mut spans = misfits.map(|field| self.spans[field.index()]);
            [spans.next(), spans.next(), spans.next()]
        };
        let rest = if wanted { &line[self.rest_start as usize..] } else { b"" };
        march_2019
            .into_iter()
            .chain(misfits.into_iter().flatten())
            .map(move |span| span.of(line))
            .chain(Tokens { rest: skip_spaces(rest) })
    }

    /// Whether the line could have been split in another way, because of quotes or a second record inside a field.
    #[inline]
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Number of fields in the line, documented or not: 17 in 2006, 27 in 2026.
    #[must_use]
    pub fn field_count(&self) -> usize {
        match self.form {
            _ if self.located == 0 => 0,
            Form::VersityGw => self.located.into(),
            form => Field::ALL[..HEAD].iter().filter(|field| form.has(**field)).count() + self.tail().count(),
        }
    }

    /// The tokens after the user agent or, in a Ceph journal record, after the object size.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &'a BStr> + use<'a> {
        Tokens { rest: skip_spaces(&self.line[self.tail_start as usize..]) }
    }

    /// Text of a field up to the user agent and whether it is quoted, regardless of the projection; for rendering.
    pub(crate) fn head(&self, field: Field) -> (&'a BStr, bool) {
        let span = self.spans[field.index()];
        let quoted = span.start > 0 && self.line[span.start as usize - 1] == b'"';
        (self.line[span.range()].as_bstr(), quoted)
    }

    #[inline]
    fn is_misfit(&self, field: Field) -> bool {
        field.index() >= FIRST_TESTED && self.misfits & (1 << (field.index() - FIRST_TESTED)) != 0
    }
}

/// The first field whose format is checked; earlier ones are identified by position alone.
pub(crate) const FIRST_TESTED: usize = Field::AccessPointArn as usize;

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for field in Field::ALL {
            if let Some(text) = self.raw(field) {
                map.entry(&field.name(), &text);
            }
        }
        map.entry(&"extra_fields", &self.extra_fields().collect::<Vec<_>>());
        map.entry(&"ambiguous", &self.ambiguous);
        map.finish()
    }
}

/// Iterator over tokens separated by spaces; `rest` begins with a token or is empty.
#[derive(Clone)]
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a BStr;

    fn next(&mut self) -> Option<&'a BStr> {
        if self.rest.is_empty() {
            return None;
        }
        let (token, behind) = self.rest.split_at(token_len(self.rest));
        self.rest = skip_spaces(behind);
        Some(token.as_bstr())
    }
}
