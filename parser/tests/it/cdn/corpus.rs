//! Real CDN logs, read from a directory next to the repository if it exists; they are not part of the repository.

use super::parsed::parsed;
use super::reference::{self, RefLine, RefRecord};
use bstr::{BStr, ByteSlice};
use s3log_parser::cdn::{Field, Header, is_directive, value};
use s3log_parser::{Lines, LogFormat, sniff};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Each file with its number of records, rejects and directives.
const FILES: [(&str, usize, usize, usize); 9] = [
    ("asaaki-single-33f-noheader.log", 1, 0, 0),
    ("asaaki-xff-escapes-33f.log", 6, 0, 2),
    ("awswaf-19f-synthetic.log", 152, 0, 1),
    ("rkalla-2011-12f.log", 100, 0, 2),
    // Cells are separated by spaces; CloudFront does not write this.
    ("snowplow-2013-10-15f-double-enc-spaces.log", 0, 1, 0),
    ("snowplow-2014-04-19f.log", 1, 0, 0),
    // The status is `/200`.
    ("snowplow-2018-01-26f.log", 0, 1, 0),
    ("snowplow-header-only-12f.log", 0, 0, 2),
    ("webreadr-2016-23f.log", 2, 0, 2),
];

/// The directory of the corpus, if it exists.
fn corpus() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/cdn");
    if directory.is_dir() { Some(directory) } else { None }
}

fn expectation(directory: &Path, file: &str) -> Value {
    let bytes = fs::read(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn records(directory: &Path, file: &str) -> Vec<RefRecord> {
    let bytes = fs::read(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut header = None;
    let mut found = Vec::new();
    for line in Lines::new(&bytes) {
        header = Header::parse(line.bytes).or(header);
        found.extend(parsed(line.bytes, header.as_ref()));
    }
    found
}

fn text(record: &RefRecord, field: Field) -> Option<&BStr> {
    record.text[field.index()].as_ref().map(|text| text.as_bstr())
}

#[test]
fn every_line_is_what_the_reference_says() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real CDN logs beside the repository");
        return;
    };
    let mut found = Vec::new();
    for (file, ..) in FILES {
        let bytes = fs::read(directory.join(file)).unwrap();
        let expected = reference::object(&bytes);
        let mut header = None;
        let (mut records, mut rejects, mut directives) = (0, 0, 0);
        for (line, expected) in Lines::new(&bytes).zip(expected) {
            let record = parsed(line.bytes, header.as_ref());
            let is_blank = line.is_blank();
            if expected != RefLine::Blank && expected != RefLine::Reject {
                // A lone `#` may be a comment in any format.
                let decides = line.bytes != b"#";
                assert_eq!(sniff(line.bytes), decides.then_some(LogFormat::Cdn), "{file}, line {}", line.number);
            }
            match &expected {
                RefLine::Record(record) => {
                    assert!(record.millis.iter().all(|millis| millis.is_none_or(|it| it < 600_000)))
                }
                RefLine::Directive => header = Header::parse(line.bytes).or(header),
                RefLine::Blank | RefLine::Reject => {}
            }
            let is_directive = is_directive(line.bytes);
            records += usize::from(record.is_some());
            directives += usize::from(is_directive);
            rejects += usize::from(record.is_none() && !is_directive && !is_blank);
            let line_of = |record: RefRecord| RefLine::Record(Box::new(record));
            let found = match record {
                Some(record) => line_of(record),
                None if is_blank => RefLine::Blank,
                None if is_directive => RefLine::Directive,
                None => RefLine::Reject,
            };
            assert_eq!(found, expected, "{file}, line {}", line.number);
        }
        found.push((file, records, rejects, directives));
    }
    assert_eq!(found, FILES);
}

#[test]
fn what_asaaki_expects() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real CDN logs beside the repository");
        return;
    };
    let expected = expectation(&directory, "asaaki-single-33f-noheader.expected.json");
    let [record] = &records(&directory, "asaaki-single-33f-noheader.log")[..] else { panic!("one record") };
    let date_and_time = format!("{}\t{}", expected["date"].as_str().unwrap(), expected["time"].as_str().unwrap());
    assert_eq!(text(record, Field::Time), Some(BStr::new(&date_and_time)));
    assert_eq!(record.integers[Field::ScBytes.index()], expected["sc_bytes"].as_i64());
    assert_eq!(record.integers[Field::ScContentLen.index()], expected["sc_content_len"].as_i64());
    assert_eq!(record.millis[Field::TimeTaken.index()], expected["time_taken_ms"].as_i64());
    for (name, field) in
        [("c_ip", Field::CIp), ("cs_protocol", Field::CsProtocol), ("x_forwarded_for", Field::XForwardedFor)]
    {
        assert_eq!(text(record, field), expected[name].as_str().map(BStr::new), "{name}");
    }

    let expected = expectation(&directory, "asaaki-xff-escapes-33f.expected.json");
    let records = records(&directory, "asaaki-xff-escapes-33f.log");
    assert_eq!(expected["valid_rows"], records.len());
    assert!(
        records.iter().any(|record| text(record, Field::XForwardedFor).is_some_and(|text| text.contains_str("\\x20")))
    );
}

#[test]
fn what_webreadr_expects() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real CDN logs beside the repository");
        return;
    };
    let expected = expectation(&directory, "webreadr-2016-23f.expected.json");
    let records = records(&directory, "webreadr-2016-23f.log");
    assert_eq!(expected["nrow"], records.len());
    let columns = records[0].raw.iter().filter(|raw| raw.is_some()).count();
    assert_eq!(expected["ncol_after_merging_date_and_time"], columns);
}

/// Snowplow's expectations are about its own events; only time and user agent come from the log.
#[test]
fn what_snowplow_expects() {
    let Some(directory) = corpus() else {
        eprintln!("skipped: no corpus of real CDN logs beside the repository");
        return;
    };
    let expected = expectation(&directory, "snowplow-2014-04-19f.expected.json");
    let row: Vec<_> = expected["row"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let [record] = &records(&directory, "snowplow-2014-04-19f.log")[..] else { panic!("one record") };
    let time = text(record, Field::Time).unwrap().to_str().unwrap().replace('\t', " ");
    assert!(row.contains(&format!("{time}.000").as_str()));
    let user_agent = value::user_agent(record.text[Field::CsUserAgent.index()].as_ref().unwrap()).into_owned();
    assert!(row.contains(&user_agent.to_str().unwrap()));
}
