//! The files of a batch that exist in a place, by their names.

#[cfg(feature = "cluster")]
use crate::dataset::DataFile;
use crate::dataset::Place;
use crate::error::Error;
#[cfg(feature = "cluster")]
use crate::error::ErrorKind;
#[cfg(feature = "cluster")]
use std::collections::HashSet;

/// How paths of data files begin. Those of rejects begin with the batch.
pub(super) const DAYS: &str = "day=";

/// The files of a batch whose paths begin with `start`.
async fn of_batch(place: &Place, start: &str, batch: &str) -> Result<Vec<String>, Error> {
    let begin = format!("{batch}-");
    let is_of_batch = |path: &String| path.rsplit('/').next().is_some_and(|name| name.starts_with(&begin));
    let entries = place.list(start, None).await?;
    Ok(entries.into_iter().map(|entry| entry.path).filter(is_of_batch).collect())
}

/// Deletes the files of a batch that is not committed.
pub(super) async fn remove(place: &Place, start: &str, batch: &str) -> Result<(), Error> {
    for path in of_batch(place, start, batch).await? {
        place.delete(&path).await?;
    }
    Ok(())
}

/// Checks that these files of a batch exist, and deletes its others: those of tasks that were lost, which may be in any
/// folder.
#[cfg(feature = "cluster")]
pub(super) async fn keep(place: &Place, start: &str, batch: &str, files: &[DataFile]) -> Result<(), Error> {
    let mut expected: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for path in of_batch(place, start, batch).await? {
        if !expected.remove(path.as_str()) {
            place.delete(&path).await?;
        }
    }
    match expected.into_iter().next() {
        None => Ok(()),
        Some(missing) => {
            Err(Error::new(ErrorKind::Unwritable, "an executor reported that it wrote this, but it does not exist")
                .in_object(place.name_of(missing))
                .with_hint("--to, and --rejects, must be the same folder on all machines, or a bucket"))
        }
    }
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use super::*;
    use crate::store::Stores;

    #[tokio::test]
    async fn files_of_lost_tasks_are_deleted_in_all_folders() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap();
        let (mine, lost, other) = ("day=1/r-1-5.parquet", "day=2/bucket=a/r-1-9.parquet", "day=2/r-11-0.parquet");
        for path in [mine, lost, other] {
            place.put(path, "x".into()).await.unwrap();
        }
        let file = DataFile { path: mine.to_owned(), rows: 1, bytes: 1, min_time: 0, max_time: 0 };
        keep(&place, DAYS, "r-1", std::slice::from_ref(&file)).await.unwrap();
        let left: Vec<String> = place.list(DAYS, None).await.unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(left, [mine, other]);
        remove(&place, DAYS, "r-1").await.unwrap();
        let missing = keep(&place, DAYS, "r-1", &[file]).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::Unwritable);
    }
}
