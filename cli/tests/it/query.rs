//! `s3log query`: results, formats, sources of SQL and data, messages.

use insta::assert_snapshot;

use crate::{line, run, s3log, transcript};

const BUCKET: &str = "fixtures/bucket";

#[test]
fn sql_alone_needs_no_source() {
    assert_snapshot!(run(&["query", "SELECT 1 AS one, 'a,b' AS text, NULL AS nothing"]));
}

#[test]
fn the_first_answer_needs_no_configuration() {
    assert_snapshot!(run(&[
        "query",
        "SELECT bucket, count(*) AS requests, sum(bytes_sent) AS bytes, min(time) AS first FROM logs GROUP BY 1 ORDER BY 1",
        BUCKET,
    ]));
}

#[test]
fn every_text_format() {
    let sql = "SELECT time, remote_ip, key, bytes_sent, extra_fields FROM logs ORDER BY time DESC, key LIMIT 3";
    for format in ["table", "csv", "tsv", "json", "ndjson", "markdown", "line", "null"] {
        assert_snapshot!(format!("format_{format}"), run(&["query", sql, "-F", format, "fixtures/bucket/archive"]));
    }
}

#[test]
fn pipes_get_hostile_bytes_as_they_are() {
    let log = line("k", "a\u{1b}[31m\u{202e}b");
    let output =
        s3log().args(["query", "SELECT user_agent FROM logs", "--no-header", "-"]).write_stdin(log).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a\u{1b}[31m\u{202e}b\n");
}

#[test]
fn statements_run_in_order_and_each_result_is_printed() {
    assert_snapshot!(run(&[
        "query",
        "SET datafusion.execution.batch_size = 100; CREATE VIEW v AS SELECT 1 AS a; SELECT a + 1 AS b FROM v; SHOW datafusion.execution.batch_size;",
        "-F",
        "markdown",
    ]));
}

#[test]
fn nothing_runs_when_a_later_statement_is_no_sql() {
    assert_snapshot!(run(&["query", "SELECT 1;\nSELEC 2"]));
}

#[test]
fn plans_are_text() {
    assert_snapshot!(run(&["query", "EXPLAIN SELECT 1 + 1 AS two"]));
}

#[test]
fn tables_can_be_described_and_made() {
    assert_snapshot!(run(&["query", "DESCRIBE rejects", BUCKET]));
    assert_snapshot!(run(&[
        "query",
        "CREATE EXTERNAL TABLE t STORED AS S3LOG LOCATION 'fixtures/bucket/archive/'; SELECT count(*) AS records FROM t",
    ]));
}

#[test]
fn sql_from_a_file_makes_every_argument_a_source() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("count.sql");
    std::fs::write(&file, "SELECT count(*) AS records FROM logs;\n").unwrap();
    let file = file.to_str().unwrap();
    let expected = "exit 0\n--- stdout\nrecords\n293\n";
    assert_eq!(run(&["query", "-f", file, "fixtures/bucket/archive", "fixtures/bucket/partitioned"]), expected);
}

#[test]
fn sql_and_lines_from_standard_input() {
    let output = s3log().args(["query", "-"]).write_stdin("SELECT 2 AS two").output().unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\ntwo\n2\n");
    let output =
        s3log().args(["query", "SELECT key FROM logs", "-"]).write_stdin(line("a%2520b", "curl")).output().unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\nkey\na%2520b\n");
    let output = s3log().args(["query", "-", "-"]).write_stdin("SELECT 1").output().unwrap();
    assert_snapshot!(transcript(&output));
}

#[test]
fn times_bound_what_is_read() {
    let count = |bounds: &[&str]| {
        let mut arguments = vec!["query", "SELECT count(*) FROM logs", "--no-header", "fixtures/bucket/logs"];
        arguments.extend(bounds);
        run(&arguments)
    };
    let all = count(&["--since", "2026-01-01"]);
    assert_eq!(all, "exit 0\n--- stdout\n1423\n");
    assert_eq!(count(&["--until", "2026-01-01"]), "exit 0\n--- stdout\n0\n");
    let number = |text: &str| text.lines().last().unwrap().parse::<u64>().unwrap();
    let (before, after) =
        (count(&["--until", "2026-01-15T00:00:00Z"]), count(&["--since", "2026-01-15T01:00:00+01:00"]));
    assert!(number(&before) > 0 && number(&after) > 0);
    assert_eq!(number(&before) + number(&after), 1423);
}

