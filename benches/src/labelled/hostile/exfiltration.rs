//! Exfiltration: in bulk, by listing, by number, in order, and by insiders.

use std::rc::Rc;

use super::{Campaign, Loudness, sources};
use crate::labelled::agents;
use crate::labelled::cast::Net;
use crate::labelled::scene::{Ask, Scene, Who};
use crate::labelled::world::{ASSETS, DOCS, EXPORTS, LAKE, MEDIA, OPEN, hex};

fn tool(scene: &mut Scene, base: &Who) -> Who {
    let machine = scene.random.bits();
    let agent = match scene.random.below(5) {
        0 => agents::aws_cli(&mut scene.random, machine, "s3.cp"),
        1 => agents::boto3(&mut scene.random, machine),
        2 => "python-requests/2.31.0".into(),
        3 => "Wget/1.21.4".into(),
        _ => agents::desktop(&mut scene.random),
    };
    base.with_agent(agent)
}

/// Reads everything from a known list of objects, in random order.
pub(super) fn bulk(scene: &mut Scene, campaign: &Campaign) {
    let whole = scene.days * 86_400;
    let (number, each, gap) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(400, 900), 2),
        Loudness::Medium => (1, scene.random.between(80, 160), 20),
        Loudness::Slow => (1, scene.random.between(40, 80), whole / 60),
        Loudness::Distributed => (scene.random.between(4, 7), scene.random.between(25, 60), 40),
    };
    let bucket = *scene.random.pick(&[DOCS, EXPORTS]);
    let world = Rc::clone(&scene.world);
    let start = scene.time_for((each * gap / 2) as i64, 0);
    for base in sources(scene, campaign, number) {
        let who = tool(scene, &base);
        let mut time = start + scene.random.below(600) as i64;
        for _ in 0..each {
            let key = world.pick(&mut scene.random, bucket, "", false);
            scene.get(&who, time, bucket, &key);
            time += scene.random.below(gap + 1) as i64;
        }
    }
}

/// An authorised user reads far more than usual.
pub(super) fn insider(scene: &mut Scene, campaign: &Campaign) {
    let number = match campaign.loudness {
        Loudness::Loud => scene.random.between(900, 1_800),
        Loudness::Medium => scene.random.between(300, 500),
        _ => scene.random.between(100, 180),
    };
    let requester = scene.world.user(&format!("clerk-{}", campaign.id.to_lowercase()));
    let machine = scene.random.bits();
    let world = Rc::clone(&scene.world);
    let base = scene.hostile(Net::Office, campaign).signing(&requester);
    // Usual behaviour: some files a day, from the same machine.
    for day in 0..scene.days as i64 {
        let mut time = scene.start + day * 86_400 + 30_000 + scene.random.below(3_000) as i64;
        for _ in 0..scene.random.between(6, 25) {
            let agent = agents::aws_cli(&mut scene.random, machine, "s3.cp");
            let key = world.pick(&mut scene.random, LAKE, "", true);
            scene.get(&base.with_agent(agent), time, LAKE, &key);
            time += scene.random.between(20, 900) as i64;
        }
    }
    let last = scene.days.saturating_sub(1) as i64;
    let mut time = scene.start + last * 86_400 + scene.random.between(40_000, 70_000) as i64;
    let bucket = *scene.random.pick(&[LAKE, DOCS, EXPORTS]);
    let agent = agents::aws_cli(&mut scene.random, machine, "s3.sync");
    let who = base.with_agent(agent);
    scene.list(&who, time, bucket, "list-type=2&prefix=&encoding-type=url");
    for (key, _) in world.buckets[bucket].keys.iter().take(number as usize) {
        scene.get(&who, time, bucket, key);
        time += i64::from(scene.random.chance(600));
    }
}

/// Lists a bucket that should not be listable, then reads its objects.
pub(super) fn list_then_get(scene: &mut Scene, campaign: &Campaign) {
    let (number, gap) = match campaign.loudness {
        Loudness::Loud => (scene.random.between(100, 300), 2),
        Loudness::Medium => (scene.random.between(15, 40), 30),
        _ => (scene.random.between(4, 7), 6_000),
    };
    for base in sources(scene, campaign, 1) {
        let who = tool(scene, &base);
        let world = Rc::clone(&scene.world);
        let mut time = scene.time_for((number * gap / 2) as i64, 0);
        for page in 0..1 + number / 100 {
            scene.list(&who, time + page as i64, EXPORTS, "list-type=2&prefix=&encoding-type=url");
        }
        let keys = &world.buckets[EXPORTS].keys;
        let first = scene.random.below(keys.len() as u64 / 2) as usize;
        let step = scene.random.between(1, 3) as usize;
        for (key, _) in keys.iter().skip(first).step_by(step).take(number as usize) {
            time += scene.random.below(gap + 1) as i64;
            scene.get(&who, time, EXPORTS, key);
        }
    }
}

