//! Records of the ledger: batches begun, committed and abandoned. One object each, numbered from 1 without gaps.
//!
//! ```text
//! _s3log/log/000000000001.json   {"version":1,"id":…,"at":…,"runner":…,"kind":"begin","batch":…,"work":{…}}
//! _s3log/log/000000000002.json   {"version":1,"id":…,"at":…,"runner":…,"kind":"commit","batch":…,"files":[…],"counts":{…}}
//! ```
//!
//! Records are written with a put that fails if the number is taken, which serialises concurrent runners. They are
//! never changed or deleted: even a runner that was suspended for a year finds its number taken.

use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The folder of records.
pub(crate) const LOG: &str = "_s3log/log";

/// The version of the ledger format that this program writes.
pub(crate) const LEDGER_VERSION: u32 = 1;

/// One record of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    /// Unique among all records. A runner recognises its own record by it after the response to a put was lost.
    pub(crate) id: String,
    /// When it was written, in RFC 3339 by the runner's clock. Informational.
    pub(crate) at: String,
    pub(crate) runner: String,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// The contents of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Entry {
    /// A runner claims work exclusively.
    Begin(Begin),
    /// The work is done: its files are part of the dataset from here on.
    Commit(Commit),
    /// The work is taken back: it can no longer be committed.
    Abandon(Abandon),
    /// Files that a commit replaced have been moved away.
    Swept(Swept),
}

/// A batch and its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) batch: String,
    pub(crate) work: Work,
}

/// The work of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase")]
pub(crate) enum Work {
    /// Convert log objects into files.
    Convert {
        /// Exactly these log objects.
        sources: SourceList,
        /// The sources as they were named; local ones by absolute path.
        #[serde(default)]
        from: Vec<String>,
        /// The place for rejects, if they are kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rejects: Option<String>,
        /// Whether records already in the dataset are left out. Requires that no other conversion is in progress.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dedupe: bool,
    },
    /// Merge files.
    Compact {
        /// Exactly these files, by path.
        files: Vec<String>,
    },
}

impl Work {
    /// The place for rejects, if they are kept.
    pub(crate) fn rejects(&self) -> Option<&String> {
        match self {
            Self::Convert { rejects, .. } => rejects.as_ref(),
            Self::Compact { .. } => None,
        }
    }

    /// Whether no other conversion may be in progress.
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(self, Self::Convert { dedupe: true, .. })
    }
}

/// A list of log objects, which is a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceList {
    /// The path of the file in the dataset.
    pub(crate) path: String,
    /// The size of the file, in bytes.
    pub(crate) file_bytes: u64,
    /// Number of log objects in the list.
    pub(crate) objects: u64,
    /// Total size of the log objects, in bytes as stored.
    pub(crate) bytes: u64,
    /// The first name in the list.
    pub(crate) first: String,
    /// The last name in the list.
    pub(crate) last: String,
}

/// The result of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    pub(crate) batch: String,
    pub(crate) files: Vec<DataFile>,
    /// Files of rejects, by paths relative to the place for rejects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reject_files: Vec<DataFile>,
    #[serde(default)]
    pub(crate) counts: BatchCounts,
    /// The log objects converted, if fewer than begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sources: Option<SourceList>,
}

/// A data file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// The path relative to the dataset.
    pub path: String,
    /// Number of rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// The earliest `time` in the file, in microseconds since the Unix epoch.
    pub min_time: i64,
    /// The latest `time` in the file, in microseconds since the Unix epoch.
    pub max_time: i64,
}

/// Counts of a batch, or totals of several. `lines = rows + rejects + duplicates` always holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCounts {
    /// Log objects converted.
    pub objects: u64,
    /// Their size, in bytes as stored.
    pub bytes: u64,
    /// Lines, without blank ones.
    pub lines: u64,
    /// Rows written to data files.
    pub rows: u64,
    /// Lines that are not records.
    pub rejects: u64,
    /// Records left out because the dataset had them already.
    pub duplicates: u64,
}

impl std::ops::AddAssign for BatchCounts {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.rows += other.rows;
        self.rejects += other.rejects;
        self.duplicates += other.duplicates;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Abandon {
    pub(crate) batch: String,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swept {
    pub(crate) batch: String,
}

impl Record {
    /// The path of a record.
    pub(crate) fn path(number: u64) -> String {
        format!("{LOG}/{number:012}.json")
    }

    /// The number of the record at a path.
    pub(crate) fn number(path: &str) -> Option<u64> {
        let digits = path.strip_prefix(LOG)?.strip_prefix('/')?.strip_suffix(".json")?;
        (digits.len() == 12).then(|| digits.parse().ok()).flatten()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let not_one = |error| Error::invalid("it is not a record of a ledger").with_source(error);
        let Head { version } = serde_json::from_slice(bytes).map_err(not_one)?;
        if version > LEDGER_VERSION {
            return Err(later_version(version));
        }
        serde_json::from_slice(bytes).map_err(not_one)
    }
}

pub(crate) fn later_version(version: u32) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the ledger has version {version}, but this program supports version {LEDGER_VERSION}"),
    )
    .with_hint("use a newer s3log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_what_their_description_says() {
        let sources = SourceList {
            path: "_s3log/sources/b.parquet".into(),
            file_bytes: 700,
            objects: 2,
            bytes: 30,
            first: "a".into(),
            last: "c".into(),
        };
        let begin = Begin {
            batch: "b".into(),
            work: Work::Convert { sources, from: vec!["s3://logs/access/".into()], rejects: None, dedupe: false },
        };
        let file =
            DataFile { path: "day=2026-01-15/b-0.parquet".into(), rows: 3, bytes: 900, min_time: 5, max_time: 7 };
        let counts = BatchCounts { objects: 2, bytes: 30, lines: 4, rows: 3, rejects: 1, duplicates: 0 };
        let commit = Commit { batch: "b".into(), files: vec![file], reject_files: Vec::new(), counts, sources: None };
        let record = |entry| Record {
            version: 1,
            id: "r-1".into(),
            at: "2026-01-15T10:00:00Z".into(),
            runner: "r".into(),
            entry,
        };
        let abandon = Abandon { batch: "b".into(), reason: "its runner is gone".into() };
        let all = [
            Entry::Begin(begin),
            Entry::Commit(commit),
            Entry::Abandon(abandon),
            Entry::Swept(Swept { batch: "b".into() }),
        ];
        let texts: Vec<_> = all
            .into_iter()
            .map(|entry| {
                let record = record(entry);
                let text = serde_json::to_string(&record).unwrap();
                assert_eq!(Record::parse(text.as_bytes()).unwrap(), record);
                text
            })
            .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn numbers_are_paths() {
        assert_eq!(Record::path(17), "_s3log/log/000000000017.json");
        assert_eq!(Record::number("_s3log/log/000000000017.json"), Some(17));
        for other in [
            "_s3log/log/17.json",
            "_s3log/log/000000000017.tmp",
            "log/000000000017.json",
            "_s3log/log/00000000001x.json",
        ] {
            assert_eq!(Record::number(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert_eq!(Record::parse(br#"{"version":2,"kind":"other"}"#).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(Record::parse(br#"{"version":1,"kind":"other"}"#).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(Record::parse(b"").unwrap_err().kind(), ErrorKind::Invalid);
    }
}
