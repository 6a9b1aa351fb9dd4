//! `s3log convert`: the program killed, run twice at once, and let down by disks and stores; every record is in the dataset
//! exactly once all the same.
//!
//! [`source`] makes log objects, [`world`] holds them and the dataset in a directory or in a bucket and runs the program,
//! [`rows`] is what they are compared by.
//!
//! Then what else it does: [`features`], [`duplicates`], [`rejects`], [`privacy`], [`places`], [`compact`], what it says ([`said`]),
//! and that others read what it writes ([`readers`]).
//!
//! `S3LOG_TEST_KILLS` is how often each test of kills kills, `S3LOG_TEST_SEED` what it draws moments from.

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
