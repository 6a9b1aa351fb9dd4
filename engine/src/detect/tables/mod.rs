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

use self::column::{Column, Kind, doc_of, schema_of};
use self::on_demand::{OnDemand, Rows};
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
        "Single requests, one row each: all that are anything but ordinary, and some of the ordinary ones. Of each source, bucket, kind of operation, outcome and day at most the first 256; of anonymous reads that were answered the first 64; of signed requests that are about objects and no sign of anything by themselves the first 3 of a day, source and requester of at most 200 sources.",
        requests::trail_columns,
    ),
    (
        EVENTS,
        "All requests, one row each. Only made when a rule reads it: then every request is written to a temporary file beside the one pass.",
        requests::event_columns,
    ),
    ("sources", "One row a source.", || sources::SOURCES.to_vec()),
    ("src_bucket_day", "What a source did with a bucket on a day.", || sources::SRC_BUCKET_DAY.to_vec()),
    ("walks", "How a source went from key to key of a bucket: at least 4 reads that nobody signed.", || {
        sources::WALKS.to_vec()
    }),
    ("overwrites", "Sources that overwrote what they had read, by bucket.", || sources::OVERWRITES.to_vec()),
    (
        "requester_src_day",
        "What a requester did from a source on a day; only requesters of at most 200 sources.",
        || requesters::REQUESTER_SRC_DAY.to_vec(),
    ),
    ("requester_day", "What a requester did on a day.", || requesters::REQUESTER_DAY.to_vec()),
    (
        "deletes_hour",
        "Objects that a requester deleted from a source in an hour, one row a half hour in which something was deleted.",
        || requesters::DELETES_HOUR.to_vec(),
    ),
    ("heavy_reads", "Large objects that a source read more than once.", || sides::HEAVY_READS.to_vec()),
    ("buckets", "One row a bucket.", || sides::BUCKETS.to_vec()),
    ("referers", "Hosts of pages that readers of a bucket came from.", || sides::REFERERS.to_vec()),
    ("posture", "How a bucket was reached.", || sides::POSTURE.to_vec()),
];

/// Tables by key, built only if needed.
const BY_KEY: [Table; 2] = [
    ("good", "For how many sources a key of `s3_trail` worked.", || sides::GOOD.to_vec()),
    ("asks", "For how many sources a key of `s3_trail` did not work.", || sides::ASKS.to_vec()),
];

/// Windows over `s3_trail`: suffix of the table name, and length in hours.
pub(crate) const WINDOWS: [(&str, i64); 5] = [("1h", 1), ("6h", 6), ("24h", 24), ("48h", 48), ("7d", 168)];

/// The column that window tables have before those of `s3_trail`.
const WINDOW: Column = ("w", Kind::Time, "When the window begins.");

/// The name of `s3_trail` with a window.
pub(crate) fn windowed(window: &str) -> String {
    format!("{TRAIL}_{window}")
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
        for (window, hours) in WINDOWS {
            let windows: Arc<dyn Rows> = Arc::new(Windows::new(self.trail(), hours * MICROS_PER_HOUR));
            context.register_table(windowed(window), Arc::new(OnDemand(windows)))?;
        }
        Ok(())
    }
}

/// Builds the tables of counts.
fn counts(collector: &Collector, baseline: &Baseline, by_key: bool) -> Result<Vec<(&'static str, RecordBatch)>, Error> {
    let is_cdn = is_cdn(collector);
    // Each is built by one thread.
    type Make<'a> = Box<dyn Fn() -> Result<RecordBatch, ArrowError> + Send + Sync + 'a>;
    let is_cdn = is_cdn.as_slice();
    let makers: Vec<(&'static str, Make<'_>)> = vec![
        ("src_bucket_day", Box::new(|| sources::days_batch(collector, is_cdn))),
        ("walks", Box::new(|| sources::walks_batch(collector, is_cdn))),
        ("overwrites", Box::new(|| sources::overwrites_batch(collector))),
        ("requester_src_day", Box::new(|| requesters::pairs_batch(collector, baseline, is_cdn))),
        ("deletes_hour", Box::new(|| requesters::deletes_batch(collector, baseline, is_cdn))),
        ("sources", Box::new(|| sources::sources_batch(collector, is_cdn))),
        ("requester_day", Box::new(|| requesters::requester_days_batch(collector, baseline))),
        ("heavy_reads", Box::new(|| sides::heavy_batch(collector, is_cdn))),
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

/// Which sources are a CDN's, by the user's lists.
pub(crate) fn is_cdn(collector: &Collector) -> Vec<bool> {
    collector.sources.iter().map(|source| source.known.cdn.is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rules_may_read_every_table_and_no_other() {
        let tables = TABLES.iter().chain(&BY_KEY).map(|(name, ..)| (*name).to_owned());
        let names: BTreeSet<String> = tables.chain(WINDOWS.iter().map(|(window, ..)| windowed(window))).collect();
        let allowed: BTreeSet<String> = crate::detect::rules::TABLES.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names, allowed);
    }

    #[test]
    fn every_column_is_told_of() {
        for table in docs() {
            assert!(table.columns.iter().all(|column| column.doc.ends_with('.')), "{}", table.name);
        }
    }
}
