use super::*;
use crate::store::Stores;
use bytes::Bytes;

async fn place(directory: &tempfile::TempDir) -> Place {
    Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap().for_writer("me")
}

fn list(name: &str) -> SourceList {
    let (first, last) = (format!("{name}1"), format!("{name}9"));
    SourceList { path: format!("_s3log/sources/{name}"), file_bytes: 9, objects: 2, bytes: 10, first, last }
}

fn begin(batch: &str) -> Entry {
    let work = Work::Convert { sources: list(batch), from: vec!["logs".to_owned()], rejects: None, dedupe: false };
    Entry::Begin(Begin { batch: batch.to_owned(), work })
}

fn file(path: &str, rows: u64) -> DataFile {
    DataFile { path: path.to_owned(), rows, bytes: 100, min_time: 1, max_time: 2 }
}

fn commit(batch: &str, files: &[(&str, u64)]) -> Entry {
    let files: Vec<_> = files.iter().map(|(path, rows)| file(path, *rows)).collect();
    let rows = files.iter().map(|file| file.rows).sum();
    let counts = BatchCounts { objects: 2, bytes: 10, lines: rows, rows, ..BatchCounts::default() };
    Entry::Commit(Commit { batch: batch.to_owned(), files, reject_files: Vec::new(), counts, sources: None })
}

fn abandon(batch: &str) -> Entry {
    Entry::Abandon(Abandon { batch: batch.to_owned(), reason: "gone".to_owned() })
}

fn always(_: &State) -> Result<(), Error> {
    Ok(())
}

async fn append(ledger: &mut Ledger, runner: &str, entry: Entry) {
    ledger.append(runner, "2026-01-15T10:00:00Z".to_owned(), entry, &always).await.unwrap();
}

#[tokio::test]
async fn records_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let mut ledger = Ledger::load(&place).await.unwrap();
    assert_eq!(ledger.state, State::default());
    append(&mut ledger, "r", begin("a")).await;
    append(&mut ledger, "r", begin("b")).await;
    append(&mut ledger, "r", commit("a", &[("x", 3), ("y", 4)])).await;
    append(&mut ledger, "q", abandon("b")).await;
    // After the batch was abandoned.
    append(&mut ledger, "r", commit("b", &[("z", 5)])).await;
    assert_eq!((ledger.state.rows(), ledger.state.totals.rows, ledger.state.batches), (7, 7, 1));
    assert_eq!(ledger.state.converted, [list("a")]);
    assert!(ledger.state.open.is_empty() && ledger.state.abandoned.contains_key("b"));
    let compact = Work::Compact { files: vec!["x".to_owned(), "y".to_owned()] };
    append(&mut ledger, "r", Entry::Begin(Begin { batch: "c".to_owned(), work: compact })).await;
    append(&mut ledger, "r", commit("c", &[("xy", 7)])).await;
    assert_eq!(ledger.state.files.keys().collect::<Vec<_>>(), ["xy"]);
    assert_eq!((ledger.state.rows(), ledger.state.totals.rows), (7, 7));
    assert_eq!(ledger.state.unswept["c"].files, ["x", "y"]);
    append(&mut ledger, "r", Entry::Swept(Swept { batch: "c".to_owned() })).await;
    assert!(ledger.state.unswept.is_empty());
    assert_eq!(Ledger::load(&place).await.unwrap().state, ledger.state);
}

#[tokio::test]
async fn a_checkpoint_stands_for_the_records_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let mut ledger = Ledger::load(&place).await.unwrap();
    for batch in ["a", "b", "c"] {
        append(&mut ledger, "r", begin(batch)).await;
        append(&mut ledger, "r", commit(batch, &[(batch, 3)])).await;
        place.put(&list(batch).path, Bytes::new()).await.unwrap();
    }
    let mut other = Ledger::load(&place).await.unwrap();
    assert!(ledger.write_checkpoint(vec![list("ab"), list("c")]).await.unwrap());
    assert!(!other.write_checkpoint(vec![list("abc")]).await.unwrap());
    assert!(other.has_later_checkpoint().await.unwrap() && !ledger.has_later_checkpoint().await.unwrap());
    // Readers of the previous state may open the replaced lists until the next checkpoint.
    assert!(place.get(&list("a").path).await.unwrap().is_some());
    append(&mut ledger, "r", begin("d")).await;
    assert!(ledger.write_checkpoint(vec![list("ab"), list("c")]).await.unwrap());
    assert!(place.get(&list("a").path).await.unwrap().is_none());
    assert!(place.get(&list("c").path).await.unwrap().is_some());
    let loaded = Ledger::load(&place).await.unwrap();
    assert_eq!((loaded.checkpoint, &loaded.state), (7, &ledger.state));
    assert_eq!(loaded.state.converted, [list("ab"), list("c")]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_checkpoint_that_was_refused_but_is_not_there_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let mut ledger = Ledger::load(&place).await.unwrap();
    append(&mut ledger, "r", begin("a")).await;
    // A link to nowhere: the name is taken, but nothing can be read.
    let path = directory.path().join(CHECKPOINTS).join("000000000001.json");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    let removed = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        std::fs::remove_file(path).unwrap();
    });
    assert!(ledger.write_checkpoint(Vec::new()).await.unwrap());
    removed.await.unwrap();
}

#[tokio::test]
async fn of_two_who_write_the_same_number_one_writes_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let mut one = Ledger::load(&place).await.unwrap();
    let mut other = Ledger::load(&place).await.unwrap();
    append(&mut one, "one", begin("a")).await;
    let refuse = |state: &State| match state.open.contains_key("a") {
        true => Err(Error::new(ErrorKind::Conflict, "taken")),
        false => Ok(()),
    };
    let refused = other.append("other", String::new(), begin("a"), &refuse).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    append(&mut other, "other", begin("b")).await;
    one.refresh().await.unwrap();
    assert_eq!(one.state, other.state);
    assert_eq!(one.state.number, 2);
}

#[tokio::test]
async fn a_gap_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let mut ledger = Ledger::load(&place).await.unwrap();
    append(&mut ledger, "r", begin("a")).await;
    append(&mut ledger, "r", begin("b")).await;
    place.delete(&Record::path(1)).await.unwrap();
    let error = Ledger::load(&place).await.unwrap_err();
    assert!(error.to_string().ends_with("the ledger lacks its record 1"), "{error}");
}

#[tokio::test]
async fn records_missing_in_a_listing_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let mut ledger = Ledger::load(&place).await.unwrap();
    for batch in ["a", "b", "c", "d"] {
        append(&mut ledger, "r", begin(batch)).await;
    }
    let mut other = Ledger::empty(&place);
    other.apply_all(vec![2, 4]).await.unwrap();
    assert_eq!(other.state, ledger.state);
}
