//! Functions of request-URIs: `GET /bucket/key?versionId=3 HTTP/1.1`.
//!
//! The text is written by the client and may be anything. [`split`] defines for all functions here what the method,
//! path and query of a malformed request line are.

use super::percent::{Plus, decode};
use super::text_function::{Row, Scratch, TextFunction};
use super::{Documented, FunctionDoc};
use memchr::memchr;
use s3log_parser::value::request_uri::RequestUri;

const GROUP: &str = "Request-URI";
const REQUEST_URI: (&str, &str) = ("request_uri", "The column `request_uri`: `GET /bucket/key?query HTTP/1.1`.");

const URI_METHOD: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "uri_method",
    signature: "uri_method(request_uri) -> text",
    description: "The HTTP method, as written: the letters before the first space. NULL if the text does not begin \
                  with letters and a space.",
    arguments: &[REQUEST_URI],
    example_sql: "SELECT uri_method('GET /photos/cat.jpg?versionId=3 HTTP/1.1')",
    example_result: "GET",
};

const URI_PATH: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "uri_path",
    signature: "uri_path(request_uri) -> text",
    description: "The path, as written: not decoded, without the query. Of `GET http://host/path HTTP/1.1` it is what \
                  stands behind the host. A text without a method and without `HTTP/` at its end is all path and \
                  query. Empty if there is none, never NULL.",
    arguments: &[REQUEST_URI],
    example_sql: "SELECT uri_path('GET /photos/my%20cat.jpg?versionId=3 HTTP/1.1')",
    example_result: "/photos/my%20cat.jpg",
};

const URI_QUERY: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "uri_query",
    signature: "uri_query(request_uri) -> text",
    description: "The query, as written: what stands behind the first `?` of the path. Empty if nothing does, NULL if \
                  there is no `?`.",
    arguments: &[REQUEST_URI],
    example_sql: "SELECT uri_query('GET /photos?list-type=2&prefix=cats%2F HTTP/1.1')",
    example_result: "list-type=2&prefix=cats%2F",
};

const URI_PARAM: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "uri_param",
    signature: "uri_param(request_uri, name) -> text",
    description: "The first value of a query parameter, decoded. Names are decoded too and compared exactly, case \
                  included. `%XX` is decoded once and `+` is a space, as S3 reads a query: \
                  `response-content-disposition=attachment%3B+filename%3Da.txt` is `attachment; filename=a.txt`, and a \
                  literal plus is `%2B`. Empty for a parameter without a value (`?versioning`), NULL if there is no \
                  such parameter.",
    arguments: &[REQUEST_URI, ("name", "The parameter's name, such as `prefix` or `X-Amz-Expires`.")],
    example_sql: "SELECT uri_param('GET /photos?list-type=2&prefix=my+cats%2F HTTP/1.1', 'prefix')",
    example_result: "my cats/",
};

const PRESIGNED_ACCESS_KEY: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "presigned_access_key",
    signature: "presigned_access_key(request_uri) -> text",
    description: "The access key id that a presigned URL names: the first part of `X-Amz-Credential` (signature \
                  version 4), else `AWSAccessKeyId` (version 2). NULL if neither is there. The client wrote it, and \
                  websites, preflight requests and, if there is no signature, public objects are answered without a \
                  look at it: only a request with the `authentication_type` `QueryString` that was not refused, and \
                  whose operation is neither of `WEBSITE` nor `OPTIONS`, proves that the key signed it.",
    arguments: &[REQUEST_URI],
    example_sql: "SELECT presigned_access_key(request_uri) FROM (VALUES ('GET /photos/cat.jpg?X-Amz-Credential=\
                  AKIAIOSFODNN7EXAMPLE%2F20260131%2Fus-east-1%2Fs3%2Faws4_request HTTP/1.1', 'REST.GET.OBJECT', \
                  'QueryString', 200)) AS logs (request_uri, operation, authentication_type, http_status) WHERE \
                  authentication_type = 'QueryString' AND http_status < 400 AND operation NOT LIKE 'WEBSITE.%' AND \
                  operation NOT LIKE '%OPTIONS%'",
    example_result: "AKIAIOSFODNN7EXAMPLE",
};

