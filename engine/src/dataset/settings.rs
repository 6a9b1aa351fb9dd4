//! Settings of a whole dataset: `_s3log/dataset.json`.

use super::place::Place;
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use crate::store::PutNew;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Marks a directory, or a prefix in a bucket, as a dataset.
pub(crate) const SETTINGS: &str = "_s3log/dataset.json";

/// A description of the format for people.
const README: &str = "_s3log/README.md";

/// The dataset version that this program writes. Later versions cannot be read.
pub const DATASET_VERSION: u32 = 1;

const FORMAT: &str = "s3log dataset";

/// Settings that apply to every file of a dataset, from its creation on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSettings {
    format: String,
    version: u32,
    /// The program that created the dataset.
    pub created_by: String,
    /// When it was created, in RFC 3339.
    pub created_at: String,
    /// Name of the table that the files contain.
    pub table: String,
    /// The partition columns, which appear in folder names: `day`, or `day` and `bucket`.
    pub partition_by: Vec<String>,
    /// Anonymisation of addresses: `none`, `truncate`, `keyed` or `drop`.
    pub anonymize_ip: String,
    /// Fingerprint of the key that addresses are encrypted with, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
    /// Whether signatures and tokens were removed from URIs.
    pub redact_uri: bool,
}

impl DatasetSettings {
    /// Settings of a new dataset; `created_at` is in RFC 3339. Addresses are not anonymised and URIs are redacted
    /// unless the fields are changed.
    #[must_use]
    pub fn new(table: Table, created_at: String, partition_by: Vec<String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: DATASET_VERSION,
            created_by: concat!("s3log ", env!("CARGO_PKG_VERSION")).to_owned(),
            created_at,
            table: table.name().to_owned(),
            partition_by,
            anonymize_ip: "none".to_owned(),
            key_fingerprint: None,
            redact_uri: true,
        }
    }

    /// The table that the files contain.
    ///
    /// # Errors
    ///
    /// If this program does not know the table.
    pub fn known_table(&self) -> Result<Table, Error> {
        Table::from_name(&self.table).filter(|table| table.has_time()).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("it holds the table `{}`, which this program does not know", self.table),
            )
            .with_hint("use a newer s3log")
        })
    }

    /// Reads the settings; `None` if the place is not a dataset.
    pub(crate) async fn read(place: &Place) -> Result<Option<Self>, Error> {
        let Some(bytes) = place.get(SETTINGS).await? else { return Ok(None) };
        Self::parse(&bytes).map(Some).map_err(|error| error.in_object(place.name_of(SETTINGS)))
    }

    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let Head { format, version } = serde_json::from_slice(bytes)
            .map_err(|error| Error::invalid("it does not describe a dataset").with_source(error))?;
        if format != FORMAT {
            return Err(Error::invalid(format!("it describes `{format}`, not `{FORMAT}`")));
        }
        if version > DATASET_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the dataset has version {version}, but this program supports version {DATASET_VERSION}"),
            )
            .with_hint("use a newer s3log"));
        }
        serde_json::from_slice(bytes)
            .map_err(|error| Error::invalid("it does not describe a dataset").with_source(error))
    }

    /// Creates a dataset. If another process was first, returns its settings.
    pub(crate) async fn create(&self, place: &Place) -> Result<Self, Error> {
        let mut attempt = 0;
        loop {
            let outcome = place.put_new(SETTINGS, self.bytes()?).await;
            if matches!(outcome, Ok(PutNew::Done)) {
                place.put(README, Bytes::from_static(include_bytes!("format.md"))).await?;
                return Ok(self.clone());
            }
            // After an error, too, the settings may have been written.
            match (Self::read(place).await?, outcome) {
                (Some(there), _) => return Ok(there),
                (None, Err(error)) => return Err(refused(place, error)),
                // Of two concurrent puts a store may reject both.
                (None, Ok(_)) if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
                }
                (None, Ok(_)) => {
                    return Err(Error::new(
                        ErrorKind::Unreadable,
                        "the store reports that it exists, but does not return it",
                    )
                    .in_object(place.name_of(SETTINGS)));
                }
            }
        }
    }

    /// Tests that the store supports conditional puts: the settings exist, so writing them again must fail. A store
    /// that ignores the condition only replaces them with the same content. Directories are not tested.
    ///
    /// # Errors
    ///
    /// If the store does not implement conditional puts, or ignores the condition.
    pub(crate) async fn probe(&self, place: &Place) -> Result<(), Error> {
        if place.is_local() {
            return Ok(());
        }
        match place.put_new(SETTINGS, self.bytes()?).await {
            Ok(PutNew::Exists) => Ok(()),
            Err(error) => Err(refused(place, error)),
            Ok(PutNew::Done) => Err(Error::new(
                ErrorKind::Unsupported,
                "the store ignores `If-None-Match: *`: a second put replaced the first",
            )
            .in_object(place.name())
            .with_hint(WITHOUT_CONDITIONS)),
        }
    }

    fn bytes(&self) -> Result<Bytes, Error> {
        let text = serde_json::to_vec_pretty(self);
        let failed = |error| Error::new(ErrorKind::Internal, "settings cannot be written down").with_source(error);
        Ok(text.map_err(failed)?.into())
    }

    /// Checks that a run with the settings `wanted` may add to this dataset.
    pub(crate) fn check(&self, wanted: &Self, place: &Place) -> Result<(), Error> {
        let differences = [
            ("--table", self.table.clone(), wanted.table.clone()),
            ("--partition-by", self.partition_by.join(","), wanted.partition_by.join(",")),
            ("--anonymize-ip", self.anonymize_ip.clone(), wanted.anonymize_ip.clone()),
            ("--redact-uri", self.redact_uri.to_string(), wanted.redact_uri.to_string()),
        ];
        for (flag, has, wants) in differences {
            if has != wants {
                return Err(Error::invalid(format!(
                    "the dataset was created with {flag} {has}, but this run has {flag} {wants}"
                ))
                .in_object(place.name())
                .with_hint(format!("run with {flag} {has}, or convert into another location")));
            }
        }
        if self.key_fingerprint != wanted.key_fingerprint {
            return Err(Error::invalid("the dataset was created with another key for addresses")
                .in_object(place.name())
                .with_hint("use the key that it was created with, so that equal addresses stay equal"));
        }
        Ok(())
    }
}

