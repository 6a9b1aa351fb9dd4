//! Accounting for every line of the log objects: the report behind `s3log check`.

use crate::decode::{
    BLOCK_SIZE, Block, BufferPool, Counts, JsonLine, LineBlocks, LineOptions, LineReader, Outcome, Part, Why,
    kept_of_long_line,
};
use crate::error::{Error, ErrorKind};
use crate::scan::{Arriving, Event, ListObjects, Progress, Reader, Times, Unopened, Unreadable};
use crate::schema::Table;
use crate::session::Session;
use crate::table::Listed;
use crate::time_units::MICROS_PER_SECOND;
use s3log_parser::{Field, FieldSet, Line, cdn};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much detail [`check`] keeps.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Maximum number of rejected lines kept as examples for each reason.
    pub examples_per_reason: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { examples_per_reason: 1 }
    }
}

/// Line counts over all log objects of a session.
///
/// `lines = rows + cdn_rows + rejects` always holds. The two sides are counted independently: `lines` by line ends, the
/// others by how each line parses. Records outside the requested time range are counted in `other_times` only. Rejects
/// have no time, so every reject in an object that is read counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Log objects read to the end.
    pub objects: u64,
    /// Log objects that could only be read in part. The lines read from them are included in all counts.
    pub partial_objects: u64,
    /// Bytes read, as stored (before decompression).
    pub bytes: u64,
    /// Lines that are not blank, not headers and not records outside the time range.
    pub lines: u64,
    /// Lines that consist only of spaces, tabs and carriage returns.
    pub blank_lines: u64,
    /// Lines of CDN logs that start with `#`.
    pub headers: u64,
    /// S3 records.
    pub rows: u64,
    /// CDN records.
    pub cdn_rows: u64,
    /// Records outside the requested time range.
    pub other_times: u64,
    /// Lines that do not parse as a record.
    pub rejects: u64,
    /// Records with more than one possible split into fields.
    pub ambiguous: u64,
    /// Reasons for rejects, most frequent first.
    pub reasons: Vec<ReasonCount>,
    /// Histogram of S3 records: number of fields, number of records.
    pub field_counts: Vec<(usize, u64)>,
    /// Histogram of CDN records: number of fields, number of records.
    pub cdn_field_counts: Vec<(usize, u64)>,
    /// Field names in headers of CDN logs that have no column, at most 100.
    pub unknown_cdn_fields: Vec<String>,
    /// Log objects that could not be read completely, at most 1000.
    pub unreadable: Vec<Unreadable>,
    /// Log objects that must be restored from an archive before they can be read.
    pub archived: u64,
}

/// A reason for rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReasonCount {
    /// The reason.
    pub reason: String,
    /// Number of lines rejected for this reason.
    pub count: u64,
    /// Examples, at most [`CheckOptions::examples_per_reason`].
    pub examples: Vec<RejectExample>,
}

/// A rejected line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RejectExample {
    /// Name of the log object.
    pub log_object: String,
    /// Line number, from 1.
    pub line_number: u64,
    /// Offset of the first byte of the line in the decompressed object.
    pub byte_offset: u64,
    /// The line without its line end. If the line exceeds the length limit, only its beginning.
    pub line: Vec<u8>,
}

/// Reads every log object of a session that may hold records of its time range, on all threads of the session.
///
/// # Errors
///
/// Fails if a source is a dataset, if a bucket cannot be listed at all, or if a task stops unexpectedly. Objects that
/// cannot be read are not an error; the report lists them.
pub async fn check(session: &Session, options: CheckOptions) -> Result<CheckReport, Error> {
    if let Some(name) = session.dataset_names().into_iter().next() {
        return Err(Error::new(ErrorKind::Unsupported, "it is a dataset, not log lines")
            .in_object(name)
            .with_hint("`s3log convert --status DEST` shows the account of all converted lines"));
    }
    let table = session.log_table(Table::Rejects);
    let progress = session.progress();
    // Names can exclude whole objects. In the objects that are read, every line is counted, whatever its time.
    let times = table.object_times();
    let sources = table.sources();
    let (objects, pruned) = sources.files(&times);
    let objects: Arc<[Listed]> = objects.into_iter().cloned().collect();
    progress.planned(objects.len() as u64, objects.iter().map(|listed| listed.size).sum());
    progress.pruned(pruned);
    let has_buckets = !session.locations().is_empty();
    let workers = if has_buckets { session.threads() } else { session.threads().min(objects.len()) };
    let lister: Arc<dyn ListObjects> = Arc::new(sources);
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = Arriving::files(&lister, workers)
        .map(|arriving| {
            let worker = Worker {
                objects: Arc::clone(&objects),
                next: Arc::clone(&next),
                arriving: has_buckets.then_some(arriving),
                times: times.clone(),
                progress: Arc::clone(progress),
                lines: session.lines().clone(),
                options,
                tally: Tally::default(),
                pool: BufferPool::new(BLOCK_SIZE),
            };
            tokio::spawn(worker.run())
        })
        .collect();
    let mut total = Tally::default();
    for worker in workers {
        let tally =
            worker.await.map_err(|error| Error::new(ErrorKind::Internal, "a task stopped").with_source(error))??;
        total.add(tally, options);
    }
    Ok(total.report(progress))
}

