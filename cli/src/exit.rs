//! Exit codes of the process.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Success; also when the reader of a pipe closed it.
    Done,
    Failed,
    /// Invalid command line; nothing was read.
    Usage,
    /// Finished with an incomplete answer: objects could not be read, held no record, or held more rejects than
    /// allowed.
    Incomplete,
    /// `flag --fail-on` found an address.
    Found,
    /// Interrupted by Ctrl-C or a termination signal.
    Interrupted,
}

impl Exit {
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
