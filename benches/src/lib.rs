//! Synthetic logs of any size for benchmarks, tests and fixtures.
//!
//! - [`generate`] generates endless, seeded, realistic lines; start at [`generate::Generator`].
//! - [`cdn`] generates the log that a CDN in front of the bucket would have written.
//! - [`objects`] writes lines to files, or to log objects named as by S3.
//! - [`story`] writes the generated part of `fixtures/`: two days of a small company's buckets, and lines of older
//!   years.
//!
//! Everything is a function of a seed: the same options give the same bytes. Nothing depends on the clock or on the
//! operating system's random numbers.

pub mod calendar;
pub mod cdn;
pub mod generate;
pub mod labelled;
pub mod objects;

pub mod random;
pub mod row;

pub mod story;
