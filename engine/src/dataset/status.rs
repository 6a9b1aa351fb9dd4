//! Status of a dataset: contents and active runners.

use super::REPLACED;
use super::ledger::Ledger;
use super::place::Place;
use super::record::{BatchCounts, DataFile, Work};
use super::runner::{self, RunnerFile};
use super::settings::DatasetSettings;
use crate::error::{Error, ErrorKind};
use crate::scan::micros;
use crate::store::Stores;
use datafusion::common::HashMap;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Status of a dataset: contents and active runners.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatasetStatus {
    /// The place of the dataset.
    pub place: String,
    /// The settings of the dataset.
    pub settings: DatasetSettings,
    /// Totals over all committed batches.
    pub counts: BatchCounts,
    /// Number of committed batches.
    pub batches: u64,
    /// The data files, sorted by path.
    pub files: Vec<DataFile>,
    /// Data files that are missing or damaged, sorted by path.
    pub defects: Vec<FileDefect>,
    /// Files of rejects, by the place they are in.
    pub reject_files: BTreeMap<String, Vec<DataFile>>,
    /// Batches begun, and neither committed nor abandoned.
    pub open: Vec<OpenBatchStatus>,
    /// All runners that have a file in the dataset.
    pub runners: Vec<RunnerStatus>,
    /// Number of records in the ledger.
    pub records: u64,
    /// Number of records after the last checkpoint, which readers have to read one by one.
    pub records_to_read: u64,
    /// Number of lists of converted log objects.
    pub lists: u64,
    /// Total size of these lists, in bytes.
    pub list_bytes: u64,
}

/// A data file that is not as it was written: something other than s3log deleted or changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileDefect {
    /// The file as it was written.
    pub file: DataFile,
    /// Its present size, in bytes; `None` if it is missing.
    pub found: Option<u64>,
}

/// A batch that was begun, and neither committed nor abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenBatchStatus {
    /// The name of the batch.
    pub batch: String,
    /// The runner that began it.
    pub runner: String,
    /// When it was begun, in RFC 3339.
    pub since: String,
    /// Number of log objects, or of files to merge.
    pub takes: u64,
    /// Whether it merges files.
    pub compacts: bool,
}

/// A runner that has a file in the dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunnerStatus {
    /// The name of the runner.
    pub runner: String,
    /// Host name of its machine.
    pub host: String,
    /// Process id on that machine.
    pub process: u32,
    /// When it started, in RFC 3339.
    pub started: String,
    /// Whether it is considered gone. The next run takes back what it began.
    pub is_gone: bool,
}

/// Reads the status of the dataset at `dest`, and compares its data files with a listing.
///
/// # Errors
///
/// If there is no dataset, or it cannot be read.
pub async fn status(dest: &str, stores: &Stores) -> Result<DatasetStatus, Error> {
    let place = Place::resolve(dest, stores).await?;
    let Some(settings) = DatasetSettings::read(&place).await? else {
        return Err(Error::new(ErrorKind::NotFound, "there is no dataset")
            .in_object(place.name())
            .with_hint("create one with `s3log convert SOURCE --to DEST`"));
    };
    let ledger = Ledger::load(&place).await?;
    let defects = defects(&place, ledger.state.files.values()).await?;
    // The clock of the place is only known after a write; this machine's stands in for it.
    let found = runner::all(&place, micros(SystemTime::now())).await?;
    let state = ledger.state;
    let open = state.open.iter().map(|(batch, open)| OpenBatchStatus {
        batch: batch.clone(),
        runner: open.runner.clone(),
        since: open.at.clone(),
        takes: match &open.work {
            Work::Convert { sources, .. } => sources.objects,
            Work::Compact { files } => files.len() as u64,
        },
        compacts: matches!(open.work, Work::Compact { .. }),
    });
    let runners = found.into_iter().map(|found| {
        let RunnerFile { runner, host, process, started, .. } = found.file;
        RunnerStatus { runner, host, process, started, is_gone: found.is_gone }
    });
    Ok(DatasetStatus {
        place: place.name(),
        settings,
        counts: state.totals,
        batches: state.batches,
        open: open.collect(),
        runners: runners.collect(),
        records: state.number,
        records_to_read: state.number - ledger.checkpoint,
        lists: state.converted.len() as u64,
        list_bytes: state.converted.iter().map(|list| list.file_bytes).sum(),
        reject_files: state.reject_files,
        files: state.files.into_values().collect(),
        defects,
    })
}

/// Finds files that are missing or have another size than when they were written.
async fn defects(place: &Place, files: impl Iterator<Item = &DataFile>) -> Result<Vec<FileDefect>, Error> {
    let mut defects: Vec<_> = files.map(|file| FileDefect { file: file.clone(), found: None }).collect();
    // Twice, because a file may be moved to those replaced while they are listed.
    for _ in 0..2 {
        if defects.is_empty() {
            break;
        }
        let listed = place.list("", None).await?;
        let sizes: HashMap<&str, u64> = listed.iter().map(|entry| (entry.path.as_str(), entry.size)).collect();
        defects.retain_mut(|FileDefect { file, found }| {
            let replaced = || sizes.get(format!("{REPLACED}/{}.replaced", file.path).as_str());
            *found = sizes.get(file.path.as_str()).or_else(replaced).copied();
            *found != Some(file.bytes)
        });
    }
    Ok(defects)
}
