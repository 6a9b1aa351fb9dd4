//! The log objects of a partition in serialized form, for sending to other processes: a million objects take about 11
//! MB.
//!
//! Consecutive names share prefixes, so each entry stores how much of the previous name it keeps; the result is
//! compressed with zstd. Only the process that reads the objects unpacks them: a scheduler passes the bytes on.
//!
//! ```text
//! zstd( version, working directory, number of buckets, their names, objects )
//! object = flags, bytes kept of the previous name, length and bytes of the rest, size
//!          [number of its bucket] [start and length of its range] [path, if it is not the name]
//!          [modification time in microseconds since the Unix epoch, and entity tag, if no other version may be read]
//! ```
//!
//! Numbers are LEB128; strings are prefixed with their length.

use super::arrivals::{Arriving, ListError, ListObjects};
use super::counts::SourceCounts;
use super::object::{ByteSource, LogObject, ObjectVersion, planned_objects};
use super::reader::Unopened;
use super::times::Times;
use crate::error::{Error, ErrorKind};
use crate::store::Stores;
use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::path::Path as StorePath;
use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of the format.
const VERSION: u64 = 1;
/// Names are repetitive: higher levels gain little.
const ZSTD_LEVEL: i32 = 3;
/// Limit on the unpacked size: ten million objects of a hundred bytes each.
const MAX_UNPACKED: u64 = 1 << 30;
/// Number of objects per page of a listing.
const PAGE: usize = 1_000;

const IN_BUCKET: u8 = 1;
const IS_RANGE: u8 = 2;
const HAS_PATH: u8 = 4;
const IS_PINNED: u8 = 8;

/// Attached to a `PartitionedFile` that stands for all objects of a partition.
#[derive(Clone)]
pub(crate) struct Packed {
    bytes: Bytes,
    /// Opens the buckets.
    stores: Arc<Stores>,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({} bytes)", self.bytes.len())
    }
}

impl Packed {
    /// Wraps bytes that another process packed.
    pub(crate) fn new(bytes: Bytes, stores: Arc<Stores>) -> Self {
        Self { bytes, stores }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The objects, to be read in this order.
    pub(crate) async fn objects(&self) -> Result<Vec<Unopened>, Error> {
        let mut objects = Vec::new();
        for object in &unpack(&self.bytes)? {
            objects.push(open(object, &self.stores).await?);
        }
        Ok(objects)
    }

    /// The objects for one reader, in order of arrival; those of buckets are fetched ahead.
    pub(super) fn arriving(&self) -> Result<Arriving, Error> {
        let unpacked: Arc<dyn ListObjects> =
            Arc::new(Unpacked { objects: unpack(&self.bytes)?.into(), stores: Arc::clone(&self.stores) });
        Arriving::files(&unpacked, 1).next().ok_or_else(|| Error::new(ErrorKind::Internal, "nobody reads"))
    }
}

/// All objects of a partition as one file, unpacked when it is opened.
pub(crate) fn packed_group(bytes: Bytes, stores: &Arc<Stores>) -> FileGroup {
    let file = PartitionedFile::new("packed", bytes.len() as u64);
    FileGroup::new(vec![file.with_extension(Packed::new(bytes, Arc::clone(stores)))])
}

/// An object whose bucket has not been opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unbound {
    /// The bucket; `None` for a file.
    bucket: Option<Arc<str>>,
    /// The key in the bucket, or the name of the file.
    name: String,
    /// The path of a file.
    path: PathBuf,
    size: u64,
    range: Option<Range<u64>>,
    /// The version that must be read, if it matters.
    version: Option<ObjectVersion>,
}

/// Packs the objects that the files of a partition stand for.
///
/// # Errors
///
/// Fails if only this process can read one of the objects.
pub(crate) fn pack<'a>(files: impl IntoIterator<Item = &'a PartitionedFile>) -> Result<Bytes, Error> {
    let mut objects = Vec::new();
    for file in files {
        let planned = planned_objects(file);
        let unlisted = || Error::new(ErrorKind::Internal, "a bucket was not listed when its scan was planned");
        objects.extend(planned.ok_or_else(unlisted)?);
    }
    pack_objects(&objects)
}

