//! Requests that no client of a bucket makes: TRACE, CONNECT, a URI with a host. A version of HTTP that there is not, stores answer with
//! an error that says so.

use super::ErrorFacts;

/// Whether a request is an abuse of the protocol. `target` is what stands behind the method, as written, if it is known.
///
/// `PROPFIND` and its kin are what file managers and Office send to every address, `OPTIONS` what browsers do: none of
/// them counts.
pub(crate) fn is_abuse(method: Option<&str>, target: Option<&str>, error: ErrorFacts) -> bool {
    let method = method.unwrap_or_default();
    let hostile_method = ["TRACE", "CONNECT", "TRACK", "PATCH", "DEBUG"].contains(&method);
    if hostile_method || error.protocol {
        return true;
    }
    // Proxies that check whether they are there ask by a full URL.
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
