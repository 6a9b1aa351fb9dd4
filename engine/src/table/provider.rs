//! `TableProvider` for log objects.

use super::listing::{Listed, Listing};
use super::sources::Sources;
use crate::dataset::Converted;
use crate::error::Error;
use crate::scan::{
    Arriving, Bundle, Head, ListObjects, OnUnreadable, S3LogSource, ScanOptions, TimeRange, Times, Unopened,
    head_of_file, needs_whole_objects,
};
use crate::schema::{Table, TextLayout};
use crate::store::Stores;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result as DataFusionResult, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use object_store::ObjectMeta;
use object_store::path::Path as StorePath;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Minimum size in bytes of the ranges of a large object.
const MIN_RANGE: u64 = 8 << 20;
/// Maximum size: smaller ranges let partitions that finish early take over work from others.
const MAX_RANGE: u64 = 64 << 20;
/// Target number of ranges per partition, so that no partition has a long range left at the end while the others are
/// idle.
const RANGES_PER_PARTITION: u64 = 32;
/// Target number of bundles per partition.
const BUNDLES_PER_PARTITION: u64 = 8;
/// Objects up to this size in bytes are read in bundles.
const MAX_BUNDLED: u64 = 1 << 20;
/// Size limits of a bundle in bytes.
const MIN_BUNDLE: u64 = 256 << 10;
const MAX_BUNDLE: u64 = 16 << 20;
/// Cost of opening an object, expressed in bytes to read.
const OBJECT_COST: u64 = 16 << 10;

/// A table over listed log objects.
#[derive(Debug)]
pub struct LogTable {
    table: Table,
    schema: SchemaRef,
    listing: Arc<Listing>,
    times: TimeRange,
    options: ScanOptions,
    stores: Option<Arc<Stores>>,
    converted: Option<Converted>,
}

impl LogTable {
    /// Creates a table over the objects of a listing.
    #[must_use]
    pub fn new(table: Table, listing: Arc<Listing>, layout: TextLayout) -> Self {
        let (times, options) = (TimeRange::default(), ScanOptions::default());
        Self { table, schema: table.schema(layout), listing, times, options, stores: None, converted: None }
    }

    /// Restricts the table to records in a time range, and skips objects whose names rule out such records. Rejects
    /// have no time: all rejects in the objects that are read remain.
    #[must_use]
    pub fn with_times(mut self, times: TimeRange) -> Self {
        self.times = times;
        self
    }

    /// Sets the scan options.
    #[must_use]
    pub fn with_options(mut self, options: ScanOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets how buckets are accessed. By default they are accessed as the `aws` command line would.
    #[must_use]
    pub fn with_stores(mut self, stores: Arc<Stores>) -> Self {
        self.stores = Some(stores);
        self
    }

    /// Leaves out objects of buckets whose records are in a dataset.
    pub(crate) fn without(mut self, converted: Option<Converted>) -> Self {
        self.converted = converted;
        self
    }

    fn time_predicate(&self) -> DataFusionResult<Option<Arc<dyn PhysicalExpr>>> {
        if self.table.has_time() { self.times.predicate(&self.schema) } else { Ok(None) }
    }
}

impl LogTable {
    /// The possible times of wanted records, by the filters known at planning time.
    fn possible_times(&self, state: &dyn Session, filters: &[Expr]) -> DataFusionResult<Times> {
        match self.table.has_time() {
            true => self.times.possible(state, &self.schema, filters),
            false => Ok(self.object_times()),
        }
    }

    /// Reports what could not be listed, or fails, depending on the options.
    fn report_unlisted(&self) -> Result<(), Error> {
        match (&self.options.progress, self.options.on_unreadable) {
            (Some(progress), OnUnreadable::Report) => {
                self.listing.unreadable().for_each(|(name, why)| progress.failed(name, why));
                Ok(())
            }
            _ => self.listing.first_unreadable().map_or(Ok(()), Err),
        }
    }

    /// The time range of the table, independent of the query.
    pub(crate) fn object_times(&self) -> Times {
        self.times.times()
    }

