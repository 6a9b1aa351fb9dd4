//! What writes into a bucket: objects as a whole, objects in parts, and those that must not exist yet.

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
        let got = self.following(|store| async move { store.get(key).await?.bytes().await }).await;
        got.map_err(|error| self.explain_get(key, error))
    }

    /// When an object was written, by the store's clock, in microseconds from 1970; `None` when there is none.
    pub(crate) async fn modified(&self, key: &StorePath) -> Result<Option<i64>, Error> {
        match self.following(|store| async move { store.head(key).await }).await {
            Ok(meta) => Ok(Some(meta.last_modified.timestamp_micros())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain_get(key, error)),
        }
    }

    /// Waits until there are few enough uploads of this bucket under way for one more; it counts until the permit is dropped.
    pub(crate) async fn upload_slot(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed.
        self.uploads().acquire().await.ok()
    }

    /// Writes an object, whether there is one of that name or not.
    pub(crate) async fn put(&self, key: &StorePath, bytes: PutPayload) -> Result<(), Error> {
        let put = self.following(|store| {
            let payload = bytes.clone();
            async move { store.put(key, payload).await }
        });
        put.await.map(drop).map_err(|error| self.explain_put(key, error))
    }

    /// Writes an object if there is none of that name: the one operation that two writers at once cannot both succeed with.
    ///
    /// # Errors
    ///
    /// After an error it is not known whether the object was written.
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

    /// Removes an object, if it is there.
    pub(crate) async fn delete(&self, key: &StorePath) -> Result<(), Error> {
        match self.following(|store| async move { store.delete(key).await }).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain_put(key, error)),
        }
    }

    /// Copies an object within the bucket; false when there is none of that name.
    pub(crate) async fn copy(&self, from: &StorePath, to: &StorePath) -> Result<bool, Error> {
        let copied = self.following(|store| async move { store.copy_opts(from, to, CopyOptions::default()).await });
        match copied.await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.explain_put(to, error)),
        }
    }

    /// Begins to write an object in parts.
    pub(crate) async fn put_in_parts(self: &Arc<Self>, key: &StorePath) -> Result<PartsUpload, Error> {
        let begun = self.following(|store| async move {
            let id = store.create_multipart(key).await?;
            Ok((store, id))
        });
        let (store, id) = begun.await.map_err(|error| self.explain_put(key, error))?;
        Ok(PartsUpload { store, bucket: Arc::clone(self), key: key.clone(), id, parts: Vec::new() })
    }

    /// Takes back what was begun, if it is not complete.
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
    pub(crate) async fn put(&mut self, part: PutPayload) -> Result<(), Error> {
        let _slot = self.bucket.upload_slot().await;
        let index = self.parts.len();
        let put = self.store.put_part(&self.key, &self.id, index, part).await;
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
