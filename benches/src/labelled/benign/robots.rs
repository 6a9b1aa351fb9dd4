//! Automated readers: crawlers, link previews, monitors, mirrors, package managers, researchers.

use std::rc::Rc;

use crate::labelled::agents;
use crate::labelled::cast::Net;
use crate::labelled::scene::{Ask, Scene, Who};
use crate::labelled::world::{ASSETS, BACKUPS, BLOG, LAKE, MAIL, MEDIA, OPEN, PACKAGES, SITE, STATE, word};

type Ranges = &'static [(&'static str, u8)];

const GOOGLE: Ranges = &[("66.249.64.0", 20), ("66.249.64.0", 19), ("2001:4860:4801::", 48)];
const BING: Ranges = &[("157.55.39.0", 24), ("40.77.167.0", 24), ("207.46.13.0", 24), ("52.167.144.0", 24)];
const APPLE: Ranges = &[("17.241.208.0", 20)];
const YANDEX: Ranges = &[("5.255.253.0", 24), ("213.180.203.0", 24)];
const DUCKDUCKGO: Ranges = &[("20.191.45.212", 32), ("40.88.21.235", 32), ("52.142.26.175", 32)];
const META: Ranges = &[("69.171.224.0", 19), ("66.220.144.0", 20), ("173.252.64.0", 18)];
const TWITTER: Ranges = &[("199.16.156.0", 22)];
const OPENAI: Ranges = &[("20.171.206.0", 24)];

/// Crawlers and the address ranges that their operators publish.
pub(crate) const PUBLISHED: [(&str, Ranges); 8] = [
    ("Googlebot", GOOGLE),
    ("bingbot", BING),
    ("Applebot", APPLE),
    ("Yandex", YANDEX),
    ("DuckDuckBot", DUCKDUCKGO),
    ("facebookexternalhit", META),
    ("Twitterbot", TWITTER),
    ("GPTBot", OPENAI),
];

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

pub(super) fn all(scene: &mut Scene) {
    crawlers(scene);
    previews(scene);
    monitors(scene);
    optimisers(scene);
    own_scanner(scene);
    mirrors(scene);
    packages(scene);
    researchers(scene);
    small_scripts(scene);
}

