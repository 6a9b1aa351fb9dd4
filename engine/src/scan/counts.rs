//! What a scan would read.

use super::arrivals::{MAX_FETCHED, RANGE};
use super::input::PART;
use std::fmt;

/// What a scan would read from one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceCounts {
    /// The source as the user named it.
    pub source: String,
    /// Log objects listed, whether or not they are read.
    pub listed: u64,
    /// Listed objects excluded by their names.
    pub pruned: u64,
    /// Listed objects that must be restored from an archive before they can be read.
    pub archived: u64,
    /// Log objects to be read.
    pub objects: u64,
    /// Their total size in bytes, as stored.
    pub bytes: u64,
    /// Number of requests for the listing.
    pub list_requests: u64,
    /// Estimated number of requests for reading the objects, without retries.
    pub get_requests: u64,
    /// The endpoint URL; `None` for AWS and for files.
    pub endpoint: Option<String>,
    /// Whether the source is a bucket.
    pub is_bucket: bool,
}

impl SourceCounts {
    /// Adds an object to be read.
    pub(crate) fn add(&mut self, size: u64) {
        self.objects += 1;
        self.bytes += size;
        if self.is_bucket {
            self.get_requests += requests_for(size);
        }
    }
}

/// Number of requests for reading an object of a bucket, without retries.
fn requests_for(size: u64) -> u64 {
    match size {
        0 => 0,
        1..=MAX_FETCHED => 1,
        // For each range: its first bytes, and the line boundaries at its ends.
        _ if size >= 2 * RANGE => size.div_ceil(PART) + 3 * (size / RANGE),
        _ => size.div_ceil(PART),
    }
}

impl std::iter::Sum for SourceCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, count| Self {
            source: String::new(),
            listed: sum.listed + count.listed,
            pruned: sum.pruned + count.pruned,
            archived: sum.archived + count.archived,
            objects: sum.objects + count.objects,
            bytes: sum.bytes + count.bytes,
            list_requests: sum.list_requests + count.list_requests,
            get_requests: sum.get_requests + count.get_requests,
            endpoint: None,
            is_bucket: sum.is_bucket || count.is_bucket,
        })
    }
}

/// The form shown by EXPLAIN.
impl fmt::Display for SourceCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listed, pruned, archived, objects, bytes, list_requests, get_requests, .. } = self;
        write!(f, "objects={objects}, bytes={bytes}, listed={listed}, pruned_by_name={pruned}")?;
        if self.is_bucket {
            write!(f, ", archived={archived}, list_requests={list_requests}, get_requests={get_requests}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_by_size() {
        for (size, requests) in [(0, 0), (1, 1), (8 << 20, 1), (9 << 20, 3), (63 << 20, 16), (64 << 20, 22)] {
            assert_eq!(requests_for(size), requests, "{size}");
        }
    }
}
