//! What must not get into a dataset is in none of its files: not in rows, statistics, dictionaries, rejects, or the
//! ledger.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;

use super::source::Logs;
use super::world::{Place, World};

/// Addresses of requesters, which occur in records, in rejects, and in unknown fields.
const ADDRESSES: [&str; 4] = ["192.0.2.131", "198.51.100.177", "203.0.113.209", "2001:db8:1:2:3:4:5:17"];
/// Places where secrets occur.
const SECRETS: [(&str, &str); 5] = [
    ("/k?X-Amz-Credential=AKIAEXAMPLE&X-Amz-Signature=", "deadbeef00sigv4sigv4sigv4"),
    ("/k?X-Amz-Security-Token=", "FwoGZXIvYXdzEXAMPLETOKEN"),
    ("/k?AWSAccessKeyId=AKIAEXAMPLE&Expires=1&Signature=", "c2lndjJzaWd2MnNpZ3Yy"),
    ("/k?a=1&access_token=", "ya29.EXAMPLE-oauth"),
    ("/k?id=7&x-amz-signature=", "lowercase00sigv4sigv4"),
];

/// An object with a secret and an address in each line.
fn object() -> Bytes {
    let mut text = String::new();
    let mut number = 0;
    for address in ADDRESSES {
        for (begin, secret) in SECRETS {
            number += 1;
            let uri = format!("{begin}{secret}");
            let head = format!(
                "0123456789abcdef photos [02/Feb/2026:10:00:{number:02} +0000] {address} - 5EC2E7{number:010X}"
            );
            let tail = "- aWQ= SigV4 - AuthHeader photos.s3.us-east-1.amazonaws.com TLSv1.2 - -";
            text.push_str(&format!(
                "{head} REST.GET.OBJECT k \"GET {uri} HTTP/1.1\" 200 - 5 5 7 - \"https://example.com{uri}\" \"curl/8\" {tail} - {address}\n"
            ));
            // Not a record, because it has no valid time.
            text.push_str(&format!(
                "0123456789abcdef photos [02/Foo/2026:10:00:00 +0000] {address} - 5EC2E7 REST.GET.OBJECT k \"GET {uri} HTTP/1.1\" 200\n"
            ));
        }
    }
    text.into()
}

/// Converts with and without compression: without it, secrets can be found in the bytes.
fn convert(world: &World, name: &str, flags: &[&str]) -> BTreeMap<String, Bytes> {
    let [dataset, rejects] =
        [name.to_owned(), format!("{name}-rejects")].map(|name| world.path(&name).display().to_string());
    let source = world.source();
    let mut command = world.program();
    command.args(["convert", &source, "--to", &dataset, "--rejects", &rejects, "--compression", "none"]);
    command.args(["--bloom", "remote_ip,request_uri"]).args(flags);
    world.spawn(command).wait().expect(0);
    let mut files = world.files(name);
    files.extend(
        world.files(&format!("{name}-rejects")).into_iter().map(|(name, bytes)| (format!("rejects/{name}"), bytes)),
    );
    assert!(files.keys().any(|name| name.starts_with("rejects/") && name.ends_with(".parquet")));
    // What is always compressed, such as lists of log objects, is checked by reading it.
    let all = |sql: &str| {
        let path = world.path("all.json");
        let mut command = world.program();
        command.args(["query", "-q", sql, &dataset, "-F", "jsonl", "-o"]).arg(&path);
        world.spawn(command).wait().expect(0);
        Bytes::from(fs::read(path).unwrap())
    };
    files.insert("logs".to_owned(), all("SELECT * FROM logs"));
    files.insert("rejects".to_owned(), all("SELECT * FROM rejects"));
    files
}

/// The files that contain a text.
fn found<'a>(files: &'a BTreeMap<String, Bytes>, text: &str) -> Vec<&'a str> {
    let has = |bytes: &Bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    files.iter().filter(|(_, bytes)| has(bytes)).map(|(name, _)| name.as_str()).collect()
}

