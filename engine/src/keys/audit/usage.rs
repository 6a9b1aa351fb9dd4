//! The activity of each principal: one query over `logs`, aggregated by principal, bucket and operation.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::StreamExt as _;

use super::principal::{Principal, PrincipalKind, PrincipalMap};
use crate::error::{Error, ErrorKind};
use crate::keys::is_access_key;
use crate::session::Session;

/// Maximum number of alternative names kept per principal: role sessions, keys that signed URLs.
const NAMES: usize = 20;
/// Maximum number of unknown keys kept as separate principals.
const UNKNOWN_KEYS: usize = 1_000;

/// One operation in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UseOf {
    pub bucket: String,
    pub operation: String,
    /// Whether the records have an object key.
    pub has_key: bool,
    /// Whether the records have a version.
    pub of_version: bool,
    /// The access point that was used.
    pub access_point: Option<String>,
}

impl UseOf {
    /// Whether it is one of the deletions that a batch asked for.
    pub(super) fn is_in_batch(&self) -> bool {
        self.operation.starts_with("BATCH.")
    }
}

/// Number of requests by outcome, and their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Allowed by the store.
    pub allowed: u64,
    /// Allowed requests for an object or a bucket policy that does not exist.
    pub missing: u64,
    /// Allowed requests that only an ACL allowed.
    pub by_acl: u64,
    /// Denied with 401 or 403.
    pub refused: u64,
    /// Authorization undecided: redirected, malformed, failed.
    pub undecided: u64,
    /// First and last time in microseconds since the Unix epoch (UTC).
    pub times: Option<(i64, i64)>,
    /// First and last key of allowed requests, in byte order.
    pub keys: Option<(String, String)>,
}

impl Counts {
    pub(super) fn all(&self) -> u64 {
        self.allowed + self.refused + self.undecided
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        self.allowed += other.allowed;
        self.missing += other.missing;
        self.by_acl += other.by_acl;
        self.refused += other.refused;
        self.undecided += other.undecided;
        self.times = widest(self.times, other.times);
        self.keys = match (self.keys.take(), other.keys.clone()) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }
}

pub(super) fn widest(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, other) => one.or(other),
    }
}

/// Everything a principal did.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity {
    pub uses: BTreeMap<UseOf, Counts>,
    /// By address that signed requests itself: number of requests, and time of the last. Not kept for anonymous
    /// clients.
    pub addresses: BTreeMap<String, (u64, i64)>,
    /// The same for addresses that used a URL signed by the principal.
    pub guests: BTreeMap<String, (u64, i64)>,
    /// Some of the requesters logged for it, other than its id.
    pub requesters: BTreeSet<String>,
    /// Some of the keys that signed URLs for it, other than its id.
    pub signers: BTreeSet<String>,
}

/// The activity of all principals.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    pub principals: BTreeMap<Principal, Activity>,
    /// Buckets with records.
    pub buckets: BTreeSet<String>,
    /// Ids of keys that are not the account's.
    unknown: HashSet<String>,
}

// An archived object also gives 403, but to clients that may read it. Ceph may log no status: without an error, such a
// request counts as allowed.
const OUTCOME: &str = "
    CASE WHEN operation LIKE 'WEBSITE.%' AND error_code = 'NoSuchWebsiteConfiguration' THEN 'undecided'
         WHEN http_status IN (401, 403) AND error_code IS DISTINCT FROM 'InvalidObjectState' THEN 'refused'
         WHEN http_status = 404 AND (error_code IN ('NoSuchKey', 'NoSuchBucketPolicy') OR (error_code IS NULL AND key IS NOT NULL)) THEN 'missing'
         WHEN http_status = 404 AND (error_code IS NULL OR error_code = 'NoSuchBucket') THEN 'undecided'
         WHEN http_status BETWEEN 200 AND 299 OR http_status IN (304, 403, 404, 409, 412, 416) THEN 'allowed'
         WHEN http_status IS NULL AND error_code IS NULL THEN 'allowed'
         ELSE 'undecided' END";

/// The key id of a presigned URL whose signature was checked: the log says so, or is too old to have the signing
/// method. Websites and preflight requests ignore signatures, so nothing follows from their URLs.
const PRESIGNED: &str = "
    CASE WHEN operation NOT LIKE 'WEBSITE.%' AND operation NOT LIKE '%OPTIONS%'
              AND (authentication_type = 'QueryString'
                   OR (authentication_type IS NULL AND signature_version IS NULL AND host_header IS NULL))
              AND (uri_param(request_uri, 'X-Amz-Signature') IS NOT NULL OR uri_param(request_uri, 'Signature') IS NOT NULL)
         THEN presigned_access_key(request_uri) END";

