//! Identities of the records in a dataset, to find duplicates.

use super::dedupe::{KnownIdentities, hash_batch, identity_columns};
use crate::dataset::{DataFile, DatasetTable, Place, State};
use crate::error::{Error, ErrorKind};
use crate::schema::{Table, TextLayout};
use crate::time_units::MICROS_PER_DAY;
use async_trait::async_trait;
use datafusion::catalog::TableProvider as _;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;

/// Reads identities from committed files, one day at a time.
#[derive(Debug)]
pub(super) struct CommittedIdentities {
    table: Table,
    place: Place,
    files: Vec<DataFile>,
}

impl CommittedIdentities {
    pub(super) fn new(table: Table, place: Place, state: &State) -> Self {
        Self { table, place, files: state.files.values().cloned().collect() }
    }
}

#[async_trait]
impl KnownIdentities for CommittedIdentities {
    async fn load(&mut self, day: i32, into: &mut (dyn FnMut(u128) -> Result<(), Error> + Send)) -> Result<(), Error> {
        let of_day = |file: &&DataFile| {
            let days = file.min_time.div_euclid(MICROS_PER_DAY)..=file.max_time.div_euclid(MICROS_PER_DAY);
            days.contains(&i64::from(day))
        };
        let files = self.files.iter().filter(of_day).cloned().collect();
        let table = DatasetTable::of_records(self.table, &self.place, &State::default(), TextLayout::Views)?;
        let schema = table.schema();
        let columns = identity_columns(self.table).map(|name| schema.index_of(name)).collect::<Result<_, _>>()?;
        let state = SessionContext::new().state();
        let scan = table.scan_files(&state, files, Some(columns), None, false).map_err(cannot)?;
        let mut batches = execute_stream(scan, state.task_ctx()).map_err(cannot)?;
        while let Some(batch) = batches.try_next().await.map_err(cannot)? {
            hash_batch(self.table, &batch)?.into_iter().flatten().try_for_each(&mut *into)?;
        }
        Ok(())
    }
}

fn cannot(error: DataFusionError) -> Error {
    match Error::find(&error) {
        Some(found) => found.repeated(),
        None => Error::new(ErrorKind::Unreadable, "files cannot be read, to know which records are in them")
            .with_source(error),
    }
}
