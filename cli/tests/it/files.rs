//! Results in files and pipes are complete or do not exist.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::{exit_code, root, run, s3log, transcript};

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_name_of_a_file_tells_its_format() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("a.csv", "a\n1\n"),
        ("a", "a\n1\n"),
        ("a.tsv", "a\n1\n"),
        ("a.json", "[\n{\"a\":1}\n]\n"),
        ("a.ndjson", "{\"a\":1}\n"),
        ("a.JSONL", "{\"a\":1}\n"),
        ("a.md", "| a |\n| ---: |\n| 1 |\n"),
        ("a.txt", "┌───┐\n│ a │\n├───┤\n│ 1 │\n└───┘\n"),
    ];
    for (name, expected) in cases {
        let path = directory.path().join(name);
        let output = s3log().args(["query", "SELECT 1 AS a", "-o"]).arg(&path).output().unwrap();
        assert_eq!(transcript(&output), "exit 0\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected, "{name}");
    }
}

#[test]
fn parquet_can_be_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let path = path.to_str().unwrap();
    let sql = "SELECT time, key, bytes_sent FROM logs";
    assert_eq!(run(&["query", sql, "-o", path, "fixtures/bucket/archive"]), "exit 0\n");
    assert_snapshot!(run(&["query", &format!("SELECT count(*) AS records, max(time) AS last FROM '{path}'")]));
    assert_eq!(names(directory.path()), ["a.parquet"]);
}

#[test]
fn a_name_that_tells_no_format_is_asked_about() {
    let directory = tempfile::tempdir().unwrap();
    let output = s3log().current_dir(directory.path()).args(["query", "SELECT 1", "-o", "a.xlsx"]).output().unwrap();
    assert_snapshot!(transcript(&output));
    let output = s3log()
        .current_dir(directory.path())
        .args(["query", "SELECT 1 AS a", "-F", "csv", "-o", "a.xlsx"])
        .output()
        .unwrap();
    assert_eq!(transcript(&output), "exit 0\n");
}

#[test]
fn a_failure_leaves_no_file_and_keeps_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    let file = path.to_str().unwrap();
    assert_eq!(exit_code(&["query", "SELECT 1 / 0", "-o", file]), Some(1));
    assert_eq!(names(directory.path()), [] as [&str; 0]);
    std::fs::write(&path, "old").unwrap();
    assert_eq!(exit_code(&["query", "SELECT 1; SELECT 1 / 0", "-o", file]), Some(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(directory.path()), ["a.csv"]);
}

#[test]
fn a_parquet_file_holds_one_result() {
    let directory = tempfile::tempdir().unwrap();
    let output = s3log()
        .current_dir(directory.path())
        .args(["query", "SET datafusion.execution.batch_size = 9; SELECT 1", "-o", "a.parquet"])
        .output()
        .unwrap();
    assert_eq!(transcript(&output), "exit 0\n");
    let output = s3log()
        .current_dir(directory.path())
        .args(["query", "SELECT 1; SELECT 2", "-o", "b.parquet"])
        .output()
        .unwrap();
    assert_snapshot!(transcript(&output));
    assert_eq!(names(directory.path()), ["a.parquet"]);
}

#[test]
fn a_directory_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let output = s3log().current_dir(directory.path()).args(["query", "SELECT 1", "-o", "no/a.csv"]).output().unwrap();
    assert_snapshot!(transcript(&output));
}

/// A result that never ends.
const ENDLESS: &str = "SELECT * FROM generate_series(1, 1000000000000)";

fn endless(extra: &[&str], directory: &Path) -> std::process::Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("s3log"));
    command.current_dir(directory).env_clear().arg("query").arg(ENDLESS).args(extra);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_closed_pipe_is_success_without_a_word() {
    for format in ["csv", "table", "json", "arrow"] {
        let mut child = endless(&["-F", format], &root());
        let mut stdout = child.stdout.take().unwrap();
        let mut some = [0; 1_000];
        stdout.read_exact(&mut some).unwrap();
        drop(stdout);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{format}");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{format}");
    }
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_file() {
    for signal in ["-INT", "-TERM"] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = endless(&["-o", "out.csv"], directory.path());
        while !names(directory.path()).iter().any(|name| name.ends_with(".part")) {
            std::thread::yield_now();
        }
        // The file is created before signals are handled: wait until rows are written.
        let part = directory.path().join(&names(directory.path())[0]);
        while std::fs::metadata(&part).is_ok_and(|part| part.len() == 0) {
            std::thread::yield_now();
        }
        interrupt(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(names(directory.path()), [] as [&str; 0]);
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_run_that_waits_for_its_reader() {
    let mut child = endless(&[], &root());
    // The reader takes a single line, so the pipe soon fills up.
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "value\n");
    interrupt(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
