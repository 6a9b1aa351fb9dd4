//! Converts batches to types that every reader of Parquet and Arrow knows.
//! Internally, text is views into whole blocks of a log object. Written as such, the blocks would be written as well,
//! and readers from a few years ago do not know the type. Dictionaries are unpacked, because an Arrow file cannot
//! replace one midway. Intervals become text: they cannot be written as Parquet, and few readers know those of Arrow.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::arrow_error;

/// The schema with portable types only.
pub(crate) fn portable_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().zip(distinct_names(schema));
    let fields = fields.map(|(field, name)| portable_field(&named(field, name))).collect::<Vec<_>>();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The names of columns, made distinct by `_1`, `_2`: readers of JSON keep one of several members with the same name,
/// and some readers of Parquet refuse the file.
pub(super) fn distinct_names(schema: &Schema) -> Vec<String> {
    let mut taken: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut used = HashSet::new();
    let distinct = schema.fields().iter().map(|field| {
        let mut name = field.name().clone();
        let mut number = 0;
        while !used.insert(name.clone()) {
            while taken.contains(&name) {
                number += 1;
                name = format!("{}_{number}", field.name());
            }
            taken.insert(name.clone());
        }
        name
    });
    distinct.collect()
}

fn named(field: &FieldRef, name: String) -> FieldRef {
    if field.name() == &name { Arc::clone(field) } else { Arc::new(field.as_ref().clone().with_name(name)) }
}

/// Converts a batch to [`portable_schema`].
///
/// # Errors
///
/// When Arrow cannot convert a column, for example more than 2 GiB of text in one batch.
pub(crate) fn portable_batch(batch: &RecordBatch, schema: &SchemaRef) -> io::Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = columns.and_then(|columns| RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options));
    batch.map_err(arrow_error)
}

fn portable_field(field: &FieldRef) -> FieldRef {
    let data_type = portable_type(field.data_type());
    if &data_type == field.data_type() {
        return Arc::clone(field);
    }
    let portable = Field::new(field.name(), data_type, field.is_nullable());
    Arc::new(portable.with_metadata(field.metadata().clone()))
}

fn portable_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::Interval(_) => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => portable_type(values),
        DataType::List(item) | DataType::ListView(item) => DataType::List(portable_field(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(portable_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(portable_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(portable_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(portable_field(entries), *sorted),
        other => other.clone(),
    }
}
