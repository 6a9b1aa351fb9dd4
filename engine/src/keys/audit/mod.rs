//! Compares what keys and other principals did with what they are granted.
//!
//! ```text
//! logs --one query--> Usage --> Activity of each Principal --> Proposal (grants, policy)
//!        usage.rs                  principal.rs                   proposal.rs, policy.rs
//!                                                   \--> Remark: what is granted too much
//!                                                          remarks.rs
//! ```
//!
//! # How a record is attributed to a key
//!
//! 1. A presigned URL has the access key id that signed it, provided the store checked and accepted the signature.
//! 2. Some systems, such as Backblaze B2, log the key id as the requester: an id of one of the account's keys, or of
//!    one that signed URLs.
//! 3. A [`PrincipalMap`] maps requesters to keys.
//! 4. AWS logs IAM users and roles by their ARNs.
//!
//! What DigitalOcean Spaces logs as the requester is not documented
//! (<https://docs.digitalocean.com/products/spaces/how-to/access-logs/>), so nothing is inferred from it: if none of
//! these rules applies, the requester stands for itself, and [`Audit::untold`] counts its requests.
//!
//! # What logs cannot show
//!
//! Logs have no headers: an upload that sets an ACL, tags or a retention by headers needs more than `s3:PutObject`, and
//! objects encrypted with KMS need actions of that service. Logs also lack requests to buckets whose logs were not
//! read, and the source of a copy.
//!
//! # Memory
//!
//! Grows with the number of principals, buckets and operations, and of addresses that signed requests or used signed
//! links, but not with the number of requests.

mod forms;
mod policy;
mod principal;
mod proposal;
mod remarks;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

pub use self::forms::{Form, write};
pub use self::policy::{Policy, Statement};
pub use self::principal::{Principal, PrincipalKind, PrincipalMap};
pub use self::proposal::{OperationCount, Proposal, grants_allow};
pub use self::remarks::{Remark, RemarkKind};
use self::usage::{Activity, Counts, Usage, UseOf, usage, widest};
use super::operations::{Needs, Operation, UseKind};
use super::{Grant, Key, Permission, granted};
use crate::detect::Finding;
use crate::error::Error;
use crate::session::Session;

/// Maximum number of addresses listed per principal, the busiest first.
const ADDRESSES: usize = 10;

/// Information for an audit besides the logs.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    keys: Option<Vec<Key>>,
    principals: PrincipalMap,
    findings: Vec<Finding>,
    folders: bool,
}

impl AuditOptions {
    /// Options without further information.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the keys of the account with their grants.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<Key>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Sets the mapping from requesters to keys.
    #[must_use]
    pub fn with_principals(mut self, principals: PrincipalMap) -> Self {
        self.principals = principals;
        self
    }

    /// Sets suspicious addresses, as found by [`crate::detect::detect`] in the same logs. Only those of band `alert`
    /// and above are used.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// Whether policies are limited, per action, to the deepest folder common to all keys used. Future objects may be
    /// elsewhere.
    #[must_use]
    pub fn with_folders(mut self, folders: bool) -> Self {
        self.folders = folders;
        self
    }
}

/// The result of an audit.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Audit {
    /// Time of the first request in microseconds since the Unix epoch (UTC); RFC 3339 in JSON.
    #[serde(serialize_with = "time")]
    pub first: Option<i64>,
    /// Time of the last request.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
    /// Number of requests with records.
    pub requests: u64,
    /// Number of signed requests that cannot be attributed to a key, user or role.
    pub untold: u64,
    /// `untold` as a fraction of all signed requests, without those of services, from 0 to 1.
    pub untold_share: f64,
    /// Buckets with records.
    pub buckets: BTreeSet<String>,
    /// Whether the keys of the account, and so their grants, are known.
    pub keys_known: bool,
    /// Remarks, the most severe first.
    pub remarks: Vec<Remark>,
    /// Principals that made requests, and keys that were not used.
    pub principals: Vec<PrincipalUse>,
}

