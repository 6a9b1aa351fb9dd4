//! Media players, IoT devices, mail clients and users of presigned links.

use std::rc::Rc;

use crate::labelled::agents;
use crate::labelled::cast::Net;
use crate::labelled::scene::{Ask, Proof, Scene, Who};
use crate::labelled::world::{DOCS, EXPORTS, FIRMWARE, INGEST, MAIL, MEDIA, PUBLIC, SHARE, UPLOADS, hex, word};

pub(super) fn all(scene: &mut Scene) {
    players(scene);
    podcasts(scene);
    speed_tests(scene);
    things(scene);
    newsletter(scene);
    presigned(scene);
    beacons(scene);
    web_folders(scene);
}

/// Video players read segments in order, or ranges of one large file.
fn players(scene: &mut Scene) {
    for _ in 0..scene.some(260) {
        let agent = if scene.random.chance(400) {
            (*scene.random.pick(&[
                "AppleCoreMedia/1.0.0.21E236 (iPhone; U; CPU OS 17_4_1 like Mac OS X; en_us)",
                "ExoPlayerLib/2.19.1 (Linux;Android 14)",
                "VLC/3.0.20 LibVLC/3.0.20",
                "Lavf/60.16.100",
            ]))
            .to_owned()
        } else {
            agents::browser(&mut scene.random)
        };
        let who = scene.innocent(Net::Home, "media_player").with_agent(agent);
        let world = Rc::clone(&scene.world);
        let mut time = scene.by_day();
        let video = scene.random.pick(&world.videos).clone();
        if scene.random.chance(700) {
            scene.get(&who, time, MEDIA, &format!("{video}/master.m3u8"));
            scene.get(&who, time, MEDIA, &format!("{video}/720p/index.m3u8"));
            let first = if scene.random.chance(300) { scene.random.below(40) } else { 0 };
            for segment in first..first + scene.random.between(4, 80) {
                time += scene.random.between(2, 8) as i64;
                // At live edges and wrong ends the next segment may not exist.
                if !scene.get(&who, time, MEDIA, &format!("{video}/720p/seg-{segment:05}.ts")) {
                    break;
                }
            }
        } else {
            let key = world.pick(&mut scene.random, MEDIA, "mp4/", true);
            for _ in 0..scene.random.between(3, 40) {
                time += scene.random.between(1, 20) as i64;
                let sent = scene.random.between(300_000, 4_000_000);
                scene.read(&who, time, Ask { status: 206, sent, ..Ask::of(MEDIA, "REST.GET.OBJECT", &key) });
            }
        }
    }
}

/// Podcast clients download episodes at night and restart when the connection drops.
fn podcasts(scene: &mut Scene) {
    for _ in 0..scene.some(130) {
        let agent = *scene.random.pick(&[
            "AppleCoreMedia/1.0.0.21E236 (iPhone; U; CPU OS 17_4_1 like Mac OS X; en_us)",
            "Spotify/8.9.32 Android/34",
            "PocketCasts/7.61",
            "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
            "AntennaPod/3.4.0",
            "gPodder/3.11.4",
        ]);
        let who = scene.innocent(Net::Home, "podcast").with_agent(agent);
        let world = Rc::clone(&scene.world);
        for _ in 0..1 + scene.random.below(3) {
            let key = world.pick(&mut scene.random, MEDIA, "episodes/", true);
            let mut time = scene.any_time();
            for _ in 0..1 + scene.random.below(5).min(scene.random.below(5)) {
                let size = world.buckets[MEDIA].size(&key).unwrap_or(0);
                let sent = if scene.random.chance(500) { size } else { scene.random.between(100_000, 20_000_000) };
                scene.read(&who, time, Ask { sent, ..Ask::of(MEDIA, "REST.GET.OBJECT", &key) });
                time += scene.random.between(5, 900) as i64;
            }
        }
    }
}