pub(super) fn functions() -> Vec<Documented> {
    vec![
        TextFunction::documented(&URI_METHOD, Row::Text(|uri, _| split(uri).method)),
        TextFunction::documented(&URI_PATH, Row::Text(|uri, _| Some(split(uri).path))),
        TextFunction::documented(&URI_QUERY, Row::Text(|uri, _| split(uri).query)),
        TextFunction::documented(&URI_PARAM, Row::TextByText(uri_param)),
        TextFunction::documented(&PRESIGNED_ACCESS_KEY, Row::Text(presigned_access_key)),
    ]
}

/// The undecoded parts of a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    /// The text before the first space, if it is a method.
    method: Option<&'a str>,
    /// The target without host and query.
    path: &'a str,
    /// What follows the first `?` of the target.
    query: Option<&'a str>,
}

/// Splits any text the way the parser crate splits request lines.
fn split(text: &str) -> Parts<'_> {
    let uri = RequestUri::new(text.as_bytes());
    let (method, path, query) = (uri.method(), uri.path(), uri.query());
    Parts { method: method.map(|part| as_text(part)), path: as_text(path), query: query.map(|part| as_text(part)) }
}

/// Parts of valid UTF-8 are valid UTF-8: request lines are split at ASCII bytes only.
fn as_text(part: &[u8]) -> &str {
    std::str::from_utf8(part).unwrap_or_default()
}

/// The first value of a query parameter, not decoded.
fn parameter<'a>(uri: &'a str, name: &str, scratch: &mut Scratch) -> Option<&'a str> {
    let mut rest = split(uri).query?;
    loop {
        let end = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
        let pair = &rest[..end];
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // Decoding never makes a text longer.
        if !pair.is_empty() && key.len() >= name.len() && decode(key, Plus::Space, scratch) == name {
            return Some(value);
        }
        rest = rest.get(end + 1..)?;
    }
}

fn uri_param<'a>(uri: &'a str, name: &str, scratch: &'a mut Scratch) -> Option<&'a str> {
    parameter(uri, name, scratch).map(|value| decode(value, Plus::Space, scratch))
}

