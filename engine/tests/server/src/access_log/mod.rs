//! A server that writes the access log of its buckets, in front of one that does the work.
//!
//! Real clients and tools talk to [`AccessLog`], each by a listener of its own, which says whose address the log shows and
//! what the client believes to talk to: the endpoint of the service, one bucket, or a bucket's website. What nobody signed
//! is answered as S3 answers it, by what each bucket grants to everybody; what was signed goes on to a [`Server`], which
//! must answer requests without a signature, too ([`Builder::anonymous`](crate::Builder::anonymous)).
//!
//! ```text
//! let log = AccessLog::start(&server.endpoint(), &[("site", Public::Read)]);
//! let endpoint = log.listen("192.0.2.1".parse().unwrap(), Face::Bucket("site".to_owned()));
//! // GET {endpoint}/missing: 403, and in log.lines_of(192.0.2.1)
//! // … site [06/Feb/2026:00:00:38 +0000] 192.0.2.1 - 3E57427F33A59F07 REST.GET.OBJECT missing "GET /missing HTTP/1.1" 403 AccessDenied …
//! ```
//!
//! - `ask.rs`: what a request asks for, and who asks
//! - `rules.rs`: what becomes of it
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

/// What a bucket grants to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    /// Nothing.
    Nothing,
    /// Objects can be read. What is not there is 403, as without the right to list.
    Read,
    /// Objects can be read and listed. What is not there is 404.
    ReadAndList,
}

/// What a client believes to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Face {
    /// The endpoint of the service: buckets stand in the path.
    Service,
    /// One bucket, named by the host. A signature would be of another path: who signs takes [`Face::Service`].
    Bucket(String),
    /// The website of one bucket.
    Website(String),
}

/// A server that writes an access log. It stops when it is dropped.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    listeners: Mutex<Vec<Background>>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    buckets: BTreeMap<String, Public>,
    /// Whose they are, and lines without their end, in the order in which requests were answered.
    lines: Mutex<Vec<(IpAddr, String)>>,
    requests: AtomicU64,
}

impl AccessLog {
    /// A log of buckets of the server at `http://HOST:PORT`. It knows of no others: those do not exist, and nobody's log
    /// tells of requests for them.
    #[must_use]
    pub fn start(upstream: &str, buckets: &[(&str, Public)]) -> Self {
        let buckets = buckets.iter().map(|&(name, public)| (name.to_owned(), public)).collect();
        let upstream = host_of(upstream).to_owned();
        let shared = Shared { upstream, buckets, lines: Mutex::default(), requests: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), listeners: Mutex::default() }
    }

    /// One more listener, for a client whose address is that one in the log. Returns its URL: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn listen(&self, client: IpAddr, face: Face) -> String {
        let (shared, face) = (Arc::clone(&self.shared), Arc::new(face));
        let listener = Background::serve("test-s3-log", move |stream| {
            let (shared, face) = (Arc::clone(&shared), Arc::clone(&face));
            async move {
                // What fails is a client that went away, or one that is no HTTP client: S3 logs neither.
                let _ = shared.serve(Wire::new(stream), client, &face).await;
            }
        });
        let endpoint = listener.endpoint();
        self.listeners.lock().unwrap().push(listener);
        endpoint
    }

    /// All lines, in the order in which requests were answered.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.shared.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The lines of the client with that address.
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
                // A request line that is none. No bucket was asked, so no log has it.
                Answer::error(400).send(&mut client, None, false).await?;
                return Ok(());
            };
            let mut answer = match rules::answer(self, &ask, &request, &body).await {
                Ok(answer) => answer,
                // Said aloud: no tool is to be judged by it.
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
            // Before the answer: a client that has it may look for the line.
            self.lines.lock().unwrap().extend(lines.into_iter().map(|line| (address, line)));
            let sent = answer.send(&mut client, None, ask.method == "HEAD").await?;
            if closes || !matches!(sent, Sent::Whole) {
                break;
            }
        }
        Ok(())
    }
}

/// Whether the connection ends with the answer.
fn closes(request: &Head) -> bool {
    let says = |word: &str| request.get("connection").is_some_and(|value| value.to_ascii_lowercase().contains(word));
    says("close") || (request.first_line.ends_with("HTTP/1.0") && !says("keep-alive"))
}
