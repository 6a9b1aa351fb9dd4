//! Finds records that were delivered more than once, by their identity.
//!
//! Records of `logs` are duplicates if request id, operation, key, time and version id are equal; for the columns of
//! the other tables see `identity_texts`. The request id alone would not do: a request that deletes a thousand objects
//! writes a thousand records with the same id, which differ in their keys.
//!
//! [`Deduplicator`] keeps the identities of whole days in memory. That fits the layout of datasets: the day of a record
//! determines which files may contain it.

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

/// The identities of committed records.
#[async_trait]
pub(super) trait KnownIdentities: Send {
    /// Passes the identities ([`hash_batch`]) of all committed records of a day to `into`. The day is counted from
    /// 1970-01-01 in UTC. Records without an identity are left out. Called once per day, when its first record arrives.
    ///
    /// # Errors
    ///
    /// If a file cannot be read. Errors of `into` are returned immediately: they mean that memory is exhausted.
    async fn load(&mut self, day: i32, into: &mut (dyn FnMut(u128) -> Result<(), Error> + Send)) -> Result<(), Error>;
}

/// Finds records that were there before.
///
/// Records passed to it are assumed to be written. It is therefore used for a single attempt at a batch.
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
    /// `max_bytes` limits the memory for identities: 20 to 40 bytes per record, and half as much again while the table
    /// grows.
    #[must_use]
    pub(super) fn new(table: Table, known: Box<dyn KnownIdentities>, max_bytes: usize) -> Self {
        Self { table, known, days: HashMap::new(), memory: Memory { used: 0, limit: max_bytes }, duplicates: 0 }
    }

    /// The number of duplicates so far.
    #[cfg(test)]
    #[must_use]
    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The memory used for identities, in bytes.
    #[cfg(test)]
    #[must_use]
    pub(super) fn memory_used(&self) -> usize {
        self.memory.used
    }

    /// Which rows of a batch are new, neither earlier in the batch nor seen before; `None` if all are. Rows without a
    /// request id have no identity and are always kept.
    ///
    /// # Errors
    ///
    /// If a column is missing, a day cannot be loaded, or the identities do not fit into memory. Some rows may have
    /// been recorded as seen by then, so the attempt has to be given up.
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

/// The identity of each row of a batch; `None` if it has no request id.
///
/// A 128-bit hash of the texts in `identity_texts` and the time. Its key is fixed, so that a run finds the records of
/// an earlier one. Clients cannot exploit this to construct collisions: the request id, which is generated by the
/// service, is hashed first.
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

/// The text columns of the identity, starting with the request id. CloudFront documents its ids as unique; the other
/// columns are for CDNs that only use the same format.
fn identity_texts(table: Table) -> [&'static str; 4] {
    match table {
        Table::Cdn => ["x_edge_request_id", "x_edge_location", "cs_uri_stem", "cs_method"],
        Table::Requests => ["request_id", "operation", "object_key", "version_id"],
        Table::Logs | Table::Rejects => ["request_id", "operation", "key", "version_id"],
    }
}

/// The columns of the identity.
pub(super) fn identity_columns(table: Table) -> impl Iterator<Item = &'static str> {
    identity_texts(table).into_iter().chain(["time"])
}

const HASH_KEY: &[u8; 16] = b"s3log/identity/1";

/// A length prefix, with a special length for NULL, so that different rows never become the same bytes.
fn frame(text: Option<&str>, into: &mut Vec<u8>) {
    let len = text.map_or(u64::MAX, |text| text.len() as u64);
    into.extend_from_slice(&len.to_le_bytes());
    into.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// A text column in either layout: batches from log objects have views, those from files may have plain text.
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
            other => Err(Error::new(ErrorKind::Internal, format!("the column `{name}` is {other}, not text"))),
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
    // The days in 64 bits of microseconds fit into 32 bits.
    Ok(times_of(batch)?.values().iter().map(|time| time.div_euclid(MICROS_PER_DAY) as i32).collect())
}

/// Memory for identities, in bytes.
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
    /// Adds an identity; returns whether it is new.
    fn insert(&mut self, identity: u128, memory: &mut Memory) -> Result<bool, Error> {
        if self.set.len() == self.set.capacity() {
            if self.set.contains(&identity) {
                return Ok(false);
            }
            self.grow(memory)?;
        }
        Ok(self.set.insert(identity))
    }

    /// Doubles the capacity. Both tables exist while the entries are moved.
    fn grow(&mut self, memory: &mut Memory) -> Result<(), Error> {
        let (old, more) = (table_bytes(self.set.capacity()), self.set.capacity().max(1));
        let new = table_bytes(self.set.len() + more);
        if memory.used + new > memory.limit {
            let message = format!(
                "the record identities of the converted days do not fit into memory: {} bytes are taken, \
                 {new} more are needed, and {} are allowed",
                memory.used, memory.limit
            );
            let hint = "convert fewer days at a time with --since and --until, or raise --memory";
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
        }
        self.set.reserve(more);
        memory.used = memory.used - old + table_bytes(self.set.capacity());
        Ok(())
    }
}

/// Size of a table with this capacity, in bytes: a power of two of buckets, at most 7/8 full, with a control byte each.
fn table_bytes(capacity: usize) -> usize {
    match capacity {
        0 => 0,
        capacity => (capacity * 8 / 7).next_power_of_two().max(4) * (size_of::<u128>() + 1) + 16,
    }
}

/// Uses an identity as its own hash.
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
