//! Log objects inside DataFusion's scan: opening, decompressing, decoding, filtering.
//!
//! ```text
//! DataSourceExec -> S3LogSource (projection, predicate) -> LogOpener (one object, range, or bundle at a time)
//!     -> Reader (file, object store, stdin; gzip, zstd) -> blocks of whole lines
//!     -> decoder -> filter, cheap columns first -> RecordBatch
//! ```
//!
//! Entry points: [`S3LogSource`] for building a `FileScanConfig`, [`S3LogFormat`] for DataFusion's listing tables.

mod ahead;
mod arrivals;
mod compression;
mod copy_text;
mod counts;
mod filter;
mod format;
mod head;
mod in_order;
mod input;
mod names;
mod object;
mod opener;
#[cfg(feature = "cluster")]
mod packed;
mod parquet;
mod progress;
mod reader;
mod source;
mod tally;
mod times;

pub(crate) use arrivals::{Arriving, ListError, ListObjects};
pub use copy_text::CopyTextUnderBuffers;
pub use counts::SourceCounts;
pub use format::{S3LogFormat, S3LogFormatFactory};
pub(crate) use head::Head;
pub(crate) use input::{head_of_file, micros};
pub use names::{Layout, NameRules};
pub use object::LogObject;
pub(crate) use object::{Bundle, ByteSource, ObjectVersion};
pub(crate) use opener::needs_whole_objects;
#[cfg(feature = "cluster")]
pub(crate) use packed::{Packed, pack, pack_objects, packed_group};
pub use progress::{Progress, ProgressSnapshot, StageProgress, Unreadable};
pub(crate) use reader::{Event, Reader, Unopened};
pub use source::{OnUnreadable, S3LogSource, ScanOptions};
#[cfg(feature = "cluster")]
pub(crate) use tally::add_to as add_tally;
pub use times::{TimeRange, Times};
