//! Meaning of errors: `NoSuchKey` is a miss, `AccessDenied` a denial, `NoSuchCORSConfiguration` a normal answer.
//!
//! Without permission to list a bucket, a missing key gives a denial instead of a miss, so someone probing for keys may
//! get either. Both count as a [failure](ErrorFacts::fail). Codes are compared ignoring case and punctuation, since
//! VersityGW writes sentences (`Access Denied.`). CDN logs have no codes, so the status is used.

/// Why authentication failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum AuthError {
    /// The access key is unknown: `InvalidAccessKeyId`.
    UnknownKey,
    /// The access key is known, but the signature is wrong: `SignatureDoesNotMatch`.
    Signature,
    /// The session token is invalid: `InvalidToken`.
    Token,
    /// The signing header or query is malformed, or names another region.
    Malformed,
    /// The client's clock is wrong: `RequestTimeTooSkewed`.
    Skew,
    /// The token or the request has expired: `ExpiredToken`.
    Expired,
}

/// Meaning of a status and an error code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorFacts {
    /// The key or version does not exist.
    pub(crate) miss: bool,
    /// Access was denied.
    pub(crate) denied: bool,
    /// Authentication failed.
    pub(crate) auth: Option<AuthError>,
    /// A configuration that was read is not set, which is not a failure.
    pub(crate) benign_config: bool,
    /// The request is not one that an S3 client sends.
    pub(crate) protocol: bool,
    /// Clock skew or expiry, which happens to legitimate clients; `auth` has which.
    pub(crate) skew_or_expired: bool,
}

impl ErrorFacts {
    /// From an error code, or from the status if there is none.
    pub(crate) fn of(error_code: Option<&str>, status: Option<i32>) -> Self {
        let none = Self::default();
        let code = error_code.map(squeeze).unwrap_or_default();
        match code.as_str() {
            "" => match status {
                Some(404 | 410) => Self { miss: true, ..none },
                Some(401 | 403) => Self { denied: true, ..none },
                Some(505) => Self { protocol: true, ..none },
                _ => none,
            },
            "nosuchkey"
            | "nosuchversion"
            | "thespecifiedkeydoesnotexist"
            | "nosuchobject"
            | "notfound"
            | "objectnotfound" => Self { miss: true, ..none },
            "accessdenied"
            | "allaccessdisabled"
            | "accessforbidden"
            | "forbidden"
            | "accountproblem"
            | "unauthorizedaccess"
            | "unauthorized"
            | "invalidpayer"
            | "accesspointaccessdenied" => Self { denied: true, ..none },
            "invalidaccesskeyid" | "nosuchaccesskey" => auth(AuthError::UnknownKey),
            "signaturedoesnotmatch" | "xamzcontentsha256mismatch" => auth(AuthError::Signature),
            "invalidtoken" | "invalidtokenid" | "invalidclienttokenid" => auth(AuthError::Token),
            "authorizationheadermalformed"
            | "authorizationqueryparameterserror"
            | "invalidsecurity"
            | "missingsecurityheader"
            | "missingauthenticationtoken"
            | "credentialsnotsupported"
            | "missingsecurityelement" => auth(AuthError::Malformed),
            "requesttimetooskewed" | "requestexpired" => auth(AuthError::Skew),
            "expiredtoken" | "tokenrefreshrequired" | "expiredtokenexception" => auth(AuthError::Expired),
            "invaliduri"
            | "badrequest"
            | "invalidhttpversion"
            | "httpversionnotsupported"
            | "badhttprequest"
            | "unsupportedhttpverb" => Self { protocol: true, ..none },
            code if is_unset_configuration(code) => Self { benign_config: true, ..none },
            _ => none,
        }
    }

    /// Whether this may be the response to a presigned request, for logs without the signing method.
    ///
    /// Such a request fails because of its signature, or is denied after expiry. Website endpoints ignore signatures.
    /// CDN logs have neither operation nor code; there, a denial may be the origin's response to an expired link, while
    /// other outcomes are what they would have been without the parameters, as far as can be told.
    pub(crate) fn may_be_of_a_signature(self, operation: Option<&str>) -> bool {
        let is_asked = operation.is_none_or(|operation| operation.starts_with("REST."));
        is_asked && (self.auth.is_some() || self.denied)
    }

    /// Whether the client got nothing: a miss or a denial.
    pub(crate) fn fail(self) -> bool {
        self.miss || self.denied
    }
}

fn auth(error: AuthError) -> ErrorFacts {
    let skew_or_expired = matches!(error, AuthError::Skew | AuthError::Expired);
    ErrorFacts { auth: Some(error), skew_or_expired, ..ErrorFacts::default() }
}

/// `NoSuchBucketPolicy`, `NoSuchCORSConfiguration`, `ReplicationConfigurationNotFoundError`, and future codes of this
/// form.
fn is_unset_configuration(code: &str) -> bool {
    let unset = code.strip_prefix("nosuch").is_some_and(|what| {
        ["policy", "configuration", "tagset", "tagseterror", "lifecycle", "config"]
            .iter()
            .any(|end| what.ends_with(end))
    });
    unset || code.ends_with("notfounderror") || code.ends_with("configurationnotfound")
}

