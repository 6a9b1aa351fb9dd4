//! What the first bytes of a log object say of how it may be read.

use super::compression::Compression;
use super::parquet::is_parquet;
use crate::decode::{Content, DECIDED_WITHIN, SNIFFED};

/// Bytes that mostly tell.
pub(crate) const HEAD_LEN: u64 = 4 << 10;
/// Bytes that always do.
pub(crate) const MAX_HEAD_LEN: u64 = DECIDED_WITHIN + SNIFFED as u64;

/// How an object may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// As a whole: it is compressed, a Parquet file, or a CDN log, whose lines mean what the last header before them says.
    Whole,
    /// From any line on: what the lines are is known.
    Lines(Content),
}

impl Head {
    /// What these first bytes tell; `None` as long as more of them might. `is_all` says that there are no more.
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
