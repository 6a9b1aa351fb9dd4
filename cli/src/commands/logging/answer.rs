//! The output of `logging`, for users and for programs.

use std::fmt::Write as _;

use s3log_engine::logging::{Delivered, KeyFormat, LoggingSettings, Plan, Service, Status};
use serde_json::{Value, json};

use crate::message::count;
use crate::output::escape::visible;
use crate::output::time::rfc3339;

/// The outcome of a change.
pub(super) enum Outcome {
    /// The settings are already as requested.
    NothingToDo,
    /// With `--dry-run`: the XML that would be sent.
    WouldPut(String),
    /// Changed, and confirmed by reading back.
    Changed,
}

pub(super) fn status(status: &Status, query: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |heading: &str, what: &str| {
        // Names of buckets and objects come from other people. Writing to a String cannot fail.
        let _ = writeln!(text, "{heading:<12} {}", visible(what));
    };
    let at = if status.service == Service::Other { String::new() } else { format!(" at {}", status.service.name()) };
    line("bucket", &format!("s3://{}{at}", status.bucket));
    line("logging", if status.settings.is_some() { "on" } else { "off" });
    let Some(settings) = &status.settings else { return text };
    line("target", &settings.target());
    line("names", names(status.service, settings.key_format));
    line("grants", &grants(settings));
    if let Some(delivered) = &status.delivered {
        line(
            "log objects",
            &match delivered {
                Ok(delivered) => objects(delivered),
                Err(_) => "cannot be listed".to_owned(),
            },
        );
        if let Ok(Delivered { newest: Some((name, time)), .. }) = delivered {
            line("newest", &format!("{} s3://{}/{name}", rfc3339(*time), settings.target_bucket));
        }
    }
    if let Some(query) = query {
        line("query", query);
    }
    text
}

fn objects(delivered: &Delivered) -> String {
    match delivered.objects {
        0 => "none yet".to_owned(),
        objects if delivered.has_more => format!("more than {}", count(objects, "object")),
        objects => count(objects, "object"),
    }
}

fn names(service: Service, format: KeyFormat) -> &'static str {
    match format {
        KeyFormat::Simple if matches!(service, Service::Aws | Service::Backblaze) => "simple: by the time of delivery",
        KeyFormat::Simple => "simple: as the store gives them",
        KeyFormat::EventTime => "event-time: in folders of account, region, bucket and day of the records",
        KeyFormat::DeliveryTime => "delivery-time: in folders of account, region, bucket and day of delivery",
    }
}

fn grants(settings: &LoggingSettings) -> String {
    let grants: Vec<String> = settings.target_grants.iter().map(ToString::to_string).collect();
    if grants.is_empty() { "none".to_owned() } else { grants.join(", ") }
}

pub(super) fn status_json(status: &Status, query: Option<&str>) -> Value {
    let delivered = match &status.delivered {
        Some(Ok(delivered)) => {
            let newest = delivered.newest.as_ref();
            json!({
                "listed": delivered.objects,
                "has_more": delivered.has_more,
                "newest": newest.map(|(name, _)| name),
                "newest_time": newest.map(|(_, time)| rfc3339(*time)),
            })
        }
        Some(Err(error)) => json!({ "error": error.to_string() }),
        None => Value::Null,
    };
    json!({
        "bucket": status.bucket,
        "service": status.service.id(),
        "enabled": status.settings.is_some(),
        "settings": settings(status.settings.as_ref()),
        "log_objects": delivered,
        "query": query,
    })
}

fn settings(settings: Option<&LoggingSettings>) -> Value {
    let Some(settings) = settings else { return Value::Null };
    let grants: Vec<Value> = settings
        .target_grants
        .iter()
        .map(|grant| json!({ "permission": grant.permission, "grantee": grant.grantee.to_string() }))
        .collect();
    json!({
        "target": settings.target(),
        "target_bucket": settings.target_bucket,
        "target_prefix": settings.target_prefix,
        "key_format": settings.key_format.name(),
        "grants": grants,
    })
}

/// A change as text; with `--dry-run`, the XML only.
pub(super) fn change(plan: &Plan, outcome: &Outcome, query: Option<&str>) -> String {
    let bucket = &plan.bucket;
    let mut text = match (outcome, &plan.wanted, &plan.before) {
        (Outcome::WouldPut(xml), ..) => return format!("{xml}\n"),
        (Outcome::NothingToDo, Some(wanted), _) => {
            format!("logging of s3://{bucket} is already on, to {}: nothing to do\n", visible(&wanted.target()))
        }
        (Outcome::NothingToDo, None, _) => return format!("logging of s3://{bucket} is already off: nothing to do\n"),
        (Outcome::Changed, Some(wanted), _) => format!(
            "logging of s3://{bucket} is on\ntarget       {}\nnames        {}\ngrants       {}\n\n{}.\n",
            visible(&wanted.target()),
            names(plan.service, wanted.key_format),
            visible(&grants(wanted)),
            plan.service.delivery()
        ),
        (Outcome::Changed, None, before) => {
            let before = before.as_ref().map(LoggingSettings::target).unwrap_or_default();
            return format!(
                "logging of s3://{bucket} is off; it went to {}\nDelivered log objects stay there, and logs of earlier requests may still arrive.\n",
                visible(&before)
            );
        }
    };
    if let Some(query) = query {
        let _ = writeln!(text, "Query them with:\n  {}", visible(query));
    }
    text
}

pub(super) fn change_json(plan: &Plan, outcome: &Outcome, query: Option<&str>) -> Value {
    let (what, xml) = match outcome {
        Outcome::NothingToDo => ("nothing_to_do", None),
        Outcome::WouldPut(xml) => ("dry_run", Some(xml)),
        Outcome::Changed => ("changed", None),
    };
    json!({
        "bucket": plan.bucket,
        "service": plan.service.id(),
        "outcome": what,
        "before": settings(plan.before.as_ref()),
        "settings": settings(plan.wanted.as_ref()),
        "would_put": xml,
        "query": query,
    })
}
