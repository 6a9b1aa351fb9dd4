//! The properties of all other lines, for the dialects that must be selected.

use super::config;
use super::projection::{field_set, narrowed};
use crate::lines_of::{DialectLine, any_line, flagged_line, journal_line, versity_line};
use crate::parsed::{owned, parsed, parsed_as};
use crate::reference::{self, RefRecord};
use bstr::ByteSlice;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use s3log_parser::{Dialect, Field, FieldSet, Lines, Parser, Record, is_blank};

fn any_dialect() -> impl Strategy<Value = Dialect> {
    select(&Dialect::ALL[..])
}

fn line_of_any() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => flagged_line(), 1 => any_line()]
}

fn read_as(dialect: Dialect, line: &[u8]) -> Option<RefRecord> {
    reference::read_as(dialect, line).ok().map(|reading| reading.record)
}

/// Whether the record matches what the line was made of.
fn is_made_of(record: &RefRecord, line: &DialectLine) -> bool {
    let fields =
        Field::ALL.into_iter().all(|field| record.raw[field.index()].as_deref().map(Vec::as_slice) == line.raw(field));
    fields && record.extra_fields.iter().map(|text| text.as_slice()).eq(line.extra.as_deref())
}

fn made_or_ambiguous(dialect: Dialect, line: &DialectLine) -> Result<(), TestCaseError> {
    let bytes = line.bytes();
    let Some(record) = parsed_as(dialect, &bytes) else { panic!("no record: {}", bytes.as_bstr()) };
    prop_assert!(record.ambiguous || is_made_of(&record, line), "{record:?} of\n{}", bytes.as_bstr());
    // Clients do not control the fields before the key, except for the bucket.
    for field in Field::ALL.into_iter().take(Field::Key.index()) {
        prop_assert_eq!(
            record.raw[field.index()].as_deref().map(Vec::as_slice),
            line.raw(field),
            "{}",
            bytes.as_bstr()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(8192))]

    #[test]
    fn parser_and_reference_agree(line in line_of_any(), dialect in any_dialect()) {
        let (found, expected) = (parsed_as(dialect, &line), read_as(dialect, &line));
        prop_assert_eq!(found, expected, "{} disagrees on\n{}", dialect, line.as_bstr());
    }

    /// Selecting a dialect does not change how other lines are read.
    #[test]
    fn other_lines_are_read_as_ever(line in any_line(), dialect in any_dialect()) {
        let (told, untold) = (reference::read_as(dialect, &line), reference::read(&line));
        if reference::is_of(dialect, &line) {
            return Ok(());
        }
        prop_assert_eq!(told.is_ok(), untold.is_ok());
        prop_assert_eq!(parsed_as(dialect, &line), parsed(&line), "{} of\n{}", dialect, line.as_bstr());
    }
}

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn journal_records_are_what_they_were_made_of(line in journal_line()) {
        made_or_ambiguous(Dialect::CephJournal, &line)?;
    }

    /// Whatever a client puts into key and user agent, the record is correct or marked as ambiguous.
    #[test]
    fn versity_lines_are_what_they_were_made_of(line in versity_line()) {
        made_or_ambiguous(Dialect::VersityGw, &line)?;
    }

    #[test]
    fn any_fields_give_the_same_values(line in line_of_any(), wanted in field_set(), dialect in any_dialect()) {
        let everything = Parser::new().with_dialect(dialect).parse(&line).map(|record| owned(&record));
        let expected = everything.map(|record| narrowed(record, wanted));
        for (kind, parser) in Parser::of_every_kind(wanted) {
            let mut parser = parser.with_dialect(dialect);
            prop_assert_eq!((parser.fields(), parser.dialect()), (wanted, dialect));
            // This includes errors: the reason does not depend on the projection.
            let found = parser.parse(&line).map(|record| owned(&record));
            prop_assert_eq!(&found, &expected, "{}: {:?} of\n{}", kind, wanted, line.as_bstr());
            if let Err(error) = found {
                prop_assert!(error.offset() <= line.len() && !error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn fields_are_parts_of_the_line(line in line_of_any(), wanted in field_set(), dialect in any_dialect()) {
        if let Ok(record) = Parser::with_fields(wanted).with_dialect(dialect).parse(&line) {
            let mut end = 0;
            for field in Field::ALL {
                prop_assert_eq!(record.range(field).map(|range| line[range].as_bstr()), record.raw(field));
                if let Some(range) = record.range(field) {
                    prop_assert!(range.start >= end, "{} overlaps its neighbour in\n{}", field, line.as_bstr());
                    end = range.end;
                }
            }
            let inside = line.as_ptr_range();
            for extra in record.extra_fields() {
                let extra = extra.as_ptr_range();
                prop_assert!(inside.start <= extra.start && extra.end <= inside.end);
            }
            prop_assert!(!is_blank(&line));
        }
    }

    #[test]
    fn a_record_comes_back_as_its_pieces(line in line_of_any(), wanted in field_set(), dialect in any_dialect()) {
        if let Ok(record) = Parser::with_fields(wanted).with_dialect(dialect).parse(&line) {
            let mut rendered = Vec::new();
            record.render(&mut rendered);
            let pieces = reference::read_as(dialect, &line).map(|reading| bstr::join(" ", reading.pieces));
            prop_assert_eq!(Ok(&rendered), pieces.as_ref(), "rendered from\n{}", line.as_bstr());
            let before = parsed_as(dialect, &line);
            let mut again = parsed_as(dialect, &rendered);
            if let (Some(again), Some(before)) = (again.as_mut().filter(|_| rendered != line), &before) {
                // Collapsing doubled spaces may have made the line ambiguous.
                again.ambiguous = before.ambiguous;
            }
            prop_assert_eq!(again, before, "{} is not\n{}", rendered.as_bstr(), line.as_bstr());
        }
    }
}

proptest! {
    #![proptest_config(config(1024))]

    /// Reused parsers and records, for a sequence of lines of all kinds.
    #[test]
    fn a_reused_record_forgets(lines in vec(line_of_any(), 2..6), wanted in field_set(), dialect in any_dialect()) {
        let lines: Vec<Vec<u8>> = lines.into_iter().filter(|line| !line.contains(&b'\n')).collect();
        let object = lines.join(&b'\n');
        let mut parser = Parser::with_fields(wanted).with_dialect(dialect);
        let mut record = Record::default();
        let mut rest = Lines::of_part(&object);
        while let Some((line, parsed)) = parser.parse_next(&mut rest, &mut record) {
            let reused = parsed.map(|()| owned(&record));
            let fresh = Parser::with_fields(wanted).with_dialect(dialect).parse(line.bytes).map(|record| owned(&record));
            prop_assert_eq!(reused, fresh, "{:?} of\n{}", wanted, line.bytes.as_bstr());
        }
    }
}

/// Guards against generators that only produce rejects or ambiguous records, which would prove nothing.
#[test]
fn generators_reach_records_of_every_kind_and_rejects() {
    let counts = |dialect| {
        let mut runner = crate::lines_of::deterministic();
        let mut counts = [0; 3];
        for _ in 0..2000 {
            let line = crate::lines_of::one_of(&flagged_line(), &mut runner);
            let record =
                Parser::with_fields(FieldSet::AMBIGUOUS).with_dialect(dialect).parse(&line).map(|it| it.is_ambiguous());
            counts[record.map_or(2, usize::from)] += 1;
        }
        counts
    };
    for dialect in [Dialect::CephJournal, Dialect::VersityGw] {
        let [clear, ambiguous, rejects] = counts(dialect);
        assert!(clear > 150 && ambiguous > 20 && rejects > 200, "{dialect}: {:?}", counts(dialect));
    }
}
