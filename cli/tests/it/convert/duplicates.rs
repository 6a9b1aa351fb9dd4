//! `--dedupe record`: records delivered more than once are in the dataset once.

use std::time::Duration;

use bytes::Bytes;
use s3log_test_server::{Matching, Moment};

use super::random::Random;
use super::source::Logs;
use super::world::{Ended, Place, World};

const DEDUPE: [&str; 2] = ["--dedupe", "record"];
/// Number of deletes in one request; they share its id.
const DELETED: usize = 20;

fn batch_delete() -> String {
    let line = |number: usize| {
        format!(
            "0123456789abcdef photos [02/Feb/2026:10:00:00 +0000] 192.0.2.3 - BA7C4DE1E7E00001 BATCH.DELETE.OBJECT old/{number:03} - 204 - \
             - 17 - - - - - aWQ= SigV4 - AuthHeader photos.s3.us-east-1.amazonaws.com TLSv1.2 - -\n"
        )
    };
    (0..DELETED).map(line).collect()
}

/// Number of distinct lines.
fn distinct(logs: &Logs) -> usize {
    let lines_twice = 2 * logs.objects.iter().enumerate().filter(|(number, _)| number % 13 == 5).count();
    logs.records - lines_twice
}

fn dedupe(world: &World) -> Ended {
    world.run(&DEDUPE).expect(0)
}

/// Verifies that every line is there once, from any of the objects that contain it.
fn verify(world: &World, rows: usize) {
    let sql = "SELECT count(*), count(DISTINCT concat_ws(' ', request_id, operation, key)) FROM logs";
    assert_eq!(world.ask(sql, &world.dataset()), format!("{rows},{rows}\n"));
    let sql = "SELECT count(*) FILTER (WHERE operation = 'BATCH.DELETE.OBJECT') FROM logs";
    assert_eq!(world.ask(sql, &world.dataset()), format!("{DELETED}\n"));
    // Everything that identifies a record, except for its position, is as in the log objects.
    let sql = "SELECT count(*), sum(bytes_sent), sum(character_length(host_id)), min(time), max(time) FROM \
               (SELECT DISTINCT time, request_id, operation, key, bytes_sent, host_id FROM logs)";
    assert_eq!(world.ask(sql, &world.dataset()), world.ask(sql, &world.source()));
}

#[test]
fn repeated_deliveries_are_left_out_within_a_run_and_across_runs() {
    for place in [Place::Directory, Place::Bucket] {
        let logs = Logs::new(60, 51);
        let world = World::new(place, &logs);
        world.put_object("2026-02-02-10-30-00-BA7C4DE1E7E00001", batch_delete().into());
        // Whole objects again under other names, within the same run.
        for (name, bytes) in logs.objects.iter().take(10) {
            world.put_object(&format!("{name}-again"), bytes.clone());
        }
        let rows = distinct(&logs) + DELETED;
        let lines = |objects: usize| {
            world.ask("SELECT count(*) FROM logs", &world.source()).trim().parse::<usize>().unwrap() + objects
        };
        let ended = dedupe(&world);
        let all = lines(logs.rejects) + rejects_of_the_first(&logs, 10);
        let expected = format!(
            "lines = rows + rejects + duplicates: {} = {rows} + {} + {}\n",
            all,
            logs.rejects + rejects_of_the_first(&logs, 10),
            all - rows - logs.rejects - rejects_of_the_first(&logs, 10),
        );
        assert_eq!(ended.stdout.lines().last().unwrap().replace(',', ""), expected.trim());
        verify(&world, rows);
        // Another run: everything again, and nothing of it is new.
        for (name, bytes) in &logs.objects {
            world.put_object(&format!("{name}-later"), bytes.clone());
        }
        world.put_object("2026-02-03-10-30-00-BA7C4DE1E7E00002", batch_delete().into());
        let before = world.data_files();
        let ended = dedupe(&world);
        assert!(ended.stdout.contains("files      0 written, 0 B\n"), "{}", ended.stdout);
        let last = ended.stdout.lines().last().unwrap().replace(',', "");
        assert!(last.ends_with(&format!(" = 0 + {} + {}", logs.rejects, logs.records + DELETED)), "{last}");
        assert_eq!(world.data_files(), before);
        verify(&world, rows);
        // Without the flag, duplicates are kept.
        world.put_object("2026-02-04-10-30-00-BA7C4DE1E7E00003", Bytes::from(batch_delete()));
        let ended = world.convert().expect(0);
        assert_eq!(
            ended.stdout.lines().last(),
            Some(format!("lines = rows + rejects: {DELETED} = {DELETED} + 0").as_str())
        );
    }
}

fn rejects_of_the_first(logs: &Logs, objects: usize) -> usize {
    (0..logs.objects.len().min(objects)).filter(|number| number % 7 == 3).count()
}

#[test]
fn kills_make_no_duplicates_and_lose_none() {
    let logs = Logs::new(100, 52);
    let world = World::new(Place::Directory, &logs);
    world.put_object("2026-02-02-10-30-00-BA7C4DE1E7E00001", batch_delete().into());
    let took = dedupe(&world).took;
    let mut random = Random::of_environment();
    for _ in 0..3 {
        world.clear_dataset();
        for _ in 0..5 {
            let mut run = world.begin_with(&DEDUPE);
            run.wait_until(random.up_to(took.mul_f64(0.8)));
            run.kill();
        }
        dedupe(&world);
        verify(&world, distinct(&logs) + DELETED);
        world.verify_no_stray();
    }
}

/// Finding duplicates requires all earlier records, so only one run can work at a time.
#[test]
fn a_second_run_gives_way() {
    let logs = Logs::new(60, 53);
    let world = World::new(Place::Bucket, &logs);
    let expected = world.expected();
    for (first, second) in [(&DEDUPE[..], &DEDUPE[..]), (&DEDUPE, &[]), (&[], &DEDUPE)] {
        world.clear_dataset();
        let data_file = Matching::writes().key_contains("day=");
        let hold = world.store().proxy.hold(Moment::Before, data_file, 1);
        let run = world.begin_with(first);
        assert!(hold.wait_for(1, Duration::from_secs(30)), "it writes no data file");
        let ended = world.run(second);
        hold.release();
        world.store().proxy.clear();
        run.wait().expect(0);
        ended.expect_failure(&["looks for duplicates", "has been working on the dataset since", "run again"]);
        world.run(second).expect(0);
        if first.is_empty() {
            world.verify(&expected);
        } else {
            let sql = "SELECT count(*), count(DISTINCT request_id) FROM logs";
            assert_eq!(world.ask(sql, &world.dataset()), format!("{0},{0}\n", distinct(&logs)));
        }
    }
}
