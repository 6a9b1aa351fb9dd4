//! A baseline as a Parquet file, called a profile.
//!
//! A single table has rows of all kinds: `kind` is the kind of a row, and determines which of the other columns are
//! set. The columns are defined in `columns!` below. Files of earlier versions can be read as long as no column changes
//! its name or type.

use super::{Baseline, KnownPair, KnownRequesterDay, KnownSourceDay};
use crate::detect::collect::keys::MOST_GOOD;
use crate::detect::tables::column::{Column, Kind, optional_integers, schema_of, text_lists, texts, times};
use crate::error::{Error, ErrorKind};
use crate::time_units::MICROS_PER_DAY;
use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue};
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;

/// Version of the format; files with any other version are rejected.
const VERSION: &str = "1";
const VERSION_KEY: &str = "s3log.profile";

/// Number of rows written at a time, since a baseline may be large.
const ROWS: usize = 8192;

/// The kinds of rows.
const PAIR: &str = "requester_src";
const REQUESTER: &str = "requester_day";
const SOURCE: &str = "src_bucket_day";
const DELETER: &str = "deleter";
const OPEN: &str = "open_users";
const KEY: &str = "key";

// Cell types, named after the kinds of columns.
type Text = Option<String>;
type Texts = Vec<String>;
type Time = Option<i64>;
type Integer = Option<i64>;

/// Generates the row type and the cell accessors from the list of columns.
macro_rules! columns {
    ($(#[doc = $doc:literal] $name:ident: $kind:ident,)+) => {
        /// A row of a profile.
        #[derive(Default)]
        struct Row {
            $(#[doc = $doc] $name: $kind,)+
        }

        /// The columns of a profile, in file order.
        const COLUMNS: &[(Column, Cell)] =
            &[$(((stringify!($name), Kind::$kind, $doc), Cell::$kind(|row| &mut row.$name)),)+];
    };
}

columns! {
    /// What the row is about.
    kind: Text,
    /// The requester.
    requester: Text,
    /// The source.
    src: Text,
    /// The bucket.
    bucket: Text,
    /// The first request, or the day.
    time: Time,
    /// Requests.
    requests: Integer,
    /// Requests without a signature.
    anon_requests: Integer,
    /// Listings without a signature.
    anon_lists_ok: Integer,
    /// Objects written.
    writes: Integer,
    /// Objects read.
    ok_reads: Integer,
    /// Objects read without a signature.
    anon_ok_reads: Integer,
    /// Different keys read.
    read_keys: Integer,
    /// Bytes sent.
    bytes_sent: Integer,
    /// Different sources.
    srcs: Integer,
    /// Families of user agents.
    families: Texts,
    /// The network.
    net: Text,
    /// The country.
    country: Text,
    /// Hash of bucket and key, as signed number.
    key: Integer,
    /// Hashes of sources for which the key worked.
    good: Texts,
}

/// Accessor of a cell in a row.
#[derive(Clone, Copy)]
enum Cell {
    Text(fn(&mut Row) -> &mut Text),
    Texts(fn(&mut Row) -> &mut Texts),
    Time(fn(&mut Row) -> &mut Time),
    Integer(fn(&mut Row) -> &mut Integer),
}

impl Cell {
    /// Builds a column from these rows, moving texts out of them.
    fn array(self, rows: &mut [Row]) -> ArrayRef {
        let rows = rows.iter_mut();
        match self {
            Self::Text(cell) => texts(rows.map(|row| cell(row).take())),
            Self::Texts(cell) => text_lists(rows.map(|row| cell(row).iter().map(String::as_str))),
            Self::Time(cell) => times(rows.map(|row| *cell(row))),
            Self::Integer(cell) => optional_integers(rows.map(|row| *cell(row))),
        }
    }

    /// Stores a column in these rows; `None` if it has another type.
    fn fill(self, rows: &mut [Row], column: &ArrayRef) -> Option<()> {
        let rows = rows.iter_mut();
        match self {
            Self::Text(cell) => {
                let column = as_views(column)?;
                rows.zip(column.as_string_view_opt()?).for_each(|(row, text)| *cell(row) = text.map(str::to_owned));
            }
            Self::Texts(cell) => {
                for (row, list) in rows.zip(column.as_list_opt::<i32>()?.iter()) {
                    let Some(list) = list else { continue };
                    let list = as_views(&list)?;
                    *cell(row) = list.as_string_view_opt()?.iter().flatten().map(str::to_owned).collect();
                }
            }
            Self::Time(cell) => {
                let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
                rows.zip(column).for_each(|(row, time)| *cell(row) = time);
            }
            Self::Integer(cell) => {
                let column = column.as_primitive_opt::<Int64Type>()?;
                rows.zip(column).for_each(|(row, number)| *cell(row) = number);
            }
        }
        Some(())
    }
}

/// Casts a text column of any layout to views.
fn as_views(column: &ArrayRef) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => cast(column, &DataType::Utf8View).ok(),
        _ => None,
    }
}

