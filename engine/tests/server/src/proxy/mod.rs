//! A proxy between a client and an S3 server, which injects faults.

mod fault;
mod wire;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;

use self::fault::Rules;
pub use self::fault::{Fault, Matching};
use self::wire::{Head, Wire};
use crate::background::Background;
use crate::client::host_of;
use crate::environment::environment;
use crate::request::{Log, Request};

/// So long the client has to read what was sent before a reset, which may discard it.
const BEFORE_RESET: Duration = Duration::from_millis(50);
/// By so much is a length too great.
const TOO_LONG: usize = 100;

/// Passes requests on to a server and answers back, as they are unless a fault befalls them. It stops when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    background: Background,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    rules: Mutex<Rules>,
    log: Log,
}

impl Proxy {
    /// A proxy before the server at `http://HOST:PORT`.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let upstream = host_of(upstream).to_owned();
        let state = Arc::new(State { upstream, rules: Mutex::default(), log: Log::default() });
        let shared = Arc::clone(&state);
        let background = Background::serve("test-s3-proxy", move |stream| {
            let state = Arc::clone(&shared);
            async move {
                // What fails is a client that went away, or one that is no HTTP client.
                let _ = state.serve(Wire::new(stream)).await;
            }
        });
        Self { background, state }
    }

    /// Its URL: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.background.endpoint()
    }

    /// Variables with which a child process finds this proxy, and nothing of this machine's configuration.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.endpoint())
    }

    /// Lets a fault befall requests so many times, `usize::MAX` for always. Earlier faults come first.
    pub fn inject(&self, fault: Fault, matching: Matching, times: usize) {
        self.state.rules.lock().unwrap().add(fault, matching, times);
    }

    /// No further request is befallen.
    pub fn clear(&self) {
        self.state.rules.lock().unwrap().clear();
    }

    /// What it was asked, with the status it answered: 0 if it was reset before, or never came.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.log.all()
    }

    /// What it was asked, which it forgets.
    pub fn take_requests(&self) -> Vec<Request> {
        self.state.log.take()
    }
}

/// What becomes of the client's connection.
enum After {
    StaysOpen(Wire),
    Ends,
}

impl State {
    async fn serve(&self, mut client: Wire) -> io::Result<()> {
        while let Some(head) = client.read_head().await? {
            if head.get("expect").is_some() {
                client.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            let body = client.read_body(&head, false).await?;
            let closes = head.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            match self.answer(client, head, &body).await? {
                After::StaysOpen(open) if !closes => client = open,
                _ => break,
            }
        }
        Ok(())
    }

    async fn answer(&self, mut client: Wire, request: Head, body: &[u8]) -> io::Result<After> {
        let mut words = request.first_line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_head = method == "HEAD";
        let asked = Request::of(method, target, request.get("range"));
        let fault = self.rules.lock().unwrap().befalling(&asked);
        let number = self.log.arrived(asked);
        let answer = match fault {
            Some(Fault::ResetBeforeResponse) => {
                client.reset();
                return Ok(After::Ends);
            }
            Some(Fault::Stall) => {
                client.wait_for_end().await;
                return Ok(After::Ends);
            }
            Some(Fault::Status(status)) => Answer::error(status),
            Some(Fault::RegionRedirect(region)) => Answer::redirect(region),
            _ => match self.pass_on(&request, body, is_head).await {
                Ok(answer) => answer,
                // Said aloud: a test is to fail for this, not for some fault it did not ask for.
                Err(error) => Answer::new(502, "BadGateway", &format!("the server behind the proxy: {error}")),
            },
        };
        self.log.answered(number, answer.head.status());
        answer.send(client, fault, is_head).await
    }

    async fn pass_on(&self, request: &Head, body: &[u8], is_head: bool) -> io::Result<Answer> {
        let mut head = request.clone();
        head.remove("expect");
        head.set("Connection", "close");
        if request.get("transfer-encoding").is_some() {
            head.remove("transfer-encoding");
            head.set("Content-Length", body.len());
        }
        let stream = TcpStream::connect(&self.upstream).await?;
        stream.set_nodelay(true)?;
        let mut server = Wire::new(stream);
        server.write(&[&head.to_bytes(), body].concat()).await?;
        let mut head = server.read_head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        while matches!(head.status(), 100..=199) {
            head = server.read_head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        let has_body = !is_head && !matches!(head.status(), 204 | 304);
        let body = if has_body { server.read_body(&head, true).await? } else { Vec::new() };
        for name in ["connection", "keep-alive", "transfer-encoding"] {
            head.remove(name);
        }
        // The server may speak HTTP/1.0.
        head.first_line = head.first_line.replacen("HTTP/1.0", "HTTP/1.1", 1);
        if has_body {
            head.set("Content-Length", body.len());
        }
        Ok(Answer { head, body })
    }
}

/// An answer to the client.
struct Answer {
    head: Head,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, code: &str, message: &str) -> Self {
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

    fn error(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("BadRequest", "Bad request."),
            403 => ("AccessDenied", "Access Denied"),
            404 => ("NoSuchKey", "The specified key does not exist."),
            412 => ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
            429 => ("TooManyRequests", "Please reduce your request rate."),
            503 => ("SlowDown", "Please reduce your request rate."),
            _ => ("InternalError", "We encountered an internal error. Please try again."),
        };
        Self::new(status, code, message)
    }

    fn redirect(region: &str) -> Self {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let mut answer = Self::new(301, "PermanentRedirect", message);
        answer.head.set("x-amz-bucket-region", region);
        answer
    }

    async fn send(mut self, mut client: Wire, fault: Option<Fault>, is_head: bool) -> io::Result<After> {
        if is_head {
            // Its length is of a body that does not follow.
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
                client.reset();
                return Ok(After::Ends);
            }
            Some(Fault::TruncatedBody) => return Ok(After::Ends),
            Some(Fault::SlowBody(pause)) => tokio::time::sleep(pause).await,
            _ => {}
        }
        client.write(second).await?;
        Ok(match fault {
            Some(Fault::LongContentLength) => After::Ends,
            _ => After::StaysOpen(client),
        })
    }
}
