//! Who a record is of: a key, an identity of AWS's IAM, an account, a service, or nobody who signed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::Error;

/// What kind of identity asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PrincipalKind {
    /// An access key: one of the account, one that a mapping names, or one that signed a URL.
    AccessKey,
    /// A user of IAM.
    IamUser,
    /// A role of IAM, with all its sessions.
    IamRole,
    /// A session of a federated user.
    FederatedUser,
    /// The root user of an account, by its ARN.
    AccountRoot,
    /// A canonical user id, which names an account and no identity in it.
    CanonicalId,
    /// A service: of AWS, or a CDN's origin access identity.
    Service,
    /// Nobody signed.
    Anonymous,
    /// Somebody signed, and the log does not say who.
    Unnamed,
    /// What the log has is none of these.
    Other,
}

impl PrincipalKind {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessKey => "access key",
            Self::IamUser => "IAM user",
            Self::IamRole => "IAM role",
            Self::FederatedUser => "federated user",
            Self::AccountRoot => "account root",
            Self::CanonicalId => "canonical id",
            Self::Service => "service",
            Self::Anonymous => "anonymous",
            Self::Unnamed => "signed by somebody",
            Self::Other => "requester",
        }
    }

    /// Whether it leads to one key, user or role. A canonical id and what is not understood do not.
    #[must_use]
    pub fn is_told(self) -> bool {
        !matches!(self, Self::CanonicalId | Self::Unnamed | Self::Other)
    }

    /// Whether it can be given less: nobody and services are allowed by policies of buckets alone.
    #[must_use]
    pub fn has_grants(self) -> bool {
        !matches!(self, Self::Service | Self::Anonymous | Self::Unnamed)
    }

    /// Whether it is one of IAM's, which actions are allowed to.
    #[must_use]
    pub fn is_of_iam(self) -> bool {
        matches!(self, Self::IamUser | Self::IamRole | Self::FederatedUser | Self::AccountRoot)
    }

    /// Whether a policy can be attached to it: the root of an account has none, and a federated user brings its own along.
    #[must_use]
    pub fn has_policy(self) -> bool {
        matches!(self, Self::IamUser | Self::IamRole)
    }
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Principal {
    /// What kind of identity.
    pub kind: PrincipalKind,
    /// Its id: the access key id, the ARN, the canonical id, or what the log has; empty for nobody.
    pub id: String,
}

/// Which key a requester is, where its log does not say: a file of TOML, `"REQUESTER" = "ACCESS KEY ID"` a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrincipalMap(BTreeMap<String, String>);

impl PrincipalMap {
    /// Reads a mapping; `name` is the file's, for errors.
    ///
    /// # Errors
    ///
    /// The text is no TOML, or has other values than texts. The message has the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        toml::from_str(text).map(Self).map_err(|error| {
            let line = error.span().map(|span| 1 + text.get(..span.start).unwrap_or(text).matches('\n').count());
            let place = line.map(|line| format!(":{line}")).unwrap_or_default();
            Error::invalid(format!("`{name}{place}` is no mapping of requesters: {}", error.message()))
                .with_hint("a line for each: \"requester as the log has it\" = \"access key id\"")
        })
    }

    fn key_of(&self, requester: &str) -> Option<&str> {
        self.0.get(requester).map(String::as_str)
    }
}

impl Principal {
    /// Nobody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { kind: PrincipalKind::Anonymous, id: String::new() }
    }

    /// Whoever signed without a name in the log.
    #[must_use]
    pub fn unnamed() -> Self {
        Self { kind: PrincipalKind::Unnamed, id: String::new() }
    }

    /// The key with that id.
    #[must_use]
    pub fn key(id: impl Into<String>) -> Self {
        Self { kind: PrincipalKind::AccessKey, id: id.into() }
    }

    /// Who a record is of.
    ///
    /// `signed_by` is the key id in a presigned URL whose signature the store checked and took. It
    /// decides where it is a key of the account or where no requester is logged; elsewhere the requester is the better name, since
    /// it is the identity that all keys of it share.
    pub(super) fn of(
        requester: Option<&str>,
        signed_by: Option<&str>,
        is_signed: bool,
        is_key: impl Fn(&str) -> bool,
        map: &PrincipalMap,
    ) -> Self {
        if let Some(key) = signed_by.filter(|key| is_key(key)) {
            return Self::key(key);
        }
        let Some(requester) = requester.filter(|requester| !is_nobody(requester)) else {
            let nobody = || if is_signed { Self::unnamed() } else { Self::anonymous() };
            return signed_by.map_or_else(nobody, Self::key);
        };
        if let Some(key) = map.key_of(requester) {
            return Self::key(key);
        }
        if is_key(requester) {
            return Self::key(requester);
        }
        Self::of_requester(requester)
    }

    fn of_requester(requester: &str) -> Self {
        let whole = |kind| Self { kind, id: requester.to_owned() };
        if requester == "AmazonS3" || requester.starts_with("svc:") {
            return whole(PrincipalKind::Service);
        }
        if requester.len() == 64 && requester.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return whole(PrincipalKind::CanonicalId);
        }
        let mut parts = requester.splitn(6, ':');
        let is_arn = parts.next() == Some("arn");
        let (service, account) = (parts.nth(1), parts.nth(1));
        let (true, Some(service @ ("iam" | "sts")), Some(account), Some(resource)) =
            (is_arn, service, account, parts.next())
        else {
            return whole(PrincipalKind::Other);
        };
        if account == "cloudfront" {
            return whole(PrincipalKind::Service);
        }
        match (service, resource.split_once('/')) {
            ("iam", Some(("user", _))) => whole(PrincipalKind::IamUser),
            ("iam", Some(("role", _))) => whole(PrincipalKind::IamRole),
            ("iam", None) if resource == "root" => whole(PrincipalKind::AccountRoot),
            ("sts", Some(("federated-user", _))) => whole(PrincipalKind::FederatedUser),
            // Sessions come and go; what is allowed is allowed to the role.
            ("sts", Some(("assumed-role", rest))) => {
                let session = rest.split_once('/').map_or(0, |(_, session)| session.len() + 1);
                let id = requester.get(..requester.len() - session).unwrap_or(requester);
                Self { kind: PrincipalKind::IamRole, id: id.to_owned() }
            }
            _ => whole(PrincipalKind::Other),
        }
    }

    /// What people call it: the last part of an ARN, else the whole.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.kind {
            PrincipalKind::Anonymous | PrincipalKind::Unnamed => self.kind.as_str(),
            PrincipalKind::IamUser | PrincipalKind::IamRole | PrincipalKind::FederatedUser => {
                self.id.rsplit('/').next().unwrap_or(&self.id)
            }
            _ => &self.id,
        }
    }

    /// The partition of an ARN: `aws`, `aws-cn`, `aws-us-gov`.
    pub(super) fn partition(&self) -> &str {
        let partition = self.id.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
        partition.filter(|partition| !partition.is_empty()).unwrap_or("aws")
    }
}

