//! Colours of the output.

use std::borrow::Cow;

/// Colours text, or returns it unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Names and headings.
    pub(crate) fn strong<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("1", text)
    }

    /// Less important text, such as NULL.
    pub(crate) fn faint<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("2", text)
    }

    /// The word `error`, and error locations.
    pub(crate) fn error<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("1;31", text)
    }

    /// The word `warning`.
    pub(crate) fn warning<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("1;33", text)
    }

    /// The words `hint` and `note`.
    pub(crate) fn hint<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("1;36", text)
    }

    fn paint<'a>(&self, code: &str, text: &'a str) -> Cow<'a, str> {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m").into() } else { text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_when_asked_to() {
        assert_eq!(Paint::new(false).error("error"), "error");
        assert_eq!(Paint::new(true).error("error"), "\u{1b}[1;31merror\u{1b}[0m");
        assert_eq!(Paint::new(true).strong(""), "");
    }
}
