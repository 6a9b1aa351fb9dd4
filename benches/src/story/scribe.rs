//! Writes events as S3 would log them.

use super::company::{Bucket, Client, OWNER, SITE};
use crate::calendar::TimeStamp;
use crate::random::Random;
use crate::row::{Era, Quoted, Row};

/// A written line, and what determines where it is delivered.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) bucket: &'static Bucket,
    pub(super) time: i64,
    pub(super) line: Vec<u8>,
}

/// The ids that S3 assigns to a request. The rows of a batch delete share them, and so do those of a copy.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    request: Vec<u8>,
    host: Vec<u8>,
}

/// A request. Defaults are those of an anonymous success without a body.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) time: i64,
    pub(super) bucket: &'static Bucket,
    pub(super) client: &'a Client,
    pub(super) operation: &'a str,
    /// The object key, not encoded.
    pub(super) key: Option<&'a str>,
    /// Path in the request line, if it is not the key.
    pub(super) path: Option<&'a str>,
    /// The query string, without the question mark.
    pub(super) query: &'a str,
    pub(super) status: u16,
    pub(super) error: Option<&'a str>,
    pub(super) sent: Option<u64>,
    pub(super) size: Option<u64>,
    pub(super) referer: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) access_point: Option<&'a str>,
    pub(super) by_acl: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(time: i64, bucket: &'static Bucket, client: &'a Client, operation: &'a str) -> Self {
        Self {
            time,
            bucket,
            client,
            operation,
            key: None,
            path: None,
            query: "",
            status: 200,
            error: None,
            sent: None,
            size: None,
            referer: None,
            version: None,
            access_point: None,
            by_acl: false,
        }
    }

    /// The same request for an object.
    pub(super) fn object(self, key: &'a str, size: u64) -> Self {
        let downloaded = self.operation.ends_with("GET.OBJECT");
        Self { key: Some(key), size: Some(size), sent: downloaded.then_some(size), ..self }
    }

    /// The same request, refused with this error.
    pub(super) fn refused(self, status: u16, error: &'a str) -> Self {
        // The body of an error contains the code; website endpoints send an HTML page.
        let body = if self.operation.starts_with("WEBSITE") { 303 } else { 231 } + error.len() as u64;
        let sent = (!self.operation.contains(".HEAD.")).then_some(body);
        Self { status, error: Some(error), sent, size: None, ..self }
    }
}

/// Writes lines of one era.
#[derive(Debug)]
pub(super) struct Scribe {
    pub(super) random: Random,
    pub(super) events: Vec<Event>,
    era: Era,
    unknown: &'static [&'static [u8]],
    hex_ids: bool,
    stamp: TimeStamp,
}

impl Scribe {
    pub(super) fn new(seed: u64, era: Era) -> Self {
        Self {
            random: Random::new(seed),
            events: Vec::new(),
            era,
            unknown: &[],
            hex_ids: false,
            stamp: TimeStamp::default(),
        }
    }

    /// Uses hexadecimal request ids, as until 2019.
    pub(super) fn with_hex_ids(self) -> Self {
        Self { hex_ids: true, ..self }
    }

    /// Adds an unknown field to the end of every line.
    pub(super) fn with_unknown_field(self) -> Self {
        Self { unknown: &[b"from-the-future"], ..self }
    }

    pub(super) fn ids(&mut self) -> Ids {
        let mut ids = Ids { request: Vec::new(), host: Vec::new() };
        if self.hex_ids {
            self.random.hex_upper(16, &mut ids.request);
        } else {
            self.random.base36(16, &mut ids.request);
        }
        self.random.base64(75, &mut ids.host);
        ids.host.push(b'=');
        ids
    }

    /// Writes a request with new ids.
    pub(super) fn request(&mut self, request: &Request<'_>) {
        let ids = self.ids();
        self.request_as(request, &ids);
    }

