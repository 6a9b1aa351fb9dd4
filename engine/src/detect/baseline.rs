//! What is normal: requesters with their sources, what they read a day, who deletes, which keys exist.
//!
//! A baseline is counted over logs of an earlier time, or read from a profile, a Parquet file that [`Baseline::write`] made. Days that
//! the logs have that are looked at do not count as earlier.

use super::collect::Collector;
use super::collect::keys::MOST_GOOD;
use super::tables::column::{Column, Kind, batch_of, booleans, integers, optional_integers, text_lists, texts, times};
use crate::error::{Error, ErrorKind};
use crate::time_units::MICROS_PER_DAY;
use arrow::array::{Array, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// A requester at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownPair {
    pub requester: String,
    pub src: String,
    pub first: i64,
    pub requests: u64,
    pub families: Vec<String>,
    pub net: String,
    pub country: Option<String>,
}

/// What a requester read on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownRequesterDay {
    pub requester: String,
    pub day: i32,
    pub requests: u64,
    pub read_keys: u64,
    pub bytes_sent: u64,
    pub srcs: u64,
}

/// What a source read of a bucket on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownSourceDay {
    pub src: String,
    pub bucket: String,
    pub day: i32,
    pub requests: u64,
    pub anon_requests: u64,
    pub ok_reads: u64,
    pub anon_ok_reads: u64,
    pub anon_lists_ok: u64,
    pub writes: u64,
    pub read_keys: u64,
    pub bytes_sent: u64,
}

/// What is normal for buckets, requesters and keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    pub(crate) pairs: Vec<KnownPair>,
    pub(crate) requester_days: Vec<KnownRequesterDay>,
    pub(crate) source_days: Vec<KnownSourceDay>,
    /// Sources and requesters that deleted something, and when they did first.
    pub(crate) deleters: BTreeMap<(String, String), i64>,
    /// Buckets, and how many sources listed them without a signature.
    pub(crate) anon_listers: HashMap<String, u64>,
    /// Hashes of keys, with some of the sources for which they worked.
    pub(crate) keys: Vec<(u64, [u32; MOST_GOOD])>,
}

impl KnownPair {
    fn absorb(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.requests += other.requests;
        self.families.extend(other.families);
        self.families.sort_unstable();
        self.families.dedup();
        self.country = self.country.take().or(other.country);
    }
}

/// Adds sources to those of a key, as long as there is room.
fn absorb(mine: &mut [u32; MOST_GOOD], others: [u32; MOST_GOOD]) {
    for other in others.into_iter().filter(|other| *other != 0) {
        if !mine.contains(&other)
            && let Some(free) = mine.iter_mut().find(|place| **place == 0)
        {
            *free = other;
        }
    }
}

/// What the rows of a profile are about.
const PAIR: &str = "requester_src";
const REQUESTER: &str = "requester_day";
const SOURCE: &str = "src_bucket_day";
const DELETER: &str = "deleter";
const LISTED: &str = "anon_listers";
const KEY: &str = "key";

/// The columns of a profile. Which are filled depends on `kind`.
const COLUMNS: &[Column] = &[
    ("kind", Kind::Text, "What the row is about."),
    ("requester", Kind::Text, "The requester."),
    ("src", Kind::Text, "The source."),
    ("bucket", Kind::Text, "The bucket."),
    ("time", Kind::Time, "The first request, or the day."),
    ("requests", Kind::Integer, "Requests."),
    ("anon_requests", Kind::Integer, "Requests without a signature."),
    ("anon_lists_ok", Kind::Integer, "Listings without a signature."),
    ("writes", Kind::Integer, "Objects written."),
    ("ok_reads", Kind::Integer, "Objects read."),
    ("anon_ok_reads", Kind::Integer, "Objects read without a signature."),
    ("read_keys", Kind::Integer, "Different keys read."),
    ("bytes_sent", Kind::Integer, "Bytes sent."),
    ("srcs", Kind::Integer, "Different sources."),
    ("families", Kind::Texts, "Families of user agents."),
    ("net", Kind::Text, "The network."),
    ("country", Kind::Text, "The country."),
    ("key", Kind::Integer, "Hash of bucket and key, as signed number."),
    ("good", Kind::Texts, "Hashes of sources for which the key worked."),
];

/// The version of the file: another one is refused.
const VERSION: &str = "1";
const VERSION_KEY: &str = "s3log.profile";

