//! What writes into a bucket: objects as a whole, objects in parts, and those that must not exist yet.

use super::bucket::Bucket;
use super::failure::explain;
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as StorePath;
use object_store::{CopyOptions, Error as StoreError, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions};
use std::sync::Arc;

/// An object that is being written in parts, and does not exist until it is complete.
#[derive(Debug)]
pub(crate) struct PartsUpload {
    store: Arc<AmazonS3>,
    bucket: Arc<Bucket>,
    key: StorePath,
    id: String,
    parts: Vec<PartId>,
}

/// What came of a put that must not replace anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutNew {
    /// There was nothing of that name, and now there is this.
    Done,
    /// There was something already.
    Exists,
}

impl Bucket {
    /// A whole object, whatever its size.
    pub(crate) async fn get_all(&self, key: &StorePath) -> Result<Bytes, Error> {
        let got = match self.writer().get(key).await {
            Ok(result) => result.bytes().await,
            Err(error) => Err(error),
        };
        got.map_err(|error| self.explain_get(key, error))
    }

    /// When an object was written, by the store's clock, in microseconds from 1970; `None` when there is none.
    pub(crate) async fn modified(&self, key: &StorePath) -> Result<Option<i64>, Error> {
        match self.writer().head(key).await {
            Ok(meta) => Ok(Some(meta.last_modified.timestamp_micros())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain_get(key, error)),
        }
    }

    /// Writes an object, whether there is one of that name or not.
    pub(crate) async fn put(&self, key: &StorePath, bytes: Bytes) -> Result<(), Error> {
        let put = self.writer().put(key, bytes.into()).await;
        put.map(drop).map_err(|error| self.explain_put(key, error))
    }

    /// Writes an object if there is none of that name: the one operation that two writers at once cannot both succeed with.
    ///
    /// # Errors
    ///
    /// After an error it is not known whether the object was written.
    pub(crate) async fn put_new(&self, key: &StorePath, bytes: Bytes) -> Result<PutNew, Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.writer().put_opts(key, bytes.into(), options).await {
            Ok(_) => Ok(PutNew::Done),
            Err(StoreError::AlreadyExists { .. }) => Ok(PutNew::Exists),
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    /// Removes an object, if it is there.
    pub(crate) async fn delete(&self, key: &StorePath) -> Result<(), Error> {
        match self.writer().delete(key).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    /// Copies an object within the bucket; false when there is none of that name.
    pub(crate) async fn copy(&self, from: &StorePath, to: &StorePath) -> Result<bool, Error> {
        match self.writer().copy_opts(from, to, CopyOptions::default()).await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.explain_put(to, error)),
        }
    }

    /// Begins to write an object in parts.
    pub(crate) async fn put_in_parts(self: &Arc<Self>, key: &StorePath) -> Result<PartsUpload, Error> {
        let store = self.writer();
        let id = store.create_multipart(key).await.map_err(|error| self.explain_put(key, error))?;
        Ok(PartsUpload { store, bucket: Arc::clone(self), key: key.clone(), id, parts: Vec::new() })
    }

    /// Takes back what was begun, if it is not complete.
    pub(crate) async fn abort_parts(&self, key: &StorePath, id: &str) -> Result<(), Error> {
        match self.writer().abort_multipart(key, &id.to_owned()).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    fn explain_put(&self, key: &StorePath, error: StoreError) -> Error {
        let denied = matches!(error, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. });
        let full = error.to_string().contains("507 Insufficient Storage");
        let explained =
            explain("it cannot be written", &self.name_of(key.as_ref()), error).of_kind(ErrorKind::Unwritable);
        match (denied, full) {
            (true, _) => explained.with_hint(
                "writing a dataset needs s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket there; `s3log doctor` says whose credentials these are",
            ),
            (false, true) => explained.with_hint("the store is full"),
            (false, false) => explained,
        }
    }
}

impl PartsUpload {
    /// What names it at the store, to take it back.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Writes the next part: at least 5 MiB, but for the last.
    pub(crate) async fn put(&mut self, part: Bytes) -> Result<(), Error> {
        let index = self.parts.len();
        let put = self.store.put_part(&self.key, &self.id, index, part.into()).await;
        self.parts.push(put.map_err(|error| self.bucket.explain_put(&self.key, error))?);
        Ok(())
    }

    /// Makes an object of the parts.
    pub(crate) async fn complete(self) -> Result<(), Error> {
        let completed = self.store.complete_multipart(&self.key, &self.id, self.parts).await;
        match completed {
            Ok(_) => Ok(()),
            // The answer to a first attempt may be lost: then the object is there, and the upload is not.
            Err(StoreError::NotFound { .. }) if self.store.head(&self.key).await.is_ok() => Ok(()),
            Err(error) => Err(self.bucket.explain_put(&self.key, error)),
        }
    }
}
