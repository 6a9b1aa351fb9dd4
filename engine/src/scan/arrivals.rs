//! Objects of buckets, listed and fetched while others are decoded.
//!
//! ```text
//! pages of the listing -> objects that names and predicate leave -> dozens of requests at once -> one queue -> readers
//! ```
//!
//! Every partition of a scan reads from the one queue, in the order in which objects arrive: a slow one holds nobody up. The
//! queue is bounded in objects and in bytes, and so is what was listed and waits to be fetched, however long the listing
//! is. When the last reader goes, listing and fetching stop.

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

/// Objects up to this size are fetched whole, before a reader asks for them.
pub(crate) const MAX_FETCHED: u64 = 8 << 20;
/// Bigger ones of at least twice this size are read in ranges of about it, by several readers.
pub(super) const RANGE: u64 = 32 << 20;
/// Bytes of objects that are being fetched or wait to be read.
const ROOM: usize = 64 << 20;
/// Room is counted in units of so many bytes, each object taking one at least.
const UNIT: usize = 4 << 10;

/// Lists log objects when a scan starts to read.
pub(crate) trait ListObjects: fmt::Debug + Send + Sync {
    /// Pages of the objects that may hold a record of these times.
    ///
    /// An error ends the listing. The first item is an error when there is nothing to read at all.
    fn list(&self, times: &Times) -> BoxStream<'static, Result<Vec<Unopened>, ListError>>;

    /// How many requests for objects may be under way at once.
    fn concurrency(&self) -> usize;

    /// What EXPLAIN says of the objects: of buckets no more than their names, unless they were counted.
    fn summary(&self, times: &Times, counted: Option<&[SourceCounts]>) -> String;

    /// Counts what a scan would read for these times, source by source: lists everything, reads no object.
    fn count(&self, times: &Times) -> BoxFuture<'static, Result<Vec<SourceCounts>, Error>>;
}

/// Why a listing ended early.
#[derive(Debug)]
pub(crate) struct ListError {
    pub(crate) error: Error,
    /// Whether nothing was listed: then there is no answer at all, rather than an incomplete one.
    pub(crate) is_fatal: bool,
}

/// An object that arrived, or what became of it.
pub(super) enum Arrival {
    /// Its bytes, and the room they take up.
    Fetched { unopened: Unopened, bytes: Bytes, _room: Room },
    /// Too big to be fetched before its turn: its reader does.
    Big(Unopened),
    /// It could not be fetched.
    Failed(Unopened, Error),
    /// The listing ended early.
    Unlisted(ListError),
}

/// Room in the queue, given back when it is dropped.
pub(super) type Room = Option<OwnedSemaphorePermit>;

/// The queue of one execution of a scan.
#[derive(Debug)]
pub(crate) struct Arrivals {
    queue: AsyncMutex<mpsc::Receiver<Arrival>>,
    /// Ends with this.
    _task: SpawnedTask<()>,
}

impl Arrivals {
    /// What is there already.
    pub(super) fn try_next(&self) -> Option<Arrival> {
        self.queue.try_lock().ok()?.try_recv().ok()
    }

    /// What arrives next; `None` at the end.
    pub(super) async fn next(&self) -> Option<Arrival> {
        self.queue.lock().await.recv().await
    }

    /// Starts to list and to fetch; to be called where tasks can be spawned.
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
                        // A task of its own: it goes on while nobody takes what has arrived.
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
                // Nobody reads any more: a LIMIT was reached, or the query was stopped.
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

/// Objects that may not be read, as long as there was none that may.
#[derive(Default)]
struct Denied {
    in_a_row: usize,
    allowed: bool,
}

impl Denied {
    /// So many refusals, and nothing else, and the others need not be asked for: each request costs.
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
                // Of an empty object nothing was asked.
                self.allowed |= matches!(&other, Arrival::Fetched { bytes, .. } if !bytes.is_empty());
                other
            }
        }
    }
}

/// Leaves those objects that a predicate over their names wants.
pub(crate) type Wanted = Box<dyn Fn(Vec<Unopened>) -> Result<Vec<Unopened>, Error> + Send>;

/// A big object in ranges, as lines may be; any other as it is.
fn in_ranges(object: Unopened, splits: bool) -> Vec<Unopened> {
    if !splits || object.size < 2 * RANGE || object.range.is_some() {
        return vec![object];
    }
    let ranges = (0..object.size / RANGE).map(|range| {
        let start = range * RANGE;
        // The last one takes what is left.
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
    // Never closed; without room the object is fetched all the same.
    let room = room.acquire_many_owned(units).await.ok();
    match bucket.get(key, size, None).await {
        Ok(bytes) => Arrival::Fetched { unopened, bytes, _room: room },
        Err(error) => Arrival::Failed(unopened, error),
    }
}

/// Attached to the `PartitionedFile`s of a scan, one for each partition, that stand for all objects of its buckets: whoever
/// opens the first starts the listing, and all of them take from the same queue.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    scan: Arc<ArrivingScan>,
    /// Which of the files it is.
    index: usize,
}

#[derive(Debug)]
struct ArrivingScan {
    lister: Arc<dyn ListObjects>,
    execution: Mutex<Execution>,
}

/// The execution that goes on, or the last one.
#[derive(Debug, Default)]
struct Execution {
    arrivals: Weak<Arrivals>,
    joined: HashSet<usize>,
}

impl Arriving {
    /// So many files that share what is listed.
    pub(crate) fn files(lister: &Arc<dyn ListObjects>, count: usize) -> impl Iterator<Item = Self> {
        let scan = Arc::new(ArrivingScan { lister: Arc::clone(lister), execution: Mutex::default() });
        (0..count).map(move |index| Self { scan: Arc::clone(&scan), index })
    }

    /// Takes part in the execution, and begins it if nobody did.
    pub(crate) fn join(&self, times: &Times, splits: bool, wanted: Wanted) -> Result<Arc<Arrivals>, Error> {
        let mut execution = self.scan.execution.lock().unwrap_or_else(PoisonError::into_inner);
        let running = execution.arrivals.upgrade();
        if execution.joined.insert(self.index) {
            if let Some(running) = running {
                return Ok(running);
            }
            // The others were done before this one began; only the first of all may list.
            if execution.joined.len() > 1 {
                return Ok(Arc::new(Arrivals::ended()));
            }
        } else if running.is_some() {
            // DataFusion executes a plan once at a time; two at once would share out the objects between them. (This sees it
            // when both open the same file, as two executions of one plan do.)
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
    /// Nothing arrives any more.
    fn ended() -> Self {
        let (_, queue) = mpsc::channel(1);
        Self { queue: AsyncMutex::new(queue), _task: SpawnedTask::spawn(async {}) }
    }
}