impl Baseline {
    /// What a collector counted.
    pub(crate) fn of(collector: &Collector) -> Self {
        let names = &collector.names;
        let mut pairs: HashMap<(u32, u32), KnownPair> = HashMap::new();
        for ((requester, source, _), day) in &collector.requesters.pairs {
            let of = &collector.sources[*source as usize];
            let pair = pairs.entry((*requester, *source)).or_insert_with(|| KnownPair {
                requester: names.requesters.get(*requester).to_owned(),
                src: names.sources.get(*source).to_owned(),
                first: day.first,
                requests: 0,
                families: Vec::new(),
                net: super::tables::net_of(of),
                country: of.known.country.as_deref().map(str::to_owned),
            });
            pair.first = pair.first.min(day.first);
            pair.requests += day.requests;
            pair.families.extend(day.families.iter().map(|family| names.families.get(*family).to_owned()));
        }
        let mut pairs: Vec<KnownPair> = pairs.into_values().collect();
        for pair in &mut pairs {
            pair.families.sort_unstable();
            pair.families.dedup();
        }
        pairs.sort_unstable_by(|a, b| (&a.requester, &a.src).cmp(&(&b.requester, &b.src)));
        let mut requester_days: Vec<_> = collector
            .requesters
            .days
            .iter()
            .map(|((requester, day), counted)| KnownRequesterDay {
                requester: names.requesters.get(*requester).to_owned(),
                day: *day,
                requests: counted.requests,
                read_keys: counted.keys.count(),
                bytes_sent: counted.bytes_sent,
                srcs: counted.sources.count(),
            })
            .collect();
        requester_days.sort_unstable_by(|a, b| (&a.requester, a.day).cmp(&(&b.requester, b.day)));
        let mut source_days: Vec<_> = collector
            .days
            .iter()
            .map(|((source, bucket, day), counted)| KnownSourceDay {
                src: names.sources.get(*source).to_owned(),
                bucket: names.buckets.get(*bucket).to_owned(),
                day: *day,
                requests: u64::from(counted.requests),
                anon_requests: u64::from(counted.anon_requests),
                ok_reads: u64::from(counted.ok_reads),
                anon_ok_reads: u64::from(counted.anon_ok_reads),
                anon_lists_ok: u64::from(counted.anon_lists_ok),
                writes: u64::from(counted.writes),
                read_keys: counted.keys.estimate(|key| key.read != 0),
                bytes_sent: counted.bytes_sent,
            })
            .collect();
        source_days.sort_unstable_by(|a, b| (a.day, &a.bucket, &a.src).cmp(&(b.day, &b.bucket, &b.src)));
        let mut deleters = BTreeMap::new();
        for ((source, requester, ..), counted) in &collector.sides.deletes {
            let who = (names.sources.get(*source).to_owned(), names.requesters.get(*requester).to_owned());
            let first = deleters.entry(who).or_insert(counted.first);
            *first = counted.first.min(*first);
        }
        let listed = collector.sides.buckets.iter().enumerate().filter(|(_, bucket)| bucket.anon_listers.count() > 0);
        let mut keys: Vec<_> = collector.keys.good_keys().collect();
        keys.sort_unstable();
        Self {
            pairs,
            requester_days,
            source_days,
            deleters,
            anon_listers: listed
                .map(|(number, bucket)| (names.buckets.get(number as u32).to_owned(), bucket.anon_listers.count()))
                .collect(),
            keys,
        }
    }

    /// Forgets days that are not before `first`, so that nothing counts as usual because of itself.
    pub(crate) fn before(mut self, first: i64) -> Self {
        let day = first.div_euclid(MICROS_PER_DAY) as i32;
        self.requester_days.retain(|known| known.day < day);
        self.source_days.retain(|known| known.day < day);
        self.pairs.retain(|known| known.first < first);
        self.deleters.retain(|_, known| *known < first);
        self
    }

    /// Adds what was learned of another time.
    pub fn extend(&mut self, other: Self) {
        let mut pairs: BTreeMap<(String, String), KnownPair> = BTreeMap::new();
        for known in self.pairs.drain(..).chain(other.pairs) {
            match pairs.entry((known.requester.clone(), known.src.clone())) {
                Entry::Vacant(place) => drop(place.insert(known)),
                Entry::Occupied(mut mine) => mine.get_mut().absorb(known),
            }
        }
        self.pairs = pairs.into_values().collect();
        self.requester_days.extend(other.requester_days);
        self.source_days.extend(other.source_days);
        for (who, first) in other.deleters {
            let known = self.deleters.entry(who).or_insert(first);
            *known = first.min(*known);
        }
        for (bucket, listers) in other.anon_listers {
            let known = self.anon_listers.entry(bucket).or_default();
            *known = (*known).max(listers);
        }
        let mut keys: BTreeMap<u64, [u32; MOST_GOOD]> = self.keys.drain(..).collect();
        for (key, sources) in other.keys {
            // Four are as many as anybody asks for.
            keys.entry(key).and_modify(|mine| absorb(mine, sources)).or_insert(sources);
        }
        self.keys = keys.into_iter().collect();
    }

