//! The scan: pushdown must not change results.

use crate::logs::{self, counts, log, rows, session, sorted, table};
use datafusion::catalog::MemTable;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl, PartitionedFile,
};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path as StorePath};
use proptest::prelude::*;
use s3log_engine::scan::{S3LogFormat, S3LogSource};
use s3log_engine::schema::{Table, TextLayout};
use s3log_engine::session::SessionOptions;
use std::io::Write as _;
use std::sync::Arc;

/// A session over logs, and one over the same rows in memory, with all filters above the scan.
async fn scanned_and_in_memory(directory: &std::path::Path) -> (SessionContext, SessionContext) {
    let scanned = session(directory, SessionOptions::new().with_threads(2)).await.context().clone();
    let memory = SessionContext::new_with_state(scanned.state());
    for name in ["logs", "rejects"] {
        let batches = rows(&scanned, &format!("SELECT * FROM {name}")).await;
        let schema = scanned.table_provider(name).await.unwrap().schema();
        let table = MemTable::try_new(schema, vec![batches]).unwrap();
        memory.register_table(format!("memory_{name}"), Arc::new(table)).unwrap();
    }
    (scanned, memory)
}

fn predicate() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("http_status = 403"),
        Just("http_status IN (200, 404)"),
        Just("operation = 'REST.GET.OBJECT'"),
        Just("key LIKE '%parquet'"),
        Just("object_key LIKE '%é%'"),
        Just("remote_ip IS NULL"),
        Just("remote_ip <> '192.0.2.3'"),
        Just("bytes_sent > 2500"),
        Just("bytes_sent IS NULL"),
        Just("time >= '2026-01-14T00:02:00Z'"),
        Just("ambiguous"),
        Just("extra_fields IS NOT NULL"),
        Just("acl_required"),
        Just("log_object LIKE '%second'"),
        Just("uri_param(request_uri, 'n') LIKE '%3'"),
        Just("bytes_sent / 2 < total_time * 30"),
        Just("user_agent = 'no such agent'"),
        Just("1 = 1"),
    ];
    let leaf = part.prop_map(str::to_owned);
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..3).prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|part| format!("NOT ({part})")),
        ]
    })
}

#[test]
fn a_predicate_in_the_scan_keeps_what_a_filter_above_it_keeps() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("first"), log(0..400)).unwrap();
    std::fs::write(directory.path().join("second"), log(400..700)).unwrap();
    let (scanned, memory) = runtime.block_on(scanned_and_in_memory(directory.path()));
    let columns = prop::sample::subsequence(
        vec![
            "time",
            "remote_ip",
            "key",
            "http_status",
            "bytes_sent",
            "user_agent",
            "extra_fields",
            "object_key",
            "log_object",
        ],
        0..6,
    );
    proptest!(ProptestConfig::with_cases(96), |(predicate in predicate(), columns in columns)| {
        let select = if columns.is_empty() { "count(*)".to_owned() } else { columns.join(", ") };
        runtime.block_on(async {
            let in_scan = sorted(&scanned, &format!("SELECT {select} FROM logs WHERE {predicate}")).await;
            let above = sorted(&memory, &format!("SELECT {select} FROM memory_logs WHERE {predicate}")).await;
            prop_assert_eq!(in_scan, above, "{}", predicate);
            Ok(())
        })?;
    });
}

#[tokio::test]
async fn rejects_can_be_filtered_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..300)).unwrap();
    let (scanned, memory) = scanned_and_in_memory(directory.path()).await;
    for (select, predicate) in [
        ("*", "line_number > 100"),
        ("reason, count(*)", "line LIKE 'cut%' GROUP BY 1"),
        ("log_object", "byte_offset % 2 = 0"),
        ("count(*)", "true"),
    ] {
        let in_scan = sorted(&scanned, &format!("SELECT {select} FROM rejects WHERE {predicate}")).await;
        let above = sorted(&memory, &format!("SELECT {select} FROM memory_rejects WHERE {predicate}")).await;
        assert!(in_scan.len() > 4, "{predicate}");
        assert_eq!(in_scan, above, "{predicate}");
    }
}

#[tokio::test]
async fn rejects_say_where_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(0..5000);
    std::fs::write(directory.path().join("log"), &text).unwrap();
    let session = session(directory.path(), SessionOptions::new()).await;
    let found =
        table(session.context(), "SELECT line_number, byte_offset, line FROM rejects ORDER BY 1 OFFSET 100 LIMIT 1")
            .await;
    let (number, cut) = text.lines().enumerate().filter(|(_, line)| line.starts_with("cut ")).nth(100).unwrap();
    let offset = text.lines().take(number).map(|line| line.len() + 1).sum::<usize>()
        + text.split_inclusive('\n').take(number).filter(|line| line.ends_with("\r\n")).count();
    assert!(found.contains(&format!("| {}", number + 1)), "{found}");
    assert!(found.contains(&format!("| {offset}")), "{offset} {found}");
    assert!(found.contains(cut), "{found}");
}

