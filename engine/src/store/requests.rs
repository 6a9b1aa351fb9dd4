//! Every request to a store passes here: counted, watched, and whole or an error.
//!
//! `object_store` sends requests again after errors of servers and connections, with growing, random pauses. It does not do so
//! for bodies of listings, and believes a body that is as long as its header says. So bodies are taken in here, before
//! its own loop sees the response: one that breaks off, stalls, or is not as long as the object that was listed is an error
//! of the connection, like any other. A body that is taken as it comes fails when nothing comes for too long (`patient.rs`).

use super::patient::{Patient, within};
use super::region::NamedRegion;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::header::RANGE;
use http::{Method, StatusCode};
use memchr::memmem;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};
use quick_xml::events::Event;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bodies up to this size are taken in; parts of log objects are smaller.
const MAX_WHOLE: u64 = 64 << 20;
/// What is read of an error's text.
const MAX_ERROR: usize = 64 << 10;

/// Bytes a second that a store must take of what is sent to it: half a megabit a second, as the slowest lines have.
const MIN_RATE: u64 = 64 << 10;

/// What was asked of stores, attempt by attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Requests that list objects.
    pub list: u64,
    /// Requests for an object or a part of one.
    pub get: u64,
    /// Any others.
    pub other: u64,
    /// How many of all these failed in a way that may pass: by an answer 429, 408 or 5xx, a broken connection, a body that was
    /// not whole. They were sent again, up to the limit of attempts.
    pub failed: u64,
}

/// Counts requests; shared by the buckets of a session.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    list: AtomicU64,
    get: AtomicU64,
    other: AtomicU64,
    failed: AtomicU64,
}

impl Requests {
    pub(crate) fn counts(&self) -> RequestCounts {
        RequestCounts {
            list: self.list.load(Relaxed),
            get: self.get.load(Relaxed),
            other: self.other.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }
}

/// Goes with a request for a whole object: how long it is, as listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpectedLen(pub(super) u64);

/// Goes with a listing, and takes from the answer what `object_store` does not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Noticed(Arc<Mutex<Notes>>);

/// What an answer to a listing says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// Names of objects that are archived, sorted.
    pub(super) archived: Vec<String>,
    /// Names that begin or end with a slash, as they are: `object_store` takes the slash off.
    pub(super) slashed: Vec<String>,
}

impl Noticed {
    /// What was noticed last.
    pub(super) fn take(&self) -> Notes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, notes: Notes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = notes;
    }
}

/// Connects as `object_store` does, and watches over what passes.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) requests: Arc<Requests>,
    /// How long a store may send nothing.
    pub(super) patience: Duration,
    /// Where the region is noted that refusals name.
    pub(super) named: NamedRegion,
}

impl HttpConnector for Watched {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        let (requests, named) = (Arc::clone(&self.requests), self.named.clone());
        Ok(HttpClient::new(WatchedService { client, requests, patience: self.patience, named }))
    }
}

#[derive(Debug)]
struct WatchedService {
    client: HttpClient,
    requests: Arc<Requests>,
    patience: Duration,
    named: NamedRegion,
}

#[async_trait]
impl HttpService for WatchedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_list = request.uri().query().is_some_and(|query| query.contains("list-type=2"));
        let is_get = request.method() == Method::GET;
        let count = match (is_get, is_list) {
            (true, true) => &self.requests.list,
            (true, false) => &self.requests.get,
            (false, _) => &self.requests.other,
        };
        count.fetch_add(1, Relaxed);
        let answered = self.answer(request, is_get, is_list).await;
        let may_pass = match &answered {
            Ok(response) => {
                let status = response.status();
                status.is_server_error()
                    || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Err(_) => true,
        };
        if may_pass {
            self.requests.failed.fetch_add(1, Relaxed);
        }
        answered
    }
}