    /// The days of sources as rows of `src_bucket_day`.
    pub(crate) fn source_days(&self, schema: &SchemaRef) -> Result<Option<RecordBatch>, Error> {
        if self.source_days.is_empty() {
            return Ok(None);
        }
        let all = || self.source_days.iter();
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "src" => texts(all().map(|known| Some(known.src.as_str()))),
            "bucket" => texts(all().map(|known| Some(known.bucket.as_str()))),
            "day" | "first" | "last" => times(all().map(|known| Some(i64::from(known.day) * MICROS_PER_DAY))),
            "requests" => integers(all().map(|known| known.requests)),
            "anon_requests" => integers(all().map(|known| known.anon_requests)),
            "anon_lists_ok" => integers(all().map(|known| known.anon_lists_ok)),
            "writes" => integers(all().map(|known| known.writes)),
            "ok_reads" => integers(all().map(|known| known.ok_reads)),
            "anon_ok_reads" => integers(all().map(|known| known.anon_ok_reads)),
            "read_keys" => integers(all().map(|known| known.read_keys)),
            "bytes_sent" => integers(all().map(|known| known.bytes_sent)),
            "from_history" => booleans(all().map(|_| true)),
            // Nobody asks rules about a day of the past.
            "is_cdn" | "is_crawler" | "is_allow" => booleans(all().map(|_| false)),
            // What a profile does not keep counts as nothing, so that sums stay sums.
            _ if field.data_type() == &DataType::Int64 => integers(all().map(|_| 0)),
            _ => new_null_array(field.data_type(), self.source_days.len()),
        });
        Ok(Some(RecordBatch::try_new(schema.clone(), columns.collect())?))
    }

    /// Writes a profile.
    ///
    /// # Errors
    ///
    /// Those of `sink`.
    pub fn write(&self, sink: impl Write + Send) -> Result<(), Error> {
        let cannot = |error: parquet::errors::ParquetError| {
            Error::new(ErrorKind::Unwritable, "the profile cannot be written").with_source(error)
        };
        let rows = self.rows()?;
        let level = ZstdLevel::try_new(3).map_err(cannot)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_key_value_metadata(Some(vec![KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned())]))
            .build();
        let mut writer = ArrowWriter::try_new(sink, rows.schema(), Some(properties)).map_err(cannot)?;
        writer.write(&rows).map_err(cannot)?;
        writer.close().map_err(cannot)?;
        Ok(())
    }

    fn rows(&self) -> Result<RecordBatch, Error> {
        let rows = Rows {
            all: (self.pairs.iter().map(Row::Pair))
                .chain(self.requester_days.iter().map(Row::Requester))
                .chain(self.source_days.iter().map(Row::Source))
                .chain(self.deleters.iter().map(Row::Deleter))
                .chain(self.anon_listers.iter().collect::<BTreeMap<_, _>>().into_iter().map(Row::Listed))
                .chain(self.keys.iter().map(Row::Key))
                .collect(),
        };
        rows.batch()
    }

    /// Reads a profile.
    ///
    /// # Errors
    ///
    /// When the bytes are none, or one of another version.
    pub fn read(bytes: Bytes) -> Result<Self, Error> {
        let no_profile = |message: &str| {
            Error::invalid(message)
                .with_hint("a profile is what `s3log flag --learn` writes; learn it again with this version")
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .map_err(|error| no_profile("it is no profile").with_source(error))?;
        let metadata = reader.metadata().file_metadata().key_value_metadata();
        let version =
            metadata.into_iter().flatten().find(|pair| pair.key == VERSION_KEY).and_then(|pair| pair.value.clone());
        match version.as_deref() {
            Some(VERSION) => {}
            Some(other) => {
                return Err(no_profile(&format!("it is a profile of version {other}, and {VERSION} is needed")));
            }
            None => return Err(no_profile("it is a Parquet file, but no profile")),
        }
        let broken = |error: &dyn std::fmt::Display| no_profile(&format!("the profile is damaged: {error}"));
        let mut baseline = Self::default();
        for batch in reader.build().map_err(|error| broken(&error))? {
            baseline
                .take(&batch.map_err(|error| broken(&error))?)
                .ok_or_else(|| no_profile("the profile is damaged"))?;
        }
        Ok(baseline)
    }

    /// Takes rows of a profile; `None` when a column is missing or of another type.
    fn take(&mut self, batch: &RecordBatch) -> Option<()> {
        let view = arrow::datatypes::DataType::Utf8View;
        let text = |name: &str| arrow::compute::cast(batch.column_by_name(name)?, &view).ok();
        let number = |name: &str| Some(batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.clone());
        let (kind, requester, src, bucket) = (text("kind")?, text("requester")?, text("src")?, text("bucket")?);
        let (net, country) = (text("net")?, text("country")?);
        let time = batch.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?.clone();
        let requests = number("requests")?;
        let (ok_reads, anon_ok_reads) = (number("ok_reads")?, number("anon_ok_reads")?);
        let (anon_requests, anon_lists_ok, writes) =
            (number("anon_requests")?, number("anon_lists_ok")?, number("writes")?);
        let (read_keys, bytes_sent, srcs, key) =
            (number("read_keys")?, number("bytes_sent")?, number("srcs")?, number("key")?);
        let families = batch.column_by_name("families")?.as_list_opt::<i32>()?.clone();
        let good = batch.column_by_name("good")?.as_list_opt::<i32>()?.clone();
        let list = |list: &arrow::array::ListArray, row: usize| -> Option<Vec<String>> {
            if list.is_null(row) {
                return Some(Vec::new());
            }
            let values = arrow::compute::cast(&list.value(row), &view).ok()?;
            Some(values.as_string_view().iter().flatten().map(str::to_owned).collect())
        };
        let get = |array: &arrow::array::ArrayRef, row: usize| {
            let array = array.as_string_view();
            array.is_valid(row).then(|| array.value(row).to_owned())
        };
        let count = |array: &arrow::array::Int64Array, row: usize| {
            if array.is_valid(row) { u64::try_from(array.value(row)).unwrap_or_default() } else { 0 }
        };
        for row in 0..batch.num_rows() {
            let at = if time.is_valid(row) { time.value(row) } else { 0 };
            let day = i32::try_from(at.div_euclid(MICROS_PER_DAY)).ok()?;
            match get(&kind, row)?.as_str() {
                PAIR => self.pairs.push(KnownPair {
                    requester: get(&requester, row)?,
                    src: get(&src, row)?,
                    first: at,
                    requests: count(&requests, row),
                    families: list(&families, row)?,
                    net: get(&net, row)?,
                    country: get(&country, row),
                }),
                REQUESTER => self.requester_days.push(KnownRequesterDay {
                    requester: get(&requester, row)?,
                    day,
                    requests: count(&requests, row),
                    read_keys: count(&read_keys, row),
                    bytes_sent: count(&bytes_sent, row),
                    srcs: count(&srcs, row),
                }),
                SOURCE => self.source_days.push(KnownSourceDay {
                    src: get(&src, row)?,
                    bucket: get(&bucket, row)?,
                    day,
                    requests: count(&requests, row),
                    anon_requests: count(&anon_requests, row),
                    anon_lists_ok: count(&anon_lists_ok, row),
                    writes: count(&writes, row),
                    ok_reads: count(&ok_reads, row),
                    anon_ok_reads: count(&anon_ok_reads, row),
                    read_keys: count(&read_keys, row),
                    bytes_sent: count(&bytes_sent, row),
                }),
                DELETER => {
                    self.deleters.insert((get(&src, row)?, get(&requester, row).unwrap_or_default()), at);
                }
                LISTED => {
                    self.anon_listers.insert(get(&bucket, row)?, count(&srcs, row));
                }
                KEY => {
                    let mut sources = [0; MOST_GOOD];
                    for (place, text) in sources.iter_mut().zip(list(&good, row)?) {
                        *place = text.parse().ok()?;
                    }
                    self.keys.push((key.value(row).cast_unsigned(), sources));
                }
                // Of a later version that only added to this one.
                _ => {}
            }
        }
        Some(())
    }
}

