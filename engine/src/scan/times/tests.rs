use super::*;
use crate::schema::{Table, TextLayout};
use datafusion::common::DFSchema;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

/// The instants that SQL over the columns of `logs` leaves possible.
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

proptest! {
    /// Whatever the predicate says of an instant, that instant is possible if it is true.
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
