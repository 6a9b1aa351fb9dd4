//! The generator and the fixtures, looked at with the parser.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod generator;