/// Whether the log says that nobody signed. Then neither a URL nor the storage class that Huawei OBS writes in the place
/// of the signature version means anything.
const NOBODY: &str = "(requester IS NOT NULL AND requester_identity(requester) IS NULL)";

/// The query. The key id of a URI counts only if the store checked its signature; otherwise clients could invent any
/// number of keys. Addresses are only kept for signed requests.
fn sql(with_keys: bool) -> String {
    let keys = if with_keys { "min(object_key), max(object_key)" } else { "NULL AS first_key, NULL AS last_key" };
    format!(
        "SELECT who, signed_by, bucket, operation, has_key, of_version, access_point_arn, outcome, by_acl, ip, is_signed, by_link,
                count(*), CAST(min(time) AS BIGINT), CAST(max(time) AS BIGINT), {keys}
         FROM (SELECT who, bucket, operation, has_key, of_version, access_point_arn, outcome, by_acl, time, object_key,
                      is_signed AND outcome IN ('allowed', 'missing') AS is_signed, presigned IS NOT NULL AS by_link,
                      CASE WHEN outcome IN ('allowed', 'missing') THEN presigned END AS signed_by,
                      CASE WHEN who IS NOT NULL OR (outcome IN ('allowed', 'missing') AND presigned IS NOT NULL)
                           THEN remote_ip END AS ip
               FROM (SELECT requester_identity(requester) AS who,
                            CASE WHEN NOT {NOBODY} THEN {PRESIGNED} END AS presigned,
                            NOT {NOBODY} AND (authentication_type IS NOT NULL OR coalesce(signature_version LIKE 'Sig%', false))
                                AS is_signed,
                            bucket, operation, key IS NOT NULL AS has_key,
                            CASE WHEN request_uri IS NULL OR operation LIKE 'BATCH.%' OR operation LIKE '%.COPY.%_GET'
                                 THEN version_id IS NOT NULL
                                 ELSE uri_param(request_uri, 'versionId') IS NOT NULL END AS of_version,
                            access_point_arn, {OUTCOME} AS outcome, coalesce(acl_required, false) AS by_acl, remote_ip, time, object_key
                     FROM logs))
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
    )
}

/// Runs the query. `with_keys` also finds the first and last object keys, which takes longer.
pub(super) async fn usage(
    session: &Session,
    map: &PrincipalMap,
    is_key: impl Fn(&str) -> bool,
    with_keys: bool,
) -> Result<Usage, Error> {
    let failed = |error| Error::of_query(error, "the logs cannot be summed up");
    let frame = session.context().sql(&sql(with_keys)).await.map_err(failed)?;
    let mut batches = frame.execute_stream().await.map_err(failed)?;
    let mut usage = Usage::default();
    while let Some(batch) = batches.next().await {
        usage.add(&batch.map_err(failed)?, map, &is_key)?;
    }
    usage.join_keys();
    Ok(usage)
}

impl Usage {
    /// The principal for an unknown key. If there are too many of them, the rest share the unnamed principal.
    fn unknown_key(&mut self, key: Principal) -> Principal {
        if self.unknown.contains(&key.id) {
            return key;
        }
        if self.unknown.len() == UNKNOWN_KEYS {
            return Principal::unnamed();
        }
        self.unknown.insert(key.id.clone());
        key
    }

    /// Merges requesters into keys: a requester whose id also signed URLs, for whomever, is that key, even if the
    /// account's keys are unknown.
    fn join_keys(&mut self) {
        let keys = self.principals.keys().filter(|one| one.kind == PrincipalKind::AccessKey).map(|key| &key.id);
        let signers = self.principals.values().flat_map(|activity| &activity.signers);
        let ids: BTreeSet<String> = keys.chain(signers).cloned().collect();
        for id in ids {
            // Keys of OVHcloud look like canonical ids.
            for kind in [PrincipalKind::Other, PrincipalKind::CanonicalId] {
                if let Some(activity) = self.principals.remove(&Principal { kind, id: id.clone() }) {
                    self.principals.entry(Principal::key(id.clone())).or_default().join(activity);
                }
            }
        }
    }

