//! Identities of the records in a dataset, to find duplicates.

use super::dedupe::{KnownIdentities, hash_batch, identity_columns};
use crate::dataset::{DataFile, Place, REPLACED, State};
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use crate::time_units::MICROS_PER_DAY;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

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
        for file in self.files.iter().filter(of_day) {
            let cannot = |error: ParquetError| {
                Error::new(ErrorKind::Unreadable, "it cannot be read, to know which records are in it")
                    .in_object(self.place.name_of(&file.path))
                    .with_source(error)
            };
            let input = PlacedFile { place: self.place.clone(), path: file.path.clone(), bytes: file.bytes };
            let builder = ParquetRecordBatchStreamBuilder::new(input).await.map_err(cannot)?;
            let mask = ProjectionMask::columns(builder.parquet_schema(), identity_columns(self.table));
            let mut batches = builder.with_projection(mask).build().map_err(cannot)?;
            while let Some(batch) = batches.try_next().await.map_err(cannot)? {
                hash_batch(self.table, &batch)?.into_iter().flatten().try_for_each(&mut *into)?;
            }
        }
        Ok(())
    }
}

/// A file of a dataset as input of the Parquet reader.
#[derive(Clone, Debug)]
pub(super) struct PlacedFile {
    place: Place,
    path: String,
    bytes: u64,
}

impl AsyncFileReader for PlacedFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            let got = match self.place.get_range(&self.path, range.clone()).await {
                // It has been merged in the meantime, and is kept here for a while.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.place.get_range(&format!("{REPLACED}/{}.replaced", self.path), range).await
                }
                got => got,
            };
            got.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.bytes;
            let metadata = ParquetMetaDataReader::new().load_and_finish(&mut *self, size).await?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}
