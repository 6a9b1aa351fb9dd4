//! Lines and batches for tests.

use super::rows::Rows;
use crate::decode::{Block, RecordsDecoder};
use crate::schema::{LogsColumn, Table, TextLayout};
use arrow::array::types::TimestampMicrosecondType;
use arrow::array::{AsArray as _, RecordBatch};
use s3log_parser::Field;

/// A line with this time, in seconds since the Unix epoch, and a number as its id.
pub(super) fn line(time: i64, bucket: &str, id: usize) -> String {
    let time = arrow::temporal_conversions::timestamp_s_to_datetime(time).unwrap().format("%d/%b/%Y:%H:%M:%S +0000");
    format!(
        "a1b2 {bucket} [{time}] 192.0.2.3 - ID{id} REST.GET.OBJECT photos/a-key-of-some-length-{id}%2520 \
         \"GET /photos/a-key-of-some-length-{id}%2520 HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"curl/8.4.0\" -\n"
    )
}

/// The records of these lines.
pub(super) fn batch_of(lines: &str) -> RecordBatch {
    let columns: Vec<_> = (0..LogsColumn::COUNT).collect();
    let block = Block::new("log", bytes::Bytes::copy_from_slice(lines.as_bytes()));
    RecordsDecoder::new(Table::Logs, &columns, TextLayout::Views).decode(&block).unwrap()
}

/// Times in microseconds and ids of rows.
pub(super) fn ids(rows: &Rows) -> Vec<(i64, String)> {
    let times = rows.column(Field::Time.index()).unwrap();
    let ids = rows.column(Field::RequestId.index()).unwrap();
    let times = times.iter().flat_map(|array| array.as_primitive::<TimestampMicrosecondType>().values().to_vec());
    let ids =
        ids.iter().flat_map(|array| array.as_string_view().iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>());
    times.zip(ids).collect()
}