/// What a principal did, and what it needs.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PrincipalUse {
    /// The principal.
    #[serde(flatten)]
    pub principal: Principal,
    /// Its key, if that is one of the account's.
    pub key: Option<Key>,
    /// Requesters logged for it, other than its id; at most 20.
    pub requesters: BTreeSet<String>,
    /// Keys that signed URLs for it, other than its id; at most 20.
    pub signing_keys: BTreeSet<String>,
    /// Time of its first request; `null` in JSON if it made none.
    #[serde(serialize_with = "time")]
    pub first: Option<i64>,
    /// Time of its last request.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
    /// Number of requests.
    pub requests: u64,
    /// Its activity by bucket and kind.
    pub uses: Vec<Use>,
    /// Number of addresses from which it signed requests.
    pub address_count: usize,
    /// The busiest of these addresses, at most 10.
    pub addresses: Vec<AddressUse>,
    /// Number of addresses that used URLs signed by it.
    pub guest_count: usize,
    /// Sufficient grants and policy; `None` for anonymous requests and services.
    pub proposal: Option<Proposal>,
    /// Buckets of the proposed grants with a bucket policy, as far as the logs show: it was read or written.
    pub with_bucket_policy: Vec<String>,
    /// Grants for buckets without records, about which nothing can be said.
    pub not_judged: Vec<Grant>,
}

/// Activity of one principal in one bucket, of one kind.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Use {
    /// The bucket.
    pub bucket: String,
    /// The kind of operations.
    #[serde(serialize_with = "kind")]
    pub kind: UseKind,
    /// Number of requests that the store allowed.
    pub allowed: u64,
    /// Number of allowed requests that only an ACL allowed.
    pub by_acl: u64,
    /// Number of requests denied with 401 or 403.
    pub refused: u64,
    /// Number of requests that were redirected, malformed or failed before authorization was decided.
    pub undecided: u64,
    /// Time of the first of all these requests.
    #[serde(serialize_with = "time")]
    pub first: Option<i64>,
    /// Time of the last of them.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
    /// Number of requests per operation, as named in the log.
    pub operations: BTreeMap<String, u64>,
}

/// Requests from one address.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AddressUse {
    /// The address as logged.
    pub address: String,
    /// Number of requests.
    pub requests: u64,
    /// Time of the last request.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
}

/// Audits the logs of a session.
///
/// # Errors
///
/// Fails if the logs cannot be read or memory runs out.
pub async fn audit(session: &Session, options: &AuditOptions) -> Result<Audit, Error> {
    let keys: BTreeMap<&str, &Key> = options.keys.iter().flatten().map(|key| (key.access_key.as_str(), key)).collect();
    let is_key = |id: &str| keys.contains_key(id);
    let usage = usage(session, &options.principals, is_key, options.folders).await?;
    Ok(Audit::of(usage, &keys, options))
}

impl Audit {
    fn of(mut usage: Usage, keys: &BTreeMap<&str, &Key>, options: &AuditOptions) -> Self {
        for id in keys.keys() {
            usage.principals.entry(Principal::key(*id)).or_default();
        }
        let untold_needs = remarks::Untold::of(&usage.principals);
        let uses = usage.principals.values().flat_map(|activity| &activity.uses);
        let with_policy = uses.filter(|(of, counts)| proposal::shows_bucket_policy(of, counts));
        let with_policy: BTreeSet<String> = with_policy.map(|(of, _)| of.bucket.clone()).collect();
        let (mut requests, mut signed, mut untold, mut times) = (0, 0, 0, None);
        let mut principals = Vec::with_capacity(usage.principals.len());
        let mut remarks = Vec::new();
        for (principal, activity) in usage.principals {
            let key = keys.get(principal.id.as_str()).filter(|_| principal.kind == PrincipalKind::AccessKey).copied();
            let one = PrincipalUse::of(principal, &activity, key, &usage.buckets, &with_policy, options.folders);
            requests += one.requests;
            // Actions of a service, such as those of a lifecycle, are signed by nobody.
            if !matches!(one.principal.kind, PrincipalKind::Anonymous | PrincipalKind::Service) {
                signed += one.requests;
            }
            if !one.principal.kind.is_told() {
                untold += one.requests;
            }
            times = widest(times, one.first.zip(one.last));
            remarks::of(&one, &activity, options, &usage.buckets, &untold_needs, &mut remarks);
            principals.push(one);
        }
        // The most active first, unused keys last.
        principals
            .sort_by(|one, other| other.requests.cmp(&one.requests).then_with(|| one.principal.cmp(&other.principal)));
        remarks.sort_by(Remark::order);
        Self {
            first: times.map(|(first, _)| first),
            last: times.map(|(_, last)| last),
            requests,
            untold,
            untold_share: if signed == 0 { 0.0 } else { untold as f64 / signed as f64 },
            buckets: usage.buckets,
            keys_known: options.keys.is_some(),
            remarks,
            principals,
        }
    }
}

