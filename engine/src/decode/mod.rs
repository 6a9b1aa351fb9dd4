//! Decodes bytes into record batches. No I/O, no DataFusion.
//!
//! ```text
//! bytes in pieces -> LineBlocks -> Block (whole lines) -> RecordsDecoder -> RecordBatch of `logs`, `cdn`, `requests`
//!                                                      -> RejectsDecoder -> RecordBatch of `rejects`
//! ```
//!
//! Start at [`Block::new`] for a log object in memory, and at [`LineBlocks`] for one that arrives in pieces.

pub(crate) mod address;
mod block;
mod cdn;
mod columns;
mod content;
mod counts;
mod json;
mod lines;
mod located;
mod options;
mod origin;
mod pool;
mod records;
mod rejects;
mod requests;
mod rows;
mod span;
mod text;

pub use block::{BLOCK_SIZE, Block, LARGEST_BLOCK, LineBlocks, MAX_LINE, Part};
pub use content::Content;
pub use counts::Counts;
pub use options::{LineOptions, is_cdn_field};
pub use pool::BufferPool;
pub use records::RecordsDecoder;
#[cfg(feature = "datafusion")]
pub(crate) use records::{Rows, batch};
pub use rejects::RejectsDecoder;
#[cfg(feature = "datafusion")]
pub(crate) use requests::RequestsOfRows;
pub use requests::{CDN, IsCdnAddress, ORIGIN, RequestRules};
pub use s3log_parser::Dialect;
#[cfg(feature = "datafusion")]
pub(crate) use {
    block::kept_of_long_line,
    content::{DECIDED_WITHIN, SNIFFED},
    json::JsonLine,
    lines::{LineReader, Outcome, Why},
};
