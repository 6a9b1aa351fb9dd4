//! Tests of the generator and the fixtures with the parser.

#[cfg(feature = "engine")]
#[cfg(test)]
mod detection;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod generator;
#[cfg(test)]
mod labelled;
