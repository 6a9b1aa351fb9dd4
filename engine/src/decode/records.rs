//! Records into record batches of the table `logs`.

use super::block::{Block, MAX_LINE};
use super::located::{Counts, Located, Span};
use super::text::{self, Text, TextBuilder};
use crate::error::Error;
use crate::schema::{LogsColumn, Table, TextLayout, UTC};
use arrow::array::NullBufferBuilder;
use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field as ArrowField, SchemaRef};
use arrow::error::ArrowError;
use s3log_parser::value::{key, number};
use s3log_parser::{Field, FieldSet, Kind};
use std::borrow::Cow;
use std::sync::Arc;

/// Which of the located records a column is built of, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// The numbers of the records, in order; or all.
    pub(crate) selected: Option<&'a [u32]>,
    /// Whether texts are copied, so that the block can be let go.
    pub(crate) compact: bool,
}

/// Up to this many columns of text each field is validated by itself; beyond, the whole block is.
const VALIDATED_ALONE: usize = 4;

/// Decodes blocks of lines into record batches of the table `logs`, for some of its columns.
///
/// Text columns are views into the block (see [`TextLayout`]); nothing is decoded that was not asked for. Lines that are
/// no records are counted, and left to [`RejectsDecoder`](super::RejectsDecoder).
///
/// ```
/// use s3log_engine::decode::{Block, LogsDecoder};
///
/// let log = "a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"curl/8.4.0\" -\n";
/// let mut decoder = LogsDecoder::for_columns(&["remote_ip", "bytes_sent"])?;
/// let batch = decoder.decode(&Block::new("log", bytes::Bytes::from_static(log.as_bytes())))?;
/// assert_eq!((batch.num_rows(), batch.num_columns()), (1, 2));
/// assert_eq!(decoder.counts().rejects, 0);
/// # Ok::<(), s3log_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct LogsDecoder {
    columns: Vec<LogsColumn>,
    schema: SchemaRef,
    layout: TextLayout,
    max_line: usize,
    /// Whether `object_key` is NULL where it is the same as `key`.
    omits_equal_keys: bool,
    /// Whether texts are copied out of the block.
    copies_text: bool,
    text_columns: usize,
    located: Located,
    block_is_utf8: bool,
    counts: Counts,
}

impl LogsDecoder {
    /// A decoder for these columns of `logs`, in the order of the table, by their positions.
    #[must_use]
    pub fn new(columns: &[usize], layout: TextLayout) -> Self {
        let mut positions = columns.to_vec();
        positions.sort_unstable();
        positions.dedup();
        let columns: Vec<_> = positions.iter().filter_map(|position| LogsColumn::at(*position)).collect();
        let all = Table::Logs.schema(layout);
        let fields: Vec<_> =
            positions.iter().filter_map(|position| all.fields().get(*position)).map(Arc::clone).collect();
        let wanted = columns.iter().fold(FieldSet::EMPTY, |wanted, column| wanted | column.needs());
        let is_text = |column: &&LogsColumn| match column {
            LogsColumn::Field(field) => field.info().kind == Kind::Text,
            LogsColumn::ExtraFields | LogsColumn::ObjectKey => true,
            LogsColumn::Ambiguous | LogsColumn::LogObject => false,
        };
        Self {
            text_columns: columns.iter().filter(is_text).count(),
            columns,
            schema: Arc::new(arrow::datatypes::Schema::new(fields)),
            layout,
            max_line: MAX_LINE,
            omits_equal_keys: false,
            copies_text: false,
            located: Located::new(wanted),
            block_is_utf8: false,
            counts: Counts::default(),
        }
    }

    /// A decoder for the columns of these names, in the order of the table.
    ///
    /// # Errors
    ///
    /// Names a column that `logs` does not have.
    pub fn for_columns(names: &[&str]) -> Result<Self, Error> {
        let schema = Table::Logs.schema(TextLayout::Views);
        let positions = names.iter().map(|name| {
            schema.index_of(name).map_err(|_| Error::invalid(format!("table `logs` has no column `{name}`")))
        });
        Ok(Self::new(&positions.collect::<Result<Vec<_>, _>>()?, TextLayout::Views))
    }

