//! What keys and other principals really did, against what they are granted.
//!
//! ```text
//! logs --one query--> Usage --> Activity of each Principal --> Proposal (grants, policy)
//!        usage.rs                  principal.rs                   proposal.rs, policy.rs
//!                                                   \--> Remark: what is granted too much
//!                                                          remarks.rs
//! ```
//!
//! # How a record leads to a key
//!
//! 1. A presigned URL names the access key id that signed it, where the store checked the signature and took it.
//! 2. Some systems log the key's id as the requester, Backblaze B2 for one: an id of the account's keys, or one that signed URLs.
//! 3. A [`PrincipalMap`] says which key a requester is.
//! 4. AWS logs users and roles of IAM by their ARNs.
//!
//! What DigitalOcean Spaces logs as the requester is not documented
//! (<https://docs.digitalocean.com/products/spaces/how-to/access-logs/>), so nothing is guessed from it: where none of these leads to a key,
//! the requester stands for itself, and [`Audit::untold`] counts its requests.
//!
//! # What a log cannot tell
//!
//! Headers are not in it: an upload that sets an ACL, tags or a retention by headers needs more than `s3:PutObject`, and objects that are
//! encrypted by KMS need actions of that service. Neither are requests to buckets whose logs were not read, nor what a copy was made of.
//!
//! # Memory
//!
//! It grows with principals, buckets and operations, and with the addresses that signed requests or used signed links; not with requests.

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

/// How many addresses of a principal are named, the busiest first.
const ADDRESSES: usize = 10;

/// What an audit knows besides the logs.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    keys: Option<Vec<Key>>,
    principals: PrincipalMap,
    findings: Vec<Finding>,
    folders: bool,
}

impl AuditOptions {
    /// Nothing is known besides the logs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys of the account, and what they are granted.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<Key>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Which keys requesters are.
    #[must_use]
    pub fn with_principals(mut self, principals: PrincipalMap) -> Self {
        self.principals = principals;
        self
    }

