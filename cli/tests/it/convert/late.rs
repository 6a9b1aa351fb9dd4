//! Requests of a killed run that arrive after another run has finished its work.

use std::time::{Duration, Instant};

use s3log_test_server::{Fault, Hold, Matching, Moment};

use super::crash::{wait_for, writes_done};
use super::source::Logs;
use super::world::{Place, Run, World};

const OBJECTS: usize = 120;
/// Maximum time until a released request arrives.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Killing a program does not recall a put that is already in flight. It must not restore what the next run has rolled
/// back.
#[test]
fn puts_of_a_killed_run_come_late() {
    let logs = Logs::new(OBJECTS, 4);
    let world = World::new(Place::Bucket, &logs);
    let expected = world.expected();
    let store = world.store();
    store.server.take_requests();
    world.convert().expect(0);
    let requests = store.server.take_requests();
    let writes = requests.iter().filter(|request| request.kind.is_write());
    let (conditional, others): (Vec<_>, Vec<_>) = writes.partition(|write| write.condition.is_some());
    assert!(conditional.len() >= 3 && others.len() >= 3, "{conditional:?} {others:?}");

    // Every conditional put, and some of the others.
    let of_conditional = (0..conditional.len()).map(|number| Matching::writes().conditional().skip(number));
    let of_all = (0..others.len()).step_by(others.len().div_ceil(8)).map(|number| Matching::writes().skip(number));
    for matching in of_conditional.chain(of_all) {
        world.clear_dataset();
        let hold = store.proxy.hold(Moment::Before, matching.clone(), 1);
        let mut run = world.begin();
        wait_for(&hold, &mut run);
        let ended = run.kill();
        store.proxy.clear();
        if hold.held() == 0 {
            ended.expect(0);
            continue;
        }
        world.convert().expect(0);
        world.verify(&expected);
        let_come(&world, &hold);
        // By the ledger, every record is there once; the next run confirms it.
        eprintln!("{matching:?}");
        world.verify_committed(&expected);
        world.convert().expect(0);
        world.verify_committed(&expected);
        let (rows, _) = world.query(&world.dataset());
        assert_eq!(rows.difference(&expected.rows), None, "{matching:?}");
    }
}

/// Releases the held request, and waits until the server has executed it.
fn let_come(world: &World, hold: &Hold) {
    let done = writes_done(world);
    hold.release();
    let begin = Instant::now();
    while writes_done(world) == done {
        assert!(begin.elapsed() < ON_ITS_WAY, "what was let go did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Enough batches for a checkpoint and a merge of their lists.
const BATCHES: usize = 32;
const CHECKPOINT: &str = "data/set/_s3log/checkpoints/";

/// Starts a run in which each log object is a batch.
fn begin_many(world: &World) -> Run {
    let mut command = world.program();
    command.args(world.arguments()).env("S3LOG_BATCH_OBJECTS", "1");
    world.spawn(command)
}

/// Lists that were merged for a checkpoint have no effect until the checkpoint arrives.
#[test]
fn a_checkpoint_of_a_killed_run_comes_late() {
    let world = World::new(Place::Bucket, &Logs::new(BATCHES, 14));
    let expected = world.expected();
    let store = world.store();
    let hold = store.proxy.hold(Moment::Before, Matching::writes().key_contains(CHECKPOINT), 1);
    let mut run = begin_many(&world);
    wait_for(&hold, &mut run);
    run.kill();
    store.proxy.clear();
    assert_eq!(hold.held(), 1);
    world.convert().expect(0);
    world.verify_committed(&expected);
    let_come(&world, &hold);
    world.verify(&expected);
}

/// The checkpoint exists, but its response is an error or lost; or it does not exist yet, and may still arrive.
#[test]
fn a_checkpoint_is_not_answered() {
    let world = World::new(Place::Bucket, &Logs::new(BATCHES, 15));
    let expected = world.expected();
    let store = world.store();
    for (fault, times, is_there) in [
        (Fault::DoneThenStatus(500), 1, true),
        (Fault::DoneThenStatus(500), usize::MAX, true),
        (Fault::DoneThenReset, usize::MAX, true),
        (Fault::Status(500), usize::MAX, false),
    ] {
        world.clear_dataset();
        store.proxy.inject(fault, Matching::writes().key_contains(CHECKPOINT), times);
        // Every batch is committed without it.
        let ended = begin_many(&world).wait().expect(0);
        assert_eq!(ended.stderr.contains("not everything could be cleaned up"), !is_there, "{}", ended.stderr);
        store.proxy.clear();
        let merged = |name: &&String| name.starts_with("_s3log/sources/") && name.contains("-m64-");
        assert_eq!(world.objects().keys().filter(merged).count(), 1, "{fault:?}");
        world.verify_committed(&expected);
        world.convert().expect(0);
        world.verify(&expected);
    }
}
