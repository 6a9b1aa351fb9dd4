//! The explanation of a finding: a template in the rule file, filled with values of a result row.
//!
//! Typical template: `{d} distinct keys, {share:%} of {bytes:bytes}, at least {$min}`. A name in braces is a column of
//! the rule's SQL; with a dollar sign it is a parameter. A format may follow after a colon. `{{` and `}}` are literal
//! braces.

use super::parameters::{self, ParamValue, Parameters};
use super::problem::{Problem, hint_of_names};
use crate::detect::format::{duration, grouped, percent, size, time, without_zeros};
use std::fmt::Write as _;

/// A value of a row, for use in explanations.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Text(String),
    /// A boolean.
    Boolean(bool),
    /// Microseconds since the Unix epoch (UTC).
    Time(i64),
    /// A list of strings.
    List(Vec<String>),
}

impl From<&ParamValue> for Value {
    fn from(value: &ParamValue) -> Self {
        match value {
            ParamValue::Integer(number) => Self::Integer(*number),
            ParamValue::Float(number) => Self::Float(*number),
            ParamValue::Text(text) => Self::Text(text.clone()),
            ParamValue::Boolean(truth) => Self::Boolean(*truth),
        }
    }
}

impl Value {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}

/// A sentence with placeholders for values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Column(String, Style),
    Parameter(String, Style),
}

/// Format of a value.
#[derive(Clone, Debug, PartialEq)]
enum Style {
    Plain,
    Percent,
    Bytes,
    Date,
    Duration,
    Decimals(usize),
    /// With what is counted, in the singular and in the plural.
    Counted(String, String),
}

impl Style {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "%" => Self::Percent,
            "bytes" => Self::Bytes,
            "date" => Self::Date,
            "duration" => Self::Duration,
            _ if let Some((one, many)) = text.split_once('|') => Self::Counted(one.to_owned(), many.to_owned()),
            _ => match text.strip_prefix('.')?.parse() {
                Ok(decimals) if decimals <= 9 => Self::Decimals(decimals),
                _ => return None,
            },
        })
    }
}

impl Template {
    /// Parses a template.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = behind;
                continue;
            }
            let Some((place, behind)) = (if brace == "{" { rest.split_once('}') } else { None }) else {
                let problem = Problem::new(format!("`explain` has a single `{brace}`"));
                return Err(problem.with_hint(format!("a value is `{{column}}`, a brace is `{brace}{brace}`")));
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(place_of(place)?);
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The source text of the template.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Names of the columns used.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| if let Part::Column(name, _) = part { Some(name.as_str()) } else { None })
    }

    /// Names of the parameters used.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Parameter(name, _) = part { Some(name.as_str()) } else { None })
    }

    /// Checks that every placeholder has a value. `more_columns`: there are columns with unknown names.
    pub(super) fn check(&self, columns: &[String], more_columns: bool, values: &Parameters) -> Result<(), Problem> {
        if let Some(name) = self.parameters().find(|name| !values.contains_key(*name)) {
            return Err(parameters::unknown(name, values));
        }
        match self.columns().find(|name| !more_columns && !columns.iter().any(|column| column == name)) {
            None => Ok(()),
            Some(name) => {
                let problem =
                    Problem::new(format!("`explain` shows `{{{name}}}`, which the rule's SQL does not return"));
                Err(problem.with_hint(hint_of_names(name, columns.iter().map(String::as_str))))
            }
        }
    }

    /// Renders the sentence for a row, whose columns `value_of` looks up. Texts of a row are controlled by clients, so
    /// outputs must escape the sentence.
    pub fn render(&self, value_of: impl Fn(&str) -> Value, values: &Parameters) -> String {
        let mut sentence = String::with_capacity(self.text.len() + 32);
        for part in &self.parts {
            match part {
                Part::Text(text) => sentence.push_str(text),
                Part::Column(name, style) => write(&mut sentence, &value_of(name), style),
                Part::Parameter(name, style) => {
                    write(&mut sentence, &values.get(name).map_or(Value::Null, Value::from), style);
                }
            }
        }
        sentence
    }
}

fn place_of(place: &str) -> Result<Part, Problem> {
    let (name, style) = match place.split_once(':') {
        None => (place, Style::Plain),
        Some((name, text)) => match Style::of(text) {
            Some(style) => (name, style),
            None => {
                let problem =
                    Problem::new(format!("`explain` has `{{{place}}}`, but `{text}` is not a format of values"));
                return Err(problem.with_hint(
                    "formats are `%`, `bytes`, `date`, `duration`, `.2` for two decimals, and `key|keys` for what is counted",
                ));
            }
        },
    };
    let column = name.strip_prefix('$').unwrap_or(name);
    let is_name =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name(column) {
        let problem = Problem::new(format!("`explain` has `{{{place}}}`, which names no column"));
        return Err(problem.with_hint("a value is `{column}` or `{$parameter}`; braces are `{{` and `}}`"));
    }
    Ok(if column.len() == name.len() {
        Part::Column(name.to_owned(), style)
    } else {
        Part::Parameter(column.to_owned(), style)
    })
}

