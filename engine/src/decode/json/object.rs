//! One JSON object: its names, and its values as text.

use crate::decode::span::Span;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write};

/// The names and values of an object, in order; used again for the next.
#[derive(Debug, Default)]
pub(super) struct Found {
    keys: String,
    key_ends: Vec<usize>,
    values: Vec<Span>,
}

impl Found {
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let starts = [0].into_iter().chain(self.key_ends.iter().copied());
        starts.zip(&self.key_ends).map(|(start, end)| &self.keys[start..*end])
    }

    /// A value that is `null`, or no text and no number, is absent.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, Span)> {
        self.keys().zip(self.values.iter().copied())
    }
}

/// Reads an object, and nothing behind it; the texts of its values are appended to `text`.
pub(super) fn read_object<'de, R: serde_json::de::Read<'de>>(
    deserializer: &mut serde_json::Deserializer<R>,
    text: &mut Vec<u8>,
    found: &mut Found,
) -> Result<(), serde_json::Error> {
    found.keys.clear();
    found.key_ends.clear();
    found.values.clear();
    deserializer.deserialize_map(Object { text, found })?;
    deserializer.end()
}

struct Object<'a> {
    text: &'a mut Vec<u8>,
    found: &'a mut Found,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Key(&mut self.found.keys))?.is_some() {
            self.found.key_ends.push(self.found.keys.len());
            let span = map.next_value_seed(Value(self.text))?;
            self.found.values.push(span);
        }
        Ok(())
    }
}

struct Key<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        self.0.push_str(key);
        Ok(())
    }
}

struct Value<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Span;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Bytes that text is appended to.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Value<'_> {
    fn write(self, value: fmt::Arguments<'_>) -> Span {
        let start = self.0.len() as u32;
        // Writing into a vector cannot fail.
        let _ = Bytes(self.0).write_fmt(value);
        Span { start, end: self.0.len() as u32 }
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Span, E> {
        let start = self.0.len() as u32;
        self.0.extend_from_slice(value.as_bytes());
        Ok(Span { start, end: self.0.len() as u32 })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Span, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Span, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Span, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Span, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_unit<E: Error>(self) -> Result<Span, E> {
        Ok(Span::ABSENT)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Span, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Span::ABSENT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Span, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Span::ABSENT)
    }
}
