//! `s3log keys list`, and how the API is reached.

use std::fs;

use insta::assert_snapshot;
use s3log_engine::keys::keys_from_json;

use super::*;
use crate::exit_code;

#[test]
fn keys_in_formats() {
    let server = account();
    let endpoint = server.endpoint();
    for format in ["table", "csv", "json", "markdown", "line"] {
        let shown = run(&endpoint, &["list", "-F", format]);
        // Output to a terminal is escaped; these are pipes.
        assert_snapshot!(
            format!("list_{format}"),
            shown.replace('\u{1b}', "ESC").replace('\u{9b}', "CSI").replace('\u{202e}', "RLO")
        );
    }
    assert_eq!(run(&endpoint, &["list"]), run(&endpoint, &["list", "-F", "csv"]));
    for format in ["tsv", "ndjson", "parquet", "arrow", "null"] {
        let output = program(&endpoint, &["list", "-F", format]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), format == "null"), "{format}");
    }
}

#[test]
fn what_is_printed_as_json_is_read_again() {
    let server = account();
    let output = program(&server.endpoint(), &["list", "-F", "json"]).output().unwrap();
    let read = keys_from_json(&output.stdout).unwrap();
    let told = keys_from_json(serde_json::to_string(&keys()).unwrap().as_bytes()).unwrap();
    assert_eq!(read, told);
    assert_eq!(read.len(), 6);
}

#[test]
fn the_api_chooses() {
    let server = account();
    run(&server.endpoint(), &["list", "--bucket", "a b", "--permission", "readwrite", "--name", "x&page=2"]);
    let base = "/v2/spaces/keys?per_page=200&sort=created_at&sort_direction=asc";
    assert_eq!(server.asked()[0].target, format!("{base}&name=x%26page%3D2&bucket=a+b&permission=readwrite"));
    let nobody = Answers::start(|asked| answer(asked, &[]));
    assert_snapshot!(run(&nobody.endpoint(), &["list", "--name", "nobody", "-F", "table"]));
    assert_snapshot!(run(&nobody.endpoint(), &["list", "-F", "json"]));
}

#[test]
fn a_list_that_is_not_whole_ends_with_three() {
    let server = Answers::start(|_| Answer::json(200, json!({"keys": [], "meta": {"total": 2}}).to_string()));
    assert_snapshot!(run(&server.endpoint(), &["list", "-q"]));
}

#[test]
fn errors() {
    let server = account();
    let endpoint = server.endpoint();
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let two = directory.path().join("two");
    fs::write(&two, format!("{TOKEN}\n{TOKEN}\n")).unwrap();
    let scope = Answers::start(|_| Answer::json(403, json!({"id": "forbidden", "message": HOSTILE}).to_string()));
    let mut text = String::new();
    for (what, url, variables, arguments) in [
        ("no token", endpoint.as_str(), vec![("DIGITALOCEAN_ACCESS_TOKEN", "")], vec![]),
        ("another token", &endpoint, vec![("DIGITALOCEAN_ACCESS_TOKEN", "dop_v1_other")], vec![]),
        ("a token of two words", &endpoint, vec![("DIGITALOCEAN_ACCESS_TOKEN", "dop_v1_0123456789abcdef x")], vec![]),
        ("a file without a token", &endpoint, vec![], vec!["-q", "--token-file", empty.to_str().unwrap()]),
        ("a file with two", &endpoint, vec![], vec!["-q", "--token-file", two.to_str().unwrap()]),
        ("no file", &endpoint, vec![], vec!["--token-file", "no/such/file"]),
        ("no scope", &scope.endpoint(), vec![], vec![]),
        ("in the clear", "http://api.example", vec![], vec![]),
        ("a password", "https://me:dop_v1_0123456789abcdef@api.example", vec![], vec![]),
        ("no url", "api.example", vec![], vec![]),
        ("no permission", &endpoint, vec![], vec!["--permission", "write"]),
        ("no time", &endpoint, vec![], vec!["--api-timeout", "soon"]),
    ] {
        let output = program(url, &["list"]).args(&arguments).envs(variables).output().unwrap();
        let replaced = [
            (endpoint.as_str(), "http://API"),
            (&scope.endpoint(), "http://API"),
            (directory.path().to_str().unwrap(), "DIR"),
        ];
        text.push_str(&format!("## {what}\n{}\n", printed(&output, &replaced)));
    }
    assert_snapshot!(text);
    assert_eq!(exit_code(&["keys"]), Some(2));
    assert_eq!(exit_code(&["keys", "list", "--token", TOKEN]), Some(2), "a token is no argument");
}

