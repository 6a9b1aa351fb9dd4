//! One batch of log objects into files: reading, decoding, sorting, encoding and writing overlap, and memory is bounded.

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

/// Says which records were not there before. It is asked in the order of the records.
#[async_trait]
pub(crate) trait Deduplicate: Send {
    /// Which rows of a batch to keep; `None` for all.
    async fn keep(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>, Error>;
}

/// A batch of log objects that is to be written.
pub(crate) struct Job {
    /// The table whose records are written.
    pub(crate) table: Table,
    /// In the order in which they are read.
    pub(crate) objects: Vec<Unopened>,
    /// Requests for objects of buckets that are under way at once.
    pub(crate) concurrency: usize,
    /// Threads that decode, and as many that encode.
    pub(crate) threads: usize,
    /// How lines are understood.
    pub(crate) lines: LineOptions,
    /// A transformation of every batch of records.
    pub(crate) per_block: Option<PerBlock>,
    /// A transformation of every batch of rejects.
    pub(crate) reject_block: Option<PerBlock>,
    /// Leaves records out.
    pub(crate) dedupe: Option<Box<dyn Deduplicate>>,
    /// Where data files go.
    pub(crate) data: Arc<dyn Destination>,
    /// Where files of rejects go, if they are wanted, and what their paths begin with.
    pub(crate) rejects: Option<(Arc<dyn Destination>, String)>,
    /// How files look.
    pub(crate) layout: Layout,
    /// Told what is read.
    pub(crate) progress: Arc<Progress>,
    /// Once set, no further object is begun.
    pub(crate) stop: Arc<AtomicBool>,
}

/// How the files of a batch look.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Names of files begin with it.
    pub(crate) batch_id: String,
    /// Whether there is a partition for every bucket of a day.
    pub(crate) by_bucket: bool,
    /// About how many bytes a file has at most.
    pub(crate) target_size: u64,
    /// How pages are compressed.
    pub(crate) compression: Compression,
    /// Columns with Bloom filters.
    pub(crate) bloom: Vec<String>,
    /// About how much memory the pipeline takes, beside what encoders need in any case.
    pub(crate) memory: usize,
    /// Pairs in the metadata of data files.
    pub(crate) metadata: Vec<(String, String)>,
    /// Files are numbered from here on: no two attempts at a batch give a file the same name.
    pub(crate) first_number: u64,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Data files, in the order in which they were begun.
    pub(crate) files: Vec<DataFile>,
    /// Files of rejects.
    pub(crate) reject_files: Vec<DataFile>,
    /// Lines that are not blank, counted by their ends.
    pub(crate) lines: u64,
    /// Lines of nothing but spaces, tabs and carriage returns.
    pub(crate) blank_lines: u64,
    /// Records found, duplicates too.
    pub(crate) rows: u64,
    /// Lines that are no records.
    pub(crate) rejects: u64,
    /// Records that were left out.
    pub(crate) duplicates: u64,
    /// Bytes read, as stored.
    pub(crate) bytes: u64,
    /// Objects read to their end: of the objects that were begun all but those that failed or are archived.
    pub(crate) objects_read: usize,
    /// Objects that could not be read, or not to their end, by their position.
    pub(crate) failed: Vec<(usize, Error)>,
    /// Objects that have to be restored from an archive first, by their position.
    pub(crate) archived: Vec<usize>,
    /// Whether an object failed after some of its lines had gone on their way: the files hold records of it and lack others. From
    /// there on objects were only read.
    pub(crate) spoiled: bool,
    /// Of a spoiled batch: files of the next attempt are numbered from here on.
    pub(crate) next_number: u64,
}

/// What bounds memory and shapes files; tests make it small.
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
                // Deliveries are nearly in order; it grows where they are not. Memory that is touched costs time to clear.
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

/// Rows of a row group, at most.
pub(super) const ROW_GROUP_ROWS: usize = 1 << 20;

/// Blocks that wait to be decoded.
const WAITING: usize = 4;

/// Reads the objects of a batch and writes their records.
///
/// # Errors
///
/// When something cannot be written, or a record cannot be looked up or transformed. Objects that cannot be read are no error:
/// [`Outcome::failed`] has them.
///
/// Whatever it comes to, nothing is being written any more then. That does not hold for who drops it.
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
            // Nobody will keep it.
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
    // Whoever deletes what was written must not be overtaken by a file that is finished only now.
    let abandoned = writing.abandon().await;
    let mut outcome = ended?;
    // A put that failed may be carried out later, all the same: this batch must not be committed.
    abandoned?;
    outcome.next_number = writing.next_number();
    Ok(outcome)
}

/// Writes what is decoded, until it ends or is of no use any more.
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

/// Reads one object after the other.
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
                    // Nobody takes it after an error.
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
                Some(Event::Archived(_)) => {
                    outcome.archived.push(position);
                    position += 1;
                    self.progress.archived(1);
                }
                // Nothing is listed here.
                Some(Event::Unlisted(_)) => {}
                None => return outcome,
            }
        }
    }
}

/// Writes what was decoded, in order.
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
            // Lines are taken to be of equal length.
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
        outcome.duplicates = self.duplicates;
        Ok(())
    }

    /// Stops writing; once it has come back nothing is written any more.
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
