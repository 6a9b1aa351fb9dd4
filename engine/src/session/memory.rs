//! Memory of queries: what can spill shares it fairly, and leaves some for what cannot.
//!
//! Sorts of several partitions hold all that they may have when the merge behind them asks for its first rows. It cannot spill, and the
//! query would fail though nothing but a few megabytes are missing.

use datafusion::common::Result as DataFusionResult;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most that is left for each partition's merge: the rows that it has read ahead, and those that it writes.
const LEFT_A_PARTITION: usize = 64 << 20;

/// Of the memory, at most one part in so many is left.
const PART_LEFT: usize = 4;

/// A pool like [`FairSpillPool`], of which consumers that can spill leave a part to those that cannot.
#[derive(Debug)]
pub(super) struct LeavingPool {
    pool: Arc<dyn MemoryPool>,
    /// What is left to those that cannot spill, as long as they have not asked for it.
    left: Mutex<MemoryReservation>,
    most_left: usize,
}

impl LeavingPool {
    /// Of so many bytes, for sorts of so many partitions.
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
        // What was taken of it comes back first.
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
        // What comes back is left again.
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
