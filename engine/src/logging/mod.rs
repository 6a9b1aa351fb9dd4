//! Access logging of buckets: whether it is on, switching it on and off, and what prevents it from working.
//!
//! [`status`] looks. [`plan_enable`] and [`plan_disable`] look too, and say in a [`Plan`] what would be changed and what
//! stands against it; [`Plan::apply`] does it, and reads back what came of it. How the store is asked is the store's
//! (`store/control.rs`); what the answers mean is decided here.

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

/// How much something that was found matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing is changed because of it.
    Blocks,
    /// Logging may not work as it is meant to.
    Warns,
    /// Good to know.
    Notes,
}

/// Something that was found out about the buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What it is; may have several lines.
    pub message: String,
    /// What to do about it; may have several lines.
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

    /// The same; when it is forced, a warning.
    fn unless(self, forced: bool) -> Self {
        match forced {
            true => Self { level: Level::Warns, ..self },
            false => self,
        }
    }
}

/// What is known of the logging of a bucket.
#[derive(Debug)]
pub struct Status {
    /// Whose service it is at.
    pub service: Service,
    /// The bucket.
    pub bucket: String,
    /// Where log objects go; `None` when logging is off.
    pub settings: Option<LoggingSettings>,
    /// What is there already, or why that cannot be seen; `None` when logging is off.
    pub delivered: Option<Result<Delivered, Error>>,
}

/// Looks at the logging of a bucket, and at what was delivered.
///
/// # Errors
///
/// When the settings cannot be seen. That the target cannot be listed is a part of the answer.
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

/// The error of a bucket whose settings cannot be seen.
fn cannot_see(service: Service, bucket: &str, refusal: &Refusal) -> Error {
    let error = refusal.explain("its logging cannot be seen", &place(bucket));
    match service.advice(refusal, false) {
        Some(advice) if error.hint().is_none() => error.with_hint(advice),
        _ => error,
    }
}

/// How a bucket is named to people.
fn place(bucket: &str) -> String {
    format!("s3://{bucket}")
}
