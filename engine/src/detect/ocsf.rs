//! Findings as events of the Open Cybersecurity Schema Framework (OCSF), for SIEMs and security lakes.
//!
//! Each finding becomes one Detection Finding (class 2004) on one line of JSON. Start at [`write()`]. Attributes are
//! those of schema version 1.5.0, <https://schema.ocsf.io/1.5.0/classes/detection_finding>; what has no attribute there
//! is in `unmapped`. Times are in milliseconds. Address attributes cannot hold a network: the source of an IPv6 finding
//! is the first address of its /64, with the network in `subnet_uid`.

use super::advice::advice;
use super::finding::{Band, Finding, Sample, Severity, Signal, Source};
use super::format::rfc3339;
use serde_json::{Map, Value, json};
use std::io;

/// Version of the OCSF schema.
pub const VERSION: &str = "1.5.0";

/// Options for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OcsfOptions {
    /// Time of the detection run in microseconds since the Unix epoch (UTC).
    pub made: i64,
    /// The lowest band for which an event is an alert.
    pub alert_from: Band,
}

impl OcsfOptions {
    /// Options for findings made at this time; bands `alert` and above are alerts.
    #[must_use]
    pub fn new(made: i64) -> Self {
        Self { made, alert_from: Band::Alert }
    }
}

/// Writes one event per line.
///
/// # Errors
///
/// Fails if writing to `output` fails.
pub fn write(output: &mut impl io::Write, findings: &[Finding], options: &OcsfOptions) -> io::Result<()> {
    for finding in findings {
        serde_json::to_writer(&mut *output, &event(finding, options))?;
        output.write_all(b"\n")?;
    }
    Ok(())
}

/// Converts a finding to an event.
#[must_use]
pub fn event(finding: &Finding, options: &OcsfOptions) -> Value {
    let confidence = finding.detectors.iter().map(|signal| signal.confidence).fold(0.0, f64::max);
    let strongest = finding.detectors.first();
    let title = format!("{}: {}", finding.client_ip, strongest.map_or("no evidence", |signal| &signal.name));
    let (risk_level_id, risk_level) = risk(finding);
    let (severity_id, severity) = severity(finding.severity);
    let (confidence_id, confidence_name) = confidence_level(confidence);
    let mut event = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Detection Finding",
        "class_uid": 2004,
        "type_name": "Detection Finding: Create",
        "type_uid": 200_401,
        "time": millis(options.made),
        "start_time": millis(finding.first_seen),
        "end_time": millis(finding.last_seen),
        "count": finding.requests,
        "message": explanation(finding),
        "severity": severity,
        "severity_id": severity_id,
        "status": "New",
        "status_id": 1,
        "confidence": confidence_name,
        "confidence_id": confidence_id,
        "confidence_score": hundredths(confidence),
        "risk_level": risk_level,
        "risk_level_id": risk_level_id,
        "risk_score": hundredths(finding.score),
        "is_alert": finding.band >= options.alert_from,
        "metadata": {
            "version": VERSION,
            "log_name": "bucket access log",
            "product": { "name": "s3log", "vendor_name": "s3log", "version": env!("CARGO_PKG_VERSION") },
        },
        "finding_info": finding_info(finding, strongest, &title, options),
        "evidences": evidences(finding),
        "observables": observables(finding),
        "resources": finding.buckets.iter().map(|bucket| json!({ "name": bucket, "type": "bucket" })).collect::<Vec<_>>(),
        "remediation": { "desc": advice(finding).join(" ") },
        "unmapped": unmapped(finding),
    });
    drop_empty(&mut event);
    event
}

fn finding_info(finding: &Finding, strongest: Option<&Signal>, title: &str, options: &OcsfOptions) -> Value {
    let mut families: Vec<_> = finding.detectors.iter().map(|signal| signal.family.as_str()).collect();
    families.dedup();
    let mut seen = std::collections::BTreeSet::new();
    families.retain(|family| seen.insert(*family));
    let mut techniques: Vec<_> = finding.detectors.iter().flat_map(|signal| &signal.mitre).collect();
    techniques.sort_unstable();
    techniques.dedup();
    json!({
        "uid": uid(finding, strongest),
        "title": title,
        "desc": explanation(finding),
        "analytic": strongest.map(analytic),
        "related_analytics": finding.detectors.iter().skip(1).map(analytic).collect::<Vec<_>>(),
        "attacks": techniques.into_iter().map(|technique| attack(technique)).collect::<Vec<_>>(),
        "created_time": millis(options.made),
        "first_seen_time": millis(finding.first_seen),
        "last_seen_time": millis(finding.last_seen),
        "types": families,
    })
}

/// A source has one finding per UTC day, that of the last request of its strongest evidence. The windows of consecutive
/// runs begin at different requests, but end at the same ones, so a later run replaces the finding instead of
/// duplicating it.
fn uid(finding: &Finding, strongest: Option<&Signal>) -> String {
    let last = strongest.and_then(|signal| signal.last).unwrap_or(finding.last_seen);
    let day = rfc3339(last);
    format!("s3log:{}:{}", finding.client_ip, day.split('T').next().unwrap_or(&day))
}