/// Packs objects to be read in this order.
pub(crate) fn pack_objects(objects: &[Unopened]) -> Result<Bytes, Error> {
    let directory = std::env::current_dir().unwrap_or_default();
    let objects = objects.iter().map(Unbound::of).collect::<Result<Vec<_>, _>>()?;
    pack_unbound(&objects, &directory).map(Bytes::from)
}

impl Unbound {
    fn of(unopened: &Unopened) -> Result<Self, Error> {
        let Unopened { object, size, range } = unopened;
        let (bucket, name, path) = match object.byte_source() {
            ByteSource::File(path) => (None, object.name().to_string(), path.to_path_buf()),
            ByteSource::Bucket(bucket, key) => (Some(bucket.name().into()), key.to_string(), PathBuf::new()),
            ByteSource::Stdin(_) | ByteSource::Pipe(..) => {
                let what =
                    if matches!(object.byte_source(), ByteSource::Stdin(_)) { "standard input" } else { "a pipe" };
                return Err(Error::new(ErrorKind::Unsupported, format!("{what} cannot be read on other machines"))
                    .with_hint("put it into a bucket, or into a folder that all of them share"));
            }
            ByteSource::Store(..) => {
                return Err(Error::new(ErrorKind::Unsupported, "it is in a store that other machines do not know")
                    .in_object(&**object.name()));
            }
        };
        Ok(Self { bucket, name, path, size: *size, range: range.clone(), version: unopened.required().cloned() })
    }
}

fn pack_unbound(objects: &[Unbound], directory: &Path) -> Result<Vec<u8>, Error> {
    let mut buckets: Vec<&Arc<str>> = Vec::new();
    let mut numbers: HashMap<&Arc<str>, usize> = HashMap::new();
    for bucket in objects.iter().filter_map(|object| object.bucket.as_ref()) {
        numbers.entry(bucket).or_insert_with(|| {
            buckets.push(bucket);
            buckets.len() - 1
        });
    }
    let mut bytes = Vec::with_capacity(objects.len() * 24);
    number(&mut bytes, VERSION);
    text(&mut bytes, path_text(directory)?);
    number(&mut bytes, buckets.len() as u64);
    buckets.iter().for_each(|bucket| text(&mut bytes, bucket));
    let mut before: &str = "";
    for object in objects {
        let is_named_by_path = object.bucket.is_some() || object.path.as_os_str() == object.name.as_str();
        let flags = [
            (object.bucket.is_some(), IN_BUCKET),
            (object.range.is_some(), IS_RANGE),
            (!is_named_by_path, HAS_PATH),
            (object.version.is_some(), IS_PINNED),
        ];
        bytes.push(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
        let kept = kept_of(before, &object.name);
        number(&mut bytes, kept as u64);
        text(&mut bytes, &object.name[kept..]);
        number(&mut bytes, object.size);
        if let Some(bucket) = &object.bucket {
            number(&mut bytes, numbers[bucket] as u64);
        }
        if let Some(range) = &object.range {
            number(&mut bytes, range.start);
            number(&mut bytes, range.end - range.start);
        }
        if !is_named_by_path {
            text(&mut bytes, path_text(&object.path)?);
        }
        if let Some(version) = &object.version {
            number(&mut bytes, version.modified.cast_unsigned());
            text(&mut bytes, version.e_tag.as_deref().unwrap_or_default());
        }
        before = &object.name;
    }
    let packed = zstd::bulk::compress(&bytes, ZSTD_LEVEL);
    packed.map_err(|error| Error::new(ErrorKind::Internal, "names of objects cannot be packed").with_source(error))
}

/// Length in bytes of the common prefix, rounded down to a character boundary.
fn kept_of(before: &str, name: &str) -> usize {
    let same = before.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default()
}

fn path_text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "a path that is not UTF-8 cannot be sent to other machines")
            .in_object(path.display().to_string())
    })
}

fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Unpacks objects.
///
/// # Errors
///
/// Fails if the bytes are not a valid list of objects.
fn unpack(bytes: &[u8]) -> Result<Vec<Unbound>, Error> {
    let mut unpacked = Vec::new();
    let decoder = zstd::stream::Decoder::new(bytes).map_err(|error| broken().with_source(error))?;
    let read = decoder.take(MAX_UNPACKED).read_to_end(&mut unpacked);
    read.map_err(|error| broken().with_source(error))?;
    let mut left = Left(&unpacked);
    if left.number()? != VERSION {
        return Err(Error::new(ErrorKind::Unsupported, "the list of objects is of another version of s3log")
            .with_hint("run the same version on all machines"));
    }
    let directory = PathBuf::from(left.text()?);
    let buckets = (0..left.number()?).map(|_| left.text().map(Arc::from)).collect::<Result<Vec<Arc<str>>, _>>()?;
    let mut objects: Vec<Unbound> = Vec::new();
    while !left.0.is_empty() {
        let flags = left.byte()?;
        let kept = left.number()? as usize;
        let before = objects.last().map_or("", |object| object.name.as_str());
        let mut name = before.get(..kept).ok_or_else(broken)?.to_owned();
        name.push_str(left.text()?);
        let size = left.number()?;
        let bucket = match flags & IN_BUCKET {
            0 => None,
            _ => Some(Arc::clone(buckets.get(left.number()? as usize).ok_or_else(broken)?)),
        };
        let range = match flags & IS_RANGE {
            0 => None,
            _ => {
                let start = left.number()?;
                Some(start..start.checked_add(left.number()?).ok_or_else(broken)?)
            }
        };
        let path = match (flags & HAS_PATH, &bucket) {
            (0, Some(_)) => PathBuf::new(),
            (0, None) => directory.join(&name),
            _ => directory.join(left.text()?),
        };
        let version = match flags & IS_PINNED {
            0 => None,
            _ => {
                let modified = left.number()?.cast_signed();
                let e_tag = Some(left.text()?).filter(|tag| !tag.is_empty()).map(str::to_owned);
                Some(ObjectVersion { modified, e_tag, is_pinned: true, is_archived: false })
            }
        };
        objects.push(Unbound { bucket, name, path, size, range, version });
    }
    Ok(objects)
}

fn broken() -> Error {
    Error::new(ErrorKind::Invalid, "the list of objects is broken")
}

/// The bytes not parsed yet.
struct Left<'a>(&'a [u8]);

impl<'a> Left<'a> {
    fn byte(&mut self) -> Result<u8, Error> {
        let (first, left) = self.0.split_first().ok_or_else(broken)?;
        self.0 = left;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(broken())
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        let len = usize::try_from(self.number()?).map_err(|_| broken())?;
        let (text, left) = self.0.split_at_checked(len).ok_or_else(broken)?;
        self.0 = left;
        std::str::from_utf8(text).map_err(|_| broken())
    }
}

/// Unpacked objects to be read.
#[derive(Debug)]
struct Unpacked {
    objects: Arc<[Unbound]>,
    stores: Arc<Stores>,
}

impl ListObjects for Unpacked {
    /// All packed objects: names and times were already checked by the sender.
    fn list(&self, _times: &Times) -> BoxStream<'static, Result<Vec<Unopened>, ListError>> {
        let (objects, stores) = (Arc::clone(&self.objects), Arc::clone(&self.stores));
        let pages = (0..objects.len()).step_by(PAGE);
        futures::stream::iter(pages)
            .then(move |from| {
                let (objects, stores) = (Arc::clone(&objects), Arc::clone(&stores));
                async move {
                    let page = &objects[from..objects.len().min(from + PAGE)];
                    let mut unopened = Vec::with_capacity(page.len());
                    for object in page {
                        unopened
                            .push(open(object, &stores).await.map_err(|error| ListError { error, is_fatal: true })?);
                    }
                    Ok(unopened)
                }
            })
            .boxed()
    }

    fn concurrency(&self) -> usize {
        self.stores.options().concurrency.max(1)
    }

    fn summary(&self, _times: &Times, _counted: Option<&[SourceCounts]>) -> String {
        format!("objects={}", self.objects.len())
    }

    fn count(&self, _times: &Times) -> BoxFuture<'static, Result<Vec<SourceCounts>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