    pub(crate) fn sources(&self) -> Sources {
        Sources {
            listing: Arc::clone(&self.listing),
            stores: self.stores.clone().unwrap_or_default(),
            rules: self.options.names,
            progress: self.options.progress.clone(),
            converted: self.converted.clone(),
        }
    }
}

#[async_trait]
impl TableProvider for LogTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.report_unlisted()?;
        let times = self.possible_times(state, filters)?;
        let sources = Arc::new(self.sources());
        // EXPLAIN shows what would be read, and the contents of a bucket are known only after listing it.
        let counted = match self.options.lists_when_planned.load(Relaxed) {
            true => Some(sources.count(&times).await?),
            false => None,
        };
        let (mut objects, pruned) = sources.files(&times);
        let in_buckets = match self.options.fixes_objects {
            true => sources.in_buckets(&times).await?,
            false => Vec::new(),
        };
        if let Some(progress) = &self.options.progress {
            // Objects of buckets are counted when they are listed.
            progress.planned(objects.len() as u64, objects.iter().map(|listed| listed.size).sum());
            progress.pruned(pruned);
        }
        objects.extend(&in_buckets);
        let bytes: u64 = objects.iter().map(|listed| listed.size).sum();
        let options = self.options.clone().with_object_times(self.object_times());
        let mut source = S3LogSource::new(self.table, TableSchema::from(self.schema()))
            .with_options(options)
            .with_objects(Arc::clone(&sources) as Arc<dyn ListObjects>, counted);
        if let Some(predicate) = self.time_predicate()? {
            source = source.with_predicate(predicate);
        }
        // Line numbers of rejects are known only if an object is read from its start.
        let every: Vec<usize> = (0..self.schema.fields().len()).collect();
        let splits = !needs_whole_objects(self.table, projection.unwrap_or(&every));
        let partitions = state.config().target_partitions();
        let mut groups = file_groups(&objects, partitions, splits);
        if self.options.fixes_objects {
            groups = evened(groups, partitions);
        }
        if groups.len() < partitions {
            source = source.reading_ahead();
        }
        // Sorts, joins and aggregations require at least one partition, even if there is nothing to read.
        if groups.is_empty() {
            groups.push(FileGroup::default());
        }
        let mut statistics = Statistics::new_unknown(&self.schema);
        if self.listing.locations().is_empty() || self.options.fixes_objects {
            statistics.total_byte_size = Precision::Inexact(bytes as usize);
        } else {
            // Every partition takes objects as they arrive; their number is not known yet.
            groups.resize_with(partitions.max(1), FileGroup::default);
            let lister = Arc::clone(&sources) as Arc<dyn ListObjects>;
            for (group, arriving) in groups.iter_mut().zip(Arriving::files(&lister, partitions.max(1))) {
                group.push(PartitionedFile::new("s3", 0).with_extension(arriving));
            }
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// All filters are pushed into the scan during physical planning and are exact there; until then they must stay.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// Distributes the objects over partitions: large ones in ranges, small ones in bundles.
fn file_groups(objects: &[&Listed], partitions: usize, splits: bool) -> Vec<FileGroup> {
    let total: u64 = objects.iter().map(|listed| listed.size).sum();
    let partitions = partitions.max(1);
    let share = |parts: u64| total / (partitions as u64 * parts);
    let mut files = Vec::new();
    let mut small = Vec::new();
    for listed in objects.iter().copied() {
        if listed.size <= MAX_BUNDLED && !listed.object.is_stream() {
            small.push(listed);
            continue;
        }
        let file = partitioned_file(listed);
        if splits && partitions > 1 && listed.size > MIN_RANGE && !is_read_whole(listed) {
            files.extend(
                ranges(listed.size, share(RANGES_PER_PARTITION).clamp(MIN_RANGE, MAX_RANGE))
                    .map(|range| file.clone().with_range(range.start as i64, range.end as i64)),
            );
        } else {
            files.push(file);
        }
    }
    // Large ones first, so that little work remains at the end.
    files.extend(bundles(&small, share(BUNDLES_PER_PARTITION).clamp(MIN_BUNDLE, MAX_BUNDLE)).map(bundled_file));
    if files.is_empty() {
        return Vec::new();
    }
    FileGroup::new(files).split_files(partitions)
}

/// Redistributes files into groups of equal length: on a cluster, partitions that finish early cannot take over files
/// from others.
fn evened(groups: Vec<FileGroup>, partitions: usize) -> Vec<FileGroup> {
    let files: Vec<PartitionedFile> = groups.into_iter().flat_map(FileGroup::into_inner).collect();
    let (count, partitions) = (files.len(), partitions.clamp(1, files.len().max(1)));
    let mut left = files.into_iter();
    let group = |number| left.by_ref().take(count * (number + 1) / partitions - count * number / partitions).collect();
    (0..partitions).map(group).map(FileGroup::new).filter(|group| !group.is_empty()).collect()
}

/// Groups consecutive objects into bundles of about `len` bytes. Opening has a cost, so each object counts as some
/// extra bytes.
fn bundles<'a, 'b>(small: &'b [&'a Listed], len: u64) -> impl Iterator<Item = &'b [&'a Listed]> {
    let mut size = 0;
    let mut bundle = 0;
    small.chunk_by(move |_, next| {
        size += next.size + OBJECT_COST;
        let ends = size / len > bundle;
        bundle = size / len;
        !ends
    })
}

