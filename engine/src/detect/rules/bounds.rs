//! Upper bounds of numbers in a query, derived from its text. Used by lint, which warns of confidences above 1.
//!
//! Typical input: `least(0.95, 0.2 + 0.1 * count(*))`. Result: 0.95. A name refers to any expression with that alias in
//! the query; unknown names have no bound.

use super::check::{folded, simple};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem,
    UnaryOperator, Value, Visit, Visitor,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Maximum depth of an expression that is analyzed; nobody writes deeper ones by hand.
const DEEPEST: usize = 200;

/// Lowest and highest value, if bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bounds {
    low: Option<f64>,
    high: Option<f64>,
}

/// The highest value of a column of the query's result.
pub(super) fn highest(query: &Query, column: &str) -> Option<f64> {
    let mut names = Names::default();
    let _ = query.visit(&mut names);
    names.of(column, DEEPEST).high
}

/// Aliased expressions, and the bounds computed so far. While a name is being resolved it has no bounds, because names
/// may refer to each other and to themselves.
#[derive(Default)]
struct Names {
    meaning: Vec<(String, Expr)>,
    known: RefCell<BTreeMap<String, Bounds>>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            // An expression without an alias has the same name one level deeper, or none.
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.meaning.push((folded(alias), expr.clone()));
            }
        }
        ControlFlow::Continue(())
    }
}

impl Names {
    fn of(&self, name: &str, depth: usize) -> Bounds {
        if let Some(bounds) = self.known.borrow().get(name) {
            return *bounds;
        }
        self.known.borrow_mut().insert(name.to_owned(), Bounds::default());
        let is_itself = |expr: &Expr| matches!(expr, Expr::Identifier(own) if folded(own) == name);
        let meant = self.meaning.iter().filter(|(other, expr)| other == name && !is_itself(expr));
        let found = union(meant.map(|(_, expr)| bounds(expr, self, depth.saturating_sub(1))));
        self.known.borrow_mut().insert(name.to_owned(), found);
        found
    }
}

/// Bounds of a value that is one of several alternatives.
fn union(all: impl Iterator<Item = Bounds>) -> Bounds {
    let widest = |a: Bounds, b: Bounds| Bounds {
        low: a.low.zip(b.low).map(|(a, b)| a.min(b)),
        high: a.high.zip(b.high).map(|(a, b)| a.max(b)),
    };
    all.reduce(widest).unwrap_or_default()
}

fn exactly(number: f64) -> Bounds {
    Bounds { low: Some(number), high: Some(number) }
}

fn bounds(expr: &Expr, names: &Names, depth: usize) -> Bounds {
    if depth == 0 {
        return Bounds::default();
    }
    let of = |expr: &Expr| bounds(expr, names, depth - 1);
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.to_string().parse().map_or_else(|_| Bounds::default(), exactly),
            _ => Bounds::default(),
        },
        Expr::Nested(inner) => of(inner),
        Expr::Cast { expr, .. } => of(expr),
        Expr::Identifier(name) => names.of(&folded(name), depth),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| names.of(&folded(name), depth)).unwrap_or_default(),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => negative(of(expr)),
        Expr::BinaryOp { left, op, right } => calculated(of(left), op, of(right)),
        Expr::Case { conditions, else_result, .. } => {
            union(conditions.iter().map(|when| &when.result).chain(else_result.as_deref()).map(of))
        }
        Expr::Function(function) => of_function(function, names, depth),
        _ => Bounds::default(),
    }
}

fn negative(of: Bounds) -> Bounds {
    Bounds { low: of.high.map(|high| -high), high: of.low.map(|low| -low) }
}

fn calculated(left: Bounds, operator: &BinaryOperator, right: Bounds) -> Bounds {
    let sum = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b);
    let product = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a * b);
    match operator {
        BinaryOperator::Plus => Bounds { low: sum(left.low, right.low), high: sum(left.high, right.high) },
        BinaryOperator::Minus => calculated(left, &BinaryOperator::Plus, negative(right)),
        BinaryOperator::Multiply => {
            let is_positive = |bounds: Bounds| bounds.low.is_some_and(|low| low >= 0.0);
            let (of, factor) = if is_positive(right) { (left, right) } else { (right, left) };
            if !is_positive(factor) {
                return Bounds::default();
            }
            // A non-negative factor keeps the sign, so each end depends on which side of zero it is.
            Bounds {
                low: of.low.and_then(|low| product(Some(low), if low < 0.0 { factor.high } else { factor.low })),
                high: of.high.and_then(|high| product(Some(high), if high < 0.0 { factor.low } else { factor.high })),
            }
        }
        BinaryOperator::Divide => match (right.low, right.high) {
            (Some(low), Some(high)) if low == high && low > 0.0 => {
                Bounds { low: left.low.map(|left| left / low), high: left.high.map(|left| left / low) }
            }
            _ => Bounds::default(),
        },
        _ => Bounds::default(),
    }
}

