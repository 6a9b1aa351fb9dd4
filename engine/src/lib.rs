//! S3 server access logs and CloudFront logs as Arrow record batches and DataFusion tables.
//!
//! [`decode::RecordsDecoder`] turns bytes into batches of records, [`decode::RejectsDecoder`] collects the lines that
//! do not parse. The columns of every table are defined in [`schema`].
#![cfg_attr(
    feature = "datafusion",
    doc = "
| task | start at |
| --- | --- |
| SQL on files, folders and buckets | [`session::Session`] |
| tables in your own DataFusion session | [`table::Listing`], [`table::LogTable`], [`functions::register`] |
| conversion to Parquet, each record exactly once | [`convert::convert`] |
| detection of suspicious client addresses | [`detect::detect`] |
| validation: an account of every line | [`check::check`] |
| the objects that a query would fetch | [`plan::plan`] |
| access keys and excess permissions | [`keys`] |
| enabling access logs | [`logging`] |

Everything except `decode` and `schema` needs the feature `datafusion`, which is enabled by default;
`cluster` adds Apache Ballista.
"
)]
#![cfg_attr(not(feature = "datafusion"), doc = "\n(Built without the feature `datafusion`: the decoder alone.)")]

#[cfg(feature = "datafusion")]
pub mod check;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "datafusion")]
pub mod convert;
#[cfg(feature = "datafusion")]
pub mod dataset;
pub mod decode;
#[cfg(feature = "datafusion")]
pub mod detect;
mod error;
#[cfg(feature = "datafusion")]
pub mod functions;
#[cfg(feature = "datafusion")]
pub mod keys;
#[cfg(feature = "datafusion")]
pub mod logging;
#[cfg(feature = "datafusion")]
pub mod plan;
#[cfg(feature = "datafusion")]
mod policy_pattern;
#[cfg(feature = "datafusion")]
pub mod scan;
pub mod schema;
#[cfg(feature = "datafusion")]
pub mod session;
mod shell_word;
#[cfg(feature = "datafusion")]
pub mod store;
#[cfg(feature = "datafusion")]
pub mod table;
#[cfg(feature = "datafusion")]
mod time_units;
mod unprintable;

pub use error::{Error, ErrorKind};
pub use shell_word::shell_word;
pub use unprintable::is_unprintable;
