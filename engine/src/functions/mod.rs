//! SQL functions for what stands in a log record: request-URIs, addresses, requesters, operations, user agents.
//!
//! All of them are total: whatever a client wrote into a request, a row never fails. A value that is not there is
//! NULL, and NULL in is NULL out. An argument that the author of a query got wrong (a network that is none, a part
//! number below 1) is an error when it is a constant, and NULL when it comes from a column.
//!
//! Start at [`register`]; [`docs`] is the same list as data, each with an example that the tests run. A function of
//! text to text is a row function in `text_function`'s frame; all else is its own type. This module may use DataFusion
//! and Arrow, not tables or sessions.

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

/// What a person reads about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionDoc {
    /// The heading that it is listed under, such as `Request-URI`.
    pub group: &'static str,
    /// Its name in SQL.
    pub name: &'static str,
    /// Name, arguments and result type: `uri_param(request_uri, name) -> text`.
    pub signature: &'static str,
    /// What it returns and when that is NULL, in Markdown: the first sentence stands alone in a list.
    pub description: &'static str,
    /// Name and meaning of each argument, in order.
    pub arguments: &'static [(&'static str, &'static str)],
    /// A statement that needs no table and returns one row of one column.
    pub example_sql: &'static str,
    /// What the example returns, as CSV output prints it.
    pub example_result: &'static str,
}

impl FunctionDoc {
    /// The same text in DataFusion's form.
    fn documentation(&self) -> Documentation {
        let section = DocSection { include: true, label: self.group, description: None };
        let example = format!("```sql\n> {};\n{}\n```", self.example_sql, self.example_result);
        let builder = Documentation::builder(section, self.description, self.signature).with_sql_example(example);
        self.arguments.iter().fold(builder, |builder, (name, meaning)| builder.with_argument(*name, *meaning)).build()
    }
}

/// A function and what is told of it.
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

/// Every function, in the order of [`docs`].
#[must_use]
pub fn all() -> Vec<Arc<ScalarUDF>> {
    catalogue().map(|function| Arc::new(function.udf)).collect()
}

/// What there is to read about every function, groups together.
#[must_use]
pub fn docs() -> Vec<&'static FunctionDoc> {
    catalogue().map(|function| function.doc).collect()
}

/// Makes every function known to a session, and its `date_trunc` faster over times in UTC.
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
/// When the registry takes no functions; a `SessionContext` and a `SessionState` do.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in all() {
        registry.register_udf(function)?;
    }
    // Sessions without DataFusion's own functions have none to make faster.
    if let Ok(date_trunc) = registry.udf("date_trunc") {
        registry.register_udf(Arc::new(date_trunc::over_utc(&date_trunc)))?;
    }
    Ok(())
}
