//! `DIALECTS.md`: what each system writes and how the parser reads it, based on the fixtures.
//!
//! The parser's results are computed here; the knowledge about the systems is in `systems`. After a change,
//! `S3LOG_UPDATE_DOCS=1 cargo test -p s3log-parser dialects` regenerates the tables.

mod systems;

use s3log_parser::{Dialect, Field, Lines, LogFormat, Parser, cdn, sniff};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};
use systems::{OTHERS, SYSTEMS, System};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Result of reading a fixture.
#[derive(Default)]
struct Account {
    records: usize,
    ambiguous: usize,
    /// Directives of a CDN log.
    headers: usize,
    /// Minimum and maximum number of fields of a record.
    fields: Option<(usize, usize)>,
    /// Fields that some record has, and fields that have a value in some record.
    present: Vec<Field>,
    filled: Vec<Field>,
    extra_fields: bool,
    rejects: BTreeMap<String, usize>,
}

fn account<'a>(dialect: Dialect, lines: impl Iterator<Item = &'a [u8]>) -> Account {
    let mut account = Account::default();
    let mut parser = Parser::new().with_dialect(dialect);
    for line in lines {
        match parser.parse(line) {
            Ok(record) => {
                account.records += 1;
                account.ambiguous += usize::from(record.is_ambiguous());
                let count = record.field_count();
                let (least, most) = account.fields.unwrap_or((count, count));
                account.fields = Some((least.min(count), most.max(count)));
                account.present.extend(Field::ALL.into_iter().filter(|field| record.raw(*field).is_some()));
                account.filled.extend(Field::ALL.into_iter().filter(|field| record.text(*field).is_some()));
                account.extra_fields |= record.extra_fields().next().is_some();
            }
            Err(error) => *account.rejects.entry(error.reason().to_string()).or_default() += 1,
        }
    }
    account
}

/// Reads a CDN log; each line is read with the preceding header.
fn cdn_account<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Account {
    let mut account = Account::default();
    let (mut parser, mut header) = (cdn::Parser::new(), None);
    for line in lines {
        if cdn::is_directive(line) {
            header = cdn::Header::parse(line).or(header);
            account.headers += 1;
            continue;
        }
        match parser.parse(line, header.as_ref()) {
            Ok(_) => account.records += 1,
            Err(error) => *account.rejects.entry(error.reason().to_string()).or_default() += 1,
        }
    }
    account
}

