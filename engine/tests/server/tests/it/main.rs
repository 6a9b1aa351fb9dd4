//! The servers and the proxy, as clients see them.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod access_log;
mod moto;
mod proxy;
mod server;
mod writes;
