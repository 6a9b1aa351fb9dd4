//! `[match]`: simple rules without SQL, which are compiled to SQL.
//!
//! Semantics: count the requests for which `where` holds, in windows of length `within`, for each `group`; report a
//! finding if there are at least `at_least` of them, or that many distinct values of `distinct`. Of overlapping
//! windows, the one with the highest confidence is reported. CDNs and allowed addresses never count.

use super::check::parser_message;
use super::parameters::{is_name, shown};
use super::problem::{Problem, did_you_mean};
use super::rule::Entity;
use crate::detect::tables::{TRAIL, WINDOWS};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Columns returned by every compiled rule.
const OWN: [&str; 7] = ["n", "d", "w", "first", "last", "evidence", "confidence"];

/// The table `[match]` of a rule file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    /// SQL condition on the requests to count.
    #[serde(rename = "where")]
    condition: String,
    /// Expression whose distinct values are counted.
    distinct: Option<String>,
    /// Columns to group by.
    group: Option<Vec<String>>,
    /// Minimum count.
    at_least: Option<toml::Value>,
    /// Length of the windows.
    within: Option<String>,
    /// Confidence: a number, or an expression of `n` and `d`.
    confidence: toml::Value,
    /// Further columns: aggregates over the group.
    #[serde(default)]
    columns: BTreeMap<String, String>,
}

impl Match {
    /// The length of the windows, if any.
    pub(super) fn within(&self) -> Option<&str> {
        self.within.as_deref()
    }

    /// Compiles to SQL; parameters are kept.
    pub(super) fn compile(&self, entity: Entity) -> Result<String, Problem> {
        let table = self.table()?;
        let group = self.group(entity)?;
        let condition = expression("where", &self.condition)?;
        let counted = match &self.distinct {
            Some(distinct) => format!("count(DISTINCT {})", expression("distinct", distinct)?),
            None => "count(*)".to_owned(),
        };
        let shown = self.distinct.as_deref().map_or("uri", str::trim);
        let confidence = self.confidence()?;
        let columns = self.columns()?;

        let windowed = self.within.is_some();
        let selected: Vec<String> = group.iter().map(|(name, column)| renamed(column, name)).collect();
        let mut by: Vec<&str> = group.iter().map(|(_, column)| *column).collect();
        let mut sql = String::from("WITH hits AS (\n    SELECT\n");
        let mut lines = selected;
        if windowed {
            lines.push("w".to_owned());
            by.push("w");
        }
        lines.push("count(*) AS n".to_owned());
        lines.push(format!("{counted} AS d"));
        lines.extend(columns.iter().map(|(name, expression)| format!("{expression} AS {name}")));
        lines.push("min(ts) AS first".to_owned());
        lines.push("max(ts) AS last".to_owned());
        lines.push(format!(
            "array_slice(array_agg(DISTINCT {shown} ORDER BY {shown}) FILTER (WHERE {shown} IS NOT NULL), 1, 5) AS evidence"
        ));
        sql.push_str(&listed(&lines, 8));
        sql.push_str(&format!("    FROM {table}\n    WHERE ({condition})\n        AND NOT is_cdn AND NOT is_allow\n"));
        sql.push_str(&format!("    GROUP BY {}\n", by.join(", ")));
        if let Some(at_least) = self.at_least()? {
            sql.push_str(&format!("    HAVING {counted} >= {at_least}\n"));
        }
        let names: Vec<&str> = group.iter().map(|(name, _)| *name).collect();
        let mut told = names.clone();
        told.extend(["n", "d"]);
        told.extend(columns.iter().map(|(name, _)| *name));
        told.extend(["first", "last", "evidence"]);
        let told = told.join(", ");
        let rated = match self.confidence {
            toml::Value::String(_) => format!("least(1.0, greatest(0.0, {confidence})) AS confidence"),
            _ => format!("{confidence} AS confidence"),
        };
        if windowed {
            sql.push_str(&format!(
                "), rated AS (\n    SELECT w, {told},\n        {rated}\n    FROM hits\n)\nSELECT {told}, confidence\nFROM rated\n"
            ));
            let partition = names.join(", ");
            sql.push_str(&format!(
                "QUALIFY row_number() OVER (PARTITION BY {partition} ORDER BY confidence DESC, n DESC, w) = 1\n"
            ));
        } else {
            sql.push_str(&format!(")\nSELECT {told},\n    {rated}\nFROM hits\n"));
        }
        Ok(sql)
    }

