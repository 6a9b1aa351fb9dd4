//! The schema of the files, with documentation of the columns.

use crate::schema::{LogsColumn, Table, TextLayout};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use std::collections::HashMap;
use std::sync::Arc;

/// The schema of a table in files. Text is `Utf8`, since not every reader supports views. The field id is the position
/// of a column, starting with 1, which does not change as tables grow.
pub(super) fn file_schema(table: Table) -> SchemaRef {
    let fields = table.columns(TextLayout::Plain).into_iter().zip(1..).map(|(column, id)| {
        let mut description = column.doc.to_owned();
        if table == Table::Logs && column.name == LogsColumn::ObjectKey.name() {
            description.push(' ');
            description.push_str(SAME_AS_KEY);
        }
        let known = [
            (PARQUET_FIELD_ID_META_KEY, u32::to_string(&id)),
            ("description", description),
            ("unit", column.unit.to_owned()),
            ("aws_title", column.title.to_owned()),
        ];
        let known = known.into_iter().filter(|(_, value)| !value.is_empty());
        let metadata: HashMap<_, _> = known.map(|(name, value)| (name.to_owned(), value)).collect();
        ArrowField::new(column.name, column.data_type, column.nullable).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

const SAME_AS_KEY: &str = "NULL where it is the same as `key`: use coalesce(object_key, key).";
