//! Properties of the decoder that hold for any bytes.

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use s3log_engine::decode::{Block, BufferPool, Counts, LineBlocks, RecordsDecoder, RejectsDecoder};
use s3log_engine::schema::{LogsColumn, Table, TextLayout};
use s3log_parser::{Lines, LogFormat, sniff};

/// Any contents of a log object: records, fragments of records, hostile text, blank lines, noise.
fn object() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => (0_usize..5000).prop_map(|number| crate::logs::line(number).into_bytes()),
        1 => (0_usize..5000, 0_usize..300).prop_map(|(number, len)| {
            let line = crate::logs::line(number).into_bytes();
            line[..len.min(line.len())].to_vec()
        }),
        // Content that decides for another format is tested in `content.rs`.
        1 => prop::collection::vec(any::<u8>(), 0..40)
            .prop_filter("it is of another kind", |line| matches!(sniff(line), None | Some(LogFormat::S3))),
        1 => Just(b" \t\r".to_vec()),
        1 => Just(b"\xFF\xFE\" \" 200 - 1 2 3 4 \"".to_vec()),
        1 => (0_usize..5000).prop_map(|number| crate::logs::line(number).replace("curl", "c\u{e9}\0rl").into_bytes()),
        1 => (0_usize..5000).prop_map(|number| {
            let mut line = crate::logs::line(number).into_bytes();
            let middle = line.len() * 2 / 3;
            line[middle] = 0xFF;
            line
        }),
    ];
    let end = prop_oneof![3 => Just(&b"\n"[..]), 1 => Just(&b"\r\n"[..]), 1 => Just(&b"\n\n"[..])];
    let start = prop_oneof![4 => Just(&b""[..]), 1 => Just(&b"\xEF\xBB\xBF"[..])];
    (start, prop::collection::vec((piece, end), 0..30), any::<bool>()).prop_map(|(start, lines, ended)| {
        let mut bytes = start.to_vec();
        for (piece, end) in lines {
            bytes.extend_from_slice(&piece);
            bytes.extend_from_slice(end);
        }
        if !ended {
            bytes.pop();
        }
        bytes
    })
}

/// The blocks of an object that arrives in pieces of this size, with buffers of that size.
fn blocks(object: &[u8], piece: usize, buffer: usize, max_line: usize) -> Vec<Block> {
    blocks_of(&[("an object with a long name", object)], piece, buffer, max_line)
}

/// The blocks of several consecutive objects.
fn blocks_of(objects: &[(&str, &[u8])], piece: usize, buffer: usize, max_line: usize) -> Vec<Block> {
    let mut blocks = LineBlocks::new(BufferPool::new(buffer)).with_max_line(max_line);
    let mut cut = Vec::new();
    for (name, object) in objects {
        cut.extend(blocks.begin_object(*name, 0));
        for mut piece in object.chunks(piece) {
            while !piece.is_empty() {
                piece = &piece[blocks.push(piece)..];
                cut.extend(std::iter::from_fn(|| blocks.next_block()));
            }
        }
    }
    cut.extend(std::iter::from_fn(|| blocks.finish()));
    cut
}

const MAX_LINE: usize = 700;

fn logs(blocks: &[Block], columns: &[usize], layout: TextLayout) -> (RecordBatch, Counts) {
    let mut decoder = RecordsDecoder::new(Table::Logs, columns, layout).with_max_line(MAX_LINE);
    let batches: Vec<_> = blocks.iter().map(|block| decoder.decode(block).unwrap()).collect();
    // Concatenation copies views, and batches compare by value.
    (concat_batches(&decoder.schema(), &batches).unwrap(), decoder.counts())
}

fn rejects(blocks: &[Block]) -> (RecordBatch, Counts) {
    let mut decoder = RejectsDecoder::new(&[0, 1, 2, 3, 4], TextLayout::Views).with_max_line(MAX_LINE);
    let batches: Vec<_> = blocks.iter().map(|block| decoder.decode(block).unwrap()).collect();
    (concat_batches(&decoder.schema(), &batches).unwrap(), decoder.counts())
}

