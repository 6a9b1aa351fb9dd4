//! Benign populations, many of which look suspicious.

mod devices;
mod machines;
mod robots;
mod staff;
mod visitors;

use super::scene::{Scene, Who};

pub(super) use robots::PUBLISHED;
pub(super) use visitors::visit;

/// Addresses shared by many people, in which attackers can hide.
#[derive(Debug)]
pub(super) struct Crowds {
    pub(super) cdn: Vec<Who>,
    pub(super) mobile: Vec<Who>,
    pub(super) offices: Vec<Who>,
}

/// Generates all benign populations.
pub(super) fn all(scene: &mut Scene) -> Crowds {
    let crowds = visitors::all(scene);
    robots::all(scene);
    devices::all(scene);
    machines::all(scene);
    staff::all(scene);
    crowds
}
