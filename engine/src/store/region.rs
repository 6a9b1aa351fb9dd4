//! The region of a bucket, which may differ from the configured one.
//!
//! S3 rejects a request signed for the wrong region and names the right one in the header `x-amz-bucket-region` (AWS,
//! "Redirects and request errors", and the reference of `HeadBucket`). `object_store` does not expose the headers of
//! error responses, so the header is recorded where responses arrive (`requests.rs`).

use http::{HeaderMap, StatusCode};
use object_store::aws::AmazonS3;
use std::sync::{Arc, Mutex, PoisonError};

/// A client for one bucket in one region.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub(super) store: Arc<AmazonS3>,
    pub(super) region: String,
    named: NamedRegion,
}

impl Reached {
    pub(super) fn new(store: AmazonS3, region: &str, named: NamedRegion) -> Self {
        Self { store: Arc::new(store), region: region.to_owned(), named }
    }

    /// The region that responses to this client named, if it differs from the client's.
    pub(super) fn elsewhere(&self) -> Option<String> {
        self.named.get().filter(|named| *named != self.region)
    }
}

/// The region named by the last rejected request, shared by a client and its HTTP service.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedRegion(Arc<Mutex<Option<String>>>);

impl NamedRegion {
    /// Records the region that a response names if it may have rejected the region of the request: a redirect; 400 for
    /// a signature scoped to another region, and for HEAD, whose response has no body with an error code; 403 where the
    /// client followed a redirect, without its signature. Any other response clears it.
    pub(super) fn note(&self, status: StatusCode, headers: &HeaderMap) {
        let is_rejected = status.is_redirection() || matches!(status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN);
        let named = headers.get("x-amz-bucket-region").filter(|_| is_rejected);
        // The region becomes part of a host name.
        let is_name = |region: &&str| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let named = named.and_then(|region| region.to_str().ok()).filter(is_name).filter(|region| !region.is_empty());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = named.map(str::to_owned);
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rejections_name_a_region() {
        let noted = |status: u16, region: &str| {
            let named = NamedRegion::default();
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-bucket-region", region.parse().unwrap());
            named.note(StatusCode::from_u16(status).unwrap(), &headers);
            named.get()
        };
        for status in [301, 307, 400, 403] {
            assert_eq!(noted(status, "eu-north-1").as_deref(), Some("eu-north-1"), "{status}");
        }
        for status in [200, 404, 503] {
            assert_eq!(noted(status, "eu-north-1"), None, "{status}");
        }
        assert_eq!(noted(301, "example.net/"), None);
        assert_eq!(noted(301, ""), None);
        let named = NamedRegion(Arc::new(Mutex::new(Some("eu-north-1".to_owned()))));
        named.note(StatusCode::NOT_FOUND, &HeaderMap::new());
        assert_eq!(named.get(), None, "a later failure has another reason");
    }
}