impl PrincipalUse {
    fn of(
        principal: Principal,
        activity: &Activity,
        key: Option<&Key>,
        buckets: &BTreeSet<String>,
        with_policy: &BTreeSet<String>,
        folders: bool,
    ) -> Self {
        let mut uses: BTreeMap<(String, UseKind), Use> = BTreeMap::new();
        let mut times = None;
        for (of, counts) in &activity.uses {
            let kind = kind_of(of);
            let sum = uses.entry((of.bucket.clone(), kind)).or_insert_with(|| Use::none(&of.bucket, kind));
            sum.add(of, counts);
            times = widest(times, counts.times);
        }
        let uses: Vec<Use> = uses.into_values().collect();
        let mut addresses: Vec<AddressUse> = activity
            .addresses
            .iter()
            .map(|(address, (requests, last))| AddressUse {
                address: address.clone(),
                requests: *requests,
                last: Some(*last),
            })
            .collect();
        addresses.sort_by(|one, other| other.requests.cmp(&one.requests).then_with(|| one.address.cmp(&other.address)));
        addresses.truncate(ADDRESSES);
        let proposal = principal.kind.has_grants().then(|| Proposal::of(&principal, activity, folders));
        let proposed = proposal.iter().flat_map(|proposal| &proposal.grants).map(|grant| &grant.bucket);
        let with_bucket_policy = proposed.filter(|bucket| with_policy.contains(*bucket)).cloned().collect();
        let granted = key.map(|key| key.grants.as_slice()).unwrap_or_default();
        let not_judged = granted.iter().filter(|grant| !grant.bucket.is_empty() && !buckets.contains(&grant.bucket));
        Self {
            key: key.cloned(),
            requesters: activity.requesters.clone(),
            signing_keys: activity.signers.clone(),
            first: times.map(|(first, _)| first),
            last: times.map(|(_, last)| last),
            requests: activity.uses.values().map(Counts::all).sum(),
            uses,
            address_count: activity.addresses.len(),
            addresses,
            guest_count: activity.guests.len(),
            proposal,
            with_bucket_policy,
            not_judged: not_judged.cloned().collect(),
            principal,
        }
    }

