//! Requests that no client of a bucket sends: TRACE, CONNECT, a URI with a host. Stores report invalid HTTP versions by
//! an error code.

use super::ErrorFacts;

/// Whether a request abuses the protocol. `target` is what follows the method, as written, if known.
///
/// `PROPFIND` and similar methods do not count, since file managers and Office send them to any address; neither does
/// `OPTIONS`, which browsers send.
pub(crate) fn is_abuse(method: Option<&str>, target: Option<&str>, error: ErrorFacts) -> bool {
    let method = method.unwrap_or_default();
    let hostile_method = ["TRACE", "CONNECT", "TRACK", "PATCH", "DEBUG"].contains(&method);
    if hostile_method || error.protocol {
        return true;
    }
    // Scans for open proxies send a complete URL.
    target.is_some_and(|target| {
        ["http://", "https://"]
            .iter()
            .any(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abuses() {
        for (method, target, code, expected) in [
            (Some("GET"), Some("/b/k"), None, false),
            (Some("GET"), Some("/b/k"), None, false),
            (Some("GET"), Some("/b/http://example.com"), None, false),
            (Some("OPTIONS"), Some("*"), None, false),
            (Some("PROPFIND"), Some("/"), None, false),
            (Some("GET"), Some("/"), Some("NoSuchKey"), false),
            (None, None, None, false),
            (Some("TRACE"), Some("/"), None, true),
            (Some("CONNECT"), Some("example.com:443"), None, true),
            (Some("PATCH"), Some("/"), None, true),
            (Some("GET"), Some("HTTP://example.com/"), None, true),
            (Some("GET"), Some("/"), Some("InvalidHttpVersion"), true),
            (Some("GET"), Some("/%"), Some("InvalidURI"), true),
        ] {
            let error = ErrorFacts::of(code, Some(400));
            assert_eq!(is_abuse(method, target, error), expected, "{method:?} {target:?} {code:?}");
        }
    }
}
