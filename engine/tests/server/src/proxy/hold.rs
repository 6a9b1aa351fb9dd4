//! Holds requests until a test has done something in the meantime.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The moment at which a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the server has seen it.
    Before,
    /// After the server has handled it, before the response.
    After,
}

/// Holds requests of a [`Proxy`](crate::Proxy) until they are released, or this is dropped. A held request keeps
/// waiting even if its client is killed: it is in transit, and may arrive unexpectedly.
#[derive(Debug)]
pub struct Hold(pub(super) Arc<Gate>);

impl Hold {
    /// Waits until `requests` have been held in total; false on timeout.
    #[must_use]
    pub fn wait_for(&self, requests: usize, patience: Duration) -> bool {
        let begin = Instant::now();
        let mut held = self.0.held.lock().unwrap();
        while *held < requests {
            let Some(left) = patience.checked_sub(begin.elapsed()) else { return false };
            held = self.0.changed.wait_timeout(held, left).unwrap().0;
        }
        true
    }

    /// Total number of requests held so far.
    #[must_use]
    pub fn held(&self) -> usize {
        *self.0.held.lock().unwrap()
    }

    /// Releases held requests; no more are held from now on.
    pub fn release(&self) {
        self.0.verdict.send_replace(Verdict::Go);
    }

    /// Drops held requests, and those that would be held from now on: their connections are reset, and requests that
    /// the server has not seen never reach it.
    pub fn lose(&self) {
        self.0.verdict.send_replace(Verdict::Lost);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.verdict.send_if_modified(|verdict| {
            let waits = *verdict == Verdict::Wait;
            if waits {
                *verdict = Verdict::Go;
            }
            waits
        });
    }
}

/// The gate at which requests wait.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) moment: Moment,
    held: Mutex<usize>,
    changed: Condvar,
    verdict: watch::Sender<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Wait,
    Go,
    Lost,
}

impl Gate {
    pub(super) fn new(moment: Moment) -> Self {
        let verdict = watch::Sender::new(Verdict::Wait);
        Self { moment, held: Mutex::default(), changed: Condvar::new(), verdict }
    }

    /// Waits, and returns whether the request may continue.
    pub(super) async fn pass(&self) -> bool {
        let mut verdict = self.verdict.subscribe();
        *self.held.lock().unwrap() += 1;
        self.changed.notify_all();
        match verdict.wait_for(|verdict| *verdict != Verdict::Wait).await {
            Ok(verdict) => *verdict == Verdict::Go,
            Err(_) => true,
        }
    }
}
