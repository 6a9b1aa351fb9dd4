//! Decodes lines that are not records into batches of table `rejects`.

use super::block::{Block, Part, kept_of_long_line};
use super::content::Content;
use super::counts::Counts;
use super::lines::{LineReader, Outcome, Why};
use super::options::LineOptions;
use super::records::batch;
use super::text::{self, Text, TextBuilder};
use crate::error::Error;
use crate::schema::{RejectsColumn, Table, TextLayout};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use s3log_parser::{FieldSet, Line};
use std::fmt::Write as _;
use std::sync::Arc;

/// Decodes blocks of lines into record batches with some columns of table `rejects`.
///
/// ```
/// use s3log_engine::decode::{Block, RejectsDecoder};
/// use s3log_engine::schema::TextLayout;
///
/// let mut decoder = RejectsDecoder::new(&[1, 3], TextLayout::Views);
/// let batch = decoder.decode(&Block::new("log", bytes::Bytes::from_static(b"\nno record\n")))?;
/// assert_eq!(batch.num_rows(), 1);
/// assert_eq!(decoder.counts().blank_lines, 1);
/// # Ok::<(), s3log_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct RejectsDecoder {
    columns: Vec<RejectsColumn>,
    schema: SchemaRef,
    layout: TextLayout,
    copies_text: bool,
    /// If set, rejects of logs of which this table has no records are left out.
    of_table: Option<Table>,
    options: LineOptions,
    reader: LineReader,
    counts: Counts,
}

/// A line that is not a record.
struct Reject<'a> {
    line: Line<'a>,
    /// Index of its part in the block.
    part: usize,
    /// Line number in the object.
    number: u64,
    reason: std::ops::Range<usize>,
}

impl RejectsDecoder {
    /// Creates a decoder for columns of `rejects`, given by their positions; batches have them in table order.
    #[must_use]
    pub fn new(columns: &[usize], layout: TextLayout) -> Self {
        let all = Table::Rejects.schema(layout);
        let wanted = |position: &usize| columns.contains(position);
        let positions: Vec<_> = (0..RejectsColumn::ALL.len()).filter(wanted).collect();
        let fields: Vec<_> = positions.iter().map(|position| Arc::clone(&all.fields()[*position])).collect();
        Self {
            columns: positions.iter().map(|position| RejectsColumn::ALL[*position]).collect(),
            schema: Arc::new(Schema::new(fields)),
            layout,
            copies_text: false,
            of_table: None,
            options: LineOptions::default(),
            reader: LineReader::new(FieldSet::EMPTY, &LineOptions::default()),
            counts: Counts::default(),
        }
    }

    /// Sets the maximum line length in bytes; longer lines are rejects.
    #[must_use]
    pub fn with_max_line(self, max_line: usize) -> Self {
        let options = self.options.clone().with_max_line(max_line);
        self.with_options(&options)
    }

    /// Sets the options for parsing lines.
    #[must_use]
    pub fn with_options(mut self, options: &LineOptions) -> Self {
        self.options = options.clone();
        self.reader = LineReader::new(FieldSet::EMPTY, options);
        self
    }

    /// Leaves out rejects of logs of which `table` has no records, as [`RecordsDecoder`](super::RecordsDecoder) does
    /// not count them either.
    #[must_use]
    pub fn for_table(mut self, table: Table) -> Self {
        self.of_table = Some(table);
        self
    }

    /// Whether to copy lines out of their blocks, for callers that retain many batches.
    #[must_use]
    pub fn with_copied_text(mut self, copies_text: bool) -> Self {
        self.copies_text = copies_text;
        self
    }

    /// The schema of the batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Counts of the lines decoded so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Decodes the rejects of a block.
    ///
    /// # Errors
    ///
    /// Fails only if Arrow rejects the arrays.
    pub fn decode(&mut self, block: &Block) -> Result<RecordBatch, Error> {
        block.check_size()?;
        let mut reasons = String::new();
        let rejects = self.rejects(block, &mut reasons);
        let arrays = self.columns.iter().map(|column| self.array(*column, block, &rejects, &reasons));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        Ok(batch(Arc::clone(&self.schema), arrays, rejects.len())?)
    }

