//! Runs rules: each is a query over the tables, and each row of its result is a hit.

use super::finding::Severity;
use super::rules::{Entity, ParamValue, Rule, Value};
use crate::error::{Error, ErrorKind};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use serde_json::{Map, Number};

/// A row of a rule's result.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// The entity: a source, a requester, a referring host, a bucket.
    pub entity: String,
    /// Confidence from 0 to 1.
    pub confidence: f64,
    pub bucket: Option<String>,
    pub requester: Option<String>,
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// Evidence to show: keys, URIs, operations.
    pub evidence: Vec<String>,
    /// Severity, if the rule sets it per hit.
    pub severity: Option<Severity>,
    /// All columns, in order.
    values: Vec<(String, Value)>,
}

impl Hit {
    /// The value of a column; NULL if there is no such column.
    pub(crate) fn value(&self, column: &str) -> Value {
        self.values.iter().find(|(name, _)| name == column).map_or(Value::Null, |(_, value)| value.clone())
    }

    /// The value of a column, if it is text.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        match self.value(column) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The rendered explanation.
    pub(crate) fn explanation(&self, rule: &Rule) -> String {
        match rule.explain.as_str() {
            "" => rule.name.clone(),
            _ => rule.explain.render(|column| self.value(column), &rule.params),
        }
    }

    /// The measured values and the thresholds, as a JSON object.
    pub(crate) fn measured(&self, rule: &Rule) -> String {
        let is_told_elsewhere = |name: &str| {
            let columns = ["confidence", "bucket", "requester", "first", "last", "evidence", "severity", "src"];
            columns.contains(&name) || name == rule.entity.column()
        };
        let mut measured: Map<String, serde_json::Value> = self
            .values
            .iter()
            .filter(|(name, _)| !is_told_elsewhere(name))
            .map(|(name, value)| (name.clone(), json(value)))
            .collect();
        if !self.evidence.is_empty() {
            measured.insert("evidence".to_owned(), self.evidence.clone().into());
        }
        // Text parameters are patterns, not thresholds.
        let thresholds = rule.params.iter().filter(|(_, value)| !matches!(value, ParamValue::Text(_)));
        let thresholds: Map<_, _> = thresholds.map(|(name, value)| (name.clone(), json(&value.value()))).collect();
        measured.insert("thresholds".to_owned(), thresholds.into());
        serde_json::Value::Object(measured).to_string()
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => Number::from_f64(round(*number)).map_or(serde_json::Value::Null, Into::into),
        Value::Text(text) => text.clone().into(),
        Value::Boolean(is) => (*is).into(),
        Value::Time(micros) => super::format::rfc3339(*micros).into(),
        Value::List(texts) => texts.clone().into(),
    }
}

