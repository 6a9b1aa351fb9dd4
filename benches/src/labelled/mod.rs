//! Labelled logs: some days of an account's logs, with a label for each address that tells whether it is an
//! attacker's.
//!
//! They are used to judge detection. Benign populations are made to look as suspicious as real ones do, and attacks
//! range from loud to barely visible. Parameters such as names, sizes, permissions and counts are derived from the
//! seed.
//!
//! - [`write()`] generates logs, labels and context files; start there.
//! - [`judge`] compares findings with the labels.
//!
//! Addresses are from networks without real users: 240.0.0.0/4 for people and servers, 198.18.0.0/15 for offices and
//! the CDN, 100.64.0.0/10 for carriers, and 2001:db8::/32. Only crawlers have addresses from the published ranges of
//! real ones.

mod agents;
mod benign;
mod cast;
mod delivery;
mod hostile;
pub mod judge;
mod scene;
mod world;

use std::io;
use std::path::Path;

use crate::calendar::midnight;
use scene::Scene;

/// Options of the generated logs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seed; the same seed gives the same bytes.
    pub seed: u64,
    /// Number of days, at least one.
    pub days: u64,
    /// Scales population sizes and numbers of campaigns; 1 gives some 200,000 lines in three days.
    pub scale: f64,
    /// Omits all attacks.
    pub benign_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, days: 3, scale: 1.0, benign_only: false }
    }
}

/// Size of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of lines in all log objects.
    pub lines: usize,
    /// Number of sources labelled benign.
    pub benign: usize,
    /// Number of sources labelled as attackers.
    pub attack: usize,
}

/// Writes `logs/`, `labels.tsv` and `context/` under `folder`. Existing log objects are removed.
///
/// # Errors
///
/// Fails if the folder cannot be written.
pub fn write(options: &Options, folder: &Path) -> io::Result<Written> {
    let mut scene = Scene::new(options.seed, midnight(2026, 3, 2), options.days.max(1), options.scale);
    let crowds = benign::all(&mut scene);
    if !options.benign_only {
        hostile::all(&mut scene, &crowds);
    }
    let context = delivery::context(&mut scene, &benign::PUBLISHED);
    delivery::write(&mut scene, &context, folder)?;
    let seen = scene.cast.sources.iter().filter(|source| source.lines > 0);
    let (attack, benign): (Vec<_>, Vec<_>) = seen.partition(|source| source.attack);
    Ok(Written { lines: scene.events.len(), benign: benign.len(), attack: attack.len() })
}