    /// Lines beyond this many bytes are rejects.
    #[must_use]
    pub fn with_max_line(mut self, max_line: usize) -> Self {
        self.max_line = max_line;
        self
    }

    /// `object_key` is NULL where it is the same as `key`, as it mostly is: for what is stored and would hold it twice.
    #[must_use]
    pub fn without_equal_object_keys(mut self) -> Self {
        self.omits_equal_keys = true;
        self
    }

    /// Texts of more than a few bytes are copied, column by column, while the block is in the core's cache: for whoever goes through
    /// the columns one by one later on, or holds on to the batches, since a view keeps its whole block.
    #[must_use]
    pub fn with_copied_text(mut self, copies_text: bool) -> Self {
        self.copies_text = copies_text;
        self
    }

    /// The schema of its batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What was read so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The records of a block.
    ///
    /// # Errors
    ///
    /// Only what Arrow reports of arrays that do not fit together.
    pub fn decode(&mut self, block: &Block) -> Result<RecordBatch, Error> {
        let rows = self.locate(block);
        let every: Vec<usize> = (0..self.columns.len()).collect();
        let arrays = self.arrays(block, &every, Rows { selected: None, compact: self.copies_text })?;
        Ok(batch(Arc::clone(&self.schema), arrays, rows)?)
    }

    /// Finds the records of a block, which [`LogsDecoder::arrays`] then decodes; gives their number.
    pub(crate) fn locate(&mut self, block: &Block) -> usize {
        self.counts += self.located.locate(block, self.max_line);
        self.block_is_utf8 = self.text_columns > VALIDATED_ALONE && simdutf8::basic::from_utf8(block.bytes()).is_ok();
        self.located.rows
    }

    /// Some columns of the records that were located, by position among the decoder's columns.
    pub(crate) fn arrays(&self, block: &Block, columns: &[usize], rows: Rows<'_>) -> Result<Vec<ArrayRef>, Error> {
        let one = |position: &usize| match rows.selected {
            None => self.array(block, self.columns[*position], 0..self.located.rows, rows.compact),
            Some(selected) => {
                let numbers = selected.iter().map(|row| *row as usize);
                self.array(block, self.columns[*position], numbers, rows.compact)
            }
        };
        columns.iter().map(one).collect()
    }

