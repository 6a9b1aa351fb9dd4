//! Whole log objects: their lines and chunks.

use super::config;
use super::projection::field_set;
use crate::lines_of::any_line;
use crate::parsed::owned;
use crate::reference::{self, RefLine, RefRecord};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use s3log_parser::{Dialect, FieldSet, Line, Lines, Parser, Record};

/// A log object: lines of any kind, blank lines, all kinds of line endings, optionally a byte order mark or a
/// truncated end.
fn log_object() -> impl Strategy<Value = Vec<u8>> {
    let blank = select(vec![
        &b""[..],
        b" ",
        b"\t",
        b"\r",
        b" \t\r ",
        b"\x0b",
        b"\x0c",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"x\r",
    ]);
    let line = prop_oneof![2 => any_line(), 3 => blank.prop_map(<[u8]>::to_vec)];
    let end = select(vec![&b"\n"[..], b"\n", b"\r\n", b"\n\n", b"\r\r\n", b"\n\r\n"]);
    let mark = select(vec![&b""[..], b"", b"\xef\xbb\xbf", b"\xef\xbb", b"\xef\xbb\xbf\xef\xbb\xbf"]);
    (mark, vec((line, end), 0..8), any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mark, lines, cut, whole)| {
        let mut object = mark.to_vec();
        for (line, end) in lines {
            object.extend(line);
            object.extend(end);
        }
        if !whole {
            object.truncate(cut.index(object.len() + 1));
        }
        object
    })
}

fn owned_line(line: Line<'_>) -> RefLine {
    RefLine { bytes: line.bytes.into(), offset: line.offset, number: line.number, blank: line.is_blank() }
}

fn records<'a>(lines: impl Iterator<Item = Line<'a>>) -> Vec<Result<RefRecord, Vec<u8>>> {
    let mut parser = Parser::new();
    lines
        .filter(|line| !line.is_blank())
        .map(|line| parser.parse(line.bytes).map(|record| owned(&record)).map_err(|_| line.bytes.to_vec()))
        .collect()
}

proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn lines_are_the_references(object in log_object()) {
        let found: Vec<RefLine> = Lines::new(&object).map(owned_line).collect();
        prop_assert_eq!(found, reference::lines(&object));
    }

    #[test]
    fn cutting_at_a_line_feed_changes_no_record(object in log_object()) {
        let whole = records(Lines::new(&object));
        for (at, byte) in object.iter().enumerate() {
            if *byte == b'\n' {
                let (front, back) = object.split_at(at + 1);
                let mut halves = records(Lines::new(front));
                halves.extend(records(Lines::of_part(back)));
                prop_assert_eq!(&halves, &whole, "cut at {}", at);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(2048))]

    /// Parsing line by line from a buffer gives the same lines, records and errors as splitting first.
    #[test]
    fn parsing_from_line_to_line_finds_the_same(object in log_object(), wanted in field_set()) {
        for (kind, mut parser) in Parser::of_every_kind(wanted) {
            let mut reader = parser.clone();
            let mut record = Record::default();
            let mut lines = Lines::new(&object);
            for expected in Lines::new(&object) {
                let (line, parsed) = reader.parse_next(&mut lines, &mut record).expect("as many lines");
                prop_assert_eq!(line, expected, "{}", kind);
                let found = parsed.map(|()| owned(&record));
                prop_assert_eq!(found, parser.parse(line.bytes).map(|record| owned(&record)), "{}", kind);
            }
            prop_assert!(reader.parse_next(&mut lines, &mut record).is_none());
        }
    }
}

