//! `--rejects DEST`: stores lines that are not records, each exactly once.

use std::collections::BTreeSet;
use std::time::Duration;

use s3log_test_server::{Fault, Matching, Moment};
use serde_json::Value;

use super::random::Random;
use super::rows::{Rows, batches};
use super::source::Logs;
use super::world::{Place, World};

const OBJECTS: usize = 100;
/// The columns of `rejects` to compare; line numbers are only known when objects are read whole.
const SQL: &str = "SELECT log_object, byte_offset, reason, line FROM rejects";

/// The location of rejects, next to the dataset.
fn rejects(world: &World, place: Place) -> String {
    match place {
        Place::Directory => world.path("rejects").display().to_string(),
        Place::Bucket => "s3://data/rejects".to_owned(),
    }
}

fn rows(world: &World, source: &str) -> Rows {
    let path = world.path("rejects.parquet");
    let mut command = world.program();
    command.args(["query", "-q", SQL, source, "-o"]).arg(&path);
    world.spawn(command).wait().expect(0);
    let columns = ["log_object", "byte_offset", "reason", "line"].map(str::to_owned);
    let mut rows = Rows::default();
    rows.add(&batches(std::fs::read(path).unwrap().into()), &columns);
    rows
}

/// Verifies that every reject is there once, and that the location contains exactly what the ledger names.
fn verify(world: &World, place: Place, expected: &Rows) {
    if let Some(difference) = rows(world, &world.dataset()).difference(expected) {
        panic!("{difference}");
    }
    let status = world.status().unwrap();
    let (name, files) = status["reject_files"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(*name, rejects(world, place));
    let named: BTreeSet<&str> = files.as_array().unwrap().iter().filter_map(|file| file["path"].as_str()).collect();
    let there: BTreeSet<String> = match place {
        Place::Directory => files_of(&world.path("rejects")),
        Place::Bucket => {
            let keys = world.store().server.keys("data");
            keys.iter().filter_map(|key| key.strip_prefix("rejects/").map(str::to_owned)).collect()
        }
    };
    assert_eq!(there.iter().map(String::as_str).collect::<BTreeSet<_>>(), named);
}

/// All files, without empty directories.
fn files_of(directory: &std::path::Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(files_of(&entry.path()).into_iter().map(|file| format!("{name}/{file}"))),
            false => _ = files.insert(name),
        }
    }
    files
}

#[test]
fn every_reject_is_kept_once_whenever_runs_are_killed() {
    let mut random = Random::of_environment();
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(OBJECTS, 71);
        let world = World::new(place, &logs);
        let destination = rejects(&world, place);
        let flags = ["--rejects", destination.as_str()];
        let expected = rows(&world, &world.source());
        assert_eq!(expected.len(), logs.rejects);
        let ended = world.run(&flags).expect(0);
        assert!(ended.stdout.ends_with(&format!(" + {}\n", logs.rejects)), "{}", ended.stdout);
        verify(&world, place, &expected);
        for _ in 0..2 {
            world.clear_dataset();
            if place == Place::Directory {
                std::fs::remove_dir_all(world.path("rejects")).unwrap();
            }
            for _ in 0..5 {
                let mut run = world.begin_with(&flags);
                run.wait_until(random.up_to(ended.took.mul_f64(0.9)));
                run.kill();
            }
            world.run(&flags).expect(0);
            verify(&world, place, &expected);
            world.verify_no_stray_but(&["rejects/"]);
        }
    }
}

#[test]
fn a_place_that_nothing_was_written_to_does_not_matter() {
    let world = World::new(Place::Directory, &Logs::new(3, 72));
    world.run(&["--rejects", "rejects"]).expect(0);
    assert!(!world.path("rejects").exists());
    world.verify(&world.expected());
    assert_eq!(rows(&world, &world.dataset()).len(), 0);
}

