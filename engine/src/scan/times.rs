//! Derives the possible times of records from a predicate.
//!
//! Always an over-approximation: expressions that are not understood leave all times possible. The result decides which
//! log objects to list and fetch; rows are still filtered one by one.

use crate::schema::{LogsColumn, UTC};
use crate::time_units::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal, binary, col, lit,
};
use datafusion::physical_expr::utils::conjunction;
use datafusion::physical_plan::PhysicalExpr;
use s3log_parser::Field;
use std::fmt;
use std::sync::Arc;

/// A half-open time range, in microseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Inclusive start.
    pub since: Option<i64>,
    /// Exclusive end.
    pub until: Option<i64>,
}

impl TimeRange {
    /// The range as a set of instants.
    #[must_use]
    pub fn times(&self) -> Times {
        Times::between(self.since, self.until)
    }

    /// A predicate that keeps the records in the range; `None` if it would keep all.
    pub(crate) fn predicate(&self, schema: &SchemaRef) -> DataFusionResult<Option<Arc<dyn PhysicalExpr>>> {
        let bounds = [(self.since, Operator::GtEq), (self.until, Operator::Lt)];
        let bounds = bounds.into_iter().filter_map(|(bound, operator)| bound.map(|micros| (micros, operator)));
        let compare = |(micros, operator)| {
            let bound = ScalarValue::TimestampMicrosecond(Some(micros), Some(UTC.into()));
            binary(col(Field::Time.name(), schema)?, operator, lit(bound), schema)
        };
        let parts = bounds.map(compare).collect::<DataFusionResult<Vec<_>>>()?;
        Ok((!parts.is_empty()).then(|| conjunction(parts)))
    }

    /// The possible times of wanted records, by the range and the filters known at planning time.
    pub(crate) fn possible(
        &self,
        state: &dyn Session,
        schema: &SchemaRef,
        filters: &[Expr],
    ) -> DataFusionResult<Times> {
        let mut times = self.times();
        if !filters.is_empty() {
            let schema = DFSchema::try_from(Arc::clone(schema))?;
            for filter in filters {
                times = times.and(&Times::of(&state.create_physical_expr(filter.clone(), &schema)?));
            }
        }
        Ok(times)
    }
}

/// A set of instants in microseconds since the Unix epoch (UTC): disjoint half-open ranges in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times(Vec<(i64, i64)>);

impl Times {
    /// All instants.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![(i64::MIN, i64::MAX)])
    }

    /// From `since` (inclusive) to `until` (exclusive); `None` means unbounded.
    #[must_use]
    pub fn between(since: Option<i64>, until: Option<i64>) -> Self {
        let (since, until) = (since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX));
        Self(if since < until { vec![(since, until)] } else { Vec::new() })
    }

    /// The instants possible under a predicate over the columns of table `logs`.
    pub(crate) fn of(predicate: &Arc<dyn PhysicalExpr>) -> Self {
        if let Some(dynamic) = predicate.downcast_ref::<DynamicFilterPhysicalExpr>() {
            return dynamic.current().map_or_else(|_| Self::all(), |current| Self::of(&current));
        }
        if let Some(literal) = predicate.downcast_ref::<Literal>() {
            // NULL keeps no row.
            return match literal.value() {
                ScalarValue::Boolean(Some(true)) => Self::all(),
                ScalarValue::Boolean(_) => Self(Vec::new()),
                _ => Self::all(),
            };
        }
        if let Some(list) = predicate.downcast_ref::<InListExpr>() {
            let points = list.list().iter().map(|item| compared(list.expr(), Operator::Eq, item));
            let union = points.fold(Self(Vec::new()), |union, point| union.or(&point));
            return if list.negated() { Self::all() } else { union };
        }
        let Some(binary) = predicate.downcast_ref::<BinaryExpr>() else { return Self::all() };
        match binary.op() {
            Operator::And => Self::of(binary.left()).and(&Self::of(binary.right())),
            Operator::Or => Self::of(binary.left()).or(&Self::of(binary.right())),
            operator => compared(binary.left(), *operator, binary.right()),
        }
    }

    /// The intersection.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for (from, until) in &self.0 {
            for (other_from, other_until) in &other.0 {
                let (from, until) = (*from.max(other_from), *until.min(other_until));
                if from < until {
                    both.push((from, until));
                }
            }
        }
        both.sort_unstable();
        Self(both)
    }

    /// The union.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut ranges: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        ranges.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (from, until) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        Self(merged)
    }

    /// Whether all instants are in the set.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0 == [(i64::MIN, i64::MAX)]
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set contains an instant.
    #[must_use]
    pub fn contains(&self, micros: i64) -> bool {
        self.touches(micros, micros)
    }

    /// Whether any instant from `from` to `to` (both inclusive) is in the set.
    #[must_use]
    pub fn touches(&self, from: i64, to: i64) -> bool {
        self.0.iter().any(|(start, end)| from < *end && *start <= to)
    }

    /// The first instant in the set: `i64::MIN` if it has no lower bound, `i64::MAX` if it is empty.
    #[must_use]
    pub fn first(&self) -> i64 {
        self.0.first().map_or(i64::MAX, |first| first.0)
    }

    /// The exclusive end of the set: `i64::MAX` if it has no upper bound, `i64::MIN` if it is empty.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.0.last().map_or(i64::MIN, |last| last.1)
    }
}

