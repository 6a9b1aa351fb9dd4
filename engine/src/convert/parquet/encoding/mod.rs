//! What all columns that we encode have in common: pages, what is said of them, and the encodings of numbers.

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