#[test]
fn rejects_that_were_not_kept_are_missed_when_they_are_asked_for() {
    let logs = Logs::new(25, 75);
    let world = World::new(Place::Directory, &logs);
    world.convert().expect(0);
    let dataset = world.dataset();
    let ask = |arguments: &[&str]| {
        let mut command = world.program();
        command.args(["query"]).args(arguments).args([&dataset, "-F", "csv", "--no-header"]);
        world.spawn(command).wait()
    };
    let sql = "SELECT count(*) FROM rejects";
    let missing = format!("{} rejects were counted but not kept, so `rejects` does not contain them", logs.rejects);
    let said = ask(&[sql]).expect(0);
    assert_eq!(said.stdout, "0\n");
    assert!(said.stderr.contains(&missing) && said.stderr.contains("--rejects DEST"), "{}", said.stderr);
    assert_eq!(ask(&[sql, "-q"]).expect(0).stderr, "");
    let said = ask(&[sql, "-q", "--strict"]).expect(3);
    assert!(said.stderr.contains(&format!("{missing}; at most none may be rejected")), "{}", said.stderr);
    ask(&[sql, "--max-rejects", &logs.rejects.to_string()]).expect(0);
    // Queries that read no rejects are not told about them.
    for sql in ["SELECT count(*) > 0 FROM logs", "EXPLAIN SELECT * FROM rejects"] {
        let said = ask(&[sql, "--strict"]).expect(0);
        assert!(!said.stderr.contains("not kept"), "{}", said.stderr);
    }
    // Stored rejects are complete.
    world.clear_dataset();
    world.run(&["--rejects", "rejects"]).expect(0);
    let said = ask(&[sql, "--strict"]).expect(0);
    assert_eq!((said.stdout, said.stderr), (format!("{}\n", logs.rejects), String::new()));
}

#[test]
fn records_are_read_when_rejects_are_gone() {
    let world = World::new(Place::Directory, &Logs::new(10, 73));
    world.run(&["--rejects", "rejects"]).expect(0);
    std::fs::remove_dir_all(world.path("rejects")).unwrap();
    world.verify(&world.expected());
    let mut command = world.program();
    command.args(["query", SQL, &world.dataset()]);
    let ended = world.spawn(command).wait();
    assert!(ended.code != Some(0) && ended.stderr.contains("rejects"), "{ended:?}");
}

#[test]
fn places_change_from_run_to_run() {
    let logs = Logs::new(60, 74);
    let world = World::new(Place::Directory, &Logs { objects: Vec::new(), ..logs });
    for (part, flags) in logs.objects.chunks(20).zip([&["--rejects", "one"][..], &["--rejects", "two/"], &[]]) {
        part.iter().for_each(|(name, bytes)| world.put_object(name, bytes.clone()));
        world.run(flags).expect(0);
    }
    // Rejects of the last run were counted but not stored.
    let of_the_last: BTreeSet<&str> = logs.objects[40..].iter().map(|(name, _)| name.as_str()).collect();
    let expected = rows(&world, &world.source()).filter(|row| !of_the_last.iter().any(|name| row.contains(name)));
    assert_eq!(rows(&world, &world.dataset()).difference(&expected), None);
    let status = world.status().unwrap();
    assert_eq!(status["counts"]["rejects"], logs.rejects);
    let places = status["reject_files"].as_object().unwrap();
    assert_eq!(
        places.keys().cloned().collect::<Vec<_>>(),
        ["one", "two"].map(|name| world.path(name).display().to_string())
    );
    assert!(places.values().all(|files| files.as_array().is_some_and(|files: &Vec<Value>| !files.is_empty())));
}

/// Where an earlier run wrote rejects may not be accessible to later ones.
#[test]
fn a_place_of_rejects_that_is_gone_keeps_nobody_from_converting() {
    let world = World::new(Place::Bucket, &Logs::new(OBJECTS, 81));
    let expected = world.expected();
    let store = world.store();
    store.server.create_bucket("old");
    let hold = store.proxy.hold(Moment::Before, Matching::writes().key_contains("data/set/day="), usize::MAX);
    let run = world.begin_with(&["--rejects", "s3://old/x"]);
    assert!(hold.wait_for(1, Duration::from_secs(30)));
    run.kill();
    hold.lose();
    store.proxy.clear();
    store.proxy.inject(Fault::Status(403), Matching::any().key_contains("old/"), usize::MAX);
    let ended = world.convert().expect(0);
    assert!(ended.stderr.contains("not everything could be cleaned up: s3://old/x"), "{}", ended.stderr);
    world.verify_committed(&expected);
    // Once it is accessible again, everything is cleaned up.
    store.proxy.clear();
    let ended = world.convert().expect(0);
    assert!(!ended.stderr.contains("cleaned up"), "{}", ended.stderr);
    assert!(store.server.keys("old").is_empty());
    world.verify(&expected);
}
