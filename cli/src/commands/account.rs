//! The report of `check`, for users and for programs.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use indicatif::{HumanBytes, HumanCount};
use s3log_engine::check::{CheckReport, ReasonCount, RejectExample};
use s3log_engine::scan::Unreadable;
use serde::Serialize;

use crate::accounting::{Balance, why};
use crate::failure::Failure;
use crate::message::count;
use crate::output::escape::visible;
use crate::output::{Output, Shape, batch, cut, json_line, optional_texts, texts};

/// Maximum length of examples if the output is not a terminal.
const WIDEST_EXAMPLE: usize = 120;

pub(crate) fn balance(report: &CheckReport) -> Balance {
    let CheckReport { lines, rows, cdn_rows, rejects, .. } = *report;
    Balance { lines, rows: rows + cdn_rows, rejects, duplicates: None }
}

/// Prints the report as text. The last line is the balance.
///
/// # Errors
///
/// I/O errors.
pub(crate) fn print(report: &CheckReport, output: &mut Output) -> Result<(), Failure> {
    let mut text = count(report.objects, "object");
    if report.partial_objects > 0 {
        text.push_str(&format!(" and the beginning of {}", HumanCount(report.partial_objects)));
    }
    text.push_str(&format!(", {}\n", HumanBytes(report.bytes)));
    let has_cdn = report.cdn_rows + report.headers > 0;
    if !has_cdn || report.rows > 0 {
        text.push_str(&count(report.rows, if has_cdn { "S3 record" } else { "record" }));
        if report.ambiguous > 0 {
            text.push_str(&format!(", {} of them ambiguous", HumanCount(report.ambiguous)));
        }
        text.push('\n');
    }
    if has_cdn {
        text.push_str(&format!("{}, {}\n", count(report.cdn_rows, "CDN record"), count(report.headers, "header line")));
    }
    if report.other_times > 0 {
        text.push_str(&format!("{} of other times left out\n", count(report.other_times, "record")));
    }
    if !report.unknown_cdn_fields.is_empty() {
        let names: Vec<_> = report.unknown_cdn_fields.iter().map(|name| visible(name)).collect();
        text.push_str(&format!("CDN fields without a column: {}\n", names.join(", ")));
    }
    say(output, &text)?;
    field_counts(output, "\nFields in a record:\n", &report.field_counts)?;
    field_counts(output, "\nFields in a CDN record:\n", &report.cdn_field_counts)?;
    if !report.reasons.is_empty() {
        let wide = if output.is_terminal() { usize::MAX } else { WIDEST_EXAMPLE };
        let numbers = |number: &dyn Fn(&RejectExample) -> u64| -> ArrayRef {
            Arc::new(report.reasons.iter().map(|reason| reason.examples.first().map(number)).collect::<UInt64Array>())
        };
        let examples = |text: &dyn Fn(&RejectExample) -> String| -> ArrayRef {
            optional_texts(report.reasons.iter().map(|reason| reason.examples.first().map(text)))
        };
        let reasons = texts(report.reasons.iter().map(|reason| &reason.reason));
        let counts: ArrayRef =
            Arc::new(report.reasons.iter().map(|reason| Some(reason.count)).collect::<UInt64Array>());
        let columns = vec![
            ("reason", reasons),
            ("lines", counts),
            ("first in", examples(&|example| visible(&example.log_object).into_owned())),
            ("line", numbers(&|example| example.line_number)),
            ("byte", numbers(&|example| example.byte_offset)),
            ("text", examples(&|example| cut(&visible(&String::from_utf8_lossy(&example.line)), wide))),
        ];
        table(output, "\nRejects:\n", columns)?;
    }
    if !report.unreadable.is_empty() {
        let objects = texts(report.unreadable.iter().map(|object| visible(&object.object)));
        let reasons = texts(report.unreadable.iter().map(|object| visible(why(object))));
        table(output, "\nUnreadable objects:\n", vec![("object", objects), ("why", reasons)])?;
    }
    say(output, &format!("\n{} (blank {})\n", balance(report), HumanCount(report.blank_lines)))
}

