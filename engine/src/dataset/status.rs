//! What a dataset holds, and who works on it.

use super::ledger::Ledger;
use super::place::Place;
use super::record::{BatchCounts, DataFile, Work};
use super::runner::{self, RunnerFile};
use super::settings::DatasetSettings;
use crate::error::{Error, ErrorKind};
use crate::scan::micros;
use crate::store::Stores;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What a dataset holds, and who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetStatus {
    /// Where it is.
    pub place: String,
    /// What holds for all of it.
    pub settings: DatasetSettings,
    /// What became of all lines that were converted.
    pub counts: BatchCounts,
    /// Batches that were committed.
    pub batches: u64,
    /// Its files, in the order of their paths.
    pub files: Vec<DataFile>,
    /// Files of rejects, by the place where they are.
    pub reject_files: BTreeMap<String, Vec<DataFile>>,
    /// Batches that were begun.
    pub open: Vec<OpenBatchStatus>,
    /// Everyone who has a file as a runner.
    pub runners: Vec<RunnerStatus>,
    /// Records of the ledger.
    pub records: u64,
    /// Records that a reader has to read: those behind the last checkpoint.
    pub records_to_read: u64,
    /// Lists of log objects.
    pub lists: u64,
    /// Their bytes.
    pub list_bytes: u64,
}

/// A batch that was begun, and neither committed nor abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBatchStatus {
    /// Its name.
    pub batch: String,
    /// Who began it.
    pub runner: String,
    /// When, in RFC 3339.
    pub since: String,
    /// How many log objects or files it takes.
    pub takes: u64,
    /// Whether it merges files.
    pub compacts: bool,
}

/// A runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerStatus {
    /// Its name.
    pub runner: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub process: u32,
    /// When it began, in RFC 3339.
    pub started: String,
    /// Whether it is gone, and the next run takes back what it began.
    pub is_gone: bool,
}

/// Reads what a dataset says of itself.
///
/// # Errors
///
/// When there is none, or it cannot be read.
pub async fn status(dest: &str, stores: &Stores) -> Result<DatasetStatus, Error> {
    let place = Place::resolve(dest, stores).await?;
    let Some(settings) = DatasetSettings::read(&place).await? else {
        return Err(Error::new(ErrorKind::NotFound, "there is no dataset")
            .in_object(place.name())
            .with_hint("`s3log convert SOURCE --to DEST` makes one"));
    };
    let ledger = Ledger::load(&place).await?;
    // Nothing is written here, so the clock of the place is not known; this machine's stands for it.
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
    })
}
