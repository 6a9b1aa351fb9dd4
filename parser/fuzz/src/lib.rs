//! The checks of the fuzz targets.
//!
//! Most of them compare the parser with the slow reference of the integration tests, which shares no code with it.

#[path = "../../tests/it/reference/mod.rs"]
mod reference;

#[path = "../../tests/it/parsed.rs"]
mod parsed;

mod cdn;

pub use cdn::cdn;

use bstr::ByteSlice;
use parsed::{owned, parsed, parsed_as};
use s3log_parser::value::{key, number, operation, time};
use s3log_parser::{Dialect, Field, FieldSet, Lines, Parser, Record, parallel};

/// The first four bytes select the projection, the rest is a line, which is tried in every dialect.
pub fn line(data: &[u8]) {
    let Some((choice, line)) = data.split_first_chunk::<4>() else { return };
    let wanted = field_set(u32::from_le_bytes(*choice));
    for dialect in Dialect::ALL {
        line_as(dialect, line, wanted);
    }
}

fn line_as(dialect: Dialect, line: &[u8], wanted: FieldSet) {
    let everything = parsed_as(dialect, line);
    let reading = reference::read_as(dialect, line).ok();
    let expected = reading.as_ref().map(|reading| &reading.record);
    assert_eq!(everything.as_ref(), expected, "{dialect}: {}", line.as_bstr());
    if !reference::is_of(dialect, line) {
        assert_eq!(everything, parsed(line), "{dialect}: {}", line.as_bstr());
    }

    // A projection must not change the decision or the values, and fields must be in order.
    for (kind, parser) in Parser::of_every_kind(wanted) {
        let narrow = parser.with_dialect(dialect).parse(line).map(|record| owned(&record));
        assert_eq!(narrow.is_ok(), everything.is_some(), "{kind}: {wanted:?} of {}", line.as_bstr());
        let best = Parser::with_fields(wanted).with_dialect(dialect).parse(line).map(|record| owned(&record));
        assert_eq!(narrow.ok(), best.ok(), "{kind}");
    }
    let mut parser = Parser::with_fields(wanted).with_dialect(dialect);
    let narrow = parser.parse(line);
    let (Ok(narrow), Some(everything), Some(reading)) = (narrow, everything, reading) else { return };
    let values = owned(&narrow);
    let mut end = 0;
    for field in Field::ALL {
        let value = everything.raw[field.index()].clone().filter(|_| wanted.contains(field));
        assert_eq!(values.raw[field.index()], value, "{field} of {}", line.as_bstr());
        if let Some(range) = narrow.range(field) {
            assert!(end <= range.start && range.end <= line.len(), "{field} of {}", line.as_bstr());
            end = range.end;
        }
    }
    if wanted.contains_all(FieldSet::EXTRA_FIELDS) {
        assert_eq!(values.extra_fields, everything.extra_fields, "{}", line.as_bstr());
    }
    assert_eq!(values.ambiguous, everything.ambiguous && wanted.contains_all(FieldSet::AMBIGUOUS));

    // The rendered record must be the pieces of the line joined by single spaces, and parse to the same record.
    let mut rendered = Vec::new();
    narrow.render(&mut rendered);
    assert_eq!(rendered.as_bstr(), bstr::join(" ", reading.pieces).as_bstr());
    let mut again = parsed_as(dialect, &rendered);
    if let Some(again) = again.as_mut().filter(|_| rendered != line) {
        // Collapsing doubled spaces in the tail may have created a second time.
        again.ambiguous = everything.ambiguous;
    }
    assert_eq!(again, Some(everything), "{}", line.as_bstr());
}

fn field_set(choice: u32) -> FieldSet {
    let chosen = |bit: usize| choice & (1 << bit) != 0;
    let mut set: FieldSet = Field::ALL.into_iter().filter(|field| chosen(field.index())).collect();
    for (bit, fact) in [(Field::COUNT, FieldSet::EXTRA_FIELDS), (Field::COUNT + 1, FieldSet::AMBIGUOUS)] {
        if chosen(bit) {
            set = set | fact;
        }
    }
    set
}

/// The first byte is the chunk size, the rest a log object.
pub fn lines(data: &[u8]) {
    let Some((size, object)) = data.split_first() else { return };
    let expected = reference::lines(object);
    let found: Vec<_> =
        Lines::new(object).map(|line| (line.bytes.to_vec(), line.offset, line.number, line.is_blank())).collect();
    let mut chunked = Vec::new();
    for chunk in parallel::chunks(object, usize::from(*size)) {
        for line in Lines::of_part(&object[chunk.clone()]) {
            let number = chunked.len() + 1;
            chunked.push((line.bytes.to_vec(), line.offset + chunk.start, number, line.is_blank()));
        }
    }
    assert_eq!(chunked, found);
    for (kind, mut parser) in Parser::of_every_kind(FieldSet::ALL) {
        let (mut lines, mut record) = (Lines::new(object), Record::default());
        for line in Lines::new(object) {
            let next = parser.parse_next(&mut lines, &mut record);
            assert_eq!(next.map(|(line, _)| line), Some(line), "{kind}");
        }
        assert!(parser.parse_next(&mut lines, &mut record).is_none(), "{kind}");

        let (mut lines, mut count) = (Lines::new(object), 0);
        loop {
            let (passed, other) = parser.skip_ordinary(&mut lines, &mut record, usize::MAX);
            count += passed + usize::from(other.is_some());
            if other.is_none() {
                break;
            }
        }
        assert_eq!(count, expected.len(), "{kind}");
    }
    let expected: Vec<_> =
        expected.into_iter().map(|line| (Vec::from(line.bytes), line.offset, line.number, line.blank)).collect();
    assert_eq!(found, expected);
}

/// Input is a sequence of 28-byte times.
pub fn time(data: &[u8]) {
    let mut parser = Parser::new();
    for text in data.chunks(28) {
        let expected = if text.len() == 28 { reference::time_at(text, 0) } else { None };
        assert_eq!(time::parse(text), expected, "{}", text.as_bstr());
        let line = [b"o b ", text, b" - - R REST.GET.OBJECT k - 200 - 1 2 3 4 - -"].concat();
        let record = parser.parse(&line);
        if text.len() == 28 {
            assert_eq!(record.ok().and_then(|record| record.time_seconds()), expected, "{}", text.as_bstr());
        }
    }
}

/// Input is a number or an operation.
pub fn number(data: &[u8]) {
    assert_eq!(number::parse(data), reference::integer(data), "{}", data.as_bstr());
    assert_eq!(operation::is_dotted(data), reference::is_dotted_operation(data), "{}", data.as_bstr());
}

/// The first byte selects an operation, the rest is a key.
pub fn key(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let once = |text| reference::percent_decoded(text, false);
    let form = reference::percent_decoded(text, true);
    assert_eq!(*key::percent_decode(text), once(text), "{}", text.as_bstr());
    assert_eq!(*key::form_decode(text), form, "{}", text.as_bstr());
    let (operation, expected): (&[u8], Vec<u8>) = match choice % 5 {
        0 => (b"REST.GET.OBJECT", once(&once(text))),
        1 => (b"WEBSITE.GET.OBJECT", once(&once(text))),
        2 => (b"BATCH.DELETE.OBJECT", form),
        3 => (b"S3.EXPIRE.OBJECT", once(text)),
        _ => (b"BATCH.PUT.OBJECT", text.to_vec()),
    };
    assert_eq!(**key::object_key(text, operation), *expected, "{}", text.as_bstr());
}
