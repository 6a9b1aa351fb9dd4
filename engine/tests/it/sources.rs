//! Sources, tables named in SQL, and unreadable objects.

use crate::logs::{counts, log, rows, session, table};
use datafusion::prelude::{SQLOptions, SessionContext};
use s3log_engine::check::{CheckOptions, check};
use s3log_engine::scan::{OnUnreadable, ScanOptions};
use s3log_engine::session::{Progress, Session, SessionOptions};
use s3log_engine::table::{Listing, LogTable, LogTableFactory};
use s3log_engine::{Error, ErrorKind, schema};
use std::io::Write as _;
use std::sync::Arc;

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn sql_names_tables_by_their_source() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..100)).unwrap();
    let source = directory.path().display();
    let session = Session::open(&[], SessionOptions::new()).await.unwrap();
    let context = session.context();
    rows(context, &format!("CREATE EXTERNAL TABLE a STORED AS S3LOG LOCATION '{source}'")).await;
    let rejects = "OPTIONS ('table' 'rejects')";
    rows(context, &format!("CREATE EXTERNAL TABLE b STORED AS S3LOG LOCATION '{source}' {rejects}")).await;
    let (expected, rejected) = counts(0..100);
    for (table_name, count) in [
        ("a".to_owned(), expected),
        ("b".to_owned(), rejected),
        (format!("s3log('{source}')"), expected),
        (format!("s3log('{source}', 'rejects')"), rejected),
    ] {
        let counted = table(context, &format!("SELECT count(*) FROM {table_name}")).await;
        assert!(counted.contains(&format!("| {count} ")), "{table_name}: {counted}");
    }
}

#[tokio::test]
async fn every_table_that_is_told_of_is_there_with_its_columns() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..10)).unwrap();
    let source = directory.path().display().to_string();
    let session = Session::open(&[source], SessionOptions::new()).await.unwrap();
    for told in schema::tables() {
        let frame = session.context().table(told.name).await.unwrap();
        let there: Vec<_> =
            frame.schema().fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect();
        let columns: Vec<_> = told.columns.iter().map(|column| (column.name, &column.data_type)).collect();
        assert_eq!(there, columns, "{}", told.name);
    }
}

#[tokio::test]
async fn what_sql_cannot_name() {
    let context = SessionContext::new();
    s3log_engine::session::register(&context, Arc::new(LogTableFactory::default())).unwrap();
    let mut errors = String::new();
    for sql in [
        "CREATE EXTERNAL TABLE x STORED AS S3LOG LOCATION 'no/such/place'",
        "CREATE EXTERNAL TABLE x (a int) STORED AS S3LOG LOCATION '.'",
        "CREATE EXTERNAL TABLE x STORED AS S3LOG LOCATION '.' OPTIONS ('table' 'lines')",
        "CREATE EXTERNAL TABLE x STORED AS S3LOG LOCATION '.' OPTIONS ('delimiter' ' ')",
        "SELECT * FROM s3log('no/such/place')",
        "SELECT * FROM s3log()",
        "SELECT * FROM s3log('.', 'lines')",
        "SELECT * FROM s3log(1)",
    ] {
        let result = async { context.sql(sql).await?.collect().await }.await;
        let error = result.unwrap_err();
        let found = Error::find(&error).unwrap_or_else(|| panic!("{sql}: {error}"));
        errors.push_str(&format!("{sql}\n  error: {found}\n  hint: {}\n", found.hint().unwrap_or("-")));
    }
    insta::assert_snapshot!(errors);
}

