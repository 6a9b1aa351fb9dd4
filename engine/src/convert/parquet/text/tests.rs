//! What this writer gives is what the library's gives.

use super::*;
use crate::convert::rows::Rows;
use arrow::array::{AsArray as _, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{BoundaryOrder, PageType, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::WriterVersion;
use parquet::file::writer::SerializedFileWriter;
use proptest::prelude::*;

fn schema(nullable: bool, text: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("text", text, nullable)]))
}

fn batch(texts: &[Option<String>], nullable: bool) -> RecordBatch {
    let texts: StringViewArray = texts.iter().map(Option::as_deref).collect();
    RecordBatch::try_new(schema(nullable, DataType::Utf8View), vec![Arc::new(texts)]).unwrap()
}

/// Pages of a few rows, and a dictionary that is soon given up.
fn properties(dictionary: usize, compression: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_page_size_limit(dictionary)
        .set_data_page_row_count_limit(37)
        .set_write_batch_size(1)
        .set_statistics_truncate_length(Some(16))
        .set_column_index_truncate_length(Some(8))
        .build()
}

/// A file with these rows in one row group, encoded here.
fn ours(rows: &[Rows], nullable: bool, properties: WriterProperties) -> Bytes {
    let writer = ArrowWriter::try_new(Vec::new(), schema(nullable, DataType::Utf8), Some(properties)).unwrap();
    let (mut writer, _) = writer.into_serialized_writer().unwrap();
    let writer: &mut SerializedFileWriter<Vec<u8>> = &mut writer;
    let format = TextFormat::of(&writer.schema_descr().column(0), writer.properties()).unwrap();
    let mut column = TextColumn::new(format, Compressors::default());
    for rows in rows {
        column.write(&rows.texts(0).unwrap()).unwrap();
    }
    let mut group = writer.next_row_group().unwrap();
    column.close().unwrap().append_to_row_group(&mut group).unwrap();
    group.close().unwrap();
    writer.finish().unwrap();
    std::mem::take(writer.inner_mut()).into()
}

/// The same, encoded by the library.
fn theirs(rows: &[Rows], nullable: bool, properties: WriterProperties) -> Bytes {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, schema(nullable, DataType::Utf8View), Some(properties)).unwrap();
    for array in rows.iter().flat_map(|rows| rows.column(0).unwrap()) {
        let batch = RecordBatch::try_new(schema(nullable, DataType::Utf8View), vec![array]).unwrap();
        writer.write(&batch).unwrap();
    }
    writer.close().unwrap();
    out.into()
}

fn read(file: Bytes) -> (Vec<Option<String>>, ParquetMetaData) {
    let options =
        ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional).with_encoding_stats_as_mask(false);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let metadata = builder.metadata().as_ref().clone();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<_> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    let batch = concat_batches(&schema, &batches).unwrap();
    let texts = match batch.column(0).data_type() {
        DataType::Utf8 => batch.column(0).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        _ => batch.column(0).as_string_view().iter().map(|text| text.map(str::to_owned)).collect(),
    };
    (texts, metadata)
}

/// What is said of the whole chunk is the same in both files.
fn assert_same_metadata(ours: &ParquetMetaData, theirs: &ParquetMetaData) {
    let (our_chunk, their_chunk) = (ours.row_group(0).column(0), theirs.row_group(0).column(0));
    assert_eq!(our_chunk.num_values(), their_chunk.num_values());
    assert_eq!(our_chunk.statistics(), their_chunk.statistics());
    assert_eq!(our_chunk.compression(), their_chunk.compression());
    assert_eq!(our_chunk.unencoded_byte_array_data_bytes(), their_chunk.unencoded_byte_array_data_bytes());
    assert_eq!(our_chunk.definition_level_histogram(), their_chunk.definition_level_histogram());
    assert_eq!(our_chunk.encodings().collect::<Vec<_>>(), their_chunk.encodings().collect::<Vec<_>>());
}

