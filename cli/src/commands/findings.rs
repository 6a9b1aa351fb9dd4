//! Findings as text for a terminal.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use s3log_engine::detect::{BacktestDay, Band, Finding, Looked};

use crate::failure::Failure;
use crate::message::count;
use crate::output::escape::visible;
use crate::output::time::{date, rfc3339};
use crate::output::{Paint, batch, texts};

/// How many reasons per address the table shows.
const REASONS: usize = 2;
/// How many reasons per address the list shows.
const SHOWN: usize = 5;

/// One row per address, with its strongest reasons.
pub(super) fn summary(findings: &[Finding]) -> Result<RecordBatch, Failure> {
    let all = || findings.iter();
    batch([
        ("client_ip", texts(all().map(|finding| finding.client_ip.to_string()))),
        ("score", texts(all().map(|finding| format!("{:.2}", finding.score)))),
        ("band", texts(all().map(|finding| finding.band.to_string()))),
        ("severity", texts(all().map(|finding| finding.severity.to_string()))),
        ("requests", Arc::new(all().map(|finding| i64::try_from(finding.requests).ok()).collect::<Int64Array>())),
        ("last seen", texts(all().map(last_seen))),
        ("why", texts(all().map(why))),
    ])
}

fn last_seen(finding: &Finding) -> String {
    let mark = if finding.provisional { " (provisional)" } else { "" };
    format!("{}{mark}", rfc3339(finding.last_seen))
}

fn why(finding: &Finding) -> String {
    let mut reasons: Vec<String> = finding
        .detectors
        .iter()
        .take(REASONS)
        .map(|signal| format!("{}: {}", signal.name, visible(&signal.explanation)))
        .collect();
    if finding.listed.deny {
        reasons.insert(0, "on the list of denied addresses".to_owned());
    }
    let more = finding.detectors.len().saturating_sub(REASONS);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    reasons.join("; ")
}

/// A few lines per address with the reasons below it: sentences do not fit into table columns.
pub(super) fn list(findings: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    for finding in findings {
        let address = finding.client_ip.to_string();
        let band = match finding.band {
            Band::Block => paint.error("block"),
            band => paint.warning(band.name()),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {:.2} {band}, {}, {}, last seen {}",
            paint.strong(&address),
            finding.score,
            finding.severity,
            count(finding.requests, "request"),
            last_seen(finding)
        );
        if finding.listed.deny {
            text.push_str("    on the list of denied addresses\n");
        }
        for signal in finding.detectors.iter().take(SHOWN) {
            let name = format!("{} {:.2}", signal.id, signal.confidence);
            let _ = writeln!(text, "    {}  {}: {}", paint.faint(&name), signal.name, visible(&signal.explanation));
        }
        if finding.detectors.len() > SHOWN {
            let _ = writeln!(text, "    and {} more", finding.detectors.len() - SHOWN);
        }
        for guard in &finding.guards {
            let _ = writeln!(text, "    ×{} {}", guard.factor, visible(&guard.reason));
        }
    }
    text
}

/// One row per day and rule.
pub(super) fn backtest(days: &[&BacktestDay]) -> Result<RecordBatch, Failure> {
    let number = |get: fn(&BacktestDay) -> u64| -> ArrayRef {
        Arc::new(days.iter().map(|day| i64::try_from(get(day)).ok()).collect::<Int64Array>())
    };
    batch([
        ("day", texts(days.iter().map(|day| date(day.day)))),
        ("rule", texts(days.iter().map(|day| day.id.clone()))),
        ("name", texts(days.iter().map(|day| day.name.clone()))),
        ("requests", number(|day| day.requests)),
        ("sources", number(|day| day.sources)),
        ("fired", number(|day| day.fired)),
        ("watch", number(|day| day.watch)),
        ("alert", number(|day| day.alert)),
        ("block", number(|day| day.block)),
        ("decisive", number(|day| day.decisive)),
        ("confidence", Arc::new(days.iter().map(|day| Some(day.confidence)).collect::<Float64Array>())),
    ])
}

/// What was examined: `1,234 requests of 56 addresses to 2 buckets, 2026-01-15T00:00:00Z to 2026-01-16T23:59:59Z, by 29
/// rules`.
pub(super) fn looked_at(looked: &Looked) -> String {
    let times = match (looked.first, looked.last) {
        (Some(first), Some(last)) => format!(", {} to {}", rfc3339(first), rfc3339(last)),
        _ => String::new(),
    };
    format!(
        "{} of {} to {}{times}, by {}",
        count(looked.requests, "request"),
        count(looked.sources, "address"),
        count(looked.buckets.len() as u64, "bucket"),
        count(looked.rules, "rule"),
    )
}
