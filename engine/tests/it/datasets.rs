//! Datasets that change while they are read, and empty results.

use crate::logs::{counts, line, log, rows, session, table};
use datafusion::arrow::array::AsArray as _;
use datafusion::parquet::file::reader::{FileReader as _, SerializedFileReader};
use s3log_engine::ErrorKind;
use s3log_engine::convert::{CompactOptions, Compression, ConvertOptions, Stop, compact, convert};
use s3log_engine::session::{Session, SessionOptions};
use s3log_engine::store::{StoreOptions, Stores};
use s3log_test_server::{Fault, Kind, Matching, Moment, Proxy, Server};
use std::path::Path;
use std::time::Duration;

/// Lines covering a day and a half.
const LINES: usize = 130_000;
/// Every hundredth line, split over this many objects.
const OBJECTS: usize = 12;
const SQL: &str = "SELECT bucket, count(*), sum(bytes_sent), min(time), max(time), count(DISTINCT coalesce(object_key, key)), \
                   count(DISTINCT request_id) FROM logs GROUP BY bucket ORDER BY bucket";

fn write_logs(directory: &Path) {
    for object in 0..OBJECTS {
        let numbers = (object..LINES / 100).step_by(OBJECTS);
        let text: String = numbers.map(|number| log(number * 100..number * 100 + 1)).collect();
        std::fs::write(directory.join(format!("log-{object:02}")), text).unwrap();
    }
}

async fn files(dest: &str, options: &StoreOptions) -> usize {
    s3log_engine::dataset::status(dest, &Stores::new(options.clone())).await.unwrap().files.len()
}

/// A session opened before a compaction reads the files of its snapshot, wherever they are now.
#[tokio::test]
async fn compaction_does_not_disturb_who_reads() {
    let server = Server::builder().anonymous().start();
    server.create_bucket("data");
    let options = StoreOptions { endpoint_url: Some(server.endpoint()), unsigned: true, ..StoreOptions::default() };
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    write_logs(&logs);
    let open =
        async |source: String| Session::open(&[source], SessionOptions::new().with_stores(options.clone())).await;
    let expected = table(session(&logs, SessionOptions::new()).await.context(), SQL).await;
    for dest in [directory.path().join("set").display().to_string(), "s3://data/set".to_owned()] {
        let converting = ConvertOptions { batch_objects: 2, ..ConvertOptions::default() };
        let report = convert(&open(logs.display().to_string()).await.unwrap(), &dest, &converting, &Stop::new()).await;
        assert_eq!(report.unwrap().batches, 6);
        let before = files(&dest, &options).await;
        assert!(before >= 12, "{before}");

        let reader = open(dest.clone()).await.unwrap();
        // So does a plan made before the compaction.
        let planned = reader.context().sql(SQL).await.unwrap();
        let compacting = CompactOptions::default();
        let report = compact(&open(dest.clone()).await.unwrap(), &dest, &compacting, &Stop::new()).await.unwrap();
        assert_eq!((report.replaced, report.files), (before as u64, files(&dest, &options).await as u64));
        assert!(report.files < report.replaced / 2);

        let batches = planned.collect().await.unwrap();
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        assert_eq!(text, expected, "a plan from before");
        assert_eq!(table(reader.context(), SQL).await, expected, "a session from before");
        assert_eq!(table(open(dest.clone()).await.unwrap().context(), SQL).await, expected);
    }

    // Deleted files are an error, not a smaller result.
    let dest = directory.path().join("set");
    let reader = open(dest.display().to_string()).await.unwrap();
    for day in std::fs::read_dir(&dest).unwrap().map(|entry| entry.unwrap().path()) {
        if day.file_name().is_some_and(|name| name.to_string_lossy().starts_with("day=")) {
            std::fs::remove_dir_all(day).unwrap();
            break;
        }
    }
    let gone = reader.context().sql(SQL).await.unwrap().collect().await;
    assert!(gone.is_err(), "{gone:?}");
}

