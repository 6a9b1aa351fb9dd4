//! Labelled logs: what an account's buckets see in a few days, and of every address whether it was an attacker's.
//!
//! They judge what finds attackers in logs. So innocent populations are made to look bad where real ones do, and attacks reach from
//! loud to hardly there. Parameters follow from the seed: names, sizes, who may list what, how many there are of each.
//!
//! - [`write()`] makes logs, labels and context files: start there.
//! - [`judge`] compares findings with the labels.
//!
//! Addresses are of networks that nobody uses: 240.0.0.0/4 for people and servers, 198.18.0.0/15 for offices and the CDN, 100.64.0.0/10
//! for carriers, 2001:db8::/32; and the published ranges of real crawlers for those crawlers.

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

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// How many days; at least one.
    pub days: u64,
    /// How large populations are, and how many campaigns there are; 1 gives some 200,000 lines in three days.
    pub scale: f64,
    /// Without any attack.
    pub benign_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, days: 3, scale: 1.0, benign_only: false }
    }
}

/// How much was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Lines of all log objects.
    pub lines: usize,
    /// Sources that are labelled innocent.
    pub benign: usize,
    /// Sources that are labelled hostile.
    pub attack: usize,
}

/// Writes `logs/`, `labels.tsv` and `context/` under `folder`. Log objects that stand there already are removed.
///
/// # Errors
///
/// If the folder cannot be written.
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
