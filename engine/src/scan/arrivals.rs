//! Listing and fetching objects of buckets while others are decoded.
//!
//! ```text
//! pages of the listing -> objects left by names and predicate -> dozens of concurrent requests -> one queue -> readers
//! ```
//!
//! All partitions of a scan read from one queue, in order of arrival, so a slow object blocks nobody. The queue is
//! bounded in objects and in bytes; so is the number of listed objects that wait to be fetched, however long the
//! listing. Listing and fetching stop when the last reader is dropped.

use super::counts::SourceCounts;
use super::object::ByteSource;
use super::reader::Unopened;
use super::times::Times;
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, mpsc};

/// Objects up to this size are fetched whole, before a reader needs them.
pub(crate) const MAX_FETCHED: u64 = 8 << 20;
/// Larger objects, from twice this size on, are read as ranges of about this size by several readers.
pub(super) const RANGE: u64 = 32 << 20;
/// Limit on the bytes of objects being fetched or waiting to be read.
const ROOM: usize = 64 << 20;
/// Granularity of `ROOM` in bytes; each object takes at least one unit.
const UNIT: usize = 4 << 10;

/// Lists log objects when a scan starts to read.
pub(crate) trait ListObjects: fmt::Debug + Send + Sync {
    /// Pages of the objects that may hold a record of these times.
    ///
    /// An error ends the listing. If there is nothing to read at all, the first item is an error.
    fn list(&self, times: &Times) -> BoxStream<'static, Result<Vec<Unopened>, ListError>>;

    /// Maximum number of concurrent requests for objects.
    fn concurrency(&self) -> usize;

    /// What EXPLAIN shows of the objects: only the names of buckets, unless the objects were counted.
    fn summary(&self, times: &Times, counted: Option<&[SourceCounts]>) -> String;

    /// Counts per source what a scan for these times would read. Lists everything, reads no object.
    fn count(&self, times: &Times) -> BoxFuture<'static, Result<Vec<SourceCounts>, Error>>;
}

/// Why a listing ended early.
#[derive(Debug)]
pub(crate) struct ListError {
    pub(crate) error: Error,
    /// Whether nothing at all was listed: the query then fails, instead of returning an incomplete result.
    pub(crate) is_fatal: bool,
}

/// A fetched object, or a failure.
pub(super) enum Arrival {
    /// The object's bytes, and the room they occupy.
    Fetched { unopened: Unopened, bytes: Bytes, _room: Room },
    /// Too large to fetch ahead: the reader fetches it.
    Big(Unopened),
    /// It could not be fetched.
    Failed(Unopened, Error),
    /// The listing ended early.
    Unlisted(ListError),
}

/// Room in the queue, released on drop.
pub(super) type Room = Option<OwnedSemaphorePermit>;

/// The queue of one execution of a scan.
#[derive(Debug)]
pub(crate) struct Arrivals {
    queue: AsyncMutex<mpsc::Receiver<Arrival>>,
    /// Aborted on drop.
    _task: SpawnedTask<()>,
}

impl Arrivals {
    /// The next arrival if one is waiting.
    pub(super) fn try_next(&self) -> Option<Arrival> {
        self.queue.try_lock().ok()?.try_recv().ok()
    }

    /// Waits for the next arrival; `None` at the end.
    pub(super) async fn next(&self) -> Option<Arrival> {
        self.queue.lock().await.recv().await
    }

    /// Starts listing and fetching. Must be called in a runtime.
    fn start(lister: &dyn ListObjects, times: &Times, splits: bool, wanted: Wanted) -> Self {
        let concurrency = lister.concurrency();
        let (sender, queue) = mpsc::channel(concurrency);
        let pages = lister.list(times);
        let room = Arc::new(Semaphore::new(ROOM / UNIT));
        let task = SpawnedTask::spawn(async move {
            let objects = pages.map(move |page| {
                let objects = page.and_then(|page| wanted(page).map_err(|error| ListError { error, is_fatal: true }));
                let arrived: Vec<_> = match objects {
                    Ok(objects) => objects.into_iter().flat_map(|object| in_ranges(object, splits)).map(Ok).collect(),
                    Err(failed) => vec![Err(failed)],
                };
                futures::stream::iter(arrived)
            });
            let fetches = objects.flatten().map(|object| {
                let room = Arc::clone(&room);
                async move {
                    match object {
                        // A separate task, so that it makes progress while nobody polls the queue.
                        Ok(object) => match SpawnedTask::spawn(fetched(object, room)).join().await {
                            Ok(arrival) => arrival,
                            Err(error) => Arrival::Unlisted(stopped(error)),
                        },
                        Err(failed) => Arrival::Unlisted(failed),
                    }
                }
            });
            let mut arrivals = fetches.buffer_unordered(concurrency);
            let mut denied = Denied::default();
            while let Some(arrival) = arrivals.next().await {
                let arrival = denied.or(arrival);
                // The receivers are gone: a LIMIT was reached or the query was cancelled.
                if sender.send(arrival).await.is_err() {
                    return;
                }
            }
        });
        Self { queue: AsyncMutex::new(queue), _task: task }
    }
}

