//! Parquet files: format, column encoders, and a writer that encodes columns in parallel.

mod columns;
mod compression;
mod encoding;
mod number;
mod properties;
mod schema;
mod text;
mod writer;

pub(super) use columns::Encoders;
pub use compression::Compression;
pub(super) use properties::{COMPRESSION, Format};
pub(super) use writer::{OutputRoom, ParquetFile, Sealed};
