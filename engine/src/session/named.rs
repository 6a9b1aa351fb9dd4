//! Sorting the sources of a session into datasets and log objects.

use super::stopped;
use crate::dataset::Snapshot;
use crate::error::Error;
use crate::store::Stores;
use crate::table::expanded;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::HashSet;

/// Number of bucket sources checked for a dataset concurrently; a list may name very many.
const ASKED_AT_ONCE: usize = 32;

/// The sources, sorted.
pub(super) struct Named {
    /// Without duplicates.
    pub(super) datasets: Vec<Snapshot>,
    /// Sources that are not datasets, with lists replaced by their lines.
    pub(super) raw: Vec<String>,
    /// Sources that name anything but datasets; local ones as absolute paths.
    pub(super) raw_sources: Vec<String>,
}

impl Named {
    /// Checks every source for a dataset. With `globs`, a glob is replaced by its matches if a dataset is among them.
    pub(super) async fn sort_out(sources: &[String], globs: bool, stores: &Stores) -> Result<Self, Error> {
        let given = sources.to_vec();
        let lists = move || given.iter().map(|source| expanded(source, globs)).collect::<Result<Vec<_>, Error>>();
        let lists = tokio::task::spawn_blocking(lists).await.map_err(stopped)??;
        let finds: Vec<_> = lists.iter().flatten().map(|source| Snapshot::open_if_dataset(source, stores)).collect();
        let found: Vec<_> = stream::iter(finds).buffered(ASKED_AT_ONCE).try_collect().await?;
        let mut found = found.into_iter();
        let mut named = Self { datasets: Vec::new(), raw: Vec::new(), raw_sources: Vec::new() };
        let mut places = HashSet::new();
        for (source, list) in sources.iter().zip(lists) {
            let before = named.raw.len();
            for (source, dataset) in list.into_iter().zip(&mut found) {
                match dataset {
                    Some(dataset) if places.insert(dataset.place.full_name()) => named.datasets.push(dataset),
                    Some(_) => {}
                    None => named.raw.push(source),
                }
            }
            if named.raw.len() > before {
                named.raw_sources.push(absolute(source));
            }
        }
        Ok(named)
    }
}

/// A local source as an absolute path, so that it means the same in any working directory.
fn absolute(source: &str) -> String {
    let (mark, path) = match source.strip_prefix('@') {
        Some(list) => ("@", list),
        None => ("", source),
    };
    if source == "-" || source == "@-" || source.contains("://") {
        return source.to_owned();
    }
    std::path::absolute(path).map_or_else(|_| source.to_owned(), |path| format!("{mark}{}", path.display()))
}
