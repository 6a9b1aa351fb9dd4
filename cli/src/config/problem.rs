//! What is wrong in a configuration file.

use std::path::Path;

use crate::failure::Failure;

/// Something wrong at a byte of the file: what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    byte: usize,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// Something wrong at this byte.
    pub(super) fn new(byte: usize, message: impl Into<String>) -> Self {
        Self { byte, message: message.into(), hint: None }
    }

    /// The same, with what to do about it, if anything is known.
    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// The same, which is so for one command.
    pub(super) fn of_command(mut self, command: &[String]) -> Self {
        self.message.push_str(&format!(" (s3log {})", command.join(" ")));
        self
    }

    /// As a failure, with the file and the line.
    pub(super) fn in_file(self, file: &Path, text: &str) -> Failure {
        let above = text.bytes().take(self.byte).filter(|byte| *byte == b'\n').count();
        let failure = Failure::usage(format!("{}:{}: {}", file.display(), above + 1, self.message));
        match self.hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}