    fn table(&self) -> Result<&'static str, Problem> {
        let Some(within) = self.within() else { return Ok(TRAIL) };
        match WINDOWS.iter().find(|window| window.length == within) {
            Some(window) => Ok(window.table),
            None => {
                let problem = Problem::new(format!("`within = \"{within}\"` is not a window that has a table"));
                Err(problem.with_hint(format!("one of: {}", lengths().collect::<Vec<_>>().join(", "))))
            }
        }
    }

    /// Names of the grouping columns in the result and in the table.
    fn group(&self, entity: Entity) -> Result<Vec<(&str, &str)>, Problem> {
        let Some(group) = &self.group else {
            return Ok(vec![(entity.column(), column_of(entity.column()))]);
        };
        for name in group {
            if !is_name(name) || OWN.contains(&name.as_str()) || self.columns.contains_key(name) {
                let problem = Problem::new(format!("`group` has `{name}`, which is not a column to group by"));
                return Err(problem.with_hint("name columns of s3_trail, such as \"src\" and \"bucket\""));
            }
        }
        if !group.iter().any(|name| name == entity.column()) {
            let column = entity.column();
            let problem = Problem::new(format!("`group` is without `{column}`, which the rule is about"));
            return Err(problem.with_hint(format!("add \"{column}\" to `group`, or change `entity`")));
        }
        Ok(group.iter().map(|name| (name.as_str(), column_of(name))).collect())
    }

    fn at_least(&self) -> Result<Option<String>, Problem> {
        match &self.at_least {
            None | Some(toml::Value::Integer(1)) => Ok(None),
            Some(toml::Value::Integer(number)) if *number > 1 => Ok(Some(number.to_string())),
            Some(toml::Value::String(text)) => Ok(Some(expression("at_least", text)?.to_owned())),
            Some(other) => Err(Problem::new(format!("`at_least = {}` is not a number of requests", shown(other)))
                .with_hint("a number of at least 1, or a parameter: \"$min\"")),
        }
    }

    fn confidence(&self) -> Result<String, Problem> {
        let number = match &self.confidence {
            toml::Value::Float(number) => *number,
            toml::Value::Integer(number) => *number as f64,
            toml::Value::String(text) => return Ok(expression("confidence", text)?.to_owned()),
            other => {
                let problem = Problem::new(format!("`confidence = {}` is not a confidence", shown(other)));
                return Err(problem.with_hint("a number from 0 to 1, or SQL of `n` and `d`"));
            }
        };
        if (0.0..=1.0).contains(&number) {
            return Ok(format!("{number:?}"));
        }
        Err(Problem::new(format!("`confidence = {number:?}` is not from 0 to 1"))
            .with_hint("1 means: certainly an attacker"))
    }

    fn columns(&self) -> Result<Vec<(&str, &str)>, Problem> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, text) in &self.columns {
            if !is_name(name) || OWN.contains(&name.as_str()) {
                let problem = Problem::new(format!("[match.columns] has `{name}`, which is not a name for a column"));
                return Err(
                    problem.with_hint(format!("small letters, digits and `_`, and none of: {}", OWN.join(", ")))
                );
            }
            columns.push((name.as_str(), expression(name, text)?));
        }
        Ok(columns)
    }
}

/// Lengths of the windows that have a table.
fn lengths() -> impl Iterator<Item = &'static str> {
    WINDOWS.iter().map(|window| window.length)
}

