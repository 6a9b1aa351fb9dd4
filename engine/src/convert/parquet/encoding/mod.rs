//! Common parts of our column encoders: pages, their metadata, and encodings of integers.

mod chunk;
pub(super) mod delta;
mod format;
pub(super) mod hybrid;
mod order;
mod page;
#[cfg(test)]
pub(super) mod testing;

pub(super) use chunk::{Chunk, EncodedChunk, PageOf};
pub(super) use format::ChunkFormat;
pub(super) use order::Order;
pub(super) use page::PageRows;
