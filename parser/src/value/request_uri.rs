//! Request lines: `GET /bucket/key?versionId=3 HTTP/1.1`.
//!
//! The text comes from the client. HTTP forbids unencoded spaces in a target, but nothing enforces that: the method
//! is what precedes the first space, and the version is the last word if it begins with `HTTP/`.

use bstr::{BStr, ByteSlice};
use memchr::{memchr, memrchr};
use std::borrow::Cow;

/// A request line, split into borrowed parts without decoding.
///
/// ```
/// use s3log_parser::value::request_uri::RequestUri;
///
/// let uri = RequestUri::new(b"GET /photos/a%20b.jpg?versionId=3&x-user=jo HTTP/1.1");
/// assert_eq!(uri.method().unwrap(), "GET");
/// assert_eq!(uri.path(), "/photos/a%20b.jpg");
/// assert_eq!(uri.query().unwrap(), "versionId=3&x-user=jo");
/// assert_eq!(uri.parameter(b"x-user").unwrap().as_ref(), "jo");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestUri<'a> {
    method: Option<&'a BStr>,
    target: &'a BStr,
    version: Option<&'a BStr>,
}

impl<'a> RequestUri<'a> {
    /// Splits a request line; accepts any text.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        let (method, rest) = match memchr(b' ', text) {
            Some(at) if at > 0 && text[..at].iter().all(u8::is_ascii_alphabetic) => {
                (Some(text[..at].as_bstr()), &text[at + 1..])
            }
            _ => (None, text),
        };
        let (target, version) = match memrchr(b' ', rest) {
            Some(at) if rest[at + 1..].starts_with(b"HTTP/") => (&rest[..at], Some(rest[at + 1..].as_bstr())),
            _ => (rest, None),
        };
        Self { method, target: target.as_bstr(), version }
    }

    /// The method: the letters before the first space.
    #[must_use]
    pub fn method(&self) -> Option<&'a BStr> {
        self.method
    }

    /// Path and query, as sent.
    #[must_use]
    pub fn target(&self) -> &'a BStr {
        self.target
    }

    /// The protocol, such as `HTTP/1.1`.
    #[must_use]
    pub fn version(&self) -> Option<&'a BStr> {
        self.version
    }

    /// The path, as sent. For a target with a host (`http://host/path`), the part after the host.
    #[must_use]
    pub fn path(&self) -> &'a BStr {
        let target = self.without_host();
        memchr(b'?', target).map_or(target, |at| &target[..at]).as_bstr()
    }

    /// The query after the first `?`, as sent; empty if nothing follows it, `None` without a `?`.
    #[must_use]
    pub fn query(&self) -> Option<&'a BStr> {
        memchr(b'?', self.target).map(|at| self.target[at + 1..].as_bstr())
    }

    /// Names and values of the query parameters, in order and as sent; a name without `=` has an empty value.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a BStr, &'a BStr)> + use<'a> {
        let query: &'a [u8] = self.query().unwrap_or_default();
        query.split_str("&").filter(|parameter| !parameter.is_empty()).map(|parameter| match memchr(b'=', parameter) {
            Some(at) => (parameter[..at].as_bstr(), parameter[at + 1..].as_bstr()),
            None => (parameter.as_bstr(), BStr::new(b"")),
        })
    }

    /// The first value of the parameter `name`. Names and values are form-decoded, with `+` for a space.
    #[must_use]
    pub fn parameter(&self, name: &[u8]) -> Option<Cow<'a, BStr>> {
        let (_, value) = self.parameters().find(|(encoded, _)| *super::key::form_decode(encoded) == *name)?;
        Some(match super::key::form_decode(value) {
            Cow::Borrowed(value) => Cow::Borrowed(value.as_bstr()),
            Cow::Owned(value) => Cow::Owned(value.into()),
        })
    }

    fn without_host(&self) -> &'a [u8] {
        let target: &'a [u8] = self.target;
        let letters = target.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let Some(behind) = target[letters..].strip_prefix(b"://").filter(|_| letters > 0) else { return target };
        let end = behind.find_byteset("/?").unwrap_or(behind.len());
        &behind[end..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_request_lines() {
        for (text, method, path, query, version) in [
            ("GET /b/k HTTP/1.1", Some("GET"), "/b/k", None, Some("HTTP/1.1")),
            ("GET /b/k?acl HTTP/1.1", Some("GET"), "/b/k", Some("acl"), Some("HTTP/1.1")),
            ("GET /b/a b?c d HTTP/1.1", Some("GET"), "/b/a b", Some("c d"), Some("HTTP/1.1")),
            ("GET /b/k? HTTP/1.1", Some("GET"), "/b/k", Some(""), Some("HTTP/1.1")),
            ("GET http://h.example/k?x HTTP/1.1", Some("GET"), "/k", Some("x"), Some("HTTP/1.1")),
            ("GET http://h.example HTTP/1.1", Some("GET"), "", None, Some("HTTP/1.1")),
            ("GET h-1://h.example/k HTTP/1.1", Some("GET"), "h-1://h.example/k", None, Some("HTTP/1.1")),
            ("GET ://h.example/k HTTP/1.1", Some("GET"), "://h.example/k", None, Some("HTTP/1.1")),
            ("GET /b/k", Some("GET"), "/b/k", None, None),
            ("/b/k?v", None, "/b/k", Some("v"), None),
            ("\\x16\\x03 HTTP/1.1", None, "\\x16\\x03", None, Some("HTTP/1.1")),
            ("", None, "", None, None),
            (" ", None, " ", None, None),
        ] {
            let uri = RequestUri::new(text.as_bytes());
            assert_eq!(uri.method().map(BStr::to_string).as_deref(), method, "{text}");
            assert_eq!(uri.path(), path, "{text}");
            assert_eq!(uri.query().map(BStr::to_string).as_deref(), query, "{text}");
            assert_eq!(uri.version().map(BStr::to_string).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn parameters_are_found_by_their_decoded_names() {
        let uri = RequestUri::new(b"GET /?a=1&&b%2Dc=x+y%21&a=2&d&=e HTTP/1.1");
        assert_eq!(uri.parameter(b"a").as_deref(), Some(BStr::new("1")));
        assert_eq!(uri.parameter(b"b-c").as_deref(), Some(BStr::new("x y!")));
        assert_eq!(uri.parameter(b"d").as_deref(), Some(BStr::new("")));
        assert_eq!(uri.parameter(b"nothing"), None);
        assert_eq!(uri.parameters().count(), 5);
    }
}
