//! Converts one batch of log objects into files. Reading, decoding, sorting, encoding and writing overlap, in bounded
//! memory.

use super::decoding::{Decoded, Decoding, PerBlock, Records};
use super::destination::Destination;
use super::files::{FileLimits, Files};
use super::parquet::{Compression, Encoders, Format};
use super::partition;
use super::rows::Rows;
use super::sorter::{Sorter, SorterLimits};
use crate::dataset::DataFile;
use crate::decode::{BLOCK_SIZE, Block, BufferPool, Counts, LineBlocks, LineOptions};
use crate::error::{Error, ErrorKind};
use crate::scan::{Event, Progress, Reader, Unopened};
use crate::schema::Table;
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt as _;
use futures::stream::Stream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Finds duplicate records. Called in the order of the records.
#[async_trait]
pub(crate) trait Deduplicate: Send {
    /// Which rows of a batch to keep; `None` for all.
    async fn keep(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>, Error>;
}

/// A batch of log objects to convert.
pub(crate) struct Job {
    /// The table to write.
    pub(crate) table: Table,
    /// The objects, in the order in which they are read.
    pub(crate) objects: Vec<Unopened>,
    /// Maximum number of concurrent requests for objects.
    pub(crate) concurrency: usize,
    /// Number of threads that decode, and of threads that encode.
    pub(crate) threads: usize,
    /// How lines are parsed.
    pub(crate) lines: LineOptions,
    /// Applied to every batch of records.
    pub(crate) per_block: Option<PerBlock>,
    /// Applied to every batch of rejects.
    pub(crate) reject_block: Option<PerBlock>,
    /// Leaves out duplicates.
    pub(crate) dedupe: Option<Box<dyn Deduplicate>>,
    /// The destination of data files.
    pub(crate) data: Arc<dyn Destination>,
    /// The destination of files of rejects, if they are kept, and the prefix of their paths.
    pub(crate) rejects: Option<(Arc<dyn Destination>, String)>,
    /// How files are written.
    pub(crate) layout: Layout,
    /// Reports what is read.
    pub(crate) progress: Arc<Progress>,
    /// Once set, no further object is begun.
    pub(crate) stop: Arc<AtomicBool>,
}

/// How the files of a batch are named and written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Prefix of the names of files.
    pub(crate) batch_id: String,
    /// Whether there is a partition for each bucket of a day.
    pub(crate) by_bucket: bool,
    /// Target size of a file, in bytes.
    pub(crate) target_size: u64,
    /// Compression of pages.
    pub(crate) compression: Compression,
    /// Columns with Bloom filters.
    pub(crate) bloom: Vec<String>,
    /// Memory budget in bytes, beside the fixed memory of encoders.
    pub(crate) memory: usize,
    /// Key-value metadata of data files.
    pub(crate) metadata: Vec<(String, String)>,
    /// The first number in names of files. No two attempts at a batch share a name.
    pub(crate) first_number: u64,
}

/// Result of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Data files, in the order in which they were begun.
    pub(crate) files: Vec<DataFile>,
    /// Files of rejects.
    pub(crate) reject_files: Vec<DataFile>,
    /// Lines that are not blank, counted by their ends.
    pub(crate) lines: u64,
    /// Lines with nothing but spaces, tabs and carriage returns.
    pub(crate) blank_lines: u64,
    /// Records found, including duplicates.
    pub(crate) rows: u64,
    /// Lines that are not records.
    pub(crate) rejects: u64,
    /// Lines of logs of another kind, which are left out.
    pub(crate) others: u64,
    /// Records left out as duplicates.
    pub(crate) duplicates: u64,
    /// Bytes read, as stored.
    pub(crate) bytes: u64,
    /// Objects read to their end: all that were begun, except those in `failed` and `archived`.
    pub(crate) objects_read: usize,
    /// Objects that could not be read, or not to their end, by position.
    pub(crate) failed: Vec<(usize, Error)>,
    /// Objects that must be restored from an archive first, by position.
    pub(crate) archived: Vec<usize>,
    /// Whether an object failed after some of its lines were passed on: files contain some of its records, and lack
    /// records of later objects, which were only read.
    pub(crate) spoiled: bool,
    /// For a spoiled batch: the first number in names of files of the next attempt.
    pub(crate) next_number: u64,
}

/// Limits on memory and the size of files; tests use small ones.
#[derive(Clone, Copy, Debug)]
struct Limits {
    sorter: SorterLimits,
    files: FileLimits,
    row_group_rows: usize,
    block: usize,
}

