//! Every line accounted for: what `s3log check` reports.

use crate::decode::TooLong;
use crate::decode::{BLOCK_SIZE, Block, BufferPool, LineBlocks, Part};
use crate::error::{Error, ErrorKind};
use crate::scan::{Arriving, Event, ListObjects, Progress, Reader, Times, Unopened, Unreadable};
use crate::schema::Table;
use crate::session::Session;
use crate::table::Listed;
use s3log_parser::{Lines, Parser, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much of what was found is kept.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Rejected lines that are kept for each reason.
    pub examples_per_reason: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { examples_per_reason: 1 }
    }
}

/// What was found in the log objects of a session.
///
/// `lines = rows + rejects` always holds: lines are counted by their ends, rows and rejects by what they parse to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Log objects read to their end.
    pub objects: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// Lines of nothing but spaces, tabs and carriage returns.
    pub blank_lines: u64,
    /// Lines that are records.
    pub rows: u64,
    /// Lines that are no records.
    pub rejects: u64,
    /// Records that could have been split otherwise.
    pub ambiguous: u64,
    /// Why lines were rejected, the most frequent reason first.
    pub reasons: Vec<ReasonCount>,
    /// How many fields records have, and how many records have so many.
    pub field_counts: Vec<(usize, u64)>,
    /// Log objects that could not be read, or not to their end: the first thousand of them.
    pub unreadable: Vec<Unreadable>,
    /// Log objects that have to be restored from an archive before they can be read.
    pub archived: u64,
}

/// A reason of rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonCount {
    /// What was wrong.
    pub reason: String,
    /// In how many lines.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<RejectExample>,
}

/// A line that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectExample {
    /// Where it stands.
    pub log_object: String,
    /// Its number, from 1.
    pub line_number: u64,
    /// Where its first byte stands, after decompression.
    pub byte_offset: u64,
    /// The line, without its end; of a line beyond the limit its beginning.
    pub line: Vec<u8>,
}

