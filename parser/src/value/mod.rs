//! Decoders for the text of a field.

pub mod key;
pub mod number;
pub mod operation;
pub mod request_uri;
pub mod requester;
pub mod time;
