//! What the process tells its caller by its exit code.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; also when the reader of a pipe went away.
    Done,
    /// Failed.
    Failed,
    /// The command line was wrong; nothing was read.
    Usage,
    /// Finished and answered, but not from everything: objects could not be read, held no record, or held more rejects
    /// than allowed.
    Incomplete,
    /// `flag --fail-on` found something.
    Found,
    /// Interrupted by Ctrl-C or a request to end.
    Interrupted,
}

impl Exit {
    /// The number for the caller.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Found => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
