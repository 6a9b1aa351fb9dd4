//! The smallest grants that would have allowed all observed requests.

use std::collections::BTreeMap;

use serde::Serialize;

use super::policy::{self, Policy};
use super::principal::Principal;
use super::usage::{Activity, Counts, UseOf};
use crate::keys::operations::{Needs, Operation, Resource, UseKind};
use crate::keys::{Grant, Permission, is_bucket_name};

/// What a principal needs for what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Proposal {
    /// Grants for a DigitalOcean Spaces key.
    pub grants: Vec<Grant>,
    /// Sufficient grants without `fullaccess`, if the requests in [`Self::only_full`] were made with another key.
    pub without_full: Option<Vec<Grant>>,
    /// Operations that need `fullaccess`.
    pub only_full: Vec<OperationCount>,
    /// The policy for an IAM identity.
    pub policy: Policy,
    /// Number of allowed requests on which grants and policy were verified.
    pub tried: u64,
    /// Of these, the number that the grants would deny. Zero by construction, but verified anyway.
    pub grants_refuse: u64,
    /// The number that the policy would deny.
    pub policy_refuses: u64,
    /// Number of these requests by bucket and needed permission.
    #[serde(skip)]
    needed: BTreeMap<(String, Permission), u64>,
    /// Allowed operations that this version does not know; the proposal does not cover them.
    pub not_covered: Vec<OperationCount>,
    /// Number of copies written. The record of a copy does not name its source: reading it is in the proposal only if
    /// the log of the source's bucket was read too.
    pub copies: u64,
    /// Number of deletions in batches whose records have a version. It may just be that of the delete marker, so the
    /// policy does not allow deleting versions because of them.
    pub batch_versions: u64,
}

/// Number of requests for an operation in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OperationCount {
    /// The operation as named in the log.
    pub operation: String,
    /// The bucket.
    pub bucket: String,
    /// Number of requests.
    pub requests: u64,
}

/// Whether the grants allow a permission on a bucket.
#[must_use]
pub fn grants_allow(grants: &[Grant], bucket: &str, wanted: &Permission) -> bool {
    grants.iter().any(|grant| grant.covers(bucket, wanted))
}

/// The allowed uses, with what they need.
pub(super) fn needs(activity: &Activity) -> impl Iterator<Item = (&UseOf, &Counts, Needs)> {
    let allowed = activity.uses.iter().filter(|(_, counts)| counts.allowed > 0);
    allowed
        // If each deletion of a batch has its own record, the batch request needs nothing more.
        .filter(|(of, _)| !is_told_by_records(activity, of))
        .map(|(of, counts)| match is_bucket_name(&of.bucket) {
            true => (of, counts, Operation::needs(&of.operation, of.has_key)),
            // No permission can be granted for an invalid bucket name. Requests to the account name no bucket.
            false => match Operation::needs(&of.operation, of.has_key) {
                Needs::Operation(row) if row.resource == Resource::Account => (of, counts, Needs::Operation(row)),
                _ => (of, counts, Needs::Unknown),
            },
        })
}

/// Whether it is the request of a batch whose deletions have their own records: it succeeds even if all of them are
/// denied.
pub(super) fn is_told_by_records(activity: &Activity, of: &UseOf) -> bool {
    is_batch_request(of) && has_batch_records(activity, &of.bucket)
}

fn is_batch_request(of: &UseOf) -> bool {
    matches!(Operation::needs(&of.operation, of.has_key), Needs::Operation(row) if row.api == "DeleteObjects")
}

fn has_batch_records(activity: &Activity, bucket: &str) -> bool {
    let records = activity.uses.iter().filter(|(of, _)| of.bucket == bucket && of.operation == "BATCH.DELETE.OBJECT");
    records.map(|(_, counts)| counts.allowed + counts.refused + counts.undecided).sum::<u64>() > 0
}