fn write(to: &mut String, value: &Value, style: &Style) {
    // Writing to a `String` cannot fail.
    let _ = match (style, value, value.number()) {
        (_, Value::Null, _) => to.write_str("-"),
        (_, _, Some(number)) if !number.is_finite() => to.write_str("-"),
        (Style::Percent, _, Some(share)) => to.write_str(&percent(share)),
        (Style::Bytes, _, Some(bytes)) => to.write_str(&size(bytes)),
        (Style::Duration, _, Some(seconds)) => to.write_str(&duration(seconds)),
        (Style::Decimals(decimals), _, Some(number)) => to.write_str(&grouped(format!("{number:.decimals$}"))),
        (Style::Counted(one, many), value, number) => {
            write(to, value, &Style::Plain);
            write!(to, " {}", if number == Some(1.0) { one } else { many })
        }
        (_, Value::Integer(number), _) => to.write_str(&grouped(number)),
        (_, Value::Float(number), _) => to.write_str(&grouped(without_zeros(&format!("{number:.2}")))),
        (Style::Date, Value::Time(micros), _) => to.write_str(time(*micros).get(..10).unwrap_or("-")),
        (_, Value::Time(micros), _) => to.write_str(&time(*micros)),
        (_, Value::Boolean(truth), _) => to.write_str(if *truth { "yes" } else { "no" }),
        (_, Value::Text(text), _) => to.write_str(text),
        (_, Value::List(texts), _) => to.write_str(&texts.join(", ")),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(column: &str) -> Value {
        match column {
            "n" => Value::Integer(1_234_567),
            "m" => Value::Integer(-999),
            "one" => Value::Integer(1),
            "f" => Value::Float(1234.5),
            "share" => Value::Float(0.153),
            "little" => Value::Float(0.0149),
            "bytes" => Value::Float(1.5 * 1024.0 * 1024.0 * 1024.0),
            "nan" => Value::Float(f64::NAN),
            "key" => Value::Text("a{b}".to_owned()),
            "ok" => Value::Boolean(true),
            "first" => Value::Time(1_772_445_600_000_000),
            "far" => Value::Time(i64::MAX),
            "list" => Value::List(vec!["a".to_owned(), "b".to_owned()]),
            _ => Value::Null,
        }
    }

    #[test]
    fn sentences() {
        let values = Parameters::from([("min".to_owned(), ParamValue::Float(0.5))]);
        for (template, sentence) in [
            ("", ""),
            ("no value", "no value"),
            ("{n} and {m}", "1,234,567 and -999"),
            ("{{{n}}}", "{1,234,567}"),
            ("{f} {f:.0} {f:.3} {n:.1}", "1,234.5 1,234 1,234.500 1,234,567.0"),
            ("{share:%} {little:%} {n:%}", "15% 1.5% 123,456,700%"),
            ("{bytes:bytes} {m:bytes} {n:bytes}", "1.5 GiB -999 bytes 1.2 MiB"),
            ("{n:duration} {m:duration}", "14days 6h 56m 7s 0s"),
            ("{first} {first:date} {far}", "2026-03-02 10:00:00 2026-03-02 9999-12-31 23:59:59"),
            ("{key} {ok} {list} {none} {nan}", "a{b} yes a, b - -"),
            ("at least {$min}, {$min:%}", "at least 0.5, 50%"),
            ("{key:%} {ok:bytes}", "a{b} yes"),
            ("{n:key|keys}, {one:old key|old keys}, {none:key|keys}", "1,234,567 keys, 1 old key, -"),
        ] {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(parsed.render(value_of, &values), sentence, "{template}");
            assert_eq!(parsed.as_str(), template);
        }
    }

    #[test]
    fn what_is_no_template() {
        for (template, message, hint) in [
            ("a { b", "`explain` has a single `{`", "a value is `{column}`, a brace is `{{`"),
            ("a } b", "`explain` has a single `}`", "a value is `{column}`, a brace is `}}`"),
            (
                "{n:pct}",
                "`explain` has `{n:pct}`, but `pct` is not a format of values",
                "formats are `%`, `bytes`, `date`, `duration`, `.2` for two decimals, and `key|keys` for what is counted",
            ),
            (
                "{}",
                "`explain` has `{}`, which names no column",
                "a value is `{column}` or `{$parameter}`; braces are `{{` and `}}`",
            ),
            (
                "{a b}",
                "`explain` has `{a b}`, which names no column",
                "a value is `{column}` or `{$parameter}`; braces are `{{` and `}}`",
            ),
        ] {
            let error = Template::parse(template).unwrap_err().without_place();
            assert_eq!((error.to_string().as_str(), error.hint()), (message, Some(hint)), "{template}");
        }
    }

    #[test]
    fn places_need_values() {
        let columns = ["src".to_owned(), "distinct_keys".to_owned()];
        let values = Parameters::from([("min".to_owned(), ParamValue::Integer(1))]);
        for (template, more, message, hint) in [
            (
                "{distinct_key}",
                false,
                "`explain` shows `{distinct_key}`, which the rule's SQL does not return",
                "did you mean `distinct_keys`?",
            ),
            (
                "{x}",
                false,
                "`explain` shows `{x}`, which the rule's SQL does not return",
                "there are: `src`, `distinct_keys`",
            ),
            ("{$max}", true, "`$max` is not a parameter of the rule", "there are: `min`"),
        ] {
            let error = Template::parse(template).unwrap().check(&columns, more, &values).unwrap_err().without_place();
            assert_eq!((error.to_string().as_str(), error.hint()), (message, Some(hint)), "{template}");
        }
        for (template, more) in [("{src} {$min}", false), ("{x}", true)] {
            assert_eq!(Template::parse(template).unwrap().check(&columns, more, &values), Ok(()), "{template}");
        }
    }
}