/// `from..until` in RFC 3339; an unbounded side is empty.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = |micros: i64| -> String {
            if micros == i64::MIN || micros == i64::MAX {
                return String::new();
            }
            let since_epoch = std::time::Duration::from_micros(micros.unsigned_abs());
            let epoch = std::time::SystemTime::UNIX_EPOCH;
            let time = if micros < 0 { epoch.checked_sub(since_epoch) } else { epoch.checked_add(since_epoch) };
            time.map_or_else(String::new, |time| humantime::format_rfc3339(time).to_string())
        };
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => write!(f, "{}..{}", instant(first.0), instant(last.1)),
            _ => f.write_str("never"),
        }
    }
}

/// Evaluates `left operator right`, where one side is the time in some form and the other a literal.
fn compared(left: &Arc<dyn PhysicalExpr>, operator: Operator, right: &Arc<dyn PhysicalExpr>) -> Times {
    let (time, operator, literal) = match (Step::of(left), Step::of(right)) {
        (Some(step), None) => (step, operator, right),
        (None, Some(step)) => match operator.swap() {
            Some(swapped) => (step, swapped, left),
            None => return Times::all(),
        },
        _ => return Times::all(),
    };
    let Some(literal) = constant(literal) else { return Times::all() };
    if literal.is_null() {
        // Comparisons with NULL are never true, except this one, since a time is never NULL.
        return if operator == Operator::IsDistinctFrom { Times::all() } else { Times(Vec::new()) };
    }
    let Some(instant) = nanos(&literal) else { return Times::all() };
    // With step `s`, the time is rounded down to a multiple of `s` before it is compared. `at_least` is the smallest
    // time whose rounded value is not below the literal, `beyond` the smallest whose rounded value is above it.
    let step = i128::from(time.micros) * 1_000;
    let at_least = clamp(ceil(instant, step) * step);
    let beyond = clamp((instant.div_euclid(step) + 1) * step);
    match operator {
        Operator::GtEq => Times::between(Some(at_least), None),
        Operator::Gt => Times::between(Some(beyond), None),
        Operator::LtEq => Times::between(None, Some(beyond)),
        Operator::Lt => Times::between(None, Some(at_least)),
        Operator::Eq | Operator::IsNotDistinctFrom => Times::between(Some(at_least), Some(beyond)),
        _ => Times::all(),
    }
}

/// The value of a literal, or of a cast of one that has not been folded.
fn constant(expr: &Arc<dyn PhysicalExpr>) -> Option<ScalarValue> {
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return constant(cast.expr())?.cast_to(cast.cast_type()).ok();
    }
    expr.downcast_ref::<Literal>().map(|literal| literal.value().clone())
}

/// Converts nanoseconds to microseconds, rounding up: times are whole microseconds.
fn clamp(nanos: i128) -> i64 {
    ceil(nanos, 1_000).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

fn ceil(dividend: i128, divisor: i128) -> i128 {
    -(-dividend).div_euclid(divisor)
}

/// A literal as nanoseconds since the Unix epoch.
fn nanos(literal: &ScalarValue) -> Option<i128> {
    let (value, unit) = match literal {
        ScalarValue::TimestampSecond(Some(value), _) => (*value, 1_000_000_000),
        ScalarValue::TimestampMillisecond(Some(value), _) => (*value, 1_000_000),
        ScalarValue::TimestampMicrosecond(Some(value), _) => (*value, 1_000),
        ScalarValue::TimestampNanosecond(Some(value), _) => (*value, 1),
        ScalarValue::Date32(Some(days)) => (i64::from(*days), 1_000 * i128::from(MICROS_PER_DAY)),
        ScalarValue::Date64(Some(millis)) => (*millis, 1_000_000),
        _ => return None,
    };
    Some(i128::from(value) * unit)
}

/// The time of the record, rounded down to a multiple of `micros`.
struct Step {
    micros: i64,
}

impl Step {
    fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        if let Some(column) = expr.downcast_ref::<Column>() {
            return (column.name() == LogsColumn::Field(Field::Time).name()).then_some(Self { micros: 1 });
        }
        if let Some(cast) = expr.downcast_ref::<CastExpr>() {
            let inner = Self::of(cast.expr())?;
            let micros = match cast.cast_type() {
                DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, zone) if is_utc(zone.as_deref()) => 1,
                DataType::Timestamp(TimeUnit::Millisecond, zone) if is_utc(zone.as_deref()) => 1_000,
                DataType::Timestamp(TimeUnit::Second, zone) if is_utc(zone.as_deref()) => MICROS_PER_SECOND,
                DataType::Date32 => MICROS_PER_DAY,
                _ => return None,
            };
            // Casts may round times before 1970 up, but there are no such logs.
            return Some(Self { micros: inner.micros.max(micros) });
        }
        let function = expr.downcast_ref::<ScalarFunctionExpr>().filter(|function| function.name() == "date_trunc")?;
        let [unit, time] = function.args() else { return None };
        let unit = unit.downcast_ref::<Literal>()?.value().try_as_str().flatten()?.to_lowercase();
        let micros = match unit.as_str() {
            "second" => MICROS_PER_SECOND,
            "minute" => 60 * MICROS_PER_SECOND,
            "hour" => MICROS_PER_HOUR,
            "day" => MICROS_PER_DAY,
            _ => return None,
        };
        Some(Self { micros: Self::of(time)?.micros.max(micros) })
    }
}

fn is_utc(zone: Option<&str>) -> bool {
    zone.is_none_or(|zone| matches!(zone, "UTC" | "+00:00" | "Etc/UTC"))
}

#[cfg(test)]
mod tests;
