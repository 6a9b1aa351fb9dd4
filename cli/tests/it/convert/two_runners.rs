//! Several concurrent runs of the same conversion.

use super::random::Random;
use super::source::Logs;
use super::world::{Ended, Place, World};

const OBJECTS: usize = 240;
const ROUNDS: usize = 4;

/// Whether a run did its part; otherwise it gave way, and named the other run.
fn did_its_part(ended: &Ended) -> bool {
    match ended.code {
        Some(0) => true,
        Some(1) => {
            let said = ended.stderr.to_lowercase();
            assert!(
                said.contains("another") || said.contains("other run"),
                "it gave way without a word: {}",
                ended.stderr
            );
            false
        }
        _ => panic!("{ended:?}"),
    }
}

fn at_once(place: Place, runners: usize) {
    let logs = Logs::new(OBJECTS, 5);
    let world = World::new(place, &logs);
    let expected = world.expected();
    for round in 0..ROUNDS {
        world.clear_dataset();
        let runs: Vec<_> = (0..runners).map(|_| world.begin()).collect();
        let did: Vec<bool> = runs.into_iter().map(|run| did_its_part(&run.wait())).collect();
        eprintln!("round {round}: {did:?}");
        assert!(did.contains(&true), "everybody gave way");
        world.verify(&expected);
    }
}

#[test]
fn two_runs_over_a_directory() {
    at_once(Place::Directory, 2);
}

#[test]
fn four_runs_over_a_directory() {
    at_once(Place::Directory, 4);
}

#[test]
fn two_runs_over_a_bucket() {
    at_once(Place::Bucket, 2);
}

#[test]
fn four_runs_over_a_bucket() {
    at_once(Place::Bucket, 4);
}

/// One run is left alone while others next to it are killed.
fn killed_beside(place: Place) {
    let logs = Logs::new(OBJECTS, 6);
    let world = World::new(place, &logs);
    let expected = world.expected();
    let took = world.convert().expect(0).took;
    let mut random = Random::of_environment();
    for round in 0..ROUNDS {
        world.clear_dataset();
        // The first run is killed as well.
        let mut first = world.begin();
        first.wait_until(random.up_to(took));
        let mut steady = world.begin();
        first.kill();
        let mut kills = 1;
        while !steady.has_ended() {
            let mut other = world.begin();
            other.wait_until(random.up_to(took));
            let ended = other.kill();
            match ended.code {
                None => kills += 1,
                Some(_) => drop(did_its_part(&ended)),
            }
            world.verify_so_far(&expected);
        }
        let did = did_its_part(&steady.wait());
        eprintln!("round {round}: {kills} kills, the one that was left alone did its part: {did}");
        // What the last killed run had claimed still has to be done.
        world.convert().expect(0);
        world.verify(&expected);
    }
}

#[test]
fn a_run_over_a_directory_beside_some_that_are_killed() {
    killed_beside(Place::Directory);
}

#[test]
fn a_run_over_a_bucket_beside_some_that_are_killed() {
    killed_beside(Place::Bucket);
}
