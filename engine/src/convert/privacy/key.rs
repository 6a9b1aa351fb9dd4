//! The key for the encryption of addresses, and its file.

use crate::error::Error;
use crate::error::ErrorKind;
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Length of a key in bytes.
const LEN: usize = 32;

/// Maximum size of a key file, allowing for whitespace around the key.
const LONGEST_FILE: u64 = 4096;

/// A key for [`AnonymizeIp::Keyed`](super::AnonymizeIp::Keyed): 32 bytes with two different halves. `Debug` does not
/// show it.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressKey([u8; LEN]);

impl AddressKey {
    /// Reads a key file: 64 hexadecimal digits, optionally surrounded by whitespace, or 32 bytes. Also returns a
    /// warning if there is something wrong with the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or does not contain a valid key.
    pub fn from_file(path: &Path) -> Result<(Self, Option<KeyWarning>), Error> {
        let about = |error: Error| error.in_object(path.display().to_string());
        let unreadable = |error: std::io::Error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Unreadable,
            };
            about(Error::new(kind, "the key file cannot be read").with_source(error).with_hint(HOW_TO_MAKE_ONE))
        };
        let file = File::open(path).map_err(unreadable)?;
        let warning = KeyWarning::of(&file, path).map_err(unreadable)?;
        let mut content = Vec::new();
        file.take(LONGEST_FILE + 1).read_to_end(&mut content).map_err(unreadable)?;
        Ok((Self::from_content(&content).map_err(about)?, warning))
    }

    /// Parses the contents of a key file.
    ///
    /// # Errors
    ///
    /// If it is not a valid key.
    pub fn from_content(content: &[u8]) -> Result<Self, Error> {
        let no_key =
            |why: String| Error::invalid(format!("invalid key for addresses: {why}")).with_hint(HOW_TO_MAKE_ONE);
        let digits = content.trim_ascii();
        let are_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let key = match (content.len(), digits.len()) {
            (_, 64) if are_digits => from_hexadecimal(digits),
            // Half a key in hexadecimal, which would otherwise pass for 32 raw bytes.
            (_, LEN) if are_digits => {
                return Err(no_key("32 hexadecimal digits are 16 bytes; 64 digits are needed".to_owned()));
            }
            (LEN, _) => <[u8; LEN]>::try_from(content).ok(),
            _ => None,
        };
        let Some(key) = key else {
            return Err(no_key(match content.len() {
                0 => "the file is empty".to_owned(),
                len if len as u64 > LONGEST_FILE => "the file is too long".to_owned(),
                64 => "64 bytes, but not all of them are hexadecimal digits".to_owned(),
                _ if are_digits => format!("{} hexadecimal digits instead of 64", digits.len()),
                len => format!("{len} bytes instead of 64 hexadecimal digits or 32 bytes"),
            }));
        };
        let (first, second) = key.split_at(LEN / 2);
        if key.iter().all(|byte| *byte == 0) {
            return Err(no_key("it is all zeros".to_owned()));
        }
        if first == second {
            return Err(no_key("its two halves are the same".to_owned()));
        }
        Ok(Self(key))
    }

    pub(super) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// A fingerprint of 16 hexadecimal digits that identifies the key without revealing it: the beginning of the
    /// SHA-256 of a fixed text and the key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::new().chain_update(b"s3log key of addresses\0").chain_update(self.0).finalize();
        digest.iter().take(8).fold(String::new(), |mut digits, byte| {
            // Writing to a `String` never fails.
            let _ = write!(digits, "{byte:02x}");
            digits
        })
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressKey({})", self.fingerprint())
    }
}

const HOW_TO_MAKE_ONE: &str =
    "create a key with `openssl rand -hex 32 > FILE` and keep it: another key encrypts the same address differently";

fn from_hexadecimal(digits: &[u8]) -> Option<[u8; LEN]> {
    let mut key = [0; LEN];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

/// A problem with a key file that does not prevent its use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyWarning {
    /// All users of the machine can read the file.
    ReadableByAll {
        /// The path of the file.
        file: String,
    },
}

