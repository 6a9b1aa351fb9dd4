//! The folder for what does not fit into memory.
//!
//! Threads that are still busy when the process is interrupted do not delete their files, so the folder is deleted after
//! everything else.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::failure::Failure;

static FOLDER: Mutex<Option<TempDir>> = Mutex::new(None);

/// The folder of this process, created when first asked for.
///
/// # Errors
///
/// When it cannot be created.
pub(super) fn folder() -> Result<PathBuf, Failure> {
    let mut folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = &*folder {
        return Ok(folder.path().to_owned());
    }
    let created = tempfile::Builder::new().prefix("s3log-").tempdir().map_err(|error| {
        let parent = std::env::temp_dir();
        Failure::failed(format!("cannot create a temporary folder in `{}`: {error}", parent.display()))
            .with_hint("set TMPDIR to a directory that can be written to")
    })?;
    Ok(folder.insert(created).path().to_owned())
}

/// Deletes the folder, if there is one.
pub(super) fn remove() {
    drop(FOLDER.lock().unwrap_or_else(PoisonError::into_inner).take());
}
