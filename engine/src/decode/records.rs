//! Decodes records into batches of the tables `logs`, `cdn` and `requests`.

use super::block::{Block, Part};
use super::cdn::{self, CdnFields, CdnLocated, CdnRows};
use super::columns::Build;
use super::content::Content;
use super::counts::Counts;
use super::json::{JsonLine, JsonReader};
use super::located::{Located, OriginFields, OriginRows};
use super::options::LineOptions;
use super::origin;
use super::requests;
use crate::error::Error;
use crate::schema::{CdnColumn, LogsColumn, RequestsColumn, Table, TextLayout};
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::buffer::Buffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use s3log_parser::{FieldSet, Lines, cdn as cdn_fields};
use std::ops::Range;
use std::sync::Arc;

/// Which located records a column is built from, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// Record numbers in ascending order; `None` for all.
    pub(crate) selected: Option<&'a [u32]>,
    /// Whether text is copied, so that the block can be released.
    pub(crate) copies_text: bool,
}

/// Up to this number of text columns, each field is validated as UTF-8 separately; beyond it, the whole block is.
const VALIDATED_ALONE: usize = 4;

/// From this number of columns derived from request-URIs on, URIs are parsed once for all of them.
const SHARED_URIS: usize = 3;

/// Decodes blocks of lines into record batches with some columns of one of the tables `logs`, `cdn` and `requests`.
///
/// Text columns are views into the block (see [`TextLayout`]), and only the requested columns are decoded. Lines that
/// are not records are counted and left to [`RejectsDecoder`](super::RejectsDecoder); lines of logs of another kind are
/// only counted.
///
/// ```
/// use s3log_engine::decode::{Block, RecordsDecoder};
/// use s3log_engine::schema::Table;
///
/// let log = "a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"curl/8.4.0\" -\n";
/// let mut decoder = RecordsDecoder::for_columns(Table::Logs, &["remote_ip", "bytes_sent"])?;
/// let batch = decoder.decode(&Block::new("log", bytes::Bytes::from_static(log.as_bytes())))?;
/// assert_eq!((batch.num_rows(), batch.num_columns()), (1, 2));
/// assert_eq!(decoder.counts().rejects, 0);
/// # Ok::<(), s3log_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordsDecoder {
    columns: Vec<Column>,
    schema: SchemaRef,
    layout: TextLayout,
    options: LineOptions,
    omits_equal_keys: bool,
    /// Whether text is copied out of the block.
    copies_text: bool,
    text_columns: usize,
    wanted: Wanted<FieldSet, cdn_fields::FieldSet>,
    origin: Option<Located>,
    cdn: Option<CdnLocated>,
    json: Option<Json>,
    block_is_utf8: bool,
    counts: Counts,
}

/// The wanted fields of each kind of records; `None` if the table has none of the kind.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted<S, C> {
    s3: Option<S>,
    cdn: Option<C>,
}

/// Records of one kind, in the order of their rows in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    S3,
    Cdn,
    JsonS3,
    JsonCdn,
}

impl Segment {
    const ALL: [Self; 4] = [Self::S3, Self::Cdn, Self::JsonS3, Self::JsonCdn];

    fn is_json(self) -> bool {
        matches!(self, Self::JsonS3 | Self::JsonCdn)
    }
}

#[derive(Clone, Copy, Debug)]
enum Column {
    Logs(LogsColumn),
    Cdn(CdnColumn),
    Requests(RequestsColumn),
}

