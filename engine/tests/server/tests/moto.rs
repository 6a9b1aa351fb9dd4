//! Moto starts, answers, and ends.

use std::path::Path;

use bytes::Bytes;
use s3log_test_server::{
    Client, Fault, Matching, Moto, Proxy, create_bucket_unsigned, put_all_unsigned, put_archived_unsigned, put_unsigned,
};

#[test]
fn moto_holds_what_is_put() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let endpoint = moto.endpoint();
    create_bucket_unsigned(&endpoint, "logs").unwrap();
    put_unsigned(&endpoint, "logs", "a b/ä", b"0123456789").unwrap();
    put_archived_unsigned(&endpoint, "logs", "old", b"line").unwrap();
    let many: Vec<(String, Bytes)> =
        (0..1500).map(|number| (format!("many/{number:04}"), Bytes::from_static(b"line"))).collect();
    put_all_unsigned(&endpoint, "logs", &many).unwrap();
    put_unsigned(&endpoint, "none-such", "a", b"line").unwrap_err();

    let proxy = Proxy::start(&endpoint);
    let authorization = [(
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x",
    )];
    for endpoint in [endpoint.clone(), proxy.endpoint()] {
        let mut client = Client::new(&endpoint);
        let mut get = |target: &str| client.send("GET", target, &authorization, &[]).unwrap();
        assert_eq!(get("/logs/a%20b/%C3%A4").text(), "0123456789");
        assert_eq!(get("/logs/old").status, 403);
        let page = get("/logs?list-type=2&prefix=many/").text();
        assert_eq!(page.matches("<Key>").count(), 1000);
        assert!(page.contains("<IsTruncated>true</IsTruncated>"));
    }
    proxy.inject(Fault::Status(503), Matching::any(), 1);
    assert_eq!(Client::new(&proxy.endpoint()).get("/logs/old").unwrap().status, 503);

    drop(moto);
    Client::new(&endpoint).get("/moto-api/").unwrap_err();
}
