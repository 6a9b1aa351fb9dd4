//! Parameters of rules: `$name` in SQL becomes a literal.
//!
//! Typical input: `n >= $min AND code <> '$min'` with `min = 3`. Result: `n >= 3 AND code <> '$min'`. The text is
//! tokenized by DataFusion's tokenizer, so both agree on what is a string or a comment. Everything else is left
//! unchanged, so that `s3log rules show` prints the SQL as its author formatted it.

use super::explain::Value;
use super::problem::{Problem, hint_of_names};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Values of a rule's parameters, by name.
pub type Parameters = BTreeMap<String, ParamValue>;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// An integer.
    Integer(i64),
    /// A finite floating-point number.
    Float(f64),
    /// A string.
    Text(String),
    /// A boolean.
    Boolean(bool),
}

impl ParamValue {
    /// Converts to the type of query results.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Self::Integer(number) => Value::Integer(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Boolean(is) => Value::Boolean(*is),
        }
    }
}

impl ParamValue {
    /// Converts a TOML value; `None` if SQL has no literal for its type.
    pub(super) fn of_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::Integer(number) => Some(Self::Integer(*number)),
            toml::Value::Float(number) if number.is_finite() => Some(Self::Float(*number)),
            toml::Value::String(text) => Some(Self::Text(text.clone())),
            toml::Value::Boolean(truth) => Some(Self::Boolean(*truth)),
            _ => None,
        }
    }

    /// The type, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Boolean(_) => "true or false",
        }
    }

    /// The SQL literal.
    fn literal(&self) -> String {
        match self {
            // In parentheses, because a second minus sign would begin a comment.
            Self::Integer(number) if *number < 0 => format!("({number})"),
            Self::Float(number) if *number < 0.0 => format!("({number:?})"),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Boolean(true) => "TRUE".to_owned(),
            Self::Boolean(false) => "FALSE".to_owned(),
        }
    }
}

/// Formats as in TOML.
impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Boolean(truth) => truth.fmt(f),
        }
    }
}

/// A TOML value, for messages.
pub(super) fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(number) => format!("{number:?}"),
        toml::Value::Datetime(_) => "a time".to_owned(),
        toml::Value::Array(_) => "a list".to_owned(),
        toml::Value::Table(_) => "a table".to_owned(),
        _ => ParamValue::of_toml(value).map_or_else(String::new, |value| value.to_string()),
    }
}

/// Names of the parameters used in SQL.
pub(super) fn names_of(sql: &str) -> Result<BTreeSet<String>, Problem> {
    Ok(places_of(sql)?.into_iter().map(|(_, name)| name).collect())
}

/// Replaces parameters in SQL by literals.
pub(super) fn substitute(sql: &str, parameters: &Parameters) -> Result<String, Problem> {
    let places = places_of(sql)?;
    let mut result = String::with_capacity(sql.len() + 16);
    let mut copied = 0;
    for (start, name) in places {
        let Some(value) = parameters.get(&name) else {
            let above = sql[..start].matches('\n').count();
            return Err(unknown(&name, parameters).below(above));
        };
        result.push_str(&sql[copied..start]);
        result.push_str(&value.literal());
        copied = start + "$".len() + name.len();
    }
    result.push_str(&sql[copied..]);
    Ok(result)
}

/// The problem of an unknown parameter.
pub(super) fn unknown(name: &str, parameters: &Parameters) -> Problem {
    let hint = if parameters.is_empty() {
        format!("give it a value: a table [params] with `{name} = …`")
    } else {
        hint_of_names(name, parameters.keys().map(String::as_str))
    };
    Problem::new(format!("`${name}` is not a parameter of the rule")).with_hint(hint)
}

/// Byte offset and name of each parameter in SQL, in order.
fn places_of(sql: &str) -> Result<Vec<(usize, String)>, Problem> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| {
        Problem::new(format!("the SQL cannot be parsed: {}", error.message)).below(line_above(error.location))
    })?;
    let mut places = Vec::new();
    let mut positions = Positions::new(sql);
    for token in tokens {
        let line = line_above(token.span.start);
        match &token.token {
            Token::Placeholder(text) => {
                let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) else {
                    let message = format!("`{text}` is not a parameter");
                    return Err(Problem::new(message).with_hint("parameters are written `$name`").below(line));
                };
                places.push((positions.byte_of(token.span.start), name.to_owned()));
            }
            Token::DollarQuotedString(_) => {
                let problem = Problem::new("dollar-quoted text is not supported here");
                return Err(problem.with_hint("put text in single quotes").below(line));
            }
            _ => {}
        }
    }
    Ok(places)
}

