//! `s3log keys operations`: which permissions each operation needs.

use arrow::array::ArrayRef;
use s3log_engine::keys::{Action, Operation, Resource};

use crate::args::KeysOperationsArgs;
use crate::commands::Surroundings;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Shape, batch, texts};

/// Prints the table that audits are based on.
///
/// # Errors
///
/// When the output cannot be written.
pub(super) fn run(arguments: &KeysOperationsArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let mut output = Output::open(arguments.output.destination.file(), surroundings.output(&arguments.output))?;
    let column = |value: fn(&Operation) -> String| -> ArrayRef { texts(Operation::ALL.iter().map(value)) };
    let batch = batch([
        ("operation", column(|operation| operation.api.to_owned())),
        ("in_logs", column(Operation::log_names)),
        ("kind", column(|operation| operation.kind.as_str().to_owned())),
        ("actions", column(|operation| actions(operation, |action| action.name))),
        ("actions_of_version", column(|operation| actions(operation, |action| action.of_version))),
        ("resource", column(|operation| resource(operation.resource).to_owned())),
        ("spaces_permission", column(|operation| operation.spaces_permission().to_string())),
    ])?;
    output.print(Shape::Prose, &batch)?;
    output.commit()?;
    Ok(Exit::Done)
}

fn actions(operation: &Operation, name: fn(&Action) -> &'static str) -> String {
    operation.actions.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn resource(resource: Resource) -> &'static str {
    match resource {
        Resource::Object => "object",
        Resource::Bucket => "bucket",
        Resource::Account => "account",
    }
}