/// Files are merged as far as memory allows, then the results are merged again. Rows of equal time keep the order of
/// their files.
#[tokio::test]
async fn many_files_are_merged_within_little_memory() {
    const FILES: usize = 40;
    let directory = tempfile::tempdir().unwrap();
    let [logs, dest] = ["logs", "set"].map(|name| directory.path().join(name));
    std::fs::create_dir(&logs).unwrap();
    for object in 0..FILES {
        let lines =
            (0..3).map(|row| format!("{}\n", line(7).replace("R000000000000007", &format!("R{object:02}{row}"))));
        std::fs::write(logs.join(format!("log-{object:02}")), lines.collect::<String>()).unwrap();
    }
    let dest = dest.display().to_string();
    let converting = ConvertOptions { batch_objects: 1, ..ConvertOptions::default() };
    convert(&session(&logs, SessionOptions::new()).await, &dest, &converting, &Stop::new()).await.unwrap();
    assert_eq!(files(&dest, &StoreOptions::default()).await, FILES);

    // At most two files at a time.
    let compacting = CompactOptions { memory: 1 << 20, dry_run: true, ..CompactOptions::default() };
    let open =
        async || Session::open(std::slice::from_ref(&dest), SessionOptions::new().with_threads(1)).await.unwrap();
    let planned = compact(&open().await, &dest, &compacting, &Stop::new()).await.unwrap();
    let compacting = CompactOptions { dry_run: false, ..compacting };
    let report = compact(&open().await, &dest, &compacting, &Stop::new()).await.unwrap();
    for report in [&planned, &report] {
        assert_eq!((report.replaced, report.files, report.rows), (FILES as u64, 1, 3 * FILES as u64));
    }
    let status = s3log_engine::dataset::status(&dest, &Stores::default()).await.unwrap();
    assert_eq!(status.files.len(), 1);
    assert_eq!(report.file_bytes, status.files[0].bytes);

    let batches = rows(open().await.context(), "SELECT request_id FROM logs").await;
    let ids = batches.iter().flat_map(|batch| batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
    let mut ids: Vec<_> = ids.collect();
    let is_together = |rows: &[String]| rows.iter().zip(0..3).all(|(id, row)| *id == format!("{}{row}", &rows[0][..3]));
    assert!(ids.chunks(3).all(is_together), "rows of equal time stay in the order of their files: {ids:?}");
    ids.sort();
    let expected = (0..FILES).flat_map(|object| (0..3).map(move |row| format!("R{object:02}{row}")));
    assert!(ids.into_iter().eq(expected));
}

/// A bucket `data` behind a proxy.
fn bucket() -> (Server, Proxy, StoreOptions) {
    let server = Server::builder().anonymous().start();
    server.create_bucket("data");
    let proxy = Proxy::start(&server.endpoint());
    let stores = StoreOptions { endpoint_url: Some(proxy.endpoint()), unsigned: true, ..StoreOptions::default() };
    (server, proxy, stores)
}

/// The timeout of an upload depends on its size, however short the timeout on inactivity.
#[tokio::test(flavor = "multi_thread")]
async fn slow_uploads_are_waited_for() {
    let (_server, proxy, stores) = bucket();
    let stores = StoreOptions { patience: Duration::from_secs(1), ..stores };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..60_000)).unwrap();
    let session = session(directory.path(), SessionOptions::new().with_stores(stores)).await;
    let is_data = Matching::kind(Kind::Put).key_contains("data/set/day=");
    let hold = proxy.hold(Moment::Before, is_data, 1);
    let converting = tokio::spawn(async move {
        convert(&session, "s3://data/set", &ConvertOptions::default(), &Stop::new())
            .await
            .map(|report| report.counts.rows)
    });
    let held = tokio::task::spawn_blocking(move || {
        assert!(hold.wait_for(1, Duration::from_secs(60)));
        std::thread::sleep(Duration::from_secs(2));
        hold.release();
    });
    held.await.unwrap();
    assert_eq!(converting.await.unwrap().unwrap(), counts(0..60_000).0 as u64);
    let sent = proxy.requests();
    let sent = sent.iter().filter(|request| request.kind == Kind::Put && request.key.starts_with("set/day="));
    let mut keys: Vec<_> = sent.map(|request| (&request.key, request.status)).collect();
    let requests = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), requests, "no file is sent twice: {keys:?}");
    assert!(keys.iter().all(|(_, status)| *status == 200));
}

