//! The SQL functions, called from SQL: examples, columns of every text type, errors.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::logical_expr::Volatility;
use datafusion::prelude::SessionContext;
use s3log_engine::functions;
use std::collections::HashSet;
use std::sync::Arc;

fn session() -> Result<SessionContext> {
    let mut session = SessionContext::new();
    functions::register(&mut session)?;
    Ok(session)
}

/// All values of the first column, as text.
async fn column(session: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let mut values = Vec::new();
    for batch in session.sql(sql).await?.collect().await? {
        let options = FormatOptions::new().with_null("NULL");
        let formatter = ArrayFormatter::try_new(batch.column(0), &options)?;
        values.extend((0..batch.num_rows()).map(|row| formatter.value(row).to_string()));
    }
    Ok(values)
}

async fn error(session: &SessionContext, sql: &str) -> String {
    match column(session, sql).await {
        Ok(values) => panic!("{sql} returned {values:?}"),
        Err(error) => error.strip_backtrace(),
    }
}

/// A session with a table `t` of a single column.
fn session_with(name: &str, values: ArrayRef) -> Result<SessionContext> {
    let session = session()?;
    session.register_batch("t", RecordBatch::try_from_iter([(name, values)])?)?;
    Ok(session)
}

#[tokio::test]
async fn every_example_returns_what_its_documentation_says() -> Result<()> {
    let session = session()?;
    for doc in functions::docs() {
        let values = column(&session, doc.example_sql).await?;
        assert_eq!(values, [doc.example_result], "{}", doc.example_sql);
        assert!(doc.example_sql.contains(&format!("{}(", doc.name)), "{}", doc.example_sql);
    }
    Ok(())
}

#[test]
fn every_function_is_documented_and_pure() {
    let docs = functions::docs();
    let all = functions::all();
    assert_eq!(docs.len(), all.len());
    let mut names = HashSet::new();
    for (doc, function) in docs.into_iter().zip(all) {
        assert!(names.insert(doc.name), "{} is there twice", doc.name);
        assert_eq!(function.name(), doc.name);
        assert_eq!(function.signature().volatility, Volatility::Immutable, "{}", doc.name);
        assert!(function.is_strict(), "{}", doc.name);

        let Some(documentation) = function.documentation() else { panic!("{} has no documentation", doc.name) };
        assert_eq!(documentation.description, doc.description);
        assert_eq!(documentation.syntax_example, doc.signature);
        assert!(documentation.sql_example.as_ref().is_some_and(|example| example.contains(doc.example_result)));
        let arguments: Vec<_> = doc.arguments.iter().map(|(name, _)| *name).collect();
        let start = format!("{}({}) -> ", doc.name, arguments.join(", "));
        assert!(doc.signature.starts_with(&start), "{} should start with {start}", doc.signature);
    }
}

#[test]
fn no_function_hides_one_of_datafusion() {
    let built_in = SessionContext::new().state().scalar_functions().keys().cloned().collect::<HashSet<_>>();
    for function in functions::all() {
        assert!(!built_in.contains(function.name()), "{}", function.name());
    }
}

