//! S3 servers for tests and benches, and a proxy that injects faults.
//!
//! [`Server`] is an S3 server in this process, quick and with a record of what it was asked. [`Moto`] is someone else's,
//! in a process of its own: what both agree on is not a mistake of ours. [`Proxy`] stands in front of either and breaks
//! what passes through it, [`AccessLog`] writes down what passes as S3 does. Each is reached over 127.0.0.1, so that the code of a test and a binary it starts can use it,
//! and each stops when it is dropped. For an API that is no bucket, [`Answers`] says what a test says, and [`Prism`] what a
//! description says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "it supports tests: what fails here fails the test")]

mod access_log;
mod answers;
mod background;
mod bucket;
mod client;
mod condition;
mod environment;
mod footprints;
mod list;
mod moto;
mod packages;
mod prism;
mod process;
mod proxy;
mod request;
mod server;
mod service;
mod settings;
mod unsigned;
mod upload;
mod writes;

pub use access_log::{AccessLog, Face, Public};
pub use answers::{Answer, Answers, Asked};
pub use client::{Client, Response};
pub use condition::ConditionalPuts;
pub use footprints::{Footprint, Footprints};
pub use moto::Moto;
pub use packages::{debian_packages, node_packages, python_packages};
pub use prism::Prism;
pub use process::Process;
pub use proxy::{Fault, Hold, Matching, Moment, Proxy};
pub use request::{Kind, Request};
pub use server::{ACCESS_KEY, Builder, SECRET_KEY, Server};
pub use unsigned::{create_bucket_unsigned, put_all_unsigned, put_archived_unsigned, put_unsigned};