/// In lower case, with only letters and digits.
fn squeeze(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses() {
        for (code, status, expected) in [
            (Some("NoSuchKey"), Some(404), "miss"),
            (Some("NoSuchVersion"), Some(404), "miss"),
            (Some("The specified key does not exist."), Some(404), "miss"),
            (Some("AccessDenied"), Some(403), "denied"),
            (Some("Access Denied."), Some(403), "denied"),
            (Some("AllAccessDisabled"), Some(403), "denied"),
            (None, Some(404), "miss"),
            (Some("-"), Some(404), "miss"),
            (None, Some(403), "denied"),
            (None, Some(401), "denied"),
            (None, Some(505), "protocol"),
            (Some("InvalidAccessKeyId"), Some(403), "auth UnknownKey"),
            (Some("SignatureDoesNotMatch"), Some(403), "auth Signature"),
            (Some("InvalidToken"), Some(400), "auth Token"),
            (Some("AuthorizationHeaderMalformed"), Some(400), "auth Malformed"),
            (Some("AuthorizationQueryParametersError"), Some(400), "auth Malformed"),
            (Some("RequestTimeTooSkewed"), Some(403), "auth Skew waits"),
            (Some("ExpiredToken"), Some(400), "auth Expired waits"),
            (Some("NoSuchBucketPolicy"), Some(404), "config"),
            (Some("NoSuchCORSConfiguration"), Some(404), "config"),
            (Some("NoSuchLifecycleConfiguration"), Some(404), "config"),
            (Some("NoSuchWebsiteConfiguration"), Some(404), "config"),
            (Some("NoSuchTagSet"), Some(404), "config"),
            (Some("NoSuchTagSetError"), Some(404), "config"),
            (Some("NoSuchConfiguration"), Some(404), "config"),
            (Some("NoSuchPublicAccessBlockConfiguration"), Some(404), "config"),
            (Some("ReplicationConfigurationNotFoundError"), Some(404), "config"),
            (Some("ServerSideEncryptionConfigurationNotFoundError"), Some(404), "config"),
            (Some("ObjectLockConfigurationNotFoundError"), Some(404), "config"),
            (Some("OwnershipControlsNotFoundError"), Some(404), "config"),
            (Some("InvalidURI"), Some(400), "protocol"),
            (Some("BadRequest"), Some(400), "protocol"),
            // Neither miss nor denial, whatever the status.
            (Some("NoSuchUpload"), Some(404), ""),
            (Some("NoSuchBucket"), Some(404), ""),
            (Some("InvalidObjectState"), Some(403), ""),
            (Some("PreconditionFailed"), Some(412), ""),
            // Also the answer for a delete marker.
            (Some("MethodNotAllowed"), Some(405), ""),
            (None, Some(405), ""),
            (Some("SlowDown"), Some(503), ""),
            (Some("TemporaryRedirect"), Some(307), ""),
            (None, Some(200), ""),
            (None, Some(304), ""),
            (None, Some(416), ""),
            (None, None, ""),
        ] {
            let facts = ErrorFacts::of(code, status);
            let auth = facts.auth.map(|error| format!("auth {error:?}"));
            let told = [
                facts.miss.then_some("miss"),
                facts.denied.then_some("denied"),
                auth.as_deref(),
                facts.benign_config.then_some("config"),
                facts.protocol.then_some("protocol"),
                facts.skew_or_expired.then_some("waits"),
            ];
            let told = told.into_iter().flatten().collect::<Vec<_>>().join(" ");
            assert_eq!(told, expected, "{code:?} {status:?}");
            assert_eq!(facts.fail(), facts.miss || facts.denied);
        }
    }

    #[test]
    fn what_may_be_the_answer_to_a_signature() {
        let (get, page) = (Some("REST.GET.OBJECT"), Some("WEBSITE.GET.OBJECT"));
        for (operation, code, status, expected) in [
            (get, Some("SignatureDoesNotMatch"), 403, true),
            (get, Some("AccessDenied"), 403, true),
            (get, Some("NoSuchKey"), 404, false),
            (get, None, 200, false),
            (page, Some("AccessDenied"), 403, false),
            // A CDN.
            (None, None, 403, true),
            (None, None, 404, false),
            (None, None, 200, false),
        ] {
            let facts = ErrorFacts::of(code, Some(status));
            assert_eq!(facts.may_be_of_a_signature(operation), expected, "{operation:?} {code:?} {status}");
        }
    }

    #[test]
    fn waiting_is_no_guessing() {
        let is_guess = |code: &str, status: i32| {
            let facts = ErrorFacts::of(Some(code), Some(status));
            facts.auth.is_some() && !facts.skew_or_expired
        };
        assert!(is_guess("InvalidAccessKeyId", 403));
        assert!(!is_guess("ExpiredToken", 400));
        assert!(!is_guess("AccessDenied", 403));
    }
}