impl RecordsDecoder {
    /// Creates a decoder for columns of a table of records, given by their positions; batches have them in table order.
    /// For [`Table::Rejects`] use [`RejectsDecoder`](super::RejectsDecoder).
    #[must_use]
    pub fn new(table: Table, columns: &[usize], layout: TextLayout) -> Self {
        let mut positions = columns.to_vec();
        positions.sort_unstable();
        positions.dedup();
        let all = table.schema(layout);
        let fields: Vec<_> =
            positions.iter().filter_map(|position| all.fields().get(*position)).map(Arc::clone).collect();
        let column = |position: &usize| match table {
            Table::Logs => LogsColumn::at(*position).map(Column::Logs),
            Table::Cdn => CdnColumn::at(*position).map(Column::Cdn),
            Table::Requests => RequestsColumn::ALL.get(*position).copied().map(Column::Requests),
            Table::Rejects => None,
        };
        let is_text = |field: &&Arc<arrow::datatypes::Field>| {
            let made = matches!(field.name().as_str(), "log_object" | "source");
            !made && (*field.data_type() == layout.data_type() || matches!(field.data_type(), DataType::List(_)))
        };
        let wanted = match table {
            Table::Logs => Wanted { s3: Some(FieldSet::EMPTY), cdn: None },
            Table::Cdn => Wanted { s3: None, cdn: Some(cdn_fields::FieldSet::EMPTY) },
            Table::Requests => Wanted { s3: Some(FieldSet::EMPTY), cdn: Some(cdn_fields::FieldSet::EMPTY) },
            Table::Rejects => Wanted::default(),
        };
        let decoder = Self {
            columns: positions.iter().filter_map(column).collect(),
            text_columns: fields.iter().filter(is_text).count(),
            schema: Arc::new(arrow::datatypes::Schema::new(fields)),
            layout,
            options: LineOptions::default(),
            omits_equal_keys: false,
            copies_text: false,
            wanted,
            origin: None,
            cdn: None,
            json: None,
            block_is_utf8: false,
            counts: Counts::default(),
        };
        decoder.prepared()
    }

    /// Creates a decoder for columns of a table, given by name; batches have them in table order.
    ///
    /// # Errors
    ///
    /// Fails if the table has no column of one of the names, and for [`Table::Rejects`], which has a decoder of its own.
    pub fn for_columns(table: Table, names: &[&str]) -> Result<Self, Error> {
        if table == Table::Rejects {
            return Err(Error::invalid("`rejects` is not a table of records").with_hint("use `RejectsDecoder`"));
        }
        let schema = table.schema(TextLayout::Views);
        let positions = names.iter().map(|name| {
            schema
                .index_of(name)
                .map_err(|_| Error::invalid(format!("table `{}` has no column `{name}`", table.name())))
        });
        Ok(Self::new(table, &positions.collect::<Result<Vec<_>, _>>()?, TextLayout::Views))
    }

    /// Derives what must be located from the columns and options.
    fn prepared(mut self) -> Self {
        let rules = &self.options.requests;
        if let Some(wanted) = &mut self.wanted.s3 {
            *wanted = self.columns.iter().fold(FieldSet::EMPTY, |wanted, column| match column {
                Column::Logs(column) => wanted | column.needs(),
                Column::Cdn(_) => wanted,
                Column::Requests(column) => wanted | requests::origin_needs(*column, rules),
            });
        }
        if let Some(wanted) = &mut self.wanted.cdn {
            *wanted = self.columns.iter().fold(cdn_fields::FieldSet::EMPTY, |wanted, column| match column {
                Column::Logs(_) => wanted,
                Column::Cdn(column) => wanted | cdn::needs(*column),
                Column::Requests(column) => wanted | requests::cdn_needs(*column),
            });
        }
        let is_part =
            |column: &&Column| matches!(column, Column::Requests(column) if requests::is_part_of_uri(*column));
        let shares_uris = self.columns.iter().filter(is_part).count() >= SHARED_URIS;
        let located = |wanted| Located::new(wanted, self.options.dialect).sharing_uris(shares_uris);
        self.origin = self.wanted.s3.map(located);
        self.cdn = self.wanted.cdn.map(|wanted| CdnLocated::new(wanted, self.options.cdn_header.clone()));
        self.json = None;
        self
    }

    /// Sets the maximum line length in bytes; longer lines are rejects.
    #[must_use]
    pub fn with_max_line(mut self, max_line: usize) -> Self {
        self.options = self.options.with_max_line(max_line);
        self
    }

    /// Sets the options for parsing lines.
    #[must_use]
    pub fn with_options(mut self, options: &LineOptions) -> Self {
        self.options = options.clone();
        self.prepared()
    }

