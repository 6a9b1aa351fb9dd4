//! A proxy that writes the access log of its buckets, in front of a server that does the work.
//!
//! Clients and tools connect to an [`AccessLog`], each through its own listener, which determines the logged address
//! and the role of the endpoint: the service, a bucket, or the website of a bucket. Unsigned requests are answered as
//! S3 would, depending on what each bucket grants to the public. Signed requests are forwarded to a [`Server`], which
//! must also accept unsigned requests ([`Builder::anonymous`](crate::Builder::anonymous)).
//!
//! ```text
//! let log = AccessLog::start(&server.endpoint(), &[("site", Public::Read)]);
//! let endpoint = log.listen("192.0.2.1".parse().unwrap(), Face::Bucket("site".to_owned()));
//! // GET {endpoint}/missing: 403, and in log.lines_of(192.0.2.1)
//! // … site [06/Feb/2026:00:00:38 +0000] 192.0.2.1 - 3E57427F33A59F07 REST.GET.OBJECT missing "GET /missing HTTP/1.1" 403 AccessDenied …
//! ```
//!
//! - `ask.rs`: what a request asks for, and who signed it
//! - `rules.rs`: the outcome
//! - `line.rs`: the line

mod ask;
mod line;
mod rules;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use self::ask::Ask;
use self::line::Exchange;
use crate::background::Background;
use crate::client::host_of;
use crate::proxy::answer::{Answer, Sent};
use crate::proxy::wire::{Head, Wire};

/// What a bucket grants to the public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    /// Nothing.
    Nothing,
    /// Objects can be read. A missing object gives 403, as without permission to list.
    Read,
    /// Objects can be read and listed. A missing object gives 404.
    ReadAndList,
}

/// The role of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Face {
    /// The endpoint of the service: buckets are in the path.
    Service,
    /// A single bucket, named by the host. Signatures would be for another path, so clients that sign use
    /// [`Face::Service`].
    Bucket(String),
    /// The website of a bucket.
    Website(String),
}

/// A proxy that writes an access log. It stops when it is dropped.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<Background>>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    buckets: BTreeMap<String, Public>,
    /// Client addresses and lines without line ends, in the order of responses.
    lines: Mutex<Vec<(IpAddr, String)>>,
    requests: AtomicU64,
}

impl AccessLog {
    /// Starts a proxy for buckets of the server at `http://HOST:PORT`. Other buckets do not exist for it, and requests
    /// for them are not logged.
    #[must_use]
    pub fn start(upstream: &str, buckets: &[(&str, Public)]) -> Self {
        let buckets = buckets.iter().map(|&(name, public)| (name.to_owned(), public)).collect();
        let upstream = host_of(upstream).to_owned();
        let shared = Shared { upstream, buckets, lines: Mutex::default(), requests: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), listeners: Mutex::default() }
    }

    /// Adds a listener whose clients are logged with this address. Returns its URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn listen(&self, client: IpAddr, face: Face) -> String {
        let (shared, face) = (Arc::clone(&self.shared), Arc::new(face));
        let listener = Background::serve("test-s3-log", move |stream| {
            let (shared, face) = (Arc::clone(&shared), Arc::clone(&face));
            async move {
                // Fails if the client disconnects or does not speak HTTP; S3 logs neither.
                let _ = shared.serve(Wire::new(stream), client, &face).await;
            }
        });
        let endpoint = listener.endpoint();
        self.listeners.lock().unwrap().push(listener);
        endpoint
    }

    /// All lines, in the order of responses.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.shared.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The lines of the client with this address.
    #[must_use]
    pub fn lines_of(&self, client: IpAddr) -> Vec<String> {
        let lines = self.shared.lines.lock().unwrap();
        lines.iter().filter(|(of, _)| *of == client).map(|(_, line)| line.clone()).collect()
    }
}

impl Shared {
    async fn serve(&self, mut client: Wire, address: IpAddr, face: &Face) -> io::Result<()> {
        while let Some(request) = client.read_head().await? {
            let (time, begin) = (SystemTime::now(), Instant::now());
            if request.get("expect").is_some() {
                client.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            let body = client.read_body(&request, false).await?;
            let received = begin.elapsed();
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            let Some(ask) = Ask::of(&request, face) else {
                // An invalid request line: no bucket is addressed, so no log has it.
                Answer::error(400).send(&mut client, None, false).await?;
                return Ok(());
            };
            let mut answer = match rules::answer(self, &ask, &request, &body).await {
                Ok(answer) => answer,
                // Report it clearly, so that it is not attributed to the tool.
                Err(error) => Answer::new(502, "BadGateway", &format!("the server behind the log: {error}")),
            };
            answer.head.set("x-amz-request-id", line::request_id(number));
            answer.head.set("x-amz-id-2", line::host_id(number));
            answer.head.set("Server", "AmazonS3");
            let closes = closes(&request);
            if closes {
                answer.head.set("Connection", "close");
            }
            let turned = begin.elapsed() - received;
            let exchange = Exchange { time, number, address, received, turned, ask: &ask, request: &request };
            let lines = match self.buckets.contains_key(&ask.bucket) {
                true => exchange.lines(&body, &answer),
                false => Vec::new(),
            };
            // Before responding, because the client may look for the line afterwards.
            self.lines.lock().unwrap().extend(lines.into_iter().map(|line| (address, line)));
            let sent = answer.send(&mut client, None, ask.method == "HEAD").await?;
            if closes || !matches!(sent, Sent::Whole) {
                break;
            }
        }
        Ok(())
    }
}

/// Whether the connection ends after the response.
fn closes(request: &Head) -> bool {
    let says = |word: &str| request.get("connection").is_some_and(|value| value.to_ascii_lowercase().contains(word));
    says("close") || (request.first_line.ends_with("HTTP/1.0") && !says("keep-alive"))
}