/// A scan of one object, split into ranges at these offsets.
fn cut_scan(
    store: &Arc<dyn ObjectStore>,
    context: &SessionContext,
    marks: &[i64],
    size: u64,
) -> Arc<dyn ExecutionPlan> {
    let url = ObjectStoreUrl::parse("memory://bucket").unwrap();
    context.runtime_env().register_object_store(url.as_ref(), Arc::clone(store));
    let source = S3LogSource::new(Table::Logs, Table::Logs.schema(TextLayout::Views).into());
    let files = marks
        .windows(2)
        .map(|pair| FileGroup::new(vec![PartitionedFile::new("log".to_owned(), size).with_range(pair[0], pair[1])]));
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(files.collect())
        .with_projection_indices(Some(vec![3, 5, 11]))
        .unwrap()
        .build();
    DataSourceExec::from_data_source(config)
}

#[test]
fn any_split_into_ranges_gives_the_same_rows() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let text = log(0..2000);
    let size = text.len() as u64;
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runtime.block_on(store.put(&StorePath::from("log"), text.into_bytes().into())).unwrap();
    let context = SessionContext::new();
    let read = |marks: &[i64]| {
        let plan = cut_scan(&store, &context, marks, size);
        let batches = runtime.block_on(collect(plan, context.task_ctx())).unwrap();
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let whole = read(&[0, size as i64]);
    assert_eq!(whole.len(), counts(0..2000).0 + 4);
    for partitions in [1, 2, 3, 5, 16, 64_i64] {
        let marks: Vec<i64> = (0..=partitions).map(|part| part * size as i64 / partitions).collect();
        assert!(read(&marks) == whole, "{partitions} partitions");
    }
    proptest!(ProptestConfig::with_cases(24), |(cuts in prop::collection::vec(0..size as i64, 1..8))| {
        let mut marks: Vec<i64> = cuts.into_iter().chain([0, size as i64]).collect();
        marks.sort_unstable();
        marks.dedup();
        prop_assert!(read(&marks) == whole, "{:?}", marks);
    });
}

#[tokio::test]
async fn big_files_are_split_and_compressed_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(0..90_000);
    assert!(text.len() > 16 << 20, "{}", text.len());
    std::fs::write(directory.path().join("plain"), &text).unwrap();
    let options = || SessionOptions::new().with_threads(4);
    let plain = session(&directory.path().join("plain"), options()).await;
    let sql = "SELECT count(*), sum(bytes_sent), count(DISTINCT remote_ip) FROM logs";
    let expected = table(plain.context(), sql).await;
    let plan = table(plain.context(), &format!("EXPLAIN {sql}")).await;
    assert!(plan.contains("plain:0..") && plan.contains(&format!("..{}", text.len())), "{plan}");
    // Stored instead of deflated, so that it exceeds the size at which objects are split.
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packer.write_all(text.as_bytes()).unwrap();
    std::fs::write(directory.path().join("packed"), packer.finish().unwrap()).unwrap();
    let packed = session(&directory.path().join("packed"), options()).await;
    let plan = table(packed.context(), &format!("EXPLAIN {sql}")).await;
    assert!(plan.contains("packed]") && !plan.contains("packed:0.."), "{plan}");
    assert_eq!(table(packed.context(), sql).await, expected);
}

#[tokio::test]
async fn compression_is_told_by_content() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two, three) = (log(0..100), log(100..200), log(200..300));
    std::fs::write(directory.path().join("plain.gz"), &one).unwrap();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(two.as_bytes()).unwrap();
    std::fs::write(directory.path().join("gzip"), packer.finish().unwrap()).unwrap();
    std::fs::write(directory.path().join("zstd.log"), zstd::encode_all(three.as_bytes(), 3).unwrap()).unwrap();
    let session = session(directory.path(), SessionOptions::new()).await;
    let counted = table(
        session.context(),
        "SELECT (SELECT count(*) FROM logs) AS rows, (SELECT count(*) FROM rejects) AS rejects",
    )
    .await;
    let (rows, rejects) = counts(0..300);
    assert!(counted.contains(&format!("| {rows} ")) && counted.contains(&format!("| {rejects} ")), "{counted}");
}

/// The physical plan, without machine-dependent parts.
async fn physical_plan(context: &SessionContext, sql: &str) -> String {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let shown = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
    let files = regex_free_replace(&shown, "file_groups={", "}", "…");
    files.lines().map(|line| format!("{line}\n")).collect()
}

/// Replaces the text between two marks.
fn regex_free_replace(text: &str, from: &str, to: &str, by: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, behind)) = rest.split_once(from) {
        let (_, after) = behind.split_once(to).unwrap();
        out.push_str(&format!("{before}{from}{by}{to}"));
        rest = after;
    }
    out + rest
}

#[tokio::test]
async fn plans_say_what_was_pushed_into_the_scan() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..50)).unwrap();
    let options = SessionOptions::new().with_threads(1).with_since(1_768_348_800_000_000);
    let session = session(directory.path(), options).await;
    let mut plans = String::new();
    for sql in [
        "SELECT remote_ip, key FROM logs WHERE http_status = 403 AND key LIKE '%.jpg' LIMIT 5",
        "SELECT count(*) FROM logs",
        "SELECT time, remote_ip FROM logs ORDER BY time DESC LIMIT 3",
        "SELECT operation, sum(bytes_sent) FROM logs GROUP BY 1",
        "SELECT reason FROM rejects WHERE line_number < 10",
    ] {
        plans.push_str(&format!("{sql}\n{}\n", physical_plan(session.context(), sql).await));
    }
    insta::assert_snapshot!(plans);
}