impl Baseline {
    /// Writes a profile.
    ///
    /// # Errors
    ///
    /// Fails if writing to `sink` fails.
    pub fn write(&self, sink: impl Write + Send) -> Result<(), Error> {
        write_rows(sink, self.rows())
    }

    /// Reads a profile.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a profile, or one of another version. For a damaged profile, the error names column
    /// and row.
    pub fn read(bytes: Bytes) -> Result<Self, Error> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .map_err(|error| no_profile("it is not a profile").with_source(error))?;
        check_version(reader.metadata().file_metadata())?;
        let mut baseline = Self::default();
        let mut first = 1;
        for batch in reader.build().map_err(damaged)? {
            let batch = batch.map_err(damaged)?;
            baseline.take(&batch, first)?;
            first += batch.num_rows() as u64;
        }
        Ok(baseline)
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        let open: BTreeMap<_, _> = self.open_users.iter().collect();
        (self.pairs.iter().map(Row::of_pair))
            .chain(self.requester_days.iter().map(Row::of_requester_day))
            .chain(self.source_days.iter().map(Row::of_source_day))
            .chain(self.deleters.iter().map(|((src, requester), first)| Row::of_deleter(src, requester, *first)))
            .chain(open.into_iter().map(|(bucket, users)| Row::of_open(bucket, *users)))
            .chain(self.keys.iter().map(|(key, sources)| Row::of_key(*key, sources)))
    }

    /// Adds rows of a profile; `first` is the number of the first row in the file, from 1.
    fn take(&mut self, batch: &RecordBatch, first: u64) -> Result<(), Error> {
        let mut rows: Vec<Row> = std::iter::repeat_with(Row::default).take(batch.num_rows()).collect();
        for ((name, kind, _), cell) in COLUMNS {
            let column = batch.column_by_name(name).ok_or_else(|| damaged(format!("it has no column `{name}`")))?;
            cell.fill(&mut rows, column).ok_or_else(|| {
                damaged(format!("the column `{name}` is {}, and not {}", column.data_type(), kind.data_type()))
            })?;
        }
        for (number, row) in (first..).zip(rows) {
            self.take_row(row)
                .map_err(|wrong| damaged(format!("column `{}` of row {number} {}", wrong.column, wrong.what)))?;
        }
        Ok(())
    }

    fn take_row(&mut self, row: Row) -> Result<(), WrongCell> {
        match row.kind.as_deref() {
            Some(PAIR) => self.pairs.push(row.into_pair()?),
            Some(REQUESTER) => self.requester_days.push(row.into_requester_day()?),
            Some(SOURCE) => self.source_days.push(row.into_source_day()?),
            Some(DELETER) => self.deleters.extend([row.into_deleter()?]),
            Some(OPEN) => self.open_users.extend([row.into_open()?]),
            Some(KEY) => self.keys.push(row.into_key()?),
            // A kind added by a later version.
            Some(_) => {}
            None => return Err(WrongCell { column: "kind", what: "has no value" }),
        }
        Ok(())
    }
}