/// Reads objects until none is left.
struct Worker {
    objects: Arc<[Listed]>,
    next: Arc<AtomicUsize>,
    /// Set if any source is a bucket.
    arriving: Option<Arriving>,
    /// Times of the wanted records.
    times: Times,
    progress: Arc<Progress>,
    lines: LineOptions,
    options: CheckOptions,
    tally: Tally,
    pool: BufferPool,
}

#[derive(Default)]
struct Tally {
    objects: u64,
    partial_objects: u64,
    bytes: u64,
    line_ends: u64,
    counts: Counts,
    cdn_rows: u64,
    other_times: u64,
    ambiguous: u64,
    /// By reason: number of lines, and examples with the position of their object in the listing.
    reasons: BTreeMap<String, (u64, Vec<(usize, RejectExample)>)>,
    field_counts: BTreeMap<usize, u64>,
    cdn_field_counts: BTreeMap<usize, u64>,
    unknown_cdn_fields: BTreeSet<String>,
}

/// Limit on `unknown_cdn_fields`.
const MAX_UNKNOWN: usize = 100;

impl Worker {
    async fn run(mut self) -> Result<Tally, Error> {
        let objects = Arc::clone(&self.objects);
        loop {
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(listed) = objects.get(position) else { break };
            let object = Unopened { object: listed.object.clone(), size: listed.size, range: None };
            let reader = Reader::new([object], self.blocks());
            self.read(position, reader).await?;
        }
        if let Some(arriving) = self.arriving.take() {
            // Not split into ranges: a range does not know its line numbers.
            let arrivals = arriving.join(&self.times, false, Box::new(Ok))?;
            let reader = Reader::of_arrivals(arrivals, self.blocks());
            self.read(usize::MAX, reader).await?;
        }
        Ok(self.tally)
    }

    fn blocks(&self) -> LineBlocks {
        LineBlocks::new(self.pool.clone()).with_max_line(self.lines.max_line())
    }

    /// Reads all objects of `reader`; `position` orders the examples of rejects.
    async fn read(&mut self, position: usize, mut reader: Reader) -> Result<(), Error> {
        let fields = Field::ALL.into_iter().collect::<FieldSet>() | FieldSet::EXTRA_FIELDS | FieldSet::AMBIGUOUS;
        let mut lines = LineReader::new(fields, &self.lines);
        loop {
            let event = reader.next().await;
            let read = reader.take_read();
            self.tally.bytes += read;
            self.progress.read(read);
            match event {
                Some(Event::Block(block)) => {
                    let before = self.tally.counts;
                    self.tally.count(&block, &mut lines, &self.times, (position, self.options));
                    self.progress.counted(self.tally.counts - before);
                    tokio::task::coop::consume_budget().await;
                }
                Some(Event::Done(_)) => {
                    self.tally.objects += 1;
                    self.progress.object_done();
                }
                Some(Event::Failed(object, error)) => {
                    self.tally.partial_objects += u64::from(reader.broke_off());
                    self.progress.failed(object.object.name(), &error);
                }
                Some(Event::Archived(object)) => self.progress.planned_are_archived(1, object.size),
                Some(Event::Unlisted(failed)) if failed.is_fatal => return Err(failed.error),
                Some(Event::Unlisted(failed)) => {
                    let name = failed.error.object().unwrap_or_default().to_owned();
                    self.progress.failed(&name, &failed.error);
                }
                None => return Ok(()),
            }
        }
    }
}

