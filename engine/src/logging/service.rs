//! The service that hosts a bucket, and its behaviour regarding access logs.

use crate::store::{KeyFormat, Refusal, host_of};

/// A storage service, as far as access logs are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// AWS S3. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>
    Aws,
    /// DigitalOcean Spaces. <https://docs.digitalocean.com/products/spaces/how-to/access-logs/>
    Spaces,
    /// Backblaze B2. <https://www.backblaze.com/docs/cloud-storage-bucket-access-logs>
    Backblaze,
    /// A service without access logs, as far as is known.
    Without(&'static str),
    /// Any other: Ceph, MinIO, or another S3-compatible service.
    Other,
}

const KNOWN: [(&str, Service); 9] = [
    ("amazonaws.com", Service::Aws),
    ("amazonaws.com.cn", Service::Aws),
    ("amazonaws.eu", Service::Aws),
    ("digitaloceanspaces.com", Service::Spaces),
    ("backblazeb2.com", Service::Backblaze),
    ("r2.cloudflarestorage.com", Service::Without("Cloudflare R2")),
    ("linodeobjects.com", Service::Without("Akamai's object storage (Linode)")),
    ("scw.cloud", Service::Without("Scaleway")),
    ("storjshare.io", Service::Without("Storj")),
];

impl Service {
    /// The service at an endpoint; `None` is AWS.
    #[must_use]
    pub fn at(endpoint: Option<&str>) -> Self {
        let Some(endpoint) = endpoint else { return Self::Aws };
        let host = host_of(endpoint).to_lowercase();
        let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        KNOWN.iter().find(|(domain, _)| is_of(domain)).map_or(Self::Other, |(_, service)| *service)
    }

    /// The name for use within a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Spaces => "DigitalOcean Spaces",
            Self::Backblaze => "Backblaze B2",
            Self::Without(name) => name,
            Self::Other => "this store",
        }
    }

    /// The name for programs.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Spaces => "digitalocean-spaces",
            Self::Backblaze => "backblaze-b2",
            Self::Without(_) | Self::Other => "other",
        }
    }

    /// The name format used unless one is requested. On AWS, names then give the day of the records, so that `--since`
    /// can prune log objects on both sides. Elsewhere, the format that every store supports.
    #[must_use]
    pub fn default_key_format(self) -> KeyFormat {
        match self {
            Self::Aws => KeyFormat::EventTime,
            _ => KeyFormat::Simple,
        }
    }

    /// When log objects can be expected, as a sentence.
    #[must_use]
    pub fn delivery(self) -> &'static str {
        match self {
            Self::Aws => {
                "AWS takes up to about an hour to apply new settings, and delivers on a best-effort basis: most records within a few hours, some later, a few never"
            }
            Self::Spaces => "Spaces usually delivers within an hour, sometimes after two hours or more",
            _ => "The store decides when log objects arrive",
        }
    }

    /// Whether writing log objects may need a permission from the target's policy or ACL.
    pub(super) fn wants_permission(self) -> bool {
        matches!(self, Self::Aws | Self::Other)
    }

    /// Why a name format is not supported, if it is not.
    pub(super) fn refuses(self, format: KeyFormat) -> Option<String> {
        (self == Self::Spaces && format != KeyFormat::Simple).then(|| {
            format!("Spaces does not support formats of names, so `{format}` cannot be used: its settings only have the target's bucket and prefix")
        })
    }

    /// What to do if the service refuses to show or change the logging settings.
    pub(super) fn advice(self, refusal: &Refusal, is_write: bool) -> Option<String> {
        let action = if is_write { "s3:PutBucketLogging" } else { "s3:GetBucketLogging" };
        if refusal.is_denied() {
            return Some(match self {
                Self::Aws => format!(
                    "this requires the permission {action} on this bucket and credentials of the account that owns it; `s3log doctor` shows whose credentials these are"
                ),
                Self::Spaces => {
                    "Spaces requires a key with full access for these settings, and denies keys that are limited to buckets; create one with the permission \"Full Access\" and choose it with --profile"
                        .to_owned()
                }
                Self::Backblaze => format!(
                    "this requires an application key with the capability {}",
                    if is_write { "writeBucketLogging" } else { "readBucketLogging" }
                ),
                Self::Without(_) | Self::Other => format!(
                    "this requires credentials that allow {action} on this bucket; `s3log doctor` shows whose credentials these are"
                ),
            });
        }
        if refusal.is_unknown_here() {
            return Some(match self {
                Self::Aws => "this endpoint of AWS has no bucket logging; directory buckets have none".to_owned(),
                Self::Spaces => {
                    "logging is set at an endpoint of a region, such as https://nyc3.digitaloceanspaces.com".to_owned()
                }
                Self::Backblaze => "Backblaze offers bucket access logs to paying accounts; some have to ask its sales for them".to_owned(),
                Self::Without(name) => format!("{name} has no bucket access logs that can be turned on this way"),
                Self::Other => {
                    "this store does not support bucket logging (Ceph does since Tentacle; MinIO, Garage, Cloudflare R2 and Scaleway do not); a proxy in front of the store can write an access log"
                        .to_owned()
                }
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_by_their_endpoints() {
        for (endpoint, service) in [
            (None, Service::Aws),
            (Some("https://s3.eu-west-1.amazonaws.com"), Service::Aws),
            (Some("https://s3.cn-north-1.amazonaws.com.cn"), Service::Aws),
            (Some("https://NYC3.digitaloceanspaces.com"), Service::Spaces),
            (Some("https://s3.us-west-004.backblazeb2.com"), Service::Backblaze),
            (Some("https://abc.r2.cloudflarestorage.com"), Service::Without("Cloudflare R2")),
            (Some("https://notamazonaws.com"), Service::Other),
            (Some("http://127.0.0.1:9000"), Service::Other),
        ] {
            assert_eq!(Service::at(endpoint), service, "{endpoint:?}");
        }
    }

    /// Advice for refused requests, for each service.
    #[test]
    fn advice() {
        let denied = Refusal::with_code("AccessDenied", 403);
        let unknown = Refusal::with_code("NotImplemented", 501);
        let other = Refusal::with_code("SlowDown", 503);
        let mut text = String::new();
        for service in
            [Service::Aws, Service::Spaces, Service::Backblaze, Service::Without("Cloudflare R2"), Service::Other]
        {
            text.push_str(&format!("{}\n", service.name()));
            for (what, refusal, is_write) in
                [("read denied", &denied, false), ("write denied", &denied, true), ("unknown", &unknown, true)]
            {
                text.push_str(&format!("  {what}: {}\n", service.advice(refusal, is_write).unwrap()));
            }
            text.push_str(&format!("  {}\n", service.delivery()));
            assert_eq!(service.advice(&other, true), None);
        }
        insta::assert_snapshot!(text);
    }
}