impl Proposal {
    pub(super) fn of(principal: &Principal, activity: &Activity, folders: bool) -> Self {
        let partition = principal.partition();
        let mut scoped: BTreeMap<&str, Permission> = BTreeMap::new();
        let mut proposal = Self::default();
        for (of, counts, needs) in needs(activity) {
            let count = || OperationCount {
                operation: of.operation.clone(),
                bucket: of.bucket.clone(),
                requests: counts.allowed,
            };
            match needs {
                Needs::Nothing => {}
                Needs::Unknown => proposal.not_covered.push(count()),
                Needs::Operation(operation) => match operation.spaces_permission() {
                    Permission::FullAccess => proposal.only_full.push(count()),
                    permission => {
                        let known = scoped.entry(&of.bucket).or_insert(Permission::Read);
                        *known = permission.max(known.clone());
                    }
                },
            }
        }
        let scoped = scoped.into_iter().map(|(bucket, permission)| Grant { bucket: bucket.to_owned(), permission });
        let scoped: Vec<Grant> = scoped.collect();
        (proposal.grants, proposal.without_full) = match proposal.only_full.is_empty() {
            true => (scoped, None),
            false => (vec![Grant { bucket: String::new(), permission: Permission::FullAccess }], Some(scoped)),
        };
        let known = needs(activity).filter(|(_, _, needs)| matches!(needs, Needs::Operation(_)));
        proposal.policy = policy::smallest(known.map(|(of, counts, _)| (of, counts)), partition, folders);
        proposal.copies = copies(activity);
        proposal.batch_versions = batch_versions(activity);
        proposal.try_on(activity, partition);
        proposal
    }

    /// Number of allowed requests that these grants would deny, out of [`Self::tried`].
    #[must_use]
    pub fn refused_by(&self, grants: &[Grant]) -> u64 {
        let refused = self.needed.iter().filter(|((bucket, wanted), _)| !grants_allow(grants, bucket, wanted));
        refused.map(|(_, requests)| requests).sum()
    }

    /// Verifies grants and policy on all allowed requests.
    fn try_on(&mut self, activity: &Activity, partition: &str) {
        for (of, counts, needs) in needs(activity) {
            let Needs::Operation(operation) = needs else { continue };
            self.tried += counts.allowed;
            *self.needed.entry((of.bucket.clone(), operation.spaces_permission())).or_default() += counts.allowed;
            if !grants_allow(&self.grants, &of.bucket, &operation.spaces_permission()) {
                self.grants_refuse += counts.allowed;
            }
            if !self.policy.allows_use(of, counts, partition) {
                self.policy_refuses += counts.allowed;
            }
        }
    }
}

/// Number of copies written.
fn copies(activity: &Activity) -> u64 {
    let written = activity.uses.iter().filter(|(of, _)| {
        matches!(Operation::needs(&of.operation, of.has_key), Needs::Operation(row) if row.api.ends_with("(destination)"))
    });
    written.map(|(_, counts)| counts.allowed).sum()
}

/// Number of deletions in batches with a version.
fn batch_versions(activity: &Activity) -> u64 {
    let deleted = activity.uses.iter().filter(|(of, _)| of.of_version && of.is_in_batch());
    deleted.map(|(_, counts)| counts.allowed).sum()
}

/// Whether requests show that the bucket has, or had, a bucket policy.
pub(super) fn shows_bucket_policy(of: &UseOf, counts: &Counts) -> bool {
    let Needs::Operation(operation) = Operation::needs(&of.operation, of.has_key) else { return false };
    matches!(operation.api, "GetBucketPolicy" | "PutBucketPolicy") && counts.allowed > counts.missing
}

/// Number of allowed requests by kind.
pub(super) fn by_kind<'a>(uses: impl IntoIterator<Item = (&'a UseOf, &'a Counts)>) -> BTreeMap<UseKind, u64> {
    let mut kinds = BTreeMap::new();
    for (of, counts) in uses {
        let kind = match Operation::needs(&of.operation, of.has_key) {
            Needs::Operation(operation) => operation.kind,
            Needs::Nothing => continue,
            Needs::Unknown => UseKind::Unknown,
        };
        *kinds.entry(kind).or_insert(0) += counts.allowed;
    }
    kinds
}
