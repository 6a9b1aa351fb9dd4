//! Failures between a store and the client: no record is lost or duplicated, or the result is reported as incomplete.

use super::*;
use s3log_engine::check::{CheckOptions, check};
use s3log_test_server::{Fault, Matching, Proxy};

const OBJECTS: usize = 2_500;

/// A bucket with three pages, behind a proxy.
struct Bucket {
    proxy: Proxy,
    _server: Server,
}

fn bucket() -> Bucket {
    let server = server();
    let objects =
        (0..OBJECTS).map(|at| (format!("a/{at:05}"), Bytes::from(record(DAY_15 + at as i64, &format!("k{at}")))));
    server.put_all("logs", objects);
    Bucket { proxy: Proxy::start(&server.endpoint()), _server: server }
}

async fn session(bucket: &Bucket) -> Session {
    open(&bucket.proxy.endpoint(), &["s3://logs/a/"], SessionOptions::new()).await
}

/// A session with a short timeout.
async fn impatient(bucket: &Bucket) -> Session {
    let stores = StoreOptions { patience: Duration::from_millis(1_500), ..stores(&bucket.proxy.endpoint()) };
    open_by(stores, &["s3://logs/a/"], SessionOptions::new()).await
}

/// The number of records, and whether each occurs once.
async fn all(session: &Session) -> i64 {
    let sql = "SELECT count(*) FROM logs HAVING count(*) = count(DISTINCT key)";
    number(session, sql).await.unwrap()
}

