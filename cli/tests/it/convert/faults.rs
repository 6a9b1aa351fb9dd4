//! Stores that fail or give wrong answers; log objects that cannot be read.

use s3log_test_server::{ConditionalPuts, Fault, Kind, Matching, Server};

use super::random::Random;
use super::source::{Logs, gzip};
use super::world::{Expected, Place, World};

const OBJECTS: usize = 120;
/// Prefix of data files.
const DATA: &str = "data/set/day=";

fn world() -> (World, Expected) {
    with_server(Server::builder())
}

fn with_server(builder: s3log_test_server::Builder) -> (World, Expected) {
    let world = World::with_server(builder, &Logs::new(OBJECTS, 8));
    let expected = world.expected();
    (world, expected)
}

/// The number of matching requests in an undisturbed run.
fn count(world: &World, matches: impl Fn(&s3log_test_server::Request) -> bool) -> usize {
    let server = &world.store().server;
    server.take_requests();
    world.convert().expect(0);
    server.take_requests().iter().filter(|request| matches(request)).count()
}

/// After a temporary fault: converts what is left, and verifies that every record is there once.
fn recovers(world: &World, expected: &Expected) {
    world.store().proxy.clear();
    world.verify_so_far(expected);
    world.convert().expect(0);
    world.verify(expected);
}

#[test]
fn writes_fail_for_a_while() {
    let (world, expected) = world();
    let writes = count(&world, |request| request.kind.is_write());
    let mut random = Random::of_environment();
    for fault in [Fault::Status(500), Fault::Status(503), Fault::ResetBeforeResponse] {
        world.clear_dataset();
        // Not consecutive: each of them is retried successfully.
        let mut at = 0;
        while at < writes {
            world.store().proxy.inject(fault, Matching::writes().skip(at), 1);
            at += 2 + random.below(8);
        }
        let ended = world.convert();
        // The connection may break when a retry is not safe.
        if fault != Fault::ResetBeforeResponse || ended.code == Some(0) {
            ended.expect(0);
            world.store().proxy.clear();
            world.verify(&expected);
        } else {
            ended.expect_failure(&[]);
            recovers(&world, &expected);
        }
    }
}

#[test]
fn writes_fail_for_good() {
    let (world, expected) = world();
    let data = count(&world, |request| request.kind.is_write() && request.key.starts_with("set/day="));
    for fault in [Fault::Status(500), Fault::Status(503), Fault::Status(403)] {
        for skip in [0, data / 2] {
            world.clear_dataset();
            world.store().proxy.inject(fault, Matching::writes().key_contains(DATA).skip(skip), usize::MAX);
            let ended = world.convert().expect_failure(&[]);
            eprintln!("{fault:?} after {skip}: {}", ended.stderr);
            if fault == Fault::Status(403) {
                ended.expect_failure(&["access denied", "hint: "]);
            }
            let rows = world.verify_so_far(&expected);
            assert_eq!(
                rows.len() == 0,
                skip == 0,
                "what was whole before the first failure is committed, and nothing else"
            );
            recovers(&world, &expected);
        }
    }
    // All writes are refused.
    world.clear_dataset();
    world.store().proxy.inject(Fault::Status(403), Matching::writes(), usize::MAX);
    world.convert().expect_failure(&["access denied", "hint: "]);
    assert!(world.objects().is_empty());
    recovers(&world, &expected);
}

/// The failed run could not clean up, either; a later one does.
#[test]
fn nothing_can_be_deleted() {
    let (world, expected) = world();
    world.clear_dataset();
    let proxy = &world.store().proxy;
    for kind in [Kind::Delete, Kind::DeleteMany, Kind::AbortUpload] {
        proxy.inject(Fault::Status(500), Matching::kind(kind), usize::MAX);
    }
    proxy.inject(Fault::Status(500), Matching::writes().key_contains(DATA).skip(3), usize::MAX);
    world.convert().expect_failure(&[]);
    recovers(&world, &expected);
}

/// A put succeeded, but the response is an error or lost: the program may fail, but must not put twice.
#[test]
fn answers_are_lost() {
    let (world, expected) = world();
    let conditional = count(&world, |request| request.condition.is_some());
    assert!(conditional >= 3);
    let writes = count_again(&world);
    let faults = [Fault::DoneThenReset, Fault::DoneThenStatus(500), Fault::DoneThenStatus(503)];
    // Every conditional put, which includes the commits, and some of all writes.
    let of_conditional = (0..conditional).map(|number| Matching::writes().conditional().skip(number));
    let of_all = (0..writes).step_by(writes.div_ceil(10)).map(|number| Matching::writes().skip(number));
    for (matching, fault) in of_conditional.chain(of_all).zip(faults.iter().cycle()) {
        world.clear_dataset();
        world.store().proxy.inject(*fault, matching.clone(), 1);
        let ended = world.convert();
        eprintln!("{fault:?} of {matching:?}: {:?} {}", ended.code, ended.stderr);
        ended.expect(0);
        world.store().proxy.clear();
        world.verify(&expected);
    }
    // Every answer is wrong.
    world.clear_dataset();
    world.store().proxy.inject(Fault::DoneThenStatus(500), Matching::writes(), usize::MAX);
    let ended = world.convert();
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
    recovers(&world, &expected);
}

fn count_again(world: &World) -> usize {
    world.clear_dataset();
    count(world, |request| request.kind.is_write())
}

