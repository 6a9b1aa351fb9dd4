//! How lines are understood beyond what they say themselves.

use super::block::MAX_LINE;
use super::requests::RequestRules;
use s3log_parser::Dialect;
use s3log_parser::cdn::Header;
use std::sync::Arc;

/// Whether a field of CDN logs has this name in a `#Fields` line.
#[must_use]
pub fn is_cdn_field(name: &str) -> bool {
    s3log_parser::cdn::field_of_name(name.as_bytes()).is_some()
}

/// How lines are understood beyond what they say themselves.
///
/// ```
/// use s3log_engine::decode::{Dialect, LineOptions};
///
/// let options = LineOptions::default().with_max_line(1 << 20).with_dialect(Dialect::CephJournal);
/// assert_eq!(options.max_line(), 1 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct LineOptions {
    pub(super) max_line: usize,
    pub(super) dialect: Dialect,
    pub(super) cdn_header: Option<Arc<Header>>,
    cdn_fields: Arc<[String]>,
    pub(super) requests: Arc<RequestRules>,
}

impl Default for LineOptions {
    fn default() -> Self {
        Self {
            max_line: MAX_LINE,
            dialect: Dialect::default(),
            cdn_header: None,
            cdn_fields: Arc::default(),
            requests: Arc::default(),
        }
    }
}

impl LineOptions {
    /// Lines beyond this many bytes are rejects of which only the beginning is kept.
    #[must_use]
    pub fn with_max_line(mut self, max_line: usize) -> Self {
        self.max_line = max_line.max(1);
        self
    }

    /// What S3 logs hold beside records that tell by themselves what they are.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The columns of CDN logs that have no header: names as in a `#Fields` line.
    #[must_use]
    pub fn with_cdn_fields<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.cdn_fields = names.into_iter().map(str::to_owned).collect();
        self.cdn_header = Some(Arc::new(Header::of_names(self.cdn_fields.iter().map(String::as_bytes))));
        self
    }

    /// What the columns `bucket` and `is_cdn_fetch` of `requests` follow.
    #[must_use]
    pub fn with_requests(mut self, rules: RequestRules) -> Self {
        self.requests = Arc::new(rules);
        self
    }

    /// What S3 logs hold beside records that tell by themselves what they are.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The columns of CDN logs that have no header; empty if nobody said them.
    #[must_use]
    pub fn cdn_fields(&self) -> &[String] {
        &self.cdn_fields
    }

    /// What the columns `bucket` and `is_cdn_fetch` of `requests` follow.
    #[must_use]
    pub fn requests(&self) -> &RequestRules {
        &self.requests
    }

    /// Bytes that a line has at most.
    #[must_use]
    pub fn max_line(&self) -> usize {
        self.max_line
    }
}
