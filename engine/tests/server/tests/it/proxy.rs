//! Each fault as seen by a plain client.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use s3log_test_server::{Client, Fault, Kind, Matching, Proxy, Server};

const CONTENT: &str = "0123456789";

struct Setup {
    proxy: Proxy,
    client: Client,
    server: Server,
}

fn setup() -> Setup {
    let server = Server::builder().anonymous().start();
    server.create_bucket("logs");
    server.put("logs", "a", CONTENT);
    let proxy = Proxy::start(&server.endpoint());
    let client = Client::new(&proxy.endpoint());
    Setup { proxy, client, server }
}

fn setup_with(fault: Fault) -> Setup {
    let setup = setup();
    setup.proxy.inject(fault, Matching::any(), 1);
    setup
}

#[test]
fn without_a_fault_all_passes() {
    let Setup { proxy, mut client, server } = setup();
    assert_eq!(client.get("/logs/a").unwrap().text(), CONTENT);
    assert_eq!(client.send("GET", "/logs/a", &[("Range", "bytes=1-2")], &[]).unwrap().text(), "12");
    assert!(client.get("/logs?list-type=2").unwrap().text().contains("<Key>a</Key>"));
    let head = client.send("HEAD", "/logs/a", &[], &[]).unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    assert_eq!(client.send("PUT", "/logs/b", &[("Expect", "100-continue")], b"put").unwrap().status, 200);
    assert_eq!(server.get("logs", "b").as_deref(), Some(&b"put"[..]));
    assert_eq!(client.send("DELETE", "/logs/b", &[], &[]).unwrap().status, 204);
    assert_eq!(client.get("/logs/b").unwrap().status, 404);
    assert_eq!(proxy.requests().len(), server.requests().len());
    assert_eq!(proxy.take_requests().last(), server.take_requests().last());
}

#[test]
fn large_objects_pass() {
    let Setup { proxy: _proxy, mut client, server } = setup();
    let large = vec![b'x'; 20_000_000];
    server.put("logs", "large", large.clone());
    assert_eq!(client.get("/logs/large").unwrap().body, large);
}

#[test]
fn errors_have_fitting_codes() {
    let Setup { proxy, mut client, server } = setup();
    for (status, code) in
        [(500, "InternalError"), (503, "SlowDown"), (429, "TooManyRequests"), (403, "AccessDenied"), (404, "NoSuchKey")]
    {
        proxy.inject(Fault::Status(status), Matching::any(), 1);
        let response = client.get("/logs/a").unwrap();
        assert_eq!(response.status, status);
        assert!(response.text().contains(&format!("<Code>{code}</Code>")));
        assert_eq!(client.get("/logs/a").unwrap().text(), CONTENT);
    }
    let statuses: Vec<u16> = proxy.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [500, 200, 503, 200, 429, 200, 403, 200, 404, 200]);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn connections_are_reset() {
    let Setup { proxy, mut client, server: _server } = setup_with(Fault::ResetBeforeResponse);
    assert_eq!(client.get("/logs/a").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.requests()[0].status, 0);
    assert_eq!(client.get("/logs/a").unwrap().text(), CONTENT);

    let Setup { proxy, mut client, server: _server } = setup_with(Fault::ResetInBody);
    assert_eq!(client.get("/logs/a").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.requests()[0].status, 200);
    assert_eq!(client.get("/logs/a").unwrap().text(), CONTENT);
}

#[test]
fn lengths_are_wrong() {
    for fault in [Fault::TruncatedBody, Fault::LongContentLength] {
        let mut client = setup_with(fault);
        assert_eq!(client.client.get("/logs/a").unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(client.client.get("/logs/a").unwrap().text(), CONTENT);
    }
    let mut setup = setup_with(Fault::ShortContentLength);
    assert_eq!(setup.client.get("/logs/a").unwrap().text(), "01234");
    assert_eq!(setup.client.get("/logs/a").unwrap().text(), CONTENT);
}

#[test]
fn answers_are_slow_or_never_come() {
    let mut setup = setup_with(Fault::SlowBody(Duration::from_millis(300)));
    let begin = Instant::now();
    assert_eq!(setup.client.get("/logs/a").unwrap().text(), CONTENT);
    assert!(begin.elapsed() >= Duration::from_millis(300));

    let setup = setup_with(Fault::Stall);
    let mut client = Client::new(&setup.proxy.endpoint()).patience(Duration::from_millis(300));
    let error = client.get("/logs/a").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(client.get("/logs/a").unwrap().text(), CONTENT);
    assert_eq!(setup.proxy.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [0, 200]);
}

#[test]
fn buckets_are_elsewhere() {
    let response = setup_with(Fault::RegionRedirect("eu-central-1")).client.get("/logs/a").unwrap();
    assert_eq!((response.status, response.header("x-amz-bucket-region")), (301, Some("eu-central-1")));
    assert_eq!(response.header("location"), None);
    assert!(response.text().contains("PermanentRedirect"));
}

#[test]
fn faults_befall_what_matches() {
    let Setup { proxy, mut client, server } = setup();
    for number in 0..5 {
        server.put("logs", format!("day/{number}"), "line");
    }
    proxy.inject(Fault::Status(403), Matching::kind(Kind::List).key_contains("logs/day").skip(2), 1);
    proxy.inject(Fault::Status(500), Matching::kind(Kind::Get).key_contains("day/3"), usize::MAX);
    let mut status = |target: &str| client.get(target).unwrap().status;
    let list = "/logs?list-type=2&prefix=day%2F&max-keys=1";
    assert_eq!([status(list), status(list), status(list), status(list)], [200, 200, 403, 200]);
    assert_eq!([status("/logs/day/3"), status("/logs/day/3"), status("/logs/day/2")], [500, 500, 200]);
    proxy.clear();
    assert_eq!(status("/logs/day/3"), 200);
}

#[test]
fn a_server_that_is_gone_is_a_bad_gateway() {
    let Setup { proxy: _proxy, mut client, server } = setup();
    drop(server);
    assert_eq!(client.get("/logs/a").unwrap().status, 502);
}
