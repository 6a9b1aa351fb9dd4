//! Machines that sign requests: builds, pipelines, fleets, log shippers, and misconfigured ones.

use std::rc::Rc;

use crate::labelled::agents;
use crate::labelled::cast::Net;
use crate::labelled::scene::{Ask, Proof, Scene, Who};
use crate::labelled::world::{ARCHIVE, BACKUPS, CACHE, EXPORTS, LAKE, LOGS, MEDIA, UPLOADS, hex, word};

const SPARK: &str = "Hadoop 3.3.4, aws-sdk-java/1.12.262 Linux/5.10.205 OpenJDK_64-Bit_Server_VM/11.0.22+7 java/11.0.22 scala/2.12.17 vendor/Amazon.com_Inc.";

pub(super) fn all(scene: &mut Scene) {
    caches(scene);
    spark(scene);
    autoscaling(scene);
    shippers(scene);
    misconfigured(scene);
    uploaders(scene);
    partner(scene);
    lifecycle(scene);
}

/// Build caches: look up a hash, miss, build, and upload.
fn caches(scene: &mut Scene) {
    for index in 0..scene.some(28) {
        let net = if index % 2 == 0 { Net::Cloud } else { Net::Hosting };
        let requester = scene.world.role("ci-runner", &format!("job-{}", scene.random.below(90_000)));
        let agent = *scene.random.pick(&[
            "bazel-remote/2.4.3",
            "sccache/0.7.7",
            "aws-sdk-go/1.44.327 (go1.21.6; linux; amd64)",
            "gitlab-runner 16.9.1",
        ]);
        let who = scene.innocent(net, "ci_cache").signing(&requester).with_agent(agent);
        let world = Rc::clone(&scene.world);
        for _ in 0..scene.random.between(1, 6) {
            let mut time = scene.by_day();
            for _ in 0..scene.random.between(10, 120) {
                time += scene.random.below(4) as i64;
                if scene.random.chance(450) {
                    let key = world.pick(&mut scene.random, CACHE, "cas/", true);
                    scene.head(&who, time, CACHE, &key);
                    scene.get(&who, time, CACHE, &key);
                } else {
                    let key = format!("cas/{}", hex(&mut scene.random, 40));
                    scene.head(&who, time, CACHE, &key);
                    let size = scene.random.object_size(40_000_000);
                    scene.put(&who, time + 1, CACHE, &key, size);
                }
            }
        }
    }
}

/// Spark checks for markers and folders, writes to temporary names, copies and deletes.
fn spark(scene: &mut Scene) {
    let session = scene.world.role("emr-etl", "i-0fedcba9876543210");
    for index in 0..scene.some(14) {
        let net = if index % 3 == 0 { Net::Private } else { Net::Cloud };
        let who = scene.innocent(net, "spark").signing(&session).with_agent(SPARK);
        let world = Rc::clone(&scene.world);
        for _ in 0..scene.random.between(1, 4) {
            let mut time = scene.any_time();
            let day = scene.random.between(1, 28);
            let folder = format!("derived/{}/dt=2026-03-{day:02}", word(&mut scene.random));
            for _ in 0..scene.random.between(10, 60) {
                let key = world.pick(&mut scene.random, LAKE, "events/", true);
                scene.head(&who, time, LAKE, &key);
                let sent = scene.random.between(60_000, 9_000_000);
                scene.read(&who, time, Ask { status: 206, sent, ..Ask::of(LAKE, "REST.GET.OBJECT", &key) });
                time += scene.random.below(3) as i64;
            }
            scene.head(&who, time, LAKE, &format!("{folder}/_SUCCESS"));
            scene.head(&who, time, LAKE, &format!("{folder}/_temporary/0"));
            scene.list(&who, time, LAKE, &format!("list-type=2&delimiter=%2F&max-keys=2&prefix={folder}%2F"));
            let parts = scene.random.between(8, 40);
            let mut gone = Vec::new();
            for part in 0..parts {
                let temporary = format!("{folder}/_temporary/0/task_{part:06}/part-{part:05}.snappy.parquet");
                let last = format!("{folder}/part-{part:05}.snappy.parquet");
                scene.head(&who, time, LAKE, &temporary);
                let size = scene.random.object_size(90_000_000).max(900);
                scene.put(&who, time, LAKE, &temporary, size);
                scene.copy(&who, time + 20, (LAKE, &temporary), (LAKE, &last), size);
                if scene.random.chance(200) {
                    scene.delete(&who, time + 21, LAKE, &temporary);
                } else {
                    gone.push((temporary, size));
                }
                time += scene.random.below(3) as i64;
            }
            scene.delete_many(&who, time + 30, LAKE, &gone);
            scene.put(&who, time + 31, LAKE, &format!("{folder}/_SUCCESS"), 0);
        }
    }
}

