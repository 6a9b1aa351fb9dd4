//! Requests that no client of a bucket makes: TRACE, CONNECT, a URI with a host, a version of HTTP that there is not.

use super::ErrorFacts;

/// Whether a request is an abuse of the protocol. `target` is what stands behind the method, `version` behind that:
/// `HTTP/1.1`; both as written, if they are known.
///
/// `PROPFIND` and its kin are what file managers and Office send to every address, `OPTIONS` what browsers do: none of
/// them counts.
pub(crate) fn is_abuse(method: Option<&str>, target: Option<&str>, version: Option<&str>, error: ErrorFacts) -> bool {
    let method = method.unwrap_or_default();
    let hostile_method = ["TRACE", "CONNECT", "TRACK", "PATCH", "DEBUG"].contains(&method);
    if hostile_method || error.protocol {
        return true;
    }
    // Proxies that check whether they are there ask by a full URL.
    let with_host = target.is_some_and(|target| {
        ["http://", "https://"]
            .iter()
            .any(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
    });
    let known_version = version.is_none_or(|version| {
        matches!(version, "HTTP/1.1" | "HTTP/1.0" | "HTTP/2" | "HTTP/2.0" | "HTTP/3" | "HTTP/3.0")
    });
    with_host || !known_version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abuses() {
        for (method, target, version, code, expected) in [
            (Some("GET"), Some("/b/k"), Some("HTTP/1.1"), None, false),
            (Some("GET"), Some("/b/k"), Some("HTTP/2.0"), None, false),
            (Some("GET"), Some("/b/http://example.com"), None, None, false),
            (Some("OPTIONS"), Some("*"), Some("HTTP/1.1"), None, false),
            (Some("PROPFIND"), Some("/"), Some("HTTP/1.1"), None, false),
            (Some("GET"), Some("/"), Some("HTTP/1.1"), Some("NoSuchKey"), false),
            (None, None, None, None, false),
            (Some("TRACE"), Some("/"), Some("HTTP/1.1"), None, true),
            (Some("CONNECT"), Some("example.com:443"), Some("HTTP/1.1"), None, true),
            (Some("PATCH"), Some("/"), None, None, true),
            (Some("GET"), Some("HTTP://example.com/"), Some("HTTP/1.1"), None, true),
            (Some("GET"), Some("/"), Some("HTTP/9.9"), None, true),
            (Some("GET"), Some("/"), Some("RTSP/1.0"), None, true),
            (Some("GET"), Some("/%"), Some("HTTP/1.1"), Some("InvalidURI"), true),
        ] {
            let error = ErrorFacts::of(code, Some(400));
            assert_eq!(
                is_abuse(method, target, version, error),
                expected,
                "{method:?} {target:?} {version:?} {code:?}"
            );
        }
    }
}
