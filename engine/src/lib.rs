//! Bucket access logs as Arrow batches and DataFusion tables.
#![cfg_attr(not(feature = "datafusion"), doc = "\n(Built without the feature `datafusion`: the decoder alone.)")]

#[cfg(feature = "datafusion")]
pub mod check;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "datafusion")]
pub mod convert;
#[cfg(feature = "datafusion")]
pub mod dataset;
pub mod decode;
#[cfg(feature = "datafusion")]
pub mod detect;
mod error;
#[cfg(feature = "datafusion")]
pub mod functions;
#[cfg(feature = "datafusion")]
pub mod keys;
#[cfg(feature = "datafusion")]
pub mod logging;
#[cfg(feature = "datafusion")]
pub mod plan;
#[cfg(feature = "datafusion")]
mod policy_pattern;
#[cfg(feature = "datafusion")]
pub mod scan;
pub mod schema;
#[cfg(feature = "datafusion")]
pub mod session;
#[cfg(feature = "datafusion")]
pub mod store;
#[cfg(feature = "datafusion")]
pub mod table;
#[cfg(feature = "datafusion")]
mod time_units;
mod unprintable;

pub use error::{Error, ErrorKind};
pub use unprintable::is_unprintable;