#[tokio::test]
async fn a_query_of_a_session_goes_on_without_what_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good"), log(0..100)).unwrap();
    let packed = gzip(&log(100..2000));
    std::fs::write(directory.path().join("cut"), &packed[..packed.len() / 2]).unwrap();
    std::fs::write(directory.path().join("gone"), log(0..100)).unwrap();
    let session = session(directory.path(), SessionOptions::new()).await;
    std::fs::remove_file(directory.path().join("gone")).unwrap();
    let counted = rows(session.context(), "SELECT count(*) FROM logs WHERE log_object LIKE '%good'").await;
    assert_eq!(counted.len(), 1);
    assert_eq!(session.progress().unreadable(), []);

    rows(session.context(), "SELECT count(*) FROM logs").await;
    let mut unreadable = session.progress().unreadable();
    unreadable.sort_by(|a, b| a.object.cmp(&b.object));
    let root = directory.path().display().to_string();
    let said: Vec<_> = unreadable.iter().map(|it| format!("{}: {}", it.object.replace(&root, ""), it.reason)).collect();
    assert_eq!(
        said,
        ["/cut: the gzip stream ends too early", "/gone: it cannot be read: No such file or directory (os error 2)"]
    );
    let rows = session.progress().snapshot().rows;
    assert!(rows > 2 * counts(0..100).0 as u64, "records before the cut count: {rows}");
}

#[tokio::test]
async fn a_table_of_ones_own_fails_at_what_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let packed = gzip(&log(0..100));
    std::fs::write(directory.path().join("cut"), &packed[..packed.len() - 4]).unwrap();
    let listing = Listing::list(&[directory.path().display().to_string()]).unwrap();
    let logs = LogTable::new(schema::Table::Logs, Arc::new(listing), schema::TextLayout::Views);
    let context = SessionContext::new();
    context.register_table("logs", Arc::new(logs)).unwrap();
    let error = context.sql("SELECT count(*) FROM logs").await.unwrap().collect().await.unwrap_err();
    let error = Error::find(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.to_string().ends_with("cut: the gzip stream ends too early"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_cannot_be_listed_is_treated_as_what_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good"), log(0..100)).unwrap();
    std::os::unix::fs::symlink("nowhere", directory.path().join("dangling")).unwrap();
    let listing = Arc::new(Listing::list(&[directory.path().display().to_string()]).unwrap());
    let unreadable: Vec<_> = listing.unreadable().map(|(name, why)| (name.to_owned(), why.kind())).collect();
    let dangling = directory.path().join("dangling").display().to_string();
    assert_eq!(unreadable, [(dangling.clone(), ErrorKind::Unreadable)]);

    let context = SessionContext::new();
    let logs = || LogTable::new(schema::Table::Logs, Arc::clone(&listing), schema::TextLayout::Views);
    context.register_table("fails", Arc::new(logs())).unwrap();
    let error = context.sql("SELECT count(*) FROM fails").await.unwrap().collect().await.unwrap_err();
    let error = Error::find(&error).unwrap();
    assert_eq!((error.kind(), error.object()), (ErrorKind::Unreadable, Some(&*dangling)));

    let progress = Arc::new(Progress::default());
    let options = ScanOptions::default().with_progress(Arc::clone(&progress), OnUnreadable::Report);
    context.register_table("reports", Arc::new(logs().with_options(options))).unwrap();
    let counted = table(&context, "SELECT count(*) FROM reports").await;
    assert!(counted.contains(&format!("| {} ", counts(0..100).0)), "{counted}");
    let unreadable: Vec<_> = progress.unreadable().into_iter().map(|it| it.object).collect();
    assert_eq!(unreadable, [dangling]);
}

#[tokio::test]
async fn statements_of_others_read_the_tables_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..10)).unwrap();
    std::fs::write(directory.path().join("secret.csv"), "a,b\n1,2\n").unwrap();
    let (source, secret) = (directory.path().join("log"), directory.path().join("secret.csv"));
    let (source, secret) = (source.display(), secret.display());
    let open = async |options| Session::open(&[source.to_string()], options).await.unwrap();
    let (open_to_all, closed) =
        (open(SessionOptions::new()).await, open(SessionOptions::new().without_sources_in_sql()).await);
    let queries = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    for sql in [format!("SELECT * FROM '{secret}'"), format!("SELECT * FROM s3log('{source}')")] {
        assert!(open_to_all.context().sql(&sql).await.is_ok(), "{sql}");
        assert!(closed.context().sql(&sql).await.is_err(), "{sql}");
    }
    for sql in [
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{secret}'"),
        format!("COPY logs TO '{secret}' STORED AS CSV"),
        "SET datafusion.execution.batch_size = 1".to_owned(),
    ] {
        assert!(closed.context().sql_with_options(&sql, queries).await.is_err(), "{sql}");
    }
    let external = format!("CREATE EXTERNAL TABLE x STORED AS S3LOG LOCATION '{source}'");
    assert!(closed.context().sql(&external).await.is_err());
    let counted = "SELECT count(*) FROM visitor_requests, logs WHERE uri_method(request_uri) = method";
    assert!(closed.context().sql_with_options(counted, queries).await.unwrap().collect().await.is_ok());
}

