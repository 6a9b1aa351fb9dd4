//! The files of a batch: one or more for each run of a partition.
//!
//! Row groups being encoded take up to tens of megabytes each, so only few are open at a time; a file without one takes
//! little. When a limit is reached, those least recently written to are ended.

use super::destination::Destination;
use super::parquet::{Encoders, Format, OutputRoom, ParquetFile, Sealed};
use super::rows::Rows;
use super::sorter::Emitted;
use crate::dataset::DataFile;
use crate::error::Error;
use futures::future::join_all;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Limits on the size of files and on memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLimits {
    /// Target size of a file in bytes. A file ends with the row group that comes closest to it.
    pub(super) target_size: u64,
    /// Maximum weight of the rows in a row group, in bytes before encoding.
    pub(super) row_group_weight: usize,
    /// Maximum number of row groups being encoded.
    pub(super) row_groups: usize,
    /// Maximum memory of the row groups being encoded, in bytes as estimated by [`memory`].
    pub(super) encoding: usize,
    /// Maximum number of open files.
    pub(super) files: usize,
    /// Maximum weight of rows waiting to be encoded, in bytes.
    pub(super) waiting: usize,
    /// Maximum number of encoded bytes waiting to be written.
    pub(super) output: usize,
    /// Maximum number of bytes that open files hold back because they do not fill a part of an upload.
    pub(super) unsent: usize,
}

impl FileLimits {
    /// Limits for a target size and a memory budget, both in bytes.
    pub(super) fn new(target_size: u64, memory: usize) -> Self {
        let memory = memory.max(64 << 20);
        Self {
            target_size,
            row_group_weight: memory * 5 / 2,
            row_groups: 16,
            encoding: memory * 5 / 8,
            files: 100,
            waiting: (16 << 20).min(memory / 4),
            output: memory / 8,
            unsent: memory / 8,
        }
    }
}

/// Names and writes the files of a batch.
pub(super) struct Files {
    destination: Arc<dyn Destination>,
    /// Size of the parts of an upload, if files are uploaded in parts.
    part_size: Option<u64>,
    format: Format,
    batch_id: Arc<str>,
    limits: FileLimits,
    encoders: Encoders,
    output: OutputRoom,
    waiting: Arc<Semaphore>,
    /// By run.
    open: BTreeMap<u64, OpenFile>,
    sealed: Vec<(Numbered, Sealed)>,
    next_number: u64,
    clock: u64,
}

/// A file with its sequence number in the batch.
struct Numbered {
    number: u64,
    written: DataFile,
}

struct OpenFile {
    file: ParquetFile,
    number: u64,
    written: DataFile,
    group_rows: usize,
    group_weight: usize,
    used: u64,
}

/// Memory of a row group beside its contents, in bytes: tables of dictionaries, and pages being filled. Columns encoded
/// by the `parquet` crate (other codecs, Bloom filters) also have a compressor each, from the start.
const ROW_GROUP: usize = 32 << 20;

/// The same for an empty row group of columns that start empty. It grows with the weight of the rows divided by
/// [`FILLING`].
const EMPTY: usize = 2 << 20;
const FILLING: usize = 2;

/// Ratio of the weight of rows to their encoded size, dictionaries included.
const ENCODED: usize = 8;

/// Bound on what the room of the bytes waiting in a file is rounded up by: a unit of 4 KiB for each piece of 1 MiB of a
/// part.
const ROUNDED: usize = 64 << 10;

/// Unit in which rows waiting to be encoded are counted, in bytes.
const UNIT: usize = 1 << 10;

impl Files {
    pub(super) fn new(
        destination: Arc<dyn Destination>,
        format: Format,
        batch_id: &str,
        limits: FileLimits,
        encoders: Encoders,
    ) -> Self {
        let part_size = destination.part_size();
        // One part more than the limit, see `end_unsent`, and what the room of waiting bytes is rounded up by.
        let rounded = limits.files.saturating_mul(ROUNDED);
        let unsent = part_size.map_or(0, |part| limits.unsent + part as usize + rounded);
        Self {
            destination,
            part_size,
            format,
            batch_id: batch_id.into(),
            limits,
            encoders,
            output: OutputRoom::new(limits.output, unsent),
            waiting: Arc::new(Semaphore::new((limits.waiting / UNIT).max(1))),
            open: BTreeMap::new(),
            sealed: Vec::new(),
            next_number: 0,
            clock: 0,
        }
    }

    /// Starts the numbers in file names at `first`.
    pub(super) fn numbered_from(self, first: u64) -> Self {
        Self { next_number: first, ..self }
    }

