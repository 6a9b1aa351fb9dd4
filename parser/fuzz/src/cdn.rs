//! CDN logs. Input is a whole log object, because a header applies to the lines after it.

#[path = "../../tests/it/cdn/reference.rs"]
mod reference;

#[path = "../../tests/it/cdn/parsed.rs"]
mod parsed;

use bstr::ByteSlice;
use parsed::owned;
use reference::{RefLine, RefRecord};
use s3log_parser::cdn::{Field, FieldSet, Header, Parser, Record, is_directive, value};
use s3log_parser::{CdnObjectKey, Lines, sniff};

/// The first eight bytes select the projection, the rest is a CDN log object.
pub fn cdn(data: &[u8]) {
    let Some((choice, object)) = data.split_first_chunk::<8>() else { return };
    let choice = u64::from_le_bytes(*choice);
    let wanted: FieldSet = Field::ALL.into_iter().filter(|field| choice & (1 << field.index()) != 0).collect();
    let expected = reference::object(object);
    for (kind, mut parser) in Parser::of_every_kind(wanted) {
        let mut whole = Parser::new();
        let (mut lines, mut record, mut header) = (Lines::new(object), Record::default(), None);
        let mut expected = expected.iter();
        while let Some((line, parsed)) = parser.parse_next(&mut lines, header.as_ref(), &mut record) {
            let everything = whole.parse(line.bytes, header.as_ref());
            assert_eq!(
                parsed,
                everything.as_ref().map(|_| ()).map_err(|error| *error),
                "{kind}: {}",
                line.bytes.as_bstr()
            );
            let found = match &everything {
                Ok(everything) => {
                    let everything = owned(everything);
                    narrow(&everything, &owned(&record), wanted);
                    render(&record, &everything);
                    RefLine::Record(Box::new(everything))
                }
                Err(error) => {
                    assert!(error.offset() <= line.bytes.len(), "{error}");
                    if line.is_blank() {
                        RefLine::Blank
                    } else if is_directive(line.bytes) {
                        RefLine::Directive
                    } else {
                        RefLine::Reject
                    }
                }
            };
            assert_eq!(Some(&found), expected.next(), "{kind}: {}", line.bytes.as_bstr());
            if is_directive(line.bytes) {
                header = Header::parse(line.bytes).or(header);
            }
            // Must not panic, whatever the result.
            _ = sniff(line.bytes);
            _ = value::user_agent(line.bytes);
            _ = line.bytes.to_str().ok().and_then(CdnObjectKey::parse).map(|key| key.beginning_at(key.seconds()));
        }
        assert_eq!(expected.next(), None, "{kind}");
    }
}

/// A projection must not change the values.
fn narrow(everything: &RefRecord, found: &RefRecord, wanted: FieldSet) {
    for field in Field::ALL {
        let expected = everything.raw[field.index()].as_ref().filter(|_| wanted.contains(field));
        assert_eq!(found.raw[field.index()].as_ref(), expected, "{field}");
    }
    assert_eq!(found.time, everything.time.filter(|_| wanted.contains(Field::Time)));
    assert_eq!(found.status, everything.status.filter(|_| wanted.contains(Field::ScStatus)));
}

/// The rendered record must parse as a line of 33 columns with the same text.
fn render(record: &Record<'_>, everything: &RefRecord) {
    let mut rendered = Vec::new();
    record.render(&mut rendered);
    let Some(again) = parsed::parsed(&rendered, None) else { panic!("no record: {}", rendered.as_bstr()) };
    assert_eq!(again.cells, 33);
    for field in &Field::ALL[1..=Field::ScRangeEnd.index()] {
        assert_eq!(again.text[field.index()], everything.text[field.index()], "{field}");
    }
    assert_eq!(again.time.map(|time| time / 1_000_000), everything.time.map(|time| time.div_euclid(1_000_000)));
}
