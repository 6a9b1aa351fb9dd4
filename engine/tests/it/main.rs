//! Tests of the engine from outside, in one binary: linking DataFusion is the slow part.

mod functions;
mod laws;
mod logs;
mod scan;
mod sources;
