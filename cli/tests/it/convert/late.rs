//! Requests of a run that was killed, which come when another one has finished its work.

use std::time::{Duration, Instant};

use s3log_test_server::{Matching, Moment};

use super::crash::{wait_for, writes_done};
use super::source::Logs;
use super::world::{Place, World};

const OBJECTS: usize = 120;
/// Until a request has come that was let go.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// A put that is on its way through the network is no more the program's when that is killed. It must not bring back what
/// the next run has taken back.
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

    // Every put on a condition, and some of those without.
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
        let done = writes_done(&world);
        hold.release();
        let begin = Instant::now();
        while writes_done(&world) == done {
            assert!(begin.elapsed() < ON_ITS_WAY, "what was let go did not come");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Who goes by the ledger sees every record once; so does a run that comes by.
        eprintln!("{matching:?}");
        world.verify_committed(&expected);
        world.convert().expect(0);
        world.verify_committed(&expected);
        let (rows, _) = world.query(&world.dataset());
        assert_eq!(rows.difference(&expected.rows), None, "{matching:?}");
    }
}
