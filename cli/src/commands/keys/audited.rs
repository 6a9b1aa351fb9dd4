//! An audit as text.

use std::fmt::Write as _;

use s3log_engine::detect::Severity;
use s3log_engine::keys::audit::{Audit, PrincipalKind, PrincipalUse, Proposal};
use s3log_engine::keys::{Grant, Permission, granted, is_access_key, is_bucket_name};

use crate::message::count;
use crate::output::Paint;
use crate::output::escape::visible;
use crate::output::time::rfc3339;

/// How many of the busiest addresses are listed.
const ADDRESSES: usize = 3;

pub(super) fn text(audit: &Audit, paint: Paint) -> String {
    let mut text = String::new();
    head(audit, &mut text);
    if !audit.remarks.is_empty() {
        let _ = writeln!(text, "\n{}", paint.strong("To look at"));
        for remark in &audit.remarks {
            let severity = remark.severity.name();
            let severity = match remark.severity {
                Severity::Critical | Severity::High => paint.error(severity),
                Severity::Medium => paint.warning(severity),
                _ => paint.faint(severity),
            };
            let bucket = remark.bucket.as_ref().map(|bucket| format!(" on {}", visible(bucket)));
            let _ = writeln!(
                text,
                "  {severity} {}{}: {} [{}]",
                paint.strong(&visible(&remark.name)),
                bucket.unwrap_or_default(),
                visible(&remark.explanation),
                remark.kind.as_str()
            );
        }
    }
    for one in &audit.principals {
        text.push('\n');
        principal(one, paint, &mut text);
    }
    text
}

fn head(audit: &Audit, text: &mut String) {
    let (Some(first), Some(last)) = (audit.first, audit.last) else {
        text.push_str("No requests found.\n");
        return;
    };
    let buckets = count(audit.buckets.len() as u64, "bucket");
    let _ = writeln!(
        text,
        "{} of {buckets}, from {} to {}",
        count(audit.requests, "request"),
        rfc3339(first),
        rfc3339(last)
    );
    let _ = writeln!(
        text,
        "{} of the signed requests ({:.1} %) cannot be attributed to a key, user or role",
        audit.untold,
        audit.untold_share * 100.0
    );
    if !audit.keys_known {
        text.push_str("The grants of the keys are not known; pass --keys, or a token for the API\n");
    }
}

fn principal(one: &PrincipalUse, paint: Paint, text: &mut String) {
    let id = &one.principal.id;
    let name = visible(one.name());
    let named = one.name() != id && !id.is_empty();
    let id = if named { format!(" {}", paint.faint(&visible(id))) } else { String::new() };
    let _ = write!(text, "{}{id}  ", paint.strong(&name));
    if !matches!(one.principal.kind, PrincipalKind::Anonymous | PrincipalKind::Unnamed) {
        let _ = write!(text, "{}, ", one.principal.kind.as_str());
    }
    match one.first.zip(one.last) {
        Some((first, last)) => {
            let from = match one.address_count {
                0 => String::new(),
                addresses => format!(" from {}", count(addresses as u64, "address")),
            };
            let _ = writeln!(text, "{}{from}, {} to {}", count(one.requests, "request"), rfc3339(first), rfc3339(last));
        }
        None => text.push_str("no request\n"),
    }
    uses(one, text);
    if one.principal.kind != PrincipalKind::Anonymous && !one.addresses.is_empty() {
        let busiest = one.addresses.iter().take(ADDRESSES);
        let busiest: Vec<String> =
            busiest.map(|from| format!("{} {}", visible(&from.address), from.requests)).collect();
        let more = one.address_count.saturating_sub(ADDRESSES);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        line(text, "from", &format!("{}{more}", busiest.join(", ")));
    }
    if one.guest_count > 0 {
        line(text, "links", &format!("used from {}", count(one.guest_count as u64, "address")));
    }
    if !one.signing_keys.is_empty() {
        let keys: Vec<&str> = one.signing_keys.iter().map(String::as_str).collect();
        line(text, "signs with", &visible(&keys.join(", ")));
    }
    if let Some(key) = &one.key {
        line(text, "granted", &visible(&granted(&key.grants)));
    }
    match &one.proposal {
        Some(proposal) if one.allowed() > 0 => enough(one, proposal, text),
        _ if one.not_judged.is_empty() => {}
        _ => {
            let grants = granted(&one.not_judged);
            line(text, "but", &format!("not judged, because no log of it was read: {}", visible(&grants)));
        }
    }
    if let Some(command) = rotation(one) {
        line(text, "change", &command);
    }
}

