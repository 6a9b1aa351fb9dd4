//! x

#[cfg(feature = "datafusion")]
pub mod functions;
