//! Lines with hand-written expectations, checked against both the parser and the reference.
//!
//! A line is a template: `{P}` and the other names of [`PIECES`] stand for parts of an ordinary line, `{xFF}` for a
//! byte. An expectation is a list of `field=value`; see [`value_of`] for the supported names.

mod breakage;
mod dialects;
mod encodings;
mod quotes;
mod rules;

use crate::parsed::parsed_as;
use crate::reference::{self, INTEGERS, RefRecord};
use s3log_parser::{Dialect, Field, Parser};

/// Replacements of the names in braces.
const PIECES: [(&str, &str); 8] = [
    ("{P}", "79a59df900b949e5 amzn-s3-demo-bucket [06/Feb/2019:00:00:38 +0000]"),
    ("{H}", "{P} 192.0.2.3 - 3E57427F33A59F07 REST.GET.OBJECT"),
    ("{U}", r#""GET /photos/a.jpg HTTP/1.1""#),
    ("{N}", "200 - 10 20 30 40"),
    ("{A}", r#""-" "curl/8.5.0""#),
    ("{T}", "- aGVsbG8gd29ybGQ= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader demo.s3.eu-west-1.amazonaws.com TLSv1.3"),
    ("{VP}", "alice b [06/August/2024:10:00:00 +0200] 192.0.2.3 AKIAEXAMPLE R s3_PutObject"),
    ("{VT}", "SigV4 - AuthHeader s3.us-east-1.amazonaws.com - arn:aws:s3:::"),
];

/// Generates one test per line: `name: template => "field=value" …;`, or with `"reject"`, `"reject=Kind"` or `"row"`
/// as only expectation. `name as VersityGw: …` selects a dialect.
macro_rules! cases {
    (@dialect) => { s3log_parser::Dialect::Auto };
    (@dialect $dialect:ident) => { s3log_parser::Dialect::$dialect };
    ($($name:ident $(as $dialect:ident)?: $line:expr => $($expected:literal)+;)*) => {
        $(#[test]
        fn $name() {
            $crate::cases::check($crate::cases::cases!(@dialect $($dialect)?), $line, &[$($expected),+]);
        })*
    };
}
use cases;

/// Expands a template to bytes.
fn expanded(template: &str) -> Vec<u8> {
    let mut text = template.to_owned();
    // Expand twice, because pieces may contain other pieces.
    for (name, piece) in PIECES.into_iter().rev().chain(PIECES) {
        text = text.replace(name, piece);
    }
    let mut bytes = Vec::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find("{x") {
        bytes.extend_from_slice(&rest.as_bytes()[..start]);
        let byte = u8::from_str_radix(&rest[start + 2..start + 4], 16);
        bytes.push(byte.unwrap_or_else(|error| panic!("{template}: {error}")));
        rest = &rest[start + 5..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Checks the reference and the parser against the expectation.
fn check(dialect: Dialect, template: &str, expected: &[&str]) {
    let line = expanded(template);
    // A reject may name the parser's `ErrorKind`, which the reference does not have.
    let (expected, kind) = match expected {
        [reject] if reject.starts_with("reject=") => (&["reject"][..], reject.split_once('=').map(|(_, kind)| kind)),
        _ => (expected, None),
    };
    if let Some(kind) = kind {
        let found = Parser::new().with_dialect(dialect).parse(&line).err().map(|error| format!("{:?}", error.kind()));
        assert_eq!(found.as_deref(), Some(kind), "{}", line.escape_ascii());
    }
    check_one("parser", &line, parsed_as(dialect, &line), expected);
    check_one("reference", &line, reference::read_as(dialect, &line).ok().map(|reading| reading.record), expected);
}

fn check_one(who: &str, line: &[u8], record: Option<RefRecord>, expected: &[&str]) {
    let line = line.escape_ascii();
    if expected == ["reject"] {
        assert!(record.is_none(), "{who} took {line} for a record: {record:?}");
        return;
    }
    let Some(record) = record else { panic!("{who} rejects {line}") };
    for expectation in expected {
        if *expectation == "row" {
            continue;
        }
        let Some((name, value)) = expectation.split_once('=') else { panic!("no value in {expectation}") };
        let found = value_of(&record, name).escape_ascii().to_string();
        assert_eq!(found, expanded(value).escape_ascii().to_string(), "{who}: {name} of {line}");
    }
}

/// A value in the notation of the expectations: `NULL`, `true`, decimal numbers, `time` in seconds since 1970, extra
/// fields separated by `|`; the prefix `raw.` asks for the text as written.
fn value_of(record: &RefRecord, name: &str) -> Vec<u8> {
    let number = |number: Option<i64>| number.map(|number| number.to_string().into_bytes());
    let null = || b"NULL".to_vec();
    match name {
        "time" => number(record.time).unwrap_or_else(null),
        "http_status" => number(record.http_status.map(i64::from)).unwrap_or_else(null),
        "acl_required" => record.acl_required.map_or_else(null, |yes| yes.to_string().into_bytes()),
        "extra_fields" => bstr::join("|", &record.extra_fields),
        "ambiguous" => record.ambiguous.to_string().into_bytes(),
        "object_key" => record.object_key.clone().map_or_else(null, Vec::from),
        _ => {
            if let Some(slot) = INTEGERS.iter().position(|field| field.name() == name) {
                return number(record.integers[slot]).unwrap_or_else(null);
            }
            let (values, name) = match name.strip_prefix("raw.") {
                Some(name) => (&record.raw, name),
                None => (&record.text, name),
            };
            let Some(field) = Field::from_name(name) else { panic!("no field {name}") };
            values[field.index()].clone().map_or_else(null, Vec::from)
        }
    }
}