/// Rounds to four decimal places; more digits would be false precision.
pub(crate) fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// Runs a rule.
///
/// # Errors
///
/// Fails if the query does not match the tables, or if its result lacks the entity or the confidence.
pub(crate) async fn run(context: &SessionContext, rule: &Rule) -> Result<Vec<Hit>, Error> {
    let sql = rule.query()?;
    let fault = |error: datafusion::error::DataFusionError| {
        Error::invalid(format!("the query of {} fails: {}", rule.id, error.strip_backtrace()))
            .in_object(rule.source.file().to_owned())
            .with_hint("`s3log rules lint` checks rules, `s3log rules tables` lists what they may read")
    };
    let plan = context.sql(&sql).await.map_err(fault)?;
    check_output(rule, plan.schema().as_arrow())?;
    let batches = plan.collect().await.map_err(fault)?;
    let mut hits = Vec::new();
    for batch in &batches {
        take_rows(rule, batch, &mut hits)?;
    }
    // Make the order deterministic.
    hits.sort_by(|a, b| {
        (&a.entity, b.confidence, &a.bucket, &a.requester, a.first)
            .partial_cmp(&(&b.entity, a.confidence, &b.bucket, &b.requester, b.first))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(hits)
}

/// Runs a rule over empty tables, so that errors show before the logs are read.
pub(crate) async fn check(context: &SessionContext, rule: &Rule) -> Result<(), Error> {
    run(context, rule).await.map(drop)
}

fn check_output(rule: &Rule, schema: &arrow::datatypes::Schema) -> Result<(), Error> {
    for (name, is) in
        [(rule.entity.column(), DataType::is_string as fn(&DataType) -> bool), ("confidence", DataType::is_numeric)]
    {
        let column = schema.field_with_name(name);
        if !column.is_ok_and(|field| is(field.data_type()) || field.data_type().is_null()) {
            return Err(Error::invalid(format!("the query of {} returns no column `{name}` that fits", rule.id))
                .in_object(rule.source.file().to_owned())
                .with_hint(format!("`{}` is a text, `confidence` a number from 0 to 1", rule.entity.column())));
        }
    }
    for column in rule.explain.columns() {
        if schema.field_with_name(column).is_err() {
            return Err(Error::invalid(format!(
                "`explain` of {} names `{column}`, which its query does not return",
                rule.id
            ))
            .in_object(rule.source.file().to_owned()));
        }
    }
    Ok(())
}

fn take_rows(rule: &Rule, batch: &RecordBatch, hits: &mut Vec<Hit>) -> Result<(), Error> {
    let schema = batch.schema();
    let columns: Vec<(&str, ArrayRef)> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| Ok((field.name().as_str(), plain(array)?)))
        .collect::<Result<_, arrow::error::ArrowError>>()?;
    for row in 0..batch.num_rows() {
        let values: Vec<(String, Value)> =
            columns.iter().map(|(name, array)| ((*name).to_owned(), value(array, row))).collect();
        let mut hit = Hit {
            entity: String::new(),
            confidence: 0.0,
            bucket: None,
            requester: None,
            first: None,
            last: None,
            evidence: Vec::new(),
            severity: None,
            values,
        };
        let Some(entity) = hit.text(rule.entity.column()) else { continue };
        hit.confidence = match hit.value("confidence") {
            Value::Float(number) if number.is_finite() => number.clamp(0.0, 1.0),
            Value::Integer(number) => {
                if number > 0 {
                    1.0
                } else {
                    0.0
                }
            }
            _ => continue,
        };
        if hit.confidence <= 0.0 && rule.scored {
            continue;
        }
        hit.bucket = hit.text("bucket");
        hit.requester = hit.text("requester");
        let time = |value| if let Value::Time(micros) = value { Some(micros) } else { None };
        hit.first = time(hit.value("first"));
        hit.last = time(hit.value("last"));
        if let Value::List(evidence) = hit.value("evidence") {
            hit.evidence = evidence.into_iter().take(MOST_EVIDENCE).collect();
        }
        hit.severity = hit.text("severity").and_then(|severity| severity.parse().ok());
        if rule.entity == Entity::Src && entity.parse::<super::finding::Source>().is_err() {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{} returns `{entity}` as `src`, which is not a source", rule.id),
            )
            .in_object(rule.source.file().to_owned())
            .with_hint("return the column `src` of a table as it is"));
        }
        hit.entity = entity;
        hits.push(hit);
    }
    Ok(())
}

/// Maximum number of evidence items kept.
const MOST_EVIDENCE: usize = 5;

/// Casts an array to one of a few types.
fn plain(array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let to = match array.data_type() {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        data_type if data_type.is_integer() => DataType::Int64,
        data_type if data_type.is_numeric() => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Dictionary(..) => DataType::Utf8View,
        _ => return Ok(array.clone()),
    };
    cast(array, &to)
}

fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).to_owned()),
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::List(_) => {
            let values = array.as_list::<i32>().value(row);
            match cast(&values, &DataType::Utf8View) {
                Ok(texts) => Value::List(texts.as_string_view().iter().flatten().map(str::to_owned).collect()),
                Err(_) => Value::Null,
            }
        }
        _ => Value::Null,
    }
}
