//! Access logging of buckets: its status, enabling and disabling it, and finding what prevents delivery.
//!
//! [`status`] only reads. [`plan_enable`] and [`plan_disable`] also only read, and return a [`Plan`] with the intended
//! change and any obstacles; [`Plan::apply`] makes the change and reads the settings back. Requests are made by the
//! store (`store/control.rs`); this module interprets the answers.

mod delivered;
mod plan;
mod policy;
mod service;
mod target;

pub use crate::store::{Grantee, KeyFormat, LoggingSettings, TargetGrant};
pub use delivered::Delivered;
pub use plan::{Enable, Plan, plan_disable, plan_enable};
pub use service::Service;

use crate::error::Error;
use crate::store::{Refusal, Stores};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The change is not made.
    Blocks,
    /// Logging may not work as intended.
    Warns,
    /// Informational.
    Notes,
}

/// A finding about the buckets involved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The severity.
    pub level: Level,
    /// The message; may have several lines.
    pub message: String,
    /// What the user can do about it; may have several lines.
    pub hint: Option<String>,
}

impl Finding {
    fn new(level: Level, message: impl Into<String>) -> Self {
        Self { level, message: message.into(), hint: None }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Downgrades the finding to a warning if the change is forced.
    fn unless(self, forced: bool) -> Self {
        match forced {
            true => Self { level: Level::Warns, ..self },
            false => self,
        }
    }
}

/// The logging status of a bucket.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// The service that hosts the bucket.
    pub service: Service,
    /// The name of the bucket.
    pub bucket: String,
    /// The logging settings; `None` if logging is off.
    pub settings: Option<LoggingSettings>,
    /// The log objects delivered so far, or why they cannot be listed; `None` if logging is off.
    pub delivered: Option<Result<Delivered, Error>>,
}

/// Reads the logging settings of a bucket, and lists delivered log objects.
///
/// # Errors
///
/// Fails if the settings cannot be read. Failure to list the target is part of the result instead.
pub async fn status(stores: &Stores, bucket: &str) -> Result<Status, Error> {
    let control = stores.control().await?;
    let service = Service::at(control.endpoint());
    let settings = control.logging(bucket).await.map_err(|refusal| cannot_see(service, bucket, &refusal))?;
    let delivered = match &settings {
        Some(settings) => Some(delivered::look(stores, settings).await),
        None => None,
    };
    Ok(Status { service, bucket: bucket.to_owned(), settings, delivered })
}

/// The error for settings that cannot be read.
fn cannot_see(service: Service, bucket: &str, refusal: &Refusal) -> Error {
    let error = refusal.explain("its logging settings cannot be read", &place(bucket));
    match service.advice(refusal, false) {
        Some(advice) if error.hint().is_none() => error.with_hint(advice),
        _ => error,
    }
}

/// The display name of a bucket.
fn place(bucket: &str) -> String {
    format!("s3://{bucket}")
}
