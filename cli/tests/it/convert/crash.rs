//! Runs that are killed at arbitrary moments and restarted until they finish.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use s3log_test_server::{Hold, Kind, Matching, Moment};

use super::random::Random;
use super::source::Logs;
use super::world::{Ended, Expected, Place, Run, World};

const OBJECTS: usize = 240;
/// Kills per test, unless `S3LOG_TEST_KILLS` is set.
const KILLS: usize = 100;
/// After this many kills, a run is left alone: if it were always killed early, it would never finish.
const MOST_KILLS_A_DATASET: usize = 20;
/// The committed data is verified after this many kills.
const LOOK_EVERY: usize = 10;
/// Maximum time until a released request arrives.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Measurements of an undisturbed run.
struct Undisturbed {
    took: Duration,
    /// In a directory, how often names or sizes of files changed; in a bucket, the number of write requests.
    steps: usize,
}

#[test]
fn a_directory_survives_kills() {
    survives_kills(Place::Directory);
}

#[test]
fn a_bucket_survives_kills() {
    survives_kills(Place::Bucket);
}

fn survives_kills(place: Place) {
    let wanted = std::env::var("S3LOG_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let logs = Logs::new(OBJECTS, 1);
    let world = World::new(place, &logs);
    let expected = expected(&world, &logs);
    let undisturbed = undisturbed(&world, place);
    world.verify(&expected);

    let mut random = Random::of_environment();
    let (mut kills, mut datasets) = (0, 0);
    while kills < wanted {
        world.clear_dataset();
        let mut of_this = 0;
        loop {
            let ended = match of_this < MOST_KILLS_A_DATASET {
                true => kill_somewhere(&world, place, &undisturbed, &mut random),
                false => world.convert(),
            };
            if ended.code.is_some() {
                ended.expect(0);
                break;
            }
            kills += 1;
            of_this += 1;
            if kills % LOOK_EVERY == 0 {
                world.verify_so_far(&expected);
            }
        }
        datasets += 1;
        // Only shown if the following fails.
        eprintln!("dataset {datasets}: {of_this} kills, {kills} so far");
        world.verify(&expected);
    }
    eprintln!(
        "{kills} kills of {datasets} conversions that take {:?} and {} steps",
        undisturbed.took, undisturbed.steps
    );
}

/// The expected contents, counted both by the generator and by the program.
fn expected(world: &World, logs: &Logs) -> Expected {
    let expected = world.expected();
    assert_eq!(expected.rows.len(), logs.records);
    assert!(expected.rows.distinct() < logs.records, "no line is there twice");
    assert!(logs.rejects > 0 && expected.rows.by_log_object().len() == logs.objects.len());
    expected
}

fn undisturbed(world: &World, place: Place) -> Undisturbed {
    let mut run = world.begin();
    let steps = match place {
        Place::Directory => changes(&world.path("set"), &mut run, usize::MAX),
        Place::Bucket => 0,
    };
    let ended = run.wait().expect(0);
    let steps = match place {
        Place::Directory => steps,
        Place::Bucket => world.store().server.take_requests().iter().filter(|request| request.kind.is_write()).count(),
    };
    assert!(steps > 20, "{steps} steps are too few to be killed between them");
    Undisturbed { took: ended.took, steps }
}

/// Kills a run, half of the time at a random time, half of the time at a random step.
fn kill_somewhere(world: &World, place: Place, undisturbed: &Undisturbed, random: &mut Random) -> Ended {
    let mut run = world.begin();
    // A run skips work that is already done: if runs were left alone for long, few would be killed.
    let share = [0.2, 0.5, 1.1][random.below(3)];
    if random.coin() {
        run.wait_until(random.up_to(undisturbed.took.mul_f64(share)));
        return run.kill();
    }
    let step = random.below((undisturbed.steps as f64 * share) as usize);
    match place {
        Place::Directory => {
            changes(&world.path("set"), &mut run, step + 1);
            std::thread::sleep(random.up_to(Duration::from_millis(2)));
            run.kill()
        }
        Place::Bucket => kill_at_write(world, run, step, random),
    }
}

/// Kills a run while one of its requests is in flight; the request is then either lost or still arrives.
fn kill_at_write(world: &World, mut run: Run, step: usize, random: &mut Random) -> Ended {
    let store = world.store();
    let moment = if random.coin() { Moment::Before } else { Moment::After };
    let hold = store.proxy.hold(moment, Matching::writes().skip(step), 1);
    wait_for(&hold, &mut run);
    let done = writes_done(world);
    let ended = run.kill();
    if hold.held() > 0 && moment == Moment::Before && random.coin() {
        hold.release();
        let begin = std::time::Instant::now();
        while writes_done(world) == done && begin.elapsed() < ON_ITS_WAY {
            std::thread::sleep(Duration::from_millis(1));
        }
    } else {
        hold.lose();
    }
    store.proxy.clear();
    ended
}

/// Waits until a request is held, or the run ends.
pub(super) fn wait_for(hold: &Hold, run: &mut Run) {
    while !hold.wait_for(1, Duration::from_millis(1)) && !run.has_ended() {}
}

/// The number of write requests that the server has answered.
pub(super) fn writes_done(world: &World) -> usize {
    let requests = world.store().server.requests();
    requests.iter().filter(|request| request.kind.is_write() && request.status != 0).count()
}

/// Waits until names or sizes of files have changed `most` times, or the run has ended; returns the number of changes.
fn changes(directory: &Path, run: &mut Run, most: usize) -> usize {
    let (mut seen, mut changes) = (files(directory), 0);
    while changes < most && !run.has_ended() {
        let now = files(directory);
        changes += usize::from(now != seen);
        seen = now;
        std::thread::sleep(Duration::from_micros(100));
    }
    changes
}

/// Names and sizes of files.
fn files(directory: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut files = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        // Files and directories may appear and disappear during the traversal.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => left.push(entry.path()),
                Ok(metadata) => files.push((entry.path(), metadata.len())),
                Err(_) => {}
            }
        }
    }
    files.sort();
    files
}

