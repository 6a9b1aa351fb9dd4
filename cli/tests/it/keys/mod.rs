//! `s3log keys`: listing and creating keys, sources of tokens, and that secrets are never shown.

mod audit;
mod list;
mod rotate;

use std::path::{Path, PathBuf};
use std::process::Output;

use s3log_test_server::{Answer, Answers, Asked, Prism};
use serde_json::{Value, json};

use super::{s3log, transcript};

const TOKEN: &str = "dop_v1_0123456789abcdef";
const SECRET: &str = "invented/secret+of-a-test";
const HOSTILE: &str = "\u{1b}[2Jerror: \u{202e}eman\n";

/// The keys of an account, unsorted.
fn keys() -> Vec<Value> {
    let key = |name: &str, id: &str, created: &str, grants: Value| json!({"name": name, "access_key": id, "created_at": created, "grants": grants});
    let grant = |bucket: &str, permission: &str| json!({"bucket": bucket, "permission": permission});
    vec![
        key("site", "DO00SITE", "2026-01-05T08:00:00Z", json!([grant("photos", "readwrite"), grant("site", "read")])),
        key("twin", "DO00TWINB", "2026-01-03T08:00:00Z", json!([grant("photos", "read")])),
        key("twin", "DO00TWINA", "2026-01-04T08:00:00Z", json!([grant("photos", "read")])),
        key("administrator", "DO00ADMIN", "2025-11-20T17:30:00Z", json!([grant("", "fullaccess")])),
        key("unused", "DO00UNUSED", "2024-02-29T12:00:00Z", json!([])),
        key(HOSTILE, "DO00HOSTILE", "2026-01-06T08:00:00Z", json!([grant("\u{9b}31m$(id)", "list")])),
    ]
}

/// The API's answer for an account with these keys, or an error if the token is missing.
fn answer(asked: &Asked, keys: &[Value]) -> Answer {
    if asked.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        let said = json!({"id": "unauthorized", "message": "Unable to authenticate you."});
        return Answer::json(401, said.to_string());
    }
    let path = asked.target.split('?').next().unwrap();
    match (asked.method.as_str(), path.strip_prefix("/v2/spaces/keys").unwrap()) {
        ("GET", "") => Answer::json(200, json!({"keys": keys, "links": {}, "meta": {"total": keys.len()}}).to_string()),
        ("GET", id) => match keys.iter().find(|key| key["access_key"] == id[1..]) {
            Some(key) => Answer::json(200, json!({ "key": key }).to_string()),
            None => Answer::json(
                404,
                json!({"id": "not_found", "message": "The resource you requested could not be found."}).to_string(),
            ),
        },
        ("POST", "") => {
            let mut key: Value = serde_json::from_str(&asked.body).unwrap();
            key["access_key"] = "DO00NEW".into();
            key["secret_key"] = SECRET.into();
            key["created_at"] = "2026-02-01T09:00:00Z".into();
            Answer::json(201, json!({ "key": key }).to_string())
        }
        other => panic!("{other:?}"),
    }
}

fn account() -> Answers {
    Answers::start(|asked| answer(asked, &keys()))
}

/// The program with a token and this API.
fn program(endpoint: &str, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = s3log();
    command.args(["keys"]).args(arguments).args(["--api-url", endpoint]).env("DIGITALOCEAN_ACCESS_TOKEN", TOKEN);
    command
}

/// The output without what changes between runs. Also verifies that it contains no secret.
fn printed(output: &Output, replaced: &[(&str, &str)]) -> String {
    let mut text = transcript(output);
    for secret in [TOKEN, SECRET, "Bearer dop"] {
        assert!(!text.contains(secret), "{text}");
    }
    for (what, by) in replaced {
        text = text.replace(what, by);
    }
    text
}

fn run(endpoint: &str, arguments: &[&str]) -> String {
    printed(&program(endpoint, arguments).output().unwrap(), &[(endpoint, "http://API")])
}

/// Independent servers that answer from descriptions of the API, each with the id of a key that it knows.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn prisms() -> Vec<(Prism, &'static str)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptions: [(PathBuf, _); 2] = [
        (root.join("../engine/tests/data/digitalocean/spaces-keys.yaml"), "DO00EXAMPLESITE"),
        (root.join("../../shared/digitalocean-openapi/specification/spaces-and-cdn.yaml"), "DOACCESSKEYEXAMPLE"),
    ];
    let mut prisms = Vec::new();
    for (description, id) in descriptions {
        if !description.is_file() {
            eprintln!("skipped: {} is not there", description.display());
            continue;
        }
        match Prism::start(Path::new(env!("CARGO_TARGET_TMPDIR")), &description) {
            Ok(prism) => prisms.push((prism, id)),
            Err(error) => eprintln!("skipped, no Prism: {error}"),
        }
    }
    prisms
}
