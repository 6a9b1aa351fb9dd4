//! Tests of the parser against a slow reference, hand-written expectations and properties.
//!
//! `reference` implements the rules of the format one by one and shares no code with the parser. `cases` are lines
//! with hand-written expectations, which both must meet. `lines_of` generates lines, and `laws` states the properties
//! that hold for them. `corpus` reads real logs if they are available. `cdn` has the counterparts for CDN logs.

mod cases;
mod cdn;
mod corpus;
mod dialects;
mod laws;
mod lines_of;
mod parsed;
mod reference;
