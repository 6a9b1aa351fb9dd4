//! Remarks: unused grants, access without a grant, keys in the wrong hands.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde::Serialize;

use super::proposal::{by_kind, grants_allow, is_told_by_records, needs};
use super::usage::Activity;
use super::{AuditOptions, Principal, PrincipalKind, PrincipalUse, Proposal};
use crate::detect::{Band, Severity, Source, rfc3339};
use crate::keys::operations::{Needs, UseKind};
use crate::keys::{Grant, Permission, granted};

/// Maximum number of suspicious addresses with a remark of their own, per principal.
const TOLD: usize = 5;

/// The subject of a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RemarkKind {
    /// A key was used from an address that `flag` considers suspicious.
    SuspiciousAddress,
    /// Unsigned requests succeeded.
    PublicAccess,
    /// A key that signed requests is not one of the account's.
    UnknownKey,
    /// A key has `fullaccess`, but did nothing that needs it.
    FullAccessNotNeeded,
    /// A key has `fullaccess`, but few of its requests need it.
    FullAccessForFew,
    /// A key was not used.
    UnusedKey,
    /// A key has a grant for a bucket in which it did nothing.
    UnusedGrant,
    /// A key may write, but only read.
    WriteNotUsed,
    /// Requests succeeded that the grants of the key do not allow.
    BeyondGrants,
    /// Requests succeeded only because of an ACL.
    AclAccess,
}

impl RemarkKind {
    /// The name of the kind, such as `unused-key`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SuspiciousAddress => "suspicious-address",
            Self::PublicAccess => "public-access",
            Self::UnknownKey => "unknown-key",
            Self::FullAccessNotNeeded => "full-access-not-needed",
            Self::FullAccessForFew => "full-access-for-few",
            Self::UnusedKey => "unused-key",
            Self::UnusedGrant => "unused-grant",
            Self::WriteNotUsed => "write-not-used",
            Self::BeyondGrants => "beyond-grants",
            Self::AclAccess => "acl-access",
        }
    }
}

/// A remark about a principal.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Remark {
    /// The subject.
    pub kind: RemarkKind,
    /// The severity.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// The principal.
    pub principal: Principal,
    /// The display name of the principal.
    pub name: String,
    /// The bucket, if the remark is about a single one.
    pub bucket: Option<String>,
    /// Number of requests that the remark is based on; 0 if it is about their absence.
    pub requests: u64,
    /// The explanation as a sentence, with figures.
    pub explanation: String,
}

fn severity<S: serde::Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.name())
}

impl Remark {
    /// Most severe first, then by kind, principal and bucket.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let key = |remark: &Self| (remark.kind, remark.principal.clone(), remark.bucket.clone());
        other.severity.cmp(&self.severity).then_with(|| key(self).cmp(&key(other)))
    }
}

/// Number of allowed signed requests that cannot be attributed to a key, by bucket and the permission that they need.
#[derive(Debug, Default)]
pub(super) struct Untold(BTreeMap<String, BTreeMap<Permission, u64>>);

impl Untold {
    pub(super) fn of(principals: &BTreeMap<Principal, Activity>) -> Self {
        let mut untold = Self::default();
        for activity in principals.iter().filter(|(who, _)| !who.kind.is_told()).map(|(_, activity)| activity) {
            for (of, counts, needs) in needs(activity) {
                let permission = match needs {
                    Needs::Operation(operation) => operation.spaces_permission(),
                    Needs::Nothing => continue,
                    Needs::Unknown => Permission::FullAccess,
                };
                *untold.0.entry(of.bucket.clone()).or_default().entry(permission).or_insert(0) += counts.allowed;
            }
        }
        untold
    }

    /// A clause about the requests in a bucket, or in all if it is empty, that need at least this permission; empty if
    /// there are none.
    fn clause<'a>(&self, buckets: impl IntoIterator<Item = &'a str>, least: &Permission) -> String {
        let buckets: BTreeSet<&str> = buckets.into_iter().collect();
        let is_wanted = |bucket: &str| buckets.contains("") || buckets.contains(bucket);
        let wanted = self.0.iter().filter(|(bucket, _)| is_wanted(bucket)).flat_map(|(_, counts)| counts);
        match wanted.filter(|(permission, _)| *permission >= least).map(|(_, count)| count).sum() {
            0 => String::new(),
            count => format!("; {} that cannot be attributed to a key may be its own", requests(count)),
        }
    }
}

/// Adds the remarks about one principal.
pub(super) fn of(
    one: &PrincipalUse,
    activity: &Activity,
    options: &AuditOptions,
    buckets: &BTreeSet<String>,
    untold: &Untold,
    remarks: &mut Vec<Remark>,
) {
    let mut about = About { one, untold, remarks };
    if one.principal.kind == PrincipalKind::Anonymous {
        about.nobody(activity);
        return;
    }
    about.addresses(activity, options);
    about.lists(activity);
    match (&one.key, &one.proposal) {
        (Some(key), Some(proposal)) => about.grants(&key.grants, proposal, activity, buckets),
        (None, _) if one.principal.kind == PrincipalKind::AccessKey && options.keys.is_some() && one.allowed() > 0 => {
            about.add(
                RemarkKind::UnknownKey,
                Severity::Medium,
                None,
                one.allowed(),
                format!(
                    "{} succeeded, but it is not among the account's keys: deleted since, or from another account",
                    requests(one.allowed())
                ),
            );
        }
        _ => {}
    }
}

