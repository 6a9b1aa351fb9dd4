//! Findings as an Arrow table, printed by `s3log flag` and written as NDJSON and Parquet.
//!
//! Start at [`batch`]. [`columns`] documents the columns; the schema and the output of `s3log schema findings` are
//! derived from it.

use super::finding::{Finding, Guard, Sample, Signal};
use crate::Error;
use crate::schema::{ColumnDoc, TableDoc, time_type};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use s3log_parser::Distinct;
use std::sync::Arc;

/// The name of the table.
pub const NAME: &str = "findings";

/// Documentation of the table.
#[must_use]
pub fn doc() -> TableDoc {
    let doc = "Sources of requests that gave evidence, one row an address or /64, the highest score first.";
    TableDoc { name: NAME, doc, columns: columns() }
}

/// The columns of the table, in order.
#[must_use]
pub fn columns() -> Vec<ColumnDoc> {
    let text = || DataType::Utf8;
    let texts = || DataType::List(item(DataType::Utf8));
    vec![
        column("client_ip", text(), "Address that asked, or the /64 network of an IPv6 address in CIDR form."),
        column("score", DataType::Float64, "From 0 to 1: how likely it is that this is no ordinary client."),
        few(
            "band",
            text(),
            "What the score is good for: `block` from 0.9, `alert` from 0.6, `watch` from 0.3, else `none`.",
        ),
        few(
            "severity",
            text(),
            "How bad it is, if it is what it seems to be: `info`, `low`, `medium`, `high` or `critical`.",
        ),
        column("first_seen", time_type(), "First request of the source."),
        column("last_seen", time_type(), "Last request of the source."),
        column("requests", DataType::Int64, "How many requests it made."),
        bytes("bytes_sent", "How many bytes were sent to it."),
        column("buckets", texts(), "Buckets that it asked, in order of their names."),
        column("requesters", texts(), "Requesters that it signed as, in order of their names."),
        column("detectors", list_of(&detector_columns()), "What rules found, the strongest first."),
        column("guards", list_of(&guard_columns()), "What lowered the score, and why."),
        few("provisional", DataType::Boolean, "Whether log objects of its last hours may still be missing."),
        null(few("country", text(), "ISO 3166 code of its country; NULL without a database.")),
        null(column("asn", DataType::Int64, "Number of its autonomous system; NULL without a database.")),
        null(column("as_org", text(), "Who runs that system; NULL without a database.")),
    ]
}

/// The fields of the structs in `detectors`, in order.
#[must_use]
pub fn detector_columns() -> Vec<ColumnDoc> {
    let text = || DataType::Utf8;
    vec![
        few("id", text(), "Id of the rule, such as `S3D-103`."),
        few("name", text(), "Name of the rule."),
        few("family", text(), "Family of the rule; inside a family only the strongest evidence counts."),
        few("severity", text(), "How bad it is, if it is what it seems to be."),
        column("confidence", DataType::Float64, "From 0 to 1: how likely this alone means no ordinary client."),
        column("explanation", text(), "A sentence with the numbers in it."),
        column("measured", text(), "A JSON object: what was measured, and the thresholds."),
        few("mitre", DataType::List(item(DataType::Utf8)), "MITRE ATT&CK techniques."),
        null(few("bucket", text(), "The bucket that it is about.")),
        null(column("requester", text(), "The requester that it is about.")),
        null(column("first_seen", time_type(), "First request that it rests on.")),
        null(column("last_seen", time_type(), "Last request that it rests on.")),
        column("hits", DataType::Int64, "In how many windows, buckets or requesters the rule found it."),
        column("samples", list_of(&sample_columns()), "A few of the requests."),
    ]
}

/// The fields of the structs in `samples`, in order.
#[must_use]
pub fn sample_columns() -> Vec<ColumnDoc> {
    let text = || DataType::Utf8;
    vec![
        column("time", time_type(), "When the request was received."),
        few("bucket", text(), "Requested bucket."),
        null(column("requester", text(), "Who signed; NULL when nobody did.")),
        few("operation", text(), "What was asked, such as `REST.GET.OBJECT`."),
        null(column("key", text(), "Key of the object, decoded.")),
        null(few("status", DataType::Int32, "HTTP status of the response.")),
        null(few("error_code", text(), "Why it failed.")),
        null(column("user_agent", text(), "What the client called itself.")),
    ]
}

/// The fields of the structs in `guards`, in order.
#[must_use]
pub fn guard_columns() -> Vec<ColumnDoc> {
    vec![
        few("name", DataType::Utf8, "Name of the guard, such as `shared`."),
        few("factor", DataType::Float64, "What confidences were multiplied with."),
        column("reason", DataType::Utf8, "A sentence that says why."),
    ]
}

