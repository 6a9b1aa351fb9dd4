//! Bucket access logs as Arrow batches and DataFusion tables.
#![cfg_attr(not(feature = "datafusion"), doc = "\n(Built without the feature `datafusion`: the decoder alone.)")]

pub mod decode;
mod error;
pub mod schema;

pub use error::{Error, ErrorKind};