/// What systems write when nobody signed.
fn is_nobody(requester: &str) -> bool {
    requester.is_empty() || requester == "-" || requester.eq_ignore_ascii_case("anonymous")
}

#[cfg(test)]
mod tests {
    use super::PrincipalKind::*;
    use super::*;

    #[test]
    fn who_a_record_is_of() {
        let map = PrincipalMap::parse("p.toml", "\"user:alice\" = \"DO00ALICE\"\n").unwrap();
        let of = |requester, signed_by| {
            let is_key = |key: &str| key.starts_with("DO00");
            let principal = Principal::of(requester, signed_by, signed_by.is_some(), is_key, &map);
            (principal.kind, principal.id)
        };
        let canonical = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
        for (requester, signed_by, kind, id) in [
            (None, None, Anonymous, ""),
            (Some("-"), None, Anonymous, ""),
            (Some("Anonymous"), None, Anonymous, ""),
            (None, Some("AKIDEXAMPLE"), AccessKey, "AKIDEXAMPLE"),
            (Some(canonical), Some("DO00ONE"), AccessKey, "DO00ONE"),
            (Some(canonical), Some("AKIDEXAMPLE"), CanonicalId, canonical),
            (Some(canonical), None, CanonicalId, canonical),
            (Some("DO00ONE"), None, AccessKey, "DO00ONE"),
            (Some("user:alice"), None, AccessKey, "DO00ALICE"),
            (Some("user:bob"), None, Other, "user:bob"),
            (
                Some("arn:aws:iam::123456789012:user/team/jo"),
                Some("AKIDEXAMPLE"),
                IamUser,
                "arn:aws:iam::123456789012:user/team/jo",
            ),
            (Some("arn:aws:iam::123456789012:root"), None, AccountRoot, "arn:aws:iam::123456789012:root"),
            (
                Some("arn:aws:sts::123456789012:assumed-role/etl/i-0a1b"),
                None,
                IamRole,
                "arn:aws:sts::123456789012:assumed-role/etl",
            ),
            (
                Some("arn:aws:sts::123456789012:assumed-role/etl"),
                None,
                IamRole,
                "arn:aws:sts::123456789012:assumed-role/etl",
            ),
            (Some("arn:aws-cn:iam::123456789012:role/p/etl"), None, IamRole, "arn:aws-cn:iam::123456789012:role/p/etl"),
            (
                Some("arn:aws:sts::123456789012:federated-user/jo"),
                None,
                FederatedUser,
                "arn:aws:sts::123456789012:federated-user/jo",
            ),
            (
                Some("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE"),
                None,
                Service,
                "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE",
            ),
            (Some("svc:delivery.logs.amazonaws.com"), None, Service, "svc:delivery.logs.amazonaws.com"),
            (Some("AmazonS3"), None, Service, "AmazonS3"),
            (Some("arn:aws:s3:::b"), None, Other, "arn:aws:s3:::b"),
            (Some("arn:"), None, Other, "arn:"),
        ] {
            assert_eq!(of(requester, signed_by), (kind, id.to_owned()), "{requester:?} {signed_by:?}");
        }
    }

    #[test]
    fn a_mapping_that_is_none_says_where() {
        let error = PrincipalMap::parse("p.toml", "\"a\" = \"K\"\nb = 3\n").unwrap_err();
        assert!(error.to_string().contains("p.toml:2"), "{error}");
    }
}