/// The Arrow schema of the table. Text is `Utf8`.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(fields(&columns())))
}

/// Converts findings to a batch with one row each, in the same order.
///
/// # Errors
///
/// Fails only if Arrow rejects the arrays, which is not expected.
pub fn batch(findings: &[Finding]) -> Result<RecordBatch, Error> {
    let texts = |of: fn(&Finding) -> &Vec<String>| list_of_texts(findings.iter().map(of));
    let signals: Vec<_> = findings.iter().flat_map(|finding| &finding.detectors).collect();
    let guards: Vec<_> = findings.iter().flat_map(|finding| &finding.guards).collect();
    let arrays: Vec<ArrayRef> = vec![
        text(findings.iter().map(|finding| finding.client_ip.to_string())),
        Arc::new(Float64Array::from_iter_values(findings.iter().map(|finding| finding.score))),
        text(findings.iter().map(|finding| finding.band.name())),
        text(findings.iter().map(|finding| finding.severity.name())),
        times(findings.iter().map(|finding| Some(finding.first_seen))),
        times(findings.iter().map(|finding| Some(finding.last_seen))),
        numbers(findings.iter().map(|finding| finding.requests)),
        numbers(findings.iter().map(|finding| finding.bytes_sent)),
        texts(|finding| &finding.buckets)?,
        texts(|finding| &finding.requesters)?,
        list(findings.iter().map(|finding| finding.detectors.len()), detectors(&signals)?)?,
        list(findings.iter().map(|finding| finding.guards.len()), guards_array(&guards)?)?,
        Arc::new(findings.iter().map(|finding| Some(finding.provisional)).collect::<BooleanArray>()),
        maybe_text(findings.iter().map(|finding| finding.country.as_deref())),
        Arc::new(findings.iter().map(|finding| finding.asn.map(i64::from)).collect::<Int64Array>()),
        maybe_text(findings.iter().map(|finding| finding.as_org.as_deref())),
    ];
    Ok(RecordBatch::try_new(schema(), arrays)?)
}

fn detectors(signals: &[&Signal]) -> Result<ArrayRef, Error> {
    let samples: Vec<_> = signals.iter().flat_map(|signal| &signal.samples).collect();
    let arrays = vec![
        text(signals.iter().map(|signal| &signal.id)),
        text(signals.iter().map(|signal| &signal.name)),
        text(signals.iter().map(|signal| &signal.family)),
        text(signals.iter().map(|signal| signal.severity.name())),
        Arc::new(Float64Array::from_iter_values(signals.iter().map(|signal| signal.confidence))),
        text(signals.iter().map(|signal| &signal.explanation)),
        text(signals.iter().map(|signal| &signal.measured)),
        list_of_texts(signals.iter().map(|signal| &signal.mitre))?,
        maybe_text(signals.iter().map(|signal| signal.bucket.as_deref())),
        maybe_text(signals.iter().map(|signal| signal.requester.as_deref())),
        times(signals.iter().map(|signal| signal.first)),
        times(signals.iter().map(|signal| signal.last)),
        numbers(signals.iter().map(|signal| signal.hits)),
        list(signals.iter().map(|signal| signal.samples.len()), samples_array(&samples)?)?,
    ];
    structs(&detector_columns(), arrays, signals.len())
}

fn samples_array(samples: &[&Sample]) -> Result<ArrayRef, Error> {
    let arrays = vec![
        times(samples.iter().map(|sample| Some(sample.time))),
        text(samples.iter().map(|sample| &sample.bucket)),
        maybe_text(samples.iter().map(|sample| sample.requester.as_deref())),
        text(samples.iter().map(|sample| &sample.operation)),
        maybe_text(samples.iter().map(|sample| sample.key.as_deref())),
        Arc::new(samples.iter().map(|sample| sample.status).collect::<Int32Array>()),
        maybe_text(samples.iter().map(|sample| sample.error_code.as_deref())),
        maybe_text(samples.iter().map(|sample| sample.user_agent.as_deref())),
    ];
    structs(&sample_columns(), arrays, samples.len())
}

fn guards_array(guards: &[&Guard]) -> Result<ArrayRef, Error> {
    let arrays = vec![
        text(guards.iter().map(|guard| &guard.name)),
        Arc::new(Float64Array::from_iter_values(guards.iter().map(|guard| guard.factor))) as ArrayRef,
        text(guards.iter().map(|guard| &guard.reason)),
    ];
    structs(&guard_columns(), arrays, guards.len())
}

fn text(values: impl ExactSizeIterator<Item = impl AsRef<str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn maybe_text<'a>(values: impl ExactSizeIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone(crate::schema::UTC))
}

