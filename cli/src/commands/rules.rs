//! `s3log rules`: the detection rules, their tests, and the tables that they read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use s3log_engine::detect::rules::{Level, Rule, RuleSet};
use s3log_engine::detect::{Lists, SHIPPED_LISTS, check_rules, tables, verify};

use super::Surroundings;
use crate::args::{OutputArgs, RuleArgs, RulesArgs, RulesCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Shape, batch, say, texts};

/// Runs a subcommand, or lists the rules.
///
/// # Errors
///
/// When a rule is invalid, a test fails, or the output cannot be written.
pub(crate) async fn run(arguments: RulesArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    match arguments.command {
        None => list(&arguments.rules, &arguments.output, surroundings),
        Some(RulesCommand::List(given)) => list(&given.rules, &given.output, surroundings),
        Some(RulesCommand::Show(given)) => show(&given.rules, &given.id),
        Some(RulesCommand::Test(given)) => test(&given.rules, given.id.as_deref(), surroundings).await,
        Some(RulesCommand::Lint(given)) => lint(&given.rules, &given.output, surroundings).await,
        Some(RulesCommand::Tables(given)) => {
            let mut tables = tables::docs();
            if let Some(name) = &given.table {
                super::schema::only(&mut tables, name)?;
            }
            super::schema::print(&tables, given.table.is_none(), &given.output, surroundings)
        }
        Some(RulesCommand::Lists(given)) => lists(given.name.as_deref(), &given.output, surroundings),
    }
}

/// The rules and lists selected by the arguments.
pub(super) fn load(arguments: &RuleArgs) -> Result<(RuleSet, Lists), Failure> {
    let mut rules = RuleSet::shipped()?;
    if let Some(directory) = &arguments.rules {
        rules = rules.with_directory(files(directory, is_rule)?)?;
    }
    let lists = match &arguments.lists {
        Some(directory) => {
            let replaced = replaced_lists(directory)?;
            let replaced: Vec<_> = replaced.iter().map(|(name, (_, text))| (*name, text.as_str())).collect();
            Lists::with(&replaced).map_err(s3log_engine::Error::from)?
        }
        None => Lists::shipped().map_err(s3log_engine::Error::from)?,
    };
    Ok((rules, lists))
}

/// File name and text of the lists in a directory, by name of the list. A file that replaces no list is an error,
/// because its author would expect it to have an effect. Hidden files and READMEs are ignored.
fn replaced_lists(directory: &Path) -> Result<BTreeMap<&'static str, (String, String)>, Failure> {
    let mut replaced: BTreeMap<&'static str, (String, String)> = BTreeMap::new();
    for (path, text) in files(directory, is_for_lists)? {
        let name = Path::new(&path).file_name().and_then(OsStr::to_str).unwrap_or_default();
        let Some(list) = SHIPPED_LISTS.iter().find(|list| list.name == name || list.file == name) else {
            let known: Vec<&str> = SHIPPED_LISTS.iter().map(|list| list.name).collect();
            return Err(Failure::failed(format!("`{path}`: no list has this name"))
                .with_hint(format!("name the file after the list that it replaces: {}", known.join(", "))));
        };
        if let Some((other, _)) = replaced.insert(list.name, (path.clone(), text)) {
            return Err(Failure::failed(format!("`{path}`: `{other}` already replaces the list `{}`", list.name))
                .with_hint("remove one of them"));
        }
    }
    Ok(replaced)
}

/// Whether a file in a directory of lists is meant to be a list.
fn is_for_lists(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    !name.starts_with(b".") && !name.starts_with(b"README") && !path.is_dir()
}