fn write_rows(sink: impl Write + Send, mut rows: impl Iterator<Item = Row>) -> Result<(), Error> {
    let schema = schema_of(COLUMNS.iter().map(|(column, _)| column));
    let mut writer = writer(sink, &schema).map_err(cannot_write)?;
    loop {
        let mut some: Vec<Row> = rows.by_ref().take(ROWS).collect();
        if some.is_empty() {
            break;
        }
        writer.write(&batch_of(&schema, &mut some)?).map_err(cannot_write)?;
    }
    writer.close().map_err(cannot_write)?;
    Ok(())
}

fn batch_of(schema: &SchemaRef, rows: &mut [Row]) -> Result<RecordBatch, Error> {
    let arrays = COLUMNS.iter().map(|(_, cell)| cell.array(rows)).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays)?)
}

fn writer<W: Write + Send>(sink: W, schema: &SchemaRef) -> Result<ArrowWriter<W>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(Some(vec![KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned())]))
        .build();
    ArrowWriter::try_new(sink, Arc::clone(schema), Some(properties))
}

fn check_version(metadata: &FileMetaData) -> Result<(), Error> {
    let mut pairs = metadata.key_value_metadata().into_iter().flatten();
    match pairs.find(|pair| pair.key == VERSION_KEY).and_then(|pair| pair.value.as_deref()) {
        Some(VERSION) => Ok(()),
        Some(other) => Err(no_profile(format!("it is a profile of version {other}, and {VERSION} is needed"))),
        None => Err(no_profile("it is a Parquet file, but not a profile")),
    }
}

fn cannot_write(error: ParquetError) -> Error {
    Error::new(ErrorKind::Unwritable, "the profile cannot be written").with_source(error)
}

fn no_profile(message: impl Into<String>) -> Error {
    Error::invalid(message).with_hint("create a new profile with `s3log flag --learn` of this version")
}

fn damaged(what: impl Display) -> Error {
    no_profile(format!("the profile is damaged: {what}"))
}

/// A cell with an invalid value, or missing in a row of its kind.
struct WrongCell {
    column: &'static str,
    /// Follows the name of the column in the message.
    what: &'static str,
}

/// A cell with the name of its column, for errors.
macro_rules! cell {
    ($row:ident.$column:ident) => {
        (stringify!($column), $row.$column)
    };
}

