//! Access to buckets: locations, configuration, credentials and requests.
//!
//! Locations are `s3://bucket/prefix`. Requests for objects go through `object_store`. Credentials, regions and
//! endpoints are resolved by the AWS SDK, as the `aws` command resolves them. Every response passes through
//! `requests.rs`, which counts it and checks that it is complete. Bucket settings, which `object_store` does not cover,
//! are read and written by the AWS SDK client with the same configuration (`control.rs`).

mod bucket;
mod configuration;
mod control;
mod credentials;
mod endpoint;
mod failure;
mod location;
mod logging_settings;
mod patient;
mod refusal;
mod region;
mod registry;
mod requests;
mod writing;

pub(crate) use bucket::{Bucket, ListPage, ListStart};
pub use configuration::{Addressing, Configuration, Probe, Setting, StoreOptions, Stores};
pub(crate) use control::{Control, LockedObjects};
pub use endpoint::{host_of, names_are_documented, without_secrets};
pub use location::Location;
pub use logging_settings::{Grantee, KeyFormat, LoggingSettings, TargetGrant};
pub(crate) use refusal::Refusal;
pub(crate) use registry::{Registry, lazy_bucket};
pub use requests::RequestCounts;
pub(crate) use writing::{PartsUpload, PutNew};
