//! `s3log keys list`.

use std::sync::Arc;

use arrow::array::{ListArray, RecordBatch, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use s3log_engine::keys::{Key, KeyFilter, Permission};

use super::Account;
use crate::args::KeysListArgs;
use crate::commands::Surroundings;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output, Shape, batch, optional_texts, texts};

/// Prints the keys of the account.
///
/// # Errors
///
/// When the keys cannot be listed, or the output cannot be written.
pub(super) async fn run(arguments: &KeysListArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let account = Account::open(&arguments.api, surroundings)?;
    let mut output = Output::open(arguments.output.destination.file(), surroundings.output(&arguments.output))?;
    let filter = KeyFilter {
        name: arguments.name.clone(),
        bucket: arguments.bucket.clone(),
        permission: arguments.permission.clone().map(Permission::from),
    };
    let keys = account.api.keys_with(&filter).await?;
    let of_people = matches!(output.format(), Format::Table | Format::Markdown);
    let batch = if of_people { lines(&keys)? } else { rows(&keys).map_err(Failure::internal)? };
    output.print(if of_people { Shape::Prose } else { Shape::Rows }, &batch)?;
    output.commit()?;
    if keys.is_empty() {
        let which = if filter == KeyFilter::default() { "the account has no keys" } else { "no matching keys" };
        surroundings.messages.note(which);
    }
    Ok(account.exit())
}

/// One row per key, with its grants as a list.
fn rows(keys: &[Key]) -> Result<RecordBatch, ArrowError> {
    let grants = || keys.iter().flat_map(|key| &key.grants);
    let fields: Fields = ["bucket", "permission"].map(|name| Field::new(name, DataType::Utf8, false)).to_vec().into();
    let columns =
        vec![texts(grants().map(|grant| &grant.bucket)), texts(grants().map(|grant| grant.permission.as_str()))];
    let grants = StructArray::try_new_with_length(fields.clone(), columns, None, grants().count())?;
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields), false));
    let offsets = OffsetBuffer::from_lengths(keys.iter().map(|key| key.grants.len()));
    RecordBatch::try_from_iter_with_nullable([
        ("name", texts(keys.iter().map(|key| &key.name)), false),
        ("access_key", texts(keys.iter().map(|key| &key.access_key)), false),
        ("created_at", optional_texts(keys.iter().map(|key| key.created_at.as_deref())), true),
        ("grants", Arc::new(ListArray::try_new(item, offsets, Arc::new(grants), None)?), false),
    ])
}

/// One row per grant; the columns of the key are only filled in its first row.
fn lines(keys: &[Key]) -> Result<RecordBatch, Failure> {
    let mut lines: Vec<[&str; 5]> = Vec::new();
    for key in keys {
        let first = [key.name.as_str(), key.access_key.as_str(), key.created_at.as_deref().unwrap_or_default()];
        if key.grants.is_empty() {
            let [name, id, created] = first;
            lines.push([name, id, created, "", "none"]);
        }
        for (at, grant) in key.grants.iter().enumerate() {
            let [name, id, created] = if at == 0 { first } else { [""; 3] };
            let is_full = grant.permission == Permission::FullAccess && grant.bucket.is_empty();
            let bucket = if is_full { "(all buckets)" } else { grant.bucket.as_str() };
            lines.push([name, id, created, bucket, grant.permission.as_str()]);
        }
    }
    let names = ["name", "access_key", "created_at", "bucket", "permission"];
    batch(names.into_iter().enumerate().map(|(at, name)| (name, texts(lines.iter().map(|line| line[at])))))
}