/// The table column behind a result column.
fn column_of(name: &str) -> &str {
    if name == Entity::Referer.column() { "referer_host" } else { name }
}

fn renamed(column: &str, name: &str) -> String {
    if column == name { name.to_owned() } else { format!("{column} AS {name}") }
}

/// Joins lines with commas and indentation.
fn listed(lines: &[String], indent: usize) -> String {
    let indent = " ".repeat(indent);
    let mut text = lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join(",\n");
    text.push('\n');
    text
}

/// Checks that a text is a single SQL expression: with nothing after it, and no comment that would swallow what
/// follows.
pub(super) fn expression<'a>(key: &str, text: &'a str) -> Result<&'a str, Problem> {
    let wrong = |why: String| {
        Problem::new(format!("`{key} = \"{}\"` is not a SQL expression: {why}", text.escape_debug()))
            .with_hint("write an expression as after SELECT or WHERE, without a comment")
    };
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize().map_err(|error| wrong(error.message))?;
    let is_comment = |token: &Token| {
        matches!(token, Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)))
    };
    if tokens.iter().any(is_comment) {
        return Err(wrong("it has a comment".to_owned()));
    }
    let mut parser = Parser::new(&GenericDialect {}).with_tokens(tokens);
    parser.parse_expr().map_err(|error| wrong(parser_message(&error.to_string()).0.to_owned()))?;
    match parser.peek_token().token {
        Token::EOF => Ok(text.trim()),
        other => Err(wrong(format!("`{other}` comes after its end"))),
    }
}

