//! Bytes into record batches: no I/O, no DataFusion.
//!
//! ```text
//! bytes in pieces -> LineBlocks -> Block (whole lines) -> LogsDecoder    -> RecordBatch of `logs`
//!                                                      -> RejectsDecoder -> RecordBatch of `rejects`
//! ```
//!
//! Whoever has a log object as bytes starts at [`Block::new`]; whoever gets it in pieces at [`LineBlocks`].

mod block;
mod located;
mod pool;
mod records;
mod rejects;
mod text;

pub use block::{BLOCK_SIZE, Block, LineBlocks, MAX_LINE, Part};
pub use located::Counts;
pub use pool::BufferPool;
pub use records::LogsDecoder;
#[cfg(feature = "datafusion")]
pub(crate) use records::{Rows, batch};
pub use rejects::RejectsDecoder;
#[cfg(feature = "datafusion")]
pub(crate) use {block::kept_of_long_line, rejects::TooLong};
