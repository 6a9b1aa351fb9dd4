//! The innocent: populations that mean no harm, many of which look as if they did.

mod devices;
mod machines;
mod robots;
mod staff;
mod visitors;

use super::scene::{Scene, Who};

pub(super) use robots::PUBLISHED;
pub(super) use visitors::visit;

/// Servers and lines that carry many people at once, for attackers to hide behind.
#[derive(Debug)]
pub(super) struct Crowds {
    pub(super) cdn: Vec<Who>,
    pub(super) mobile: Vec<Who>,
    pub(super) offices: Vec<Who>,
}

/// All of them.
pub(super) fn all(scene: &mut Scene) -> Crowds {
    let crowds = visitors::all(scene);
    robots::all(scene);
    devices::all(scene);
    machines::all(scene);
    staff::all(scene);
    crowds
}