#[test]
fn an_interrupt_leaves_nothing_half_done() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(OBJECTS, 2);
        let world = World::new(place, &logs);
        let expected = expected(&world, &logs);
        let undisturbed = undisturbed(&world, place);
        for (share, signal) in [(0.3, "-INT"), (0.6, "-TERM"), (0.8, "-INT")] {
            world.clear_dataset();
            let mut run = world.begin();
            if run.wait_until(undisturbed.took.mul_f64(share)) {
                continue;
            }
            assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
            let ended = run.wait();
            // It may have finished in the meantime.
            assert!(matches!(ended.code, Some(130 | 0)), "{ended:?}");
            // A bucket may still execute a request that nobody waits for; there, the next run cleans up.
            world.verify_no_stray_but(if place == Place::Bucket { &["_s3log/runners/"] } else { &[] });
            world.verify_so_far(&expected);
            assert_eq!(world.data_files(), world.committed());
            world.convert().expect(0);
            world.verify(&expected);
        }
    }
}

#[test]
fn what_comes_later_is_added() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(60, 3);
        let world = World::new(place, &logs);
        world.convert().expect(0);
        world.verify(&world.expected());
        let before = world.objects();
        world.put(&Logs::more(30));
        world.convert().expect(0);
        world.verify(&world.expected());
        let after = world.objects();
        for name in world.data_files() {
            // Readers may be in the middle of these files.
            assert!(before.get(&name).is_none_or(|bytes| after.get(&name) == Some(bytes)), "{name} was written again");
        }
        if place == Place::Bucket {
            let requests = world.store().server.requests();
            assert!(requests.iter().all(|request| request.kind != Kind::Delete || request.bucket == "data"));
        }
    }
}
