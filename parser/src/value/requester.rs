//! Requesters: canonical ids, ARNs of IAM and STS, services, and the ways to write that nobody signed.

/// What systems write as the requester of an unsigned request.
///
/// AWS writes `-`, Huawei OBS `Anonymous`. Ceph writes the id of its anonymous user, behind the tenant if there is one:
/// `anonymous`, `tenant$anonymous` (`src/rgw/rgw_bucket_logging.cc`, `rgw_get_anon_user`).
#[must_use]
#[inline]
pub fn is_nobody(requester: &[u8]) -> bool {
    const ANONYMOUS: &[u8] = b"anonymous";
    let Some((tenant, name)) =
        requester.len().checked_sub(ANONYMOUS.len()).and_then(|at| requester.split_at_checked(at))
    else {
        return requester.is_empty() || requester == b"-";
    };
    name.eq_ignore_ascii_case(ANONYMOUS) && tenant.last().is_none_or(|last| *last == b'$')
}

/// Whether a requester is a service of the provider, which a client cannot impersonate.
#[must_use]
#[inline]
pub fn is_service(requester: &str) -> bool {
    // With another `:` or `/` it is an ARN, and the owner chooses how it ends.
    let is_name = || !requester.contains([':', '/']) && requester.ends_with(".amazonaws.com");
    requester.starts_with("svc:") || requester == "AmazonS3" || is_name()
}

/// The kind of a requester.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequesterKind {
    /// Nobody signed.
    Nobody,
    /// A service of the provider.
    Service,
    /// An origin access identity of CloudFront, by ARN.
    OriginAccessIdentity,
    /// A canonical id: of 64 hexadecimal digits, 32 until 2006 and on Huawei OBS, 96 for an origin access identity.
    CanonicalId,
    /// An IAM user.
    User,
    /// An IAM role, or a session of one.
    Role,
    /// The session of a federated user.
    FederatedUser,
    /// The root user of an account, by ARN.
    Root,
    /// None of these.
    Other,
}

/// A requester, classified.
///
/// ```
/// use s3log_parser::value::requester::{Requester, RequesterKind};
///
/// let requester = Requester::new("arn:aws:sts::123456789012:assumed-role/etl/nightly");
/// assert_eq!(requester.kind(), RequesterKind::Role);
/// assert_eq!(requester.account(), Some("123456789012"));
/// assert_eq!(requester.role(), Some("etl"));
/// assert_eq!(requester.identity(), Some("arn:aws:sts::123456789012:assumed-role/etl"));
/// assert_eq!(Requester::new("Anonymous").kind(), RequesterKind::Nobody);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requester<'a> {
    text: &'a str,
    arn: Option<Arn<'a>>,
}

/// `arn:partition:service:region:account:resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let (partition, service, _region) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { partition, service, account: parts.next()?, resource: parts.next()? })
    }

    fn kind(self) -> RequesterKind {
        let is_of_iam = matches!(self.service, "iam" | "sts");
        match (self.service, self.resource.split_once('/').map_or(self.resource, |(kind, _)| kind)) {
            _ if is_of_iam && self.account == "cloudfront" => RequesterKind::OriginAccessIdentity,
            ("iam", _) if self.resource == "root" => RequesterKind::Root,
            _ if !self.resource.contains('/') => RequesterKind::Other,
            ("iam", "user") => RequesterKind::User,
            ("iam", "role") | ("sts", "assumed-role") => RequesterKind::Role,
            ("sts", "federated-user") => RequesterKind::FederatedUser,
            _ => RequesterKind::Other,
        }
    }
}

