//! The function `user_agent_family`.
//!
//! Families are defined by data: `user_agents.txt`, in order of precedence. A user agent is split into words, each word
//! is looked up, and the highest-ranking family wins. Two rules are not in the table: words of URLs do not count, and a
//! user agent with no known family is named after its first product.

use super::text_function::{Row, TextFunction};
use super::{Documented, FunctionDoc};
use datafusion::common::HashMap;
use std::sync::LazyLock;

const USER_AGENT_FAMILY: FunctionDoc = FunctionDoc {
    group: "User agent",
    name: "user_agent_family",
    signature: "user_agent_family(user_agent) -> text",
    description: "A short name of the client: `aws-cli`, `Boto3`, `aws-sdk-java`, `Hadoop`, `rclone`, `curl`, \
                  `Chrome`, `Googlebot`. Tools stand before the SDKs they are built on, crawlers before the browsers \
                  they imitate. What is not known is named by its first product, without the version. The text is the \
                  client's claim, not proof.",
    arguments: &[("user_agent", "The column `user_agent`.")],
    example_sql: "SELECT user_agent_family('aws-cli/2.15.0 Python/3.11.6 Linux/6.1 botocore/2.4.5')",
    example_result: "aws-cli",
};

pub(super) fn functions() -> Vec<Documented> {
    vec![TextFunction::documented(&USER_AGENT_FAMILY, Row::RepeatedText(family))]
}

/// Words with the ending of a crawler that name none: a phone maker, and generic words.
const NO_CRAWLERS: [&str; 4] = ["cubot", "bot", "spider", "crawler"];

/// Longer than any word of the table; longer words are not looked up.
const LONGEST_WORD: usize = 40;

/// Maximum length of a name with several words.
const LONGEST_NAME: usize = 40;

/// The table, keyed by word. Rank 0 has the highest precedence.
struct Table {
    words: HashMap<Vec<u8>, (usize, &'static str)>,
    endings: Vec<&'static [u8]>,
    endings_rank: usize,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("user_agents.txt")));

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self { words: HashMap::new(), endings: Vec::new(), endings_rank: usize::MAX };
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (rank, line) in lines.enumerate() {
            let (family, words) = line.split_once(" = ").unwrap_or((line, line));
            for word in words.split(' ') {
                if let Some(ending) = word.strip_prefix('*') {
                    table.endings.push(ending.as_bytes());
                    table.endings_rank = rank;
                } else {
                    // Words in the file are in lower case, except for families that are their own word.
                    table.words.entry(word.to_ascii_lowercase().into_bytes()).or_insert((rank, family));
                }
            }
        }
        table
    }

    /// Rank and family of a word.
    fn look_up<'a>(&self, word: &'a str) -> Option<(usize, &'a str)> {
        let mut lower = [0; LONGEST_WORD];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word.as_bytes());
        lower.make_ascii_lowercase();
        if let Some(found) = self.words.get(&*lower) {
            return Some(*found);
        }
        let crawler = self.endings.iter().any(|ending| lower.ends_with(ending))
            && !NO_CRAWLERS.iter().any(|no| no.as_bytes() == lower);
        crawler.then_some((self.endings_rank, word))
    }
}

/// The name of the client; empty for an empty text.
pub(crate) fn family(user_agent: &str) -> &str {
    let mut best: Option<(usize, &str)> = None;
    for word in words(user_agent) {
        if let Some(found) = TABLE.look_up(word)
            && best.is_none_or(|best| found.0 < best.0)
        {
            best = Some(found);
        }
    }
    best.map_or_else(|| first_product(user_agent), |(_, family)| family)
}

/// Words that begin with a letter, without those of URLs.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.bytes().position(is_word_byte)?;
            let from = &rest[start..];
            let end = from.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(from.len());
            let word = &from[..end];
            rest = &from[end..];
            if let Some(url) = rest.strip_prefix("://") {
                let end = url.bytes().position(|byte| b" ;,)]\"'".contains(&byte)).unwrap_or(url.len());
                rest = &url[end..];
            } else if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
                return Some(word);
            }
        }
    })
}

/// Non-ASCII bytes count as part of a word, so that characters are never split.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') || !byte.is_ascii()
}

/// The name before the first `/`: `Mountain Duck` for `Mountain Duck/4.1`. If that is not a plain name, the first word;
/// if there is no word, the whole text.
fn first_product(text: &str) -> &str {
    let name = text.split('/').next().unwrap_or(text);
    if name.len() < text.len()
        && name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_alphanumeric())
        && name.bytes().all(|byte| is_word_byte(byte) || byte == b' ')
    {
        return name.trim_end();
    }
    let mut words = text.split(|character: char| character.is_ascii() && !is_word_byte(character as u8));
    words.find(|word| !word.is_empty()).unwrap_or(text)
}

#[cfg(test)]
mod tests;
