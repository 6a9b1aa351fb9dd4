//! People with browsers: alone, behind carriers, offices or the CDN, in crowds, and by mistake.

use std::rc::Rc;

use super::Crowds;
use crate::labelled::agents;
use crate::labelled::cast::Net;
use crate::labelled::scene::{Ask, Scene, Who};
use crate::labelled::world::{ASSETS, BLOG, DOCS, LAKE, MEDIA, PUBLIC, SITE, TILES, World, hex, word};

pub(super) fn all(scene: &mut Scene) -> Crowds {
    browsers(scene);
    let mobile = mobile(scene);
    let offices = offices(scene);
    let cdn = cdn(scene);
    flash_crowd(scene);
    hotlinks(scene);
    old_blog_links(scene);
    maps(scene);
    curious(scene);
    broken_application(scene);
    form_uploads(scene);
    Crowds { cdn, mobile, offices }
}

/// A browser's visit to the site, including what its pages embed. Returns the end time.
pub(crate) fn visit(scene: &mut Scene, who: &Who, start: i64, pages: u64) -> i64 {
    let world = Rc::clone(&scene.world);
    let mut time = start;
    let blog = scene.random.chance(200);
    let home = if blog { BLOG } else { SITE };
    let site = world.buckets[home].website.clone().unwrap_or_default();
    let own = format!("https://{site}/");
    for page in 0..pages {
        let came_from = match (page, scene.random.below(4)) {
            (0, 0) => None,
            (0, 1) => Some("https://www.google.com/"),
            (0, 2) => Some("https://duckduckgo.com/"),
            _ => Some(own.as_str()),
        };
        let key = match scene.random.below(100) {
            // Broken links, outdated bookmarks, typing errors.
            0..=2 => scene.random.pick(&world.broken).clone(),
            3 => format!("{}{}.html", word(&mut scene.random), word(&mut scene.random)),
            4..=40 if page == 0 => "index.html".into(),
            _ if blog => world.pick(&mut scene.random, BLOG, "20", true),
            _ => page_of(scene, &world),
        };
        scene.read(who, time, Ask { referer: came_from, ..Ask::of(home, "REST.GET.OBJECT", &key) });
        let referer = Some(own.as_str());
        for _ in 0..scene.random.below(6) {
            time += i64::from(scene.random.chance(500));
            let (bucket, key) = match scene.random.below(8) {
                0 => (ASSETS, world.pick(&mut scene.random, ASSETS, "css/", true)),
                1 => (ASSETS, world.pick(&mut scene.random, ASSETS, "js/", true)),
                2 if blog => (BLOG, world.pick(&mut scene.random, BLOG, "wp-content/", true)),
                2 | 3 => (SITE, world.pick(&mut scene.random, SITE, "images/", true)),
                4 if scene.random.chance(250) => (SITE, scene.random.pick(&world.broken).clone()),
                _ => (ASSETS, world.pick(&mut scene.random, ASSETS, "img/", true)),
            };
            scene.read(who, time, Ask { referer, ..Ask::of(bucket, "REST.GET.OBJECT", &key) });
        }
        if page == 0 && scene.random.chance(300) {
            scene.read(who, time + 1, Ask { referer, ..Ask::of(home, "REST.GET.OBJECT", "favicon.ico") });
        }
        if page == 0 && who.agent.as_ref().is_some_and(|agent| agent.contains("iPhone")) && scene.random.chance(300) {
            for icon in
                ["apple-touch-icon-120x120-precomposed.png", "apple-touch-icon-120x120.png", "apple-touch-icon.png"]
            {
                scene.get(who, time + 2, home, icon);
            }
        }
        time += scene.random.between(4, 240) as i64;
    }
    time
}

fn page_of(scene: &mut Scene, world: &World) -> String {
    loop {
        let key = world.pick(&mut scene.random, SITE, "", true);
        if key.ends_with("html") {
            return key;
        }
    }
}

/// Visitors at home.
fn browsers(scene: &mut Scene) {
    for _ in 0..scene.some(2_300) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "browser").with_agent(agent).at_website();
        for _ in 0..1 + scene.random.below(3) / 2 {
            let (start, pages) = (scene.by_day(), 1 + scene.random.below(5));
            visit(scene, &who, start, pages);
        }
    }
}

/// Carrier-grade NAT: hundreds of people behind one address.
fn mobile(scene: &mut Scene) -> Vec<Who> {
    crowd(scene, Net::Mobile, "mobile_cgnat", 60, (10, 45), true)
}

