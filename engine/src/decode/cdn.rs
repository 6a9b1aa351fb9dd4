//! Locating the fields of CDN records, and the columns of table `cdn`.

use super::block::Part;
use super::columns::Build;
use super::content::Content;
use super::counts::Counts;
use super::lines::NoRecord;
use super::rows::FieldRows;
use super::span::Span;
use crate::error::Error;
use crate::schema::CdnColumn;
use arrow::array::{ArrayRef, Float64Array, Int64Array};
use s3log_parser::cdn::{Field, FieldSet, Header, Kind, Parser, Record, value};
use s3log_parser::{Lines, value::number};
use std::sync::Arc;

/// Located CDN records. Fields that are `-` or empty are absent.
pub(super) type CdnRows = FieldRows<Field>;

/// The span of a field in a text in which the record's line begins at `line_start`.
pub(super) fn span_of(record: &Record<'_>, field: Field, line_start: usize) -> Span {
    let line: &[u8] = record.line();
    let range = record.range(field).filter(|range| !matches!(&line[range.clone()], b"" | b"-"));
    range.map_or(Span::ABSENT, |range| Span {
        start: (line_start + range.start) as u32,
        end: (line_start + range.end) as u32,
    })
}

/// The wanted fields of CDN records.
#[derive(Clone, Debug)]
pub(super) struct CdnFields {
    pub(super) spans: Vec<Field>,
    pub(super) time: bool,
}

impl CdnFields {
    pub(super) fn new(wanted: FieldSet) -> Self {
        let spans = wanted.iter().filter(|field| *field != Field::Time).collect();
        Self { spans, time: wanted.contains(Field::Time) }
    }
}

/// Locates the fields of CDN records.
#[derive(Debug)]
pub(super) struct CdnLocated {
    parser: Parser,
    wanted: CdnFields,
    /// For logs without a header.
    header: Option<Arc<Header>>,
    pub(super) rows: CdnRows,
}

impl CdnLocated {
    pub(super) fn new(wanted: FieldSet, header: Option<Arc<Header>>) -> Self {
        Self { parser: Parser::with_fields(wanted), wanted: CdnFields::new(wanted), header, rows: CdnRows::default() }
    }

    /// Parses the lines of a part of a block and adds their records.
    pub(super) fn locate(&mut self, part: &Part, bytes: &[u8], max_line: usize, counts: &mut Counts) {
        let header = match part.content() {
            Content::Cdn(Some(header)) => Some(header),
            _ => self.header.as_ref(),
        };
        let rows = &mut self.rows;
        let before = rows.rows;
        let mut record = Record::default();
        let mut lines = Lines::of_part(bytes);
        while let Some((line, parsed)) = self.parser.parse_next(&mut lines, header.map(Arc::as_ref), &mut record) {
            if parsed.is_err() || line.bytes.len() > max_line {
                NoRecord::of(line, max_line, true).count(counts);
                continue;
            }
            rows.rows += 1;
            let first = part.start() + line.offset;
            for field in &self.wanted.spans {
                rows.push_span(*field, span_of(&record, *field, first));
            }
            if self.wanted.time {
                rows.times.push(record.time_micros().unwrap_or_default());
            }
        }
        rows.part_ends.push(rows.rows as u32);
        counts.rows += (rows.rows - before) as u64;
    }
}

/// The fields that a column needs.
pub(super) fn needs(column: CdnColumn) -> FieldSet {
    match column {
        CdnColumn::Field(field) => FieldSet::of(field),
        CdnColumn::LogObject => FieldSet::EMPTY,
    }
}

/// Builds a column of `cdn`.
pub(super) fn array(
    build: &Build<'_>,
    located: &CdnRows,
    column: CdnColumn,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
) -> Result<ArrayRef, Error> {
    let field = match column {
        CdnColumn::Field(field) => field,
        CdnColumn::LogObject => return Ok(build.names(&located.part_ends, rows)),
    };
    let spans = located.spans(field);
    Ok(match field.info().kind {
        Kind::Text => build.texts(rows.map(|row| spans[row]))?,
        Kind::Time => build.times(rows.map(|row| located.times[row])),
        Kind::Status | Kind::Integer => {
            let values = rows.map(|row| spans[row].text(build.bytes).and_then(number::parse));
            Arc::new(values.collect::<Int64Array>())
        }
        Kind::Seconds => {
            let values = rows.map(|row| spans[row].text(build.bytes).and_then(value::seconds));
            Arc::new(values.collect::<Float64Array>())
        }
    })
}
