//! User-defined rules for `requests`: the bucket behind a host, and the addresses of the CDN.

use super::lower_case;
use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Whether an address is one from which the CDN fetches from the origin.
pub type IsCdnAddress = Arc<dyn Fn(&IpAddr) -> bool + Send + Sync>;

/// Rules for the columns `bucket` and `is_cdn_fetch` of `requests`.
///
/// ```
/// use s3log_engine::decode::RequestRules;
///
/// let rules = RequestRules::default().with_bucket("Images.Example.com", "photos");
/// assert_eq!(rules.bucket(b"images.example.com").as_deref(), Some(&b"photos"[..]));
/// assert_eq!(rules.bucket(b"Static.nyc3.cdn.digitaloceanspaces.com").as_deref(), Some(&b"static"[..]));
/// assert_eq!(rules.bucket(b"d111111abcdef8.cloudfront.net"), None);
/// ```
#[derive(Clone, Default)]
pub struct RequestRules {
    /// Keyed by host in lower case.
    buckets: HashMap<Vec<u8>, Vec<u8>>,
    is_cdn_address: Option<IsCdnAddress>,
}

impl fmt::Debug for RequestRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.is_cdn_address.is_some();
        f.debug_struct("RequestRules").field("hosts", &self.buckets.len()).field("addresses", &addresses).finish()
    }
}

/// Domain of the CDN endpoints of Spaces: `BUCKET.REGION.cdn.digitaloceanspaces.com`.
const SPACES_CDN: &[u8] = b".cdn.digitaloceanspaces.com";

/// CloudFront's user agent for origin requests (AWS, "Request and response behavior for Amazon S3 origins").
pub(super) const CDN_USER_AGENT: &[u8] = b"Amazon CloudFront";

impl RequestRules {
    /// Maps a host to the bucket behind it. The host is case-insensitive.
    #[must_use]
    pub fn with_bucket(mut self, host: &str, bucket: &str) -> Self {
        self.buckets.insert(host.to_ascii_lowercase().into_bytes(), bucket.into());
        self
    }

    /// Sets the predicate for addresses of the CDN.
    #[must_use]
    pub fn with_cdn_addresses(mut self, is_cdn_address: IsCdnAddress) -> Self {
        self.is_cdn_address = Some(is_cdn_address);
        self
    }

    /// The bucket behind a host: the one set with [`RequestRules::with_bucket`], otherwise the one in the name of a
    /// Spaces CDN endpoint, in lower case like all bucket names, whatever the client wrote.
    #[must_use]
    pub fn bucket<'a>(&'a self, host: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let host = lower_case(host);
        if let Some(bucket) = self.buckets.get(&*host) {
            return Some(Cow::Borrowed(bucket));
        }
        let len = spaces_bucket(&host)?.len();
        Some(match host {
            Cow::Borrowed(host) => Cow::Borrowed(&host[..len]),
            Cow::Owned(host) => Cow::Owned(host[..len].to_vec()),
        })
    }

    /// The hosts set with [`RequestRules::with_bucket`], in lower case, and their buckets.
    pub fn buckets(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.buckets.iter().map(|(host, bucket)| (host.as_slice(), bucket.as_slice()))
    }

    /// Whether the text is an address of the CDN.
    pub(super) fn is_cdn_address(&self, text: &[u8]) -> bool {
        let Some(is_cdn_address) = &self.is_cdn_address else { return false };
        crate::decode::address::parse(text).is_some_and(|address| is_cdn_address(&address))
    }

    /// Whether a predicate for addresses is set.
    #[must_use]
    pub fn knows_addresses(&self) -> bool {
        self.is_cdn_address.is_some()
    }
}

/// `static` for `static.nyc3.cdn.digitaloceanspaces.com`, which is in lower case. Bucket names may have dots.
fn spaces_bucket(host: &[u8]) -> Option<&[u8]> {
    let (endpoint, domain) = host.split_at_checked(host.len().checked_sub(SPACES_CDN.len())?)?;
    if domain != SPACES_CDN {
        return None;
    }
    let dot = endpoint.iter().rposition(|byte| *byte == b'.')?;
    let (bucket, region) = (&endpoint[..dot], &endpoint[dot + 1..]);
    let (letters, digits) = region.split_at_checked(3)?;
    let is_region =
        letters.iter().all(u8::is_ascii_alphabetic) && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    (is_region && !bucket.is_empty()).then_some(bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_hosts() {
        let mapped = "mapped.nyc3.cdn.digitaloceanspaces.com";
        let rules = RequestRules::default().with_bucket("cdn.example.com", "media").with_bucket(mapped, "assets");
        for (host, bucket) in [
            ("static.nyc3.cdn.digitaloceanspaces.com", Some("static")),
            ("WWW.example.com.FRA1.CDN.digitaloceanspaces.com", Some("www.example.com")),
            (mapped, Some("assets")),
            (".nyc3.cdn.digitaloceanspaces.com", None),
            ("static.cdn.digitaloceanspaces.com", None),
            ("static.nyc.cdn.digitaloceanspaces.com", None),
            ("static.nyc3.digitaloceanspaces.com", None),
            ("CDN.example.com", Some("media")),
            ("example.com", None),
            ("", None),
        ] {
            assert_eq!(rules.bucket(host.as_bytes()).as_deref(), bucket.map(str::as_bytes), "{host}");
        }
    }
}