/// A row of a profile.
enum Row<'a> {
    Pair(&'a KnownPair),
    Requester(&'a KnownRequesterDay),
    Source(&'a KnownSourceDay),
    Deleter((&'a (String, String), &'a i64)),
    Listed((&'a String, &'a u64)),
    Key(&'a (u64, [u32; MOST_GOOD])),
}

struct Rows<'a> {
    all: Vec<Row<'a>>,
}

impl<'a> Rows<'a> {
    fn text(&self, get: impl Fn(&Row<'a>) -> Option<&'a str>) -> arrow::array::ArrayRef {
        texts(self.all.iter().map(get))
    }

    fn number(&self, get: impl Fn(&Row<'a>) -> Option<u64>) -> arrow::array::ArrayRef {
        optional_integers(self.all.iter().map(|row| get(row).and_then(|number| i64::try_from(number).ok())))
    }

    fn batch(&self) -> Result<RecordBatch, Error> {
        let good: Vec<Vec<String>> = self
            .all
            .iter()
            .map(|row| match row {
                Row::Key((_, sources)) => {
                    sources.iter().filter(|source| **source != 0).map(ToString::to_string).collect()
                }
                _ => Vec::new(),
            })
            .collect();
        let families: Vec<&[String]> = self
            .all
            .iter()
            .map(|row| match row {
                Row::Pair(known) => known.families.as_slice(),
                _ => &[],
            })
            .collect();
        let day = |day: i32| i64::from(day) * MICROS_PER_DAY;
        let batch = batch_of(
            COLUMNS,
            vec![
                self.text(|row| {
                    Some(match row {
                        Row::Pair(_) => PAIR,
                        Row::Requester(_) => REQUESTER,
                        Row::Source(_) => SOURCE,
                        Row::Deleter(_) => DELETER,
                        Row::Listed(_) => LISTED,
                        Row::Key(_) => KEY,
                    })
                }),
                self.text(|row| match row {
                    Row::Pair(known) => Some(&known.requester),
                    Row::Requester(known) => Some(&known.requester),
                    Row::Deleter(((_, requester), _)) => Some(requester),
                    _ => None,
                }),
                self.text(|row| match row {
                    Row::Pair(known) => Some(&known.src),
                    Row::Source(known) => Some(&known.src),
                    Row::Deleter(((source, _), _)) => Some(source),
                    _ => None,
                }),
                self.text(|row| match row {
                    Row::Source(known) => Some(&known.bucket),
                    Row::Listed((bucket, _)) => Some(bucket),
                    _ => None,
                }),
                times(self.all.iter().map(|row| match row {
                    Row::Pair(known) => Some(known.first),
                    Row::Requester(known) => Some(day(known.day)),
                    Row::Source(known) => Some(day(known.day)),
                    Row::Deleter((_, first)) => Some(**first),
                    _ => None,
                })),
                self.number(|row| match row {
                    Row::Pair(known) => Some(known.requests),
                    Row::Requester(known) => Some(known.requests),
                    Row::Source(known) => Some(known.requests),
                    _ => None,
                }),
                self.number(|row| if let Row::Source(known) = row { Some(known.anon_requests) } else { None }),
                self.number(|row| if let Row::Source(known) = row { Some(known.anon_lists_ok) } else { None }),
                self.number(|row| if let Row::Source(known) = row { Some(known.writes) } else { None }),
                self.number(|row| if let Row::Source(known) = row { Some(known.ok_reads) } else { None }),
                self.number(|row| if let Row::Source(known) = row { Some(known.anon_ok_reads) } else { None }),
                self.number(|row| match row {
                    Row::Requester(known) => Some(known.read_keys),
                    Row::Source(known) => Some(known.read_keys),
                    _ => None,
                }),
                self.number(|row| match row {
                    Row::Requester(known) => Some(known.bytes_sent),
                    Row::Source(known) => Some(known.bytes_sent),
                    _ => None,
                }),
                self.number(|row| match row {
                    Row::Requester(known) => Some(known.srcs),
                    Row::Listed((_, sources)) => Some(**sources),
                    _ => None,
                }),
                text_lists(families.iter().map(|families| families.iter().map(String::as_str))),
                self.text(|row| if let Row::Pair(known) = row { Some(&known.net) } else { None }),
                self.text(|row| if let Row::Pair(known) = row { known.country.as_deref() } else { None }),
                optional_integers(self.all.iter().map(|row| match row {
                    Row::Key((hash, _)) => Some(hash.cast_signed()),
                    _ => None,
                })),
                text_lists(good.iter().map(|good| good.iter().map(String::as_str))),
            ],
        );
        Ok(batch?)
    }
}
