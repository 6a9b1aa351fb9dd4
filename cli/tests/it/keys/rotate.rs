//! `s3log keys rotate`: what would be sent, what is sent, and where the secret goes.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;

/// Runs a rotation that writes the secret to a file in a new directory.
fn apply(server: &Answers, arguments: &[&str]) -> (String, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.credentials");
    let mut all = vec!["rotate", "--apply", "--credentials", file.to_str().unwrap()];
    all.extend(arguments);
    let output = program(&server.endpoint(), &all).output().unwrap();
    let endpoint = server.endpoint();
    let replaced = [(endpoint.as_str(), "http://API"), (directory.path().to_str().unwrap(), "DIR")];
    (printed(&output, &replaced), directory)
}

fn names(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn posts(server: &Answers) -> Vec<String> {
    server
        .asked()
        .into_iter()
        .filter(|asked| asked.method != "GET")
        .map(|asked| format!("{} {}", asked.method, asked.body))
        .collect()
}

#[test]
fn what_would_be_done_is_shown() {
    let server = account();
    let endpoint = server.endpoint();
    let mut text = String::new();
    for arguments in [
        &["site"][..],
        &["DO00TWINB", "--name", "it's \u{202e}new", "--credentials", "a b/new.credentials"],
        &["administrator"],
        &["administrator", "--grant", "photos=read,site=readwrite", "--name", "reader"],
        &["unused", "--full-access", "--wider"],
        &[HOSTILE, "--grant", "photos=read", "--wider", "--name", "reader"],
    ] {
        let shown = run(&endpoint, &[&["rotate", "--dry-run"], arguments].concat());
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}') && !shown.contains('\u{9b}'), "{shown}");
        text.push_str(&format!("$ s3log keys rotate --dry-run {arguments:?}\n{shown}\n"));
    }
    assert_snapshot!(text);
    assert_eq!(posts(&server), Vec::<String>::new());
}

