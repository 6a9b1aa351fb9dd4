//! Writes to a bucket: whole objects, multipart uploads and conditional puts.

use super::bucket::Bucket;
use super::failure::{Failure, explain};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, Error as StoreError, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use std::sync::Arc;
use tokio::sync::SemaphorePermit;

/// A multipart upload. The object does not exist until the upload is complete.
#[derive(Debug)]
pub(crate) struct PartsUpload {
    store: Arc<AmazonS3>,
    bucket: Arc<Bucket>,
    key: StorePath,
    id: String,
    parts: Vec<PartId>,
}

/// Outcome of a conditional put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutNew {
    /// The object was written.
    Done,
    /// An object of that name exists already.
    Exists,
}

impl Bucket {
    /// Reads an object of unknown size.
    pub(crate) async fn get_all(&self, key: &StorePath) -> Result<Bytes, Error> {
        let got = self.following(|store| async move { store.get(key).await?.bytes().await }).await;
        got.map_err(|error| self.explain_get(key, error))
    }

    /// When an object was last modified by the store's clock, in microseconds since the Unix epoch; `None` if there is
    /// none.
    pub(crate) async fn modified(&self, key: &StorePath) -> Result<Option<i64>, Error> {
        match self.following(|store| async move { store.head(key).await }).await {
            Ok(meta) => Ok(Some(meta.last_modified.timestamp_micros())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain_get(key, error)),
        }
    }

    /// Waits for a slot among the concurrent uploads of this bucket; dropping the permit frees it.
    pub(crate) async fn upload_slot(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.uploads().acquire().await.ok()
    }

    /// Writes an object, replacing any of the same name.
    pub(crate) async fn put(&self, key: &StorePath, bytes: PutPayload) -> Result<(), Error> {
        let put = self.following(|store| {
            let payload = bytes.clone();
            async move { store.put(key, payload).await }
        });
        put.await.map(drop).map_err(|error| self.explain_put(key, error))
    }

    /// Writes an object unless the name exists. Of several concurrent writers, at most one gets [`PutNew::Done`].
    ///
    /// # Errors
    ///
    /// After an error, the object may or may not have been written.
    pub(crate) async fn put_new(&self, key: &StorePath, bytes: Bytes) -> Result<PutNew, Error> {
        let put = self.following(|store| {
            let payload = bytes.clone().into();
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            async move { store.put_opts(key, payload, options).await }
        });
        match put.await {
            Ok(_) => Ok(PutNew::Done),
            Err(StoreError::AlreadyExists { .. }) => Ok(PutNew::Exists),
            Err(error) if Failure::of(&error).is_unknown_here() => {
                Err(self.explain_put(key, error).of_kind(ErrorKind::Unsupported))
            }
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    /// Deletes an object if it exists.
    pub(crate) async fn delete(&self, key: &StorePath) -> Result<(), Error> {
        match self.following(|store| async move { store.delete(key).await }).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    /// Copies an object within the bucket; `false` if it does not exist.
    pub(crate) async fn copy(&self, from: &StorePath, to: &StorePath) -> Result<bool, Error> {
        let copied = self.following(|store| async move { store.copy_opts(from, to, CopyOptions::default()).await });
        match copied.await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.explain_put(to, error)),
        }
    }

    /// Starts a multipart upload.
    pub(crate) async fn put_in_parts(self: &Arc<Self>, key: &StorePath) -> Result<PartsUpload, Error> {
        let begun = self.following(|store| async move {
            let id = store.create_multipart(key).await?;
            Ok((store, id))
        });
        let (store, id) = begun.await.map_err(|error| self.explain_put(key, error))?;
        Ok(PartsUpload { store, bucket: Arc::clone(self), key: key.clone(), id, parts: Vec::new() })
    }

    /// Aborts a multipart upload, unless it is complete.
    pub(crate) async fn abort_parts(&self, key: &StorePath, id: &str) -> Result<(), Error> {
        let id = &id.to_owned();
        match self.following(|store| async move { store.abort_multipart(key, id).await }).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    fn explain_put(&self, key: &StorePath, error: StoreError) -> Error {
        let denied = matches!(error, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. });
        let full = Failure::of(&error).status() == Some(507);
        let explained =
            explain("it cannot be written", &self.name_of(key.as_ref()), error).of_kind(ErrorKind::Unwritable);
        match (denied, full) {
            (true, _) => explained.with_hint(
                "writing a dataset needs s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket there; `s3log doctor` shows whose credentials these are",
            ),
            (false, true) => explained.with_hint("the store is full"),
            (false, false) => explained,
        }
    }
}

impl PartsUpload {
    /// The upload id, needed to abort it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Uploads the next part: at least 5 MiB, except for the last.
    pub(crate) async fn put(&mut self, part: PutPayload) -> Result<(), Error> {
        let _slot = self.bucket.upload_slot().await;
        let index = self.parts.len();
        let put = self.store.put_part(&self.key, &self.id, index, part).await;
        self.parts.push(put.map_err(|error| self.bucket.explain_put(&self.key, error))?);
        Ok(())
    }

    /// Completes the upload, which creates the object.
    pub(crate) async fn complete(self) -> Result<(), Error> {
        let completed = self.store.complete_multipart(&self.key, &self.id, self.parts).await;
        match completed {
            Ok(_) => Ok(()),
            // A retry after a lost response: the object exists, the upload does not.
            Err(StoreError::NotFound { .. }) if self.store.head(&self.key).await.is_ok() => Ok(()),
            Err(error) => Err(self.bucket.explain_put(&self.key, error)),
        }
    }
}