/// Autoscaled servers: each is new and reads the same objects as the others.
fn autoscaling(scene: &mut Scene) {
    let role = scene.random.bits();
    for index in 0..scene.some(230) {
        let requester = scene.world.role("web-fleet", &format!("i-0{}", hex(&mut scene.random, 16)));
        let requester = if index % 2 == 0 { requester } else { scene.world.user("svc-renderer") };
        let agent = agents::boto3(&mut scene.random, role);
        let who = scene.innocent(Net::Cloud, "autoscaling").signing(&requester).with_agent(agent);
        let world = Rc::clone(&scene.world);
        let mut time = scene.by_day();
        for _ in 0..scene.random.between(4, 40) {
            time += scene.random.below(600) as i64;
            let bucket = *scene.random.pick(&[UPLOADS, UPLOADS, MEDIA, EXPORTS]);
            let key = world.pick(&mut scene.random, bucket, "", true);
            if scene.random.chance(150) {
                let size = scene.random.object_size(9_000_000);
                scene.put(&who, time, bucket, &key, size);
            } else {
                scene.get(&who, time, bucket, &key);
            }
        }
    }
}

/// Log shippers: a few lines every minute, from many hosts.
fn shippers(scene: &mut Scene) {
    for _ in 0..scene.some(12) {
        let requester = scene.world.user("log-shipper");
        let agent = *scene.random.pick(&[
            "Fluent-Bit",
            "vector/0.37.0 (x86_64-unknown-linux-gnu)",
            "aws-sdk-ruby3/3.191.1 ua/2.0 api/s3#1.146.0 os/linux md/x86_64 lang/ruby#3.2.3 fluent-plugin-s3",
        ]);
        let who = scene.innocent(Net::Cloud, "log_shipper").signing(&requester).with_agent(agent);
        let step = scene.random.between(300, 1_500) as i64;
        let host = hex(&mut scene.random, 6);
        let mut time = scene.start;
        while time < scene.end() {
            time += step + scene.random.below(20) as i64;
            let key = format!("app/{host}/{time}.log.gz");
            let size = scene.random.between(2_000, 9_000_000);
            scene.put(&who, time, LOGS, &key, size);
        }
    }
}

/// Misconfigured clients, with a wrong key, an expired token, a skewed clock or an incomplete policy, repeat the same
/// request for days.
fn misconfigured(scene: &mut Scene) {
    for index in 0..scene.some(14) {
        let net = *scene.random.pick(&[Net::Hosting, Net::Cloud, Net::Home]);
        let agent = if scene.random.chance(300) { None } else { Some(agents::sdk(&mut scene.random)) };
        let base = scene.innocent(net, "misconfigured");
        let who = Who { agent, ..base };
        let bucket = *scene.random.pick(&[LOGS, BACKUPS, UPLOADS, EXPORTS, LAKE]);
        let keys: Vec<String> = (0..scene.random.between(1, 4))
            .map(|_| format!("{}/{}.json", word(&mut scene.random), word(&mut scene.random)))
            .collect();
        let error = match index % 5 {
            0 => "InvalidAccessKeyId",
            1 => "ExpiredToken",
            2 => "RequestTimeTooSkewed",
            3 => "SignatureDoesNotMatch",
            _ => "AccessDenied",
        };
        let operation = *scene.random.pick(&["REST.GET.OBJECT", "REST.PUT.OBJECT", "REST.HEAD.OBJECT"]);
        let times = scene.random.between(60, 2_400);
        let step = (scene.days * 86_400 / times).max(1);
        let mut time = scene.start + scene.random.below(step) as i64;
        let dated = scene.random.chance(200);
        for _ in 0..times {
            // An uploader that never succeeds uses a new name each time.
            let key = if dated { format!("spool/{time}.json") } else { scene.random.pick(&keys).clone() };
            let status = if error == "ExpiredToken" { 400 } else { 403 };
            let ask = Ask::of(bucket, operation, &key).refused(status, error);
            if error == "AccessDenied" {
                let signed = scene.world.user("legacy-exporter");
                scene.ask(&who.signing(&signed), time, &ask);
            } else {
                scene.ask(&who, time, &Ask { proof: Proof::Failed, ..ask });
            }
            time += scene.random.between(step / 2 + 1, step + step / 2 + 1) as i64;
        }
    }
    // Programs without a key ask for a configuration file that does not exist and that nobody may read.
    for _ in 0..scene.some(8) {
        let base = scene.innocent(Net::Hosting, "misconfigured");
        let agent = *scene.random.pick(&agents::SCRIPTS);
        let who = base.with_agent(agent);
        let key = format!("config/{}.yaml", word(&mut scene.random));
        let mut time = scene.any_time();
        for _ in 0..scene.random.between(20, 900) {
            scene.get(&who, time, UPLOADS, &key);
            time += scene.random.between(5, 120) as i64;
        }
    }
    // After a key rotation all services use the old key for some minutes.
    for _ in 0..scene.some(3) {
        let agent = agents::sdk(&mut scene.random);
        let who = scene.innocent(Net::Cloud, "key_rotation").with_agent(agent);
        let mut time = scene.by_day();
        let world = Rc::clone(&scene.world);
        for _ in 0..scene.random.between(4, 14) {
            let bucket = *scene.random.pick(&[UPLOADS, LAKE]);
            let key = world.pick(&mut scene.random, bucket, "", true);
            let operation = *scene.random.pick(&["REST.GET.OBJECT", "REST.PUT.OBJECT"]);
            let ask = Ask { proof: Proof::Failed, ..Ask::of(bucket, operation, &key) };
            scene.ask(&who, time, &ask.refused(403, "InvalidAccessKeyId"));
            time += scene.random.between(1, 40) as i64;
        }
        let requester = world.user("svc-thumbnailer");
        for _ in 0..40 {
            let key = world.pick(&mut scene.random, UPLOADS, "", true);
            scene.get(&who.signing(&requester), time, UPLOADS, &key);
            time += scene.random.between(10, 900) as i64;
        }
    }
}

