//! Encodes the columns of a row group in a pool of threads.
//!
//! Each column has a queue of work that is processed by one thread at a time, so that its rows stay in order and its
//! dictionary stays in the cache of that thread. The most expensive columns are started first, so that they do not
//! finish last. No thread blocks: results are awaited.

use super::compression::Compressors;
use super::encoding::EncodedChunk;
use super::number::{NumberColumn, NumberFormat};
use super::text::{TextColumn, TextFormat};
use crate::convert::rows::Rows;
use crate::error::{Error, ErrorKind};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;
use rayon::ThreadPool;
use rayon::ThreadPoolBuilder;
use std::collections::VecDeque;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// A pool of threads that encode.
#[derive(Clone, Debug)]
pub(in crate::convert) struct Encoders {
    pool: Arc<ThreadPool>,
    compressors: Compressors,
}

impl Encoders {
    pub(in crate::convert) fn new(threads: usize) -> Result<Self, Error> {
        let builder = ThreadPoolBuilder::new().num_threads(threads.max(1));
        let pool = builder.thread_name(|index| format!("encoder-{index}")).build();
        let pool = pool.map_err(|error| {
            Error::new(ErrorKind::Internal, "no threads can be started to encode with").with_source(error)
        })?;
        Ok(Self { pool: Arc::new(pool), compressors: Compressors::default() })
    }

    /// Runs work on a thread of the pool.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        self.pool.spawn_fifo(move || {
            let result = std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()));
            // The caller may be gone.
            drop(sender.send(result));
        });
        receiver.await.map_err(|_| panicked())?
    }
}

/// A row group whose columns are being encoded.
pub(super) struct Columns {
    encoders: Encoders,
    /// The most expensive first.
    columns: Vec<Arc<Column>>,
}

struct Column {
    /// The position in the schema.
    index: usize,
    field: FieldRef,
    queue: Mutex<Queue>,
    encoder: Mutex<Encoder>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Whether a thread is processing the queue.
    is_running: bool,
}

enum Work {
    Encode(Arc<Rows>),
    Close(oneshot::Sender<Result<Chunk, Error>>),
}

/// Encodes a column. All our columns are a single leaf.
struct Encoder {
    writer: Option<ColumnWriter>,
    failed: Option<Error>,
}

impl Columns {
    /// A row group. `others` are the writers of the columns with [`ColumnFormat::Library`], in their order; `order` has
    /// the positions of the most expensive columns first.
    pub(super) fn new(
        encoders: Encoders,
        schema: &SchemaRef,
        formats: &[ColumnFormat],
        others: Vec<ArrowColumnWriter>,
        order: &[usize],
    ) -> Self {
        let (mut others, compressors) = (others.into_iter(), &encoders.compressors);
        let writers = formats.iter().map(|format| match format {
            ColumnFormat::Text(format) => {
                Some(ColumnWriter::Text(Box::new(TextColumn::new(format.clone(), compressors.clone()))))
            }
            ColumnFormat::Number(format) => {
                Some(ColumnWriter::Number(Box::new(NumberColumn::new(format.clone(), compressors.clone()))))
            }
            ColumnFormat::Library => others.next().map(|writer| ColumnWriter::Other(Box::new(writer))),
        });
        let columns = schema.fields().iter().zip(writers).enumerate().map(|(index, (field, writer))| {
            let encoder = Mutex::new(Encoder { writer, failed: None });
            Arc::new(Column { index, field: Arc::clone(field), queue: Mutex::default(), encoder })
        });
        let mut columns: Vec<_> = columns.collect();
        let rank = |index: usize| order.iter().position(|at| *at == index).unwrap_or(order.len());
        columns.sort_by_key(|column| rank(column.index));
        Self { encoders, columns }
    }

    /// Appends rows.
    pub(super) fn encode(&self, rows: &Arc<Rows>) {
        for column in &self.columns {
            column.add(Work::Encode(Arc::clone(rows)), &self.encoders.pool);
        }
    }

