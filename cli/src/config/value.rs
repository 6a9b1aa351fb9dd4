//! Converts a value of the file to the text that its flag would get on the command line.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problem;
use crate::args::Several;

/// Flags that take a file or something else, so that their type does not show that the value may be a path.
const FILES_OR_SOURCES: &[&str] = &["baseline"];

/// The TOML type of a flag's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `true` or `false`.
    Switch,
    /// Text, even if it consists of digits, such as a name.
    Text,
    /// A string or number that the flag parses: a size, a limit, a time.
    Number,
}

impl Kind {
    fn of(flag: &Arg) -> Self {
        if is_of::<bool>(flag) {
            return Self::Switch;
        }
        let is_text = is_of::<String>(flag) || is_of::<PathBuf>(flag) || is_of::<OsString>(flag);
        if is_text { Self::Text } else { Self::Number }
    }
}

/// Whether a flag takes one or [`Several`] values of type `T`.
fn is_of<T: 'static>(flag: &Arg) -> bool {
    let id = flag.get_value_parser().type_id();
    id == TypeId::of::<T>() || id == TypeId::of::<Several<T>>()
}

/// The values as text: one, or any number for a repeatable flag. Relative paths are resolved against the file's
/// directory.
pub(super) fn texts(value: &Spanned<DeValue<'_>>, flag: &Arg, folder: &Path) -> Result<Vec<OsString>, Problem> {
    let name = flag.get_long().unwrap_or_default();
    let kind = Kind::of(flag);
    let many = matches!(flag.get_action(), ArgAction::Append);
    let items = match value.get_ref() {
        DeValue::Array(items) if many => items.iter().collect(),
        _ => vec![value],
    };
    let mut texts = Vec::new();
    for item in items {
        let at = item.span().start;
        let Some(text) = text(item.get_ref(), kind) else {
            let message = format!("`{name}` takes {}, not {}", wanted(kind, many), type_of(item.get_ref()));
            return Err(Problem::new(at, message));
        };
        // As on the command line, where `--map a=b,c=d` is two values.
        let parts = match flag.get_value_delimiter().filter(|_| many) {
            Some(delimiter) => text.split(delimiter).collect(),
            None => vec![text.as_str()],
        };
        for part in parts {
            let part = if is_file(flag) { in_folder(part, folder) } else { part.into() };
            check(&part, flag).map_err(|(message, hint)| Problem::new(at, message).with_hint(hint))?;
            texts.push(part);
        }
    }
    Ok(texts)
}

/// The text of one value; `None` if it has the wrong type.
fn text(value: &DeValue<'_>, kind: Kind) -> Option<String> {
    match (kind, value) {
        (Kind::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
        (Kind::Text | Kind::Number, DeValue::String(text)) => Some(text.to_string()),
        (Kind::Number, DeValue::Integer(number)) => {
            let decimal = i64::from_str_radix(number.as_str(), number.radix());
            Some(decimal.map_or_else(|_| number.to_string(), |decimal| decimal.to_string()))
        }
        (Kind::Number, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        (Kind::Number, DeValue::Datetime(time)) => Some(time.to_string()),
        _ => None,
    }
}

fn wanted(kind: Kind, many: bool) -> &'static str {
    match (kind, many) {
        (Kind::Switch, _) => "true or false",
        (Kind::Text, false) => "a string",
        (Kind::Text, true) => "a string or an array of strings",
        (Kind::Number, false) => "a string or a number",
        (Kind::Number, true) => "strings or numbers",
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn is_file(flag: &Arg) -> bool {
    is_of::<PathBuf>(flag) || flag.get_long().is_some_and(|name| FILES_OR_SOURCES.contains(&name))
}

/// Resolves a path: `~/` is the home directory, relative paths start at the file's directory. The current directory may
/// be anyone's.
fn in_folder(text: &str, folder: &Path) -> OsString {
    if text.is_empty() || text == "-" || text.contains("://") {
        return text.into();
    }
    if let Some(list) = text.strip_prefix('@') {
        let mut at = OsString::from("@");
        at.push(in_folder(list, folder));
        return at;
    }
    let home = || std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    match text.strip_prefix("~/").zip(home()) {
        Some((below, home)) => home.join(below).into_os_string(),
        None => folder.join(text).into_os_string(),
    }
}

/// Checks that the flag accepts the text; returns the error and a hint as clap would give them for the command line.
/// Clap itself treats a default that the flag does not accept as a bug in the program.
fn check(text: &OsStr, flag: &Arg) -> Result<(), (String, Option<String>)> {
    let alone = Arg::new("value")
        .long("value")
        .action(ArgAction::Set)
        .num_args(1)
        .ignore_case(flag.is_ignore_case_set())
        .value_parser(flag.get_value_parser().clone());
    let mut argument = OsString::from("--value=");
    argument.push(text);
    let command = Command::new("s3log").no_binary_name(true).arg(alone);
    let Err(error) = command.try_get_matches_from([argument]) else { return Ok(()) };
    let name = flag.get_long().unwrap_or_default();
    let mut message = format!("`{}` is not a valid value for `{name}`", text.to_string_lossy());
    if let Some(why) = error.source() {
        message.push_str(&format!(": {why}"));
    }
    let hint = match (error.get(ContextKind::SuggestedValue), error.get(ContextKind::ValidValue)) {
        (Some(ContextValue::String(meant)), _) => Some(format!("did you mean `{meant}`?")),
        (_, Some(ContextValue::Strings(values))) if !values.is_empty() => {
            Some(format!("values are: {}", values.join(", ")))
        }
        _ => None,
    };
    Err((message, hint))
}
