//! The place of a dataset: a directory, or a prefix in a bucket. Paths are relative to it and separated by `/`.
//!
//! Files appear complete under their final names or not at all. In directories they are written below `_s3log/tmp`,
//! synced, then renamed; directories created on the way are synced, too. Objects in buckets are atomic anyway.

use crate::error::{Error, ErrorKind};
use crate::scan::micros;
use crate::store::{Bucket, ListStart, Location, PutNew, Stores};
use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::path::Path as StorePath;
use std::fs::{self, File};
use std::io::{ErrorKind as IoErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of incomplete files.
pub(crate) const TMP: &str = "_s3log/tmp";

/// A directory, or a prefix of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    kind: Kind,
    /// Determines the names of files below [`TMP`].
    writer: Arc<Writer>,
}

#[derive(Clone, Debug)]
enum Kind {
    Directory(PathBuf),
    /// The prefix is empty or ends with a slash.
    Bucket(Arc<Bucket>, String),
}

#[derive(Debug, Default)]
struct Writer {
    name: String,
    count: AtomicU64,
}

/// A file or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative to the place.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Last modification by the clock of the place, in microseconds since the Unix epoch.
    pub(crate) modified: i64,
}

impl Place {
    /// Resolves a place named by the user. Does not access it.
    pub(crate) async fn resolve(name: &str, stores: &Stores) -> Result<Self, Error> {
        let kind = if Location::is_one(name) {
            let location = Location::parse(name)?;
            let prefix = location.prefix().trim_end_matches('/');
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            // Prefixes that would be normalised to another key, or cannot be sent.
            if prefix.starts_with('/') || StorePath::parse(&prefix).is_err() {
                return Err(Error::invalid("files cannot be written below this prefix").in_object(name).with_hint(
                    "a prefix cannot begin with `/`, or contain `//`, the parts `.` or `..`, or control characters",
                ));
            }
            Kind::Bucket(stores.bucket(location.bucket()).await?, prefix)
        } else {
            if name.split_once("://").is_some_and(|(scheme, _)| scheme != "file") {
                return Err(Error::new(ErrorKind::Unsupported, "a dataset is in a directory or at s3://bucket/prefix")
                    .in_object(name));
            }
            let path = name.strip_prefix("file://").unwrap_or(name);
            let absolute = std::path::absolute(path).map_err(|error| cannot_write(name, error))?;
            Kind::Directory(absolute)
        };
        Ok(Self { kind, writer: Arc::default() })
    }

    /// The same place for a writer, whose incomplete files are named after it.
    pub(crate) fn for_writer(&self, name: &str) -> Self {
        let writer = Writer { name: name.to_owned(), count: AtomicU64::new(0) };
        Self { kind: self.kind.clone(), writer: Arc::new(writer) }
    }

    /// The same place for the writer of another place. The two share a counter, so that names of incomplete files are
    /// unique even if the places overlap.
    pub(crate) fn for_writer_of(&self, other: &Self) -> Self {
        Self { kind: self.kind.clone(), writer: Arc::clone(&other.writer) }
    }

