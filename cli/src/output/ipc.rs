//! Arrow IPC. A regular file gets the file format, which readers can map. Everything else, and names ending in
//! `.arrows`, gets the stream format, which can be read while it is written.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::portable::{portable_batch, portable_schema};
use super::{ResultWriter, arrow_error};

/// The two formats of Arrow IPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// With a footer, for random access.
    File,
    /// For sequential reading.
    Stream,
}

pub(crate) struct IpcWriter<W: Write> {
    state: State<W>,
}

enum State<W: Write> {
    New(W, Flavour),
    File(Box<FileWriter<W>>, SchemaRef),
    Stream(Box<StreamWriter<W>>, SchemaRef),
    Done,
}

impl<W: Write> IpcWriter<W> {
    pub(crate) fn new(sink: W, flavour: Flavour) -> Self {
        Self { state: State::New(sink, flavour) }
    }
}

impl<W: Write + Send> ResultWriter for IpcWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        if let State::New(sink, flavour) = std::mem::replace(&mut self.state, State::Done) {
            let schema = portable_schema(schema);
            self.state = match flavour {
                Flavour::File => {
                    State::File(Box::new(FileWriter::try_new(sink, &schema).map_err(arrow_error)?), schema)
                }
                Flavour::Stream => {
                    State::Stream(Box::new(StreamWriter::try_new(sink, &schema).map_err(arrow_error)?), schema)
                }
            };
        }
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.state {
            State::File(writer, schema) => writer.write(&portable_batch(batch, schema)?).map_err(arrow_error),
            State::Stream(writer, schema) => writer.write(&portable_batch(batch, schema)?).map_err(arrow_error),
            State::New(..) | State::Done => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::File(mut writer, _) => writer.finish().map_err(arrow_error),
            State::Stream(mut writer, _) => writer.finish().map_err(arrow_error),
            State::New(..) | State::Done => Ok(()),
        }
    }
}
