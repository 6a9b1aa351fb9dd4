//! Where the wanted fields of a block's records stand: the step between parsing and arrays.
//!
//! Positions are kept by field, not by record, so that each column is then built in one tight loop, and only for the
//! rows that a filter left.

use super::block::{Block, Part};
use s3log_parser::{Field, FieldSet, Lines, Parser, Record};

/// Where a text stands in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// A field that the record does not have.
    pub(super) const ABSENT: Self = Self { start: u32::MAX, end: u32::MAX };

    /// The text, unless the field is absent or `-`.
    #[inline]
    pub(super) fn text(self, bytes: &[u8]) -> Option<&[u8]> {
        if self == Self::ABSENT {
            return None;
        }
        let text = &bytes[self.start as usize..self.end as usize];
        (text != b"-").then_some(text)
    }
}

/// What was read so far. Every line is a row, a reject or blank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that are records.
    pub rows: u64,
    /// Lines that are no records.
    pub rejects: u64,
    /// Lines of nothing but spaces, tabs and carriage returns.
    pub blank_lines: u64,
}

impl Counts {
    /// Lines that are not blank.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.rows + self.rejects
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.rejects += other.rejects;
        self.blank_lines += other.blank_lines;
    }
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            rows: self.rows - before.rows,
            rejects: self.rejects - before.rejects,
            blank_lines: self.blank_lines - before.blank_lines,
        }
    }
}

/// The records of one block; used again for the next.
#[derive(Debug)]
pub(super) struct Located {
    parser: Parser,
    /// The wanted fields of text and numbers; a time is decoded while it is checked.
    fields: Vec<Field>,
    wanted: FieldSet,
    pub(super) rows: usize,
    spans: [Vec<Span>; Field::COUNT],
    pub(super) times: Vec<i64>,
    pub(super) ambiguous: Vec<bool>,
    /// Extra fields of all records in a row, and where those of each record end.
    pub(super) extras: Vec<Span>,
    pub(super) extra_ends: Vec<u32>,
    /// How many rows there are up to the end of each part of the block.
    pub(super) part_ends: Vec<u32>,
}

impl Located {
    pub(super) fn new(wanted: FieldSet) -> Self {
        Self {
            parser: Parser::with_fields(wanted),
            fields: wanted.iter().filter(|field| *field != Field::Time).collect(),
            wanted,
            rows: 0,
            spans: std::array::from_fn(|_| Vec::new()),
            times: Vec::new(),
            ambiguous: Vec::new(),
            extras: Vec::new(),
            extra_ends: Vec::new(),
            part_ends: Vec::new(),
        }
    }

    /// Parses a block; what was known of the block before is forgotten.
    pub(super) fn locate(&mut self, block: &Block, max_line: usize) -> Counts {
        self.clear();
        let mut counts = Counts::default();
        if block.too_long().is_some() {
            counts.rejects = 1;
            return counts;
        }
        let wants_time = self.wanted.contains(Field::Time);
        let wants_ambiguous = self.wanted.contains_all(FieldSet::AMBIGUOUS);
        let wants_extra = self.wanted.contains_all(FieldSet::EXTRA_FIELDS);
        let bytes = block.bytes();
        let mut parts = block.parts().iter().skip(1).map(Part::start).peekable();
        let mut record = Record::default();
        let mut lines = Lines::of_part(bytes);
        while let Some((line, parsed)) = self.parser.parse_next(&mut lines, &mut record) {
            while parts.next_if(|start| *start <= line.offset).is_some() {
                self.part_ends.push(counts.rows as u32);
            }
            // A record is never blank, so only what fails is asked.
            if parsed.is_err() || line.bytes.len() > max_line {
                if line.is_blank() {
                    counts.blank_lines += 1;
                } else {
                    counts.rejects += 1;
                }
                continue;
            }
            counts.rows += 1;
            let at = |start: usize| (line.offset + start) as u32;
            for field in &self.fields {
                let span = record
                    .range(*field)
                    .map_or(Span::ABSENT, |range| Span { start: at(range.start), end: at(range.end) });
                self.spans[field.index()].push(span);
            }
            if wants_time {
                self.times.push(record.time().unwrap_or_default());
            }
            if wants_ambiguous {
                self.ambiguous.push(record.is_ambiguous());
            }
            if wants_extra {
                let start = line.bytes.as_ptr() as usize;
                self.extras.extend(record.extra_fields().map(|text| {
                    let within = text.as_ptr() as usize - start;
                    Span { start: at(within), end: at(within + text.len()) }
                }));
                self.extra_ends.push(self.extras.len() as u32);
            }
        }
        self.part_ends.resize(block.parts().len(), counts.rows as u32);
        self.rows = counts.rows as usize;
        counts
    }

    pub(super) fn spans(&self, field: Field) -> &[Span] {
        &self.spans[field.index()]
    }

    fn clear(&mut self) {
        self.rows = 0;
        for field in &self.fields {
            self.spans[field.index()].clear();
        }
        self.times.clear();
        self.ambiguous.clear();
        self.extras.clear();
        self.extra_ends.clear();
        self.part_ends.clear();
    }
}
