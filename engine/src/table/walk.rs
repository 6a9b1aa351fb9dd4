//! Lists one location page by page, skipping ranges of names and splitting the listing for concurrency.
//!
//! Everything is based on one kind of request: list the names after a given one. Names sort lexicographically, and the
//! times in them sort the same way. So when a page ends among names that are too early, the next request starts at the
//! beginning of the wanted time; among names that are too late, it starts after the last such name. A jump never leaves
//! the names of one form and one year, since names of another form may follow: from a changed configuration, another
//! account, or an object put there by hand. Objects whose names follow no known scheme are read wherever they are seen.
//! Among skipped names they are not seen; but once such a name has been seen in a group, nothing more is skipped there.
//!
//! A listing has one request in flight at a time, which is plenty while objects are fetched. If the consumer waits for
//! the listing, it is split: by time if names have one, otherwise at folders.

use super::sieve::Sieve;
use crate::dataset::is_of_dataset;
use crate::error::{Error, ErrorKind};
use crate::scan::{ListError, LogObject, NameRules, ObjectVersion, Progress, Times, Unopened};
use crate::store::{Bucket, ListPage, ListStart, Location};
use crate::time_units::SECONDS_PER_DAY;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use object_store::ObjectMeta;
use object_store::path::Path as StorePath;
use s3log_parser::{CdnObjectKey, LogObjectKey};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Maximum number of concurrent listings of one location.
const MAX_STRETCHES: usize = 16;
/// Number of pages needed to estimate how much time a page covers.
const PAGES_BEFORE_SPLIT: u64 = 3;
/// Shorter listings are not split: the last page of each part overlaps the next part and is partly wasted.
const PAGES_WORTH_SPLITTING: i64 = 32;
/// Minimum number of pages per part.
const PAGES_OF_PART: i64 = 8;

pub(super) type Pages = mpsc::Sender<Result<Vec<Unopened>, ListError>>;

/// What to list, and how.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) bucket: Arc<Bucket>,
    pub(super) location: Location,
    pub(super) rules: NameRules,
    pub(super) wanted: Times,
    pub(super) progress: Option<Arc<Progress>>,
    /// Whether it is no error if there is no log object.
    pub(super) may_be_empty: bool,
}

/// A range of names: after `floor`, up to and including `until`.
#[derive(Debug)]
struct Stretch {
    start: ListStart,
    floor: Option<String>,
    until: Option<String>,
    /// The last name listed, unless names were skipped after it.
    last: Option<String>,
    sieve: Sieve<Unopened>,
    pages: u64,
    is_over: bool,
}

/// State shared by all stretches of a listing.
#[derive(Debug, Default)]
struct Found {
    objects: u64,
    /// Whether a name came after a greater one.
    out_of_order: bool,
    /// Whether names were skipped or the listing was split, both of which rely on the order of names.
    relied_on_order: bool,
    folders_asked: bool,
    /// Groups of names that are interspersed with others.
    mixed: HashSet<String>,
}

type Fetched = (Stretch, Result<ListPage, Error>);

impl Walk {
    /// Lists until the end, an error, or until the receiver is gone.
    pub(super) async fn run(self, pages: Pages) {
        if self.wanted.is_never() {
            // Contradictory conditions: no name is worth a request.
            return;
        }
        let mut found = Found::default();
        let failed = match self.list(&pages, &mut found).await {
            Ok(()) if found.objects == 0 && !self.may_be_empty => {
                let error = Error::new(ErrorKind::NotFound, "no log objects found")
                    .in_object(self.location.to_string())
                    .with_hint("names must begin with exactly this prefix; `aws s3 ls` shows which exist");
                ListError { error, is_fatal: true }
            }
            Ok(()) => return,
            Err(error) if found.objects == 0 => ListError { error, is_fatal: true },
            Err(error) => {
                let error = error.with_note(format!("the listing ended after {} objects", found.objects));
                ListError { error, is_fatal: false }
            }
        };
        // An error means that the receiver is gone.
        drop(pages.send(Err(failed)).await);
    }

