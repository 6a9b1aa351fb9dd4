//! Buckets and objects in memory.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest as _, Md5};

use crate::upload::Upload;

/// The default storage class.
pub(crate) const STANDARD: &str = "STANDARD";
/// Storage classes whose objects are listed, but can be read only after a restore.
pub(crate) const ARCHIVED: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// An object. Clones share the content.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) e_tag: Arc<str>,
    pub(crate) modified: SystemTime,
    pub(crate) storage_class: Arc<str>,
    /// Whether there is a copy that can be read for a time. The storage class stays.
    pub(crate) is_restored: bool,
}

impl Object {
    pub(crate) fn is_archived(&self) -> bool {
        !self.is_restored && ARCHIVED.contains(&&*self.storage_class)
    }
}

/// The objects of a bucket, sorted by key.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Object>,
    /// Uploads that are neither completed nor aborted, by id.
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// Settings of access logging.
    pub(crate) logging: Option<s3s::dto::LoggingEnabled>,
    /// The region, if it differs from the server's.
    pub(crate) region: Option<String>,
    /// Number of uploads ever started.
    begun: u64,
    /// Content and tag of the last object, since a million objects may share one content. Keeping it alive prevents its
    /// address from being reused.
    last: Option<(Bytes, Arc<str>)>,
    classes: Vec<Arc<str>>,
    /// Whether tags are MD5, as on S3, which is slow in unoptimized builds.
    has_md5: bool,
}

impl Bucket {
    pub(crate) fn new(has_md5: bool) -> Self {
        Self { has_md5, ..Self::default() }
    }

    pub(crate) fn put(&mut self, key: String, bytes: Bytes, storage_class: &str) -> Arc<str> {
        let e_tag = self.e_tag(&bytes);
        self.put_tagged(key, bytes, Arc::clone(&e_tag), storage_class);
        e_tag
    }

    /// Stores an object assembled from parts, with its tag.
    pub(crate) fn put_tagged(&mut self, key: String, bytes: Bytes, e_tag: Arc<str>, storage_class: &str) {
        let storage_class = self.class(storage_class);
        let object = Object { bytes, e_tag, modified: SystemTime::now(), storage_class, is_restored: false };
        self.objects.insert(key, object);
    }

    /// Starts a multipart upload and returns its id.
    pub(crate) fn begin_upload(&mut self, key: String, storage_class: &str) -> String {
        self.begun += 1;
        let id = format!("{}.{}-_", e_tag_of(key.as_bytes()), self.begun);
        self.uploads.insert(id.clone(), Upload::new(key, storage_class));
        id
    }

    fn e_tag(&mut self, bytes: &Bytes) -> Arc<str> {
        match &self.last {
            Some((last, e_tag)) if (last.as_ptr(), last.len()) == (bytes.as_ptr(), bytes.len()) => Arc::clone(e_tag),
            _ => {
                let e_tag: Arc<str> = match self.has_md5 {
                    true => hexadecimal(&Md5::digest(bytes)).into(),
                    false => e_tag_of(bytes).into(),
                };
                self.last = Some((bytes.clone(), Arc::clone(&e_tag)));
                e_tag
            }
        }
    }

    fn class(&mut self, name: &str) -> Arc<str> {
        if let Some(class) = self.classes.iter().find(|class| &***class == name) {
            return Arc::clone(class);
        }
        let class: Arc<str> = name.into();
        self.classes.push(Arc::clone(&class));
        class
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A tag that looks like an MD5. It only has to differ for different contents.
pub(crate) fn e_tag_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    let first = hasher.finish();
    hasher.write_u64(first);
    format!("{first:016x}{:016x}", hasher.finish())
}
