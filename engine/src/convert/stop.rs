//! How a conversion is told to stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::watch;

/// Tells a conversion to stop, from anywhere.
#[derive(Clone, Debug)]
pub struct Stop {
    /// No further log object is begun.
    soon: Arc<AtomicBool>,
    /// What is not committed is taken back.
    now: watch::Sender<bool>,
}

impl Stop {
    /// One that goes on until it is told.
    #[must_use]
    pub fn new() -> Self {
        Self { soon: Arc::default(), now: watch::Sender::new(false) }
    }

    /// What was begun is read to the end of its log object and committed; then there is an end.
    pub fn soon(&self) {
        self.soon.store(true, Relaxed);
    }

    /// What is not committed is taken back; its log objects are converted another time.
    pub fn now(&self) {
        self.soon();
        self.now.send_replace(true);
    }

    /// Whether no further batch is to begin.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.soon.load(Relaxed)
    }

    /// Whether it was told to stop at once.
    #[must_use]
    pub fn is_now(&self) -> bool {
        *self.now.borrow()
    }

    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.soon)
    }

    /// Waits until it is told to stop at once.
    pub async fn told_now(&self) {
        // The sender lives as long as this.
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