/// A store without conditional writes is told apart from one that rejects them, whatever the names of objects.
#[tokio::test(flavor = "multi_thread")]
async fn conditional_writes_are_unknown_or_refused() {
    let (_server, proxy, stores) = bucket();
    let stores = StoreOptions { max_attempts: Some(1), ..stores };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..10)).unwrap();
    let session = session(directory.path(), SessionOptions::new().with_stores(stores)).await;
    for (status, kind) in [(501, ErrorKind::Unsupported), (403, ErrorKind::Unwritable), (503, ErrorKind::Unwritable)] {
        proxy.clear();
        proxy.inject(Fault::Status(status), Matching::writes().conditional(), usize::MAX);
        let dest = "s3://data/NotImplemented-501";
        let error = convert(&session, dest, &ConvertOptions::default(), &Stop::new()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert_eq!(error.to_string().contains("If-None-Match"), status == 501, "{error}");
    }
}

/// A dataset has the records of an object as it was converted.
#[tokio::test]
async fn objects_that_changed_after_their_conversion_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let [logs, dest] = ["logs", "set"].map(|name| directory.path().join(name).display().to_string());
    std::fs::create_dir(&logs).unwrap();
    for name in ["same", "grown"] {
        std::fs::write(Path::new(&logs).join(name), log(0..5)).unwrap();
    }
    let session = session(Path::new(&logs), SessionOptions::new()).await;
    convert(&session, &dest, &ConvertOptions::default(), &Stop::new()).await.unwrap();
    assert!(Session::open(std::slice::from_ref(&dest), SessionOptions::new()).await.unwrap().anonymized().is_empty());
    std::fs::write(Path::new(&logs).join("grown"), log(0..9)).unwrap();
    std::fs::write(Path::new(&logs).join("new"), log(0..5)).unwrap();
    let both = Session::open(&[dest, logs], SessionOptions::new()).await.unwrap();
    let counted = table(both.context(), "SELECT count(*) FROM logs").await;
    assert!(counted.contains("| 15 "), "{counted}");
    let unreadable = both.progress().unreadable();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].object.ends_with("/grown") && unreadable[0].reason.contains("changed"), "{unreadable:?}");
}

/// What a name means can depend on others in its folder, also on those that are not read.
#[tokio::test]
async fn names_of_removed_objects_still_count() {
    const EARLY: &str = "2026-01-16-00-00-00-3E57427F3E57427F";
    const TIMED: &str = "2026-01-16-07-00-00-3E57427F3E57427F";
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("cv/111122223333/eu-west-1/photos/2026/01/16");
    let dest = directory.path().join("set").display().to_string();
    std::fs::create_dir_all(&folder).unwrap();
    // Records of the evening before.
    let record = |number: usize| line(86_000 + number).replace("14/Jan", "15/Jan") + "\n";
    std::fs::write(folder.join(TIMED), record(1)).unwrap();
    let all = directory.path().join("cv");
    convert(&session(&all, SessionOptions::new()).await, &dest, &ConvertOptions::default(), &Stop::new())
        .await
        .unwrap();
    std::fs::write(folder.join(EARLY), record(2)).unwrap();
    let (all, timed) = (all.display().to_string(), folder.join(TIMED).display().to_string());
    // 2026-01-16T00:00:00Z.
    let until = 1_768_521_600_000_000;
    for sources in [vec![all.clone()], vec![dest, all.clone()], vec![timed, all]] {
        let session = Session::open(&sources, SessionOptions::new().with_until(until)).await.unwrap();
        let counted = table(session.context(), "SELECT count(*) FROM logs").await;
        assert!(counted.contains("| 2 "), "{sources:?}: {counted}");
    }
}

/// Objects named after the day of their records are found without the folders of the day, too.
#[tokio::test]
async fn objects_of_a_day_are_found_in_other_folders() {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["day=2026-01-14", "flat"] {
        let folder = directory.path().join(folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("2026-01-14-00-00-00-3E57427F3E57427F"), line(10 * 3600)).unwrap();
    }
    // 2026-01-14T06:00:00Z.
    let since = SessionOptions::new().with_since(1_768_370_400_000_000);
    let counted = table(session(directory.path(), since).await.context(), "SELECT count(*) FROM logs").await;
    assert!(counted.contains("| 2 "), "{counted}");
}

