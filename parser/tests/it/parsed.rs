//! Converts the parser's results to the types of the reference.

use crate::reference::{INTEGERS, RefRecord};
use s3log_parser::{Dialect, Field, FieldSet, Lines, Parser, Record};

/// Everything that the record returns under its projection.
pub(crate) fn owned(record: &Record<'_>) -> RefRecord {
    RefRecord {
        raw: Field::ALL.map(|field| record.raw(field).map(Into::into)),
        text: Field::ALL.map(|field| record.text(field).map(Into::into)),
        time: record.time_seconds(),
        http_status: record.http_status(),
        integers: INTEGERS.map(|field| record.integer(field)),
        acl_required: record.acl_required(),
        extra_fields: record.extra_fields().map(Into::into).collect(),
        ambiguous: record.is_ambiguous(),
        object_key: record.object_key().map(|key| key.into_owned()),
    }
}

/// Parses a line with all fields; `None` if it is a reject.
pub(crate) fn parsed(line: &[u8]) -> Option<RefRecord> {
    parsed_as(Dialect::Auto, line)
}

/// Like [`parsed`], with a dialect. Checks that the parsers of all instruction sets agree, for the line alone and for
/// the line followed by another one.
pub(crate) fn parsed_as(dialect: Dialect, line: &[u8]) -> Option<RefRecord> {
    let mut kinds = Parser::of_every_kind(FieldSet::ALL).into_iter();
    let mut ask = || {
        kinds.next().map(|(kind, parser)| {
            let mut parser = parser.with_dialect(dialect);
            let alone = parser.parse(line).ok().map(|record| owned(&record));
            if !line.contains(&b'\n') && !line.ends_with(b"\r") {
                // With this many bytes after it, the line is processed in full chunks, as in the middle of a log
                // object.
                let object = [line, b"\n", &[b'9'; 128]].concat();
                let mut record = Record::default();
                let next = parser.parse_next(&mut Lines::of_part(&object), &mut record);
                let found = next.and_then(|(_, parsed)| parsed.ok()).map(|()| owned(&record));
                assert_eq!(found, alone, "{kind} by itself and in a log object\n{}", line.escape_ascii());
            }
            (kind, alone)
        })
    };
    let (first, record) = ask()?;
    while let Some((kind, other)) = ask() {
        assert_eq!(other, record, "{kind} and {first} disagree on\n{}", line.escape_ascii());
    }
    record
}
