//! Access keys: listing them, their grants, and what they were used for.
//!
//! [`Api`] is a client of DigitalOcean's API for Spaces keys, [`keys_from_json`] reads keys from a file, and
//! [`Replacement`] describes a key that replaces another. [`audit()`](audit::audit) compares the use of keys with their
//! grants. [`Operation::ALL`] has the permissions that each operation needs.

mod answer;
mod api;
pub mod audit;
mod endpoint;
mod grant;
mod operations;
mod rotation;
mod secret;
mod waiting;

pub use answer::keys_from_json;
pub use api::{Api, ApiOptions, KeyFilter, Listener, NewKey, Notice};
pub use endpoint::API_URL;
pub use grant::{Grant, Key, Permission, granted, is_access_key, is_bucket_name};
pub use operations::{Action, Needs, Operation, Resource, UseKind};
pub use rotation::Replacement;
pub use secret::Secret;
