//! Probes for secrets, admin pages and vulnerabilities, with attack tools and forged user agents.

use std::rc::Rc;

use super::words::{CMS, PAYLOADS, SENSITIVE, TOOLS};
use super::{Campaign, Loudness, sources};
use crate::labelled::agents;
use crate::labelled::scene::{Ask, Scene, Who};
use crate::labelled::world::{ASSETS, BLOG, DOCS, EXPORTS, MEDIA, SITE};

/// User agents of scanners that do not imitate a browser.
const SCANNERS: [&str; 7] = [
    "python-requests/2.28.1",
    "Go-http-client/1.1",
    "curl/7.68.0",
    "Mozilla/5.0",
    "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/81.0.4044.129 Safari/537.36",
    "fasthttp",
];

fn named(scene: &mut Scene, base: &Who) -> Who {
    let agent = if scene.random.chance(500) {
        agents::desktop(&mut scene.random)
    } else {
        (*scene.random.pick(&SCANNERS)).to_owned()
    };
    let who = base.with_agent(agent);
    if scene.random.chance(400) { who.at_website() } else { who }
}

fn target(scene: &mut Scene) -> usize {
    *scene.random.pick(&[SITE, SITE, ASSETS, BLOG, MEDIA, DOCS, EXPORTS])
}

/// Asks for `number` entries of a list, with gaps of up to `gap` seconds.
fn ask_for(scene: &mut Scene, who: &Who, start: i64, list: &[&str], number: u64, gap: u64) {
    let bucket = target(scene);
    let mut time = start;
    let first = scene.random.below(list.len() as u64) as usize;
    for step in 0..number as usize {
        scene.get(who, time, bucket, list[(first + step) % list.len()]);
        time += scene.random.below(gap + 1) as i64;
    }
}

pub(super) fn sensitive(scene: &mut Scene, campaign: &Campaign) {
    let whole = scene.days * 86_400;
    let (number, each, gap) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(20, 48), 2),
        Loudness::Medium => (1, scene.random.between(4, 9), 60),
        Loudness::Slow => (1, scene.random.between(2, 3), whole / 3),
        Loudness::Distributed => (scene.random.between(7, 12), 2, 3_600),
    };
    for base in sources(scene, campaign, number) {
        let who = named(scene, &base);
        let each = if campaign.loudness == Loudness::Distributed { scene.random.between(1, each) } else { each };
        let start = scene.time_for((each * gap) as i64, 0);
        ask_for(scene, &who, start, &SENSITIVE, each, gap);
    }
}

pub(super) fn secrets_from(scene: &mut Scene, who: &Who, number: u64) {
    let who = named(scene, who);
    let start = scene.time_for(4_000, 10);
    ask_for(scene, &who, start, &SENSITIVE, number, 30);
}

pub(super) fn cms(scene: &mut Scene, campaign: &Campaign) {
    let (number, each, gap) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(24, 34), 1),
        Loudness::Medium => (1, scene.random.between(4, 9), 20),
        _ => (scene.random.between(7, 13), 3, 600),
    };
    for base in sources(scene, campaign, number) {
        let who = named(scene, &base);
        let each = if number > 1 { scene.random.between(1, each) } else { each };
        let start = scene.time_for((each * gap) as i64, 0);
        ask_for(scene, &who, start, &CMS, each, gap);
    }
}

pub(super) fn exploits(scene: &mut Scene, campaign: &Campaign) {
    let number = match campaign.loudness {
        Loudness::Loud => scene.random.between(20, 60),
        Loudness::Medium => scene.random.between(4, 9),
        _ => scene.random.between(1, 2),
    };
    for base in sources(scene, campaign, 1) {
        let who = named(scene, &base);
        payloads_from(scene, &who, number);
    }
}

pub(super) fn payloads_from(scene: &mut Scene, who: &Who, number: u64) {
    let bucket = *scene.random.pick(&[SITE, SITE, BLOG, ASSETS]);
    let mut time = scene.time_for(8_000, 5);
    let first = scene.random.below(PAYLOADS.len() as u64) as usize;
    for step in 0..number as usize {
        let (path, query) = PAYLOADS[(first + step) % PAYLOADS.len()];
        // S3's key is the path, decoded once.
        let key = path.replace("%2f", "/").replace("%2e", ".").replace("%5c", "\\").replace("%25", "%");
        let key = key
            .replace("%3C", "<")
            .replace("%3E", ">")
            .replace("%7B", "{")
            .replace("%7D", "}")
            .replace("%0d%0a", "\r\n")
            .replace("%00", "\0");
        let ask = Ask { path: Some(path), query, ..Ask::of(bucket, "REST.GET.OBJECT", &key) };
        scene.read(who, time, ask);
        time += scene.random.between(0, 60) as i64;
    }
}