proptest! {
    #![proptest_config(config(2048))]

    /// Skipped lines are records, and all others are returned as by line-by-line parsing.
    #[test]
    fn skipping_ordinary_records_misses_nothing(
        object in log_object(),
        wanted in field_set(),
        max_line in prop_oneof![Just(usize::MAX), 0..800_usize],
        dialect in select(vec![Dialect::Auto, Dialect::Auto, Dialect::CephJournal, Dialect::VersityGw]),
    ) {
        for (kind, parser) in Parser::of_every_kind(wanted) {
            let mut parser = parser.with_dialect(dialect);
            let mut reader = parser.clone();
            let (mut record, mut skipped) = (Record::default(), Record::default());
            let (mut lines, mut skipping) = (Lines::new(&object), Lines::new(&object));
            loop {
                let (passed, other) = reader.skip_ordinary(&mut skipping, &mut skipped, max_line);
                prop_assert!(passed == 0 || dialect == Dialect::Auto);
                for _ in 0..passed {
                    let (line, parsed) = parser.parse_next(&mut lines, &mut record).expect("as many lines");
                    prop_assert!(parsed.is_ok() && line.bytes.len() <= max_line, "{}: line {}", kind, line.number);
                }
                let expected = parser.parse_next(&mut lines, &mut record);
                let expected = expected.map(|(line, parsed)| (line, parsed.map(|()| owned(&record))));
                let found = other.map(|(line, parsed)| (line, parsed.map(|()| owned(&skipped))));
                prop_assert_eq!(&found, &expected, "{}", kind);
                if found.is_none() {
                    break;
                }
            }
        }
    }
}

/// A log of ordinary records only is skipped in one call.
#[test]
fn ordinary_records_are_skipped() {
    let line = |number: u32| {
        format!(
            "o b [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT k{number} \"GET /k HTTP/1.1\" 200 - {number} - 3 4 \"-\" \"-\" -\n"
        )
    };
    let object: String = (0..1000).map(line).collect();
    for (kind, mut parser) in Parser::of_every_kind(FieldSet::EMPTY) {
        let (passed, other) = parser.skip_ordinary(&mut Lines::new(object.as_bytes()), &mut Record::default(), 200);
        assert_eq!((passed, other.is_none()), (1000, true), "{kind}");
        let (passed, other) = parser.skip_ordinary(&mut Lines::new(object.as_bytes()), &mut Record::default(), 10);
        assert!(passed == 0 && other.is_some_and(|(line, parsed)| line.number == 1 && parsed.is_ok()), "{kind}");
    }
}

#[cfg(feature = "parallel")]
proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn chunks_of_any_size_hold_the_same_lines(object in log_object(), size in 0..300_usize) {
        let mut found: Vec<RefLine> = Vec::new();
        for chunk in s3log_parser::parallel::chunks(&object, size) {
            for line in Lines::of_part(&object[chunk.clone()]) {
                let mut line = owned_line(line);
                line.offset += chunk.start;
                line.number = found.len() + 1;
                found.push(line);
            }
        }
        prop_assert_eq!(found, reference::lines(&object));
    }
}

/// Large enough for several chunks.
#[cfg(feature = "parallel")]
#[test]
fn all_cores_give_the_records_of_one() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut object = b"\xef\xbb\xbf".to_vec();
    for number in 0..400 {
        let line = any_line().new_tree(&mut runner).unwrap().current();
        object.extend(line.iter().filter(|byte| **byte != b'\n'));
        object.extend(if number % 7 == 0 { &b"\r\n \n"[..] } else { b"\n" });
    }
    let once = object.split_off(3);
    while object.len() < 3 << 20 {
        object.extend(&once);
    }

    let sequential = records(Lines::new(&object));
    let offsets: Vec<usize> = Lines::new(&object).filter(|line| !line.is_blank()).map(|line| line.offset).collect();
    let chunks = s3log_parser::parallel::fold(
        &object,
        || (Parser::new(), Vec::new(), Vec::new()),
        |(parser, records, offsets), line| {
            let record = parser.parse(line.bytes).map(|record| owned(&record)).map_err(|_| line.bytes.to_vec());
            records.push(record);
            offsets.push(line.offset);
        },
    );
    assert!(chunks.len() > 2, "one chunk proves nothing");
    let mut parallel = Vec::new();
    let mut parallel_offsets = Vec::new();
    for (_, records, offsets) in chunks {
        parallel.extend(records);
        parallel_offsets.extend(offsets);
    }
    assert!(parallel == sequential, "records differ");
    assert_eq!(parallel_offsets, offsets);
}
