//! Destinations of files.

use crate::dataset::{OpenUploads, Place, Room, Upload};
use crate::error::Error;
use async_trait::async_trait;
use bytes::Bytes;

/// A directory, or a prefix in a bucket.
#[async_trait]
pub(crate) trait Destination: Send + Sync {
    /// Starts a file. `path` is relative to the destination and separated by `/`.
    async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error>;

    /// Size of the parts that a file is buffered for, in bytes; `None` if bytes are written immediately.
    fn part_size(&self) -> Option<u64> {
        None
    }
}

/// A file being written. Dropping it before [`FileSink::finish`] discards it.
#[async_trait]
pub(crate) trait FileSink: Send {
    /// Appends bytes. `room` is released once they are written, possibly after this returns.
    async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error>;

    /// Completes the file under its final name.
    async fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// The place of a dataset or of rejects as a destination.
#[derive(Debug)]
pub(super) struct Placed {
    place: Place,
    open: OpenUploads,
}

impl Placed {
    /// Files in a place. Multipart uploads are tracked in `open`.
    pub(super) fn new(place: Place, open: OpenUploads) -> Self {
        Self { place, open }
    }
}

#[async_trait]
impl Destination for Placed {
    async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error> {
        Ok(Box::new(self.place.upload(path, &self.open).await?))
    }

    fn part_size(&self) -> Option<u64> {
        self.place.part_size()
    }
}

#[async_trait]
impl FileSink for Upload {
    async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error> {
        Self::write(self, bytes, room).await
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        Self::finish(*self).await
    }
}

#[cfg(test)]
pub(super) mod memory {
    //! Files in memory, for tests.

    use super::*;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    /// Finished files, by path.
    #[derive(Clone, Default)]
    pub(in crate::convert) struct Memory {
        pub(in crate::convert) files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
        /// Simulates multipart uploads.
        pub(in crate::convert) part_size: Option<u64>,
    }

    struct File {
        memory: Memory,
        path: String,
        bytes: Vec<u8>,
        waiting: Vec<(usize, Room)>,
    }

    #[async_trait]
    impl Destination for Memory {
        async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error> {
            let (memory, path) = (self.clone(), path.to_owned());
            Ok(Box::new(File { memory, path, bytes: Vec::new(), waiting: Vec::new() }))
        }

        fn part_size(&self) -> Option<u64> {
            self.part_size
        }
    }

    #[async_trait]
    impl FileSink for File {
        async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error> {
            self.bytes.extend_from_slice(&bytes);
            self.waiting.push((bytes.len(), room));
            let mut waiting: usize = self.waiting.iter().map(|(len, _)| len).sum();
            let part = self.memory.part_size.unwrap_or(0) as usize;
            while waiting > part && !self.waiting.is_empty() {
                waiting -= self.waiting.remove(0).0;
            }
            Ok(())
        }

        async fn finish(self: Box<Self>) -> Result<(), Error> {
            let replaced = self.memory.files.lock().unwrap().insert(self.path.clone(), self.bytes);
            assert!(replaced.is_none(), "{} was written twice", self.path);
            Ok(())
        }
    }
}
