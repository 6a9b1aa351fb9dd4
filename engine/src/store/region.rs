//! The region that a bucket is in, which may not be the one that is configured.
//!
//! S3 refuses a request that is signed for another region than the bucket's, and names the right one in the header
//! `x-amz-bucket-region` (AWS, "Redirects and request errors", and the reference of `HeadBucket`). `object_store` does not pass
//! headers of errors on, so they are noted where answers come in.

use http::{HeaderMap, StatusCode};
use object_store::aws::AmazonS3;
use std::sync::{Arc, Mutex, PoisonError};

/// A client for one bucket in one region.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub(super) store: Arc<AmazonS3>,
    region: String,
    named: NamedRegion,
}

impl Reached {
    pub(super) fn new(store: AmazonS3, region: &str, named: NamedRegion) -> Self {
        Self { store: Arc::new(store), region: region.to_owned(), named }
    }

    /// The region that answers to this client named, if it is another one.
    pub(super) fn elsewhere(&self) -> Option<String> {
        self.named.get().filter(|named| *named != self.region)
    }
}

/// The region that the last refusal named, shared by a client and what watches over its answers.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedRegion(Arc<Mutex<Option<String>>>);

impl NamedRegion {
    /// Notes the region if the answer is a refusal because of it: a redirect, or 400 where the signature names another region and
    /// for HEAD, whose answers have no body to say more.
    pub(super) fn note(&self, status: StatusCode, headers: &HeaderMap) {
        if !status.is_redirection() && status != StatusCode::BAD_REQUEST {
            return;
        }
        let named = headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        // It becomes a part of a host's name.
        let is_name = |region: &&str| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if let Some(region) = named.filter(is_name).filter(|region| !region.is_empty()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(region.to_owned());
        }
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_taken_from_refusals_alone() {
        let noted = |status: u16, region: &str| {
            let named = NamedRegion::default();
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-bucket-region", region.parse().unwrap());
            named.note(StatusCode::from_u16(status).unwrap(), &headers);
            named.get()
        };
        for status in [301, 307, 400] {
            assert_eq!(noted(status, "eu-north-1").as_deref(), Some("eu-north-1"), "{status}");
        }
        for status in [200, 403, 404, 503] {
            assert_eq!(noted(status, "eu-north-1"), None, "{status}");
        }
        assert_eq!(noted(301, "example.net/"), None);
        assert_eq!(noted(301, ""), None);
    }
}
