//! Listing the keys of a bucket.

use std::ops::Bound;

use crate::bucket::{Bucket, Object};

/// Maximum number of entries per page.
pub(crate) const MOST_KEYS: usize = 1000;

/// Parameters of a page.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// The last key or common prefix of earlier pages.
    pub(crate) after: Option<&'a str>,
    pub(crate) most: usize,
}

/// An entry of a page.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Object(&'a str, &'a Object),
    /// Stands for all keys with this prefix.
    CommonPrefix(&'a str),
}

impl Entry<'_> {
    /// The key or the common prefix.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::CommonPrefix(name) => name,
        }
    }
}

/// A page of keys.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) entries: Vec<Entry<'a>>,
    pub(crate) is_truncated: bool,
}

impl Query<'_> {
    /// The part of a key up to the first delimiter after the prefix.
    fn common_prefix<'a>(&self, key: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter?;
        let found = key.strip_prefix(self.prefix)?.find(delimiter)?;
        Some(&key[..self.prefix.len() + found + delimiter.len()])
    }

    fn begin(&self) -> Option<Bound<String>> {
        let Some(after) = self.after.filter(|after| *after >= self.prefix) else {
            return Some(Bound::Included(self.prefix.to_owned()));
        };
        // All keys with a common prefix sort after it, but were already listed with it.
        if self.common_prefix(after) == Some(after) {
            return beyond(after).map(Bound::Included);
        }
        Some(Bound::Excluded(after.to_owned()))
    }
}

impl Bucket {
    /// Examines only as many keys as the page has entries, starting at the first of them.
    pub(crate) fn list(&self, query: &Query<'_>) -> Page<'_> {
        let most = query.most.min(MOST_KEYS);
        let mut page = Page { entries: Vec::new(), is_truncated: false };
        if most == 0 {
            return page;
        }
        let mut begin = query.begin();
        while let Some(bound) = begin.take() {
            for (key, object) in self.objects.range((bound, Bound::Unbounded)) {
                if !key.starts_with(query.prefix) {
                    break;
                }
                if page.entries.len() == most {
                    page.is_truncated = true;
                    break;
                }
                if let Some(prefix) = query.common_prefix(key) {
                    page.entries.push(Entry::CommonPrefix(prefix));
                    begin = beyond(prefix).map(Bound::Included);
                    break;
                }
                page.entries.push(Entry::Object(key, object));
            }
        }
        page
    }
}

/// The smallest text greater than all that begin with `prefix`. Characters sort like their UTF-8 bytes.
fn beyond(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_prefix_is_the_next_text_without_it() {
        assert_eq!(beyond("a/").as_deref(), Some("a0"));
        assert_eq!(beyond("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(beyond("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(beyond("\u{10ffff}"), None);
        assert_eq!(beyond(""), None);
    }

    #[test]
    fn pages_join_to_what_one_page_would_hold() {
        let mut bucket = Bucket::default();
        for key in ["a", "a/1", "a/2", "a0", "b/", "b/1/x", "b/1/y", "b/2", "c", "ä/1", "ä/2"] {
            bucket.put(key.to_owned(), bytes::Bytes::new(), crate::bucket::STANDARD);
        }
        for prefix in ["", "a", "a/", "b", "b/", "b/1", "z"] {
            for delimiter in [None, Some("/"), Some("1"), Some("/1")] {
                let list = |after: Option<&str>, most| {
                    let page = bucket.list(&Query { prefix, delimiter, after, most });
                    let names: Vec<String> = page.entries.iter().map(|entry| entry.name().to_owned()).collect();
                    (names, page.is_truncated)
                };
                let (whole, is_truncated) = list(None, 1000);
                assert!(!is_truncated);
                for most in 1..5 {
                    let mut joined: Vec<String> = Vec::new();
                    loop {
                        let (names, is_truncated) = list(joined.last().map(String::as_str), most);
                        assert!(names.len() == most || !is_truncated);
                        joined.extend(names);
                        if !is_truncated {
                            break;
                        }
                    }
                    assert_eq!(joined, whole, "{prefix:?} {delimiter:?} {most}");
                }
            }
        }
    }
}
