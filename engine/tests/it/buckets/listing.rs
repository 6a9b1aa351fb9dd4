//! Listing: pages, prefixes, several buckets, unusual objects.

use super::*;
use s3log_engine::ErrorKind;
use s3log_engine::check::{CheckOptions, check};

#[tokio::test(flavor = "multi_thread")]
async fn pages_prefixes_and_several_buckets() {
    let server = server();
    server.create_bucket("more");
    // More than two pages.
    let objects = (0..2_345).map(|at| (format!("a/{at:05}"), Bytes::from(record(DAY_15 + at, &format!("k{at}")))));
    server.put_all("logs", objects);
    put(&server, "b/other", record(DAY_15, "b"));
    server.put("more", "a/x", record(DAY_15, "more"));
    for (sources, expected) in [
        (vec!["s3://logs"], 2_346),
        (vec!["s3://logs/a/"], 2_345),
        (vec!["s3://logs/a/000"], 100),
        (vec!["s3://logs/a/00000"], 1),
        (vec!["s3://logs/a/", "s3://more/"], 2_346),
        // Overlapping sources are read once.
        (vec!["s3://logs/a/000", "s3://logs/a/", "s3://logs/a/0"], 2_345),
    ] {
        server.take_requests();
        let session = open(&server.endpoint(), &sources, SessionOptions::new()).await;
        let requests = server.take_requests();
        assert_eq!(count(&requests, Kind::Head), sources.len(), "opening a session asks whether these are datasets");
        assert_eq!(requests.len(), sources.len(), "and nothing else");
        assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), expected, "{sources:?}");
        let requests = server.take_requests();
        assert_eq!(count(&requests, Kind::Get) as i64, expected, "{sources:?}");
        assert_eq!(count(&requests, Kind::Head), 0);
        let snapshot = session.progress().snapshot();
        assert_eq!((snapshot.objects as i64, snapshot.objects_total as i64), (expected, expected));
        // A plan can be created and executed again.
        assert_eq!(number(&session, "SELECT count(DISTINCT key) FROM logs").await.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_buckets_are_one_table() {
    let server = server();
    put(&server, "a", record(DAY_15, "a") + "no record\n");
    put(&server, "empty", "");
    put(&server, "folder/", "");
    put(&server, "blank", "\n\n");
    let packed = zstd::encode_all(record(DAY_15, "zstd").as_bytes(), 1).unwrap();
    put(&server, "packed", packed);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), record(DAY_15, "file")).unwrap();
    let sources = [directory.path().to_str().unwrap(), "s3://logs/"];
    let session = open(&server.endpoint(), &sources, SessionOptions::new()).await;
    assert_eq!(keys(&session, "true").await, ["a", "file", "zstd"]);
    assert_eq!(keys(&session, "log_object = 's3://logs/packed'").await, ["zstd"]);
    assert_eq!(
        number(&session, "SELECT count(*) FROM rejects WHERE log_object = 's3://logs/a' AND line_number = 2")
            .await
            .unwrap(),
        1
    );
    let report = check(&session, CheckOptions::default()).await.unwrap();
    assert_eq!((report.objects, report.rows, report.rejects, report.blank_lines), (5, 3, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_wanted_objects_are_fetched() {
    let server = server();
    for at in 0..50 {
        put(&server, &format!("a/{at:02}"), record(DAY_15, "a"));
    }
    let session = open(&server.endpoint(), &["s3://logs/"], SessionOptions::new()).await;
    server.take_requests();
    assert_eq!(number(&session, "SELECT count(*) FROM logs WHERE log_object LIKE '%/a/0%'").await.unwrap(), 10);
    assert_eq!(count(&server.take_requests(), Kind::Get), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_stops_listing_and_fetching() {
    let server = Server::builder().anonymous().latency(Duration::from_millis(5)).start();
    server.create_bucket("logs");
    let content = Bytes::from(record(DAY_15, "x"));
    server.put_all("logs", (0..50_000).map(|at| (format!("a/{at:05}"), content.clone())));
    let session = open(&server.endpoint(), &["s3://logs/"], SessionOptions::new()).await;
    let batches = session.context().sql("SELECT key FROM logs LIMIT 10").await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = server.take_requests().len();
    assert!(asked < 2_000, "{asked}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.take_requests().len(), 0, "nothing goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_physical_plan_can_be_executed_again_but_not_twice_at_once() {
    use datafusion::physical_plan::{collect, execute_stream_partitioned};
    use futures::StreamExt as _;
    let server = server();
    server.put_all("logs", (0..300).map(|at| (format!("a/{at}"), Bytes::from(record(DAY_15, &format!("k{at}"))))));
    let session = open(&server.endpoint(), &["s3://logs/"], SessionOptions::new()).await;
    let context = session.context();
    let plan = context.sql("SELECT key FROM logs").await.unwrap().create_physical_plan().await.unwrap();
    let rows = |batches: &[arrow::array::RecordBatch]| batches.iter().map(|batch| batch.num_rows()).sum::<usize>();
    // Cancelled halfway, then executed again from the start, several times.
    let mut streams = execute_stream_partitioned(std::sync::Arc::clone(&plan), context.task_ctx()).unwrap();
    streams[1].next().await.unwrap().unwrap();
    drop(streams);
    for _ in 0..2 {
        let plan = std::sync::Arc::clone(&plan).reset_state().unwrap();
        assert_eq!(rows(&collect(plan, context.task_ctx()).await.unwrap()), 300);
    }
    // Partitions may be opened in any order.
    let plan = std::sync::Arc::clone(&plan).reset_state().unwrap();
    let mut all = 0;
    for partition in [2, 0, 1] {
        let mut stream = plan.execute(partition, context.task_ctx()).unwrap();
        while let Some(batch) = stream.next().await {
            all += batch.unwrap().num_rows();
        }
    }
    assert_eq!(all, 300);
    // Two concurrent executions would share the objects between them: one fails, and none returns a partial result.
    for _ in 0..10 {
        let both = [(); 2].map(|()| std::sync::Arc::clone(&plan).reset_state().unwrap());
        let both = both.map(|plan| tokio::spawn(collect(plan, context.task_ctx())));
        for execution in both {
            match execution.await.unwrap() {
                Ok(batches) => assert_eq!(rows(&batches), 300),
                Err(error) => assert!(error.to_string().contains("twice at once"), "{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_consoles_make_are_no_objects() {
    let server = server();
    // `access/y/` has the name of an object, with a slash.
    for folder in ["access/", "access/2026/", "access-old/", "access/y/"] {
        put(&server, folder, "");
    }
    for key in ["access-old/x", "access/2026/x", "access/y"] {
        put(&server, key, record(DAY_15, key));
    }
    for since in [None, Some(DAY_15 * MICROS)] {
        let options = SessionOptions::new();
        let options = if let Some(since) = since { options.with_since(since) } else { options };
        let session = open(&server.endpoint(), &["s3://logs/acc"], options).await;
        assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), 3);
        assert!(session.progress().unreadable().is_empty());
    }
    put(&server, "full/", record(DAY_15, "x"));
    let session = open(&server.endpoint(), &["s3://logs/ful"], SessionOptions::new()).await;
    let error = number(&session, "SELECT count(*) FROM logs").await.unwrap_err();
    assert!(error.to_string().starts_with("s3://logs/full/: names that begin or end with `/`"), "{error}");
    // An empty object of that name does not stand for it.
    put(&server, "full", "");
    let session = open(&server.endpoint(), &["s3://logs/ful"], SessionOptions::new()).await;
    assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), 0);
    let unreadable = session.progress().unreadable();
    assert!(unreadable[0].reason.contains("names that begin or end with `/`"), "{unreadable:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn big_objects_are_read_in_parts() {
    let server = server();
    let lines: String = (0..460_000).map(|at| record(DAY_15 + at % DAY, &format!("k{at}"))).collect();
    assert!(lines.len() > 64 << 20);
    let packed = zstd::encode_all(lines.as_bytes(), 1).unwrap();
    put(&server, "plain", lines);
    put(&server, "packed", packed);
    let session = open(&server.endpoint(), &["s3://logs/plain"], SessionOptions::new()).await;
    server.take_requests();
    assert_eq!(number(&session, "SELECT count(DISTINCT key) FROM logs").await.unwrap(), 460_000);
    let requests = server.take_requests();
    let ranges: Vec<_> = requests.iter().filter(|request| request.kind == Kind::Get).collect();
    assert!(ranges.len() > 10 && ranges.iter().all(|request| request.range.is_some()));
    let session = open(&server.endpoint(), &["s3://logs/pack"], SessionOptions::new()).await;
    assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), 460_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_objects_are_counted_and_restored_ones_are_read() {
    let server = server();
    put(&server, "a", record(DAY_15, "a"));
    for key in ["b", "c"] {
        server.put_archived("logs", key, record(DAY_15, key));
    }
    server.restore("logs", "c");
    let session = open(&server.endpoint(), &["s3://logs/"], SessionOptions::new()).await;
    assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), 2);
    let read = session.progress().snapshot();
    assert_eq!((read.archived, read.objects_total, read.objects), (1, 2, 2));
    assert!(session.progress().unreadable().is_empty());
    assert_eq!(count(&server.take_requests(), Kind::Get), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_there_is_an_error() {
    let server = server();
    put(&server, "a/b", record(DAY_15, "a"));
    for (source, kind, text) in [
        ("s3://logs/c", ErrorKind::NotFound, "s3://logs/c: no log objects found"),
        ("s3://gone/c", ErrorKind::NotFound, "s3://gone/c: it cannot be listed: NoSuchBucket"),
    ] {
        let session = open(&server.endpoint(), &[source], SessionOptions::new()).await;
        let error = number(&session, "SELECT count(*) FROM logs").await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(check(&session, CheckOptions::default()).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_all_kinds() {
    let server = server();
    let names = ["ü/ä b+c=&%41?.txt", "zero\u{200b}width", "a'b\"c<d>&amp;", "sub/deep/er"];
    for name in names {
        put(&server, name, record(DAY_15, "x"));
    }
    let session = open(&server.endpoint(), &["s3://logs"], SessionOptions::new()).await;
    let sql = "SELECT count(DISTINCT log_object) FROM logs";
    assert_eq!(number(&session, sql).await.unwrap() as usize, names.len());
    // Names that cannot be sent are reported, and the result is not taken for complete.
    put(&server, "twice//slashed", record(DAY_15, "x"));
    let error = number(&session, sql).await.unwrap_err();
    assert!(error.to_string().contains("twice//slashed"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("copy such objects to other names")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_listing_is_shared_out_when_somebody_waits_for_it() {
    let server = Server::builder().anonymous().latency(Duration::from_millis(5)).start();
    server.create_bucket("logs");
    let content = Bytes::from(record(DAY_15, "x"));
    // By time, and in folders without a meaning.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let by_time =
        (0..60_000).map(|at| (format!("time/{}", name(now - 60_000 * 600 + at * 600, at as u64)), content.clone()));
    server.put_all("logs", by_time);
    let by_folder = (0..30_000_u64).map(|at| (format!("hash/{:03x}/{at:06}", at % 512), content.clone()));
    server.put_all("logs", by_folder);
    for (source, expected) in [("s3://logs/time/", 60_000), ("s3://logs/hash/", 30_000)] {
        let session = open(&server.endpoint(), &[source], SessionOptions::new()).await;
        server.take_requests();
        let scans = s3log_engine::plan::plan_all(&session).await.unwrap();
        let counts = &scans[0].sources[0];
        assert_eq!((counts.listed, counts.objects, counts.get_requests), (expected, expected, expected), "{source}");
        let requests = server.take_requests();
        assert_eq!(counts.list_requests, count(&requests, Kind::List) as u64);
        assert_eq!(count(&requests, Kind::Get), 0, "a plan reads nothing");
        assert!(counts.list_requests <= expected / 1_000 + 20, "{source}: {}", counts.list_requests);
        assert!(server.max_in_flight() > 3, "{source}: {} at once", server.max_in_flight());
        // The parts of split objects fit together.
        let read = open(&server.endpoint(), &[source], SessionOptions::new()).await;
        let sql = "SELECT count(*) FROM logs HAVING count(*) = count(DISTINCT log_object)";
        if source.ends_with("hash/") {
            assert_eq!(number(&read, sql).await.unwrap() as u64, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_files_in_buckets_are_read_and_written() {
    let server = server();
    put(&server, "access/a", record(DAY_15, "a") + &record(DAY_15, "b"));
    let session = open(&server.endpoint(), &["s3://logs/access/"], SessionOptions::new()).await;
    let copied = "COPY (SELECT key, bytes_sent FROM logs) TO 's3://logs/copy/keys.parquet' STORED AS PARQUET";
    session.context().sql(copied).await.unwrap().collect().await.unwrap();
    assert!(server.get("logs", "copy/keys.parquet").unwrap().starts_with(b"PAR1"));
    let joined = "SELECT count(*) FROM logs JOIN 's3://logs/copy/keys.parquet' AS copy ON copy.key = logs.key";
    assert_eq!(number(&session, joined).await.unwrap(), 2);
    let missing = session.context().sql("SELECT * FROM 's3://nothing/x.parquet'").await;
    assert!(missing.is_err());
}
