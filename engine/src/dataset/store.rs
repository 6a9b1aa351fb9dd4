//! The files of a dataset, for DataFusion to read: also those that were replaced while someone reads them.

use super::REPLACED;
use super::place::Place;
use crate::error::{Error, ErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::OnceLock;

/// Reads files by their paths in the dataset.
#[derive(Debug)]
pub(super) struct DatasetStore {
    place: Place,
    prefix: String,
    /// Opened when it is first read: rejects may be gone, and whoever asks for records does not care.
    inner: OnceLock<Arc<dyn ObjectStore>>,
}

impl DatasetStore {
    pub(super) fn new(place: &Place) -> Self {
        let prefix = place.bucket().map_or_else(String::new, |(_, prefix)| prefix.to_owned());
        Self { place: place.clone(), prefix, inner: OnceLock::new() }
    }

    fn inner(&self) -> Result<&Arc<dyn ObjectStore>> {
        if let Some(inner) = self.inner.get() {
            return Ok(inner);
        }
        let opened: Arc<dyn ObjectStore> = match (self.place.directory(), self.place.bucket()) {
            (Some(root), _) => Arc::new(LocalFileSystem::new_with_prefix(root).map_err(|error| self.cannot(error))?),
            (None, Some((bucket, _))) => bucket.store(),
            (None, None) => return Err(self.cannot(Error::new(ErrorKind::Internal, "a dataset is nowhere"))),
        };
        Ok(self.inner.get_or_init(|| opened))
    }

    fn cannot(&self, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
        let error = Error::new(ErrorKind::Unreadable, "it cannot be read").in_object(self.place.name());
        StoreError::Generic { store: "dataset", source: Box::new(error.with_source(source)) }
    }

    fn at(&self, path: &StorePath) -> StorePath {
        Place::key(&self.prefix, path.as_ref())
    }

    /// Where a file is once it was replaced.
    fn replaced(&self, path: &StorePath) -> StorePath {
        Place::key(&self.prefix, &format!("{REPLACED}/{path}.replaced"))
    }
}

impl fmt::Display for DatasetStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dataset in {}", self.place.name())
    }
}

#[async_trait]
impl ObjectStore for DatasetStore {
    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        let inner = self.inner()?;
        match inner.get_opts(&self.at(location), options.clone()).await {
            Err(StoreError::NotFound { .. }) => inner.get_opts(&self.replaced(location), options).await,
            got => got,
        }
    }

    async fn get_ranges(&self, location: &StorePath, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let inner = self.inner()?;
        match inner.get_ranges(&self.at(location), ranges).await {
            Err(StoreError::NotFound { .. }) => inner.get_ranges(&self.replaced(location), ranges).await,
            got => got,
        }
    }

    async fn put_opts(&self, location: &StorePath, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only(location))
    }

    async fn put_multipart_opts(
        &self,
        location: &StorePath,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only(location))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<StorePath>>) -> BoxStream<'static, Result<StorePath>> {
        locations.map(|location| location.and_then(|location| Err(read_only(&location)))).boxed()
    }

    fn list(&self, _: Option<&StorePath>) -> BoxStream<'static, Result<ObjectMeta>> {
        // What is in a dataset is said by its ledger.
        async { Err(read_only(&StorePath::default())) }.into_stream().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&StorePath>) -> Result<ListResult> {
        Err(read_only(&StorePath::default()))
    }

    async fn copy_opts(&self, from: &StorePath, _: &StorePath, _: CopyOptions) -> Result<()> {
        Err(read_only(from))
    }
}

fn read_only(location: &StorePath) -> StoreError {
    StoreError::NotImplemented {
        operation: format!("anything but reading, of `{location}`"),
        implementer: "a dataset, which only `s3log convert` and `s3log compact` write".to_owned(),
    }
}
