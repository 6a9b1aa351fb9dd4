//! Resolves sources to log objects.
//!
//! A source is a file, a directory (read recursively), a glob, `-` for standard input, or `@FILE`, a list of sources,
//! one per line. Within directories and globs, names that begin with a dot are skipped, as `ls` does. Within
//! directories and buckets, files of datasets are skipped: names ending in `.parquet`, and everything in `_s3log`.
//!
//! Links are followed. A file is read once, even if several sources, globs or links name it.

use crate::dataset::{Converted, InDataset, SETTINGS, Snapshot, changed, is_of_dataset};
use crate::error::{Error, ErrorKind};
use crate::scan::{LogObject, Progress};
use crate::store::Location;
use s3log_parser::LogObjectKey;
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkdir::{DirEntry, WalkDir};

/// A source that does not exist as a file is a glob if it has one of these characters.
const GLOB: [char; 3] = ['*', '?', '['];

/// Log objects named by sources, in name order within each source.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub(crate) objects: Vec<Listed>,
    /// Buckets, listed when a scan starts to read.
    pub(crate) locations: Vec<Location>,
    /// Those of `locations` that may hold no log object any more.
    pub(crate) may_be_empty: Vec<Location>,
    /// What exists, but could not be listed.
    pub(crate) unreadable: Vec<(String, Arc<Error>)>,
    /// The source being listed.
    source: Arc<str>,
    /// Number of sources listed, including those of lists.
    sources: usize,
    /// Whether a source may have named a file twice, through a glob or a link.
    may_repeat: bool,
    /// Days of files that were removed from the listing and whose names have a time of delivery.
    delivery_days: HashSet<(String, i64)>,
}

/// One log object of a listing.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) object: LogObject,
    /// The source, as the user named it.
    pub(crate) source: Arc<str>,
    pub(crate) path: Option<PathBuf>,
    pub(crate) size: u64,
    pub(crate) modified: std::time::SystemTime,
}

/// Resolves paths of files to absolute ones that are the same however a file is reached, by `..` or by a link.
#[derive(Debug, Default)]
pub(crate) struct FullNames {
    /// Cache: the last folder and its resolved path, which is by far the most expensive part.
    folder: Option<(PathBuf, PathBuf)>,
}

impl FullNames {
    pub(crate) fn of(&mut self, path: &Path) -> PathBuf {
        self.of_link(path).0
    }

    /// The resolved path, and whether the file was named by a link.
    fn of_link(&mut self, path: &Path) -> (PathBuf, bool) {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if absolute.is_symlink() {
            return (absolute.canonicalize().unwrap_or(absolute), true);
        }
        (self.in_full_folder(absolute), false)
    }

    fn in_full_folder(&mut self, absolute: PathBuf) -> PathBuf {
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else { return absolute };
        if let Some((folder, full)) = &self.folder
            && folder == parent
        {
            return full.join(name);
        }
        let full = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
        let file = full.join(name);
        self.folder = Some((parent.to_owned(), full));
        file
    }
}

/// The name of a file in a ledger, from its full path: only files with names in UTF-8 are converted, because others
/// cannot be told apart.
pub(crate) fn name_in_ledger(full: &Path) -> Option<&str> {
    full.to_str()
}

impl Listing {
    /// Lists what the sources name. Reads only names and sizes, and opens no log object. Buckets are recorded and
    /// listed when a scan starts to read.
    ///
    /// # Errors
    ///
    /// Fails if a source does not exist, is empty, or cannot be read; the error names it. Folders below it that cannot
    /// be listed are no error: see [`Self::unreadable`].
    pub fn list(sources: &[impl AsRef<str>]) -> Result<Self, Error> {
        Self::with_origins(sources, &[])
    }

    /// Also lists what is left of the sources that datasets were made of.
    pub(crate) fn with_origins(sources: &[impl AsRef<str>], origins: &[String]) -> Result<Self, Error> {
        let mut listing = Self::default();
        for source in sources {
            listing.add(source.as_ref())?;
        }
        for origin in origins {
            listing.add_origin(origin)?;
        }
        // Otherwise no file is named twice. A plain directory may hold very many files.
        if listing.may_repeat || listing.sources > 1 {
            listing.drop_repeated();
        }
        Ok(listing)
    }

