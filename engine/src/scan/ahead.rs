//! Read-ahead: a separate thread reads and decompresses what a partition decodes next.
//!
//! Compressed objects and standard input cannot be split. With fewer objects than partitions, cores would idle while
//! one task decompresses and decodes in turn. With more objects, every core is busy anyway and better off with data in
//! its own cache.
//!
//! These are threads, not tasks: a decoding task woken by another task waits in the LIFO slot of the same worker, which
//! other workers do not steal from, until decompression yields. They are not blocking tasks either, because a runtime
//! waits for those when it is dropped.

use super::input::Input;
use super::reader::{Event, Reader};
use crate::decode::BufferPool;
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Capacity of the channel, in blocks or chunks.
const WAITING: usize = 2;

/// The events of a reader, in order.
pub(super) enum Events {
    /// Read on demand.
    InTurn(Box<Reader>),
    /// Read ahead. The thread ends when this is dropped.
    Ahead(Ahead<(Option<Event>, u64)>),
}

impl Events {
    pub(super) fn in_turn(reader: Reader) -> Self {
        Self::InTurn(Box::new(reader))
    }

    /// Starts reading ahead; falls back to reading in turn if no thread can be spawned. Must be called in a runtime.
    pub(super) fn ahead(reader: Reader) -> Self {
        let begun = Ahead::begin(reader.reading_ahead(), async |mut reader, sender| {
            loop {
                let event = tokio::select! {
                    biased;
                    // The receiver is gone: a LIMIT was reached or the query was cancelled.
                    () = sender.closed() => return,
                    event = reader.next() => event,
                };
                let ends = event.is_none();
                if sender.send((event, reader.take_read())).await.is_err() || ends {
                    return;
                }
            }
        });
        begun.map_or_else(Self::in_turn, Self::Ahead)
    }

    /// The next event (`None` at the end), and the number of bytes read for it.
    pub(super) async fn next(&mut self) -> Result<(Option<Event>, u64), Error> {
        match self {
            Self::InTurn(reader) => Ok((reader.next().await, reader.take_read())),
            Self::Ahead(ahead) => ahead.next().await,
        }
    }
}

/// Wraps an input so that a thread reads it ahead into buffers of `pool`. The thread ends when the returned input is
/// dropped. Must be called in a runtime.
pub(super) fn read_ahead(input: Input, pool: BufferPool) -> Input {
    let start = input.start();
    let begun = Ahead::begin(input, async move |mut input, sender| {
        loop {
            let chunk = input.chunk(&pool).await;
            let ends = chunk.as_ref().map_or(true, Bytes::is_empty);
            if sender.send(chunk).await.is_err() || ends {
                return;
            }
        }
    });
    let ahead = match begun {
        Ok(ahead) => ahead,
        Err(input) => return input,
    };
    // The end is an empty chunk. A channel that closes without one is an error.
    let stream = stream::try_unfold(ahead, |mut ahead| async {
        let chunk = ahead.next().await??;
        Ok((!chunk.is_empty()).then_some((chunk, ahead)))
    });
    Input::Stream { stream: stream.boxed(), chunk: Bytes::new(), start }
}

