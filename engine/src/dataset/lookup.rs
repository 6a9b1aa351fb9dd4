//! Looks log objects up in lists of those converted or being converted.
//!
//! Lists overlap: if the names of log objects begin with a prefix for each bucket, every list spans all of them. So lists
//! are divided into runs without common names, and a name is searched in one row group of each run. Lookups come in the
//! order of a listing, so the same row groups serve many of them. `convert/tidy.rs` keeps the number of runs small.

use super::place::Place;
use super::record::SourceList;
use super::sources::{ListFile, Rows, SourceVersion, runs_of};
use crate::error::Error;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// Looks names up in lists.
pub(crate) struct Lookup<T> {
    /// The longest first: most names are in it.
    runs: Vec<Vec<(SourceList, T)>>,
    /// By run, and position in it.
    open: HashMap<(usize, usize), Arc<ListFile>>,
    /// Decoded row groups, and when they were last used.
    decoded: HashMap<(usize, usize, usize), (u64, Arc<Rows>)>,
    clock: u64,
}

/// Capacity of the cache, in row groups of about 1 MiB. It is larger only if there are more runs than that: with fewer row
/// groups than runs, each lookup would miss.
const DECODED: usize = 64;

impl<T: Clone> Lookup<T> {
    /// A lookup over lists, each with the meaning of being in it.
    pub(crate) fn new(lists: Vec<(SourceList, T)>) -> Self {
        let mut runs = runs_of(lists, |(list, _)| list);
        runs.sort_by_key(|run| Reverse(run.iter().map(|(list, _)| list.objects).sum::<u64>()));
        Self { runs, open: HashMap::new(), decoded: HashMap::new(), clock: 0 }
    }

    /// The version and meaning of a name, from a list that contains it.
    pub(crate) async fn find(&mut self, place: &Place, name: &str) -> Result<Option<(SourceVersion, T)>, Error> {
        for index in 0..self.runs.len() {
            let Some(run) = self.runs.get(index) else { continue };
            let at = run.partition_point(|(list, _)| list.last.as_str() < name);
            let Some((list, meaning)) = run.get(at).filter(|(list, _)| list.first.as_str() <= name) else { continue };
            let (key, meaning) = ((index, at), meaning.clone());
            let file = match self.open.get(&key) {
                Some(file) => Arc::clone(file),
                None => {
                    let file = Arc::new(ListFile::open(place, list).await?);
                    self.open.insert(key, Arc::clone(&file));
                    file
                }
            };
            let Some(group) = file.group_of(name) else { continue };
            if let Some(version) = self.rows(place, key, &file, group).await?.find(name) {
                return Ok(Some((version, meaning)));
            }
        }
        Ok(None)
    }

    async fn rows(
        &mut self,
        place: &Place,
        (run, at): (usize, usize),
        file: &ListFile,
        group: usize,
    ) -> Result<Arc<Rows>, Error> {
        self.clock += 1;
        if let Some((used, rows)) = self.decoded.get_mut(&(run, at, group)) {
            *used = self.clock;
            return Ok(Arc::clone(rows));
        }
        if self.decoded.len() >= DECODED.max(self.runs.len())
            && let Some(oldest) = self.decoded.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key)
        {
            self.decoded.remove(&oldest);
        }
        let rows = Arc::new(file.rows(place, group).await?);
        self.decoded.insert((run, at, group), (self.clock, Arc::clone(&rows)));
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::sources::tests::{place, source};
    use crate::dataset::sources::write_list;
    use crate::dataset::upload::OpenUploads;

    #[tokio::test]
    async fn what_is_in_a_list_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(&directory).await;
        let even = (0..40_000).map(|number| source(number * 2)).collect();
        let list = write_list(&place, &OpenUploads::default(), "lists/a".to_owned(), even).await.unwrap();
        assert_eq!(
            (list.objects, list.first.as_str(), list.last.as_str()),
            (40_000, "s3://logs/00000000", "s3://logs/00079998")
        );
        let one = write_list(&place, &OpenUploads::default(), "lists/b".to_owned(), vec![source(7)]).await.unwrap();
        let mut lookup = Lookup::new(vec![(list, 'a'), (one, 'b')]);
        for number in (0..80_100).step_by(37).chain([0, 7, 79_998, 79_999]) {
            let found = lookup.find(&place, &source(number).name).await.unwrap();
            let expected = match number {
                7 => Some((source(7).version, 'b')),
                number if number % 2 == 0 && number < 80_000 => Some((source(number).version, 'a')),
                _ => None,
            };
            assert_eq!(found, expected, "{number}");
        }
        assert!(lookup.decoded.len() <= DECODED);
    }

    /// Otherwise the cache would miss at every lookup.
    #[tokio::test]
    async fn a_row_group_of_each_overlapping_list_is_kept() {
        const LISTS: u64 = DECODED as u64 + 16;
        let directory = tempfile::tempdir().unwrap();
        let place = place(&directory).await;
        let mut lists = Vec::new();
        for list in 0..LISTS {
            let sources = (0..3).map(|number| source(number * LISTS + list)).collect();
            let written = write_list(&place, &OpenUploads::default(), format!("lists/{list}"), sources).await;
            lists.push((written.unwrap(), list));
        }
        let mut lookup = Lookup::new(lists);
        for number in 0..3 * LISTS {
            let found = lookup.find(&place, &source(number).name).await.unwrap();
            assert_eq!(found, Some((source(number).version, number % LISTS)), "{number}");
        }
        assert_eq!(lookup.decoded.len() as u64, LISTS);
    }
}
