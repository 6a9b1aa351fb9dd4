//! How each column is encoded, by what the table of fields says of its values.
//!
//! Measured with a log of 987 MB and 1.6 million lines, as `genlog` writes it.

use super::compression::Compression;
use super::schema::file_schema;
use crate::error::Error;
use crate::schema::{ColumnDoc, Table, TextLayout};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::basic::Encoding;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use s3log_parser::Distinct;

/// A dictionary of more bytes than this is given up, and the values that follow are written as they are.
const DICTIONARY: usize = 4 << 20;

/// The same, for text of many values: request-URIs of some hundred bytes come again and again, but not soon. With 4 MiB the file of
/// the log above is 3 % larger, and written no faster.
const LARGE_DICTIONARY: usize = 16 << 20;

/// Rows of a page.
const PAGE_ROWS: usize = 20_000;

/// Bytes of a page.
const PAGE: usize = 1 << 20;

/// Bytes of the least and the greatest value that statistics keep.
const STATISTICS: usize = 64;

/// Share of the values that a Bloom filter takes for others.
const FALSE_POSITIVES: f64 = 0.01;

/// What the files of a table look like.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    table: Table,
    compression: Compression,
    bloom: Vec<String>,
    row_group_rows: usize,
    metadata: Vec<(String, String)>,
}

impl Format {
    /// Row groups have at most so many rows.
    pub(crate) fn new(table: Table, compression: Compression, row_group_rows: usize) -> Self {
        Self { table, compression, bloom: Vec::new(), row_group_rows, metadata: Vec::new() }
    }

    /// With Bloom filters of these columns.
    pub(crate) fn with_bloom_filters(mut self, columns: Vec<String>) -> Self {
        self.bloom = columns;
        self
    }

    /// With these pairs in the metadata of each file.
    pub(crate) fn with_metadata(mut self, metadata: Vec<(String, String)>) -> Self {
        self.metadata = metadata;
        self
    }

    /// The schema in the files.
    pub(super) fn file_schema(&self) -> SchemaRef {
        file_schema(self.table)
    }

    /// The schema of the batches that are written.
    pub(super) fn batch_schema(&self) -> SchemaRef {
        self.table.schema(TextLayout::Views)
    }

    /// The positions of the columns, those first whose encoding takes longest: long texts that seldom repeat.
    pub(super) fn order(&self) -> Vec<usize> {
        let columns = self.table.columns(TextLayout::Views);
        let cost = |column: &ColumnDoc| match (column.data_type == TextLayout::Views.data_type(), column.distinct) {
            (true, Distinct::Many) => 0,
            (true, Distinct::Unique) => 1,
            (true, Distinct::Few) => 2,
            (false, _) => 3,
        };
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|index| cost(&columns[*index]));
        order
    }

    pub(crate) fn row_group_rows(&self) -> usize {
        self.row_group_rows
    }

    pub(super) fn properties(&self) -> Result<WriterProperties, Error> {
        let metadata = self.metadata.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let metadata = Some(metadata.collect::<Vec<_>>()).filter(|metadata| !metadata.is_empty());
        let columns = self.table.columns(TextLayout::Views);
        let time = columns.iter().position(|column| column.name == "time");
        let sorting =
            time.map(|time| vec![SortingColumn { column_idx: time as i32, descending: false, nulls_first: false }]);
        let mut builder = WriterProperties::builder()
            .set_created_by(concat!("s3log ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(self.compression.codec())
            .set_max_row_group_row_count(Some(self.row_group_rows.max(1)))
            .set_dictionary_enabled(true)
            .set_dictionary_page_size_limit(DICTIONARY)
            .set_data_page_size_limit(PAGE)
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_statistics_truncate_length(Some(STATISTICS))
            .set_column_index_truncate_length(Some(STATISTICS))
            .set_key_value_metadata(metadata)
            .set_sorting_columns(sorting);
        if self.table == Table::Rejects {
            return Ok(builder.build());
        }
        for column in columns {
            let path = ColumnPath::from(column.name);
            if self.bloom.iter().any(|wanted| wanted == column.name) {
                builder = builder
                    .set_column_bloom_filter_fpp(path.clone(), FALSE_POSITIVES)
                    .set_column_bloom_filter_max_ndv(path.clone(), self.row_group_rows.max(1) as u64);
            }
            builder = match (&column.data_type, column.distinct) {
                (DataType::Timestamp(..), _) => builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
                // Random text: no dictionary can hold it, no bounds leave anything out, and more effort makes it no smaller. With
                // lengths apart nothing seems to repeat, so the compressor does not even try: a tenth less time for the whole file.
                (_, Distinct::Unique) => builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                    .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                    .set_column_compression(path, self.compression.light().codec()),
                (DataType::Utf8View, Distinct::Many) => {
                    builder.set_column_dictionary_page_size_limit(path, LARGE_DICTIONARY)
                }
                _ => builder,
            };
        }
        Ok(builder.build())
    }
}