impl Limits {
    fn of(layout: &Layout) -> Self {
        let memory = layout.memory.max(64 << 20);
        Self {
            sorter: SorterLimits {
                // Objects are nearly in order as delivered; the window grows where they are not. A small window stays
                // in cache.
                window: (12 << 20).min(memory / 4),
                max_window: memory / 4,
                memory: memory * 3 / 8,
                runs: 4,
                chunk: 8 << 10,
            },
            files: FileLimits::new(layout.target_size, memory),
            row_group_rows: ROW_GROUP_ROWS,
            block: BLOCK_SIZE,
        }
    }
}

/// Maximum number of rows in a row group.
pub(super) const ROW_GROUP_ROWS: usize = 1 << 20;

/// Number of blocks waiting to be decoded.
const WAITING: usize = 4;

/// Reads the objects of a batch and writes their records.
///
/// # Errors
///
/// If a file cannot be written, or a record cannot be deduplicated or transformed. Objects that cannot be read are not
/// an error, but listed in [`Outcome::failed`].
///
/// When this returns, nothing is being written any more. There is no such guarantee if the future is dropped.
pub(crate) async fn write_records(job: Job) -> Result<Outcome, Error> {
    let limits = Limits::of(&job.layout);
    write_within(job, limits).await
}

async fn write_within(job: Job, limits: Limits) -> Result<Outcome, Error> {
    let spoiled = Arc::new(AtomicBool::new(false));
    let pool = BufferPool::new(limits.block);
    let blocks = LineBlocks::new(pool).with_max_line(job.lines.max_line());
    let blocks = if job.rejects.is_some() { blocks } else { blocks.without_line_numbers() };
    let (sender, mut received) = mpsc::channel(WAITING);
    let reading = Reading {
        reader: Reader::in_order(job.objects, job.concurrency, job.stop, blocks),
        blocks: sender,
        progress: Arc::clone(&job.progress),
        spoiled: Arc::clone(&spoiled),
    };
    let reading = SpawnedTask::spawn(reading.run());

    let encoders = Encoders::new(job.threads)?;
    let format = Format::new(job.table, job.layout.compression, limits.row_group_rows)
        .with_bloom_filters(job.layout.bloom.clone())
        .with_metadata(job.layout.metadata.clone());
    let rejects = job.rejects.map(|(destination, prefix)| {
        let format = Format::new(Table::Rejects, job.layout.compression, limits.row_group_rows);
        let name = format!("{}-rejects", job.layout.batch_id);
        let files = Files::new(destination, format, &name, limits.files, encoders.clone());
        (files.numbered_from(job.layout.first_number), prefix)
    });
    let decoding = Arc::new(Decoding {
        table: job.table,
        lines: job.lines,
        wants_rejects: rejects.is_some(),
        per_block: job.per_block,
        reject_block: job.reject_block,
        splits: job.dedupe.is_none().then_some(job.layout.by_bucket),
        decoders: Mutex::default(),
    });
    let mut writing = Writing {
        by_bucket: job.layout.by_bucket,
        dedupe: job.dedupe,
        sorter: Sorter::new(limits.sorter),
        files: Files::new(job.data, format, &job.layout.batch_id, limits.files, encoders)
            .numbered_from(job.layout.first_number),
        rejects,
        counts: Counts::default(),
        line_ends: 0,
        duplicates: 0,
    };

    let arriving = futures::stream::poll_fn(move |context| received.poll_recv(context));
    let decoded = arriving.map(|block: Block| {
        let (decoding, spoiled) = (Arc::clone(&decoding), Arc::clone(&spoiled));
        let task = SpawnedTask::spawn(async move {
            // A spoiled batch is discarded.
            if spoiled.load(Ordering::Relaxed) { Ok(None) } else { decoding.decode(&block).map(Some) }
        });
        async move { task.join().await.map_err(stopped)? }
    });
    let decoded = Box::pin(decoded.buffered(job.threads.max(1) + 2));
    let written = write_all(&mut writing, decoded, &job.progress, &spoiled).await;
    let ended = match written {
        Ok(()) => reading.join().await.map_err(stopped),
        Err(error) => Err(error),
    };
    let ended = match ended {
        Ok(mut outcome) if !outcome.spoiled => match writing.finish(&mut outcome).await {
            Ok(()) => return Ok(outcome),
            Err(error) => Err(error),
        },
        ended => ended,
    };
    // The caller deletes what was written: no file may be completed after that.
    let abandoned = writing.abandon().await;
    let mut outcome = ended?;
    // A put that failed may still be carried out later, so this batch must not be committed.
    abandoned?;
    outcome.next_number = writing.next_number();
    Ok(outcome)
}

/// Writes the decoded blocks, discarding them once the batch is spoiled.
async fn write_all(
    writing: &mut Writing,
    mut decoded: impl Stream<Item = Result<Option<Decoded>, Error>> + Unpin,
    progress: &Progress,
    spoiled: &AtomicBool,
) -> Result<(), Error> {
    while let Some(next) = decoded.next().await {
        let Some(next) = next? else { continue };
        progress.counted(next.counts);
        if !spoiled.load(Ordering::Relaxed) {
            writing.write(next).await?;
        }
    }
    Ok(())
}