/// Attempts when a store says that the settings exist, but does not return them.
const ATTEMPTS: u32 = 8;

const WITHOUT_CONDITIONS: &str = "without conditional puts, two concurrent runs could write records twice; convert into a local directory, or into a bucket of a store that supports them";

/// Replaces the error of a store without conditional puts by a clearer one.
fn refused(place: &Place, error: Error) -> Error {
    if error.kind() != ErrorKind::Unsupported {
        return error;
    }
    let message = "the store does not support conditional puts (`If-None-Match: *`)";
    let refused = Error::new(ErrorKind::Unsupported, message).in_object(place.name());
    refused.with_hint(WITHOUT_CONDITIONS).with_source(error)
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stores;

    #[tokio::test]
    async fn the_first_settings_stay() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap();
        assert_eq!(DatasetSettings::read(&place).await.unwrap(), None);
        let first = DatasetSettings::new(Table::Logs, "2026-01-15T10:00:00Z".to_owned(), vec!["day".to_owned()]);
        assert_eq!(first.create(&place).await.unwrap(), first);
        let mut second = first.clone();
        second.partition_by.push("bucket".to_owned());
        assert_eq!(second.create(&place).await.unwrap(), first);
        let error = first.check(&second, &place).unwrap_err();
        assert!(
            error.to_string().ends_with(
                "the dataset was created with --partition-by day, but this run has --partition-by day,bucket"
            ),
            "{error}"
        );
    }

    #[test]
    fn later_versions_and_other_files_are_refused() {
        let later = br#"{"format":"s3log dataset","version":2,"new":true}"#;
        assert_eq!(DatasetSettings::parse(later).unwrap_err().kind(), ErrorKind::Unsupported);
        for other in [&b"{}"[..], b"no json", br#"{"format":"delta","version":1}"#] {
            assert_eq!(DatasetSettings::parse(other).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}
