//! Cost and flooding attacks, and listed addresses that do little.

use std::rc::Rc;

use super::words::list;
use super::{Campaign, Loudness, sources};
use crate::labelled::agents;
use crate::labelled::benign::visit;
use crate::labelled::scene::{Ask, Scene};
use crate::labelled::world::{ASSETS, MEDIA, OPEN, SITE};

/// Denial of wallet: large objects are downloaded repeatedly, or started and dropped, to cause costs.
pub(super) fn wallet(scene: &mut Scene, campaign: &Campaign) {
    let (number, each, gap) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(100, 300), 8),
        Loudness::Medium => (1, scene.random.between(10, 24), 60),
        Loudness::Slow => (1, scene.random.between(5, 8), 9_000),
        Loudness::Distributed => (scene.random.between(5, 9), scene.random.between(4, 8), 300),
    };
    let world = Rc::clone(&scene.world);
    let key = world.pick(&mut scene.random, MEDIA, "mp4/", false);
    let size = world.buckets[MEDIA].size(&key).unwrap_or(1 << 26);
    let aborted = scene.random.chance(400);
    let start = scene.time_for((each * gap / 2) as i64, 0);
    for base in sources(scene, campaign, number) {
        let agent = if scene.random.chance(500) {
            agents::desktop(&mut scene.random)
        } else {
            (*scene.random.pick(&agents::SCRIPTS)).to_owned()
        };
        let who = base.with_agent(agent);
        let mut time = start + scene.random.below(gap) as i64;
        for _ in 0..each {
            let sent = if aborted { scene.random.between(70_000, size / 8) } else { size };
            scene.read(&who, time, Ask { sent, ..Ask::of(MEDIA, "REST.GET.OBJECT", &key) });
            time += scene.random.below(gap + 1) as i64;
        }
    }
}

/// Cache busting: a new query each time, so that no cache helps.
pub(super) fn cache_buster(scene: &mut Scene, campaign: &Campaign) {
    let each =
        if campaign.loudness == Loudness::Loud { scene.random.between(80, 250) } else { scene.random.between(10, 20) };
    let world = Rc::clone(&scene.world);
    for base in sources(scene, campaign, 1) {
        let agent = agents::desktop(&mut scene.random);
        let who = base.with_agent(agent);
        let key = world.pick(&mut scene.random, MEDIA, "episodes/", false);
        let mut time = scene.time_for(each as i64 * 5, 0);
        for _ in 0..each {
            let query = scene.random.between(1_000_000, 999_999_999).to_string();
            scene.read(&who, time, Ask { query: &query, ..Ask::of(MEDIA, "REST.GET.OBJECT", &key) });
            time += scene.random.below(5) as i64;
        }
    }
}

pub(super) fn flood(scene: &mut Scene, campaign: &Campaign) {
    let (number, each, minutes) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(1_500, 3_500), 2),
        Loudness::Medium => (1, scene.random.between(300, 600), 3),
        _ => (scene.random.between(6, 10), scene.random.between(90, 160), 2),
    };
    let start = scene.time_for(600, 0);
    let fails = scene.random.chance(500);
    let missing = list(scene.random.below(4), 8);
    for base in sources(scene, campaign, number) {
        let agent =
            if scene.random.chance(500) { agents::desktop(&mut scene.random) } else { "Go-http-client/1.1".into() };
        let who = base.with_agent(agent);
        for _ in 0..each {
            let time = start + scene.random.below(minutes * 60) as i64;
            if fails {
                let key = scene.random.pick(&missing).clone();
                scene.get(&who, time, ASSETS, &key);
            } else {
                scene.list(&who, time, OPEN, "list-type=2&prefix=");
            }
        }
    }
}

/// Addresses on threat lists that behave like ordinary visitors.
pub(super) fn listed(scene: &mut Scene, campaign: &Campaign) {
    let number = if campaign.loudness == Loudness::Slow { 2 } else { scene.random.between(4, 7) };
    for base in sources(scene, campaign, number) {
        let agent = agents::desktop(&mut scene.random);
        let who = base.with_agent(agent);
        let time = scene.by_day();
        if scene.random.chance(500) {
            visit(scene, &who, time, 2);
        } else {
            scene.get(&who, time, SITE, "index.html");
            scene.get(&who, time + 30, SITE, "robots.txt");
        }
    }
}