fn every_column() -> Vec<usize> {
    (0..LogsColumn::COUNT).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Small objects share blocks; this does not change their rows, rejects and positions.
    #[test]
    fn objects_behind_each_other_give_what_each_gives_alone(
        objects in prop::collection::vec(object(), 1..5),
        piece in 1_usize..2000,
        buffer in 1_usize..5000,
    ) {
        let names: Vec<_> = (0..objects.len()).map(|number| format!("object number {number}")).collect();
        let objects: Vec<_> = names.iter().map(String::as_str).zip(objects.iter().map(Vec::as_slice)).collect();
        let together = blocks_of(&objects, piece, buffer, MAX_LINE);
        let alone: Vec<_> =
            objects.iter().flat_map(|object| blocks_of(&[*object], usize::MAX, 1 << 16, MAX_LINE)).collect();
        // Without columns, or with only the last one, the log object, no field of a line is needed.
        for columns in [every_column(), vec![], vec![LogsColumn::COUNT - 1]] {
            for layout in [TextLayout::Views, TextLayout::Plain] {
                prop_assert_eq!(logs(&together, &columns, layout), logs(&alone, &columns, layout));
            }
        }
        prop_assert_eq!(rejects(&together), rejects(&alone));
    }

    #[test]
    fn every_line_is_a_row_or_a_reject_or_blank(object in object()) {
        let blocks = blocks(&object, object.len().max(1), 1 << 16, MAX_LINE);
        let (rows, counts) = logs(&blocks, &every_column(), TextLayout::Views);
        let (rejected, counts_of_rejects) = rejects(&blocks);
        prop_assert_eq!(counts, counts_of_rejects);
        prop_assert_eq!((rows.num_rows() as u64, rejected.num_rows() as u64), (counts.rows, counts.rejects));
        let (blank, others): (Vec<_>, Vec<_>) = Lines::new(&object).partition(|line| line.is_blank());
        prop_assert_eq!(counts.lines() + counts.headers, others.len() as u64);
        prop_assert_eq!(counts.blank_lines, blank.len() as u64);
        // Rejects have the position of their lines.
        for row in 0..rejected.num_rows() {
            let number = rejected.column(1).as_primitive::<Int64Type>().value(row);
            let offset = rejected.column(2).as_primitive::<Int64Type>().value(row);
            let line = others.iter().find(|line| line.number as i64 == number).unwrap();
            prop_assert_eq!(line.offset as i64, offset);
            let text = rejected.column(4).as_string_view().value(row);
            prop_assert!(String::from_utf8_lossy(line.bytes).starts_with(text) || line.bytes.len() > MAX_LINE);
            prop_assert!(!rejected.column(3).as_string_view().value(row).is_empty());
        }
    }

    #[test]
    fn any_chunking_gives_the_same_rows(object in object(), piece in 1_usize..900, buffer in 1_usize..2000) {
        let whole = blocks(&object, object.len().max(1), 1 << 16, MAX_LINE);
        let chunked = blocks(&object, piece, buffer, MAX_LINE);
        prop_assert_eq!(logs(&whole, &every_column(), TextLayout::Views), logs(&chunked, &every_column(), TextLayout::Views));
        prop_assert_eq!(rejects(&whole), rejects(&chunked));
    }

    #[test]
    fn projecting_then_decoding_is_decoding_then_projecting(
        object in object(),
        columns in prop::sample::subsequence(every_column(), 0..8),
    ) {
        let blocks = blocks(&object, object.len().max(1), 1 << 16, MAX_LINE);
        let (all, counts) = logs(&blocks, &every_column(), TextLayout::Views);
        let (some, counts_of_some) = logs(&blocks, &columns, TextLayout::Views);
        prop_assert_eq!(counts, counts_of_some);
        prop_assert_eq!(some.num_rows(), all.num_rows());
        if !columns.is_empty() {
            prop_assert_eq!(all.project(&columns).unwrap(), some);
        }
    }

    #[test]
    fn both_layouts_of_text_say_the_same(object in object()) {
        let blocks = blocks(&object, object.len().max(1), 1 << 16, MAX_LINE);
        let (views, _) = logs(&blocks, &every_column(), TextLayout::Views);
        let (plain, _) = logs(&blocks, &every_column(), TextLayout::Plain);
        let schema = Table::Logs.schema(TextLayout::Plain);
        for (column, field) in schema.fields().iter().enumerate() {
            let cast = arrow::compute::cast(views.column(column), field.data_type()).unwrap();
            prop_assert_eq!(&cast, plain.column(column), "{}", field.name());
        }
    }
}

#[test]
fn invalid_text_is_replaced_and_the_record_stays() {
    let mut line = crate::logs::line(3).into_bytes();
    let at = line.windows(4).position(|window| window == b"Mozi").unwrap();
    line[at] = 0xC3;
    // With enough text columns for the block to be validated as a whole, and few enough for separate validation.
    for columns in [every_column(), vec![16]] {
        let blocks = blocks(&line, line.len(), 1 << 16, 1000);
        let (batch, counts) = logs(&blocks, &columns, TextLayout::Views);
        assert_eq!(counts.rows, 1);
        let agent = batch.column_by_name("user_agent").unwrap().as_string_view();
        assert_eq!(agent.value(0), "\u{FFFD}ozilla/5.0 (X11; Linux x86_64)");
        assert_eq!(agent.null_count(), 0);
    }
}
