//! Query parameters that carry credentials.
//!
//! A value is a secret if it enables its holder to do something: repeat a request, open a session, prove an identity.
//! Ids are not secret and stay, since they tell who did what: `X-Amz-Credential`, `AWSAccessKeyId`, `Key-Pair-Id`,
//! `GoogleAccessId`, `OSSAccessKeyId`, `q-ak`. CloudFront's `Policy` stays, too: it states expiry and scope, and is
//! worthless without its signature. A parameter called `key` is far more often part of a name than a credential, and
//! `continuation-token` is a position in a listing.

/// A query parameter whose value is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretParameter {
    /// The name as documented; compared case-insensitively.
    pub name: &'static str,
    /// The service or standard that uses it.
    pub whose: &'static str,
    /// URL of its documentation; empty for a common name that nobody has defined.
    pub source: &'static str,
    /// Whether it is a secret only in referers. In a request to a bucket the name means something else.
    pub referer_only: bool,
}

const fn everywhere(name: &'static str, whose: &'static str, source: &'static str) -> SecretParameter {
    SecretParameter { name, whose, source, referer_only: false }
}

const fn common(name: &'static str) -> SecretParameter {
    everywhere(name, "applications", "")
}

const SIGV4: &str = "https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html";
const EXPRESS: &str = "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html";
const SIGV2: &str = "https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html";
const FEDERATION: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html";
const SAS: &str = "https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas";
const GOOGLE: &str = "https://cloud.google.com/storage/docs/authentication/signatures";
const ALIBABA: &str = "https://www.alibabacloud.com/help/en/oss/developer-reference/add-signatures-to-urls";
const TENCENT: &str = "https://www.tencentcloud.com/document/product/436/7778";
const OAUTH: &str = "https://www.rfc-editor.org/rfc/rfc6749";
const BEARER: &str = "https://www.rfc-editor.org/rfc/rfc6750#section-2.3";
const ASSERTIONS: &str = "https://www.rfc-editor.org/rfc/rfc7521";
const OPENID: &str = "https://openid.net/specs/openid-connect-core-1_0.html";
const SERVLET: &str = "https://jakarta.ee/specifications/servlet/6.0/jakarta-servlet-spec-6.0";
const PHP: &str = "https://www.php.net/manual/en/session.configuration.php";
const GITLAB: &str = "https://docs.gitlab.com/api/rest/authentication/";

/// All query parameters whose values are redacted.
pub const SECRET_PARAMETERS: &[SecretParameter] = &[
    everywhere("X-Amz-Signature", "S3, signature version 4", SIGV4),
    everywhere("X-Amz-Security-Token", "S3, signature version 4", SIGV4),
    everywhere("X-Amz-S3session-Token", "S3, directory buckets", EXPRESS),
    // CloudFront, Google's version 2, Alibaba and Huawei use the same name.
    everywhere("Signature", "S3, signature version 2; CloudFront", SIGV2),
    everywhere("SigninToken", "AWS, federation", FEDERATION),
    everywhere("sig", "Azure, shared access signatures", SAS),
    everywhere("X-Goog-Signature", "Google Cloud Storage", GOOGLE),
    everywhere("X-Goog-Security-Token", "Google Cloud Storage", GOOGLE),
    everywhere("x-oss-signature", "Alibaba OSS", ALIBABA),
    everywhere("x-oss-security-token", "Alibaba OSS", ALIBABA),
    everywhere("security-token", "Alibaba OSS", ALIBABA),
    everywhere("q-signature", "Tencent COS", TENCENT),
    everywhere("x-cos-security-token", "Tencent COS", TENCENT),
    everywhere("access_token", "OAuth 2.0", BEARER),
    everywhere("refresh_token", "OAuth 2.0", OAUTH),
    everywhere("client_secret", "OAuth 2.0", OAUTH),
    everywhere("password", "OAuth 2.0 and applications", OAUTH),
    everywhere("assertion", "OAuth 2.0", ASSERTIONS),
    everywhere("client_assertion", "OAuth 2.0", ASSERTIONS),
    everywhere("id_token", "OpenID Connect", OPENID),
    everywhere("id_token_hint", "OpenID Connect", OPENID),
    // A bucket is not an OAuth client: in its own requests `code` means something else, such as a country or a coupon.
    SecretParameter { name: "code", whose: "OAuth 2.0", source: OAUTH, referer_only: true },
    everywhere("jsessionid", "Jakarta Servlet", SERVLET),
    everywhere("PHPSESSID", "PHP", PHP),
    everywhere("private_token", "GitLab", GITLAB),
    everywhere("job_token", "GitLab", GITLAB),
    common("token"),
    common("accesstoken"),
    common("access-token"),
    common("x-access-token"),
    common("auth"),
    common("authorization"),
    common("auth_token"),
    common("authtoken"),
    common("auth-token"),
    common("x-auth-token"),
    common("api_key"),
    common("apikey"),
    common("api-key"),
    common("x-api-key"),
    common("api_token"),
    common("jwt"),
    common("passwd"),
    common("pwd"),
    common("secret"),
    common("secret_key"),
    common("secretkey"),
    common("session"),
    common("sessionid"),
    common("session_id"),
    common("session_token"),
    common("sessiontoken"),
];

