//! `s3log query`: runs SQL and prints the results.

use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use super::Surroundings;
use super::session::{open_at, session_options, without_mark};
use crate::accounting::Accounting;
use crate::args::QueryArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::progress::Watch;
use crate::statement::Runner;
use crate::summary::Summary;

/// Runs the SQL and returns whether the answer is complete.
///
/// # Errors
///
/// When there is no answer.
pub(crate) async fn run(arguments: QueryArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let start = Instant::now();
    let QueryArgs { sql, sources, file, datasets, source, output, behaviour, place } = arguments;
    // With `--file`, the first argument is a source.
    let first = if file.is_none() { sql.clone() } else { None };
    let (sql, sources) = sql_and_sources(sql, sources.names, file.as_deref())?;
    let mut output = Output::open(output.destination.file(), surroundings.output(&output))?;
    let messages = surroundings.messages;
    let swapped = |failure: Failure| match &first {
        Some(first) if Path::new(first).exists() => {
            failure.with_hint(format!("`{first}` is a file: pass the SQL first, then the sources"))
        }
        _ => failure,
    };
    let options = session_options(&source, &behaviour.work).map_err(swapped)?.with_raw(datasets.with_raw);
    let session = open_at(&place, &sources, options, &messages).await.map_err(swapped)?;
    let mut accounting = Accounting::default();
    let mode = surroundings.progress(behaviour.progress);
    let mut watch = Watch::start(mode, surroundings.stderr, session.progress());
    watch.announce_large(&session, messages);
    let mut runner = Runner {
        session: &session,
        has_sources: !sources.is_empty(),
        output: &mut output,
        accounting: &mut accounting,
        watch: &mut watch,
        first_row: None,
    };
    let rows = runner.run(&sql).await;
    let first_row = runner.first_row;
    watch.stop();
    let rows = rows.map_err(swapped)?.ok_or_else(|| Failure::usage("the SQL contains no statement"))?;
    let format = output.format();
    output.commit()?;
    if surroundings.verbose {
        let summary = Summary { rows, first_row: first_row.map(|at| at - start), elapsed: start.elapsed() };
        match format {
            Format::Json | Format::Ndjson => messages.plain(&summary.json(&session)?),
            _ => messages.note(&summary.sentence(&session)),
        }
    }
    Ok(accounting.judge(&session, behaviour.reject_limit(), &messages))
}

/// Separates SQL and sources: with `--file`, every positional argument is a source.
fn sql_and_sources(
    sql: Option<String>,
    mut sources: Vec<String>,
    file: Option<&Path>,
) -> Result<(String, Vec<String>), Failure> {
    let (sql, from_stdin) = match (file, sql) {
        (Some(file), first) => {
            sources.splice(0..0, first);
            if file == Path::new("-") { (stdin(&sources)?, true) } else { (read(file)?, false) }
        }
        (None, Some(sql)) if sql == "-" => (stdin(&sources)?, true),
        (None, Some(sql)) => (sql, false),
        (None, None) => {
            return Err(Failure::usage("no SQL to run").with_hint(
                "pass it as an argument, with `-f FILE`, or as `-` from standard input; for an interactive session, use `s3log shell`",
            ));
        }
    };
    if sql.trim().is_empty() {
        let whence = if from_stdin { "standard input" } else { "the SQL" };
        return Err(Failure::usage(format!("{whence} is empty")));
    }
    Ok((sql, sources))
}

fn stdin(sources: &[String]) -> Result<String, Failure> {
    if sources.iter().any(|source| source == "-") {
        return Err(Failure::usage("standard input cannot be both the SQL and a source"));
    }
    let mut sql = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut sql);
    read.map_err(|error| Failure::failed(format!("cannot read SQL from standard input: {error}")))?;
    Ok(without_mark(sql))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map(without_mark)
        .map_err(|error| Failure::failed(format!("cannot read SQL from `{}`: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_file_every_argument_is_a_source() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.sql");
        std::fs::write(&file, "SELECT 1").unwrap();
        let (sql, sources) = sql_and_sources(Some("a".into()), vec!["b".into()], Some(&file)).unwrap();
        assert_eq!((sql.as_str(), sources), ("SELECT 1", vec!["a".to_owned(), "b".to_owned()]));
        let (sql, sources) = sql_and_sources(Some("SELECT 2".into()), vec!["b".into()], None).unwrap();
        assert_eq!((sql.as_str(), sources), ("SELECT 2", vec!["b".to_owned()]));
    }
}
