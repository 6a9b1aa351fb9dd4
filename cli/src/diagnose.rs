//! Turns errors of DataFusion into messages for users: what is wrong, where in the SQL, and what was probably meant.
//! DataFusion's errors are nested: a diagnostic with a location around a plan error around a cause. The location comes
//! from the outermost diagnostic, the text from the innermost error that has something to say.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use datafusion::arrow::error::ArrowError;
use datafusion::common::{Diagnostic, SchemaError, Span};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::failure::Failure;
use crate::sql_span::{SqlSpan, render};

/// The tables that only exist if there is a source.
const TABLES_OF_SOURCES: [&str; 5] = ["logs", "cdn", "requests", "visitor_requests", "rejects"];

/// Context for a diagnosis.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The complete SQL text, including all of its statements.
    pub sql: &'a str,
    /// For the names of tables, columns and functions.
    pub context: &'a SessionContext,
    pub has_sources: bool,
}

/// Describes `error` for users.
pub(crate) fn diagnose(error: &DataFusionError, scene: Scene<'_>) -> Failure {
    if let Some(error) = s3log_engine::Error::find(error) {
        return Failure::from(error);
    }
    let (root, diagnostic) = root_of(error);
    let place = diagnostic.and_then(|diagnostic| diagnostic.span).map(SqlSpan::from_span);
    let at = |place: Option<SqlSpan>| place.and_then(|place| render(scene.sql, place));
    match root {
        DataFusionError::SQL(error, _) => syntax(error, scene.sql),
        DataFusionError::SchemaError(error, _) => {
            let (failure, name) = schema(error);
            let place = place.or_else(|| name.and_then(|name| SqlSpan::of_word(scene.sql, name)));
            let quoted = place.is_some_and(|place| place.text(scene.sql).is_some_and(|text| text.starts_with('"')));
            let failure = failure.with_place(at(place));
            match name {
                Some(name) if quoted => {
                    failure.with_hint(format!("double quotes are for names; put text in single quotes: '{name}'"))
                }
                _ => failure,
            }
        }
        DataFusionError::Plan(message) => {
            let diagnosis = diagnostic.map_or("", |diagnostic| diagnostic.message.as_str());
            let named = |before, after| between(diagnosis, before, after).or_else(|| between(message, before, after));
            if let Some(name) = named("table '", "' not found") {
                let place = place.or_else(|| SqlSpan::of_word(scene.sql, short_name(name)));
                return table(short_name(name), scene).with_place(at(place));
            }
            if let Some(name) = named("Invalid function '", "'") {
                let place = place.or_else(|| SqlSpan::of_word(scene.sql, name));
                return function(name, scene.context).with_place(at(place));
            }
            if let Some(call) = between(message, "No function matches the given name and argument types '", "'") {
                return arguments(call, message, scene.sql);
            }
            // A diagnostic with a suggestion also has the better message.
            match diagnostic.and_then(|diagnostic| Some((&diagnostic.message, diagnostic.helps.first()?))) {
                Some((message, help)) => {
                    Failure::failed(without_full_stop(message)).with_hint(lower_first(&help.message))
                }
                None => Failure::failed(without_full_stop(&plain_types(message))),
            }
            .with_place(at(place))
        }
        other => plain(other).with_place(at(place)),
    }
}

/// The innermost error with a message, and the outermost diagnostic around it.
fn root_of(error: &DataFusionError) -> (&DataFusionError, Option<&Diagnostic>) {
    let mut at = error;
    let mut diagnostic = None;
    loop {
        at = match at {
            DataFusionError::Diagnostic(found, inner) => {
                diagnostic = diagnostic.or(Some(found.as_ref()));
                inner
            }
            DataFusionError::Context(_, inner) => inner,
            DataFusionError::Shared(inner) => inner,
            DataFusionError::Collection(errors) => match errors.first() {
                Some(first) => first,
                None => return (at, diagnostic),
            },
            DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
                ArrowError::ExternalError(inner) => match inner.downcast_ref() {
                    Some(inner) => inner,
                    None => return (at, diagnostic),
                },
                _ => return (at, diagnostic),
            },
            DataFusionError::External(inner) => match inner.downcast_ref() {
                Some(inner) => inner,
                None => return (at, diagnostic),
            },
            _ => return (at, diagnostic),
        };
    }
}

