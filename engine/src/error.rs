//! The error type of the engine.

use std::fmt;

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no log object at the source.
    NotFound,
    /// A log object could not be read completely.
    Unreadable,
    /// Access was denied, or the credentials are not valid.
    Denied,
    /// A log object must be restored from an archive before it can be read.
    Archived,
    /// A file or an object could not be written.
    Unwritable,
    /// Another process is doing this already, or did it first.
    Conflict,
    /// The operation was told to stop.
    Interrupted,
    /// The request is not supported here.
    Unsupported,
    /// The request itself is wrong, whatever the logs hold. No log object was read.
    Argument,
    /// A source, file, option or name is malformed.
    Invalid,
    /// A bug, or an unexpected error of a library.
    Internal,
}

#[cfg(feature = "cluster")]
impl ErrorKind {
    const ALL: [Self; 11] = [
        Self::NotFound,
        Self::Unreadable,
        Self::Denied,
        Self::Archived,
        Self::Unwritable,
        Self::Conflict,
        Self::Interrupted,
        Self::Unsupported,
        Self::Argument,
        Self::Invalid,
        Self::Internal,
    ];

    /// The kind with this name in the `Debug` form of errors.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| format!("{kind:?}") == name)
    }
}

/// An error of the engine: what went wrong, in which object, and what to do about it.
///
/// DataFusion carries it as `DataFusionError::External`; [`Error::find`] gets it back.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    object: Option<String>,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{object}: {}", self.message)?,
            None => f.write_str(&self.message)?,
        }
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// Creates an error without object, hint and source.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), object: None, hint: None, source: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An [`ErrorKind::Argument`] error.
    #[cfg(feature = "datafusion")]
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    /// Appends a note to the message.
    #[cfg(feature = "datafusion")]
    pub(crate) fn with_note(mut self, note: impl fmt::Display) -> Self {
        self.message = format!("{}; {note}", self.message);
        self
    }

    #[cfg(feature = "datafusion")]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Names the log object or source that the error is about.
    #[must_use]
    pub fn in_object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Adds a hint: what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the underlying cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The log object or source that the error is about.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same error once more, for one that is shared: kind, text and hint, with object and source in the text.
    #[cfg(feature = "datafusion")]
    pub(crate) fn repeated(&self) -> Self {
        Self { hint: self.hint.clone(), ..Self::new(self.kind, self.to_string()) }
    }

    /// Why a query failed: the engine's own error if the DataFusion error contains one, else `message` with
    /// DataFusion's error as its source.
    #[cfg(feature = "datafusion")]
    pub(crate) fn of_query(error: datafusion::error::DataFusionError, message: &str) -> Self {
        match Self::find(&error) {
            Some(ours) => ours.repeated(),
            None => Self::new(ErrorKind::Internal, message).with_source(error),
        }
    }

    /// The engine's error inside a DataFusion error, if there is one.
    #[cfg(feature = "datafusion")]
    #[must_use]
    pub fn find(error: &datafusion::error::DataFusionError) -> Option<&Self> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            if let Some(datafusion::error::DataFusionError::External(inner)) = error.downcast_ref()
                && let Some(found) = inner.downcast_ref::<Self>()
            {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::new(ErrorKind::Internal, "arrays do not fit together").with_source(error)
    }
}

#[cfg(feature = "datafusion")]
impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_and_where() {
        let cause = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "permission denied");
        let error = Error::new(ErrorKind::Unreadable, "cannot be read").in_object("logs/a").with_source(cause);
        assert_eq!(error.to_string(), "logs/a: cannot be read: permission denied");
        assert_eq!(error.hint(), None);
    }

    #[cfg(feature = "datafusion")]
    #[test]
    fn it_is_found_inside_datafusions_errors() {
        use datafusion::error::DataFusionError;
        let inner = DataFusionError::from(Error::invalid("no such thing"));
        let shared = DataFusionError::Shared(std::sync::Arc::new(inner.context("while planning")));
        assert_eq!(Error::find(&shared).map(Error::kind), Some(ErrorKind::Invalid));
        let error = Error::invalid("no such thing").in_object("logs/a").with_hint("try another");
        let again = Error::of_query(error.into(), "the query failed");
        assert_eq!((again.to_string().as_str(), again.hint()), ("logs/a: no such thing", Some("try another")));
        assert!(Error::find(&DataFusionError::Plan("x".to_owned())).is_none());
    }
}
