//! The parser agrees with the reference, and both agree with what a well-formed line was made of.

use super::config;
use crate::lines_of::{
    any_line, aws_line, byte_soup, dialect_line, hostile_line, mutated_line, number_text, time_text, token_soup,
};
use crate::parsed::{owned, parsed};
use crate::reference::{self, RefRecord};
use bstr::ByteSlice;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use s3log_parser::value::{key, number, operation, time};
use s3log_parser::{Field, Parser, Record};

fn read(line: &[u8]) -> Option<RefRecord> {
    reference::read(line).ok().map(|reading| reading.record)
}

/// Both make the same decision and, for a record, return the same values.
fn agree(line: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_eq!(parsed(line), read(line), "parser and reference disagree on\n{}", line.as_bstr());
    Ok(())
}

/// Offsets that differ from each other in a single character.
const OFFSETS: &[&str] = &["+0000", "-0000", "+0001", "+0010", "+0100", "-0100", "+1000"];

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn on_well_formed_lines(line in aws_line()) {
        agree(&line.bytes())?;
    }

    #[test]
    fn on_dialects(line in dialect_line()) {
        agree(&line)?;
    }

    #[test]
    fn on_hostile_lines(line in hostile_line()) {
        agree(&line)?;
    }

    #[test]
    fn on_mutated_lines(line in mutated_line()) {
        agree(&line)?;
    }

    #[test]
    fn on_any_bytes(line in vec(any::<u8>(), 0..200)) {
        agree(&line)?;
    }

    #[test]
    fn on_times(time in time_text()) {
        let line = [b"o b ", &time[..], b" 192.0.2.3 - R REST.GET.OBJECT k - 200 - 1 2 3 4 - -"].concat();
        agree(&line)?;
        let read = if time.len() == 28 { reference::time_at(&time, 0) } else { None };
        prop_assert_eq!(time::parse(&time), read);
    }

    #[test]
    fn on_numbers(text in number_text()) {
        prop_assert_eq!(number::parse(text.as_bytes()), reference::integer(text.as_bytes()));
        for place in 0..5 {
            let mut texts = ["200", "1", "2", "3", "4"];
            texts[place] = &text;
            let [status, numbers @ ..] = texts;
            let numbers = numbers.join(" ");
            let line = format!("o b [06/Feb/2019:00:00:38 +0000] - - R REST.GET.OBJECT k - {status} - {numbers} - -");
            agree(line.as_bytes())?;
        }
    }

    #[test]
    fn on_percent_encoding(text in "(%|%25|%2|%[0-9A-Fa-f]{2}|%[0-9A-Ga-g]|\\+|[a-g0-9]|\u{e9}){0,12}") {
        prop_assert_eq!(&*key::percent_decode(text.as_bytes()), reference::percent_decoded(text.as_bytes(), false));
        prop_assert_eq!(&*key::form_decode(text.as_bytes()), reference::percent_decoded(text.as_bytes(), true));
    }

    #[test]
    fn on_operations(text in "(REST|WEBSITE|SOAP|BATCH|S3|S4|rest)(\\.[A-Za-z0-9_]{0,3}|-|\u{e9}){0,4}") {
        prop_assert_eq!(operation::is_dotted(text.as_bytes()), reference::is_dotted_operation(text.as_bytes()));
    }

    /// Similar times in sequence, because the parser caches the last minute.
    #[test]
    fn on_times_after_each_other(
        times in vec((1..=2_u8, 0..=1_u8, 0..=61_u8, select(OFFSETS)), 1..12),
    ) {
        let mut parser = Parser::new();
        for (day, minute, second, offset) in times {
            let time = format!("[{day:02}/Feb/2019:23:{minute:02}:{second:02} {offset}]");
            let line = format!("o b {time} - - R REST.GET.OBJECT k - 200 - 1 2 3 4 - -");
            let found = parser.parse(line.as_bytes()).ok().and_then(|record| record.time_seconds());
            prop_assert_eq!(found, reference::time_at(time.as_bytes(), 0), "{}", time);
        }
    }

    /// The strategy knows the correct values, so this also validates the reference.
    #[test]
    fn with_what_a_well_formed_line_was_made_of(line in aws_line()) {
        let bytes = line.bytes();
        for found in [parsed(&bytes), read(&bytes)] {
            let Some(found) = found else { panic!("no record: {}", bytes.as_bstr()) };
            for field in Field::ALL {
                prop_assert_eq!(
                    found.raw[field.index()].as_deref().map(|text| text.as_bytes()),
                    line.raw(field),
                    "{} of\n{}", field, bytes.as_bstr()
                );
            }
            let extra: Vec<&[u8]> = found.extra_fields.iter().map(|text| text.as_bytes()).collect();
            prop_assert_eq!(extra, line.extra_fields(), "extra fields of\n{}", bytes.as_bstr());
            prop_assert!(!found.ambiguous, "ambiguous:\n{}", bytes.as_bstr());
        }
    }
}

// Soup is cheap to generate and finds the most bugs.
proptest! {
    #![proptest_config(config(16_384))]

    #[test]
    fn on_token_soup(line in token_soup()) {
        agree(&line)?;
    }

    #[test]
    fn on_byte_soup(line in byte_soup()) {
        agree(&line)?;
    }
}

proptest! {
    #![proptest_config(config(1024))]

    /// A reused parser and record must not keep anything of an earlier line.
    #[test]
    fn on_lines_after_each_other(lines in vec(any_line(), 1..8)) {
        let mut parser = Parser::new();
        let mut record = Record::default();
        for line in &lines {
            let found = parser.parse_into(line, &mut record).ok().map(|()| owned(&record));
            prop_assert_eq!(found, read(line), "parser and reference disagree on\n{}", line.as_bstr());
        }
    }
}
