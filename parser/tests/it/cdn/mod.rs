//! The same for CDN logs: a slow reference, lines that are generated, laws, tables of cases, real logs.

mod cases;
mod corpus;
mod laws;
mod lines_of;
pub(crate) mod parsed;
pub(crate) mod reference;
