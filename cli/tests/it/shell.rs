//! `s3log shell` with a script on standard input.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::{s3log, transcript};

fn shell(script: &str, arguments: &[&str]) -> String {
    transcript(&s3log().arg("shell").args(arguments).write_stdin(script).output().unwrap())
}

#[test]
fn statements_and_commands() {
    let script = "\
.tables
.schema rejects
SELECT bucket, count(*) AS n
  FROM logs GROUP BY 1
  ORDER BY 1;
.mode ndjson
SELECT ';' AS a; SELECT 2 AS b;
-- nothing
CREATE VIEW v AS SELECT 3 AS c;
SELECT c FROM v";
    assert_snapshot!(shell(script, &["fixtures/bucket/archive"]));
}

#[test]
fn help() {
    assert_snapshot!(shell(".help\n", &[]));
}

#[test]
fn the_first_error_ends_a_script() {
    assert_snapshot!("script_error", shell("SELECT 1 AS a;\nSELECT b;\nSELECT 2 AS c;\n", &[]));
    assert_snapshot!("script_unknown_command", shell(".tabels\nSELECT 2 AS c;\n", &[]));
}

#[test]
fn results_go_into_files_until_told_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("more.sql"), "SELECT 4 AS d; SELECT 5 AS e").unwrap();
    let script = "\
.output one.ndjson
SELECT 1 AS a;
SELECT 2 AS b;
.output two.parquet
SELECT 3 AS c;
.output
.read more.sql
SELECT * FROM 'two.parquet';
.quit
SELECT 6 AS f;
";
    let output = s3log().current_dir(directory.path()).arg("shell").write_stdin(script).output().unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\nd\n4\ne\n5\nc\n3\n");
    assert_eq!(std::fs::read_to_string(directory.path().join("one.ndjson")).unwrap(), "{\"a\":1}\n{\"b\":2}\n");
}

#[test]
fn rejects_are_told_at_the_end() {
    let source = ["fixtures/rejects/bad-time.log", "fixtures/bucket/archive"];
    assert_snapshot!(shell("SELECT count(*) AS n FROM logs;", &source));
}

#[test]
fn a_result_that_was_cut_off_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    // With one row per batch, the first row is written before the second one fails.
    let script = "\
SET datafusion.execution.batch_size = 1;
SET datafusion.execution.target_partitions = 1;
.output out.csv
SELECT 1 / (2 - value) AS n FROM generate_series(1, 3);
";
    let output = s3log().current_dir(directory.path()).arg("shell").write_stdin(script).output().unwrap();
    assert_snapshot!(transcript(&output));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Takes much longer than anyone waits, and keeps its threads busy.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000) a(x) JOIN generate_series(1, 1000000) b(y) \
                       ON (x * y) % 7 = 3 AND x <> y";

#[test]
fn a_script_that_is_told_to_stop_ends_even_if_all_threads_are_busy() {
    for signal in ["-INT", "-TERM"] {
        let mut shell = Command::new(assert_cmd::cargo::cargo_bin!("s3log"))
            .args(["shell", "--threads", "1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_clear()
            .spawn()
            .unwrap();
        let script = format!("SELECT 1 AS first;\n{ENDLESS};\nSELECT 3 AS third;\n");
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let mut printed = BufReader::new(shell.stdout.take().unwrap());
        let mut line = String::new();
        while line != "1\n" {
            line.clear();
            assert!(printed.read_line(&mut line).unwrap() > 0);
        }
        // The second statement has begun.
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert!(Command::new("kill").args([signal, &shell.id().to_string()]).status().unwrap().success());
        let mut rest = String::new();
        printed.read_to_string(&mut rest).unwrap();
        assert_eq!((shell.wait().unwrap().code(), rest.as_str()), (Some(130), ""), "{signal}");
    }
}