    /// Appends rows to the file of their run.
    pub(super) async fn write(&mut self, emitted: Emitted) -> Result<(), Error> {
        let Emitted { partition, run, rows, times, ended } = emitted;
        if let Some(ended) = ended {
            self.end(ended).await?;
        }
        self.append(run, || partition.directory(), rows, times).await
    }

    /// Appends rows without an order or a partition, to a single run.
    pub(super) async fn write_unsorted(&mut self, directory: &str, rows: Rows) -> Result<(), Error> {
        self.append(0, || directory.to_owned(), rows, (0, 0)).await
    }

    /// Appends rows that continue the order of those before them; `times` are their bounds.
    pub(super) async fn write_sorted(&mut self, directory: &str, rows: Rows, times: (i64, i64)) -> Result<(), Error> {
        self.append(0, || directory.to_owned(), rows, times).await
    }

    async fn append(
        &mut self,
        run: u64,
        directory: impl FnOnce() -> String,
        mut rows: Rows,
        times: (i64, i64),
    ) -> Result<(), Error> {
        self.clock += 1;
        let units = (rows.weight() / UNIT).clamp(1, (self.limits.waiting / UNIT).max(1)) as u32;
        // The semaphore is never closed.
        rows.hold(Arc::clone(&self.waiting).acquire_many_owned(units).await.ok());
        let (count, weight) = (rows.len(), rows.weight());
        if let Some(open) = self.open.get_mut(&run) {
            let is_full = open.group_rows + count > self.format.row_group_rows()
                || open.group_weight + weight > self.limits.row_group_weight;
            if is_full && open.group_rows > 0 {
                open.end_row_group().await?;
                // Within half a row group of the target.
                if open.file.bytes() + open.file.last_row_group() / 2 >= self.limits.target_size {
                    self.end(run).await?;
                }
                self.end_unsent().await?;
            }
        }
        self.end_row_groups(run, weight).await?;
        if !self.open.contains_key(&run) {
            self.make_room().await?;
            let number = self.next_number;
            self.next_number += 1;
            let path = format!("{}{}-{number}.parquet", directory(), self.batch_id);
            let sink = self.destination.create(&path).await?;
            let file = ParquetFile::new(&self.format, sink, self.encoders.clone(), self.output.clone())?;
            let written = DataFile { path, rows: 0, bytes: 0, min_time: times.0, max_time: times.1 };
            self.open.insert(run, OpenFile { file, number, written, group_rows: 0, group_weight: 0, used: self.clock });
        }
        let Some(open) = self.open.get_mut(&run) else { return Ok(()) };
        open.used = self.clock;
        open.group_rows += count;
        open.group_weight += weight;
        open.written.rows += count as u64;
        open.written.min_time = open.written.min_time.min(times.0);
        open.written.max_time = open.written.max_time.max(times.1);
        open.file.encode(&Arc::new(rows))
    }

    /// Ends all files and returns them in the order in which they were begun.
    pub(super) async fn finish(&mut self) -> Result<Vec<DataFile>, Error> {
        while let Some(run) = self.open.keys().next().copied() {
            self.end(run).await?;
        }
        for (_, sealed) in &mut self.sealed {
            sealed.finished().await?;
        }
        self.sealed.sort_by_key(|(file, _)| file.number);
        Ok(std::mem::take(&mut self.sealed).into_iter().map(|(file, _)| file.written).collect())
    }

    /// Stops writing all files, concurrently. A file that is not complete when this returns never will be.
    ///
    /// # Errors
    ///
    /// If a file could not be written: it may exist nevertheless.
    pub(super) async fn abandon(&mut self) -> Result<(), Error> {
        let open = std::mem::take(&mut self.open).into_values().map(|open| open.file.abandon());
        let sealed = std::mem::take(&mut self.sealed).into_iter().map(|(_, sealed)| sealed.abandon());
        let (open, sealed) = futures::join!(join_all(open), join_all(sealed));
        open.into_iter().chain(sealed).collect()
    }

    /// The number of the next file. It has not been used in a name, nor has any greater one.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Ends the file of a run, if there is one.
    async fn end(&mut self, run: u64) -> Result<(), Error> {
        let Some(OpenFile { file, number, mut written, .. }) = self.open.remove(&run) else { return Ok(()) };
        let sealed = file.seal().await?;
        written.bytes = sealed.bytes;
        self.sealed.push((Numbered { number, written }, sealed));
        Ok(())
    }

