//! Requests that wait until a test has done what it wants to do meanwhile.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Where a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server has not seen it.
    Before,
    /// The server has done what it asks for, and the answer waits.
    After,
}

/// Holds the requests that a [`Proxy`](crate::Proxy) was told to hold, until they are let go or it is dropped. A request
/// that waits does so even if its client is killed meanwhile: it is on its way, and may arrive when nobody expects it.
#[derive(Debug)]
pub struct Hold(pub(super) Arc<Gate>);

impl Hold {
    /// Waits until so many requests have been held since the beginning; false if they have not after that long.
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

    /// How many requests have been held since the beginning.
    #[must_use]
    pub fn held(&self) -> usize {
        *self.0.held.lock().unwrap()
    }

    /// Lets go of what waits; nothing waits from now on.
    pub fn release(&self) {
        self.0.verdict.send_replace(Verdict::Go);
    }

    /// What waits, and what would from now on, is lost: the connection is reset, and the server never sees what it has not
    /// seen yet.
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

/// What a request meets at its moment.
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

    /// Waits, and says whether the request goes on.
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
