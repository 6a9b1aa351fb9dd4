//! The sources of a table: files, which are listed in advance, and buckets, which are listed when a scan starts to
//! read.

use super::listing::{Listed, Listing};
use super::sieve::Sieve;
use super::walk::Walk;
use crate::dataset::{Converted, InDataset, changed};
use crate::error::Error;
use crate::scan::{Layout, ListError, ListObjects, NameRules, Progress, SourceCounts, Times, Unopened};
use crate::store::{Location, Stores, names_are_documented};
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Capacity in pages of the channel between listing and fetching: some thousand objects.
const PAGES_WAITING: usize = 8;

/// Maximum number of locations listed at the same time.
const MAX_LOCATIONS: usize = 32;

/// Maximum number of sources that EXPLAIN shows separately; a shell may expand one `*` to thousands.
const MAX_EXPLAINED: usize = 10;

/// The sources of a table: known files, and locations listed on demand.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) listing: Arc<Listing>,
    pub(crate) stores: Arc<Stores>,
    pub(crate) rules: NameRules,
    pub(crate) progress: Option<Arc<Progress>>,
    /// Objects of buckets to leave out, because their records are in a dataset. Files have already been left out.
    pub(crate) converted: Option<Converted>,
}

impl ListObjects for Sources {
    /// Lists all locations, many at a time, and leaves out what cannot or need not be read.
    fn list(&self, times: &Times) -> BoxStream<'static, Result<Vec<Unopened>, ListError>> {
        self.readable(self.list_all(times))
    }

    fn summary(&self, times: &Times, counted: Option<&[SourceCounts]>) -> String {
        let mut text = Vec::new();
        if !times.is_all() {
            text.push(format!("times={times}"));
        }
        let files;
        let counts = match counted {
            Some(counts) => counts,
            None => {
                let locations: Vec<_> = self.listing.locations().iter().map(ToString::to_string).collect();
                if !locations.is_empty() {
                    text.push(format!("buckets=[{}]", locations.join(", ")));
                }
                files = self.count_files(times);
                &files
            }
        };
        if !counts.is_empty() {
            text.push(counts.iter().cloned().sum::<SourceCounts>().to_string());
        }
        if (2..=MAX_EXPLAINED).contains(&counts.len()) {
            let by_source: Vec<_> = counts.iter().map(|count| format!("{}: {count}", count.source)).collect();
            text.push(format!("sources=[{}]", by_source.join("; ")));
        }
        text.join(", ")
    }

    fn count(&self, times: &Times) -> BoxFuture<'static, Result<Vec<SourceCounts>, Error>> {
        // Counting is not reading, so it must not show up in the progress.
        let (sources, times) = (self.clone(), times.clone());
        Box::pin(async move {
            let mut counts = sources.count_files(&times);
            for location in sources.listing.locations() {
                counts.push(sources.count_location(location, &times).await?);
            }
            Ok(counts)
        })
    }

    fn concurrency(&self) -> usize {
        self.stores.options().concurrency.max(1)
    }
}

impl Sources {
    /// The files that may hold a record of these times, and the number of files excluded.
    pub(crate) fn files(&self, times: &Times) -> (Vec<&Listed>, u64) {
        let sieve = Sieve::new(self.rules, times.clone());
        let mut sieve = sieve.with_delivery_days(self.listing.delivery_days());
        let mut kept = Vec::with_capacity(self.listing.objects.len());
        for listed in &self.listing.objects {
            sieve.push(listed.object.name(), &listed.source, listed, &mut kept);
        }
        sieve.finish();
        (kept, sieve.take_pruned())
    }

    /// Lists all objects of buckets that may hold a record of these times.
    pub(crate) async fn in_buckets(&self, times: &Times) -> Result<Vec<Listed>, Error> {
        let source: Arc<str> = Arc::default();
        let mut listed = Vec::new();
        let mut pages = self.list(times);
        while let Some(page) = pages.next().await {
            match (page, &self.progress) {
                (Ok(page), _) => listed.extend(page.into_iter().map(|Unopened { object, size, .. }| {
                    let modified = std::time::SystemTime::UNIX_EPOCH;
                    Listed { object, source: Arc::clone(&source), path: None, size, modified }
                })),
                // Read what was listed, and report the failure.
                (Err(failed), Some(progress)) if !failed.is_fatal => {
                    progress.failed(failed.error.object().unwrap_or_default(), &failed.error);
                }
                (Err(failed), _) => return Err(failed.error),
            }
        }
        Ok(listed)
    }

