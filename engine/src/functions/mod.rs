//! SQL functions for the contents of log records: request-URIs, addresses, requesters, operations, user agents.
//!
//! All functions are total: no value that a client wrote can make a row fail. Missing values are NULL, and NULL
//! arguments give NULL. An invalid argument by the author of the query (a malformed network, a part number below 1) is
//! an error if it is a constant, and gives NULL if it comes from a column.
//!
//! Start at [`register`]; [`docs`] lists all functions, each with an example that the tests run. Functions from text to
//! text are row functions wrapped by `text_function`; all others implement `ScalarUDFImpl` themselves. This module may
//! use DataFusion and Arrow, but not tables or sessions.

mod date_trunc;
mod ip;
mod operation;
mod percent;
mod requester;
mod text_function;
mod uri;
mod user_agent;

pub(crate) use ip::networks::parse_network;
pub(crate) use user_agent::family as user_agent_family;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{DocSection, Documentation, ScalarUDF};
use std::sync::Arc;

/// Documentation of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionDoc {
    /// The heading it is listed under, such as `Request-URI`.
    pub group: &'static str,
    /// The function's name in SQL.
    pub name: &'static str,
    /// Name, arguments and result type: `uri_param(request_uri, name) -> text`.
    pub signature: &'static str,
    /// The result, and when it is NULL, in Markdown. The first sentence can stand alone.
    pub description: &'static str,
    /// Name and description of each argument, in order.
    pub arguments: &'static [(&'static str, &'static str)],
    /// A statement without a table that returns one row with one column.
    pub example_sql: &'static str,
    /// The result of the example, as in CSV output.
    pub example_result: &'static str,
}

impl FunctionDoc {
    /// The documentation in DataFusion's form.
    fn documentation(&self) -> Documentation {
        let section = DocSection { include: true, label: self.group, description: None };
        let example = format!("```sql\n> {};\n{}\n```", self.example_sql, self.example_result);
        let builder = Documentation::builder(section, self.description, self.signature).with_sql_example(example);
        self.arguments.iter().fold(builder, |builder, (name, meaning)| builder.with_argument(*name, *meaning)).build()
    }
}

/// A function with its documentation.
struct Documented {
    doc: &'static FunctionDoc,
    udf: ScalarUDF,
}

fn catalogue() -> impl Iterator<Item = Documented> {
    uri::functions()
        .into_iter()
        .chain(percent::functions())
        .chain(ip::functions())
        .chain(requester::functions())
        .chain(operation::functions())
        .chain(user_agent::functions())
}

/// All functions, in the order of [`docs`].
#[must_use]
pub fn all() -> Vec<Arc<ScalarUDF>> {
    catalogue().map(|function| Arc::new(function.udf)).collect()
}

/// The documentation of all functions, sorted by group.
#[must_use]
pub fn docs() -> Vec<&'static FunctionDoc> {
    catalogue().map(|function| function.doc).collect()
}

/// Registers all functions in a session, and replaces `date_trunc` by a version that is faster for timestamps in UTC.
///
/// ```
/// use datafusion::prelude::SessionContext;
///
/// let mut session = SessionContext::new();
/// s3log_engine::functions::register(&mut session)?;
/// assert!(session.state().scalar_functions().contains_key("ip_in_cidr"));
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
///
/// # Errors
///
/// Fails if the registry does not accept functions; `SessionContext` and `SessionState` do.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in all() {
        registry.register_udf(function)?;
    }
    // The session may have been created without DataFusion's default functions.
    if let Ok(date_trunc) = registry.udf("date_trunc") {
        registry.register_udf(Arc::new(date_trunc::over_utc(&date_trunc)))?;
    }
    Ok(())
}
