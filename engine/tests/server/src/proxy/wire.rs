//! HTTP/1.1 messages on a connection.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The first line and headers of a message.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn new(first_line: String) -> Self {
        Self { first_line, headers: Vec::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_string()));
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut head = Self::new(lines.next()?.to_owned());
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            head.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Some(head)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", self.first_line).into_bytes()
    }
}

/// A connection with its read buffer.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// Reads the next head; `None` if the connection ends before it.
    pub(crate) async fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let text = self.buffer.split_to(end + 4);
                let head = Head::parse(&String::from_utf8_lossy(&text)).ok_or(io::ErrorKind::InvalidData)?;
                return Ok(Some(head));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Reads the body after a head, without chunked framing. A request without a length has none; a response without
    /// one lasts until the connection ends.
    pub(crate) async fn read_body(&mut self, head: &Head, is_response: bool) -> io::Result<Vec<u8>> {
        if head.get("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
            return self.read_chunks().await;
        }
        match head.get("content-length") {
            Some(length) => self.read_exactly(length.parse().map_err(|_| io::ErrorKind::InvalidData)?).await,
            None if is_response => {
                while self.stream.read_buf(&mut self.buffer).await? > 0 {}
                Ok(self.buffer.split().to_vec())
            }
            None => Ok(Vec::new()),
        }
    }

    async fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                // Trailers are dropped.
                while !self.read_line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.read_exactly(size).await?);
            self.read_line().await?;
        }
    }

    async fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.advance(end + 2);
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.split_to(length).to_vec())
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits until the peer closes the connection.
    pub(crate) async fn wait_for_end(&mut self) {
        while self.stream.read_buf(&mut self.buffer).await.is_ok_and(|read| read > 0) {}
    }

    /// Resets the connection instead of closing it.
    pub(crate) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}