/// Reads every log object of a session that may hold records of its times, on all its threads.
///
/// # Errors
///
/// When a source is a dataset, when a bucket cannot be listed at all, or a task stops unexpectedly: what cannot be read is
/// part of the report.
pub async fn check(session: &Session, options: CheckOptions) -> Result<CheckReport, Error> {
    if let Some(name) = session.dataset_names().into_iter().next() {
        return Err(Error::new(ErrorKind::Unsupported, "it is a dataset, and holds no lines")
            .in_object(name)
            .with_hint("`s3log convert --status DEST` has the account of all lines that were converted"));
    }
    let table = session.log_table(Table::Rejects);
    let progress = session.progress();
    // Every line of an object is counted, whatever its time; objects of other times are left out as a whole.
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
                arriving: has_buckets.then_some((arriving, times.clone())),
                progress: Arc::clone(progress),
                max_line: session.max_line(),
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

/// Takes one object after the other until none is left.
struct Worker {
    objects: Arc<[Listed]>,
    next: Arc<AtomicUsize>,
    /// The objects of buckets, if there are any.
    arriving: Option<(Arriving, Times)>,
    progress: Arc<Progress>,
    max_line: usize,
    options: CheckOptions,
    tally: Tally,
    pool: BufferPool,
}

#[derive(Default)]
struct Tally {
    objects: u64,
    bytes: u64,
    line_ends: u64,
    blank_lines: u64,
    rows: u64,
    ambiguous: u64,
    /// In how many lines, and the first of them, each with the position of its object in the listing.
    reasons: BTreeMap<String, (u64, Vec<(usize, RejectExample)>)>,
    field_counts: BTreeMap<usize, u64>,
}

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
        if let Some((arriving, times)) = self.arriving.take() {
            // Objects in ranges would not know the numbers of their lines.
            let arrivals = arriving.join(&times, false, Box::new(Ok))?;
            let reader = Reader::of_arrivals(arrivals, self.blocks());
            self.read(usize::MAX, reader).await?;
        }
        Ok(self.tally)
    }

    fn blocks(&self) -> LineBlocks {
        LineBlocks::new(self.pool.clone()).with_max_line(self.max_line)
    }

    /// Reads what the reader comes to; `position` orders examples of rejects.
    async fn read(&mut self, position: usize, mut reader: Reader) -> Result<(), Error> {
        let mut parser = Parser::new();
        loop {
            let event = reader.next().await;
            let read = reader.take_read();
            self.tally.bytes += read;
            self.progress.read(read);
            match event {
                Some(Event::Block(block)) => {
                    let before = (self.tally.rows, self.tally.rejects(), self.tally.blank_lines);
                    self.tally.count(&block, &mut parser, position, self.max_line, self.options);
                    self.progress.counted(crate::decode::Counts {
                        rows: self.tally.rows - before.0,
                        rejects: self.tally.rejects() - before.1,
                        blank_lines: self.tally.blank_lines - before.2,
                    });
                    tokio::task::coop::consume_budget().await;
                }
                Some(Event::Done(_)) => {
                    self.tally.objects += 1;
                    self.progress.object_done();
                }
                Some(Event::Failed(object, error)) => self.progress.failed(object.object.name(), &error),
                Some(Event::Archived(_)) => self.progress.archived(1),
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
    fn rejects(&self) -> u64 {
        self.reasons.values().map(|(count, _)| count).sum()
    }

    /// Counts the lines of a block.
    fn count(&mut self, block: &Block, parser: &mut Parser, position: usize, max_line: usize, options: CheckOptions) {
        let mut rest = block.parts();
        while let [part, others @ ..] = rest {
            let end = others.first().map_or(block.bytes().len(), Part::start);
            let bytes = &block.bytes()[part.start()..end];
            self.count_part(part, bytes, block.too_long().is_some(), parser, position, max_line, options);
            rest = others;
        }
    }

    /// Counts the lines of one object in a block.
    #[expect(clippy::too_many_arguments, reason = "it is the body of the loop above")]
    fn count_part(
        &mut self,
        part: &Part,
        bytes: &[u8],
        too_long: bool,
        parser: &mut Parser,
        position: usize,
        max_line: usize,
        options: CheckOptions,
    ) {
        let mut reject = |reason: String, line: &[u8], number: usize, offset: usize| {
            let (count, examples) = self.reasons.entry(reason).or_default();
            *count += 1;
            if examples.len() < options.examples_per_reason {
                let example = RejectExample {
                    log_object: part.log_object().to_string(),
                    line_number: part.line_number() + number as u64 - 1,
                    byte_offset: part.offset() + offset as u64,
                    line: line[..line.len().min(crate::decode::kept_of_long_line(max_line))].to_vec(),
                };
                examples.push((position, example));
            }
        };
        if too_long {
            self.line_ends += 1;
            reject(TooLong { max_line }.to_string(), bytes, 1, 0);
            return;
        }
        // Lines are counted without the help of what parses them.
        self.line_ends += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.line_ends += u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'));
        let mut record = Record::default();
        let mut lines = Lines::of_part(bytes);
        while let Some((line, parsed)) = parser.parse_next(&mut lines, &mut record) {
            if line.bytes.len() > max_line {
                reject(TooLong { max_line }.to_string(), line.bytes, line.number, line.offset);
                continue;
            }
            match parsed {
                Ok(()) => {
                    self.rows += 1;
                    self.ambiguous += u64::from(record.is_ambiguous());
                    *self.field_counts.entry(record.field_count()).or_default() += 1;
                }
                Err(_) if line.is_blank() => self.blank_lines += 1,
                Err(error) => reject(error.reason().to_string(), line.bytes, line.number, line.offset),
            }
        }
    }

    fn add(&mut self, other: Self, options: CheckOptions) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.line_ends += other.line_ends;
        self.blank_lines += other.blank_lines;
        self.rows += other.rows;
        self.ambiguous += other.ambiguous;
        for (reason, (count, examples)) in other.reasons {
            let (total, kept) = self.reasons.entry(reason).or_default();
            *total += count;
            kept.extend(examples);
            // Which worker met a reason first is chance. Each took its files in their order, so the first lines of all are
            // among what they kept; objects of buckets come in any order, and their examples are any lines.
            kept.sort();
            kept.truncate(options.examples_per_reason);
        }
        for (fields, count) in other.field_counts {
            *self.field_counts.entry(fields).or_default() += count;
        }
    }

    fn report(self, progress: &Progress) -> CheckReport {
        let rejects = self.rejects();
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
            bytes: self.bytes,
            lines: self.line_ends - self.blank_lines,
            blank_lines: self.blank_lines,
            rows: self.rows,
            rejects,
            ambiguous: self.ambiguous,
            reasons,
            field_counts: self.field_counts.into_iter().collect(),
            unreadable: progress.unreadable(),
            archived: progress.snapshot().archived,
        }
    }
}
