//! Colours of what is printed.

use std::borrow::Cow;

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    /// Paints when `colour` is true.
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Names and headings.
    pub(crate) fn strong<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("1", text)
    }

    /// What matters less, such as NULL.
    pub(crate) fn faint<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.paint("2", text)
    }

    /// The word `error`, and the place of it.
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