    fn array(
        &self,
        block: &Block,
        column: LogsColumn,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
        compact: bool,
    ) -> Result<ArrayRef, Error> {
        let bytes = block.bytes();
        let located = &self.located;
        let text_builder = |rows: usize| {
            let builder = TextBuilder::new(self.layout, rows, self.block_is_utf8);
            if compact { builder.compact() } else { builder }
        };
        Ok(match column {
            LogsColumn::Field(field) => match field.info().kind {
                Kind::Text => {
                    let spans = located.spans(field);
                    let views = (self.layout == TextLayout::Views)
                        .then(|| {
                            let spans = rows.clone().map(|row| spans[row]);
                            match compact {
                                false => text::views_of_spans(spans, block.buffer(), self.block_is_utf8),
                                true => text::copies_of_spans(spans, block.buffer(), self.block_is_utf8),
                            }
                        })
                        .flatten();
                    match views {
                        Some(views) => views,
                        None => {
                            let mut builder = text_builder(rows.len());
                            for row in rows {
                                builder.push(borrowed(spans[row], bytes));
                            }
                            builder.finish(block.buffer())?
                        }
                    }
                }
                Kind::Time => {
                    let micros = rows.map(|row| located.times[row] * 1_000_000);
                    let values: ScalarBuffer<i64> = micros.collect();
                    Arc::new(TimestampMicrosecondArray::new(values, None).with_timezone(UTC))
                }
                Kind::Status => {
                    let spans = located.spans(field);
                    let values = rows.map(|row| spans[row].text(bytes).and_then(number::status).map(i32::from));
                    Arc::new(Int32Array::from_iter(values))
                }
                Kind::Integer => Arc::new(integers(located.spans(field), bytes, rows)),
                Kind::YesNo => {
                    let spans = located.spans(field);
                    let values = rows.map(|row| spans[row].text(bytes).map(|_| true));
                    Arc::new(BooleanArray::from_iter(values))
                }
            },
            LogsColumn::ExtraFields => self.extra_fields(block, rows, text_builder(0))?,
            LogsColumn::Ambiguous => {
                let values: BooleanBuffer = rows.map(|row| located.ambiguous[row]).collect();
                Arc::new(BooleanArray::new(values, None))
            }
            LogsColumn::ObjectKey => {
                let (keys, operations) = (located.spans(Field::Key), located.spans(Field::Operation));
                let mut builder = text_builder(rows.len());
                for row in rows {
                    let Some(text) = keys[row].text(bytes) else {
                        builder.push(Text::Null);
                        continue;
                    };
                    match key::object_key(text, operations[row].text(bytes).unwrap_or_default()) {
                        // What has a `%` may stay as it is, too.
                        decoded if self.omits_equal_keys && *decoded == text => builder.push(Text::Null),
                        Cow::Borrowed(key) => builder.push(Text::Borrowed(key, keys[row].start)),
                        Cow::Owned(key) => builder.push(Text::Made(&key)),
                    }
                }
                builder.finish(block.buffer())?
            }
            LogsColumn::LogObject => {
                let mut part = 0;
                let part_of = rows.map(|row| {
                    while located.part_ends[part] as usize <= row {
                        part += 1;
                    }
                    part
                });
                text::names_of_parts(self.layout, block, part_of)
            }
        })
    }

    fn extra_fields(
        &self,
        block: &Block,
        rows: impl ExactSizeIterator<Item = usize>,
        mut builder: TextBuilder,
    ) -> Result<ArrayRef, Error> {
        let Located { extras, extra_ends, .. } = &self.located;
        let mut nulls = NullBufferBuilder::new(rows.len());
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0);
        let mut items = 0_i32;
        for row in rows {
            let start = if row == 0 { 0 } else { extra_ends[row - 1] as usize };
            let of_row = &extras[start..extra_ends[row] as usize];
            nulls.append(!of_row.is_empty());
            for span in of_row {
                let text = &block.bytes()[span.start as usize..span.end as usize];
                builder.push(Text::Borrowed(text, span.start));
                items += 1;
            }
            offsets.push(items);
        }
        let item = Arc::new(ArrowField::new_list_field(self.layout.data_type(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(item, offsets, builder.finish(block.buffer())?, nulls.finish())?))
    }
}

#[inline]
fn borrowed(span: Span, bytes: &[u8]) -> Text<'_> {
    span.text(bytes).map_or(Text::Null, |text| Text::Borrowed(text, span.start))
}

fn integers(spans: &[Span], bytes: &[u8], mut rows: impl ExactSizeIterator<Item = usize>) -> Int64Array {
    let count = rows.len();
    let mut values = Vec::with_capacity(count);
    let valid = BooleanBuffer::collect_bool(count, |_| {
        let value = rows.next().and_then(|row| spans[row].text(bytes)).and_then(number::parse);
        values.push(value.unwrap_or_default());
        value.is_some()
    });
    let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
    Int64Array::new(ScalarBuffer::from(values), nulls)
}

/// A batch of these columns; with none, of rows that hold nothing.
pub(crate) fn batch(schema: SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    debug_assert!(arrays.iter().zip(schema.fields()).all(|(array, field)| array.data_type() == field.data_type()));
    RecordBatch::try_new_with_options(schema, arrays, &RecordBatchOptions::new().with_row_count(Some(rows)))
}
