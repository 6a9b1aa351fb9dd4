//! Columnar storage of the requests that are kept individually.

use super::Renamings;
use super::event::Event;
use super::names::renamed;
use std::borrow::Cow;

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

/// Generates [`Trail`], and what goes through all of its columns.
macro_rules! trail {
    (
        names { $($name:ident of $kind:ident,)+ }
        values { $($value:ident: $type:ty = $value_of:expr,)+ }
        texts { $($text:ident = $text_of:expr,)+ }
    ) => {
        /// Requests in columns; repeated values are numbers in [`Names`](super::names::Names).
        #[derive(Debug, Default)]
        pub(crate) struct Trail {
            /// Number of users of each row.
            uses: Vec<u8>,
            /// Rows without users.
            free: Vec<u32>,
            $(pub $name: Vec<u32>,)+
            $(pub $value: Vec<$type>,)+
            $(pub $text: Texts,)+
        }

        impl Trail {
            /// Stores a request in a row, which may be the next new one.
            fn put_event(&mut self, row: usize, event: &Event<'_>) {
                $(put(&mut self.$name, row, event.$name);)+
                $({
                    let value_of: fn(&Event<'_>) -> $type = $value_of;
                    put(&mut self.$value, row, value_of(event));
                })+
                $({
                    let text_of: for<'a> fn(&Event<'a>) -> Option<Cow<'a, str>> = $text_of;
                    self.$text.put(row, text_of(event).as_deref().map(beginning));
                })+
            }

            /// Appends the rows of another partition.
            pub(crate) fn merge(&mut self, other: Self, names: &Renamings) {
                self.uses.extend(other.uses);
                self.free.extend(other.free.into_iter().map(|row| row + names.rows));
                $(self.$name.extend(other.$name.into_iter().map(|number| renamed(&names.$kind, number)));)+
                $(self.$value.extend(other.$value);)+
                $(self.$text.merge(&other.$text);)+
            }
        }
    };
}

trail! {
    names {
        source of sources,
        address of addresses,
        requester of requesters,
        bucket of buckets,
        operation of operations,
        method of methods,
        error of errors,
        agent of agents,
        referer of referers,
        scheme of transports,
        tls of transports,
    }
    values {
        time: i64 = |event| event.time,
        class: u8 = |event| event.class as u8,
        status: Option<i32> = |event| event.status,
        bytes_sent: Option<u64> = |event| event.bytes_sent,
        object_size: Option<u64> = |event| event.object_size,
        flags: u64 = |event| event.flags.bits(),
        key_hash: u64 = |event| event.key_hash,
        prefix_hash: u64 = |event| event.prefix_hash,
    }
    texts {
        key = |event| event.key.map(Cow::Borrowed),
        uri = |event| match (event.path, event.query) {
            (Some(path), Some(query)) => Some(Cow::Owned(format!("{path}?{query}"))),
            (path, _) => path.map(Cow::Borrowed),
        },
        version = |event| event.version_id.map(Cow::Borrowed),
    }
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
        self.put_event(row, event);
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
