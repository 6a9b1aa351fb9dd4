//! Bucket policies that deny all access from the listed addresses.
//!
//! The two providers get the same statement with different conditions. On AWS, a condition with a negated operator
//! holds if its key is missing, so `ArnNotLike aws:PrincipalArn` exempts administrators and still denies anonymous
//! requests. Ceph's gateway treats a condition with a missing key as not satisfied: there, the same condition would
//! silently deny nobody. So a policy for Spaces has no condition other than the addresses.

use super::{DenyList, DenyOptions, Printed, short};
use crate::detect::format::rfc3339;
use crate::error::{Error, ErrorKind};
use serde::Serialize;
use std::collections::BTreeMap;

/// Maximum size of a policy in bytes:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html>.
const MAX_BYTES: usize = 20 * 1024;

/// Identifies the statement for replacement or removal.
const STATEMENT: &str = "S3logDeny";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'static str,
    id: &'static str,
    statement: [Statement<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'static str,
    effect: &'static str,
    principal: &'static str,
    action: &'static str,
    resource: [String; 2],
    condition: BTreeMap<&'static str, BTreeMap<&'static str, &'a [String]>>,
}

/// The bucket, and the partition of the bucket and the exempt principals.
pub(super) fn checked_for_aws(options: &DenyOptions) -> Result<(&str, &str), Error> {
    let bucket = checked_bucket(options)?;
    let Some(partition) = options.exempt.first().map(|arn| checked_principal(arn)).transpose()? else {
        return Err(Error::argument("a policy that denies access must exempt somebody").with_hint(
            "name the role or user that administers the bucket, such as arn:aws:iam::111122223333:role/admin",
        ));
    };
    for arn in &options.exempt {
        if checked_principal(arn)? != partition {
            return Err(Error::argument(format!("`{arn}` is not in the partition `{partition}` like the others")));
        }
    }
    Ok((bucket, partition))
}

/// A policy for AWS S3. It stops denying on its own when the list expires.
pub(super) fn aws(list: &DenyList, options: &DenyOptions) -> Result<Printed, Error> {
    let (bucket, partition) = checked_for_aws(options)?;
    let expires = [rfc3339(list.expires() - list.expires().rem_euclid(1_000_000))];
    let conditions =
        [("ArnNotLike", "aws:PrincipalArn", &options.exempt[..]), ("DateLessThan", "aws:CurrentTime", &expires[..])];
    let text = document(list, bucket, partition, &conditions)?;
    let warnings = vec![
        "`put-bucket-policy` replaces the whole policy of the bucket: if there is one, add the statement to it".to_owned(),
        "requests through a VPC endpoint are not denied, because they have no `aws:SourceIp`".to_owned(),
        "what a CDN answers from its cache is not denied, and what it fetches comes from the CDN's addresses: deny at the CDN"
            .to_owned(),
    ];
    Ok(Printed { text, warnings })
}

/// Checks the options and returns the bucket.
pub(super) fn checked_for_spaces(options: &DenyOptions) -> Result<&str, Error> {
    if !options.full_access_keys {
        return Err(Error::argument(
            "Spaces accepts no policy for a bucket that a key with limited access is used on, and no such key for a bucket with a policy",
        )
        .with_hint(
            "confirm that every key of the bucket has full access, or deny elsewhere: `nginx` in front of the bucket, `nftables` \
             or `ipset` on a proxy, or rules of the CDN",
        ));
    }
    if !options.exempt.is_empty() {
        return Err(Error::argument("a policy of Spaces cannot exempt a principal")
            .with_hint("put the administrators' addresses on the allow list"));
    }
    checked_bucket(options)
}

/// A policy for DigitalOcean Spaces.
pub(super) fn spaces(list: &DenyList, options: &DenyOptions) -> Result<Printed, Error> {
    let bucket = checked_for_spaces(options)?;
    let text = document(list, bucket, "aws", &[])?;
    let warnings = vec![
        format!(
            "the policy does not expire: remove the statement `{STATEMENT}` by {}",
            rfc3339(list.expires())
        ),
        "it exempts nobody: if one of these addresses is yours, you are locked out until you remove the policy from another address"
            .to_owned(),
        "`put-bucket-policy` replaces the whole policy of the bucket: if there is one, add the statement to it".to_owned(),
        "no key with limited access can be made for the bucket while it has a policy; Cold Storage takes no policy at all"
            .to_owned(),
        "what the CDN answers from its cache is not denied, and what it fetches comes from the CDN's addresses".to_owned(),
    ];
    Ok(Printed { text, warnings })
}

