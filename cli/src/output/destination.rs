//! Destination of results: standard output, or a file that gets its name once it is complete.

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Size of the write buffer in bytes.
const BUFFER: usize = 64 << 10;

/// A sink for results. If dropped before [`commit`](Self::commit), it leaves no file behind.
pub(crate) struct Destination {
    sink: Sink,
}

enum Sink {
    Stdout(BufWriter<Stdout>),
    /// A device or a named pipe, which cannot be replaced by renaming.
    Direct(BufWriter<fs::File>),
    File(BufWriter<NamedTempFile>, PathBuf),
}

impl Destination {
    pub(crate) fn stdout() -> Self {
        Self { sink: Sink::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())) }
    }

    /// A file, written under a temporary name in the same directory and renamed by [`commit`](Self::commit). A symbolic
    /// link is followed; devices and named pipes are written to directly.
    ///
    /// # Errors
    ///
    /// When the directory does not exist or cannot be written to, or `path` is a directory.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        if is_descriptor(path) {
            let file = fs::OpenOptions::new().append(true).open(path)?;
            return Ok(Self { sink: Sink::Direct(BufWriter::with_capacity(BUFFER, file)) });
        }
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        let existing = fs::metadata(&target).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(&target)?;
            return Ok(Self { sink: Sink::Direct(BufWriter::with_capacity(BUFFER, file)) });
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".part");
        // Without this, only the owner could read the file, whatever the umask.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(directory).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(error.kind(), "its directory does not exist"),
            // Leaves out the name of the temporary file, which means nothing to users.
            kind => io::Error::new(kind, kind.to_string()),
        })?;
        if let Some(existing) = existing {
            fs::set_permissions(file.path(), existing.permissions())?;
        }
        Ok(Self { sink: Sink::File(BufWriter::with_capacity(BUFFER, file), target) })
    }

    /// Whether the output goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        match &self.sink {
            Sink::Stdout(sink) => sink.get_ref().is_terminal(),
            Sink::Direct(sink) => sink.get_ref().is_terminal(),
            Sink::File(..) => false,
        }
    }

    /// Whether this is a regular file, which readers can map, as opposed to a stream.
    pub(crate) fn is_regular_file(&self) -> bool {
        matches!(self.sink, Sink::File(..))
    }

    /// Flushes the buffer and gives the file its name.
    ///
    /// # Errors
    ///
    /// I/O errors.
    pub(crate) fn commit(self) -> io::Result<()> {
        match self.sink {
            Sink::Stdout(mut sink) => sink.flush(),
            Sink::Direct(mut sink) => sink.flush(),
            Sink::File(sink, target) => {
                let file = sink.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.persist(target).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

/// Whether the path names an open file descriptor: the file behind it is in use, and must not be replaced.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/fd", "/proc/self/fd"].iter().any(|directory| path.parent() == Some(Path::new(directory)))
        || [Path::new("/dev/stdout"), Path::new("/dev/stderr")].contains(&path)
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stdout(sink) => sink.write(bytes),
            Sink::Direct(sink) => sink.write(bytes),
            Sink::File(sink, _) => sink.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(sink) => sink.flush(),
            Sink::Direct(sink) => sink.flush(),
            Sink::File(sink, _) => sink.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_has_its_name_only_once_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let mut destination = Destination::file(&path).unwrap();
        destination.write_all(b"a\n").unwrap();
        destination.flush().unwrap();
        assert!(!path.exists());
        destination.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\n");
        assert_eq!(names(directory.path()), ["out.csv"]);
    }

    #[test]
    fn a_destination_that_is_dropped_leaves_nothing_and_keeps_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let mut destination = Destination::file(&path).unwrap();
        destination.write_all(b"new").unwrap();
        drop(destination);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["out.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let (link, target) = (directory.path().join("link.csv"), directory.path().join("target.csv"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut destination = Destination::file(&link).unwrap();
        destination.write_all(b"new").unwrap();
        destination.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");

        let device = Destination::file(Path::new("/dev/null")).unwrap();
        assert!(!device.is_regular_file());
        device.commit().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_file_behind_a_descriptor_is_appended_to() {
        use std::os::fd::AsRawFd as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.txt");
        fs::write(&path, "old\n").unwrap();
        let open = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut destination = Destination::file(Path::new(&format!("/dev/fd/{}", open.as_raw_fd()))).unwrap();
        destination.write_all(b"new\n").unwrap();
        destination.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old\nnew\n");
        assert!(is_descriptor(Path::new("/dev/stdout")) && !is_descriptor(Path::new("/dev/null")));
    }

    #[test]
    fn a_directory_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Destination::file(directory.path()).is_err());
        assert!(Destination::file(&directory.path().join("missing/out.csv")).is_err());
    }
}
