//! Why a command did not finish, with everything needed to report it.

use std::fmt::Display;
use std::io;

use s3log_engine::ErrorKind;

use crate::exit::Exit;

#[derive(Debug)]
pub(crate) enum Failure {
    /// An error to report.
    Report(Box<Report>),
    /// The reader of standard output closed the pipe. This counts as success.
    ClosedPipe,
    /// Interrupted by Ctrl-C or a termination signal.
    Interrupted,
}

/// An error message for users: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong, without a full stop.
    pub message: String,
    /// The location, as lines to print below the message.
    pub place: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// An error while doing the work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::report(Exit::Failed, message.into())
    }

    /// An error in the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::report(Exit::Usage, message.into())
    }

    /// A bug.
    pub(crate) fn internal(error: impl Display) -> Self {
        Self::failed(format!("internal error: {error}"))
    }

    /// An error while writing results. Distinguishes a closed pipe from real errors such as a full disk.
    pub(crate) fn from_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            io::ErrorKind::StorageFull => Self::failed("cannot write the result: the disk is full")
                .with_hint("free some space, or write elsewhere with `-o`"),
            _ => Self::failed(format!("cannot write the result: {error}")),
        }
    }

    /// Adds advice.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.hint = Some(hint.into());
        }
        self
    }

    /// Adds the location of the error.
    #[must_use]
    pub(crate) fn with_place(mut self, place: Option<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.place = place;
        }
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Report(report) => report.exit,
            Self::ClosedPipe => Exit::Done,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    fn report(exit: Exit, message: String) -> Self {
        Self::Report(Box::new(Report { exit, message, place: None, hint: None }))
    }
}

impl From<s3log_engine::Error> for Failure {
    fn from(error: s3log_engine::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&s3log_engine::Error> for Failure {
    fn from(error: &s3log_engine::Error) -> Self {
        let exit = if error.kind() == ErrorKind::Argument { Exit::Usage } else { Exit::Failed };
        let failure = Self::report(exit, error.to_string());
        match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_wrongly_is_an_error_of_the_command_line() {
        let failure = |kind| Failure::from(s3log_engine::Error::new(kind, "x"));
        assert_eq!(failure(ErrorKind::Argument).exit(), Exit::Usage);
        assert_eq!(failure(ErrorKind::Invalid).exit(), Exit::Failed);
    }

    #[test]
    fn a_closed_pipe_is_success() {
        assert_eq!(Failure::from_output(io::ErrorKind::BrokenPipe.into()).exit(), Exit::Done);
        assert_eq!(Failure::from_output(io::ErrorKind::StorageFull.into()).exit(), Exit::Failed);
        assert_eq!(Failure::from_output(io::Error::other("x")).exit(), Exit::Failed);
    }
}
