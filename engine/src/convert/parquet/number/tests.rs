//! Compares the encoder with that of the `parquet` crate.

use super::*;
use crate::convert::parquet::encoding::testing::{
    assert_order, assert_same_metadata, format_of, ours, pages, picks, read, rows_of, schema, theirs,
};
use crate::convert::rows::Rows;
use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int32Type, TimeUnit};
use parquet::basic::{Compression, PageType, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::EnabledStatistics;
use proptest::prelude::*;
use std::sync::Arc;

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The numbers as an array of this type.
fn array(numbers: &[Option<i64>], data_type: &DataType) -> ArrayRef {
    let numbers = numbers.iter().copied();
    match data_type {
        DataType::Int32 => Arc::new(numbers.map(|number| number.map(|number| number as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(numbers.collect::<Int64Array>()),
        _ => Arc::new(numbers.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    }
}

/// A file with these rows, written by our encoder.
fn written(rows: &[Rows], nullable: bool, data_type: DataType, properties: WriterProperties) -> bytes::Bytes {
    let schema = schema(nullable, data_type);
    let format = format_of(Arc::clone(&schema), properties.clone(), |column, properties| {
        NumberFormat::of(column, schema.field(0).data_type(), properties)
    })
    .unwrap();
    let mut column = NumberColumn::new(format, Compressors::default());
    for rows in rows {
        column.write(&rows.numbers(0).unwrap()).unwrap();
    }
    ours(schema, properties, column.close().unwrap())
}

/// Checks the page index against the rows, and returns the number of rows of each page.
fn assert_index(metadata: &ParquetMetaData, numbers: &ArrayRef, nullable: bool) -> Vec<usize> {
    let pages = pages(metadata, numbers.len());
    let mut bounds = Vec::new();
    for (page, rows) in pages.iter().enumerate() {
        let index = &metadata.column_index().unwrap()[0][0];
        let (least, greatest, nulls, histogram) = match index {
            ColumnIndexMetaData::INT32(index) => (
                index.min_value(page).map(|bound| i64::from(*bound)),
                index.max_value(page).map(|bound| i64::from(*bound)),
                index.null_count(page),
                index.definition_level_histogram(page).map(|levels| levels[1]),
            ),
            ColumnIndexMetaData::INT64(index) => (
                index.min_value(page).copied(),
                index.max_value(page).copied(),
                index.null_count(page),
                index.definition_level_histogram(page).map(|levels| levels[1]),
            ),
            _ => panic!("no bounds"),
        };
        let numbers = numbers.slice(rows.start, rows.len());
        let present: Vec<_> = values(&numbers).into_iter().flatten().collect();
        assert_eq!((least, greatest), (present.iter().copied().min(), present.iter().copied().max()));
        assert_eq!(nulls, Some((rows.len() - present.len()) as i64));
        assert_eq!(histogram, nullable.then_some(present.len() as i64));
        bounds.extend(least.zip(greatest));
    }
    assert_order(metadata, &mut bounds);
    pages.into_iter().map(|rows| rows.len()).collect()
}

fn values(array: &ArrayRef) -> Vec<Option<i64>> {
    match array.data_type() {
        DataType::Int32 => array.as_primitive::<Int32Type>().iter().map(|number| number.map(i64::from)).collect(),
        DataType::Int64 => array.as_primitive::<arrow::datatypes::Int64Type>().iter().collect(),
        _ => array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().iter().collect(),
    }
}

fn numbers() -> impl Strategy<Value = Vec<Option<i64>>> {
    let number =
        prop_oneof![4 => 0..9_i64, 2 => -300..300_i64, 1 => any::<i32>().prop_map(i64::from), 1 => any::<i64>()];
    let run = (prop::option::weighted(0.8, number), prop_oneof![3 => Just(1_usize), 1 => 2..60_usize]);
    prop::collection::vec(run, 0..120)
        .prop_map(|runs| runs.into_iter().flat_map(|(number, count)| std::iter::repeat_n(number, count)).collect())
}

fn properties(dictionary: usize, has_dictionary: bool, page_rows: usize, compression: Compression) -> WriterProperties {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_page_size_limit(dictionary)
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(1);
    let properties = match has_dictionary {
        true => properties,
        false => properties.set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BINARY_PACKED),
    };
    properties.build()
}

proptest! {
    #[test]
    fn the_librarys_writer_gives_the_same(
        batches in prop::collection::vec(numbers(), 1..4),
        picks in picks(),
        nullable in any::<bool>(),
        data_type in prop_oneof![Just(DataType::Int32), Just(DataType::Int64), Just(time())],
        dictionary in prop_oneof![Just(1 << 20), 1..400_usize],
        has_dictionary in prop::bool::weighted(0.7),
        page_rows in prop_oneof![Just(37_usize), Just(300)],
        is_compressed in any::<bool>(),
        has_statistics in prop::bool::weighted(0.8),
    ) {
        // Delta encoding is only supported for 64-bit numbers.
        let has_dictionary = has_dictionary || data_type == DataType::Int32;
        let kept = |numbers: &Vec<Option<i64>>| {
            let kept: Vec<_> = numbers.iter().filter(|number| nullable || number.is_some()).copied().collect();
            array(&kept, &data_type)
        };
        let arrays: Vec<_> = batches.iter().map(kept).collect();
        let schema = schema(nullable, data_type.clone());
        let batches: Vec<_> = arrays
            .iter()
            .map(|array| RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)]).unwrap())
            .collect();
        let (rows, written_rows) = rows_of(&batches, picks);
        let of_arrays: Vec<_> = arrays.iter().map(values).collect();
        let expected: Vec<_> = written_rows.iter().map(|(batch, row)| of_arrays[*batch][*row]).collect();
        let compression = match is_compressed {
            true => Compression::ZSTD(ZstdLevel::default()),
            false => Compression::UNCOMPRESSED,
        };
        let mut properties = properties(dictionary, has_dictionary, page_rows, compression).into_builder();
        if !has_statistics {
            properties = properties.set_statistics_enabled(EnabledStatistics::None);
        }
        let properties = properties.build();
        let (read_ours, our_metadata) = read(written(&rows, nullable, data_type, properties.clone()));
        prop_assert_eq!(&values(&read_ours), &expected);
        if !expected.is_empty() {
            let (read_theirs, their_metadata) = read(theirs(&rows, &schema, properties));
            prop_assert_eq!(&values(&read_theirs), &expected);
            assert_same_metadata(&our_metadata, &their_metadata);
            if has_statistics {
                let pages = assert_index(&our_metadata, &read_ours, nullable);
                prop_assert!(pages.iter().all(|rows| *rows <= page_rows));
            }
        }
    }
}

#[test]
fn other_columns_are_left_to_the_library() {
    let is_ours = |properties: WriterProperties, data_type: DataType| {
        format_of(schema(true, data_type.clone()), properties, |column, properties| {
            NumberFormat::of(column, &data_type, properties).is_some()
        })
    };
    let dictionary = || properties(1 << 20, true, 37, Compression::UNCOMPRESSED);
    let differences = || properties(1 << 20, false, 37, Compression::UNCOMPRESSED);
    for data_type in [DataType::Int64, time()] {
        assert!(is_ours(dictionary(), data_type.clone()) && is_ours(differences(), data_type));
    }
    assert!(is_ours(dictionary(), DataType::Int32) && !is_ours(differences(), DataType::Int32));
    let milliseconds = DataType::Timestamp(TimeUnit::Millisecond, None);
    let others =
        [DataType::Boolean, DataType::UInt32, DataType::Int16, DataType::Float64, DataType::Utf8, milliseconds];
    for data_type in others {
        assert!(!is_ours(dictionary(), data_type.clone()), "{data_type}");
    }
    let plain = WriterProperties::builder().set_dictionary_enabled(false).build();
    assert!(!is_ours(plain, DataType::Int64));
}

#[test]
fn what_comes_after_a_dictionary_was_given_up_is_plain() {
    let numbers = array(&(0..1_000).map(Some).collect::<Vec<_>>(), &DataType::Int64);
    let batch = RecordBatch::try_new(schema(true, DataType::Int64), vec![Arc::clone(&numbers)]).unwrap();
    let properties = properties(500, true, 37, Compression::UNCOMPRESSED);
    let (read, metadata) = read(written(&[Rows::all(vec![batch], 0)], true, DataType::Int64, properties));
    assert_eq!(&read, &numbers);
    assert_index(&metadata, &numbers, true);
    let pages = metadata.row_group(0).column(0).page_encoding_stats().unwrap();
    let pages: Vec<_> = pages.iter().map(|pages| (pages.page_type, pages.encoding, pages.count)).collect();
    // The second page of 37 fills the dictionary.
    let (numbered, plain) =
        ((PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, 2), (PageType::DATA_PAGE, Encoding::PLAIN, 26));
    assert_eq!(pages, [(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1), numbered, plain]);
}

#[test]
fn an_array_of_another_type_is_no_column_of_numbers() {
    let texts = arrow::array::StringArray::from(vec!["a"]);
    let batch = RecordBatch::try_new(schema(true, DataType::Utf8), vec![Arc::new(texts)]).unwrap();
    assert!(Rows::all(vec![batch], 1).numbers(0).is_err());
}

#[test]
fn statistics_are_also_for_readers_that_know_only_the_first_form_of_them() {
    for width in [Width::Four, Width::Eight] {
        let statistics = width.statistics(Some((1, 2)), 3);
        assert!(statistics.is_min_max_backwards_compatible());
        assert_eq!(statistics.null_count_opt(), Some(3));
    }
}
