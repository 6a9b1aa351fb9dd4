//! Moto starts, answers, and ends.

use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::MultipartStore as _;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, UpdateVersion};
use s3log_test_server::{
    Client, Fault, Matching, Moto, Proxy, create_bucket_unsigned, put_all_unsigned, put_archived_unsigned, put_unsigned,
};

use crate::writes::store_with;

/// Moto requires a signature, but does not check it.
const AUTHORIZATION: (&str, &str) = (
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x",
);

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
    for endpoint in [endpoint.clone(), proxy.endpoint()] {
        let mut client = Client::new(&endpoint);
        let mut get = |target: &str| client.send("GET", target, &[AUTHORIZATION], &[]).unwrap();
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

/// Everything a writer needs, on an independent server.
#[tokio::test(flavor = "multi_thread")]
async fn moto_takes_what_is_written() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    create_bucket_unsigned(&moto.endpoint(), "data").unwrap();
    let proxy = Proxy::start(&moto.endpoint());
    let store = store_with(&proxy.endpoint(), 0);
    let path = |key: &str| object_store::path::Path::from(key);
    let create = async |key: &str, content: &'static str| {
        store.put_opts(&path(key), content.into(), PutMode::Create.into()).await
    };
    let read = async |key: &str| store.get(&path(key)).await.unwrap().bytes().await.unwrap();

    create("commit", "first").await.unwrap();
    assert!(matches!(create("commit", "second").await, Err(Error::AlreadyExists { .. })));
    assert_eq!(read("commit").await, "first");
    let version = UpdateVersion::from(store.put(&path("commit"), "third".into()).await.unwrap());
    store.put_opts(&path("commit"), "fourth".into(), PutMode::Update(version.clone()).into()).await.unwrap();
    let late = store.put_opts(&path("commit"), "fifth".into(), PutMode::Update(version).into()).await;
    assert!(late.is_err(), "{late:?}");

    let mut upload = store.put_multipart(&path("day=2026-01-31/a.parquet")).await.unwrap();
    upload.put_part(vec![b'1'; 5 << 20].into()).await.unwrap();
    upload.put_part("23".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(&read("day=2026-01-31/a.parquet").await[(5 << 20) - 1..], b"123");
    let small = path("small");
    let id = store.create_multipart(&small).await.unwrap();
    let parts = [store.put_part(&small, &id, 0, "1".into()).await, store.put_part(&small, &id, 1, "2".into()).await];
    let parts = parts.map(Result::unwrap).to_vec();
    let error = store.complete_multipart(&small, &id, parts).await.unwrap_err();
    assert!(error.to_string().contains("EntityTooSmall"), "{error}");
    store.abort_multipart(&small, &id).await.unwrap();

    store.copy(&path("commit"), &path("copy")).await.unwrap();
    assert_eq!(read("copy").await, "fourth");
    let paths = ["commit", "copy", "none"].map(|key| Ok(path(key)));
    let deleted: Vec<_> = store.delete_stream(futures::stream::iter(paths).boxed()).try_collect().await.unwrap();
    assert_eq!(deleted.len(), 3);
    let left: Vec<_> = store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
    assert_eq!(left, [path("day=2026-01-31/a.parquet")]);

    // Behind a proxy it fails like the in-process server.
    proxy.inject(Fault::DoneThenReset, Matching::writes().conditional(), 1);
    create("commit", "lost").await.unwrap_err();
    assert_eq!(read("commit").await, "lost");
    let open = Client::new(&moto.endpoint()).send("GET", "/data?uploads", &[AUTHORIZATION], &[]).unwrap();
    assert_eq!((open.status, open.text().contains("<UploadId>")), (200, false), "{}", open.text());

    let copied = store.copy_if_not_exists(&path("day=2026-01-31/a.parquet"), &path("commit")).await;
    assert!(matches!(copied, Err(Error::AlreadyExists { .. })), "{copied:?}");
}