/// Speed tests, with URLs that defeat caches.
fn speed_tests(scene: &mut Scene) {
    for _ in 0..scene.some(7) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "speed_test").with_agent(agent);
        let time = scene.by_day();
        for step in 0..scene.random.between(2, 7) {
            let query = format!("r=0.{}", scene.random.bits());
            scene.read(
                &who,
                time + step as i64 * 4,
                Ask {
                    query: &query,
                    referer: Some("https://app.example.com/speed"),
                    ..Ask::of(MEDIA, "REST.GET.OBJECT", "speedtest/10MB.bin")
                },
            );
        }
    }
}

/// Devices check for firmware updates; all devices of a model ask for a file that does not exist.
fn things(scene: &mut Scene) {
    for index in 0..scene.some(520) {
        let net = if index % 5 == 0 { Net::Mobile } else { Net::Home };
        let agent = *scene.random.pick(&[
            "ESP32 HTTP Client/1.0",
            "esp-idf/1.0 esp32",
            "Mongoose/6.18",
            "libcurl-agent/1.0",
            "okhttp/3.12.1",
        ]);
        let who = scene.innocent(net, "iot_fleet").with_agent(agent);
        let model = 1 + index % 8;
        // Small devices do without TLS.
        let who = if model % 4 == 1 { Who { tls: 0, ..who } } else { who };
        let mut time = scene.start + scene.random.below(21_600) as i64;
        let step = *scene.random.pick(&[21_600, 43_200, 86_400, 86_400]);
        let serial = hex(&mut scene.random, 8);
        while time < scene.end() {
            scene.get(&who, time, FIRMWARE, &format!("devices/m{model}/latest.json"));
            if model % 3 == 0 {
                scene.get(&who, time + 1, FIRMWARE, &format!("devices/m{model}/config.json"));
                // Each asks for its own file, which exists for few of them.
                scene.get(&who, time + 2, FIRMWARE, &format!("devices/m{model}/units/{serial}.json"));
            }
            if scene.random.chance(60) {
                let version = scene.random.between(1, 6);
                scene.get(&who, time + 3, FIRMWARE, &format!("devices/m{model}/fw-1.{version}.0.bin"));
            }
            time += step + scene.random.below(600) as i64;
        }
    }
}

/// A newsletter with many readers and a picture that does not exist.
fn newsletter(scene: &mut Scene) {
    let campaign = word(&mut scene.random);
    let sent = scene.time_for(90_000, 5);
    for _ in 0..scene.some(420) {
        let agent = if scene.random.chance(300) {
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)".into()
        } else {
            agents::browser(&mut scene.random)
        };
        let who = scene.innocent(Net::Home, "newsletter").with_agent(agent);
        let time = sent + scene.random.below(86_400).min(scene.random.below(86_400)) as i64;
        scene.get(&who, time, MAIL, &format!("campaigns/{campaign}/header.png"));
        if scene.random.chance(500) {
            scene.get(&who, time, MAIL, &format!("campaigns/{campaign}/footer.png"));
        }
        if scene.random.chance(400) {
            scene.get(&who, time, MAIL, &format!("campaigns/{campaign}/offer.png"));
        }
        if scene.random.chance(200) {
            // The link in the mail is presigned for a day; some readers open it later.
            let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260301T060000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=5c1e";
            let ask = Ask {
                query,
                proof: Proof::PresignedFailed,
                ..Ask::of(EXPORTS, "REST.GET.OBJECT", "mailing/whitepaper.pdf")
            };
            scene.ask(&who, time + 30, &ask.refused(403, "AccessDenied"));
        }
    }
}

