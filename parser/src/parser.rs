//! The parser of lines: an ordinary line by the fast path, any other by the careful one.
//!
//! An *ordinary* line has single spaces, a dotted operation as its seventh token, and no quotes but the pairs around
//! request-URI, referer and user agent. Nearly every line of a real log is ordinary; for such a line both paths give
//! the same. The fast path draws its [outline](crate::outline), which mostly tells that status and numbers are digits, too,
//! and then looks at the few places that decide: where quotes must stand, the time, the operation. Whatever does not fit
//! costs the attempt and goes to [`crate::careful`], which resolves unescaped quotes by rules. Change both together: the
//! tests hold each against a slow reference.
//!
//! Whether a line is a record never depends on what is wanted of it: everything up to the user agent's end is checked
//! in every line. Only the tail behind it, which no text can make invalid, is skipped when nobody asked for it.

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
/// A parser remembers the last minute that it decoded, so one parser for many lines is faster than many.
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
    /// A parser for everything in a record.
    #[must_use]
    pub fn new() -> Self {
        Self::with_fields(FieldSet::ALL)
    }

    /// A parser for these fields of a record. It stops in each line behind the last of them, and behind what decides
    /// that the line is a record.
    #[must_use]
    pub fn with_fields(wanted: FieldSet) -> Self {
        Self::with_lanes(wanted, Lanes::best())
    }

    /// One parser for every set of instructions that this processor has, the slowest first, each with its name. They say
    /// the same of every line; this is for the tests that hold them to it, and for benches.
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

    /// The same parser for lines of a dialect, too, that only who knows where they come from can tell from others.
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

    /// The dialect that is read beside what is told by its content.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
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
        if self.dialect != Dialect::Auto
            && let Some(parsed) = self.read_dialect(line, record)
        {
            return parsed;
        }
        let (len, _) = self.outline.draw(self.lanes, self.extent, line);
        // A line feed within the line is a byte like any other, but not to the outline.
        if len == line.len() && self.read_ordinary(line, record) { Ok(()) } else { self.read_carefully(line, record) }
    }

    /// The next line, and whether it is a record, which is then in `record`. Blank lines come too: they are no records.
    ///
    /// This is the fastest way through a buffer: the pass that finds the tokens of a line finds its end, too.
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

    /// Passes over records, for whoever counts them and wants nothing of them: over those that are as AWS writes them (single
    /// spaces, no quotes within quotes) and have at most `max_line` bytes. Gives their number, and what
    /// [`Parser::parse_next`] would give of the next other line; that may be a record, too, an unusual or a longer one. With
    /// a dialect nothing is passed over.
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

    /// Reads a line whose outline was drawn.
    #[inline(always)]
    fn read<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> Result<(), Error> {
        if self.dialect != Dialect::Auto
            && let Some(parsed) = self.read_dialect(line, record)
        {
            return parsed;
        }
        if self.read_ordinary(line, record) { Ok(()) } else { self.read_carefully(line, record) }
    }

    /// Whether a line is a record of the dialect, if it is known for one of its lines. Asked first: a key of the dialect,
    /// which quotes nothing, may look like the rest of an ordinary record.
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

    /// The record of an outlined line, if the line is ordinary.
    #[inline(always)]
    fn read_ordinary<'a>(&mut self, line: &'a [u8], record: &mut Record<'a>) -> bool {
        record.line = line;
        record.form = Form::Standard;
        record.wanted = self.wanted;
        let Ok(ordinary) = check_ordinary(&mut self.minute, &self.outline, line) else { return false };
        locate_head(&ordinary, &self.outline, record);
        // Quotes leave no second way to split an ordinary line; a second record inside a field may.
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

/// What an ordinary line has beside its outline.
struct Ordinary {
    /// Unix seconds.
    time: i64,
    request_uri: Quoted,
    referer: Quoted,
    user_agent: Quoted,
}

/// Tells by its outline whether a line is ordinary; [`MISFIT`] if it is not.
#[inline(always)]
fn check_ordinary(minute: &mut Minute, outline: &Outline, line: &[u8]) -> Result<Ordinary, nom::Err<()>> {
    let is_too_long = line.len() >= u32::MAX as usize;
    if !outline.is_regular() || outline.tokens() < HEAD_TOKENS || line.ends_with(b" ") || is_too_long {
        return Err(MISFIT);
    }
    let ends = outline.ends();
    let start = |token: usize| ends[token - 1] + 1;
    let text = |token: usize| &line[start(token) as usize..ends[token] as usize];

    // The time is two tokens: it holds a space.
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
    // With no other quotes than these, they stand where the outline took them to stand.
    let quotes = 2 * (request_uri.quotes + referer.quotes + user_agent.quotes);
    if quotes != outline.quotes() || referer.begins_with_space || user_agent.begins_with_space {
        return Err(MISFIT);
    }

    // There are enough tokens, so the outline speaks of those of this line.
    let are_numbers =
        || (token_of(Field::BytesSent)..=token_of(Field::TurnAroundTime)).map(text).all(is_number_or_null);
    let is_status = || is_status_or_null(text(token_of(Field::HttpStatus)));
    if !(outline.has_plain_numbers() || is_status() && are_numbers()) {
        return Err(MISFIT);
    }
    Ok(Ordinary { time, request_uri, referer, user_agent })
}

/// Locates everything up to the user agent in an ordinary line by its outline.
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

/// The spans of fields behind the time, quotes included.
#[inline(always)]
pub(crate) fn locate<const FIRST: usize, const END: usize>(spans: &mut [Span; Field::COUNT], ends: &Ends) {
    const { assert!(FIRST > TIME) };
    for field in FIRST..END {
        spans[field] = Span { start: ends[field] + 1, end: ends[field + 1] };
    }
}

/// A token that may stand between quotes.
struct Quoted {
    /// 1 if it does, 0 if it is a bare `-`.
    quotes: u32,
    /// Not ordinary in a referer or user agent: the opening quote then looks like a closing one.
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

    /// Leaves the quotes out.
    #[inline(always)]
    fn trim(&self, span: &mut Span) {
        span.start += self.quotes;
        span.end -= self.quotes;
    }
}
