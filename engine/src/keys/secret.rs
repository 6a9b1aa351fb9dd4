//! Text that must not be printed: API tokens and secret keys.

use std::fmt;

/// A secret text. Neither `Debug` nor `Display` reveals it.
///
/// ```
/// let token = s3log_engine::keys::Secret::new("dop_v1_example");
/// assert_eq!(format!("{token} {token:?}"), "… Secret(…)");
/// assert_eq!(token.reveal(), "dop_v1_example");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text as a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for sending it or writing it where it belongs.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Replaces all occurrences of this secret in `text`, since servers may echo what they were sent.
    pub(super) fn taken_out_of(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "…") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
