//! The file for the secret of a new key, in AWS's credentials format.
//! It is created before the API is called, because a secret that cannot be stored is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use s3log_engine::keys::NewKey;

use crate::failure::Failure;

/// A new, empty file that only its owner may read. If dropped before [`write`](Self::write), it is removed.
#[derive(Debug)]
pub(super) struct CredentialsFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl CredentialsFile {
    /// Creates the file. An existing file is never overwritten.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let name = path.display();
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::failed(format!("`{name}` already exists and will not be overwritten"))
                    .with_hint("choose another file: --credentials FILE")
            }
            _ => Failure::failed(format!("cannot create `{name}` for the secret, so no key was created: {error}"))
                .with_hint("choose a file in an existing, writable directory"),
        })?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    /// Writes id and secret under the name of a profile, and syncs the file to disk.
    pub(super) fn write(mut self, profile: &str, made: &NewKey) -> io::Result<()> {
        let text = format!(
            "[{profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            made.key.access_key,
            made.secret.reveal()
        );
        self.file.write_all(text.as_bytes())?;
        self.is_written = true;
        // The secret is nowhere else: it stays even if the file system cannot sync.
        drop(self.file.sync_all());
        Ok(())
    }
}

impl Drop for CredentialsFile {
    fn drop(&mut self) {
        if !self.is_written {
            // It is empty, or holds part of a secret that could not be written.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Turns the name of a key into the name of a profile: characters other than letters, digits, `.`, `_` and `-` become
/// `-`.
pub(super) fn profile(name: &str) -> String {
    let part = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let profile: String = name.trim().chars().map(part).collect();
    if profile.contains(|c: char| c.is_ascii_alphanumeric()) { profile } else { "spaces".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_one_word() {
        for (name, expected) in [
            ("backup-2", "backup-2"),
            ("Log reader (Berlin)", "Log-reader--Berlin-"),
            ("a]\n[default", "a---default"),
            ("日本", "spaces"),
        ] {
            assert_eq!(profile(name), expected);
        }
    }
}
