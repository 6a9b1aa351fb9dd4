//! Conditional puts, and how a server handles them.

use std::sync::atomic::{AtomicUsize, Ordering};

use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Result, s3_error};

use crate::bucket::Object;

/// Handling of puts and completions of multipart uploads with `If-None-Match` or `If-Match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionalPuts {
    /// Performed if the condition holds, otherwise 412.
    #[default]
    Honoured,
    /// Performed regardless of the condition, with a misleading 200.
    Ignored,
    /// Rejected with 501, NotImplemented.
    Refused,
}

/// How conditions are handled.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) puts: ConditionalPuts,
    /// Number of conditional puts still to be answered as if there were a concurrent one.
    pub(crate) conflicts: AtomicUsize,
}

impl Conditions {
    /// Whether a put may replace this object.
    pub(crate) fn check(
        &self,
        found: Option<&Object>,
        if_match: Option<&ETagCondition>,
        if_none_match: Option<&ETagCondition>,
    ) -> S3Result<()> {
        if if_match.or(if_none_match).is_none() {
            return Ok(());
        }
        match self.puts {
            ConditionalPuts::Honoured => {}
            ConditionalPuts::Ignored => return Ok(()),
            ConditionalPuts::Refused => {
                let message = "A header you provided implies functionality that is not implemented.";
                return Err(s3_error!(NotImplemented, "{message}"));
            }
        }
        let one_less = |left: usize| left.checked_sub(1);
        if self.conflicts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            let message =
                "The conditional request cannot succeed due to a conflicting operation against this resource.";
            return Err(s3_error!(ConditionalRequestConflict, "{message}"));
        }
        if let Some(wanted) = if_match {
            let found = found.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))?;
            if !matches!(wanted, ETagCondition::ETag(tag) if is_of(tag, found)) {
                return Err(failed());
            }
        }
        match if_none_match {
            Some(ETagCondition::Any) if found.is_some() => Err(failed()),
            Some(ETagCondition::ETag(_)) => {
                Err(s3_error!(NotImplemented, "If-None-Match of a put takes nothing but an asterisk"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a read may proceed.
pub(crate) fn check_read(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let holds = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => is_of(tag, object),
    };
    if if_match.is_some_and(|condition| !holds(condition)) {
        return Err(failed());
    }
    if if_none_match.is_some_and(holds) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

fn is_of(tag: &ETag, object: &Object) -> bool {
    tag.value() == &*object.e_tag
}

fn failed() -> s3s::S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}
