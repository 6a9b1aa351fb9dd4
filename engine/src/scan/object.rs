//! Log objects before they are opened.

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

/// A `PartitionedFile` extension with the display name of a log object and the source of its bytes.
///
/// A file without it is read from the object store of the scan, and named by its path there.
#[derive(Clone, Debug)]
pub struct LogObject {
    name: Arc<str>,
    source: ByteSource,
    version: Option<Arc<ObjectVersion>>,
}

/// Identifies one version of an object, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    /// Modification time in microseconds since the Unix epoch (UTC).
    pub(crate) modified: i64,
    /// The store's entity tag, if it has one.
    pub(crate) e_tag: Option<String>,
    /// Whether reading any other version is an error.
    pub(crate) is_pinned: bool,
    /// Whether it must be restored from an archive before it can be read.
    pub(crate) is_archived: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum ByteSource {
    /// A file, opened directly instead of through an object store.
    File(Arc<Path>),
    /// Standard input, and whether it has been read: that is possible only once.
    Stdin(Arc<AtomicBool>),
    /// A named pipe or another file that is a stream, and whether it has been read.
    Pipe(Arc<Path>, Arc<AtomicBool>),
    /// An object in a bucket, by key.
    Bucket(Arc<Bucket>, StorePath),
    /// An object in an object store, by path.
    Store(Arc<dyn ObjectStore>, StorePath),
}

impl LogObject {
    /// A local file; `name` is its path as the user wrote it.
    #[must_use]
    pub fn file(name: impl Into<Arc<str>>, path: PathBuf) -> Self {
        Self { name: name.into(), source: ByteSource::File(path.into()), version: None }
    }

    /// A named pipe or another file that is a stream, which can be read once; `name` is its path as the user wrote it.
    pub(crate) fn pipe(name: impl Into<Arc<str>>, path: PathBuf) -> Self {
        Self { name: name.into(), source: ByteSource::Pipe(path.into(), Arc::default()), version: None }
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "<stdin>".into(), source: ByteSource::Stdin(Arc::default()), version: None }
    }

    pub(crate) fn in_bucket(bucket: Arc<Bucket>, key: StorePath) -> Self {
        Self { name: bucket.name_of(key.as_ref()).into(), source: ByteSource::Bucket(bucket, key), version: None }
    }

    /// An object of a store, named by its path there.
    pub(crate) fn in_store(store: Arc<dyn ObjectStore>, location: StorePath) -> Self {
        Self { name: Arc::from(location.as_ref()), source: ByteSource::Store(store, location), version: None }
    }

    /// Whether it can be read only once.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.source, ByteSource::Stdin(_) | ByteSource::Pipe(..))
    }

    /// The name of the object: the value of `log_object` in its rows.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn with_version(mut self, version: ObjectVersion) -> Self {
        self.version = Some(Arc::new(version));
        self
    }

    /// The version, if the listing had one.
    pub(crate) fn version(&self) -> Option<&ObjectVersion> {
        self.version.as_deref()
    }

    /// Whether the listing said that it must be restored from an archive first.
    pub(crate) fn is_archived(&self) -> bool {
        self.version().is_some_and(|version| version.is_archived)
    }

    /// The version, if no other may be read.
    pub(crate) fn pinned(&self) -> Option<&ObjectVersion> {
        self.version().filter(|version| version.is_pinned)
    }

    pub(crate) fn byte_source(&self) -> &ByteSource {
        &self.source
    }
}

/// Attached to a `PartitionedFile` that stands for several small objects, because opening and decoding each separately
/// would cost more than reading them. Such a file has no range; its size is the sum of theirs.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) objects: Arc<[Unopened]>,
}

/// The objects that a file of a scan stands for. Without an extension, it is an object of `store`.
pub(super) fn objects_of(file: &PartitionedFile, store: &Arc<dyn ObjectStore>) -> Vec<Unopened> {
    planned_objects(file).unwrap_or_else(|| {
        let object = LogObject::in_store(Arc::clone(store), file.object_meta.location.clone());
        vec![Unopened { object, size: file.object_meta.size, range: range_of(file) }]
    })
}

/// The objects of a file planned by a table of this crate; `None` for any other file.
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

/// Whether a table of this crate planned the file.
pub(super) fn is_planned(file: &PartitionedFile) -> bool {
    #[cfg(feature = "cluster")]
    if file.extension::<super::packed::Packed>().is_some() {
        return true;
    }
    file.extension::<LogObject>().is_some()
        || file.extension::<Bundle>().is_some()
        || file.extension::<Arriving>().is_some()
}