impl KeyWarning {
    #[cfg(unix)]
    fn of(file: &File, path: &Path) -> std::io::Result<Option<Self>> {
        use std::os::unix::fs::MetadataExt as _;
        let readable_by_all = file.metadata()?.mode() & 0o004 != 0;
        Ok(readable_by_all.then(|| Self::ReadableByAll { file: path.display().to_string() }))
    }

    #[cfg(not(unix))]
    fn of(_: &File, _: &Path) -> std::io::Result<Option<Self>> {
        Ok(None)
    }
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadableByAll { file } => {
                write!(f, "{file}: every user of this machine can read the key and decrypt the addresses with it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdeffedcba98765432101032547698BADCFEefcdab8967452301";

    #[test]
    fn both_forms_are_the_same_key() {
        let key = AddressKey::from_content(DIGITS.as_bytes()).unwrap();
        assert_eq!(key.bytes()[..3], [0x01, 0x23, 0x45]);
        assert_eq!(AddressKey::from_content(format!(" {DIGITS}\r\n").as_bytes()).unwrap(), key);
        assert_eq!(AddressKey::from_content(key.bytes()).unwrap(), key);
        // Whitespace at the ends of a raw key is part of it.
        let mut raw = *key.bytes();
        (raw[0], raw[31]) = (b' ', b'\n');
        assert_eq!(AddressKey::from_content(&raw).unwrap().bytes(), &raw);
    }

    #[test]
    fn what_is_no_key() {
        let half = &DIGITS[..32];
        for (content, message) in [
            (&b""[..], "the file is empty"),
            (b" \n", "2 bytes instead of 64 hexadecimal digits or 32 bytes"),
            (&[7; 31], "31 bytes instead of 64 hexadecimal digits or 32 bytes"),
            (&[7; 33], "33 bytes instead of 64 hexadecimal digits or 32 bytes"),
            (&[0; 32], "it is all zeros"),
            (&[7; 32], "its two halves are the same"),
            (&[b'0'; 64], "it is all zeros"),
            (half.repeat(2).as_bytes(), "its two halves are the same"),
            (half.as_bytes(), "32 hexadecimal digits are 16 bytes; 64 digits are needed"),
            (format!("{half}\n").as_bytes(), "32 hexadecimal digits are 16 bytes; 64 digits are needed"),
            (&DIGITS.as_bytes()[..62], "62 hexadecimal digits instead of 64"),
            (DIGITS.replace('a', "x").as_bytes(), "64 bytes, but not all of them are hexadecimal digits"),
            (&[b'a'; 5000], "the file is too long"),
        ] {
            let error = AddressKey::from_content(content).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid key for addresses: {message}"));
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let error = AddressKey::from_file(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.object(), Some(file.display().to_string().as_str()));
        assert_eq!(AddressKey::from_file(folder.path()).unwrap_err().kind(), ErrorKind::Unreadable);

        std::fs::write(&file, DIGITS).unwrap();
        #[cfg(unix)]
        for (mode, warns) in [(0o600, false), (0o640, false), (0o604, true), (0o644, true)] {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let (key, warning) = AddressKey::from_file(&file).unwrap();
            assert_eq!(key, AddressKey::from_content(DIGITS.as_bytes()).unwrap());
            assert_eq!(warning.is_some(), warns, "{mode:o}");
        }
    }

    #[test]
    fn fingerprints_tell_keys_apart_and_nothing_shows_them() {
        let key = AddressKey::from_content(DIGITS.as_bytes()).unwrap();
        let other = AddressKey::from_content(DIGITS.replacen('0', "1", 1).as_bytes()).unwrap();
        assert_ne!(key.fingerprint(), other.fingerprint());
        assert_eq!(key.fingerprint().len(), 16);
        // Stored in datasets, so it must not change.
        assert_eq!(key.fingerprint(), "d60093c1537e7625");
        assert_eq!(format!("{key:?}"), format!("AddressKey({})", key.fingerprint()));
    }
}