    fn rejects<'a>(&mut self, block: &'a Block, reasons: &mut String) -> Vec<Reject<'a>> {
        let mut reason = |why: Why| {
            let start = reasons.len();
            // Writing into a `String` cannot fail.
            let _ = write!(reasons, "{why}");
            start..reasons.len()
        };
        let max_line = self.reader.max_line();
        let of_table = self.of_table;
        let is_of_others = |part: &Part| {
            let content = part.content();
            matches!((content, of_table), (Content::S3, Some(Table::Cdn)) | (Content::Cdn(_), Some(Table::Logs)))
        };
        if block.too_long().is_some() {
            if block.parts().first().is_some_and(is_of_others) {
                return Vec::new();
            }
            self.counts.rejects += 1;
            let line = Line { bytes: block.bytes(), offset: 0, number: 1 };
            let number = block.parts().first().map_or(1, Part::line_number);
            return vec![Reject { line, part: 0, number, reason: reason(Why::TooLong(max_line)) }];
        }
        let mut rejects = Vec::new();
        let counts = &mut self.counts;
        for (at, (part, bytes)) in block.part_bytes().enumerate() {
            if is_of_others(part) {
                continue;
            }
            self.reader.each(part, bytes, |line, outcome| match outcome {
                Outcome::Origin(_) | Outcome::Cdn { .. } | Outcome::Json { .. } => counts.rows += 1,
                Outcome::Header => counts.headers += 1,
                Outcome::Blank => counts.blank_lines += 1,
                Outcome::Reject(why) => {
                    let kept = match why {
                        Why::TooLong(_) => &line.bytes[..kept_of_long_line(max_line)],
                        _ => line.bytes,
                    };
                    let number = part.line_number() + line.number as u64 - 1;
                    let line = Line { bytes: kept, offset: part.start() + line.offset, ..line };
                    rejects.push(Reject { line, part: at, number, reason: reason(why) });
                }
            });
        }
        counts.rejects += rejects.len() as u64;
        rejects
    }

    fn array(
        &self,
        column: RejectsColumn,
        block: &Block,
        rejects: &[Reject<'_>],
        reasons: &str,
    ) -> Result<ArrayRef, Error> {
        let integers = |value: &dyn Fn(&Reject<'_>) -> u64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rejects.iter().map(|reject| value(reject) as i64)))
        };
        Ok(match column {
            RejectsColumn::LogObject => {
                text::names_of_parts(self.layout, block, rejects.iter().map(|reject| reject.part))
            }
            RejectsColumn::LineNumber => integers(&|reject| reject.number),
            RejectsColumn::ByteOffset => integers(&|reject| {
                let part = &block.parts()[reject.part];
                part.offset() + (reject.line.offset - part.start()) as u64
            }),
            RejectsColumn::Reason => {
                let mut builder = TextBuilder::new(self.layout, rejects.len(), false);
                for reject in rejects {
                    builder.push(Text::Made(&reasons.as_bytes()[reject.reason.clone()]));
                }
                builder.finish(block.buffer())?
            }
            RejectsColumn::Line => {
                let builder = TextBuilder::new(self.layout, rejects.len(), false);
                let mut builder = if self.copies_text { builder.copying() } else { builder };
                for reject in rejects {
                    builder.push(Text::Borrowed(reject.line.bytes, reject.line.offset as u32));
                }
                builder.finish(block.buffer())?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3log_parser::Dialect;

    #[test]
    fn options_are_set_one_by_one() {
        let options = LineOptions::default().with_dialect(Dialect::CephJournal);
        let decoder = RejectsDecoder::new(&[0], TextLayout::Views).with_options(&options).with_max_line(99);
        assert_eq!((decoder.options.dialect(), decoder.options.max_line()), (Dialect::CephJournal, 99));
    }
}
