//! Writes a Parquet file to a sink, row group by row group.
//!
//! A separate task passes encoded bytes to the sink while the next row group is encoded.

use super::columns::{Chunk, ColumnFormat, Columns, Encoders, cannot_encode};
use super::properties::Format;
use crate::convert::destination::FileSink;
use crate::convert::rows::Rows;
use crate::dataset::Room;
use crate::error::{Error, ErrorKind};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions};
use parquet::file::writer::SerializedFileWriter;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Size of the pieces passed to a sink, in bytes.
const PIECE: usize = 1 << 20;

/// Unit in which bytes on their way to a sink are counted.
const UNIT: usize = 4 << 10;

/// Limit on the bytes encoded but not yet written, shared by several files.
#[derive(Clone, Debug)]
pub(in crate::convert) struct OutputRoom {
    room: Arc<Semaphore>,
    /// Maximum that one row group takes, in units.
    most: usize,
}

impl OutputRoom {
    /// Room for `bytes` on their way, and for `unsent` bytes that sinks hold back for lack of a complete part.
    pub(in crate::convert) fn new(bytes: usize, unsent: usize) -> Self {
        let most = (bytes / UNIT).max(1);
        Self { room: Arc::new(Semaphore::new(most + unsent.div_ceil(UNIT))), most }
    }

    async fn take(&self, bytes: usize) -> Room {
        let units = bytes.div_ceil(UNIT).clamp(1, self.most) as u32;
        // The semaphore is never closed.
        Arc::clone(&self.room).acquire_many_owned(units).await.ok()
    }
}

/// A file being written. Dropping it before [`ParquetFile::seal`] discards it.
pub(in crate::convert) struct ParquetFile {
    encoders: Encoders,
    batch_schema: SchemaRef,
    /// Columns, the most expensive to encode first.
    order: Vec<usize>,
    /// The format of each column.
    formats: Vec<ColumnFormat>,
    writer: Option<SerializedFileWriter<Outbox>>,
    /// Creates the writers of columns encoded by the `parquet` crate.
    others: ArrowRowGroupWriterFactory,
    /// The row group being encoded.
    group: Option<Columns>,
    groups: usize,
    /// Bounded by the room that the pieces hold.
    pieces: mpsc::UnboundedSender<(Bytes, Room)>,
    sending: Sending,
    room: OutputRoom,
    bytes: u64,
    last_group: u64,
}

/// A file that is completely on its way to the sink.
pub(in crate::convert) struct Sealed {
    /// Size of the file in bytes.
    pub(in crate::convert) bytes: u64,
    sending: Sending,
}

impl Sealed {
    /// Waits until the file is complete.
    pub(in crate::convert) async fn finished(&mut self) -> Result<(), Error> {
        self.sending.finished().await
    }

    /// Stops writing the file. When this returns, nothing of it is being written any more; it may be complete by then.
    ///
    /// # Errors
    ///
    /// If it is unknown whether the file is complete.
    pub(in crate::convert) async fn abandon(self) -> Result<(), Error> {
        self.sending.stop().await
    }
}

impl ParquetFile {
    /// Starts a file. Must be called in a runtime.
    pub(in crate::convert) fn new(
        format: &Format,
        sink: Box<dyn FileSink>,
        encoders: Encoders,
        room: OutputRoom,
    ) -> Result<Self, Error> {
        let options =
            ArrowWriterOptions::new().with_properties(format.properties()?).with_schema_root("log".to_owned());
        let schema = format.file_schema();
        let writer = ArrowWriter::try_new_with_options(Outbox::default(), Arc::clone(&schema), options.clone());
        let (writer, _) = writer.and_then(ArrowWriter::into_serialized_writer).map_err(cannot_encode)?;
        // Every field is a single column.
        let batch_schema = format.batch_schema();
        let columns = writer.schema_descr().columns().iter().zip(batch_schema.fields());
        let formats = columns.map(|(column, field)| ColumnFormat::of(column, field.data_type(), writer.properties()));
        let formats: Vec<_> = formats.collect();
        // The factory creates writers for all columns of its schema, so the schema must only have these columns.
        let others = schema.fields().iter().zip(&formats);
        let others =
            others.filter(|(_, format)| matches!(format, ColumnFormat::Library)).map(|(field, _)| Arc::clone(field));
        let others = Arc::new(Schema::new(others.collect::<Fields>()));
        let others = ArrowWriter::try_new_with_options(io::sink(), others, options);
        let (_, others) = others.and_then(ArrowWriter::into_serialized_writer).map_err(cannot_encode)?;
        let (pieces, waiting) = mpsc::unbounded_channel();
        Ok(Self {
            encoders,
            batch_schema,
            order: format.order(),
            formats,
            writer: Some(writer),
            others,
            group: None,
            groups: 0,
            pieces,
            sending: Sending::begin(waiting, sink),
            room,
            bytes: 0,
            last_group: 0,
        })
    }

    /// Whether a row group is being encoded.
    pub(in crate::convert) fn is_encoding(&self) -> bool {
        self.group.is_some()
    }

    /// Size of the row groups ended so far, in bytes.
    pub(in crate::convert) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Size of the last row group that ended, in bytes.
    pub(in crate::convert) fn last_row_group(&self) -> u64 {
        self.last_group
    }