#[test]
fn rejects_are_warned_of_once() {
    assert_snapshot!(run(&[
        "query",
        "SELECT count(*) AS n FROM logs; SELECT count(*) AS n FROM logs",
        "fixtures/rejects/bad-time.log",
        "fixtures/bucket/archive",
    ]));
}

#[test]
fn nobody_who_asks_for_rejects_is_warned_of_them() {
    assert_snapshot!(run(&[
        "query",
        "SELECT reason, count(*) AS lines FROM rejects GROUP BY 1 ORDER BY 2 DESC, 1",
        "fixtures/rejects/bad-time.log",
        "fixtures/bucket/archive",
    ]));
}

#[test]
fn verbose_says_what_was_read() {
    let output =
        s3log().args(["query", "-v", "SELECT count(*) AS n FROM logs", "fixtures/bucket/archive"]).output().unwrap();
    insta::with_settings!({filters => vec![(r"(in|after) \d+\.\d+ s", "$1 [TIME] s")]}, {
        assert_snapshot!(transcript(&output));
    });
}

#[test]
fn progress_for_programs() {
    let arguments = ["query", "SELECT count(*) AS n FROM logs", "--progress", "json", "fixtures/bucket/archive"];
    let output = s3log().args(arguments).output().unwrap();
    let last = String::from_utf8(output.stderr).unwrap().lines().last().unwrap().to_owned();
    assert!(
        last.starts_with(r#"{"objects":8,"objects_total":8,"#) && last.contains(r#""records":59,"rejects":0,"#),
        "{last}"
    );
}

#[test]
fn flags_have_environment_variables_and_win_over_them() {
    let output = s3log().args(["query", "SELECT 1 AS a"]).env("S3LOG_FORMAT", "ndjson").output().unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\n{\"a\":1}\n");
    let output = s3log()
        .args(["query", "SELECT 1 AS a", "-F", "csv"])
        .env("S3LOG_FORMAT", "json")
        .env("S3LOG_NO_HEADER", "1")
        .output()
        .unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\n1\n");
    let output = s3log().args(["query", "SELECT 1 AS a"]).env("S3LOG_FORMAT", "xml").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let sql = ["query", "SELECT NULL AS a", "-F", "table"];
    let colours = |extra: &[&str], environment: &[(&str, &str)]| {
        let output = s3log().args(sql).args(extra).envs(environment.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!colours(&[], &[]));
    assert!(colours(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(colours(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colours(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colours(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn memory_is_a_limit_that_is_met_by_spilling() {
    let sort = "SELECT n, n % 1000 AS m FROM generate_series(1, 2000000) AS t(n) ORDER BY m, n";
    assert_eq!(run(&["query", sort, "-F", "null", "--memory", "16MiB", "--threads", "1"]), "exit 0\n");
    // The merge of sorted runs cannot spill, however many runs there are.
    let large = sort.replace("2000000", "6000000");
    assert_eq!(run(&["query", &large, "-F", "null", "--memory", "64MiB", "--threads", "1"]), "exit 0\n");
    assert_eq!(run(&["query", &large, "-F", "null", "--memory", "96MiB", "--threads", "4"]), "exit 0\n");
    let top = format!("{sort} LIMIT 1900000");
    assert_snapshot!(run(&["query", &top, "-F", "null", "--memory", "16MiB", "--threads", "1"]));
}

#[cfg(unix)]
#[test]
fn pipes_are_read_once_and_only_if_they_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::write(directory.path().join("log"), line("k", "curl")).unwrap();
    // Nobody writes to the pipe: reading it would take forever.
    let glob = directory.path().join("*").display().to_string();
    let counted = s3log().args(["query", "SELECT count(*) FROM logs", "--no-header", &glob]).output().unwrap();
    assert_eq!(transcript(&counted), "exit 0\n--- stdout\n1\n");

    let source = pipe.clone();
    let writer = std::thread::spawn(move || std::fs::write(source, line("k", "curl")));
    let twice = "SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM logs WHERE key = 'k')";
    let output = s3log().args(["query", twice, "--no-header"]).arg(&pipe).output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
    assert!(transcript(&output).contains("a pipe can be read only once"), "{}", transcript(&output));
}

#[test]
fn a_byte_order_mark_before_sql_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("query.sql");
    std::fs::write(&path, "\u{feff}SELECT 1 AS a").unwrap();
    let output = s3log().args(["query", "-f"]).arg(&path).output().unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\na\n1\n");
}

#[test]
fn threads_are_limited() {
    let output = s3log().args(["query", "SELECT 1", "--threads", "100000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(transcript(&output).contains("it is a number from 1 to 1024"), "{}", transcript(&output));
}
