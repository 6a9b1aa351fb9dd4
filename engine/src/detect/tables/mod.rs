//! The tables that rules read, built from the counts of the pass. Tables of single requests are built on demand, all
//! others once.

pub(crate) mod column;
mod on_demand;
mod requesters;
pub(crate) mod requests;
mod sides;
mod sources;
pub(crate) mod trail;

pub(crate) use self::sources::net_of;

use self::column::{Column, Kind, columns_of, doc_of, schema_of};
use self::on_demand::{OnDemand, Rows};
use self::requesters::{DeletesRow, PairRow, RequesterDayRow};
use self::sides::{BucketRow, HeavyRow, KeyRow, PostureRow, RefererRow};
use self::sources::{DayRow, OverwriteRow, SourceRow, WalkRow};
use self::trail::{TrailRows, Windows};
use super::baseline::Baseline;
use super::collect::Collector;
use crate::error::Error;
use crate::schema::TableDoc;
use crate::time_units::MICROS_PER_HOUR;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::sync::Arc;

/// A table: name, description of its rows, columns.
type Table = (&'static str, &'static str, fn() -> Vec<Column>);

/// Table of the requests that were kept.
pub(crate) const TRAIL: &str = "s3_trail";
/// Table of all requests.
pub(crate) const EVENTS: &str = "s3_events";

const TABLES: [Table; 13] = [
    (
        TRAIL,
        "Single requests, one row each: the unusual ones, and some of the ordinary ones. Of each source, bucket, kind of operation, outcome and day at most the first 256 are kept; of successful anonymous reads the first 64; of ordinary signed requests for objects the first 3 of a requester from a source on a day, if the requester has at most 200 sources.",
        requests::trail_columns,
    ),
    (
        EVENTS,
        "All requests, one row each. Only built if a rule reads it: every request is then written to a temporary file.",
        requests::event_columns,
    ),
    ("sources", "One row per source.", || columns_of(SourceRow::COLUMNS)),
    ("src_bucket_day", "What a source did with a bucket on a day.", || columns_of(DayRow::COLUMNS)),
    (
        "walks",
        "How a source went from key to key in a bucket, if it read at least 4 times without a signature.",
        || columns_of(WalkRow::COLUMNS),
    ),
    ("overwrites", "Sources that overwrote what they had read, by bucket.", || columns_of(OverwriteRow::COLUMNS)),
    (
        "requester_src_day",
        "What a requester did from a source on a day; only requesters of at most 200 sources.",
        || columns_of(PairRow::COLUMNS),
    ),
    ("requester_day", "What a requester did on a day.", || columns_of(RequesterDayRow::COLUMNS)),
    (
        "deletes_hour",
        "Objects that a requester deleted from a source within an hour, one row per half hour in which something was deleted.",
        || columns_of(DeletesRow::COLUMNS),
    ),
    ("heavy_reads", "Large objects that a source read more than once.", || columns_of(HeavyRow::COLUMNS)),
    ("buckets", "One row per bucket.", || columns_of(BucketRow::COLUMNS)),
    ("referers", "Hosts of pages that readers of a bucket came from.", || columns_of(RefererRow::COLUMNS)),
    ("posture", "Requests to a bucket by protocol, TLS version and kind of signature.", || {
        columns_of(PostureRow::COLUMNS)
    }),
];

/// Tables by key, built only if needed.
const BY_KEY: [Table; 2] = [
    ("good", "For how many sources a key of `s3_trail` worked.", || columns_of(KeyRow::GOOD)),
    ("asks", "For how many sources a key of `s3_trail` did not work.", || columns_of(KeyRow::ASKS)),
];

/// A table of `s3_trail` in windows.
pub(crate) struct Window {
    /// Length of the windows, as rules write it.
    pub length: &'static str,
    pub table: &'static str,
    pub hours: i64,
}

/// All windows over `s3_trail`, shortest first.
pub(crate) const WINDOWS: [Window; 5] = [
    Window { length: "1h", table: "s3_trail_1h", hours: 1 },
    Window { length: "6h", table: "s3_trail_6h", hours: 6 },
    Window { length: "24h", table: "s3_trail_24h", hours: 24 },
    Window { length: "48h", table: "s3_trail_48h", hours: 48 },
    Window { length: "7d", table: "s3_trail_7d", hours: 168 },
];

/// The column that window tables have before those of `s3_trail`.
const WINDOW: Column = ("w", Kind::Time, "When the window begins.");

/// Names of all tables that rules can query.
pub(crate) fn names() -> Vec<&'static str> {
    let tables = TABLES.iter().chain(&BY_KEY).map(|(name, ..)| *name);
    tables.chain(WINDOWS.iter().map(|window| window.table)).collect()
}

/// Documentation of the tables that rules can query.
#[must_use]
pub fn docs() -> Vec<TableDoc> {
    let doc = |(name, doc, columns): &Table| TableDoc { name, doc, columns: columns().iter().map(doc_of).collect() };
    TABLES.iter().chain(&BY_KEY).map(doc).collect()
}

