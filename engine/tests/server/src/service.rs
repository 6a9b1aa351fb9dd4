//! S3 operations on in-memory buckets: reads are here, writes are in `writes.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, RwLock};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, ETag, EncodingType, GetBucketLocationInput, GetBucketLocationOutput, GetBucketLoggingInput,
    GetBucketLoggingOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
    HeadObjectOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, ObjectStorageClass, OptionalObjectAttributes, PutBucketLoggingInput,
    PutBucketLoggingOutput, PutObjectInput, PutObjectOutput, RestoreStatus, StorageClass, Timestamp,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

use crate::bucket::{Bucket, Object, STANDARD};
use crate::condition::{Conditions, check_read};
use crate::list::{Entry, MOST_KEYS, Query};

/// Characters that `encoding-type=url` does not encode.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');
/// Suffix of tokens, as on S3: reveals clients that do not encode tokens, or take them for keys.
const TOKEN_END: &str = "+/=";

/// All buckets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// Keyed by name.
    pub(crate) all: Arc<RwLock<BTreeMap<String, Bucket>>>,
    pub(crate) conditions: Arc<Conditions>,
    /// Whether new buckets use MD5 tags.
    pub(crate) has_md5: bool,
    /// Whether logging settings are accepted without being stored.
    pub(crate) forgets_logging: bool,
}

/// Helpers for operations, also used by `writes.rs`.
impl Buckets {
    pub(crate) fn with_bucket<T>(&self, name: &str, read: impl FnOnce(&Bucket) -> S3Result<T>) -> S3Result<T> {
        let buckets = self.all.read().unwrap();
        read(buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))?)
    }

    pub(crate) fn with_bucket_mut<T>(&self, name: &str, write: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        let mut buckets = self.all.write().unwrap();
        write(buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))?)
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> S3Result<Object> {
        self.with_bucket(bucket, |bucket| {
            bucket.objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
        })
    }

    /// Like `object`, but fails if the object must be restored first.
    pub(crate) fn readable(&self, bucket: &str, key: &str) -> S3Result<Object> {
        let object = self.object(bucket, key)?;
        if object.is_archived() {
            let message = "The operation is not valid for the object's storage class";
            return Err(s3_error!(InvalidObjectState, "{message}"));
        }
        Ok(object)
    }
}

