//! Fuzzes the decoder with a log object: five bytes select table, columns, layout and the size of pieces; the rest is
//! the object.
//!
//! Every line is counted; pieces of any size, fewer columns, and the other text layout give the same rows; every array
//! passes Arrow's full validation, which the decoder skips.
#![no_main]

use arrow::array::{Array as _, RecordBatch, make_array};
use arrow::compute::{cast, concat_batches};
use s3log_engine::decode::{Block, BufferPool, Counts, LineBlocks, RecordsDecoder, RejectsDecoder};
use s3log_engine::schema::{Table, TextLayout};

const MAX_LINE: usize = 600;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, object)) = data.split_first_chunk::<5>() else { return };
    let mask = u32::from_le_bytes([choice[0], choice[1], choice[2], choice[3]]);
    let table = if choice[4] % 2 == 0 { Table::Logs } else { Table::Cdn };
    let every = every_column(table);
    let columns: Vec<usize> = every.iter().copied().filter(|column| mask & (1 << (column % 32)) != 0).collect();

    let whole = blocks(object, usize::MAX, 1 << 16);
    let pieces = blocks(object, usize::from(choice[4] % 97) + 1, usize::from(choice[4]) + 1);
    let (rows, counts) = records(table, &whole, &every, TextLayout::Views);
    assert_eq!((&rows, counts), (&records(table, &pieces, &every, TextLayout::Views).0, counts));

    let (some, counts_of_some) = records(table, &whole, &columns, TextLayout::Plain);
    assert_eq!(counts, counts_of_some);
    for (field, plain) in some.schema().fields().iter().zip(some.columns()) {
        let views = rows.column_by_name(field.name()).expect("it is a column of the table");
        assert_eq!(&cast(views, field.data_type()).expect("text casts to text"), plain);
    }

    let mut decoder = RejectsDecoder::new(&[0, 1, 2, 3, 4], TextLayout::Views).with_max_line(MAX_LINE);
    for block in &whole {
        validate(&decoder.decode(block).expect("arrays fit together"));
    }
    // `requests` leaves nothing to other tables. The order of its rows depends on how records of both kinds share
    // blocks.
    let (_, of_requests) = records(Table::Requests, &whole, &every_column(Table::Requests), TextLayout::Views);
    assert_eq!(decoder.counts(), of_requests);
    assert!(counts.rows <= of_requests.rows && counts.rejects <= of_requests.rejects);
});

fn every_column(table: Table) -> Vec<usize> {
    (0..table.schema(TextLayout::Views).fields().len()).collect()
}

fn blocks(object: &[u8], piece: usize, buffer: usize) -> Vec<Block> {
    let mut blocks = LineBlocks::new(BufferPool::new(buffer)).with_max_line(MAX_LINE);
    blocks.begin_object("an object with a long name", 0);
    let mut cut = Vec::new();
    for mut piece in object.chunks(piece.min(object.len().max(1))) {
        while !piece.is_empty() {
            piece = &piece[blocks.push(piece)..];
            cut.extend(std::iter::from_fn(|| blocks.next_block()));
        }
    }
    cut.extend(std::iter::from_fn(|| blocks.finish()));
    cut
}

fn records(table: Table, blocks: &[Block], columns: &[usize], layout: TextLayout) -> (RecordBatch, Counts) {
    let mut decoder = RecordsDecoder::new(table, columns, layout).with_max_line(MAX_LINE);
    let batches: Vec<_> = blocks.iter().map(|block| decoder.decode(block).expect("arrays fit together")).collect();
    batches.iter().for_each(validate);
    let schema = decoder.schema();
    let batch = if columns.is_empty() {
        RecordBatch::new_empty(schema)
    } else {
        concat_batches(&schema, &batches).expect("batches of one schema")
    };
    (batch, decoder.counts())
}

fn validate(batch: &RecordBatch) {
    for column in batch.columns() {
        column.to_data().validate_full().expect("arrays are valid");
        assert_eq!(make_array(column.to_data()).len(), batch.num_rows());
    }
}
