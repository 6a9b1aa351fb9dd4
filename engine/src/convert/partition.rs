//! Partitions of a dataset, and splitting batches by partition.

use super::stable_hash::stable_hash;
use crate::error::{Error, ErrorKind};
use crate::time_units::MICROS_PER_DAY;
use arrow::array::types::TimestampMicrosecondType;
use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, StringViewArray, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// What Hive writes for NULL.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Maximum length of a file name in bytes, on common file systems.
const MAX_FOLDER: usize = 255;

/// A partition: a day in UTC, and a bucket if the dataset is partitioned by bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition {
    /// Days since 1970-01-01.
    pub(crate) day: i64,
    pub(crate) bucket: OfBucket,
}

/// The value of the partition column `bucket`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OfBucket {
    /// Not partitioned by bucket.
    Any,
    /// The bucket is NULL.
    Null,
    /// The bucket with this name.
    Named(Arc<str>),
}

impl Partition {
    /// The directory relative to the dataset, with a trailing slash.
    pub(crate) fn directory(&self) -> String {
        let day = i32::try_from(self.day).ok().and_then(arrow::temporal_conversions::date32_to_datetime);
        let mut path = match day {
            Some(day) => format!("day={}/", day.date()),
            None => format!("day={NULL_PARTITION}/"),
        };
        match &self.bucket {
            OfBucket::Any => {}
            OfBucket::Null => path.push_str(&format!("bucket={NULL_PARTITION}/")),
            OfBucket::Named(name) => {
                path.push_str(&folder_of(name));
                path.push('/');
            }
        }
        path
    }
}

/// The folder of a bucket. A name that is too long is truncated and made distinct by a hash, since no bucket name in a
/// log may make a run fail. Names are always read from the rows, never from folders, so even a collision does no harm.
/// `~` only occurs in truncated names: otherwise it is encoded.
fn folder_of(bucket: &str) -> String {
    let mut folder = "bucket=".to_owned();
    encode(bucket, &mut folder);
    if folder.len() <= MAX_FOLDER {
        return folder;
    }
    let tail = format!("~{:016x}", stable_hash(bucket));
    let mut folder = "bucket=".to_owned();
    for letter in bucket.chars() {
        let before = folder.len();
        encode(letter.encode_utf8(&mut [0; 4]), &mut folder);
        if folder.len() + tail.len() > MAX_FOLDER {
            folder.truncate(before);
            break;
        }
    }
    folder + &tail
}

/// Percent-encodes everything that a file system or tool might treat specially.
fn encode(name: &str, path: &mut String) {
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => path.push(char::from(byte)),
            _ => {
                // Writing to a `String` never fails.
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
}

/// Rows of one partition.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) partition: Partition,
    pub(super) batch: RecordBatch,
}

/// The column `time`, in microseconds since the Unix epoch.
pub(super) fn times(batch: &RecordBatch) -> Result<ScalarBuffer<i64>, Error> {
    let column = batch.column_by_name("time").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    match column {
        Some(times) => Ok(times.values().clone()),
        None => Err(Error::new(ErrorKind::Internal, "a batch has no time in microseconds")),
    }
}

/// Splits a batch by partition, in order of first occurrence. A batch of a single partition, as almost all are, is
/// returned unchanged. Otherwise the text of each part is copied, since it would keep the whole block in memory.
pub(super) fn split(batch: RecordBatch, by_bucket: bool) -> Result<Vec<Part>, Error> {
    let times = times(&batch)?;
    let Some((first, last)) = bounds(&times) else { return Ok(Vec::new()) };
    let buckets = match by_bucket {
        true => Some(buckets(&batch)?.clone()),
        false => None,
    };
    let is_one_day = first.div_euclid(MICROS_PER_DAY) == last.div_euclid(MICROS_PER_DAY);
    let is_one_bucket = buckets.as_ref().is_none_or(|buckets| {
        let first = of_bucket(buckets, 0);
        (1..buckets.len()).all(|row| of_bucket(buckets, row) == first)
    });
    if is_one_day && is_one_bucket {
        let partition =
            partition(first.div_euclid(MICROS_PER_DAY), buckets.as_ref().map(|buckets| of_bucket(buckets, 0)));
        return Ok(vec![Part { partition, batch }]);
    }
    let mut positions: HashMap<(i64, Option<Option<&str>>), usize> = HashMap::new();
    let mut found: Vec<(Partition, Vec<u32>)> = Vec::new();
    for (row, time) in times.iter().enumerate() {
        let day = time.div_euclid(MICROS_PER_DAY);
        let bucket = buckets.as_ref().map(|buckets| of_bucket(buckets, row));
        let position = *positions.entry((day, bucket)).or_insert_with(|| {
            found.push((partition(day, bucket), Vec::new()));
            found.len() - 1
        });
        found[position].1.push(row as u32);
    }
    let part = |(partition, rows): (Partition, Vec<u32>)| {
        let rows = UInt32Array::from(rows);
        let columns = batch.columns().iter().map(|column| take(column, &rows, None).and_then(compacted));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(Part { partition, batch: RecordBatch::try_new(batch.schema(), columns)? })
    };
    found.into_iter().map(part).collect()
}

/// Copies the text of a column of views, so that it no longer shares buffers.
pub(super) fn compacted(column: ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    match column.data_type() {
        DataType::Utf8View => Ok(Arc::new(column.as_string_view().gc())),
        DataType::List(item) if item.data_type() == &DataType::Utf8View => {
            let list = column.as_list::<i32>();
            let values = Arc::new(list.values().as_string_view().gc());
            let (item, offsets, nulls) = (Arc::clone(item), list.offsets().clone(), list.nulls().cloned());
            Ok(Arc::new(arrow::array::ListArray::try_new(item, offsets, values, nulls)?))
        }
        _ => Ok(column),
    }
}

