//! Settings of buckets (access logging), and requests that are refused on purpose.

use hyper::{Response, StatusCode};
use s3s::dto::{GetBucketLoggingOutput, PutBucketLoggingInput, PutBucketLoggingOutput};
use s3s::{Body, S3Result};

use crate::request::Request;
use crate::service::Buckets;

/// An error response for some requests.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    method: &'static str,
    /// A query parameter, such as `logging`.
    parameter: &'static str,
    status: u16,
    code: &'static str,
}

impl Refused {
    pub(crate) fn new(method: &'static str, parameter: &'static str, status: u16, code: &'static str) -> Self {
        Self { method, parameter, status, code }
    }

    pub(crate) fn befalls(&self, method: &str, request: &Request) -> bool {
        self.method == method && request.parameter(self.parameter).is_some()
    }

    pub(crate) fn answer(&self) -> Response<Body> {
        error(self.status, self.code, None)
    }
}

/// The response to a request that is signed for another region than the bucket's.
pub(crate) fn elsewhere(region: &str) -> Response<Body> {
    error(307, "TemporaryRedirect", Some(region))
}

fn error(status: u16, code: &str, region: Option<&str>) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>The test server says so.</Message></Error>"
    );
    let mut response = Response::new(Body::from(bytes::Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(region) = region {
        response.headers_mut().insert("x-amz-bucket-region", region.parse().unwrap());
    }
    response
}

/// The region that a request is signed for: `Credential=KEY/DATE/REGION/s3/aws4_request`.
pub(crate) fn signed_region(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').nth(2)
}

impl Buckets {
    pub(crate) fn logging(&self, bucket: &str) -> S3Result<GetBucketLoggingOutput> {
        self.with_bucket(bucket, |bucket| Ok(GetBucketLoggingOutput { logging_enabled: bucket.logging.clone() }))
    }

    pub(crate) fn put_logging(&self, input: PutBucketLoggingInput) -> S3Result<PutBucketLoggingOutput> {
        let keeps = !self.forgets_logging;
        self.with_bucket_mut(&input.bucket, |bucket| {
            if keeps {
                bucket.logging = input.bucket_logging_status.logging_enabled;
            }
            Ok(PutBucketLoggingOutput::default())
        })
    }
}
