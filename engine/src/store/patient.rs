//! Timeouts on inactivity.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind, HttpResponseBody};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The store was inactive for too long.
#[derive(Debug, thiserror::Error)]
pub(super) enum TooSlow {
    #[error("the store sent nothing for {} s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("the store did not take {sent} bytes within {} s: the connection is too slow", .within.as_secs_f32())]
    Sending { sent: u64, within: Duration },
}

impl TooSlow {
    /// The error for a request with a body of `sent` bytes.
    pub(super) fn sending(self, sent: u64) -> Self {
        match self {
            Self::Silent(within) if sent > 0 => Self::Sending { sent, within },
            other => other,
        }
    }
}

impl From<TooSlow> for HttpError {
    fn from(error: TooSlow) -> Self {
        Self::new(HttpErrorKind::Timeout, error)
    }
}

/// Fails if `work` takes longer than `patience`.
pub(super) async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, TooSlow> {
    tokio::time::timeout(patience, work).await.map_err(|_| TooSlow::Silent(patience))
}

/// A body that fails if the next frame does not arrive within `patience`.
#[derive(Debug)]
pub(super) struct Patient {
    body: HttpResponseBody,
    patience: Duration,
    /// Set while waiting for a frame.
    until: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(super) fn new(body: HttpResponseBody, patience: Duration) -> Self {
        Self { body, patience, until: None }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.until = None;
            return Poll::Ready(frame);
        }
        let until = this.until.get_or_insert_with(|| Box::pin(sleep(this.patience)));
        ready!(until.as_mut().poll(context));
        Poll::Ready(Some(Err(TooSlow::Silent(this.patience).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
