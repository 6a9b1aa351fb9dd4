//! Which log objects have been delivered so far.

use super::LoggingSettings;
use crate::error::Error;
use crate::store::{ListPage, ListStart, Stores};
use crate::time_units::SECONDS_PER_DAY;
use s3log_parser::LogObjectKey;

/// Age in seconds from which log objects are not recent. A second page, starting at this age, shows whether delivery
/// continues.
const RECENT: i64 = 2 * SECONDS_PER_DAY;

/// Log objects under a prefix, as far as one or two pages of a listing show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Number of objects listed.
    pub objects: u64,
    /// Whether there are more than were listed.
    pub has_more: bool,
    /// The most recently written object listed: its name, and the time in microseconds since the Unix epoch (UTC).
    pub newest: Option<(String, i64)>,
}

/// Lists one page. If there are more objects, and their names have times, lists a second page that starts two days
/// before now.
pub(super) async fn look(stores: &Stores, settings: &LoggingSettings) -> Result<Delivered, Error> {
    let bucket = stores.bucket(&settings.target_bucket).await?;
    let first = bucket.list(&settings.target_prefix, &ListStart::First, None).await?;
    let mut delivered = Delivered { objects: first.objects.len() as u64, ..Delivered::default() };
    delivered.see(&first);
    if let Some(start) = first.next.is_some().then(|| recent(&first, now())).flatten() {
        let second = bucket.list(&settings.target_prefix, &ListStart::Behind(start), None).await?;
        delivered.see(&second);
    }
    delivered.has_more = first.next.is_some();
    Ok(delivered)
}

impl Delivered {
    fn see(&mut self, page: &ListPage) {
        let newest = page.objects.iter().max_by_key(|object| object.last_modified);
        let Some(newest) = newest else { return };
        let time = newest.last_modified.timestamp_micros();
        // If several were written at the same time, the last name wins: pages are in name order.
        if self.newest.as_ref().is_none_or(|(_, known)| *known <= time) {
            self.newest = Some((newest.location.to_string(), time));
        }
    }
}

/// The name after which recent log objects sort, given the last name of a page.
fn recent(page: &ListPage, now: i64) -> Option<String> {
    let last = page.objects.last()?;
    LogObjectKey::parse(last.location.as_ref())?.beginning_at(now - RECENT)
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
