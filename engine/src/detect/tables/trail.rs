//! `s3_trail`: the kept requests in order of time, and windows over them.

use super::WINDOW;
use super::column::{schema_of, times};
use super::on_demand::{Rows, rows_where};
use super::requests::{Requests, Values, cost, trail_columns};
use crate::detect::collect::Collector;
use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use std::cmp::Ordering;
use std::fmt;
use std::iter::once;
use std::sync::Arc;

/// The rows of `s3_trail`.
pub(crate) struct TrailRows {
    collector: Arc<Collector>,
    /// Rows of the collector's trail, sorted.
    order: Vec<u32>,
    /// Which sources are a CDN's, by the user's lists.
    is_cdn: Vec<bool>,
    values: Values,
    schema: SchemaRef,
}

impl TrailRows {
    /// The requests kept by a collector.
    pub(crate) fn new(collector: Arc<Collector>) -> Self {
        let mut is_kept = vec![false; collector.trail.len()];
        let kept = collector.days.iter().flat_map(|(_, day)| day.kept.rows());
        let shown = collector.requesters.pairs.values().flat_map(|pair| pair.kept.rows());
        kept.chain(shown).for_each(|row| is_kept[row as usize] = true);
        let mut order: Vec<u32> = (0..is_kept.len() as u32).filter(|row| is_kept[*row as usize]).collect();
        order.sort_by(|a, b| compare(&collector, *a as usize, *b as usize));
        let is_cdn = collector.sources.iter().map(|source| source.known.cdn.is_some()).collect();
        Self { collector, order, is_cdn, values: Values::new(), schema: schema_of(&trail_columns()) }
    }

    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Rows of [`Collector::trail`], in table order.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The rows of [`Collector::trail`] that satisfy a SQL condition over `s3_trail`, in table order.
    ///
    /// # Errors
    ///
    /// Fails if the SQL is invalid or names an unknown column.
    pub(crate) fn rows_where(&self, context: &SessionContext, condition: &str) -> Result<Vec<u32>, DataFusionError> {
        let places = rows_where(self, context, condition)?;
        Ok(places.into_iter().map(|place| self.order[place as usize]).collect())
    }

    fn requests(&self) -> Requests<'_> {
        let Self { collector, is_cdn, values, .. } = self;
        Requests { collector, trail: &collector.trail, is_cdn, values }
    }
}

/// Compares requests by time, then by everything else that is stable. Numbers of names differ between runs.
fn compare(collector: &Collector, a: usize, b: usize) -> Ordering {
    let Collector { trail, names, .. } = collector;
    let source = |row: usize| collector.sources[trail.source[row] as usize].hash;
    let asked = |row: usize| (source(row), trail.key_hash[row], trail.class[row]);
    let answer =
        |row: usize| (trail.status[row], trail.bytes_sent[row], trail.object_size[row], trail.version.get(row));
    let texts = |row: usize| {
        [
            names.buckets.get(trail.bucket[row]),
            names.operations.get(trail.operation[row]),
            names.requesters.get(trail.requester[row]),
            names.agents.get(trail.agent[row]),
            names.errors.get(trail.error[row]),
            names.addresses.get(trail.address[row]),
            names.methods.get(trail.method[row]),
            names.referers.get(trail.referer[row]),
            names.transports.get(trail.scheme[row]),
            names.transports.get(trail.tls[row]),
        ]
    };
    (trail.time[a].cmp(&trail.time[b]))
        .then_with(|| asked(a).cmp(&asked(b)))
        .then_with(|| trail.uri.get(a).cmp(&trail.uri.get(b)))
        .then_with(|| answer(a).cmp(&answer(b)))
        .then_with(|| texts(a).cmp(&texts(b)))
}

impl fmt::Debug for TrailRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrailRows").field("rows", &self.order.len()).finish_non_exhaustive()
    }
}

impl Rows for TrailRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn len(&self) -> usize {
        self.order.len()
    }

    fn column(&self, column: usize, rows: &[u32]) -> Result<ArrayRef, ArrowError> {
        self.requests().column(column, rows.iter().map(|row| self.order[*row as usize] as usize))
    }

    fn cost(&self, column: usize) -> u32 {
        cost(column)
    }
}

/// `s3_trail` in windows of one length. Each request is in two windows: one that begins at a multiple of the length
/// since the Unix epoch, and one shifted by half a length. So any activity of up to half a length lies completely
/// within one window.
#[derive(Debug)]
pub(crate) struct Windows {
    trail: Arc<TrailRows>,
    /// In microseconds.
    length: i64,
    schema: SchemaRef,
}

impl Windows {
    pub(crate) fn new(trail: Arc<TrailRows>, length: i64) -> Self {
        let columns = trail_columns();
        let schema = schema_of(once(&WINDOW).chain(&columns));
        Self { trail, length, schema }
    }

    /// Start of the window of a row.
    fn start(&self, row: usize) -> i64 {
        let (request, shift) = match row.checked_sub(self.trail.len()) {
            Some(request) => (request, self.length / 2),
            None => (row, 0),
        };
        let time = self.trail.collector.trail.time[self.trail.order[request] as usize];
        (time + shift).div_euclid(self.length) * self.length - shift
    }
}

impl Rows for Windows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn len(&self) -> usize {
        2 * self.trail.len()
    }

    fn column(&self, column: usize, rows: &[u32]) -> Result<ArrayRef, ArrowError> {
        let Some(column) = column.checked_sub(1) else {
            return Ok(times(rows.iter().map(|row| Some(self.start(*row as usize)))));
        };
        let len = self.trail.len() as u32;
        let requests: Vec<u32> = rows.iter().map(|row| if *row < len { *row } else { *row - len }).collect();
        self.trail.column(column, &requests)
    }

    fn cost(&self, column: usize) -> u32 {
        column.checked_sub(1).map_or(2, cost)
    }
}