    /// Whether the listing holds neither log objects nor buckets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.locations.is_empty()
    }

    /// The buckets among the sources.
    #[must_use]
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// Number of log objects in local sources.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.objects.len()
    }

    /// Total size of the log objects in local sources, in bytes as stored.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.objects.iter().map(|listed| listed.size).sum()
    }

    /// Folders and files that exist, but could not be listed, and why. Tables over the listing treat them as log objects
    /// that cannot be read ([`OnUnreadable`](crate::scan::OnUnreadable)).
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.unreadable.iter().map(|(name, why)| (name.as_str(), &**why))
    }

    /// The first of [`Self::unreadable`] as an error that names it.
    pub(crate) fn first_unreadable(&self) -> Option<Error> {
        self.unreadable().next().map(|(name, why)| why.repeated().in_object(name))
    }

    /// Leaves out files whose records are in a dataset. Files that have changed since are reported as unreadable: the
    /// dataset has their old records.
    pub(crate) async fn leave_out(&mut self, converted: &Converted, progress: &Progress) -> Result<(), Error> {
        let mut left = Vec::new();
        let mut names = FullNames::default();
        for listed in std::mem::take(&mut self.objects) {
            let known = match &listed.path {
                Some(path) => match name_in_ledger(&names.of(path)) {
                    Some(name) => converted.find(name, listed.size).await?,
                    None => InDataset::No,
                },
                None => InDataset::No,
            };
            match known {
                InDataset::No => {
                    left.push(listed);
                    continue;
                }
                InDataset::Same => {}
                InDataset::Changed => progress.failed(listed.object.name(), &changed()),
            }
            self.note_day(&listed);
        }
        self.objects = left;
        Ok(())
    }

    /// Notes what the name of a removed file says about others of its day: see `Sieve`.
    fn note_day(&mut self, removed: &Listed) {
        let key = LogObjectKey::parse(removed.object.name());
        if let Some(key) = key.filter(|key| key.is_partitioned() && !key.is_midnight()) {
            self.delivery_days.insert((key.group().to_owned(), key.day()));
        }
    }

    /// Days of removed files whose names have a time of delivery.
    pub(crate) fn delivery_days(&self) -> &HashSet<(String, i64)> {
        &self.delivery_days
    }

    /// Leaves out files that are named next to the dataset they belong to.
    pub(crate) fn leave_out_files_of(&mut self, datasets: &[Snapshot]) {
        let files_of = |dataset: &Snapshot| {
            let root = PathBuf::from(dataset.place.full_name());
            dataset.state.files.values().map(move |file| root.join(&file.path)).collect::<Vec<_>>()
        };
        let may_be_one =
            |listed: &Listed| listed.path.as_ref().is_some_and(|path| is_of_dataset(&path.to_string_lossy()));
        // Check first whether there are any: datasets have many files.
        if !self.objects.iter().any(may_be_one) {
            return;
        }
        let local = datasets.iter().filter(|dataset| dataset.place.is_local());
        let files: HashSet<PathBuf> = local.flat_map(files_of).collect();
        let mut names = FullNames::default();
        self.objects.retain(|listed| listed.path.as_ref().is_none_or(|path| !files.contains(&names.of(path))));
    }

    fn add(&mut self, source: &str) -> Result<(), Error> {
        if let Some(list) = source.strip_prefix('@') {
            return sources_in(list)?.iter().try_for_each(|source| self.add(source));
        }
        self.source = source.into();
        self.sources += 1;
        if source == "-" {
            let modified = std::time::SystemTime::UNIX_EPOCH;
            let source = Arc::clone(&self.source);
            self.objects.push(Listed { object: LogObject::stdin(), source, path: None, size: 0, modified });
            return Ok(());
        }
        let path = match source.split_once("://") {
            Some(("file", path)) => path,
            Some((Location::SCHEME, _)) => {
                self.add_location(Location::parse(source)?);
                return Ok(());
            }
            Some((scheme, _)) if scheme.chars().all(|letter| letter.is_ascii_alphanumeric()) => {
                return Err(Error::new(ErrorKind::Unsupported, format!("sources of `{scheme}://` cannot be read"))
                    .in_object(source)
                    .with_hint("a bucket of any S3-compatible service is s3://bucket/prefix with --endpoint-url"));
            }
            _ => source,
        };
        let before = (self.objects.len(), self.unreadable.len());
        match std::fs::metadata(path) {
            Ok(metadata) => self.add_path(path.to_owned(), Path::new(path), &metadata),
            Err(_) if path.contains(GLOB) => self.add_glob(path)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::new(ErrorKind::NotFound, "no such file or directory").in_object(source).with_hint(
                    "a source is a file, a directory, a glob in quotes, `-` for standard input or `@FILE`",
                ));
            }
            Err(error) => {
                return Err(Error::new(ErrorKind::Unreadable, "it cannot be read")
                    .in_object(source)
                    .with_source(error));
            }
        }
        if (self.objects.len(), self.unreadable.len()) == before {
            return Err(nothing_in(source));
        }
        Ok(())
    }

    /// Adds a source that a dataset was made of. It may be gone by now: conversion makes log objects dispensable.
    fn add_origin(&mut self, origin: &str) -> Result<(), Error> {
        if Location::is_one(origin) {
            self.may_be_empty.push(Location::parse(origin)?);
        }
        match self.add(origin) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            added => added,
        }
    }

    /// If locations contain each other, only the outer one is kept.
    fn add_location(&mut self, location: Location) {
        if !self.locations.iter().any(|known| known.contains(&location)) {
            self.locations.retain(|known| !location.contains(known));
            self.locations.push(location);
        }
    }

    fn add_path(&mut self, name: String, path: &Path, metadata: &std::fs::Metadata) {
        if metadata.is_dir() {
            self.add_directory(path);
            return;
        }
        let path_of = path.to_owned();
        self.objects.push(Listed {
            object: if metadata.is_file() { LogObject::file(name, path_of) } else { LogObject::pipe(name, path_of) },
            source: Arc::clone(&self.source),
            path: Some(path.to_owned()),
            size: if metadata.is_file() { metadata.len() } else { 0 },
            modified: metadata.modified().unwrap_or(std::time::SystemTime::UNIX_EPOCH),
        });
    }

    fn add_directory(&mut self, directory: &Path) {
        let visible = |entry: &DirEntry| entry.depth() == 0 || !is_hidden(entry.path());
        let walk = WalkDir::new(directory).follow_links(true).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(visible) {
            self.may_repeat |= entry.as_ref().is_ok_and(DirEntry::path_is_symlink);
            let entry = entry.and_then(|entry| entry.metadata().map(|metadata| (entry, metadata)));
            match entry {
                Ok((entry, metadata)) if metadata.is_file() && !is_of_dataset(&below(directory, entry.path())) => {
                    self.add_path(entry.path().display().to_string(), entry.path(), &metadata);
                }
                Ok(_) => {}
                // A link to a parent folder: its contents are listed under their own names.
                Err(error) if error.loop_ancestor().is_some() => {}
                Err(error) => {
                    let name = error.path().unwrap_or(directory).display().to_string();
                    let why = Error::new(ErrorKind::Unreadable, "it cannot be listed").with_source(error);
                    self.unreadable.push((name, why.into()));
                }
            }
        }
    }

    fn add_glob(&mut self, pattern: &str) -> Result<(), Error> {
        // `logs/**/*` matches both a folder and the files in it.
        self.may_repeat = true;
        for path in matches_of(pattern)? {
            let named = path.map_err(|error| (error.path().display().to_string(), std::io::Error::from(error)));
            let found = named.and_then(|path| match std::fs::metadata(&path) {
                Ok(metadata) => Ok((path, metadata)),
                Err(error) => Err((path.display().to_string(), error)),
            });
            match found {
                // As in directories: reading a pipe or a device that nobody named could wait forever.
                Ok((_, metadata)) if !metadata.is_file() && !metadata.is_dir() => {}
                Ok((path, metadata)) => self.add_path(path.display().to_string(), &path, &metadata),
                Err((name, error)) => {
                    let why = Error::new(ErrorKind::Unreadable, "it cannot be listed").with_source(error);
                    self.unreadable.push((name, why.into()));
                }
            }
        }
        Ok(())
    }

    /// Reads each file once even if sources overlap or links point to it. A file's own name, which may have a time in
    /// it, takes precedence over a link's.
    fn drop_repeated(&mut self) {
        let mut names = FullNames::default();
        // Index of each file kept, and whether it was named by a link.
        let mut kept: HashMap<Option<PathBuf>, (usize, bool)> = HashMap::with_capacity(self.objects.len());
        for (at, listed) in self.objects.iter().enumerate() {
            let (full, is_link) = listed.path.as_ref().map(|path| names.of_link(path)).unzip();
            let is_link = is_link.unwrap_or_default();
            match kept.entry(full) {
                Entry::Vacant(place) => _ = place.insert((at, is_link)),
                Entry::Occupied(mut place) if place.get().1 && !is_link => _ = place.insert((at, is_link)),
                Entry::Occupied(_) => {}
            }
        }
        let kept: HashSet<usize> = kept.into_values().map(|(at, _)| at).collect();
        for (at, listed) in std::mem::take(&mut self.objects).into_iter().enumerate() {
            if kept.contains(&at) {
                self.objects.push(listed);
            } else {
                self.note_day(&listed);
            }
        }
    }
}

