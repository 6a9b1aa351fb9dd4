//! Errors in a configuration file.

use std::path::Path;

use crate::failure::Failure;

/// An error at a byte offset of the file, with a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    byte: usize,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// An error at this byte offset.
    pub(super) fn new(byte: usize, message: impl Into<String>) -> Self {
        Self { byte, message: message.into(), hint: None }
    }

    /// Adds a hint, if there is one.
    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Adds the command that the error applies to.
    pub(super) fn of_command(mut self, command: &[String]) -> Self {
        self.message.push_str(&format!(" (s3log {})", command.join(" ")));
        self
    }

    /// The error as a failure with file and line.
    pub(super) fn in_file(self, file: &Path, text: &str) -> Failure {
        let above = text.bytes().take(self.byte).filter(|byte| *byte == b'\n').count();
        let failure = Failure::usage(format!("{}:{}: {}", file.display(), above + 1, self.message));
        match self.hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}
