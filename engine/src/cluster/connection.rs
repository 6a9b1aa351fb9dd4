//! Settings of the connections between the processes of a cluster.

use ballista_core::extension::EndpointOverrideFn;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Endpoint;

/// Timeout for connecting.
const CONNECTING: Duration = Duration::from_secs(10);
/// Interval of pings. A peer that vanished without closing its connections is noticed after this and [`PONG`]; without
/// pings it never is by those who wait for it.
const PING: Duration = Duration::from_secs(10);
/// Timeout for the answer to a ping.
const PONG: Duration = Duration::from_secs(20);

/// The settings as a function for Ballista's clients.
pub(super) fn for_ballista() -> EndpointOverrideFn {
    Arc::new(|endpoint| Ok(on_connection(endpoint)))
}

/// Applies the settings.
pub(super) fn on_connection(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECTING)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true)
}