    /// Makes `object_key` of `logs` NULL if it equals `key`, as it usually does: avoids storing it twice.
    #[must_use]
    pub fn without_equal_object_keys(mut self) -> Self {
        self.omits_equal_keys = true;
        self
    }

    /// Copies text that does not fit in a view, column by column while the block is in the core's cache. For callers
    /// that later process columns one by one, or that retain batches: a view keeps its whole block alive.
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

    /// Decodes the records of a block.
    ///
    /// # Errors
    ///
    /// Fails only if Arrow rejects the arrays.
    pub fn decode(&mut self, block: &Block) -> Result<RecordBatch, Error> {
        block.check_size()?;
        let rows = self.locate(block);
        let every: Vec<usize> = (0..self.columns.len()).collect();
        let arrays = self.arrays(block, &every, Rows { selected: None, copies_text: self.copies_text })?;
        Ok(batch(Arc::clone(&self.schema), arrays, rows)?)
    }

    /// Locates the records of a block for [`RecordsDecoder::arrays`]; returns their number.
    pub(crate) fn locate(&mut self, block: &Block) -> usize {
        self.clear();
        let parts = block.parts();
        if block.too_long().is_some() {
            // As for shorter lines, what is not a record of this table in a log of another kind is not examined.
            let is_of_another = match parts.first().map_or(Kind::Undecided, Kind::of) {
                Kind::S3 => self.origin.is_none(),
                Kind::Cdn => self.cdn.is_none(),
                Kind::Undecided | Kind::Json => false,
            };
            *if is_of_another { &mut self.counts.others } else { &mut self.counts.rejects } += 1;
            return 0;
        }
        let mut at = 0;
        for run in parts.chunk_by(|one, next| Kind::of(one) == Kind::of(next) && Kind::of(one) != Kind::Cdn) {
            let start = parts.get(at).map_or(0, Part::start);
            at += run.len();
            let end = parts.get(at).map_or(block.bytes().len(), Part::start);
            let kind = run.first().map_or(Kind::Undecided, Kind::of);
            self.locate_run(kind, run, &block.bytes()[start..end], at);
        }
        if let Some(json) = &mut self.json {
            json.text = Buffer::from_vec(std::mem::take(&mut json.written));
        }
        self.block_is_utf8 = self.text_columns > VALIDATED_ALONE && simdutf8::basic::from_utf8(block.bytes()).is_ok();
        self.segments().iter().map(|(_, rows)| rows.len()).sum()
    }

    /// Locates the records of consecutive parts of one kind; `end` is the number of parts up to the end of the run.
    fn locate_run(&mut self, kind: Kind, run: &[Part], bytes: &[u8], end: usize) {
        let counts = &mut self.counts;
        match (kind, &mut self.origin, &mut self.cdn) {
            (Kind::Undecided | Kind::S3, Some(origin), _) => origin.locate(run, bytes, self.options.max_line, counts),
            // Lines of undecided format are rejects for every table, unless the dialect accepts them.
            (Kind::Undecided, None, _) => {
                let mut found = Counts::default();
                let mut undecided = Located::new(FieldSet::EMPTY, self.options.dialect);
                undecided.locate(run, bytes, self.options.max_line, &mut found);
                *counts += Counts { rows: 0, others: found.rows, ..found };
            }
            (Kind::Cdn, _, Some(cdn)) => {
                run.iter().for_each(|part| cdn.locate(part, bytes, self.options.max_line, counts))
            }
            (Kind::Json, _, _) => {
                let json = self.json.get_or_insert_with(|| Json::new(self.wanted));
                // Created for this run: account for the parts before it.
                json.origin.fields.end_parts(end - run.len());
                json.cdn.end_parts(end - run.len());
                json.locate(run, bytes, self.options.max_line, counts);
            }
            (Kind::S3, None, _) | (Kind::Cdn, _, None) => count_others(bytes, counts),
        }
        // The other formats have no rows in these parts.
        if let Some(origin) = &mut self.origin {
            origin.rows.fields.end_parts(end);
        }
        if let Some(cdn) = &mut self.cdn {
            cdn.rows.end_parts(end);
        }
        if let Some(json) = &mut self.json {
            json.origin.fields.end_parts(end);
            json.cdn.end_parts(end);
        }
    }

