//! Error messages and exit codes.

use insta::assert_snapshot;

use crate::{exit_code, root, run, s3log, transcript};

const LOGS: &str = "fixtures/bucket/archive";

#[test]
fn sql_that_asks_for_what_is_not_there() {
    let cases = [
        ("SELECT remote_ipp, count(*)\nFROM logs\nGROUP BY 1", "column_typo"),
        ("SELECT key FROM logs WHERE status = 404", "column_by_a_part_of_its_name"),
        ("SELECT logs.nothing FROM logs", "column_of_nothing"),
        ("SELECT key FROM logs WHERE remote_ip = \"192.0.2.3\"", "double_quotes"),
        ("SELECT key FROM lgs", "table_typo"),
        ("SELECT cout(*) FROM logs", "function_typo"),
        ("SELECT sum(key) FROM logs", "argument_types"),
        ("SELECT key + 1 FROM logs", "operand_types"),
        ("SELECT remote_ip, count(*) FROM logs", "not_grouped"),
        ("SELECT key FROM logs a JOIN logs b ON a.key = b.key", "ambiguous_column"),
        ("SELECT * FROM logs WHERE time > 'yesterday'", "no_time"),
    ];
    for (sql, name) in cases {
        assert_snapshot!(format!("sql_{name}"), run(&["query", sql, LOGS]));
    }
}

#[test]
fn sql_that_is_no_sql() {
    let cases = [
        ("SELEC 1", "unknown_statement"),
        ("SELECT 1 FROM", "ends_early"),
        ("SELECT 'it", "open_quote"),
        ("SELECT 1 +\n\tFROM logs", "in_a_later_line"),
        (" ", "nothing"),
        ("; ;", "no_statement"),
    ];
    for (sql, name) in cases {
        assert_snapshot!(format!("syntax_{name}"), run(&["query", sql]));
    }
}

#[test]
fn errors_of_values_print_no_half_result() {
    assert_snapshot!("value_division", run(&["query", "SELECT 1 / 0"]));
    assert_snapshot!("value_cast", run(&["query", "SELECT CAST('abc' AS INT)"]));
}

#[test]
fn a_table_of_logs_needs_a_source() {
    assert_snapshot!(run(&["query", "SELECT count(*) FROM logs"]));
}

#[test]
fn a_file_that_sql_names_and_that_is_not_there() {
    assert_snapshot!("sql_file_missing", run(&["query", "SELECT * FROM 'nope.parquet'"]));
    assert_snapshot!("sql_file_of_no_table", run(&["query", "SELECT * FROM 'fixtures/README.md'"]));
    let said = run(&["query", "SELECT * FROM 'nowhere/nope.csv'", LOGS]);
    assert!(said.contains("error: the file `nowhere/nope.csv` does not exist\n"), "{said}");
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("logs")).unwrap();
    let output = s3log().current_dir(directory.path()).args(["query", "SELECT count(*) FROM logs"]).output().unwrap();
    assert!(transcript(&output).contains("error: table `logs` needs a source\n"));
}

#[test]
fn sources_that_do_not_exist() {
    assert_snapshot!("source_missing", run(&["query", "SELECT 1", "fixtures/nothing"]));
    assert_snapshot!("source_before_sql", run(&["query", "fixtures/README.md", "SELECT 1"]));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(exit_code(&["query", "SELECT count(*) FROM logs", empty.path().to_str().unwrap()]), Some(1));
}

#[test]
fn objects_without_a_record_are_never_an_empty_success() {
    assert_snapshot!(
        "no_record_in_rejects",
        run(&["query", "SELECT count(*) AS n FROM logs", "fixtures/rejects/bad-time.log"])
    );
    assert_snapshot!(
        "no_record_in_nothing",
        run(&["query", "SELECT count(*) AS n FROM logs", "fixtures/shapes/empty.log"])
    );
}

