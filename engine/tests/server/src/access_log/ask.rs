//! The operation that a request asks for, and its signer.

use percent_encoding::percent_decode_str;

use super::Face;
use crate::proxy::wire::Head;

/// Subresources: the query parameter, and the name of the resource in the operation. From AWS's page "Amazon S3 server
/// access log format", supplemented from real logs.
const RESOURCES: &[(&str, &str)] = &[
    ("accelerate", "ACCELERATE"),
    ("acl", "ACL"),
    ("analytics", "ANALYTICS"),
    ("attributes", "OBJECT_ATTRIBUTES"),
    ("cors", "CORS"),
    ("encryption", "ENCRYPTION"),
    ("intelligent-tiering", "INTELLIGENT_TIERING"),
    ("inventory", "INVENTORY"),
    ("lifecycle", "LIFECYCLE"),
    ("location", "LOCATION"),
    ("logging", "LOGGING_STATUS"),
    ("metrics", "METRICS"),
    ("notification", "NOTIFICATION"),
    ("object-lock", "OBJECT_LOCK_CONFIGURATION"),
    ("ownershipControls", "OWNERSHIP_CONTROLS"),
    ("policy", "BUCKETPOLICY"),
    ("policyStatus", "POLICY_STATUS"),
    ("publicAccessBlock", "PUBLIC_ACCESS_BLOCK"),
    ("replication", "REPLICATION"),
    ("requestPayment", "REQUEST_PAYMENT"),
    ("tagging", "TAGGING"),
    ("torrent", "TORRENT"),
    ("uploads", "UPLOADS"),
    ("versioning", "VERSIONING"),
    ("versions", "BUCKETVERSIONS"),
    ("website", "WEBSITE"),
];
/// Name of the index document of a website.
const INDEX: &str = "index.html";

/// A parsed request.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) bucket: String,
    /// Decoded. Empty for a bucket; `None` if it cannot be decoded.
    pub(super) key: Option<String>,
    pub(super) query: &'a str,
    /// As logged: `REST.GET.OBJECT`.
    pub(super) operation: String,
    pub(super) is_website: bool,
    /// Whether it is about a subresource: the policy, not the object.
    pub(super) has_resource: bool,
    pub(super) signature: Option<Signature>,
    pub(super) host: String,
}

/// The signature of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) access_key: String,
    /// `SigV4` or `SigV2`.
    pub(super) version: &'static str,
    /// `AuthHeader` or `QueryString`.
    pub(super) place: &'static str,
}

impl<'a> Ask<'a> {
    /// Parses a request; `None` if the first line is not a request line.
    pub(super) fn of(request: &'a Head, face: &Face) -> Option<Self> {
        // Further spaces come from careless clients, and belong to the target.
        let (method, rest) = request.first_line.split_once(' ')?;
        let (target, _version) = rest.rsplit_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // `GET http://host/path`, as sent to proxies. S3 accepts it.
        let path = match path.split_once("://") {
            Some((_, rest)) if !path.starts_with('/') => rest.find('/').map_or("", |slash| &rest[slash..]),
            _ => path,
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let is_website = matches!(face, Face::Website(_));
        let (bucket, key, host) = match face {
            Face::Service => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                (decoded(bucket)?, key, "s3.us-east-1.amazonaws.com".to_owned())
            }
            Face::Bucket(bucket) => (bucket.clone(), path, format!("{bucket}.s3.us-east-1.amazonaws.com")),
            Face::Website(bucket) => (bucket.clone(), path, format!("{bucket}.s3-website-us-east-1.amazonaws.com")),
        };
        let mut key = decoded(key);
        if let Some(key) = key.as_mut().filter(|key| is_website && (key.is_empty() || key.ends_with('/'))) {
            key.push_str(INDEX);
        }
        let resource =
            RESOURCES.iter().find(|(name, _)| !is_website && has(query, name)).map(|(_, resource)| *resource);
        let is_object = key.as_deref() != Some("");
        let operation = match resource {
            _ if is_website => format!("WEBSITE.{method}.OBJECT"),
            _ if method == "OPTIONS" => "REST.OPTIONS.PREFLIGHT".to_owned(),
            Some("TAGGING") if is_object => format!("REST.{method}.OBJECT_TAGGING"),
            Some(resource) => format!("REST.{method}.{resource}"),
            None => ordinary(method, is_object, query, request.get("x-amz-copy-source").is_some()),
        };
        let signature = Signature::of(request, query);
        let has_resource = resource.is_some();
        Some(Self { method, bucket, key, query, operation, is_website, has_resource, signature, host })
    }

    /// Whether the request is for an object, not its bucket.
    pub(super) fn is_object(&self) -> bool {
        self.key.as_deref() != Some("")
    }
}

/// The operation on an object, a bucket or a multipart upload.
fn ordinary(method: &str, is_object: bool, query: &str, is_copy: bool) -> String {
    let is_of_upload = has(query, "uploadId");
    match (method, is_object) {
        ("POST", false) if has(query, "delete") => "REST.POST.MULTI_OBJECT_DELETE".to_owned(),
        ("PUT", true) if is_of_upload && is_copy => "REST.COPY.PART".to_owned(),
        ("PUT", true) if is_of_upload => "REST.PUT.PART".to_owned(),
        ("PUT", true) if is_copy => "REST.COPY.OBJECT".to_owned(),
        (_, true) if is_of_upload => format!("REST.{method}.UPLOAD"),
        (_, true) => format!("REST.{method}.OBJECT"),
        (_, false) => format!("REST.{method}.BUCKET"),
    }
}

impl Signature {
    fn of(request: &Head, query: &str) -> Option<Self> {
        let new = |access_key: &str, version, place| Self { access_key: access_key.to_owned(), version, place };
        if let Some(value) = request.get("authorization") {
            if let Some((_, credential)) = value.split_once("Credential=").filter(|_| value.starts_with("AWS4-")) {
                return Some(new(credential.split(['/', ',']).next()?, "SigV4", "AuthHeader"));
            }
            let credential = value.strip_prefix("AWS ")?;
            return Some(new(credential.split(':').next()?, "SigV2", "AuthHeader"));
        }
        let parameter = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
        };
        if let Some(credential) = parameter("X-Amz-Credential").and_then(decoded) {
            return Some(new(credential.split('/').next()?, "SigV4", "QueryString"));
        }
        let access_key = parameter("AWSAccessKeyId").and_then(decoded)?;
        Some(new(&access_key, "SigV2", "QueryString"))
    }
}

/// Whether the query has a parameter, with or without a value.
pub(super) fn has(query: &str, name: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some(name))
}

/// Percent-decodes a key; `None` if it is not UTF-8, as no key is.
fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
