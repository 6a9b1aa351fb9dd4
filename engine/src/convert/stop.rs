//! Stopping a conversion.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::watch;

/// Stops a conversion or a compaction. Clones share their state.
#[derive(Clone, Debug)]
pub struct Stop {
    /// No further log object is begun.
    soon: Arc<AtomicBool>,
    /// What is not committed is taken back.
    now: watch::Sender<bool>,
}

impl Stop {
    /// A handle that has not been triggered.
    #[must_use]
    pub fn new() -> Self {
        Self { soon: Arc::default(), now: watch::Sender::new(false) }
    }

    /// Stops soon: log objects being read are read to their end and committed.
    pub fn soon(&self) {
        self.soon.store(true, Relaxed);
    }

    /// Stops immediately: what is not committed is taken back, and its log objects are converted by another run.
    pub fn now(&self) {
        self.soon();
        self.now.send_replace(true);
    }

    /// Whether [`Stop::soon`] or [`Stop::now`] was called: no further batch is to begin.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.soon.load(Relaxed)
    }

    /// Whether [`Stop::now`] was called.
    #[must_use]
    pub fn is_now(&self) -> bool {
        *self.now.borrow()
    }

    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.soon)
    }

    /// Waits until [`Stop::now`] is called.
    pub async fn told_now(&self) {
        // The sender lives as long as `self`.
        let mut now = self.now.subscribe();
        if now.wait_for(|now| *now).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
