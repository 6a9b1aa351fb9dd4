//! What can be said about a conversion.

use super::parquet::Compression;
use super::privacy::Privacy;
use super::selection::Shard;
use crate::error::Error;
use crate::schema::{Table, TextLayout};
use std::str::FromStr;
use std::sync::Arc;

/// How the files of a dataset are shared out over folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartitionBy {
    /// `day=2026-01-15/`, by the record's own time, in UTC.
    #[default]
    Day,
    /// `day=2026-01-15/bucket=photos/`.
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

    /// As a dataset's settings have it.
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
                .with_hint("there are `day` and `day,bucket`")),
        }
    }
}

/// What can be said about a conversion.
#[derive(Clone, Debug)]
pub struct ConvertOptions {
    /// The table that the files hold.
    pub table: Table,
    /// How files are shared out over folders.
    pub partition_by: PartitionBy,
    /// About how many bytes a file has at most.
    pub target_size: u64,
    /// How pages are compressed.
    pub compression: Compression,
    /// Columns with Bloom filters.
    pub bloom: Vec<String>,
    /// Only what this shard takes.
    pub shard: Option<Shard>,
    /// A directory or a prefix of a bucket for lines that are no records. Without it they are counted.
    pub rejects: Option<String>,
    /// What is done to addresses and URIs.
    pub privacy: Arc<Privacy>,
    /// Whether records that the dataset has already are left out.
    pub dedupe: bool,
    /// About how many bytes of memory it takes, beside what encoders need in any case.
    pub memory: usize,
    /// Bytes that the identities of records take at most, if duplicates are looked for.
    pub dedupe_memory: usize,
    /// Log objects of a batch at most.
    pub batch_objects: u64,
    /// Bytes of a batch, as stored.
    pub batch_bytes: u64,
}

impl ConvertOptions {
    /// Files of about this size when nothing is said.
    pub const TARGET_SIZE: u64 = 256 << 20;
    /// Log objects of a batch: half a minute of requests.
    pub const BATCH_OBJECTS: u64 = 100_000;
    /// Bytes of a batch: half a minute of work of two cores, and files that are not small.
    pub const BATCH_BYTES: u64 = 8 << 30;
    /// Memory when nothing is said.
    pub const MEMORY: usize = 192 << 20;
    /// Memory for the identities of records, when nothing is said.
    pub const DEDUPE_MEMORY: usize = 256 << 20;

    /// Whether there are such columns to make Bloom filters of.
    pub(super) fn check_bloom(&self) -> Result<(), Error> {
        let columns = self.table.columns(TextLayout::Views);
        let is_column = |wanted: &str| columns.iter().any(|column| column.name == wanted);
        match self.bloom.iter().find(|wanted| !is_column(wanted)) {
            None => Ok(()),
            Some(wanted) => Err(Error::argument(format!("there is no column `{wanted}` to make Bloom filters of"))
                .with_hint(format!("`s3log schema {}` prints all columns", self.table.name()))),
        }
    }

    /// Whether the table has what files are partitioned by.
    pub(super) fn check_table(&self) -> Result<(), Error> {
        if !self.table.has_time() {
            let table = self.table.name();
            return Err(Error::argument(format!("the table `{table}` cannot be converted"))
                .with_hint("--rejects DEST keeps lines that are no records"));
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
