//! Options of a run: shards, time limits, repetition, dry runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use s3log_test_server::{Kind, Matching, Moment};
use serde_json::Value;

use super::source::Logs;
use super::world::{Ended, Place, World, signal};

const PATIENCE: Duration = Duration::from_secs(30);

/// The JSON report of a run.
fn report(ended: &Ended) -> BTreeMap<String, Value> {
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn shards_at_once_are_everything_once() {
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &Logs::new(90, 61));
        let expected = world.expected();
        let flags = |shard| ["--shard", shard, "-F", "json"];
        let runs: Vec<_> = ["1/3", "2/3", "3/3"].into_iter().map(|shard| world.begin_with(&flags(shard))).collect();
        let reports: Vec<_> = runs.into_iter().map(|run| report(&run.wait().expect(0))).collect();
        let objects: Vec<u64> = reports.iter().map(|report| report["objects"].as_u64().unwrap()).collect();
        assert_eq!(objects.iter().sum::<u64>(), 90);
        assert!(objects.iter().all(|objects| *objects > 10), "{objects:?}");
        for (report, objects) in reports.iter().zip(objects) {
            assert_eq!(report["objects_of_other_shards"], 90 - objects);
        }
        world.verify(&expected);
    }
}

#[test]
fn a_run_ends_when_its_time_is_over_and_the_next_one_goes_on() {
    let world = World::new(Place::Bucket, &Logs::new(90, 62));
    let expected = world.expected();
    let get = Matching::kind(Kind::Get).key_contains("access/").skip(40);
    let hold = world.store().proxy.hold(Moment::Before, get, 1);
    // Everything is in one batch, which is only partly read when time runs out.
    let limit = Duration::from_millis(1_500);
    let begin = Instant::now();
    let run = world.begin_with(&[
        "--batch-objects",
        "1000",
        "--batch-size",
        "1GiB",
        "--max-runtime",
        "1500ms",
        "-F",
        "json",
        "--concurrency",
        "4",
    ]);
    assert!(hold.wait_for(1, PATIENCE), "it reads too little");
    std::thread::sleep((limit + Duration::from_millis(300)).saturating_sub(begin.elapsed()));
    hold.release();
    world.store().proxy.clear();
    let ended = run.wait().expect(0);
    assert!(ended.stderr.contains("note: stopped after --max-runtime; run again to continue"), "{}", ended.stderr);
    let report = report(&ended);
    assert_eq!((&report["stopped"], &report["batches"]), (&Value::from(true), &Value::from(1)));
    let objects = report["objects"].as_u64().unwrap();
    assert!((30..90).contains(&objects), "{objects} log objects");
    assert_eq!(world.verify_so_far(&expected).by_log_object().len() as u64, objects);
    let ended = world.run(&["--max-runtime", "1h", "-F", "json"]).expect(0);
    let report: BTreeMap<String, Value> = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&report["stopped"], &report["objects"]), (&Value::from(false), &Value::from(90 - objects)));
    world.verify(&expected);
}

#[test]
fn no_time_at_all_is_no_harm() {
    let world = World::new(Place::Directory, &Logs::new(60, 63));
    let expected = world.expected();
    for limit in ["0s", "1ms", "20ms", "50ms", "100ms", "200ms"] {
        world.run(&["--max-runtime", limit]).expect(0);
        world.verify_so_far(&expected);
        world.verify_no_stray();
    }
    world.convert().expect(0);
    world.verify(&expected);
}