/// The problem of an unsupported window length.
pub(super) fn no_window(key: &str, text: &str) -> Problem {
    let problem = Problem::new(format!("`{key} = \"{}\"` is not a duration", text.escape_debug()));
    let near = did_you_mean(text, lengths());
    problem.with_hint(near.unwrap_or_else(|| "a number with a unit: \"30m\", \"24h\", \"7d\"".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::rules::check::check;
    use crate::detect::rules::parameters;
    use crate::detect::tables;

    fn compiled(text: &str, entity: Entity) -> Result<String, Problem> {
        toml::from_str::<Match>(text).unwrap().compile(entity)
    }

    #[test]
    fn a_match_becomes_sql() {
        let text = "where = \"anon AND payload\"\ndistinct = \"uri\"\ngroup = [\"src\"]\nat_least = 2\nwithin = \"24h\"\nconfidence = 0.9";
        let expected = "\
WITH hits AS (
    SELECT
        src,
        w,
        count(*) AS n,
        count(DISTINCT uri) AS d,
        min(ts) AS first,
        max(ts) AS last,
        array_slice(array_agg(DISTINCT uri ORDER BY uri) FILTER (WHERE uri IS NOT NULL), 1, 5) AS evidence
    FROM s3_trail_24h
    WHERE (anon AND payload)
        AND NOT is_cdn AND NOT is_allow
    GROUP BY src, w
    HAVING count(DISTINCT uri) >= 2
), rated AS (
    SELECT w, src, n, d, first, last, evidence,
        0.9 AS confidence
    FROM hits
)
SELECT src, n, d, first, last, evidence, confidence
FROM rated
QUALIFY row_number() OVER (PARTITION BY src ORDER BY confidence DESC, n DESC, w) = 1
";
        assert_eq!(compiled(text, Entity::Src).as_deref(), Ok(expected));
    }

    #[test]
    fn without_windows_it_is_simpler() {
        let text = "where = \"hostile_tool IS NOT NULL\"\nconfidence = \"least(0.9, $c * n)\"\n[columns]\nok = \"count(*) FILTER (WHERE ok)\"";
        let expected = "\
WITH hits AS (
    SELECT
        referer_host AS referer,
        count(*) AS n,
        count(*) AS d,
        count(*) FILTER (WHERE ok) AS ok,
        min(ts) AS first,
        max(ts) AS last,
        array_slice(array_agg(DISTINCT uri ORDER BY uri) FILTER (WHERE uri IS NOT NULL), 1, 5) AS evidence
    FROM s3_trail
    WHERE (hostile_tool IS NOT NULL)
        AND NOT is_cdn AND NOT is_allow
    GROUP BY referer_host
)
SELECT referer, n, d, ok, first, last, evidence,
    least(1.0, greatest(0.0, least(0.9, $c * n))) AS confidence
FROM hits
";
        assert_eq!(compiled(text, Entity::Referer).as_deref(), Ok(expected));
    }

    #[test]
    fn every_form_is_a_query_that_may_run() {
        for entity in Entity::ALL {
            for group in ["", "group = [\"bucket\", \"src\", \"requester\", \"referer\"]"] {
                for within in ["", "within = \"1h\"", "within = \"7d\""] {
                    for rest in [
                        "at_least = 1",
                        "at_least = \"$min\"\ndistinct = \"lower(key)\"",
                        "columns = {a = \"max(status)\"}",
                    ] {
                        let text = format!("where = \"anon\"\nconfidence = \"0.1 * n\"\n{group}\n{within}\n{rest}");
                        let values = [("min".to_owned(), parameters::ParamValue::Integer(3))].into();
                        let sql = parameters::substitute(&compiled(&text, entity).unwrap(), &values).unwrap();
                        let checked =
                            check(&sql, &tables::names()).unwrap_or_else(|problem| panic!("{sql}: {problem:?}"));
                        assert!(checked.columns.iter().any(|column| column == entity.column()), "{sql}");
                        assert!(!checked.more_columns && !checked.wildcard);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let sql = "write an expression as after SELECT or WHERE, without a comment";
        for (text, message, hint) in [
            (
                "where=\"a AND\"\nconfidence=1",
                "`where = \"a AND\"` is not a SQL expression: Expected: an expression, found: EOF",
                sql,
            ),
            (
                "where=\"a) OR (b\"\nconfidence=1",
                "`where = \"a) OR (b\"` is not a SQL expression: `)` comes after its end",
                sql,
            ),
            ("where=\"a -- b\"\nconfidence=1", "`where = \"a -- b\"` is not a SQL expression: it has a comment", sql),
            ("where=\"a\"\nconfidence=1.5", "`confidence = 1.5` is not from 0 to 1", "1 means: certainly an attacker"),
            (
                "where=\"a\"\nconfidence=true",
                "`confidence = true` is not a confidence",
                "a number from 0 to 1, or SQL of `n` and `d`",
            ),
            (
                "where=\"a\"\nconfidence=1\nat_least=0",
                "`at_least = 0` is not a number of requests",
                "a number of at least 1, or a parameter: \"$min\"",
            ),
            (
                "where=\"a\"\nconfidence=1\nwithin=\"2h\"",
                "`within = \"2h\"` is not a window that has a table",
                "one of: 1h, 6h, 24h, 48h, 7d",
            ),
            (
                "where=\"a\"\nconfidence=1\ngroup=[\"bucket\"]",
                "`group` is without `src`, which the rule is about",
                "add \"src\" to `group`, or change `entity`",
            ),
            (
                "where=\"a\"\nconfidence=1\ngroup=[\"src\", \"lower(key)\"]",
                "`group` has `lower(key)`, which is not a column to group by",
                "name columns of s3_trail, such as \"src\" and \"bucket\"",
            ),
            (
                "where=\"a\"\nconfidence=1\ncolumns={n=\"1\"}",
                "[match.columns] has `n`, which is not a name for a column",
                "small letters, digits and `_`, and none of: n, d, w, first, last, evidence, confidence",
            ),
        ] {
            let error = compiled(text, Entity::Src).unwrap_err().without_place();
            assert_eq!((error.to_string().as_str(), error.hint()), (message, Some(hint)), "{text}");
        }
    }
}