    /// Appends rows to the current row group, or to a new one.
    pub(in crate::convert) fn encode(&mut self, rows: &Arc<Rows>) -> Result<(), Error> {
        let group = match &mut self.group {
            Some(group) => group,
            group => {
                let others = self.others.create_column_writers(self.groups).map_err(cannot_encode)?;
                let (encoders, schema) = (self.encoders.clone(), &self.batch_schema);
                group.insert(Columns::new(encoders, schema, &self.formats, others, &self.order))
            }
        };
        group.encode(rows);
        Ok(())
    }

    /// Ends the current row group and passes it to the sink.
    pub(in crate::convert) async fn end_row_group(&mut self) -> Result<(), Error> {
        let Some(group) = self.group.take() else { return Ok(()) };
        self.groups += 1;
        let chunks = group.close().await?;
        let size = chunks.iter().map(|chunk| chunk.bytes() as usize).sum();
        let room = self.room.take(size).await;
        let writer = self.writer.take().ok_or_else(gone)?;
        let (writer, pieces) = self.encoders.run(move || append(writer, chunks)).await?;
        let bytes = writer.bytes_written() as u64;
        self.last_group = bytes - self.bytes;
        self.bytes = bytes;
        self.writer = Some(writer);
        self.send(pieces, room).await
    }

    /// Ends the file.
    pub(in crate::convert) async fn seal(mut self) -> Result<Sealed, Error> {
        self.end_row_group().await?;
        let mut writer = self.writer.take().ok_or_else(gone)?;
        writer.finish().map_err(cannot_encode)?;
        let bytes = writer.bytes_written() as u64;
        let pieces = writer.inner_mut().take();
        self.send(pieces, None).await?;
        self.pieces.send((Bytes::new(), None)).ok();
        Ok(Sealed { bytes, sending: self.sending })
    }

    /// Stops writing the file. When this returns, nothing of it is being written any more.
    ///
    /// # Errors
    ///
    /// If something could not be written before.
    pub(in crate::convert) async fn abandon(self) -> Result<(), Error> {
        // Without the end marker, the task discards the file.
        drop(self.pieces);
        self.sending.stop().await
    }

    async fn send(&mut self, pieces: Vec<Bytes>, room: Room) -> Result<(), Error> {
        let mut room = room;
        for piece in pieces {
            let units = piece.len().div_ceil(UNIT);
            let share = room.as_mut().and_then(|room| room.split(units.min(room.num_permits())));
            if self.pieces.send((piece, share)).is_err() {
                // The task has ended early with an error.
                return Err(self.sending.finished().await.err().unwrap_or_else(gone));
            }
        }
        Ok(())
    }
}

/// The pieces of a file, and the room that they hold.
type Pieces = mpsc::UnboundedReceiver<(Bytes, Room)>;

/// The task that writes the pieces of a file. Aborted on drop.
struct Sending {
    task: Option<JoinHandle<Result<(), Error>>>,
    is_abandoned: Arc<AtomicBool>,
}

impl Sending {
    fn begin(pieces: Pieces, sink: Box<dyn FileSink>) -> Self {
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(send(pieces, sink, Arc::clone(&is_abandoned)));
        Self { task: Some(task), is_abandoned }
    }

    /// Waits for the end of the task. Returns an error if called again.
    async fn finished(&mut self) -> Result<(), Error> {
        let Some(task) = &mut self.task else { return Err(gone()) };
        let ended = task.await;
        self.task = None;
        ended.map_err(|error| Error::new(ErrorKind::Internal, "a task that writes stopped").with_source(error))?
    }

    /// Tells the task to stop, and waits until it has ended. It is not aborted: a blocking thread or a store might
    /// still carry out what was begun, at any later time.
    async fn stop(mut self) -> Result<(), Error> {
        self.is_abandoned.store(true, Ordering::Relaxed);
        match self.task {
            Some(_) => self.finished().await,
            None => Ok(()),
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Writes pieces until an empty one marks the end of the file.
async fn send(mut pieces: Pieces, mut sink: Box<dyn FileSink>, is_abandoned: Arc<AtomicBool>) -> Result<(), Error> {
    while let Some((piece, room)) = pieces.recv().await {
        if is_abandoned.load(Ordering::Relaxed) {
            break;
        }
        if piece.is_empty() {
            return sink.finish().await;
        }
        sink.write(piece, room).await?;
    }
    // The file is discarded.
    Ok(())
}

fn append(
    mut writer: SerializedFileWriter<Outbox>,
    chunks: Vec<Chunk>,
) -> Result<(SerializedFileWriter<Outbox>, Vec<Bytes>), Error> {
    let mut group = writer.next_row_group().map_err(cannot_encode)?;
    for chunk in chunks {
        chunk.append_to_row_group(&mut group)?;
    }
    group.close().map_err(cannot_encode)?;
    writer.flush().map_err(|error| cannot_encode(error.into()))?;
    let pieces = writer.inner_mut().take();
    Ok((writer, pieces))
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "a file was written to after an error")
}

/// Bytes of a file that have not been passed on.
#[derive(Debug, Default)]
struct Outbox {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Outbox {
    fn take(&mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open).into());
        }
        std::mem::take(&mut self.full)
    }
}

impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.open.capacity() == 0 {
            self.open.reserve_exact(PIECE);
        }
        let len = bytes.len().min(PIECE - self.open.len());
        self.open.extend_from_slice(&bytes[..len]);
        if self.open.len() == PIECE {
            self.full.push(std::mem::take(&mut self.open).into());
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
