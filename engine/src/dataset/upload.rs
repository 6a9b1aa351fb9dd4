//! Writing files of a dataset.

use super::place::{Place, cannot_write, create_parent, rename};
use crate::error::{Error, ErrorKind};
use crate::store::{Bucket, PartsUpload};
use bytes::Bytes;
use object_store::PutPayload;
use object_store::path::Path as StorePath;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Size of a part, in bytes. All parts but the last have it, since some stores require equal parts. A store accepts at
/// most 10,000 parts per object, none below 5 MiB except the last. After a broken connection a part is sent again as a
/// whole.
const PART: usize = 8 << 20;

/// Memory reserved for bytes until they are written; `None` if it is not accounted for.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

/// A file being written. It does not exist until [`Upload::finish`]; dropping it discards it.
#[derive(Debug)]
pub(crate) struct Upload {
    way: Way,
}

#[derive(Debug)]
enum Way {
    File(FileUpload),
    Object(ObjectUpload),
}

#[derive(Debug)]
struct FileUpload {
    open: OpenUploads,
    file: Option<File>,
    tmp: Unfinished,
    path: PathBuf,
}

/// A temporary file, deleted on drop unless it was renamed.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    is_named: bool,
}

impl Unfinished {
    /// Renames the file to its final name.
    fn give(&mut self, name: &Path) -> Result<(), Error> {
        rename(&self.path, name)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named {
            // Otherwise the next run removes it.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[derive(Debug)]
struct ObjectUpload {
    bucket: Arc<Bucket>,
    key: StorePath,
    location: String,
    waiting: Waiting,
    parts: Option<PartsUpload>,
    open: OpenUploads,
}

/// Bytes that do not fill a part yet.
#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<(Bytes, Room)>,
    len: usize,
}

impl Waiting {
    fn push(&mut self, piece: Bytes, room: Room) {
        self.len += piece.len();
        self.pieces.push_back((piece, room));
    }

    /// Takes the first `len` bytes, or all if there are fewer, with their room.
    fn take(&mut self, len: usize) -> (PutPayload, Vec<Room>) {
        let (mut taken, mut rooms, mut left) = (Vec::new(), Vec::new(), len);
        while left > 0
            && let Some((mut piece, mut room)) = self.pieces.pop_front()
        {
            if piece.len() > left {
                let permits = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
                // The bytes that wait on keep their share, rounded up.
                let share = permits - (permits * (piece.len() - left)).div_ceil(piece.len());
                rooms.push(room.as_mut().and_then(|room| room.split(share)));
                taken.push(piece.split_to(left));
                self.pieces.push_front((piece, room));
                break;
            }
            left -= piece.len();
            taken.push(piece);
            rooms.push(room);
        }
        let taken = PutPayload::from_iter(taken);
        self.len -= taken.content_length();
        (taken, rooms)
    }
}

/// Multipart uploads in progress, whatever place they go to. They are listed in the runner's file, so that other runners can abort them.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenUploads {
    begun: Arc<Mutex<Vec<(String, String)>>>,
    changed: Arc<Notify>,
    /// No file may be renamed to its final name any more.
    closed: Arc<Mutex<bool>>,
}

impl From<Vec<(String, String)>> for OpenUploads {
    fn from(begun: Vec<(String, String)>) -> Self {
        Self { begun: Arc::new(Mutex::new(begun)), ..Self::default() }
    }
}

impl OpenUploads {
    /// Locations and upload ids.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.lock().clone()
    }

    /// Prevents all further renames, including those about to happen on other threads.
    pub(crate) fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Waits until the uploads differ from `known`.
    pub(super) async fn changed(&self, known: &[(String, String)]) {
        while *self.lock() == known {
            self.changed.notified().await;
        }
    }

    fn add(&self, location: &str, id: &str) {
        self.lock().push((location.to_owned(), id.to_owned()));
        self.changed.notify_one();
    }