#[test]
fn reference() {
    let mut text = String::new();
    let mut group = "";
    for doc in functions::docs() {
        if group != doc.group {
            group = doc.group;
            text.push_str(&format!("# {group}\n\n"));
        }
        text.push_str(&format!("{}\n  {}\n", doc.signature, doc.description));
        for (name, meaning) in doc.arguments {
            text.push_str(&format!("  {name}: {meaning}\n"));
        }
        text.push_str(&format!("  {}\n  {}\n\n", doc.example_sql, doc.example_result));
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn null_in_is_null_out() -> Result<()> {
    let session = session()?;
    for doc in functions::docs() {
        let valid = |name: &str| match name {
            "n" | "bits" => "1",
            "ip" | "networks" => "'192.0.2.1'",
            _ => "'x'",
        };
        for null in 0..doc.arguments.len() {
            let arguments = doc.arguments.iter().enumerate();
            let arguments: Vec<_> =
                arguments.map(|(at, (name, _))| if at == null { "NULL" } else { valid(name) }).collect();
            let sql = format!("SELECT {}({})", doc.name, arguments.join(", "));
            assert_eq!(column(&session, &sql).await?, ["NULL"], "{sql}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn results_have_the_type_of_the_text() -> Result<()> {
    const URIS: [Option<&str>; 4] =
        [Some("GET /bucket/a-key-longer-than-a-view?x=1%2B HTTP/1.1"), None, Some(""), Some("PUT /k?x HTTP/1.1")];
    let views: ArrayRef = Arc::new(StringViewArray::from_iter(URIS));
    let offsets: ArrayRef = Arc::new(StringArray::from_iter(URIS));
    let large: ArrayRef = Arc::new(LargeStringArray::from_iter(URIS));
    let dictionary: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(URIS));
    for (uris, expected_type) in [
        (views.slice(0, 4), DataType::Utf8View),
        (offsets, DataType::Utf8),
        (large, DataType::LargeUtf8),
        (dictionary, DataType::Utf8),
    ] {
        let session = session_with("uri", uris)?;
        for (call, expected) in [
            ("uri_path(uri)", ["/bucket/a-key-longer-than-a-view", "NULL", "", "/k"]),
            ("uri_method(uri)", ["GET", "NULL", "NULL", "PUT"]),
            ("uri_param(uri, 'x')", ["1+", "NULL", "NULL", ""]),
            ("operation_part(uri, 2)", ["1", "NULL", "NULL", "1"]),
            ("user_agent_family(uri)", ["GET", "NULL", "", "PUT"]),
        ] {
            let batches = session.sql(&format!("SELECT {call} AS r FROM t")).await?.collect().await?;
            assert_eq!(batches[0].column(0).data_type(), &expected_type, "{call}");
            assert_eq!(column(&session, &format!("SELECT {call} FROM t")).await?, expected, "{call}");
        }
        let contained = column(&session, "SELECT ip_in_cidr(uri, '0.0.0.0/0') FROM t").await?;
        assert_eq!(contained, ["NULL", "NULL", "NULL", "NULL"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_slice_of_a_column_is_read_from_its_start() -> Result<()> {
    let agents: ArrayRef = Arc::new(StringViewArray::from_iter([
        Some("curl/8.5.0"),
        Some("rclone/v1.65.0"),
        None,
        Some("rclone/v1.65.0"),
    ]));
    let session = session_with("ua", agents.slice(1, 3))?;
    let families = column(&session, "SELECT user_agent_family(ua) FROM t").await?;
    assert_eq!(families, ["rclone", "NULL", "rclone"]);
    Ok(())
}

#[tokio::test]
async fn second_arguments_may_be_columns() -> Result<()> {
    let session = session()?;
    for (sql, expected) in [
        (
            "SELECT uri_param('GET /?a=1&b=2 HTTP/1.1', name) FROM (VALUES ('b'), ('c'), (NULL), ('a')) v(name)",
            &["2", "NULL", "NULL", "1"][..],
        ),
        (
            "SELECT operation_part('REST.GET.OBJECT', n) FROM (VALUES (3), (0), (NULL), (9), (-1)) v(n)",
            &["OBJECT", "NULL", "NULL", "NULL", "NULL"],
        ),
        (
            "SELECT ip_prefix('192.0.2.77', bits) FROM (VALUES (8), (32), (33), (129), (-1), (NULL)) v(bits)",
            &["192.0.0.0/8", "192.0.2.77/32", "NULL", "NULL", "NULL", "NULL"],
        ),
        (
            "SELECT ip_in_cidr('192.0.2.77', net) FROM \
             (VALUES ('192.0.2.0/24'), ('192.0.2.0/24'), ('192.0.3.0/24'), ('oops'), ('oops'), (NULL), ('::/0')) \
             v(net)",
            &["true", "true", "false", "NULL", "NULL", "NULL", "false"],
        ),
        (
            "SELECT ip_in_cidr('192.0.2.77', nets) FROM \
             (VALUES (['192.0.2.0/24', '::/0']), ([]), (['::/0', NULL]), (['::/0', 'oops']), (NULL)) v(nets)",
            &["true", "false", "false", "NULL", "NULL"],
        ),
        (
            "SELECT ip_in_cidr(ip, ['192.0.2.0/24', NULL]) FROM (VALUES ('192.0.2.1'), ('-'), (NULL), ('::1')) v(ip)",
            &["true", "NULL", "NULL", "false"],
        ),
        (
            "SELECT count(*) FROM (VALUES ('192.0.2.1'), ('192.0.2.2'), ('2001:db8::1')) a(ip) \
             JOIN (VALUES ('192.0.2.0/24'), ('::/0')) b(net) ON ip_in_cidr(ip, net)",
            &["3"],
        ),
        ("SELECT ip_prefix('2001:db8::77', CAST(32 AS SMALLINT UNSIGNED))", &["2001:db8::/32"]),
    ] {
        assert_eq!(column(&session, sql).await?, expected, "{sql}");
    }
    Ok(())
}

#[tokio::test]
async fn wrong_constants_are_errors_even_when_there_are_no_rows() -> Result<()> {
    let session = session_with("x", Arc::new(StringViewArray::from_iter(Vec::<Option<&str>>::new())))?;
    let mut messages = Vec::new();
    for call in [
        "operation_part(x, 0)",
        "ip_prefix(x, 129)",
        "ip_prefix(x, -1)",
        "ip_in_cidr(x, '192.0.2.0/33')",
        "ip_in_cidr(x, '192.0.2.0/24, 198.51.100.0/24')",
        "ip_in_cidr(x, ['192.0.2.0/24', 'private'])",
        "ip_in_cidr(x, 8)",
        "ip_in_cidr(x)",
        "uri_param(x)",
        "url_decode(8)",
    ] {
        messages.push(format!("{call}\n  {}", error(&session, &format!("SELECT {call} FROM t")).await));
    }
    insta::assert_snapshot!(messages.join("\n"));
    Ok(())
}

#[tokio::test]
async fn constants_are_folded_into_plans() -> Result<()> {
    let session = session_with("ip", Arc::new(StringViewArray::from_iter([Some("192.0.2.1")])))?;
    let sql = "EXPLAIN SELECT ip FROM t WHERE ip_prefix(ip, 24) = ip_prefix('192.0.2.77', 24)";
    let batches = session.sql(sql).await?.collect().await?;
    let plans = batches[0].column(1).as_string::<i32>();
    assert!(plans.value(0).contains("192.0.2.0/24"), "{}", plans.value(0));
    assert!(!plans.value(0).contains("192.0.2.77"), "{}", plans.value(0));
    Ok(())
}

/// The replacement of `date_trunc`, which is faster for UTC, must agree with DataFusion's.
#[tokio::test]
async fn date_trunc_says_what_it_said_before() -> Result<()> {
    const HOURS: i64 = 3_600_000_000;
    const DAYS: i64 = 24 * HOURS;
    let times =
        [Some(0), None, Some(-1), Some(1_549_411_238_123_456), Some(-30_000 * HOURS - 7), Some(951_868_799_999_999)];
    for zone in ["UTC", "+00:00", "Etc/UTC", "+05:30", "America/New_York"] {
        let times = TimestampMicrosecondArray::from(times.to_vec()).with_timezone(zone);
        let ours = session_with("t", Arc::new(times.clone()))?;
        let plain = SessionContext::new();
        plain.register_batch("t", RecordBatch::try_from_iter([("t", Arc::new(times) as ArrayRef)])?)?;
        for granularity in ["microsecond", "second", "minute", "Hour", "day", "week", "month", "quarter", "year"] {
            let sql = format!(
                "SELECT date_trunc('{granularity}', t) AS x, arrow_typeof(date_trunc('{granularity}', t)) FROM t"
            );
            let [said, before] = [ours.sql(&sql).await?.collect().await?, plain.sql(&sql).await?.collect().await?];
            assert_eq!(said, before, "{zone} {granularity}");
            assert_eq!(said[0].num_rows(), 6);
        }
    }
    // Each day of some years, among them leap years.
    let days = TimestampMicrosecondArray::from_iter_values((-1_500..20_000).map(|day| day * DAYS + 5 * HOURS));
    let ours = session_with("t", Arc::new(days.clone().with_timezone("UTC")))?;
    let plain = SessionContext::new();
    plain.register_batch("t", RecordBatch::try_from_iter([("t", Arc::new(days) as ArrayRef)])?)?;
    for granularity in ["week", "month", "quarter", "year"] {
        let sql = format!("SELECT CAST(date_trunc('{granularity}', t) AS DATE) FROM t");
        let [said, before] = [ours.sql(&sql).await?.collect().await?, plain.sql(&sql).await?.collect().await?];
        assert_eq!(concat_batches(&said[0].schema(), &said)?, concat_batches(&before[0].schema(), &before)?);
    }
    // Times that a line can have, and nanoseconds cannot.
    let far = TimestampMicrosecondArray::from(vec![-62_135_596_800_000_000, 253_402_300_799_000_000]);
    let ours = session_with("t", Arc::new(far.with_timezone("UTC")))?;
    for (granularity, starts) in [
        ("week", ["0001-01-01", "9999-12-27"]),
        ("month", ["0001-01-01", "9999-12-01"]),
        ("quarter", ["0001-01-01", "9999-10-01"]),
        ("year", ["0001-01-01", "9999-01-01"]),
    ] {
        let sql = format!("SELECT arrow_cast(CAST(date_trunc('{granularity}', t) AS DATE), 'Utf8') FROM t");
        let said = ours.sql(&sql).await?.collect().await?;
        assert_eq!(said[0].column(0).as_string::<i32>(), &StringArray::from(starts.to_vec()), "{granularity}");
    }
    Ok(())
}
