//! `s3log convert`: the program is killed, run concurrently, and let down by disks and stores; every record still is in
//! the dataset exactly once.
//! [`source`] generates log objects, [`world`] keeps them and the dataset in a directory or a bucket and runs the
//! program, and [`rows`] compares results.
//! Other aspects: [`features`], [`duplicates`], [`rejects`], [`privacy`], [`places`], [`compact`], messages ([`said`]),
//! and independent readers of the files ([`readers`]).
//! `S3LOG_TEST_KILLS` sets the number of kills per test, `S3LOG_TEST_SEED` the seed for the moments of the kills.

#![expect(clippy::print_stderr, reason = "moments are drawn: a failure tells what came before it")]

mod compact;
mod crash;
mod duplicates;
mod elsewhere;
mod faults;
mod features;
mod full_disk;
mod hostile;
mod late;
mod places;
mod privacy;
mod random;
mod readers;
mod rejects;
mod rows;
mod said;
mod source;
mod two_runners;
mod world;
