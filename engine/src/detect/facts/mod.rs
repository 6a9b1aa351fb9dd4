//! Classification of the values of a single request, independently of all others: the effect of an operation, the
//! meaning of an error, the nature of a key, URI and user agent.
//!
//! Start at [`Lists`], the patterns and words from the files in `lists/`, each of which users can replace. [`KeyFacts`]
//! and [`PayloadPatterns::find`] run for every request and are fast. [`OperationFacts`], [`ErrorFacts`] and
//! [`UserAgentFacts`] are slower and computed once per distinct value.
//!
//! This module reads no files, and does not depend on Arrow or DataFusion. All functions are total: any input from a
//! client is classified.

mod crawlers;
mod edges;
mod error_code;
mod extension;
mod gate;
mod key;
mod lists;
mod operation;
mod operation_name;
mod payload;
mod protocol;
mod user_agent;

pub(crate) use crawlers::Crawlers;
pub(crate) use edges::Edges;
pub(crate) use error_code::ErrorFacts;
pub(crate) use extension::KeyKind;
pub(crate) use key::{KeyFacts, KeyFlags, are_near, decode as decoded_key, extension_of, first_folder, number_of};
pub use lists::ListError;
pub(crate) use operation::{OpClass, OperationFacts};
pub(crate) use operation_name::{OperationName, Verb};
pub(crate) use payload::PayloadPatterns;
pub(crate) use protocol::is_abuse;
pub(crate) use user_agent::{HostileAgents, Kind, UserAgentFacts};

use extension::Extensions;
use gate::Gate;
use lists::{Patterns, Words};
use regex::bytes::{RegexSet, RegexSetBuilder};

/// A list shipped with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShippedList {
    /// The name, such as `sensitive-keys`, by which users replace the list.
    pub name: &'static str,
    /// The file name, such as `sensitive-keys.regex`.
    pub file: &'static str,
    /// The contents. Comments at the top describe the list, with its date and sources.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal, $extension:literal;)*) => {
        /// All lists shipped with the program.
        pub const SHIPPED: &[ShippedList] = &[$(ShippedList {
            name: $name,
            file: concat!($name, ".", $extension),
            text: include_str!(concat!("lists/", $name, ".", $extension)),
        }),*];
    };
}

shipped! {
    "sensitive-keys", "regex";
    "web-probes", "regex";
    "benign-misses", "regex";
    "ransom-notes", "regex";
    "suspicious-uploads", "regex";
    "payloads", "regex";
    "encrypted-extensions", "txt";
    "hostile-agents", "txt";
    "crawlers", "txt";
    "cdns", "txt";
}

/// The compiled patterns and words.
///
/// A clone is cheap and shares the automata, but has its own scratch memory: give each long-running thread its own
/// clone to avoid contention.
#[derive(Clone, Debug)]
pub struct Lists {
    keys: KeyLists,
    encrypted_extensions: Words,
    /// Includes `encrypted_extensions`.
    extensions: Extensions,
    /// Attacks in request-URIs.
    pub(crate) payloads: PayloadPatterns,
    /// Tools used for attacks.
    pub(crate) hostile_agents: HostileAgents,
    /// Operators of crawlers and their networks.
    pub(crate) crawlers: Crawlers,
    /// Published ranges of CDNs.
    pub(crate) edges: Edges,
}

impl Lists {
    /// The lists shipped with the program.
    ///
    /// # Errors
    ///
    /// Fails if one of them is invalid.
    pub fn shipped() -> Result<Self, ListError> {
        Self::with(&[])
    }

    /// The shipped lists with some replaced, given as pairs of name and text. If a name occurs more than once, the last
    /// text is used.
    ///
    /// # Errors
    ///
    /// Fails if there is no list of a given name, or if a text is invalid; the error has the line.
    pub fn with(replaced: &[(&str, &str)]) -> Result<Self, ListError> {
        if let Some((name, _)) = replaced.iter().find(|(name, _)| SHIPPED.iter().all(|list| list.name != *name)) {
            let known: Vec<_> = SHIPPED.iter().map(|list| list.name).collect();
            let message = format!("no list is called `{name}`; there are {}", known.join(", "));
            return Err(ListError::new("lists", 0, message));
        }
        let text = |name: &str| {
            let replaced = replaced.iter().rev().find(|(replaced, _)| *replaced == name).map(|(_, text)| *text);
            let shipped = || SHIPPED.iter().find(|list| list.name == name).map(|list| list.text);
            replaced.or_else(shipped).unwrap_or_default()
        };
        let encrypted_extensions = Words::parse("encrypted-extensions", text("encrypted-extensions"))?;
        Ok(Self {
            keys: KeyLists::new(KeyLists::NAMES.map(text))?,
            extensions: Extensions::new(&encrypted_extensions),
            encrypted_extensions,
            payloads: PayloadPatterns::parse(text(PayloadPatterns::NAME))?,
            hostile_agents: HostileAgents::parse(text(HostileAgents::NAME))?,
            crawlers: Crawlers::parse(text(Crawlers::NAME))?,
            edges: Edges::parse(text(Edges::NAME))?,
        })
    }

