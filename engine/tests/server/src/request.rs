//! What a server or a proxy was asked.

use std::sync::Mutex;

use percent_encoding::percent_decode_str;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One page of a bucket's keys.
    List,
    /// An object, or a part of it.
    Get,
    /// Whether an object or a bucket is there.
    Head,
    /// An object, or a bucket, is put.
    Put,
    /// An object, or a bucket, is deleted.
    Delete,
    /// Anything else, such as the location of a bucket.
    Other,
}

/// One request, without what signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it is for.
    pub kind: Kind,
    /// The bucket, or nothing.
    pub bucket: String,
    /// The key, or for a list its prefix; decoded.
    pub key: String,
    /// What follows the question mark; not decoded.
    pub query: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The status of the answer: 0 while there is none, and when there never was one.
    pub status: u16,
}

impl Request {
    /// What method and target of an HTTP request mean. Buckets stand in the path, never in the name of the host.
    pub(crate) fn of(method: &str, target: &str, range: Option<&str>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, mut key) = (decoded(bucket), decoded(key));
        let kind = match method {
            "GET" if !key.is_empty() => Kind::Get,
            "GET" if !bucket.is_empty() && is_list(query) => {
                key = parameter(query, "prefix").unwrap_or_default();
                Kind::List
            }
            "HEAD" => Kind::Head,
            "PUT" => Kind::Put,
            "DELETE" => Kind::Delete,
            _ => Kind::Other,
        };
        Self { kind, bucket, key, query: query.to_owned(), range: range.map(str::to_owned), status: 0 }
    }

    /// The decoded value of a parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.query, name)
    }
}

/// The first version of lists, too, which names no type. `?location` and its like have parameters, but none of these.
fn is_list(query: &str) -> bool {
    query.is_empty()
        || ["list-type", "prefix", "delimiter", "marker", "max-keys"]
            .iter()
            .any(|name| parameter(query, name).is_some())
}

fn parameter(query: &str, wanted: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == wanted).then(|| decoded(&value.replace('+', " ")))
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Requests in the order in which they came, until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// How many were taken before the first of `requests`.
    taken: usize,
    requests: Vec<Request>,
}

impl Log {
    /// Writes a request down; the number returned is for [`Log::answered`].
    pub(crate) fn arrived(&self, request: Request) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.requests.push(request);
        entries.taken + entries.requests.len() - 1
    }

    /// Writes down with what status a request is answered, if it was not taken since.
    pub(crate) fn answered(&self, number: usize, status: u16) {
        let mut entries = self.entries.lock().unwrap();
        let index = number.checked_sub(entries.taken);
        if let Some(request) = index.and_then(|index| entries.requests.get_mut(index)) {
            request.status = status;
        }
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.entries.lock().unwrap().requests.clone()
    }

    pub(crate) fn take(&self) -> Vec<Request> {
        let mut entries = self.entries.lock().unwrap();
        entries.taken += entries.requests.len();
        std::mem::take(&mut entries.requests)
    }
}
