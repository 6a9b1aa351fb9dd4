//! `s3log functions`: the SQL functions that s3log adds.

use std::io::Write as _;

use arrow::array::{ArrayRef, RecordBatch};
use s3log_engine::functions::{FunctionDoc, docs};

use super::Surroundings;
use crate::args::FunctionsArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Paint, Shape, batch, texts, wrap};

/// Prints one row per function: `group, name, signature, meaning, example, result`. On a terminal, where that would be
/// too wide, prints a page of text.
///
/// # Errors
///
/// When the output cannot be written.
pub(crate) fn run(arguments: &FunctionsArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let functions = docs();
    let mut output = Output::open(arguments.output.destination.file(), surroundings.output(&arguments.output))?;
    match output.prose_width() {
        Some(width) => {
            let page = page(&functions, width, output.paint());
            output.sink().write_all(page.as_bytes()).map_err(Failure::from_output)?;
        }
        None => output.print(Shape::Prose, &rows(&functions)?)?,
    }
    output.commit()?;
    Ok(Exit::Done)
}

fn rows(functions: &[&FunctionDoc]) -> Result<RecordBatch, Failure> {
    let column =
        |text: fn(&FunctionDoc) -> &'static str| -> ArrayRef { texts(functions.iter().map(|function| text(function))) };
    batch([
        ("group", column(|function| function.group)),
        ("name", column(|function| function.name)),
        ("signature", column(|function| function.signature)),
        ("meaning", column(|function| function.description)),
        ("example", column(|function| function.example_sql)),
        ("result", column(|function| function.example_result)),
    ])
}

fn page(functions: &[&FunctionDoc], width: usize, paint: Paint) -> String {
    const INDENT: &str = "    ";
    let mut page = String::new();
    let mut group = "";
    for function in functions {
        if function.group != group {
            group = function.group;
            page.push_str(&format!("{}\n\n", paint.hint(group)));
        }
        page.push_str(&format!("  {}\n", paint.strong(function.signature)));
        for line in wrap(function.description, width.saturating_sub(INDENT.len()).max(20)) {
            page.push_str(&format!("{INDENT}{line}\n"));
        }
        let example = format!("{} = {}", function.example_sql, function.example_result);
        page.push_str(&format!("{INDENT}{}\n\n", paint.faint(&example)));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_function_with_its_example() {
        let functions = docs();
        let page = page(&functions, 100, Paint::default());
        for function in &functions {
            assert!(page.contains(function.signature) && page.contains(function.example_sql), "{}", function.name);
        }
    }
}
