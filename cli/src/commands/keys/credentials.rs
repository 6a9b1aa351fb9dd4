//! The file that gets the secret of a new key: AWS's format of credentials.
//!
//! It is made before the API is asked: a secret that has nowhere to go would be lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use s3log_engine::keys::NewKey;

use crate::failure::Failure;

/// A file that is there, empty, and only its owner may read. Dropped before [`write`](Self::write), it is removed.
#[derive(Debug)]
pub(super) struct CredentialsFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl CredentialsFile {
    /// Makes the file. What is there already is never written to.
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
                Failure::failed(format!("`{name}` is there already, and is not written over"))
                    .with_hint("name another file: --credentials FILE")
            }
            _ => Failure::failed(format!("cannot make `{name}` for the secret, so no key was made: {error}"))
                .with_hint("name a file in a directory that is there and can be written to"),
        })?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    /// Writes id and secret under the name of a profile, and waits until the disk has them.
    pub(super) fn write(mut self, profile: &str, made: &NewKey) -> io::Result<()> {
        let text = format!(
            "[{profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            made.key.access_key,
            made.secret.reveal()
        );
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for CredentialsFile {
    fn drop(&mut self) {
        if !self.is_written {
            // It is empty, or holds a part of what was lost.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The name of a key as the name of a profile: letters, digits, `.`, `_` and `-`; anything else becomes `-`.
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
