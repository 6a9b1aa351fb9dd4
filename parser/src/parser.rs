//! The line parser: a fast path for ordinary lines and a careful path for all others.
//!
//! An *ordinary* line has single spaces, a dotted operation as its seventh field, and no quotes but the pairs around
//! request-URI, referer and user agent. Nearly every line of a real log is ordinary, and for such a line both paths
//! give the same result. The fast path computes the line's [outline](crate::outline), which usually also validates
//! status and numbers, and then checks the few places that decide: the positions of the quotes, the time and the
//! operation. Anything else goes to [`crate::careful`], which resolves unescaped quotes by rules. Change both paths
//! together; the tests compare each with a slow reference implementation.
//!
//! Whether a line is a record never depends on the projection: everything up to the end of the user agent is
//! validated in every line. Only the tail, which cannot make a line invalid, is skipped if no field of it is
//! requested.

use crate::ambiguity;
use crate::careful;
use crate::dialect::{self, Dialect};
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::field_set::FieldSet;
use crate::line::{Line, Lines};
use crate::outline::{Ends, Extent, HEAD_TOKENS, Lanes, Outline, token_of};
use crate::record::{Form, HEAD, Record, Span};
use crate::tail;
use crate::token::MISFIT;
use crate::value::number::{is_number_or_null, is_status_or_null};
use crate::value::operation::is_dotted;
use crate::value::time::{self, Minute};

/// A line, and whether it is a record.
type ParsedLine<'a> = (Line<'a>, Result<(), Error>);

/// Parses lines into [`Record`]s.
///
/// A parser caches the last decoded minute, so use one parser for many lines.
///
/// ```
/// use s3log_parser::{Field, FieldSet, Lines, Parser, Record};
///
/// let log = b"a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"-\"\n";
/// let mut parser = Parser::with_fields(FieldSet::from_iter([Field::RemoteIp, Field::BytesSent]));
/// let mut record = Record::default();
/// let mut lines = Lines::new(log);
/// let mut sent = 0;
/// while let Some((line, parsed)) = parser.parse_next(&mut lines, &mut record) {
///     match parsed {
///         Ok(()) => sent += record.integer(Field::BytesSent).unwrap_or(0),
///         Err(error) if !line.is_blank() => eprintln!("line {}: {error}", line.number),
///         Err(_) => {}
///     }
/// }
/// assert_eq!(sent, 2326);
/// ```
#[derive(Clone, Debug)]
pub struct Parser {
    wanted: FieldSet,
    dialect: Dialect,
    extent: Extent,
    lanes: Lanes,
    minute: Minute,
    outline: Outline,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// Creates a parser for all fields, extra fields and ambiguity.
    #[must_use]
    pub fn new() -> Self {
        Self::with_fields(FieldSet::ALL)
    }

    /// Creates a parser for the given fields. It stops in each line after the last of them, and not before the line
    /// is known to be a record.
    #[must_use]
    pub fn with_fields(wanted: FieldSet) -> Self {
        Self::with_lanes(wanted, Lanes::best())
    }

    /// One parser for each instruction set that this processor supports, slowest first, with its name. All of them
    /// give the same results; this is for the tests that verify it, and for benchmarks.
    #[doc(hidden)]
    #[must_use]
    pub fn of_every_kind(wanted: FieldSet) -> Vec<(String, Self)> {
        Lanes::all().map(|lanes| (format!("{lanes:?}").to_lowercase(), Self::with_lanes(wanted, lanes))).collect()
    }

    fn with_lanes(wanted: FieldSet, lanes: Lanes) -> Self {
        let needs_tail = wanted.end() > HEAD || wanted.contains_all(FieldSet::EXTRA_FIELDS);
        let extent = if needs_tail { Extent::Line } else { Extent::Head };
        Self { wanted, dialect: Dialect::Auto, extent, lanes, minute: Minute::default(), outline: Outline::EMPTY }
    }