    /// Ends files until another may be opened.
    async fn make_room(&mut self) -> Result<(), Error> {
        while self.open.len() >= self.limits.files.max(1) {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(run, _)| *run);
            let Some(oldest) = oldest else { break };
            self.end(oldest).await?;
        }
        Ok(())
    }

    /// Ends row groups of other runs until rows of this weight may be appended to that of `run`, or to a new one.
    async fn end_row_groups(&mut self, run: u64, weight: usize) -> Result<(), Error> {
        let own = memory(&self.format, self.open.get(&run).map_or(0, |open| open.group_weight) + weight);
        loop {
            let others = self.open.iter_mut().filter(|(other, open)| **other != run && open.file.is_encoding());
            let mut others: Vec<_> = others.map(|(_, open)| open).collect();
            let memory = own + others.iter().map(|open| memory(&self.format, open.group_weight)).sum::<usize>();
            if others.len() < self.limits.row_groups.max(1) && memory <= self.limits.encoding {
                return Ok(());
            }
            others.sort_by_key(|open| open.used);
            let Some(oldest) = others.first_mut() else { return Ok(()) };
            oldest.end_row_group().await?;
            self.end_unsent().await?;
        }
    }

    /// Ends files until the open ones hold back few enough bytes. Ending a file uploads its last, incomplete part.
    ///
    /// Must be called after each row group. At the next request for room the bytes held back then exceed the limit by
    /// at most one part, so the request is always granted eventually.
    async fn end_unsent(&mut self) -> Result<(), Error> {
        let Some(part) = self.part_size else { return Ok(()) };
        loop {
            let unsent = |open: &OpenFile| unsent(open.file.bytes(), part);
            if self.open.values().map(unsent).sum::<u64>() <= self.limits.unsent as u64 {
                return Ok(());
            }
            let most = self.open.iter().max_by_key(|(_, open)| (unsent(open), Reverse(open.used)));
            let Some(run) = most.map(|(run, _)| *run) else { return Ok(()) };
            self.end(run).await?;
        }
    }
}

/// How many of `bytes` are held back for lack of a complete part. A complete one is held back, too, until more bytes
/// follow.
fn unsent(bytes: u64, part: u64) -> u64 {
    bytes.checked_sub(1).map_or(0, |bytes| bytes % part + 1)
}

/// An estimate of the memory of a row group, from the weight of its rows. The encoders' own figures depend on their
/// progress, and files must not depend on timing.
fn memory(format: &Format, weight: usize) -> usize {
    let beside = if format.starts_empty() { ROW_GROUP.min(EMPTY + weight / FILLING) } else { ROW_GROUP };
    beside + weight / ENCODED
}

impl OpenFile {
    async fn end_row_group(&mut self) -> Result<(), Error> {
        self.group_rows = 0;
        self.group_weight = 0;
        self.file.end_row_group().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::destination::memory::Memory;
    use crate::convert::parquet::Compression;
    use crate::convert::testing::{batch_of, line};
    use crate::schema::Table;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    /// The number of row groups in the files of four partitions that are written to in turn.
    async fn row_groups(compression: Compression) -> Vec<usize> {
        const RUNS: u64 = 4;
        const TURNS: u64 = 24;
        let data = Memory::default();
        let format = Format::new(Table::Logs, compression, 1 << 20);
        let limits = FileLimits::new(1 << 40, 192 << 20);
        let mut files = Files::new(Arc::new(data.clone()), format, "b", limits, Encoders::new(2).unwrap());
        for turn in 0..RUNS * TURNS {
            let rows = Rows::all(vec![batch_of(&line(1_768_435_200, "photos", 1))], 8 << 20);
            files.append(turn % RUNS, || format!("bucket={}/", turn % RUNS), rows, (0, 0)).await.unwrap();
            let encoding = files.open.values().filter(|open| open.file.is_encoding());
            let memory: usize = encoding.map(|open| memory(&files.format, open.group_weight)).sum();
            assert!(memory <= limits.encoding, "{memory}");
        }
        files.finish().await.unwrap();
        let files = data.files.lock().unwrap();
        let groups = |bytes: &Vec<u8>| SerializedFileReader::new(bytes::Bytes::from(bytes.clone())).unwrap();
        files.values().map(|bytes| groups(bytes).metadata().num_row_groups()).collect()
    }

    #[tokio::test]
    async fn row_groups_of_partitions_in_turn_are_not_tiny() {
        let groups = row_groups(Compression::default()).await;
        assert!(groups.len() == 4 && groups.iter().all(|groups| *groups <= 8), "{groups:?}");
        // Each takes much memory from the start.
        let groups = row_groups(Compression::Snappy).await;
        assert!(groups.len() == 4 && groups.iter().all(|groups| *groups > 8), "{groups:?}");
    }
}
