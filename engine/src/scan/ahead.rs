//! Reading ahead: what a partition decodes next is read, and unpacked, by a thread beside it.
//!
//! A compressed object cannot be split, and standard input neither: with fewer objects than partitions, cores would have
//! nothing to do while one unpacks and decodes in turns. With more objects than that, every core has work anyway, and is
//! better off with what it has in its own cache.
//!
//! These are threads and no tasks: a decoding task that another task wakes waits in a slot of the same worker, from which no other one
//! takes it, until unpacking pauses. They are no blocking tasks either, which a runtime waits for when it is dropped.

use super::input::Input;
use super::reader::{Event, Reader};
use crate::decode::BufferPool;
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Blocks, or chunks, that may wait to be taken.
const WAITING: usize = 2;

/// What a reader comes to, one after the other.
pub(super) enum Events {
    /// Read when it is asked for.
    InTurn(Box<Reader>),
    /// Read before it is asked for. The thread ends when this is dropped.
    Ahead(Ahead<(Option<Event>, u64)>),
}

impl Events {
    /// Reads when asked.
    pub(super) fn in_turn(reader: Reader) -> Self {
        Self::InTurn(Box::new(reader))
    }

    /// Begins to read, if there can be one more thread; to be called in a runtime.
    pub(super) fn ahead(reader: Reader) -> Self {
        let begun = Ahead::begin(reader.reading_ahead(), async |mut reader, sender| {
            loop {
                let event = tokio::select! {
                    biased;
                    // Nobody listens any more: a LIMIT was reached, or the query was stopped.
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

    /// The next event, `None` at the end, and how many bytes were read for it.
    pub(super) async fn next(&mut self) -> Result<(Option<Event>, u64), Error> {
        match self {
            Self::InTurn(reader) => Ok((reader.next().await, reader.take_read())),
            Self::Ahead(ahead) => ahead.next().await,
        }
    }
}

/// The same bytes, read by a thread before they are asked for, into buffers of the pool. The thread ends when what is returned is dropped.
/// To be called in a runtime.
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
    // An empty chunk is the end; a channel that just closes is none.
    let stream = stream::try_unfold(ahead, |mut ahead| async {
        let chunk = ahead.next().await??;
        Ok((!chunk.is_empty()).then_some((chunk, ahead)))
    });
    Input::Stream { stream: stream.boxed(), chunk: Bytes::new(), start }
}

/// What a thread sends.
pub(super) struct Ahead<T> {
    items: mpsc::Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins a thread that does the work with what is given; gives that back if there can be no more threads.
    fn begin<G, F>(given: G, work: impl FnOnce(G, mpsc::Sender<T>) -> F + Send + 'static) -> Result<Self, G>
    where
        G: Send + 'static,
        F: Future<Output = ()>,
    {
        let (sender, items) = mpsc::channel(WAITING);
        // A thread that cannot begin drops what it was to have.
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

    /// What comes next. The end comes as an item.
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

    /// More, packed, than is read at a time, and than a second thread is begun for.
    fn packed() -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut number = 1_u64;
        for _ in 0..300_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            writeln!(encoder, "{number:x}").unwrap();
        }
        encoder.finish().unwrap()
    }

    /// A reader of a file with these bytes, that was listed with a size.
    fn reader(file: &mut tempfile::NamedTempFile, bytes: &[u8], size: usize) -> Reader {
        file.write_all(bytes).unwrap();
        let object = LogObject::file("log", file.path().to_owned());
        let object = Unopened { object, size: size as u64, range: None };
        Reader::new([object], LineBlocks::new(BufferPool::new(64 << 10)))
    }

    /// All bytes, how many were read for them, and what happened to the object.
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
        // It has to send more before it is told to end.
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