    /// The same place for one of several processes that write on behalf of the runner `name`. Their counters start far
    /// apart.
    #[cfg(feature = "cluster")]
    pub(crate) fn for_part(&self, name: &str, first: u64) -> Self {
        let writer = Writer { name: name.to_owned(), count: AtomicU64::new(first) };
        Self { kind: self.kind.clone(), writer: Arc::new(writer) }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Directory(_))
    }

    /// The path, if it is a directory.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Directory(path) => Some(path),
            Kind::Bucket(..) => None,
        }
    }

    /// The bucket and the prefix, if it is in a bucket.
    pub(crate) fn bucket(&self) -> Option<(&Arc<Bucket>, &str)> {
        match &self.kind {
            Kind::Directory(_) => None,
            Kind::Bucket(bucket, prefix) => Some((bucket, prefix)),
        }
    }

    /// The name of a path here, for messages.
    pub(crate) fn name_of(&self, path: &str) -> String {
        match &self.kind {
            Kind::Directory(root) => root.join(path).display().to_string(),
            Kind::Bucket(bucket, prefix) => bucket.name_of(&format!("{prefix}{path}")),
        }
    }

    /// The name of the place, for messages.
    pub(crate) fn name(&self) -> String {
        self.name_of("").trim_end_matches('/').to_owned()
    }

    /// The canonical name, for comparisons: the same for all names of a directory, with `..` and symbolic links
    /// resolved. The directory need not exist.
    pub(crate) fn full_name(&self) -> String {
        match &self.kind {
            Kind::Directory(root) => without_links(root).display().to_string(),
            Kind::Bucket(..) => self.name(),
        }
    }

    /// Reads a file; `None` if it does not exist.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Bytes>, Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let file = root.join(path);
                blocking(move || match fs::read(&file) {
                    Ok(bytes) => Ok(Some(Bytes::from(bytes))),
                    Err(error) if is_missing(&error) => Ok(None),
                    Err(error) => Err(cannot_read(&file, error)),
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => match bucket.get_all(&Self::key(prefix, path)).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Reads a range of a file, which must exist.
    pub(crate) async fn get_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let file = root.join(path);
                blocking(move || {
                    let read = || {
                        let mut opened = File::open(&file)?;
                        opened.seek(SeekFrom::Start(range.start))?;
                        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
                        opened.read_exact(&mut bytes)?;
                        Ok(Bytes::from(bytes))
                    };
                    read().map_err(|error| cannot_read(&file, error))
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => {
                let key = Self::key(prefix, path);
                let got = bucket.following(|store| {
                    let (key, range) = (&key, range.clone());
                    async move { store.get_range(key, range).await }
                });
                got.await.map_err(|error| bucket.explain_get(&key, error))
            }
        }
    }

    /// Writes a file, replacing an existing one.
    pub(crate) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let (file, tmp) = (root.join(path), self.tmp_path(root));
                blocking(move || {
                    write_whole(&tmp, &bytes)?;
                    rename(&tmp, &file)
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => bucket.put(&Self::key(prefix, path), bytes.into()).await,
        }
    }

    /// Writes a file that must not exist yet. Of several concurrent writers, at most one gets [`PutNew::Done`].
    ///
    /// # Errors
    ///
    /// After an error, the file may or may not have been written.
    pub(crate) async fn put_new(&self, path: &str, bytes: Bytes) -> Result<PutNew, Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let (file, tmp) = (root.join(path), self.tmp_path(root));
                blocking(move || {
                    if file.exists() {
                        return Ok(PutNew::Exists);
                    }
                    write_whole(&tmp, &bytes)?;
                    let linked = create_parent(&file).and_then(|()| match fs::hard_link(&tmp, &file) {
                        Ok(()) => sync_parent(&file).map(|()| PutNew::Done),
                        Err(error) if error.kind() == IoErrorKind::AlreadyExists => Ok(PutNew::Exists),
                        Err(error) => Err(cannot_link(&file, error)),
                    });
                    // If this fails, a later run removes it.
                    drop(fs::remove_file(&tmp));
                    linked
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => bucket.put_new(&Self::key(prefix, path), bytes).await,
        }
    }

    /// Deletes a file if it exists.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let file = root.join(path);
                let root = root.clone();
                blocking(move || {
                    match fs::remove_file(&file) {
                        Ok(()) => {}
                        Err(error) if is_missing(&error) => {}
                        Err(error) => return Err(cannot_write(file.display(), error)),
                    }
                    remove_empty_folders(&file, &root);
                    Ok(())
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => bucket.delete(&Self::key(prefix, path)).await,
        }
    }

    /// Renames a file; `false` if it does not exist.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<bool, Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let (from, to, tmp) = (root.join(from), root.join(to), self.tmp_path(root));
                let root = root.clone();
                blocking(move || {
                    // The time of the renaming, as of a copy in a bucket, and set before it: with the old time,
                    // `remove_replaced` of another process would delete the file at once.
                    let touched = File::options().append(true).open(&from);
                    let renamed = match touched.and_then(|file| file.set_modified(SystemTime::now())) {
                        Ok(()) => rename(&from, &to),
                        Err(error) if is_missing(&error) => return Ok(false),
                        // A file of another user. A copy has the current time.
                        Err(_) => move_as_copy(&from, &tmp, &to),
                    };
                    match renamed {
                        Ok(()) => {}
                        // Another process renamed it first.
                        Err(_) if !from.exists() && to.exists() => return Ok(false),
                        Err(error) => return Err(error),
                    }
                    remove_empty_folders(&from, &root);
                    Ok(true)
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => {
                let (from, to) = (Self::key(prefix, from), Self::key(prefix, to));
                let copied = bucket.copy(&from, &to).await?;
                bucket.delete(&from).await?;
                Ok(copied)
            }
        }
    }

    /// Lists files whose paths begin with `prefix`, which may end within a name, and sort after `behind`. Sorted by
    /// path.
    pub(crate) async fn list(&self, prefix: &str, behind: Option<&str>) -> Result<Vec<Entry>, Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let (root, wanted, behind) = (root.clone(), prefix.to_owned(), behind.map(str::to_owned));
                blocking(move || {
                    let mut entries = list_directory(&root, &wanted, behind.as_deref())?;
                    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
                    Ok(entries)
                })
                .await
            }
            Kind::Bucket(bucket, root) => {
                let wanted = format!("{root}{prefix}");
                let behind = behind.map(|behind| format!("{root}{behind}"));
                let mut start = behind.clone().map_or(ListStart::First, ListStart::Behind);
                let mut entries = Vec::new();
                loop {
                    let page = bucket.list(&wanted, &start, None).await?;
                    for meta in page.objects {
                        let Some(path) = meta.location.as_ref().strip_prefix(root.as_str()) else { continue };
                        // Stores that ignore `start-after` list from the beginning.
                        if behind.as_deref().is_some_and(|behind| meta.location.as_ref() <= behind) {
                            continue;
                        }
                        let modified = meta.last_modified.timestamp_micros();
                        entries.push(Entry { path: path.to_owned(), size: meta.size, modified });
                    }
                    match page.next {
                        Some(token) => start = ListStart::Token(token),
                        None => break,
                    }
                }
                entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
                Ok(entries)
            }
        }
    }

    /// When a file was last modified by the clock of the place, in microseconds since the Unix epoch; `None` if it does
    /// not exist.
    pub(crate) async fn modified(&self, path: &str) -> Result<Option<i64>, Error> {
        match &self.kind {
            Kind::Directory(root) => {
                let file = root.join(path);
                blocking(move || match fs::metadata(&file) {
                    Ok(metadata) => Ok(Some(micros(metadata.modified().unwrap_or(UNIX_EPOCH)))),
                    Err(error) if is_missing(&error) => Ok(None),
                    Err(error) => Err(cannot_read(&file, error)),
                })
                .await
            }
            Kind::Bucket(bucket, prefix) => bucket.modified(&Self::key(prefix, path)).await,
        }
    }

    /// The key of a path in a bucket.
    pub(crate) fn key(prefix: &str, path: &str) -> StorePath {
        let key = format!("{prefix}{path}");
        // Prefixes and our own names are valid paths. An invalid one from a damaged ledger is encoded, and not found.
        StorePath::parse(&key).unwrap_or_else(|_| StorePath::from(key))
    }

    /// A unique name for an incomplete file.
    pub(super) fn tmp_path(&self, root: &Path) -> PathBuf {
        let number = self.writer.count.fetch_add(1, Ordering::Relaxed);
        root.join(TMP).join(format!("{}-{number}", self.writer.name))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(ErrorKind::Internal, "a task that writes stopped").with_source(error))?
}

