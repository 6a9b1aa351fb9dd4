//! Tests of the parser against a slow, obvious reference, hand-written expectations and laws.
//!
//! `reference` follows the rules of the format one by one and shares no code with the parser. `cases` are lines with
//! hand-written expectations, which both must meet; `lines_of` generates lines that nobody would think of, and `laws`
//! says what must hold for them. `corpus` reads real logs where they are at hand. `cdn` has all of this for CDN logs.

mod cases;
mod cdn;
mod corpus;
mod dialects;
mod laws;
mod lines_of;
mod parsed;
mod reference;
