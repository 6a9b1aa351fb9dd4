//! Reads one JSON object as names and values.

use crate::decode::span::Span;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write};

/// The value of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// A string, number or boolean: span of its text in the output.
    Plain(Span),
    /// An array or object: span in the JSON source, including brackets.
    Nested(Span),
}

/// The names and values of an object in order. Reused for the next object.
#[derive(Debug, Default)]
pub(super) struct Found {
    keys: String,
    key_ends: Vec<usize>,
    values: Vec<Value>,
}

impl Found {
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let starts = [0].into_iter().chain(self.key_ends.iter().copied());
        starts.zip(&self.key_ends).map(|(start, end)| &self.keys[start..*end])
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, Value)> {
        self.keys().zip(self.values.iter().copied())
    }
}

/// Parses an object that spans all of `json`, and appends the text of its plain values to `text`.
pub(super) fn read_object(json: &str, text: &mut Vec<u8>, found: &mut Found) -> Result<(), serde_json::Error> {
    found.keys.clear();
    found.key_ends.clear();
    found.values.clear();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Object { text, found })?;
    deserializer.end()?;
    place_nested(json.as_bytes(), found);
    Ok(())
}

/// Finds the spans of nested values, which the deserializer does not report. Most records have none, and are then not
/// scanned again. The JSON is already known to be well formed, so only brackets and strings need to be recognised.
fn place_nested(json: &[u8], found: &mut Found) {
    let mut nested = found.values.iter_mut().filter(|value| matches!(value, Value::Nested(_)));
    let mut next = nested.next();
    let (mut at, mut depth, mut start) = (0, 0_usize, 0);
    while let (Some(value), Some(byte)) = (&mut next, json.get(at)) {
        match byte {
            b'"' => at += quoted_len(&json[at..]) - 1,
            b'{' | b'[' => {
                if depth == 1 {
                    start = at;
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    **value = Value::Nested(Span { start: start as u32, end: at as u32 + 1 });
                    next = nested.next();
                }
            }
            _ => {}
        }
        at += 1;
    }
    debug_assert!(next.is_none(), "the deserializer found as many nested values as brackets open below the first");
}

/// Length of the JSON string at the start of `json`, including both quotes.
fn quoted_len(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        // Skip the escaped character.
        at += 1;
    }
    json.len()
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
            let value = map.next_value_seed(Text(self.text))?;
            self.found.values.push(value);
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

struct Text<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A writer that appends to a byte vector.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Text<'_> {
    fn write(self, value: fmt::Arguments<'_>) -> Value {
        let start = self.0.len() as u32;
        // Writing into a vector cannot fail.
        let _ = Bytes(self.0).write_fmt(value);
        Value::Plain(Span { start, end: self.0.len() as u32 })
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        let start = self.0.len() as u32;
        self.0.extend_from_slice(value.as_bytes());
        Ok(Value::Plain(Span { start, end: self.0.len() as u32 }))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(self.write(format_args!("{value}")))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    // The span is filled in once the whole object is read.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nested(Span::ABSENT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nested(Span::ABSENT))
    }
}