/// Whether a name is valid for a parameter.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn line_above(location: Location) -> usize {
    usize::try_from(location.line.saturating_sub(1)).unwrap_or(0)
}

/// Converts positions in a text to byte offsets. Positions must be ascending.
struct Positions<'a> {
    rest: std::iter::Peekable<std::str::CharIndices<'a>>,
    len: usize,
    at: Location,
}

impl<'a> Positions<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.char_indices().peekable(), len: text.len(), at: Location { line: 1, column: 1 } }
    }

    /// The byte offset of a position. The tokenizer counts characters, and only line feeds as line ends.
    fn byte_of(&mut self, place: Location) -> usize {
        while let Some(&(byte, char)) = self.rest.peek() {
            if self.at >= place {
                return byte;
            }
            self.rest.next();
            self.at = match char {
                '\n' => Location { line: self.at.line + 1, column: 1 },
                _ => Location { line: self.at.line, column: self.at.column + 1 },
            };
        }
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters::from([
            ("min".to_owned(), ParamValue::Integer(3)),
            ("below".to_owned(), ParamValue::Integer(-3)),
            ("share".to_owned(), ParamValue::Float(0.5)),
            ("tiny".to_owned(), ParamValue::Float(-1e-9)),
            ("code".to_owned(), ParamValue::Text("it's $min".to_owned())),
            ("on".to_owned(), ParamValue::Boolean(true)),
        ])
    }

    #[test]
    fn parameters_become_literals() {
        for (sql, expected) in [
            ("", ""),
            ("SELECT 1", "SELECT 1"),
            ("n>=$min AND x", "n>=3 AND x"),
            ("$min", "3"),
            ("1 -$below", "1 -(-3)"),
            ("$share*$tiny", "0.5*(-1e-9)"),
            ("a = $code", "a = 'it''s $min'"),
            ("NOT $on", "NOT TRUE"),
            ("'$min' || \"$min\" -- $min\n, $min", "'$min' || \"$min\" -- $min\n, 3"),
            ("/* $min /* $x */ */ $min", "/* $min /* $x */ */ 3"),
            ("'ä''$min', 'ö\n ü' ,\r\n\t$min,'€'", "'ä''$min', 'ö\n ü' ,\r\n\t3,'€'"),
        ] {
            assert_eq!(substitute(sql, &parameters()).as_deref(), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (sql, message, hint) in [
            ("\nn > $mni", "f:2: `$mni` is not a parameter of the rule", Some("did you mean `min`?".to_owned())),
            ("?", "f:1: `?` is not a parameter", Some("parameters are written `$name`".to_owned())),
            ("$1", "f:1: `$1` is not a parameter", Some("parameters are written `$name`".to_owned())),
            (
                "a\n= $$x$$",
                "f:2: dollar-quoted text is not supported here",
                Some("put text in single quotes".to_owned()),
            ),
            ("a = 'x", "f:1: the SQL cannot be parsed: Unterminated string literal", None),
        ] {
            let error = substitute(sql, &parameters()).unwrap_err().in_file("f", 1);
            assert_eq!((error.to_string(), error.hint()), (message.to_owned(), hint.as_deref()), "{sql}");
        }
        let error = substitute("$x", &Parameters::new()).unwrap_err().in_file("f", 1);
        assert_eq!(error.hint(), Some("give it a value: a table [params] with `x = …`"));
    }

    #[test]
    fn names_are_found() {
        let names = names_of("SELECT $b, '$c', $a, $b").unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn values_are_shown_as_toml() {
        let shown: Vec<_> = parameters().values().map(ToString::to_string).collect();
        assert_eq!(shown, ["-3", "\"it's $min\"", "3", "true", "0.5", "-1e-9"]);
    }
}
