//! Parquet files: what stands in them, and how their columns are encoded by several threads at once.

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
pub(super) use properties::Format;
pub(super) use writer::{OutputRoom, ParquetFile, Sealed};
