//! Logs of our own making, of any size, for benchmarks, tests and fixtures.
//!
//! - [`generate`] writes endless, seeded, realistic lines: start at [`generate::Generator`].
//! - [`cdn`] writes the log that a CDN in front of the bucket would have.
//! - [`objects`] puts them into files or into log objects named as S3 names them.
//! - [`story`] writes the tree under `fixtures/`: two days of a small company's buckets, and lines of older years.
//!
//! Everything is a function of a seed: the same options give the same bytes. Nothing here reads a clock or the machine's
//! source of randomness.

pub mod calendar;
pub mod cdn;
pub mod generate;
pub mod labelled;
pub mod objects;

pub mod random;
pub mod row;

pub mod story;