impl Tally {
    fn count(
        &mut self,
        block: &Block,
        reader: &mut LineReader,
        times: &Times,
        (position, options): (usize, CheckOptions),
    ) {
        let max_line = reader.max_line();
        let kept = kept_of_long_line(max_line);
        if block.too_long().is_some() {
            self.line_ends += 1;
            self.counts.rejects += 1;
            if let Some(part) = block.parts().first() {
                let line = Line { bytes: block.bytes(), offset: 0, number: 1 };
                self.reject(Why::TooLong(max_line), part, line, kept, (position, options));
            }
            return;
        }
        for (part, bytes) in block.part_bytes() {
            // Counted independently of the parser, so that the two can be compared.
            self.line_ends += memchr::memchr_iter(b'\n', bytes).count() as u64;
            self.line_ends += u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'));
            reader.each(part, bytes, |line, outcome| match outcome {
                Outcome::Origin(record) => {
                    self.counts.rows += 1;
                    if record.time_seconds().is_some_and(|seconds| !times.contains(seconds * MICROS_PER_SECOND)) {
                        self.other_times += 1;
                        return;
                    }
                    self.ambiguous += u64::from(record.is_ambiguous());
                    *self.field_counts.entry(record.field_count()).or_default() += 1;
                }
                Outcome::Cdn { time: Some(time), .. } | Outcome::Json { time, .. } if !times.contains(time) => {
                    self.counts.rows += 1;
                    self.other_times += 1;
                }
                Outcome::Json { kind: JsonLine::Origin, names, .. } => {
                    self.counts.rows += 1;
                    *self.field_counts.entry(names).or_default() += 1;
                }
                Outcome::Cdn { cells: fields, .. } | Outcome::Json { kind: JsonLine::Cdn, names: fields, .. } => {
                    self.counts.rows += 1;
                    self.cdn_rows += 1;
                    *self.cdn_field_counts.entry(fields).or_default() += 1;
                }
                Outcome::Header => {
                    self.counts.headers += 1;
                    self.note_unknown(line.bytes);
                }
                Outcome::Blank => self.counts.blank_lines += 1,
                Outcome::Reject(why) => {
                    self.counts.rejects += 1;
                    self.reject(why, part, line, kept, (position, options));
                }
            });
        }
    }

    /// Notes the field names of a header that have no column.
    fn note_unknown(&mut self, header: &[u8]) {
        if cdn::Header::parse(header).is_none_or(|header| header.unknown() == 0) {
            return;
        }
        let names = header.split(|byte| byte.is_ascii_whitespace()).skip(1).filter(|name| !name.is_empty());
        for name in names.filter(|name| cdn::field_of_name(name).is_none()) {
            if self.unknown_cdn_fields.len() < MAX_UNKNOWN {
                self.unknown_cdn_fields.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
    }

    /// Counts a reject and keeps it as an example if there is room.
    fn reject(
        &mut self,
        why: Why,
        part: &Part,
        line: Line<'_>,
        kept: usize,
        (position, options): (usize, CheckOptions),
    ) {
        let (count, examples) = self.reasons.entry(why.to_string()).or_default();
        *count += 1;
        if examples.len() < options.examples_per_reason {
            let example = RejectExample {
                log_object: part.log_object().to_string(),
                line_number: part.line_number() + line.number as u64 - 1,
                byte_offset: part.offset() + line.offset as u64,
                line: line.bytes[..line.bytes.len().min(kept)].to_vec(),
            };
            examples.push((position, example));
        }
    }

    fn add(&mut self, other: Self, options: CheckOptions) {
        self.objects += other.objects;
        self.partial_objects += other.partial_objects;
        self.bytes += other.bytes;
        self.line_ends += other.line_ends;
        self.counts += other.counts;
        self.cdn_rows += other.cdn_rows;
        self.other_times += other.other_times;
        self.ambiguous += other.ambiguous;
        for (reason, (count, examples)) in other.reasons {
            let (total, kept) = self.reasons.entry(reason).or_default();
            *total += count;
            kept.extend(examples);
            // Which worker sees a reason first is arbitrary. Workers take files in listing order, so the first examples
            // overall are among those kept. Objects of buckets arrive in any order, so their examples are arbitrary.
            kept.sort();
            kept.truncate(options.examples_per_reason);
        }
        for (fields, count) in other.field_counts {
            *self.field_counts.entry(fields).or_default() += count;
        }
        for (fields, count) in other.cdn_field_counts {
            *self.cdn_field_counts.entry(fields).or_default() += count;
        }
        self.unknown_cdn_fields.extend(other.unknown_cdn_fields);
    }

    fn report(self, progress: &Progress) -> CheckReport {
        let mut reasons: Vec<_> = self
            .reasons
            .into_iter()
            .map(|(reason, (count, examples))| {
                let examples = examples.into_iter().map(|(_, example)| example).collect();
                ReasonCount { reason, count, examples }
            })
            .collect();
        reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        CheckReport {
            objects: self.objects,
            partial_objects: self.partial_objects,
            bytes: self.bytes,
            lines: self.line_ends - self.counts.blank_lines - self.counts.headers - self.other_times,
            blank_lines: self.counts.blank_lines,
            headers: self.counts.headers,
            rows: self.counts.rows - self.cdn_rows - self.other_times,
            cdn_rows: self.cdn_rows,
            other_times: self.other_times,
            rejects: self.counts.rejects,
            ambiguous: self.ambiguous,
            reasons,
            field_counts: self.field_counts.into_iter().collect(),
            cdn_field_counts: self.cdn_field_counts.into_iter().collect(),
            unknown_cdn_fields: self.unknown_cdn_fields.into_iter().take(MAX_UNKNOWN).collect(),
            unreadable: progress.unreadable(),
            archived: progress.snapshot().archived,
        }
    }
}
