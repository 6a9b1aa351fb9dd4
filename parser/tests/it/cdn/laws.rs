//! Properties that hold for every line of a CDN log.

use super::lines_of::{Made, any_line, legacy_line, log_object, whole_line};
use super::parsed::{owned, parsed};
use super::reference::{self, RefLine, RefRecord};
use crate::laws::config;
use crate::lines_of::aws_line;
use bstr::ByteSlice;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestCaseError;
use s3log_parser::cdn::{self, ErrorKind, Field, FieldSet, Header, Parser, Record, value};
use s3log_parser::{Lines, LogFormat, sniff};

fn agree(header: Option<&[u8]>, line: &[u8]) -> Result<(), TestCaseError> {
    let names = header.and_then(reference::header);
    let expected = reference::read(line, names.as_deref());
    let header = header.and_then(Header::parse);
    prop_assert_eq!(header.as_ref().map(Header::len), names.as_ref().map(Vec::len));
    prop_assert_eq!(parsed(line, header.as_ref()), expected, "{:?}\n{}", names, line.as_bstr());
    Ok(())
}

fn field_set() -> impl Strategy<Value = FieldSet> {
    let few = subsequence(Field::ALL.to_vec(), 0..=2);
    let many = subsequence(Field::ALL.to_vec(), 0..=Field::COUNT);
    prop_oneof![few, many].prop_map(|fields| fields.into_iter().collect())
}