fn analytic(signal: &Signal) -> Value {
    json!({ "uid": signal.id, "name": signal.name, "category": signal.family, "type": "Rule", "type_id": 1 })
}

/// `T1552.001` is a sub-technique of `T1552`.
fn attack(technique: &str) -> Value {
    match technique.split_once('.') {
        Some((parent, _)) => json!({ "technique": { "uid": parent }, "sub_technique": { "uid": technique } }),
        None => json!({ "technique": { "uid": technique } }),
    }
}

/// One item per sample; without samples, only the source.
fn evidences(finding: &Finding) -> Vec<Value> {
    let source = endpoint(finding);
    let of = |signal: &Signal, sample: &Sample| {
        json!({
            "name": signal.id,
            "src_endpoint": source,
            "actor": sample.requester.as_ref().map(|requester| json!({ "user": { "uid": requester } })),
            "api": {
                "operation": sample.operation,
                "response": { "code": sample.status, "error": sample.error_code },
            },
            "http_request": { "http_method": method(&sample.operation), "user_agent": sample.user_agent },
            "http_response": sample.status.map(|status| json!({ "code": status })),
            "databucket": {
                "name": sample.bucket,
                "type": "S3",
                "type_id": 1,
                "file": sample.key.as_deref().map(file),
            },
            "data": { "time": millis(sample.time) },
        })
    };
    let all = finding.detectors.iter().flat_map(|signal| signal.samples.iter().map(move |sample| of(signal, sample)));
    let all: Vec<_> = all.collect();
    if all.is_empty() { vec![json!({ "src_endpoint": source })] } else { all }
}

fn endpoint(finding: &Finding) -> Value {
    let system = (finding.asn.is_some() || finding.as_org.is_some())
        .then(|| json!({ "number": finding.asn, "name": finding.as_org }));
    json!({
        "ip": finding.client_ip.network().network().to_string(),
        "subnet_uid": matches!(finding.client_ip, Source::V6(_)).then(|| finding.client_ip.to_string()),
        "autonomous_system": system,
        "location": finding.country.as_ref().map(|country| json!({ "country": country })),
    })
}

/// The name of a file is the last part of its path. A key that ends in `/` is its own name.
fn file(key: &str) -> Value {
    let name = key.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(key);
    json!({ "name": name, "path": key, "type": "Regular File", "type_id": 1 })
}

/// `GET` for `REST.GET.OBJECT`.
fn method(operation: &str) -> Option<&str> {
    let method = operation.split('.').nth(1)?;
    ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"].contains(&method).then_some(method)
}

fn observables(finding: &Finding) -> Vec<Value> {
    let (name, kind, type_id) = match finding.client_ip {
        Source::V4(_) => ("evidences[].src_endpoint.ip", "IP Address", 2),
        Source::V6(_) => ("evidences[].src_endpoint.subnet_uid", "Subnet", 12),
    };
    let source = json!({ "name": name, "type": kind, "type_id": type_id, "value": finding.client_ip.to_string() });
    let mut all = vec![source];
    all.extend(finding.requesters.iter().map(|requester| {
        json!({ "name": "evidences[].actor.user.uid", "type": "User Object: uid", "type_id": 31, "value": requester })
    }));
    all.extend(finding.buckets.iter().map(|bucket| {
        json!({ "name": "resources[].name", "type": "Resource Details Object: name", "type_id": 38, "value": bucket })
    }));
    all
}

fn unmapped(finding: &Finding) -> Value {
    let detectors = finding.detectors.iter().map(|signal| {
        // Measured values are JSON generated by this crate; anything else is output as a string.
        let measured = serde_json::from_str(&signal.measured).unwrap_or_else(|_| Value::from(signal.measured.as_str()));
        json!({
            "id": signal.id,
            "confidence": signal.confidence,
            "severity": signal.severity.name(),
            "explanation": signal.explanation,
            "measured": measured,
            "bucket": signal.bucket,
            "requester": signal.requester,
            "first_seen": signal.first.map(millis),
            "last_seen": signal.last.map(millis),
            "hits": signal.hits,
        })
    });
    let guards = finding
        .guards
        .iter()
        .map(|guard| json!({ "name": guard.name, "factor": guard.factor, "reason": guard.reason }));
    let listed = finding.listed;
    let lists = [
        (listed.allow, "allow"),
        (listed.cdn, "cdn"),
        (listed.crawler, "crawler"),
        (listed.private, "private"),
        (listed.deny, "deny"),
    ];
    json!({
        "score": finding.score,
        "band": finding.band.name(),
        "provisional": finding.provisional,
        "bytes_sent": finding.bytes_sent,
        "requesters": finding.requesters,
        "listed": lists.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect::<Vec<_>>(),
        "guards": guards.collect::<Vec<_>>(),
        "detectors": detectors.collect::<Vec<_>>(),
    })
}