    /// Writes a request with given ids.
    pub(super) fn request_as(&mut self, request: &Request<'_>, ids: &Ids) {
        let method = method(request.operation);
        let once = request.key.map(encode);
        let twice = once.as_ref().map(|key| key.replace('%', "%25"));
        let path = request.path.or(once.as_deref()).unwrap_or_default();
        let mark = if request.query.is_empty() { "" } else { "?" };
        let (host, folder) = endpoint(request.bucket, request.operation);
        let uri = format!("{method} /{folder}{path}{mark}{} HTTP/1.1", request.query);
        let Client { ip, requester, agent, region } = request.client;
        let signed = requester.is_some();
        let presigned = request.query.contains("X-Amz-Signature");
        let by_service = ip.is_none();
        // Website endpoints speak plain HTTP.
        let https = !by_service && !request.operation.starts_with("WEBSITE");
        let moved = request.sent.unwrap_or(0) + if method == "PUT" { request.size.unwrap_or(0) } else { 0 };
        let total_time = 3 + self.random.duration() / 2 + moved / 80_000;
        let turn_around = (3 + self.random.duration() / 2).min(total_time);
        let tls_13 = self.random.chance(600);
        let row = Row {
            remote_ip: ip.as_deref().map(str::as_bytes),
            requester: requester.map(str::as_bytes),
            key: twice.as_deref().map(str::as_bytes),
            request_uri: Quoted::Text(uri.as_bytes()),
            status: Some(request.status),
            error_code: request.error.map(str::as_bytes),
            bytes_sent: request.sent.filter(|&sent| sent > 0),
            object_size: request.size,
            total_time: Some(total_time),
            turn_around_time: (method != "HEAD").then_some(turn_around),
            referer: request.referer.map_or(Quoted::Nothing, |referer| Quoted::Text(referer.as_bytes())),
            user_agent: Quoted::Text(agent.as_bytes()),
            version_id: request.version.map(str::as_bytes),
            iam_id: signed.then_some(b"AIDAEXAMPLE7EXAMPLE12"),
            signature_version: signed.then_some(b"SigV4"),
            cipher_suite: https.then_some(if tls_13 {
                b"TLS_AES_128_GCM_SHA256".as_slice()
            } else {
                b"ECDHE-RSA-AES128-GCM-SHA256"
            }),
            authentication_type: signed.then_some(if presigned { b"QueryString".as_slice() } else { b"AuthHeader" }),
            host_header: Some(host.as_bytes()),
            tls_version: https.then_some(if tls_13 { b"TLSv1.3".as_slice() } else { b"TLSv1.2" }),
            access_point_arn: request.access_point.map(str::as_bytes),
            acl_required: request.by_acl,
            source_region: region.map(str::as_bytes),
            ..self.blank(request.time, request.bucket, request.operation, ids)
        };
        self.write(request.bucket, row);
    }

    /// A lifecycle action of S3 itself.
    pub(super) fn lifecycle(&mut self, time: i64, bucket: &'static Bucket, operation: &str, key: &str, size: u64) {
        let ids = self.ids();
        let mut version = Vec::new();
        self.random.base36(32, &mut version);
        let key = encode(key);
        let row = Row {
            requester: Some(b"AmazonS3"),
            key: Some(key.as_bytes()),
            object_size: Some(size),
            version_id: Some(&version),
            ..self.blank(time, bucket, operation, &ids)
        };
        self.write(bucket, row);
    }

    /// A row of a batch job. Its request id is the job's UUID.
    pub(super) fn checksum(&mut self, time: i64, bucket: &'static Bucket, job: &str, key: &str, size: u64) {
        let ids = Ids { request: job.as_bytes().to_vec(), ..self.ids() };
        let key = encode(key);
        let row = Row {
            requester: Some(b"AmazonS3"),
            key: Some(key.as_bytes()),
            object_size: Some(size),
            ..self.blank(time, bucket, "S3.COMPUTE.OBJECT.CHECKSUM", &ids)
        };
        self.write(bucket, row);
    }

