//! Locates the wanted fields of S3 records.

use super::block::Part;
use super::content::Content;
use super::counts::Counts;
use super::lines::NoRecord;
use super::requests::Uri;
use super::rows::FieldRows;
use super::span::Span;
use s3log_parser::{Dialect, Field, FieldSet, Lines, Parser, Record};
use std::cell::OnceCell;

/// Located S3 records. Reused for the next block.
#[derive(Debug, Default)]
pub(super) struct OriginRows {
    pub(super) fields: FieldRows<Field>,
    pub(super) ambiguous: Vec<bool>,
    /// Extra fields of all records, concatenated, and the end of each record's fields among them.
    pub(super) extras: Vec<Span>,
    pub(super) extra_ends: Vec<u32>,
    /// Parsed request-URIs, filled on first use. `None` if few of their parts are wanted.
    uris: Option<OnceCell<Vec<Uri>>>,
}

impl OriginRows {
    pub(super) fn spans(&self, field: Field) -> &[Span] {
        self.fields.spans(field)
    }

    /// Enables sharing of parsed request-URIs, if most of their parts are wanted.
    pub(super) fn sharing_uris(mut self, shares: bool) -> Self {
        self.uris = shares.then(OnceCell::new);
        self
    }

    /// All request-URIs parsed, if sharing is enabled. `bytes` is what the spans point into.
    pub(super) fn uris(&self, bytes: &[u8]) -> Option<&[Uri]> {
        let uris = || self.spans(Field::RequestUri).iter().map(|uri| Uri::of(*uri, bytes)).collect();
        self.uris.as_ref().map(|known| known.get_or_init(uris).as_slice())
    }

    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.ambiguous.clear();
        self.extras.clear();
        self.extra_ends.clear();
        self.uris.as_mut().and_then(OnceCell::take);
    }
}

/// The wanted fields of S3 records.
#[derive(Clone, Debug)]
pub(super) struct OriginFields {
    /// Text and number fields. The time is decoded while it is validated.
    pub(super) spans: Vec<Field>,
    pub(super) time: bool,
    pub(super) ambiguous: bool,
    pub(super) extra: bool,
}

impl OriginFields {
    pub(super) fn new(wanted: FieldSet) -> Self {
        Self {
            spans: wanted.iter().filter(|field| *field != Field::Time).collect(),
            time: wanted.contains(Field::Time),
            ambiguous: wanted.contains_all(FieldSet::AMBIGUOUS),
            extra: wanted.contains_all(FieldSet::EXTRA_FIELDS),
        }
    }

    /// Whether records are only counted.
    fn is_empty(&self) -> bool {
        self.spans.is_empty() && !(self.time || self.ambiguous || self.extra)
    }
}

/// Locates the fields of S3 records.
#[derive(Debug)]
pub(super) struct Located {
    parser: Parser,
    wanted: OriginFields,
    pub(super) rows: OriginRows,
}

impl Located {
    pub(super) fn new(wanted: FieldSet, dialect: Dialect) -> Self {
        Self {
            parser: Parser::with_fields(wanted).with_dialect(dialect),
            wanted: OriginFields::new(wanted),
            rows: OriginRows::default(),
        }
    }

    /// Enables sharing of parsed request-URIs, if most of their parts are wanted.
    pub(super) fn sharing_uris(self, shares: bool) -> Self {
        Self { rows: self.rows.sharing_uris(shares), ..self }
    }

    /// Parses the lines of consecutive parts of the same kind, and adds their records.
    pub(super) fn locate(&mut self, parts: &[Part], bytes: &[u8], max_line: usize, counts: &mut Counts) {
        let OriginRows { fields, ambiguous, extras, extra_ends, .. } = &mut self.rows;
        let before = (fields.rows, fields.part_ends.len());
        let first = parts.first().map_or(0, Part::start);
        let is_undecided = parts.first().is_some_and(|part| *part.content() == Content::Undecided);
        let mut ends = parts.iter().skip(1).map(|part| part.start() - first).peekable();
        let mut record = Record::default();
        let mut lines = Lines::of_part(bytes);
        // No field is wanted, and all records belong to the same part: counting is enough.
        let only_counts = self.wanted.is_empty() && parts.len() == 1;
        loop {
            let next = if only_counts {
                let (passed, other) = self.parser.skip_ordinary(&mut lines, &mut record, max_line);
                fields.rows += passed;
                other
            } else {
                self.parser.parse_next(&mut lines, &mut record)
            };
            let Some((line, parsed)) = next else { break };
            while ends.next_if(|end| *end <= line.offset).is_some() {
                fields.part_ends.push(fields.rows as u32);
            }
            // A record is never blank, so only failed lines need the check.
            if parsed.is_err() || line.bytes.len() > max_line {
                NoRecord::of(line, max_line, is_undecided).count(counts);
                continue;
            }
            fields.rows += 1;
            let at = |start: usize| (first + line.offset + start) as u32;
            for field in &self.wanted.spans {
                let span = record
                    .range(*field)
                    .map_or(Span::ABSENT, |range| Span { start: at(range.start), end: at(range.end) });
                fields.push_span(*field, span);
            }
            if self.wanted.time {
                fields.times.push(record.time_seconds().unwrap_or_default() * 1_000_000);
            }
            if self.wanted.ambiguous {
                ambiguous.push(record.is_ambiguous());
            }
            if self.wanted.extra {
                let start = line.bytes.as_ptr() as usize;
                extras.extend(record.extra_fields().map(|text| {
                    let within = text.as_ptr() as usize - start;
                    Span { start: at(within), end: at(within + text.len()) }
                }));
                extra_ends.push(extras.len() as u32);
            }
        }
        fields.end_parts(before.1 + parts.len());
        counts.rows += (fields.rows - before.0) as u64;
    }
}