/// Customers open their own documents; some links have expired, and some people retry repeatedly.
fn presigned(scene: &mut Scene) {
    let signer = scene.world.role("app-backend", "i-0a1b2c3d4e5f60718");
    for _ in 0..scene.some(330) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "presigned_user").with_agent(agent);
        let who = Who { requester: Some(signer.clone()), ..who };
        let world = Rc::clone(&scene.world);
        for _ in 0..1 + scene.random.below(3) {
            let bucket = if scene.random.chance(600) { UPLOADS } else { DOCS };
            let key = world.pick(&mut scene.random, bucket, "", false);
            let mut time = scene.by_day();
            let query = format!(
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAEXAMPLE%2F20260301%2F{}%2Fs3%2Faws4_request&X-Amz-Date=20260301T060000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
                world.region,
                hex(&mut scene.random, 64)
            );
            let ask = Ask { query: &query, proof: Proof::Presigned, ..Ask::of(bucket, "REST.GET.OBJECT", &key) };
            if scene.random.chance(150) {
                for _ in 0..1 + scene.random.below(5) {
                    scene.ask(&who, time, &Ask { proof: Proof::PresignedFailed, ..ask }.refused(403, "AccessDenied"));
                    time += scene.random.between(2, 4_000) as i64;
                }
            } else if scene.random.chance(120) {
                let put =
                    Ask { size: Some(scene.random.between(9_000, 9_000_000)), operation: "REST.PUT.OBJECT", ..ask };
                scene.ask(&who, time, &put);
            } else {
                scene.read(&who, time, ask);
            }
        }
    }
}

/// Pages report views to the bucket with anonymous requests.
fn beacons(scene: &mut Scene) {
    for _ in 0..scene.some(520) {
        let agent = agents::browser(&mut scene.random);
        let who = scene.innocent(Net::Home, "beacon").with_agent(agent);
        let mut time = scene.by_day();
        for _ in 0..1 + scene.random.below(6) {
            time += scene.random.between(1, 300) as i64;
            if scene.random.chance(600) {
                let key = format!("beacons/{}.json", hex(&mut scene.random, 16));
                let size = Some(scene.random.between(90, 900));
                scene.ask(
                    &who,
                    time,
                    &Ask {
                        size,
                        referer: Some("https://app.example.com/"),
                        ..Ask::of(INGEST, "REST.PUT.OBJECT", &key)
                    },
                );
            } else {
                let query = format!("e=view&u={}", hex(&mut scene.random, 8));
                let ask = Ask {
                    query: &query,
                    referer: Some("https://app.example.com/"),
                    sent: 43,
                    size: Some(43),
                    ..Ask::of(INGEST, "REST.GET.OBJECT", "p.gif")
                };
                scene.ask(&who, time, &ask);
            }
        }
    }
}

/// Office checks for every link whether it is a writable folder.
fn web_folders(scene: &mut Scene) {
    for _ in 0..scene.some(32) {
        let office = scene.random.chance(500);
        let agent = if office { "Microsoft Office Word 2014" } else { "Microsoft-WebDAV-MiniRedir/10.0.19045" };
        let who = scene.innocent(Net::Home, "web_folder").with_agent(agent);
        let world = Rc::clone(&scene.world);
        let bucket = *scene.random.pick(&PUBLIC);
        let bucket = if scene.random.chance(500) { SHARE } else { bucket };
        let key = world.pick(&mut scene.random, bucket, "", true);
        for _ in 0..1 + scene.random.below(4) {
            let time = scene.by_day();
            for method in ["OPTIONS", "PROPFIND", "HEAD"] {
                let (operation, status, error) = match method {
                    "OPTIONS" => ("REST.OPTIONS.PREFLIGHT", 403, "AccessForbidden"),
                    "PROPFIND" => ("REST.PROPFIND.OBJECT", 405, "MethodNotAllowed"),
                    _ => {
                        scene.head(&who, time + 1, bucket, &key);
                        continue;
                    }
                };
                scene.ask(
                    &who,
                    time,
                    &Ask { method: Some(method), ..Ask::of(bucket, operation, &key) }.refused(status, error),
                );
            }
        }
    }
}
