//! Validates the SQL of rules: a single query that reads tables of detection, and nothing else.
//!
//! Rules may come from third parties, so their SQL is checked before it reaches DataFusion. [`check`] analyzes the
//! query and returns the tables it reads and the columns it returns; anything that could read files, write, or change
//! the session is an error.

use super::bounds;
use super::problem::{Problem, hint_of_names};
use crate::Error;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, Ident, ObjectName, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Visit, Visitor, WindowType, With,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Table functions that read nothing but their arguments.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "range", "unnest"];

/// Functions whose results differ between runs.
const OF_THE_MOMENT: [&str; 8] =
    ["now", "today", "current_date", "current_time", "current_timestamp", "localtimestamp", "random", "uuid"];

/// Aggregates whose results depend on the order of rows, which differs between runs.
const OF_AN_ORDER: [&str; 6] = ["array_agg", "string_agg", "any_value", "first_value", "last_value", "nth_value"];

/// Facts about a valid query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Checked {
    /// Tables that it reads.
    pub(crate) tables: BTreeSet<String>,
    /// Named columns that it returns.
    pub(crate) columns: Vec<String>,
    /// Whether it returns further columns: `*`, or expressions without a name.
    pub(crate) more_columns: bool,
    /// A function that it uses whose result differs between runs.
    pub(crate) of_the_moment: Option<String>,
    /// An aggregate that it uses that depends on the order of rows.
    pub(crate) unordered: Option<String>,
    /// Whether its own result, not just that of a subquery, is `*`.
    pub(crate) wildcard: bool,
    /// Upper bound of the confidence, if it can be determined.
    pub(crate) highest: Option<f64>,
}

/// Validates a query over these tables. Parameters must have been substituted.
pub(crate) fn check(sql: &str, tables: &[&str]) -> Result<Checked, Problem> {
    let query = parse(sql)?;
    let mut look = Look { known: Some(tables), scopes: Vec::new(), found: Checked::default() };
    if let ControlFlow::Break(problem) = query.visit(&mut look) {
        return Err(problem);
    }
    let mut checked = look.found;
    let result = result_of(&query.body);
    checked.wildcard = result.is_none_or(|select| select.projection.iter().any(is_wildcard));
    (checked.columns, checked.more_columns) = result.map_or((Vec::new(), true), columns_of);
    checked.highest = bounds::highest(&query, "confidence");
    Ok(checked)
}

/// The tables that a query reads, without the names of its own `WITH` clauses.
///
/// # Errors
///
/// Fails if the SQL is not a query that a rule may have.
pub fn tables_of(sql: &str) -> Result<BTreeSet<String>, Error> {
    let mut look = Look { known: None, scopes: Vec::new(), found: Checked::default() };
    let query = parse(sql).map_err(|problem| problem.without_place())?;
    match query.visit(&mut look) {
        ControlFlow::Break(problem) => Err(problem.without_place()),
        ControlFlow::Continue(()) => Ok(look.found.tables),
    }
}

/// Parses SQL that must be a single query.
pub(super) fn parse(sql: &str) -> Result<Box<Query>, Problem> {
    let one = "a rule's SQL is one SELECT, or WITH … SELECT";
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| parser_problem(&format!("{}{}", error.message, error.location)))?;
    let first = tokens.iter().map(|token| &token.token).find(|token| !matches!(token, Token::Whitespace(_)));
    match first {
        None => return Err(Problem::new("the SQL is empty").with_hint(one)),
        Some(Token::LParen) => {}
        Some(Token::Word(word)) if matches!(word.keyword, Keyword::SELECT | Keyword::WITH) => {}
        // Checked before parsing, because the parser's messages for other statements are not helpful.
        Some(other) => return Err(Problem::new(format!("the SQL is not a query, but {other}")).with_hint(one)),
    }
    let statements = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens).parse_statements();
    let mut statements = statements.map_err(|error| parser_problem(&error.to_string()))?.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(query),
        (Some(_), Some(_)) => Err(Problem::new("the SQL is more than one statement").with_hint(one)),
        _ => Err(Problem::new("the SQL is not a query").with_hint(one)),
    }
}

