//! Options of a conversion.

use super::parquet::Compression;
use super::privacy::Privacy;
use super::selection::Shard;
use crate::error::Error;
use crate::schema::{Table, TextLayout};
use std::str::FromStr;
use std::sync::Arc;

/// The partition columns of a dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartitionBy {
    /// `day=2026-01-15/`, by the time of the record in UTC.
    #[default]
    Day,
    /// By day and bucket: `day=2026-01-15/bucket=photos/`.
    DayAndBucket,
}

impl PartitionBy {
    pub(super) fn columns(self) -> Vec<String> {
        let columns: &[&str] = match self {
            Self::Day => &["day"],
            Self::DayAndBucket => &["day", "bucket"],
        };
        columns.iter().map(|column| (*column).to_owned()).collect()
    }

    /// Parses the partition columns in the settings of a dataset.
    pub(super) fn of(columns: &[String]) -> Result<Self, Error> {
        columns.join(",").parse()
    }
}

impl FromStr for PartitionBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "day" => Ok(Self::Day),
            "day,bucket" => Ok(Self::DayAndBucket),
            _ => Err(Error::invalid(format!("files cannot be partitioned by `{text}`"))
                .with_hint("use `day` or `day,bucket`")),
        }
    }
}

/// Options of a conversion.
#[derive(Clone, Debug)]
pub struct ConvertOptions {
    /// The table to write.
    pub table: Table,
    /// The partition columns.
    pub partition_by: PartitionBy,
    /// Target size of data files, in bytes.
    pub target_size: u64,
    /// Compression of pages.
    pub compression: Compression,
    /// Columns with Bloom filters.
    pub bloom: Vec<String>,
    /// Convert only the log objects of this shard.
    pub shard: Option<Shard>,
    /// A directory, or a location in a bucket, for lines that are not records. Without it they are only counted.
    pub rejects: Option<String>,
    /// Anonymisation of addresses and redaction of URIs.
    pub privacy: Arc<Privacy>,
    /// Leave out records that the dataset already has.
    pub dedupe: bool,
    /// Memory budget in bytes, beside the fixed memory of encoders.
    pub memory: usize,
    /// Maximum memory for the identities of records with `dedupe`, in bytes.
    pub dedupe_memory: usize,
    /// Maximum number of log objects in a batch.
    pub batch_objects: u64,
    /// Maximum size of a batch, in bytes as stored.
    pub batch_bytes: u64,
}

impl ConvertOptions {
    /// Default of `target_size`: 256 MiB.
    pub const TARGET_SIZE: u64 = 256 << 20;
    /// Default of `batch_objects`: requests for half a minute.
    pub const BATCH_OBJECTS: u64 = 100_000;
    /// Default of `batch_bytes`: 8 GiB, half a minute of work for two cores, enough for files of a good size.
    pub const BATCH_BYTES: u64 = 8 << 30;
    /// Default of `memory`: 192 MiB.
    pub const MEMORY: usize = 192 << 20;
    /// Default of `dedupe_memory`: 256 MiB.
    pub const DEDUPE_MEMORY: usize = 256 << 20;

    /// Checks that the columns with Bloom filters exist.
    pub(super) fn check_bloom(&self) -> Result<(), Error> {
        let columns = self.table.columns(TextLayout::Views);
        let is_column = |wanted: &str| columns.iter().any(|column| column.name == wanted);
        match self.bloom.iter().find(|wanted| !is_column(wanted)) {
            None => Ok(()),
            Some(wanted) => Err(Error::argument(format!("there is no column `{wanted}` for Bloom filters"))
                .with_hint(format!("`s3log schema {}` prints all columns", self.table.name()))),
        }
    }

    /// Checks that the table can be converted, and has the partition columns.
    pub(super) fn check_table(&self) -> Result<(), Error> {
        if !self.table.has_time() {
            let table = self.table.name();
            return Err(Error::argument(format!("the table `{table}` cannot be converted"))
                .with_hint("use --rejects DEST to keep lines that are not records"));
        }
        match (self.table, self.partition_by) {
            (Table::Cdn, PartitionBy::DayAndBucket) => {
                Err(Error::argument("the table `cdn` has no column `bucket` to partition by")
                    .with_hint("--table requests has one"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            table: Table::Logs,
            partition_by: PartitionBy::Day,
            target_size: Self::TARGET_SIZE,
            compression: Compression::default(),
            bloom: Vec::new(),
            shard: None,
            rejects: None,
            privacy: Arc::default(),
            dedupe: false,
            memory: Self::MEMORY,
            dedupe_memory: Self::DEDUPE_MEMORY,
            batch_objects: Self::BATCH_OBJECTS,
            batch_bytes: Self::BATCH_BYTES,
        }
    }
}
