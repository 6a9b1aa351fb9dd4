//! Helpers to compare our encoders with those of the `parquet` crate.

use super::EncodedChunk;
use crate::convert::rows::Rows;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::BoundaryOrder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnDescPtr;
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::Arc;

pub(in crate::convert::parquet) fn schema(nullable: bool, data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("column", data_type, nullable)]))
}

/// Calls `of` with the column and the properties of a file.
pub(in crate::convert::parquet) fn format_of<T>(
    schema: SchemaRef,
    properties: WriterProperties,
    of: impl FnOnce(&ColumnDescPtr, &WriterProperties) -> T,
) -> T {
    let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    let (writer, _) = writer.into_serialized_writer().unwrap();
    of(&writer.schema_descr().column(0), writer.properties())
}

/// A file with one row group, from a chunk of our encoder.
pub(in crate::convert::parquet) fn ours(schema: SchemaRef, properties: WriterProperties, chunk: EncodedChunk) -> Bytes {
    let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    let (mut writer, _) = writer.into_serialized_writer().unwrap();
    let mut group = writer.next_row_group().unwrap();
    chunk.append_to_row_group(&mut group).unwrap();
    group.close().unwrap();
    writer.finish().unwrap();
    std::mem::take(writer.inner_mut()).into()
}

/// A file with these rows, written by the `parquet` crate.
pub(in crate::convert::parquet) fn theirs(rows: &[Rows], schema: &SchemaRef, properties: WriterProperties) -> Bytes {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, Arc::clone(schema), Some(properties)).unwrap();
    for array in rows.iter().flat_map(|rows| rows.column(0).unwrap()) {
        let batch = RecordBatch::try_new(Arc::clone(schema), vec![array]).unwrap();
        writer.write(&batch).unwrap();
    }
    writer.close().unwrap();
    out.into()
}

pub(in crate::convert::parquet) fn read(file: Bytes) -> (ArrayRef, ParquetMetaData) {
    let options =
        ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional).with_encoding_stats_as_mask(false);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let metadata = builder.metadata().as_ref().clone();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<_> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    (Arc::clone(concat_batches(&schema, &batches).unwrap().column(0)), metadata)
}

/// Compares the metadata of the column chunks.
pub(in crate::convert::parquet) fn assert_same_metadata(ours: &ParquetMetaData, theirs: &ParquetMetaData) {
    let (our_chunk, their_chunk) = (ours.row_group(0).column(0), theirs.row_group(0).column(0));
    assert_eq!(our_chunk.num_values(), their_chunk.num_values());
    assert_eq!(our_chunk.statistics(), their_chunk.statistics());
    assert_eq!(our_chunk.compression(), their_chunk.compression());
    assert_eq!(our_chunk.unencoded_byte_array_data_bytes(), their_chunk.unencoded_byte_array_data_bytes());
    assert_eq!(our_chunk.definition_level_histogram(), their_chunk.definition_level_histogram());
    assert_eq!(our_chunk.encodings().collect::<Vec<_>>(), their_chunk.encodings().collect::<Vec<_>>());
}

/// The rows of each page.
pub(in crate::convert::parquet) fn pages(metadata: &ParquetMetaData, rows: usize) -> Vec<std::ops::Range<usize>> {
    let starts =
        metadata.offset_index().unwrap()[0][0].page_locations().iter().map(|page| page.first_row_index as usize);
    let ends = starts.clone().skip(1).chain([rows]);
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

/// Checks the boundary order in the column index against the bounds.
pub(in crate::convert::parquet) fn assert_order<T: Ord>(metadata: &ParquetMetaData, bounds: &mut [(T, T)]) {
    let ascend = bounds.is_sorted_by_key(|bounds| &bounds.0) && bounds.is_sorted_by_key(|bounds| &bounds.1);
    bounds.reverse();
    let descend = bounds.is_sorted_by_key(|bounds| &bounds.0) && bounds.is_sorted_by_key(|bounds| &bounds.1);
    let order = match (ascend, descend) {
        (true, _) => BoundaryOrder::ASCENDING,
        (false, true) => BoundaryOrder::DESCENDING,
        (false, false) => BoundaryOrder::UNORDERED,
    };
    assert_eq!(metadata.column_index().unwrap()[0][0].get_boundary_order(), Some(order));
}

/// Picks rows of batches; `None` for all rows, with each batch in two slices.
pub(in crate::convert::parquet) fn picks() -> impl Strategy<Value = Option<Vec<(Index, Index)>>> {
    prop::option::of(prop::collection::vec((any::<Index>(), any::<Index>()), 0..200))
}

/// The rows picked, and the batch and row of each.
pub(in crate::convert::parquet) fn rows_of(
    batches: &[RecordBatch],
    picks: Option<Vec<(Index, Index)>>,
) -> (Vec<Rows>, Vec<(usize, usize)>) {
    let Some(picks) = picks else {
        let halves = |batch: &RecordBatch| {
            let half = batch.num_rows() / 2;
            vec![batch.slice(0, half), batch.slice(half, batch.num_rows() - half)]
        };
        let all = batches.iter().enumerate().flat_map(|(at, batch)| (0..batch.num_rows()).map(move |row| (at, row)));
        return (batches.iter().map(|batch| Rows::all(halves(batch), 0)).collect(), all.collect());
    };
    let filled: Vec<_> = (0..batches.len()).filter(|at| batches[*at].num_rows() > 0).collect();
    let picks = picks.iter().filter(|_| !filled.is_empty()).map(|(batch, row)| {
        let batch = *batch.get(&filled);
        (batch, row.index(batches[batch].num_rows()))
    });
    let picks: Vec<_> = picks.collect();
    (picks.chunks(50).map(|picks| Rows::picked(batches.to_vec(), picks.to_vec(), 0)).collect(), picks)
}
