//! The configuration file: its location, precedence, and errors.

use std::path::Path;

use assert_cmd::Command;
use insta::assert_snapshot;

use crate::{s3log, transcript};

const LOGS: &str = "fixtures/bucket/archive";
const COUNT: [&str; 3] = ["query", "SELECT 1 AS n, NULL AS nothing", "-q"];

/// A home directory with this configuration file.
fn home(text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/s3log");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("s3log.toml"), text).unwrap();
    home
}

fn at_home(home: &Path, arguments: &[&str]) -> Command {
    let mut command = s3log();
    command.env("HOME", home).args(arguments);
    command
}

/// Output and exit code of a run, with the home directory replaced.
fn said(home: &Path, command: &mut Command) -> String {
    transcript(&command.output().unwrap()).replace(home.to_str().unwrap(), "HOME")
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let home = home("format = 'json'\nno-header = true\n[query]\nnull = 'of the file'\n");
    let printed = |variables: &[(&str, &str)], flags: &[&str]| {
        let output = at_home(home.path(), &COUNT).envs(variables.iter().copied()).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let csv = ("S3LOG_FORMAT", "csv");
    assert!(printed(&[], &[]).starts_with('['));
    assert_eq!(printed(&[csv], &[]), "1,of the file\n");
    assert_eq!(printed(&[csv], &["-F", "tsv"]), "1\tof the file\n");
    assert_eq!(printed(&[csv, ("S3LOG_NULL", "of the variable")], &[]), "1,of the variable\n");
    assert_eq!(printed(&[csv, ("S3LOG_NULL", "x")], &["--null", "of the flag"]), "1,of the flag\n");
    // The variable turns off a switch that the file turns on.
    assert_eq!(printed(&[csv, ("S3LOG_NO_HEADER", "0")], &[]), "n,nothing\n1,of the file\n");
    // Without the file.
    assert_eq!(printed(&[], &["--config", ""]), "n,nothing\n1,\n");
    assert_eq!(printed(&[("S3LOG_CONFIG", "")], &[]), "n,nothing\n1,\n");
}

#[test]
fn empty_variables_are_not_set() {
    let home = home("format = 'json'\n");
    let variables = ["FORMAT", "OUTPUT", "SINCE", "THREADS", "MEMORY", "COLOR", "REGION", "PROFILE", "QUIET", "LAYOUT"];
    let variables = variables.map(|name| (format!("S3LOG_{name}"), ""));
    let output = at_home(home.path(), &COUNT).envs(variables).output().unwrap();
    assert_eq!(transcript(&output), "exit 0\n--- stdout\n[\n{\"n\":1,\"nothing\":null}\n]\n");
}

#[test]
fn prices_are_printed_whatever_the_variables() {
    let home = home("");
    let mut plan = at_home(home.path(), &["plan", "--print-prices"]);
    let output = plan.env("S3LOG_QUIET", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    assert!(!output.stdout.is_empty());
    let printed = said(home.path(), &mut at_home(home.path(), &["plan", "--print-prices", LOGS]));
    assert!(printed.starts_with("exit 2") && printed.contains("cannot be used with"), "{printed}");
    let printed = said(home.path(), &mut at_home(home.path(), &["plan"]));
    assert!(printed.starts_with("exit 2") && printed.contains("required"), "{printed}");
}

#[test]
fn lists_and_tables_of_commands() {
    let home = home(
        "map = ['cdn.example.com=films', 'www.example.com=site']\nmax-rejects = 0\n\n[check]\nmax-rejects = '20%'\n",
    );
    let logs = [LOGS, "fixtures/rejects/bad-time.log"];
    let code = |command: &[&str], flags: &[&str]| {
        at_home(home.path(), command).args(logs).args(flags).output().unwrap().status.code()
    };
    let query = ["query", "SELECT count(*) FROM logs"];
    assert_eq!(code(&query, &[]), Some(3));
    assert_eq!(code(&query, &["--max-rejects", "13"]), Some(0));
    assert_eq!(code(&["check"], &[]), Some(0));

    let buckets = |home: &Path, flags: &[&str]| {
        let sql = "SELECT coalesce(bucket, '-') FROM requests WHERE source = 'cdn' GROUP BY 1 ORDER BY 1";
        let mut command = at_home(home, &["query", sql, "fixtures/mixed", "fixtures/cdn/v2.log", "--no-header", "-q"]);
        String::from_utf8(command.args(["--max-rejects", "100%"]).args(flags).output().unwrap().stdout).unwrap()
    };
    let nobody = Path::new("/nonexistent");
    let both = buckets(nobody, &["--map", "cdn.example.com=films,www.example.com=site"]);
    assert!(both.contains("films\n") && both.contains("site\n"), "{both}");
    assert_eq!(buckets(home.path(), &[]), both);
    // The command line replaces the whole list.
    let one = ["--map", "www.example.com=site"];
    assert_eq!(buckets(home.path(), &one), buckets(nobody, &one));
    assert_ne!(buckets(nobody, &one), both);
}

#[test]
fn the_file_is_the_users_or_the_one_that_is_named() {
    let user = home("[query]\nformat = 'json'");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let other = write("other.toml", "[query]\nformat = 'ndjson'");
    write("xdg/s3log/s3log.toml", "[query]\nformat = 'tsv'\nno-header = true");
    let begins = |command: &mut Command, text: &str| {
        let output = command.output().unwrap();
        assert!(output.stdout.starts_with(text.as_bytes()), "{text}: {}", transcript(&output));
    };
    begins(&mut at_home(user.path(), &COUNT), "[");
    begins(at_home(user.path(), &COUNT).env("XDG_CONFIG_HOME", folder.path().join("xdg")), "1\t");
    begins(at_home(user.path(), &COUNT).env("S3LOG_CONFIG", &other), "{");
    begins(at_home(user.path(), &COUNT).env("S3LOG_CONFIG", "/nonexistent").arg("--config").arg(&other), "{");
    // Also before the command.
    begins(at_home(user.path(), &["--config"]).arg(&other).args(COUNT), "{");

    // Whoever wrote the logs may have put a file next to them, which must not be read.
    write("s3log.toml", "nothing = 'a mistake'");
    write(".config/s3log/s3log.toml", "nothing = 'a mistake'");
    begins(at_home(user.path(), &COUNT).current_dir(folder.path()), "[");
    begins(at_home(Path::new("."), &COUNT).current_dir(folder.path()), "n,nothing");
    begins(at_home(Path::new(""), &COUNT).env("XDG_CONFIG_HOME", ".config").current_dir(folder.path()), "n,nothing");
    begins(s3log().args(COUNT).env_remove("HOME").current_dir(folder.path()), "n,nothing");
}

#[test]
fn files_that_it_names_stand_beside_it() {
    let home = home("[query]\ncdn-cidr = 'cdn.txt'\n");
    let query = ["query", "SELECT 1", LOGS];
    let output = said(home.path(), &mut at_home(home.path(), &query));
    assert!(output.contains("cannot read `HOME/.config/s3log/cdn.txt`"), "{output}");
    std::fs::write(home.path().join(".config/s3log/cdn.txt"), "192.0.2.0/24\n").unwrap();
    assert!(at_home(home.path(), &query).output().unwrap().status.success());
}

#[test]
fn a_file_that_is_wrong() {
    let mut text = String::new();
    for (file, arguments) in [
        ("threads = 2\nmemroy = '1GiB'\n", &COUNT[..]),
        ("[check]\nbloom = ['key']\n", &COUNT),
        ("strict = 'yes'\n", &COUNT),
        ("memory = 'lots'\n", &COUNT),
        ("format = 'table'\noutput = 'x.csv'\n", &COUNT),
        ("# fine\nthreads = \n", &COUNT),
        // Whatever the command.
        ("[qurey]\n", &["schema", "logs"]),
        // Invalid arguments are reported as without the file.
        ("threads = 2\n", &["query", "SELECT 1", "--theads", "3"]),
        ("threads = 2\n", &["convert", "logs"]),
    ] {
        let home = home(file);
        let printed = said(home.path(), &mut at_home(home.path(), arguments));
        text.push_str(&format!("{file}$ s3log {}\n{printed}\n", arguments.join(" ")));
    }
    assert_snapshot!(text);
    let home = home("threads = 2\n");
    for named in ["nowhere.toml", "."] {
        let output = at_home(home.path(), &COUNT).args(["--config", named]).output().unwrap();
        let printed = transcript(&output);
        assert!(printed.starts_with("exit 2") && printed.contains(&format!("`{named}`")), "{printed}");
    }
}

#[test]
fn help_shows_nothing_of_it_and_does_not_need_it() {
    let home = home(
        "endpoint-url = 'https://internal.example.com'\nlayout = 'none'\n[query]\nsince = '7d'\nnull = 'secret'\n",
    );
    let wrong = self::home("nothing = 'a mistake'");
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help", "query"],
        &["query", "--help"],
        &["query", "-h"],
        &["--version"],
        &[],
        &["keys"],
        &["completions", "bash"],
        &["man", "query"],
    ] {
        let plain = transcript(&s3log().args(arguments).output().unwrap());
        assert_eq!(said(home.path(), &mut at_home(home.path(), arguments)), plain, "{arguments:?}");
        if !["keys", "completions", "man"].iter().any(|command| arguments.first() == Some(command)) {
            assert_eq!(said(wrong.path(), &mut at_home(wrong.path(), arguments)), plain, "{arguments:?}");
        }
    }
}

#[test]
fn a_doctor_says_which_file_it_is_and_what_it_decides() {
    let home = home("region = 'eu-west-1'\nendpoint-url = 'https://s3.example.com'\nno-sign-request = true\n");
    let other = home.path().join("other.toml");
    std::fs::write(&other, "addressing = 'path'\nno-sign-request = true\n").unwrap();
    let other = other.to_str().unwrap();
    let mut text = String::new();
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 5] = [
        (&[], &["--region", "us-west-2"]),
        (&[("S3LOG_ENDPOINT_URL", "https://s3.example.org")], &[]),
        (&[("S3LOG_CONFIG", other)], &[]),
        (&[], &["--config", other, "--addressing", "virtual"]),
        (&[("S3LOG_CONFIG", "")], &["--no-sign-request"]),
    ];
    for (variables, flags) in cases {
        let mut command = at_home(home.path(), &["doctor"]);
        let printed = said(home.path(), command.args(flags).envs(variables.iter().copied()));
        text.push_str(&format!("{variables:?} {flags:?}\n{printed}\n").replace(home.path().to_str().unwrap(), "HOME"));
    }
    let home = tempfile::tempdir().unwrap();
    text.push_str(&said(home.path(), &mut at_home(home.path(), &["doctor", "--no-sign-request"])));
    assert_snapshot!(text);
}
