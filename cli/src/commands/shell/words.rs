//! Words for completion: keywords, tables, columns, functions.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use datafusion::prelude::SessionContext;
use futures::FutureExt as _;

use super::dot;
use crate::diagnose::{functions, tables};
use crate::output::Format;
use clap::ValueEnum as _;

const KEYWORDS: [&str; 60] = [
    "ALL",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "FUNCTIONS",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "TABLES",
    "THEN",
    "TRUE",
    "UNION",
    "WHERE",
    "WITH",
];

#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The columns of each table.
    tables: BTreeMap<String, Vec<String>>,
    functions: Vec<String>,
}

impl Words {
    /// The current words of a session.
    pub(crate) fn of(context: &SessionContext) -> Self {
        let columns = |table: &str| {
            // Tables in memory answer immediately; a table that would have to wait is left without columns.
            let provider = context.table_provider(table.to_owned()).now_or_never()?.ok()?;
            Some(provider.schema().fields().iter().map(|field| field.name().clone()).collect())
        };
        Self {
            tables: tables(context)
                .into_iter()
                .map(|table| (table.clone(), columns(&table).unwrap_or_default()))
                .collect(),
            functions: functions(context).into_iter().collect(),
        }
    }

    /// Shares the words with the editor's thread.
    pub(crate) fn shared(self) -> SharedWords {
        SharedWords(Arc::new(RwLock::new(self)))
    }

    /// Where the word at the end of `text` starts, and its completions.
    pub(crate) fn complete(&self, text: &str) -> (usize, Vec<String>) {
        if let Some(rest) = text.strip_prefix('.') {
            return self.complete_dot(text, rest);
        }
        let start = text
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let word = &text[start..];
        if let Some((table, prefix)) = word.split_once('.') {
            let columns = self.tables.get(table).into_iter().flatten();
            let found = columns.filter(|column| has_prefix(column, prefix)).map(|column| format!("{table}.{column}"));
            return (start, found.collect());
        }
        if word.is_empty() {
            return (start, Vec::new());
        }
        let columns = self.tables.values().flatten();
        let names = self.tables.keys().chain(columns).chain(&self.functions);
        let mut found: Vec<String> = names.filter(|name| has_prefix(name, word)).cloned().collect();
        let lower = word.chars().any(char::is_lowercase);
        let keywords = KEYWORDS.iter().filter(|keyword| has_prefix(keyword, word));
        found.extend(keywords.map(|keyword| if lower { keyword.to_lowercase() } else { (*keyword).to_owned() }));
        found.sort();
        found.dedup();
        (start, found)
    }

    fn complete_dot(&self, text: &str, rest: &str) -> (usize, Vec<String>) {
        let Some((command, argument)) = rest.split_once(' ') else {
            let names = dot::NAMES.iter().filter(|name| name.starts_with(text));
            return (0, names.map(|name| (*name).to_owned()).collect());
        };
        let start = text.len() - argument.len();
        let candidates: Vec<String> = match command {
            "schema" => self.tables.keys().cloned().collect(),
            "mode" => {
                let values = Format::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value);
                values.map(|value| value.get_name().to_owned()).collect()
            }
            "timer" => vec!["off".to_owned(), "on".to_owned()],
            _ => Vec::new(),
        };
        (start, candidates.into_iter().filter(|candidate| candidate.starts_with(argument)).collect())
    }
}

fn has_prefix(word: &str, prefix: &str) -> bool {
    word.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Words that the shell replaces while the editor reads them.
#[derive(Clone, Debug)]
pub(crate) struct SharedWords(Arc<RwLock<Words>>);

impl SharedWords {
    /// Replaces the words, because a statement may have created a table.
    pub(crate) fn replace(&self, words: Words) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// [`Words::complete`] with the current words.
    pub(crate) fn complete(&self, text: &str) -> (usize, Vec<String>) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).complete(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let columns = ["time", "remote_ip", "request_uri"].map(str::to_owned).to_vec();
        Words {
            tables: BTreeMap::from([("logs".to_owned(), columns), ("rejects".to_owned(), vec!["reason".to_owned()])]),
            functions: vec!["regexp_like".to_owned(), "ip_in".to_owned()],
        }
    }

    #[test]
    fn names_and_keywords() {
        assert_eq!(
            words().complete("SELECT re"),
            (
                7,
                vec!["reason", "regexp_like", "rejects", "remote_ip", "request_uri"]
                    .into_iter()
                    .map(str::to_owned)
                    .collect()
            )
        );
        assert_eq!(words().complete("sel"), (0, vec!["select".to_owned()]));
        assert_eq!(words().complete("SEL"), (0, vec!["SELECT".to_owned()]));
        assert_eq!(words().complete("SELECT é,ti"), (10, vec!["time".to_owned()]));
        assert_eq!(words().complete("SELECT "), (7, vec![]));
    }

    #[test]
    fn columns_of_a_table() {
        assert_eq!(words().complete("SELECT logs.rem"), (7, vec!["logs.remote_ip".to_owned()]));
        assert_eq!(words().complete("SELECT other.r"), (7, vec![]));
    }

    #[test]
    fn commands_and_their_arguments() {
        assert_eq!(words().complete(".ta"), (0, vec![".tables".to_owned()]));
        assert_eq!(words().complete(".schema r"), (8, vec!["rejects".to_owned()]));
        assert_eq!(words().complete(".mode nd"), (6, vec!["ndjson".to_owned()]));
        assert_eq!(words().complete(".timer o"), (7, vec!["off".to_owned(), "on".to_owned()]));
    }
}
