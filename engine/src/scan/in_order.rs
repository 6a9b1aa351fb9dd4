//! Log objects in a given order, those of buckets fetched ahead: for what must come out the same however often it is done.
//!
//! Room is taken in the order of the objects, before their tasks begin: an object whose turn comes has it already, and never waits
//! for one behind it.

use super::arrivals::MAX_FETCHED;
use super::input::{Input, Opened};
use super::object::ByteSource;
use super::reader::Unopened;
use crate::error::{Error, ErrorKind};
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of objects that are being fetched or wait to be read.
const ROOM: usize = 64 << 20;
/// Room is counted in units of so many bytes, each object taking one at least.
const UNIT: usize = 4 << 10;

/// Objects, one after the other.
pub(super) struct InOrder {
    objects: BoxStream<'static, Ahead>,
    stop: Arc<AtomicBool>,
}

/// An object whose turn will come.
enum Ahead {
    /// It is opened when it comes.
    Unopened(Unopened),
    /// What became of fetching it, and the room that it takes up.
    Fetched(Unopened, Result<Input, Error>, Option<OwnedSemaphorePermit>),
}

impl InOrder {
    /// These objects, with so many requests at once.
    pub(super) fn new(objects: Vec<Unopened>, concurrency: usize, stop: Arc<AtomicBool>) -> Self {
        let room = Arc::new(Semaphore::new(ROOM / UNIT));
        let with_room = futures::stream::iter(objects).then(move |unopened| {
            let room = Arc::clone(&room);
            async move {
                let units = (unopened.size as usize).div_ceil(UNIT).clamp(1, ROOM / UNIT) as u32;
                let room = match is_fetched_ahead(&unopened) {
                    true => room.acquire_many_owned(units).await.ok(),
                    false => None,
                };
                (unopened, room)
            }
        });
        let fetches = with_room.map(|(unopened, room)| async move {
            if !is_fetched_ahead(&unopened) {
                return Ahead::Unopened(unopened);
            }
            // A task of its own: it goes on while nobody asks for the next object.
            let task = SpawnedTask::spawn(fetch(unopened.clone())).join().await;
            let fetched = task.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::Internal, "a task that fetches stopped").with_source(error))
            });
            Ahead::Fetched(unopened, fetched, room)
        });
        Self { objects: fetches.buffered(concurrency.max(1)).boxed(), stop }
    }

    /// The next object; `None` at the end, or when reading is to stop.
    pub(super) async fn next(&mut self) -> Option<(Unopened, Result<Option<Opened>, Error>)> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        match self.objects.next().await? {
            Ahead::Unopened(unopened) => {
                let opened = Input::open(&unopened).await;
                Some((unopened, opened))
            }
            // Its room is free again: of what was taken, the reader holds one object.
            Ahead::Fetched(unopened, fetched, _room) => {
                Some((unopened, fetched.map(|input| Some(Opened::whole(input)))))
            }
        }
    }
}

fn is_fetched_ahead(unopened: &Unopened) -> bool {
    matches!(unopened.object.byte_source(), ByteSource::Bucket(..))
        && unopened.range.is_none()
        && unopened.size <= MAX_FETCHED
}

async fn fetch(unopened: Unopened) -> Result<Input, Error> {
    match unopened.object.byte_source() {
        ByteSource::Bucket(bucket, key) if unopened.size > 0 => {
            let e_tag = unopened.object.pinned().and_then(|version| version.e_tag.as_deref());
            bucket.get(key, unopened.size, e_tag).await.map(Input::Fetched)
        }
        _ => Ok(Input::Fetched(bytes::Bytes::new())),
    }
}