impl WatchedService {
    async fn answer(&self, request: HttpRequest, is_get: bool, is_list: bool) -> Result<HttpResponse, HttpError> {
        let expected = expected_len(&request);
        let noticed = request.extensions().get::<Noticed>().cloned();
        let sent = request.body().content_length() as u64;
        let response = within(patience_for(self.patience, sent), self.client.execute(request)).await;
        let response = response.map_err(|error| error.sending(sent))??;
        let status = response.status();
        if !status.is_success() {
            self.named.note(status, response.headers());
            let (parts, body) = response.into_parts();
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(self.beginning(body).await?)));
        }
        // Whoever asks for something large, or for nobody knows how much, takes it as it comes.
        let is_small = is_list || expected.is_some_and(|expected| expected <= MAX_WHOLE);
        let (parts, body) = response.into_parts();
        if !is_get || !is_small {
            let body = HttpResponseBody::new(Patient::new(body, self.patience));
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let body = self.whole(body, expected).await?;
        if is_list {
            check_listing(&body)?;
            if let Some(noticed) = noticed {
                noticed.set(notes_of(&body));
            }
        }
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body)))
    }

    /// The beginning of what a store says of an error: more of it is of no use to anybody.
    async fn beginning(&self, body: HttpResponseBody) -> Result<Bytes, HttpError> {
        let mut frames = body.bytes_stream();
        let mut beginning = BytesMut::new();
        while let Some(frame) = within(self.patience, frames.next()).await? {
            beginning.extend_from_slice(&frame.map_err(broken)?);
            if beginning.len() >= MAX_ERROR {
                break;
            }
        }
        Ok(beginning.freeze())
    }

    /// The body, all of it.
    async fn whole(&self, body: HttpResponseBody, expected: Option<u64>) -> Result<Bytes, HttpError> {
        let mut frames = body.bytes_stream();
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut len = 0;
        while let Some(frame) = within(self.patience, frames.next()).await? {
            // Whatever ends a body early, the request can be sent again.
            let frame = frame.map_err(broken)?;
            len += frame.len() as u64;
            if expected.is_some_and(|expected| len > expected) {
                break;
            }
            // Small bodies come in one frame: no copy.
            if first.is_empty() && rest.is_empty() {
                first = frame;
                continue;
            }
            if rest.is_empty() {
                rest.reserve(expected.map_or(2 * len, |expected| expected.max(len)) as usize);
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&frame);
        }
        match expected {
            Some(expected) if expected != len => Err(broken(NotWhole { expected, len })),
            _ if rest.is_empty() => Ok(first),
            _ => Ok(rest.freeze()),
        }
    }
}

/// How long the body of the answer has to be, if that is known.
fn expected_len(request: &HttpRequest) -> Option<u64> {
    let listed = request.extensions().get::<ExpectedLen>().map(|listed| listed.0);
    let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
    let Some((start, end)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return listed;
    };
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    (end + 1).min(listed.unwrap_or(u64::MAX)).checked_sub(start)
}

/// How long the answer to a request may take whose body has so many bytes: it comes when the store has all of them.
fn patience_for(patience: Duration, sent: u64) -> Duration {
    patience + Duration::from_secs(sent / MIN_RATE)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, error)
}

#[derive(Debug, thiserror::Error)]
#[error("{len} bytes came of {expected} that were listed: the answer is not whole, or the object has changed")]
struct NotWhole {
    expected: u64,
    len: u64,
}