/// The schema of `s3_events`.
pub(crate) fn events_schema() -> SchemaRef {
    schema_of(&requests::event_columns())
}

/// All tables built from a collector.
pub(crate) struct Tables {
    trail: Arc<TrailRows>,
    /// Name and rows of all tables other than those of single requests.
    tables: Vec<(&'static str, RecordBatch)>,
}

impl Tables {
    /// Builds the tables. `by_key`: whether a rule reads `good` or `asks`.
    ///
    /// # Errors
    ///
    /// Fails only if Arrow rejects the arrays, which is not expected.
    pub(crate) fn of(collector: &Arc<Collector>, baseline: &Baseline, by_key: bool) -> Result<Self, Error> {
        let (trail, tables) =
            rayon::join(|| TrailRows::new(Arc::clone(collector)), || counts(collector, baseline, by_key));
        Ok(Self { trail: Arc::new(trail), tables: tables? })
    }

    /// The requests that were kept.
    pub(crate) fn trail(&self) -> Arc<TrailRows> {
        Arc::clone(&self.trail)
    }

    /// The rows of a table, other than those of single requests.
    pub(crate) fn get(&self, name: &str) -> Option<&RecordBatch> {
        self.tables.iter().find(|(known, _)| *known == name).map(|(_, batch)| batch)
    }

    /// Registers the tables in a session, including the windows over `s3_trail`.
    ///
    /// # Errors
    ///
    /// Fails if DataFusion rejects a registration.
    pub(crate) fn register(&self, context: &SessionContext) -> datafusion::error::Result<()> {
        for (name, batch) in &self.tables {
            // Split into batches of the usual size.
            let rows = context.copied_config().batch_size();
            let pieces = (0..batch.num_rows().div_ceil(rows))
                .map(|at| batch.slice(at * rows, rows.min(batch.num_rows() - at * rows)))
                .collect();
            let table = MemTable::try_new(batch.schema(), vec![pieces])?;
            context.register_table(*name, Arc::new(table))?;
        }
        context.register_table(TRAIL, Arc::new(OnDemand(self.trail())))?;
        for Window { table, hours, .. } in WINDOWS {
            let windows: Arc<dyn Rows> = Arc::new(Windows::new(self.trail(), hours * MICROS_PER_HOUR));
            context.register_table(table, Arc::new(OnDemand(windows)))?;
        }
        Ok(())
    }
}

/// Builds the tables of counts.
fn counts(collector: &Collector, baseline: &Baseline, by_key: bool) -> Result<Vec<(&'static str, RecordBatch)>, Error> {
    // Each is built by one thread.
    type Make<'a> = Box<dyn Fn() -> Result<RecordBatch, ArrowError> + Send + Sync + 'a>;
    let makers: Vec<(&'static str, Make<'_>)> = vec![
        ("src_bucket_day", Box::new(|| sources::days_batch(collector))),
        ("walks", Box::new(|| sources::walks_batch(collector))),
        ("overwrites", Box::new(|| sources::overwrites_batch(collector))),
        ("requester_src_day", Box::new(|| requesters::pairs_batch(collector, baseline))),
        ("deletes_hour", Box::new(|| requesters::deletes_batch(collector, baseline))),
        ("sources", Box::new(|| sources::sources_batch(collector))),
        ("requester_day", Box::new(|| requesters::requester_days_batch(collector, baseline))),
        ("heavy_reads", Box::new(|| sides::heavy_batch(collector))),
        ("buckets", Box::new(|| sides::buckets_batch(collector, baseline))),
        ("referers", Box::new(|| sides::referers_batch(collector))),
        ("posture", Box::new(|| sides::posture_batch(collector))),
    ];
    let mut tables: Vec<(&'static str, RecordBatch)> =
        makers.par_iter().map(|(name, make)| Ok((*name, make()?))).collect::<Result<_, ArrowError>>()?;
    let (good, asks) = sides::keys_batches(collector, by_key)?;
    tables.extend([("good", good), ("asks", asks)]);
    if let Some((_, days)) = tables.iter_mut().find(|(name, _)| *name == "src_bucket_day")
        && let Some(before) = baseline.source_days(&days.schema())?
    {
        *days = datafusion::arrow::compute::concat_batches(&days.schema(), [&*days, &before])?;
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_windows_say_their_length() {
        for Window { length, table, hours } in WINDOWS {
            let seconds = humantime::parse_duration(length).unwrap().as_secs();
            assert_eq!((table, hours * 3600), (format!("{TRAIL}_{length}").as_str(), seconds as i64));
        }
    }

    #[test]
    fn every_column_is_told_of() {
        for table in docs() {
            assert!(table.columns.iter().all(|column| column.doc.ends_with('.')), "{}", table.name);
        }
    }
}
