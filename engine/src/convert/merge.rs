//! Merges sorted files into fewer sorted files.

use super::files::Files;
use super::partition::times;
use super::rows::Rows;
use super::sorter::ROW;
use crate::dataset::{DataFile, DatasetTable};
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use arrow::array::{AsArray as _, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use futures::TryStreamExt as _;
use std::sync::Arc;

/// Merges files of a folder into new files in the same folder. Rows of equal time keep the order of the files.
pub(super) async fn merge(
    session: &Session,
    table: &DatasetTable,
    files: Vec<DataFile>,
    folder: &str,
    mut into: Files,
) -> Result<Vec<DataFile>, Error> {
    let mut state = session.context().state();
    *state.config_mut() = state.config().clone().with_batch_size(BATCH_ROWS);
    let scan = table.scan_files(&state, files, None, None, true).map_err(cannot)?;
    let time = Column::new_with_schema("time", &scan.schema()).map_err(cannot)?;
    let position = time.index();
    let Some(ordering) = LexOrdering::new(vec![PhysicalSortExpr::new_default(Arc::new(time))]) else {
        return Err(Error::new(ErrorKind::Internal, "there is no order to merge by"));
    };
    let merged = SortPreservingMergeExec::new(ordering, scan).with_round_robin_repartition(false);
    let merged = Arc::new(merged);
    let mut batches = execute_stream(merged, state.task_ctx()).map_err(cannot)?;

    let folder = format!("{folder}/");
    while let Some(batch) = batches.try_next().await.map_err(cannot)? {
        let of_rows = times(&batch)?;
        let (Some(first), Some(last)) = (of_rows.first().copied(), of_rows.last().copied()) else { continue };
        debug_assert!(of_rows.is_sorted(), "column {position} is in order");
        let weight = text_of(&batch) + batch.num_rows() * ROW;
        into.write_sorted(&folder, Rows::all(vec![batch], weight), (first, last)).await?;
    }
    into.finish().await
}

/// Rows to read at a time from each file. Small, since all files being merged hold a batch.
const BATCH_ROWS: usize = 1024;

/// Bytes of text in a batch. Its arrays share buffers with neighbouring batches, so their memory size would not do.
fn text_of(batch: &RecordBatch) -> usize {
    let views = batch.columns().iter().filter_map(|column| column.as_string_view_opt());
    views.flat_map(|column| column.lengths()).map(|len| len as usize).sum()
}

pub(super) fn cannot(error: DataFusionError) -> Error {
    match Error::find(&error) {
        Some(found) => found.repeated(),
        None => Error::new(ErrorKind::Unreadable, "files cannot be merged").with_source(error),
    }
}
