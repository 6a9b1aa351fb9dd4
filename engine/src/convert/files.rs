//! The files of a batch: one for each run of a partition, or several when it grows large.
//!
//! A row group that is being encoded costs tens of megabytes whatever it holds, so only a few are at once; a file without one costs
//! little. When there are too many of either, those that got nothing for the longest time are ended.

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

/// How large files grow, and how many there are at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLimits {
    /// Bytes of a file; it ends with the row group that reaches them.
    pub(super) target_size: u64,
    /// Bytes that the rows of a row group weigh, before they are encoded.
    pub(super) row_group_weight: usize,
    /// Row groups that are encoded at once, at most,
    pub(super) row_groups: usize,
    /// and the bytes that they take up together, as [`OpenFile::memory`] guesses.
    pub(super) encoding: usize,
    /// Files that are open at once.
    pub(super) files: usize,
    /// Bytes of rows that wait to be encoded.
    pub(super) waiting: usize,
    /// Bytes that are encoded and wait to be written.
    pub(super) output: usize,
    /// Bytes that open files keep because they are not enough for a part of an upload.
    pub(super) unsent: usize,
}

impl FileLimits {
    /// For files of about this size, with about so much memory.
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

/// Names files and writes them.
pub(super) struct Files {
    destination: Arc<dyn Destination>,
    /// Of an upload.
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

/// A file, and how many were begun before it.
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

/// Bytes that a row group takes up beside what it holds: tables of dictionaries, and pages that are being filled. With a codec that is
/// the library's, or Bloom filters, also compressors for each column.
const ROW_GROUP: usize = 32 << 20;

/// Rows weigh so many times what they take up encoded, dictionaries included.
const ENCODED: usize = 8;

/// Rows waiting to be encoded are counted in units of so many bytes.
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
        // Beyond the limit by one part, before a file is ended for it: see `end_unsent`.
        let unsent = part_size.map_or(0, |part| limits.unsent + part as usize);
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

    /// The same with other numbers in the names of files.
    pub(super) fn numbered_from(self, first: u64) -> Self {
        Self { next_number: first, ..self }
    }

    /// Writes rows into the file of their run.
    pub(super) async fn write(&mut self, emitted: Emitted) -> Result<(), Error> {
        let Emitted { partition, run, rows, times, ended } = emitted;
        if let Some(ended) = ended {
            self.end(ended).await?;
        }
        self.append(run, || partition.directory(), rows, times).await
    }

    /// Writes rows that have no order and no partition into a file of their own.
    pub(super) async fn write_unsorted(&mut self, directory: &str, rows: Rows) -> Result<(), Error> {
        self.append(0, || directory.to_owned(), rows, (0, 0)).await
    }

    /// Writes rows that go on where those before them ended; their times are given.
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
        // Never closed.
        rows.hold(Arc::clone(&self.waiting).acquire_many_owned(units).await.ok());
        let (count, weight) = (rows.len(), rows.weight());
        if let Some(open) = self.open.get_mut(&run) {
            let is_full = open.group_rows + count > self.format.row_group_rows()
                || open.group_weight + weight > self.limits.row_group_weight;
            if is_full && open.group_rows > 0 {
                open.end_row_group().await?;
                // Half a row group more or less.
                if open.file.bytes() + open.file.last_row_group() / 2 >= self.limits.target_size {
                    self.end(run).await?;
                }
                self.end_unsent().await?;
            }
        }
        if self.open.get(&run).is_none_or(|open| !open.file.is_encoding()) {
            self.end_row_groups().await?;
        }
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

    /// Ends every file; gives them in the order in which they were begun.
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

    /// Stops writing, all files at once: what is not complete when this has come back will never be.
    ///
    /// # Errors
    ///
    /// When one of them could not be written, and may be there all the same.
    pub(super) async fn abandon(&mut self) -> Result<(), Error> {
        let open = std::mem::take(&mut self.open).into_values().map(|open| open.file.abandon());
        let sealed = std::mem::take(&mut self.sealed).into_iter().map(|(_, sealed)| sealed.abandon());
        let (open, sealed) = futures::join!(join_all(open), join_all(sealed));
        open.into_iter().chain(sealed).collect()
    }

    /// The number of the next file: names with it, or a greater one, were never given.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Ends the file of a run, if it has one.
    async fn end(&mut self, run: u64) -> Result<(), Error> {
        let Some(OpenFile { file, number, mut written, .. }) = self.open.remove(&run) else { return Ok(()) };
        let sealed = file.seal().await?;
        written.bytes = sealed.bytes;
        self.sealed.push((Numbered { number, written }, sealed));
        Ok(())
    }

    /// Ends files until there may be one more.
    async fn make_room(&mut self) -> Result<(), Error> {
        while self.open.len() >= self.limits.files.max(1) {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(run, _)| *run);
            let Some(oldest) = oldest else { break };
            self.end(oldest).await?;
        }
        Ok(())
    }

    /// Ends row groups until there may be one more.
    async fn end_row_groups(&mut self) -> Result<(), Error> {
        loop {
            let encoding = self.open.values_mut().filter(|open| open.file.is_encoding());
            let mut encoding: Vec<_> = encoding.collect();
            let memory = ROW_GROUP + encoding.iter().map(|open| open.memory()).sum::<usize>();
            if encoding.len() < self.limits.row_groups.max(1) && memory <= self.limits.encoding {
                return Ok(());
            }
            encoding.sort_by_key(|open| open.used);
            let Some(oldest) = encoding.first_mut() else { return Ok(()) };
            oldest.end_row_group().await?;
            self.end_unsent().await?;
        }
    }

    /// Ends files until those that are open keep little enough from being sent: the rest of a part is sent with the end of its file.
    ///
    /// To be called after the end of each row group. Then what waits is beyond the limit by one part at most when the next one asks
    /// for room, so that there always is room in the end.
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

/// Of so many bytes, those that are left when parts are sent. The last one waits for what comes after it.
fn unsent(bytes: u64, part: u64) -> u64 {
    bytes.checked_sub(1).map_or(0, |bytes| bytes % part + 1)
}

impl OpenFile {
    /// About what the row group takes up in memory. A guess from what goes in: what the encoders say depends on how far they are, and
    /// the same objects have to give the same files.
    fn memory(&self) -> usize {
        ROW_GROUP + self.group_weight / ENCODED
    }

    async fn end_row_group(&mut self) -> Result<(), Error> {
        self.group_rows = 0;
        self.group_weight = 0;
        self.file.end_row_group().await
    }
}