    fn add(&mut self, batch: &RecordBatch, map: &PrincipalMap, is_key: &impl Fn(&str) -> bool) -> Result<(), Error> {
        let wrong = |error: arrow::error::ArrowError| {
            Error::new(ErrorKind::Internal, "a column of the sums has another type than asked for").with_source(error)
        };
        let column = |at: usize, data_type: &DataType| cast(batch.column(at), data_type).map_err(wrong);
        let texts = [0, 1, 2, 3, 6, 7, 9, 15, 16]
            .map(|at| column(at, &DataType::Utf8).map(|array| array.as_string::<i32>().clone()));
        let [who, signed_by, bucket, operation, access_point, outcome, ip, first_key, last_key] = texts;
        let (who, signed_by, bucket, operation) = (who?, signed_by?, bucket?, operation?);
        let (access_point, outcome, ip, first_key, last_key) = (access_point?, outcome?, ip?, first_key?, last_key?);
        let flags = [4, 5, 8, 10, 11].map(|at| column(at, &DataType::Boolean).map(|array| array.as_boolean().clone()));
        let [has_key, of_version, by_acl, is_signed, by_link] = flags;
        let (has_key, of_version, by_acl, is_signed, by_link) = (has_key?, of_version?, by_acl?, is_signed?, by_link?);
        let numbers =
            [12, 13, 14].map(|at| column(at, &DataType::Int64).map(|array| array.as_primitive::<Int64Type>().clone()));
        let [count, first, last] = numbers;
        let (count, first, last) = (count?, first?, last?);
        for row in 0..batch.num_rows() {
            let text = |array: &arrow::array::StringArray| array.is_valid(row).then(|| array.value(row).to_owned());
            let (requester, signer) = (text(&who), text(&signed_by).filter(|key| is_access_key(key)));
            let is_signed = is_signed.is_valid(row) && is_signed.value(row);
            let mut principal = Principal::of(requester.as_deref(), signer.as_deref(), is_signed, is_key, map);
            if principal.kind == PrincipalKind::AccessKey && !is_key(&principal.id) {
                principal = self.unknown_key(principal);
            }
            let requests = u64::try_from(count.value(row)).unwrap_or_default();
            let times = (first.value(row), last.value(row));
            let activity = self.principals.entry(principal.clone()).or_default();
            if let Some(ip) = text(&ip) {
                // Whoever uses a link has no key, even if the link is refused.
                let addresses = if by_link.value(row) { &mut activity.guests } else { &mut activity.addresses };
                let (seen, latest) = addresses.entry(ip).or_insert((0, times.1));
                *seen += requests;
                *latest = times.1.max(*latest);
            }
            keep(&mut activity.requesters, requester, &principal.id);
            keep(&mut activity.signers, signer, &principal.id);
            let mut counts = Counts { times: Some(times), ..Counts::default() };
            match outcome.value(row) {
                "refused" => counts.refused = requests,
                "undecided" => counts.undecided = requests,
                outcome => {
                    counts.allowed = requests;
                    counts.missing = if outcome == "missing" { requests } else { 0 };
                    counts.by_acl = if by_acl.value(row) { requests } else { 0 };
                    counts.keys = text(&first_key).zip(text(&last_key));
                }
            }
            let bucket = text(&bucket).unwrap_or_default();
            if outcome.value(row) != "undecided" {
                self.buckets.insert(bucket.clone());
            }
            let of = UseOf {
                bucket,
                operation: text(&operation).unwrap_or_default(),
                has_key: has_key.value(row),
                of_version: of_version.value(row),
                access_point: text(&access_point),
            };
            activity.uses.entry(of).or_default().add(&counts);
        }
        Ok(())
    }
}

impl Activity {
    fn join(&mut self, other: Self) {
        for (of, counts) in other.uses {
            self.uses.entry(of).or_default().add(&counts);
        }
        for (into, from) in [(&mut self.addresses, other.addresses), (&mut self.guests, other.guests)] {
            for (address, (requests, last)) in from {
                let (seen, latest) = into.entry(address).or_insert((0, last));
                *seen += requests;
                *latest = last.max(*latest);
            }
        }
        self.requesters.extend(other.requesters);
        self.signers.extend(other.signers);
    }
}

fn keep(names: &mut BTreeSet<String>, name: Option<String>, id: &str) {
    if let Some(name) = name
        && name != id
        && names.len() < NAMES
    {
        names.insert(name);
    }
}
