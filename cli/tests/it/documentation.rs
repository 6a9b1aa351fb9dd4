//! Help, schema, functions, completions, manual pages.

use insta::assert_snapshot;

use crate::{exit_code, run, s3log};

const COMMANDS: [&str; 11] =
    ["query", "shell", "convert", "compact", "check", "logging", "schema", "functions", "keys", "completions", "man"];

/// With all features: without `cluster`, one command and one flag are missing.
#[cfg(feature = "cluster")]
#[test]
fn help_of_the_program() {
    assert_snapshot!(run(&["--help"]));
    assert_eq!(exit_code(&["--version"]), Some(0));
}

#[cfg(feature = "cluster")]
#[test]
fn help_of_each_command() {
    for command in COMMANDS {
        assert_snapshot!(format!("help_{command}"), run(&[command, "--help"]));
    }
    for command in ["list", "audit", "rotate", "operations"] {
        assert_snapshot!(format!("help_keys_{command}"), run(&["keys", command, "--help"]));
    }
}

#[test]
fn schema() {
    assert_snapshot!("schema_of_all", run(&["schema"]));
    assert_snapshot!("schema_of_rejects", run(&["schema", "rejects", "-F", "table"]));
    // A view has the columns of its base table.
    let columns = |table| run(&["schema", table]);
    assert_eq!(columns("visitor_requests"), columns("requests"));
    assert_snapshot!("schema_of_nothing", run(&["schema", "rejcts"]));
}

#[test]
fn schema_and_functions_honour_the_format() {
    for command in ["schema", "functions"] {
        let output = s3log().args([command, "-F", "ndjson"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().count() > 10 && text.lines().all(|line| line.starts_with('{') && line.ends_with('}')));
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = s3log().args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("max-rejects"), "{shell}");
    }
    assert_eq!(exit_code(&["completions", "tcsh"]), Some(2));
}

#[cfg(feature = "cluster")]
#[test]
fn manual_pages() {
    let page = s3log().arg("man").output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains(".TH s3log 1") && COMMANDS.iter().all(|command| page.contains(command)));
    let page = s3log().args(["man", "query"]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(
        page.contains(".TH s3log-query 1") && page.contains("\\-\\-max\\-rejects") && page.contains("S3LOG_FORMAT")
    );
    let page = s3log().args(["man", "keys", "audit"]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains(".TH s3log-keys-audit 1") && page.contains("\\-\\-principals"), "{page}");
    assert_snapshot!(run(&["man", "nothing"]));
}
