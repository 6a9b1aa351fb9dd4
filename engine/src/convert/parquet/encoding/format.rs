//! How the pages of a column are cut and compressed.

use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnDescPtr;
use std::sync::Arc;

/// What does not depend on the type of a column.
#[derive(Clone, Debug)]
pub(in crate::convert::parquet) struct ChunkFormat {
    pub(in crate::convert::parquet) column: ColumnDescPtr,
    pub(in crate::convert::parquet) codec: Compression,
    /// Bytes of a dictionary that is given up, if there is to be one.
    pub(in crate::convert::parquet) dictionary: Option<usize>,
    /// Whether bounds are written.
    pub(in crate::convert::parquet) statistics: bool,
    /// Bytes of a page of values that is full,
    pub(in crate::convert::parquet) page: usize,
    /// and rows of any.
    pub(in crate::convert::parquet) page_rows: usize,
}

impl ChunkFormat {
    /// The format of a column with these properties, if all that they ask for is done here: no lists, pages of the first version that
    /// nothing but the index has bounds of, no Bloom filter, as they are or compressed by Zstandard.
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
