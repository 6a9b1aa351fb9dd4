//! Records that were delivered more than once, told by their identity.
//!
//! A record of `logs` is another one again if its request id, operation, key, time and version id are the same; of the other tables
//! much the same tells. Never by the
//! request id alone: a request that deletes a thousand objects writes a thousand records with the same id, which differ
//! in their keys.
//!
//! [`Deduplicator`] remembers the identities of whole days, because that is how a dataset is laid out: the day of the
//! record's own time tells which files may hold it.

use super::pipeline::Deduplicate;
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use crate::time_units::MICROS_PER_DAY;
use arrow::array::{Array as _, AsArray, BooleanArray, RecordBatch, StringArray, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use async_trait::async_trait;
use siphasher::sip128::SipHasher13;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// What is committed already.
#[async_trait]
pub(super) trait KnownIdentities: Send {
    /// Passes on the identities ([`hash_batch`]) of every record of this day, counted from 1970-01-01 in UTC, that is
    /// in a committed file. Rows without an identity are left out. It is called once a day, when the day is met for the
    /// first time.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, and whatever `into` returns, at once: there is no room for more.
    async fn load(&mut self, day: i32, into: &mut (dyn FnMut(u128) -> Result<(), Error> + Send)) -> Result<(), Error>;
}

/// Finds records that were there before.
///
/// What it has seen it takes for written. So it belongs to one attempt to convert a batch of log objects; another attempt
/// takes another one.
pub(super) struct Deduplicator {
    table: Table,
    known: Box<dyn KnownIdentities>,
    days: HashMap<i32, Identities>,
    memory: Memory,
    duplicates: u64,
}

#[async_trait]
impl Deduplicate for Deduplicator {
    async fn keep(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>, Error> {
        Self::keep(self, batch).await
    }
}

impl fmt::Debug for Deduplicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deduplicator")
            .field("days", &self.days.len())
            .field("memory", &self.memory)
            .field("duplicates", &self.duplicates)
            .finish_non_exhaustive()
    }
}

impl Deduplicator {
    /// Takes at most this many bytes for identities: 20 to 40 a record, and half as much again while it makes room for
    /// more.
    #[must_use]
    pub(super) fn new(table: Table, known: Box<dyn KnownIdentities>, max_bytes: usize) -> Self {
        Self { table, known, days: HashMap::new(), memory: Memory { used: 0, limit: max_bytes }, duplicates: 0 }
    }

    /// How many records were duplicates so far.
    #[cfg(test)]
    #[must_use]
    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many bytes the identities take.
    #[cfg(test)]
    #[must_use]
    pub(super) fn memory_used(&self) -> usize {
        self.memory.used
    }

    /// Which rows of a batch of `logs` were not there before, neither in this batch nor earlier; nothing if that is all
    /// of them. Rows without a request id have no identity, and are always kept.
    ///
    /// # Errors
    ///
    /// If a column is missing, a day cannot be loaded, or the identities do not fit into memory. Some rows may be
    /// remembered by then, so the attempt is over.
    pub(super) async fn keep(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>, Error> {
        let identities = hash_batch(self.table, batch)?;
        let days = days_of(batch)?;
        let rows: Vec<Option<(i32, u128)>> =
            days.into_iter().zip(identities).map(|(day, identity)| Some((day, identity?))).collect();
        let mut loaded = None;
        for (day, _) in rows.iter().copied().flatten() {
            if loaded != Some(day) {
                self.load(day).await?;
                loaded = Some(day);
            }
        }

        let Self { days, memory, .. } = self;
        let mut current: Option<(i32, &mut Identities)> = None;
        let mut duplicates = 0;
        let mut kept = Vec::with_capacity(batch.num_rows());
        for row in rows {
            let Some((day, identity)) = row else {
                kept.push(true);
                continue;
            };
            let seen = match current.take() {
                Some((of, seen)) if of == day => seen,
                _ => days.entry(day).or_default(),
            };
            let is_new = seen.insert(identity, memory)?;
            duplicates += u64::from(!is_new);
            kept.push(is_new);
            current = Some((day, seen));
        }
        self.duplicates += duplicates;
        Ok((duplicates > 0).then(|| BooleanArray::new(BooleanBuffer::from(kept), None)))
    }

    async fn load(&mut self, day: i32) -> Result<(), Error> {
        let Self { known, days, memory, .. } = self;
        let Entry::Vacant(place) = days.entry(day) else { return Ok(()) };
        let before = memory.used;
        let mut identities = Identities::default();
        let loaded = known.load(day, &mut |identity| identities.insert(identity, memory).map(drop)).await;
        match loaded {
            Ok(()) => {
                place.insert(identities);
                Ok(())
            }
            Err(error) => {
                memory.used = before;
                Err(error)
            }
        }
    }
}

/// The identity of each row of a batch of `logs`: nothing if it has no request id.
///
/// A hash of 128 bits of request id, operation, key, time and version id. Its key is fixed, since what one run finds in
/// a dataset another one wrote. That lets nobody choose two records that are taken for one: the request id, which the
/// service makes up, is hashed first.
///
/// # Errors
///
/// If one of these columns is missing or has another type.
pub(super) fn hash_batch(table: Table, batch: &RecordBatch) -> Result<Vec<Option<u128>>, Error> {
    let [request_id, texts @ ..] = identity_texts(table).map(|name| TextColumn::of(batch, name));
    let request_id = request_id?;
    let texts = texts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let times = times_of(batch)?;
    let hasher = SipHasher13::new_with_key(HASH_KEY);
    let mut framed = Vec::new();
    let identity = |row: usize| {
        let request_id = request_id.get(row)?;
        framed.clear();
        frame(Some(request_id), &mut framed);
        texts.iter().for_each(|texts| frame(texts.get(row), &mut framed));
        framed.extend_from_slice(&times.value(row).to_le_bytes());
        Some(u128::from(hasher.hash(&framed)))
    };
    Ok((0..batch.num_rows()).map(identity).collect())
}

/// The columns of text that make up an identity, that of the id first. CloudFront documents its ids as unique; the rest is there
/// for CDNs that only write the format.
fn identity_texts(table: Table) -> [&'static str; 4] {
    match table {
        Table::Cdn => ["x_edge_request_id", "x_edge_location", "cs_uri_stem", "cs_method"],
        Table::Requests => ["request_id", "operation", "object_key", "version_id"],
        Table::Logs | Table::Rejects => ["request_id", "operation", "key", "version_id"],
    }
}

/// The columns that make up an identity.
pub(super) fn identity_columns(table: Table) -> impl Iterator<Item = &'static str> {
    identity_texts(table).into_iter().chain(["time"])
}