/// Whether an answer is a listing to its end, and one that can be gone on with.
fn check_listing(body: &[u8]) -> Result<(), HttpError> {
    // Its length is not known beforehand, but what it ends with is.
    if !body.trim_ascii_end().ends_with(b"ListBucketResult>") {
        return Err(broken(BadListing::Cut));
    }
    // As stores answer that know only the first version of the request.
    let has = |element: &[u8]| memmem::find(body, element).is_some();
    if has(b"IsTruncated>true<") && !has(b"NextContinuationToken>") {
        return Err(HttpError::new(HttpErrorKind::Decode, BadListing::Endless));
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum BadListing {
    #[error("the listing is not whole")]
    Cut,
    #[error("the store says that there is more, and not how to go on: it does not know ListObjectsV2")]
    Endless,
}

/// Names with slashes at their ends, and those of objects whose storage class has to be restored before it can be read.
///
/// Instant retrieval (`GLACIER_IR`) can be read as it is. Anything that cannot be read here is left to whoever reads the listing
/// for its objects, and says what is wrong with it.
fn notes_of(listing: &[u8]) -> Notes {
    let mut notes = Notes::default();
    // Nearly no listing has any of this.
    let signs: [&[u8]; 4] = [b">GLACIER<", b">DEEP_ARCHIVE<", b"Key>/", b"/</"];
    if !signs.iter().any(|sign| memmem::find(listing, sign).is_some()) {
        return notes;
    }
    let mut reader = quick_xml::Reader::from_reader(listing);
    let (mut key, mut element) = (String::new(), Vec::new());
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                element = start.local_name().as_ref().to_vec();
                if element == b"Key" {
                    key.clear();
                }
            }
            Ok(Event::Text(text)) if element == b"Key" => key.push_str(&text.decode().unwrap_or_default()),
            Ok(Event::GeneralRef(reference)) if element == b"Key" => {
                let name = reference.decode().unwrap_or_default();
                match reference.resolve_char_ref() {
                    Ok(Some(letter)) => key.push(letter),
                    _ => key.push_str(quick_xml::escape::resolve_predefined_entity(&name).unwrap_or_default()),
                }
            }
            Ok(Event::Text(text)) if element == b"StorageClass" => {
                let class: &[u8] = &text;
                if class == b"GLACIER" || class == b"DEEP_ARCHIVE" {
                    notes.archived.push(key.clone());
                }
            }
            Ok(Event::End(_)) => {
                if element == b"Key" && (key.starts_with('/') || key.ends_with('/')) {
                    notes.slashed.push(key.clone());
                }
                element.clear();
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    notes.archived.sort_unstable();
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archived_objects_of_a_listing() {
        let listing = br#"<?xml version="1.0"?><ListBucketResult xmlns="x"><Name>b</Name>
            <Contents><Key>a&amp;b &#xfc;</Key><Size>1</Size><StorageClass>GLACIER</StorageClass></Contents>
            <Contents><Key>c</Key><Size>1</Size><StorageClass>GLACIER_IR</StorageClass></Contents>
            <Contents><Key>d</Key><StorageClass>STANDARD</StorageClass></Contents>
            <Contents><Key>e</Key><StorageClass>DEEP_ARCHIVE</StorageClass></Contents></ListBucketResult>"#;
        assert_eq!(notes_of(listing).archived, ["a&b \u{fc}", "e"]);
        assert_eq!(notes_of(b"<Contents><Key>c</Key></Contents>"), Notes::default());
    }

    #[test]
    fn names_with_slashes_at_their_ends() {
        let listing = b"<L><Prefix>a/</Prefix><Contents><Key>a/</Key></Contents><Contents><Key>/b</Key></Contents></L>";
        assert_eq!(notes_of(listing).slashed, ["a/", "/b"]);
    }

    #[test]
    fn listings_that_are_not_whole() {
        let listing = |inner: &str| format!("<ListBucketResult>{inner}</ListBucketResult>\n").into_bytes();
        assert!(check_listing(&listing("<IsTruncated>false</IsTruncated>")).is_ok());
        let more = "<IsTruncated>true</IsTruncated>";
        assert!(check_listing(&listing(&format!("{more}<NextContinuationToken>x</NextContinuationToken>"))).is_ok());
        assert_eq!(check_listing(&listing(more)).unwrap_err().kind(), HttpErrorKind::Decode);
        assert_eq!(check_listing(b"<ListBucketResult><Contents>").unwrap_err().kind(), HttpErrorKind::Interrupted);
        assert!(check_listing(b"<Error><Code>InternalError</Code></Error>").is_err());
    }

    #[test]
    fn lengths_that_are_expected() {
        let request = |range: Option<&str>, listed: Option<u64>| {
            let mut request = HttpRequest::new(object_store::client::HttpRequestBody::empty());
            if let Some(range) = range {
                request.headers_mut().insert(RANGE, range.parse().unwrap());
            }
            if let Some(listed) = listed {
                request.extensions_mut().insert(ExpectedLen(listed));
            }
            expected_len(&request)
        };
        assert_eq!(request(None, None), None);
        assert_eq!(request(None, Some(7)), Some(7));
        assert_eq!(request(Some("bytes=2-4"), None), Some(3));
        assert_eq!(request(Some("bytes=2-4"), Some(4)), Some(2));
        assert_eq!(request(Some("bytes=-4"), None), None);
    }
}
