//! Datasets: Parquet files converted from log objects, and the ledger of their contents.
//!
//! ```text
//! DEST/day=2026-01-15/20260115T103000-5b1c9e2f0a7d-1-0.parquet   data files, named after the batch that wrote them
//! DEST/_s3log/dataset.json          settings of the whole dataset
//! DEST/_s3log/log/000000000001.json records: batches begun, committed, abandoned
//! DEST/_s3log/sources/….parquet     lists of log objects, one per batch, merged over time
//! DEST/_s3log/checkpoints/….json    state accumulated from the records
//! DEST/_s3log/runners/….json        active writers, rewritten every few seconds
//! DEST/_s3log/replaced/…            files replaced by `compact`, for readers with an older snapshot
//! DEST/_s3log/tmp/…                 incomplete files (directories only)
//! ```
//!
//! The format is specified in `format.md`, which is also copied into every dataset as `_s3log/README.md`.

mod ledger;
mod lookup;
mod place;
mod record;
mod requests;
mod runner;
mod settings;
mod snapshot;
mod sources;
mod status;
mod store;
mod table;
mod upload;

pub(crate) use ledger::{Ledger, OpenBatch, Owner, State};
pub(crate) use lookup::Lookup;

/// Whether the name belongs to a file of a dataset rather than to a log object: a dataset may be located below its log
/// objects. Its Parquet files are recognised by the batch in their names.
pub(crate) fn is_of_dataset(name: &str) -> bool {
    if name.starts_with("_s3log/") || name.contains("/_s3log/") {
        return true;
    }
    let file = name.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".parquet").is_some_and(|file| file.rsplit_once('-').is_some_and(|(batch, _)| is_batch(batch)))
}

/// A batch such as `20260115T103000-5b1c9e2f0a7d-1`, with `-rejects` for files of rejects.
fn is_batch(name: &str) -> bool {
    let name = name.strip_suffix("-rejects").unwrap_or(name);
    let mut parts = name.split('-');
    let (time, id, number) = (parts.next(), parts.next(), parts.next());
    let is_time = |time: &str| {
        let time = time.strip_suffix('Z').unwrap_or(time);
        let is_digit = |(at, byte): (usize, u8)| if at == 8 { byte == b'T' } else { byte.is_ascii_digit() };
        time.len() == 15 && time.bytes().enumerate().all(is_digit)
    };
    time.is_some_and(is_time)
        && id.is_some_and(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        && parts.next().is_none()
}

/// The program in the metadata of Parquet files, in the form that the format asks for: readers parse it.
pub(crate) const CREATED_BY: &str = concat!("s3log version ", env!("CARGO_PKG_VERSION"));

/// Replaced files, for readers with an older snapshot.
pub(crate) const REPLACED: &str = "_s3log/replaced";
pub(crate) use place::{Place, TMP};
pub(crate) use record::{Abandon, Begin, Commit, Entry, SourceList, Swept, Work};
pub use record::{BatchCounts, DataFile};
pub(crate) use requests::DatasetRequests;
#[cfg(feature = "cluster")]
pub(crate) use requests::RequestsExec;
pub(crate) use runner::{Runner, RunnerName, forget, remove_unfinished};
pub(crate) use settings::SETTINGS;
pub use settings::{DATASET_VERSION, DatasetSettings};
pub(crate) use snapshot::{Converted, InDataset, Snapshot, changed};
pub(crate) use sources::{SOURCES, Source, SourceVersion, merge_lists, runs_of, write_list};
pub use status::{DatasetStatus, FileDefect, OpenBatchStatus, RunnerStatus, status};
pub(crate) use store::DatasetStore;
pub(crate) use table::DatasetTable;
pub(crate) use upload::{OpenUploads, Room, Upload};

#[cfg(test)]
mod tests {
    use super::is_of_dataset;

    #[test]
    fn files_of_a_dataset_are_told_by_their_names() {
        for (name, expected) in [
            ("_s3log/dataset.json", true),
            ("a/_s3log/log/000000000001.json", true),
            ("a/day=2026-01-15/20260115T103000-5b1c9e2f0a7d-1-0.parquet", true),
            ("20260115T103000Z-5b1c9e2f0a7d-12-rejects-3.parquet", true),
            ("a/2026/01/15/10/delivered.parquet", false),
            ("a/20260115T103000-delivered-1-0.parquet", false),
            ("a/day=2026-01-15/part-0.parquet", false),
            ("a/2026-01-15-10-22-41-3E57427F3E57427F", false),
        ] {
            assert_eq!(is_of_dataset(name), expected, "{name}");
        }
    }
}
