//! Everything known about a single source.

use super::context::Context;
use super::context::{Entry, ListKind};
use super::finding::{Finding, Sample, Source};
use super::{DetectOptions, Detected, Note, Report, detected};
use crate::error::Error;
use crate::session::Session;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Activity of a source in a bucket on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveDay {
    /// Start of the day in microseconds since the Unix epoch (UTC).
    pub day: i64,
    /// The bucket.
    pub bucket: String,
    /// Number of requests.
    pub requests: i64,
    /// Number of failed anonymous requests for objects.
    pub anon_object_fails: i64,
    /// Number of objects read.
    pub ok_reads: i64,
    /// Number of list requests.
    pub lists: i64,
    /// Number of writes.
    pub writes: i64,
    /// Number of deletes.
    pub deletes: i64,
    /// Bytes sent.
    pub bytes_sent: i64,
    /// Time of the first request in microseconds since the Unix epoch (UTC).
    pub first: i64,
    /// Time of the last request in microseconds since the Unix epoch (UTC).
    pub last: i64,
}

/// The result of [`explain`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The finding about the source. Without any evidence, its score is 0 and it has no detectors. `None` if the source
    /// made no request.
    pub finding: Option<Finding>,
    /// Notes that name the source.
    pub notes: Vec<Note>,
    /// List entries that match the source, including those overruled by others: kind of list, and label of the network.
    pub lists: Vec<(String, String)>,
    /// Its activity by day and bucket.
    pub days: Vec<ActiveDay>,
    /// Those of its requests that were kept individually, in order of time.
    pub timeline: Vec<Sample>,
    /// The complete report.
    pub report: Report,
}

/// Explains a single source: an IPv4 address, or the /64 of an IPv6 address.
///
/// # Errors
///
/// Fails in the same cases as [`detect`](super::detect).
pub async fn explain(session: &Session, options: &DetectOptions, source: Source) -> Result<Explanation, Error> {
    let options = options.prepared()?;
    let detected = detected(session, &options).await?;
    let report = detected.report(&options.judging);
    let text = source.to_string();
    let found = report.findings.iter().find(|finding| finding.client_ip == source).cloned();
    let finding = found.or_else(|| detected.bare(&text, &options.judging).map(|(finding, _)| finding));
    let lists = lists_of(&detected, &options.shared.context, source);
    let names_it = |note: &&Note| note.evidence.contains(&text) || note.entity == text;
    let notes = report.notes.iter().filter(names_it).cloned().collect();
    let timeline = detected.samples.all_of(&text);
    let days = detected.tables.get("src_bucket_day").map(|table| days_of(table, &text)).unwrap_or_default();
    Ok(Explanation { finding, notes, lists, days, timeline, report })
}

/// List entries that match any address of the source, by kind, widest first. An IPv6 source has many addresses, and an
/// entry for any of them applies to the whole network.
fn lists_of(detected: &Detected, context: &Context, source: Source) -> Vec<(String, String)> {
    let addresses: Vec<IpAddr> = match source {
        Source::V4(address) => vec![address.into()],
        Source::V6(_) => {
            let names = &detected.counted.names.addresses;
            let all =
                (0..names.len()).filter_map(|number| names.get(u32::try_from(number).ok()?).parse::<IpAddr>().ok());
            all.filter(|address| Source::of(*address) == source).collect()
        }
    };
    let entries = addresses.into_iter().flat_map(|address| context.entries(address));
    let entries: BTreeSet<(ListKind, u8, String)> =
        entries.map(|(kind, entry)| (kind, entry.network.prefix_len(), described(entry))).collect();
    entries.into_iter().map(|(kind, _, entry)| (format!("{kind:?}").to_lowercase(), entry)).collect()
}

fn described(entry: &Entry) -> String {
    format!("{} ({})", entry.label(), super::context::network::text_of(entry.network))
}

fn days_of(table: &RecordBatch, source: &str) -> Vec<ActiveDay> {
    let text = |name: &str| table.column_by_name(name).and_then(|column| column.as_string_view_opt());
    let (Some(sources), Some(buckets)) = (text("src"), text("bucket")) else { return Vec::new() };
    let number = |name: &str, row: usize| {
        let column = table.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        column.filter(|column| column.is_valid(row)).map_or(0, |column| column.value(row))
    };
    let time = |name: &str, row: usize| {
        let column =
            table.column_by_name(name).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        column.filter(|column| column.is_valid(row)).map_or(0, |column| column.value(row))
    };
    let is_history = table.column_by_name("from_history").and_then(|column| column.as_boolean_opt());
    let is_now = |row: &usize| is_history.is_none_or(|column| !column.value(*row));
    let rows =
        (0..table.num_rows()).filter(|row| sources.is_valid(*row) && sources.value(*row) == source).filter(is_now);
    let mut days: Vec<ActiveDay> = rows
        .map(|row| ActiveDay {
            day: time("day", row),
            bucket: buckets.value(row).to_owned(),
            requests: number("requests", row),
            anon_object_fails: number("anon_object_fails", row),
            ok_reads: number("ok_reads", row),
            lists: number("lists", row),
            writes: number("writes", row),
            deletes: number("deletes", row),
            bytes_sent: number("bytes_sent", row),
            first: time("first", row),
            last: time("last", row),
        })
        .collect();
    days.sort_unstable_by(|a, b| (a.day, &a.bucket).cmp(&(b.day, &b.bucket)));
    days
}