async fn open(object: &Unbound, stores: &Stores) -> Result<Unopened, Error> {
    let Unbound { bucket, name, path, size, range, version } = object;
    let object = match bucket {
        None => LogObject::file(name.as_str(), path.clone()),
        Some(bucket) => {
            let key = StorePath::parse(name).unwrap_or_else(|_| StorePath::from(name.as_str()));
            LogObject::in_bucket(stores.bucket(bucket).await?, key)
        }
    };
    let object = match version {
        Some(version) => object.with_version(version.clone()),
        None => object,
    };
    Ok(Unopened { object, size: *size, range: range.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn an_object() -> impl Strategy<Value = Unbound> {
        let name = prop_oneof!["[a-c/]{0,6}", "logs/2026-0[1-9]-[0-9A-F]{4}", "\\PC{0,6}"];
        let range = prop::option::of((0..u64::from(u32::MAX), 0..u64::from(u32::MAX)));
        let version = prop::option::of((any::<i64>(), prop::option::of("[0-9a-f]{4}")));
        (prop::option::of("[ab]"), name, prop::option::of("/[a-c]{1,3}"), any::<u64>(), range, version).prop_map(
            |(bucket, name, path, size, range, version)| Unbound {
                path: match (&bucket, path) {
                    (Some(_), _) => PathBuf::new(),
                    (None, Some(path)) => PathBuf::from(path),
                    (None, None) => Path::new("/work").join(&name),
                },
                bucket: bucket.map(Arc::from),
                name,
                size,
                range: range.map(|(start, len)| start..start + len),
                version: version.map(|(modified, e_tag)| ObjectVersion {
                    modified,
                    e_tag,
                    is_pinned: true,
                    is_archived: false,
                }),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(objects in prop::collection::vec(an_object(), 0..40)) {
            let packed = pack_unbound(&objects, Path::new("/work")).unwrap();
            prop_assert_eq!(unpack(&packed).unwrap(), objects);
        }

        #[test]
        fn broken_lists_are_errors(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 0..60_usize) {
            // No input may panic.
            drop(unpack(&bytes));
            drop(unpack(&zstd::bulk::compress(&bytes, 1).unwrap()));
            let one = Unbound { bucket: Some("b".into()), name: "name".into(), path: PathBuf::new(), size: 7, range: Some(1..3),
                version: None,
            };
            let packed = zstd::stream::decode_all(&pack_unbound(&[one], Path::new("/")).unwrap()[..]).unwrap();
            let head = 6;
            if (head + 1..packed.len()).contains(&cut) {
                prop_assert!(unpack(&zstd::bulk::compress(&packed[..cut], 1).unwrap()).is_err());
            }
        }
    }

    #[test]
    fn a_relative_path_is_one_of_the_directory_that_it_was_packed_in() {
        let object =
            Unbound { bucket: None, name: "logs/a".into(), path: "logs/a".into(), size: 1, range: None, version: None };
        let packed = pack_unbound(&[object], Path::new("/home/ann")).unwrap();
        assert_eq!(unpack(&packed).unwrap()[0].path, Path::new("/home/ann/logs/a"));
    }

    #[test]
    fn names_of_log_objects_take_few_bytes() {
        let objects = (0..10_000_u64).map(|number| Unbound {
            bucket: Some("logs".into()),
            // Sixteen random hexadecimal digits are eight bytes of entropy.
            name: format!(
                "access/2026-01-{:02}-{:02}-{:02}-00-{:016X}",
                1 + number / 5_000,
                number / 400 % 24,
                number / 7 % 60,
                number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ),
            path: PathBuf::new(),
            size: 10_000 + number % 700,
            range: None,
            version: None,
        });
        let packed = pack_unbound(&objects.collect::<Vec<_>>(), Path::new("/")).unwrap();
        assert!(packed.len() < 10_000 * 16, "{}", packed.len());
    }

    #[test]
    fn what_one_process_alone_can_read_does_not_travel() {
        let stdin = Unopened { object: LogObject::stdin(), size: 0, range: None };
        assert_eq!(Unbound::of(&stdin).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