const HASH_KEY: &[u8; 16] = b"s3log/identity/1";

/// The length in front, and no length for NULL, so that no two rows are the same bytes.
fn frame(text: Option<&str>, into: &mut Vec<u8>) {
    let len = text.map_or(u64::MAX, |text| text.len() as u64);
    into.extend_from_slice(&len.to_le_bytes());
    into.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// A column of text in either layout: log objects are read as views, files of the dataset by whoever reads them.
enum TextColumn<'a> {
    Views(&'a StringViewArray),
    Plain(&'a StringArray),
}

impl<'a> TextColumn<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, Error> {
        let array = batch.column_by_name(name).ok_or_else(|| missing(name))?;
        match array.data_type() {
            DataType::Utf8View => Ok(Self::Views(array.as_string_view())),
            DataType::Utf8 => Ok(Self::Plain(array.as_string())),
            other => Err(Error::new(ErrorKind::Internal, format!("the column `{name}` is {other}, and no text"))),
        }
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Views(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the column `{name}` is missing, by which records are told apart"))
}

fn times_of(batch: &RecordBatch) -> Result<&arrow::array::TimestampMicrosecondArray, Error> {
    let array = batch.column_by_name("time").ok_or_else(|| missing("time"))?;
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(array.as_primitive::<TimestampMicrosecondType>()),
        other => Err(Error::new(ErrorKind::Internal, format!("the column `time` is {other}, and not in microseconds"))),
    }
}

/// The day of each row, counted from 1970-01-01 in UTC.
fn days_of(batch: &RecordBatch) -> Result<Vec<i32>, Error> {
    // Any number of microseconds in 64 bits is a number of days in 32.
    Ok(times_of(batch)?.values().iter().map(|time| time.div_euclid(MICROS_PER_DAY) as i32).collect())
}

/// How much memory identities take, and may take.
#[derive(Debug)]
struct Memory {
    used: usize,
    limit: usize,
}

/// The identities of a day.
#[derive(Default)]
struct Identities {
    set: HashSet<u128, BuildHasherDefault<Hashed>>,
}

impl Identities {
    /// Remembers an identity. Says whether it is new.
    fn insert(&mut self, identity: u128, memory: &mut Memory) -> Result<bool, Error> {
        if self.set.len() == self.set.capacity() {
            if self.set.contains(&identity) {
                return Ok(false);
            }
            self.grow(memory)?;
        }
        Ok(self.set.insert(identity))
    }

    /// Makes room for twice as many. For a moment both tables are there.
    fn grow(&mut self, memory: &mut Memory) -> Result<(), Error> {
        let (old, more) = (table_bytes(self.set.capacity()), self.set.capacity().max(1));
        let new = table_bytes(self.set.len() + more);
        if memory.used + new > memory.limit {
            let message = format!(
                "the identities of records of the days that are converted do not fit into memory: {} bytes are taken, \
                 {new} more are needed, and {} are allowed",
                memory.used, memory.limit
            );
            let hint = "Convert fewer days at a time with --since and --until, or raise --memory.";
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
        }
        self.set.reserve(more);
        memory.used = memory.used - old + table_bytes(self.set.capacity());
        Ok(())
    }
}

/// What a table of this capacity takes: a power of two of places, of which an eighth stays empty, each with a byte
/// beside it.
fn table_bytes(capacity: usize) -> usize {
    match capacity {
        0 => 0,
        capacity => (capacity * 8 / 7).next_power_of_two().max(4) * (size_of::<u128>() + 1) + 16,
    }
}

/// Takes an identity, which is a hash already, for its own hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u128(&mut self, identity: u128) {
        self.0 = identity as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

#[cfg(test)]
mod tests;
