//! What a server or a proxy was asked.

use std::collections::BTreeMap;
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
    /// An object is put that the server has under another key.
    Copy,
    /// An object, or a bucket, is deleted.
    Delete,
    /// Objects are deleted whose keys stand in the body.
    DeleteMany,
    /// An upload in parts begins.
    BeginUpload,
    /// A part of an upload is put, or copied.
    PutPart,
    /// An upload becomes an object.
    CompleteUpload,
    /// An upload is given up.
    AbortUpload,
    /// One page of the uploads that are open.
    ListUploads,
    /// Anything else, such as the location of a bucket.
    Other,
}

impl Kind {
    /// Whether it changes what the server holds.
    #[must_use]
    pub fn is_write(self) -> bool {
        !matches!(self, Self::List | Self::Get | Self::Head | Self::ListUploads | Self::Other)
    }

    /// How many requests there are of each kind, without the kinds of which there are none.
    #[must_use]
    pub fn counts(requests: &[Request]) -> BTreeMap<Self, usize> {
        let mut counts = BTreeMap::new();
        for request in requests {
            *counts.entry(request.kind).or_default() += 1;
        }
        counts
    }
}

/// One request, without what signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it is for.
    pub kind: Kind,
    /// The bucket, or nothing.
    pub bucket: String,
    /// The key, or for a list its prefix; decoded. For many deletions one key a line.
    pub key: String,
    /// What follows the question mark; not decoded.
    pub query: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// What it is done on: `If-None-Match: *`, or the same with `If-Match` and a tag.
    pub condition: Option<String>,
    /// The status of the answer: 0 while there is none, and when there never was one.
    pub status: u16,
}

impl Request {
    /// What method, target and headers of an HTTP request mean. Buckets stand in the path, never in the name of the host.
    pub(crate) fn of<'a>(method: &str, target: &str, header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, mut key) = (decoded(bucket), decoded(key));
        let has = |name: &str| parameter(query, name).is_some();
        let is_object = !key.is_empty();
        let kind = match method {
            "GET" if is_object => Kind::Get,
            "GET" if !bucket.is_empty() && has("uploads") => Kind::ListUploads,
            "GET" if !bucket.is_empty() && is_list(query) => Kind::List,
            "HEAD" => Kind::Head,
            "PUT" if has("uploadId") => Kind::PutPart,
            "PUT" if header("x-amz-copy-source").is_some() => Kind::Copy,
            "PUT" => Kind::Put,
            "DELETE" if has("uploadId") => Kind::AbortUpload,
            "DELETE" => Kind::Delete,
            "POST" if is_object && has("uploads") => Kind::BeginUpload,
            "POST" if is_object && has("uploadId") => Kind::CompleteUpload,
            "POST" if !is_object && has("delete") => Kind::DeleteMany,
            _ => Kind::Other,
        };
        if matches!(kind, Kind::List | Kind::ListUploads) {
            key = parameter(query, "prefix").unwrap_or_default();
        }
        let condition = ["If-None-Match", "If-Match"]
            .iter()
            .find_map(|name| header(name).map(|value| format!("{name}: {}", value.trim())));
        let range = header("Range").map(str::to_owned);
        Self { kind, bucket, key, query: query.to_owned(), range, condition, status: 0 }
    }

    /// Whether keys stand in the body: [`Request::with_body`].
    pub(crate) fn wants_body(&self) -> bool {
        self.kind == Kind::DeleteMany
    }

    /// The same with the keys of its body.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        let keys: Vec<String> = keys.map(|(key, _)| unescaped(key)).collect();
        self.key = keys.join("\n");
        self
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

/// Ampersands last: what they stand for is no escape.
pub(crate) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
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