/// Errors without a location.
fn plain(error: &DataFusionError) -> Failure {
    match error {
        DataFusionError::ResourcesExhausted(message) => {
            let first = message.lines().next().unwrap_or_default();
            let first = first.split(" with top memory consumers").next().unwrap_or_default();
            Failure::failed(format!("the query needs more memory than allowed: {}", without_full_stop(first)))
                .with_hint("raise the limit with `--memory`, or query fewer groups, columns or sorted rows")
        }
        DataFusionError::NotImplemented(message) => {
            Failure::failed(format!("not supported: {}", without_full_stop(message)))
        }
        DataFusionError::Internal(message) => Failure::internal(without_full_stop(message))
            .with_hint("this is a bug; please report it with the SQL that triggers it"),
        DataFusionError::Configuration(message)
        | DataFusionError::Execution(message)
        | DataFusionError::Substrait(message)
        | DataFusionError::Ffi(message) => Failure::failed(without_full_stop(message)),
        DataFusionError::ArrowError(error, _) => {
            let failure = Failure::failed(without_full_stop(&arrow_message(error)));
            match error.as_ref() {
                ArrowError::CastError(text) | ArrowError::ParseError(text) if text.contains("timestamp") => {
                    failure.with_hint("a time is text such as '2026-01-31T10:00:00Z' or '2026-01-31'")
                }
                ArrowError::CastError(_) | ArrowError::ParseError(_) => {
                    failure.with_hint("`TRY_CAST` gives NULL where a value cannot be converted")
                }
                ArrowError::DivideByZero => failure.with_hint("`NULLIF(divisor, 0)` gives NULL instead"),
                _ => failure,
            }
        }
        DataFusionError::ExecutionJoin(error) => Failure::failed(format!("a part of the query ended early: {error}")),
        other => Failure::failed(without_full_stop(&other.message())),
    }
}

fn arrow_message(error: &ArrowError) -> String {
    match error {
        ArrowError::DivideByZero => "division by zero".to_owned(),
        ArrowError::CastError(message)
        | ArrowError::ParseError(message)
        | ArrowError::ComputeError(message)
        | ArrowError::ArithmeticOverflow(message)
        | ArrowError::InvalidArgumentError(message) => message.clone(),
        other => other.to_string(),
    }
}

/// Syntax errors.
fn syntax(error: &ParserError, sql: &str) -> Failure {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => return Failure::failed("the SQL is nested too deeply"),
    };
    let (message, place) = SqlSpan::split_from(text);
    // Errors at the end of input have no location.
    let place = place.or_else(|| message.ends_with("found: EOF").then(|| SqlSpan::end_of(sql)));
    let message = message.replace("Expected: ", "expected ").replace(", found: ", ", found ");
    let message = message.replace("found EOF", "found the end of the SQL");
    let failure = Failure::failed(format!("SQL syntax: {}", without_full_stop(&message)));
    failure.with_place(place.and_then(|place| render(sql, place)))
}

/// Missing or ambiguous columns, with the name that was used.
fn schema(error: &SchemaError) -> (Failure, Option<&str>) {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let name = field.name();
            let names: BTreeSet<&str> = valid_fields.iter().map(|field| field.name()).collect();
            let hint = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.len() {
                0 => "the query has no `FROM` with columns to choose from".to_owned(),
                1..=12 => format!("columns: {}", list(&names)),
                _ => "`s3log schema` lists the columns".to_owned(),
            });
            (Failure::failed(format!("no column `{name}`")).with_hint(hint), Some(name))
        }
        SchemaError::AmbiguousReference { field } => {
            let name = field.name();
            let failure = Failure::failed(format!("column `{name}` is in more than one table"));
            (failure.with_hint(format!("qualify it: `table.{name}`")), Some(name))
        }
        other => (Failure::failed(without_full_stop(&other.to_string())), None),
    }
}

/// Strips the default catalog and schema from the name of a table.
fn short_name(name: &str) -> &str {
    let name = name.strip_prefix("datafusion.").unwrap_or(name);
    name.strip_prefix("public.").unwrap_or(name)
}

/// Extensions of files that SQL can use as tables.
const FILES: [&str; 4] = ["parquet", "csv", "json", "arrow"];

/// A missing table whose name looks like a file: `FROM 'requests.parquet'`. Does not look into buckets.
fn file(name: &str) -> Option<Failure> {
    let path = Path::new(name);
    let is_known = |extension: &OsStr| FILES.iter().any(|known| extension.eq_ignore_ascii_case(known));
    // A directory `logs` does not make the table `logs` a file.
    let is_there = path.exists();
    let is_file = |extension: &OsStr| is_there || is_known(extension);
    if name.contains("://") || !(name.contains('/') || path.extension().is_some_and(is_file)) {
        return None;
    }
    if is_there {
        let hint = format!(
            "files of {} can be queried by name; put log files after the SQL: `s3log query \"SELECT …\" logs/`",
            FILES.join(", ")
        );
        return Some(Failure::failed(format!("`{name}` cannot be read as a table")).with_hint(hint));
    }
    Some(Failure::failed(format!("the file `{name}` does not exist")))
}

/// A missing table.
fn table(name: &str, scene: Scene<'_>) -> Failure {
    if let Some(failure) = file(name) {
        return failure;
    }
    if !scene.has_sources && TABLES_OF_SOURCES.contains(&name) {
        return Failure::failed(format!("table `{name}` needs a source"))
            .with_hint("put log files after the SQL: `s3log query \"SELECT …\" logs/`");
    }
    let names = tables(scene.context);
    let hint = did_you_mean(name, names.iter().map(String::as_str)).unwrap_or_else(|| match names.len() {
        0 => "there are no tables: put log files after the SQL".to_owned(),
        _ => format!("tables: {}", list(&names)),
    });
    Failure::failed(format!("no table `{name}`")).with_hint(hint)
}

