//! The counterpart for CDN logs: reference, generators, properties, cases and real logs.

mod cases;
mod corpus;
mod laws;
mod lines_of;
pub(crate) mod parsed;
pub(crate) mod reference;
