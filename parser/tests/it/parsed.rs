//! What the parser says of a line, in the words of the reference.

use crate::reference::{INTEGERS, RefRecord};
use s3log_parser::{Dialect, Field, FieldSet, Lines, Parser, Record};

/// Everything that the record answers, as far as its parser was asked for it.
pub(crate) fn owned(record: &Record<'_>) -> RefRecord {
    RefRecord {
        raw: Field::ALL.map(|field| record.raw(field).map(Into::into)),
        text: Field::ALL.map(|field| record.text(field).map(Into::into)),
        time: record.time(),
        http_status: record.http_status(),
        integers: INTEGERS.map(|field| record.integer(field)),
        acl_required: record.acl_required(),
        extra_fields: record.extra_fields().map(Into::into).collect(),
        ambiguous: record.is_ambiguous(),
        object_key: record.object_key().map(|key| key.into_owned()),
    }
}

/// The record of a line, if it is one, with every field.
pub(crate) fn parsed(line: &[u8]) -> Option<RefRecord> {
    parsed_as(Dialect::Auto, line)
}

/// The same of a line that may be of this dialect. Asks a parser for every set of instructions, by itself and in front of another
/// line; they must agree.
pub(crate) fn parsed_as(dialect: Dialect, line: &[u8]) -> Option<RefRecord> {
    let mut kinds = Parser::of_every_kind(FieldSet::ALL).into_iter();
    let mut ask = || {
        kinds.next().map(|(kind, parser)| {
            let mut parser = parser.with_dialect(dialect);
            let alone = parser.parse(line).ok().map(|record| owned(&record));
            if !line.contains(&b'\n') && !line.ends_with(b"\r") {
                // With so much behind it, all of it is looked at as what stands in the middle of a log object is.
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
