//! Log objects: what a scan knows of each before it is opened.

use datafusion::datasource::listing::PartitionedFile;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Attached to a `PartitionedFile` as its extension: the name that people know the object by, and where its bytes are.
///
/// A file without it is read from the object store of the scan, and named by its path there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogObject {
    name: Arc<str>,
    origin: Origin,
}

/// Where the bytes of a log object are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file, opened without the detour over an object store.
    File(Arc<Path>),
    /// Standard input. It can be read once.
    Stdin,
    /// The object store of the scan.
    Store,
}

impl LogObject {
    /// A file; `name` is its path as the user wrote it.
    #[must_use]
    pub fn file(name: impl Into<Arc<str>>, path: PathBuf) -> Self {
        Self { name: name.into(), origin: Origin::File(path.into()) }
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "<stdin>".into(), origin: Origin::Stdin }
    }

    /// What `log_object` says of its rows.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is known of a file of a scan.
    pub(crate) fn of(file: &PartitionedFile) -> Self {
        file.extension::<Self>()
            .cloned()
            .unwrap_or_else(|| Self { name: Arc::from(file.object_meta.location.as_ref()), origin: Origin::Store })
    }
}
