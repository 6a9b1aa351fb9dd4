//! Access keys: which there are, what each is granted, and what it really did.
//!
//! [`Api`] asks DigitalOcean's API of Spaces keys, [`keys_from_json`] reads what it said from a file, [`Replacement`] is a key
//! that takes another one's place. [`audit()`](audit::audit) holds what keys did against what they are granted; what an
//! operation needs stands in [`Operation::ALL`].

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