/// Resolves symbolic links and `..` of a directory that may not exist yet.
fn without_links(directory: &Path) -> PathBuf {
    let mut missing = Vec::new();
    for folder in directory.ancestors() {
        if let Ok(full) = folder.canonicalize() {
            // The missing components contain no links.
            return missing.into_iter().rev().fold(full, |mut full, part| {
                match part {
                    Component::ParentDir => _ = full.pop(),
                    part => full.push(part),
                }
                full
            });
        }
        missing.extend(folder.components().next_back());
    }
    directory.to_owned()
}

/// Lists files below `root`. Those that do not sort after `behind` are left out before their sizes are read.
fn list_directory(root: &Path, prefix: &str, behind: Option<&str>) -> Result<Vec<Entry>, Error> {
    let top = root.join(prefix.rsplit_once('/').map_or("", |(folder, _)| folder));
    let path_of = |path: &Path| {
        let parts = path.strip_prefix(root).ok()?.components().map(|part| part.as_os_str().to_string_lossy());
        Some(parts.collect::<Vec<_>>().join("/"))
    };
    let is_wanted =
        |path: &Path| path_of(path).is_some_and(|path| path.starts_with(prefix) || prefix.starts_with(&path));
    let is_behind = |path: &Path| behind.is_none_or(|behind| path_of(path).is_some_and(|path| path.as_str() > behind));
    let mut entries = Vec::new();
    let walk = walkdir::WalkDir::new(&top).follow_links(true).into_iter();
    let walk = walk.filter_entry(|entry| {
        entry.depth() == 0 || is_wanted(entry.path()) && (entry.file_type().is_dir() || is_behind(entry.path()))
    });
    for found in walk {
        let metadata = found.and_then(|entry| entry.metadata().map(|metadata| (entry, metadata)));
        let (entry, metadata) = match metadata {
            Ok(found) => found,
            // Removed concurrently.
            Err(error) if error.io_error().is_some_and(is_missing) => continue,
            Err(error) => {
                let cannot = Error::new(ErrorKind::Unreadable, "it cannot be listed");
                return Err(cannot.in_object(top.display().to_string()).with_source(error));
            }
        };
        if let (true, Some(path)) = (metadata.is_file(), path_of(entry.path())) {
            let modified = micros(metadata.modified().unwrap_or(UNIX_EPOCH));
            entries.push(Entry { path, size: metadata.len(), modified });
        }
    }
    Ok(entries)
}

