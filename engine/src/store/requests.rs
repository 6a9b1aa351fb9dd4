//! The HTTP layer below `object_store`: counts requests and makes sure that responses are complete.
//!
//! `object_store` retries server errors and failed connections, with exponential backoff and jitter. It does not retry
//! while reading the body of a listing, and accepts any body that matches its `Content-Length`. This layer therefore
//! reads bodies before `object_store` sees the response: a body that breaks off, stalls, or differs in length from the
//! listed size fails like a broken connection, and is retried. Bodies that are streamed instead fail after a period of
//! inactivity (`patient.rs`).

use super::credentials::ChainedCredentials;
use super::patient::{Patient, within};
use super::region::NamedRegion;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::header::{HeaderName, HeaderValue, RANGE};
use http::{Method, StatusCode};
use memchr::memmem;
use object_store::aws::AwsAuthorizer;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};
use object_store::{ClientOptions, CredentialProvider as _};
use quick_xml::events::Event;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bodies up to this size are buffered; the parts in which log objects are read are smaller.
const MAX_WHOLE: u64 = 64 << 20;
/// Limit on the body of an error response, in bytes.
const MAX_ERROR: usize = 64 << 10;

/// Minimum upload rate in bytes per second, about half a megabit: allows for very slow lines.
const MIN_RATE: u64 = 64 << 10;

/// Number of requests sent, counting each attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestCounts {
    /// Requests that list objects.
    pub list: u64,
    /// Requests for objects or parts of objects.
    pub get: u64,
    /// All other requests.
    pub other: u64,
    /// Requests that failed in a retryable way: responses with status 408, 429 or 5xx, broken connections, incomplete
    /// bodies. Included in the other counts.
    pub failed: u64,
}

/// Request counters, shared by the buckets of a session.
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

/// Request extension: the size of the object according to the listing, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpectedLen(pub(super) u64);

/// Request extension: collects from the response to a listing what `object_store` does not return.
#[derive(Clone, Debug, Default)]
pub(super) struct Noticed(Arc<Mutex<Notes>>);

/// Details of a page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// Names of archived objects that are not restored, sorted.
    pub(super) archived: Vec<String>,
    /// Names with a leading or trailing slash, which `object_store` strips.
    pub(super) slashed: Vec<String>,
}

impl Noticed {
    /// Takes the notes of the last response.
    pub(super) fn take(&self) -> Notes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, notes: Notes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = notes;
    }
}

/// Connector that wraps the client of `object_store` in a [`WatchedService`].
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) requests: Arc<Requests>,
    /// Timeout on inactivity.
    pub(super) patience: Duration,
    /// Records the region that rejected requests name.
    pub(super) named: NamedRegion,
    /// Asks listings for restored objects, if the store is known to tell.
    pub(super) restores: Option<Restores>,
}

impl HttpConnector for Watched {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        let (requests, named) = (Arc::clone(&self.requests), self.named.clone());
        let (patience, restores) = (self.patience, self.restores.clone());
        Ok(HttpClient::new(WatchedService { client, requests, patience, named, restores }))
    }
}

/// Asks a listing which archived objects have been restored: they keep their storage class.
///
/// AWS, "ListObjectsV2", `x-amz-optional-object-attributes`. Other stores may refuse a header that they do not know.
#[derive(Clone, Debug)]
pub(super) struct Restores {
    /// `None` if requests are not signed.
    pub(super) credentials: Option<Arc<ChainedCredentials>>,
    pub(super) region: String,
}

impl Restores {
    /// Adds the header, and signs the request again: `object_store` has no place for headers of a listing.
    async fn ask(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let name = HeaderName::from_static("x-amz-optional-object-attributes");
        request.headers_mut().insert(name, HeaderValue::from_static("RestoreStatus"));
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let credential = credentials.get_credential().await;
        let credential = credential.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
        AwsAuthorizer::new(&credential, "s3", &self.region).authorize(request, None);
        Ok(())
    }
}