#[test]
fn rejects_may_be_limited() {
    let sources = ["fixtures/rejects/bad-time.log", "fixtures/bucket/archive"];
    let code = |flags: &[&str]| {
        let mut arguments = vec!["query", "SELECT count(*) FROM logs"];
        arguments.extend(sources);
        arguments.extend(flags);
        exit_code(&arguments)
    };
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--strict"]), Some(3));
    assert_eq!(code(&["--max-rejects", "12"]), Some(3));
    assert_eq!(code(&["--max-rejects", "13"]), Some(0));
    assert_eq!(code(&["--max-rejects", "13", "--strict"]), Some(0));
    assert_eq!(code(&["--max-rejects", "10%"]), Some(3));
    assert_eq!(code(&["--max-rejects", "20%"]), Some(0));
    let output =
        s3log().args(["query", "SELECT count(*) AS n FROM logs", "-q", "--strict"]).args(sources).output().unwrap();
    assert_snapshot!(transcript(&output));
}

#[test]
fn unreadable_objects_are_named() {
    // A gzip stream that ends in the middle.
    let names = std::fs::read_dir(root().join("fixtures/compressed")).unwrap().map(|entry| entry.unwrap().path());
    let gzip = names.into_iter().find(|path| path.extension().is_none()).unwrap();
    let bytes = std::fs::read(gzip).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("cut"), &bytes[..bytes.len() / 2]).unwrap();
    let mut command = s3log();
    let logs = root().join(LOGS).canonicalize().unwrap();
    let output = command
        .current_dir(directory.path())
        .args(["query", "SELECT count(*) > 59 AS more FROM logs", "cut"])
        .arg(logs)
        .output();
    assert_snapshot!(transcript(&output.unwrap()));
}

#[test]
fn usage_errors_are_2() {
    let policy = ["flag", LOGS, "-F", "aws-bucket-policy", "--bucket"];
    let policy_of = |rest: &[&'static str]| [&policy[..], rest].concat();
    let exempt = "arn:aws:iam::111122223333:role/admin";
    let nowhere = tempfile::tempdir().unwrap();
    let set = nowhere.path().join("set").display().to_string();
    let cases: [&[&str]; 24] = [
        &[],
        &["nothing"],
        &["query"],
        &["query", "SELECT 1", "--format", "xml"],
        &["query", "SELECT 1", "--memory", "lots"],
        &["query", "SELECT 1", "--threads", "0"],
        &["query", "SELECT 1", "--since", "yesterday"],
        &["query", "SELECT 1", "--since", "2026-01-02", "--until", "2026-01-01"],
        &["query", "SELECT 1", "--max-rejects", "101%"],
        &["check"],
        &["shell", "-"],
        &["schema", "nothing"],
        &["flag", LOGS, "-F", "ipset", "--set-name", "x y"],
        &["flag", LOGS, "-F", "nftables", "--set-name", "x y"],
        &["flag", LOGS, "-F", "aws-waf", "--set-name", "x y"],
        &["flag", LOGS, "-F", "fail2ban", "--jail", "x y"],
        &["flag", LOGS, "-F", "ipset", "--expires", "60d"],
        &policy_of(&["photos", "--exempt", "foo"]),
        &policy_of(&["pho tos", "--exempt", exempt]),
        &["convert", LOGS, "--to", &set, "--bloom", "nope"],
        &["convert", LOGS, "--to", &set, "--table", "cdn", "--partition-by", "day,bucket"],
        &["rules", "show", "NOPE"],
        &["rules", "test", "NOPE"],
        &["rules", "lists", "nope"],
    ];
    for arguments in cases {
        assert_eq!(exit_code(arguments), Some(2), "{arguments:?}");
    }
    assert_snapshot!("usage_no_sql", run(&["query"]));
    assert_snapshot!("usage_no_time", run(&["query", "SELECT 1", "--since", "yesterday"]));
    assert_snapshot!("usage_no_interval", run(&["query", "SELECT 1", "--since", "7d", "--until", "30d"]));
}
