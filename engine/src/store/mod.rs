//! Buckets: where they are, who may read them, and what asking them costs.
//!
//! Locations are `s3://bucket/prefix`. Requests go through `object_store`; credentials, regions and endpoints come from
//! where `aws` takes them, by AWS's own library. Every response passes through `requests.rs`, which counts it and makes
//! sure that it is whole. Settings of buckets, which `object_store` does not know, are asked for by AWS's own client, made
//! of the same settings (`control.rs`).

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
