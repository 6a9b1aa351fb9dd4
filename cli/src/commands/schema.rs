//! `s3log schema`: the columns of the tables.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use s3log_engine::schema::{ColumnDoc, TableDoc, tables};

use super::Surroundings;
use crate::args::{OutputArgs, SchemaArgs};
use crate::diagnose::did_you_mean;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Shape, batch, optional_texts, texts};

/// Prints all tables, or one.
///
/// # Errors
///
/// When there is no such table, or the output cannot be written.
pub(crate) fn run(arguments: &SchemaArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let mut tables = tables();
    tables.push(s3log_engine::detect::findings_table::doc());
    if let Some(name) = &arguments.table {
        only(&mut tables, name)?;
    }
    print(&tables, arguments.table.is_none(), &arguments.output, surroundings)
}

/// Removes all tables but one.
///
/// # Errors
///
/// When there is no such table.
pub(super) fn only(tables: &mut Vec<TableDoc>, name: &str) -> Result<(), Failure> {
    let names: Vec<&'static str> = tables.iter().map(|table| table.name).collect();
    tables.retain(|table| table.name.eq_ignore_ascii_case(name));
    if !tables.is_empty() {
        return Ok(());
    }
    let hint = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| format!("tables: {}", names.join(", ")));
    Err(Failure::usage(format!("no table `{name}`")).with_hint(hint))
}

/// Prints the columns of tables.
///
/// # Errors
///
/// When the output cannot be written.
pub(super) fn print(
    tables: &[TableDoc],
    named: bool,
    arguments: &OutputArgs,
    surroundings: Surroundings,
) -> Result<Exit, Failure> {
    let mut output = Output::open(arguments.destination.file(), surroundings.output(arguments))?;
    output.print(Shape::Prose, &describe(tables, named)?)?;
    output.commit()?;
    Ok(Exit::Done)
}

/// One row per column: `table` if there may be several, then `column, type, unit, meaning, example`.
fn describe(tables: &[TableDoc], named: bool) -> Result<RecordBatch, Failure> {
    let columns = || tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let texts_if_any = |text: fn(&ColumnDoc) -> &'static str| -> ArrayRef {
        optional_texts(columns().map(|(_, column)| Some(text(column)).filter(|text| !text.is_empty())))
    };
    let table = named.then(|| ("table", texts(columns().map(|(table, _)| table.name))));
    batch(table.into_iter().chain([
        ("column", texts(columns().map(|(_, column)| column.name))),
        ("type", texts(columns().map(|(_, column)| column_type(&column.data_type, column.nullable)))),
        ("unit", texts_if_any(|column| column.unit)),
        ("meaning", texts(columns().map(|(_, column)| column.doc))),
        ("example", texts_if_any(|column| column.example)),
    ]))
}

/// One row per column of any table: `column, type`.
pub(super) fn columns(schema: &Schema) -> Result<RecordBatch, Failure> {
    let names = schema.fields().iter().map(|field| field.name());
    let types = schema.fields().iter().map(|field| column_type(field.data_type(), field.is_nullable()));
    batch([("column", texts(names)), ("type", texts(types))])
}

fn column_type(data_type: &DataType, nullable: bool) -> String {
    let name = type_name(data_type);
    if nullable { name } else { format!("{name} not null") }
}

/// The SQL name of a type, such as `bigint` or `text[]`.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytes".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => format!("{}[]", type_name(item.data_type())),
        DataType::Dictionary(_, values) => type_name(values),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn types_have_names_of_sql() {
        let text = Field::new_list_field(DataType::Utf8View, true);
        assert_eq!(type_name(&DataType::List(Arc::new(text))), "text[]");
        assert_eq!(type_name(&DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))), "timestamp");
        assert_eq!(type_name(&DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))), "text");
    }
}
