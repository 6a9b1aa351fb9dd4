//! x

mod functions;
