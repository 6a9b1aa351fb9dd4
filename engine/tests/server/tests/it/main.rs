//! Tests of the servers and the proxy.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod access_log;
mod moto;
mod proxy;
mod server;
mod writes;
