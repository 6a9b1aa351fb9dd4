//! Reading log objects in a given order, with objects of buckets fetched ahead, for results that must be reproducible.
//!
//! Room is acquired in the order of the objects, before their tasks start, so the object whose turn it is never waits
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

/// Limit on the bytes of objects being fetched or waiting to be read.
const ROOM: usize = 64 << 20;
/// Granularity of `ROOM` in bytes; each object takes at least one unit.
const UNIT: usize = 4 << 10;

/// Objects in order.
pub(super) struct InOrder {
    objects: BoxStream<'static, Ahead>,
    stop: Arc<AtomicBool>,
}

/// An object in the queue.
enum Ahead {
    /// Opened when its turn comes.
    Unopened(Unopened),
    /// The result of fetching it, and the room it occupies.
    Fetched(Unopened, Result<Input, Error>, Option<OwnedSemaphorePermit>),
}

impl InOrder {
    /// Reads these objects in order, with up to `concurrency` concurrent requests.
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
            // A separate task, so that it makes progress while nobody polls the stream.
            let task = SpawnedTask::spawn(fetch(unopened.clone())).join().await;
            let fetched = task.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::Internal, "a task that fetches stopped").with_source(error))
            });
            Ahead::Fetched(unopened, fetched, room)
        });
        Self { objects: fetches.buffered(concurrency.max(1)).boxed(), stop }
    }

    /// The next object; `None` at the end or once `stop` is set.
    pub(super) async fn next(&mut self) -> Option<(Unopened, Result<Option<Opened>, Error>)> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        match self.objects.next().await? {
            Ahead::Unopened(unopened) => {
                let opened = Input::open(&unopened).await;
                Some((unopened, opened))
            }
            // Releases the room: the reader now holds the object.
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