    /// Ends the row group and returns its columns, in the order of the schema.
    pub(super) async fn close(self) -> Result<Vec<Chunk>, Error> {
        let mut waiting = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let (sender, receiver) = oneshot::channel();
            column.add(Work::Close(sender), &self.encoders.pool);
            waiting.push((column.index, receiver));
        }
        waiting.sort_by_key(|(index, _)| *index);
        let mut chunks = Vec::with_capacity(waiting.len());
        for (_, receiver) in waiting {
            chunks.push(receiver.await.map_err(|_| panicked())??);
        }
        Ok(chunks)
    }
}

impl Column {
    fn add(self: &Arc<Self>, work: Work, pool: &ThreadPool) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push_back(work);
        if !queue.is_running {
            queue.is_running = true;
            let column = Arc::clone(self);
            pool.spawn_fifo(move || column.work());
        }
    }

    /// Processes the queue until it is empty.
    fn work(&self) {
        let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let work = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(work) = queue.waiting.pop_front() else {
                    queue.is_running = false;
                    return;
                };
                work
            };
            match work {
                Work::Encode(rows) => {
                    let encode = AssertUnwindSafe(|| encoder.encode(self.index, &self.field, &rows));
                    let encoded = std::panic::catch_unwind(encode).unwrap_or_else(|_| Err(panicked()));
                    if let Err(error) = encoded {
                        encoder.failed.get_or_insert(error);
                    }
                }
                Work::Close(sender) => {
                    let close = AssertUnwindSafe(|| encoder.close());
                    let closed = std::panic::catch_unwind(close).unwrap_or_else(|_| Err(panicked()));
                    drop(sender.send(closed));
                }
            }
        }
    }
}

impl Encoder {
    fn encode(&mut self, index: usize, field: &FieldRef, rows: &Rows) -> Result<(), Error> {
        match self.writer.as_mut().filter(|_| self.failed.is_none()) {
            Some(ColumnWriter::Text(writer)) => writer.write(&rows.texts(index)?),
            Some(ColumnWriter::Number(writer)) => writer.write(&rows.numbers(index)?),
            Some(ColumnWriter::Other(writer)) => {
                for array in rows.column(index)? {
                    for leaf in compute_leaves(field, &array).map_err(cannot_encode)? {
                        writer.write(&leaf).map_err(cannot_encode)?;
                    }
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<Chunk, Error> {
        match (self.failed.take(), self.writer.take()) {
            (Some(error), _) => Err(error),
            (None, Some(ColumnWriter::Text(writer))) => writer.close().map(Chunk::Ours),
            (None, Some(ColumnWriter::Number(writer))) => writer.close().map(Chunk::Ours),
            (None, Some(ColumnWriter::Other(writer))) => writer.close().map(Chunk::Other).map_err(cannot_encode),
            (None, None) => Err(panicked()),
        }
    }
}

/// The encoder of a column.
#[derive(Clone, Debug)]
pub(super) enum ColumnFormat {
    Text(TextFormat),
    Number(NumberFormat),
    /// Encoded by the `parquet` crate.
    Library,
}

impl ColumnFormat {
    /// The format of a column with these properties, given the type of its arrays.
    pub(super) fn of(column: &ColumnDescPtr, data_type: &DataType, properties: &WriterProperties) -> Self {
        let format = match data_type {
            DataType::Utf8View => TextFormat::of(column, properties).map(Self::Text),
            _ => NumberFormat::of(column, data_type, properties).map(Self::Number),
        };
        format.unwrap_or(Self::Library)
    }
}

/// A column being encoded: text and numbers by this crate, others by the `parquet` crate.
enum ColumnWriter {
    Text(Box<TextColumn>),
    Number(Box<NumberColumn>),
    Other(Box<ArrowColumnWriter>),
}

/// An encoded column chunk.
pub(super) enum Chunk {
    Ours(EncodedChunk),
    Other(ArrowColumnChunk),
}

impl Chunk {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Ours(chunk) => chunk.bytes(),
            Self::Other(chunk) => chunk.close().bytes_written,
        }
    }

    pub(super) fn append_to_row_group<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), Error> {
        let appended = match self {
            Self::Ours(chunk) => chunk.append_to_row_group(group),
            Self::Other(chunk) => chunk.append_to_row_group(group),
        };
        appended.map_err(cannot_encode)
    }
}

pub(super) fn cannot_encode(error: ParquetError) -> Error {
    Error::new(ErrorKind::Internal, "a Parquet file cannot be encoded").with_source(error)
}

fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "a thread that encodes stopped")
}