#[test]
fn following_takes_what_comes_until_it_is_told_to_end() {
    for (place, how) in [(Place::Directory, "-INT"), (Place::Bucket, "-TERM")] {
        let logs = Logs::new(30, 64);
        let world = World::new(place, &Logs { objects: Vec::new(), ..logs });
        world.put_object(&logs.objects[0].0, logs.objects[0].1.clone());
        let mut run = world.begin_with(&["--follow=1s"]);
        let mut wait_for = |objects: usize| {
            let begin = Instant::now();
            loop {
                let count = world.status().map_or(Value::Null, |status| status["counts"]["objects"].clone());
                if count == objects {
                    return;
                }
                assert!(begin.elapsed() < PATIENCE && !run.has_ended(), "{count} log objects instead of {objects}");
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        wait_for(1);
        for (name, bytes) in &logs.objects[1..] {
            world.put_object(name, bytes.clone());
        }
        wait_for(30);
        signal(&run, how);
        let ended = run.wait().expect(130);
        let accounts = ended.stdout.lines().filter(|line| line.starts_with("lines = rows + rejects: ")).count();
        // Rounds without work print nothing.
        assert!((2..=4).contains(&accounts), "{}", ended.stdout);
        world.verify_no_stray_but(&["_s3log/runners/"]);
        world.verify(&world.expected());
    }
}

/// Whatever bucket name a request contains, the run continues, and the record can be found by it.
#[test]
fn a_bucket_whose_name_is_too_long_for_a_folder() {
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &Logs::new(5, 68));
        let names = ["A".repeat(300), format!("{}B", "A".repeat(299)), "\u{e9}".repeat(100)];
        let lines: String = names
            .iter()
            .enumerate()
            .map(|(number, name)| {
                format!(
                    "- {name} [02/Feb/2026:10:00:0{number} +0000] 192.0.2.3 - LONG{number} REST.GET.OBJECT k \
                     \"GET /k HTTP/1.1\" 404 NoSuchBucket 1 - 7 - \"-\" \"curl/8.4.0\" -\n"
                )
            })
            .collect();
        world.put_object("2026-02-02-11-00-00-0123456789ABCDEF", lines.into());
        world.run(&["--partition-by", "day,bucket"]).expect(0);
        for (number, name) in names.iter().enumerate() {
            let sql = format!("SELECT request_id FROM logs WHERE bucket = '{name}'");
            assert_eq!(world.ask(&sql, &world.dataset()), format!("LONG{number}\n"));
        }
        let mut command = world.program();
        command.args(["compact", &world.dataset()]);
        world.spawn(command).wait().expect(0);
        world.verify_committed(&world.expected());
    }
}

#[test]
fn following_waits_for_what_is_not_there_yet() {
    let world = World::new(Place::Directory, &Logs::new(0, 65));
    let mut run = world.begin_with(&["--follow=1s", "--max-runtime", "4s"]);
    assert!(!run.wait_until(Duration::from_millis(500)), "{:?}", run.kill());
    world.put(&Logs::new(5, 65));
    let ended = run.wait().expect(0);
    assert!(ended.stderr.contains("note: "), "{}", ended.stderr);
    world.verify(&world.expected());
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_the_run_then_does() {
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &Logs::new(80, 66));
        for (flags, exists) in [
            (&["--shard", "1/2"][..], false),
            (&["--until", "2026-02-01"], true),
            (&["--batch-objects", "7"], true),
            (&[], true),
        ] {
            let before = world.objects();
            let would = report(&world.run(&[flags, &["--dry-run", "-F", "json"]].concat()).expect(0));
            let text = world.run(&[flags, &["--dry-run"]].concat()).expect(0).stdout;
            assert_eq!(world.objects(), before, "a dry run wrote");
            assert!(exists || !world.path("set").exists());
            let did = report(&world.run(&[flags, &["-F", "json"]].concat()).expect(0));
            for name in would.keys().filter(|name| *name != "exists") {
                assert_eq!(would[name], did[name], "{name} with {flags:?}");
            }
            assert_eq!(would["exists"], exists);
            assert!(text.contains(&format!("{} to convert", would["objects"])), "{text}");
        }
        world.verify(&world.expected());
    }
}