#[tokio::test]
async fn a_filter_on_the_object_opens_no_other_object() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..5 {
        std::fs::write(directory.path().join(format!("object-{number}")), log(0..20)).unwrap();
    }
    let session = session(directory.path(), SessionOptions::new()).await;
    let sql = "SELECT count(*) FROM logs WHERE log_object LIKE '%object-3'";
    let counted = table(session.context(), sql).await;
    assert!(counted.contains(&format!("| {} ", counts(0..20).0)), "{counted}");
    assert_eq!(session.progress().snapshot().objects, 1);
    let analyzed = table(session.context(), &format!("EXPLAIN ANALYZE {sql}")).await;
    assert!(analyzed.contains("objects_skipped_by_predicate=4"), "{analyzed}");
}

#[tokio::test]
async fn since_and_until_leave_records_of_other_times_out() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..600)).unwrap();
    let minute = |minute: i64| (1_768_348_800 + minute * 60) * 1_000_000;
    let options = SessionOptions::new().with_since(minute(2)).with_until(minute(4));
    let session = session(directory.path(), options).await;
    let times = table(session.context(), "SELECT min(time), max(time) FROM logs").await;
    assert!(times.contains("2026-01-14T00:02:01Z") && times.contains("2026-01-14T00:03:58Z"), "{times}");
    let rejects = table(session.context(), "SELECT count(*) FROM rejects").await;
    assert!(rejects.contains(&format!("| {} ", counts(0..600).1)), "rejects have no time, and all stay: {rejects}");
}

#[tokio::test]
async fn top_rows_are_the_same_with_and_without_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..4 {
        std::fs::write(directory.path().join(format!("{number}")), log(number * 500..(number + 1) * 500)).unwrap();
    }
    let session = session(directory.path(), SessionOptions::new().with_threads(2)).await;
    let sql = "SELECT time, request_id, bytes_sent FROM logs ORDER BY bytes_sent DESC, request_id";
    let all = table(session.context(), sql).await;
    let top = table(session.context(), &format!("{sql} LIMIT 20")).await;
    let head = |text: &str| text.lines().take(23).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head(&all), head(&top));
}

#[tokio::test]
async fn both_layouts_of_text_give_the_same_rows() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..300)).unwrap();
    let views = session(directory.path(), SessionOptions::new()).await;
    let plain = session(directory.path(), SessionOptions::new().with_text_layout(TextLayout::Plain)).await;
    for sql in ["SELECT * FROM logs WHERE http_status <> 403", "SELECT * FROM rejects"] {
        assert_eq!(sorted(views.context(), sql).await, sorted(plain.context(), sql).await);
    }
}

#[tokio::test]
async fn listing_tables_of_datafusion_know_the_format() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for (day, numbers) in [("2026-01-14", 0..40), ("2026-01-15", 40..100)] {
        let location = StorePath::from(format!("logs/day={day}/object"));
        store.put(&location, log(numbers).into_bytes().into()).await.unwrap();
    }
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let url = ObjectStoreUrl::parse("memory://bucket").unwrap();
    context.runtime_env().register_object_store(url.as_ref(), store);
    let options = ListingOptions::new(Arc::new(S3LogFormat::default()))
        .with_table_partition_cols(vec![("day".to_owned(), datafusion::arrow::datatypes::DataType::Utf8)]);
    let config = ListingTableConfig::new(ListingTableUrl::parse("memory://bucket/logs/").unwrap())
        .with_listing_options(options)
        .with_schema(Table::Logs.schema(TextLayout::Views));
    context.register_table("logs", Arc::new(ListingTable::try_new(config).unwrap())).unwrap();
    let sql = "SELECT day, log_object, count(*) FROM logs WHERE day = '2026-01-15' AND time IS NOT NULL GROUP BY 1, 2";
    let counted = table(&context, sql).await;
    assert!(counted.contains("logs/day=2026-01-15/object") && !counted.contains("2026-01-14"), "{counted}");
    assert!(counted.contains(&format!("| {} ", counts(40..100).0)), "{counted}");
}

#[tokio::test]
async fn sorting_more_than_the_memory_holds_spills() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), log(0..100_000)).unwrap();
    let sql = "SELECT request_id, user_agent, key FROM logs ORDER BY request_uri";
    let enough = session(directory.path(), SessionOptions::new().with_threads(1)).await;
    let little = session(directory.path(), SessionOptions::new().with_threads(1).with_memory_limit(24 << 20)).await;
    let analyzed = table(little.context(), &format!("EXPLAIN ANALYZE {sql}")).await;
    assert!(analyzed.contains("spill_count=") && !analyzed.contains("spill_count=0"), "{analyzed}");
    assert!(logs::table(little.context(), sql).await == logs::table(enough.context(), sql).await);
}
