//! Converts the parser's results to the types of the reference.

use super::reference::RefRecord;
use s3log_parser::cdn::{Field, FieldSet, Header, Parser, Record};

/// Everything that the record returns under its projection.
pub(crate) fn owned(record: &Record<'_>) -> RefRecord {
    RefRecord {
        raw: Field::ALL.map(|field| record.raw(field).map(Into::into)),
        text: Field::ALL.map(|field| record.text(field).map(Into::into)),
        time: record.time_micros(),
        status: record.status(),
        integers: Field::ALL.map(|field| record.integer(field)),
        millis: Field::ALL.map(|field| record.millis(field)),
        seconds: Field::ALL.map(|field| record.seconds(field).map(f64::to_bits)),
        cells: record.field_count(),
    }
}

/// Parses a line with all fields; `None` if it is a reject. Checks that the parsers of all instruction sets agree.
pub(crate) fn parsed(line: &[u8], header: Option<&Header>) -> Option<RefRecord> {
    let mut found = Vec::new();
    for (kind, mut parser) in Parser::of_every_kind(FieldSet::ALL) {
        found.push((kind, parser.parse(line, header).map(|record| owned(&record))));
    }
    let (first, record) = found.remove(0);
    for (kind, other) in found {
        assert_eq!(other, record, "{kind} and {first} disagree on\n{}", line.escape_ascii());
    }
    record.ok()
}