/// The record as it must be under a projection.
fn narrowed(mut record: RefRecord, wanted: FieldSet) -> RefRecord {
    for field in Field::ALL.into_iter().filter(|field| !wanted.contains(*field)) {
        record.raw[field.index()] = None;
        record.text[field.index()] = None;
        record.integers[field.index()] = None;
        record.millis[field.index()] = None;
        record.seconds[field.index()] = None;
    }
    record.time = record.time.filter(|_| wanted.contains(Field::Time));
    record.status = record.status.filter(|_| wanted.contains(Field::ScStatus));
    record
}

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn the_reference_agrees_on_whole_lines(made in whole_line()) {
        agree(made.header_line().as_deref(), &made.line())?;
    }

    #[test]
    fn the_reference_agrees_on_any_line((header, line) in any_line()) {
        agree(header.as_deref(), &line)?;
    }

    #[test]
    fn the_reference_agrees_on_any_bytes(line in vec(any::<u8>(), 0..200)) {
        agree(None, &line)?;
        agree(Some(b"#Fields: date time c-ip cs-uri-stem sc-status"), &line)?;
    }

    #[test]
    fn the_reference_agrees_on_values(text in "[0-9.:TZ+ -]{0,26}|[0-9]{17,20}\\.?[0-9]{0,5}") {
        let bytes = text.as_bytes();
        prop_assert_eq!(value::timestamp(bytes), reference::timestamp(bytes));
        prop_assert_eq!(value::integer(bytes), reference::integer(bytes));
        prop_assert_eq!(value::millis(bytes), reference::millis(bytes));
        prop_assert_eq!(value::seconds(bytes), reference::millis(bytes).and_then(|_| text.parse().ok()));
    }

    /// A projection must not change the decision, the reason or the values, and every field is part of the line.
    #[test]
    fn fewer_fields_give_the_same_values((header, line) in any_line(), wanted in field_set()) {
        let header = header.as_deref().and_then(Header::parse);
        let everything = Parser::new().parse(&line, header.as_ref());
        for (kind, mut parser) in Parser::of_every_kind(wanted) {
            prop_assert_eq!(parser.fields(), wanted);
            match (parser.parse(&line, header.as_ref()), &everything) {
                (Ok(found), Ok(everything)) => {
                    prop_assert_eq!(owned(&found), narrowed(owned(everything), wanted), "{}", kind);
                    prop_assert_eq!(found.line(), line.as_bstr());
                    for field in Field::ALL {
                        prop_assert_eq!(found.range(field).map(|range| line[range].as_bstr()), found.raw(field));
                    }
                }
                (Err(found), Err(expected)) => {
                    prop_assert_eq!(&found, expected, "{}", kind);
                    prop_assert!(found.offset() <= line.len());
                    prop_assert!(!found.to_string().is_empty());
                }
                (found, expected) => prop_assert!(false, "{kind}: {found:?} is not {expected:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(config(2048))]

    /// Every line of a log object is blank, a directive, a record or a reject, however it is read.
    #[test]
    fn every_line_is_accounted_for(object in log_object(), wanted in field_set()) {
        let expected = reference::object(&object);
        for (kind, mut parser) in Parser::of_every_kind(wanted) {
            let mut other = parser.clone();
            let (mut lines, mut record, mut header) = (Lines::new(&object), Record::default(), None);
            let mut found = Vec::new();
            for line in Lines::new(&object) {
                let (next, parsed) = parser.parse_next(&mut lines, header.as_ref(), &mut record).expect("as many lines");
                prop_assert_eq!(next, line, "{}", kind);
                let again = other.parse(line.bytes, header.as_ref());
                prop_assert_eq!(parsed, again.as_ref().map(|_| ()).map_err(|error| *error), "{}", kind);
                found.push(match parsed {
                    Ok(()) => {
                        prop_assert_eq!(owned(&record), owned(&again.unwrap()));
                        let whole = Parser::new().parse(line.bytes, header.as_ref()).map(|record| owned(&record)).unwrap();
                        prop_assert_eq!(owned(&record), narrowed(whole.clone(), wanted));
                        RefLine::Record(Box::new(whole))
                    }
                    Err(_) if line.is_blank() => RefLine::Blank,
                    Err(error) if cdn::is_directive(line.bytes) => {
                        prop_assert_eq!(error.kind(), ErrorKind::Directive);
                        header = Header::parse(line.bytes).or(header);
                        RefLine::Directive
                    }
                    Err(_) => RefLine::Reject,
                });
            }
            prop_assert!(parser.parse_next(&mut lines, header.as_ref(), &mut record).is_none());
            prop_assert_eq!(&found, &expected, "{}", kind);
        }
    }

    /// A reused record must not keep anything of the previous line.
    #[test]
    fn a_reused_record_forgets(lines in vec(any_line(), 2..5), wanted in field_set()) {
        let mut parser = Parser::with_fields(wanted);
        let mut record = Record::default();
        for (header, line) in &lines {
            let header = header.as_deref().and_then(Header::parse);
            let reused = parser.parse_into(line, header.as_ref(), &mut record).map(|()| owned(&record)).ok();
            let fresh = Parser::with_fields(wanted).parse(line, header.as_ref()).map(|record| owned(&record)).ok();
            if reused.is_none() {
                prop_assert!(Field::ALL.into_iter().all(|field| record.range(field).is_none()));
            }
            prop_assert_eq!(reused, fresh);
        }
    }
}

/// Encodes bytes of a client as CloudFront does; AWS documents the set of characters.
fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in bytes {
        match byte {
            0..=32 | 127..=255 => text.extend(format!("%{byte:02X}").bytes()),
            b'<' | b'>' | b'"' | b'#' | b'%' | b'{' | b'}' | b'|' | b'\\' | b'^' | b'~' | b'[' | b']' | b'`'
            | b'\'' => {
                text.extend(format!("%{byte:02X}").bytes());
            }
            _ => text.push(*byte),
        }
    }
    text
}

/// Fields whose content the client chooses.
const OF_CLIENTS: [(&str, Field); 6] = [
    ("cs-uri-stem", Field::CsUriStem),
    ("cs(referer)", Field::CsReferer),
    ("cs(user-agent)", Field::CsUserAgent),
    ("cs-uri-query", Field::CsUriQuery),
    ("cs(cookie)", Field::CsCookie),
    ("x-forwarded-for", Field::XForwardedFor),
];

fn record_of(made: &Made) -> Result<RefRecord, TestCaseError> {
    let header = made.header_line().as_deref().and_then(Header::parse);
    parsed(&made.line(), header.as_ref()).ok_or(TestCaseError::fail(format!("no record: {}", made.line().as_bstr())))
}

proptest! {
    #![proptest_config(config(4096))]

    /// Nothing that a client sends hides its record or shifts a field that it does not control, and its text is
    /// preserved.
    #[test]
    fn a_client_forges_nothing(
        mut made in legacy_line(),
        (name, field) in select(OF_CLIENTS.to_vec()),
        text in prop_oneof![vec(any::<u8>(), 1..60), "(\t|\n|%09|200|2026-01-15|-|\"|#Fields: date|\\\\x09| ){1,12}".prop_map(String::into_bytes)],
    ) {
        let mut expected = record_of(&made)?;
        let place = made.place(name).unwrap();
        made.cells[place] = encoded(&text);
        let found = record_of(&made)?;
        let raw = found.raw[field.index()].clone().unwrap();
        prop_assert_eq!(&*value::decode_once(&raw), &text[..]);
        expected.raw[field.index()] = Some(raw.clone());
        expected.text[field.index()] = Some(raw).filter(|text| *text != "-");
        prop_assert_eq!(found, expected);
    }

    /// Milliseconds are exact, without floating-point errors.
    #[test]
    fn milliseconds_are_exact(mut made in legacy_line(), whole in 0..1_000_000_000_000_i64, digits in "[0-9]{1,9}") {
        let place = made.place("time-taken").unwrap();
        made.cells[place] = format!("{whole}.{digits}").into_bytes();
        let places = 10_i128.pow(digits.len() as u32);
        let exact = (i128::from(whole) * places + digits.parse::<i128>().unwrap()) * 1000;
        let rounded = (2 * exact + places) / (2 * places);
        let found = record_of(&made)?;
        prop_assert_eq!(found.millis[Field::TimeTaken.index()].map(i128::from), Some(rounded));
        prop_assert_eq!(found.seconds[Field::TimeTaken.index()].map(f64::from_bits), format!("{whole}.{digits}").parse().ok());
    }

    #[test]
    fn a_line_of_33_columns_comes_back(made in legacy_line()) {
        let (line, header) = (made.line(), made.header_line().as_deref().and_then(Header::parse));
        let mut rendered = Vec::new();
        let record = Parser::with_fields(FieldSet::EMPTY).parse(&line, header.as_ref());
        record.map_err(|error| TestCaseError::fail(error.to_string()))?.render(&mut rendered);
        prop_assert_eq!(rendered.as_bstr(), line.as_bstr());
    }

    /// Rendering gives a line of 33 columns with the same values, except for what has no column there.
    #[test]
    fn any_record_comes_back((header, line) in any_line()) {
        let header = header.as_deref().and_then(Header::parse);
        let Ok(record) = Parser::new().parse(&line, header.as_ref()) else { return Ok(()) };
        let mut rendered = Vec::new();
        record.render(&mut rendered);
        let (mut before, again) = (owned(&record), parsed(&rendered, None));
        let Some(mut again) = again else { panic!("no record: {}", rendered.as_bstr()) };
        for field in [Field::DistributionId, Field::CCountry, Field::Asn] {
            (before.raw[field.index()], before.text[field.index()]) = (None, None);
            before.integers[field.index()] = None;
        }
        before.time = before.time.map(|time| time.div_euclid(1_000_000) * 1_000_000);
        for record in [&mut before, &mut again] {
            // The time may be written differently; missing fields become `-`.
            (record.raw[0], record.text[0]) = (None, None);
            record.raw.iter_mut().for_each(|raw| *raw = raw.take().filter(|text| text != "-"));
            record.cells = 33;
        }
        prop_assert_eq!(again, before, "{}", rendered.as_bstr());
    }

    /// Every line is detected as exactly one format.
    #[test]
    fn lines_are_told_apart(s3 in aws_line(), (header, line) in any_line(), made in legacy_line()) {
        prop_assert_eq!(sniff(&s3.bytes()), Some(LogFormat::S3));
        prop_assert_eq!(sniff(&made.line()), Some(LogFormat::Cdn));
        let found = Parser::new().parse(&s3.bytes(), None).map(|_| ()).map_err(|error| error.kind());
        prop_assert_eq!(found, Err(ErrorKind::S3));
        if let Some(header) = &header {
            prop_assert_eq!(sniff(header), Some(LogFormat::Cdn));
        }
        if Parser::new().parse(&line, None).is_ok() {
            prop_assert_eq!(sniff(&line), Some(LogFormat::Cdn));
        }
    }
}
