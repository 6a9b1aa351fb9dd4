//! The parser reads what the generator writes.

use s3log_benches::generate::{Generator, Options};
use s3log_parser::{Field, Lines, Parser};

const LINES: usize = 20_000;

fn buffer(options: &Options) -> Vec<u8> {
    let mut generator = Generator::new(options);
    let mut out = Vec::new();
    for _ in 0..LINES {
        generator.line(&mut out);
    }
    out
}

#[test]
fn every_ordinary_line_is_an_unambiguous_record_with_the_fields_of_its_year() {
    for (year, fields) in [(2006, 17), (2018, 18), (2019, 24), (2021, 25), (2022, 26), (2026, 27)] {
        let buffer = buffer(&Options { year, ..Options::default() });
        let mut parser = Parser::new();
        for line in Lines::new(&buffer) {
            let record = parser.parse(line.bytes).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            assert!(!record.is_ambiguous(), "{line:?}");
            assert_eq!(record.field_count(), fields, "{line:?}");
            assert!(record.time_seconds().is_some());
        }
    }
}

#[test]
fn only_spliced_lines_are_rejected_and_forged_ones_are_ambiguous() {
    let buffer = buffer(&Options { hostile_percent: 100.0, ..Options::default() });
    let mut parser = Parser::new();
    let (mut rejects, mut ambiguous) = (0, 0);
    for line in Lines::new(&buffer) {
        match parser.parse(line.bytes) {
            Ok(record) => ambiguous += usize::from(record.is_ambiguous()),
            Err(_) => rejects += 1,
        }
    }
    // One in twelve is spliced, and some of these are rejects.
    assert!(rejects > 0 && rejects < LINES / 12 * 11 / 10, "{rejects}");
    // Three in twelve (forged status, forged agent, a record in the agent), less the lines without a client.
    assert!((LINES / 5..LINES / 3).contains(&ambiguous), "{ambiguous}");
}

#[test]
fn populations_have_their_weights() {
    let buffer = buffer(&Options::default());
    let mut parser = Parser::new();
    let mut share = |field: Field, value: &str| {
        let hits = Lines::new(&buffer).filter(|line| {
            parser.parse(line.bytes).is_ok_and(|record| record.text(field).is_some_and(|text| text == value))
        });
        hits.count() * 1000 / LINES
    };
    assert!((600..640).contains(&share(Field::Operation, "REST.GET.OBJECT")));
    assert!((37..50).contains(&share(Field::HttpStatus, "403")));
    assert!((235..265).contains(&share(Field::Bucket, "media-prod")));
}