    fn clear(&mut self) {
        if let Some(origin) = &mut self.origin {
            origin.rows.clear();
        }
        if let Some(cdn) = &mut self.cdn {
            cdn.rows.clear();
        }
        if let Some(json) = &mut self.json {
            json.written = Vec::new();
            json.origin.clear();
            json.cdn.clear();
        }
    }

    /// The rows of each segment.
    fn segments(&self) -> [(Segment, Range<usize>); 4] {
        let mut end = 0;
        Segment::ALL.map(|segment| {
            let origin = self.origin_rows(segment).map_or(0, |located| located.fields.rows);
            let len = origin + self.cdn_rows(segment).map_or(0, |located| located.rows);
            end += len;
            (segment, end - len..end)
        })
    }

    /// The S3 records of a segment, if it has such.
    fn origin_rows(&self, segment: Segment) -> Option<&OriginRows> {
        match segment {
            Segment::S3 => self.origin.as_ref().map(|located| &located.rows),
            Segment::JsonS3 => self.json.as_ref().map(|json| &json.origin),
            Segment::Cdn | Segment::JsonCdn => None,
        }
    }

    /// The CDN records of a segment, if it has such.
    fn cdn_rows(&self, segment: Segment) -> Option<&CdnRows> {
        match segment {
            Segment::Cdn => self.cdn.as_ref().map(|located| &located.rows),
            Segment::JsonCdn => self.json.as_ref().map(|json| &json.cdn),
            Segment::S3 | Segment::JsonS3 => None,
        }
    }

    /// Builds some columns of the located records, by position among the decoder's columns.
    pub(crate) fn arrays(&self, block: &Block, columns: &[usize], rows: Rows<'_>) -> Result<Vec<ArrayRef>, Error> {
        let mut filled: Vec<_> = self.segments().into_iter().filter(|(_, range)| !range.is_empty()).collect();
        if filled.len() <= 1 {
            // The common case: all records of a block are of one kind.
            let (segment, range) = filled.pop().unwrap_or((Segment::S3, 0..0));
            return columns.iter().map(|column| self.array(block, (segment, range.len()), *column, rows)).collect();
        }
        let parts = filled.into_iter().map(|(segment, range)| {
            let of_segment = rows.selected.map(|selected| {
                let start = selected.partition_point(|row| (*row as usize) < range.start);
                let end = selected.partition_point(|row| (*row as usize) < range.end);
                selected[start..end].iter().map(|row| row - range.start as u32).collect::<Vec<_>>()
            });
            ((segment, range.len()), of_segment)
        });
        let parts: Vec<_> = parts.collect();
        let column = |column: &usize| {
            let arrays = parts.iter().map(|(segment, selected)| {
                self.array(block, *segment, *column, Rows { selected: selected.as_deref(), ..rows })
            });
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            Ok(concat(&arrays)?)
        };
        columns.iter().map(column).collect()
    }

    /// Builds a column for the rows of one segment, which has this many.
    fn array(
        &self,
        block: &Block,
        (segment, len): (Segment, usize),
        column: usize,
        rows: Rows<'_>,
    ) -> Result<ArrayRef, Error> {
        match rows.selected {
            None => self.array_of(block, segment, column, rows.copies_text, 0..len),
            Some(selected) => {
                self.array_of(block, segment, column, rows.copies_text, selected.iter().map(|row| *row as usize))
            }
        }
    }