fn bundled_file(bundle: &[&Listed]) -> PartitionedFile {
    let [first, others @ ..] = bundle else { return PartitionedFile::new("", 0) };
    let file = partitioned_file(first);
    if others.is_empty() {
        return file;
    }
    let objects =
        bundle.iter().map(|listed| Unopened { object: listed.object.clone(), size: listed.size, range: None });
    let size = bundle.iter().map(|listed| listed.size).sum();
    PartitionedFile::new_from_meta(ObjectMeta { size, ..file.object_meta })
        .with_extension(Bundle { objects: objects.collect() })
}

/// Splits `0..size` into equal ranges of about `len`.
fn ranges(size: u64, len: u64) -> impl Iterator<Item = Range<u64>> {
    let parts = size.div_ceil(len).max(1);
    // 128 bits: the product may exceed 64.
    let mark = move |part: u64| (u128::from(size) * u128::from(part) / u128::from(parts)) as u64;
    (0..parts).map(move |part| mark(part)..mark(part + 1))
}

fn partitioned_file(listed: &Listed) -> PartitionedFile {
    let location = listed.path.as_ref().map(|path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        StorePath::from_absolute_path(absolute).unwrap_or_else(|_| StorePath::from(path.to_string_lossy().as_ref()))
    });
    PartitionedFile::new_from_meta(ObjectMeta {
        location: location.unwrap_or_else(|| StorePath::from(listed.object.name().as_ref())),
        last_modified: listed.modified.into(),
        size: listed.size,
        e_tag: None,
        version: None,
    })
    .with_extension(listed.object.clone())
}

/// Checks the first bytes of a large file, so that a file that cannot be split is planned as one task rather than
/// several, of which all but one would be empty. The reader checks again.
fn is_read_whole(listed: &Listed) -> bool {
    let Some(path) = &listed.path else {
        // For an object in a bucket, only the name is available.
        return [".gz", ".zst"].iter().any(|end| listed.object.name().ends_with(end));
    };
    File::open(path).and_then(|mut file| head_of_file(&mut file)).is_ok_and(|head| head == Head::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_of_equal_length_and_keep_the_order() {
        let files = |count: usize| (0..count).map(|at| PartitionedFile::new(at.to_string(), 1)).collect::<Vec<_>>();
        for (count, partitions, expected) in
            [(33, 4, vec![8, 8, 8, 9]), (2, 4, vec![1, 1]), (0, 4, vec![]), (5, 1, vec![5])]
        {
            // Splitting sorts files by path.
            let before = FileGroup::new(files(count)).split_files(3);
            let names = |groups: &[FileGroup]| -> Vec<String> {
                let files = groups.iter().flat_map(FileGroup::iter);
                files.map(|file| file.object_meta.location.to_string()).collect()
            };
            let groups = evened(before.clone(), partitions);
            assert_eq!(groups.iter().map(FileGroup::len).collect::<Vec<_>>(), expected, "{count} in {partitions}");
            assert_eq!(names(&groups), names(&before));
        }
    }

    #[test]
    fn ranges_cover_the_object() {
        for (size, len) in [(100, 30), (1, 30), (u64::MAX, MAX_RANGE * (1 << 30)), (90, 30)] {
            let ranges: Vec<_> = ranges(size, len).collect();
            assert_eq!(ranges.first().map(|range| range.start), Some(0));
            assert_eq!(ranges.last().map(|range| range.end), Some(size));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].start < pair[0].end));
        }
    }
}
