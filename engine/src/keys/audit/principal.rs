//! Attribution of a record: to a key, an IAM identity, an account, a service, or an anonymous client.

use std::collections::BTreeMap;

use s3log_parser::value::requester::{Requester, RequesterKind};
use serde::Serialize;

use crate::error::Error;

/// The kind of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PrincipalKind {
    /// An access key: one of the account's, one in the mapping, or one that signed a URL.
    AccessKey,
    /// An IAM user.
    IamUser,
    /// An IAM role, including all of its sessions.
    IamRole,
    /// A federated user session.
    FederatedUser,
    /// The root user of an account, by ARN.
    AccountRoot,
    /// A canonical user id, which identifies an account, but no identity within it.
    CanonicalId,
    /// A service: of AWS, or the origin access identity of a CDN.
    Service,
    /// The request was not signed.
    Anonymous,
    /// The request was signed, but the log does not say by whom.
    Unnamed,
    /// None of these kinds.
    Other,
}

impl PrincipalKind {
    /// The kind in words.
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

    /// Whether it identifies a single key, user or role. Canonical ids and unknown requesters do not.
    #[must_use]
    pub fn is_told(self) -> bool {
        !matches!(self, Self::CanonicalId | Self::Unnamed | Self::Other)
    }

    /// Whether its permissions can be reduced: anonymous clients and services are only allowed by bucket policies.
    #[must_use]
    pub fn has_grants(self) -> bool {
        !matches!(self, Self::Service | Self::Anonymous | Self::Unnamed)
    }

    /// Whether it is an IAM identity.
    #[must_use]
    pub fn is_of_iam(self) -> bool {
        matches!(self, Self::IamUser | Self::IamRole | Self::FederatedUser | Self::AccountRoot)
    }

    /// Whether a policy can be attached: the root user has none, and a federated user brings its own.
    #[must_use]
    pub fn has_policy(self) -> bool {
        matches!(self, Self::IamUser | Self::IamRole)
    }
}

/// The identity behind a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Principal {
    /// The kind.
    pub kind: PrincipalKind,
    /// The access key id, the ARN, the canonical id, or the requester as logged; empty for anonymous clients.
    pub id: String,
}

/// Maps requesters to keys, for logs that do not name keys. A TOML file with lines of the form
/// `"REQUESTER" = "ACCESS KEY ID"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrincipalMap(BTreeMap<String, String>);

impl PrincipalMap {
    /// Parses a mapping; `name` is the file name for errors.
    ///
    /// # Errors
    ///
    /// Fails if the text is not TOML or has values that are not strings. The message has the line number.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        toml::from_str(text).map(Self).map_err(|error| {
            let line = error.span().map(|span| 1 + text.get(..span.start).unwrap_or(text).matches('\n').count());
            let place = line.map(|line| format!(":{line}")).unwrap_or_default();
            Error::invalid(format!("`{name}{place}` is not a mapping of requesters: {}", error.message()))
                .with_hint("write a line for each: \"requester as the log has it\" = \"access key id\"")
        })
    }

    fn key_of(&self, requester: &str) -> Option<&str> {
        self.0.get(requester).map(String::as_str)
    }
}

impl Principal {
    /// The anonymous principal.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { kind: PrincipalKind::Anonymous, id: String::new() }
    }

    /// A signer that the log does not name.
    #[must_use]
    pub fn unnamed() -> Self {
        Self { kind: PrincipalKind::Unnamed, id: String::new() }
    }

    /// The access key with this id.
    #[must_use]
    pub fn key(id: impl Into<String>) -> Self {
        Self { kind: PrincipalKind::AccessKey, id: id.into() }
    }

    /// The principal of a record.
    ///
    /// `signed_by` is the key id of a presigned URL whose signature the store checked and accepted. It is used if it is
    /// a key of the account, or the requester itself, or if no requester is logged. Otherwise the requester is preferred,
    /// because it is the identity that all of its keys share.
    pub(super) fn of(
        requester: Option<&str>,
        signed_by: Option<&str>,
        is_signed: bool,
        is_key: impl Fn(&str) -> bool,
        map: &PrincipalMap,
    ) -> Self {
        if let Some(key) = signed_by.filter(|key| is_key(key) || requester == Some(*key)) {
            return Self::key(key);
        }
        let Some(requester) = requester else {
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
        let requester = Requester::new(requester);
        let kind = match requester.kind() {
            RequesterKind::Nobody => PrincipalKind::Anonymous,
            RequesterKind::Service | RequesterKind::OriginAccessIdentity => PrincipalKind::Service,
            RequesterKind::CanonicalId => PrincipalKind::CanonicalId,
            RequesterKind::User => PrincipalKind::IamUser,
            RequesterKind::Role => PrincipalKind::IamRole,
            RequesterKind::FederatedUser => PrincipalKind::FederatedUser,
            RequesterKind::Root => PrincipalKind::AccountRoot,
            _ => PrincipalKind::Other,
        };
        Self { kind, id: requester.identity().unwrap_or_default().to_owned() }
    }

    /// The display name: the last part of an ARN, or else the whole id.
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
        Requester::new(&self.id).partition().unwrap_or("aws")
    }
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
            (Some("AKIDEXAMPLE"), Some("AKIDEXAMPLE"), AccessKey, "AKIDEXAMPLE"),
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
            (Some("delivery.logs.amazonaws.com"), None, Service, "delivery.logs.amazonaws.com"),
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
