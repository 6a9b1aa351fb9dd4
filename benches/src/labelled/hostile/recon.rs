//! Reconnaissance: word lists, buckets and their configuration.

use super::operations::{CONFIGURATION, configuration};
use super::words;
use super::{Campaign, Loudness, sources};
use crate::labelled::agents;
use crate::labelled::scene::{Ask, Scene, Who};
use crate::labelled::world::{ASSETS, BACKUPS, BLOG, DOCS, EXPORTS, MEDIA, OPEN, SITE, hex};

/// Words from a shared address are less than this many seconds apart.
const GAP: u64 = 50;

/// A bucket whose address is easy to find.
fn target(scene: &mut Scene) -> usize {
    *scene.random.pick(&[SITE, SITE, ASSETS, ASSETS, MEDIA, BLOG, DOCS, EXPORTS, BACKUPS, OPEN])
}

/// Word lists by gobuster, ffuf, dirb and feroxbuster with their own user agents.
pub(super) fn by_tool(scene: &mut Scene, campaign: &Campaign) {
    let bucket = target(scene);
    let loud = campaign.loudness == Loudness::Loud;
    for base in sources(scene, campaign, 1) {
        let agent = *scene.random.pick(&[
            "gobuster/3.6",
            "Fuzz Faster U Fool v2.1.0-dev",
            "feroxbuster/2.10.2",
            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
            "Wfuzz/3.1.0",
            "gobuster/3.1.0",
        ]);
        let who = base.with_agent(agent);
        let number = if loud { scene.random.between(500, 1_200) } else { scene.random.between(60, 200) };
        let mut time = scene.time_for(3_600, 0);
        let first = match agent.as_bytes()[0] {
            b'g' => hex(&mut scene.random, 32),
            b'M' => "randomfile1".into(),
            _ => "index".into(),
        };
        scene.get(&who, time, bucket, &first);
        let (a_second, seed) = (scene.random.between(5, 60), scene.random.below(4));
        for (step, word) in words::list(seed, number).iter().enumerate() {
            if (step as u64).is_multiple_of(a_second) {
                time += 1;
            }
            scene.get(&who, time, bucket, word);
        }
    }
}

/// Word lists with a browser's user agent: quickly, over hours, over days, or from many addresses.
pub(super) fn as_browser(scene: &mut Scene, campaign: &Campaign) {
    let bucket = target(scene);
    let whole = scene.days as i64 * 86_400;
    let (number_of_sources, each, lasts) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(300, 900), 600),
        Loudness::Medium => (1, scene.random.between(50, 180), 5_400),
        Loudness::Slow => (1, scene.random.between(12, 40), whole * 8 / 10),
        Loudness::Distributed => (scene.random.between(10, 20), scene.random.between(3, 6), 18_000),
    };
    let seed = scene.random.below(4);
    let list = words::list(seed, each * 3);
    let start = scene.time_for(lasts + 600, 0);
    let one_agent = agents::desktop(&mut scene.random);
    for base in sources(scene, campaign, number_of_sources) {
        let agent = if scene.random.chance(500) { one_agent.clone() } else { agents::browser(&mut scene.random) };
        let who = base.with_agent(agent);
        let each = if campaign.loudness == Loudness::Distributed { scene.random.between(2, each) } else { each };
        let mut times: Vec<i64> = (0..each).map(|_| start + scene.random.below(lasts as u64) as i64).collect();
        times.sort_unstable();
        for (step, time) in times.into_iter().enumerate() {
            let word = if number_of_sources > 1 { scene.random.pick(&list).clone() } else { list[step].clone() };
            if campaign.loudness == Loudness::Slow && scene.random.chance(200) {
                scene.get(&who, time - 5, bucket, "index.html");
            }
            scene.get(&who, time, bucket, &word);
        }
    }
}

/// Scanners that send a single request and never return, as most do.
pub(super) fn single_requests(scene: &mut Scene, campaign: &Campaign) {
    let number = scene.random.between(22, 36);
    for base in sources(scene, campaign, number) {
        let machine = scene.random.bits();
        let who = match scene.random.below(6) {
            0 | 1 => base.with_agent(*scene.random.pick(&["Go-http-client/1.1", "Go-http-client/2.0"])),
            2 => base.with_agent(agents::boto3(&mut scene.random, machine)),
            3 => base,
            4 => base.with_agent("python-requests/2.31.0"),
            _ => base.with_agent(agents::desktop(&mut scene.random)),
        };
        let bucket = scene.random.below(20) as usize;
        let time = scene.any_time();
        ask_bucket(scene, &who, time, bucket);
    }
}

fn ask_bucket(scene: &mut Scene, who: &Who, time: i64, bucket: usize) {
    if scene.random.chance(500) {
        let query = *scene.random.pick(&["", "list-type=2", "max-keys=1", "list-type=2&prefix=&delimiter=%2F"]);
        scene.list(who, time, bucket, query);
    } else {
        let ask = Ask::new(bucket, "REST.HEAD.BUCKET");
        let open = scene.world.buckets[bucket].list;
        scene.ask(who, time, &if open { ask } else { ask.refused(403, "AccessDenied") });
    }
}

/// Asks several buckets for their configuration.
pub(super) fn buckets(scene: &mut Scene, campaign: &Campaign) {
    let whole = scene.days * 86_400;
    let (number, operations, gap) = match campaign.loudness {
        Loudness::Loud => (scene.random.between(8, 18), 6, 4),
        Loudness::Medium => (scene.random.between(3, 6), 3, 120),
        _ => (scene.random.between(2, 4), 2, whole / 9),
    };
    for base in sources(scene, campaign, 1) {
        let machine = scene.random.bits();
        let mut time = scene.time_for((number * (operations + 1) * gap) as i64, 0);
        let fixed = *scene.random.pick(&["Go-http-client/1.1", "S3Scanner", "python-urllib3/1.26.18", ""]);
        for _ in 0..number {
            let bucket = scene.random.below(20) as usize;
            let agent =
                if fixed.is_empty() { agents::aws_cli(&mut scene.random, machine, "s3.ls") } else { fixed.to_owned() };
            let who = base.with_agent(agent);
            ask_bucket(scene, &who, time, bucket);
            for _ in 0..scene.random.below(operations + 1) {
                time += scene.random.between(1, gap) as i64;
                let operation = scene.random.below(CONFIGURATION.len() as u64) as usize;
                configuration(scene, &who, time, bucket, operation);
            }
            time += scene.random.between(1, gap) as i64;
        }
    }
}

/// Word lists from an address that others use, too.
pub(super) fn words_from(scene: &mut Scene, who: &Who, number: u64) {
    let agent = agents::desktop(&mut scene.random);
    let who = who.with_agent(agent);
    let mut time = scene.time_for(4_000, 10);
    let seed = scene.random.below(4);
    for word in words::list(seed, number) {
        scene.get(&who, time, ASSETS, &word);
        time += scene.random.below(GAP) as i64;
    }
}