/// The value of a cell that is required.
fn needed<T>((column, cell): (&'static str, Option<T>)) -> Result<T, WrongCell> {
    cell.ok_or(WrongCell { column, what: "has no value" })
}

/// A count; a missing value is 0.
fn count((column, cell): (&'static str, Integer)) -> Result<u64, WrongCell> {
    u64::try_from(cell.unwrap_or_default()).map_err(|_| WrongCell { column, what: "is less than nothing" })
}

/// Days since the Unix epoch.
fn day(cell: (&'static str, Time)) -> Result<i32, WrongCell> {
    // Microseconds in 64 bits always fit as days in 32 bits.
    needed(cell).map(|time| time.div_euclid(MICROS_PER_DAY) as i32)
}

fn text(text: &str) -> Text {
    Some(text.to_owned())
}

fn integer(number: u64) -> Integer {
    i64::try_from(number).ok()
}

fn midnight(day: i32) -> Time {
    Some(i64::from(day) * MICROS_PER_DAY)
}

impl Row {
    fn of_pair(known: &KnownPair) -> Self {
        Self {
            kind: text(PAIR),
            requester: text(&known.requester),
            src: text(&known.src),
            time: Some(known.first),
            requests: integer(known.requests),
            families: known.families.clone(),
            net: text(&known.net),
            country: known.country.clone(),
            ..Self::default()
        }
    }

    fn into_pair(self) -> Result<KnownPair, WrongCell> {
        Ok(KnownPair {
            requester: needed(cell!(self.requester))?,
            src: needed(cell!(self.src))?,
            first: needed(cell!(self.time))?,
            requests: count(cell!(self.requests))?,
            families: self.families,
            net: needed(cell!(self.net))?,
            country: self.country,
        })
    }

    fn of_requester_day(known: &KnownRequesterDay) -> Self {
        Self {
            kind: text(REQUESTER),
            requester: text(&known.requester),
            time: midnight(known.day),
            requests: integer(known.requests),
            read_keys: integer(known.read_keys),
            bytes_sent: integer(known.bytes_sent),
            srcs: integer(known.srcs),
            ..Self::default()
        }
    }

    fn into_requester_day(self) -> Result<KnownRequesterDay, WrongCell> {
        Ok(KnownRequesterDay {
            requester: needed(cell!(self.requester))?,
            day: day(cell!(self.time))?,
            requests: count(cell!(self.requests))?,
            read_keys: count(cell!(self.read_keys))?,
            bytes_sent: count(cell!(self.bytes_sent))?,
            srcs: count(cell!(self.srcs))?,
        })
    }

    fn of_source_day(known: &KnownSourceDay) -> Self {
        Self {
            kind: text(SOURCE),
            src: text(&known.src),
            bucket: text(&known.bucket),
            time: midnight(known.day),
            requests: integer(known.requests),
            anon_requests: integer(known.anon_requests),
            anon_lists_ok: integer(known.anon_lists_ok),
            writes: integer(known.writes),
            ok_reads: integer(known.ok_reads),
            anon_ok_reads: integer(known.anon_ok_reads),
            read_keys: integer(known.read_keys),
            bytes_sent: integer(known.bytes_sent),
            ..Self::default()
        }
    }

    fn into_source_day(self) -> Result<KnownSourceDay, WrongCell> {
        Ok(KnownSourceDay {
            src: needed(cell!(self.src))?,
            bucket: needed(cell!(self.bucket))?,
            day: day(cell!(self.time))?,
            requests: count(cell!(self.requests))?,
            anon_requests: count(cell!(self.anon_requests))?,
            anon_lists_ok: count(cell!(self.anon_lists_ok))?,
            writes: count(cell!(self.writes))?,
            ok_reads: count(cell!(self.ok_reads))?,
            anon_ok_reads: count(cell!(self.anon_ok_reads))?,
            read_keys: count(cell!(self.read_keys))?,
            bytes_sent: count(cell!(self.bytes_sent))?,
        })
    }

    fn of_deleter(src: &str, requester: &str, first: i64) -> Self {
        Self { kind: text(DELETER), src: text(src), requester: text(requester), time: Some(first), ..Self::default() }
    }

    /// Source and requester, and the time of the first deletion.
    fn into_deleter(self) -> Result<((String, String), i64), WrongCell> {
        Ok(((needed(cell!(self.src))?, self.requester.unwrap_or_default()), needed(cell!(self.time))?))
    }

    fn of_open(bucket: &str, users: u64) -> Self {
        Self { kind: text(OPEN), bucket: text(bucket), srcs: integer(users), ..Self::default() }
    }

    fn into_open(self) -> Result<(String, u64), WrongCell> {
        Ok((needed(cell!(self.bucket))?, count(cell!(self.srcs))?))
    }

    fn of_key(key: u64, sources: &[u32; MOST_GOOD]) -> Self {
        let good = sources.iter().filter(|source| **source != 0).map(ToString::to_string).collect();
        Self { kind: text(KEY), key: Some(key.cast_signed()), good, ..Self::default() }
    }

    fn into_key(self) -> Result<(u64, [u32; MOST_GOOD]), WrongCell> {
        let mut sources = [0; MOST_GOOD];
        for (place, text) in sources.iter_mut().zip(&self.good) {
            *place =
                text.parse().map_err(|_| WrongCell { column: "good", what: "holds something else than hashes" })?;
        }
        Ok((needed(cell!(self.key))?.cast_unsigned(), sources))
    }
}

#[cfg(test)]
mod tests;
