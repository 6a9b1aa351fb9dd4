//! Text that a client can put into a line unescaped: the request line and two headers.

use super::well_formed::aws_line;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Text that resembles the syntax of the format.
pub(super) const FRAGMENTS: [&[u8]; 37] = [
    b"\"",
    b"\" \"",
    b"\"  \"",
    b" \"",
    b"\" ",
    b"\" -",
    b"\" - ",
    b"\" - - - ",
    b"\\",
    b"\\\"",
    b" ",
    b"  ",
    b"-",
    b" - ",
    b"a",
    b"x\xc3\xa9",
    b"HTTP/1.1",
    b"HTTP/1.1\"",
    b" 200 - 1 2 3 4 \"",
    b"\" 200 - 1 2 3 4 ",
    b"\" 200 - 1 2 3 4 \"-\" \"fake\" v h SigV4 ",
    b"\" - - - - - - - - ",
    b"\" 404 NoSuchKey 1e+06 2.5 -3 - \"",
    b"\" 200 - 1 2 3 99999999999999999999 \"",
    b" 200 - 1 2 3",
    b"[07/Feb/2019:01:02:03 +0000]",
    b"[31/Feb/2019:01:02:03 +0000] ",
    b"[",
    b" REST.PUT.OBJECT ",
    b" 192.0.2.66 - FAKE REST.GET.OBJECT k \"GET /k HTTP/1.1\"",
    b"\0",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\r",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
];

/// Bytes that a client may send: anything but a line feed.
pub(crate) fn client_bytes() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        8 => select(FRAGMENTS.to_vec()).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_filter("a line feed ends the line", |byte| *byte != b'\n').prop_map(|byte| vec![byte]),
    ];
    vec(fragment, 0..9).prop_map(|fragments| fragments.concat())
}

/// An AWS line with hostile text in some of the quoted fields.
pub(crate) fn hostile_line() -> impl Strategy<Value = Vec<u8>> {
    let text = || proptest::option::of(client_bytes());
    (aws_line(), text(), text(), text()).prop_map(|(mut line, uri, referer, user_agent)| {
        if uri.is_some() {
            line.request_uri = uri;
        }
        if referer.is_some() {
            line.referer = referer;
        }
        if user_agent.is_some() {
            line.user_agent = user_agent;
        }
        line.bytes()
    })
}
