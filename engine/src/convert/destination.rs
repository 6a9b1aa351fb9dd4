//! Where files of a dataset go.

use crate::dataset::{OpenUploads, Place, Room, Upload};
use crate::error::Error;
use async_trait::async_trait;
use bytes::Bytes;

/// A directory, or a prefix of a bucket.
#[async_trait]
pub(crate) trait Destination: Send + Sync {
    /// Begins a file at a path below the destination, with slashes between its parts.
    async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error>;

    /// Bytes of a file that are kept in memory until they are as many; `None` where bytes are written at once.
    fn part_size(&self) -> Option<u64> {
        None
    }
}

/// A file that is being written. Dropped before it is finished, it is abandoned.
#[async_trait]
pub(crate) trait FileSink: Send {
    /// Appends bytes. Their room is given back once they are written, which may be later.
    async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error>;

    /// Makes the file complete, under its name.
    async fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// Files of a dataset.
#[derive(Debug)]
pub(super) struct Placed {
    place: Place,
    open: OpenUploads,
}

impl Placed {
    /// In this place; uploads in parts are noted.
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

    /// What was finished, by path.
    #[derive(Clone, Default)]
    pub(in crate::convert) struct Memory {
        pub(in crate::convert) files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
        /// As if it was uploaded in parts.
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
