//! Buckets and objects in memory.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

/// The usual storage class.
pub(crate) const STANDARD: &str = "STANDARD";
/// Objects of these are listed, but can be read only once they are restored.
pub(crate) const ARCHIVED: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// An object. Its clones share the content.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) e_tag: Arc<str>,
    pub(crate) modified: SystemTime,
    pub(crate) storage_class: Arc<str>,
}

impl Object {
    pub(crate) fn is_archived(&self) -> bool {
        ARCHIVED.contains(&&*self.storage_class)
    }
}

/// The objects of a bucket, in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Object>,
    /// Of the last object: a million objects may well share one content. Holding it keeps its address from being reused.
    last: Option<(Bytes, Arc<str>)>,
    classes: Vec<Arc<str>>,
}

impl Bucket {
    pub(crate) fn put(&mut self, key: String, bytes: Bytes, storage_class: &str) -> Arc<str> {
        let e_tag = self.e_tag(&bytes);
        let storage_class = self.class(storage_class);
        let object = Object { bytes, e_tag: Arc::clone(&e_tag), modified: SystemTime::now(), storage_class };
        self.objects.insert(key, object);
        e_tag
    }

    fn e_tag(&mut self, bytes: &Bytes) -> Arc<str> {
        match &self.last {
            Some((last, e_tag)) if (last.as_ptr(), last.len()) == (bytes.as_ptr(), bytes.len()) => Arc::clone(e_tag),
            _ => {
                let e_tag: Arc<str> = e_tag_of(bytes).into();
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

/// Looks like an MD5, which it is neither here nor for objects that were put in parts: all that counts is that another
/// content has another one.
fn e_tag_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    let first = hasher.finish();
    hasher.write_u64(first);
    format!("{first:016x}{:016x}", hasher.finish())
}
