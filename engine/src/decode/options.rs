//! Options for parsing lines.

use super::block::{LONGEST_MAX_LINE, MAX_LINE};
use super::requests::RequestRules;
use s3log_parser::Dialect;
use s3log_parser::cdn::Header;
use std::sync::Arc;

/// Whether `name` is the name of a CDN log field, as in a `#Fields` line.
#[must_use]
pub fn is_cdn_field(name: &str) -> bool {
    s3log_parser::cdn::field_of_name(name.as_bytes()).is_some()
}

/// Options for parsing lines, for what the lines themselves do not say.
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
    /// Sets the maximum line length in bytes, at least 1 and at most 256 MiB. Longer lines are rejects of which only the
    /// beginning is kept.
    #[must_use]
    pub fn with_max_line(mut self, max_line: usize) -> Self {
        self.max_line = max_line.clamp(1, LONGEST_MAX_LINE);
        self
    }

    /// Sets the dialect: what S3 logs hold besides records in AWS's format.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the columns of CDN logs without a header, named as in a `#Fields` line.
    #[must_use]
    pub fn with_cdn_fields<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.cdn_fields = names.into_iter().map(str::to_owned).collect();
        self.cdn_header = Some(Arc::new(Header::of_names(self.cdn_fields.iter().map(String::as_bytes))));
        self
    }

    /// Sets the rules for the columns `bucket` and `is_cdn_fetch` of `requests`.
    #[must_use]
    pub fn with_requests(mut self, rules: RequestRules) -> Self {
        self.requests = Arc::new(rules);
        self
    }

    /// The dialect of S3 logs.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The columns of CDN logs without a header; empty if not set.
    #[must_use]
    pub fn cdn_fields(&self) -> &[String] {
        &self.cdn_fields
    }

    /// The rules for the columns `bucket` and `is_cdn_fetch` of `requests`.
    #[must_use]
    pub fn requests(&self) -> &RequestRules {
        &self.requests
    }

    /// Maximum line length in bytes.
    #[must_use]
    pub fn max_line(&self) -> usize {
        self.max_line
    }
}
