//! Tables over log objects: listing of sources, table providers, and naming in SQL.

mod external;
mod listing;
mod provider;
mod refused;
mod sieve;
mod sources;
mod union;
mod walk;

pub use crate::scan::TimeRange;
pub use external::{LogTableFactory, STORED_AS, TABLE_FUNCTION};
pub(crate) use listing::Listed;
pub use listing::Listing;
pub(crate) use listing::expanded;
pub(crate) use listing::{FullNames, name_in_ledger};
pub use provider::LogTable;
pub(crate) use refused::RefusedTable;
pub(crate) use union::UnionTable;