fn of_function(function: &Function, names: &Names, depth: usize) -> Bounds {
    let FunctionArguments::List(list) = &function.args else { return Bounds::default() };
    let arguments = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(bounds(expr, names, depth - 1)),
        _ => None,
    });
    let all: Vec<Bounds> = arguments.collect();
    let lows = || all.iter().filter_map(|bounds| bounds.low);
    let highs = || all.iter().filter_map(|bounds| bounds.high);
    let known = |count: usize| count == all.len();
    let from_zero = Bounds { low: Some(0.0), high: None };
    match simple(&function.name).unwrap_or_default().as_str() {
        "least" => Bounds {
            low: if known(lows().count()) { lows().reduce(f64::min) } else { None },
            high: highs().reduce(f64::min),
        },
        "greatest" => Bounds {
            low: lows().reduce(f64::max),
            high: if known(highs().count()) { highs().reduce(f64::max) } else { None },
        },
        "coalesce" => union(all.into_iter()),
        "min" | "max" | "avg" | "median" | "first_value" | "last_value" | "round" => {
            all.first().copied().unwrap_or_default()
        }
        "count" | "exp" | "abs" | "sqrt" | "row_number" | "power" | "char_length" | "cardinality" => from_zero,
        "ln" | "log10" | "log2" => {
            // The argument is at least 1.
            let is_above_one = all.first().and_then(|bounds| bounds.low).is_some_and(|low| low >= 1.0);
            if is_above_one { from_zero } else { Bounds::default() }
        }
        _ => Bounds::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::rules::check::parse;

    #[test]
    fn names_that_stand_for_names_are_looked_at_once() {
        let mut sql = "SELECT 0.0 AS a0".to_owned();
        for i in 1..60 {
            sql.push_str(&format!(", a{} + a{} AS a{i}", i - 1, i - 1));
        }
        sql.push_str(", a59 AS confidence, confidence * 0.5 + confidence AS confidence FROM t");
        assert_eq!(highest(&parse(&sql).unwrap(), "a59"), Some(0.0));
        assert_eq!(highest(&parse(&sql).unwrap(), "confidence"), None);
    }

    #[test]
    fn how_high_a_confidence_gets() {
        for (sql, expected) in [
            ("SELECT 0.9 AS confidence", Some(0.9)),
            ("SELECT least(0.97, 0.2 * count(*)) AS confidence", Some(0.97)),
            ("SELECT 0.2 * count(*) AS confidence", None),
            ("SELECT least(n, m) AS confidence", None),
            ("SELECT CASE WHEN a THEN 0.5 WHEN b THEN 1.2 ELSE 0 END AS confidence", Some(1.2)),
            ("SELECT CASE WHEN a THEN 0.5 ELSE n END AS confidence", None),
            ("SELECT 1 - exp(-(n - 2) / 5) AS confidence", Some(1.0)),
            ("SELECT 0.5 * least(1.0, n) AS confidence", Some(0.5)),
            ("SELECT least(0.8, n) * (0 - 0.5) AS confidence", None),
            ("SELECT (1 - exp(n)) * CASE WHEN x THEN 0.5 ELSE 1.0 END AS confidence", Some(1.0)),
            ("SELECT (0 - count(*)) * least(0.5, n) AS confidence", None),
            ("SELECT 0.5 * least(1.0, greatest(0, n)) AS confidence", Some(0.5)),
            ("SELECT 0.9 + 0.15 * max(CASE WHEN x THEN 1 ELSE 0 END) AS confidence", Some(1.05)),
            ("WITH a AS (SELECT least(0.8, n) AS c FROM t) SELECT c AS confidence FROM a", Some(0.8)),
            ("WITH a AS (SELECT least(0.8, n) AS confidence FROM t) SELECT src, confidence FROM a", Some(0.8)),
            (
                "WITH a AS (SELECT 0.8 AS confidence FROM t) SELECT src, max(a.confidence) * 0.5 AS confidence FROM a",
                None,
            ),
            ("SELECT confidence AS confidence FROM t", None),
            ("SELECT c AS confidence FROM (SELECT confidence AS c FROM t)", None),
            ("SELECT CAST(coalesce(0.3, -(-0.4)) AS DOUBLE) / 2 AS confidence", Some(0.2)),
            ("SELECT src FROM t", None),
        ] {
            assert_eq!(highest(&parse(sql).unwrap(), "confidence"), expected, "{sql}");
        }
    }
}