/// Reads older versions of objects that are public today.
pub(super) fn versions(scene: &mut Scene, campaign: &Campaign) {
    let (number, gap) = if campaign.loudness == Loudness::Medium {
        (scene.random.between(15, 40), 20)
    } else {
        (scene.random.between(3, 6), 4_000)
    };
    let bucket = *scene.random.pick(&[EXPORTS, OPEN]);
    for base in sources(scene, campaign, 1) {
        let who = tool(scene, &base);
        let world = Rc::clone(&scene.world);
        let mut time = scene.time_for((number * gap) as i64, 0);
        scene.ask(&who, time, &Ask { query: "versions", sent: 48_000, ..Ask::new(bucket, "REST.GET.BUCKETVERSIONS") });
        for _ in 0..number {
            time += scene.random.between(1, gap) as i64;
            let key = world.pick(&mut scene.random, bucket, "", false);
            let version = hex(&mut scene.random, 32);
            let query = format!("versionId={version}");
            scene.read(
                &who,
                time,
                Ask { query: &query, version: Some(&version), ..Ask::of(bucket, "REST.GET.OBJECT", &key) },
            );
        }
    }
}

pub(super) fn sequential(scene: &mut Scene, campaign: &Campaign) {
    by_number(scene, campaign, false);
}

pub(super) fn sequential_denied(scene: &mut Scene, campaign: &Campaign) {
    by_number(scene, campaign, true);
}

/// Enumerates the number in a link.
fn by_number(scene: &mut Scene, campaign: &Campaign, denied: bool) {
    let whole = scene.days * 86_400;
    let (number, each, gap) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(200, 500), 2),
        Loudness::Medium => (1, scene.random.between(25, 60), 30),
        Loudness::Slow => (1, scene.random.between(8, 16), whole / 20),
        Loudness::Distributed => (scene.random.between(5, 9), scene.random.between(8, 14), 60),
    };
    let world = Rc::clone(&scene.world);
    let mut next = world.first_invoice + scene.random.below(1_800);
    let start = scene.time_for((each * gap / 2) as i64, 0);
    for base in sources(scene, campaign, number) {
        let agent =
            if scene.random.chance(600) { agents::browser(&mut scene.random) } else { "python-requests/2.32.3".into() };
        let who = base.with_agent(agent);
        let mut time = start + scene.random.below(300) as i64;
        let step = scene.random.between(1, 2);
        for _ in 0..each {
            // The refused ones are in another year's folder or have an unused extension.
            let key = if denied {
                format!("invoices/2025/invoice-{next}.pdf")
            } else {
                format!("invoices/2026/invoice-{next}.pdf")
            };
            scene.get(&who, time, DOCS, &key);
            next += step;
            time += scene.random.below(gap + 1) as i64;
        }
    }
}

/// Scrapes a public bucket in the order of its names, without visiting a page.
pub(super) fn scrape(scene: &mut Scene, campaign: &Campaign) {
    let whole = scene.days * 86_400;
    let (number, gap) = match campaign.loudness {
        Loudness::Loud => (scene.random.between(90, 240), 2),
        Loudness::Medium => (scene.random.between(30, 70), 20),
        _ => (scene.random.between(14, 24), whole / 30),
    };
    for base in sources(scene, campaign, 1) {
        let who = tool(scene, &base);
        let world = Rc::clone(&scene.world);
        let (bucket, prefix) =
            *scene.random.pick(&[(ASSETS, "img/"), (MEDIA, "mp4/"), (DOCS, "invoices/"), (EXPORTS, "customers/")]);
        let keys = world.buckets[bucket].under(prefix);
        let mut time = scene.time_for((number * gap / 2) as i64, 0);
        let first = scene.random.below((keys.len() as u64).saturating_sub(number).max(1)) as usize;
        for (key, _) in keys.iter().skip(first).take(number as usize) {
            scene.get(&who, time, bucket, key);
            time += scene.random.below(gap + 1) as i64;
        }
    }
}
