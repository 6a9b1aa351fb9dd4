//! The access log for real clients: responses, and the lines written for them.

use std::net::IpAddr;

use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use s3log_parser::{Field, Parser};
use s3log_test_server::{ACCESS_KEY, AccessLog, Client, Face, Public, SECRET_KEY, Server};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// Both servers stop when they are dropped.
fn setup() -> (AccessLog, Server) {
    let server = Server::builder().anonymous().start();
    let buckets = [("site", Public::Read), ("open", Public::ReadAndList), ("private", Public::Nothing)];
    for (bucket, _) in buckets {
        server.create_bucket(bucket);
        server.put(bucket, "a b.txt", "0123456789");
        server.put(bucket, "index.html", "<html></html>");
    }
    (AccessLog::start(&server.endpoint(), &buckets), server)
}

/// Some fields of a line, which must have all 27.
fn fields(line: &str, wanted: &[Field]) -> String {
    let mut parser = Parser::new();
    let record = parser.parse(line.as_bytes()).unwrap();
    assert_eq!(record.field_count(), Field::COUNT, "{line}");
    let texts = wanted.iter().map(|field| record.text(*field).map_or_else(|| "-".to_owned(), ToString::to_string));
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn everybody_is_answered_as_s3_answers() {
    use Face::{Bucket, Service, Website};
    let (log, _server) = setup();
    let [site, open, private] = ["site", "open", "private"].map(|bucket| move || bucket.to_owned());
    for (face, method, target, expected) in [
        (Bucket(site()), "GET", "/a%20b.txt", "REST.GET.OBJECT a%2520b.txt 200 - 10 10"),
        (Bucket(site()), "HEAD", "/a%20b.txt", "REST.HEAD.OBJECT a%2520b.txt 200 - - 10"),
        (Bucket(site()), "GET", "/index.html?id=1'%20OR%201=1", "REST.GET.OBJECT index.html 200 - 13 13"),
        (Bucket(site()), "GET", "/.env", "REST.GET.OBJECT .env 403 AccessDenied 161 -"),
        (Bucket(site()), "HEAD", "/.env", "REST.HEAD.OBJECT .env 403 AccessDenied 161 -"),
        (Bucket(open()), "GET", "/.env", "REST.GET.OBJECT .env 404 NoSuchKey 127 -"),
        (Bucket(open()), "HEAD", "/.env", "REST.HEAD.OBJECT .env 404 NoSuchKey 178 -"),
        (Bucket(private()), "GET", "/a%20b.txt", "REST.GET.OBJECT a%2520b.txt 403 AccessDenied 161 -"),
        (Bucket(site()), "GET", "/", "REST.GET.BUCKET - 403 AccessDenied 161 -"),
        (Bucket(site()), "GET", "/?acl", "REST.GET.ACL - 403 AccessDenied 161 -"),
        (Bucket(open()), "GET", "/?policy", "REST.GET.BUCKETPOLICY - 403 AccessDenied 161 -"),
        (Bucket(open()), "GET", "/index.html?tagging", "REST.GET.OBJECT_TAGGING index.html 403 AccessDenied 161 -"),
        (Bucket(open()), "PUT", "/shell.php", "REST.PUT.OBJECT shell.php 403 AccessDenied 161 -"),
        (Bucket(open()), "DELETE", "/index.html", "REST.DELETE.OBJECT index.html 403 AccessDenied 161 -"),
        (Bucket(open()), "POST", "/index.html", "REST.POST.OBJECT index.html 405 MethodNotAllowed 210 -"),
        (Bucket(open()), "TRACE", "/", "REST.TRACE.BUCKET - 405 MethodNotAllowed 210 -"),
        (Bucket(open()), "OPTIONS", "/", "REST.OPTIONS.PREFLIGHT - 403 AccessForbidden 201 -"),
        (Bucket(open()), "GET", "/%ff", "REST.GET.OBJECT - 400 InvalidURI 179 -"),
        (Bucket(open()), "GET", "/../../etc/passwd", "REST.GET.OBJECT ../../etc/passwd 404 NoSuchKey 127 -"),
        (Bucket(open()), "GET", "http://example.com/x", "REST.GET.OBJECT x 404 NoSuchKey 127 -"),
        (
            Bucket(open()),
            "GET",
            "/<script> {x}",
            "REST.GET.OBJECT %253Cscript%253E%2520%257Bx%257D 404 NoSuchKey 127 -",
        ),
        (Website(site()), "GET", "/", "WEBSITE.GET.OBJECT index.html 200 - 13 13"),
        (Website(site()), "GET", "/?acl", "WEBSITE.GET.OBJECT index.html 200 - 13 13"),
        (Website(open()), "GET", "/x/", "WEBSITE.GET.OBJECT x/index.html 404 NoSuchKey 127 -"),
        (Website(open()), "PUT", "/x", "WEBSITE.PUT.OBJECT x 405 MethodNotAllowed 210 -"),
        (Service, "GET", "/private/index.html", "REST.GET.OBJECT index.html 403 AccessDenied 161 -"),
        (Service, "HEAD", "/site", "REST.HEAD.BUCKET - 403 AccessDenied 161 -"),
    ] {
        let before = log.lines().len();
        let response = Client::new(&log.listen(CLIENT, face)).send(method, target, &[], &[]).unwrap();
        let lines = log.lines();
        let [line] = &lines[before..] else { panic!("{method} {target}: {lines:?}") };
        let of_answer =
            [Field::Operation, Field::Key, Field::HttpStatus, Field::ErrorCode, Field::BytesSent, Field::ObjectSize];
        assert_eq!(fields(line, &of_answer), expected, "{method} {target}");
        assert_eq!(fields(line, &[Field::HttpStatus]), response.status.to_string());
        assert_eq!(fields(line, &[Field::RequestUri]), format!("{method} {target} HTTP/1.1"));
        assert_eq!(fields(line, &[Field::RequestId]), response.header("x-amz-request-id").unwrap());
        assert_eq!(fields(line, &[Field::RemoteIp, Field::Requester, Field::SignatureVersion]), "192.0.2.7 - -");
    }
}

#[test]
fn nobodys_log_tells_of_what_no_bucket_was_asked() {
    let (log, _server) = setup();
    let mut client = Client::new(&log.listen(CLIENT, Face::Service));
    assert_eq!(client.get("/").unwrap().status, 403);
    assert_eq!(client.get("/no-such-bucket/x").unwrap().status, 404);
    assert_eq!(log.lines(), Vec::<String>::new());
}

#[test]
fn headers_stand_as_they_came() {
    let (log, _server) = setup();
    let headers = [("Referer", "https://example.com/?q=\"x\""), ("User-Agent", "Mozilla/5.0 (\"quoted\")")];
    let mut client = Client::new(&log.listen(CLIENT, Face::Bucket("site".to_owned())));
    client.send("GET", "/index.html", &headers, &[]).unwrap();
    let lines = log.lines_of(CLIENT);
    let tail = r#" "https://example.com/?q="x"" "Mozilla/5.0 ("quoted")" - "#;
    assert!(lines[0].contains(tail), "{}", lines[0]);
    assert!(lines[0].ends_with(" - - - site.s3.us-east-1.amazonaws.com - - - -"), "{}", lines[0]);
    assert_eq!(log.lines_of("192.0.2.8".parse().unwrap()), Vec::<String>::new());
}

fn store(endpoint: &str, access_key: &str) -> AmazonS3 {
    let builder = AmazonS3Builder::new().with_endpoint(endpoint).with_allow_http(true).with_region("us-east-1");
    let builder = builder.with_access_key_id(access_key).with_secret_access_key(SECRET_KEY);
    builder.with_bucket_name("private").build().unwrap()
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_nobodys() {
    let (log, _server) = setup();
    let store = store(&log.listen(CLIENT, Face::Service), "AKIAIOSFODNN7EXAMPLE");
    assert!(store.list(None).try_collect::<Vec<_>>().await.is_err());
    assert!(store.get(&Path::from("index.html")).await.is_err());
    let of_signer = [Field::Requester, Field::ErrorCode, Field::SignatureVersion, Field::AuthenticationType];
    for line in log.lines() {
        assert_eq!(fields(&line, &of_signer), "- InvalidAccessKeyId SigV4 AuthHeader");
    }
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test]
async fn a_signer_is_named_in_every_line() {
    let (log, _server) = setup();
    let store = store(&log.listen(CLIENT, Face::Service), ACCESS_KEY);
    let (from, to) = (Path::parse("x/ö.txt").unwrap(), Path::from("y"));
    store.put(&from, "content".into()).await.unwrap();
    store.copy(&from, &to).await.unwrap();
    assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 4);
    let all = futures::stream::iter([Ok(from), Ok(to)]);
    store.delete_stream(Box::pin(all)).try_collect::<Vec<_>>().await.unwrap();
    let of_line = [Field::Operation, Field::Key, Field::HttpStatus, Field::ObjectSize, Field::Requester];
    let lines: Vec<String> = log.lines().iter().map(|line| fields(line, &of_line)).collect();
    let user = "arn:aws:iam::123456789012:user/test";
    assert_eq!(
        lines,
        [
            format!("REST.PUT.OBJECT x/%25C3%25B6.txt 200 7 {user}"),
            format!("REST.COPY.OBJECT y 200 - {user}"),
            format!("REST.COPY.OBJECT_GET x/%25C3%25B6.txt 200 - {user}"),
            format!("REST.GET.BUCKET - 200 - {user}"),
            format!("REST.POST.MULTI_OBJECT_DELETE - 200 - {user}"),
            format!("BATCH.DELETE.OBJECT x/%C3%B6.txt 204 - {user}"),
            format!("BATCH.DELETE.OBJECT y 204 - {user}"),
        ]
    );
}
