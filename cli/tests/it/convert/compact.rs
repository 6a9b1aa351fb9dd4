//! `s3log compact`: merges small files without any other visible change.

use std::fs;
use std::time::Duration;

use s3log_test_server::Kind;
use serde_json::Value;

use super::random::Random;
use super::rows::batches;
use super::source::Logs;
use super::world::{Ended, Expected, Place, Run, World};

const OBJECTS: usize = 60;
/// Number of consecutive runs.
const RUNS: usize = 4;
/// Kills per test, unless `S3LOG_TEST_KILLS` is set.
const KILLS: usize = 8;
const MOST_KILLS_A_DATASET: usize = 4;

/// A dataset of many small files, and its contents. Every run adds log objects to each of its days.
fn scattered(place: Place, seed: u64) -> (World, Expected) {
    let logs = Logs::new(OBJECTS, seed);
    let world = World::new(place, &Logs { objects: Vec::new(), ..logs });
    for run in 0..RUNS {
        for (name, bytes) in logs.objects.iter().skip(run).step_by(RUNS) {
            world.put_object(name, bytes.clone());
        }
        world.convert().expect(0);
    }
    let expected = world.expected();
    (world, expected)
}

/// Starts merging all past days.
fn begin(world: &World, flags: &[&str]) -> Run {
    let mut command = world.program();
    command.args(["compact", &world.dataset(), "--older-than", "1d"]).args(flags);
    world.spawn(command)
}

fn compact(world: &World) -> Ended {
    begin(world, &[]).wait().expect(0)
}

/// Verifies that everything is merged: one file per day.
fn verify_compact(world: &World, expected: &Expected) {
    let files = world.data_files();
    let mut days: Vec<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    days.dedup();
    assert_eq!(days.len(), files.len(), "{files:?}");
    verify(world, expected);
}

/// Verifies the invariants of a dataset at rest, which may retain replaced files.
fn verify(world: &World, expected: &Expected) {
    assert_eq!(
        world.data_files(),
        world.verify_committed(expected),
        "data files that are there, and those that are committed"
    );
    assert_eq!(world.query(&world.dataset()).0.difference(&expected.rows), None);
    world.verify_no_stray_but(&["_s3log/replaced/"]);
    let before = world.objects();
    world.convert().expect(0);
    assert!(world.data_files().iter().all(|file| before.contains_key(file)), "log objects were converted once more");
}

#[test]
fn small_files_become_one_a_day() {
    for place in [Place::Directory, Place::Bucket] {
        let (world, expected) = scattered(place, 31);
        let before = world.objects();
        let files = world.data_files();
        let said = begin(&world, &["--dry-run", "-F", "json"]).wait().expect(0).stdout;
        assert_eq!(world.objects(), before, "a dry run wrote");
        let would: Value = serde_json::from_str(&said).unwrap();
        let did: Value = serde_json::from_str(&begin(&world, &["-F", "json"]).wait().expect(0).stdout).unwrap();
        for what in ["files_replaced", "bytes_replaced", "files", "rows"] {
            assert_eq!(would[what], did[what], "{what}");
        }
        assert!(did["files"].as_u64() < did["files_replaced"].as_u64(), "{did}");
        verify_compact(&world, &expected);
        // Replaced files are kept elsewhere, with their contents.
        let after = world.objects();
        let replaced = after.keys().filter(|name| name.starts_with("_s3log/replaced/")).count() as u64;
        assert_eq!(Some(replaced), did["files_replaced"].as_u64());
        for file in files.iter().filter(|file| !after.contains_key(*file)) {
            assert_eq!(after.get(&format!("_s3log/replaced/{file}.replaced")), before.get(file), "{file}");
        }
        // There is nothing left to do, so nothing is written.
        assert!(compact(&world).stdout.ends_with(": nothing to merge\n"));
        assert_eq!(world.objects(), after);
        // Later records get files of their own until the next merge.
        world.put(&Logs::more(20));
        world.convert().expect(0);
        compact(&world);
        verify_compact(&world, &world.expected());
        if place == Place::Bucket {
            let requests = world.store().server.requests();
            assert!(requests.iter().all(|request| request.kind != Kind::Delete || request.bucket == "data"));
        }
    }
}

#[test]
fn only_days_that_are_over_for_long_enough_and_small_files() {
    let (world, expected) = scattered(Place::Directory, 32);
    let before = world.objects();
    // All records are of 2026, and no file is smaller than a target of one byte.
    for flags in [["--older-than", "36500d"], ["--target-size", "1"]] {
        let mut command = world.program();
        command.args(["compact", &world.dataset()]).args(flags);
        assert!(world.spawn(command).wait().expect(0).stdout.ends_with(": nothing to merge\n"));
        assert_eq!(world.objects(), before);
    }
    verify(&world, &expected);
}

#[test]
fn folders_of_buckets_are_merged_each_by_itself() {
    let logs = Logs::new(60, 33);
    let world = World::new(Place::Directory, &Logs { objects: Vec::new(), ..logs });
    for half in logs.objects.chunks(30) {
        half.iter().for_each(|(name, bytes)| world.put_object(name, bytes.clone()));
        world.run(&["--partition-by", "day,bucket"]).expect(0);
    }
    let expected = world.expected();
    compact(&world);
    let files = world.verify_committed(&expected);
    let mut folders: Vec<_> = files.iter().map(|file| file.rsplit_once('/').unwrap().0).collect();
    folders.dedup();
    assert_eq!(folders.len(), files.len(), "{files:?}");
    assert!(folders.iter().all(|folder| folder.contains("/bucket=")));
    let objects = world.objects();
    for file in &files {
        let bucket = file.split("bucket=").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        for batch in batches(objects[file].clone()) {
            let column = batch.column_by_name("bucket").unwrap();
            let texts = arrow::array::AsArray::as_string::<i32>(column);
            assert!(texts.iter().all(|text| text == Some(bucket)), "{file}");
        }
    }
}