fn stopped(error: impl std::error::Error + Send + Sync + 'static) -> ListError {
    let error = Error::new(ErrorKind::Internal, "a task that fetches stopped").with_source(error);
    ListError { error, is_fatal: true }
}

/// Counts denied objects until the first one that may be read.
#[derive(Default)]
struct Denied {
    in_a_row: usize,
    allowed: bool,
}

impl Denied {
    /// Give up after this many refusals without a success: every request costs money.
    const ENOUGH: usize = 100;

    fn or(&mut self, arrival: Arrival) -> Arrival {
        match arrival {
            Arrival::Failed(unopened, error) if error.kind() == ErrorKind::Denied && !self.allowed => {
                self.in_a_row += 1;
                if self.in_a_row < Self::ENOUGH {
                    return Arrival::Failed(unopened, error);
                }
                let error = error.with_note(format!("none of {} objects may be read", self.in_a_row));
                Arrival::Unlisted(ListError { error, is_fatal: true })
            }
            other => {
                // An empty object needs no request, so it proves nothing.
                self.allowed |= matches!(&other, Arrival::Fetched { bytes, .. } if !bytes.is_empty());
                other
            }
        }
    }
}

/// Keeps the objects whose names pass a predicate.
pub(crate) type Wanted = Box<dyn Fn(Vec<Unopened>) -> Result<Vec<Unopened>, Error> + Send>;

/// Splits a large object into ranges if `splits` allows it; returns any other as it is.
fn in_ranges(object: Unopened, splits: bool) -> Vec<Unopened> {
    if !splits || object.size < 2 * RANGE || object.range.is_some() {
        return vec![object];
    }
    let ranges = (0..object.size / RANGE).map(|range| {
        let start = range * RANGE;
        // The last range takes the remainder.
        if object.size - start < 2 * RANGE { start..object.size } else { start..start + RANGE }
    });
    ranges.map(|range| Unopened { range: Some(range), ..object.clone() }).collect()
}

async fn fetched(unopened: Unopened, room: Arc<Semaphore>) -> Arrival {
    let ByteSource::Bucket(bucket, key) = unopened.object.byte_source() else { return Arrival::Big(unopened) };
    let size = unopened.size;
    if unopened.range.is_some() || size > MAX_FETCHED {
        return Arrival::Big(unopened);
    }
    if size == 0 {
        return Arrival::Fetched { unopened, bytes: Bytes::new(), _room: None };
    }
    let units = (size as usize).div_ceil(UNIT).min(ROOM / UNIT) as u32;
    // The semaphore is never closed. If it were, the object would be fetched without room.
    let room = room.acquire_many_owned(units).await.ok();
    match bucket.get(key, size, None).await {
        Ok(bytes) => Arrival::Fetched { unopened, bytes, _room: room },
        Err(error) => Arrival::Failed(unopened, error),
    }
}

/// Attached to the `PartitionedFile`s, one per partition, that stand for all objects in the buckets of a scan. Opening
/// the first one starts the listing; all of them take from the same queue.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    scan: Arc<ArrivingScan>,
    /// Index of this file among those of the scan.
    index: usize,
}

#[derive(Debug)]
struct ArrivingScan {
    lister: Arc<dyn ListObjects>,
    execution: Mutex<Execution>,
}

/// The current execution, or the last one.
#[derive(Debug, Default)]
struct Execution {
    arrivals: Weak<Arrivals>,
    joined: HashSet<usize>,
}

impl Arriving {
    /// Creates `count` files that share one listing.
    pub(crate) fn files(lister: &Arc<dyn ListObjects>, count: usize) -> impl Iterator<Item = Self> {
        let scan = Arc::new(ArrivingScan { lister: Arc::clone(lister), execution: Mutex::default() });
        (0..count).map(move |index| Self { scan: Arc::clone(&scan), index })
    }

    /// Joins the current execution, starting one if there is none.
    pub(crate) fn join(&self, times: &Times, splits: bool, wanted: Wanted) -> Result<Arc<Arrivals>, Error> {
        let mut execution = self.scan.execution.lock().unwrap_or_else(PoisonError::into_inner);
        let running = execution.arrivals.upgrade();
        if execution.joined.insert(self.index) {
            if let Some(running) = running {
                return Ok(running);
            }
            // The other partitions finished before this one started. Only the first partition of an execution may list.
            if execution.joined.len() > 1 {
                return Ok(Arc::new(Arrivals::ended()));
            }
        } else if running.is_some() {
            // DataFusion executes a plan once at a time. Two concurrent executions would split the objects between
            // them. (This is noticed when both open the same file, as two executions of one plan do.)
            return Err(Error::new(ErrorKind::Unsupported, "a plan over buckets cannot be executed twice at once")
                .with_hint("plan the query again for each execution"));
        } else {
            execution.joined = HashSet::from([self.index]);
        }
        let arrivals = Arc::new(Arrivals::start(&*self.scan.lister, times, splits, wanted));
        execution.arrivals = Arc::downgrade(&arrivals);
        Ok(arrivals)
    }
}

impl Arrivals {
    /// A queue that is already at its end.
    fn ended() -> Self {
        let (_, queue) = mpsc::channel(1);
        Self { queue: AsyncMutex::new(queue), _task: SpawnedTask::spawn(async {}) }
    }
}
