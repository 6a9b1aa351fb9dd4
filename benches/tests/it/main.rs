//! The generator and the fixtures, looked at with the parser.

mod fixtures;
mod generator;