/// One line per bucket: operations and how often they occurred.
fn uses(one: &PrincipalUse, text: &mut String) {
    let mut bucket = None;
    for used in &one.uses {
        let mut ended = Vec::new();
        for (requests, how) in [(used.refused, "refused"), (used.undecided, "undecided"), (used.by_acl, "by ACL")] {
            if requests > 0 {
                ended.push(format!("{requests} {how}"));
            }
        }
        let ended = if ended.is_empty() { String::new() } else { format!(" ({})", ended.join(", ")) };
        let done = format!("{} {}{ended}", used.kind.as_str(), used.allowed + used.refused + used.undecided);
        if bucket == Some(&used.bucket) {
            let _ = write!(text, ", {done}");
        } else {
            if bucket.is_some() {
                text.push('\n');
            }
            let _ = write!(text, "    {:<11} {done}", visible(&used.bucket));
            bucket = Some(&used.bucket);
        }
    }
    if bucket.is_some() {
        text.push('\n');
    }
}

fn enough(one: &PrincipalUse, proposal: &Proposal, text: &mut String) {
    if one.principal.kind.is_of_iam() {
        for (at, statement) in proposal.policy.statements.iter().enumerate() {
            let join =
                |texts: &std::collections::BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>().join(", ");
            let allowed = format!("{} on {}", join(&statement.actions), join(&statement.resources));
            line(text, if at == 0 { "enough" } else { "" }, &visible(&allowed));
        }
        tried(proposal.tried, proposal.policy_refuses, text);
    } else {
        line(text, "enough", &visible(&granted(&proposal.grants)));
        tried(proposal.tried, proposal.grants_refuse, text);
        if let Some(scoped) = &proposal.without_full {
            let mut operations: Vec<&str> = proposal.only_full.iter().map(|count| count.operation.as_str()).collect();
            operations.sort_unstable();
            operations.dedup();
            let scoped = visible(&granted(scoped)).into_owned();
            line(text, "", &format!("without {}: {scoped}", visible(&operations.join(", "))));
        }
    }
    for caveat in one.caveats() {
        line(text, "but", &visible(&caveat));
    }
}

/// The command that creates a key with sufficient grants, if there is one and no name in it needs quoting in a shell.
fn rotation(one: &PrincipalUse) -> Option<String> {
    let key = one.key.as_ref().filter(|key| one.is_granted_too_much() && is_access_key(&key.access_key))?;
    let word = |grant: &Grant| {
        let can_be_said = matches!(grant.permission, Permission::Read | Permission::ReadWrite);
        (can_be_said && is_bucket_name(&grant.bucket))
            .then(|| format!(" --grant {}={}", grant.bucket, grant.permission))
    };
    let grants: String = one.replacement()?.iter().map(word).collect::<Option<_>>()?;
    Some(format!("s3log keys rotate {} --dry-run{grants}", key.access_key))
}

fn tried(tried: u64, refused: u64, text: &mut String) {
    if tried == 0 {
        return;
    }
    let refused = if refused == 0 { "none".to_owned() } else { refused.to_string() };
    line(text, "", &format!("{refused} of {} would have been refused", count(tried, "allowed request")));
}

fn line(text: &mut String, what: &str, value: &str) {
    let _ = writeln!(text, "    {what:<11} {value}");
}
