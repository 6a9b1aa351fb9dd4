//! Log objects: what a scan knows of each before it is opened.

use super::arrivals::Arriving;
use super::reader::Unopened;
use crate::store::Bucket;
use datafusion::datasource::listing::PartitionedFile;
use object_store::ObjectStore;
use object_store::path::Path as StorePath;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Attached to a `PartitionedFile` as its extension: the name that people know the object by, and where its bytes are.
///
/// A file without it is read from the object store of the scan, and named by its path there.
#[derive(Clone, Debug)]
pub struct LogObject {
    name: Arc<str>,
    source: ByteSource,
    version: Option<Arc<ObjectVersion>>,
}

/// What changes when an object is written again, as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    /// In microseconds from 1970 in UTC.
    pub(crate) modified: i64,
    /// The store's tag of the contents, if it has one.
    pub(crate) e_tag: Option<String>,
    /// Whether another version must not be read.
    pub(crate) is_pinned: bool,
}

/// Where the bytes of a log object are.
#[derive(Clone, Debug)]
pub(crate) enum ByteSource {
    /// A file, opened without the detour over an object store.
    File(Arc<Path>),
    /// Standard input, which can be read once, and whether it was.
    Stdin(Arc<AtomicBool>),
    /// A bucket, and the object's name there.
    Bucket(Arc<Bucket>, StorePath),
    /// An object store, and where it has the object.
    Store(Arc<dyn ObjectStore>, StorePath),
}

impl LogObject {
    /// A file; `name` is its path as the user wrote it.
    #[must_use]
    pub fn file(name: impl Into<Arc<str>>, path: PathBuf) -> Self {
        Self { name: name.into(), source: ByteSource::File(path.into()), version: None }
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "<stdin>".into(), source: ByteSource::Stdin(Arc::default()), version: None }
    }

    /// An object of a bucket.
    pub(crate) fn in_bucket(bucket: Arc<Bucket>, key: StorePath) -> Self {
        Self { name: bucket.name_of(key.as_ref()).into(), source: ByteSource::Bucket(bucket, key), version: None }
    }

    /// An object of a store, named by its path there.
    pub(crate) fn in_store(store: Arc<dyn ObjectStore>, location: StorePath) -> Self {
        Self { name: Arc::from(location.as_ref()), source: ByteSource::Store(store, location), version: None }
    }

    /// Whether it can be read once alone.
    pub(crate) fn is_stdin(&self) -> bool {
        matches!(self.source, ByteSource::Stdin(_))
    }

    /// What `log_object` says of its rows.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The same, of this version.
    pub(crate) fn with_version(mut self, version: ObjectVersion) -> Self {
        self.version = Some(Arc::new(version));
        self
    }

    /// Its version, if the listing told.
    pub(crate) fn version(&self) -> Option<&ObjectVersion> {
        self.version.as_deref()
    }

    /// Its version, if no other may be read.
    pub(crate) fn pinned(&self) -> Option<&ObjectVersion> {
        self.version().filter(|version| version.is_pinned)
    }

    pub(crate) fn byte_source(&self) -> &ByteSource {
        &self.source
    }
}

/// Attached to a `PartitionedFile` that stands for several small objects: opening and decoding each by itself would cost
/// more than reading it. Such a file has no range, and the sum of their sizes.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) objects: Arc<[Unopened]>,
}

/// The objects that a file of a scan stands for, in the store of the scan if it does not say otherwise.
pub(super) fn objects_of(file: &PartitionedFile, store: &Arc<dyn ObjectStore>) -> Vec<Unopened> {
    planned_objects(file).unwrap_or_else(|| {
        let object = LogObject::in_store(Arc::clone(store), file.object_meta.location.clone());
        vec![Unopened { object, size: file.object_meta.size, range: range_of(file) }]
    })
}

/// The same if the tables of this crate planned the file, and know its objects.
pub(super) fn planned_objects(file: &PartitionedFile) -> Option<Vec<Unopened>> {
    if let Some(bundle) = file.extension::<Bundle>() {
        return Some(bundle.objects.to_vec());
    }
    let object = file.extension::<LogObject>()?.clone();
    Some(vec![Unopened { object, size: file.object_meta.size, range: range_of(file) }])
}

fn range_of(file: &PartitionedFile) -> Option<Range<u64>> {
    file.range.as_ref().map(|range| range.start.max(0) as u64..range.end.max(0) as u64)
}

/// Whether the tables of this crate planned the file.
pub(super) fn is_planned(file: &PartitionedFile) -> bool {
    #[cfg(feature = "cluster")]
    if file.extension::<super::packed::Packed>().is_some() {
        return true;
    }
    file.extension::<LogObject>().is_some()
        || file.extension::<Bundle>().is_some()
        || file.extension::<Arriving>().is_some()
}
