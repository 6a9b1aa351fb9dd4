//! Responses to the client, from the server or the proxy itself.

use std::io;
use std::time::Duration;

use crate::proxy::fault::Fault;
use crate::proxy::wire::{Head, Wire};

/// Time for the client to read what was sent before a reset, which may discard it.
const BEFORE_RESET: Duration = Duration::from_millis(50);
/// Excess of a length that is too large.
const TOO_LONG: usize = 100;

/// A response to the client.
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>PROXY</RequestId><HostId>proxy</HostId></Error>"
        );
        let mut head = Head::new(format!("HTTP/1.1 {status} {code}"));
        head.set("Content-Type", "application/xml");
        head.set("x-amz-request-id", "PROXY");
        head.set("Content-Length", body.len());
        Self { head, body: body.into_bytes() }
    }

    pub(crate) fn error(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("BadRequest", "Bad request."),
            403 => ("AccessDenied", "Access Denied"),
            404 => ("NoSuchKey", "The specified key does not exist."),
            409 => {
                ("ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation.")
            }
            412 => ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
            429 => ("TooManyRequests", "Please reduce your request rate."),
            501 => ("NotImplemented", "A header you provided implies functionality that is not implemented."),
            503 => ("SlowDown", "Please reduce your request rate."),
            _ => ("InternalError", "We encountered an internal error. Please try again."),
        };
        Self::new(status, code, message)
    }

    pub(super) fn redirect(region: &str) -> Self {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let mut answer = Self::new(301, "PermanentRedirect", message);
        answer.head.set("x-amz-bucket-region", region);
        answer
    }

    /// Sends the response, modified by a fault.
    pub(crate) async fn send(mut self, client: &mut Wire, fault: Option<Fault>, is_head: bool) -> io::Result<Sent> {
        if is_head {
            // The length is that of a body which is not sent.
            self.body.clear();
        }
        let half = self.body.len() / 2;
        match fault {
            Some(Fault::ShortContentLength) => {
                self.body.truncate(half);
                self.head.set("Content-Length", half);
            }
            Some(Fault::LongContentLength) => self.head.set("Content-Length", self.body.len() + TOO_LONG),
            _ => {}
        }
        let (first, second) = self.body.split_at(half.min(self.body.len()));
        client.write(&[&self.head.to_bytes(), first].concat()).await?;
        match fault {
            Some(Fault::ResetInBody) => {
                tokio::time::sleep(BEFORE_RESET).await;
                return Ok(Sent::Resetting);
            }
            Some(Fault::TruncatedBody) => return Ok(Sent::Closing),
            Some(Fault::SlowBody(pause)) => tokio::time::sleep(pause).await,
            _ => {}
        }
        client.write(second).await?;
        Ok(match fault {
            Some(Fault::LongContentLength) => Sent::Closing,
            _ => Sent::Whole,
        })
    }
}

/// The state of the connection after a response.
pub(crate) enum Sent {
    /// Another request may follow.
    Whole,
    /// To be closed.
    Closing,
    /// To be reset.
    Resetting,
}
