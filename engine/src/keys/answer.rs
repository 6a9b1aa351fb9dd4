//! Parses answers of the API, and files with the same content, into keys. All text in them is untrusted.

use std::collections::HashSet;

use serde::Deserialize;

use super::api::NewKey;
use super::grant::{Key, is_access_key};
use super::secret::Secret;
use crate::error::{Error, ErrorKind};

/// Maximum number of characters of untrusted text repeated in an error.
const LONGEST_TOLD: usize = 300;

/// One page of the list of keys.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) keys: Vec<Key>,
    /// The link to the next page, if there is one.
    pub(super) next: Option<String>,
    /// Total number of keys on all pages.
    pub(super) total: Option<u64>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct PageJson {
    keys: Option<Vec<Key>>,
    links: Option<LinksJson>,
    meta: Option<MetaJson>,
    /// Present instead of a list if a file holds a single key.
    access_key: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct LinksJson {
    pages: Option<PagesJson>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct PagesJson {
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct MetaJson {
    total: Option<u64>,
}

impl From<PageJson> for Page {
    fn from(page: PageJson) -> Self {
        let next = page.links.and_then(|links| links.pages).and_then(|pages| pages.next);
        Self {
            keys: page.keys.unwrap_or_default(),
            next: next.filter(|next| !next.is_empty()),
            total: page.meta.and_then(|meta| meta.total),
        }
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct KeyJson {
    key: Key,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct CreatedJson {
    key: CreatedKeyJson,
}

#[derive(Deserialize)]
struct CreatedKeyJson {
    secret_key: String,
    #[serde(flatten)]
    key: Key,
}

/// The body of an error response.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    id: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Refusal {
    /// Parses an error body; an unknown format is treated as empty.
    pub(super) fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The text to append after the status, such as `: unauthorized: Unable to authenticate you.`; empty if there is
    /// none.
    pub(super) fn text(&self, token: &Secret) -> String {
        let said = |text: &Option<String>| text.as_deref().map(|text| told(&token.taken_out_of(text)));
        let parts = [said(&self.id), said(&self.message)];
        let mut text: String =
            parts.into_iter().flatten().filter(|part| !part.is_empty()).map(|part| format!(": {part}")).collect();
        if let Some(id) = said(&self.request_id) {
            text.push_str(&format!(" (request {id})"));
        }
        text
    }
}

/// Parses a page of the list of keys.
pub(super) fn page(body: &[u8]) -> Result<Page, Error> {
    let page: PageJson = serde_json::from_slice(body).map_err(malformed)?;
    if page.keys.is_none() {
        return Err(Error::new(ErrorKind::Unreadable, "the answer has no `keys`").with_hint(NOT_THIS_API));
    }
    Ok(page.into())
}

/// Parses a single key.
pub(super) fn key(body: &[u8]) -> Result<Key, Error> {
    serde_json::from_slice(body).map(|answer: KeyJson| answer.key).map_err(malformed)
}

/// Parses a newly created key. Errors do not include serde's message, which would repeat values, among them the secret.
pub(super) fn created(body: &[u8]) -> Result<NewKey, String> {
    let answer: CreatedJson = serde_json::from_slice(body)
        .map_err(|error| format!("its answer is not understood (line {}, column {})", error.line(), error.column()))?;
    let CreatedKeyJson { secret_key, key } = answer.key;
    if !is_access_key(&key.access_key) {
        return Err("its answer has no access key id".to_owned());
    }
    // The secret goes into a file of lines, so it must not contain a line break.
    if secret_key.is_empty() || !secret_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("its answer has no secret for {}", key.access_key));
    }
    Ok(NewKey { key, secret: Secret::new(secret_key) })
}

/// The hint for a response that cannot be parsed.
pub(super) const NOT_THIS_API: &str = "is --api-url the API of DigitalOcean?";

fn malformed(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Unreadable, format!("the answer is not understood: {}", told(&error.to_string())))
        .with_hint(NOT_THIS_API)
}

/// Reads keys from JSON: an array as printed by `s3log keys list -F json`, or an object with that array in `keys`, as
/// the API returns it. Sorted by name, then by id, without duplicate ids.
///
/// # Errors
///
/// Fails if the JSON has neither form, or is only one of several pages.
///
/// ```
/// let keys = s3log_engine::keys::keys_from_json(br#"[{"name": "backup", "access_key": "DO00EXAMPLE", "grants": []}]"#)?;
/// assert_eq!(keys[0].name, "backup");
/// # Ok::<(), s3log_engine::Error>(())
/// ```
pub fn keys_from_json(bytes: &[u8]) -> Result<Vec<Key>, Error> {
    let hint = "`s3log keys list -F json` prints the keys of an account as they are read here";
    let invalid = |what: String| Error::invalid(what).with_hint(hint);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let not_json =
        |error: serde_json::Error| invalid(format!("this is not a list of keys: {}", told(&error.to_string())));
    let keys = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => serde_json::from_slice(bytes).map_err(not_json)?,
        Some(b'{') => {
            let page: PageJson = serde_json::from_slice(bytes).map_err(not_json)?;
            match (&page.keys, &page.access_key) {
                (Some(_), _) => {}
                (None, Some(_)) => return Err(invalid("this is one key, not an array of keys".to_owned())),
                (None, None) => return Err(invalid("this is not a list of keys: it has no `keys`".to_owned())),
            }
            let page = Page::from(page);
            let missing = page.total.is_some_and(|total| total > page.keys.len() as u64);
            if page.next.is_some() || missing {
                return Err(invalid(format!(
                    "this is one page of the keys, with {} of them, and there are more",
                    page.keys.len()
                )));
            }
            page.keys
        }
        Some(_) => return Err(invalid("this is not a list of keys: it is not a JSON array or object".to_owned())),
        None => return Err(invalid("this is not a list of keys: it is empty".to_owned())),
    };
    Ok(in_order(keys))
}

/// Sorts keys by name, then by id, and removes duplicate ids.
pub(super) fn in_order(mut keys: Vec<Key>) -> Vec<Key> {
    let mut known = HashSet::new();
    keys.retain(|key| known.insert(key.access_key.clone()));
    keys.sort_by(|a, b| (&a.name, &a.access_key).cmp(&(&b.name, &b.access_key)));
    keys
}

/// Makes untrusted text suitable for a message: a single line of limited length.
pub(super) fn told(text: &str) -> String {
    let line: String = text.chars().take(LONGEST_TOLD).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST_TOLD).is_some() { format!("{line}…") } else { line.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Grant, Permission};

    const TWO: &str = r#"[
        {"name":"b","access_key":"DO2","created_at":"2026-01-02T03:04:05Z","grants":[]},
        {"name":"a","access_key":"DO1","grants":[{"bucket":"logs","permission":"read"},{"bucket":"","permission":"new"}]}
    ]"#;

    #[test]
    fn keys_of_a_file_have_an_order() {
        let keys = keys_from_json(TWO.as_bytes()).unwrap();
        assert_eq!(keys_from_json(format!("\u{feff}{{\"keys\":{TWO},\"links\":{{}}}}").as_bytes()).unwrap(), keys);
        let names: Vec<_> = keys.iter().map(|key| (key.name.as_str(), key.grants.len())).collect();
        assert_eq!(names, [("a", 2), ("b", 0)]);
        assert_eq!(keys[0].grants[1], Grant { bucket: String::new(), permission: Permission::Other("new".to_owned()) });
        assert_eq!(keys[0].created_at, None);
        let again = serde_json::to_vec(&keys).unwrap();
        assert_eq!(keys_from_json(&again).unwrap(), keys);
        assert_eq!(keys_from_json(b"[]").unwrap(), []);
        assert_eq!(keys_from_json(b" {\"keys\":[],\"meta\":{\"total\":0}}").unwrap(), []);
    }

    #[test]
    fn what_is_left_out_or_null_is_empty() {
        let keys = keys_from_json(
            br#"[{"access_key":"DO1","name":null,"grants":null,"created_at":null},{"access_key":"DO1"}]"#,
        )
        .unwrap();
        let empty = Key { name: String::new(), access_key: "DO1".to_owned(), grants: vec![], created_at: None };
        assert_eq!(keys, [empty]);
    }

    #[test]
    fn files_that_hold_no_keys() {
        let mut text = String::new();
        for file in [
            "",
            " \n",
            "name,access_key\n",
            "{}",
            "[1]",
            "[{}]",
            r#"[{"access_key":"DO1"}"#,
            r#"[{"access_key":"DO1","grants":[{"bucket":"b"}]}]"#,
            r#"{"name":"a","access_key":"DO1"}"#,
            "{\"access_key\":\"DO1\"}\n{\"access_key\":\"DO2\"}\n",
            r#"{"id":"unauthorized","message":"Unable to authenticate you."}"#,
            r#"{"keys":[{"access_key":"DO1"}],"links":{"pages":{"next":"https://api.digitalocean.com/v2/spaces/keys?page=2"}}}"#,
            r#"{"keys":[{"access_key":"DO1"}],"meta":{"total":2}}"#,
        ] {
            let error = keys_from_json(file.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.hint().is_some_and(|hint| hint.contains("keys list -F json")));
            text.push_str(&format!("{file:?}\n    {error}\n"));
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_answer_that_is_not_understood_tells_no_secret() {
        for body in [
            r#"{"key":{"access_key":"DO1","secret_key":["hunter2"]}}"#,
            r#"{"key":{"access_key":["hunter2"],"secret_key":"hunter2"}}"#,
            r#"{"key":{"access_key":"DO1","secret_key":"hunter2\n[other]"}}"#,
            r#"{"key":{"access_key":"DO1]","secret_key":"hunter2"}}"#,
            r#"{"key":{"secret_key":"hunter2"}}"#,
            r#"{"key":{"access_key":"DO1","secret_key":""}}"#,
            r#"{"key":"hunter2"}"#,
            "hunter2",
        ] {
            let why = created(body.as_bytes()).unwrap_err();
            assert!(!why.contains("hunter2"), "{body}: {why}");
        }
        let made = created(br#"{"key":{"name":"a","access_key":"DO1","secret_key":"hunter2","grants":[]}}"#).unwrap();
        assert_eq!(made.secret.reveal(), "hunter2");
        assert!(!format!("{made:?} {made:#?}").contains("hunter2"));
    }

    #[test]
    fn what_the_api_says_is_one_line_without_the_token() {
        let token = Secret::new("dop_v1_hunter2");
        let body =
            br#"{"id":"bad_request","message":"no\nerror: dop_v1_hunter2 is \u001b[2J it","request_id":"4d9d8375"}"#;
        assert_eq!(Refusal::of(body).text(&token), ": bad_request: no error: … is \u{1b}[2J it (request 4d9d8375)");
        assert_eq!(Refusal::of(b"<html>").text(&token), "");
        assert_eq!(told(&"é".repeat(1_000)).chars().count(), LONGEST_TOLD + 1);
    }
}
