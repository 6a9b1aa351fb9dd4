//! Memory pool for queries: operators that can spill share it fairly, and leave a part for those that cannot.
//!
//! Sorts of several partitions may hold their full share when the merge above them asks for its first rows. The merge
//! cannot spill, so without a reserve the query would fail for lack of a few megabytes.

use datafusion::common::Result as DataFusionResult;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Upper limit of the reserve for each partition's merge: rows read ahead and rows being written.
const LEFT_A_PARTITION: usize = 64 << 20;

/// The reserve is at most this fraction (one in `PART_LEFT`) of the memory limit.
const PART_LEFT: usize = 4;

/// A [`FairSpillPool`] with a reserve that only consumers that cannot spill may use.
#[derive(Debug)]
pub(super) struct LeavingPool {
    pool: Arc<dyn MemoryPool>,
    /// The unused part of the reserve.
    left: Mutex<MemoryReservation>,
    most_left: usize,
}

impl LeavingPool {
    /// A pool of `limit` bytes, for sorts of this many partitions.
    pub(super) fn new(limit: usize, partitions: usize) -> Self {
        let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(limit));
        let most_left = (limit / PART_LEFT).min(LEFT_A_PARTITION.saturating_mul(partitions));
        let left = MemoryConsumer::new("left to what cannot spill").register(&pool);
        left.grow(most_left);
        Self { pool, left: Mutex::new(left), most_left }
    }

    fn left(&self) -> MutexGuard<'_, MemoryReservation> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for LeavingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, of which {} bytes are left to what cannot spill", self.pool, self.most_left)
    }
}

impl MemoryPool for LeavingPool {
    fn name(&self) -> &'static str {
        "leaving"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let left = self.left();
        self.pool.shrink(reservation, shrink);
        // Refill the reserve first.
        left.grow(shrink.min(self.most_left - left.size()));
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionResult<()> {
        let grown = self.pool.try_grow(reservation, additional);
        if grown.is_ok() || reservation.consumer().can_spill() {
            return grown;
        }
        let left = self.left();
        let taken = left.size().min(additional);
        left.shrink(taken);
        let grown = self.pool.try_grow(reservation, additional);
        if grown.is_err() {
            left.grow(taken);
        }
        grown
    }

    fn reserved(&self) -> usize {
        let left = self.left();
        self.pool.reserved().saturating_sub(left.size())
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_spill_has_something_left() {
        let pool: Arc<dyn MemoryPool> = Arc::new(LeavingPool::new(1000, 2));
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        let merge = MemoryConsumer::new("merge").register(&pool);
        assert!(sort.try_grow(751).is_err(), "a quarter is left");
        sort.try_grow(750).unwrap();
        merge.try_grow(200).unwrap();
        assert_eq!(pool.reserved(), 950);
        assert!(merge.try_grow(51).is_err(), "there is no more");
        merge.try_grow(50).unwrap();
        assert_eq!(pool.reserved(), 1000);
        // Freed memory refills the reserve.
        merge.free();
        assert!(sort.try_grow(1).is_err());
        sort.free();
        assert_eq!(pool.reserved(), 0);
        merge.try_grow(1000).unwrap();
        assert!(sort.try_grow(1).is_err());
        drop(merge);
        sort.try_grow(750).unwrap();
        assert!(sort.try_grow(1).is_err());
        assert!(matches!(pool.memory_limit(), MemoryLimit::Finite(1000)));
    }

    #[test]
    fn of_much_memory_little_is_left() {
        let pool: Arc<dyn MemoryPool> = Arc::new(LeavingPool::new(8 << 30, 2));
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        sort.try_grow((8 << 30) - 2 * LEFT_A_PARTITION).unwrap();
        assert!(sort.try_grow(1).is_err());
    }
}