/// The index says what stands in each page; gives the rows of pages. (The library's pages end elsewhere: where rows without a text
/// begin, or a dictionary is given up.)
fn assert_index(metadata: &ParquetMetaData, texts: &[Option<String>]) -> Vec<usize> {
    let offsets = &metadata.offset_index().unwrap()[0][0];
    let ColumnIndexMetaData::BYTE_ARRAY(index) = &metadata.column_index().unwrap()[0][0] else { panic!("no bounds") };
    let starts = offsets.page_locations().iter().map(|page| page.first_row_index as usize);
    let ends: Vec<_> = starts.clone().skip(1).chain([texts.len()]).collect();
    let mut bounds = Vec::new();
    for (page, (start, end)) in starts.clone().zip(&ends).enumerate() {
        let texts: Vec<_> = texts[start..*end].iter().flatten().map(String::as_bytes).collect();
        assert_eq!(index.null_count(page), Some((end - start - texts.len()) as i64));
        let histogram = index.definition_level_histogram(page).map(|levels| levels[1]);
        assert!(histogram.is_none_or(|present| present == texts.len() as i64));
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        assert_eq!(offsets.unencoded_byte_array_data_bytes().unwrap()[page], bytes as i64);
        let least = texts.iter().min().map(|text| bounds::floor(text, Some(8)).0);
        let greatest = texts.iter().max().map(|text| bounds::ceiling(text, Some(8)).0);
        assert_eq!((index.min_value(page), index.max_value(page)), (least.as_deref(), greatest.as_deref()));
        bounds.extend(least.zip(greatest));
    }
    let ascend = bounds.is_sorted_by_key(|bounds| &bounds.0) && bounds.is_sorted_by_key(|bounds| &bounds.1);
    bounds.reverse();
    let descend = bounds.is_sorted_by_key(|bounds| &bounds.0) && bounds.is_sorted_by_key(|bounds| &bounds.1);
    let order = match (ascend, descend) {
        (true, _) => BoundaryOrder::ASCENDING,
        (false, true) => BoundaryOrder::DESCENDING,
        (false, false) => BoundaryOrder::UNORDERED,
    };
    assert_eq!(metadata.column_index().unwrap()[0][0].get_boundary_order(), Some(order));
    starts.zip(ends).map(|(start, end)| end - start).collect()
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
        picks in prop::option::of(prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..200)),
        nullable in any::<bool>(),
        dictionary in prop_oneof![Just(1 << 20), 1..400_usize],
        is_compressed in any::<bool>(),
        has_dictionary in prop::bool::weighted(0.8),
        has_statistics in prop::bool::weighted(0.8),
    ) {
        let kept = |texts: &Vec<Option<String>>| texts.iter().filter(|t| nullable || t.is_some()).cloned().collect::<Vec<_>>();
        let texts: Vec<Vec<_>> = batches.iter().map(kept).collect();
        let batches: Vec<_> = texts.iter().map(|texts| batch(texts, nullable)).collect();
        let (rows, expected): (Vec<Rows>, Vec<_>) = match picks {
            // Each batch by itself, in two slices.
            None => {
                let halves = |batch: RecordBatch| {
                    let half = batch.num_rows() / 2;
                    [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)]
                };
                let rows = batches.into_iter().map(|batch| Rows::all(halves(batch).to_vec(), 0)).collect();
                (rows, texts.concat())
            }
            Some(picks) => {
                let filled: Vec<_> = (0..texts.len()).filter(|at| !texts[*at].is_empty()).collect();
                let picks: Vec<_> = picks.iter().filter(|_| !filled.is_empty()).map(|(array, row)| {
                    let array = *array.get(&filled);
                    (array, row.index(texts[array].len()))
                }).collect();
                let expected = picks.iter().map(|(array, row)| texts[*array][*row].clone()).collect();
                let rows = picks.chunks(50).map(|picks| Rows::picked(batches.clone(), picks.to_vec(), 0)).collect();
                (rows, expected)
            }
        };
        let compression = match is_compressed {
            true => Compression::ZSTD(ZstdLevel::default()),
            false => Compression::UNCOMPRESSED,
        };
        let mut properties = properties(dictionary, compression).into_builder();
        if !has_dictionary {
            properties = properties.set_dictionary_enabled(false).set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        if !has_statistics {
            properties = properties.set_statistics_enabled(EnabledStatistics::None);
        }
        let properties = properties.build();
        let (read_ours, our_metadata) = read(ours(&rows, nullable, properties.clone()));
        prop_assert_eq!(&read_ours, &expected);
        if !expected.is_empty() {
            let (read_theirs, their_metadata) = read(theirs(&rows, nullable, properties));
            prop_assert_eq!(&read_theirs, &expected);
            assert_same_metadata(&our_metadata, &their_metadata);
            if has_statistics {
                let pages = assert_index(&our_metadata, &expected);
                prop_assert!(pages.iter().all(|rows| *rows <= 37));
            }
        }
    }
}

#[test]
fn other_columns_are_left_to_the_library() {
    let format = |properties: WriterProperties, schema: SchemaRef| {
        let (writer, _) =
            ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap().into_serialized_writer().unwrap();
        TextFormat::of(&writer.schema_descr().column(0), writer.properties())
    };
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
    let (read, metadata) = read(ours(&rows, true, properties));
    assert_eq!(read, texts);
    assert_eq!(assert_index(&metadata, &texts), [10, 10, 10, 10]);
}

#[test]
fn what_comes_after_a_dictionary_was_given_up_is_plain() {
    let texts: Vec<_> = (0..1_000).map(|number| Some(format!("text {number}"))).collect();
    let rows = [Rows::all(vec![batch(&texts, true)], 0)];
    let (read, metadata) = read(ours(&rows, true, properties(600, Compression::UNCOMPRESSED)));
    assert_eq!(read, texts);
    assert_index(&metadata, &texts);
    let pages = metadata.row_group(0).column(0).page_encoding_stats().unwrap();
    let pages: Vec<_> = pages.iter().map(|pages| (pages.page_type, pages.encoding, pages.count)).collect();
    // The 56th text fills it; that is noticed with the group of the 64th: a page of 37, and a part of one.
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