    /// Also reads lines of a dialect that cannot be recognised by content.
    ///
    /// ```
    /// use s3log_parser::{Dialect, Field, Parser};
    ///
    /// let line = b"owner photos [15/Jan/2026:10:22:41 +0000] REST.PUT.OBJECT cat one.jpg 512 null 5eb63bbbe01eeed0";
    /// assert!(Parser::new().parse(line).is_err());
    ///
    /// let mut parser = Parser::new().with_dialect(Dialect::CephJournal);
    /// let record = parser.parse(line)?;
    /// assert_eq!(record.text(Field::Key).unwrap(), "cat one.jpg");
    /// assert_eq!(record.text(Field::RemoteIp), None);
    /// # Ok::<(), s3log_parser::Error>(())
    /// ```
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The dialect that is read in addition to what is recognised by content.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The requested fields.
    #[must_use]
    pub fn fields(&self) -> FieldSet {
        self.wanted
    }

    /// Parses a line without its line ending.
    ///
    /// # Errors
    ///
    /// Fails if the line is not a record; the error names the field and the byte offset.
    pub fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Record<'a>, Error> {
        let mut record = Record::default();
        self.parse_into(line, &mut record)?;
        Ok(record)
    }

    /// Like [`Parser::parse`], but reuses a record.
    ///
    /// # Errors
    ///
    /// Like [`Parser::parse`]; the content of the record is then unspecified.
    #[inline]
    pub fn parse_into<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Result<(), Error> {
        if self.dialect != Dialect::Auto
            && let Some(parsed) = self.read_dialect(line, record)
        {
            return parsed;
        }
        let (len, _) = self.outline.draw(self.lanes, self.extent, line);
        // A line feed inside `line` ends the outline early, although here it is an ordinary byte.
        if len == line.len() && self.read_ordinary(line, record) { Ok(()) } else { self.read_carefully(line, record) }
    }

    /// Parses the next line of a buffer into `record`; returns `None` at the end. Blank lines are returned, too, as
    /// errors.
    ///
    /// This is the fastest way through a buffer: one pass finds both the tokens and the end of a line.
    ///
    /// ```
    /// use s3log_parser::{Lines, Parser, Record};
    ///
    /// let mut lines = Lines::new(b"no record\r\n\n");
    /// let (mut parser, mut record) = (Parser::new(), Record::default());
    /// let (line, parsed) = parser.parse_next(&mut lines, &mut record).unwrap();
    /// assert_eq!((line.bytes, line.number, parsed.is_ok()), (&b"no record"[..], 1, false));
    /// let (line, _) = parser.parse_next(&mut lines, &mut record).unwrap();
    /// assert!(line.is_blank());
    /// assert!(parser.parse_next(&mut lines, &mut record).is_none());
    /// ```
    #[inline]
    pub fn parse_next<'a>(&mut self, lines: &mut Lines<'a>, record: &mut Record<'a>) -> Option<ParsedLine<'a>> {
        let rest = lines.rest();
        if rest.is_empty() {
            return None;
        }
        let (len, taken) = self.outline.draw(self.lanes, self.extent, rest);
        let line = lines.take(len, taken);
        Some((line, self.read(line.bytes, record)))
    }

    /// Skips records, for callers that only count them. Skips those in AWS's plain form (single spaces, no quotes
    /// within quotes) of at most `max_line` bytes. Returns their number, and what [`Parser::parse_next`] would return
    /// for the next other line, which may also be a record: an unusual or longer one. With a dialect nothing is
    /// skipped.
    ///
    /// ```
    /// use s3log_parser::{FieldSet, Lines, Parser, Record};
    ///
    /// let record = "a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"-\"\n";
    /// let log = record.repeat(3) + "no record\n" + record;
    /// let mut lines = Lines::new(log.as_bytes());
    /// let (mut parser, mut record) = (Parser::with_fields(FieldSet::EMPTY), Record::default());
    /// let (passed, other) = parser.skip_ordinary(&mut lines, &mut record, usize::MAX);
    /// assert_eq!((passed, other.map(|(line, parsed)| (line.number, parsed.is_ok()))), (3, Some((4, false))));
    /// let (passed, other) = parser.skip_ordinary(&mut lines, &mut record, usize::MAX);
    /// assert_eq!((passed, other.is_none()), (1, true));
    /// ```
    pub fn skip_ordinary<'a>(
        &mut self,
        lines: &mut Lines<'a>,
        record: &mut Record<'a>,
        max_line: usize,
    ) -> (usize, Option<ParsedLine<'a>>) {
        if self.dialect != Dialect::Auto {
            return (0, self.parse_next(lines, record));
        }
        let mut passed = 0;
        loop {
            let rest = lines.rest();
            if rest.is_empty() {
                return (passed, None);
            }
            let (len, taken) = self.outline.draw(self.lanes, self.extent, rest);
            let line = lines.take(len, taken);
            let parsed = match check_ordinary(&mut self.minute, &self.outline, line.bytes) {
                Ok(_) if len <= max_line => {
                    passed += 1;
                    continue;
                }
                Ok(_) => self.read(line.bytes, record),
                Err(_) => self.read_carefully(line.bytes, record),
            };
            return (passed, Some((line, parsed)));
        }
    }

    /// Reads a line whose outline has been computed.
    #[inline(always)]
    fn read<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Result<(), Error> {
        if self.dialect != Dialect::Auto
            && let Some(parsed) = self.read_dialect(line, record)
        {
            return parsed;
        }
        if self.read_ordinary(line, record) { Ok(()) } else { self.read_carefully(line, record) }
    }

    /// Reads a line of the dialect; returns `None` if it is not recognised as one. Must be tried first: these
    /// dialects quote nothing, so a key may look like the rest of an ordinary record.
    #[cold]
    #[inline(never)]
    fn read_dialect<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Option<Result<(), Error>> {
        if line.len() >= u32::MAX as usize {
            return None;
        }
        record.line = line;
        record.wanted = self.wanted;
        record.located = 0;
        dialect::read(self.dialect, &mut self.minute, line, record)
    }

    /// Reads an outlined line if it is ordinary; returns whether it is.
    #[inline(always)]
    fn read_ordinary<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> bool {
        record.line = line;
        record.form = Form::Standard;
        record.wanted = self.wanted;
        let Ok(ordinary) = check_ordinary(&mut self.minute, &self.outline, line) else { return false };
        locate_head(&ordinary, &self.outline, record);
        // The quotes of an ordinary line allow only one split, but a field may contain a second record.
        record.ambiguous = self.wanted.contains_all(FieldSet::AMBIGUOUS)
            && ambiguity::holds_second_record(&line[record.spans[TIME].end as usize..]);
        if self.extent == Extent::Line {
            tail::locate_ordinary(&self.outline, record);
        } else {
            record.located = HEAD as u8;
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn read_carefully<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Result<(), Error> {
        record.line = line;
        record.form = Form::Standard;
        record.wanted = self.wanted;
        record.located = 0;
        if line.len() >= u32::MAX as usize {
            return Err(Error::new(ErrorKind::TooLong, Field::BucketOwner, 0));
        }
        let quotes = careful::head(&mut self.minute, line, record).map_err(|error| dialect::named(line, error))?;
        record.ambiguous =
            self.wanted.contains_all(FieldSet::AMBIGUOUS) && ambiguity::is_ambiguous(line, record, &quotes);
        record.tail_start = quotes.tail_start as u32;
        record.located = HEAD as u8;
        tail::locate(&line[quotes.tail_start..], record);
        Ok(())
    }
}

const TIME: usize = Field::Time as usize;

/// Byte offset at which the rest of a line begins.
#[inline]
pub(crate) fn position(line: &[u8], rest: &[u8]) -> u32 {
    // Longer lines have been rejected before.
    (line.len() - rest.len()) as u32
}

/// The span of the first `len` bytes of `rest`, which must be the end of `line`.
#[inline]
pub(crate) fn span(line: &[u8], rest: &[u8], len: usize) -> Span {
    let start = position(line, rest);
    Span { start, end: start + len as u32 }
}

/// What is known about an ordinary line beyond its outline.
struct Ordinary {
    /// Unix seconds.
    time: i64,
    request_uri: Quoted,
    referer: Quoted,
    user_agent: Quoted,
}

/// Checks whether an outlined line is ordinary; fails with [`MISFIT`] if it is not.
#[inline(always)]
fn check_ordinary(minute: &mut Minute, outline: &Outline, line: &[u8]) -> Result<Ordinary, nom::Err<()>> {
    let is_too_long = line.len() >= u32::MAX as usize;
    if !outline.is_regular() || outline.tokens() < HEAD_TOKENS || line.ends_with(b" ") || is_too_long {
        return Err(MISFIT);
    }
    let ends = outline.ends();
    let start = |token: usize| ends[token - 1] + 1;
    let text = |token: usize| &line[start(token) as usize..ends[token] as usize];

    // The time contains a space, so it is two tokens.
    let (time_start, time_end) = (start(TIME) as usize, ends[TIME + 1] as usize);
    if time_end != time_start + time::LEN {
        return Err(MISFIT);
    }
    let (_, time) = minute.bracketed(&line[time_start..time_end])?;
    if !is_dotted(text(token_of(Field::Operation))) {
        return Err(MISFIT);
    }

    let request_uri = Quoted::of(text(token_of(Field::RequestUri)))?;
    let referer = Quoted::of(text(token_of(Field::Referer)))?;
    let user_agent = Quoted::of(text(token_of(Field::UserAgent)))?;
    // If there are no other quotes than these, the outline was right about which spaces are inside quotes.
    let quotes = 2 * (request_uri.quotes + referer.quotes + user_agent.quotes);
    if quotes != outline.quotes() || referer.begins_with_space || user_agent.begins_with_space {
        return Err(MISFIT);
    }

    // The line has enough tokens, so `has_plain_numbers` is meaningful.
    let are_numbers =
        || (token_of(Field::BytesSent)..=token_of(Field::TurnAroundTime)).map(text).all(is_number_or_null);
    let is_status = || is_status_or_null(text(token_of(Field::HttpStatus)));
    if !(outline.has_plain_numbers() || is_status() && are_numbers()) {
        return Err(MISFIT);
    }
    Ok(Ordinary { time, request_uri, referer, user_agent })
}

/// Locates everything up to the user agent in an ordinary line, from its outline.
#[inline(always)]
fn locate_head(ordinary: &Ordinary, outline: &Outline, record: &mut Record<'_>) {
    let ends = outline.ends();
    let spans = &mut record.spans;
    spans[0] = Span { start: 0, end: ends[0] };
    spans[1] = Span { start: ends[0] + 1, end: ends[1] };
    locate::<{ TIME + 1 }, HEAD>(spans, ends);
    spans[TIME] = Span { start: ends[TIME - 1] + 2, end: ends[TIME + 1] - 1 };
    ordinary.request_uri.trim(&mut spans[Field::RequestUri.index()]);
    ordinary.referer.trim(&mut spans[Field::Referer.index()]);
    ordinary.user_agent.trim(&mut spans[Field::UserAgent.index()]);
    record.time = ordinary.time;
    record.tail_start = ends[token_of(Field::UserAgent)];
}

/// Spans of fields after the time, including their quotes.
#[inline(always)]
pub(crate) fn locate<const FIRST: usize, const END: usize>(spans: &mut [Span; Field::COUNT], ends: &Ends) {
    const { assert!(FIRST > TIME) };
    for field in FIRST..END {
        spans[field] = Span { start: ends[field] + 1, end: ends[field + 1] };
    }
}

/// A field that may be quoted.
struct Quoted {
    /// Number of quote pairs: 1, or 0 for a bare `-`.
    quotes: u32,
    /// Not ordinary in a referer or user agent, because the opening quote then looks like a closing one.
    begins_with_space: bool,
}

impl Quoted {
    #[inline(always)]
    fn of(token: &[u8]) -> Result<Self, nom::Err<()>> {
        match token {
            [b'"', text @ .., b'"'] => Ok(Self { quotes: 1, begins_with_space: text.first() == Some(&b' ') }),
            b"-" => Ok(Self { quotes: 0, begins_with_space: false }),
            _ => Err(MISFIT),
        }
    }

    /// Excludes the quotes from the span.
    #[inline(always)]
    fn trim(&self, span: &mut Span) {
        span.start += self.quotes;
        span.end -= self.quotes;
    }
}