/// Writes and syncs a file.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    create_parent(path)?;
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| {
        drop(fs::remove_file(path));
        cannot_write(path.display(), error)
    })
}

/// Creates the parent folder of a file, and syncs every folder created on the way.
pub(super) fn create_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if parent.is_dir() {
        return Ok(());
    }
    create_parent(parent)?;
    match fs::create_dir(parent) {
        Ok(()) => sync_parent(parent),
        Err(error) if error.kind() == IoErrorKind::AlreadyExists && parent.is_dir() => Ok(()),
        // A concurrent `remove_empty_folders` has removed it.
        Err(error) if is_missing(&error) => {
            fs::create_dir_all(parent).map_err(|error| cannot_write(parent.display(), error))
        }
        Err(error) => Err(cannot_write(parent.display(), error)),
    }
}

/// Renames a file and syncs the target folder.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    // A concurrent `remove_empty_folders` may remove the folder between the two calls.
    let mut attempts = 0;
    loop {
        create_parent(to)?;
        match fs::rename(from, to) {
            Ok(()) => return sync_parent(to),
            Err(error) if is_missing(&error) && from.exists() && attempts < 10 => attempts += 1,
            Err(error) => return Err(cannot_write(to.display(), error)),
        }
    }
}

/// Moves a file that may only be read, in a folder that may be written.
fn move_as_copy(from: &Path, tmp: &Path, to: &Path) -> Result<(), Error> {
    create_parent(tmp)?;
    let copied = fs::copy(from, tmp).and_then(|_| File::open(tmp)?.sync_all());
    let moved = copied.map_err(|error| cannot_write(tmp.display(), error)).and_then(|()| rename(tmp, to));
    if moved.is_err() {
        drop(fs::remove_file(tmp));
    }
    moved?;
    fs::remove_file(from).map_err(|error| cannot_write(from.display(), error))
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else { return Ok(()) };
    // Some platforms cannot open, and therefore not sync, directories.
    match File::open(parent) {
        Ok(directory) => directory.sync_all().map_err(|error| cannot_write(parent.display(), error)),
        Err(_) => Ok(()),
    }
}

/// Removes the empty folders above a deleted file. Buckets have no folders.
fn remove_empty_folders(file: &Path, root: &Path) {
    let mut folder = file.parent();
    while let Some(path) = folder {
        if path == root || !path.starts_with(root) || fs::remove_dir(path).is_err() {
            return;
        }
        folder = path.parent();
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory)
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    let kind = if is_missing(&error) { ErrorKind::NotFound } else { ErrorKind::Unreadable };
    Error::new(kind, "it cannot be read").in_object(path.display().to_string()).with_source(error)
}

pub(super) fn cannot_write(path: impl std::fmt::Display, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded => {
            "the disk is full: free some space and run again; nothing is lost"
        }
        IoErrorKind::PermissionDenied | IoErrorKind::ReadOnlyFilesystem => "check the permissions of the directory",
        IoErrorKind::FileTooLarge => {
            "files of this size are not allowed there: see `ulimit -f`, or use a smaller --target-size"
        }
        _ => "",
    };
    let cannot =
        Error::new(ErrorKind::Unwritable, "it cannot be written").in_object(path.to_string()).with_source(error);
    if hint.is_empty() { cannot } else { cannot.with_hint(hint) }
}

/// The error of a failed hard link to a file that was written.
fn cannot_link(path: &Path, error: std::io::Error) -> Error {
    // EPERM on Unix, as opposed to EACCES; on Windows, 1 is ERROR_INVALID_FUNCTION, for file systems without hard
    // links.
    const NOT_PERMITTED: i32 = 1;
    let has_no_links = error.kind() == IoErrorKind::Unsupported || error.raw_os_error() == Some(NOT_PERMITTED);
    let cannot = cannot_write(path.display(), error);
    if has_no_links { cannot.with_hint("a dataset needs a file system with hard links") } else { cannot }
}

#[cfg(test)]
mod tests;
