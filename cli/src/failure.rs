//! Why a command did not finish, in words for people.

use std::io;

use s3log_engine::ErrorKind;

use crate::exit::Exit;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something that has to be said.
    Report(Box<Report>),
    /// The reader of standard output went away. That is success: it has what it wanted.
    ClosedPipe,
    /// Ctrl-C.
    Interrupted,
}

/// An error for people: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong, without a full stop.
    pub message: String,
    /// The place, as lines to print under the message.
    pub place: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of the work itself.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::report(Exit::Failed, message.into())
    }

    /// A failure of the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::report(Exit::Usage, message.into())
    }

    /// A failure to write results. A closed pipe is told from a full disk.
    pub(crate) fn from_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            io::ErrorKind::StorageFull => Self::failed("cannot write the result: the disk is full")
                .with_hint("free some space, or write elsewhere with `-o`"),
            _ => Self::failed(format!("cannot write the result: {error}")),
        }
    }

    /// The same with advice.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.hint = Some(hint.into());
        }
        self
    }

    /// The same with the place of the error.
    #[must_use]
    pub(crate) fn with_place(mut self, place: Option<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.place = place;
        }
        self
    }

    /// How the process ends.
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
