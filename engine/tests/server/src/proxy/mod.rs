//! A fault-injecting proxy between a client and an S3 server.

pub(crate) mod answer;
mod fault;
mod hold;
pub(crate) mod wire;

use std::io;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;

use self::answer::{Answer, Sent};
use self::fault::{Effect, Rules};
pub use self::fault::{Fault, Matching};
use self::hold::Gate;
pub use self::hold::{Hold, Moment};
use self::wire::{Head, Wire};
use crate::background::Background;
use crate::client::host_of;
use crate::environment::environment;
use crate::request::{Log, Request};

/// Forwards requests to a server and responses back, unchanged unless a fault applies. It stops when it is dropped.
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
    /// Starts a proxy for the server at `http://HOST:PORT`.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let upstream = host_of(upstream).to_owned();
        let state = Arc::new(State { upstream, rules: Mutex::default(), log: Log::default() });
        let shared = Arc::clone(&state);
        let background = Background::serve("test-s3-proxy", move |stream| {
            let state = Arc::clone(&shared);
            async move {
                // Fails if the client disconnects or does not speak HTTP.
                let _ = state.serve(Wire::new(stream)).await;
            }
        });
        Self { background, state }
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.background.endpoint()
    }

    /// Environment variables that make a child process use this proxy, and none of the machine's configuration.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.endpoint())
    }

    /// Applies a fault to this many requests, `usize::MAX` for all. Faults injected earlier take precedence.
    pub fn inject(&self, fault: Fault, matching: Matching, times: usize) {
        self.state.rules.lock().unwrap().add(Effect::Fault(fault), matching, times);
    }

    /// Holds this many requests, `usize::MAX` for all, until they are released. No faults apply to held requests.
    #[must_use]
    pub fn hold(&self, moment: Moment, matching: Matching, times: usize) -> Hold {
        let gate = Arc::new(Gate::new(moment));
        self.state.rules.lock().unwrap().add(Effect::Held(Arc::clone(&gate)), matching, times);
        Hold(gate)
    }

    /// Removes all faults and holds for future requests.
    pub fn clear(&self) {
        self.state.rules.lock().unwrap().clear();
    }

    /// The requests received, with the status of the response: 0 if it was reset before, or never sent.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.log.all()
    }

    /// Returns and clears the requests received.
    pub fn take_requests(&self) -> Vec<Request> {
        self.state.log.take()
    }
}

/// The client's connection after a response.
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
        let mut asked = Request::of(method, target, |name| request.get(name));
        if asked.wants_body() {
            asked = asked.with_body(body);
        }
        let effect = self.rules.lock().unwrap().befalling(&asked);
        let number = self.log.arrived(asked);
        let (fault, gate) = match effect {
            None => (None, None),
            Some(Effect::Fault(fault)) => (Some(fault), None),
            Some(Effect::Held(gate)) => (None, Some(gate)),
        };
        let passes = async |moment| match &gate {
            Some(gate) if gate.moment == moment => gate.pass().await,
            _ => true,
        };
        if fault == Some(Fault::ResetBeforeResponse) || !passes(Moment::Before).await {
            client.reset();
            return Ok(After::Ends);
        }
        let answer = match fault {
            Some(Fault::Stall) => {
                client.wait_for_end().await;
                return Ok(After::Ends);
            }
            Some(Fault::Status(status)) => Answer::error(status),
            Some(Fault::RegionRedirect(region)) => Answer::redirect(region),
            _ => match pass_on(&self.upstream, &request, body, is_head).await {
                Ok(answer) => answer,
                // Report it clearly: a test must fail because of it, and not mistake it for an injected fault.
                Err(error) => Answer::new(502, "BadGateway", &format!("the server behind the proxy: {error}")),
            },
        };
        if fault == Some(Fault::DoneThenReset) || !passes(Moment::After).await {
            client.reset();
            return Ok(After::Ends);
        }
        let answer = match fault {
            Some(Fault::DoneThenStall) => {
                client.wait_for_end().await;
                return Ok(After::Ends);
            }
            Some(Fault::DoneThenStatus(status)) => Answer::error(status),
            _ => answer,
        };
        self.log.answered(number, answer.head.status());
        Ok(match answer.send(&mut client, fault, is_head).await? {
            Sent::Whole => After::StaysOpen(client),
            Sent::Closing => After::Ends,
            Sent::Resetting => {
                client.reset();
                After::Ends
            }
        })
    }
}

/// Forwards a request to the server at `HOST:PORT` over a new connection.
pub(crate) async fn pass_on(upstream: &str, request: &Head, body: &[u8], is_head: bool) -> io::Result<Answer> {
    let mut head = request.clone();
    head.remove("expect");
    head.set("Connection", "close");
    if request.get("transfer-encoding").is_some() {
        head.remove("transfer-encoding");
        head.set("Content-Length", body.len());
    }
    let stream = TcpStream::connect(upstream).await?;
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
    // The server may use HTTP/1.0.
    head.first_line = head.first_line.replacen("HTTP/1.0", "HTTP/1.1", 1);
    if has_body {
        head.set("Content-Length", body.len());
    }
    Ok(Answer { head, body })
}
