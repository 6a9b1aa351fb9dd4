//! The mark of a batch that other processes write: a file in the dataset that exists while files of the batch may be
//! completed.
//!
//! To stop the writers, the runner deletes the mark and then looks which files exist. A writer may have checked the
//! mark just before and complete a file at that moment. So it checks once more afterwards, and deletes the file if the
//! mark is gone.

use super::destination::{Destination, FileSink, Placed};
use super::recovery::MARK;
use crate::dataset::{OpenUploads, Place, Room, SOURCES};
use crate::error::{Error, ErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// How often a writer of a part checks the mark.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The path of the mark of an attempt at a batch. Attempts have different marks, so that a writer of an earlier one
/// notices that it is over.
pub(super) fn mark_of(batch: &str, attempt: u64) -> String {
    format!("{SOURCES}/{batch}-{attempt}{MARK}")
}

/// The mark of an attempt at a batch.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    place: Place,
    path: String,
}

impl Mark {
    /// The mark at a path in the dataset.
    pub(super) fn new(place: &Place, path: &str) -> Self {
        Self { place: place.clone(), path: path.to_owned() }
    }

    async fn check(&self) -> Result<(), Error> {
        match self.place.get(&self.path).await? {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::Interrupted, "the batch is not open any more, or not in this folder")
                .in_object(self.place.name())
                .with_hint("--to must be the same folder, or bucket, on all machines")),
        }
    }

    /// Waits until the mark is gone. A task may not be told of its cancellation, and would run on for hours.
    pub(super) async fn gone(&self) -> Error {
        loop {
            if let Err(error) = self.check().await {
                return error;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// A destination whose files are completed only while the mark exists.
#[derive(Debug)]
pub(super) struct Marked {
    place: Place,
    placed: Placed,
    mark: Mark,
}

impl Marked {
    /// Files in a place. Multipart uploads are tracked in `open`.
    pub(super) fn new(place: Place, open: OpenUploads, mark: Mark) -> Self {
        Self { placed: Placed::new(place.clone(), open), place, mark }
    }
}

struct MarkedFile {
    file: Box<dyn FileSink>,
    place: Place,
    path: String,
    mark: Mark,
}

#[async_trait]
impl Destination for Marked {
    async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error> {
        let file = self.placed.create(path).await?;
        let (place, path, mark) = (self.place.clone(), path.to_owned(), self.mark.clone());
        Ok(Box::new(MarkedFile { file, place, path, mark }))
    }

    fn part_size(&self) -> Option<u64> {
        self.placed.part_size()
    }
}

#[async_trait]
impl FileSink for MarkedFile {
    async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error> {
        self.file.write(bytes, room).await
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        // In a separate task: if the caller is cancelled, the second check must still take place.
        let done = tokio::spawn(self.finish_if_open()).await;
        done.map_err(|error| Error::new(ErrorKind::Internal, "a task that writes stopped").with_source(error))?
    }
}

impl MarkedFile {
    async fn finish_if_open(self: Box<Self>) -> Result<(), Error> {
        let Self { file, place, path, mark } = *self;
        mark.check().await?;
        file.finish().await?;
        let Err(error) = mark.check().await else { return Ok(()) };
        // The file will not be in any report, whatever the error.
        place.delete(&path).await?;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stores;
    use std::sync::Arc;
    use std::time::Instant;
    use tokio::sync::Notify;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A file that is completed when told so, even if nobody waits for it.
    struct Held {
        file: Box<dyn FileSink>,
        moments: Moments,
    }

    #[derive(Clone, Default)]
    struct Moments {
        begun: Arc<Notify>,
        may_end: Arc<Notify>,
        named: Arc<Notify>,
    }

    #[async_trait]
    impl FileSink for Held {
        async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error> {
            self.file.write(bytes, room).await
        }

        async fn finish(self: Box<Self>) -> Result<(), Error> {
            let Self { file, moments } = *self;
            let naming = async move {
                moments.begun.notify_one();
                moments.may_end.notified().await;
                let done = file.finish().await;
                moments.named.notify_one();
                done
            };
            tokio::spawn(naming).await.unwrap()
        }
    }

    /// A dataset with the mark of a batch.
    async fn marked(directory: &tempfile::TempDir) -> (Place, Mark) {
        let place = Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap();
        let place = place.for_writer("me");
        let mark = Mark::new(&place, &mark_of("b", 0));
        place.put(&mark.path, "{}".into()).await.unwrap();
        (place, mark)
    }

    #[tokio::test]
    async fn files_get_their_names_while_the_mark_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let (place, mark) = marked(&directory).await;
        let marked = Marked::new(place.clone(), OpenUploads::default(), mark.clone());
        for (path, is_there) in [("day=1/a", true), ("day=1/b", false)] {
            let mut file = marked.create(path).await.unwrap();
            file.write("x".into(), None).await.unwrap();
            assert_eq!(file.finish().await.is_ok(), is_there);
            assert_eq!(place.get(path).await.unwrap().is_some(), is_there, "{path}");
            place.delete(&mark.path).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_that_gets_its_name_when_the_mark_has_gone_is_removed() {
        for is_waited_for in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let (place, mark) = marked(&directory).await;
            let moments = Moments::default();
            let placed = Placed::new(place.clone(), OpenUploads::default());
            let file = placed.create("day=1/a").await.unwrap();
            let file = Box::new(Held { file, moments: moments.clone() });
            let file = Box::new(MarkedFile { file, place: place.clone(), path: "day=1/a".into(), mark: mark.clone() });
            let finishing = tokio::spawn(file.finish());
            moments.begun.notified().await;
            place.delete(&mark.path).await.unwrap();
            if !is_waited_for {
                finishing.abort();
            }
            moments.may_end.notify_one();
            match finishing.await {
                Ok(finished) => assert_eq!(finished.unwrap_err().kind(), ErrorKind::Interrupted),
                Err(aborted) => assert!(aborted.is_cancelled() && !is_waited_for),
            }
            moments.named.notified().await;
            let begin = Instant::now();
            while place.get("day=1/a").await.unwrap().is_some() && begin.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(place.get("day=1/a").await.unwrap(), None);
            assert_eq!(place.list("", None).await.unwrap(), []);
        }
    }
}
