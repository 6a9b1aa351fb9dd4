//! A projection does not change the requested values and returns nothing else.

use super::config;
use crate::lines_of::any_line;
use crate::parsed::owned;
use crate::reference::{INTEGERS, RefRecord};
use bstr::ByteSlice;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use s3log_parser::{Field, FieldSet, Parser, Record};

/// Any combination of fields, extra fields and ambiguity.
pub(super) fn field_set() -> impl Strategy<Value = FieldSet> {
    let fields = prop_oneof![
        1 => subsequence(Field::ALL.to_vec(), 0..=2),
        1 => subsequence(Field::ALL.to_vec(), 0..=Field::COUNT),
    ];
    (fields, any::<bool>(), any::<bool>()).prop_map(|(fields, extra, ambiguous)| {
        let mut set: FieldSet = fields.into_iter().collect();
        if extra {
            set = set | FieldSet::EXTRA_FIELDS;
        }
        if ambiguous {
            set = set | FieldSet::AMBIGUOUS;
        }
        set
    })
}

/// The record as it must be under a projection.
pub(super) fn narrowed(mut record: RefRecord, wanted: FieldSet) -> RefRecord {
    let want = |field| wanted.contains(field);
    for field in Field::ALL.into_iter().filter(|field| !wanted.contains(*field)) {
        record.raw[field.index()] = None;
        record.text[field.index()] = None;
    }
    record.time = record.time.filter(|_| want(Field::Time));
    record.http_status = record.http_status.filter(|_| want(Field::HttpStatus));
    for (slot, field) in INTEGERS.into_iter().enumerate() {
        record.integers[slot] = record.integers[slot].filter(|_| want(field));
    }
    record.acl_required = record.acl_required.filter(|_| want(Field::AclRequired));
    if !wanted.contains_all(FieldSet::EXTRA_FIELDS) {
        record.extra_fields.clear();
    }
    record.ambiguous &= wanted.contains_all(FieldSet::AMBIGUOUS);
    record.object_key = record.object_key.filter(|_| want(Field::Key) && want(Field::Operation));
    record
}

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn any_fields_give_the_same_values(line in any_line(), wanted in field_set()) {
        let everything = Parser::new().parse(&line).map(|record| owned(&record));
        let expected = everything.map(|record| narrowed(record, wanted));
        for (kind, mut parser) in Parser::of_every_kind(wanted) {
        prop_assert_eq!(parser.fields(), wanted);
        let found = parser.parse(&line).map(|record| owned(&record));
        match (found, &expected) {
            (Ok(found), Ok(expected)) => prop_assert_eq!(&found, expected, "{:?} of\n{}", wanted, line.as_bstr()),
            // The reason of a reject does not depend on the projection either.
            (Err(found), Err(expected)) => {
                prop_assert_eq!(
                    (found.kind(), found.field(), found.offset()),
                    (expected.kind(), expected.field(), expected.offset()),
                    "{:?} of\n{}", wanted, line.as_bstr()
                );
                prop_assert!(found.offset() <= line.len());
                prop_assert!(!found.to_string().is_empty());
            }
            (found, expected) => {
                prop_assert!(false, "{kind}: {found:?} is not {expected:?} for {wanted:?} of\n{}", line.as_bstr());
            }
        }
        }
    }

    /// All text returned by a record is part of its line.
    #[test]
    fn fields_are_parts_of_the_line(line in any_line(), wanted in field_set()) {
        if let Ok(record) = Parser::with_fields(wanted).parse(&line) {
            prop_assert_eq!(record.line(), line.as_bstr());
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
        }
    }
}

proptest! {
    #![proptest_config(config(1024))]

    /// A reused record must not keep anything of the previous line, whatever the projection.
    #[test]
    fn a_reused_record_forgets(lines in vec(any_line(), 2..5), wanted in field_set()) {
        let mut parser = Parser::with_fields(wanted);
        let mut record = Record::default();
        for line in &lines {
            let reused = parser.parse_into(line, &mut record).map(|()| owned(&record)).ok();
            let fresh = Parser::with_fields(wanted).parse(line).map(|record| owned(&record)).ok();
            prop_assert_eq!(reused, fresh, "{:?} of\n{}", wanted, line.as_bstr());
        }
    }
}