/// The path of a file below a directory: what is above it says nothing about the file.
fn below<'a>(directory: &Path, path: &'a Path) -> Cow<'a, str> {
    path.strip_prefix(directory).unwrap_or(path).to_string_lossy()
}

/// Expands a list to its lines. With `globs`, also expands a glob to its matches if a dataset is among them, as a shell
/// would: a listing does not know about datasets, and would skip them.
pub(crate) fn expanded(source: &str, globs: bool) -> Result<Vec<String>, Error> {
    let named = match source.strip_prefix('@') {
        Some(list) => sources_in(list)?,
        None => vec![source.to_owned()],
    };
    if !globs {
        return Ok(named);
    }
    let mut sources = Vec::with_capacity(named.len());
    for source in named {
        match datasets_and_others(&source)? {
            Some(matched) => sources.extend(matched),
            None => sources.push(source),
        }
    }
    Ok(sources)
}

/// The matches of a glob, if a dataset is among them.
fn datasets_and_others(source: &str) -> Result<Option<Vec<String>>, Error> {
    let path = match source.split_once("://") {
        Some(("file", path)) => path,
        Some(_) => return Ok(None),
        None => source,
    };
    if !path.contains(GLOB) || std::fs::metadata(path).is_ok() {
        return Ok(None);
    }
    // Matches that cannot be listed are reported when they are read.
    let paths = matches_of(path)?.map(|found| found.unwrap_or_else(|error| error.path().to_owned()));
    let paths: Vec<PathBuf> = paths.collect();
    if !paths.iter().any(|path| path.join(SETTINGS).exists()) {
        return Ok(None);
    }
    let name = |path: &PathBuf| match path.display().to_string() {
        // Such a name must not be taken for a list or for standard input.
        name if name.starts_with(['@', '-']) => format!("./{name}"),
        name => name,
    };
    Ok(Some(paths.iter().map(name).collect()))
}