/// A policy with these conditions in addition to the addresses, in as few bytes as possible.
fn document(
    list: &DenyList,
    bucket: &str,
    partition: &str,
    conditions: &[(&'static str, &'static str, &[String])],
) -> Result<String, Error> {
    let addresses: Vec<_> = list.networks().iter().map(short).collect();
    if addresses.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "there are no addresses to deny, and a policy needs at least one")
            .with_hint(format!("remove the statement `{STATEMENT}`, if the bucket's policy still has it")));
    }
    let policy = |addresses: &[String]| {
        let mut condition: BTreeMap<_, _> =
            conditions.iter().map(|(operator, key, values)| (*operator, BTreeMap::from([(*key, *values)]))).collect();
        condition.insert("IpAddress", BTreeMap::from([("aws:SourceIp", addresses)]));
        let resource = [format!("arn:{partition}:s3:::{bucket}"), format!("arn:{partition}:s3:::{bucket}/*")];
        let (sid, effect, principal, action) = (STATEMENT, "Deny", "*", "s3:*");
        let statement = [Statement { sid, effect, principal, action, resource, condition }];
        serde_json::to_string(&Policy { version: "2012-10-17", id: "s3log", statement })
            .map_err(|error| Error::new(ErrorKind::Internal, "a policy is not JSON").with_source(error))
    };
    let text = policy(&addresses)?;
    if text.len() <= MAX_BYTES {
        return Ok(text + "\n");
    }
    // Each address is quoted, and all but the first are preceded by a comma. Assuming the longest addresses, the number
    // that is reported to fit does fit, whichever addresses have the highest scores.
    let mut lengths: Vec<_> = addresses.iter().map(|address| address.len() + 3).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let room = (MAX_BYTES + 1).saturating_sub(policy(&[])?.len());
    let ends = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    let fitting = ends.take_while(|end| *end <= room).count();
    Err(Error::invalid(format!(
        "a bucket policy has {MAX_BYTES} bytes at most, and {} of {} networks do not fit",
        addresses.len() - fitting,
        addresses.len()
    ))
    .with_hint(format!(
        "`--max-entries {fitting}` keeps the highest scores, `--aggregate` merges adjacent networks; for longer lists use AWS WAF \
         or a firewall"
    )))
}

/// The bucket for use in an ARN, without special characters.
fn checked_bucket(options: &DenyOptions) -> Result<&str, Error> {
    let Some(bucket) = options.bucket.as_deref() else {
        return Err(Error::argument("a bucket policy is for one bucket").with_hint("name the bucket"));
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (3..=255).contains(&bucket.len()) && bucket.bytes().all(fits) {
        return Ok(bucket);
    }
    Err(Error::argument(format!("`{}` is not a bucket name", bucket.escape_debug()))
        .with_hint("letters, digits, `.`, `-` and `_`, at least three"))
}

/// The partition of a role or user: `aws` for `arn:aws:iam::111122223333:role/admin`.
fn checked_principal(arn: &str) -> Result<&str, Error> {
    let named = |name: &str| {
        // A wildcard as the whole name would exempt everyone; after a prefix it is legitimate for paths.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/*".contains(&byte);
        name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && name.bytes().all(fits)
    };
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    if let [arn, partition, "iam", "", account, resource] = parts[..] {
        let known = arn == "arn" && matches!(partition, "aws" | "aws-cn" | "aws-us-gov");
        let account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let resource = resource == "root"
            || resource.split_once('/').is_some_and(|(kind, name)| matches!(kind, "role" | "user") && named(name));
        if known && account && resource {
            return Ok(partition);
        }
    }
    Err(Error::argument(format!("`{}` names no role or user", arn.escape_debug()))
        .with_hint("such as arn:aws:iam::111122223333:role/admin"))
}