    /// Deletes many objects with one request: a row for each object and one for the request, all with the same ids.
    pub(super) fn delete_many(&mut self, time: i64, bucket: &'static Bucket, client: &Client, objects: &[(&str, u64)]) {
        let ids = self.ids();
        for (key, size) in objects {
            // Form encoding writes a space as a plus.
            let key = encode(key).replace("%20", "+");
            let row = Row {
                remote_ip: client.ip.as_deref().map(str::as_bytes),
                requester: client.requester.map(str::as_bytes),
                key: Some(key.as_bytes()),
                request_uri: Quoted::Bare,
                status: Some(204),
                object_size: Some(*size),
                referer: Quoted::Bare,
                user_agent: Quoted::Bare,
                signature_version: Some(b"SigV4"),
                authentication_type: Some(b"AuthHeader"),
                host_header: Some(endpoint(bucket, "BATCH").0.as_bytes()),
                ..self.blank(time, bucket, "BATCH.DELETE.OBJECT", &ids)
            };
            self.write(bucket, row);
        }
        let request = Request::new(time, bucket, client, "REST.POST.MULTI_OBJECT_DELETE");
        self.request_as(&Request { query: "delete", sent: Some(120 + 90 * objects.len() as u64), ..request }, &ids);
    }

    /// Copies an object: one row for the write and one for the read, which S3 logs for the source bucket.
    pub(super) fn copy(
        &mut self,
        time: i64,
        client: &Client,
        from: (&'static Bucket, &str),
        to: (&'static Bucket, &str),
        size: u64,
    ) {
        let ids = self.ids();
        let writing = Request::new(time, to.0, client, "REST.COPY.OBJECT").object(to.1, size);
        self.request_as(&Request { sent: Some(234), ..writing }, &ids);
        let key = encode(from.1).replace('%', "%25");
        let row = Row {
            remote_ip: client.ip.as_deref().map(str::as_bytes),
            requester: client.requester.map(str::as_bytes),
            key: Some(key.as_bytes()),
            request_uri: Quoted::Bare,
            status: Some(200),
            object_size: Some(size),
            referer: Quoted::Bare,
            user_agent: Quoted::Bare,
            signature_version: Some(b"SigV4"),
            authentication_type: Some(b"AuthHeader"),
            host_header: Some(to.0.host.as_bytes()),
            source_region: client.region.map(str::as_bytes),
            ..self.blank(time, from.0, "REST.COPY.OBJECT_GET", &ids)
        };
        self.write(from.0, row);
    }

    fn blank<'a>(&self, time: i64, bucket: &'a Bucket, operation: &'a str, ids: &'a Ids) -> Row<'a> {
        Row {
            bucket_owner: OWNER.as_bytes(),
            bucket: bucket.name.as_bytes(),
            time,
            request_id: &ids.request,
            operation: operation.as_bytes(),
            host_id: Some(&ids.host),
            unknown: self.unknown,
            ..Row::BLANK
        }
    }

    fn write(&mut self, bucket: &'static Bucket, row: Row<'_>) {
        let mut line = Vec::with_capacity(640);
        row.render(self.era, &mut self.stamp, &mut line);
        self.events.push(Event { bucket, time: row.time, line });
    }
}

/// HTTP method of a dotted operation. Copies are uploads, and SOAP uses POST.
fn method(operation: &str) -> &str {
    match operation.split_once('.') {
        Some(("SOAP", _)) | None => "POST",
        Some((_, rest)) if rest.starts_with("COPY.") => "PUT",
        Some((_, rest)) => rest.split_once('.').map_or(rest, |(method, _)| method),
    }
}

/// Host of a request, and the prefix of the key in its path. TLS certificates do not cover bucket names with dots as
/// subdomains, so such names go into the path.
fn endpoint(bucket: &'static Bucket, operation: &str) -> (&'static str, &'static str) {
    if *bucket == SITE && !operation.starts_with("WEBSITE") {
        ("s3.us-east-1.amazonaws.com", "www.example.com/")
    } else {
        (bucket.host, "")
    }
}

/// Percent-encodes a key as clients do.
pub(crate) fn encode(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'*' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_clients_do() {
        assert_eq!(encode("a b/c=d+é*.txt"), "a%20b/c%3Dd%2B%C3%A9*.txt");
    }

    #[test]
    fn methods_follow_the_operation() {
        assert_eq!(
            ["REST.GET.OBJECT", "WEBSITE.HEAD.OBJECT", "REST.COPY.OBJECT", "SOAP.CreateBucket"].map(method),
            ["GET", "HEAD", "PUT", "POST"]
        );
    }
}
