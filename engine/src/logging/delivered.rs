//! What is there of log objects.

use super::LoggingSettings;
use crate::error::Error;
use crate::store::{ListPage, ListStart, Stores};
use crate::time_units::SECONDS_PER_DAY;
use s3log_parser::LogObjectKey;

/// Log objects that came so many seconds ago are old news: one page behind that says whether any came since.
const RECENT: i64 = 2 * SECONDS_PER_DAY;

/// Log objects under a prefix, as far as one page of a listing tells, or two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// How many were listed.
    pub objects: u64,
    /// Whether there are more than were listed.
    pub has_more: bool,
    /// The name of the one that was written last, and when, in microseconds since 1970.
    pub newest: Option<(String, i64)>,
}

/// Lists a page. If there are more, and their names tell times, a second page begins two days before now.
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
        // Of several that came at the same time, the last of the names: pages come in their order.
        if self.newest.as_ref().is_none_or(|(_, known)| *known <= time) {
            self.newest = Some((newest.location.to_string(), time));
        }
    }
}

/// The name behind which recent log objects stand, by the last name of a page.
fn recent(page: &ListPage, now: i64) -> Option<String> {
    let last = page.objects.last()?;
    LogObjectKey::parse(last.location.as_ref())?.beginning_at(now - RECENT)
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
