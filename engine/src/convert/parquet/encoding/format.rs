//! Page sizes, compression and dictionaries of a column.

use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnDescPtr;
use std::sync::Arc;

/// The part of a column's format that does not depend on its type.
#[derive(Clone, Debug)]
pub(in crate::convert::parquet) struct ChunkFormat {
    pub(in crate::convert::parquet) column: ColumnDescPtr,
    pub(in crate::convert::parquet) codec: Compression,
    /// Size limit of the dictionary in bytes; `None` without a dictionary.
    pub(in crate::convert::parquet) dictionary: Option<usize>,
    /// Whether to write statistics.
    pub(in crate::convert::parquet) statistics: bool,
    /// Size limit of a page, in bytes of values.
    pub(in crate::convert::parquet) page: usize,
    /// Maximum number of rows in a page.
    pub(in crate::convert::parquet) page_rows: usize,
}

impl ChunkFormat {
    /// The format of a column with these properties; `None` if our encoders do not support them. They support columns
    /// without repetition, version 1 data pages without statistics in the header, no Bloom filters, no compression or
    /// Zstandard.
    pub(in crate::convert::parquet) fn of(column: &ColumnDescPtr, properties: &WriterProperties) -> Option<Self> {
        let path = column.path();
        let codec = properties.compression(path);
        let statistics = properties.statistics_enabled(path);
        let is_ours = column.max_rep_level() == 0
            && column.max_def_level() <= 1
            && statistics != EnabledStatistics::Chunk
            && !properties.write_page_header_statistics(path)
            && !properties.offset_index_disabled()
            && properties.writer_version() == WriterVersion::PARQUET_1_0
            && properties.bloom_filter_properties(path).is_none()
            && matches!(codec, Compression::UNCOMPRESSED | Compression::ZSTD(_));
        is_ours.then(|| Self {
            column: Arc::clone(column),
            codec,
            dictionary: properties.dictionary_enabled(path).then(|| properties.column_dictionary_page_size_limit(path)),
            statistics: statistics == EnabledStatistics::Page,
            page: properties.column_data_page_size_limit(path),
            page_rows: properties.data_page_row_count_limit(),
        })
    }
}