/// Office NAT: all people of a company share an address, and some sign requests.
fn offices(scene: &mut Scene) -> Vec<Who> {
    let offices = crowd(scene, Net::Office, "office_nat", 22, (10, 60), false);
    for office in offices.iter().take(offices.len() / 3) {
        for person in 0..scene.random.between(2, 5) {
            let user = scene.world.user(&format!("analyst-{person}"));
            let machine = scene.random.bits();
            for _ in 0..scene.random.between(1, 6) {
                let time = scene.by_day();
                let agent = agents::aws_cli(&mut scene.random, machine, "s3.cp");
                let who = office.signing(&user).with_agent(agent);
                for step in 0..scene.random.between(2, 20) {
                    let world = Rc::clone(&scene.world);
                    let key = world.pick(&mut scene.random, LAKE, "", true);
                    scene.get(&who, time + step as i64 * 2, LAKE, &key);
                }
            }
        }
    }
    offices
}

fn crowd(
    scene: &mut Scene,
    net: Net,
    name: &'static str,
    addresses: u64,
    visits: (u64, u64),
    phones: bool,
) -> Vec<Who> {
    (0..scene.some(addresses))
        .map(|_| {
            let base = scene.innocent(net, name).at_website();
            for _ in 0..scene.random.between(visits.0, visits.1) {
                let agent = if phones { agents::phone(&mut scene.random) } else { agents::desktop(&mut scene.random) };
                let (start, pages) = (scene.by_day(), 1 + scene.random.below(4));
                visit(scene, &base.with_agent(agent), start, pages);
            }
            base
        })
        .collect()
}

/// The CDN fetches on behalf of everybody, with its own user agent or the visitor's.
fn cdn(scene: &mut Scene) -> Vec<Who> {
    let hands_on = scene.random.chance(500);
    (0..scene.some(45))
        .map(|_| {
            let base = scene.innocent(Net::Cdn, "cdn_egress");
            for _ in 0..scene.random.between(200, 600) {
                let agent = if hands_on { agents::browser(&mut scene.random) } else { "Amazon CloudFront".into() };
                let who = base.with_agent(agent);
                let world = Rc::clone(&scene.world);
                let bucket = *scene.random.pick(&[ASSETS, ASSETS, MEDIA, SITE, TILES]);
                let time = scene.by_day();
                match scene.random.below(100) {
                    // Requests of visitors and scanners arrive here, too.
                    0..=3 => {
                        let key = scene.random.pick(&world.broken).clone();
                        scene.get(&who, time, bucket, &key)
                    }
                    4 => {
                        let key = *scene.random.pick(&[
                            "favicon.ico",
                            "robots.txt",
                            "ads.txt",
                            "wp-login.php",
                            ".well-known/security.txt",
                        ]);
                        scene.get(&who, time, bucket, key)
                    }
                    _ => {
                        let key = world.pick(&mut scene.random, bucket, "", true);
                        scene.get(&who, time, bucket, &key)
                    }
                };
            }
            base
        })
        .collect()
}

/// A link in the news: very many visitors, once each, within an hour or two.
fn flash_crowd(scene: &mut Scene) {
    let world = Rc::clone(&scene.world);
    let (start, agent_of_app) = (
        scene.time_for(9_000, 10),
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBDV/iPhone14,2]",
    );
    let page = page_of(scene, &world);
    let picture = world.pick(&mut scene.random, ASSETS, "img/", false);
    // A file of the page was never uploaded.
    let missing = format!("img/{}-{}.webp", word(&mut scene.random), hex(&mut scene.random, 6));
    for _ in 0..scene.some(520) {
        let agent = if scene.random.chance(300) { agent_of_app.into() } else { agents::phone(&mut scene.random) };
        let who = scene.innocent(Net::Home, "flash_crowd").with_agent(agent).at_website();
        let late = scene.random.below(7_200).min(scene.random.below(7_200));
        let time = start + late as i64;
        let referer = Some("https://news.example.net/");
        scene.read(&who, time, Ask { referer, ..Ask::of(SITE, "REST.GET.OBJECT", &page) });
        scene.read(&who, time + 1, Ask { referer, ..Ask::of(ASSETS, "REST.GET.OBJECT", &picture) });
        if scene.random.chance(700) {
            scene.read(&who, time + 1, Ask { referer, ..Ask::of(ASSETS, "REST.GET.OBJECT", &missing) });
        }
    }
}

/// Images embedded in other sites' pages.
fn hotlinks(scene: &mut Scene) {
    let world = Rc::clone(&scene.world);
    let pictures: Vec<String> = (0..6).map(|_| world.pick(&mut scene.random, ASSETS, "img/", false)).collect();
    for _ in 0..scene.some(420) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "hotlink").with_agent(agent);
        let referer = Some(*scene.random.pick(&[
            "https://forum.example.net/t/412",
            "https://deals.example.org/",
            "https://forum.example.net/t/9",
        ]));
        let time = scene.by_day();
        for step in 0..1 + scene.random.below(3) {
            let picture = scene.random.pick(&pictures).clone();
            scene.read(&who, time + step as i64, Ask { referer, ..Ask::of(ASSETS, "REST.GET.OBJECT", &picture) });
        }
    }
}