impl<'a> Requester<'a> {
    /// Classifies any text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, arn: Arn::of(text) }
    }

    /// The kind.
    #[must_use]
    pub fn kind(self) -> RequesterKind {
        let is_hex = || self.text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match self.arn {
            _ if is_nobody(self.text.as_bytes()) => RequesterKind::Nobody,
            Some(arn) => arn.kind(),
            None if is_service(self.text) => RequesterKind::Service,
            None if matches!(self.text.len(), 32 | 64 | 96) && is_hex() => RequesterKind::CanonicalId,
            None => RequesterKind::Other,
        }
    }

    /// The requester without the session of a role, which is temporary; `None` if nobody signed.
    #[must_use]
    pub fn identity(self) -> Option<&'a str> {
        match (self.kind(), self.arn) {
            (RequesterKind::Nobody, _) => None,
            (RequesterKind::Role, Some(arn)) if arn.service == "sts" => {
                let session = arn.resource.splitn(3, '/').nth(2).map_or(0, |session| session.len() + 1);
                self.text.get(..self.text.len() - session)
            }
            _ => Some(self.text),
        }
    }

    /// The 12-digit account id in an ARN of IAM or STS.
    #[must_use]
    pub fn account(self) -> Option<&'a str> {
        let arn = self.arn.filter(|arn| matches!(arn.service, "iam" | "sts"))?;
        (arn.account.len() == 12 && arn.account.bytes().all(|byte| byte.is_ascii_digit())).then_some(arn.account)
    }

    /// The name of a role, without its path.
    #[must_use]
    pub fn role(self) -> Option<&'a str> {
        let arn = self.arn.filter(|arn| arn.kind() == RequesterKind::Role)?;
        let name = match arn.resource.split_once('/')? {
            ("role", path) => path.rsplit('/').next()?,
            (_, rest) => rest.split('/').next()?,
        };
        (!name.is_empty()).then_some(name)
    }

    /// The partition of an ARN: `aws`, `aws-cn`, `aws-us-gov`.
    #[must_use]
    pub fn partition(self) -> Option<&'a str> {
        self.arn.map(|arn| arn.partition).filter(|partition| !partition.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::RequesterKind::*;
    use super::*;

    #[test]
    fn kinds_of_requesters() {
        let hex = |digits: usize| "79a59df900b949e5".repeat(digits.div_ceil(16));
        let canonical = [32, 64, 96].map(|digits| (hex(digits), CanonicalId));
        let named = [
            ("", Nobody),
            ("-", Nobody),
            ("anonymous", Nobody),
            ("Anonymous", Nobody),
            ("media$anonymous", Nobody),
            ("$oidc$anonymous", Nobody),
            ("xanonymous", Other),
            ("anonymous$jo", Other),
            ("arn:aws:iam::123456789012:user/anonymous", User),
            ("AmazonS3", Service),
            ("svc:delivery.logs.amazonaws.com", Service),
            ("delivery.logs.amazonaws.com", Service),
            ("arn:aws:sts::123456789012:assumed-role/etl/x.amazonaws.com", Role),
            ("arn:aws:iam::123456789012:role/service-role/etl", Role),
            ("arn:aws:sts::123456789012:federated-user/jo", FederatedUser),
            ("arn:aws:iam::123456789012:root", Root),
            ("arn:aws:iam::123456789012:root/x", Other),
            ("arn:aws:iam::123456789012:user", Other),
            ("arn:aws:iam::123456789012:assumed-role/etl/x", Other),
            ("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE", OriginAccessIdentity),
            ("arn:aws:s3:::b", Other),
            ("arn:", Other),
            ("79a59df900b949e55d96", Other),
            ("user:alice", Other),
        ];
        let named = named.map(|(requester, kind)| (requester.to_owned(), kind));
        for (requester, kind) in named.into_iter().chain(canonical) {
            assert_eq!(Requester::new(&requester).kind(), kind, "{requester}");
        }
    }

    #[test]
    fn sessions_of_a_role_are_one_identity() {
        for (requester, identity, role) in [
            ("arn:aws:sts::1:assumed-role/etl/i-1", Some("arn:aws:sts::1:assumed-role/etl"), Some("etl")),
            ("arn:aws:sts::1:assumed-role/etl/a/b:c", Some("arn:aws:sts::1:assumed-role/etl"), Some("etl")),
            ("arn:aws:sts::1:assumed-role/etl", Some("arn:aws:sts::1:assumed-role/etl"), Some("etl")),
            ("arn:aws:sts::1:assumed-role//i-1", Some("arn:aws:sts::1:assumed-role/"), None),
            ("arn:aws:iam::1:role/path/etl", Some("arn:aws:iam::1:role/path/etl"), Some("etl")),
            ("arn:aws:iam::1:user/:assumed-role/x/y", Some("arn:aws:iam::1:user/:assumed-role/x/y"), None),
            ("a$anonymous", None, None),
        ] {
            let requester = Requester::new(requester);
            assert_eq!((requester.identity(), requester.role()), (identity, role), "{requester:?}");
        }
    }
}