    /// Removes an upload that was completed or aborted.
    pub(crate) fn remove(&self, id: &str) {
        self.lock().retain(|(_, known)| known != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Size of the parts that a file is buffered for, in bytes; `None` if bytes are written immediately.
    pub(crate) fn part_size(&self) -> Option<u64> {
        (!self.is_local()).then_some(PART as u64)
    }

    /// Starts writing a file.
    pub(crate) async fn upload(&self, path: &str, open: &OpenUploads) -> Result<Upload, Error> {
        let way = match (self.directory(), self.bucket()) {
            (Some(root), _) => {
                let (tmp, path) = (self.tmp_path(root), root.join(path));
                create_parent(&tmp)?;
                let file = File::create(&tmp).map_err(|error| cannot_write(tmp.display(), error))?;
                let tmp = Unfinished { path: tmp, is_named: false };
                Way::File(FileUpload { open: open.clone(), file: Some(file), tmp, path })
            }
            (None, Some((bucket, prefix))) => Way::Object(ObjectUpload {
                bucket: Arc::clone(bucket),
                key: Self::key(prefix, path),
                location: self.name_of(path),
                waiting: Waiting::default(),
                parts: None,
                open: open.clone(),
            }),
            (None, None) => return Err(Error::new(ErrorKind::Internal, "a dataset is nowhere")),
        };
        Ok(Upload { way })
    }
}

impl Upload {
    /// Appends bytes. `room` is released once they are written, possibly after this returns.
    pub(crate) async fn write(&mut self, bytes: Bytes, room: Room) -> Result<(), Error> {
        match &mut self.way {
            Way::File(upload) => {
                let Some(mut file) = upload.file.take() else { return Err(finished()) };
                let path = upload.path.clone();
                let written = tokio::task::spawn_blocking(move || file.write_all(&bytes).map(|()| file)).await;
                let written = written.map_err(|error| finished().with_source(error))?;
                upload.file = Some(written.map_err(|error| cannot_write(path.display(), error))?);
                Ok(())
            }
            Way::Object(upload) => {
                upload.waiting.push(bytes, room);
                // The rest is kept for `finish`: the last part must not be empty.
                while upload.waiting.len > PART {
                    upload.put_part().await?;
                }
                Ok(())
            }
        }
    }

    /// Completes the file under its final name. On return, it is durable on disk or in the bucket.
    pub(crate) async fn finish(self) -> Result<(), Error> {
        match self.way {
            Way::File(FileUpload { open, file, mut tmp, path }) => {
                let Some(file) = file else { return Err(finished()) };
                let done = tokio::task::spawn_blocking(move || {
                    file.sync_all().map_err(|error| cannot_write(path.display(), error))?;
                    let closed = open.closed.lock().unwrap_or_else(PoisonError::into_inner);
                    if *closed {
                        return Err(Error::new(ErrorKind::Interrupted, "stopped"));
                    }
                    tmp.give(&path)
                });
                done.await.map_err(|error| finished().with_source(error))?
            }
            Way::Object(mut upload) => {
                if upload.parts.is_none() {
                    let (bytes, _rooms) = upload.waiting.take(PART);
                    let _slot = upload.bucket.upload_slot().await;
                    return upload.bucket.put(&upload.key, bytes).await;
                }
                if upload.waiting.len > 0 {
                    upload.put_part().await?;
                }
                let Some(parts) = upload.parts.take() else { return Err(finished()) };
                let id = parts.id().to_owned();
                parts.complete().await?;
                upload.open.remove(&id);
                Ok(())
            }
        }
    }
}

impl ObjectUpload {
    async fn put_part(&mut self) -> Result<(), Error> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let begun = self.bucket.put_in_parts(&self.key).await?;
                self.open.add(&self.location, begun.id());
                none.insert(begun)
            }
        };
        let (part, _rooms) = self.waiting.take(PART);
        parts.put(part).await
    }
}

fn finished() -> Error {
    Error::new(ErrorKind::Internal, "a file is written that is finished")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    #[test]
    fn parts_are_cut_out_of_pieces() {
        let room = Arc::new(Semaphore::new(8));
        let mut waiting = Waiting::default();
        for piece in ["abc", "de", "fgh"] {
            waiting.push(Bytes::from(piece), Arc::clone(&room).try_acquire_many_owned(piece.len() as u32).ok());
        }
        let (part, rooms) = waiting.take(4);
        assert_eq!((Bytes::from(part).as_ref(), waiting.len), (&b"abcd"[..], 4));
        assert_eq!(room.available_permits(), 0, "until it is written");
        drop(rooms);
        assert_eq!(room.available_permits(), 4);
        let (rest, rooms) = waiting.take(100);
        assert_eq!((Bytes::from(rest).as_ref(), waiting.len), (&b"efgh"[..], 0));
        drop(rooms);
        assert_eq!(room.available_permits(), 8);
        assert_eq!(waiting.take(1).0.content_length(), 0);
    }
}
