//! A Markdown report for people: scope, findings, reasons, and advice.
//!
//! Start at [`markdown`]. Findings in bands `alert` and `block` have a section each; those below are listed in a table.

use super::advice::advice;
use super::finding::{Band, Finding, Sample, Signal};
use super::format::{grouped, rfc3339, size};
use super::markdown::{code, prose};
use super::note::Note;
use std::collections::BTreeMap;

/// Maximum number of rules in the summary.
const TOP_RULES: usize = 10;

/// Maximum number of findings listed from band `watch`.
const WATCHED: usize = 50;

/// Maximum number of names shown of a list.
const NAMES: usize = 10;

/// The scope of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Time of the run in microseconds since the Unix epoch (UTC).
    pub made: i64,
    /// The sources of logs as the user named them.
    pub sources: Vec<String>,
    /// Number of log objects read.
    pub objects: u64,
    /// Their size in bytes, as stored.
    pub bytes: u64,
    /// Number of records in them.
    pub records: u64,
    /// Number of lines that are not records.
    pub rejects: u64,
    /// Time of the first record in microseconds since the Unix epoch (UTC).
    pub first: Option<i64>,
    /// Time of the last record in microseconds since the Unix epoch (UTC).
    pub last: Option<i64>,
    /// Time from which records may still be missing, in microseconds since the Unix epoch (UTC).
    pub provisional_from: Option<i64>,
    /// Number of rules that ran.
    pub rules: usize,
    /// The lowest score of findings that are included.
    pub min_score: f64,
    /// Further remarks: outdated lists, rules without data.
    pub notes: Vec<String>,
}

/// Generates the report. `findings` must be in [order](Finding::order).
#[must_use]
pub fn markdown(findings: &[Finding], notes: &[Note], scope: &Scope) -> String {
    let mut text = "# Suspicious sources of requests\n\n".to_owned();
    text += &looked_at(scope);
    text += &summary(findings, scope);
    let in_detail = findings.iter().filter(|finding| finding.band >= Band::Alert);
    in_detail.for_each(|finding| text += &section(finding));
    text += &watched(findings);
    text += &noted(notes);
    text
}

fn looked_at(scope: &Scope) -> String {
    let mut lines =
        vec![format!("Made {} by s3log {}.", rfc3339(scope.made), env!("CARGO_PKG_VERSION")), String::new()];
    lines.push(format!("- Sources: {}", names(&scope.sources)));
    lines.push(format!("- Log objects: {} ({})", grouped(scope.objects), size(scope.bytes as f64)));
    lines.push(format!("- Records: {}; rejected lines: {}", grouped(scope.records), grouped(scope.rejects)));
    if let (Some(first), Some(last)) = (scope.first, scope.last) {
        lines.push(format!("- Requests from {} to {}", rfc3339(first), rfc3339(last)));
    }
    if let Some(from) = scope.provisional_from {
        lines.push(format!("- Provisional from {} on: logs of these hours may still be missing", rfc3339(from)));
    }
    lines.push(format!("- Rules: {}; findings from a score of {}", scope.rules, scope.min_score));
    lines.extend(scope.notes.iter().map(|note| format!("- {}", prose(note))));
    lines.join("\n") + "\n"
}

