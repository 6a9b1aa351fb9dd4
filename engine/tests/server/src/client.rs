//! A plain HTTP client without signatures and retries: any failure on the wire is an error.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;

/// Timeout of a request.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a server, reopened as needed.
#[derive(Debug)]
pub struct Client {
    host: String,
    connection: Option<BufReader<TcpStream>>,
    patience: Duration,
}

/// The response to a request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The complete body.
    pub body: Bytes,
}

impl Response {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Creates a client for `http://HOST:PORT`.
    #[must_use]
    pub fn new(endpoint: &str) -> Self {
        Self { host: host_of(endpoint).to_owned(), connection: None, patience: PATIENCE }
    }

    /// Sets the timeout for further bytes of a response.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a GET request; the path is sent as is.
    ///
    /// # Errors
    ///
    /// Fails if the connection breaks or is closed before the response is complete.
    pub fn get(&mut self, target: &str) -> io::Result<Response> {
        self.send("GET", target, &[], &[])
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// Fails if the connection breaks or is closed before the response is complete.
    pub fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "PUT" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");

        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.host)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(self.patience))?;
                BufReader::new(stream)
            }
        };
        let mut message = head.into_bytes();
        message.extend_from_slice(body);
        connection.get_mut().write_all(&message)?;
        let (response, stays_open) = read_response(&mut connection, method == "HEAD")?;
        // Not kept after an error: the rest of the response would be taken for the next one.
        self.connection = stays_open.then_some(connection);
        Ok(response)
    }
}

/// The part of an endpoint after the scheme.
pub(crate) fn host_of(endpoint: &str) -> &str {
    endpoint.strip_prefix("http://").unwrap_or(endpoint).trim_end_matches('/')
}

fn read_response(connection: &mut BufReader<TcpStream>, is_head: bool) -> io::Result<(Response, bool)> {
    let mut status_line = read_line(connection)?;
    let mut status = status_of(&status_line)?;
    while status < 200 {
        // 100 Continue has no body, and is followed by the response.
        while !read_line(connection)?.is_empty() {}
        status_line = read_line(connection)?;
        status = status_of(&status_line)?;
    }
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Bytes::new() };
    let mut stays_open = !response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
        && status_line.starts_with("HTTP/1.1");
    if is_head || matches!(status, 204 | 304) {
        return Ok((response, stays_open));
    }
    let mut body = Vec::new();
    if response.header("transfer-encoding").is_some() {
        loop {
            let size = read_line(connection)?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            read_exactly(connection, size, &mut body)?;
            read_line(connection)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = response.header("content-length") {
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        read_exactly(connection, length, &mut body)?;
    } else {
        stays_open = false;
        connection.read_to_end(&mut body)?;
    }
    response.body = body.into();
    Ok((response, stays_open))
}

fn status_of(line: &str) -> io::Result<u16> {
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn read_exactly(connection: &mut BufReader<TcpStream>, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    let begin = body.len();
    body.resize(begin + length, 0);
    connection.read_exact(&mut body[begin..])
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}
