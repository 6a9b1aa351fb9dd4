//! Rows as text, to compare two sides.

use std::collections::BTreeMap;

use arrow::array::AsArray as _;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows with their number of occurrences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows(BTreeMap<String, usize>);

/// Number of differences in a message.
const TOLD: usize = 5;

impl Rows {
    /// Adds rows, restricted to these columns.
    pub(super) fn add(&mut self, batches: &[RecordBatch], columns: &[String]) {
        let options = FormatOptions::new().with_null("\u{0}");
        for batch in batches {
            let arrays = columns.iter().map(|name| {
                batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name} in {}", batch.schema()))
            });
            let formatters: Vec<_> = arrays.map(|array| ArrayFormatter::try_new(array, &options).unwrap()).collect();
            let key = batch.column_by_name("key").map(|keys| ArrayFormatter::try_new(keys, &options).unwrap());
            for row in 0..batch.num_rows() {
                let text: Vec<String> = columns
                    .iter()
                    .zip(&formatters)
                    .map(|(name, values)| {
                        let value = values.value(row).to_string();
                        // In dataset files it is NULL where it equals the key.
                        match (name.as_str(), value.as_str(), &key) {
                            ("object_key", "\u{0}", Some(key)) => format!("{name}={}", key.value(row)),
                            _ => format!("{name}={value}"),
                        }
                    })
                    .collect();
                *self.0.entry(text.join(" ")).or_default() += 1;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().sum()
    }

    /// The number of distinct rows.
    pub(super) fn distinct(&self) -> usize {
        self.0.len()
    }

    /// The rows that meet a condition.
    pub(super) fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(row, _)| keep(row)).map(|(row, count)| (row.clone(), *count)).collect())
    }

    pub(super) fn by_log_object(&self) -> BTreeMap<&str, Vec<(&str, usize)>> {
        let mut objects: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
        for (row, count) in &self.0 {
            objects.entry(log_object(row)).or_default().push((row, *count));
        }
        objects
    }

    /// Describes rows that occur too often or too rarely; `None` if both sides are equal.
    pub(super) fn difference(&self, expected: &Self) -> Option<String> {
        let count = |rows: &Self, row: &str| rows.0.get(row).copied().unwrap_or(0);
        let all: std::collections::BTreeSet<&String> = self.0.keys().chain(expected.0.keys()).collect();
        let wrong: Vec<String> = all
            .into_iter()
            .filter(|row| count(self, row) != count(expected, row))
            .map(|row| format!("{} times instead of {}: {row}", count(self, row), count(expected, row)))
            .collect();
        (!wrong.is_empty()).then(|| {
            let told = wrong.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("\n  ");
            format!("{} rows instead of {}, {} wrong:\n  {told}", self.len(), expected.len(), wrong.len())
        })
    }
}

fn log_object(row: &str) -> &str {
    let rest = row.split_once("log_object=").map_or("", |(_, rest)| rest);
    rest.split(' ').next().unwrap_or_default()
}

/// The columns of a batch, sorted by name, because two sides may have different orders.
pub(super) fn columns_of(batch: &RecordBatch) -> Vec<String> {
    let mut names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    names.sort();
    names
}

pub(super) fn batches(bytes: Bytes) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

/// Checks that a data file is sorted by time and only contains records of its day.
pub(super) fn check_times(name: &str, day: &str, batches: &[RecordBatch]) {
    let mut times = Vec::new();
    for batch in batches {
        let time = batch.column_by_name("time").unwrap();
        assert!(
            matches!(time.data_type(), DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC"),
            "{name}: {}",
            time.data_type()
        );
        times.extend(time.as_primitive::<TimestampMicrosecondType>().values().iter().copied());
    }
    assert!(!times.is_empty(), "{name} holds nothing");
    assert!(times.is_sorted(), "{name} is not sorted by time");
    for time in [times.first(), times.last()].into_iter().flatten() {
        let time = chrono::DateTime::from_timestamp_micros(*time).unwrap();
        assert_eq!(time.format("%Y-%m-%d").to_string(), day, "{name} holds a record of {time}");
    }
}
