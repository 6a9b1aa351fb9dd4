//! Integration tests of the engine in a single binary, because linking DataFusion is slow.
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