#[tokio::test]
async fn an_object_that_was_read_in_part_is_told_from_one_that_was_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(0..100);
    let packed = gzip(&text);
    std::fs::write(directory.path().join("a-cut"), &packed[..packed.len() - 4]).unwrap();
    std::fs::write(directory.path().join("b-whole"), &packed).unwrap();
    std::fs::write(directory.path().join("c-trailing"), [&packed[..], b"garbage"].concat()).unwrap();
    // A header alone decompresses to nothing.
    std::fs::write(directory.path().join("d-header"), &packed[..10]).unwrap();
    let session = session(directory.path(), SessionOptions::new()).await;
    let report = check(&session, CheckOptions::default()).await.unwrap();
    assert_eq!((report.objects, report.partial_objects, report.unreadable.len()), (1, 2, 3));
    let (rows, rejects) = counts(0..100);
    assert_eq!((report.rows, report.rejects), (3 * rows as u64, 3 * rejects as u64));
}

#[tokio::test]
async fn every_line_is_accounted_for() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(0..3000);
    std::fs::write(directory.path().join("plain"), &text).unwrap();
    std::fs::write(directory.path().join("packed"), gzip(&text)).unwrap();
    std::fs::write(directory.path().join("long"), format!("{}\n{}\n", "x".repeat(5000), crate::logs::line(1))).unwrap();
    std::fs::write(directory.path().join("empty"), "").unwrap();
    let session = session(
        directory.path(),
        SessionOptions::new().with_lines(s3log_engine::decode::LineOptions::default().with_max_line(2000)),
    )
    .await;
    let report = check(&session, CheckOptions { examples_per_reason: 2 }).await.unwrap();
    let (rows, rejects) = counts(0..3000);
    assert_eq!((report.rows, report.rejects), (2 * rows as u64 + 1, 2 * rejects as u64 + 1));
    assert_eq!(report.lines, report.rows + report.rejects);
    assert_eq!(report.blank_lines, 2 * (3000 - rows - rejects) as u64);
    assert_eq!((report.objects, report.unreadable.len()), (4, 0));
    assert_eq!(report.field_counts.iter().map(|(_, count)| count).sum::<u64>(), report.rows);
    let reasons: Vec<_> = report.reasons.iter().map(|it| (it.reason.as_str(), it.count, it.examples.len())).collect();
    assert_eq!(
        reasons,
        [
            ("Time is not of the form `[dd/Mon/yyyy:hh:mm:ss +hhmm]`", 2 * rejects as u64, 2),
            ("the line is longer than the limit of 2000 bytes; its beginning is kept", 1, 1),
        ]
    );
    let example = &report.reasons[0].examples[0];
    assert_eq!((example.line_number, example.log_object.ends_with("packed")), (6, true));

    // The tables agree.
    let counted = table(
        session.context(),
        "SELECT (SELECT count(*) FROM logs) AS rows, (SELECT count(*) FROM rejects) AS rejects",
    )
    .await;
    assert!(counted.contains(&format!("| {} ", report.rows)), "{counted}");
    assert!(counted.contains(&format!("| {} ", report.rejects)), "{counted}");
}
