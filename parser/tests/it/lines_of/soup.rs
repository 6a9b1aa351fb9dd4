//! Random sequences of tokens and bytes that are significant in the format, embedded in parts of a valid line. They
//! find disagreements best.

use super::hostile::FRAGMENTS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Whole tokens.
pub(super) const TOKENS: [&[u8]; 44] = [
    b"\"",
    b"\"\"",
    b"\"\"\"",
    b"\"-\"",
    b"-",
    b"-\"",
    b"\"-",
    b"--",
    b"a",
    b"\"a",
    b"a\"",
    b"\"a\"",
    b"a\"b",
    b"\\\"",
    b"\t",
    b"\r",
    b"\xff",
    b"200",
    b"7",
    b"12",
    b"2000",
    b"-1",
    b"1.5",
    b"1e+06",
    b"1e6",
    b"0.5\"",
    b"9223372036854775807",
    b"9223372036854775808",
    b"[07/Feb/2019:01:02:03 +0000]",
    b"x[07/Feb/2019:01:02:03 -0130]\"",
    b"[31/Feb/2019:01:02:03 +0000]",
    b"REST.PUT.OBJECT",
    b"BATCH.DELETE.OBJECT",
    b"S3.X",
    b"\"S3.X",
    b"REST.",
    b"Yes",
    b"us-east-1",
    b"us-gov-east-12",
    b"arn:aws:s3:::x",
    b"SigV4",
    b"Sig",
    b"AIDAEXAMPLE000",
    b"a%2520+b",
];

const START: &str = "o b [06/Feb/2019:00:00:38 +0000]";
const HEAD: &str = "o b [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R REST.GET.OBJECT";

/// Puts soup between a prefix and a suffix of valid lines.
fn around(soup: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        String::new(),
        "o b ".to_owned(),
        START.to_owned(),
        format!("{START} "),
        format!("{START} 192.0.2.3 - "),
        format!("{HEAD} "),
        format!("{HEAD} k "),
        format!("{HEAD} k - "),
        format!("{HEAD} k \""),
        format!("{HEAD} k \"GET /k HTTP/1.1\""),
        format!("{HEAD} k \"GET /k HTTP/1.1\" 200 - "),
        format!("{HEAD} k \"GET /k HTTP/1.1\" 200 - 1 2 3 4 "),
        format!("{HEAD} k - 200 - 1 2 3 4 "),
        format!("{HEAD} k \"GET /k HTTP/1.1\" 200 - 1 2 3 4 \""),
        format!("{HEAD} k \"GET /k HTTP/1.1\" 200 - 1 2 3 4 \"r\" \""),
        format!("{HEAD} k \"GET /k HTTP/1.1\" 200 - 1 2 3 4 \"r\" \"u\" "),
    ]);
    let end = select(vec![
        "",
        " ",
        "\"",
        " k \"GET /k HTTP/1.1\" 200 - 1 2 3 4 \"r\" \"u\" v h SigV4 c AuthHeader n TLSv1.3 - - -",
        " \"GET /k HTTP/1.1\" 200 - 1 2 3 4 \"r\" \"u\"",
        " - 200 - 1 2 3 4 - - v h SigV4",
        "\" 200 - 1 2 3 4 \"r\" \"u\" v h SigV4",
        " 1 2 3 4 \"r\" - v",
        " \"r\" \"u\" v",
        "\" \"u\" v h SigV4",
        "\" - v h SigV4",
        "\" v h SigV4",
        " h SigV4 c AuthHeader n TLSv1.3 Yes Yes us-east-1 x",
    ]);
    (start, soup, end).prop_map(|(start, soup, end)| [start.as_bytes(), &soup, end.as_bytes()].concat())
}

/// Tokens, mostly separated by single spaces.
pub(crate) fn token_soup() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        5 => select(TOKENS.to_vec()).prop_map(<[u8]>::to_vec),
        2 => select(FRAGMENTS.to_vec()).prop_map(<[u8]>::to_vec),
        1 => number_text().prop_map(String::into_bytes),
    ];
    let space = prop_oneof![1 => Just(""), 8 => Just(" "), 1 => Just("  ")];
    around(vec((token, space), 0..14).prop_map(|tokens| {
        tokens.into_iter().flat_map(|(token, space)| [token, space.as_bytes().to_vec()]).flatten().collect()
    }))
}

/// Bytes from a very small alphabet.
pub(crate) fn byte_soup() -> impl Strategy<Value = Vec<u8>> {
    around(vec(select(b"\"\"\"   --1a".to_vec()), 0..28))
}

/// A number, or almost one.
pub(crate) fn number_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,20}",
        "-?[0-9]{0,3}\\.?[0-9]{0,3}(e[+-]?[0-9]{0,3})?",
        "-?922337203685477580[0-9](\\.[0-9]{1,3})?",
        "-?9\\.22337203685477580[0-9]{1,4}e\\+1[789]",
        "-?0\\.0{0,25}[0-9]{1,22}(e[+-][0-9]{1,2})?",
        "-?[0-9]{1,3}0{0,25}e-[0-9]{1,2}",
        "-?[0-9]{1,2}e[+-][0-9]{1,25}",
        "-?[0-9]{0,2}\\.?[49]{1,30}5?",
        "[0-9.e+-]{1,8}",
    ]
}

/// A bracketed time, or almost one.
pub(crate) fn time_text() -> impl Strategy<Value = Vec<u8>> {
    let day = prop_oneof![3 => 1..=28_u8, 2 => 28..=32_u8, 1 => Just(0)];
    let month = prop_oneof![
        12 => select(vec!["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]),
        1 => select(vec!["jan", "FEB", "Mai", "Sept", "Juni", "Foo", "J n"]),
    ];
    let year = prop_oneof![2 => 1960..=2040_u16, 1 => 0..=9999_u16, 1 => select(vec![0, 1, 4, 100, 400, 1900, 2000, 2100, 9999])];
    let hour = prop_oneof![6 => 0..=23_u8, 1 => 22..=30_u8];
    let minute = prop_oneof![6 => 0..=59_u8, 1 => 58..=62_u8];
    let second = prop_oneof![6 => 0..=60_u8, 1 => 58..=62_u8];
    let offset = prop_oneof![2 => Just("+0000".to_owned()), 3 => "[+-][0-2][0-9][0-6][0-9]", 1 => "[ +-][0-9]{3,5}"];
    let damage = proptest::option::weighted(0.15, (0..28_usize, any::<u8>()));
    // A text that a parser might have cached before its first time.
    let blank = (select(b"\0 0\xff".to_vec()), 0..=60_u8).prop_map(|(fill, second)| {
        let mut text = vec![fill; 28];
        text[19..21].copy_from_slice(format!("{second:02}").as_bytes());
        text
    });
    let time = (day, month, year, hour, minute, second, offset, damage);
    let time = time.prop_map(|(day, month, year, hour, minute, second, offset, damage)| {
        let text = format!("[{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} {offset}]");
        let mut text = text.into_bytes();
        if let Some((at, byte)) = damage
            && at < text.len()
            && byte != b'\n'
        {
            text[at] = byte;
        }
        text
    });
    prop_oneof![19 => time, 1 => blank]
}
