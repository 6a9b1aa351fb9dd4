//! Messages of `convert` and `compact`: reports, refusals, help.

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::source::Logs;
use super::world::{Ended, Place, World};

/// Replaces what differs between runs.
const FILTERS: [(&str, &str); 9] = [
    (r"/[^ \n`]*/\.tmp[A-Za-z0-9]+", "[DIR]"),
    (r"\d{8}T\d{6}Z-[0-9a-f]{12}", "[RUNNER]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ by s3log \S+", "[TIME] by s3log [VERSION]"),
    (r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "since [TIME]"),
    (r"\d+\.\d{3} s", "[TIME] s"),
    (r"\d[\d.,]* (B|KiB|MiB)", "[SIZE]"),
    (r"on \S+, process \d+", "on [HOST], process [ID]"),
    (r"key [0-9a-f]{8,}", "key [KEY]"),
    (r"the run (\S+) on \S+ did", "the run $1 on [HOST] did"),
];

fn text(ended: &Ended) -> String {
    let code = ended.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let mut text = format!("exit {code}\n");
    for (name, said) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        if !said.is_empty() {
            text.push_str(&format!("--- {name}\n{said}"));
        }
    }
    text
}

/// Output of consecutive runs with these arguments.
fn transcript(world: &World, runs: &[&[&str]]) -> String {
    let one = |arguments: &&[&str]| {
        let mut command = world.program();
        command.args(*arguments);
        format!("$ s3log {}\n{}", arguments.join(" "), text(&world.spawn(command).wait()))
    };
    runs.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn reports() {
    let world = World::new(Place::Directory, &Logs::new(60, 101));
    let said = transcript(
        &world,
        &[
            &["convert", "logs", "--to", "set", "--dry-run"],
            &["convert", "logs/2026-01-31-[01]*", "--to", "set"],
            &["convert", "logs", "--to", "set", "--dry-run"],
            &["convert", "logs", "--to", "set", "--rejects", "rejects", "--dedupe", "record"],
            &["convert", "logs", "--to", "set"],
            &["convert", "--status", "set"],
            &["compact", "set", "--dry-run"],
            &["compact", "set"],
            &["compact", "set"],
            &["convert", "--status", "set"],
        ],
    );
    with_settings!({filters => FILTERS}, { assert_snapshot!(said) });
}

#[test]
fn what_was_not_converted() {
    let world = World::new(Place::Directory, &Logs::new(5, 102));
    world.put_object("2026-02-01-00-00-00-0000000000000BAD", b"\x1f\x8b\x08 no gzip at all".to_vec().into());
    let first = transcript(&world, &[&["convert", "logs", "--to", "set"]]);
    // One object is overwritten, and a new one contains no record.
    for (name, bytes) in Logs::new(1, 103).objects {
        world.put_object(&name, [&bytes[..], b"\n"].concat().into());
    }
    let second =
        transcript(&world, &[&["convert", "logs", "--to", "set", "--dry-run"], &["convert", "logs", "--to", "set"]]);
    let none = World::new(Place::Directory, &Logs::new(0, 104));
    none.put_object("one", b"no record\n".to_vec().into());
    let third = transcript(&none, &[&["convert", "logs", "--to", "set"], &["convert", "logs/none", "--to", "set"]]);
    let said = [first, second, third].join("\n");
    with_settings!({filters => FILTERS}, { assert_snapshot!(said) });
}

#[test]
fn refusals() {
    let world = World::new(Place::Directory, &Logs::new(5, 105));
    world.convert().expect(0);
    let key = world.path("key");
    std::fs::write(key, format!("{}\n", "0123456789abcdef".repeat(4))).unwrap();
    std::fs::create_dir_all(world.path("taken/day=2026-01-01")).unwrap();
    std::fs::write(world.path("taken/day=2026-01-01/x.parquet"), "").unwrap();
    let to = ["convert", "logs", "--to"];
    let of = |flags: &[&'static str]| [&to[..], flags].concat();
    let runs: Vec<Vec<&str>> = vec![
        of(&["set", "--partition-by", "day,bucket"]),
        of(&["set", "--redact-uri=false"]),
        of(&["set", "--anonymize-ip", "truncate"]),
        of(&["set", "--anonymize-ip", "keyed", "--ip-key", "key"]),
        of(&["set", "--anonymize-ip", "keyed"]),
        of(&["set", "--ip-key", "key"]),
        of(&["set", "--anonymize-ip", "hash"]),
        of(&["set", "--partition-by", "bucket"]),
        of(&["set", "--compression", "zstd:99"]),
        of(&["set", "--shard", "3/2"]),
        of(&["set", "--bloom", "ip"]),
        of(&["set", "--rejects", "set"]),
        of(&["new", "--rejects", "logs/../new"]),
        of(&["set", "--follow", "--dry-run"]),
        of(&["taken"]),
        of(&["logs"]),
        of(&["gs://bucket/set"]),
        vec!["convert", "logs"],
        vec!["convert", "--to", "set"],
        vec!["convert", "set", "--to", "other"],
        vec!["convert", "set", "--to", "other", "--dry-run"],
        vec!["convert", "logs", "set", "--to", "other"],
        vec!["convert", "-", "--to", "other"],
        vec!["convert", "--status", "logs"],
        vec!["convert", "--status", "set", "logs"],
        vec!["convert", "--status", "set", "--to", "other"],
        vec![
            "convert",
            "--status",
            "set",
            "--dry-run",
            "--follow",
            "--shard",
            "1/2",
            "--table",
            "logs",
            "--since",
            "1d",
            "--memory",
            "1GiB",
        ],
        vec!["check", "set"],
        vec!["compact", "logs"],
        vec!["compact", "set", "--older-than", "soon"],
    ];
    let before = world.objects();
    let said = transcript(&world, &runs.iter().map(Vec::as_slice).collect::<Vec<_>>());
    with_settings!({filters => FILTERS}, { assert_snapshot!(said) });
    assert_eq!(world.objects(), before, "what was refused wrote");
    assert_eq!(world.files("other"), Default::default());
}

#[test]
fn reports_for_programs_are_json() {
    let world = World::new(Place::Directory, &Logs::new(20, 106));
    let mut said = String::new();
    for arguments in [
        &["convert", "logs", "--to", "set", "--dry-run"][..],
        &["convert", "logs", "--to", "set", "--rejects", "rejects"],
        &["convert", "--status", "set"],
        &["compact", "set", "--dry-run"],
        &["compact", "set"],
    ] {
        let mut command = world.program();
        command.args(arguments).args(["-F", "json"]);
        let ended = world.spawn(command).wait().expect(0);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let names: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
        said.push_str(&format!("$ s3log {} -F json\n{}\n", arguments.join(" "), names.join("\n")));
    }
    assert_snapshot!(said);
}

/// Environment variables do not make flags of the command line invalid.
#[test]
fn the_environment_does_not_get_in_the_way() {
    let world = World::new(Place::Directory, &Logs::new(5, 107));
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.program();
        command.args(arguments).envs(variables.iter().copied());
        world.spawn(command).wait().expect(0)
    };
    let to = ("S3LOG_TO", "set");
    run(&["convert", "logs"], &[to]);
    assert!(run(&["convert", "--status", "set"], &[to]).stdout.contains("log objects  5 converted"));
    let others = [to, ("S3LOG_DRY_RUN", "true"), ("S3LOG_SHARD", "1/2"), ("S3LOG_SINCE", "1d"), ("S3LOG_THREADS", "1")];
    assert!(
        run(&["convert", "--status", "set", "-v", "--region", "x"], &others)
            .stdout
            .contains("log objects  5 converted")
    );
    run(&["convert", "logs", "--follow=1s", "--max-runtime", "100ms"], &[to, ("S3LOG_DRY_RUN", "false")]);
    assert_eq!(world.data_files(), world.committed());
}