/// Multipart uploads of large files; some are aborted.
fn uploaders(scene: &mut Scene) {
    for _ in 0..scene.some(20) {
        let requester = scene.world.user("studio-upload");
        let machine = scene.random.bits();
        let base = scene.innocent(Net::Home, "video_upload").signing(&requester);
        for _ in 0..scene.random.between(1, 4) {
            let agent = agents::aws_cli(&mut scene.random, machine, "s3.cp");
            let who = base.with_agent(agent);
            let key = format!("raw/{}-{}.mov", word(&mut scene.random), hex(&mut scene.random, 4));
            let mut time = scene.by_day();
            let id = hex(&mut scene.random, 40);
            scene.ask(&who, time, &Ask { query: "uploads", sent: 330, ..Ask::of(MEDIA, "REST.POST.UPLOADS", &key) });
            let parts = scene.random.between(5, 60);
            for part in 1..=parts {
                time += scene.random.between(1, 9) as i64;
                let query = format!("partNumber={part}&uploadId={id}");
                scene.ask(
                    &who,
                    time,
                    &Ask { query: &query, size: Some(8_388_608), ..Ask::of(MEDIA, "REST.PUT.PART", &key) },
                );
            }
            let query = format!("uploadId={id}");
            if scene.random.chance(250) {
                scene.ask(
                    &who,
                    time + 5,
                    &Ask { query: &query, status: 204, ..Ask::of(MEDIA, "REST.DELETE.UPLOAD", &key) },
                );
            } else {
                scene.ask(
                    &who,
                    time + 5,
                    &Ask {
                        query: &query,
                        sent: 420,
                        size: Some(parts * 8_388_608),
                        ..Ask::of(MEDIA, "REST.POST.UPLOAD", &key)
                    },
                );
            }
        }
    }
}

/// A partner account, declared in the allow list, reads everything once a day.
fn partner(scene: &mut Scene) {
    let who = scene
        .innocent(Net::Hosting, "partner_sync")
        .signing("arn:aws:iam::444455556666:user/partner-sync")
        .with_agent("rclone/v1.65.2");
    let world = Rc::clone(&scene.world);
    for day in 0..scene.days as i64 {
        let mut time = scene.start + day * 86_400 + 7_200 + scene.random.below(900) as i64;
        scene.list(&who, time, EXPORTS, "list-type=2&prefix=&encoding-type=url");
        for (key, _) in world.buckets[EXPORTS].keys.iter().take(300) {
            scene.get(&who, time, EXPORTS, key);
            time += scene.random.below(3) as i64;
        }
    }
}

/// Lifecycle actions of S3 at night.
fn lifecycle(scene: &mut Scene) {
    let world = Rc::clone(&scene.world);
    for day in 0..scene.days as i64 {
        let time = scene.start + day * 86_400 + 600;
        for _ in 0..scene.some(300) {
            let (bucket, operation) = *scene.random.pick(&[
                (ARCHIVE, "S3.TRANSITION_GIR.OBJECT"),
                (CACHE, "S3.EXPIRE.OBJECT"),
                (LOGS, "S3.EXPIRE.OBJECT"),
            ]);
            let key = if bucket == LOGS {
                format!("app/{}/{time}.log.gz", hex(&mut scene.random, 6))
            } else {
                world.pick(&mut scene.random, bucket, "", false)
            };
            let size = world.buckets[bucket].size(&key).unwrap_or(4_096);
            let late = scene.random.below(1_800) as i64;
            scene.lifecycle(time + late, bucket, operation, &key, size);
        }
    }
}