/// Precedence: the flag, the variable of s3log, the variable of doctl.
#[test]
fn where_token_and_url_come_from() {
    let server = account();
    let endpoint = server.endpoint();
    let nowhere = "http://127.0.0.1:9";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, format!("{TOKEN}\r\n")).unwrap();
    let file = file.to_str().unwrap();
    let list = |variables: &[(&str, &str)], arguments: &[&str]| {
        let output =
            s3log().args(["keys", "list", "-v"]).args(arguments).envs(variables.iter().copied()).output().unwrap();
        let shown = printed(&output, &[]);
        assert_eq!(output.status.code(), Some(0), "{variables:?} {arguments:?}: {shown}");
        shown
    };
    let token = ("DIGITALOCEAN_ACCESS_TOKEN", TOKEN);
    let wrong = ("DIGITALOCEAN_ACCESS_TOKEN", "dop_v1_other");
    list(&[token, ("DIGITALOCEAN_API_URL", &endpoint)], &[]);
    list(&[token, ("DIGITALOCEAN_API_URL", nowhere), ("S3LOG_API_URL", &endpoint)], &[]);
    list(&[token, ("DIGITALOCEAN_API_URL", nowhere), ("S3LOG_API_URL", nowhere)], &["-u", &endpoint]);
    list(&[wrong, ("S3LOG_API_URL", &endpoint)], &["--token-file", file]);
    list(&[wrong, ("S3LOG_API_URL", &endpoint), ("S3LOG_TOKEN_FILE", file)], &[]);
    list(&[("S3LOG_API_URL", &endpoint), ("S3LOG_TOKEN_FILE", "no/such/file")], &["--token-file", file]);
}

#[cfg(unix)]
#[test]
fn a_token_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = account();
    let endpoint = server.endpoint();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let shown = run(&endpoint, &["list", "--token-file", file.to_str().unwrap()]);
        assert_eq!(shown.contains("warning: other users can read the token"), is_warned, "{mode:o}: {shown}");
        assert!(shown.starts_with("exit 0"), "{shown}");
    }
}

#[test]
fn pauses_are_told() {
    let server = Answers::start(|asked| match asked.number {
        0 => Answer::json(429, json!({"id": "too_many_requests", "message": "API rate limit exceeded."}).to_string())
            .with_header("retry-after", "1"),
        1 => Answer::Break,
        _ => answer(asked, &[]),
    });
    let shown = run(&server.endpoint(), &["list", "-v"]);
    assert!(shown.contains("note: the API answered 429 Too Many Requests: too_many_requests: API rate limit exceeded.; retrying in 1s\n"), "{shown}");
    assert!(shown.contains("note: the connection broke: ") && shown.contains("; retrying in 1s\n"), "{shown}");
}

#[test]
fn keys_of_a_server_that_others_wrote() {
    for (prism, id) in prisms() {
        let shown = run(&prism.endpoint(), &["list", "--permission", "read", "-F", "csv"]);
        assert!(shown.starts_with("exit 0\n") && shown.contains(id), "{shown}");
        let output = program(&prism.endpoint(), &["list"]).env("DIGITALOCEAN_ACCESS_TOKEN", "").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
    }
}
