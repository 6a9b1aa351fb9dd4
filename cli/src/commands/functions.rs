//! `s3log functions`: the SQL functions that s3log adds.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use s3log_engine::functions::{FunctionDoc, docs};

use super::Surroundings;
use crate::args::FunctionsArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Shape};

/// Prints one row a function: `name, signature, meaning, example, result`.
///
/// # Errors
///
/// When the output can't be written.
pub(crate) fn run(arguments: &FunctionsArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let functions = docs();
    let texts = |text: fn(&FunctionDoc) -> &'static str| -> ArrayRef {
        Arc::new(functions.iter().map(|function| Some(text(function))).collect::<StringArray>())
    };
    let batch = RecordBatch::try_from_iter([
        ("name", texts(|function| function.name)),
        ("signature", texts(|function| function.signature)),
        ("meaning", texts(|function| function.description)),
        ("example", texts(|function| function.example_sql)),
        ("result", texts(|function| function.example_result)),
    ]);
    let batch = batch.map_err(|error| Failure::failed(format!("internal error: {error}")))?;
    let mut output = Output::open(arguments.output.output.as_deref(), surroundings.output(&arguments.output))?;
    output.print(Shape::Prose, &batch)?;
    output.commit()?;
    Ok(Exit::Done)
}
