//! What each principal did: one query over `logs`, summed up by who, bucket and operation.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use futures::StreamExt as _;

use super::principal::{Principal, PrincipalKind, PrincipalMap};
use crate::error::{Error, ErrorKind};
use crate::keys::is_access_key;
use crate::session::Session;

/// Other names of one principal that are kept: sessions of a role, keys that signed URLs.
const NAMES: usize = 20;
/// Keys that the account does not know and that are told apart.
const UNKNOWN_KEYS: usize = 1_000;

/// What a principal did with one operation in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UseOf {
    pub bucket: String,
    pub operation: String,
    /// Whether the records name objects.
    pub has_key: bool,
    /// Whether they name versions.
    pub of_version: bool,
    /// The access point that they came through.
    pub access_point: Option<String>,
}

/// How often, when, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The store found them allowed.
    pub allowed: u64,
    /// Of these, an object was asked for that is not there.
    pub missing: u64,
    /// Of those that are allowed, only an access control list allowed them.
    pub by_acl: u64,
    /// Refused: 401 or 403.
    pub refused: u64,
    /// Whether they are allowed was not decided: redirected, malformed, failed.
    pub undecided: u64,
    /// First and last, in microseconds since 1970.
    pub times: Option<(i64, i64)>,
    /// The first and the last key in the order of their bytes, of those that are allowed.
    pub keys: Option<(String, String)>,
}

impl Counts {
    pub(super) fn all(&self) -> u64 {
        self.allowed + self.refused + self.undecided
    }

    /// Adds what was counted elsewhere.
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

/// All that one principal did.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity {
    pub uses: BTreeMap<UseOf, Counts>,
    /// Requests from each address that signed them itself, and the last; nobody's are not kept.
    pub addresses: BTreeMap<String, (u64, i64)>,
    /// The same of addresses that used a URL which the principal signed: those of its guests.
    pub guests: BTreeMap<String, (u64, i64)>,
    /// Requesters that the log has for it, where they are not its id; some of them.
    pub requesters: BTreeSet<String>,
    /// Keys that signed URLs for it, where they are not its id; some of them.
    pub signers: BTreeSet<String>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    pub principals: BTreeMap<Principal, Activity>,
    /// Buckets that there are records of.
    pub buckets: BTreeSet<String>,
    /// Ids of keys that are not the account's.
    unknown: HashSet<String>,
}

// An object in an archive is refused with 403 too, but to whom may read it. Ceph writes no status before it knows it.
const OUTCOME: &str = "
    CASE WHEN http_status IN (401, 403) AND error_code IS DISTINCT FROM 'InvalidObjectState' THEN 'refused'
         WHEN http_status = 404 AND (error_code = 'NoSuchKey' OR (error_code IS NULL AND key IS NOT NULL)) THEN 'missing'
         WHEN http_status = 404 AND (error_code IS NULL OR error_code = 'NoSuchBucket') THEN 'undecided'
         WHEN http_status BETWEEN 200 AND 299 OR http_status IN (304, 403, 404, 409, 412, 416) THEN 'allowed'
         WHEN http_status IS NULL AND error_code IS NULL THEN 'allowed'
         ELSE 'undecided' END";

/// Whose signature was checked: that of a URL with one, where the log says so or is too old to say how requests were signed.
/// Websites and preflights take no signatures, so what is in their URLs proves nothing.
const PRESIGNED: &str = "
    CASE WHEN operation NOT LIKE 'WEBSITE.%' AND operation NOT LIKE '%OPTIONS%'
              AND (authentication_type = 'QueryString'
                   OR (authentication_type IS NULL AND signature_version IS NULL AND host_header IS NULL))
              AND (uri_param(request_uri, 'X-Amz-Signature') IS NOT NULL OR uri_param(request_uri, 'Signature') IS NOT NULL)
         THEN presigned_access_key(request_uri) END";