/// Whether a file in a directory of rules is a rule.
fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// Path and text of the wanted files in a directory, sorted by name.
fn files(directory: &Path, is_wanted: fn(&Path) -> bool) -> Result<Vec<(String, String)>, Failure> {
    let cannot = |error: std::io::Error| Failure::failed(format!("cannot read `{}`: {error}", directory.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if is_wanted(&path) {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::failed(format!("cannot read `{}`: {error}", path.display())))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn print<'a>(
    columns: impl IntoIterator<Item = (&'a str, ArrayRef)>,
    arguments: &OutputArgs,
    surroundings: Surroundings,
) -> Result<(), Failure> {
    let batch = batch(columns)?;
    let mut output = Output::open(arguments.destination.file(), surroundings.output(arguments))?;
    output.print(Shape::Prose, &batch)?;
    output.commit()
}

fn list(rules: &RuleArgs, output: &OutputArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let (rules, _) = load(rules)?;
    let all: Vec<&Rule> = rules.iter().collect();
    let tests: Int64Array = all.iter().map(|rule| i64::try_from(rule.tests.len()).ok()).collect();
    let flags = |is: fn(&Rule) -> bool| -> ArrayRef {
        Arc::new(all.iter().map(|rule| Some(is(rule))).collect::<BooleanArray>())
    };
    print(
        [
            ("id", texts(all.iter().map(|rule| &rule.id))),
            ("name", texts(all.iter().map(|rule| &rule.name))),
            ("family", texts(all.iter().map(|rule| &rule.family))),
            ("severity", texts(all.iter().map(|rule| rule.severity.to_string()))),
            ("about", texts(all.iter().map(|rule| rule.entity.to_string()))),
            ("scored", flags(|rule| rule.scored)),
            ("enabled", flags(|rule| rule.enabled)),
            ("mitre", texts(all.iter().map(|rule| rule.mitre.join(" ")))),
            ("tests", Arc::new(tests)),
            ("from", texts(all.iter().map(|rule| rule.source.to_string()))),
        ],
        output,
        surroundings,
    )?;
    Ok(Exit::Done)
}

fn show(rules: &RuleArgs, id: &str) -> Result<Exit, Failure> {
    let (rules, _) = load(rules)?;
    say(shown(rules.get(id)?)?)?;
    Ok(Exit::Done)
}

/// A rule as text.
fn shown(rule: &Rule) -> Result<String, Failure> {
    let mut text = String::new();
    let query = rule.query()?;
    // Writing to a String cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    line(format!("{} {}", rule.id, rule.name));
    let scored = if rule.scored { "" } else { ", reported without a score" };
    let enabled = if rule.enabled { "" } else { ", switched off" };
    line(format!("family {}, severity {}, about a {}{scored}{enabled}", rule.family, rule.severity, rule.entity));
    if !rule.mitre.is_empty() {
        line(format!("MITRE ATT&CK {}", rule.mitre.join(", ")));
    }
    line(format!("from {}", rule.source));
    for file in &rule.tuned_by {
        line(format!("tuned by {file}"));
    }
    line(format!("\n{}", rule.description.trim()));
    line(format!("\nSays: {}", rule.explain.as_str()));
    if !rule.params.is_empty() {
        line("\nParameters:".to_owned());
        for (name, value) in &rule.params {
            line(format!("  {name} = {value}"));
        }
    }
    if let Some(condition) = rule.samples_condition()? {
        line(format!("\nRequests that are shown:\n{condition}"));
    }
    line(format!("\nQuery{}:\n{}", if rule.from_match { ", made of [match]" } else { "" }, query.trim()));
    line("\nTests:".to_owned());
    for case in &rule.tests {
        line(format!("  {} {}", if case.fires() { "fires: " } else { "silent:" }, case.name));
    }
    Ok(text)
}

async fn test(rules: &RuleArgs, id: Option<&str>, surroundings: Surroundings) -> Result<Exit, Failure> {
    let (rules, lists) = load(rules)?;
    let chosen: Vec<&Rule> = match id {
        Some(id) => vec![rules.get(id)?],
        None => rules.iter().collect(),
    };
    let number = chosen.len();
    let (ran, failures) = verify(chosen, &lists).await?;
    for failure in &failures {
        for wrong in &failure.wrong {
            surroundings.messages.plain(&format!("{} {}: {wrong}", failure.rule, failure.test));
        }
    }
    if !failures.is_empty() {
        return Err(Failure::failed(format!("{} of {ran} tests failed", failures.len())));
    }
    surroundings.messages.note(&format!("{ran} tests of {} passed", crate::message::count(number as u64, "rule")));
    Ok(Exit::Done)
}

async fn lint(arguments: &RuleArgs, output: &OutputArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let shipped = RuleSet::shipped()?;
    let (rules, errors) = match &arguments.rules {
        Some(directory) => shipped.with_what_loads(files(directory, is_rule)?),
        None => (shipped, Vec::new()),
    };
    for error in &errors {
        surroundings.messages.failure(&Failure::from(error));
    }
    check_rules(&rules).await?;
    let found = rules.lint();
    if !found.is_empty() {
        let levels = found.iter().map(|lint| if lint.level == Level::Error { "error" } else { "warning" });
        print(
            [
                ("rule", texts(found.iter().map(|lint| &lint.rule))),
                ("level", texts(levels)),
                ("file", texts(found.iter().map(|lint| &lint.file))),
                ("what", texts(found.iter().map(|lint| &lint.message))),
            ],
            output,
            surroundings,
        )?;
    }
    if !errors.is_empty() || found.iter().any(|lint| lint.level == Level::Error) {
        return Err(Failure::failed("some rules have errors"));
    }
    surroundings.messages.note(&format!("{} without errors", crate::message::count(rules.len() as u64, "rule")));
    Ok(Exit::Done)
}

fn lists(name: Option<&str>, output: &OutputArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    if let Some(name) = name {
        let list = SHIPPED_LISTS.iter().find(|list| list.name == name || list.file == name);
        let known: Vec<&str> = SHIPPED_LISTS.iter().map(|list| list.name).collect();
        let list = list.ok_or_else(|| {
            Failure::usage(format!("no list is called `{name}`")).with_hint(format!("lists: {}", known.join(", ")))
        })?;
        say(list.text)?;
        return Ok(Exit::Done);
    }
    let shipped = Lists::shipped().map_err(s3log_engine::Error::from)?;
    let entries: Int64Array =
        SHIPPED_LISTS.iter().map(|list| shipped.len_of(list.name).and_then(|len| i64::try_from(len).ok())).collect();
    print(
        [
            ("list", texts(SHIPPED_LISTS.iter().map(|list| list.name))),
            ("file", texts(SHIPPED_LISTS.iter().map(|list| list.file))),
            ("entries", Arc::new(entries)),
            ("about", texts(SHIPPED_LISTS.iter().map(|list| head(list.text)))),
        ],
        output,
        surroundings,
    )?;
    Ok(Exit::Done)
}

/// The comment at the top of a list.
fn head(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
