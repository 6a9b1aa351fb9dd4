//! Datasets as sources of queries: detected automatically, read as of one moment.

use super::ledger::{Ledger, Owner, State};
use super::lookup::Lookup;
use super::place::Place;
use super::record::DataFile;
use super::settings::{DatasetSettings, SETTINGS};
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use crate::store::{Location, Stores};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A dataset at one moment of its ledger.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The table that its files contain.
    pub(crate) table: Table,
    pub(crate) place: Place,
    pub(crate) state: State,
    /// What was done to addresses: `none`, `truncate`, `keyed` or `drop`.
    pub(crate) anonymize_ip: String,
}

impl Snapshot {
    /// Opens the dataset at `source`; `None` if there is none.
    pub(crate) async fn open_if_dataset(source: &str, stores: &Stores) -> Result<Option<Self>, Error> {
        let is_bucket = Location::is_one(source);
        if !is_bucket && !std::path::Path::new(source.strip_prefix("file://").unwrap_or(source)).join(SETTINGS).exists()
        {
            return Ok(None);
        }
        // Invalid sources are reported when they are read as logs.
        let Ok(place) = Place::resolve(source, stores).await else { return Ok(None) };
        if is_bucket {
            match place.modified(SETTINGS).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // Without permission to list, a store responds to missing objects with 403.
                Err(error) if error.kind() == ErrorKind::Denied => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let Some(settings) = DatasetSettings::read(&place).await? else { return Ok(None) };
        let table = settings.known_table().map_err(|error| error.in_object(place.name()))?;
        let state = Ledger::load(&place).await?.state;
        Ok(Some(Self { table, state, place, anonymize_ip: settings.anonymize_ip }))
    }

    /// Number of rejects that were counted but not kept in a file.
    pub(crate) fn rejects_not_kept(&self) -> u64 {
        let kept: u64 = self.state.reject_files.values().flatten().map(|file| file.rows).sum();
        self.state.totals.rejects.saturating_sub(kept)
    }

    /// The files of rejects, by place.
    pub(crate) async fn rejects(&self, stores: &Stores) -> Result<Vec<(Place, Vec<DataFile>)>, Error> {
        let mut places = Vec::new();
        // A place without files may not exist.
        for (name, files) in self.state.reject_files.iter().filter(|(_, files)| !files.is_empty()) {
            places.push((Place::resolve(name, stores).await?, files.clone()));
        }
        Ok(places)
    }
}

/// Whether a dataset has the records of a log object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InDataset {
    No,
    Same,
    /// The object had another size when it was converted.
    Changed,
}

/// The error for an object that has changed since it was converted.
pub(crate) fn changed() -> Error {
    Error::new(ErrorKind::Conflict, "it has changed since it was converted; the answer has its old records only")
        .with_hint("query it without the dataset; log objects are not supposed to change")
}

/// The log objects whose records are in a dataset, and need not be read again.
#[derive(Clone)]
pub(crate) struct Converted(Arc<Vec<Mutex<Known>>>);

/// The place of a dataset, and its lists of log objects.
type Known = (Place, Lookup<Owner>);

impl fmt::Debug for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Converted").field(&self.0.len()).finish()
    }
}

impl Converted {
    /// The log objects converted into any of these datasets, without those being converted at the moment.
    pub(crate) fn of<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Self {
        let lookups = snapshots.into_iter().map(|snapshot| {
            let lists = snapshot.state.converted.iter().map(|list| (list.clone(), Owner::Converted)).collect();
            Mutex::new((snapshot.place.clone(), Lookup::new(lists)))
        });
        Self(Arc::new(lookups.collect()))
    }

    /// Whether one of the datasets has the records of a log object that now has this size, in bytes as stored.
    pub(crate) async fn find(&self, name: &str, size: u64) -> Result<InDataset, Error> {
        for lookup in &*self.0 {
            let (place, lookup) = &mut *lookup.lock().await;
            if let Some((version, _)) = lookup.find(place, name).await? {
                return Ok(if version.size == size { InDataset::Same } else { InDataset::Changed });
            }
        }
        Ok(InDataset::No)
    }
}