    fn array_of(
        &self,
        block: &Block,
        segment: Segment,
        column: usize,
        copies_text: bool,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<ArrayRef, Error> {
        let is_json = segment.is_json();
        let buffer = self.json.as_ref().filter(|_| is_json).map_or(block.buffer(), |json| &json.text);
        let build = Build {
            block,
            buffer,
            bytes: buffer.as_slice(),
            is_utf8: is_json || self.block_is_utf8,
            layout: self.layout,
            copies_text,
            omits_equal_keys: self.omits_equal_keys && matches!(self.columns[column], Column::Logs(_)),
        };
        match (self.columns[column], self.origin_rows(segment), self.cdn_rows(segment)) {
            (Column::Logs(column), Some(located), _) => origin::array(&build, located, column, rows),
            (Column::Cdn(column), _, Some(located)) => cdn::array(&build, located, column, rows),
            (Column::Requests(column), Some(located), _) => {
                requests::origin_array(&build, located, column, &self.options.requests, rows)
            }
            (Column::Requests(column), _, Some(located)) => {
                requests::cdn_array(&build, located, column, &self.options.requests, rows)
            }
            // Without any row, only the type of the first segment's column matters.
            _ => Ok(new_empty_array(self.schema.field(column).data_type())),
        }
    }
}

/// How the lines of a part are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Undecided,
    S3,
    Cdn,
    Json,
}

impl Kind {
    fn of(part: &Part) -> Self {
        match part.content() {
            Content::Undecided => Self::Undecided,
            Content::S3 => Self::S3,
            Content::Cdn(_) => Self::Cdn,
            Content::Json => Self::Json,
        }
    }
}

/// Counts lines of a log of another kind than the table being read.
fn count_others(bytes: &[u8], counts: &mut Counts) {
    counts.others += memchr::memchr_iter(b'\n', bytes).count() as u64;
    counts.others += u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'));
}

/// Records of JSON objects, and the text that holds their values.
#[derive(Debug)]
struct Json {
    reader: JsonReader,
    wanted: Wanted<OriginFields, CdnFields>,
    written: Vec<u8>,
    text: Buffer,
    origin: OriginRows,
    cdn: CdnRows,
}

impl Json {
    fn new(wanted: Wanted<FieldSet, cdn_fields::FieldSet>) -> Self {
        Self {
            reader: JsonReader::new(wanted.cdn.unwrap_or(cdn_fields::FieldSet::EMPTY)),
            wanted: Wanted { s3: wanted.s3.map(OriginFields::new), cdn: wanted.cdn.map(CdnFields::new) },
            written: Vec::new(),
            text: Buffer::default(),
            origin: OriginRows::default(),
            cdn: CdnRows::default(),
        }
    }

    fn locate(&mut self, parts: &[Part], bytes: &[u8], max_line: usize, counts: &mut Counts) {
        let first = parts.first().map_or(0, Part::start);
        let mut ends = parts.iter().skip(1).map(|part| part.start() - first).peekable();
        for line in Lines::of_part(bytes) {
            while ends.next_if(|end| *end <= line.offset).is_some() {
                self.origin.fields.part_ends.push(self.origin.fields.rows as u32);
                self.cdn.part_ends.push(self.cdn.rows as u32);
            }
            if line.is_blank() {
                counts.blank_lines += 1;
                continue;
            }
            let read = match line.bytes.len() > max_line {
                true => None,
                false => self.reader.read(line.bytes, &mut self.written).ok(),
            };
            match (read, &self.wanted) {
                (None, _) => counts.rejects += 1,
                (Some(JsonLine::Origin), Wanted { s3: Some(wanted), .. }) => {
                    self.reader.add_origin(wanted, &mut self.origin);
                    counts.rows += 1;
                }
                (Some(JsonLine::Cdn), Wanted { cdn: Some(wanted), .. }) => {
                    self.reader.add_cdn(wanted, &mut self.cdn);
                    counts.rows += 1;
                }
                (Some(_), _) => counts.others += 1,
            }
        }
    }
}

/// A batch of these columns. Without columns it still has a row count.
pub(crate) fn batch(schema: SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    debug_assert!(arrays.iter().zip(schema.fields()).all(|(array, field)| array.data_type() == field.data_type()));
    RecordBatch::try_new_with_options(schema, arrays, &RecordBatchOptions::new().with_row_count(Some(rows)))
}
