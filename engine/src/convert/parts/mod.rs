//! A batch whose files are written by other processes.
//!
//! One process begins and commits the batch as usual. In between, its log objects are distributed over the partitions
//! of a plan; the task that executes a partition writes files of the batch under unique names, and returns a row that
//! lists them. Files of tasks that were lost, or executed again elsewhere, are in no row: they are not committed, and
//! deleted before the commit.

mod exec;
mod order;
mod report;

use super::options::ConvertOptions;
use crate::error::Error;
use crate::scan::{OnUnreadable, S3LogSource, ScanOptions, Unopened, pack_objects, packed_group};
use crate::schema::{Table, TextLayout};
use crate::session::Session;
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

pub(crate) use exec::PartsExec;
pub(crate) use order::Order;
pub(super) use order::check;
pub(super) use report::joined;

/// Minimum size of a part in bytes as stored, unless batches are configured to be smaller than that per partition:
/// smaller parts would make many small files.
const MIN_PART: u64 = 256 << 20;
/// Default number of log objects of a batch for each partition: as many as one machine fetches in half a minute.
const OBJECTS_PER_PARTITION: u64 = ConvertOptions::BATCH_OBJECTS / 2;

/// The plan that writes the parts of a batch.
pub(super) fn plan(
    session: &Session,
    table: Table,
    parts: &[Vec<Unopened>],
    order: Order,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let groups = parts.iter().map(|part| Ok(packed_group(pack_objects(part)?, session.stores())));
    let groups = groups.collect::<Result<Vec<_>, Error>>()?;
    let options = ScanOptions::default().with_lines(session.lines().clone());
    let options = options.with_progress(Arc::clone(session.progress()), OnUnreadable::Report);
    let source = S3LogSource::new(table, TableSchema::from(table.schema(TextLayout::Plain))).with_options(options);
    let config =
        FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source)).with_file_groups(groups);
    let scan = DataSourceExec::from_data_source(config.build());
    Ok(Arc::new(PartsExec::new(scan, Arc::new(order))))
}

/// Limits on the objects and bytes of a batch for a number of partitions: those configured, or the defaults raised so
/// that each partition gets work.
pub(super) fn batch_limits(options: &ConvertOptions, partitions: usize) -> (u64, u64) {
    let partitions = partitions as u64;
    let grown = |asked: u64, default: u64, needed: u64| if asked == default { asked.max(needed) } else { asked };
    (
        grown(options.batch_objects, ConvertOptions::BATCH_OBJECTS, partitions * OBJECTS_PER_PARTITION),
        grown(options.batch_bytes, ConvertOptions::BATCH_BYTES, partitions * 2 * MIN_PART),
    )
}

/// How many parts to make of `bytes`, at most `partitions`; `batch` is the limit on the size of a batch in bytes.
pub(super) fn count_of(bytes: u64, batch: u64, partitions: usize) -> usize {
    let least = MIN_PART.min(batch / partitions.max(1) as u64).max(1);
    usize::try_from(bytes / least).unwrap_or(usize::MAX).clamp(1, partitions.max(1))
}

/// Distributes the objects over parts of about the same size, keeping their order.
pub(super) fn shared_out(objects: Vec<Unopened>, parts: usize) -> Vec<Vec<Unopened>> {
    let total: u64 = objects.iter().map(|object| object.size).sum();
    let share = total.div_ceil(parts.max(1) as u64).max(1);
    let mut shared: Vec<Vec<Unopened>> = Vec::with_capacity(parts);
    let mut before = 0;
    for object in objects {
        let part = ((before / share) as usize).min(parts.saturating_sub(1));
        before += object.size;
        if shared.len() <= part && shared.last().is_none_or(|last| !last.is_empty()) {
            shared.push(Vec::new());
        }
        if let Some(last) = shared.last_mut() {
            last.push(object);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::LogObject;

    pub(super) fn objects(sizes: &[u64]) -> Vec<Unopened> {
        let object = |(at, size): (usize, &u64)| Unopened {
            object: LogObject::file(at.to_string(), at.to_string().into()),
            size: *size,
            range: None,
        };
        sizes.iter().enumerate().map(object).collect()
    }

    fn sizes(parts: &[Vec<Unopened>]) -> Vec<Vec<u64>> {
        parts.iter().map(|part| part.iter().map(|object| object.size).collect()).collect()
    }

    #[test]
    fn parts_have_about_the_same_size_and_keep_the_order() {
        for (of, parts, expected) in [
            (&[1, 1, 1, 1][..], 2, vec![vec![1, 1], vec![1, 1]]),
            (&[9, 1, 1, 1], 2, vec![vec![9], vec![1, 1, 1]]),
            (&[1, 1, 1, 9], 2, vec![vec![1, 1, 1, 9]]),
            (&[0, 0, 0], 2, vec![vec![0, 0, 0]]),
            (&[5], 4, vec![vec![5]]),
            (&[5, 5, 0], 2, vec![vec![5], vec![5, 0]]),
            (&[], 4, vec![]),
        ] {
            assert_eq!(sizes(&shared_out(objects(of), parts)), expected, "{of:?}");
        }
        let batch = ConvertOptions::BATCH_BYTES;
        assert_eq!(count_of(0, batch, 8), 1);
        assert_eq!(count_of(3 * MIN_PART, batch, 8), 3);
        assert_eq!(count_of(100 * MIN_PART, batch, 8), 8);
        // Small batches are distributed, too, if they are configured.
        assert_eq!(count_of(1000, 1000, 4), 4);
        let options = ConvertOptions::default();
        assert_eq!(batch_limits(&options, 2), (ConvertOptions::BATCH_OBJECTS, batch));
        assert_eq!(batch_limits(&options, 64), (3_200_000, 64 * 2 * MIN_PART));
        assert_eq!(batch_limits(&ConvertOptions { batch_bytes: 7, ..options }, 64).1, 7);
    }
}