#[test]
fn log_objects_are_chosen_by_their_names_and_converted_whole() {
    for place in [Place::Directory, Place::Bucket] {
        // A day and a half from 2026-01-31 on. No object contains records later than its name.
        let logs = Logs::new(90, 67);
        let world = World::new(place, &logs);
        let expected = world.expected();
        let did = report(&world.run(&["--since", "2026-02-01T00:00:00Z", "-F", "json"]).expect(0));
        let pruned = did["objects_pruned"].as_u64().unwrap();
        assert!(pruned > 20 && did["objects"].as_u64().unwrap() + pruned == 90, "{did:?}");
        // Each object is converted completely, or not at all.
        let rows = world.verify_so_far(&expected);
        let chosen = rows.by_log_object().len() as u64;
        assert_eq!(chosen, 90 - pruned);
        // Names may be earlier by the tolerance for clock skew. Names with an extension have no known form.
        let is_near =
            |name: &&str| name.contains("2026-02-01-") || name.contains("2026-01-31-23-") || name.ends_with(".gz");
        assert!(rows.by_log_object().keys().all(is_near), "{:?}", rows.by_log_object().keys());
        assert!(rows.filter(|row| row.contains("time=2026-01-31")).len() > 0, "no record is late");
        // With a limit on lateness, later names are skipped; then the rest is converted in two overlapping parts.
        let did =
            report(&world.run(&["--until", "2026-01-31T06:00:00Z", "--max-lateness", "1h", "-F", "json"]).expect(0));
        assert!((10..20).contains(&did["objects"].as_u64().unwrap()), "{did:?}");
        world.run(&["--since", "2026-01-31T12:00:00Z"]).expect(0);
        world.run(&["--since", "2026-01-31", "--until", "2026-03-01"]).expect(0);
        world.convert().expect(0);
        world.verify(&expected);
    }
}

#[test]
fn a_pause_may_be_longer_than_clocks_count() {
    let world = World::new(Place::Directory, &Logs::new(3, 69));
    world.run(&["--follow=500000000000y", "--max-runtime", "2s"]).expect(0);
    world.verify(&world.expected());
}

/// What was converted is not seen again, so it must count at the end.
#[test]
fn rejects_count_beside_lines_of_other_kinds_and_in_every_round() {
    let cdn = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/cdn/v2.log")).unwrap();
    for (flags, expected) in
        [(&["--strict"][..], 3), (&["--strict", "--follow=1s", "--max-runtime", "5s"], 3), (&[], 0)]
    {
        let logs = Logs::new(10, 70);
        assert!(logs.rejects > 0);
        let world = World::new(Place::Directory, &logs);
        world.put_object("cdn", cdn.clone().into());
        let ended = world.run(flags).expect(expected);
        for part in ["of logs of another kind skipped", "not a record"] {
            assert!(ended.stderr.contains(part), "{}", ended.stderr);
        }
    }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_listed_is_counted_and_decides_the_exit_code() {
    let world = World::new(Place::Directory, &Logs::new(3, 71));
    std::os::unix::fs::symlink("nowhere", world.path("logs/link")).unwrap();
    for flags in [&["--dry-run", "-F", "json"][..], &["-F", "json"]] {
        let ended = world.run(flags).expect(3);
        assert_eq!(report(&ended)["objects_unreadable"], 1);
    }
}

#[test]
fn a_run_that_lists_ends_when_its_time_is_over() {
    let world = World::new(Place::Bucket, &Logs::new(3, 72));
    let hold = world.store().proxy.hold(Moment::Before, Matching::kind(Kind::List).key_contains("logs/"), 1);
    let run = world.begin_with(&["--max-runtime", "1s", "-F", "json"]);
    assert!(hold.wait_for(1, PATIENCE));
    std::thread::sleep(Duration::from_millis(1_500));
    hold.release();
    let did = report(&run.wait().expect(0));
    assert_eq!((&did["stopped"], &did["batches"]), (&Value::Bool(true), &Value::from(0)));
    assert!(!world.objects().keys().any(|name| name.contains("_s3log/log/")), "a batch was begun in vain");
    // Ctrl-C is not mistaken for the time limit.
    let hold = world.store().proxy.hold(Moment::Before, Matching::writes().key_contains("_s3log/log/000000000002"), 1);
    let run = world.begin();
    assert!(hold.wait_for(1, PATIENCE));
    signal(&run, "-INT");
    std::thread::sleep(Duration::from_millis(500));
    hold.release();
    run.wait().expect(130);
    world.convert().expect(0);
    world.verify(&world.expected());
}
