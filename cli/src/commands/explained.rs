//! `s3log flag --explain`: everything known about one address, as a page.

use std::fmt::Write as _;

use indicatif::HumanBytes;
use s3log_engine::detect::{Explanation, Finding, Sample, Signal};

use crate::output::Paint;
use crate::output::escape::visible;
use crate::output::time::{date, rfc3339, time_of_day};

/// How many requests of the timeline are shown.
const SHOWN: usize = 40;

pub(super) fn page(finding: &Finding, explanation: &Explanation, paint: Paint) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, finding, explanation, paint);
    page
}

fn write_page(page: &mut String, finding: &Finding, explanation: &Explanation, paint: Paint) -> std::fmt::Result {
    let heading = finding.client_ip.to_string();
    writeln!(
        page,
        "{}  score {:.2}, {}, severity {}",
        paint.strong(&heading),
        finding.score,
        finding.band,
        finding.severity
    )?;
    let provisional = if finding.provisional { ", provisional" } else { "" };
    writeln!(
        page,
        "{} requests, {}, {} to {}{provisional}",
        finding.requests,
        HumanBytes(finding.bytes_sent),
        rfc3339(finding.first_seen),
        rfc3339(finding.last_seen)
    )?;
    writeln!(page, "buckets: {}", list(&finding.buckets))?;
    if !finding.requesters.is_empty() {
        writeln!(page, "requesters: {}", list(&finding.requesters))?;
    }
    if let Some(country) = &finding.country {
        writeln!(page, "country: {}", visible(country))?;
    }
    if let Some(asn) = finding.asn {
        writeln!(page, "network: AS{asn} {}", visible(finding.as_org.as_deref().unwrap_or_default()))?;
    }
    for (kind, entry) in &explanation.lists {
        let is_overruled = finding.listed.allow && matches!(kind.as_str(), "deny" | "intel");
        let overruled = if is_overruled { ", overruled by --allow" } else { "" };
        writeln!(page, "on the list {kind}: {}{overruled}", visible(entry))?;
    }
    if finding.detectors.is_empty() {
        let why = if finding.listed.allow { ": allowed addresses are not checked" } else { "" };
        writeln!(page, "\nNo rule matched{why}.")?;
    }
    for signal in &finding.detectors {
        write_signal(page, signal, paint)?;
    }
    if !finding.guards.is_empty() {
        writeln!(page, "\n{}", paint.strong("What lowers the score"))?;
        for guard in &finding.guards {
            writeln!(page, "  ×{} {}: {}", guard.factor, guard.name, visible(&guard.reason))?;
        }
    }
    for note in &explanation.notes {
        writeln!(page, "\n{} {}: {}", note.entity_kind, visible(&note.entity), visible(&note.explanation))?;
    }
    writeln!(page, "\n{}", paint.strong("Days"))?;
    for day in &explanation.days {
        writeln!(
            page,
            "  {}  {}  {} requests ({} to {}): {} objects read, {} anonymous failures, {} lists, {} writes, {} deletes, {}",
            date(day.day),
            visible(&day.bucket),
            day.requests,
            time_of_day(day.first),
            time_of_day(day.last),
            day.ok_reads,
            day.anon_object_fails,
            day.lists,
            day.writes,
            day.deletes,
            HumanBytes(u64::try_from(day.bytes_sent).unwrap_or_default())
        )?;
    }
    writeln!(page, "\n{}", paint.strong("Requests"))?;
    for sample in explanation.timeline.iter().take(SHOWN) {
        write_sample(page, sample)?;
    }
    let kept = explanation.timeline.len();
    let shown = kept.min(SHOWN) as u64;
    if finding.requests > shown {
        writeln!(
            page,
            "  {} of {} requests; all: SELECT * FROM requests WHERE ip_in_cidr(client_ip, '{}')",
            shown, finding.requests, finding.client_ip
        )?;
    }
    Ok(())
}

fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| visible(name).into_owned()).collect();
    names.join(", ")
}

fn write_signal(page: &mut String, signal: &Signal, paint: Paint) -> std::fmt::Result {
    let heading = format!("{} {}", signal.id, signal.name);
    writeln!(
        page,
        "\n{}  confidence {:.2}, {}, {}",
        paint.strong(&heading),
        signal.confidence,
        signal.family,
        signal.severity
    )?;
    writeln!(page, "  {}", visible(&signal.explanation))?;
    if let Some(bucket) = &signal.bucket {
        writeln!(page, "  bucket {}", visible(bucket))?;
    }
    writeln!(page, "  measured {}", visible(&signal.measured))?;
    if !signal.mitre.is_empty() {
        writeln!(page, "  MITRE ATT&CK {}", signal.mitre.join(", "))?;
    }
    for sample in &signal.samples {
        write_sample(page, sample)?;
    }
    Ok(())
}

fn write_sample(page: &mut String, sample: &Sample) -> std::fmt::Result {
    let status = sample.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    writeln!(
        page,
        "  {}  {} {} {} {} {}  {}",
        rfc3339(sample.time),
        visible(&sample.bucket),
        visible(&sample.operation),
        visible(sample.key.as_deref().unwrap_or("-")),
        status,
        visible(sample.error_code.as_deref().unwrap_or("-")),
        visible(sample.user_agent.as_deref().unwrap_or("-"))
    )
}