    /// Number of entries in a list, given its name; for crawlers, the number of operators.
    #[must_use]
    pub fn len_of(&self, name: &str) -> Option<usize> {
        match name {
            "encrypted-extensions" => Some(self.encrypted_extensions.len()),
            PayloadPatterns::NAME => Some(self.payloads.len()),
            HostileAgents::NAME => Some(self.hostile_agents.len()),
            Crawlers::NAME => Some(self.crawlers.len()),
            Edges::NAME => Some(self.edges.len()),
            name => KeyLists::NAMES.iter().position(|known| *known == name).map(|index| self.keys.lists[index].len()),
        }
    }
}

/// The lists of patterns for keys.
#[derive(Clone, Debug)]
struct KeyLists {
    /// One expression per list, so that a single pass rejects ordinary keys.
    any: RegexSet,
    /// Decides whether that pass is needed.
    gate: Gate,
    lists: [Patterns; 5],
}

impl KeyLists {
    const SENSITIVE: usize = 0;
    const WEB_PROBES: usize = 1;
    const BENIGN_MISSES: usize = 2;
    const RANSOM_NOTES: usize = 3;
    const SUSPICIOUS_UPLOADS: usize = 4;
    /// In the order of the constants above.
    const NAMES: [&'static str; 5] =
        ["sensitive-keys", "web-probes", "benign-misses", "ransom-notes", "suspicious-uploads"];

    /// Compiles the lists from their texts, in the order of `NAMES`.
    fn new(texts: [&str; 5]) -> Result<Self, ListError> {
        let parse = |index: usize| Patterns::parse(Self::NAMES[index], texts[index]);
        let lists = [parse(0)?, parse(1)?, parse(2)?, parse(3)?, parse(4)?];
        let sources = lists.iter().map(Patterns::source);
        let any =
            RegexSetBuilder::new(sources).case_insensitive(true).unicode(false).dot_matches_new_line(true).build();
        let any = any.map_err(|error| ListError::new("lists", 0, error.to_string()))?;
        let mut gate = Gate::new();
        lists.iter().flat_map(Patterns::iter).for_each(|pattern| gate.add(pattern));
        Ok(Self { any, gate, lists })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_list_says_what_it_is_and_is_read() {
        let lists = Lists::shipped().unwrap();
        for list in SHIPPED {
            assert!(lists.len_of(list.name).unwrap() > 5, "{}", list.name);
            assert!(list.file.starts_with(list.name), "{}", list.file);
            for line in [format!("# list: {}\n", list.name), "# date: 20".to_owned(), "# sources: ".to_owned()] {
                assert!(list.text.contains(&line), "{}: {line}", list.name);
            }
        }
        assert_eq!(lists.len_of("none"), None);
        for list in &lists.keys.lists {
            for pattern in list.iter() {
                let mut gate = Gate::new();
                gate.add(pattern);
                assert!(!gate.is_always_open(), "every key would be matched because of {pattern}");
            }
        }
    }

    #[test]
    fn a_user_replaces_a_list() {
        let lists = Lists::with(&[("sensitive-keys", "secret\\.txt$"), ("encrypted-extensions", "")]).unwrap();
        assert!(KeyFacts::of(&lists, "a/secret.txt").is(KeyFlags::SENSITIVE));
        assert!(!KeyFacts::of(&lists, ".env").is(KeyFlags::SENSITIVE));
        assert!(!KeyFacts::of(&lists, "a.lockbit").is(KeyFlags::ENCRYPTED));
        assert!(KeyFacts::of(&lists, "wp-login.php").is(KeyFlags::WEB_PROBE));
        assert_eq!(lists.len_of("sensitive-keys"), Some(1));
    }

    #[test]
    fn errors_name_the_list() {
        for (name, text, expected) in [
            ("web-probes", "ok\n(\n", "web-probes, line 2: not a regular expression: unclosed group"),
            ("payloads", "[x]\n", "payloads, line 1: `[x]` is not a kind of payload"),
            ("crawlers", "x\n", "crawlers, line 1: there is a line before the first operator"),
            ("web-probe", "", "lists: no list is called `web-probe`; there are sensitive-keys, web-probes"),
        ] {
            let error = Lists::with(&[(name, text)]).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
