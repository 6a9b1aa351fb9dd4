//! Compares the encoder with that of the `parquet` crate.

use super::*;
use crate::convert::parquet::encoding::testing::{
    assert_order, assert_same_metadata, format_of, ours, pages, picks, read, rows_of, schema, theirs,
};
use crate::convert::rows::Rows;
use arrow::array::{AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field};
use bytes::Bytes;
use parquet::basic::{Compression, PageType, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterVersion};
use proptest::prelude::*;
use std::sync::Arc;

fn batch(texts: &[Option<String>], nullable: bool) -> RecordBatch {
    let texts: StringViewArray = texts.iter().map(Option::as_deref).collect();
    RecordBatch::try_new(schema(nullable, DataType::Utf8View), vec![Arc::new(texts)]).unwrap()
}

/// Pages with few rows, and a dictionary that is soon given up.
fn properties(dictionary: usize, page_rows: usize, compression: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_page_size_limit(dictionary)
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(1)
        .set_statistics_truncate_length(Some(16))
        .set_column_index_truncate_length(Some(8))
        .build()
}

/// A file with these rows, written by our encoder.
fn written(rows: &[Rows], nullable: bool, properties: WriterProperties) -> Bytes {
    let schema = schema(nullable, DataType::Utf8);
    let format = format_of(Arc::clone(&schema), properties.clone(), TextFormat::of).unwrap();
    let mut column = TextColumn::new(format, Compressors::default());
    for rows in rows {
        column.write(&rows.texts(0).unwrap()).unwrap();
    }
    ours(schema, properties, column.close().unwrap())
}

fn texts_in(file: Bytes) -> (Vec<Option<String>>, ParquetMetaData) {
    let (array, metadata) = read(file);
    let texts = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        _ => array.as_string_view().iter().map(|text| text.map(str::to_owned)).collect(),
    };
    (texts, metadata)
}

/// Checks the page index against the rows, and returns the number of rows of each page. The pages of the `parquet`
/// crate are cut differently, at nulls and where a dictionary is given up.
fn assert_index(metadata: &ParquetMetaData, texts: &[Option<String>], nullable: bool) -> Vec<usize> {
    let offsets = &metadata.offset_index().unwrap()[0][0];
    let ColumnIndexMetaData::BYTE_ARRAY(index) = &metadata.column_index().unwrap()[0][0] else { panic!("no bounds") };
    let pages = pages(metadata, texts.len());
    let mut bounds = Vec::new();
    for (page, rows) in pages.iter().enumerate() {
        let texts: Vec<_> = texts[rows.clone()].iter().flatten().map(String::as_bytes).collect();
        assert_eq!(index.null_count(page), Some((rows.len() - texts.len()) as i64));
        let histogram = index.definition_level_histogram(page).map(|levels| levels[1]);
        assert_eq!(histogram, nullable.then_some(texts.len() as i64));
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        assert_eq!(offsets.unencoded_byte_array_data_bytes().unwrap()[page], bytes as i64);
        let least = texts.iter().min().map(|text| bounds::floor(text, Some(8)).0);
        let greatest = texts.iter().max().map(|text| bounds::ceiling(text, Some(8)).0);
        assert_eq!((index.min_value(page), index.max_value(page)), (least.as_deref(), greatest.as_deref()));
        bounds.extend(least.zip(greatest));
    }
    assert_order(metadata, &mut bounds);
    pages.into_iter().map(|rows| rows.len()).collect()
}

fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    let text = prop_oneof![
        4 => "[ab]{0,2}",
        2 => "[a-d]{11,14}",
        1 => "[a-z]{0,40}",
        1 => "\\PC{0,12}",
    ];
    let run = (prop::option::weighted(0.8, text), prop_oneof![3 => Just(1_usize), 1 => 2..60_usize]);
    prop::collection::vec(run, 0..120)
        .prop_map(|runs| runs.into_iter().flat_map(|(text, count)| std::iter::repeat_n(text, count)).collect())
}