    /// Suspicious addresses, as [`crate::detect::detect`] finds them in the same logs; those of band `alert` and above count.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// Whether policies allow objects only below the deepest folder that all keys of an action were in. What is written tomorrow may
    /// lie elsewhere.
    #[must_use]
    pub fn with_folders(mut self, folders: bool) -> Self {
        self.folders = folders;
        self
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// When the first of the requests was received, in microseconds since 1970; RFC 3339 in JSON.
    #[serde(serialize_with = "time")]
    pub first: Option<i64>,
    /// When the last was.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
    /// How many requests there are records of.
    pub requests: u64,
    /// Requests that are signed, and of which the log does not tell by which key, user or role.
    pub untold: u64,
    /// These as a part of all that are signed, from 0 to 1.
    pub untold_share: f64,
    /// Buckets that there are records of.
    pub buckets: BTreeSet<String>,
    /// Whether the keys of the account, and so their grants, are known.
    pub keys_known: bool,
    /// What ought to be looked at, the worst first.
    pub remarks: Vec<Remark>,
    /// Who asked, and keys that did not.
    pub principals: Vec<PrincipalUse>,
}

/// What one principal did, and what it would need.
#[derive(Clone, Debug, Serialize)]
pub struct PrincipalUse {
    /// Who.
    #[serde(flatten)]
    pub principal: Principal,
    /// Its key, if it is one of the account.
    pub key: Option<Key>,
    /// Requesters that the log has for it, where they are not its id; at most 20.
    pub requesters: BTreeSet<String>,
    /// Keys that signed URLs for it, where they are not its id; at most 20.
    pub signing_keys: BTreeSet<String>,
    /// Its first request; NULL in JSON if it had none.
    #[serde(serialize_with = "time")]
    pub first: Option<i64>,
    /// Its last request.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
    /// How many there were.
    pub requests: u64,
    /// What it did where.
    pub uses: Vec<Use>,
    /// From how many addresses it signed requests.
    pub address_count: usize,
    /// The busiest of these; at most 10.
    pub addresses: Vec<AddressUse>,
    /// From how many addresses URLs were used that it signed.
    pub guest_count: usize,
    /// What would be enough; `None` for nobody and for services.
    pub proposal: Option<Proposal>,
    /// Grants for buckets that there are no records of: nothing can be said of these.
    pub not_judged: Vec<Grant>,
}

/// What a principal did of one kind in one bucket.
#[derive(Clone, Debug, Serialize)]
pub struct Use {
    /// Where.
    pub bucket: String,
    /// What kind of thing.
    #[serde(serialize_with = "kind")]
    pub kind: UseKind,
    /// Requests that the store found allowed.
    pub allowed: u64,
    /// Of these, those that only an access control list allowed.
    pub by_acl: u64,
    /// Requests that were refused, with 401 or 403.
    pub refused: u64,
    /// Requests that were redirected, malformed or failed before that was decided.
    pub undecided: u64,
    /// The first of all these.
    #[serde(serialize_with = "time")]
    pub first: Option<i64>,
    /// The last.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
    /// All of these by operation, as the log names them.
    pub operations: BTreeMap<String, u64>,
}

/// Requests from one address.
#[derive(Clone, Debug, Serialize)]
pub struct AddressUse {
    /// The address, as the log has it.
    pub address: String,
    /// How many.
    pub requests: u64,
    /// The last.
    #[serde(serialize_with = "time")]
    pub last: Option<i64>,
}

/// Looks at what was done in the session's logs.
///
/// # Errors
///
/// The logs cannot be read, or there is not enough memory.
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
        let (mut requests, mut signed, mut untold, mut times) = (0, 0, 0, None);
        let mut principals = Vec::with_capacity(usage.principals.len());
        let mut remarks = Vec::new();
        for (principal, activity) in usage.principals {
            let key = keys.get(principal.id.as_str()).filter(|_| principal.kind == PrincipalKind::AccessKey).copied();
            let one = PrincipalUse::of(principal, &activity, key, &usage.buckets, options.folders);
            requests += one.requests;
            if one.principal.kind != PrincipalKind::Anonymous {
                signed += one.requests;
            }
            if !one.principal.kind.is_told() {
                untold += one.requests;
            }
            times = widest(times, one.first.zip(one.last));
            remarks::of(&one, &activity, options, &usage.buckets, &mut remarks);
            principals.push(one);
        }
        // Those who did most first, keys that did nothing last.
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
            not_judged: not_judged.cloned().collect(),
            principal,
        }
    }

    /// What people call it: the name of its key, else what the log has.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.key {
            Some(key) if !key.name.is_empty() => &key.name,
            _ => self.principal.name(),
        }
    }

    /// Whether it could do with less than it is granted, or its grants are not known. Grants for buckets without logs are left aside.
    #[must_use]
    pub fn is_granted_too_much(&self) -> bool {
        let (Some(key), Some(proposal)) = (&self.key, &self.proposal) else { return self.proposal.is_some() };
        let mut judged = key.grants.iter().filter(|grant| !self.not_judged.contains(grant));
        judged.any(|grant| !grants_allow(&proposal.grants, &grant.bucket, &grant.permission))
    }

    /// What a key in its place would be granted: what is proposed, as far as it is granted that now, and what cannot be judged.
    /// `None` where that would be nothing, or where something was done whose needs are not known.
    #[must_use]
    pub fn replacement(&self) -> Option<Vec<Grant>> {
        let proposal = self.proposal.as_ref().filter(|proposal| proposal.not_covered.is_empty())?;
        let granted = |grant: &&Grant| match &self.key {
            Some(key) => grants_allow(&key.grants, &grant.bucket, &grant.permission),
            None => true,
        };
        let grants: Vec<Grant> = proposal.grants.iter().filter(granted).chain(&self.not_judged).cloned().collect();
        (!proposal.grants.is_empty() && !grants.is_empty()).then_some(grants)
    }

    /// What whoever uses the proposal has to know.
    #[must_use]
    pub fn caveats(&self) -> Vec<String> {
        let Some(proposal) = &self.proposal else { return Vec::new() };
        let mut caveats = proposal.caveats();
        let Some(key) = &self.key else { return caveats };
        let has_full = |grants: &[Grant]| grants.iter().any(|grant| grant.permission == Permission::FullAccess);
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
            caveats.push(format!("not judged, since no log of it was read: {}", granted(&self.not_judged)));
        }
        caveats
    }

    /// Requests that were allowed.
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

/// RFC 3339 in UTC.
fn time<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(crate::detect::rfc3339).serialize(serializer)
}

fn kind<S: Serializer>(kind: &UseKind, serializer: S) -> Result<S::Ok, S::Error> {
    kind.as_str().serialize(serializer)
}
