//! Handles Ctrl-C and signals that end the process.
//!
//! A thread of its own listens for them: a runtime notices signals only when one of its threads has nothing else to do,
//! and a query can keep all of them busy for minutes.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::failure::Failure;

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// Ctrl-C: stop what is being done.
    Interrupt,
    /// End: SIGTERM, or SIGHUP when the terminal is gone.
    End,
}

/// The last signal received; `None` at first.
type Received = watch::Receiver<Option<Signal>>;

/// Runs `work` to completion, or returns `None` if the process is told to stop. Unfinished work is dropped, which
/// cancels it and removes its temporary files.
///
/// # Errors
///
/// If signal handlers cannot be installed.
pub(crate) async fn until_interrupted<T>(work: impl Future<Output = T>) -> Result<Option<T>, Failure> {
    let mut received = received().map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
    // Only signals from now on.
    received.mark_unchanged();
    tokio::select! {
        biased;
        // The thread that sends them never ends.
        _ = received.changed() => Ok(None),
        done = work => Ok(Some(done)),
    }
}

/// Whether the last signal tells the process to end, and not only to stop what it is doing.
pub(crate) fn is_told_to_end() -> bool {
    received().is_ok_and(|received| *received.borrow() == Some(Signal::End))
}

/// Starts to listen when called for the first time.
fn received() -> io::Result<Received> {
    static RECEIVED: Mutex<Option<Received>> = Mutex::new(None);
    let mut known = RECEIVED.lock().unwrap_or_else(PoisonError::into_inner);
    if known.is_none() {
        *known = Some(listen()?);
    }
    known.clone().ok_or_else(|| io::ErrorKind::Other.into())
}

fn listen() -> io::Result<Received> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::new()?
    };
    let (sender, receiver) = watch::channel(None);
    let forward = async move {
        while let Some(signal) = signals.next().await {
            sender.send_replace(Some(signal));
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(forward))?;
    Ok(receiver)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// Absent if the process was told to ignore it, as by `nohup`.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) -> Option<Signal> {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = self.interrupt.recv() => signal.map(|()| Signal::Interrupt),
            signal = self.terminate.recv() => signal.map(|()| Signal::End),
            signal = hangup => signal.map(|()| Signal::End),
        }
    }
}

/// Whether SIGHUP is ignored. Where that cannot be read, it is left alone.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return true };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Option<Signal> {
        tokio::signal::ctrl_c().await.ok().map(|()| Signal::Interrupt)
    }
}