/// The receiving side of a read-ahead thread.
pub(super) struct Ahead<T> {
    items: mpsc::Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Spawns a thread that runs `work` on `given`. Returns `given` if no thread can be spawned.
    fn begin<G, F>(given: G, work: impl FnOnce(G, mpsc::Sender<T>) -> F + Send + 'static) -> Result<Self, G>
    where
        G: Send + 'static,
        F: Future<Output = ()>,
    {
        let (sender, items) = mpsc::channel(WAITING);
        // If spawning fails, the closure is dropped with everything it captured: send `given` afterwards instead.
        let (giver, taker) = std::sync::mpsc::channel::<G>();
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("read ahead".to_owned()).spawn(move || {
            if let Ok(given) = taker.recv() {
                runtime.block_on(work(given, sender));
            }
        });
        let Ok(thread) = thread else { return Err(given) };
        giver.send(given).map_err(|given| given.0)?;
        Ok(Self { items, thread: Some(thread) })
    }

    /// The next item. The end is an item of its own.
    async fn next(&mut self) -> Result<T, Error> {
        if let Some(item) = self.items.recv().await {
            return Ok(item);
        }
        if let Some(Err(panicked)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panicked);
        }
        Err(Error::new(ErrorKind::Internal, "the thread that reads ahead stopped early"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::LineBlocks;
    use crate::scan::object::LogObject;
    use crate::scan::reader::Unopened;
    use std::io::Write as _;

    /// Compressed data larger than one read, and than the threshold for a second thread.
    fn packed() -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut number = 1_u64;
        for _ in 0..300_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            writeln!(encoder, "{number:x}").unwrap();
        }
        encoder.finish().unwrap()
    }

    /// A reader of a file with these bytes, listed with the given size.
    fn reader(file: &mut tempfile::NamedTempFile, bytes: &[u8], size: usize) -> Reader {
        file.write_all(bytes).unwrap();
        let object = LogObject::file("log", file.path().to_owned());
        let object = Unopened { object, size: size as u64, range: None };
        Reader::new([object], LineBlocks::new(BufferPool::new(64 << 10)))
    }

    /// All bytes, the number of bytes read for them, and the final events.
    async fn read(mut events: Events) -> (Vec<u8>, u64, Vec<String>) {
        let (mut bytes, mut read, mut ends) = (Vec::new(), 0, Vec::new());
        loop {
            let (event, more) = events.next().await.unwrap();
            read += more;
            match event {
                Some(Event::Block(block)) => bytes.extend_from_slice(block.bytes()),
                Some(Event::Failed(_, error)) => ends.push(error.to_string()),
                Some(_) => ends.push("done".to_owned()),
                None => return (bytes, read, ends),
            }
        }
    }

    #[tokio::test]
    async fn what_is_read_ahead_is_the_same() {
        let packed = packed();
        assert!(packed.len() > 2 << 20, "{}", packed.len());
        let cut = packed.len() - 5;
        let shrank = format!("it ended after {cut} of {} bytes: it shrank while it was read", packed.len());
        for (len, size, end) in [
            (packed.len(), packed.len(), "done"),
            (cut, cut, "the gzip stream ends too early"),
            (cut, packed.len(), shrank.as_str()),
        ] {
            let (mut one, mut other) =
                (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
            let in_turn = read(Events::in_turn(reader(&mut one, &packed[..len], size))).await;
            assert_eq!((in_turn.1, &in_turn.2[..]), (len as u64, &[end.to_owned()][..]));
            let ahead = Events::ahead(reader(&mut other, &packed[..len], size));
            assert!(matches!(ahead, Events::Ahead(_)));
            assert_eq!(read(ahead).await, in_turn);
        }
    }

    #[test]
    fn the_thread_ends_with_its_listener_and_holds_up_no_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let packed = packed();
        let reader = reader(&mut file, &packed, packed.len());
        let mut events = runtime.block_on(async { Events::ahead(reader) });
        assert!(matches!(runtime.block_on(events.next()).unwrap(), (Some(Event::Block(_)), _)));
        let Events::Ahead(Ahead { thread: Some(thread), .. }) = &mut events else { panic!("it reads in turn") };
        assert!(!thread.is_finished(), "there is much more to read than may wait");
        // The thread must still have something to send when it is told to stop.
        drop(runtime);
        let Events::Ahead(Ahead { thread, .. }) = &mut events else { panic!("it reads in turn") };
        let thread = thread.take().unwrap();
        drop(events);
        thread.join().unwrap();
    }

    #[tokio::test]
    #[should_panic(expected = "in the thread")]
    async fn a_panic_of_the_thread_is_no_end() {
        let ahead = Ahead::<()>::begin((), async |(), _| panic!("in the thread"));
        let _ = ahead.unwrap().next().await;
    }
}
