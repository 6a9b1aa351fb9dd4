//! The function `user_agent_family`.
//!
//! The families are data: `user_agents.txt`, in order of precedence. A user agent is cut into words, each word is
//! looked up, and the strongest family wins. Two rules cannot be said in the table: words of URLs do not count, and a
//! user agent that names no family is called after its first product.

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

/// Words that end like a crawler's and name none: a maker of phones, and the bare kinds.
const NO_CRAWLERS: [&str; 4] = ["cubot", "bot", "spider", "crawler"];

/// The longest word of the table is shorter; longer ones are not looked up.
const LONGEST_WORD: usize = 40;

/// The longest name that is made of several words.
const LONGEST_NAME: usize = 40;

/// The table by word. Ranks count from 0, the strongest.
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
                    // The words of the file are in lower case, but for a family that is its own word.
                    table.words.entry(word.to_ascii_lowercase().into_bytes()).or_insert((rank, family));
                }
            }
        }
        table
    }

    /// Rank and family of one word.
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

/// The words that begin with a letter, those of URLs left out.
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

/// Bytes of other alphabets are part of a word, so that no character is cut.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') || !byte.is_ascii()
}

/// The name before the first `/`: `Mountain Duck` of `Mountain Duck/4.1`. Where that is no plain name the first word,
/// and where there is no word the text itself.
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