const PASSING: [Fault; 8] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(429),
    Fault::ResetBeforeResponse,
    Fault::ResetInBody,
    Fault::TruncatedBody,
    Fault::LongContentLength,
    Fault::ShortContentLength,
];

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_pass_change_nothing() {
    let bucket = bucket();
    for fault in PASSING {
        bucket.proxy.clear();
        // Two failures for one object, one for others, and one in a page in the middle.
        bucket.proxy.inject(fault, Matching::kind(Kind::Get).key_contains("a/00007"), 2);
        bucket.proxy.inject(fault, Matching::kind(Kind::Get).skip(40), 5);
        bucket.proxy.inject(fault, Matching::kind(Kind::List).skip(1), 2);
        let session = session(&bucket).await;
        assert_eq!(all(&session).await as usize, OBJECTS, "{fault:?}");
        assert!(session.progress().unreadable().is_empty());
        let counts = session.stores().request_counts();
        assert_eq!(counts.failed, 9, "{fault:?}: what was retried is counted");
        assert_eq!((counts.get + counts.list) as usize, OBJECTS + 3 + 9, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_answers_are_asked_for_again() {
    let bucket = bucket();
    for fault in [Fault::SlowBody(Duration::from_secs(8)), Fault::Stall] {
        bucket.proxy.clear();
        bucket.proxy.inject(fault, Matching::kind(Kind::Get).key_contains("a/00007"), 1);
        bucket.proxy.inject(fault, Matching::kind(Kind::List), 1);
        let session = impatient(&bucket).await;
        assert_eq!(all(&session).await as usize, OBJECTS, "{fault:?}");
    }
    // Slow, but steady: no retry.
    bucket.proxy.clear();
    bucket.proxy.inject(Fault::SlowBody(Duration::from_millis(300)), Matching::kind(Kind::Get).skip(10), 20);
    let session = session(&bucket).await;
    assert_eq!(all(&session).await as usize, OBJECTS);
    assert_eq!(session.stores().request_counts().failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_stay_are_named() {
    let bucket = bucket();
    for (fault, reason) in [
        (Fault::Status(500), "InternalError"),
        (Fault::Status(503), "SlowDown"),
        (Fault::Status(403), "AccessDenied"),
        (Fault::Status(404), "NoSuchKey"),
        (Fault::TruncatedBody, "it cannot be read"),
        (Fault::ShortContentLength, "the answer is incomplete"),
        (Fault::Stall, "it cannot be read"),
    ] {
        bucket.proxy.clear();
        bucket.proxy.take_requests();
        bucket.proxy.inject(fault, Matching::kind(Kind::Get).key_contains("a/00007"), usize::MAX);
        let session = impatient(&bucket).await;
        assert_eq!(all(&session).await as usize, OBJECTS - 1, "{fault:?}");
        let unreadable = session.progress().unreadable();
        assert_eq!(unreadable.len(), 1, "{fault:?}");
        assert_eq!(unreadable[0].object, "s3://logs/a/00007");
        assert!(unreadable[0].reason.contains(reason), "{fault:?}: {}", unreadable[0].reason);
        let tries = if matches!(fault, Fault::Status(403 | 404)) { 1 } else { 3 };
        let asked = bucket.proxy.take_requests().iter().filter(|request| request.key == "a/00007").count();
        assert_eq!(asked, tries, "{fault:?}");
        let report = check(&session, CheckOptions::default()).await.unwrap();
        assert_eq!((report.rows as usize, report.unreadable.len()), (OBJECTS - 1, 1), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_breaks_off_is_incomplete() {
    let bucket = bucket();
    for fault in [Fault::Status(403), Fault::Status(500), Fault::TruncatedBody, Fault::ShortContentLength] {
        bucket.proxy.clear();
        bucket.proxy.inject(fault, Matching::kind(Kind::List).skip(1), usize::MAX);
        let broken = session(&bucket).await;
        // Objects listed before the failure are read.
        assert_eq!(all(&broken).await, 1_000, "{fault:?}");
        let unreadable = broken.progress().unreadable();
        assert_eq!(unreadable.len(), 1, "{fault:?}");
        assert_eq!(unreadable[0].object, "s3://logs/a/");
        assert!(unreadable[0].reason.ends_with("the listing ended after 1000 objects"), "{}", unreadable[0].reason);
        // If the first page fails, the query fails.
        bucket.proxy.clear();
        bucket.proxy.inject(fault, Matching::kind(Kind::List), usize::MAX);
        let broken = session(&bucket).await;
        assert!(number(&broken, "SELECT count(*) FROM logs").await.is_err(), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_region_is_found_there() {
    let bucket = bucket();
    for (kind, then) in [(Kind::Head, 404), (Kind::List, 200), (Kind::Get, 200)] {
        bucket.proxy.clear();
        bucket.proxy.take_requests();
        bucket.proxy.inject(Fault::RegionRedirect("eu-north-1"), Matching::kind(kind), 1);
        let session = session(&bucket).await;
        assert_eq!(all(&session).await as usize, OBJECTS);
        assert!(session.progress().unreadable().is_empty());
        let mut requests = bucket.proxy.take_requests();
        requests.retain(|request| request.kind == kind);
        let moved = requests.iter().find(|request| request.status == 301).unwrap().key.clone();
        requests.retain(|request| request.key == moved);
        let statuses: Vec<_> = requests.iter().map(|request| request.status).take(2).collect();
        assert_eq!(statuses, [301, then], "{kind:?}");
    }
}

/// If it cannot be determined whether a prefix is a dataset, the source fails: the Parquet files of a dataset are not
/// logs.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_may_be_a_dataset_is_not_read_as_logs() {
    let bucket = bucket();
    let sources = ["s3://logs/a/".to_owned()];
    let options = SessionOptions::new().with_stores(stores(&bucket.proxy.endpoint()));
    bucket.proxy.inject(Fault::Status(503), Matching::kind(Kind::Head), usize::MAX);
    let error = Session::open(&sources, options.clone()).await.unwrap_err();
    assert!(error.to_string().starts_with("s3://logs/a/_s3log/dataset.json: it cannot be read: "), "{error}");
    // Without permission to find out, the objects are still read.
    bucket.proxy.clear();
    bucket.proxy.inject(Fault::Status(403), Matching::kind(Kind::Head), usize::MAX);
    assert_eq!(all(&Session::open(&sources, options).await.unwrap()).await as usize, OBJECTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_end_when_nothing_may_be_read() {
    let bucket = bucket();
    bucket.proxy.inject(Fault::Status(403), Matching::kind(Kind::Get), usize::MAX);
    let session = session(&bucket).await;
    let error = number(&session, "SELECT count(*) FROM logs").await.unwrap_err();
    // Requests in flight at the hundredth refusal may be counted, too.
    let told = error.to_string();
    let refused = told.split("none of ").nth(1).and_then(|rest| rest.strip_suffix(" objects may be read"));
    assert!(refused.is_some_and(|number| (100..200).contains(&number.parse().unwrap())), "{error}");
    assert!(bucket.proxy.take_requests().len() < 400, "each request costs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_somebody_elses_session_fails() {
    use datafusion::prelude::SessionContext;
    use s3log_engine::store::Stores;
    use s3log_engine::table::LogTableFactory;
    use std::sync::Arc;
    let bucket = bucket();
    bucket.proxy.inject(Fault::Status(403), Matching::kind(Kind::Get).key_contains("a/00007"), usize::MAX);
    let context = SessionContext::new();
    let factory = LogTableFactory::default().with_stores(Arc::new(Stores::new(stores(&bucket.proxy.endpoint()))));
    s3log_engine::session::register(&context, Arc::new(factory)).unwrap();
    let frame = context.sql("SELECT count(*) FROM s3log('s3://logs/a/')").await.unwrap();
    let error = frame.collect().await.unwrap_err();
    let found = Error::find(&error).unwrap();
    assert!(found.to_string().starts_with("s3://logs/a/00007: it cannot be read: AccessDenied"), "{found}");
}