fn crawlers(scene: &mut Scene) {
    let kinds: [(Ranges, u64, &str); 9] = [
        (GOOGLE, 14, GOOGLEBOT),
        (GOOGLE, 4, "Googlebot-Image/1.0"),
        (
            GOOGLE,
            6,
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.6943.53 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ),
        (
            BING,
            9,
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
        ),
        (
            APPLE,
            3,
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
        ),
        (YANDEX, 4, "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)"),
        (DUCKDUCKGO, 1, "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)"),
        (META, 5, "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
        (
            OPENAI,
            4,
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        ),
    ];
    for (ranges, number, agent) in kinds {
        let most = ranges.iter().map(|(_, bits)| if *bits == 32 { 1 } else { 60 }).sum::<u64>();
        for _ in 0..scene.some(number).min(most) {
            let who = scene.innocent(Net::Published(ranges), "crawler").with_agent(agent).at_website();
            crawl(scene, &who, 60);
        }
    }
    // These come from rented servers without published ranges.
    for agent in [
        "Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive.org_bot)",
        "CCBot/2.0 (https://commoncrawl.org/faq/)",
        "Mozilla/5.0 (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)",
        "Mozilla/5.0 (compatible; SeznamBot/4.0; +http://napoveda.seznam.cz/seznambot-intro/)",
    ] {
        for _ in 0..scene.some(3) {
            let who = scene.innocent(Net::Hosting, "small_crawler").with_agent(agent).at_website();
            crawl(scene, &who, 90);
        }
    }
}

/// Reads robots.txt and the sitemap, then pages, some of which no longer exist.
fn crawl(scene: &mut Scene, who: &Who, most: u64) {
    let world = Rc::clone(&scene.world);
    let mut time = scene.any_time();
    let home = if scene.random.chance(300) { BLOG } else { SITE };
    if scene.random.chance(600) {
        scene.get(who, time, home, "robots.txt");
        scene.get(who, time + 2, home, "sitemap.xml");
    }
    for _ in 0..scene.random.between(5, most) {
        time += scene.random.between(1, 2_400) as i64;
        let bucket = if scene.random.chance(250) { ASSETS } else { home };
        let key = match scene.random.below(100) {
            0..=7 => scene.random.pick(&world.broken).clone(),
            8..=9 => format!("{}-{}.html", word(&mut scene.random), scene.random.between(2012, 2020)),
            10 => format!(
                "20{}/0{}/{}/index.html",
                scene.random.between(12, 20),
                scene.random.between(1, 9),
                word(&mut scene.random)
            ),
            _ => world.pick(&mut scene.random, bucket, "", true),
        };
        scene.get(who, time, bucket, &key);
    }
}

/// Chat services fetch the links posted in chats.
fn previews(scene: &mut Scene) {
    let kinds: [(Net, &str); 6] = [
        (Net::Cloud, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
        (Net::Cloud, "Slack-ImgProxy (+https://api.slack.com/robots)"),
        (Net::Home, "WhatsApp/2.24.6.77 A"),
        (Net::Published(TWITTER), "Twitterbot/1.0"),
        (Net::Hosting, "TelegramBot (like TwitterBot)"),
        (Net::Hosting, "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"),
    ];
    for (net, agent) in kinds {
        for _ in 0..scene.some(13) {
            let who = scene.innocent(net, "link_preview").with_agent(agent).at_website();
            for _ in 0..1 + scene.random.below(3) {
                let world = Rc::clone(&scene.world);
                let time = scene.by_day();
                let key = if scene.random.chance(80) {
                    scene.random.pick(&world.broken).clone()
                } else {
                    world.pick(&mut scene.random, SITE, "", true)
                };
                if scene.random.chance(200) {
                    scene.get(&who, time, SITE, "robots.txt");
                }
                scene.read(&who, time, Ask { status: 206, sent: 32_768, ..Ask::of(SITE, "REST.GET.OBJECT", &key) });
            }
        }
    }
}

/// Uptime monitors repeat the same request every one or five minutes.
fn monitors(scene: &mut Scene) {
    for agent in [
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "Better Uptime Bot Mozilla/5.0",
        "Blackbox Exporter/0.24.0",
        "Go-http-client/1.1",
        "curl/8.5.0",
    ] {
        for _ in 0..scene.some(2) {
            let who = scene.innocent(Net::Hosting, "monitor").with_agent(agent);
            let step = *scene.random.pick(&[60, 120, 300, 300, 600]);
            let bucket = *scene.random.pick(&[SITE, ASSETS, MEDIA, OPEN]);
            // Some only check that the bucket responds, and accept a 403.
            let root = scene.random.chance(400);
            let world = Rc::clone(&scene.world);
            let key = if scene.random.chance(250) {
                "health.txt".into()
            } else {
                world.pick(&mut scene.random, bucket, "", false)
            };
            let mut time = scene.start + scene.random.below(step as u64) as i64;
            while time < scene.end() {
                if root {
                    let ask = Ask::new(bucket, "REST.HEAD.BUCKET");
                    let ask = if world.buckets[bucket].list { ask } else { ask.refused(403, "AccessDenied") };
                    scene.ask(&who, time, &ask);
                } else {
                    scene.head(&who, time, bucket, &key);
                }
                time += step + i64::from(scene.random.chance(100));
            }
        }
    }
}

/// SEO tools that look for broken links on behalf of the site's owner or competitors.
fn optimisers(scene: &mut Scene) {
    for agent in [
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
        "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
        "Screaming Frog SEO Spider/19.4",
        "W3C_Validator/1.3 http://validator.w3.org/services",
        "LinkChecker/10.2",
    ] {
        for _ in 0..scene.some(2) {
            let who = scene.innocent(Net::Hosting, "seo_tool").with_agent(agent).at_website();
            crawl(scene, &who, 150);
        }
    }
}

/// The account's own security scanner, from a declared address.
fn own_scanner(scene: &mut Scene) {
    let who = scene
        .innocent(Net::Hosting, "own_scanner")
        .with_agent("Mozilla/5.0 (compatible; Nuclei - Open-source project (github.com/projectdiscovery/nuclei))")
        .at_website();
    let mut time = scene.time_for(4_000, 5);
    for path in [
        ".env",
        ".git/config",
        "wp-login.php",
        "actuator/env",
        "server-status",
        "backup.sql",
        ".aws/credentials",
        "phpinfo.php",
        "%2e%2e/%2e%2e/etc/passwd",
    ] {
        for bucket in [SITE, BLOG, ASSETS] {
            time += 1;
            scene.get(&who, time, bucket, path);
        }
    }
}

/// Mirrors list the open data once a day, then read new objects or all of them.
fn mirrors(scene: &mut Scene) {
    for index in 0..scene.some(7) {
        let base = scene.innocent(Net::Hosting, "mirror");
        let machine = scene.random.bits();
        let agent = match index % 4 {
            0 => "rclone/v1.66.0".into(),
            1 => agents::aws_cli(&mut scene.random, machine, "s3.sync"),
            2 => "Wget/1.21.4".into(),
            _ => agents::boto3(&mut scene.random, machine),
        };
        let who = base.with_agent(agent);
        let world = Rc::clone(&scene.world);
        let everything = world.buckets[OPEN].under("");
        let part = scene.random.between(100, everything.len() as u64) as usize;
        let first = scene.random.below((everything.len() - part + 1) as u64) as usize;
        for day in 0..scene.days as i64 {
            let mut time = scene.start + day * 86_400 + scene.random.between(0, 40_000) as i64;
            if index % 4 != 2 {
                for _ in 0..1 + everything.len() / 1000 {
                    scene.list(&who, time, OPEN, "list-type=2&prefix=&encoding-type=url");
                    time += 1;
                }
            }
            if day == 0 || scene.random.chance(300) {
                for (key, _) in &everything[first..first + part] {
                    time += scene.random.between(0, 6) as i64;
                    scene.get(&who, time, OPEN, key);
                }
            }
        }
    }
}

/// apt, pip and Maven ask in a fixed order, also for files that need not exist.
fn packages(scene: &mut Scene) {
    for _ in 0..scene.some(430) {
        let net = *scene.random.pick(&[Net::Home, Net::Hosting, Net::Hosting, Net::Cloud]);
        let who = scene.innocent(net, "package_client");
        let world = Rc::clone(&scene.world);
        let mut time = scene.by_day();
        let mut wanted: Vec<String>;
        let agent;
        match scene.random.below(3) {
            0 => {
                agent = "Debian APT-HTTP/1.3 (2.6.1)";
                let suite = *scene.random.pick(&["stable", "testing", "oldstable"]);
                wanted = [
                    "InRelease",
                    "main/binary-amd64/Packages.gz",
                    "main/i18n/Translation-en.gz",
                    "main/i18n/Translation-en_GB.gz",
                    "main/dep11/Components-amd64.yml.gz",
                    "contrib/binary-amd64/Packages.gz",
                ]
                .map(|file| format!("debian/dists/{suite}/{file}"))
                .into();
                let mut packages: Vec<String> = (0..scene.random.below(14))
                    .map(|_| world.pick(&mut scene.random, PACKAGES, "debian/pool/", false))
                    .collect();
                packages.sort();
                wanted.extend(packages);
            }
            1 => {
                agent = "pip/24.0 {\"ci\":null,\"cpu\":\"x86_64\",\"implementation\":{\"name\":\"CPython\",\"version\":\"3.11.8\"}}";
                wanted = Vec::new();
                for _ in 0..scene.random.between(1, 12) {
                    let package = word(&mut scene.random);
                    wanted.push(format!("pypi/{package}/index.html"));
                    wanted.push(format!("pypi/{package}/{package}-{}.0-py3-none-any.whl", scene.random.between(1, 3)));
                }
                for _ in 0..scene.random.below(6) {
                    wanted.push(format!("pypi/{}-{}/index.html", word(&mut scene.random), word(&mut scene.random)));
                }
            }
            _ => {
                agent = "Apache-Maven/3.9.6 (Java 17.0.10; Linux 5.15.0)";
                wanted = Vec::new();
                for _ in 0..scene.random.between(1, 12) {
                    let package = word(&mut scene.random);
                    let version = scene.random.between(1, 6);
                    let folder = format!("maven/com/example/{package}");
                    wanted.push(format!("{folder}/maven-metadata.xml"));
                    wanted.push(format!("{folder}/{version}.0.0/{package}-{version}.0.0.pom"));
                    wanted.push(format!("{folder}/{version}.0.0/{package}-{version}.0.0.jar"));
                    // Artifacts that are in other repositories are first asked for here.
                    wanted.push(format!(
                        "maven/org/apache/{}/{}/maven-metadata.xml",
                        word(&mut scene.random),
                        word(&mut scene.random)
                    ));
                }
            }
        }
        let who = who.with_agent(agent);
        for key in wanted {
            time += i64::from(scene.random.chance(400));
            scene.get(&who, time, PACKAGES, &key);
        }
    }
}

/// Researchers read an open data set anonymously: list, then get.
fn researchers(scene: &mut Scene) {
    for _ in 0..scene.some(34) {
        let net = *scene.random.pick(&[Net::Home, Net::Office, Net::Hosting]);
        let machine = scene.random.bits();
        let base = scene.innocent(net, "researcher");
        let world = Rc::clone(&scene.world);
        let dataset = *scene.random.pick(&["climate", "genomes", "traffic", "demo"]);
        for _ in 0..1 + scene.random.below(2) {
            let agent = if scene.random.chance(500) {
                agents::aws_cli(&mut scene.random, machine, "s3.cp")
            } else {
                agents::boto3(&mut scene.random, machine)
            };
            let who = base.with_agent(agent);
            let mut time = scene.by_day();
            scene.list(&who, time, OPEN, &format!("list-type=2&prefix={dataset}%2F&delimiter=%2F&encoding-type=url"));
            if scene.random.chance(150) {
                // A mistake: another bucket of the account.
                let wrong = *scene.random.pick(&[LAKE, BACKUPS]);
                scene.list(&who, time + 9, wrong, "list-type=2&prefix=&encoding-type=url");
            }
            let keys = world.buckets[OPEN].under(dataset);
            let first = scene.random.below(keys.len() as u64) as usize;
            for (key, _) in keys.iter().skip(first).take(scene.random.between(1, 120) as usize) {
                time += scene.random.between(1, 30) as i64;
                scene.get(&who, time, OPEN, key);
            }
        }
    }
}

/// Cron jobs that fetch one or two files, occasionally a wrong one.
fn small_scripts(scene: &mut Scene) {
    for _ in 0..scene.some(150) {
        let net = *scene.random.pick(&[Net::Home, Net::Hosting, Net::Cloud]);
        let agent = *scene.random.pick(&agents::SCRIPTS);
        let who = scene.innocent(net, "small_script");
        let who = if scene.random.chance(80) { who } else { who.with_agent(agent) };
        let world = Rc::clone(&scene.world);
        let bucket = *scene.random.pick(&[OPEN, MEDIA, ASSETS, MAIL, PACKAGES, SITE]);
        let key = match scene.random.below(14) {
            12 => {
                (*scene.random.pick(&["ads.txt", "app-ads.txt", ".well-known/security.txt", "humans.txt"])).to_owned()
            }
            13 => (*scene.random.pick(&[
                ".well-known/apple-app-site-association",
                ".well-known/assetlinks.json",
                "robots.txt",
            ]))
            .to_owned(),
            0 => format!("{}.json", word(&mut scene.random)),
            1 => "demo/docker-compose.yml".into(),
            2 => "demo/northwind-sample.sql".into(),
            3 => "examples/.env.example".into(),
            _ => world.pick(&mut scene.random, bucket, "", true),
        };
        let bucket = if key.starts_with("demo/") {
            OPEN
        } else if key.starts_with("examples/") {
            PACKAGES
        } else {
            bucket
        };
        for _ in 0..scene.random.between(1, 8) {
            let time = scene.any_time();
            scene.get(&who, time, bucket, &key);
        }
        if scene.random.chance(20) {
            let time = scene.by_day();
            let bucket = *scene.random.pick(&[STATE, LAKE, OPEN]);
            scene.list(&who, time, bucket, "");
        }
    }
}