struct About<'a> {
    one: &'a PrincipalUse,
    untold: &'a Untold,
    remarks: &'a mut Vec<Remark>,
}

impl About<'_> {
    fn add(&mut self, kind: RemarkKind, severity: Severity, bucket: Option<&str>, requests: u64, explanation: String) {
        self.remarks.push(Remark {
            kind,
            severity,
            principal: self.one.principal.clone(),
            name: self.one.name().to_owned(),
            bucket: bucket.map(str::to_owned),
            requests,
            explanation,
        });
    }

    fn addresses(&mut self, activity: &Activity, options: &AuditOptions) {
        let alarming = options.findings.iter().filter(|finding| finding.band >= Band::Alert);
        let networks: HashMap<_, _> = alarming.map(|finding| (finding.client_ip.network(), finding)).collect();
        // Users of a link do not necessarily have the key.
        let ways = [
            (&activity.addresses, Severity::High, ""),
            (&activity.guests, Severity::Medium, " by URLs that it signed"),
        ];
        for (addresses, severity, how) in ways {
            let suspicious = addresses.iter().filter_map(|(text, (requests, last))| {
                let address: IpAddr = text.parse().ok()?;
                let finding = networks.get(&Source::of(address).network())?;
                Some((text, *requests, *last, *finding))
            });
            let mut suspicious: Vec<_> = suspicious.collect();
            suspicious.sort_by(|one, other| other.3.score.total_cmp(&one.3.score).then_with(|| one.0.cmp(other.0)));
            let left = suspicious.len().saturating_sub(TOLD);
            for (address, count, last, finding) in suspicious.into_iter().take(TOLD) {
                let denied = finding.listed.deny.then_some("on the list of denied addresses");
                let names = finding.detectors.iter().map(|signal| signal.name.as_str());
                let reasons: Vec<&str> = denied.into_iter().chain(names).collect();
                let explanation = format!(
                    "{} from {address}{how}, the last at {}; that address scores {:.2}: {}",
                    requests(count),
                    rfc3339(last),
                    finding.score,
                    reasons.join("; ")
                );
                self.add(RemarkKind::SuspiciousAddress, severity, None, count, explanation);
            }
            if left > 0 {
                let explanation = format!("{left} more suspicious addresses{how}");
                self.add(RemarkKind::SuspiciousAddress, severity, None, 0, explanation);
            }
        }
    }

    /// Access by unsigned requests, by bucket.
    fn nobody(&mut self, activity: &Activity) {
        for (bucket, kinds) in kinds_by_bucket(activity, |counts| counts.allowed) {
            let writes = [UseKind::Write, UseKind::Delete, UseKind::Configuration];
            let severity = if kinds.keys().any(|kind| writes.contains(kind)) {
                Severity::Critical
            } else if kinds.contains_key(&UseKind::List) {
                Severity::Medium
            } else {
                Severity::Info
            };
            let all = kinds.values().sum();
            let explanation = format!("{} succeeded without a signature: {}", requests(all), in_words(&kinds));
            self.add(RemarkKind::PublicAccess, severity, Some(&bucket), all, explanation);
        }
    }

    fn lists(&mut self, activity: &Activity) {
        for (bucket, kinds) in kinds_by_bucket(activity, |counts| counts.by_acl) {
            let all = kinds.values().sum();
            let explanation =
                format!("{} succeeded only because of an access control list: {}", requests(all), in_words(&kinds));
            self.add(RemarkKind::AclAccess, Severity::Low, Some(&bucket), all, explanation);
        }
    }

    fn grants(&mut self, has: &[Grant], proposal: &Proposal, activity: &Activity, buckets: &BTreeSet<String>) {
        let judged = |grant: &&Grant| grant.bucket.is_empty() || buckets.contains(&grant.bucket);
        let all = self.one.allowed();
        if all == 0 {
            if has.is_empty() || has.iter().any(|grant| judged(&grant)) {
                let refused: u64 = self.one.uses.iter().map(|one| one.refused).sum();
                let refused = if refused > 0 { format!("; {} refused", requests_were(refused)) } else { String::new() };
                let perhaps = self.untold.clause(has.iter().map(|grant| grant.bucket.as_str()), &Permission::Read);
                let explanation = format!("granted {}, and not used in these logs{refused}{perhaps}", granted(has));
                self.add(RemarkKind::UnusedKey, Severity::Medium, None, 0, explanation);
            }
            return;
        }
        if has.iter().any(|grant| grant.permission == Permission::FullAccess) {
            self.full_access(proposal, all);
            return;
        }
        let used: BTreeMap<&str, Permission> = used(activity);
        // What such operations need is unknown.
        let unknown: BTreeSet<&str> = proposal.not_covered.iter().map(|count| count.bucket.as_str()).collect();
        for grant in has.iter().filter(judged).filter(|grant| !unknown.contains(grant.bucket.as_str())) {
            match (used.get(grant.bucket.as_str()), &grant.permission) {
                (None, permission) => {
                    let perhaps = self.untold.clause([grant.bucket.as_str()], &Permission::Read);
                    let explanation = format!("granted {permission} and never used there{perhaps}");
                    self.add(RemarkKind::UnusedGrant, Severity::Low, Some(&grant.bucket), 0, explanation);
                }
                (Some(Permission::Read), Permission::ReadWrite) => {
                    let reads =
                        self.one.uses.iter().filter(|one| one.bucket == grant.bucket).map(|one| one.allowed).sum();
                    let perhaps = self.untold.clause([grant.bucket.as_str()], &Permission::ReadWrite);
                    let explanation =
                        format!("granted readwrite, and {} there needed read alone{perhaps}", requests(reads));
                    self.add(RemarkKind::WriteNotUsed, Severity::Low, Some(&grant.bucket), reads, explanation);
                }
                _ => {}
            }
        }
        let mut beyond: BTreeMap<&str, u64> = BTreeMap::new();
        for (of, counts, needs) in needs(activity) {
            if let Needs::Operation(operation) = needs
                && !grants_allow(has, &of.bucket, &operation.spaces_permission())
            {
                *beyond.entry(&of.bucket).or_insert(0) += counts.allowed;
            }
        }
        for (bucket, count) in beyond {
            let explanation = format!(
                "{} succeeded beyond what the key is granted: public access, an access control list, or other grants then",
                requests(count)
            );
            self.add(RemarkKind::BeyondGrants, Severity::Low, Some(bucket), count, explanation);
        }
    }

    fn full_access(&mut self, proposal: &Proposal, all: u64) {
        // Operations with unknown needs may require full access.
        if !proposal.not_covered.is_empty() || proposal.grants.is_empty() {
            return;
        }
        let (kind, grants, reason) = match &proposal.without_full {
            None => (RemarkKind::FullAccessNotNeeded, &proposal.grants, "nothing in these logs needs that".to_owned()),
            Some(grants) => {
                let few: u64 = proposal.only_full.iter().map(|count| count.requests).sum();
                let mut operations: Vec<&str> =
                    proposal.only_full.iter().map(|count| count.operation.as_str()).collect();
                operations.sort_unstable();
                operations.dedup();
                if few * 2 > all {
                    return;
                }
                let reason = format!("{few} of {} need that ({})", requests(all), operations.join(", "));
                (RemarkKind::FullAccessForFew, grants, reason)
            }
        };
        let places = match grants.len() {
            1 => "one bucket".to_owned(),
            count => format!("{count} buckets"),
        };
        let perhaps = self.untold.clause([""], &Permission::FullAccess);
        let explanation =
            format!("granted fullaccess and used on {places}; {reason}: {} would do{perhaps}", granted(grants));
        let severity = if kind == RemarkKind::FullAccessNotNeeded { Severity::Medium } else { Severity::Low };
        self.add(kind, severity, None, all, explanation);
    }
}

