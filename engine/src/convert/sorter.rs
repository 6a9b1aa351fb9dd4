//! Sorts the rows of each partition by time within bounded memory.
//!
//! A partition has a *window* of the most recently received rows. When it is full, it is sorted, and the older half is
//! emitted. Log objects arrive in the order of their delivery, which is nearly that of the times in them. As long as no
//! row is older than those already emitted, a partition yields a single sorted sequence, a *run*. An older row starts
//! another run, which has its own files; each later row joins the run with the latest end before it. The number of runs
//! is limited: beyond it, the least recently used one ends.
//!
//! A window starts small, since rows are encoded faster while they are in cache. Before it emits rows, it checks how
//! far back recent rows had to be inserted, and grows instead if that was close to its start. If rows arrive in no order
//! at all, it emits all of them.
//!
//! Within a run, rows of equal time stay in the order of their arrival.

use super::partition::{Part, Partition, compacted, times};
use super::rows::Rows;
use crate::error::Error;
use arrow::array::{Array, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::compute::interleave;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Limits on memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct SorterLimits {
    /// Initial size of a window in bytes.
    pub(super) window: usize,
    /// Maximum size of a window in bytes.
    pub(super) max_window: usize,
    /// Maximum size of all windows together, in bytes.
    pub(super) memory: usize,
    /// Maximum number of open runs of a partition.
    pub(super) runs: usize,
    /// Maximum number of rows to emit at a time.
    pub(super) chunk: usize,
}

/// Estimated memory of a row in bytes, without its text: views, numbers, its entry in the order.
pub(super) const ROW: usize = 512;

/// Smaller windows are emitted completely: halves of them would make tiny row groups.
const SMALL: usize = 8 << 20;

/// Rows sorted by time that continue a run.
#[derive(Debug)]
pub(super) struct Emitted {
    pub(super) partition: Arc<Partition>,
    pub(super) run: u64,
    pub(super) rows: Rows,
    /// The times of the first and the last row.
    pub(super) times: (i64, i64),
    /// A run that has ended: its file can be finished.
    pub(super) ended: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Sorter {
    limits: SorterLimits,
    windows: HashMap<Arc<Partition>, Window>,
    bytes: usize,
    next_run: u64,
}

impl Sorter {
    pub(super) fn new(limits: SorterLimits) -> Self {
        Self { limits, windows: HashMap::new(), bytes: 0, next_run: 0 }
    }

    /// Adds rows; `text` is their size in bytes without [`ROW`]. Returns the rows that must make room for them.
    pub(super) fn push(&mut self, part: Part, text: usize) -> Result<Vec<Emitted>, Error> {
        let rows = part.batch.num_rows();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let weight = text + rows * ROW;
        let partition = match self.windows.get_key_value(&part.partition) {
            Some((partition, _)) => Arc::clone(partition),
            None => Arc::new(part.partition),
        };
        let window = self.windows.entry(Arc::clone(&partition)).or_default();
        window.push(part.batch, weight)?;
        self.bytes += weight;
        let mut emitted = Vec::new();
        if window.bytes > window.limit(&self.limits)
            && let Some(share) = window.grow_or_emit(&self.limits)
        {
            self.emit(&partition, share, &mut emitted)?;
        }
        while self.bytes > self.limits.memory {
            // Ties are broken by name: the output must not depend on the layout of the hash table.
            let largest = self.windows.iter_mut().max_by(|a, b| a.1.bytes.cmp(&b.1.bytes).then_with(|| b.0.cmp(a.0)));
            let Some((partition, window)) = largest.map(|(partition, window)| (Arc::clone(partition), window)) else {
                break;
            };
            let share = window.share();
            self.emit(&partition, share, &mut emitted)?;
        }
        Ok(emitted)
    }

    /// Emits the rest of a partition; call until it returns `None`.
    pub(super) fn finish(&mut self) -> Result<Option<Vec<Emitted>>, Error> {
        let Some(partition) = self.windows.keys().min().cloned() else { return Ok(None) };
        let mut emitted = Vec::new();
        let late = self.windows.get_mut(&partition).map(|window| (window.late(), window.row_refs.len()));
        let share = if late.is_some_and(|(late, rows)| is_unordered(late, rows)) { Share::Run } else { Share::All };
        self.emit(&partition, share, &mut emitted)?;
        self.windows.remove(&partition);
        Ok(Some(emitted))
    }

    fn emit(&mut self, partition: &Arc<Partition>, share: Share, emitted: &mut Vec<Emitted>) -> Result<(), Error> {
        let Some(window) = self.windows.get_mut(partition) else { return Ok(()) };
        let before = window.bytes;
        window.sort();
        let mut ended = window.make_run(self.limits.runs, &mut self.next_run);
        let mut leaving = Vec::new();
        let stretches = match share {
            Share::Run => window.one_stretch().into_iter().collect(),
            Share::All | Share::Half => window.stretches(),
        };
        for (run, stretch) in stretches {
            let rows = match share {
                Share::All | Share::Run => stretch.len(),
                Share::Half => stretch.len().div_ceil(2),
            };
            let stretch = stretch.start..stretch.start + rows;
            let row_refs = &window.row_refs[stretch.clone()];
            let Some(last) = row_refs.last() else { continue };
            let run = &mut window.runs[run];
            (run.end, run.used) = (last.time, window.clock);
            let run = run.id;
            for row_refs in row_refs.chunks(self.limits.chunk.max(1)) {
                let (Some(first), Some(last)) = (row_refs.first(), row_refs.last()) else { continue };
                emitted.push(Emitted {
                    partition: Arc::clone(partition),
                    run,
                    rows: window.rows(row_refs)?,
                    times: (first.time, last.time),
                    ended: ended.take(),
                });
            }
            leaving.push(stretch);
        }
        window.remove(&leaving)?;
        self.bytes = (self.bytes + window.bytes).saturating_sub(before);
        Ok(())
    }
}

/// Whether rows come in no order, of which an eighth would be late.
fn is_unordered(late: usize, rows: usize) -> bool {
    late > rows / 16
}

/// How many rows of a window to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    All,
    /// The older half of each run.
    Half,
    /// All rows, in one run.
    Run,
}

/// The waiting rows of a partition.
#[derive(Debug, Default)]
struct Window {
    /// By ascending number.
    pieces: BTreeMap<u32, Piece>,
    next_piece: u32,
    /// One per row.
    row_refs: Vec<RowRef>,
    is_sorted: bool,
    bytes: usize,
    /// How often the size limit was doubled.
    doublings: u32,
    runs: Vec<Run>,
    /// Number of emissions.
    clock: u64,
}

/// Position of a row in the window.
#[derive(Clone, Copy, Debug)]
struct RowRef {
    time: i64,
    piece: u32,
    row: u32,
}

#[derive(Debug)]
struct Piece {
    batch: RecordBatch,
    weight: usize,
    /// Rows that have not been emitted.
    left: usize,
}

/// A sorted sequence of emitted rows.
#[derive(Clone, Copy, Debug)]
struct Run {
    id: u64,
    /// The time of its last row.
    end: i64,
    used: u64,
}

impl Window {
    fn push(&mut self, batch: RecordBatch, weight: usize) -> Result<(), Error> {
        let times: ScalarBuffer<i64> = times(&batch)?;
        let piece = self.next_piece;
        let last = self.row_refs.last().map(|row| row.time);
        let goes_on = times.is_sorted() && times.first().zip(last).is_none_or(|(first, last)| *first >= last);
        self.is_sorted = goes_on && (self.is_sorted || self.row_refs.is_empty());
        self.row_refs.extend(times.iter().zip(0..).map(|(time, row)| RowRef { time: *time, piece, row }));
        self.next_piece += 1;
        self.bytes += weight;
        self.pieces.insert(piece, Piece { left: batch.num_rows(), batch, weight });
        Ok(())
    }

    fn limit(&self, limits: &SorterLimits) -> usize {
        limits.window.saturating_mul(1 << self.doublings).min(limits.max_window)
    }

    /// Doubles the size limit and returns `None` if rows nearly missed their run. A few such rows do not count, since
    /// some records are hours late. Otherwise returns how many rows to emit.
    fn grow_or_emit(&mut self, limits: &SorterLimits) -> Option<Share> {
        let late = self.late();
        if late > self.row_refs.len() / 1024 && self.limit(limits) < limits.max_window && self.doublings < 30 {
            self.doublings += 1;
            return None;
        }
        Some(self.share_with(late))
    }

    /// How many rows to emit to free memory.
    fn share(&mut self) -> Share {
        if self.bytes < SMALL {
            return Share::All;
        }
        let late = self.late();
        self.share_with(late)
    }

    /// Rows in no order (an eighth of such rows is late), such as those of objects that each cover the whole day, would
    /// scatter over all runs, a few rows each.
    fn share_with(&self, late: usize) -> Share {
        if is_unordered(late, self.row_refs.len()) { Share::Run } else { Share::Half }
    }

    /// Number of rows from the more recent half of a run that belong to its oldest quarter: a little later, they would
    /// have missed it.
    fn late(&mut self) -> usize {
        self.sort();
        let mut late = 0;
        // Rows older than all runs will start a run of their own.
        let stretches = self.stretches();
        let first = stretches.first().map_or(self.row_refs.len(), |(_, stretch)| stretch.start);
        for stretch in std::iter::once(0..first).chain(stretches.into_iter().map(|(_, stretch)| stretch)) {
            let row_refs = &self.row_refs[stretch];
            let mut pieces: Vec<u32> = row_refs.iter().map(|row| row.piece).collect();
            let half = pieces.len() / 2;
            if half == 0 {
                continue;
            }
            let (_, middle, _) = pieces.select_nth_unstable(half);
            late += row_refs[..half / 2].iter().filter(|row| row.piece > *middle).count();
        }
        late
    }

    /// Stable, so rows of equal time keep the order of their arrival. The sort detects presorted runs.
    fn sort(&mut self) {
        if !self.is_sorted {
            self.row_refs.sort_by_key(|row| row.time);
            self.is_sorted = true;
        }
    }

    /// Makes sure that there is a run for the oldest row. Returns the run that had to end for it.
    fn make_run(&mut self, limit: usize, next: &mut u64) -> Option<u64> {
        self.clock += 1;
        let oldest = self.row_refs.first()?.time;
        if self.runs.iter().any(|run| run.end <= oldest) {
            return None;
        }
        let unused = match self.runs.len() >= limit.max(1) {
            true => (0..self.runs.len()).min_by_key(|index| self.runs[*index].used),
            false => None,
        };
        let ended = unused.map(|index| self.runs.remove(index).id);
        self.runs.push(Run { id: *next, end: i64::MIN, used: 0 });
        *next += 1;
        ended
    }

    /// All rows, in the run with the latest end before them. There is one after [`Self::make_run`].
    fn one_stretch(&self) -> Option<(usize, Range<usize>)> {
        let oldest = self.row_refs.first()?.time;
        let before = self.runs.iter().enumerate().filter(|(_, run)| run.end <= oldest);
        before.max_by_key(|(_, run)| run.end).map(|(run, _)| (run, 0..self.row_refs.len()))
    }

    /// The rows of each run, by index: from its end to the end of the next one. If the oldest row has a run, all rows
    /// are covered. Taking half of each run keeps rows far ahead, of a run without recent rows, from displacing those
    /// that wait for others.
    fn stretches(&self) -> Vec<(usize, Range<usize>)> {
        let mut by_end: Vec<usize> = (0..self.runs.len()).collect();
        by_end.sort_by_key(|index| self.runs[*index].end);
        let start = |index: &usize| self.row_refs.partition_point(|row| row.time < self.runs[*index].end);
        let starts: Vec<usize> = by_end.iter().map(start).collect();
        let ends = starts.iter().skip(1).copied().chain([self.row_refs.len()]);
        by_end.into_iter().zip(starts.iter().zip(ends)).map(|(run, (start, end))| (run, *start..end)).collect()
    }

    /// Some rows of the window.
    fn rows(&self, row_refs: &[RowRef]) -> Result<Rows, Error> {
        let mut weight = 0;
        let mut stretches = Vec::new();
        let mut begun = 0;
        for at in 1..=row_refs.len() {
            let (row, next) = (row_refs[at - 1], row_refs.get(at));
            if next.is_none_or(|next| (next.piece, next.row) != (row.piece, row.row + 1)) {
                stretches.push((row_refs[begun], at - begun));
                begun = at;
            }
        }
        let piece = |number: u32| self.pieces.get(&number).ok_or_else(lost);
        // Slicing into many small batches costs more than gathering rows.
        if stretches.len() * LONG <= row_refs.len() {
            let mut batches = Vec::with_capacity(stretches.len());
            for (first, rows) in stretches {
                let piece = piece(first.piece)?;
                weight += piece.weight * rows / piece.batch.num_rows().max(1);
                batches.push(piece.batch.slice(first.row as usize, rows));
            }
            return Ok(Rows::all(batches, weight));
        }
        let mut batches = Vec::new();
        let mut numbers: HashMap<u32, usize> = HashMap::new();
        let mut picks = Vec::with_capacity(row_refs.len());
        for (first, rows) in stretches {
            let piece = piece(first.piece)?;
            weight += piece.weight * rows / piece.batch.num_rows().max(1);
            let number = *numbers.entry(first.piece).or_insert_with(|| {
                batches.push(piece.batch.clone());
                batches.len() - 1
            });
            picks.extend((0..rows).map(|row| (number, first.row as usize + row)));
        }
        Ok(Rows::picked(batches, picks, weight))
    }

    /// Removes the rows of these stretches.
    fn remove(&mut self, leaving: &[Range<usize>]) -> Result<(), Error> {
        let mut left = Vec::new();
        let mut from = 0;
        for stretch in leaving {
            left.extend_from_slice(&self.row_refs[from..stretch.start]);
            for row in &self.row_refs[stretch.clone()] {
                if let Some(piece) = self.pieces.get_mut(&row.piece) {
                    piece.left -= 1;
                    if piece.left == 0 {
                        self.bytes -= piece.weight;
                        self.pieces.remove(&row.piece);
                    }
                }
            }
            from = stretch.end;
        }
        left.extend_from_slice(&self.row_refs[from..]);
        self.row_refs = left;
        // A few remaining rows in many pieces would keep all of them in memory.
        let needed: usize =
            self.pieces.values().map(|piece| piece.weight * piece.left / piece.batch.num_rows().max(1)).sum();
        if self.bytes > 2 * needed && self.bytes > COMPACTED { self.compact(needed) } else { Ok(()) }
    }

    /// Copies the remaining rows into a single piece.
    fn compact(&mut self, weight: usize) -> Result<(), Error> {
        let numbers: HashMap<u32, usize> = self.pieces.keys().copied().zip(0..).collect();
        let number = |row: &RowRef| Some((*numbers.get(&row.piece)?, row.row as usize));
        let picks = self.row_refs.iter().map(number).collect::<Option<Vec<_>>>().ok_or_else(lost)?;
        let batches: Vec<_> = self.pieces.values().map(|piece| &piece.batch).collect();
        let Some(schema) = batches.first().map(|batch| batch.schema()) else { return Ok(()) };
        let columns = (0..schema.fields().len()).map(|index| {
            let columns: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
            interleave(&columns, &picks).and_then(compacted)
        });
        let batch = RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>, _>>()?)?;
        let is_sorted = self.is_sorted;
        self.pieces.clear();
        self.row_refs.clear();
        self.bytes = 0;
        self.push(batch, weight)?;
        debug_assert_eq!(is_sorted, self.is_sorted, "rows are copied in their order");
        Ok(())
    }
}

/// Minimum average length of stretches that are sliced instead of gathered.
const LONG: usize = 256;

/// Minimum size of a window to be compacted, in bytes.
const COMPACTED: usize = 4 << 20;

fn lost() -> Error {
    Error::new(crate::error::ErrorKind::Internal, "a row of a window has no batch")
}

#[cfg(test)]
mod tests;
