//! Columnar storage of the requests that are kept individually.

use super::event::Event;
use super::names::renamed;

/// A column of text.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    bytes: String,
    /// Byte range of each text; an empty range means no text, since empty texts are never stored.
    spans: Vec<(usize, usize)>,
    /// Number of bytes of replaced texts.
    dead: usize,
}

/// Minimum number of dead bytes before texts are compacted.
const WORTH_MOVING: usize = 1 << 20;

impl Texts {
    fn put(&mut self, row: usize, text: Option<&str>) {
        let start = self.bytes.len();
        self.bytes.push_str(text.unwrap_or_default());
        let span = (start, self.bytes.len());
        match self.spans.get_mut(row) {
            Some(old) => {
                self.dead += old.1 - old.0;
                *old = span;
            }
            None => self.spans.push(span),
        }
        if self.dead > WORTH_MOVING && self.dead * 2 > self.bytes.len() {
            self.move_together();
        }
    }

    fn move_together(&mut self) {
        let mut bytes = String::with_capacity(self.bytes.len() - self.dead);
        for (start, end) in &mut self.spans {
            let moved = bytes.len();
            bytes.push_str(self.bytes.get(*start..*end).unwrap_or_default());
            (*start, *end) = (moved, bytes.len());
        }
        self.bytes = bytes;
        self.dead = 0;
    }

    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        let (start, end) = *self.spans.get(row)?;
        if start == end { None } else { self.bytes.get(start..end) }
    }

    fn merge(&mut self, other: &Self) {
        let base = self.bytes.len();
        self.bytes.push_str(&other.bytes);
        self.dead += other.dead;
        self.spans.extend(other.spans.iter().map(|(start, end)| (start + base, end + base)));
    }
}

/// Maximum length stored of a URI, user agent or key; what matters here is within it.
const LONGEST: usize = 2048;

/// Requests in columns; repeated values are numbers in [`Names`](super::names::Names).
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// Number of users of each row.
    uses: Vec<u8>,
    /// Rows without users.
    free: Vec<u32>,
    pub time: Vec<i64>,
    pub source: Vec<u32>,
    pub address: Vec<u32>,
    pub requester: Vec<u32>,
    pub bucket: Vec<u32>,
    pub operation: Vec<u32>,
    pub method: Vec<u32>,
    pub error: Vec<u32>,
    pub agent: Vec<u32>,
    pub referer: Vec<u32>,
    pub scheme: Vec<u32>,
    pub tls: Vec<u32>,
    pub class: Vec<u8>,
    pub status: Vec<Option<i32>>,
    pub bytes_sent: Vec<Option<u64>>,
    pub object_size: Vec<Option<u64>>,
    pub flags: Vec<u64>,
    pub key_hash: Vec<u64>,
    pub prefix_hash: Vec<u64>,
    pub key: Texts,
    pub uri: Texts,
    pub version: Texts,
}

impl Trail {
    pub(crate) fn len(&self) -> usize {
        self.time.len()
    }

    /// The row for the next request: an unused one, or a new one.
    pub(crate) fn next_row(&self) -> u32 {
        self.free.last().copied().unwrap_or_else(|| u32::try_from(self.time.len()).unwrap_or(u32::MAX))
    }

    /// Stores a request in the row given by [`Self::next_row`], with this number of users.
    pub(crate) fn put(&mut self, row: u32, event: &Event<'_>, uses: u8) {
        let row = match self.free.last() {
            Some(free) if *free == row => {
                self.free.pop();
                row as usize
            }
            _ => self.time.len(),
        };
        put(&mut self.uses, row, uses);
        put(&mut self.time, row, event.time);
        put(&mut self.source, row, event.source);
        put(&mut self.address, row, event.address);
        put(&mut self.requester, row, event.requester);
        put(&mut self.bucket, row, event.bucket);
        put(&mut self.operation, row, event.operation);
        put(&mut self.method, row, event.method);
        put(&mut self.error, row, event.error);
        put(&mut self.agent, row, event.agent);
        put(&mut self.referer, row, event.referer);
        put(&mut self.scheme, row, event.scheme);
        put(&mut self.tls, row, event.tls);
        put(&mut self.class, row, event.class as u8);
        put(&mut self.status, row, event.status);
        put(&mut self.bytes_sent, row, event.bytes_sent);
        put(&mut self.object_size, row, event.object_size);
        put(&mut self.flags, row, event.flags.bits());
        put(&mut self.key_hash, row, event.key_hash);
        put(&mut self.prefix_hash, row, event.prefix_hash);
        self.key.put(row, event.key.map(beginning));
        match (event.path, event.query) {
            (Some(path), Some(query)) => self.uri.put(row, Some(beginning(&format!("{path}?{query}")))),
            (path, _) => self.uri.put(row, path.map(beginning)),
        }
        self.version.put(row, event.version_id.map(beginning));
    }

    /// Removes a user of a row.
    pub(crate) fn release(&mut self, row: u32) {
        if let Some(uses) = self.uses.get_mut(row as usize) {
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                self.free.push(row);
            }
        }
    }

    /// Appends a request.
    pub(crate) fn push(&mut self, event: &Event<'_>) {
        self.put(u32::MAX, event, 1);
    }

    /// Appends the rows of another partition.
    pub(crate) fn merge(&mut self, other: Self, names: &super::Renamings) {
        let add = |mine: &mut Vec<u32>, theirs: Vec<u32>, numbers: &[u32]| {
            mine.extend(theirs.into_iter().map(|number| renamed(numbers, number)));
        };
        add(&mut self.source, other.source, &names.sources);
        add(&mut self.address, other.address, &names.addresses);
        add(&mut self.requester, other.requester, &names.requesters);
        add(&mut self.bucket, other.bucket, &names.buckets);
        add(&mut self.operation, other.operation, &names.operations);
        add(&mut self.method, other.method, &names.methods);
        add(&mut self.error, other.error, &names.errors);
        add(&mut self.agent, other.agent, &names.agents);
        add(&mut self.referer, other.referer, &names.referers);
        add(&mut self.scheme, other.scheme, &names.transports);
        add(&mut self.tls, other.tls, &names.transports);
        self.free.extend(other.free.iter().map(|row| row + names.rows));
        self.uses.extend(other.uses);
        self.time.extend(other.time);
        self.class.extend(other.class);
        self.status.extend(other.status);
        self.bytes_sent.extend(other.bytes_sent);
        self.object_size.extend(other.object_size);
        self.flags.extend(other.flags);
        self.key_hash.extend(other.key_hash);
        self.prefix_hash.extend(other.prefix_hash);
        self.key.merge(&other.key);
        self.uri.merge(&other.uri);
        self.version.merge(&other.version);
    }
}

/// Stores a value in a row, which may be the next new one.
fn put<T>(column: &mut Vec<T>, row: usize, value: T) {
    match column.get_mut(row) {
        Some(old) => *old = value,
        None => column.push(value),
    }
}

/// The beginning of a text of arbitrary length.
pub(super) fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}