/// The highest permission needed in each bucket.
fn used(activity: &Activity) -> BTreeMap<&str, Permission> {
    let mut used: BTreeMap<&str, Permission> = BTreeMap::new();
    for (of, _, needs) in needs(activity) {
        if let Needs::Operation(operation) = needs {
            let known = used.entry(&of.bucket).or_insert(Permission::Read);
            *known = operation.spaces_permission().max(known.clone());
        }
    }
    used
}

fn kinds_by_bucket(
    activity: &Activity,
    count: impl Fn(&super::usage::Counts) -> u64,
) -> BTreeMap<String, BTreeMap<UseKind, u64>> {
    let mut buckets: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (of, counts) in activity.uses.iter().filter(|(of, _)| !is_told_by_records(activity, of)) {
        let counted = super::usage::Counts { allowed: count(counts), ..super::usage::Counts::default() };
        if counted.allowed > 0 {
            buckets.entry(of.bucket.clone()).or_default().push((of, counted));
        }
    }
    let sum = |(bucket, uses): (String, Vec<_>)| {
        let kinds = by_kind(uses.iter().map(|(of, counts): &(&super::usage::UseOf, _)| (*of, counts)));
        (bucket, kinds)
    };
    buckets.into_iter().map(sum).filter(|(_, kinds)| !kinds.is_empty()).collect()
}

fn requests(count: u64) -> String {
    match count {
        1 => "1 request".to_owned(),
        _ => format!("{count} requests"),
    }
}

fn requests_were(count: u64) -> String {
    format!("{} {}", requests(count), if count == 1 { "was" } else { "were" })
}

fn in_words(kinds: &BTreeMap<UseKind, u64>) -> String {
    let words: Vec<String> = kinds.iter().map(|(kind, count)| format!("{} {count}", kind.as_str())).collect();
    words.join(", ")
}