/// Prints how many records have how many fields.
fn field_counts(output: &mut Output, heading: &str, counts: &[(usize, u64)]) -> Result<(), Failure> {
    if counts.is_empty() {
        return Ok(());
    }
    let fields: ArrayRef = Arc::new(counts.iter().map(|(fields, _)| Some(*fields as u64)).collect::<UInt64Array>());
    let records: ArrayRef = Arc::new(counts.iter().map(|(_, count)| Some(*count)).collect::<UInt64Array>());
    table(output, heading, vec![("fields", fields), ("records", records)])
}

/// Prints the report as one JSON object on one line.
///
/// # Errors
///
/// I/O errors.
pub(crate) fn print_json(report: &CheckReport, output: &mut Output) -> Result<(), Failure> {
    let json = json_line(&Account::of(report), output.is_terminal())?;
    say(output, &format!("{json}\n"))
}

/// The JSON report.
#[derive(Serialize)]
struct Account<'a> {
    balanced: bool,
    objects: u64,
    partial_objects: u64,
    bytes: u64,
    lines: u64,
    blank_lines: u64,
    header_lines: u64,
    /// Of both kinds.
    records: u64,
    cdn_records: u64,
    other_times: u64,
    rejects: u64,
    ambiguous: u64,
    reasons: Vec<Reason<'a>>,
    field_counts: Vec<FieldCount>,
    cdn_field_counts: Vec<FieldCount>,
    objects_archived: u64,
    unknown_cdn_fields: &'a [String],
    unreadable: Vec<UnreadableObject<'a>>,
}

#[derive(Serialize)]
struct Reason<'a> {
    reason: &'a str,
    count: u64,
    examples: Vec<Example<'a>>,
}

#[derive(Serialize)]
struct Example<'a> {
    log_object: &'a str,
    line_number: u64,
    byte_offset: u64,
    line: Cow<'a, str>,
}

#[derive(Serialize)]
struct FieldCount {
    fields: usize,
    records: u64,
}

#[derive(Serialize)]
struct UnreadableObject<'a> {
    log_object: &'a str,
    why: &'a str,
}

impl<'a> Account<'a> {
    fn of(report: &'a CheckReport) -> Self {
        let example = |example: &'a RejectExample| Example {
            log_object: &example.log_object,
            line_number: example.line_number,
            byte_offset: example.byte_offset,
            line: String::from_utf8_lossy(&example.line),
        };
        let reason = |reason: &'a ReasonCount| Reason {
            reason: &reason.reason,
            count: reason.count,
            examples: reason.examples.iter().map(example).collect(),
        };
        let fields = |counts: &[(usize, u64)]| {
            counts.iter().map(|(fields, records)| FieldCount { fields: *fields, records: *records }).collect()
        };
        let unreadable = |object: &'a Unreadable| UnreadableObject { log_object: &object.object, why: why(object) };
        let balance = balance(report);
        Self {
            balanced: balance.is_even(),
            objects: report.objects,
            partial_objects: report.partial_objects,
            bytes: report.bytes,
            lines: report.lines,
            blank_lines: report.blank_lines,
            header_lines: report.headers,
            records: balance.rows,
            cdn_records: report.cdn_rows,
            other_times: report.other_times,
            rejects: report.rejects,
            ambiguous: report.ambiguous,
            reasons: report.reasons.iter().map(reason).collect(),
            field_counts: fields(&report.field_counts),
            cdn_field_counts: fields(&report.cdn_field_counts),
            objects_archived: report.archived,
            unknown_cdn_fields: &report.unknown_cdn_fields,
            unreadable: report.unreadable.iter().map(unreadable).collect(),
        }
    }
}

fn table(output: &mut Output, heading: &str, columns: Vec<(&str, ArrayRef)>) -> Result<(), Failure> {
    say(output, heading)?;
    output.print(Shape::Rows, &batch(columns)?)
}

fn say(output: &mut Output, text: &str) -> Result<(), Failure> {
    output.sink().write_all(text.as_bytes()).map_err(Failure::from_output)
}
