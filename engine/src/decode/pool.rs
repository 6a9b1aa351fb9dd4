//! A pool of reusable buffers.
//!
//! Fresh memory costs a page fault every 4 KiB, more than parsing what is read into it. The buffer of a block returns
//! to its pool when the last array that points into it is dropped.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// A pool of buffers of one size. Clones share the pool.
#[derive(Clone, Debug)]
pub struct BufferPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    size: usize,
    free: Mutex<Vec<Vec<u8>>>,
}

/// Maximum number of free buffers kept; a pipeline that retains many batches returns many at once.
const KEPT: usize = 8;

impl BufferPool {
    /// Creates a pool of buffers of `size` bytes, at least 1.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { shared: Arc::new(Shared { size: size.max(1), free: Mutex::default() }) }
    }

    /// Size of a buffer in bytes.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.shared.size
    }

    /// Takes a buffer. All bytes are initialised, with arbitrary contents.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_else(|| vec![0; self.shared.size])
    }

    /// Returns a buffer that is no longer shared.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        self.shared.give_back(buffer);
    }

    /// Shares the first `len` bytes of a buffer; the buffer returns to the pool when the last reference is dropped.
    pub(crate) fn share(&self, buffer: Vec<u8>, len: usize) -> Bytes {
        let lent = Lent { buffer, len, pool: Arc::clone(&self.shared) };
        Bytes::from_owner(lent)
    }
}

impl Shared {
    fn give_back(&self, buffer: Vec<u8>) {
        // A buffer that grew for a long line would make every later block that large.
        if buffer.len() != self.size {
            return;
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(buffer);
        }
    }
}

struct Lent {
    buffer: Vec<u8>,
    len: usize,
    pool: Arc<Shared>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.pool.give_back(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_when_the_last_share_is_dropped() {
        let pool = BufferPool::new(8);
        let mut buffer = pool.take();
        buffer[..5].copy_from_slice(b"hello");
        let shared = pool.share(buffer, 5);
        let slice = shared.slice(1..3);
        drop(shared);
        assert_eq!(pool.shared.free.lock().unwrap().len(), 0);
        assert_eq!(&slice[..], b"el");
        drop(slice);
        assert_eq!(pool.shared.free.lock().unwrap().len(), 1);
        assert_eq!(&pool.take()[..5], b"hello", "it is the same buffer");
    }

    #[test]
    fn grown_buffers_are_freed() {
        let pool = BufferPool::new(8);
        drop(pool.share(vec![0; 9], 9));
        assert_eq!(pool.shared.free.lock().unwrap().len(), 0);
    }
}
