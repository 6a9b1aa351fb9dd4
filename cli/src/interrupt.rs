//! Handles Ctrl-C and termination signals.

use std::future::Future;
use std::io;

use crate::failure::Failure;

/// Runs `work` to completion, or returns `None` if the process is told to stop. Unfinished work is dropped, which
/// cancels it and removes its temporary files.
///
/// # Errors
///
/// If signal handlers cannot be installed.
pub(crate) async fn until_interrupted<T>(work: impl Future<Output = T>) -> Result<Option<T>, Failure> {
    tokio::select! {
        biased;
        signal = interrupted() => match signal {
            Ok(()) => Ok(None),
            Err(error) => Err(Failure::failed(format!("cannot listen for signals: {error}"))),
        },
        done = work => Ok(Some(done)),
    }
}

#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