proptest! {
    #[test]
    fn the_librarys_writer_gives_the_same(
        batches in prop::collection::vec(texts(), 1..4),
        picks in picks(),
        nullable in any::<bool>(),
        dictionary in prop_oneof![Just(1 << 20), 1..400_usize],
        page_rows in prop_oneof![Just(37_usize), Just(300)],
        is_compressed in any::<bool>(),
        has_dictionary in prop::bool::weighted(0.8),
        has_statistics in prop::bool::weighted(0.8),
    ) {
        let kept = |texts: &Vec<Option<String>>| texts.iter().filter(|t| nullable || t.is_some()).cloned().collect::<Vec<_>>();
        let texts: Vec<Vec<_>> = batches.iter().map(kept).collect();
        let batches: Vec<_> = texts.iter().map(|texts| batch(texts, nullable)).collect();
        let (rows, written_rows) = rows_of(&batches, picks);
        let expected: Vec<_> = written_rows.iter().map(|(batch, row)| texts[*batch][*row].clone()).collect();
        let compression = match is_compressed {
            true => Compression::ZSTD(ZstdLevel::default()),
            false => Compression::UNCOMPRESSED,
        };
        let mut properties = properties(dictionary, page_rows, compression).into_builder();
        if !has_dictionary {
            properties = properties.set_dictionary_enabled(false).set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        if !has_statistics {
            properties = properties.set_statistics_enabled(EnabledStatistics::None);
        }
        let properties = properties.build();
        let (read_ours, our_metadata) = texts_in(written(&rows, nullable, properties.clone()));
        prop_assert_eq!(&read_ours, &expected);
        if !expected.is_empty() {
            let (read_theirs, their_metadata) = texts_in(theirs(&rows, &schema(nullable, DataType::Utf8View), properties));
            prop_assert_eq!(&read_theirs, &expected);
            assert_same_metadata(&our_metadata, &their_metadata);
            if has_statistics {
                let pages = assert_index(&our_metadata, &expected, nullable);
                prop_assert!(pages.iter().all(|rows| *rows <= page_rows));
            }
        }
    }
}

#[test]
fn other_columns_are_left_to_the_library() {
    let format = |properties: WriterProperties, schema| format_of(schema, properties, TextFormat::of);
    let text = || schema(true, DataType::Utf8);
    let properties = WriterProperties::builder;
    assert!(format(properties().build(), text()).is_some());
    assert!(format(properties().build(), schema(true, DataType::Int32)).is_none());
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    assert!(format(properties().build(), schema(true, list)).is_none());
    let others = [
        properties().set_dictionary_enabled(false),
        properties().set_statistics_enabled(EnabledStatistics::Chunk),
        properties().set_bloom_filter_enabled(true),
        properties().set_compression(Compression::SNAPPY),
        properties().set_encoding(Encoding::DELTA_BYTE_ARRAY),
        properties().set_write_page_header_statistics(true),
        properties().set_offset_index_disabled(true).set_statistics_enabled(EnabledStatistics::None),
        properties().set_writer_version(WriterVersion::PARQUET_2_0),
    ];
    for other in others {
        assert!(format(other.build(), text()).is_none());
    }
}

#[test]
fn long_texts_fill_pages() {
    // A page ends with the text that fills it.
    let texts: Vec<_> = (0..40).map(|number| Some(format!("{number:0>1000}"))).collect();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_data_page_size_limit(10_000)
        .set_column_index_truncate_length(Some(8))
        .build();
    let rows = [Rows::all(vec![batch(&texts, true)], 0)];
    let (read, metadata) = texts_in(written(&rows, true, properties));
    assert_eq!(read, texts);
    assert_eq!(assert_index(&metadata, &texts, true), [10, 10, 10, 10]);
}

#[test]
fn what_comes_after_a_dictionary_was_given_up_is_plain() {
    let texts: Vec<_> = (0..1_000).map(|number| Some(format!("text {number}"))).collect();
    let rows = [Rows::all(vec![batch(&texts, true)], 0)];
    let (read, metadata) = texts_in(written(&rows, true, properties(600, 37, Compression::UNCOMPRESSED)));
    assert_eq!(read, texts);
    assert_index(&metadata, &texts, true);
    let pages = metadata.row_group(0).column(0).page_encoding_stats().unwrap();
    let pages: Vec<_> = pages.iter().map(|pages| (pages.page_type, pages.encoding, pages.count)).collect();
    // The 56th text fills the dictionary, which is noticed with the group of the 64th: a page of 37, and a part of one.
    let numbers = (PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, 2);
    let plain = (PageType::DATA_PAGE, Encoding::PLAIN, 26);
    assert_eq!(pages, [(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1), numbers, plain]);
}

#[test]
fn an_array_of_plain_text_is_no_column_of_ours() {
    let texts = StringArray::from(vec!["a"]);
    let batch = RecordBatch::try_new(schema(true, DataType::Utf8), vec![Arc::new(texts)]).unwrap();
    assert!(Rows::all(vec![batch], 1).texts(0).is_err());
}
