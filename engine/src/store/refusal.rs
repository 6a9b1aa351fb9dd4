//! Error responses to the AWS SDK client.

use super::control::HttpResponse;
use crate::error::{Error, ErrorKind};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::fmt;

/// Error codes for invalid credentials.
const BAD_CREDENTIALS: [&str; 5] =
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"];
/// Error codes of services that do not implement the operation: AWS, Ceph, MinIO, R2.
const UNKNOWN: [&str; 4] = ["NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "XNotImplemented"];

/// A request that did not get the expected response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// An S3 error code, such as `AccessDenied`.
    pub(crate) code: Option<String>,
    /// The message that belongs to the code.
    message: Option<String>,
    /// The HTTP status, if there was a response.
    status: Option<u16>,
    /// The region of the bucket, if the response names it.
    pub(crate) region: Option<String>,
    /// What went wrong if there was no response.
    way: Option<String>,
}

impl Refusal {
    #[cfg(test)]
    pub(crate) fn with_code(code: &str, status: u16) -> Self {
        Self { code: Some(code.to_owned()), status: Some(status), ..Self::default() }
    }

    /// Converts an error of the SDK.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let Some(answer) = error.raw_response() else {
            let way = match error {
                SdkError::TimeoutError(_) => "the store did not answer in time".to_owned(),
                SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                    "the store did not answer in time".to_owned()
                }
                _ => innermost(error),
            };
            return Self { way: Some(way), ..Self::default() };
        };
        let body = answer.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
        let in_body = || {
            let (_, rest) = body.split_once("<Region>")?;
            rest.split_once("</Region>").map(|(region, _)| region.trim().to_owned())
        };
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let text = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            code: text(metadata.and_then(|metadata| metadata.code())),
            message: text(metadata.and_then(|metadata| metadata.message())),
            status: Some(answer.status().as_u16()),
            region: answer.headers().get("x-amz-bucket-region").map(str::to_owned).or_else(in_body),
            way: None,
        }
    }

    fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the bucket does not exist. Responses to HEAD have no error code.
    pub(crate) fn is_missing_bucket(&self) -> bool {
        self.is(&["NoSuchBucket"]) || (self.status == Some(404) && (self.code.is_none() || self.is(&["NotFound"])))
    }

    /// Whether the bucket lacks the requested configuration, such as a policy or Object Lock.
    pub(super) fn is_nothing_there(&self) -> bool {
        self.status == Some(404) && !self.is_missing_bucket()
    }

    /// Whether the credentials are valid, but lack the permission.
    pub(crate) fn is_denied(&self) -> bool {
        !self.is_bad_credentials() && (self.is(&["AccessDenied"]) || self.status == Some(403))
    }

    fn is_bad_credentials(&self) -> bool {
        self.is(&BAD_CREDENTIALS)
    }

    /// Whether the store does not implement the operation. Some respond with 200 and an unrelated body.
    pub(crate) fn is_unknown_here(&self) -> bool {
        let is_other_answer = self.status == Some(200) && self.code.is_none();
        self.is(&UNKNOWN) || matches!(self.status, Some(405 | 501)) || is_other_answer
    }

    /// Whether the bucket is in another region. The answer to HEAD has no code, and names the region.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.status, Some(301 | 302 | 307 | 308))
            || self.is(&["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"])
            || self.status == Some(400) && self.code.is_none() && self.region.is_some()
    }

    /// An error for an action on `object`, with a hint where one applies to every service.
    pub(crate) fn explain(&self, action: &str, object: &str) -> Error {
        let error = |kind| Error::new(kind, format!("{action}: {self}")).in_object(object);
        if self.is_missing_bucket() {
            return error(ErrorKind::NotFound)
                .with_hint("check the bucket's name, and --endpoint-url if it is not at AWS");
        }
        if self.is_bad_credentials() {
            return error(ErrorKind::Unreadable).with_hint(
                "these credentials are not valid at this endpoint; `s3log doctor` shows where they and the endpoint come from",
            );
        }
        if let (true, Some(region)) = (self.is_elsewhere(), &self.region) {
            return error(ErrorKind::Unreadable)
                .with_hint(format!("the bucket is in {region}: --region {region}, and the endpoint of that region"));
        }
        if self.is(&["RequestTimeTooSkewed"]) {
            return error(ErrorKind::Unreadable).with_hint("set the clock of this machine");
        }
        error(if self.is_denied() { ErrorKind::Denied } else { ErrorKind::Unreadable })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.message, self.status) {
            (Some(code), Some(message), _) => write!(f, "{code}: {message}"),
            (Some(code), None, _) => f.write_str(code),
            (None, _, Some(200)) => f.write_str("the answer does not fit the request"),
            (None, _, Some(status)) => write!(f, "the store answered {status}"),
            (None, _, None) => f.write_str(self.way.as_deref().unwrap_or("there was no answer")),
        }
    }
}

/// The root cause; the outer errors repeat it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refusals_mean() {
        let means = |code: Option<&str>, status: u16| {
            let refusal = Refusal { code: code.map(str::to_owned), status: Some(status), ..Refusal::default() };
            let all = [
                (refusal.is_missing_bucket(), "no bucket"),
                (refusal.is_nothing_there(), "nothing there"),
                (refusal.is_denied(), "denied"),
                (refusal.is_bad_credentials(), "bad credentials"),
                (refusal.is_unknown_here(), "unknown here"),
                (refusal.is_elsewhere(), "elsewhere"),
            ];
            all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect::<Vec<_>>().join(", ")
        };
        for (code, status, meaning) in [
            (Some("NoSuchBucket"), 404, "no bucket"),
            (None, 404, "no bucket"),
            (Some("NoSuchBucketPolicy"), 404, "nothing there"),
            (Some("AccessDenied"), 403, "denied"),
            (None, 403, "denied"),
            (Some("SignatureDoesNotMatch"), 403, "bad credentials"),
            (Some("NotImplemented"), 501, "unknown here"),
            (Some("MethodNotAllowed"), 405, "unknown here"),
            (None, 200, "unknown here"),
            (Some("InternalError"), 200, ""),
            (Some("TemporaryRedirect"), 307, "elsewhere"),
            (Some("AuthorizationHeaderMalformed"), 400, "elsewhere"),
            (Some("IllegalLocationConstraintException"), 400, "elsewhere"),
            (None, 400, ""),
            (Some("SlowDown"), 503, ""),
        ] {
            assert_eq!(means(code, status), meaning, "{code:?} {status}");
        }
        let region = Some("eu-south-2".to_owned());
        assert!(Refusal { status: Some(400), region, ..Refusal::default() }.is_elsewhere());
    }
}
