//! Datasets that change while someone reads them.

use crate::logs::{log, session, table};
use s3log_engine::convert::{CompactOptions, ConvertOptions, Stop, compact, convert};
use s3log_engine::session::{Session, SessionOptions};
use s3log_engine::store::{StoreOptions, Stores};
use s3log_test_server::Server;
use std::path::Path;

/// Lines of a day and a half.
const LINES: usize = 130_000;
/// Every hundredth line, in so many objects.
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

/// A session that was opened before knows the files of then, and reads them wherever they are now.
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
        // A plan that was made before, too.
        let planned = reader.context().sql(SQL).await.unwrap();
        let compacting = CompactOptions { until: i64::MAX, files: ConvertOptions::default(), dry_run: false };
        let report = compact(&open(dest.clone()).await.unwrap(), &dest, &compacting, &Stop::new()).await.unwrap();
        assert_eq!((report.replaced, report.files), (before as u64, files(&dest, &options).await as u64));
        assert!(report.files < report.replaced / 2);

        let batches = planned.collect().await.unwrap();
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        assert_eq!(text, expected, "a plan from before");
        assert_eq!(table(reader.context(), SQL).await, expected, "a session from before");
        assert_eq!(table(open(dest.clone()).await.unwrap().context(), SQL).await, expected);
    }

    // Files that are gone for good are an error, and not a smaller answer.
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