/// The blog was a WordPress site once, and bookmarks, feeds and search engines still use its links.
fn old_blog_links(scene: &mut Scene) {
    for _ in 0..scene.some(170) {
        let agent = if scene.random.chance(150) {
            "FreshRSS/1.23.1 (Linux; https://freshrss.org)".into()
        } else {
            agents::browser(&mut scene.random)
        };
        let who = scene.innocent(Net::Home, "old_blog_links").with_agent(agent).at_website();
        let time = scene.by_day();
        for step in 0..1 + scene.random.below(3) {
            let key = match scene.random.below(5) {
                0 => "feed/".into(),
                1 => format!(
                    "wp-content/uploads/20{}/{:02}/{}.jpg",
                    scene.random.between(12, 20),
                    scene.random.between(1, 12),
                    word(&mut scene.random)
                ),
                2 => "index.php".into(),
                3 => format!("wp-content/themes/{}/style.css", word(&mut scene.random)),
                _ => format!(
                    "20{}/0{}/{}/",
                    scene.random.between(12, 20),
                    scene.random.between(1, 9),
                    word(&mut scene.random)
                ),
            };
            scene.get(&who, time + 3 * step as i64, BLOG, &key);
        }
        if scene.random.chance(500) {
            visit(scene, &who, time + 20, 2);
        }
    }
}

/// Map tiles: neighbouring tiles by number, some of them outside the map.
fn maps(scene: &mut Scene) {
    for _ in 0..scene.some(140) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "map").with_agent(agent);
        let mut time = scene.by_day();
        let (left, top) = (scene.random.between(496, 529), scene.random.between(297, 329));
        for x in left..left + scene.random.between(3, 7) {
            for y in top..top + scene.random.between(2, 5) {
                time += i64::from(scene.random.chance(200));
                let key = format!("osm/10/{x}/{y}.png");
                scene.read(
                    &who,
                    time,
                    Ask { referer: Some("https://maps.example.net/"), ..Ask::of(TILES, "REST.GET.OBJECT", &key) },
                );
            }
        }
    }
}

/// People who shorten a URL to see what is there.
fn curious(scene: &mut Scene) {
    for _ in 0..scene.some(45) {
        let agent = agents::desktop(&mut scene.random);
        let who = scene.innocent(Net::Home, "curious").with_agent(agent);
        let time = scene.by_day();
        let bucket = *scene.random.pick(&PUBLIC);
        let world = Rc::clone(&scene.world);
        let key = world.pick(&mut scene.random, bucket, "", true);
        scene.get(&who, time, bucket, &key);
        scene.list(&who, time + 20, bucket, "");
        if scene.random.chance(300) {
            scene.get(&who, time + 21, bucket, "favicon.ico");
        }
    }
}

/// A broken page asks for thumbnails that do not exist, different ones for each visitor.
fn broken_application(scene: &mut Scene) {
    let folder = format!("thumbs/{}", hex(&mut scene.random, 4));
    for _ in 0..scene.some(60) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "broken_application").with_agent(agent);
        let mut time = scene.by_day();
        if scene.random.chance(700) {
            let pages = scene.random.between(1, 4);
            time = visit(scene, &who, time, pages);
        }
        let own = scene.random.chance(500);
        for step in 0..scene.random.between(4, 18) {
            let number = if own { hex(&mut scene.random, 8) } else { scene.random.between(1, 90).to_string() };
            let key = format!("{folder}/{number}.webp");
            scene.read(
                &who,
                time + step as i64 / 6,
                Ask { referer: Some("https://app.example.com/"), ..Ask::of(ASSETS, "REST.GET.OBJECT", &key) },
            );
        }
    }
    // Documents that customers have links to and that have been deleted.
    for _ in 0..scene.some(40) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "customer_document").with_agent(agent);
        let number = scene.world.first_invoice + scene.random.below(3_000);
        let time = scene.by_day();
        for step in 0..1 + scene.random.below(2) {
            scene.get(
                &who,
                time + step as i64 * 9,
                DOCS,
                &format!("invoices/2026/invoice-{}.pdf", number + step * 700),
            );
        }
    }
}

/// A form of the site lets anonymous users upload a file.
fn form_uploads(scene: &mut Scene) {
    use crate::labelled::world::INGEST;
    for _ in 0..scene.some(70) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "form_upload").with_agent(agent);
        let time = scene.by_day();
        let key = format!("forms/{}.{}", hex(&mut scene.random, 12), scene.random.pick(&["pdf", "jpg", "png", "html"]));
        let own = Some("https://app.example.com/");
        scene.ask(
            &who,
            time,
            &Ask {
                method: Some("OPTIONS"),
                path: Some(&key),
                referer: own,
                ..Ask::new(INGEST, "REST.OPTIONS.PREFLIGHT")
            },
        );
        let size = Some(scene.random.between(9_000, 900_000));
        scene.ask(
            &who,
            time + 1,
            &Ask { size, status: 204, path: Some(""), referer: own, ..Ask::of(INGEST, "REST.POST.OBJECT", &key) },
        );
    }
}
