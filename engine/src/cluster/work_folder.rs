//! The folder of an executor for intermediate results.
//!
//! Ballista deletes all folders within its working folder when an executor stops, and those older than a day when it
//! starts. Therefore each executor has a folder of its own, within the one that the user names. Only its owner may read
//! it, since it contains log lines.

use crate::error::{Error, ErrorKind};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PREFIX: &str = "s3log-executor-";
/// A file in the folder, locked while its executor lives.
const LOCK: &str = "lock";
/// Number of attempts to create a folder.
const ATTEMPTS: usize = 3;

/// The folder of a running executor. It is deleted on drop.
#[derive(Debug)]
pub(super) struct WorkFolder {
    folder: TempDir,
    _lock: File,
}

impl WorkFolder {
    /// Creates a folder within `parent`, and deletes those of executors that were killed.
    pub(super) fn create(parent: &Path) -> Result<Self, Error> {
        let cannot = |error: io::Error| {
            Error::new(ErrorKind::Unreadable, "no folder can be created there")
                .in_object(parent.display().to_string())
                .with_source(error)
                .with_hint("name a directory with --work-dir that the executor may write to")
        };
        fs::create_dir_all(parent).map_err(cannot)?;
        remove_orphans(parent).map_err(cannot)?;
        for _ in 0..ATTEMPTS {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX);
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
            let folder = builder.tempdir_in(parent).map_err(cannot)?;
            let lock = File::create(folder.path().join(LOCK)).map_err(cannot)?;
            // Another executor that starts now may be about to delete it.
            if lock.try_lock().is_ok() {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(cannot(io::ErrorKind::WouldBlock.into()))
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Deletes folders whose executors have died.
fn remove_orphans(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let is_folder = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if is_folder && let Some(lock) = unlocked(path.join(LOCK)) {
            // What cannot be deleted may be somebody else's, and is no reason not to start.
            drop(fs::remove_dir_all(&path));
            drop(lock);
        }
    }
    Ok(())
}

/// Locks a file that exists and is not locked.
fn unlocked(path: PathBuf) -> Option<File> {
    let file = File::open(path).ok()?;
    file.try_lock().ok().map(|()| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_executor_has_its_own_and_leaves_everything_else() {
        let parent = tempfile::tempdir().unwrap();
        let other = parent.path().join("other/photos");
        fs::create_dir_all(&other).unwrap();
        let killed = parent.path().join("s3log-executor-killed");
        fs::create_dir_all(killed.join("job/1")).unwrap();
        fs::write(killed.join(LOCK), "").unwrap();
        let (one, two) = (WorkFolder::create(parent.path()).unwrap(), WorkFolder::create(parent.path()).unwrap());
        assert_ne!(one.path(), two.path());
        assert!(one.path().is_dir() && two.path().is_dir() && other.is_dir() && !killed.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && two.path().is_dir());
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let error = WorkFolder::create(&file).unwrap_err();
        assert!(error.to_string().contains("/file: no folder can be created there"), "{error}");
    }
}