/// Operators that need all rows in one partition must work without any partition.
#[tokio::test]
async fn nothing_is_left_to_read() {
    let directory = tempfile::tempdir().unwrap();
    let [logs, set, nothing, empty] = ["logs", "set", "nothing", "empty"].map(|name| directory.path().join(name));
    for (from, to, text) in [(&logs, &set, log(0..500)), (&nothing, &empty, String::new())] {
        std::fs::create_dir(from).unwrap();
        std::fs::write(from.join("log"), text).unwrap();
        let session = session(from, SessionOptions::new()).await;
        convert(&session, &to.display().to_string(), &ConvertOptions::default(), &Stop::new()).await.unwrap();
    }
    let in_2100 = 4_102_444_800_000_000;
    for (source, threads) in [(&set, 1), (&set, 4), (&empty, 1), (&empty, 4), (&logs, 1), (&logs, 4)] {
        let options = || SessionOptions::new().with_threads(threads);
        let opened = session(source, options().with_since(in_2100)).await;
        for sql in [
            "SELECT bucket, count(*) FROM logs GROUP BY 1",
            "SELECT bucket, count(DISTINCT key) FROM logs GROUP BY 1 HAVING count(*) > 1",
            "SELECT DISTINCT key FROM logs",
            "SELECT key FROM logs ORDER BY time LIMIT 3",
            "SELECT key, row_number() OVER (ORDER BY time) FROM logs",
            "SELECT key, row_number() OVER (PARTITION BY bucket ORDER BY time) FROM logs",
            "SELECT a.key FROM logs a JOIN logs b ON a.key = b.key",
            "SELECT a.key FROM logs a LEFT JOIN rejects b ON a.log_object = b.log_object ORDER BY 1",
            "SELECT key FROM logs WHERE key NOT IN (SELECT reason FROM rejects)",
            "SELECT bucket, count(*) FROM requests GROUP BY 1",
            "SELECT client_ip, time FROM visitor_requests ORDER BY time LIMIT 3",
        ] {
            let left = rows(opened.context(), sql).await.iter().map(|batch| batch.num_rows()).sum::<usize>();
            assert_eq!(left, 0, "{sql} of {} on {threads} threads", source.display());
        }
        let counted = table(opened.context(), "SELECT count(*), count(DISTINCT key) FROM logs").await;
        assert!(counted.contains("| 0        | 0 "), "{counted}");
        let sql = "SELECT key FROM logs WHERE time > '2100-01-01T00:00:00Z' ORDER BY time, key";
        let asked = session(source, options()).await;
        assert_eq!(rows(asked.context(), sql).await.iter().map(|batch| batch.num_rows()).sum::<usize>(), 0);
    }
}

/// What was asked for when records were converted need not be asked for again.
#[tokio::test]
async fn merged_files_keep_their_format() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    for object in 0..3 {
        std::fs::write(logs.join(format!("log-{object}")), format!("{}\n", line(object))).unwrap();
    }
    let other = CompactOptions {
        compression: Some(Compression::Gzip(4)),
        bloom: Some(vec!["key".to_owned()]),
        ..CompactOptions::default()
    };
    for (compacting, compression, bloom) in
        [(CompactOptions::default(), "zstd:9", vec!["remote_ip", "request_id"]), (other, "gzip:4", vec!["key"])]
    {
        let dest = directory.path().join(compression).display().to_string();
        for columns in ["remote_ip", "request_id"] {
            let converting = ConvertOptions {
                batch_objects: 1,
                bloom: vec![columns.to_owned()],
                compression: Compression::Zstd(9),
                ..ConvertOptions::default()
            };
            let session = session(&logs, SessionOptions::new()).await;
            convert(&session, &dest, &converting, &Stop::new()).await.unwrap();
            std::fs::write(logs.join(format!("log-{}-{columns}", bloom.len())), format!("{}\n", line(7))).unwrap();
        }
        let reader = Session::open(std::slice::from_ref(&dest), SessionOptions::new()).await.unwrap();
        compact(&reader, &dest, &compacting, &Stop::new()).await.unwrap();
        let status = s3log_engine::dataset::status(&dest, &Stores::default()).await.unwrap();
        assert_eq!(status.files.len(), 1);
        let file = std::fs::File::open(Path::new(&dest).join(&status.files[0].path)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader.metadata();
        let pairs = metadata.file_metadata().key_value_metadata().unwrap();
        let of = |key| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
        assert_eq!(of("s3log.compression"), Some(compression));
        assert_eq!(of("s3log.privacy"), Some("redact-uri=yes anonymize-ip=none"));
        let columns = metadata.row_group(0).columns().iter();
        let with_bloom = columns.filter(|column| column.bloom_filter_offset().is_some());
        assert_eq!(with_bloom.map(|column| column.column_path().string()).collect::<Vec<_>>(), bloom);
    }
}