/// Exclusive limit on the length of names.
pub(super) const NAMES_END: usize = 32;

/// Whether the value of a parameter is a secret. `name` must be decoded.
pub(super) fn is_secret(name: &[u8], in_referer: bool) -> bool {
    // Length and first letter rule out most names.
    let may_be = match (FIRST_LETTERS.get(name.len()), name.first()) {
        (Some(letters), Some(first)) => letters & letter(*first) != 0,
        _ => false,
    };
    may_be
        && SECRET_PARAMETERS.iter().any(|secret| {
            secret.name.len() == name.len()
                && secret.name.as_bytes().eq_ignore_ascii_case(name)
                && (in_referer || !secret.referer_only)
        })
}

/// By length, a bit set of the first letters of the names.
const FIRST_LETTERS: [u32; NAMES_END] = {
    let mut letters = [0; NAMES_END];
    let mut at = 0;
    while at < SECRET_PARAMETERS.len() {
        let name = SECRET_PARAMETERS[at].name.as_bytes();
        letters[name.len()] |= letter(name[0]);
        at += 1;
    }
    letters
};

/// The bit of a letter, ignoring case.
const fn letter(byte: u8) -> u32 {
    1 << (byte & 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_fit() {
        let names: HashSet<_> = SECRET_PARAMETERS.iter().map(|secret| secret.name.to_ascii_lowercase()).collect();
        assert_eq!(names.len(), SECRET_PARAMETERS.len());
        for secret in SECRET_PARAMETERS {
            assert!(secret.name.len() < NAMES_END, "{}", secret.name);
            assert!(secret.name.as_bytes()[0].is_ascii_alphabetic(), "{}", secret.name);
            // Delimiters of names and of user info must not occur in a name: see `redact`.
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            assert!(secret.name.bytes().all(plain), "{}", secret.name);
            assert!(secret.source.is_empty() || secret.source.starts_with("https://"), "{}", secret.name);
        }
    }

    #[test]
    fn case_does_not_matter_and_the_place_may() {
        for name in ["x-amz-signature", "X-AMZ-SIGNATURE", "Sig", "TOKEN", "phpsessid"] {
            assert!(is_secret(name.as_bytes(), false), "{name}");
        }
        for name in ["", "key", "X-Amz-Credential", "AWSAccessKeyId", "Policy", "continuation-token", "tokens", "code"]
        {
            assert!(!is_secret(name.as_bytes(), false), "{name}");
        }
        assert!(is_secret(b"code", true));
    }
}