fn matches_of(pattern: &str) -> Result<glob::Paths, Error> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    glob::glob_with(pattern, options)
        .map_err(|error| Error::invalid("the glob cannot be read").in_object(pattern).with_source(error))
}

/// The lines of a list of sources.
fn sources_in(list: &str) -> Result<Vec<String>, Error> {
    let text = if list == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(list) };
    let text = text.map_err(|error| {
        Error::new(ErrorKind::NotFound, "the list of sources cannot be read")
            .in_object(format!("@{list}"))
            .with_source(error)
    })?;
    let sources: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if sources.is_empty() {
        return Err(nothing_in(&format!("@{list}")));
    }
    match sources.iter().find(|source| source.starts_with('@')) {
        Some(other) => Err(Error::invalid("a list of sources cannot name another list").in_object(other)),
        None => Ok(sources),
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn nothing_in(source: &str) -> Error {
    Error::new(ErrorKind::NotFound, "no log objects found")
        .in_object(source)
        .with_hint("names that begin with a dot are skipped in directories; a glob must match something")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for name in ["logs/b", "logs/a", "logs/deep/c", "logs/.hidden", "logs/.git/x", "other"] {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        std::fs::create_dir(tree.path().join("empty")).unwrap();
        tree
    }

    fn names(tree: &tempfile::TempDir, sources: &[&str]) -> Result<Vec<String>, String> {
        let root = tree.path().display().to_string();
        let sources: Vec<_> = sources
            .iter()
            .map(|source| match source.strip_prefix('@') {
                Some(list) => format!("@{root}/{list}"),
                None => format!("{root}/{source}"),
            })
            .collect();
        let listing = Listing::list(&sources).map_err(|error| error.to_string().replace(&root, ""))?;
        Ok(listing.objects.iter().map(|listed| listed.object.name().replace(&format!("{root}/"), "")).collect())
    }

    #[test]
    fn files_directories_and_globs() {
        let tree = tree();
        assert_eq!(names(&tree, &["other"]).unwrap(), ["other"]);
        assert_eq!(names(&tree, &["logs"]).unwrap(), ["logs/a", "logs/b", "logs/deep/c"]);
        assert_eq!(names(&tree, &["logs/*"]).unwrap(), ["logs/a", "logs/b", "logs/deep/c"]);
        assert_eq!(names(&tree, &["logs/[b]"]).unwrap(), ["logs/b"]);
        assert_eq!(
            names(&tree, &["logs/a", "logs", "other", "logs/a"]).unwrap(),
            ["logs/a", "logs/b", "logs/deep/c", "other"]
        );
    }

    #[test]
    fn a_file_is_listed_once() {
        let tree = tree();
        assert_eq!(names(&tree, &["logs/**/*"]).unwrap(), ["logs/a", "logs/b", "logs/deep/c"]);
        assert_eq!(names(&tree, &["**/*"]).unwrap(), ["logs/a", "logs/b", "logs/deep/c", "other"]);
        assert_eq!(names(&tree, &["logs/*", "logs/**/c"]).unwrap(), ["logs/a", "logs/b", "logs/deep/c"]);
        let list = format!("{root}/logs/a\n{root}/logs\n", root = tree.path().display());
        std::fs::write(tree.path().join("list"), list).unwrap();
        assert_eq!(names(&tree, &["@list"]).unwrap(), ["logs/a", "logs/b", "logs/deep/c"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_name_what_is_there() {
        let tree = tree();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, tree.path().join(name)).unwrap();
        // Links to files in the same folder, one with a name that sorts first; to another folder; to a folder.
        link("b", "logs/0-latest");
        link("a", "logs/latest");
        link("../../other", "logs/deep/other");
        link("deep", "logs/deeper");
        let expected = ["logs/a", "logs/b", "logs/deep/c", "logs/deep/other"];
        for sources in [&["logs"][..], &["logs/*"], &["logs/**/*"], &["logs/0-latest", "logs"]] {
            let mut listed = names(&tree, sources).unwrap();
            listed.sort();
            assert_eq!(listed, expected, "{sources:?}");
        }
        assert_eq!(names(&tree, &["logs/latest"]).unwrap(), ["logs/latest"]);
        // Links to parent folders, inside and outside of what is listed.
        link(".", "logs/self");
        link("..", "logs/deep/up");
        link("../empty", "logs/empty");
        assert_eq!(names(&tree, &["logs"]).unwrap(), expected);
        let root = tree.path().display();
        assert!(Listing::list(&[format!("{root}/logs")]).unwrap().unreadable.is_empty());
        link("..", "logs/all");
        let mut listed = names(&tree, &["logs"]).unwrap();
        listed.sort();
        assert_eq!(listed.len(), 4, "{listed:?}");
    }

    #[test]
    fn lists_of_sources() {
        let tree = tree();
        let root = tree.path().display();
        std::fs::write(tree.path().join("list"), format!("{root}/logs/a\n\n  {root}/other\r\n")).unwrap();
        assert_eq!(names(&tree, &["@list"]).unwrap(), ["logs/a", "other"]);
        std::fs::write(tree.path().join("list"), format!("@{root}/list\n")).unwrap();
        assert_eq!(names(&tree, &["@list"]).unwrap_err(), "@/list: a list of sources cannot name another list");
    }

    #[test]
    fn what_is_not_there() {
        let tree = tree();
        assert_eq!(names(&tree, &["nothing"]).unwrap_err(), "/nothing: no such file or directory");
        assert_eq!(names(&tree, &["empty"]).unwrap_err(), "/empty: no log objects found");
        assert_eq!(names(&tree, &["logs/*.gz"]).unwrap_err(), "/logs/*.gz: no log objects found");
        let error = Listing::list(&["gs://bucket/prefix"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn locations_are_noted_and_named_once() {
        let listing = Listing::list(&["s3://a/x/y", "s3://b", "s3://a/x", "s3://a/x/z"]).unwrap();
        let names: Vec<_> = listing.locations().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["s3://b/", "s3://a/x"]);
        assert!(Listing::list(&["s3://"]).is_err());
    }
}