/// Converts a parser message, moving its position to the line of the problem.
fn parser_problem(message: &str) -> Problem {
    let (text, line) = parser_message(message);
    Problem::new(format!("the SQL cannot be parsed: {text}")).below(line.saturating_sub(1))
}

/// What a parser message says, and its line, from 1.
pub(super) fn parser_message(message: &str) -> (&str, usize) {
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    let (text, place) = message.rsplit_once(" at Line: ").unwrap_or((message, ""));
    (text, place.split(',').next().and_then(|line| line.trim().parse().ok()).unwrap_or(1))
}

/// The names of a `WITH` clause with the queries they stand for, and how many of them are visible to the visitor at
/// this point.
struct Scope {
    names: Vec<(String, usize)>,
    known: usize,
    recursive: bool,
}

impl Scope {
    fn of(with: Option<&With>) -> Self {
        let ctes = with.map(|with| with.cte_tables.as_slice()).unwrap_or_default();
        let names = ctes.iter().map(|cte| (folded(&cte.alias.name), address(&cte.query))).collect();
        Self { names, known: 0, recursive: with.is_some_and(|with| with.recursive) }
    }
}

/// Distinguishes identical queries in a tree.
fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

/// A name as interpreted by DataFusion: unquoted names are case-insensitive.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// A name without qualification.
pub(super) fn simple(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(folded),
        _ => None,
    }
}

/// Visits a query. `known`: the tables that exist, if that is to be checked.
struct Look<'a> {
    known: Option<&'a [&'a str]>,
    scopes: Vec<Scope>,
    found: Checked,
}

impl Look<'_> {
    fn table(&mut self, name: &ObjectName) -> ControlFlow<Problem> {
        let Some(table) = simple(name) else {
            let problem = Problem::new(format!("`{name}` is not a table that rules can read"));
            return ControlFlow::Break(problem.with_hint("use tables of detection, without a schema"));
        };
        let is_cte =
            self.scopes.iter().any(|scope| scope.names.iter().take(scope.known).any(|(name, _)| *name == table));
        if is_cte {
            return ControlFlow::Continue(());
        }
        if let Some(known) = self.known
            && !known.contains(&table.as_str())
        {
            let problem = Problem::new(format!("`{table}` is not a table that rules can read"));
            return ControlFlow::Break(problem.with_hint(hint_of_names(&table, known.iter().copied())));
        }
        self.found.tables.insert(table);
        ControlFlow::Continue(())
    }
}

fn refuse<T>(what: &str) -> ControlFlow<Problem, T> {
    let problem = Problem::new(format!("{what} is not allowed in a rule"));
    ControlFlow::Break(problem.with_hint("rules only read: SELECT from tables of detection"))
}

