//! Reading ahead: what a partition decodes next is read, and unpacked, by a task beside it.
//!
//! A compressed object cannot be split, and standard input neither: with fewer objects than partitions, cores would have
//! nothing to do while one unpacks and decodes in turns. With more objects than that, every core has work anyway, and is
//! better off with what it has in its own cache.

use super::reader::{Event, Reader};
use crate::error::{Error, ErrorKind};
use datafusion::common::runtime::SpawnedTask;
use tokio::sync::mpsc;

/// Blocks that may wait to be decoded.
const WAITING: usize = 2;

/// What a reader comes to, one after the other.
pub(super) enum Events {
    /// Read when it is asked for.
    InTurn(Box<Reader>),
    /// Read before it is asked for. The task ends when this is dropped.
    Ahead { events: mpsc::Receiver<(Option<Event>, u64)>, task: SpawnedTask<()> },
}

impl Events {
    /// Reads when asked.
    pub(super) fn in_turn(reader: Reader) -> Self {
        Self::InTurn(Box::new(reader))
    }

    /// Begins to read; to be called where tasks can be spawned.
    pub(super) fn ahead(mut reader: Reader) -> Self {
        let (sender, events) = mpsc::channel(WAITING);
        let task = SpawnedTask::spawn(async move {
            loop {
                tokio::task::coop::consume_budget().await;
                let event = reader.next().await;
                let ends = event.is_none();
                // Nobody listens any more: a LIMIT was reached, or the query was stopped.
                if sender.send((event, reader.take_read())).await.is_err() || ends {
                    return;
                }
            }
        });
        Self::Ahead { events, task }
    }

    /// The next event, `None` at the end, and how many bytes were read for it.
    pub(super) async fn next(&mut self) -> Result<(Option<Event>, u64), Error> {
        match self {
            Self::InTurn(reader) => Ok((reader.next().await, reader.take_read())),
            Self::Ahead { events, task } => match events.recv().await {
                Some(next) => Ok(next),
                // The end would have come as an event.
                None => Err(match task.join_unwind_mut().await {
                    Ok(()) => Error::new(ErrorKind::Internal, "the task that reads ahead stopped early"),
                    Err(error) => {
                        Error::new(ErrorKind::Internal, "the task that reads ahead was stopped").with_source(error)
                    }
                }),
            },
        }
    }
}
