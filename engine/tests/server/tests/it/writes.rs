//! Everything a writer needs, with an independent client: conditional puts, multipart uploads, copies, deletes.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};
use s3log_test_server::{
    ACCESS_KEY, Client, ConditionalPuts, Fault, Hold, Kind, Matching, Moment, Proxy, SECRET_KEY, Server,
};

const LEAST_PART: usize = 5 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    with_bucket(Server::start())
}

fn with_bucket(server: Server) -> Server {
    server.create_bucket("data");
    server
}

/// A client with this number of retries.
pub(crate) fn store_with(endpoint: &str, max_retries: usize) -> AmazonS3 {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(5), ..BackoffConfig::default() };
    AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("data")
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key(SECRET_KEY)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        .with_retry(RetryConfig { max_retries, backoff, ..RetryConfig::default() })
        .build()
        .unwrap()
}

fn store(endpoint: &str) -> AmazonS3 {
    store_with(endpoint, 0)
}

async fn create(store: &AmazonS3, key: &str, content: &'static str) -> Result<(), Error> {
    let options = PutOptions::from(PutMode::Create);
    store.put_opts(&Path::from(key), content.into(), options).await.map(drop)
}

fn part(size: usize, byte: u8) -> PutPayload {
    PutPayload::from(vec![byte; size])
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_may_depend_on_what_is_there() {
    let server = server();
    let store = store(&server.endpoint());
    create(&store, "a", "first").await.unwrap();
    let error = create(&store, "a", "second").await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(server.get("data", "a").unwrap(), "first");

    let version: UpdateVersion = store.put(&Path::from("a"), "third".into()).await.unwrap().into();
    let update = async |content: &'static str| {
        store.put_opts(&Path::from("a"), content.into(), PutMode::Update(version.clone()).into()).await
    };
    update("fourth").await.unwrap();
    let error = update("fifth").await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    assert_eq!(server.get("data", "a").unwrap(), "fourth");
    server.remove("data", "a");
    update("sixth").await.unwrap_err();
    assert_eq!(server.keys("data"), [""; 0]);
    let conditions: Vec<bool> = server.requests().iter().map(|request| request.condition.is_some()).collect();
    assert_eq!(conditions, [true, true, false, true, true, true]);
    assert_eq!(server.requests()[0].condition.as_deref(), Some("If-None-Match: *"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_conditional_puts_wins() {
    let server = server();
    let store = store(&server.endpoint());
    let puts = futures::stream::iter(0..40).map(|_| create(&store, "a", "x")).buffer_unordered(8);
    assert_eq!(puts.filter(|result| std::future::ready(result.is_ok())).count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_differ_in_what_they_make_of_conditions() {
    let ignores = with_bucket(Server::builder().conditional_puts(ConditionalPuts::Ignored).start());
    create(&store(&ignores.endpoint()), "a", "first").await.unwrap();
    create(&store(&ignores.endpoint()), "a", "second").await.unwrap();
    assert_eq!(ignores.get("data", "a").unwrap(), "second");

    let refuses = with_bucket(Server::builder().conditional_puts(ConditionalPuts::Refused).start());
    let error = create(&store(&refuses.endpoint()), "a", "first").await.unwrap_err();
    assert!(error.to_string().contains("NotImplemented"), "{error}");
    store(&refuses.endpoint()).put(&Path::from("a"), "second".into()).await.unwrap();
    assert_eq!(refuses.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [501, 200]);

    let busy = with_bucket(Server::builder().conflicts(2).start());
    let store = store(&busy.endpoint());
    for _ in 0..2 {
        // object_store interprets every 409 like this, although nothing exists.
        assert!(matches!(create(&store, "a", "x").await.unwrap_err(), Error::AlreadyExists { .. }));
        assert_eq!(busy.keys("data"), [""; 0]);
    }
    create(&store, "a", "x").await.unwrap();
    assert_eq!(busy.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [409, 409, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_an_object() {
    let server = server();
    let store = store(&server.endpoint());
    let path = Path::parse("a b/ä").unwrap();
    let mut upload = store.put_multipart(&path).await.unwrap();
    let parts = [upload.put_part(part(LEAST_PART, b'1')), upload.put_part(part(LEAST_PART + 1, b'2'))];
    // In any order: parts are ordered by number.
    futures::future::try_join_all(parts.into_iter().rev()).await.unwrap();
    upload.put_part(part(3, b'3')).await.unwrap();
    assert_eq!((server.open_uploads("data"), server.keys("data")), (vec!["a b/ä".to_owned()], vec![]));
    let result = upload.complete().await.unwrap();
    assert_eq!((server.open_uploads("data"), server.keys("data")), (vec![], vec!["a b/ä".to_owned()]));

    let meta = store.head(&path).await.unwrap();
    assert_eq!((meta.size as usize, &meta.e_tag), (2 * LEAST_PART + 4, &result.e_tag));
    assert!(result.e_tag.unwrap().ends_with("-3\""));
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[LEAST_PART - 1..=LEAST_PART], b"12");
    assert_eq!(&bytes[bytes.len() - 4..], b"2333");
    let counts = Kind::counts(&server.take_requests());
    assert_eq!([Kind::BeginUpload, Kind::PutPart, Kind::CompleteUpload].map(|kind| counts[&kind]), [1, 3, 1]);

    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part(part(1, b'x')).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(server.open_uploads("data"), [""; 0]);
    assert_eq!(server.requests().last().unwrap().kind, Kind::AbortUpload);
    assert_eq!(server.get("data", "a b/ä").unwrap().len(), 2 * LEAST_PART + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_do_not_fit_are_refused() {
    let server = server();
    let store = store(&server.endpoint());
    let path = Path::from("a");
    let id = store.create_multipart(&path).await.unwrap();
    let small = store.put_part(&path, &id, 0, part(LEAST_PART - 1, b'1')).await.unwrap();
    let last = store.put_part(&path, &id, 1, part(1, b'2')).await.unwrap();
    let codes = [
        (vec![small.clone(), last.clone()], "EntityTooSmall"),
        (vec![last.clone(), small.clone()], "InvalidPart"),
        (vec![small.clone(), last.clone(), last.clone()], "InvalidPart"),
    ];
    for (parts, code) in codes {
        let error = store.complete_multipart(&path, &id, parts).await.unwrap_err();
        assert!(error.to_string().contains(code), "{error}");
    }
    assert_eq!(server.open_uploads("data"), ["a"]);
    store.complete_multipart(&path, &id, vec![small.clone()]).await.unwrap();
    assert_eq!(server.get("data", "a").unwrap().len(), LEAST_PART - 1);
    // For S3, a completed upload is the same as one that was never started.
    assert!(matches!(store.complete_multipart(&path, &id, vec![small]).await, Err(Error::NotFound { .. })));
    assert!(matches!(store.abort_multipart(&path, &id).await, Err(Error::NotFound { .. })));
    assert!(matches!(store.put_part(&path, &"none".to_owned(), 0, part(1, b'x')).await, Err(Error::NotFound { .. })));
}

#[test]
fn uploads_are_listed_page_by_page() {
    let server = with_bucket(Server::builder().anonymous().start());
    let mut client = Client::new(&server.endpoint());
    for key in ["b/2", "a", "b/1", "b/2", "c"] {
        assert_eq!(client.send("POST", &format!("/data/{key}?uploads"), &[], &[]).unwrap().status, 200);
    }
    assert_eq!(server.open_uploads("data"), ["a", "b/1", "b/2", "b/2", "c"]);
    let mut list = |query: &str| {
        let text = client.get(&format!("/data?uploads{query}")).unwrap().text();
        let element = |name: &str| -> Vec<String> {
            let begin = format!("<{name}>");
            text.split(&begin).skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
        };
        (element("Key"), element("NextKeyMarker"), element("NextUploadIdMarker"), element("IsTruncated"))
    };
    assert_eq!(list("").0, ["a", "b/1", "b/2", "b/2", "c"]);
    assert_eq!(list("&prefix=b/").0, ["b/1", "b/2", "b/2"]);
    let (keys, next, next_id, is_truncated) = list("&max-uploads=3");
    assert_eq!(
        (keys, next.clone(), is_truncated),
        (vec!["a".into(), "b/1".into(), "b/2".into()], vec!["b/2".into()], vec!["true".into()])
    );
    assert_eq!(list(&format!("&key-marker=b/2&upload-id-marker={}", next_id[0])).0, ["b/2", "c"]);
    assert_eq!(list("&key-marker=b/2").0, ["c"]);
    assert_eq!(server.requests().last().unwrap().kind, Kind::ListUploads);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_complete_on_conditions() {
    let server = with_bucket(Server::builder().anonymous().start());
    server.put("data", "old", "old");
    let mut client = Client::new(&server.endpoint());
    let mut complete = |key: &str| {
        let begun = client.send("POST", &format!("/data/{key}?uploads"), &[], &[]).unwrap().text();
        let id = begun.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let target = format!("/data/{key}?partNumber=1&uploadId={id}");
        let e_tag = client.send("PUT", &target, &[], b"new").unwrap().header("etag").unwrap().to_owned();
        let body = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{e_tag}</ETag></Part></CompleteMultipartUpload>"
        );
        let target = format!("/data/{key}?uploadId={id}");
        client.send("POST", &target, &[("If-None-Match", "*")], body.as_bytes()).unwrap().status
    };
    assert_eq!([complete("old"), complete("new")], [412, 200]);
    assert_eq!((server.get("data", "old").unwrap(), server.get("data", "new").unwrap()), ("old".into(), "new".into()));
    // The client that started it must abort it.
    assert_eq!(server.open_uploads("data"), ["old"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_copied_by_the_server() {
    let server = server();
    server.put("data", "a b/ä", "content");
    let store = store(&server.endpoint());
    let (from, to) = (Path::parse("a b/ä").unwrap(), Path::from("copy"));
    store.copy(&from, &to).await.unwrap();
    assert_eq!(server.get("data", "copy").unwrap(), "content");
    assert!(matches!(store.copy(&Path::from("none"), &to).await, Err(Error::NotFound { .. })));
    store.copy(&to, &to).await.unwrap_err();
    assert_eq!(Kind::counts(&server.take_requests())[&Kind::Copy], 3);

    // Through an upload whose only part is a copy.
    assert!(matches!(store.copy_if_not_exists(&from, &to).await, Err(Error::AlreadyExists { .. })));
    store.copy_if_not_exists(&from, &Path::from("other")).await.unwrap();
    assert_eq!(server.get("data", "other").unwrap(), "content");
    assert_eq!(server.open_uploads("data"), [""; 0]);
    store.rename(&to, &Path::from("renamed")).await.unwrap();
    assert_eq!(server.keys("data"), ["a b/ä", "other", "renamed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_objects_are_deleted_at_once() {
    let server = server();
    server.put_all("data", (0..2500).map(|at| (format!("k/{at:04} &"), Bytes::new())));
    server.put("data", "other", "");
    let store = store(&server.endpoint());
    let paths = store.list(Some(&Path::from("k"))).map_ok(|meta| meta.location).boxed();
    let deleted: Vec<Path> = store.delete_stream(paths).try_collect().await.unwrap();
    assert_eq!((deleted.len(), server.keys("data")), (2500, vec!["other".to_owned()]));
    let requests = server.take_requests();
    assert_eq!(Kind::counts(&requests).get(&Kind::DeleteMany), Some(&3));
    let keys =
        requests.iter().filter(|request| request.kind == Kind::DeleteMany).flat_map(|request| request.key.lines());
    assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 2500);
    // A missing object counts as deleted.
    let none = futures::stream::iter([Ok(Path::from("none"))]).boxed();
    assert_eq!(store.delete_stream(none).try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

/// A server behind a proxy.
fn behind_proxy() -> (Server, Proxy) {
    let server = server();
    let proxy = Proxy::start(&server.endpoint());
    (server, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_is_told_may_be_wrong() {
    for (fault, told) in [(Fault::DoneThenStatus(500), 500), (Fault::DoneThenReset, 0), (Fault::DoneThenStall, 0)] {
        let (server, proxy) = behind_proxy();
        let store = store(&proxy.endpoint());
        proxy.inject(fault, Matching::writes().conditional().key_contains("data/commit"), 1);
        store.put(&Path::from("commit"), "x".into()).await.unwrap();
        create(&store, "other", "x").await.unwrap();
        let lost = tokio::time::timeout(Duration::from_millis(500), create(&store, "commit/1", "mine")).await;
        assert!(!matches!(lost, Ok(Ok(()))), "{fault:?}");
        assert_eq!(server.get("data", "commit/1").unwrap(), "mine");
        let statuses = |requests: &[s3log_test_server::Request]| requests.last().map(|request| request.status);
        assert_eq!((statuses(&server.requests()), statuses(&proxy.requests())), (Some(200), Some(told)), "{fault:?}");
    }
    // A client that retries is told that the object exists already.
    let (server, proxy) = behind_proxy();
    proxy.inject(Fault::DoneThenStatus(503), Matching::writes(), 1);
    let error = create(&store_with(&proxy.endpoint(), 3), "commit", "mine").await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(server.get("data", "commit").unwrap(), "mine");
    // Likewise for an upload: it has been completed, and no longer exists.
    let store = store_with(&proxy.endpoint(), 3);
    proxy.inject(Fault::DoneThenReset, Matching::kind(Kind::CompleteUpload), 1);
    let mut upload = store.put_multipart_opts(&Path::from("parts"), PutMultipartOptions::default()).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    upload.complete().await.unwrap_err();
    assert_eq!(server.get("data", "parts").unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_fail_that_match() {
    let (server, proxy) = behind_proxy();
    let store = store(&proxy.endpoint());
    proxy.inject(Fault::Status(500), Matching::writes().key_contains("data/day="), usize::MAX);
    let file = Path::from("day=2026-01-31/a.parquet");
    store.put(&file, "x".into()).await.unwrap_err();
    store.put_multipart(&file).await.unwrap_err();
    store.delete(&file).await.unwrap_err();
    store.copy(&Path::from("a"), &file).await.unwrap_err();
    store.put(&Path::from("_s3log/a"), "x".into()).await.unwrap();
    assert!(matches!(store.get(&file).await, Err(Error::NotFound { .. })));
    assert_eq!(server.keys("data"), ["_s3log/a"]);
    proxy.clear();
    store.put(&file, "x".into()).await.unwrap();
}

/// Puts an object in a separate task.
fn put_aside(proxy: &Proxy, key: &str) -> tokio::task::JoinHandle<Result<(), Error>> {
    let (store, path) = (store(&proxy.endpoint()), Path::from(key));
    tokio::spawn(async move { store.put(&path, "x".into()).await.map(drop) })
}

fn held(hold: &Hold) {
    assert!(hold.wait_for(1, PATIENCE), "nothing was held");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_wait_until_they_are_let_go() {
    let (server, proxy) = behind_proxy();
    for (moment, there) in [(Moment::Before, false), (Moment::After, true)] {
        let key = format!("{moment:?}");
        let hold = proxy.hold(moment, Matching::kind(Kind::Put).key_contains(&key), 1);
        assert!(!hold.wait_for(1, Duration::from_millis(10)));
        let put = put_aside(&proxy, &key);
        held(&hold);
        assert_eq!((server.get("data", &key).is_some(), put.is_finished()), (there, false));
        // Only one request is held.
        put_aside(&proxy, &key).await.unwrap().unwrap();
        server.remove("data", &key);
        hold.release();
        put.await.unwrap().unwrap();
        assert_eq!((server.get("data", &key).is_some(), hold.held()), (!there, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_may_be_lost_or_come_late() {
    let (server, proxy) = behind_proxy();
    for (moment, there) in [(Moment::Before, false), (Moment::After, true)] {
        let hold = proxy.hold(moment, Matching::writes(), 1);
        let put = put_aside(&proxy, "lost");
        held(&hold);
        hold.lose();
        put.await.unwrap().unwrap_err();
        assert_eq!(server.get("data", "lost").is_some(), there);
    }
    // The client is gone by the time the server sees the request.
    let hold = proxy.hold(Moment::Before, Matching::writes(), 1);
    let put = put_aside(&proxy, "late");
    held(&hold);
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    assert_eq!(server.get("data", "late"), None);
    drop(hold);
    let begin = std::time::Instant::now();
    while server.get("data", "late").is_none() {
        assert!(begin.elapsed() < PATIENCE, "it never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
