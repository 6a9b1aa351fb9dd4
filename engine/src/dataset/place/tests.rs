use super::*;
use crate::store::StoreOptions;

async fn place(directory: &tempfile::TempDir) -> Place {
    Place::resolve(&directory.path().join("a/b").display().to_string(), &Stores::default())
        .await
        .unwrap()
        .for_writer("me")
}

#[tokio::test]
async fn what_is_written_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    assert_eq!(place.get("x/y").await.unwrap(), None);
    assert_eq!(place.list("x/", None).await.unwrap(), []);
    place.put("x/y", Bytes::from_static(b"one")).await.unwrap();
    place.put("x/y", Bytes::from_static(b"two")).await.unwrap();
    place.put("x/z", Bytes::from_static(b"three")).await.unwrap();
    assert_eq!(place.get("x/y").await.unwrap().unwrap(), "two");
    let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.path).collect::<Vec<_>>();
    assert_eq!(names(place.list("x/", None).await.unwrap()), ["x/y", "x/z"]);
    assert_eq!(names(place.list("x/", Some("x/y")).await.unwrap()), ["x/z"]);
    assert!(place.rename("x/y", "w/y").await.unwrap() && !place.rename("x/y", "w/y").await.unwrap());
    place.delete("x/z").await.unwrap();
    place.delete("x/z").await.unwrap();
    assert!(!directory.path().join("a/b/x").exists());
    assert_eq!(names(place.list("w", None).await.unwrap()), ["w/y"]);
    assert_eq!(place.list("_s3log/tmp/", None).await.unwrap(), []);
}

/// A file that a program is running from cannot be opened for writing, as that of another user.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_may_only_be_read_is_renamed_too() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let path = directory.path().join("a/b/x/sleep");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // By another process: a descriptor for writing that a child of this one inherits would keep it from running.
    let copied = std::process::Command::new("cp").args(["-p", "/bin/sleep"]).arg(&path).status().unwrap();
    assert!(copied.success());
    let before = micros(SystemTime::now());
    let mut running = std::process::Command::new(&path).arg("60").spawn().unwrap();
    let renamed = place.rename("x/sleep", "w/sleep").await;
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(renamed.unwrap() && !path.exists());
    // Some file systems have coarse times.
    assert!(place.modified("w/sleep").await.unwrap().unwrap() > before - 2_000_000);
    assert_eq!(place.list("_s3log/tmp/", None).await.unwrap(), []);
}

#[tokio::test]
async fn prefixes_that_stores_take_for_others_are_refused() {
    let stores = Stores::new(StoreOptions { unsigned: true, ..StoreOptions::default() });
    for prefix in ["", "a", "a/", "a.b/..c/", "a/.../", "ü %20*/{b}"] {
        let place = Place::resolve(&format!("s3://lake/{prefix}"), &stores).await.unwrap();
        let key = place.bucket().map(|(_, prefix)| Place::key(prefix, "x").to_string()).unwrap();
        assert_eq!(key, format!("{prefix}/x").replace("//", "/").trim_start_matches('/'), "{prefix}");
    }
    for prefix in ["/a", "a//b", ".", "..", "./a", "a/./b", "a/../b", "a/..", "a/b\u{1}"] {
        let error = Place::resolve(&format!("s3://lake/{prefix}"), &stores).await.unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("`..`")), "{prefix}: {error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_has_one_full_name_before_it_is_there_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("here")).unwrap();
    std::os::unix::fs::symlink("here", directory.path().join("link")).unwrap();
    let full_name = async |name: &str| {
        let name = directory.path().join(name).display().to_string();
        Place::resolve(&name, &Stores::default()).await.unwrap().full_name()
    };
    let expected = full_name("here/set").await;
    assert!(expected.ends_with("/here/set"));
    for name in
        ["here/./set/", "link/set", "here/../link/set", "here/x/../set", "x/y/../../here/set", "link/../here/set"]
    {
        assert_eq!(full_name(name).await, expected, "{name}");
    }
    std::fs::create_dir(directory.path().join("here/set")).unwrap();
    assert_eq!(full_name("link/set").await, expected);
    assert_ne!(full_name("here").await, expected);
}

#[tokio::test]
async fn who_writes_into_two_places_counts_his_files_once() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    let other = place.for_writer("else").for_writer_of(&place);
    let names: std::collections::HashSet<_> =
        [&place, &other, &place].map(|place| place.tmp_path(directory.path())).into();
    assert_eq!(names.len(), 3);
}

#[test]
fn a_file_system_without_hard_links_is_told() {
    let hint = |error| cannot_link(Path::new("x"), error).hint().map(str::to_owned);
    let links = Some("a dataset needs a file system with hard links".to_owned());
    // EPERM, EOPNOTSUPP, EACCES.
    assert_eq!(hint(std::io::Error::from_raw_os_error(1)), links);
    assert_eq!(hint(IoErrorKind::Unsupported.into()), links);
    assert_eq!(hint(IoErrorKind::PermissionDenied.into()), Some("check the permissions of the directory".to_owned()));
}

#[tokio::test]
async fn what_is_there_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(&directory).await;
    assert_eq!(place.put_new("x", Bytes::from_static(b"one")).await.unwrap(), PutNew::Done);
    assert_eq!(place.put_new("x", Bytes::from_static(b"two")).await.unwrap(), PutNew::Exists);
    assert_eq!(place.get("x").await.unwrap().unwrap(), "one");
    assert_eq!(place.list("_s3log/tmp/", None).await.unwrap(), []);
}
