//! The files of a dataset as an object store for DataFusion. Files replaced during a query remain readable.

use super::REPLACED;
use super::place::Place;
use crate::error::{Error, ErrorKind};
use crate::store::Location;
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
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Reads files by their paths in the dataset.
#[derive(Debug)]
pub(crate) struct DatasetStore {
    /// The name of the dataset in messages.
    name: String,
    root: Root,
    /// Opened on first read: a place for rejects may no longer exist, which must not affect queries of records.
    inner: OnceLock<Arc<dyn ObjectStore>>,
}

/// Where the files are.
#[derive(Debug)]
enum Root {
    Directory(PathBuf),
    /// The prefix is empty or ends with a slash.
    Bucket(Arc<dyn ObjectStore>, String),
}

impl DatasetStore {
    pub(super) fn new(place: &Place) -> Self {
        let root = match place.bucket() {
            Some((bucket, prefix)) => Root::Bucket(bucket.store(), prefix.to_owned()),
            None => Root::Directory(place.directory().map(Path::to_owned).unwrap_or_default()),
        };
        Self { name: place.name(), root, inner: OnceLock::new() }
    }

    /// The URL of the dataset with this name.
    pub(super) fn url(name: &str) -> String {
        let letters = name.bytes().map(|byte| format!("{byte:02x}"));
        format!("{}://{}", Self::SCHEME, letters.collect::<String>())
    }

    /// The scheme of these URLs.
    pub(crate) const SCHEME: &'static str = "dataset";

    /// The inverse of [`DatasetStore::url`]: a store for the host of such a URL; `None` if it does not encode a name.
    /// `open` opens buckets.
    pub(crate) fn of_host(host: &str, open: impl FnOnce(&str) -> Arc<dyn ObjectStore>) -> Option<Self> {
        let bytes = (0..host.len()).step_by(2).map(|at| u8::from_str_radix(host.get(at..at + 2)?, 16).ok());
        let name = String::from_utf8(bytes.collect::<Option<Vec<_>>>()?).ok()?;
        let root = match Location::parse(&name) {
            Ok(location) => {
                let prefix = location.prefix();
                let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
                Root::Bucket(open(location.bucket()), prefix)
            }
            Err(_) => Root::Directory(PathBuf::from(&name)),
        };
        Some(Self { name, root, inner: OnceLock::new() })
    }

    fn inner(&self) -> Result<&Arc<dyn ObjectStore>> {
        if let Some(inner) = self.inner.get() {
            return Ok(inner);
        }
        let opened = match &self.root {
            Root::Directory(root) => {
                Arc::new(LocalFileSystem::new_with_prefix(root).map_err(|error| self.cannot(error))?)
            }
            Root::Bucket(store, _) => Arc::clone(store),
        };
        Ok(self.inner.get_or_init(|| opened))
    }

    fn cannot(&self, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
        let error = Error::new(ErrorKind::Unreadable, "it cannot be read").in_object(&self.name);
        StoreError::Generic { store: "dataset", source: Box::new(error.with_source(source)) }
    }

    /// The error for a file that is not there, nor among those replaced.
    fn lost(&self, path: &StorePath, error: StoreError) -> StoreError {
        if !matches!(error, StoreError::NotFound { .. }) {
            return error;
        }
        let error = Error::new(ErrorKind::NotFound, "a file of the dataset is missing")
            .in_object(format!("{}/{path}", self.name.trim_end_matches('/')))
            .with_hint("restore the file; `s3log convert --status DEST` finds all that are missing");
        StoreError::Generic { store: "dataset", source: Box::new(error) }
    }

    fn prefix(&self) -> &str {
        match &self.root {
            Root::Directory(_) => "",
            Root::Bucket(_, prefix) => prefix,
        }
    }

    fn at(&self, path: &StorePath) -> StorePath {
        Place::key(self.prefix(), path.as_ref())
    }

    /// The path of a file after it was replaced.
    fn replaced(&self, path: &StorePath) -> StorePath {
        Place::key(self.prefix(), &format!("{REPLACED}/{path}.replaced"))
    }
}

impl fmt::Display for DatasetStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dataset in {}", self.name)
    }
}

#[async_trait]
impl ObjectStore for DatasetStore {
    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        let inner = self.inner()?;
        match inner.get_opts(&self.at(location), options.clone()).await {
            Err(StoreError::NotFound { .. }) => {
                inner.get_opts(&self.replaced(location), options).await.map_err(|error| self.lost(location, error))
            }
            got => got,
        }
    }

    async fn get_ranges(&self, location: &StorePath, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let inner = self.inner()?;
        match inner.get_ranges(&self.at(location), ranges).await {
            Err(StoreError::NotFound { .. }) => {
                inner.get_ranges(&self.replaced(location), ranges).await.map_err(|error| self.lost(location, error))
            }
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
        // The ledger has the files; listing would include uncommitted ones.
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
