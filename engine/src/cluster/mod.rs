//! Distributed execution on Apache Ballista. Between its scheduler and executors, this crate only contributes what is
//! needed to serialize plans.
//!
//! ```text
//! client     Session -> physical plan -> RunOnCluster -> ClusterExec -> PhysicalCodec -> scheduler
//! scheduler  decodes the plan, cuts it into stages, gives executors their partitions
//! executor   decodes its part, opens files and buckets as its own environment says, sends rows on
//! client     rows of the last stage, counts of all scans
//! ```
//!
//! The client lists and plans exactly as on one machine: objects pruned by time or name are never sent. Executors read
//! the objects, so they need the credentials, and local paths must mean the same on all of them.
//!
//! ```no_run
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use s3log_engine::cluster::Cluster;
//! use s3log_engine::session::{Session, SessionOptions};
//!
//! let cluster = Cluster::connect("df://scheduler:50050").await?;
//! let options = SessionOptions::new().with_remote_execution(cluster.remote_execution());
//! let session = Session::open(&["s3://my-logs/access/".to_owned()], options).await?;
//! session.context().sql("SELECT remote_ip, count(*) FROM logs GROUP BY 1").await?.show().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod client;
mod codec;
mod connection;
mod exec;
mod hand_over;
mod job;
mod server;
mod wire;
mod work_folder;

pub use client::Cluster;
pub use codec::PhysicalCodec;
pub use hand_over::RunOnCluster;
pub use server::{executor, scheduler, serve_executor, serve_scheduler};

/// Maximum size of a gRPC message in bytes. A plan names every object it reads: about 20 MB for a million. For results,
/// the size of a batch counts.
pub const MAX_MESSAGE: u32 = 512 << 20;
