//! Real logs, read from a directory next to the repository if it exists; they are not part of the repository.

use crate::parsed::parsed;
use crate::reference::{self, RefRecord};
use bstr::{BStr, ByteSlice};
use s3log_parser::{Field, Lines};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Each file with its number of records and rejects.
const FILES: [(&str, usize, usize); 13] = [
    ("aws-clo.log", 6, 0),
    ("cloud-integration-s3a-2021.log", 42, 0),
    ("cloud-integration-scala.log", 9, 0),
    ("digitalcorpora-2020.log", 67, 0),
    ("digitalcorpora-s3-log.log", 10, 0),
    ("digitalcorpora-weblog_test.log", 2, 0),
    ("hadoop-s3a-audit-sampleLog1.log", 36, 0),
    ("joswr1ght-s3logparse.log", 5, 0),
    ("lnav-s3_log.log", 2, 0),
    ("opensearch-catalog-amazon-s3.log", 18, 0),
    ("request-log-analyzer-spec.log", 3, 0),
    ("request-log-analyzer.log", 8, 0),
    ("suhaibaffan-rust.log", 3, 0),
];

/// The directory of the corpus, if it exists.
fn corpus() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/s3");
    if directory.is_dir() { Some(directory) } else { None }
}

/// Expected values taken from the test suite of the project that a log comes from.
fn expectations(directory: &Path, file: &str) -> Vec<Value> {
    let bytes = fs::read(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn record_of(line: &str) -> RefRecord {
    parsed(line.as_bytes()).unwrap_or_else(|| panic!("no record: {line}"))
}

fn text(record: &RefRecord, field: Field) -> Option<&BStr> {
    record.text(field).map(ByteSlice::as_bstr)
}

#[test]
fn every_line_is_what_the_reference_says() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real logs beside the repository");
        return;
    };
    let mut found = Vec::new();
    for (file, ..) in FILES {
        let bytes = fs::read(directory.join(file)).unwrap();
        let (mut records, mut rejects) = (0, 0);
        for line in Lines::new(&bytes).filter(|line| !line.is_blank()) {
            let record = parsed(line.bytes);
            let reading = reference::read(line.bytes).ok().map(|reading| reading.record);
            assert_eq!(record, reading, "{file}, line {}", line.number);
            match record {
                Some(record) => {
                    assert!(!record.ambiguous, "{file}, line {}", line.number);
                    records += 1;
                }
                None => rejects += 1,
            }
        }
        found.push((file, records, rejects));
    }
    assert_eq!(found, FILES);
}

#[test]
fn what_request_log_analyzer_expects() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real logs beside the repository");
        return;
    };
    for entry in expectations(&directory, "request-log-analyzer-spec.expected.json") {
        let record = record_of(entry["line"].as_str().unwrap());
        let expected = entry["expected"].as_object().unwrap();
        assert_eq!(expected.len(), 17);
        for (name, value) in expected {
            let field = match name.as_str() {
                "turnaround_time" => Field::TurnAroundTime,
                "timestamp" => Field::Time,
                name => Field::from_name(name).unwrap(),
            };
            match field {
                // `20061006014214`, in the time zone of the line, which is UTC.
                Field::Time => {
                    let digits = value.to_string();
                    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
                    let month = months[digits[4..6].parse::<usize>().unwrap() - 1];
                    let (year, day) = (&digits[..4], &digits[6..8]);
                    let (hour, minute, second) = (&digits[8..10], &digits[10..12], &digits[12..]);
                    let written = format!("{day}/{month}/{year}:{hour}:{minute}:{second} +0000");
                    assert_eq!(text(&record, field), Some(written.as_bytes().as_bstr()));
                }
                Field::HttpStatus => assert_eq!(record.http_status.map(u64::from), value.as_u64()),
                // Rule 3: `-` is NULL here, while the source has 0.
                Field::BytesSent | Field::ObjectSize => {
                    assert_eq!(
                        record.integers[field.index() - Field::BytesSent.index()].unwrap_or(0),
                        value.as_i64().unwrap()
                    );
                }
                // The source counts in seconds, and has 0 for `-`.
                Field::TotalTime | Field::TurnAroundTime => {
                    let milliseconds = record.integers[field.index() - Field::BytesSent.index()].unwrap_or(0);
                    assert_eq!(milliseconds as f64 / 1000.0, value.as_f64().unwrap());
                }
                // Rule 3: `-` is NULL here, while the source keeps it.
                Field::Requester => assert_eq!(text(&record, field).unwrap_or("-".into()), value.as_str().unwrap()),
                _ => assert_eq!(text(&record, field), value.as_str().map(BStr::new), "{name}"),
            }
        }
    }
}

#[test]
fn what_digitalcorpora_expects() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real logs beside the repository");
        return;
    };
    let mut compared = 0;
    for entry in expectations(&directory, "digitalcorpora-weblog_test.expected.json") {
        let record = record_of(entry["line"].as_str().unwrap());
        for (name, value) in entry["assertions"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            let bare = value.trim_matches('\'');
            compared += 1;
            match name.as_str() {
                // `datetime.datetime(2021,2,19,18,24,7,tzinfo=tzutc())`.
                "dtime" => {
                    assert_eq!(value, "datetime.datetime(2021,2,19,18,24,7,tzinfo=tzutc())");
                    assert_eq!(record.time, Some(1_613_759_047));
                }
                "bytes_sent" => assert_eq!(record.integers[0], bare.parse().ok()),
                "object_size" => assert_eq!(record.integers[1], bare.parse().ok()),
                // The source replaces the dots of an operation by underscores; the format has dots.
                "operation" => {
                    assert_eq!(text(&record, Field::Operation), Some(bare.replace('_', ".").as_bytes().as_bstr()))
                }
                name => assert_eq!(text(&record, Field::from_name(name).unwrap()), Some(bare.as_bytes().as_bstr())),
            }
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn what_hadoop_expects() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real logs beside the repository");
        return;
    };
    let expected = expectations(&directory, "hadoop-s3a-audit-sampleLog1.expected.json");
    let expected = &expected[0]["expected"];
    let bytes = fs::read(directory.join("hadoop-s3a-audit-sampleLog1.log")).unwrap();
    let records: Vec<_> = Lines::new(&bytes).filter_map(|line| parsed(line.bytes)).collect();
    assert_eq!(expected["records_per_file"], records.len());
    let referers = records.iter().filter(|record| record.text(Field::Referer).is_some()).count();
    assert_eq!(expected["records_with_referrer_per_file"], referers);
}
