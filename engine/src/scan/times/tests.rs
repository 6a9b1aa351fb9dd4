use super::*;
use crate::schema::{Table, TextLayout};
use datafusion::common::DFSchema;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

/// The instants possible under a SQL condition over the columns of `logs`.
fn times(sql: &str) -> Times {
    let context = SessionContext::new();
    let schema = DFSchema::try_from(Table::Logs.schema(TextLayout::Views)).unwrap();
    let expr = context.parse_sql_expr(sql, &schema).unwrap();
    Times::of(&context.create_physical_expr(expr, &schema).unwrap())
}

#[test]
fn what_sql_leaves_possible() {
    for (sql, expected) in [
        ("time >= '2026-01-15T10:00:00Z'", "2026-01-15T10:00:00Z.."),
        ("time > '2026-01-15T10:00:00Z'", "2026-01-15T10:00:00.000001000Z.."),
        ("time < '2026-01-15T10:00:00Z'", "..2026-01-15T10:00:00Z"),
        ("'2026-01-15T10:00:00Z' > time", "..2026-01-15T10:00:00Z"),
        ("time <= '2026-01-15T10:00:00Z'", "..2026-01-15T10:00:00.000001000Z"),
        ("time = '2026-01-15T10:00:00Z'", "2026-01-15T10:00:00Z..2026-01-15T10:00:00.000001000Z"),
        ("time BETWEEN '2026-01-15' AND '2026-01-16'", "2026-01-15T00:00:00Z..2026-01-16T00:00:00.000001000Z"),
        (
            "time >= '2026-01-15' AND time < '2026-01-16' AND http_status = 403",
            "2026-01-15T00:00:00Z..2026-01-16T00:00:00Z",
        ),
        ("time >= '2026-01-15' OR http_status = 403", ".."),
        ("time < '2026-01-15' OR time >= '2026-02-01'", ".."),
        ("time IN ('2026-01-15', '2026-01-17')", "2026-01-15T00:00:00Z..2026-01-17T00:00:00.000001000Z"),
        ("time NOT IN ('2026-01-15')", ".."),
        ("time <> '2026-01-15'", ".."),
        ("time >= '2026-01-16' AND time < '2026-01-15'", "never"),
        ("time > NULL", "never"),
        ("time IS DISTINCT FROM NULL", ".."),
        ("time IS NOT DISTINCT FROM NULL", "never"),
        ("time IS NOT NULL", ".."),
        ("CAST(time AS DATE) = '2026-01-15'", "2026-01-15T00:00:00Z..2026-01-16T00:00:00Z"),
        ("CAST(time AS DATE) > '2026-01-15'", "2026-01-16T00:00:00Z.."),
        ("date_trunc('hour', time) = '2026-01-15T10:00:00Z'", "2026-01-15T10:00:00Z..2026-01-15T11:00:00Z"),
        ("date_trunc('hour', time) >= '2026-01-15T10:30:00Z'", "2026-01-15T11:00:00Z.."),
        ("date_trunc('hour', time) < '2026-01-15T10:30:00Z'", "..2026-01-15T11:00:00Z"),
        ("date_trunc('month', time) = '2026-01-01'", ".."),
        ("NOT (time < '2026-01-15')", ".."),
        ("http_status = 403", ".."),
        ("bytes_sent > 2", ".."),
    ] {
        assert_eq!(times(sql).to_string(), expected, "{sql}");
    }
}

#[test]
fn gaps_stay_open() {
    let times = times("time < '1970-01-01T00:00:01Z' OR time >= '1970-01-01T00:00:05Z'");
    assert!(times.touches(0, 0) && times.touches(2_000_000, 5_000_000) && times.touches(9_000_000, 9_000_000));
    assert!(!times.touches(1_000_000, 4_999_999));
}

/// A condition on times around midnight, to the second.
fn condition() -> impl Strategy<Value = String> {
    let literal = (-90_000_i64..90_000).prop_map(|seconds| {
        let time = chrono::DateTime::from_timestamp(1_768_435_200 + seconds, 0).unwrap();
        format!("'{}'", time.format("%Y-%m-%dT%H:%M:%SZ"))
    });
    let time = prop::sample::select(vec![
        "time",
        "date_trunc('hour', time)",
        "date_trunc('day', time)",
        "CAST(time AS TIMESTAMP(0))",
        "CAST(time AS DATE)",
    ]);
    let operator =
        prop::sample::select(vec!["=", "<", "<=", ">", ">=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]);
    let comparison = (time, operator, literal.clone(), any::<bool>()).prop_map(|(time, operator, literal, swap)| {
        let literal = if time.contains("DATE)") { format!("CAST({literal} AS DATE)") } else { literal };
        if swap { format!("({literal} {operator} {time})") } else { format!("({time} {operator} {literal})") }
    });
    let list = prop::collection::vec(literal, 1..4).prop_map(|list| format!("time IN ({})", list.join(", ")));
    prop_oneof![4 => comparison, 1 => list].prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT {a}")),
        ]
    })
}

proptest! {
    /// Every row that a predicate keeps has a possible time.
    #[test]
    fn no_row_is_left_out(sql in condition()) {
        use arrow::array::{AsArray as _, RecordBatch, TimestampMicrosecondArray};
        let context = SessionContext::new();
        let schema = arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new("time", crate::schema::time_type(), false)]);
        let schema = Arc::new(schema);
        let named = DFSchema::try_from(Arc::clone(&schema)).unwrap();
        let expr = context.parse_sql_expr(&sql, &named).unwrap();
        let predicate = context.create_physical_expr(expr, &named).unwrap();
        let micros: Vec<i64> = (-200..200).map(|at| 1_768_435_200_000_000 + at * 997_000_000).chain([1_768_435_200_000_000]).collect();
        let column = TimestampMicrosecondArray::from(micros.clone()).with_timezone("UTC");
        let batch = RecordBatch::try_new(schema, vec![Arc::new(column)]).unwrap();
        let kept = predicate.evaluate(&batch).unwrap().into_array(micros.len()).unwrap();
        let possible = Times::of(&predicate);
        for (micros, kept) in micros.iter().zip(kept.as_boolean()) {
            prop_assert!(kept != Some(true) || possible.touches(*micros, *micros), "{sql}: {micros}");
        }
    }

    /// If the predicate is true for an instant, that instant is possible.
    #[test]
    fn nothing_possible_is_left_out(
        instant in 0_i64..20,
        parts in prop::collection::vec((0_i64..20, 0_usize..5, any::<bool>()), 1..5),
    ) {
        let (mut possible, mut is_true) = (Times::all(), true);
        for (bound, operator, or) in parts {
            let (part, holds) = match operator {
                0 => (Times::between(Some(bound), None), instant >= bound),
                1 => (Times::between(None, Some(bound)), instant < bound),
                2 => (Times::between(Some(bound), Some(bound + 1)), instant == bound),
                3 => (Times::between(Some(bound), Some(bound + 4)), (bound..bound + 4).contains(&instant)),
                _ => (Times::all(), true),
            };
            (possible, is_true) = if or { (possible.or(&part), is_true || holds) } else { (possible.and(&part), is_true && holds) };
        }
        prop_assert_eq!(possible.touches(instant, instant), is_true);
        prop_assert!(!is_true || (possible.first() <= instant && instant < possible.end()));
    }
}