fn presigned_access_key<'a>(uri: &'a str, scratch: &'a mut Scratch) -> Option<&'a str> {
    let credential = parameter(uri, "X-Amz-Credential", scratch)
        .or_else(|| parameter(uri, "AWSAccessKeyId", scratch))
        .map(|value| decode(value, Plus::Space, scratch))?;
    let key = credential.split('/').next().unwrap_or(credential);
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn parts_of_request_lines() {
        for (text, method, path, query) in [
            ("GET /b/k HTTP/1.1", Some("GET"), "/b/k", None),
            ("GET /b/k?versioning HTTP/1.1", Some("GET"), "/b/k", Some("versioning")),
            ("GET /b/k? HTTP/1.1", Some("GET"), "/b/k", Some("")),
            ("GET /b/k?a=?&b HTTP/1.1", Some("GET"), "/b/k", Some("a=?&b")),
            ("GET /b/a b?c d HTTP/1.1", Some("GET"), "/b/a b", Some("c d")),
            ("GET /b/\"k\"?\" HTTP/1.0", Some("GET"), "/b/\"k\"", Some("\"")),
            ("GET /b/k HTTP/x.y HTTP/1.1", Some("GET"), "/b/k HTTP/x.y", None),
            ("get // HTTP/2.0", Some("get"), "//", None),
            ("OPTIONS * HTTP/1.1", Some("OPTIONS"), "*", None),
            ("GET http://h.example/k?x HTTP/1.1", Some("GET"), "/k", Some("x")),
            ("GET http://h.example:80 HTTP/1.1", Some("GET"), "", None),
            ("GET http://h.example?x=/y HTTP/1.1", Some("GET"), "", Some("x=/y")),
            ("GET /proxy/http://h.example/k HTTP/1.1", Some("GET"), "/proxy/http://h.example/k", None),
            ("CONNECT h.example:443 HTTP/1.1", Some("CONNECT"), "h.example:443", None),
            // Without protocol, without method, and neither.
            ("GET /b/k?x", Some("GET"), "/b/k", Some("x")),
            ("/b/k?x HTTP/1.1", None, "/b/k", Some("x")),
            ("/b/my key?x", None, "/b/my key", Some("x")),
            ("GET", None, "GET", None),
            ("GET ", Some("GET"), "", None),
            ("GET HTTP/1.1", Some("GET"), "HTTP/1.1", None),
            ("GET  HTTP/1.1", Some("GET"), "", None),
            ("\u{16}\u{3}\u{1} ?", None, "\u{16}\u{3}\u{1} ", Some("")),
            ("GÉT /é?ü HTTP/1.1", None, "GÉT /é", Some("ü")),
            (" ", None, " ", None),
            ("", None, "", None),
        ] {
            assert_eq!(split(text), Parts { method, path, query }, "{text}");
        }
    }

    #[test]
    fn parameters_are_found_by_their_decoded_name() {
        let line =
            "GET /b?list-type=2&prefix=a+b%2Fc%2B&prefix=second&X-Amz-Meta%20x=1&versioning&&e==&%FF=bad HTTP/1.1";
        for (name, expected) in [
            ("list-type", Some("2")),
            ("prefix", Some("a b/c+")),
            ("X-Amz-Meta x", Some("1")),
            ("X-Amz-Meta%20x", None),
            ("versioning", Some("")),
            ("e", Some("=")),
            ("\u{FFFD}", Some("bad")),
            ("Prefix", None),
            ("pre", None),
            ("second", None),
            ("", None),
        ] {
            assert_eq!(uri_param(line, name, &mut Scratch::default()), expected, "{name}");
        }
        assert_eq!(uri_param("GET /b/prefix=2 HTTP/1.1", "prefix", &mut Scratch::default()), None);
        assert_eq!(uri_param("GET /b?=nameless HTTP/1.1", "", &mut Scratch::default()), Some("nameless"));
        let download = "GET /b/k?response-content-disposition=attachment;%20filename=\"a b.txt\" HTTP/1.1";
        let disposition =
            uri_param(download, "response-content-disposition", &mut Scratch::default()).map(str::to_owned);
        assert_eq!(disposition.as_deref(), Some("attachment; filename=\"a b.txt\""));
    }

    #[test]
    fn access_keys_of_presigned_urls() {
        for (query, expected) in [
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260131%2Fr%2Fs3", Some("AKIDEXAMPLE")),
            ("X-Amz-Credential=AKIDEXAMPLE/20260131/r/s3/aws4_request", Some("AKIDEXAMPLE")),
            ("X-Amz-Credential=AKIDEXAMPLE", Some("AKIDEXAMPLE")),
            ("AWSAccessKeyId=AKIDOLD&Expires=1&Signature=x", Some("AKIDOLD")),
            ("AWSAccessKeyId=AKIDOLD&X-Amz-Credential=AKIDNEW%2F1", Some("AKIDNEW")),
            ("X-Amz-Credential=%2F20260131", None),
            ("X-Amz-Credential", None),
            ("versionId=3", None),
        ] {
            let line = format!("GET /b/k?{query} HTTP/1.1");
            assert_eq!(presigned_access_key(&line, &mut Scratch::default()), expected, "{query}");
        }
        assert_eq!(presigned_access_key("", &mut Scratch::default()), None);
    }

    proptest! {
        #[test]
        fn parts_are_slices_of_any_text(text in any::<String>(), name in any::<String>()) {
            let parts = split(&text);
            for part in parts.method.into_iter().chain([parts.path]).chain(parts.query) {
                prop_assert!(text.contains(part));
            }
            uri_param(&text, &name, &mut Scratch::default());
            presigned_access_key(&text, &mut Scratch::default());
        }

        #[test]
        fn a_parameter_is_found_whatever_it_holds(name in "\\PC{1,8}", value in any::<String>()) {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let line = format!("GET /b/k?x-first=1&{}={} HTTP/1.1", encode(&name), encode(&value));
            prop_assume!(name != "x-first");
            let mut scratch = Scratch::default();
            prop_assert_eq!(uri_param(&line, &name, &mut scratch), Some(value.as_str()));
        }
    }
}