/// The query. The URI's key id counts only where the store checked its signature: elsewhere clients could make up as many keys
/// as they like. Addresses are kept of those who signed.
fn sql(with_keys: bool) -> String {
    let keys = if with_keys { "min(object_key), max(object_key)" } else { "NULL AS first_key, NULL AS last_key" };
    format!(
        "SELECT who, signed_by, bucket, operation, has_key, of_version, access_point_arn, outcome, by_acl, ip, is_signed,
                count(*), CAST(min(time) AS BIGINT), CAST(max(time) AS BIGINT), {keys}
         FROM (SELECT who, bucket, operation, has_key, of_version, access_point_arn, outcome, by_acl, time, object_key,
                      is_signed AND outcome IN ('allowed', 'missing') AS is_signed,
                      CASE WHEN outcome IN ('allowed', 'missing') THEN presigned END AS signed_by,
                      CASE WHEN who IS NOT NULL OR (outcome IN ('allowed', 'missing') AND presigned IS NOT NULL)
                           THEN remote_ip END AS ip
               FROM (SELECT CASE WHEN requester LIKE 'arn:%:assumed-role/%'
                                 THEN concat(split_part(requester, '/', 1), '/', split_part(requester, '/', 2))
                                 ELSE requester END AS who,
                            {PRESIGNED} AS presigned,
                            authentication_type IS NOT NULL OR signature_version IS NOT NULL AS is_signed,
                            bucket, operation, key IS NOT NULL AS has_key,
                            CASE WHEN request_uri IS NULL OR operation LIKE 'BATCH.%' OR operation LIKE '%.COPY.%_GET'
                                 THEN version_id IS NOT NULL
                                 ELSE uri_param(request_uri, 'versionId') IS NOT NULL END AS of_version,
                            access_point_arn, {OUTCOME} AS outcome, coalesce(acl_required, false) AS by_acl, remote_ip, time, object_key
                     FROM logs))
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    )
}

/// Asks the session's logs. `with_keys` also finds out which keys lie outermost, which takes longer.
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
    /// A key that the account does not know, unless there are too many of these: then all others are one that nobody names.
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

    /// A requester whose id signed URLs is that key, whether the account is known or not.
    fn join_keys(&mut self) {
        let keys = self.principals.keys().filter(|one| one.kind == PrincipalKind::AccessKey);
        let others: Vec<Principal> =
            keys.map(|key| Principal { kind: PrincipalKind::Other, id: key.id.clone() }).collect();
        for other in others {
            if let Some(activity) = self.principals.remove(&other) {
                self.principals.entry(Principal::key(other.id)).or_default().join(activity);
            }
        }
    }

    fn add(&mut self, batch: &RecordBatch, map: &PrincipalMap, is_key: &impl Fn(&str) -> bool) -> Result<(), Error> {
        let wrong = |error: arrow::error::ArrowError| {
            Error::new(ErrorKind::Internal, "a column of the sums has another type than asked for").with_source(error)
        };
        let column = |at: usize, data_type: &DataType| cast(batch.column(at), data_type).map_err(wrong);
        let texts = [0, 1, 2, 3, 6, 7, 9, 14, 15]
            .map(|at| column(at, &DataType::Utf8).map(|array| array.as_string::<i32>().clone()));
        let [who, signed_by, bucket, operation, access_point, outcome, ip, first_key, last_key] = texts;
        let (who, signed_by, bucket, operation) = (who?, signed_by?, bucket?, operation?);
        let (access_point, outcome, ip, first_key, last_key) = (access_point?, outcome?, ip?, first_key?, last_key?);
        let flags = [4, 5, 8, 10].map(|at| column(at, &DataType::Boolean).map(|array| array.as_boolean().clone()));
        let [has_key, of_version, by_acl, is_signed] = flags;
        let (has_key, of_version, by_acl, is_signed) = (has_key?, of_version?, by_acl?, is_signed?);
        let numbers =
            [11, 12, 13].map(|at| column(at, &DataType::Int64).map(|array| array.as_primitive::<Int64Type>().clone()));
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
                let addresses = if signer.is_some() { &mut activity.guests } else { &mut activity.addresses };
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
