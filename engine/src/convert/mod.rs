//! Conversion of log objects into a Parquet dataset.
//!
//! ```text
//! objects in order -> Reader -> blocks -> decode, in parallel -> [deduplicate] -> split by day (and bucket)
//!     -> Sorter: a window of rows for each partition -> row groups, columns encoded in parallel -> Destination
//! ```
//!
//! The order of rows and their distribution over files depend only on the order of the objects and on their contents,
//! never on timing: the same objects give the same files.

mod batch_files;
mod compact;
mod decoding;
mod dedupe;
mod destination;
mod files;
mod kept;
mod known;
#[cfg(feature = "cluster")]
mod mark;
mod merge;
mod options;
mod parquet;
mod partition;
#[cfg(feature = "cluster")]
mod parts;
mod pipeline;
mod places;
pub mod privacy;
mod recovery;
mod rows;
mod run;
mod selection;
mod sorter;
mod stable_hash;
mod stop;
#[cfg(test)]
mod testing;
mod tidy;

pub use compact::{CompactOptions, CompactReport, compact};
pub use options::{ConvertOptions, PartitionBy};
pub use parquet::Compression;
#[cfg(feature = "cluster")]
pub(crate) use parts::{Order, PartsExec};
pub use recovery::Recovered;
pub use run::{ConvertPlan, ConvertReport, convert, convert_plan};
pub use selection::{Shard, Skipped};
pub use stop::Stop;
