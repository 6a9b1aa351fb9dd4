//! S3 servers for tests and benches, and a fault-injecting proxy.
//!
//! [`Server`] is an in-process S3 server, fast and with a record of all requests. [`Moto`] is an independent
//! implementation in a separate process: what both agree on is not a mistake of ours. [`Proxy`] can be put in front of
//! either to break what passes through it, and [`AccessLog`] to write an access log as S3 does. All listen on
//! 127.0.0.1, so that tests and the binaries they start can use them, and stop when they are dropped. For APIs other
//! than S3, [`Answers`] gives scripted responses, and [`Prism`] those of an OpenAPI description.

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
