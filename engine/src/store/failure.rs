//! Errors of `object_store` as errors of this crate, with hints.

use crate::error::{Error, ErrorKind};
use object_store::Error as StoreError;
use std::error::Error as _;

/// What an error response of S3 says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// An S3 error code, such as `AccessDenied`.
    pub(super) code: Option<String>,
    /// The message that belongs to the code.
    message: Option<String>,
    /// Status line, such as `403 Forbidden`.
    status: Option<String>,
}

impl Failure {
    /// Parses the text of the error: the types of `object_store` do not carry the error code.
    pub(super) fn of(error: &StoreError) -> Self {
        let text = answer(error).unwrap_or_else(|| error.to_string());
        let element = |name: &str| {
            let rest = text.split_once(&format!("<{name}>"))?.1;
            rest.split_once(&format!("</{name}>")).map(|(value, _)| value.trim().to_owned())
        };
        let status = text.split_once("status code: ").map(|(_, rest)| rest);
        let status = status.and_then(|rest| rest.split([':', ',']).next()).map(|status| status.trim().to_owned());
        Self { code: element("Code"), message: element("Message"), status }
    }

    /// The HTTP status, if there was a response.
    pub(super) fn status(&self) -> Option<u16> {
        self.status.as_deref()?.split(' ').next()?.parse().ok()
    }

    /// Whether the store does not implement the operation or its precondition.
    pub(super) fn is_unknown_here(&self) -> bool {
        self.status() == Some(501) || self.code.as_deref() == Some("NotImplemented")
    }

    /// Whether the object is archived and must be restored first.
    pub(super) fn is_archived(&self) -> bool {
        self.code.as_deref() == Some("InvalidObjectState")
    }
}

/// The text of the response. Other texts in the chain of errors contain object names, which could imitate error codes.
fn answer(error: &StoreError) -> Option<String> {
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if text.starts_with("Server returned") {
            return Some(text);
        }
        cause = error.source();
    }
    None
}

/// An error for an action on `object`, a bucket or an object of one, with a hint where one helps.
pub(super) fn explain(action: &str, object: &str, error: StoreError) -> Error {
    let failure = Failure::of(&error);
    let code = failure.code.as_deref();
    let (kind, hint) = match (&error, code) {
        (StoreError::Unauthenticated { .. }, None) => (
            ErrorKind::Unreadable,
            Some(
                "set up credentials with `aws configure` or `aws sso login`, choose some with --profile, or pass --no-sign-request for a public bucket; `s3log doctor` shows what was found",
            ),
        ),
        (_, Some("NoSuchBucket")) => {
            (ErrorKind::NotFound, Some("check the bucket's name, and --endpoint-url if it is not at AWS"))
        }
        (_, Some("NoSuchKey")) | (StoreError::NotFound { .. }, _) => {
            (ErrorKind::NotFound, Some("it may have been deleted since it was listed"))
        }
        (
            _,
            Some(
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired",
            ),
        ) => (
            ErrorKind::Unreadable,
            Some(
                "these credentials are not valid at this endpoint; `s3log doctor` shows where they and the endpoint come from",
            ),
        ),
        (_, Some("InvalidObjectState")) => {
            (ErrorKind::Unreadable, Some("it is archived: restore it, or wait until it is restored"))
        }
        (_, Some("RequestTimeTooSkewed")) => (ErrorKind::Unreadable, Some("set the clock of this machine")),
        (StoreError::PermissionDenied { .. }, _) | (_, Some("AccessDenied")) => (
            ErrorKind::Unreadable,
            Some(
                "reading logs needs s3:ListBucket on the bucket and s3:GetObject on its objects; `s3log doctor` shows whose credentials these are",
            ),
        ),
        (StoreError::InvalidPath { .. }, _) => (ErrorKind::Unreadable, Some(NAMES_THAT_CANNOT_BE_SENT)),
        _ => (ErrorKind::Unreadable, None),
    };
    let mut message = match (&failure.code, &failure.message, &failure.status) {
        (Some(code), Some(message), _) => format!("{action}: {code}: {message}"),
        (Some(code), None, _) => format!("{action}: {code}"),
        (None, _, Some(status)) => format!("{action}: the store answered {status}"),
        (None, ..) => format!("{action}: {}", innermost(&error)),
    };
    if let (Some(tries), Some(_)) = (retries(&error), kind_that_passes(code, failure.status.as_deref())) {
        message.push_str(&format!(" (tried {} times)", tries + 1));
    }
    let explained = Error::new(kind, message).in_object(object);
    match hint {
        Some(hint) => explained.with_hint(hint),
        None => explained,
    }
}

/// Clients and servers normalise such names on the way, and would request another object.
const NAMES_THAT_CANNOT_BE_SENT: &str = "names that have `//`, the parts `.` or `..`, or control characters in them cannot be read: copy such objects to other names, or choose a prefix without them";

/// The root cause. The outer errors repeat it and add URLs.
fn innermost(error: &StoreError) -> String {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

fn retries(error: &StoreError) -> Option<u64> {
    let text = error.to_string();
    let (before, _) = text.split_once(" retries")?;
    before.rsplit_once("after ")?.1.parse().ok()
}

/// `Some` if the failure is one that is retried, so that the number of attempts is worth reporting.
fn kind_that_passes(code: Option<&str>, status: Option<&str>) -> Option<()> {
    let passes = match (code, status) {
        (_, Some(status)) => status.starts_with('5') || status.starts_with("429") || status.starts_with("408"),
        (None, None) => true,
        (Some(_), None) => false,
    };
    passes.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &'static str) -> StoreError {
        StoreError::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn what_the_store_said_and_nothing_else() {
        let error = generic(
            "Error performing GET http://127.0.0.1:9/logs?list-type=2 in 1.2s, after 2 retries, max_retries: 2, retry_timeout: 180s  - \
             Server returned non-2xx status code: 503 Service Unavailable: <Error><Code>SlowDown</Code><Message>Reduce your rate.</Message>\
             <AWSAccessKeyId>AKIAEXAMPLE</AWSAccessKeyId></Error>",
        );
        let explained = explain("it cannot be listed", "s3://logs/", error);
        assert_eq!(
            explained.to_string(),
            "s3://logs/: it cannot be listed: SlowDown: Reduce your rate. (tried 3 times)"
        );
    }

    #[test]
    fn what_happened_on_the_way() {
        let cause = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let error = StoreError::Generic { store: "S3", source: Box::new(cause) };
        assert_eq!(
            explain("it cannot be read", "s3://b/k", error).to_string(),
            "s3://b/k: it cannot be read: connection refused"
        );
    }

    #[test]
    fn archived_objects_are_known() {
        let error = generic(
            "Server returned non-2xx status code: 403 Forbidden: <Error><Code>InvalidObjectState</Code></Error>",
        );
        assert!(Failure::of(&error).is_archived());
        assert!(!Failure::of(&generic("x")).is_archived());
    }
}