pub(super) fn tools(scene: &mut Scene, campaign: &Campaign) {
    let (number, each) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(150, 400)),
        Loudness::Medium => (1, scene.random.between(10, 40)),
        Loudness::Slow => (1, scene.random.between(1, 3)),
        Loudness::Distributed => (scene.random.between(4, 7), 1),
    };
    let agent = *scene.random.pick(&TOOLS);
    for base in sources(scene, campaign, number) {
        let who = base.with_agent(agent);
        let mut time = scene.time_for(1_000, 0);
        let bucket = target(scene);
        for step in 0..each as usize {
            match scene.random.below(4) {
                _ if each < 4 => scene.get(&who, time, bucket, "index.html"),
                0 => scene.get(&who, time, bucket, CMS[step % CMS.len()]),
                1 => scene.get(&who, time, bucket, SENSITIVE[step % SENSITIVE.len()]),
                2 => {
                    let query = format!("id={}%27%20AND%20{}=1", scene.random.below(99), scene.random.below(9_999));
                    scene.read(&who, time, Ask { query: &query, ..Ask::of(bucket, "REST.GET.OBJECT", "index.html") })
                }
                _ => scene.get(
                    &who,
                    time,
                    bucket,
                    &format!("{}{step}.php", CMS[step % CMS.len()].split('.').next().unwrap_or("x")),
                ),
            };
            time += i64::from(scene.random.chance(200));
        }
    }
}

pub(super) fn fake_crawlers(scene: &mut Scene, campaign: &Campaign) {
    let world = Rc::clone(&scene.world);
    let (number, each, gap) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(90, 260), 2),
        Loudness::Medium => (1, scene.random.between(12, 40), 60),
        Loudness::Slow => (1, scene.random.between(2, 5), 20_000),
        Loudness::Distributed => (scene.random.between(4, 7), 3, 600),
    };
    for base in sources(scene, campaign, number) {
        let agent = *scene.random.pick(&[
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Googlebot/2.1 (+http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        ]);
        let who = base.with_agent(agent);
        let bad = scene.random.chance(500);
        let mut time = scene.time_for((each * gap) as i64, 0);
        for step in 0..each as usize {
            let key = match scene.random.below(3) {
                0 if bad => SENSITIVE[step % SENSITIVE.len()].to_owned(),
                1 if bad => CMS[step % CMS.len()].to_owned(),
                _ => world.pick(&mut scene.random, SITE, "", true),
            };
            scene.get(&who, time, SITE, &key);
            time += scene.random.below(gap + 1) as i64;
        }
    }
}

pub(super) fn protocol(scene: &mut Scene, campaign: &Campaign) {
    let each =
        if campaign.loudness == Loudness::Medium { scene.random.between(5, 12) } else { scene.random.between(1, 3) };
    for base in sources(scene, campaign, 1) {
        let who = named(scene, &base);
        let bucket = target(scene);
        let mut time = scene.time_for(9_000, 0);
        for _ in 0..each {
            let (method, operation, path, status, error) = *scene.random.pick(&[
                ("TRACE", "REST.TRACE.OBJECT", "index.html", 405, "MethodNotAllowed"),
                ("CONNECT", "REST.CONNECT.OBJECT", "mail.example.org:25", 405, "MethodNotAllowed"),
                ("PATCH", "REST.PATCH.OBJECT", "index.html", 405, "MethodNotAllowed"),
                ("TRACK", "REST.TRACK.OBJECT", "index.html", 405, "MethodNotAllowed"),
                ("GET", "REST.GET.OBJECT", "http://check.example.org/ip", 400, "InvalidURI"),
                ("DEBUG", "REST.DEBUG.OBJECT", "index.html", 405, "MethodNotAllowed"),
            ]);
            let ask = Ask { method: Some(method), path: Some(path), ..Ask::of(bucket, operation, path) };
            scene.ask(&who, time, &ask.refused(status, error));
            time += scene.random.between(1, 800) as i64;
        }
    }
}
