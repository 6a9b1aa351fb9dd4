//! Keeps the ledger small: writes checkpoints and merges lists of log objects.

use crate::dataset::{Ledger, REPLACED, Runner, SOURCES, SourceList, merge_lists};
use crate::error::Error;
use std::time::Duration;

/// Number of records after a checkpoint that triggers the next one.
const RECORDS: u64 = 64;
/// Number of lists below [`FULL`] that triggers merging them.
const LISTS: usize = 16;
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
    let (full, mut few): (Vec<SourceList>, Vec<_>) =
        ledger.state.converted.iter().cloned().partition(|list| list.objects >= FULL);
    let mut merged = Vec::new();
    if few.len() > LISTS {
        let number = ledger.state.number;
        let path = |index| merged_list(runner.name(), number, index);
        merged = merge_lists(runner.place(), runner.uploads(), &few, FULL, path).await?;
        few.clear();
    }
    let lists = full.into_iter().chain(few).chain(merged.iter().cloned()).collect();
    if !ledger.write_checkpoint(lists).await? {
        // Another runner was first: nothing refers to these lists.
        for list in merged {
            runner.place().delete(&list.path).await?;
        }
    }
    Ok(())
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