fn stopped(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "a task that converts stopped").with_source(error)
}

/// Reads the objects in order.
struct Reading {
    reader: Reader,
    blocks: mpsc::Sender<Block>,
    progress: Arc<Progress>,
    spoiled: Arc<AtomicBool>,
}

impl Reading {
    async fn run(mut self) -> Outcome {
        let mut outcome = Outcome::default();
        // Objects end in the order in which they were given.
        let mut position = 0;
        loop {
            let event = self.reader.next().await;
            let read = self.reader.take_read();
            outcome.bytes += read;
            self.progress.read(read);
            match event {
                Some(Event::Block(_)) if outcome.spoiled => tokio::task::coop::consume_budget().await,
                Some(Event::Block(block)) => {
                    // The receiver is gone after an error.
                    if self.blocks.send(block).await.is_err() {
                        return outcome;
                    }
                }
                Some(Event::Done(_)) => {
                    outcome.objects_read += 1;
                    position += 1;
                    self.progress.object_done();
                }
                Some(Event::Failed(object, error)) => {
                    if self.reader.broke_off() {
                        outcome.spoiled = true;
                        self.spoiled.store(true, Ordering::Relaxed);
                    }
                    self.progress.failed(object.object.name(), &error);
                    outcome.failed.push((position, error));
                    position += 1;
                }
                Some(Event::Archived(object)) => {
                    outcome.archived.push(position);
                    position += 1;
                    self.progress.planned_are_archived(1, object.size);
                }
                // Objects are given, not listed.
                Some(Event::Unlisted(_)) => {}
                None => return outcome,
            }
        }
    }
}

/// Writes the decoded blocks in order.
struct Writing {
    by_bucket: bool,
    dedupe: Option<Box<dyn Deduplicate>>,
    sorter: Sorter,
    files: Files,
    rejects: Option<(Files, String)>,
    counts: Counts,
    line_ends: u64,
    duplicates: u64,
}

impl Writing {
    async fn write(&mut self, decoded: Decoded) -> Result<(), Error> {
        let Decoded { records, rejects, counts, line_ends, bytes } = decoded;
        self.counts += counts;
        self.line_ends += line_ends;
        if let (Some(batch), Some((files, prefix))) = (rejects, &mut self.rejects)
            && batch.num_rows() > 0
        {
            let weight = batch.get_array_memory_size();
            files.write_unsorted(prefix, Rows::all(vec![batch], weight)).await?;
        }
        let parts = match records {
            Records::Split(parts) => parts,
            Records::Whole(batch) => partition::split(self.deduplicated(batch).await?, self.by_bucket)?,
        };
        let rows: usize = parts.iter().map(|part| part.batch.num_rows()).sum();
        for part in parts {
            // An estimate that assumes lines of equal length.
            let text = bytes * part.batch.num_rows() / rows.max(1);
            for emitted in self.sorter.push(part, text)? {
                self.files.write(emitted).await?;
            }
        }
        Ok(())
    }

    async fn deduplicated(&mut self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        let Some(dedupe) = &mut self.dedupe else { return Ok(batch) };
        let Some(keep) = dedupe.keep(&batch).await? else { return Ok(batch) };
        let kept = filter_record_batch(&batch, &keep)?;
        self.duplicates += (keep.len() - kept.num_rows()) as u64;
        Ok(kept)
    }

    async fn finish(&mut self, outcome: &mut Outcome) -> Result<(), Error> {
        while let Some(left) = self.sorter.finish()? {
            for emitted in left {
                self.files.write(emitted).await?;
            }
        }
        outcome.files = self.files.finish().await?;
        if let Some((files, _)) = &mut self.rejects {
            outcome.reject_files = files.finish().await?;
        }
        outcome.lines = self.line_ends - self.counts.blank_lines - self.counts.headers - self.counts.others;
        outcome.blank_lines = self.counts.blank_lines;
        outcome.rows = self.counts.rows;
        outcome.rejects = self.counts.rejects;
        outcome.others = self.counts.others;
        outcome.duplicates = self.duplicates;
        Ok(())
    }

    /// Stops writing. When this returns, nothing is being written any more.
    async fn abandon(&mut self) -> Result<(), Error> {
        let Self { files, rejects, .. } = self;
        let of_rejects = async {
            match rejects {
                Some((files, _)) => files.abandon().await,
                None => Ok(()),
            }
        };
        let (data, rejects) = futures::join!(files.abandon(), of_rejects);
        data.and(rejects)
    }

    fn next_number(&self) -> u64 {
        let of_rejects = self.rejects.as_ref().map_or(0, |(files, _)| files.next_number());
        self.files.next_number().max(of_rejects)
    }
}

#[cfg(test)]
mod tests;
