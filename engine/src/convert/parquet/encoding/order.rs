//! The order of page bounds for the column index.

use parquet::basic::BoundaryOrder;

/// Observes the bounds of pages one by one, except those of pages without values.
#[derive(Debug)]
pub(in crate::convert::parquet) struct Order<T> {
    last: Option<(T, T)>,
    is_ascending: bool,
    is_descending: bool,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { last: None, is_ascending: true, is_descending: true }
    }
}

impl<T: PartialOrd> Order<T> {
    pub(in crate::convert::parquet) fn add(&mut self, least: T, greatest: T) {
        if let Some((last_least, last_greatest)) = &self.last {
            self.is_ascending &= *last_least <= least && *last_greatest <= greatest;
            self.is_descending &= *last_least >= least && *last_greatest >= greatest;
        }
        self.last = Some((least, greatest));
    }

    pub(in crate::convert::parquet) fn get(&self) -> BoundaryOrder {
        match (self.is_ascending, self.is_descending) {
            (true, _) => BoundaryOrder::ASCENDING,
            (false, true) => BoundaryOrder::DESCENDING,
            (false, false) => BoundaryOrder::UNORDERED,
        }
    }
}
