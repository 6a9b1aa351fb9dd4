//! S3 operations that write.

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    DeletedObject, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload, PutObjectInput,
    PutObjectOutput, Range, StorageClass, StreamingBlob, Timestamp, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Result, s3_error};

use crate::bucket::{Bucket, Object, STANDARD};
use crate::service::Buckets;
use crate::upload::{Claim, Upload};

/// Maximum number of keys per delete request, and of uploads per page.
const MOST: usize = 1000;

impl Buckets {
    pub(crate) async fn put(&self, input: PutObjectInput) -> S3Result<PutObjectOutput> {
        let bytes = whole(input.body).await?;
        let storage_class = class_of(input.storage_class.as_ref());
        // Condition and put under one lock, so that concurrent puts are ordered.
        let e_tag = self.with_bucket_mut(&input.bucket, |bucket| {
            let found = bucket.objects.get(&input.key);
            self.conditions.check(found, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            Ok(bucket.put(input.key, bytes, storage_class))
        })?;
        Ok(PutObjectOutput { e_tag: Some(ETag::Strong(e_tag.to_string())), ..Default::default() })
    }

    pub(crate) fn copy(&self, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
        let (from, source) = self.source(&input.copy_source)?;
        if from == (&*input.bucket, &*input.key) && input.storage_class.is_none() {
            let message = "This copy request is illegal because it is trying to copy an object to itself";
            return Err(s3_error!(InvalidRequest, "{message}"));
        }
        let storage_class = class_of(input.storage_class.as_ref());
        let copy = self.with_bucket_mut(&input.bucket, |bucket| {
            bucket.put(input.key.clone(), source.bytes, storage_class);
            bucket.objects.get(&input.key).cloned().ok_or_else(|| s3_error!(InternalError))
        })?;
        let result = CopyObjectResult {
            e_tag: Some(ETag::Strong(copy.e_tag.to_string())),
            last_modified: Some(Timestamp::from(copy.modified)),
            ..Default::default()
        };
        Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }

    pub(crate) fn delete(&self, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        self.with_bucket_mut(&input.bucket, |bucket| {
            bucket.objects.remove(&input.key);
            Ok(DeleteObjectOutput::default())
        })
    }

    pub(crate) fn delete_many(&self, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
        let keys = input.delete.objects.into_iter().map(|object| object.key);
        if keys.len() == 0 || keys.len() > MOST {
            return Err(s3_error!(MalformedXML, "A request deletes from 1 to 1000 keys"));
        }
        let is_quiet = input.delete.quiet.unwrap_or(false);
        self.with_bucket_mut(&input.bucket, |bucket| {
            let mut deleted = Vec::new();
            // A missing key counts as deleted.
            for key in keys {
                bucket.objects.remove(&key);
                if !is_quiet {
                    deleted.push(DeletedObject { key: Some(key), ..Default::default() });
                }
            }
            Ok(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() })
        })
    }