impl Visitor for Look<'_> {
    type Break = Problem;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Problem> {
        // The query itself is visited rather than its statement, so a statement here is nested.
        refuse(statement.to_string().split_whitespace().next().unwrap_or_default())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Problem> {
        if let Some(scope) = self.scopes.last_mut()
            && let Some(place) = scope.names.iter().position(|(_, of)| *of == address(query))
        {
            scope.known = place + usize::from(scope.recursive);
        }
        self.scopes.push(Scope::of(query.with.as_ref()));
        if matches!(*query.body, SetExpr::Table(_)) {
            return refuse("TABLE without SELECT");
        }
        if !query.locks.is_empty() || query.for_clause.is_some() {
            return refuse("FOR …");
        }
        if query.settings.is_some() || query.format_clause.is_some() {
            return refuse("SETTINGS or FORMAT");
        }
        if !query.pipe_operators.is_empty() {
            return refuse("a query with |>");
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Problem> {
        self.scopes.pop();
        if let Some(scope) = self.scopes.last_mut()
            && let Some(place) = scope.names.iter().position(|(_, of)| *of == address(query))
        {
            scope.known = place + 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Problem> {
        if select.into.is_some() {
            return refuse("SELECT INTO");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Problem> {
        match factor {
            TableFactor::Table { name, args: None, .. } => self.table(name),
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                if simple(name).is_some_and(|name| TABLE_FUNCTIONS.contains(&name.as_str())) {
                    return ControlFlow::Continue(());
                }
                refuse(&format!("the table function `{name}`"))
            }
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } | TableFactor::UNNEST { .. } => {
                ControlFlow::Continue(())
            }
            other => refuse(&format!("`{other}`")),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Problem> {
        if let Expr::Function(function) = expr
            && let Some(name) = simple(&function.name)
        {
            if OF_THE_MOMENT.contains(&name.as_str()) {
                self.found.of_the_moment.get_or_insert(name);
            } else if OF_AN_ORDER.contains(&name.as_str()) && !has_order(function) {
                self.found.unordered.get_or_insert(name);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether an aggregate call has an ORDER BY.
fn has_order(function: &Function) -> bool {
    let is_order = |clause: &FunctionArgumentClause| matches!(clause, FunctionArgumentClause::OrderBy(_));
    let of_arguments = match &function.args {
        FunctionArguments::List(list) => list.clauses.iter().any(is_order),
        _ => false,
    };
    let of_window = match &function.over {
        Some(WindowType::WindowSpec(window)) => !window.order_by.is_empty(),
        Some(WindowType::NamedWindow(_)) => true,
        None => false,
    };
    of_arguments || of_window || !function.within_group.is_empty()
}

/// The SELECT that determines the column names of a query.
fn result_of(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => result_of(&query.body),
        // The first SELECT names the columns of a set operation.
        SetExpr::SetOperation { left, .. } => result_of(left),
        _ => None,
    }
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// Names of result columns, and whether there are others.
fn columns_of(select: &Select) -> (Vec<String>, bool) {
    let mut names = Vec::new();
    let mut more = false;
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => names.push(folded(alias)),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => names.push(folded(name)),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => names.extend(parts.last().map(folded)),
            _ => more = true,
        }
    }
    (names, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &[&str] = &["s3_trail", "s3_trail_7d", "good"];

    #[test]
    fn what_may_be_run() {
        for (sql, tables, columns) in [
            ("SELECT src, 0.5 AS confidence FROM s3_trail", "s3_trail", "src confidence"),
            ("select SRC, t.Confidence from S3_TRAIL t;", "s3_trail", "src confidence"),
            (
                "WITH k AS (SELECT 1 AS x FROM good) SELECT x AS \"Q\" FROM k JOIN s3_trail USING (x)",
                "good s3_trail",
                "Q",
            ),
            ("WITH good AS (SELECT n FROM good) SELECT n FROM good", "good", "n"),
            ("WITH RECURSIVE good AS (SELECT 1 AS n UNION ALL SELECT n FROM good) SELECT n FROM good", "", "n"),
            ("WITH a AS (SELECT 1 AS good), b AS (SELECT good FROM a) SELECT good FROM b", "", "good"),
            ("SELECT a FROM (SELECT 1 AS a) x WHERE EXISTS (SELECT 1 FROM good)", "good", "a"),
            ("(SELECT a FROM good) UNION ALL SELECT b FROM s3_trail", "good s3_trail", "a"),
            ("SELECT v FROM unnest([1, 2]) AS t(v) CROSS JOIN generate_series(1, 3)", "", "v"),
            ("SELECT 1 AS a WHERE 1 IN (WITH q AS (SELECT 1 AS z) SELECT z FROM q)", "", "a"),
            ("SELECT src AS s, n FROM good QUALIFY row_number() OVER (PARTITION BY src ORDER BY n) = 1", "good", "s n"),
        ] {
            let checked = check(sql, TABLES).unwrap_or_else(|problem| panic!("{sql}: {problem:?}"));
            assert_eq!(checked.tables.iter().map(String::as_str).collect::<Vec<_>>().join(" "), tables, "{sql}");
            assert_eq!(checked.columns.join(" "), columns, "{sql}");
            assert!(!checked.more_columns, "{sql}");
            assert_eq!(tables_of(sql).ok(), Some(checked.tables), "{sql}");
        }
    }

    #[test]
    fn what_may_not() {
        let read = Some("rules only read: SELECT from tables of detection");
        let one = Some("a rule's SQL is one SELECT, or WITH … SELECT");
        for (sql, message, hint) in [
            ("", "the SQL is empty", one),
            ("SELECT 1; SELECT 2", "the SQL is more than one statement", one),
            ("DROP TABLE good", "the SQL is not a query, but DROP", one),
            ("COPY good TO '/tmp/x.csv'", "the SQL is not a query, but COPY", one),
            ("EXPLAIN SELECT 1", "the SQL is not a query, but EXPLAIN", one),
            ("SET x = 1", "the SQL is not a query, but SET", one),
            ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x'", "the SQL is not a query, but CREATE", one),
            ("SELECT 1 AS a INTO t FROM good", "SELECT INTO is not allowed in a rule", read),
            ("WITH x AS (DELETE FROM good RETURNING n) SELECT n FROM x", "DELETE is not allowed in a rule", read),
            ("WITH x AS (INSERT INTO good VALUES (1)) SELECT 1", "INSERT is not allowed in a rule", read),
            ("SELECT a FROM read_csv('/etc/passwd')", "the table function `read_csv` is not allowed in a rule", read),
            ("TABLE good", "the SQL is not a query, but TABLE", one),
            ("SELECT n FROM good FOR UPDATE", "FOR … is not allowed in a rule", read),
            (
                "SELECT a FROM s3_trial",
                "`s3_trial` is not a table that rules can read",
                Some("did you mean `s3_trail`?"),
            ),
            (
                "SELECT a FROM '/etc/passwd'",
                "`/etc/passwd` is not a table that rules can read",
                Some("there are: `s3_trail`, `s3_trail_7d`, `good`"),
            ),
            (
                "SELECT a FROM information_schema.tables",
                "`information_schema.tables` is not a table that rules can read",
                Some("use tables of detection, without a schema"),
            ),
            (
                "SELECT 1 AS a WHERE EXISTS (SELECT 1 FROM logs)",
                "`logs` is not a table that rules can read",
                Some("there are: `s3_trail`, `s3_trail_7d`, `good`"),
            ),
            // A name of a WITH clause is unknown outside of it.
            (
                "SELECT 1 AS a FROM (WITH k AS (SELECT 1 AS x) SELECT x FROM k) JOIN k ON TRUE",
                "`k` is not a table that rules can read",
                Some("there are: `s3_trail`, `s3_trail_7d`, `good`"),
            ),
        ] {
            let error = check(sql, TABLES).map(|_| ()).unwrap_err().without_place();
            assert_eq!((error.to_string().as_str(), error.hint()), (message, hint), "{sql}");
        }
    }

    #[test]
    fn the_line_of_an_error_is_kept() {
        let error = check("SELECT a\nFROM good\nWHERE )", TABLES).unwrap_err().in_file("r.toml", 10);
        assert_eq!(error.to_string(), "r.toml:12: the SQL cannot be parsed: Expected: an expression, found: )");
    }

    #[test]
    fn what_lint_wants_to_know() {
        let checked = check("SELECT *, count(*) FROM s3_trail WHERE ts > now()", TABLES).unwrap();
        assert!(checked.wildcard && checked.more_columns);
        assert_eq!(checked.of_the_moment.as_deref(), Some("now"));
        let checked = check("SELECT n FROM (SELECT *, count(*) AS n FROM s3_trail)", TABLES).unwrap();
        assert!(!checked.wildcard && checked.of_the_moment.is_none());
        let unordered = |list: &str| check(&format!("SELECT {list} FROM s3_trail"), TABLES).unwrap().unordered;
        assert_eq!(unordered("array_slice(array_agg(DISTINCT key), 1, 5)").as_deref(), Some("array_agg"));
        assert_eq!(unordered("array_agg(key ORDER BY ts, key) FILTER (WHERE ok)"), None);
        assert_eq!(unordered("first_value(key) OVER (PARTITION BY src ORDER BY ts)"), None);
        assert_eq!(unordered("first_value(key) OVER (PARTITION BY src)").as_deref(), Some("first_value"));
    }
}