fn world() -> World {
    let world = World::new(Place::Directory, &Logs::new(0, 81));
    world.put_object("2026-02-02-10-30-00-5EC2E70000000001", object());
    world
}

#[test]
fn secrets_are_nowhere() {
    let world = world();
    let open = convert(&world, "open", &["--redact-uri=false"]);
    let redacted = convert(&world, "redacted", &[]);
    for (_, secret) in SECRETS {
        // Without redaction, the secrets are in records, in rejects and in query results; otherwise this test would
        // prove nothing.
        assert!(found(&open, secret).len() >= 4, "{secret}: {:?}", found(&open, secret));
        assert_eq!(found(&redacted, secret), [""; 0], "{secret}");
    }
    assert!(found(&redacted, "AKIAEXAMPLE").len() >= 4 && found(&redacted, "X-Amz-Signature=REDACTED").len() >= 4);
}

#[test]
fn addresses_are_nowhere() {
    let world = world();
    let key = world.path("ip.key");
    fs::write(&key, "0123456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0\n").unwrap();
    let key_file = key.display().to_string();
    let open = convert(&world, "open", &[]);
    for address in ADDRESSES {
        assert!(found(&open, address).len() >= 4, "{address}: {:?}", found(&open, address));
    }
    let modes: [(&str, &[&str]); 3] = [("truncate", &[]), ("keyed", &["--ip-key", &key_file]), ("drop", &[])];
    let sql = "SELECT count(*), count(remote_ip), count(DISTINCT remote_ip), count(extra_fields) FROM logs";
    for (mode, flags) in modes {
        let files = convert(&world, mode, &[&["--anonymize-ip", mode], flags].concat());
        for address in ADDRESSES {
            assert_eq!(found(&files, address), [""; 0], "{address} after {mode}");
        }
        let dataset = world.path(mode).display().to_string();
        let expected = if mode == "drop" { "20,0,0,20\n" } else { "20,20,4,20\n" };
        assert_eq!(world.ask(sql, &dataset), expected, "{mode}");
        let settings = &files["_s3log/dataset.json"];
        assert!(String::from_utf8_lossy(settings).contains(&format!("\"anonymize_ip\": \"{mode}\"")));
        assert_eq!(found(&files, "0123456789abcdeffedcba98765432100f1e2d3c"), [""; 0], "the key");
    }
    let truncated =
        world.ask("SELECT DISTINCT remote_ip FROM logs ORDER BY 1", &world.path("truncate").display().to_string());
    assert_eq!(truncated, "192.0.2.0\n198.51.100.0\n2001:db8:1::\n203.0.113.0\n");

    // Another key would encrypt the same addresses differently.
    let dataset = world.path("keyed").display().to_string();
    let source = world.source();
    let again = |key: &str| {
        fs::write(world.path("other.key"), key).unwrap();
        let mut command = world.program();
        command.args(["convert", &source, "--to", &dataset, "--anonymize-ip", "keyed", "--ip-key", "other.key"]);
        world.spawn(command).wait()
    };
    again("ff23456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0").expect_failure(&["key"]);
    again("0123456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0").expect(0);
}

/// Merged files contain no more than the files they were merged from.
#[test]
fn compaction_brings_nothing_back() {
    let world = world();
    let mut files = BTreeMap::new();
    for name in ["2026-02-02-10-30-00-5EC2E70000000002", "2026-02-02-10-30-00-5EC2E70000000003"] {
        world.put_object(name, object());
        files = convert(&world, "set", &["--anonymize-ip", "drop"]);
    }
    assert_eq!(files.keys().filter(|name| name.starts_with("day=")).count(), 2);
    let mut command = world.program();
    command.args(["compact", &world.path("set").display().to_string(), "--compression", "none", "--older-than", "1d"]);
    assert!(world.spawn(command).wait().expect(0).stdout.contains("became 1, "));
    let files = world.files("set");
    for text in ADDRESSES.into_iter().chain(SECRETS.map(|(_, secret)| secret)) {
        assert_eq!(found(&files, text), [""; 0], "{text}");
    }
}
