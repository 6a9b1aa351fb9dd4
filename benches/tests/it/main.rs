//! The generator and the fixtures, looked at with the parser.

#[cfg(feature = "engine")]
#[cfg(test)]
mod detection;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod generator;
#[cfg(test)]
mod labelled;
