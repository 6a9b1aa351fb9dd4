//! What merged files keep of those that they replace: compression and Bloom filters.

use super::parquet::{COMPRESSION, Compression};
use crate::dataset::{DataFile, DatasetTable};
use datafusion::error::DataFusionError;
use futures::{StreamExt as _, TryStreamExt as _};
use parquet::file::metadata::ParquetMetaData;
use std::collections::BTreeSet;

/// Maximum number of footers to read at a time.
const AT_ONCE: usize = 16;

/// The format of some files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The compression of the newest one.
    pub(super) compression: Compression,
    /// The columns with Bloom filters in any of them.
    pub(super) bloom: BTreeSet<String>,
}

impl Kept {
    /// Reads the footers of files in one folder.
    pub(super) async fn of(table: &DatasetTable, files: &[DataFile]) -> Result<Self, DataFusionError> {
        let mut kept = Self::default();
        let mut files: Vec<&DataFile> = files.iter().collect();
        // Names begin with a time.
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let footers: Vec<_> = files.into_iter().map(|file| table.footer(file)).collect();
        let mut footers = futures::stream::iter(footers).buffered(AT_ONCE);
        while let Some(footer) = footers.try_next().await? {
            kept.add(&footer);
        }
        Ok(kept)
    }

    fn add(&mut self, footer: &ParquetMetaData) {
        let mut metadata = footer.file_metadata().key_value_metadata().into_iter().flatten();
        let named = metadata.find(|entry| entry.key == COMPRESSION).and_then(|entry| entry.value.as_deref());
        let columns = || footer.row_groups().iter().flat_map(|group| group.columns());
        let codec = || columns().next().and_then(|column| Compression::of(column.compression()));
        if let Some(compression) = named.and_then(|named| named.parse().ok()).or_else(codec) {
            self.compression = compression;
        }
        let bloom = columns().filter(|column| column.bloom_filter_offset().is_some());
        self.bloom.extend(bloom.map(|column| column.column_path().string()));
    }
}