#[test]
fn a_key_is_made_and_its_secret_is_in_the_file_alone() {
    let server = account();
    let (shown, directory) = apply(&server, &["site", "-v"]);
    assert_snapshot!(shown);
    assert_eq!(
        posts(&server),
        [
            r#"POST {"name":"site-2","grants":[{"bucket":"photos","permission":"readwrite"},{"bucket":"site","permission":"read"}]}"#
        ]
    );
    let file = directory.path().join("new.credentials");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, format!("[site-2]\naws_access_key_id = DO00NEW\naws_secret_access_key = {SECRET}\n"));
    assert_eq!(names(directory.path()), ["new.credentials"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // AWS's libraries can read it.
    let doctor = s3log()
        .args(["doctor", "--profile", "site-2", "--region", "fra1", "-F", "csv"])
        .env("AWS_SHARED_CREDENTIALS_FILE", &file)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let doctor = printed(&doctor, &[]);
    assert!(doctor.contains("exit 0\n") && doctor.contains("site-2") && !doctor.contains("not found"), "{doctor}");

    let again = program(&server.endpoint(), &["rotate", "site", "--apply", "--credentials", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_snapshot!(printed(&again, &[(directory.path().to_str().unwrap(), "DIR")]));
    assert_eq!((fs::read_to_string(&file).unwrap(), posts(&server).len()), (text, 1));
}

#[test]
fn what_is_refused_before_anything_is_made() {
    let server = account();
    let endpoint = server.endpoint();
    let mut text = String::new();
    for (variables, arguments) in [
        (vec![], &["site"][..]),
        (vec![], &["site", "--dry-run", "--apply"]),
        (vec![("S3LOG_APPLY", "false")], &["site"]),
        (vec![("S3LOG_DRY_RUN", "1")], &["site", "--apply", "--credentials", "x"]),
        (vec![], &["site", "--apply"]),
        (vec![], &["site", "--apply", "--credentials", "no/such/folder/x"]),
        (vec![], &["--dry-run"]),
        (vec![], &["site", "--dry-run", "--full-access", "--grant", "photos=read"]),
        (vec![], &["site", "--dry-run", "--grant", "photos=read", "--grant", "photos=readwrite"]),
        (vec![], &["site", "--dry-run", "--grant", "photos=fullaccess"]),
        (vec![], &["site", "--dry-run", "--grant", "photos=read,logs=read"]),
        (vec![], &["site", "--dry-run", "--full-access"]),
        (vec![], &["site", "--dry-run", "--name", " "]),
        (vec![], &["twin", "--dry-run"]),
        (vec![], &["nobody", "--dry-run"]),
        (vec![], &["DO00NOBODY", "--dry-run"]),
        (vec![], &[HOSTILE, "--dry-run"]),
        (vec![], &[HOSTILE, "--dry-run", "--name", "reader"]),
    ] {
        let output = program(&endpoint, &["rotate"]).args(arguments).envs(variables.clone()).output().unwrap();
        let shown = printed(&output, &[(&endpoint, "http://API")]);
        text.push_str(&format!("$ {variables:?} s3log keys rotate {arguments:?}\n{shown}\n"));
    }
    assert_snapshot!(text);
    assert_eq!(posts(&server), Vec::<String>::new());
}

#[test]
fn a_request_that_fails_leaves_no_file() {
    let mut text = String::new();
    for failure in [
        Answer::json(400, json!({"id": "bad_request", "message": "no such bucket"}).to_string()),
        Answer::json(
            403,
            json!({"id": "forbidden", "message": "You do not have permission to perform this action."}).to_string(),
        ),
        Answer::json(500, ""),
        Answer::Break,
    ] {
        let server =
            Answers::start(move |asked| if asked.method == "POST" { failure.clone() } else { answer(asked, &keys()) });
        let (shown, directory) = apply(&server, &["site"]);
        text.push_str(&format!("{shown}\n"));
        assert_eq!((names(directory.path()).len(), posts(&server).len()), (0, 1));
    }
    assert_snapshot!(text);
}

#[test]
fn answers_that_do_not_fit_are_told() {
    let with = |change: fn(&mut Value)| {
        Answers::start(move |asked| match answer(asked, &keys()) {
            Answer::Reply(201, headers, body) => {
                let mut body: Value = serde_json::from_str(&body).unwrap();
                change(&mut body["key"]);
                Answer::Reply(201, headers, body.to_string())
            }
            other => other,
        })
    };
    let (shown, directory) =
        apply(&with(|key| key["grants"] = json!([{"bucket": "", "permission": "fullaccess"}])), &["site", "-q"]);
    let (others, is_kept) = (shown, names(directory.path()).len());
    let (shown, directory) = apply(&with(|key| key["access_key"] = "DO00SITE".into()), &["site"]);
    assert_eq!((is_kept, names(directory.path()).len()), (1, 1), "secrets are kept, whatever is wrong");
    assert_snapshot!(format!("{others}\n{shown}"));
}

/// With a limit on file size, the key is created, but its secret cannot be written.
#[cfg(unix)]
#[test]
fn a_secret_that_cannot_be_written_is_told_with_the_key_to_delete() {
    let server = account();
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"])
        .arg(assert_cmd::cargo::cargo_bin!("s3log"))
        .args(["keys", "rotate", "site", "--apply", "--api-url", &server.endpoint(), "--credentials"])
        .arg(directory.path().join("new.credentials"))
        .env_clear()
        .env("DIGITALOCEAN_ACCESS_TOKEN", TOKEN)
        .output()
        .unwrap();
    assert_snapshot!(printed(&output, &[(directory.path().to_str().unwrap(), "DIR")]));
    assert_eq!((names(directory.path()).len(), posts(&server).len()), (0, 1));
}

/// The first Ctrl-C waits for the answer, because a key may be being created; the second does not, and says so.
#[cfg(unix)]
#[test]
fn interrupted_while_a_key_is_made() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    for (times, timeout) in [(1, "1s"), (2, "60s")] {
        let server =
            Answers::start(|asked| if asked.method == "POST" { Answer::Silence } else { answer(asked, &keys()) });
        let directory = tempfile::tempdir().unwrap();
        let child = Command::new(assert_cmd::cargo::cargo_bin!("s3log"))
            .args([
                "keys",
                "rotate",
                "site",
                "--apply",
                "--api-timeout",
                timeout,
                "--api-url",
                &server.endpoint(),
                "--credentials",
            ])
            .arg(directory.path().join("new.credentials"))
            .env_clear()
            .env("DIGITALOCEAN_ACCESS_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while posts(&server).is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it asks for a key");
            std::thread::sleep(Duration::from_millis(10));
        }
        for _ in 0..times {
            let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(killed.success());
            // Two simultaneous signals would count as one.
            std::thread::sleep(Duration::from_millis(300));
        }
        let shown = printed(&child.wait_with_output().unwrap(), &[(&server.endpoint(), "http://API")]);
        let (exit, said) =
            if times == 1 { ("exit 1\n", "no answer within 1s") } else { ("exit 130\n", "warning: it is unknown") };
        assert!(shown.starts_with(exit) && shown.contains(said), "{shown}");
        assert!(shown.contains("it is unknown whether the key `site-2` was created"), "{shown}");
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}

#[test]
fn keys_of_a_server_that_others_wrote() {
    for (prism, id) in prisms() {
        let endpoint = prism.endpoint();
        let shown = run(&endpoint, &["rotate", id, "--dry-run"]);
        assert!(
            shown.starts_with("exit 0\n")
                && shown.contains(&format!("doctl --api-url http://API spaces keys delete {id}\n")),
            "{shown}"
        );
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new.credentials");
        let output =
            program(&endpoint, &["rotate", id, "--apply", "--credentials", file.to_str().unwrap()]).output().unwrap();
        let shown = printed(&output, &[(&endpoint, "http://API")]);
        let written = fs::read_to_string(&file).unwrap();
        // In DigitalOcean's description every key has the same id, which must be detected.
        let secret = if id == "DOACCESSKEYEXAMPLE" {
            assert!(shown.contains("the API gave the new key the id of the old one"), "{shown}");
            "DOSECRETKEYEXAMPLE"
        } else {
            assert!(shown.starts_with("exit 0\n") && shown.contains("1. The new key is DO00EXAMPLENEW"), "{shown}");
            "invented/secret+of-a-fixture"
        };
        assert!(written.contains(secret) && !shown.contains(secret), "{shown}");
    }
}
