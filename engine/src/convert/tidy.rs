//! Keeps the ledger small: writes checkpoints and merges lists of log objects.

use crate::dataset::{Ledger, REPLACED, Runner, SOURCES, SourceList, merge_lists, runs_of};
use crate::error::Error;
use std::time::Duration;

/// Number of records after a checkpoint that triggers the next one.
const RECORDS: u64 = 64;
/// Number of lists below [`FULL`] that triggers merging them.
const LISTS: usize = 16;
/// Number of runs of full lists that triggers merging some. A lookup searches each name in a list of every run.
const RUNS: usize = 16;
/// Number of log objects in a full list.
const FULL: u64 = 1 << 19;
/// How long replaced files are kept for readers with an older snapshot.
const KEPT: Duration = Duration::from_secs(3_600);

/// Writes a checkpoint if it is due.
pub(super) async fn tidy(ledger: &mut Ledger, runner: &Runner) -> Result<(), Error> {
    if ledger.state.number - ledger.checkpoint < RECORDS {
        return Ok(());
    }
    ledger.reload().await?;
    if ledger.state.number - ledger.checkpoint < RECORDS {
        return Ok(());
    }
    let (full, few): (Vec<SourceList>, Vec<_>) =
        ledger.state.converted.iter().cloned().partition(|list| list.objects >= FULL);
    let (mut lists, mut overlapping) = divide(full);
    if few.len() > LISTS {
        overlapping.extend(few);
    } else {
        lists.extend(few);
    }
    let number = ledger.state.number;
    let mut paths = Vec::new();
    let path = |index| {
        paths.push(merged_list(runner.name(), number, index));
        merged_list(runner.name(), number, index)
    };
    let merged = merge_lists(runner.place(), runner.uploads(), overlapping, FULL, path).await;
    // Merging may take minutes. If another runner has written a checkpoint in the meantime, nothing refers to these
    // lists, and those to be merged may be gone.
    let is_late = !paths.is_empty() && ledger.has_later_checkpoint().await?;
    if !is_late {
        lists.extend(merged?);
    }
    if is_late || !ledger.write_checkpoint(lists).await? {
        for path in paths {
            runner.place().delete(&path).await?;
        }
    }
    Ok(())
}

/// Divides full lists into those to keep and those to merge, so that few have names in common.
///
/// The runs to merge are the shortest ones, up to the last that is at most as long as those before it together. So no name
/// is copied except into a run at least twice as long, which happens a logarithmic number of times; and of the runs
/// that are kept, each is longer than all shorter ones together, so their number is logarithmic, too.
fn divide(full: Vec<SourceList>) -> (Vec<SourceList>, Vec<SourceList>) {
    let objects = |run: &Vec<SourceList>| run.iter().map(|list| list.objects).sum::<u64>();
    let mut runs = runs_of(full, |list| list);
    let (mut merge, mut shorter) = (0, 0);
    if runs.len() > RUNS {
        runs.sort_by_key(objects);
        for (index, run) in runs.iter().enumerate() {
            if objects(run) <= shorter {
                merge = index + 1;
            }
            shorter += objects(run);
        }
    }
    let kept = runs.split_off(merge);
    (kept.into_iter().flatten().collect(), runs.into_iter().flatten().collect())
}

/// The path of a list that was merged for a checkpoint.
fn merged_list(runner: &str, number: u64, index: usize) -> String {
    format!("{SOURCES}/{runner}-m{number}-{index}.parquet")
}

/// The checkpoint that a list was merged for, if it was merged.
pub(super) fn checkpoint_of(list: &str, runner: &str) -> Option<u64> {
    let name = list.rsplit('/').next()?.strip_prefix(runner)?.strip_prefix("-m")?;
    name.split_once('-')?.0.parse().ok()
}

/// Deletes replaced files that are older than [`KEPT`], and returns their number.
pub(super) async fn remove_replaced(runner: &Runner) -> Result<u64, Error> {
    let now = runner.now().await?;
    let mut removed = 0;
    for entry in runner.place().list(&format!("{REPLACED}/"), None).await? {
        if now.saturating_sub(entry.modified) > KEPT.as_micros() as i64 {
            runner.place().delete(&entry.path).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket with many prefixes: the names of each batch are spread over all of them.
    #[test]
    fn lists_with_common_names_stay_few() {
        const ADDED: u64 = 3_000;
        let list = |objects, number: u64, count: u64| {
            let name = |number: u64| format!("{:05}", number * 10_000 / count);
            let (first, last) = (name(number) + "a", name(number + 1));
            SourceList { path: String::new(), file_bytes: 9, objects, bytes: 9, first, last }
        };
        let (mut lists, mut copied) = (Vec::new(), 0);
        for _ in 0..ADDED {
            lists.push(list(FULL, 0, 1));
            let (kept, merge) = divide(lists);
            let merged = merge.len() as u64;
            copied += merged;
            lists = kept;
            lists.extend((0..merged).map(|number| list(FULL, number, merged)));
            assert!(runs_of(lists.clone(), |list| list).len() <= RUNS);
        }
        assert_eq!(lists.len() as u64, ADDED);
        assert!(copied <= ADDED * u64::from(ADDED.ilog2()), "{copied} lists were written again");
        // Nothing to do for lists without common names, however many.
        assert!(divide((0..100).map(|number| list(FULL, number, 100)).collect()).1.is_empty());
    }

    #[test]
    fn merged_lists_tell_their_checkpoint() {
        let runner = "20260115T103000Z-5b1c9e2f0a7d";
        for (list, number) in [
            (merged_list(runner, 64, 1), Some(64)),
            (format!("{SOURCES}/{runner}-64.parquet"), None),
            (format!("{SOURCES}/{runner}-64-part.parquet"), None),
            (merged_list("20260115T103000Z-000000000000", 64, 1), None),
        ] {
            assert_eq!(checkpoint_of(&list, runner), number, "{list}");
        }
    }
}