/// Counts beyond the range of `bigint` are clamped.
fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|value| i64::try_from(value).unwrap_or(i64::MAX))))
}

fn list_of_texts<'a>(lists: impl Iterator<Item = &'a Vec<String>> + Clone) -> Result<ArrayRef, Error> {
    let values: Vec<_> = lists.clone().flatten().collect();
    list(lists.map(Vec::len), text(values.into_iter()))
}

/// A list column: lengths of the lists, and their concatenated values.
fn list(lengths: impl Iterator<Item = usize>, values: ArrayRef) -> Result<ArrayRef, Error> {
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item(values.data_type().clone()), offsets, values, None)?))
}

/// A struct column. `length` is needed if there are no columns.
fn structs(columns: &[ColumnDoc], arrays: Vec<ArrayRef>, length: usize) -> Result<ArrayRef, Error> {
    Ok(Arc::new(StructArray::try_new_with_length(fields(columns), arrays, None, length)?))
}

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

fn list_of(columns: &[ColumnDoc]) -> DataType {
    DataType::List(item(DataType::Struct(fields(columns))))
}

fn fields(columns: &[ColumnDoc]) -> Fields {
    columns.iter().map(|column| Field::new(column.name, column.data_type.clone(), column.nullable)).collect()
}

fn column(name: &'static str, data_type: DataType, doc: &'static str) -> ColumnDoc {
    let distinct = Distinct::Many;
    ColumnDoc { name, title: "", data_type, nullable: false, distinct, unit: "", doc, example: "" }
}

fn few(name: &'static str, data_type: DataType, doc: &'static str) -> ColumnDoc {
    ColumnDoc { distinct: Distinct::Few, ..column(name, data_type, doc) }
}

fn bytes(name: &'static str, doc: &'static str) -> ColumnDoc {
    ColumnDoc { unit: "bytes", ..column(name, DataType::Int64, doc) }
}

fn null(column: ColumnDoc) -> ColumnDoc {
    ColumnDoc { nullable: true, ..column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{finding, full};
    use serde_json::Value;

    /// A value as JSON. Times are numbers, because Arrow's writer does not support named time zones.
    fn json(array: &ArrayRef, row: usize) -> Value {
        let any = array.as_any();
        if array.is_null(row) {
            Value::Null
        } else if let Some(list) = any.downcast_ref::<ListArray>() {
            let items = list.value(row);
            (0..items.len()).map(|row| json(&items, row)).collect()
        } else if let Some(structs) = any.downcast_ref::<StructArray>() {
            let members = structs.column_names().into_iter().zip(structs.columns());
            members.map(|(name, member)| (name.to_owned(), json(member, row))).collect()
        } else if let Some(array) = any.downcast_ref::<StringArray>() {
            array.value(row).into()
        } else if let Some(array) = any.downcast_ref::<Float64Array>() {
            array.value(row).into()
        } else if let Some(array) = any.downcast_ref::<Int64Array>() {
            array.value(row).into()
        } else if let Some(array) = any.downcast_ref::<Int32Array>() {
            array.value(row).into()
        } else if let Some(array) = any.downcast_ref::<BooleanArray>() {
            array.value(row).into()
        } else {
            any.downcast_ref::<TimestampMicrosecondArray>().unwrap().value(row).into()
        }
    }

    #[test]
    fn findings_are_rows() {
        let batch = batch(&[full(), finding("2001:db8::1", 0.25)]).unwrap();
        let rows: ArrayRef = Arc::new(StructArray::from(batch));
        let rows = (0..rows.len()).map(|row| serde_json::to_string_pretty(&json(&rows, row)).unwrap());
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn no_finding_is_a_table_without_rows() {
        let batch = batch(&[]).unwrap();
        assert_eq!((batch.num_rows(), batch.schema()), (0, schema()));
    }

    #[test]
    fn counts_that_are_too_large_are_cut() {
        let batch = batch(&[Finding { requests: u64::MAX, asn: Some(u32::MAX), ..finding("192.0.2.1", 0.5) }]).unwrap();
        let number = |name: &str| {
            batch.column_by_name(name).and_then(|array| array.as_any().downcast_ref::<Int64Array>()).unwrap().value(0)
        };
        assert_eq!((number("requests"), number("asn")), (i64::MAX, 4_294_967_295));
    }

    #[test]
    fn every_column_is_told_of() {
        for columns in [columns(), detector_columns(), sample_columns(), guard_columns()] {
            assert!(columns.iter().all(|column| column.doc.ends_with('.')));
        }
        let told = |columns: Vec<ColumnDoc>| {
            columns.iter().map(|column| format!("{}: {}\n", column.name, column.doc)).collect::<String>()
        };
        insta::assert_snapshot!(told(columns()));
    }
}
