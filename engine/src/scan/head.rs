//! What the first bytes of a log object say about how it may be read.

use super::compression::Compression;
use super::parquet::is_parquet;
use crate::decode::{Content, DECIDED_WITHIN, SNIFFED};

/// Number of bytes that is usually enough to decide.
pub(crate) const HEAD_LEN: u64 = 4 << 10;
/// Number of bytes that is always enough.
pub(crate) const MAX_HEAD_LEN: u64 = DECIDED_WITHIN + SNIFFED as u64;

/// How an object may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// As a whole: it is compressed, Parquet, or a CDN log, whose lines depend on the last header before them.
    Whole,
    /// From any line on; the content of its lines is known.
    Lines(Content),
}

impl Head {
    /// What these first bytes say; `None` if more bytes are needed. `is_all`: there are no more bytes.
    pub(crate) fn of(bytes: &[u8], is_all: bool) -> Option<Self> {
        if Compression::of(bytes).is_some() || is_parquet(bytes) {
            return Some(Self::Whole);
        }
        Some(match Content::of_head(bytes, is_all || bytes.len() as u64 >= MAX_HEAD_LEN)? {
            Content::Cdn(_) => Self::Whole,
            content => Self::Lines(content),
        })
    }
}
