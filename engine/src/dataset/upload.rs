//! Files of a dataset on their way into it.

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

/// Bytes of a part: of all but the last, since some stores want them equal. A store takes 10,000 parts of an object at most, and
/// none below 5 MiB but the last. A part is sent again as a whole when the connection breaks.
const PART: usize = 8 << 20;

/// Room that bytes take up until they are written; `None` if nobody counts it.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

/// A file that is being written; dropped before it is finished, it never was.
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

/// A file that is removed unless it got its name.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    is_named: bool,
}

impl Unfinished {
    /// Gives the file its name.
    fn give(&mut self, name: &Path) -> Result<(), Error> {
        rename(&self.path, name)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named {
            // If it stays, whoever finds it removes it.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[derive(Debug)]
struct ObjectUpload {
    bucket: Arc<Bucket>,
    key: StorePath,
    path: String,
    waiting: Waiting,
    parts: Option<PartsUpload>,
    open: OpenUploads,
}

/// Bytes that wait until they are enough for a part.
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

    /// Takes the first `len` bytes, or all if there are fewer, and the room of those pieces that are taken whole.
    fn take(&mut self, len: usize) -> (PutPayload, Vec<Room>) {
        let (mut taken, mut rooms, mut left) = (Vec::new(), Vec::new(), len);
        while left > 0
            && let Some((mut piece, room)) = self.pieces.pop_front()
        {
            if piece.len() > left {
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

/// Uploads in parts that have begun: what stands in the file of a runner, so that others can take them back.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenUploads {
    begun: Arc<Mutex<Vec<(String, String)>>>,
    changed: Arc<Notify>,
    /// Whether files may still get their names.
    closed: Arc<Mutex<bool>>,
}

impl OpenUploads {
    /// Paths, and the store's names of the uploads.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.lock().clone()
    }

    /// From now on no file gets its name any more, also if a thread is about to give it.
    pub(crate) fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Waits until there are others than these.
    pub(super) async fn changed(&self, known: &[(String, String)]) {
        while *self.lock() == known {
            self.changed.notified().await;
        }
    }

    fn add(&self, path: &str, id: &str) {
        self.lock().push((path.to_owned(), id.to_owned()));
        self.changed.notify_one();
    }

    /// It is complete, or taken back.
    pub(crate) fn remove(&self, id: &str) {
        self.lock().retain(|(_, known)| known != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Bytes of a file that are kept in memory until they are as many; `None` where bytes are written at once.
    pub(crate) fn part_size(&self) -> Option<u64> {
        (!self.is_local()).then_some(PART as u64)
    }

    /// Begins to write a file.
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
                path: path.to_owned(),
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
    /// Writes the next bytes. Their room is given back once they are written, which may be later.
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
                // What is left goes with the end of the file: that must not be an empty part.
                while upload.waiting.len > PART {
                    upload.put_part().await?;
                }
                Ok(())
            }
        }
    }

    /// Gives the file its name. It is on the disk, or in the bucket, when this returns.
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
    /// Writes the next part.
    async fn put_part(&mut self) -> Result<(), Error> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let begun = self.bucket.put_in_parts(&self.key).await?;
                self.open.add(&self.path, begun.id());
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
        let room = Arc::new(Semaphore::new(3));
        let mut waiting = Waiting::default();
        for piece in ["abc", "de", "fgh"] {
            waiting.push(Bytes::from(piece), Arc::clone(&room).try_acquire_owned().ok());
        }
        let (part, rooms) = waiting.take(4);
        assert_eq!(Bytes::from(part), "abcd");
        // A piece of which something is left keeps its room.
        assert_eq!((rooms.len(), waiting.len), (1, 4));
        drop(rooms);
        assert_eq!(room.available_permits(), 1);
        let (rest, rooms) = waiting.take(100);
        assert_eq!(Bytes::from(rest), "efgh");
        assert_eq!((rooms.len(), waiting.len), (2, 0));
        drop(rooms);
        assert_eq!(room.available_permits(), 3);
        assert_eq!(waiting.take(1).0.content_length(), 0);
    }
}
