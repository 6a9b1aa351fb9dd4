//! Past one machine: plans that run on Apache Ballista, an engine of others, with no code of ours between its scheduler and
//! its executors but what makes a plan travel.
//!
//! ```text
//! client     Session -> physical plan -> RunOnCluster -> ClusterExec -> PhysicalCodec -> scheduler
//! scheduler  decodes the plan, cuts it into stages, gives executors their partitions
//! executor   decodes its part, opens files and buckets as its own environment says, sends rows on
//! client     rows of the last stage, counts of all scans
//! ```
//!
//! Whoever asks lists and plans, exactly as on one machine: what a time or a name leaves out is never sent. Executors read
//! the objects, so they need the credentials, and a path must mean the same on all of them.
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
mod exec;
mod hand_over;
mod server;
mod wire;

pub use client::Cluster;
pub use codec::PhysicalCodec;
pub use hand_over::RunOnCluster;
pub use server::{executor, scheduler, serve_executor, serve_scheduler};

/// A plan names every object that it reads: of a million, some 20 MB. Of results it is a batch that counts.
pub const MAX_MESSAGE: u32 = 512 << 20;
