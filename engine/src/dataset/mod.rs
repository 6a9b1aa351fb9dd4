//! Datasets: Parquet files that log objects were converted into, and the ledger of what is in them.
//!
//! ```text
//! DEST/day=2026-01-15/20260115T103000-5b1c9e2f0a7d-1-0.parquet   data files: named after the batch that wrote them
//! DEST/_s3log/dataset.json          what holds for all of the dataset
//! DEST/_s3log/log/000000000001.json records: batches begun, committed, abandoned
//! DEST/_s3log/sources/….parquet     lists of log objects, one for each batch, merged in time
//! DEST/_s3log/checkpoints/….json    what the records add up to
//! DEST/_s3log/runners/….json        who writes now, written again every few seconds
//! DEST/_s3log/replaced/…            files that `compact` replaced, for readers that still know them
//! DEST/_s3log/tmp/…                 files that are not whole yet (directories only)
//! ```
//!
//! `format.md` beside this file has the whole of it; every dataset holds a copy as `_s3log/README.md`, for whoever finds one.

mod ledger;
mod place;
mod record;
mod runner;
mod settings;
mod snapshot;
mod sources;
mod status;
mod store;
mod table;
mod upload;

pub(crate) use ledger::{Ledger, OpenBatch, Owner, State};

/// Whether an object is of a dataset by its name, and so no log object: a dataset may be below the log objects that it was made of.
pub(crate) fn is_of_dataset(name: &str) -> bool {
    name.ends_with(".parquet") || name.starts_with("_s3log/") || name.contains("/_s3log/")
}

/// Files that were replaced, for readers that still know them.
pub(crate) const REPLACED: &str = "_s3log/replaced";
pub(crate) use place::{Place, TMP};
pub(crate) use record::{Abandon, Begin, Commit, Entry, SourceList, Swept, Work};
pub use record::{BatchCounts, DataFile};
pub(crate) use runner::{Runner, forget, remove_unfinished};
pub(crate) use settings::SETTINGS;
pub use settings::{DATASET_VERSION, DatasetSettings};
pub(crate) use snapshot::{Converted, Snapshot};
pub(crate) use sources::{Lookup, SOURCES, Source, SourceVersion, merge_lists, write_list};
pub use status::{DatasetStatus, OpenBatchStatus, RunnerStatus, status};
pub(crate) use table::DatasetTable;
pub(crate) use upload::{OpenUploads, Upload};