    /// The display name: the name of its key, or the principal's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.key {
            Some(key) if !key.name.is_empty() => &key.name,
            _ => self.principal.name(),
        }
    }

    /// Whether less would be sufficient, or its grants are unknown. Grants for buckets without records are ignored.
    #[must_use]
    pub fn is_granted_too_much(&self) -> bool {
        let (Some(key), Some(proposal)) = (&self.key, &self.proposal) else { return self.proposal.is_some() };
        let mut judged = key.grants.iter().filter(|grant| !self.not_judged.contains(grant));
        judged.any(|grant| !grants_allow(self.attainable(proposal), &grant.bucket, &grant.permission))
    }

    /// The proposed grants; without full access if the key lacks it and it would not be granted anyway.
    fn attainable<'a>(&self, proposal: &'a Proposal) -> &'a [Grant] {
        let has_full = |key: &Key| key.grants.iter().any(|grant| grant.permission == Permission::FullAccess);
        match &proposal.without_full {
            Some(without_full) if self.key.as_ref().is_some_and(|key| !has_full(key)) => without_full,
            _ => &proposal.grants,
        }
    }

    /// The grants for a replacement key: the proposed ones, as far as they are granted now, and those that cannot be
    /// judged. `None` if there are none, or if an operation with unknown needs was allowed.
    #[must_use]
    pub fn replacement(&self) -> Option<Vec<Grant>> {
        let proposal = self.proposal.as_ref().filter(|proposal| proposal.not_covered.is_empty())?;
        // Of a grant that the key has in part, that part.
        let granted = |grant: &Grant| match &self.key {
            None => Some(grant.clone()),
            Some(key) => [&grant.permission, &Permission::Read]
                .into_iter()
                .find(|permission| grants_allow(&key.grants, &grant.bucket, permission))
                .map(|permission| Grant { bucket: grant.bucket.clone(), permission: permission.clone() }),
        };
        let attainable = self.attainable(proposal).iter().filter_map(granted);
        let grants: Vec<Grant> = attainable.chain(self.not_judged.iter().cloned()).collect();
        (!proposal.grants.is_empty() && !grants.is_empty()).then_some(grants)
    }

    /// What the user of the proposal must know.
    #[must_use]
    pub fn caveats(&self) -> Vec<String> {
        let Some(proposal) = &self.proposal else { return Vec::new() };
        let mut caveats = proposal.caveats();
        if self.principal.kind.is_of_iam() && proposal.batch_versions > 0 {
            let deletions = match proposal.batch_versions {
                1 => "1 deletion in a batch names a version".to_owned(),
                deletions => format!("{deletions} deletions in batches name a version"),
            };
            caveats.push(format!(
                "{deletions}, perhaps just that of the delete marker: deleting versions for good needs s3:DeleteObjectVersion, too"
            ));
        }
        let has_full = |grants: &[Grant]| grants.iter().any(|grant| grant.permission == Permission::FullAccess);
        let is_limited = self.key.as_ref().is_some_and(|key| !has_full(&key.grants));
        let may_be_limited = !proposal.grants.is_empty() && !has_full(&proposal.grants);
        if self.principal.kind == PrincipalKind::AccessKey && !is_limited && may_be_limited {
            let seen = match self.with_bucket_policy.as_slice() {
                [] => String::new(),
                buckets => format!(", and these logs show one of {}", buckets.join(", ")),
            };
            caveats.push(format!("a Spaces bucket with a bucket policy accepts no key with limited access{seen}"));
        }
        let Some(key) = &self.key else { return caveats };
        if has_full(&key.grants) && !has_full(&proposal.grants) {
            caveats.push(
                "full access also reaches buckets whose logs were not read, and lists buckets, which is in no log of a bucket"
                    .to_owned(),
            );
        }
        let beyond = proposal.grants.iter().filter(|one| !grants_allow(&key.grants, &one.bucket, &one.permission));
        let beyond: Vec<&Grant> = beyond.collect();
        if !beyond.is_empty() {
            caveats.push(format!(
                "allowed without a grant of the key, so a new key would go without it as well: {}",
                granted(beyond)
            ));
        }
        if !self.not_judged.is_empty() {
            caveats.push(format!("not judged, because no log of it was read: {}", granted(&self.not_judged)));
        }
        caveats
    }

    /// Number of allowed requests.
    #[must_use]
    pub fn allowed(&self) -> u64 {
        self.uses.iter().map(|one| one.allowed).sum()
    }
}

fn kind_of(of: &UseOf) -> UseKind {
    match Operation::needs(&of.operation, of.has_key) {
        Needs::Operation(operation) => operation.kind,
        Needs::Nothing => UseKind::Other,
        Needs::Unknown => UseKind::Unknown,
    }
}

impl Use {
    fn none(bucket: &str, kind: UseKind) -> Self {
        Self {
            bucket: bucket.to_owned(),
            kind,
            allowed: 0,
            by_acl: 0,
            refused: 0,
            undecided: 0,
            first: None,
            last: None,
            operations: BTreeMap::new(),
        }
    }

    fn add(&mut self, of: &UseOf, counts: &Counts) {
        self.allowed += counts.allowed;
        self.by_acl += counts.by_acl;
        self.refused += counts.refused;
        self.undecided += counts.undecided;
        let times = widest(self.first.zip(self.last), counts.times);
        (self.first, self.last) = (times.map(|(first, _)| first), times.map(|(_, last)| last));
        *self.operations.entry(of.operation.clone()).or_insert(0) += counts.all();
    }
}

/// Serializes a time as RFC 3339 in UTC.
fn time<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(crate::detect::rfc3339).serialize(serializer)
}

fn kind<S: Serializer>(kind: &UseKind, serializer: S) -> Result<S::Ok, S::Error> {
    kind.as_str().serialize(serializer)
}