fn summary(findings: &[Finding], scope: &Scope) -> String {
    let mut text = "\n## Summary\n\n".to_owned();
    if findings.is_empty() {
        return text
            + &format!(
                "Nothing was found: {} rules looked at {} records, and no source has a score of {} or more.\n",
                scope.rules,
                grouped(scope.records),
                scope.min_score
            );
    }
    text += "| Band | Score | Sources |\n| --- | --- | ---: |\n";
    for band in Band::ALL.into_iter().rev() {
        let number = findings.iter().filter(|finding| finding.band == band).count();
        text += &format!("| {band} | from {} | {number} |\n", band.min_score());
    }
    let mut rules: BTreeMap<(&str, &str), (usize, f64)> = BTreeMap::new();
    for finding in findings {
        let mut once: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for signal in &finding.detectors {
            let strongest = once.entry((&signal.id, &signal.name)).or_default();
            *strongest = strongest.max(signal.confidence);
        }
        for (rule, confidence) in once {
            let (sources, strongest) = rules.entry(rule).or_default();
            *sources += 1;
            *strongest = strongest.max(confidence);
        }
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    // Stable sort: rules with the same number stay in order of their ids.
    rules.sort_by_key(|(_, (sources, _))| std::cmp::Reverse(*sources));
    if !rules.is_empty() {
        text += "\n| Rule | What it finds | Sources | Highest confidence |\n| --- | --- | ---: | ---: |\n";
    }
    for ((id, name), (sources, strongest)) in rules.iter().take(TOP_RULES) {
        text += &format!("| {} | {} | {sources} | {strongest:.2} |\n", prose(id), prose(name));
    }
    if rules.len() > TOP_RULES {
        text += &format!("\n{} more rules found something.\n", rules.len() - TOP_RULES);
    }
    text
}

fn section(finding: &Finding) -> String {
    let mut text =
        format!("\n## {}: {}, {} ({:.2})\n\n", finding.client_ip, finding.band, finding.severity, finding.score);
    text += &format!(
        "- {} requests from {} to {}, {} sent\n",
        grouped(finding.requests),
        rfc3339(finding.first_seen),
        rfc3339(finding.last_seen),
        size(finding.bytes_sent as f64)
    );
    text += &format!("- Buckets: {}\n", names(&finding.buckets));
    let requesters =
        if finding.requesters.is_empty() { "nobody signed".to_owned() } else { names(&finding.requesters) };
    text += &format!("- Requesters: {requesters}\n");
    if let Some(place) = place(finding) {
        text += &format!("- Network: {place}\n");
    }
    if finding.provisional {
        text += "- Provisional: logs of its last hours may still be missing\n";
    }
    text += "\n### Why\n\n";
    finding.detectors.iter().for_each(|signal| text += &reason(signal));
    for guard in &finding.guards {
        text += &format!("- Lowered ×{} by {}: {}\n", guard.factor, prose(&guard.name), prose(&guard.reason));
    }
    if finding.detectors.iter().any(|signal| !signal.samples.is_empty()) {
        text += "\n### Requests\n\n";
    }
    for signal in &finding.detectors {
        signal.samples.iter().for_each(|found| text += &format!("- {}: {}\n", prose(&signal.id), sample(found)));
    }
    text += "\n### What to do\n\n";
    advice(finding).iter().for_each(|sentence| text += &format!("- {sentence}\n"));
    text
}

fn reason(signal: &Signal) -> String {
    let mut text = format!(
        "- **{} {}** ({}, {}, confidence {:.2}): {}\n",
        prose(&signal.id),
        prose(&signal.name),
        prose(&signal.family),
        signal.severity,
        signal.confidence,
        prose(&signal.explanation)
    );
    let mut about = Vec::new();
    about.extend(signal.bucket.as_ref().map(|bucket| format!("bucket {}", code(bucket))));
    about.extend(signal.requester.as_ref().map(|requester| format!("requester {}", code(requester))));
    if let (Some(first), Some(last)) = (signal.first, signal.last) {
        about.push(format!("{} to {}", rfc3339(first), rfc3339(last)));
    }
    if signal.hits > 1 {
        about.push(format!("found {} times", grouped(signal.hits)));
    }
    about.extend((!signal.mitre.is_empty()).then(|| format!("ATT&CK {}", prose(&signal.mitre.join(", ")))));
    about.extend(measured(&signal.measured));
    if !about.is_empty() {
        text += &format!("  - {}\n", about.join("; "));
    }
    text
}

/// `measured: d 3, min_good 3`, from the JSON object of a signal.
fn measured(json: &str) -> Option<String> {
    use serde_json::Value;
    let shown = match serde_json::from_str(json) {
        Ok(Value::Object(values)) if values.is_empty() => return None,
        Ok(Value::Object(values)) => {
            let values = values.iter().map(|(name, value)| match value {
                Value::String(value) => format!("{} {}", prose(name), code(value)),
                Value::Number(_) | Value::Bool(_) | Value::Null => format!("{} {value}", prose(name)),
                nested => format!("{} {}", prose(name), code(&nested.to_string())),
            });
            values.collect::<Vec<_>>().join(", ")
        }
        _ if json.is_empty() => return None,
        _ => code(json),
    };
    Some(format!("measured: {shown}"))
}

/// A request on one line. In a table, a `|` in keys would need escapes that renderers treat differently.
fn sample(sample: &Sample) -> String {
    let mut parts = vec![rfc3339(sample.time), code(&sample.operation), code(&sample.bucket)];
    parts.extend(sample.key.as_deref().map(|key| format!("key {}", code(key))));
    let status = sample.status.map(|status| status.to_string());
    let error = sample.error_code.as_deref().map(code);
    parts.extend([status, error].into_iter().flatten().reduce(|status, error| format!("{status} {error}")));
    parts.push(
        sample.requester.as_deref().map_or("anonymous".to_owned(), |requester| format!("by {}", code(requester))),
    );
    parts.extend(sample.user_agent.as_deref().map(|agent| format!("user agent {}", code(agent))));
    parts.join(" · ")
}

fn place(finding: &Finding) -> Option<String> {
    let system = finding.asn.map(|number| format!("AS{number}"));
    let runs = finding.as_org.as_deref().map(prose);
    let country = finding.country.as_deref().map(prose);
    [system, runs, country].into_iter().flatten().reduce(|all, part| format!("{all}, {part}"))
}

fn watched(findings: &[Finding]) -> String {
    let rest: Vec<_> = findings.iter().filter(|finding| finding.band < Band::Alert).collect();
    if rest.is_empty() {
        return String::new();
    }
    let mut text = "\n## To be watched\n\n| Source | Score | Requests | Last seen | Strongest evidence |\n".to_owned();
    text += "| --- | ---: | ---: | --- | --- |\n";
    for finding in rest.iter().take(WATCHED) {
        text += &format!(
            "| {} | {:.2} | {} | {} | {} |\n",
            finding.client_ip,
            finding.score,
            grouped(finding.requests),
            rfc3339(finding.last_seen),
            finding.detectors.first().map_or(String::new(), |signal| prose(&signal.explanation))
        );
    }
    if rest.len() > WATCHED {
        text += &format!("\n{} more have lower scores.\n", grouped(rest.len() - WATCHED));
    }
    text
}

fn noted(notes: &[Note]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let mut text = "\n## Buckets, requesters and referers\n\nNo address is to blame for these.\n\n".to_owned();
    for note in notes {
        text += &format!(
            "- **{} {}** ({}), {} {}: {}\n",
            prose(&note.id),
            prose(&note.name),
            note.severity,
            note.entity_kind,
            code(&note.entity),
            prose(&note.explanation)
        );
        note.samples.iter().for_each(|found| text += &format!("  - {}\n", sample(found)));
    }
    text
}

/// The first names of a list.
fn names(all: &[String]) -> String {
    let shown = all.iter().take(NAMES).map(|name| code(name)).collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => "none".to_owned(),
        number if number > NAMES => format!("{shown} and {} more", number - NAMES),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::finding::Severity;
    use crate::detect::note::EntityKind;
    use crate::detect::testing::{NOON, finding, full};

    fn scope() -> Scope {
        Scope {
            made: NOON + 60_000_000,
            sources: vec!["s3://logs/photos/".to_owned()],
            objects: 1_234,
            bytes: 3_600_000,
            records: 4_321_000,
            rejects: 2,
            first: Some(NOON - 86_400_000_000),
            last: Some(NOON),
            provisional_from: Some(NOON - 7_200_000_000),
            rules: 26,
            min_score: 0.3,
            notes: vec!["the ranges of crawlers are older than 180 days".to_owned()],
        }
    }

    fn with_version_hidden(report: &str) -> String {
        report.replacen(concat!("s3log ", env!("CARGO_PKG_VERSION")), "s3log VERSION", 1)
    }

    #[test]
    fn a_report() {
        let note = Note {
            entity: "evil.example<script>".to_owned(),
            entity_kind: EntityKind::Referer,
            id: "S3D-503".to_owned(),
            name: "Hotlinking".to_owned(),
            severity: Severity::Info,
            explanation: "12 % of the bucket's bytes, see http://evil.example".to_owned(),
            measured: "{}".to_owned(),
            evidence: Vec::new(),
            samples: full().detectors[0].samples.clone(),
        };
        let findings = [full(), finding("198.51.100.1", 0.65), finding("2001:db8::1", 0.35)];
        insta::assert_snapshot!(with_version_hidden(&markdown(&findings, &[note], &scope())));
    }

    #[test]
    fn a_report_of_nothing_says_what_was_looked_at() {
        insta::assert_snapshot!(with_version_hidden(&markdown(&[], &[], &scope())));
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        let findings: Vec<_> = (0..60).map(|last| finding(&format!("192.0.2.{last}"), 0.4)).collect();
        assert!(markdown(&findings, &[], &scope()).ends_with("\n10 more have lower scores.\n"));
        let buckets = (0..12).map(|number| format!("b{number}")).collect();
        let report = markdown(&[Finding { buckets, ..finding("192.0.2.1", 0.7) }], &[], &scope());
        assert!(report.contains("`b9` and 2 more\n"), "{report}");
    }

    #[test]
    fn measured_figures_are_shown_whatever_they_are() {
        for (json, shown) in [
            ("", None),
            ("{}", None),
            (r#"{"d":3,"share":0.5}"#, Some("measured: d 3, share 0.5")),
            (r#"{"key":"a`<b>"}"#, Some("measured: key ``a`<b>``")),
            (r#"{"keys":["a","b"]}"#, Some(r#"measured: keys `["a","b"]`"#)),
            ("[1", Some("measured: `[1`")),
        ] {
            assert_eq!(measured(json).as_deref(), shown, "{json}");
        }
    }
}