    pub(crate) fn begin_upload(&self, input: CreateMultipartUploadInput) -> S3Result<CreateMultipartUploadOutput> {
        let storage_class = class_of(input.storage_class.as_ref());
        let id =
            self.with_bucket_mut(&input.bucket, |bucket| Ok(bucket.begin_upload(input.key.clone(), storage_class)))?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    pub(crate) async fn put_part(&self, input: UploadPartInput) -> S3Result<UploadPartOutput> {
        let bytes = whole(input.body).await?;
        let e_tag = self.with_bucket_mut(&input.bucket, |bucket| {
            upload_of(bucket, &input.upload_id, &input.key)?.put(input.part_number, bytes)
        })?;
        Ok(UploadPartOutput { e_tag: Some(ETag::Strong(e_tag.to_string())), ..Default::default() })
    }

    pub(crate) fn copy_part(&self, input: &UploadPartCopyInput) -> S3Result<UploadPartCopyOutput> {
        let (_, source) = self.source(&input.copy_source)?;
        let bytes = match &input.copy_source_range {
            None => source.bytes,
            Some(range) => {
                let part = Range::parse(range)
                    .map_err(|error| s3_error!(InvalidArgument, "{error}"))?
                    .check(source.bytes.len() as u64)?;
                // Both ends are within the object, which is in memory.
                source.bytes.slice(part.start as usize..part.end as usize)
            }
        };
        let e_tag = self.with_bucket_mut(&input.bucket, |bucket| {
            upload_of(bucket, &input.upload_id, &input.key)?.put(input.part_number, bytes)
        })?;
        let result = CopyPartResult {
            e_tag: Some(ETag::Strong(e_tag.to_string())),
            last_modified: Some(Timestamp::from(source.modified)),
            ..Default::default()
        };
        Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
    }

    pub(crate) fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let claims: Option<Vec<Claim>> = parts
            .into_iter()
            .map(|part| Some(Claim { number: part.part_number?, e_tag: part.e_tag?.into_value() }))
            .collect();
        let claims = claims.ok_or_else(|| s3_error!(MalformedXML, "A part has a number and an ETag"))?;
        let e_tag = self.with_bucket_mut(&input.bucket, |bucket| {
            let upload = upload_of(bucket, &input.upload_id, &input.key)?;
            let (bytes, e_tag) = upload.join(&claims)?;
            let storage_class = upload.storage_class.clone();
            // If the condition does not hold, the upload stays open, as on S3, where its parts are billed until it is
            // aborted.
            let found = bucket.objects.get(&input.key);
            self.conditions.check(found, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            bucket.uploads.remove(&input.upload_id);
            bucket.put_tagged(input.key.clone(), bytes, e_tag.clone(), &storage_class);
            Ok(e_tag)
        })?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(e_tag.to_string())),
            ..Default::default()
        })
    }

    pub(crate) fn abort_upload(&self, input: &AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
        self.with_bucket_mut(&input.bucket, |bucket| {
            upload_of(bucket, &input.upload_id, &input.key)?;
            bucket.uploads.remove(&input.upload_id);
            Ok(AbortMultipartUploadOutput::default())
        })
    }

    /// A page of uploads, sorted by key and then by id.
    pub(crate) fn list_uploads(&self, input: ListMultipartUploadsInput) -> S3Result<ListMultipartUploadsOutput> {
        let most = match input.max_uploads {
            None => MOST,
            Some(most) => usize::try_from(most).map_err(|_| s3_error!(InvalidArgument, "max-uploads is negative"))?,
        };
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let begin = input.key_marker.as_deref().unwrap_or_default();
        let is_behind = |key: &str, id: &str| match &input.upload_id_marker {
            // A key without an id marker means after all uploads of that key.
            None => begin.is_empty() || key > begin,
            Some(begin_id) => (key, id) > (begin, begin_id.as_str()),
        };
        let (uploads, is_truncated) = self.with_bucket(&input.bucket, |bucket| {
            let mut found: Vec<(&str, &str, &Upload)> = bucket
                .uploads
                .iter()
                .map(|(id, upload)| (upload.key.as_str(), id.as_str(), upload))
                .filter(|(key, id, _)| key.starts_with(prefix) && is_behind(key, id))
                .collect();
            found.sort_by_key(|(key, id, _)| (*key, *id));
            let is_truncated = found.len() > most.min(MOST);
            found.truncate(most.min(MOST));
            Ok((found.into_iter().map(|(key, id, upload)| listed(key, id, upload)).collect::<Vec<_>>(), is_truncated))
        })?;
        let last = uploads.last().filter(|_| is_truncated);
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(is_truncated),
            max_uploads: i32::try_from(most).ok(),
            next_key_marker: last.and_then(|upload| upload.key.clone()),
            next_upload_id_marker: last.and_then(|upload| upload.upload_id.clone()),
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            prefix: input.prefix,
            uploads: Some(uploads),
            ..Default::default()
        })
    }

    /// The source of a copy: bucket and key, and the object.
    fn source<'a>(&self, source: &'a CopySource) -> S3Result<((&'a str, &'a str), Object)> {
        match source {
            CopySource::Bucket { bucket, key, .. } => Ok(((bucket, key), self.readable(bucket, key)?)),
            _ => Err(s3_error!(InvalidArgument, "Copy Source must mention the source bucket and key")),
        }
    }
}

fn listed(key: &str, id: &str, upload: &Upload) -> MultipartUpload {
    MultipartUpload {
        key: Some(key.to_owned()),
        upload_id: Some(id.to_owned()),
        initiated: Some(Timestamp::from(upload.begun)),
        storage_class: Some(StorageClass::from(upload.storage_class.clone())),
        ..Default::default()
    }
}

/// The upload with this id, which must be for this key.
fn upload_of<'a>(bucket: &'a mut Bucket, id: &str, key: &str) -> S3Result<&'a mut Upload> {
    let upload = bucket.uploads.get_mut(id).filter(|upload| upload.key == key);
    upload.ok_or_else(|| {
        s3_error!(NoSuchUpload, "The specified upload does not exist. It may have been aborted or completed.")
    })
}

fn class_of(asked: Option<&StorageClass>) -> &str {
    asked.map_or(STANDARD, StorageClass::as_str)
}

/// Reads a complete body. A truncated one is an error: a client that is killed during a put has put nothing.
async fn whole(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let parts = body.try_fold(BytesMut::new(), |mut all, part| async move {
        all.extend_from_slice(&part);
        Ok(all)
    });
    Ok(parts.await.map_err(|error| s3_error!(IncompleteBody, "{error}"))?.freeze())
}
