//! Requests as recorded by a server or proxy.

use std::collections::BTreeMap;
use std::sync::Mutex;

use percent_encoding::percent_decode_str;

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Lists a page of a bucket's keys.
    List,
    /// Reads an object or a part of it.
    Get,
    /// Checks whether an object or bucket exists.
    Head,
    /// Puts an object or bucket.
    Put,
    /// Copies an object on the server.
    Copy,
    /// Deletes an object or bucket.
    Delete,
    /// Deletes the objects whose keys are in the body.
    DeleteMany,
    /// Starts a multipart upload.
    BeginUpload,
    /// Uploads or copies a part.
    PutPart,
    /// Completes a multipart upload.
    CompleteUpload,
    /// Aborts a multipart upload.
    AbortUpload,
    /// Lists a page of open uploads.
    ListUploads,
    /// Anything else, such as the location of a bucket.
    Other,
}

impl Kind {
    /// Whether it modifies the server's contents.
    #[must_use]
    pub fn is_write(self) -> bool {
        !matches!(self, Self::List | Self::Get | Self::Head | Self::ListUploads | Self::Other)
    }

    /// Number of requests of each kind, without kinds that do not occur.
    #[must_use]
    pub fn counts(requests: &[Request]) -> BTreeMap<Self, usize> {
        let mut counts = BTreeMap::new();
        for request in requests {
            *counts.entry(request.kind).or_default() += 1;
        }
        counts
    }
}

/// A request, without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The kind.
    pub kind: Kind,
    /// The bucket, or an empty string.
    pub bucket: String,
    /// The decoded key, or the prefix of a listing. For batch deletes, one key per line.
    pub key: String,
    /// The undecoded query string.
    pub query: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The condition: `If-None-Match: *`, or another value, or `If-Match` with a tag.
    pub condition: Option<String>,
    /// The status of the response; 0 if there is none (yet).
    pub status: u16,
}

impl Request {
    /// Interprets method, target and headers of an HTTP request. The bucket is in the path, not in the host.
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

    /// Whether the keys are in the body; see [`Request::with_body`].
    pub(crate) fn wants_body(&self) -> bool {
        self.kind == Kind::DeleteMany
    }

    /// Adds the keys in the body.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        let keys: Vec<String> = keys.map(|(key, _)| unescaped(key)).collect();
        self.key = keys.join("\n");
        self
    }

    /// The decoded value of a query parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.query, name)
    }
}

/// Includes version 1 of the list API, which does not name its type. `?location` and similar requests have parameters,
/// but none of these.
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

/// Ampersands last, so that their replacements are not unescaped again.
pub(crate) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Requests in order of arrival, until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Number of requests taken before the first of `requests`.
    taken: usize,
    requests: Vec<Request>,
}

impl Log {
    /// Records a request; returns its number for [`Log::answered`].
    pub(crate) fn arrived(&self, request: Request) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.requests.push(request);
        entries.taken + entries.requests.len() - 1
    }

    /// Records the status of a response, unless the request has been taken already.
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
