//! What the parts of a batch have in common.

use crate::convert::options::{ConvertOptions, PartitionBy};
use crate::convert::pipeline::Layout;
use crate::convert::privacy::AnonymizeIp;
use crate::dataset::Place;
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// What the parts of a batch have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The place of the dataset.
    pub(super) dest: String,
    /// The place for rejects, if they are kept.
    pub(super) rejects: Option<String>,
    /// The runner of the batch, after which incomplete files are named.
    pub(super) runner: String,
    pub(super) batch: String,
    /// The path in the dataset of a file that exists as long as files of the batch may be completed.
    pub(super) mark: String,
    pub(super) by_bucket: bool,
    pub(super) target_size: u64,
    pub(super) compression: String,
    pub(super) bloom: Vec<String>,
    pub(super) memory: usize,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) redact_uri: bool,
    pub(super) anonymize_ip: String,
}

impl Order {
    /// The order for an attempt at a batch; `mark` is the path of its mark.
    ///
    /// # Errors
    ///
    /// If an option is not supported across processes, or a path is not UTF-8.
    pub(in crate::convert) fn new(
        options: &ConvertOptions,
        dest: &Place,
        rejects: Option<&Place>,
        runner: &str,
        partition_by: PartitionBy,
        layout: Layout,
        mark: &str,
    ) -> Result<Self, Error> {
        check(options)?;
        for place in [Some(dest), rejects].into_iter().flatten() {
            if place.directory().is_some_and(|path| path.to_str().is_none()) {
                let error =
                    Error::new(ErrorKind::Unsupported, "a path that is not UTF-8 cannot be sent to other machines");
                return Err(error.in_object(place.name()));
            }
        }
        let privacy = options.privacy.describe();
        Ok(Self {
            dest: dest.name(),
            rejects: rejects.map(Place::name),
            runner: runner.to_owned(),
            mark: mark.to_owned(),
            batch: layout.batch_id,
            by_bucket: partition_by == PartitionBy::DayAndBucket,
            target_size: layout.target_size,
            compression: layout.compression.to_string(),
            bloom: layout.bloom,
            // The budget is for the machine of the runner, and an executor writes several parts at a time.
            memory: layout.memory.min(ConvertOptions::MEMORY),
            metadata: layout.metadata,
            redact_uri: privacy.redact_uri,
            anonymize_ip: privacy.anonymize_ip.to_string(),
        })
    }
}

/// Checks that the options are supported across processes.
pub(in crate::convert) fn check(options: &ConvertOptions) -> Result<(), Error> {
    let cannot = |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what.to_owned()).with_hint(hint));
    if options.dedupe {
        return cannot(
            "duplicates cannot be detected on a cluster, because that requires seeing all records in order",
            "run without --cluster",
        );
    }
    if options.privacy.describe().anonymize_ip == AnonymizeIp::Keyed {
        return cannot(
            "addresses cannot be encrypted on a cluster, because the key is not sent to it",
            "run without --cluster, or use --anonymize-ip truncate or drop",
        );
    }
    Ok(())
}