fn survives_kills(place: Place) {
    let wanted = std::env::var("S3LOG_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut random = Random::of_environment();
    let (mut kills, mut datasets) = (0, 0);
    while kills < wanted {
        let (world, expected) = scattered(place, 34 + datasets);
        datasets += 1;
        // An estimate of the time that an undisturbed run takes.
        let took = world.convert().expect(0).took * 3;
        let mut of_this = 0;
        loop {
            let mut run = begin(&world, &[]);
            if of_this < MOST_KILLS_A_DATASET {
                run.wait_until(random.up_to(took));
                let ended = run.kill();
                if ended.code.is_none() {
                    kills += 1;
                    of_this += 1;
                    // Readers follow the ledger.
                    assert_eq!(world.query(&world.dataset()).0.difference(&expected.rows), None);
                    continue;
                }
                ended.expect(0);
            } else {
                run.wait().expect(0);
            }
            break;
        }
        eprintln!("dataset {datasets}: {of_this} kills, {kills} so far");
        compact(&world);
        verify_compact(&world, &expected);
    }
}

#[test]
fn a_directory_survives_killed_compactions() {
    survives_kills(Place::Directory);
}

#[test]
fn a_bucket_survives_killed_compactions() {
    survives_kills(Place::Bucket);
}

#[test]
fn a_run_takes_up_what_a_killed_compaction_left() {
    let mut random = Random::of_environment();
    for place in [Place::Directory, Place::Bucket] {
        let (world, expected) = scattered(place, 44);
        let took = world.convert().expect(0).took * 2;
        for _ in 0..3 {
            let mut run = begin(&world, &[]);
            run.wait_until(random.up_to(took));
            run.kill();
            world.convert().expect(0);
            verify(&world, &expected);
        }
    }
}

#[test]
fn interrupted_it_leaves_nothing_half_done() {
    for place in [Place::Directory, Place::Bucket] {
        let (world, expected) = scattered(place, 45);
        let took = world.convert().expect(0).took;
        for (share, signal) in [(0.8, "-INT"), (1.2, "-TERM"), (1.6, "-INT")] {
            let mut run = begin(&world, &[]);
            if run.wait_until(took.mul_f64(share)) {
                continue;
            }
            super::world::signal(&run, signal);
            let ended = run.wait();
            assert!(matches!(ended.code, Some(130 | 0)), "{ended:?}");
            assert_eq!(world.data_files(), world.verify_committed(&expected));
        }
        compact(&world);
        verify_compact(&world, &expected);
    }
}

#[test]
fn two_at_once_and_beside_conversions() {
    for place in [Place::Directory, Place::Bucket] {
        let (world, _) = scattered(place, 46);
        let runs = [begin(&world, &[]), begin(&world, &[])];
        for (number, (name, bytes)) in Logs::more(60).objects.into_iter().enumerate() {
            world.put_object(&name, bytes);
            if number % 20 == 19 {
                world.convert().expect(0);
            }
        }
        runs.into_iter().for_each(|run| drop(run.wait().expect(0)));
        let runs = [begin(&world, &[]), world.begin(), begin(&world, &[])];
        runs.into_iter().for_each(|run| drop(run.wait().expect(0)));
        compact(&world);
        verify_compact(&world, &world.expected());
    }
}

/// A reader that knows the files from before the merge still finds them.
#[test]
fn beside_a_run_that_looks_for_duplicates() {
    let (world, _) = scattered(Place::Directory, 47);
    world.put(&Logs::more(30));
    for _ in 0..3 {
        let mut command = world.program();
        command.args(world.arguments()).args(["--dedupe", "record"]);
        let dedupe = world.spawn(command);
        std::thread::sleep(Duration::from_millis(20));
        let merging = begin(&world, &[]);
        let ended = dedupe.wait();
        assert!(ended.code == Some(0) || ended.stderr.contains("looks for duplicates"), "{ended:?}");
        merging.wait().expect(0);
    }
    let mut command = world.program();
    command.args(world.arguments()).args(["--dedupe", "record"]);
    world.spawn(command).wait().expect(0);
    let digest = |source: &str| {
        let sql = "SELECT count(DISTINCT request_id), count(*) FILTER (WHERE log_object LIKE '%2027-%') FROM logs";
        let mut command = world.program();
        command.args(["query", "-q", sql, source, "-F", "csv", "--no-header"]);
        world.spawn(command).wait().expect(0).stdout
    };
    // Later records have the request ids of earlier ones, with different times.
    assert_eq!(digest(&world.dataset()).split(',').next(), digest(&world.source()).split(',').next());
    fs::remove_dir_all(world.path("set/_s3log/replaced")).unwrap();
    digest(&world.dataset());
}

#[test]
fn places_that_are_no_dataset_are_refused() {
    let world = World::new(Place::Directory, &Logs::new(3, 48));
    let mut command = world.program();
    command.args(["compact", &world.source()]);
    world.spawn(command).wait().expect_failure(&["there is no dataset", "convert"]);
    world.convert().expect(0);
    let mut command = world.program();
    command.args(["compact", &world.dataset(), "--bloom", "nonsense"]);
    let said = world.spawn(command).wait().expect(2).stderr;
    assert!(said.contains("no column `nonsense`") && said.contains("s3log schema"), "{said}");
}