#[test]
fn a_store_that_knows_no_conditions_is_refused() {
    for puts in [ConditionalPuts::Ignored, ConditionalPuts::Refused] {
        let (world, _) = with_server(Server::builder().conditional_puts(puts));
        let server = &world.store().server;
        server.take_requests();
        let ended = world.convert().expect_failure(&["if-none-match", "hint: "]);
        eprintln!("{puts:?}: {}", ended.stderr);
        assert_eq!(world.data_files(), [""; 0]);
        let requests = server.take_requests();
        assert!(
            requests.iter().all(|request| request.kind != Kind::Get || request.bucket == "data"),
            "it has begun to read"
        );
        assert!(world.objects().keys().all(|name| name.starts_with("_s3log/")), "{:?}", world.objects().keys());
    }
}

#[test]
fn conditional_puts_that_conflict_are_asked_again() {
    for conflicts in [1, 2, 7] {
        let (world, expected) = with_server(Server::builder().conflicts(conflicts));
        world.convert().expect(0);
        world.verify(&expected);
    }
}

/// An object that cannot be read completely contributes nothing. It is reported, and converted once it is readable.
#[test]
fn log_objects_that_cannot_be_read() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(OBJECTS, 9);
        let world = World::new(place, &logs);
        let expected = world.expected();
        let (name, whole) = logs.objects.iter().find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b])).unwrap();
        world.put_object(name, whole.slice(..whole.len() / 2));
        let ended = world.convert().expect(3);
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
        check_all_but(&world, &expected, name);
        // Still unreadable, and the others are not read again.
        world.convert().expect(3);
        check_all_but(&world, &expected, name);
        world.put_object(name, whole.clone());
        world.convert().expect(0);
        world.verify(&expected);
    }
}

/// The batch is repeated without the object, and files of the first attempt are removed.
#[test]
fn an_attempt_that_was_given_up_leaves_no_file_behind() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(3, 12);
        let world = World::new(place, &logs);
        let (name, text) = &logs.objects[0];
        world.put_object(name, [b"no record\n", &text[..]].concat().into());
        let expected = world.expected();
        let mut cut = gzip(&text.repeat((16 << 20) / text.len()));
        cut.truncate(cut.len() - 20);
        world.put_object("2026-02-01-00-00-00-0000000000000BAD.gz", cut.into());
        let mut command = world.program();
        command.args(world.arguments()).args(["--rejects", "rejects", "--threads", "1"]);
        command.env("S3LOG_BATCH_SIZE", "100000000");
        world.spawn(command).wait().expect(3);
        let committed = world.verify_committed(&expected);
        assert_eq!(world.data_files(), committed);
    }
}

#[test]
fn log_objects_that_may_not_be_read() {
    let (world, expected) = world();
    let name = &Logs::new(OBJECTS, 8).objects[OBJECTS / 2].0;
    for fault in [Fault::Status(403), Fault::Status(404), Fault::Status(500), Fault::TruncatedBody] {
        world.clear_dataset();
        world.store().proxy.inject(fault, Matching::kind(Kind::Get).key_contains(name), usize::MAX);
        let ended = world.convert().expect(3);
        assert!(ended.stderr.contains(name), "{fault:?}: {}", ended.stderr);
        check_all_but(&world, &expected, name);
        recovers(&world, &expected);
    }
}

/// Verifies that all records are committed, except for those of one log object.
fn check_all_but(world: &World, expected: &Expected, name: &str) {
    let rows = world.rows_of(&world.committed(), &expected.columns);
    let others = expected.rows.filter(|row| !row.contains(name));
    assert!(others.len() < expected.rows.len());
    if let Some(difference) = rows.difference(&others) {
        panic!("{difference}");
    }
}

#[test]
fn objects_that_are_no_logs() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(OBJECTS, 10);
        let world = World::new(place, &logs);
        let expected = world.expected();
        world.put_object("2026-02-01-10-00-00-00000000000000AA", "not a log\nnor this\n".into());
        world.put_object("2026-02-01-10-00-00-00000000000000AB", vec![0xff; 3000].into());
        world.put_object("2026-02-01-10-00-00-00000000000000AC", "".into());
        world.put_object("2026-02-01-10-00-00-00000000000000AD", gzip(b"").into());
        world.convert().expect(0);
        world.verify(&expected);
    }
    // A single object without records, and no objects at all.
    for place in [Place::Directory, Place::Bucket] {
        let mut logs = Logs::new(0, 0);
        logs.objects.push(("no.log".to_owned(), "not a log\n".into()));
        let world = World::new(place, &logs);
        let ended = world.convert().expect(3);
        assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
        assert_eq!(world.data_files(), [""; 0]);
    }
    World::new(Place::Bucket, &Logs::new(0, 0)).convert().expect_failure(&["hint: "]);
}

/// A converted name with new contents: the dataset keeps the old records and reports the change.
#[test]
fn log_objects_that_change_are_reported() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(OBJECTS, 11);
        let world = World::new(place, &logs);
        let expected = world.expected();
        world.convert().expect(0);
        let (name, bytes) = &logs.objects[OBJECTS / 2];
        let other = match bytes.starts_with(&[0x1f, 0x8b]) {
            true => gzip(b"something else\n"),
            false => [bytes, &logs.objects[0].1[..]].concat(),
        };
        world.put_object(name, other.into());
        let ended = world.convert();
        assert!(matches!(ended.code, Some(0 | 3)) && ended.stderr.contains(name), "{ended:?}");
        world.verify_committed(&expected);
    }
}
