//! A scripted HTTP server, for APIs other than S3, and for responses that no proper server gives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::background::Background;

/// A request as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query, undecoded.
    pub target: String,
    /// Names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
    /// Number of requests received before.
    pub number: usize,
}

impl Asked {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The reaction to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status, headers and a body.
    Reply(u16, Vec<(&'static str, String)>, String),
    /// A status and a body whose announced length is one byte too large; the connection is then closed.
    CutOff(u16, String),
    /// Closes the connection without a response.
    Break,
    /// Sends nothing and keeps the connection open.
    Silence,
}

impl Answer {
    /// A response with a status and a JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Reply(status, vec![("content-type", "application/json".to_owned())], body.into())
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Reply(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

type Script = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// A server that asks a function for each response, and records requests. It stops when it is dropped.
pub struct Answers {
    background: Background,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Answers {
    /// Starts the server.
    #[must_use]
    pub fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let script: Arc<Script> = Arc::new(Box::new(script));
        let log = Arc::clone(&asked);
        let background = Background::serve("test-answers", move |stream| {
            let (script, log) = (Arc::clone(&script), Arc::clone(&log));
            async move {
                // Fails if the client disconnects.
                let _ = serve(stream, &script, &log).await;
            }
        });
        Self { background, asked }
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.background.endpoint()
    }

    /// The requests received, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Serves one request per connection, because clients may reuse connections that are kept open.
async fn serve(stream: TcpStream, script: &Script, log: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let asked = {
        let mut log = log.lock().unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let asked = Asked { method, target, headers, body, number: log.len() };
        log.push(asked.clone());
        asked
    };
    let (status, headers, body, missing) = match script(&asked) {
        Answer::Reply(status, headers, body) => (status, headers, body, 0),
        Answer::CutOff(status, body) => (status, Vec::new(), body, 1),
        Answer::Break => return Ok(()),
        Answer::Silence => {
            // Until the client gives up or the server is dropped.
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            return Ok(());
        }
    };
    let mut head =
        format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n", body.len() + missing);
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await?;
    stream.shutdown().await
}
