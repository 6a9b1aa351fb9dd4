//! S3 server access logs and CloudFront logs as Arrow record batches and DataFusion tables.
//!
//! [`decode::RecordsDecoder`] turns bytes into batches of records, [`decode::RejectsDecoder`] collects the lines that
//! do not parse. The columns of every table are defined in [`schema`].
#![cfg_attr(
    feature = "datafusion",
    doc = "
| for | begin at |
| --- | --- |
| SQL over files, folders and buckets | [`session::Session`] |
| tables in a DataFusion session of your own | [`table::Listing`], [`table::LogTable`], [`functions::register`] |
| Parquet, each record exactly once | [`convert::convert`] |
| client addresses that are suspicious | [`detect::detect`] |
| an account of every line | [`check::check`] |
| what a query would fetch | [`plan::plan`] |
| access keys, and who may do more than they do | [`keys`] |
| switching access logs on | [`logging`] |

Everything but `decode` and `schema` needs the feature `datafusion`, which is on by itself; `cluster` adds Apache Ballista.
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
#[cfg(feature = "datafusion")]
pub mod store;
#[cfg(feature = "datafusion")]
pub mod table;
#[cfg(feature = "datafusion")]
mod time_units;
mod unprintable;

pub use error::{Error, ErrorKind};
pub use unprintable::is_unprintable;
