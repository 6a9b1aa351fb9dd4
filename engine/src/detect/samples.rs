//! Requests to show for a hit.

use super::finding::Sample;
use super::hits::Hit;
use super::note::EntityKind;
use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use std::collections::HashMap;

/// How many requests a detector shows.
const MOST: usize = 5;

/// The trail, by source.
pub(super) struct Samples {
    rows: HashMap<String, Vec<usize>>,
    time: TimestampMicrosecondArray,
    bucket: StringViewArray,
    requester: StringViewArray,
    referer: StringViewArray,
    operation: StringViewArray,
    method: StringViewArray,
    key: StringViewArray,
    uri: StringViewArray,
    status: Int64Array,
    error_code: StringViewArray,
    user_agent: StringViewArray,
    /// Columns that make a request notable.
    notable: Vec<BooleanArray>,
}

/// What makes a request worth showing before others.
const NOTABLE: [&str; 9] = [
    "sens_key",
    "web_probe",
    "payload",
    "protocol_abuse",
    "auth_err",
    "ransom_note",
    "suspicious_upload",
    "denied",
    "fail",
];

impl Samples {
    /// Of `s3_trail`; `None` when a column is missing, which is a defect.
    pub(super) fn of(trail: &RecordBatch) -> Option<Self> {
        let text = |name: &str| Some(trail.column_by_name(name)?.as_string_view_opt()?.clone());
        let source = text("src")?;
        let mut rows: HashMap<String, Vec<usize>> = HashMap::new();
        for (row, source) in source.iter().enumerate() {
            let Some(source) = source else { continue };
            match rows.get_mut(source) {
                Some(rows) => rows.push(row),
                None => drop(rows.insert(source.to_owned(), vec![row])),
            }
        }
        Some(Self {
            rows,
            time: trail.column_by_name("ts")?.as_primitive_opt::<TimestampMicrosecondType>()?.clone(),
            bucket: text("bucket")?,
            requester: text("requester")?,
            referer: text("referer_host")?,
            operation: text("operation")?,
            method: text("method")?,
            key: text("key")?,
            uri: text("uri")?,
            status: trail.column_by_name("status")?.as_primitive_opt::<Int64Type>()?.clone(),
            error_code: text("error_code")?,
            user_agent: text("user_agent")?,
            notable: NOTABLE
                .iter()
                .map(|name| Some(trail.column_by_name(name)?.as_boolean_opt()?.clone()))
                .collect::<Option<_>>()?,
        })
    }

    /// Up to five requests of a source that a hit is about: those that its evidence names, then notable ones, then others.
    pub(super) fn for_hit(&self, source: &str, hit: &Hit) -> Vec<Sample> {
        let Some(rows) = self.rows.get(source) else { return Vec::new() };
        let same = |column: &StringViewArray, row: usize, wanted: &Option<String>| match wanted {
            Some(wanted) => text(column, row) == Some(wanted.as_str()),
            None => true,
        };
        let mut candidates: Vec<(usize, usize)> = rows
            .iter()
            .copied()
            .filter(|row| {
                let time = self.time.value(*row);
                hit.first.is_none_or(|first| first <= time)
                    && hit.last.is_none_or(|last| time <= last)
                    && same(&self.bucket, *row, &hit.bucket)
                    && same(&self.requester, *row, &hit.requester)
            })
            .map(|row| (self.rank(row, hit), row))
            .collect();
        candidates.sort_unstable();
        candidates.truncate(MOST);
        let mut rows: Vec<usize> = candidates.into_iter().map(|(_, row)| row).collect();
        // In the order of their times, as they stand in the trail.
        rows.sort_unstable();
        rows.into_iter().map(|row| self.sample(row)).collect()
    }

    /// The first five requests about somebody who is no source.
    pub(super) fn for_note(&self, kind: EntityKind, hit: &Hit) -> Vec<Sample> {
        let column = match kind {
            EntityKind::Bucket => &self.bucket,
            EntityKind::Requester => &self.requester,
            EntityKind::Referer => &self.referer,
            EntityKind::Network => return Vec::new(),
        };
        let is_about = |row: &usize| {
            let time = self.time.value(*row);
            text(column, *row) == Some(hit.entity.as_str())
                && hit.first.is_none_or(|first| first <= time)
                && hit.last.is_none_or(|last| time <= last)
        };
        (0..self.time.len()).filter(is_about).take(MOST).map(|row| self.sample(row)).collect()
    }

    fn rank(&self, row: usize, hit: &Hit) -> usize {
        let named = |column: &StringViewArray| {
            text(column, row).is_some_and(|text| hit.evidence.iter().any(|evidence| evidence == text))
        };
        if named(&self.key) || named(&self.uri) || named(&self.operation) || named(&self.user_agent) {
            return 0;
        }
        let is_notable = self.notable.iter().any(|column| column.is_valid(row) && column.value(row));
        if is_notable { 1 } else { 2 }
    }

    /// A request of the trail.
    fn sample(&self, row: usize) -> Sample {
        let owned = |column: &StringViewArray| text(column, row).map(str::to_owned);
        Sample {
            time: self.time.value(row),
            bucket: owned(&self.bucket).unwrap_or_default(),
            requester: owned(&self.requester),
            operation: owned(&self.operation).or_else(|| owned(&self.method)).unwrap_or_default(),
            key: owned(&self.key).or_else(|| owned(&self.uri)),
            status: self.status.is_valid(row).then(|| self.status.value(row) as i32),
            error_code: owned(&self.error_code),
            user_agent: owned(&self.user_agent),
        }
    }

    /// All requests of a source that are known one by one, in the order of their times.
    pub(super) fn all_of(&self, source: &str) -> Vec<Sample> {
        self.rows.get(source).into_iter().flatten().map(|row| self.sample(*row)).collect()
    }
}

fn text(column: &StringViewArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}