/// A missing function.
fn function(name: &str, context: &SessionContext) -> Failure {
    let names = functions(context);
    let hint = did_you_mean(name, names.iter().map(String::as_str));
    let hint = hint.unwrap_or_else(|| "`s3log functions` lists those of s3log, `SHOW FUNCTIONS` lists all".to_owned());
    Failure::failed(format!("no function `{name}`")).with_hint(hint)
}

/// A call with arguments of the wrong types; `message` lists the signatures that exist.
fn arguments(call: &str, message: &str, sql: &str) -> Failure {
    let name = call.split('(').next().unwrap_or(call);
    let place = SqlSpan::of_word(sql, name).and_then(|place| render(sql, place));
    let (_, candidates) = message.split_once("Candidate functions:").unwrap_or_default();
    let candidates: Vec<String> = candidates.lines().map(|line| plain_types(line.trim())).collect();
    let candidates: Vec<String> =
        candidates.iter().filter(|line| !line.is_empty()).map(|line| format!("`{line}`")).collect();
    let failure = Failure::failed(format!("there is no `{}`", plain_types(call))).with_place(place);
    if candidates.is_empty() {
        return failure.with_hint("`CAST(value AS type)` converts");
    }
    failure.with_hint(format!("there is {}; `CAST(value AS type)` converts", candidates.join(", ")))
}

/// Arrow distinguishes several types of text; users do not need to.
fn plain_types(message: &str) -> String {
    message.replace("LargeUtf8", "text").replace("Utf8View", "text").replace("Utf8", "text")
}

/// Names of all tables and views.
pub(crate) fn tables(context: &SessionContext) -> BTreeSet<String> {
    let schemas = context.catalog_names().into_iter().filter_map(|name| context.catalog(&name)).flat_map(|catalog| {
        let names = catalog.schema_names().into_iter().filter(|name| name != "information_schema");
        names.filter_map(|name| catalog.schema(&name)).collect::<Vec<_>>()
    });
    schemas.flat_map(|schema| schema.table_names()).collect()
}

/// Names of all functions.
pub(crate) fn functions(context: &SessionContext) -> BTreeSet<String> {
    let state = context.state();
    let scalar = state.scalar_functions().keys();
    let aggregate = state.aggregate_functions().keys();
    let window = state.window_functions().keys();
    let table = state.table_functions().keys();
    scalar.chain(aggregate).chain(window).chain(table).cloned().collect()
}

/// The hint for a wrong name, if one of the candidates was probably meant.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    closest(name, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

/// The candidate that was probably meant: one that contains `name` as a whole word (`http_status` for `status`), or one
/// within a few typos.
pub(crate) fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name, &candidate.to_lowercase());
    let common = |candidate: &str| name.chars().zip(candidate.chars()).take_while(|(a, b)| a == b).count();
    // Among equally distant candidates, prefer the longest common prefix: `cout` is `count`, not `cot`.
    let order = |candidate: &'a str| (distance(candidate), std::cmp::Reverse(common(candidate)), candidate);
    let typo = candidates.clone().map(order).min().map(|(distance, _, candidate)| (distance, candidate));
    if let Some((distance, candidate)) = typo
        && distance <= (name.chars().count() / 3).max(1)
        && distance < candidate.chars().count()
    {
        return Some(candidate);
    }
    let mut words = candidates.filter(|candidate| {
        candidate.split('_').any(|word| word == name) || (name.contains('_') && candidate.starts_with(&name))
    });
    words.next()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

fn list(names: &BTreeSet<impl AsRef<str>>) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Hints start in lower case.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn without_full_stop(message: &str) -> String {
    message.trim().trim_end_matches('.').to_owned()
}

impl SqlSpan {
    fn from_span(span: Span) -> Self {
        let same_line = span.start.line == span.end.line;
        let length = if same_line { span.end.column.saturating_sub(span.start.column) } else { 1 };
        Self::new(span.start.line, span.start.column, length.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_probably_meant() {
        let names = ["remote_ip", "http_status", "user_agent", "bytes_sent", "time", "total_time", "key"];
        let cases = [
            ("remote_ipp", Some("remote_ip")),
            ("Remote_IP", Some("remote_ip")),
            ("remoteip", Some("remote_ip")),
            ("user_agnet", Some("user_agent")),
            ("status", Some("http_status")),
            ("bytes", Some("bytes_sent")),
            ("ip", Some("remote_ip")),
            ("tiem", Some("time")),
            ("x", None),
            ("latitude", None),
        ];
        assert_eq!(closest("cout", ["cot", "count"].into_iter()), Some("count"));
        for (name, expected) in cases {
            assert_eq!(closest(name, names.into_iter()), expected, "{name}");
        }
    }
}