impl System {
    fn log(&self) -> Vec<u8> {
        let path = root().join("fixtures").join(self.fixture);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn read(&self, dialect: Dialect) -> Account {
        let log = self.log();
        match lines(&log).find_map(sniff) {
            Some(LogFormat::Cdn) => cdn_account(lines(&log)),
            _ => account(dialect, lines(&log)),
        }
    }

    /// The lines that only this dialect reads or, for systems without a dialect, all lines.
    fn own_lines(&self) -> Account {
        if lines(&self.log()).find_map(sniff) == Some(LogFormat::Cdn) {
            // CDN logs have different columns.
            return Account::default();
        }
        let needs_flag = |line: &&[u8]| self.dialect == Dialect::Auto || Parser::new().parse(line).is_err();
        account(self.dialect, lines(&self.log()).filter(needs_flag))
    }
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    Lines::new(log).filter(|line| !line.is_blank()).map(|line| line.bytes)
}

/// Formats field names, with runs of neighbours shortened: `a`, `b` to `f`, `h`.
fn names(fields: impl Iterator<Item = Field>) -> String {
    let mut runs: Vec<(Field, Field)> = Vec::new();
    for field in fields {
        match runs.last_mut() {
            Some((_, last)) if last.index() + 1 == field.index() => *last = field,
            _ => runs.push((field, field)),
        }
    }
    let run = |(first, last): &(Field, Field)| match last.index() - first.index() {
        0 => format!("`{}`", first.name()),
        1 => format!("`{}`, `{}`", first.name(), last.name()),
        _ => format!("`{}` to `{}`", first.name(), last.name()),
    };
    if runs.is_empty() { "none".to_owned() } else { runs.iter().map(run).collect::<Vec<_>>().join(", ") }
}

fn rejects(account: &Account) -> String {
    let reasons = account.rejects.iter().map(|(reason, count)| format!("{count}: {reason}"));
    if account.rejects.is_empty() { "0".to_owned() } else { reasons.collect::<Vec<_>>().join("; ") }
}

fn records(account: &Account) -> String {
    match (account.ambiguous, account.headers) {
        (0, 0) => account.records.to_string(),
        (0, headers) => format!("{} behind {headers} header lines", account.records),
        (ambiguous, _) => format!("{}, of which {ambiguous} ambiguous", account.records),
    }
}

/// The table of what is read, with and without the system's dialect.
fn read_table() -> String {
    let mut table = "| system | records | rejects | records, if told | rejects, if told |\n\
                     | --- | ---: | --- | --- | --- |\n"
        .to_owned();
    for system in SYSTEMS {
        let untold = system.read(Dialect::Auto);
        let (told_records, told_rejects) = if system.dialect == Dialect::Auto {
            (String::new(), String::new())
        } else {
            let told = system.read(system.dialect);
            (format!("{} with `--dialect {}`", records(&told), system.dialect), rejects(&told))
        };
        let (name, fixture) = (system.name, system.fixture);
        let _ = writeln!(
            table,
            "| [{name}](fixtures/{fixture}) | {} | {} | {told_records} | {told_rejects} |",
            records(&untold),
            rejects(&untold)
        );
    }
    table
}

/// The table of the columns that have values.
fn columns_table() -> String {
    let mut table = "| system | fields in a line | columns that the line has no field for | columns that are always `-` | `extra_fields` |\n\
                     | --- | ---: | --- | --- | --- |\n"
        .to_owned();
    for system in SYSTEMS {
        let account = system.own_lines();
        let Some((least, most)) = account.fields else { continue };
        let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let missing = names(Field::ALL.into_iter().filter(|field| !account.present.contains(field)));
        let dashes = |field: &Field| account.present.contains(field) && !account.filled.contains(field);
        let dashes = names(Field::ALL.into_iter().filter(dashes));
        let extra = if account.extra_fields { "yes" } else { "" };
        let _ = writeln!(table, "| {} | {count} | {missing} | {dashes} | {extra} |", system.name);
    }
    table
}

fn differences_table() -> String {
    let mut table = "| system | what differs from AWS's page | known from |\n| --- | --- | --- |\n".to_owned();
    for System { name, differs, known_from, .. } in SYSTEMS {
        let _ = writeln!(table, "| {name} | {differs} | {known_from} |");
    }
    table
}

fn others_table() -> String {
    let mut table = "| system | what it writes instead | known from |\n| --- | --- | --- |\n".to_owned();
    for (name, instead, known_from) in OTHERS {
        let _ = writeln!(table, "| {name} | {instead} | {known_from} |");
    }
    table
}

/// Replaces the generated blocks of `text`.
fn made_again(text: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("<!-- generated: ") {
        let (before, block) = rest.split_at(at);
        let Some((first_line, _)) = block.split_once('\n') else { panic!("DIALECTS.md ends inside a block") };
        let Some(end) = block.find("<!-- end -->") else { panic!("DIALECTS.md ends inside a block") };
        let name = first_line.trim_start_matches("<!-- generated: ").trim_end_matches(" -->");
        let table = match name {
            "read" => read_table(),
            "columns" => columns_table(),
            "differences" => differences_table(),
            "others" => others_table(),
            _ => panic!("nothing is known of a block {name}"),
        };
        let _ = write!(made, "{before}{first_line}\n\n{table}\n");
        rest = &block[end..];
    }
    made + rest
}

#[test]
fn the_tables_say_what_comes_of_the_fixtures() {
    let path = root().join("DIALECTS.md");
    let text = fs::read_to_string(&path).unwrap();
    let made = made_again(&text);
    if env::var_os("S3LOG_UPDATE_DOCS").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    for (number, (found, expected)) in text.lines().zip(made.lines()).enumerate() {
        assert_eq!(found, expected, "DIALECTS.md, line {}: S3LOG_UPDATE_DOCS=1 writes it again", number + 1);
    }
    assert!(text == made, "DIALECTS.md is cut: S3LOG_UPDATE_DOCS=1 writes it again");
}

#[test]
fn every_fixture_of_a_dialect_is_in_the_tables() {
    for folder in ["dialects", "bucket/archive"] {
        for entry in fs::read_dir(root().join("fixtures").join(folder)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = format!("{folder}/{}", name.display());
            assert!(SYSTEMS.iter().any(|system| system.fixture == path), "{path} is in no table");
        }
    }
}

/// A dialect turns rejects into records and does not lose any.
#[test]
fn a_flag_makes_records_of_rejects() {
    for system in SYSTEMS {
        let (untold, told) = (system.read(Dialect::Auto), system.read(system.dialect));
        let lines = |account: &Account| account.records + account.rejects.values().sum::<usize>();
        assert_eq!(lines(&told), lines(&untold), "{}", system.name);
        assert_eq!(told.records > untold.records, system.dialect != Dialect::Auto, "{}", system.name);
        for dialect in Dialect::ALL {
            assert!(system.read(dialect).records >= untold.records, "{} with {dialect}", system.name);
        }
    }
}