    /// Lists all locations, many at a time.
    pub(crate) fn list_all(&self, times: &Times) -> BoxStream<'static, Result<Vec<Unopened>, ListError>> {
        let (sources, times) = (self.clone(), times.clone());
        let locations: Vec<_> = self.listing.locations().to_vec();
        let pages = futures::stream::iter(locations).map(move |location| sources.pages(location, times.clone()));
        pages.flatten_unordered(MAX_LOCATIONS).boxed()
    }

    /// Leaves out objects whose records are in a dataset, then archived ones, and counts the others as planned.
    fn readable(
        &self,
        pages: BoxStream<'static, Result<Vec<Unopened>, ListError>>,
    ) -> BoxStream<'static, Result<Vec<Unopened>, ListError>> {
        let (converted, progress) = (self.converted.clone(), self.progress.clone().unwrap_or_default());
        let readable = pages.then(move |page| {
            let (converted, progress) = (converted.clone(), Arc::clone(&progress));
            async move {
                let mut left = page?;
                if let Some(converted) = converted {
                    left = without_converted(left, &converted, &progress).await?;
                }
                let before = left.len();
                left.retain(|object| !object.object.is_archived());
                progress.archived((before - left.len()) as u64);
                progress.planned(left.len() as u64, left.iter().map(|object| object.size).sum());
                Ok(left)
            }
        });
        readable.boxed()
    }

    pub(crate) fn count_files(&self, times: &Times) -> Vec<SourceCounts> {
        let mut counts: Vec<SourceCounts> = Vec::new();
        for listed in &self.listing.objects {
            match counts.last_mut() {
                Some(last) if *last.source == *listed.source => last.listed += 1,
                _ => counts.push(SourceCounts {
                    source: listed.source.to_string(),
                    listed: 1,
                    ..SourceCounts::default()
                }),
            }
        }
        let mut at = 0;
        for listed in self.files(times).0 {
            // Objects are in the order of their sources.
            while counts.get(at).is_some_and(|count| *count.source != *listed.source) {
                at += 1;
            }
            if let Some(count) = counts.get_mut(at) {
                count.add(listed.size);
            }
        }
        for count in &mut counts {
            count.pruned = count.listed - count.objects;
        }
        counts
    }

    async fn count_location(&self, location: &Location, times: &Times) -> Result<SourceCounts, Error> {
        let progress = Arc::new(Progress::default());
        let before = self.stores.request_counts();
        let counting = Self { progress: Some(Arc::clone(&progress)), ..self.clone() };
        let mut pages = counting.readable(counting.pages(location.clone(), times.clone()));
        let mut count = SourceCounts { source: location.to_string(), is_bucket: true, ..SourceCounts::default() };
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failed| failed.error)?;
            page.iter().for_each(|object| count.add(object.size));
        }
        if let (true, Some(progress)) = (progress.are_names_unused(), &self.progress) {
            progress.names_unused();
        }
        let found = progress.snapshot();
        (count.pruned, count.archived) = (found.pruned, found.archived);
        count.listed = count.objects + count.pruned + count.archived;
        count.list_requests = self.stores.request_counts().list - before.list;
        count.endpoint = self.stores.endpoint().await?;
        Ok(count)
    }

    /// The pages of a location, listed by a separate task that ends with the stream.
    fn pages(&self, location: Location, wanted: Times) -> BoxStream<'static, Result<Vec<Unopened>, ListError>> {
        let (sender, receiver) = mpsc::channel(PAGES_WAITING);
        let Self { stores, rules, progress, .. } = self.clone();
        let may_be_empty = self.listing.may_be_empty.contains(&location);
        let task = SpawnedTask::spawn(async move {
            let bucket = match stores.bucket(location.bucket()).await {
                Ok(bucket) => bucket,
                Err(error) => {
                    // An error means that the receiver is gone.
                    drop(sender.send(Err(ListError { error, is_fatal: true })).await);
                    return;
                }
            };
            let known = rules_at(rules, bucket.endpoint());
            if let (true, false, Some(progress)) = (known != rules, wanted.is_all(), &progress) {
                progress.names_unused();
            }
            let rules = known;
            Walk { bucket, location, rules, wanted, progress, may_be_empty }.run(sender).await;
        });
        futures::stream::unfold((receiver, task), |(mut receiver, task)| async move {
            receiver.recv().await.map(|page| (page, (receiver, task)))
        })
        .boxed()
    }
}

/// The objects whose records are not in a dataset. Those that have changed since are reported as unreadable.
async fn without_converted(
    objects: Vec<Unopened>,
    converted: &Converted,
    progress: &Progress,
) -> Result<Vec<Unopened>, ListError> {
    let mut left = Vec::with_capacity(objects.len());
    for object in objects {
        let known = converted.find(object.object.name(), object.size).await;
        match known.map_err(|error| ListError { error, is_fatal: true })? {
            InDataset::No => left.push(object),
            InDataset::Same => {}
            InDataset::Changed => progress.failed(object.object.name(), &changed()),
        }
    }
    Ok(left)
}

/// The rules for names at an endpoint: with `Layout::Auto`, names mean nothing unless the service documents them.
fn rules_at(rules: NameRules, endpoint: Option<&str>) -> NameRules {
    match rules.layout {
        Layout::Auto if !names_are_documented(endpoint) => NameRules { layout: Layout::None, ..rules },
        _ => rules,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_nothing_where_nobody_says_what_they_mean() {
        let auto = NameRules::default();
        let flat = NameRules { layout: Layout::Flat, ..auto };
        let spaces = Some("https://nyc3.digitaloceanspaces.com");
        assert_eq!(rules_at(auto, None), auto);
        assert_eq!(rules_at(auto, Some("http://127.0.0.1:9000")), auto);
        assert_eq!(rules_at(auto, spaces).layout, Layout::None);
        assert_eq!(rules_at(flat, spaces), flat);
    }
}
