//! Where files of a dataset go.

use crate::dataset::{OpenUploads, Place, Upload};
use crate::error::Error;
use async_trait::async_trait;
use bytes::Bytes;

/// A directory, or a prefix of a bucket.
#[async_trait]
pub(crate) trait Destination: Send + Sync {
    /// Begins a file at a path below the destination, with slashes between its parts.
    async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error>;
}

/// A file that is being written. Dropped before it is finished, it is abandoned.
#[async_trait]
pub(crate) trait FileSink: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

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
}

#[async_trait]
impl FileSink for Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        Self::write(self, bytes).await
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
    }

    struct File {
        memory: Memory,
        path: String,
        bytes: Vec<u8>,
    }

    #[async_trait]
    impl Destination for Memory {
        async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error> {
            Ok(Box::new(File { memory: self.clone(), path: path.to_owned(), bytes: Vec::new() }))
        }
    }

    #[async_trait]
    impl FileSink for File {
        async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
            self.bytes.extend_from_slice(&bytes);
            Ok(())
        }

        async fn finish(self: Box<Self>) -> Result<(), Error> {
            let replaced = self.memory.files.lock().unwrap().insert(self.path.clone(), self.bytes);
            assert!(replaced.is_none(), "{} was written twice", self.path);
            Ok(())
        }
    }
}
