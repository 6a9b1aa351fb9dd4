//! Tests of the engine from outside, in one binary: linking DataFusion is the slow part.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod audit;
mod buckets;
mod content;
mod datasets;
mod detect;
mod functions;
mod keys;
mod laws;
mod logging;
mod logs;
mod scan;
mod sources;