/// The findings as text, one sentence per rule.
fn explanation(finding: &Finding) -> String {
    let found: Vec<_> =
        finding.detectors.iter().map(|signal| format!("{}: {}", signal.name, signal.explanation)).collect();
    format!("{} ({:.2}, {}). {}", finding.client_ip, finding.score, finding.band, found.join("; "))
        .trim_end()
        .to_owned()
}

fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// Risk combines confidence and severity: certain findings are a high risk, certain and destructive ones a critical
/// one.
fn risk(finding: &Finding) -> (u8, &'static str) {
    match (finding.band, finding.severity) {
        (Band::None, _) => (0, "Info"),
        (Band::Watch, _) => (1, "Low"),
        (Band::Alert, _) => (2, "Medium"),
        (Band::Block, Severity::Critical) => (4, "Critical"),
        (Band::Block, _) => (3, "High"),
    }
}

/// The three levels follow the bands.
fn confidence_level(confidence: f64) -> (u8, &'static str) {
    match Band::of(confidence) {
        Band::None | Band::Watch => (1, "Low"),
        Band::Alert => (2, "Medium"),
        Band::Block => (3, "High"),
    }
}

/// From 0 to 100, rounded down so that a score does not reach the next band.
fn hundredths(share: f64) -> u8 {
    // 0.29 in binary is slightly less than 29 hundredths.
    (share.clamp(0.0, 1.0) * 100.0 + 1e-9).floor() as u8
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

/// Removes unknown values: in OCSF, attributes are omitted instead of null or empty.
fn drop_empty(value: &mut Value) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(values) => values.iter_mut().for_each(drop_empty),
        Value::Object(values) => {
            values.values_mut().for_each(drop_empty);
            let values: &mut Map<String, Value> = values;
            values.retain(|_, value| !is_empty(value));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{NOON, finding, full};

    fn with_version_hidden(event: &Value) -> String {
        let mut event = event.clone();
        event["metadata"]["product"]["version"] = "VERSION".into();
        serde_json::to_string_pretty(&event).unwrap()
    }

    #[test]
    fn a_finding_is_an_event() {
        insta::assert_snapshot!(with_version_hidden(&event(&full(), &OcsfOptions::new(NOON + 60_000_000))));
    }

    #[test]
    fn a_network_is_a_subnet_and_nothing_is_made_up() {
        let options = OcsfOptions::new(NOON);
        insta::assert_snapshot!(with_version_hidden(&event(&finding("2001:db8:0:1::9", 0.25), &options)));
    }

    #[test]
    fn an_event_is_a_line() {
        let mut output = Vec::new();
        write(&mut output, &[full(), full()], &OcsfOptions::new(NOON)).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_source_has_one_finding_a_day_whatever_the_window() {
        let uid = |finding: &Finding, made| event(finding, &OcsfOptions::new(made))["finding_info"]["uid"].clone();
        let morning = full();
        assert_eq!(uid(&morning, NOON), "s3log:192.0.2.1:2026-01-31");
        // Hours later the window begins later and there are more requests, but the evidence is the same.
        let evening = Finding { first_seen: NOON, last_seen: NOON + 40_000_000_000, requests: 99, ..full() };
        assert_eq!(uid(&morning, NOON), uid(&evening, NOON + 40_000_000_000));
        let bare = finding("192.0.2.1", 0.5);
        assert_eq!(uid(&bare, NOON), uid(&bare, NOON + 1));
    }

    #[test]
    fn levels_follow_bands() {
        for (score, severity, level, hundred) in [
            (0.0, Severity::Critical, 0, 0),
            (0.29, Severity::Low, 0, 29),
            (0.3, Severity::Low, 1, 30),
            (0.599, Severity::Low, 1, 59),
            (0.7, Severity::Low, 2, 70),
            (0.899_9, Severity::Critical, 2, 89),
            (0.9, Severity::Low, 3, 90),
            (1.0, Severity::Critical, 4, 100),
            (f64::NAN, Severity::Low, 0, 0),
        ] {
            let event = event(&Finding { severity, ..finding("192.0.2.1", score) }, &OcsfOptions::new(NOON));
            assert_eq!((&event["risk_level_id"], &event["risk_score"]), (&json!(level), &json!(hundred)), "{score}");
        }
    }

    #[test]
    fn keys_are_files() {
        for (key, name) in [("a/b.txt", "b.txt"), (".env", ".env"), ("a/b/", "a/b/"), ("", "")] {
            assert_eq!(file(key)["name"], name, "{key}");
        }
        assert_eq!(method("REST.GET.OBJECT"), Some("GET"));
        assert_eq!(method("BATCH.DELETE.OBJECT"), Some("DELETE"));
        assert_eq!(method("S3.EXPIRE.OBJECT"), None);
        assert_eq!(method(""), None);
    }
}