#[derive(Debug)]
struct WatchedService {
    client: HttpClient,
    requests: Arc<Requests>,
    patience: Duration,
    named: NamedRegion,
    restores: Option<Restores>,
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
    async fn answer(&self, mut request: HttpRequest, is_get: bool, is_list: bool) -> Result<HttpResponse, HttpError> {
        let expected = expected_len(&request);
        let noticed = request.extensions().get::<Noticed>().cloned();
        if let (Some(restores), true) = (&self.restores, noticed.is_some()) {
            restores.ask(&mut request).await?;
        }
        let sent = request.body().content_length() as u64;
        let patience = patience_for(self.patience, &request);
        let response = within(patience, self.client.execute(request)).await;
        let response = response.map_err(|error| error.sending(sent))??;
        let status = response.status();
        self.named.note(status, response.headers());
        if !status.is_success() {
            let (parts, body) = response.into_parts();
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(self.beginning(body).await?)));
        }
        // Large bodies, and those of unknown length, are streamed.
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

    /// The first [`MAX_ERROR`] bytes of an error response.
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

    /// Reads the whole body.
    async fn whole(&self, body: HttpResponseBody, expected: Option<u64>) -> Result<Bytes, HttpError> {
        let mut frames = body.bytes_stream();
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut len = 0;
        while let Some(frame) = within(self.patience, frames.next()).await? {
            // However the body breaks off, the request can be retried.
            let frame = frame.map_err(broken)?;
            len += frame.len() as u64;
            if expected.is_some_and(|expected| len > expected) {
                break;
            }
            if len > MAX_WHOLE {
                return Err(HttpError::new(HttpErrorKind::Decode, BadListing::Large));
            }
            // Small bodies arrive in a single frame: no copy.
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

/// The expected length of the response body, if it is known.
fn expected_len(request: &HttpRequest) -> Option<u64> {
    let listed = request.extensions().get::<ExpectedLen>().map(|listed| listed.0);
    let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
    let Some((start, end)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return listed;
    };
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    (end + 1).min(listed.unwrap_or(u64::MAX)).checked_sub(start)
}

/// Timeout for the response to a request: the store responds only after it has received the whole body, and some stores
/// only after they have copied an object or put its parts together.
fn patience_for(patience: Duration, request: &HttpRequest) -> Duration {
    let copies = request.headers().contains_key("x-amz-copy-source");
    let completes = request.method() == Method::POST
        && request.uri().query().is_some_and(|query| query.to_ascii_lowercase().contains("uploadid="));
    let patience = if copies || completes { 4 * patience } else { patience };
    patience + Duration::from_secs(request.body().content_length() as u64 / MIN_RATE)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, error)
}

#[derive(Debug, thiserror::Error)]
#[error("received {len} of {expected} listed bytes: the answer is incomplete, or the object has changed")]
struct NotWhole {
    expected: u64,
    len: u64,
}

/// Checks that the body is a complete page, and that a truncated listing has a continuation token.
fn check_listing(body: &[u8]) -> Result<(), HttpError> {
    // The length is not known in advance, but the closing tag is.
    if !body.trim_ascii_end().ends_with(b"ListBucketResult>") {
        return Err(broken(BadListing::Cut));
    }
    // Stores that only implement version 1 of ListObjects respond like this.
    let has = |element: &[u8]| memmem::find(body, element).is_some();
    if has(b"IsTruncated>true<") && !has(b"NextContinuationToken>") {
        return Err(HttpError::new(HttpErrorKind::Decode, BadListing::Endless));
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum BadListing {
    #[error("the listing is longer than {} MiB", MAX_WHOLE >> 20)]
    Large,
    #[error("the listing is incomplete")]
    Cut,
    #[error("the store reports that there is more, but not how to continue: it does not support ListObjectsV2")]
    Endless,
}

/// Collects names with leading or trailing slashes, and names of archived objects that are not restored.
///
/// `GLACIER_IR` is not archived: it can be read directly. An object whose restore is in progress cannot. Malformed XML is
/// left to `object_store`, which parses the same body and reports errors.
fn notes_of(listing: &[u8]) -> Notes {
    let mut notes = Notes::default();
    // A quick check: few listings contain any of these.
    let signs: [&[u8]; 4] = [b">GLACIER<", b">DEEP_ARCHIVE<", b"Key>/", b"/</"];
    if !signs.iter().any(|sign| memmem::find(listing, sign).is_some()) {
        return notes;
    }
    let mut reader = quick_xml::Reader::from_reader(listing);
    let (mut key, mut element) = (String::new(), Vec::new());
    // Of the object being read; stores write its elements in any order.
    let (mut is_archived, mut is_restored) = (false, false);
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
                is_archived |= class == b"GLACIER" || class == b"DEEP_ARCHIVE";
            }
            Ok(Event::Text(text)) if element == b"IsRestoreInProgress" => is_restored = &*text == b"false",
            Ok(Event::End(end)) => {
                if element == b"Key" && (key.starts_with('/') || key.ends_with('/')) {
                    notes.slashed.push(key.clone());
                }
                if end.local_name().as_ref() == b"Contents" {
                    if is_archived && !is_restored {
                        notes.archived.push(key.clone());
                    }
                    (is_archived, is_restored) = (false, false);
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
            <Contents><Key>e</Key><StorageClass>DEEP_ARCHIVE</StorageClass></Contents>
            <Contents><Key>f</Key><StorageClass>GLACIER</StorageClass><RestoreStatus>
                <IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus></Contents>
            <Contents><Key>g</Key><StorageClass>GLACIER</StorageClass>
                <RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>
                <RestoreExpiryDate>2026-02-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus></Contents>
            <Contents><Key>g2</Key><RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus>
                <StorageClass>GLACIER</StorageClass></Contents>
            <Contents><Key>h</Key><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>"#;
        assert_eq!(notes_of(listing).archived, ["a&b \u{fc}", "e", "f"]);
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