#[async_trait::async_trait]
impl S3 for Buckets {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = req.input.bucket;
        let location = format!("/{name}");
        let mut buckets = self.all.write().unwrap();
        if buckets.contains_key(&name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        buckets.insert(name, Bucket::new(self.has_md5));
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let region = self.with_bucket(&req.input.bucket, |bucket| Ok(bucket.region.clone()))?;
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(region), ..Default::default() }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let most = match input.max_keys {
            None => MOST_KEYS,
            Some(most) => usize::try_from(most).map_err(|_| s3_error!(InvalidArgument, "max-keys is negative"))?,
        };
        let reached = input.continuation_token.as_deref().map(key_of_token).transpose()?;
        let is_encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
        let encoded = |text: &str| match is_encoded {
            true => percent_encode(text.as_bytes(), PLAIN).to_string(),
            false => text.to_owned(),
        };
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
            // A token is from the end of the previous page, which is after `start_after`.
            after: reached.as_deref().or(input.start_after.as_deref()),
            most,
        };
        let mut asked = input.optional_object_attributes.iter().flatten();
        let tells_restores = asked.any(|name| name.as_str() == OptionalObjectAttributes::RESTORE_STATUS);
        let output = self.with_bucket(&input.bucket, |bucket| {
            let page = bucket.list(&query);
            let next = page.entries.last().filter(|_| page.is_truncated).map(|entry| token_of(entry.name()));
            let key_count = page.entries.len();
            let (mut contents, mut common_prefixes) = (Vec::new(), Vec::new());
            for entry in &page.entries {
                match entry {
                    Entry::Object(key, object) => contents.push(s3s::dto::Object {
                        restore_status: restore_status(object).filter(|_| tells_restores),
                        ..listed(encoded(key), object)
                    }),
                    Entry::CommonPrefix(prefix) => common_prefixes.push(CommonPrefix { prefix: Some(encoded(prefix)) }),
                }
            }
            Ok(ListObjectsV2Output {
                key_count: i32::try_from(key_count).ok(),
                max_keys: i32::try_from(most.min(MOST_KEYS)).ok(),
                is_truncated: Some(page.is_truncated),
                next_continuation_token: next,
                contents: Some(contents),
                common_prefixes: Some(common_prefixes),
                ..Default::default()
            })
        })?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoded(input.prefix.as_deref().unwrap_or_default())),
            delimiter: input.delimiter.as_deref().map(encoded),
            start_after: input.start_after.as_deref().map(encoded),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            ..output
        }))
    }

    /// Version 1 of the list API: like version 2 except for pagination.
    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let marker = req.input.marker.clone();
        let list = self.list_objects_v2(req.map_input(Into::into)).await?.output;
        let next = list.next_continuation_token.as_deref().map(key_of_token).transpose()?;
        Ok(S3Response::new(ListObjectsOutput {
            name: list.name,
            prefix: list.prefix,
            marker,
            max_keys: list.max_keys,
            is_truncated: list.is_truncated,
            contents: list.contents,
            common_prefixes: list.common_prefixes,
            delimiter: list.delimiter,
            next_marker: next,
            encoding_type: list.encoding_type,
            ..Default::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.with_bucket(&req.input.bucket, |_| Ok(()))?;
        // us-east-1 has no location constraint.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_logging(
        &self,
        req: S3Request<GetBucketLoggingInput>,
    ) -> S3Result<S3Response<GetBucketLoggingOutput>> {
        self.logging(&req.input.bucket).map(S3Response::new)
    }

    async fn put_bucket_logging(
        &self,
        req: S3Request<PutBucketLoggingInput>,
    ) -> S3Result<S3Response<PutBucketLoggingOutput>> {
        self.put_logging(req.input).map(S3Response::new)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let object = self.readable(&input.bucket, &input.key)?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let whole = object.bytes.len();
        let (bytes, content_range) = match input.range {
            None => (object.bytes.clone(), None),
            Some(range) => {
                let part = range.check(whole as u64)?;
                let content_range = format!("bytes {}-{}/{whole}", part.start, part.end.saturating_sub(1));
                // Both ends are within the object, which is in memory.
                (object.bytes.slice(part.start as usize..part.end as usize), Some(content_range))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(bytes.len()).ok(),
            content_range,
            content_type: Some("binary/octet-stream".to_owned()),
            e_tag: Some(e_tag(&object)),
            last_modified: Some(Timestamp::from(object.modified)),
            storage_class: unusual_class(&object),
            body: Some(Body::from(bytes).into()),
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let object = self.object(&input.bucket, &input.key)?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(object.bytes.len()).ok(),
            content_type: Some("binary/octet-stream".to_owned()),
            e_tag: Some(e_tag(&object)),
            last_modified: Some(Timestamp::from(object.modified)),
            storage_class: unusual_class(&object),
            ..Default::default()
        }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.put(req.input).await.map(S3Response::new)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.copy(req.input).map(S3Response::new)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.delete(&req.input).map(S3Response::new)
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.delete_many(req.input).map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.begin_upload(req.input).map(S3Response::new)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.put_part(req.input).await.map(S3Response::new)
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.copy_part(&req.input).map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete_upload(req.input).map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort_upload(&req.input).map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.list_uploads(req.input).map(S3Response::new)
    }
}

fn listed(key: String, object: &Object) -> s3s::dto::Object {
    s3s::dto::Object {
        key: Some(key),
        size: i64::try_from(object.bytes.len()).ok(),
        e_tag: Some(e_tag(object)),
        last_modified: Some(Timestamp::from(object.modified)),
        storage_class: Some(ObjectStorageClass::from(object.storage_class.to_string())),
        ..Default::default()
    }
}

fn restore_status(object: &Object) -> Option<RestoreStatus> {
    object.is_restored.then(|| RestoreStatus { is_restore_in_progress: Some(false), ..Default::default() })
}

fn e_tag(object: &Object) -> ETag {
    ETag::Strong(object.e_tag.to_string())
}

/// S3 returns the storage class in headers only if it is not the default.
fn unusual_class(object: &Object) -> Option<StorageClass> {
    (&*object.storage_class != STANDARD).then(|| StorageClass::from(object.storage_class.to_string()))
}

fn token_of(name: &str) -> String {
    let mut token = name.bytes().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    });
    token.push_str(TOKEN_END);
    token
}

fn key_of_token(token: &str) -> S3Result<String> {
    let bytes: Option<Vec<u8>> = token.strip_suffix(TOKEN_END).and_then(|digits| {
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    });
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}