/// Minimum and maximum.
pub(super) fn bounds(times: &[i64]) -> Option<(i64, i64)> {
    let first = *times.first()?;
    Some(times.iter().fold((first, first), |(least, greatest), time| (least.min(*time), greatest.max(*time))))
}

fn buckets(batch: &RecordBatch) -> Result<&StringViewArray, Error> {
    let buckets = batch.column_by_name("bucket").and_then(|column| column.as_string_view_opt());
    buckets.ok_or_else(|| Error::new(ErrorKind::Internal, "a batch has no buckets"))
}

fn of_bucket(buckets: &StringViewArray, row: usize) -> Option<&str> {
    buckets.is_valid(row).then(|| buckets.value(row))
}

fn partition(day: i64, bucket: Option<Option<&str>>) -> Partition {
    let bucket = match bucket {
        None => OfBucket::Any,
        Some(None) => OfBucket::Null,
        Some(Some(name)) => OfBucket::Named(name.into()),
    };
    Partition { day, bucket }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::testing::{batch_of, line};
    use s3log_parser::Field;

    #[test]
    fn directories_are_those_of_hive() {
        let cases = [
            (0, OfBucket::Any, "day=1970-01-01/"),
            (-1, OfBucket::Any, "day=1969-12-31/"),
            (20_780, OfBucket::Named("photos".into()), "day=2026-11-23/bucket=photos/"),
            (20_780, OfBucket::Named("a/b=c %\u{e9}..".into()), "day=2026-11-23/bucket=a%2Fb%3Dc%20%25%C3%A9../"),
            (20_780, OfBucket::Null, "day=2026-11-23/bucket=__HIVE_DEFAULT_PARTITION__/"),
        ];
        for (day, bucket, directory) in cases {
            assert_eq!(Partition { day, bucket }.directory(), directory);
        }
    }

    #[test]
    fn overlong_names_are_cut_and_told_apart() {
        let folder = |name: &str| Partition { day: 0, bucket: OfBucket::Named(name.into()) }.directory();
        let cases = [
            ("A".repeat(248), format!("{}/", "A".repeat(248))),
            ("A".repeat(300), format!("{}~6549735887de3055/", "A".repeat(231))),
            (format!("{}B", "A".repeat(299)), format!("{}~44362e90d87b623f/", "A".repeat(231))),
            // Not within a character.
            ("\u{e9}".repeat(60), format!("{}~1c4fd26361bfdc81/", "%C3%A9".repeat(38))),
        ];
        for (name, expected) in cases {
            assert_eq!(folder(&name), format!("day=1970-01-01/bucket={expected}"));
        }
        let longest = ["A".repeat(249), "=".repeat(1000), "\u{1f600}".repeat(64)];
        for name in longest {
            let path = folder(&name);
            assert!(path.split('/').all(|part| part.len() <= 255), "{path}");
            assert!(path.contains('~'), "{path}");
        }
        assert_eq!(folder("a~b"), "day=1970-01-01/bucket=a%7Eb/");
    }

    fn directories(batch: &RecordBatch, by_bucket: bool) -> Vec<(String, usize)> {
        let parts = split(batch.clone(), by_bucket).unwrap();
        parts.iter().map(|part| (part.partition.directory(), part.batch.num_rows())).collect()
    }

    #[test]
    fn batches_are_cut_by_day_and_bucket() {
        let midnight = 20_780 * 86_400;
        let lines =
            [(midnight - 1, "a"), (midnight, "a"), (midnight - 1, "b"), (midnight + 86_399, "a"), (midnight, "-")];
        let text: String = lines.iter().enumerate().map(|(id, (time, bucket))| line(*time, bucket, id)).collect();
        let batch = batch_of(&text);
        let days = [("day=2026-11-22/".to_owned(), 2), ("day=2026-11-23/".to_owned(), 3)];
        assert_eq!(directories(&batch, false), days);
        let expected = [
            ("day=2026-11-22/bucket=a/", 1),
            ("day=2026-11-23/bucket=a/", 2),
            ("day=2026-11-22/bucket=b/", 1),
            ("day=2026-11-23/bucket=__HIVE_DEFAULT_PARTITION__/", 1),
        ];
        assert_eq!(directories(&batch, true), expected.map(|(path, rows)| (path.to_owned(), rows)));
        assert_eq!(directories(&batch.slice(0, 0), true), []);
    }

    #[test]
    fn a_batch_of_one_partition_stays_as_it_is_and_others_let_go_of_the_block() {
        let long = "a-bucket-with-a-name-of-more-than-twelve-bytes";
        let midnight = 20_780 * 86_400;
        let whole = batch_of(&[line(midnight, long, 0), line(midnight + 1, long, 1)].concat());
        let parts = split(whole.clone(), true).unwrap();
        let text = |batch: &RecordBatch| batch.column(Field::Bucket.index()).as_string_view().value(0).as_ptr();
        assert_eq!(text(&parts[0].batch), text(&whole));
        let whole = batch_of(&[line(midnight, long, 0), line(midnight - 1, long, 1)].concat());
        let parts = split(whole.clone(), true).unwrap();
        assert_eq!(parts.len(), 2);
        assert_ne!(text(&parts[0].batch), text(&whole));
    }
}
