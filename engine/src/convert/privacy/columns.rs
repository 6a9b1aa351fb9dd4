//! Rewrites text columns, copying only what changes.

use crate::error::{Error, ErrorKind};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder, StringViewArray, StringViewBuilder, make_view,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::DataType;
use std::collections::HashMap;
use std::sync::Arc;

/// Rewrites the texts of a column, or of lists in a column. `rewrite` returns whether a text changes, and writes the
/// new text to the `String`.
///
/// If nothing changes, the same array is returned. Otherwise, the views of unchanged texts still point to the original
/// buffers, which contain the replaced texts, too. Writers of whole buffers (Arrow IPC) must copy such an array first
/// (`StringViewArray::gc`); Parquet writers only see the values.
pub(super) fn rewrite_texts(
    array: &ArrayRef,
    mut rewrite: impl FnMut(&str, &mut String) -> bool,
) -> Result<ArrayRef, Error> {
    match array.data_type() {
        DataType::Utf8View => rewrite_views(array, &mut rewrite),
        DataType::Utf8 => Ok(rewrite_plain(array, &mut rewrite)),
        DataType::List(item) => {
            let lists = array.as_list::<i32>();
            let items = match lists.values().data_type() {
                DataType::Utf8View => rewrite_views(lists.values(), &mut rewrite)?,
                DataType::Utf8 => rewrite_plain(lists.values(), &mut rewrite),
                other => return Err(no_text(other)),
            };
            if Arc::ptr_eq(&items, lists.values()) {
                return Ok(Arc::clone(array));
            }
            let lists = ListArray::try_new(Arc::clone(item), lists.offsets().clone(), items, lists.nulls().cloned())?;
            Ok(Arc::new(lists))
        }
        other => Err(no_text(other)),
    }
}

fn no_text(data_type: &DataType) -> Error {
    Error::new(ErrorKind::Internal, format!("a column of text is expected, this one is {data_type}"))
}

/// Target size of buffers for new text. Offsets in views have 32 bits.
const BUFFER: usize = 1 << 26;

fn rewrite_views(array: &ArrayRef, rewrite: &mut impl FnMut(&str, &mut String) -> bool) -> Result<ArrayRef, Error> {
    let texts = array.as_string_view();
    let mut scratch = String::new();
    let mut changed: Option<(Vec<u128>, Vec<Buffer>)> = None;
    let mut buffer = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else { continue };
        if !rewrite(text, &mut scratch) {
            continue;
        }
        let (views, buffers) = changed.get_or_insert_with(|| (texts.views().to_vec(), texts.data_buffers().to_vec()));
        if buffer.len() + scratch.len() > BUFFER {
            buffers.push(Buffer::from_vec(std::mem::take(&mut buffer)));
        }
        views[row] = make_view(scratch.as_bytes(), buffers.len() as u32, buffer.len() as u32);
        // Short texts are stored in their views.
        if scratch.len() > 12 {
            buffer.extend_from_slice(scratch.as_bytes());
        }
    }
    let Some((views, mut buffers)) = changed else { return Ok(Arc::clone(array)) };
    if !buffer.is_empty() {
        buffers.push(Buffer::from_vec(buffer));
    }
    Ok(Arc::new(StringViewArray::try_new(ScalarBuffer::from(views), buffers, texts.nulls().cloned())?))
}

fn rewrite_plain(array: &ArrayRef, rewrite: &mut impl FnMut(&str, &mut String) -> bool) -> ArrayRef {
    let texts: &StringArray = array.as_string();
    let mut scratch = String::new();
    let mut changed: Option<StringBuilder> = None;
    for (row, text) in texts.iter().enumerate() {
        let is_new = text.is_some_and(|text| rewrite(text, &mut scratch));
        if is_new && changed.is_none() {
            let mut builder = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
            texts.iter().take(row).for_each(|text| builder.append_option(text));
            changed = Some(builder);
        }
        if let Some(builder) = &mut changed {
            builder.append_option(if is_new { Some(scratch.as_str()) } else { text });
        }
    }
    match changed {
        Some(mut builder) => Arc::new(builder.finish()),
        None => Arc::clone(array),
    }
}

/// Maps the texts of a column, calling `map` once per distinct text. `None` becomes NULL.
pub(super) fn map_texts(array: &ArrayRef, map: impl FnMut(&str) -> Option<String>) -> Result<ArrayRef, Error> {
    match array.data_type() {
        DataType::Utf8View => {
            let (mapped, rows) = distinct(array.as_string_view().iter(), map);
            let mut builder = StringViewBuilder::with_capacity(rows.len());
            let mut block = Vec::new();
            let mut places = Vec::with_capacity(mapped.len());
            for text in &mapped {
                let text = text.as_deref().unwrap_or_default();
                places.push((block.len() as u32, text.len() as u32));
                block.extend_from_slice(text.as_bytes());
            }
            let block = builder.append_block(Buffer::from_vec(block));
            for row in rows {
                match mapped[row as usize] {
                    Some(_) => {
                        let (start, len) = places[row as usize];
                        builder.try_append_view(block, start, len)?;
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::Utf8 => {
            let (mapped, rows) = distinct(array.as_string::<i32>().iter(), map);
            let texts = rows.into_iter().map(|row| mapped[row as usize].as_deref());
            Ok(Arc::new(texts.collect::<StringArray>()))
        }
        other => Err(no_text(other)),
    }
}

/// The mapped distinct texts, and the index of each row into them. Index 0 is NULL.
fn distinct<'a>(
    texts: impl ExactSizeIterator<Item = Option<&'a str>>,
    mut map: impl FnMut(&str) -> Option<String>,
) -> (Vec<Option<String>>, Vec<u32>) {
    let mut mapped = vec![None];
    let mut rows = Vec::with_capacity(texts.len());
    let mut known: HashMap<&str, u32> = HashMap::new();
    // Neighbours are often equal, which saves a lookup.
    let mut last = (None, 0);
    for text in texts {
        if text != last.0 {
            let position = text.map_or(0, |text| {
                *known.entry(text).or_insert_with(|| {
                    mapped.push(map(text));
                    mapped.len() as u32 - 1
                })
            });
            last = (text, position);
        }
        rows.push(last.1);
    }
    (mapped, rows)
}