    async fn list(&self, pages: &Pages, found: &mut Found) -> Result<(), Error> {
        let mut under_way: FuturesUnordered<BoxFuture<'_, Fetched>> = FuturesUnordered::new();
        under_way.push(self.request(self.stretch(None, None)));
        while let Some((mut stretch, page)) = under_way.next().await {
            let page = page?;
            let (kept, reached_until) = self.sift(&mut stretch, &page, found)?;
            let is_awaited = pages.capacity() == pages.max_capacity();
            match page.next.clone().filter(|_| !reached_until) {
                Some(token) if matches!(&stretch.start, ListStart::Token(sent) if *sent == token) => {
                    return Err(Error::new(ErrorKind::Unreadable, "the store lists the same page again and again")
                        .in_object(self.location.to_string()));
                }
                Some(token) => self.go_on_behind(&mut stretch, &page, token, found),
                None => stretch.is_over = true,
            }
            if stretch.is_over {
                stretch.sieve.finish();
                self.count_pruned(&mut stretch);
            } else if is_awaited && stretch.pages >= PAGES_BEFORE_SPLIT && under_way.len() < MAX_STRETCHES {
                let parts = self.split(stretch, &page.objects, found).await;
                under_way.extend(parts.into_iter().map(|part| self.request(part)));
            } else {
                under_way.push(self.request(stretch));
            }
            if !kept.is_empty() && pages.send(Ok(kept)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn stretch(&self, floor: Option<String>, until: Option<String>) -> Stretch {
        Stretch {
            start: floor.clone().map_or(ListStart::First, ListStart::Behind),
            floor,
            until,
            last: None,
            sieve: Sieve::new(self.rules, self.wanted.clone()),
            pages: 0,
            is_over: false,
        }
    }

    fn request(&self, stretch: Stretch) -> BoxFuture<'_, Fetched> {
        Box::pin(async move {
            let page = self.bucket.list(self.location.prefix(), &stretch.start, None).await;
            (stretch, page)
        })
    }

    fn count_pruned(&self, stretch: &mut Stretch) {
        if let Some(progress) = &self.progress {
            progress.pruned(stretch.sieve.take_pruned());
        }
    }

    /// The objects of a page that are to be read, and whether the stretch ends in it.
    fn sift(&self, stretch: &mut Stretch, page: &ListPage, found: &mut Found) -> Result<(Vec<Unopened>, bool), Error> {
        stretch.pages += 1;
        let mut kept = Vec::new();
        let mut reached_until = false;
        for (at, meta) in page.objects.iter().enumerate() {
            let name = meta.location.as_ref();
            // An object may stand beside one that has its name with a slash behind it, which is listed later.
            let is_other = |slashed: &str| {
                slashed.ends_with('/') && page.objects[at + 1..].iter().any(|later| later.location == meta.location)
            };
            let mut slashed = page.slashed.iter().filter(|slashed| slashed.trim_matches('/') == name);
            if let Some(slashed) = slashed.next().filter(|slashed| slashed.starts_with('/') || !is_other(slashed)) {
                // Consoles create folders as empty objects whose names end with a slash.
                if meta.size == 0 && slashed.ends_with('/') {
                    continue;
                }
                let error = "names that begin or end with `/` cannot be read";
                return Err(Error::new(ErrorKind::Unsupported, error)
                    .in_object(self.bucket.name_of(slashed))
                    .with_hint("copy such objects to other names"));
            }
            // A store that ignores `start-after` lists from the first name.
            if stretch.floor.as_deref().is_some_and(|floor| name <= floor) {
                continue;
            }
            match stretch.last.as_deref().map(|last| name.cmp(last)) {
                // Some stores begin a page with the last name of the previous one.
                Some(Ordering::Equal) => continue,
                Some(Ordering::Less) => found.out_of_order = true,
                Some(Ordering::Greater) | None => {}
            }
            if stretch.until.as_deref().is_some_and(|until| name > until) {
                reached_until = true;
                break;
            }
            stretch.last = Some(name.to_owned());
            self.take(stretch, meta, page, found, &mut kept);
        }
        let relies_on_order = found.relied_on_order || (self.rules.prune() && !self.wanted.is_all());
        if found.out_of_order && relies_on_order {
            return Err(Error::new(ErrorKind::Unsupported, "the store does not list names in order")
                .in_object(self.location.to_string())
                .with_hint("use --layout none, which lists and reads everything"));
        }
        self.count_pruned(stretch);
        Ok((kept, reached_until))
    }

    fn take(
        &self,
        stretch: &mut Stretch,
        meta: &ObjectMeta,
        page: &ListPage,
        found: &mut Found,
        kept: &mut Vec<Unopened>,
    ) {
        let name = meta.location.as_ref();
        if is_of_dataset(name) {
            return;
        }
        found.objects += 1;
        let (modified, e_tag) = (meta.last_modified.timestamp_micros(), meta.e_tag.clone());
        let is_archived = page.archived.binary_search_by(|archived| archived.as_str().cmp(name)).is_ok();
        let object = LogObject::in_bucket(Arc::clone(&self.bucket), meta.location.clone());
        let object = object.with_version(ObjectVersion { modified, e_tag, is_pinned: false, is_archived });
        let object = Unopened { object, size: meta.size, range: None };
        stretch.sieve.push(name, self.location.prefix(), object, kept);
    }

    /// Decides where to continue: with the next page, or after names that are not worth listing.
    fn go_on_behind(&self, stretch: &mut Stretch, page: &ListPage, token: String, found: &mut Found) {
        let last = stretch.last.as_deref().filter(|_| !self.wanted.is_all());
        self.note_mixed(page, found);
        let target = last.and_then(|last| {
            let (group, target) = match LogObjectKey::parse(last) {
                Some(key) => (key.group(), self.beyond(&key)?),
                None => {
                    let key = CdnObjectKey::parse(last)?;
                    (key.group(), self.rules.beyond_cdn(&key, &self.wanted)?)
                }
            };
            (target.as_str() > last && !found.mixed.contains(group)).then_some(target)
        });
        let Some(target) = target else {
            stretch.start = ListStart::Token(token);
            return;
        };
        found.relied_on_order = true;
        stretch.is_over = stretch.until.as_ref().is_some_and(|until| target >= *until);
        stretch.last = None;
        stretch.floor = Some(target.clone());
        stretch.start = ListStart::Behind(target);
    }

    /// Records the group of a page's names if others are interspersed with them.
    fn note_mixed(&self, page: &ListPage, found: &mut Found) {
        if self.wanted.is_all() {
            return;
        }
        let names = || page.objects.iter().map(|meta| meta.location.as_ref());
        let known = |name| LogObjectKey::parse(name).filter(|key| self.rules.knows(key));
        let known_cdn = |name| CdnObjectKey::parse(name).filter(|key| self.rules.knows_cdn(key));
        let is_other = |key: &LogObjectKey<'_>, name| known(name).is_none_or(|other| other.group() != key.group());
        let mixed =
            names().rev().find_map(known).filter(|key| names().any(|name| key.is_among(name) && is_other(key, name)));
        let mixed_cdn = names()
            .rev()
            .find_map(known_cdn)
            .filter(|key| names().any(|name| key.is_among(name) && known_cdn(name).is_none()));
        let groups = mixed.map(|key| key.group()).into_iter().chain(mixed_cdn.map(|key| key.group()));
        found.mixed.extend(groups.map(str::to_owned));
    }

    /// If a name of this form is not worth reading: the name after which the next one worth reading can be.
    fn beyond(&self, key: &LogObjectKey<'_>) -> Option<String> {
        if self.rules.bounds(key).meet(&self.wanted) {
            return None;
        }
        let end = key.end_of_year()?;
        if let Some(first) = self.rules.first_name(&self.wanted)
            && key.seconds() < first
        {
            // Names of the first day may only have the day.
            let is_earlier_day = key.day() < first.div_euclid(SECONDS_PER_DAY) * SECONDS_PER_DAY;
            let target = if is_earlier_day { key.beginning_on(first) } else { key.beginning_at(first) };
            return Some(target?.min(end));
        }
        let is_late = self.rules.last_name(key, &self.wanted).is_some_and(|last| key.seconds() > last);
        is_late.then_some(end)
    }

    /// Splits the rest of a stretch into parts if it is long.
    async fn split(&self, stretch: Stretch, page: &[ObjectMeta], found: &mut Found) -> Vec<Stretch> {
        // After a jump it is not known yet how names continue.
        let Some(behind) = stretch.last.clone().filter(|_| !found.out_of_order) else { return vec![stretch] };
        let mut marks = match self.marks_of_time(&stretch, page, &behind) {
            Some(marks) => marks,
            None if !std::mem::replace(&mut found.folders_asked, true) => self.marks_of_folders(&behind).await,
            None => Vec::new(),
        };
        marks.retain(|mark| *mark > behind && stretch.until.as_ref().is_none_or(|until| mark < until));
        if marks.is_empty() {
            return vec![stretch];
        }
        found.relied_on_order = true;
        let untils = marks.iter().skip(1).cloned().map(Some).chain([stretch.until.clone()]);
        let rest: Vec<_> =
            marks.iter().zip(untils).map(|(mark, until)| self.stretch(Some(mark.clone()), until)).collect();
        let first = Stretch { until: marks.first().cloned(), ..stretch };
        [first].into_iter().chain(rest).collect()
    }

    /// Names that divide the rest of a listing by the times in them, if much is left judging by how much time a page
    /// covers.
    fn marks_of_time(&self, stretch: &Stretch, page: &[ObjectMeta], last: &str) -> Option<Vec<String>> {
        let last = LogObjectKey::parse(last)?;
        let first = page
            .iter()
            .find_map(|meta| LogObjectKey::parse(meta.location.as_ref()).filter(|key| key.group() == last.group()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() as i64;
        let until = stretch
            .until
            .as_deref()
            .and_then(|until| LogObjectKey::parse(&format!("{until}-A")).map(|key| key.seconds()));
        // Nothing is listed after the last name worth reading.
        let end = self.rules.last_name(&last, &self.wanted).unwrap_or(now).min(now);
        let left = until.unwrap_or(end).min(end) - last.seconds();
        let pages = left / (last.seconds() - first.seconds()).max(1);
        if left <= 0 || pages < PAGES_WORTH_SPLITTING {
            return Some(Vec::new());
        }
        let parts = (pages / PAGES_OF_PART).min(MAX_STRETCHES as i64 / 2);
        let at = |part: i64| {
            let seconds = last.seconds() + left / parts * part;
            if last.is_partitioned() { last.beginning_on(seconds) } else { last.beginning_at(seconds) }
        };
        let mut marks: Vec<_> = (1..parts).filter_map(at).collect();
        marks.dedup();
        Some(marks)
    }

    /// Folders after a name, below the location's prefix. A store that does not report folders is listed in one go.
    async fn marks_of_folders(&self, behind: &str) -> Vec<String> {
        let folders = self.bucket.folders(self.location.prefix(), behind).await.unwrap_or_default();
        let mut marks: Vec<_> = folders.into_iter().map(|folder: StorePath| format!("{folder}/")).collect();
        marks.sort_unstable();
        marks.dedup();
        let every = marks.len().div_ceil(MAX_STRETCHES - 1).max(1);
        marks.into_iter().step_by(every).collect()
    }
}
