//! The company's staff and nightly jobs. All requests are signed, and some of them look alarming.

use std::rc::Rc;

use crate::labelled::agents;
use crate::labelled::cast::Net;
use crate::labelled::hostile::operations::{
    CONFIGURATION, WRITES, configuration, denied_configuration, write_configuration,
};
use crate::labelled::scene::{Ask, Scene};
use crate::labelled::world::{ARCHIVE, BACKUPS, DOCS, EXPORTS, LAKE, SITE, STATE, UPLOADS, hex};

pub(super) fn all(scene: &mut Scene) {
    backups(scene);
    administrators(scene);
    terraform(scene);
    posture(scene);
    remote_workers(scene);
    accountants(scene);
    migrations(scene);
    backfill(scene);
    deploys(scene);
}

/// Backups: uploads at night, thousands of deletions by retention, and one complete restore.
fn backups(scene: &mut Scene) {
    for index in 0..scene.some(7) {
        let requester = scene.world.user(&format!("backup-{index}"));
        let agent = *scene.random.pick(&[
            "MinIO (linux; amd64) minio-go/v7.0.66",
            "rclone/v1.66.0",
            "restic/0.16.4",
            "Duplicati/2.0.8.1",
            "",
        ]);
        let base =
            scene.innocent(if index % 2 == 0 { Net::Office } else { Net::Hosting }, "backup").signing(&requester);
        // One of them is s3cmd, which sends no user agent.
        let who = if agent.is_empty() { base } else { base.with_agent(agent) };
        let world = Rc::clone(&scene.world);
        let keys = &world.buckets[BACKUPS].keys;
        let hour = scene.random.between(0, 5) as i64;
        let prunes_on = scene.random.below(scene.days.max(1)) as i64;
        let restores_on = if index % 3 == 0 { scene.random.below(scene.days.max(1)) as i64 } else { -1 };
        let one_by_one = scene.random.chance(400);
        for day in 0..scene.days as i64 {
            let mut time = scene.start + day * 86_400 + hour * 3_600 + scene.random.below(600) as i64;
            scene.head(&who, time, BACKUPS, "restic/config");
            scene.list(&who, time, BACKUPS, "delimiter=%2F&list-type=2&prefix=restic%2Fdata%2F");
            for _ in 0..scene.random.between(30, 260) {
                let key = format!("restic/data/{}/{}", hex(&mut scene.random, 2), hex(&mut scene.random, 32));
                if agent.starts_with("rclone") || agent.starts_with("restic") {
                    scene.head(&who, time, BACKUPS, &key);
                }
                let size = scene.random.between(4_000_000, 17_000_000);
                scene.put(&who, time, BACKUPS, &key, size);
                time += scene.random.below(4) as i64;
            }
            // A small prune every night, and a large one once.
            let number = if day == prunes_on { scene.random.between(400, 1_600) } else { scene.random.between(0, 30) };
            let first = scene.random.below(keys.len() as u64 / 2) as usize;
            let gone: Vec<_> = keys.iter().cycle().skip(first).take(number as usize).cloned().collect();
            if number > 0 {
                scene.list(&who, time, BACKUPS, "list-type=2&prefix=restic%2F");
            }
            for part in gone.chunks(if one_by_one { 1 } else { 250 }) {
                time += 1;
                if one_by_one {
                    scene.delete(&who, time, BACKUPS, &part[0].0);
                } else {
                    scene.delete_many(&who, time, BACKUPS, part);
                }
            }
            if day == restores_on {
                for (key, _) in keys {
                    scene.get(&who, time, BACKUPS, key);
                    time += scene.random.below(3) as i64;
                }
            }
        }
    }
}

/// Administrators use the console and the CLI: they inspect everything, change some settings and ask for settings
/// that are not set.
fn administrators(scene: &mut Scene) {
    for index in 0..scene.some(13) {
        let requester = if index % 2 == 0 {
            scene.world.user(&format!("admin-{index}"))
        } else {
            scene.world.role("Administrator", &format!("admin-{index}"))
        };
        let machine = scene.random.bits();
        let office = scene.innocent(Net::Office, "admin").signing(&requester);
        let mut places = vec![office];
        if scene.random.chance(400) {
            let home = scene.innocent(Net::Home, "admin").signing(&requester);
            places.push(home);
        }
        for (place, base) in places.iter().enumerate() {
            let sessions = if place == 0 { scene.random.between(2, 6) } else { 1 };
            for _ in 0..sessions {
                let mut time = if place == 0 { scene.by_day() } else { scene.time_for(3_600, 40) };
                let bucket = scene.random.below(20) as usize;
                let console = scene.random.chance(400);
                let tour = scene.random.between(2, 14);
                for step in 0..tour {
                    let agent = if console {
                        agents::CONSOLE.into()
                    } else {
                        agents::aws_cli(&mut scene.random, machine, "s3api.get-bucket-policy")
                    };
                    let operation = (step as usize * 7 + index as usize) % CONFIGURATION.len();
                    // Some lack permissions and find out by trying.
                    if index % 4 == 3 && scene.random.chance(250) {
                        denied_configuration(scene, &base.with_agent(agent), time, bucket, operation);
                    } else {
                        configuration(scene, &base.with_agent(agent), time, bucket, operation);
                    }
                    time += scene.random.between(1, 30) as i64;
                }
                if scene.random.chance(if place == 0 { 200 } else { 60 }) {
                    let operation = scene.random.below(WRITES.len() as u64) as usize;
                    let agent = agents::aws_cli(&mut scene.random, machine, "s3api.put-bucket-policy");
                    write_configuration(scene, &base.with_agent(agent), time, bucket, operation, true);
                }
                let world = Rc::clone(&scene.world);
                let agent = agents::aws_cli(&mut scene.random, machine, "s3.ls");
                scene.list(
                    &base.with_agent(agent),
                    time + 20,
                    bucket,
                    "list-type=2&prefix=&delimiter=%2F&encoding-type=url",
                );
                for _ in 0..scene.random.below(6) {
                    if let Some((key, _)) = world.buckets[bucket].keys.first() {
                        let agent = agents::aws_cli(&mut scene.random, machine, "s3.cp");
                        scene.get(&base.with_agent(agent), time + 40, bucket, key);
                    }
                }
                if scene.random.chance(120) {
                    // Restores an older version.
                    scene.list(&base.with_agent(agents::CONSOLE), time + 50, bucket, "list-type=2&prefix=");
                    let ask = Ask {
                        query: "versions&prefix=records%2F",
                        sent: 9_400,
                        ..Ask::new(ARCHIVE, "REST.GET.BUCKETVERSIONS")
                    };
                    scene.ask(&base.with_agent(agents::CONSOLE), time + 51, &ask);
                    let version = hex(&mut scene.random, 32);
                    let key = world.pick(&mut scene.random, ARCHIVE, "", false);
                    let query = format!("versionId={version}");
                    scene.read(
                        &base.with_agent(agents::CONSOLE),
                        time + 60,
                        Ask { query: &query, version: Some(&version), ..Ask::of(ARCHIVE, "REST.GET.OBJECT", &key) },
                    );
                }
            }
        }
    }
}

/// Terraform reads the whole configuration of every bucket and occasionally changes something.
fn terraform(scene: &mut Scene) {
    let requester = scene.world.role("terraform-ci", "run");
    for _ in 0..scene.some(4) {
        let who = scene.innocent(Net::Cloud, "terraform").signing(&requester).with_agent(agents::TERRAFORM);
        for _ in 0..scene.random.between(1, 3) {
            let mut time = scene.by_day();
            for bucket in 0..scene.random.between(4, 20) as usize {
                for operation in 0..CONFIGURATION.len() {
                    configuration(scene, &who, time, bucket, operation);
                    time += i64::from(scene.random.chance(300));
                }
                if scene.random.chance(60) {
                    let operation = scene.random.below(WRITES.len() as u64) as usize;
                    write_configuration(scene, &who, time, bucket, operation, true);
                }
            }
            scene.get(&who, time, STATE, "prod/network/terraform.tfstate");
            scene.put(&who, time + 2, STATE, "prod/network/terraform.tfstate", 240_000);
        }
    }
}

/// A posture audit that may read the configuration of every bucket.
fn posture(scene: &mut Scene) {
    for _ in 0..scene.some(3) {
        let requester = scene.world.role("posture-audit", "scan");
        let machine = scene.random.bits();
        let base = scene.innocent(Net::Hosting, "posture_scanner").signing(&requester);
        for day in 0..scene.days as i64 {
            let time = scene.start + day * 86_400 + scene.random.below(80_000) as i64;
            let agent = agents::boto3(&mut scene.random, machine);
            let who = base.with_agent(agent);
            for bucket in 0..20 {
                for operation in (0..CONFIGURATION.len()).step_by(3) {
                    configuration(scene, &who, time + bucket as i64, bucket, operation);
                }
            }
        }
    }
}

/// Remote workers whose address changes because they travel or move, with the same work.
fn remote_workers(scene: &mut Scene) {
    for index in 0..scene.some(46) {
        let requester = scene.world.user(&format!("analyst-{}", index % 17));
        let machine = scene.random.bits();
        let places = scene.random.between(1, 3);
        for place in 0..places {
            let base = scene.innocent(Net::Home, "remote_worker").signing(&requester);
            let mut time =
                if place == 0 { scene.start + scene.random.below(40_000) as i64 } else { scene.time_for(20_000, 35) };
            let world = Rc::clone(&scene.world);
            let bucket = *scene.random.pick(&[LAKE, EXPORTS, UPLOADS]);
            if scene.random.chance(500) {
                let agent = agents::aws_cli(&mut scene.random, machine, "s3.ls");
                scene.list(
                    &base.with_agent(agent),
                    time,
                    bucket,
                    "list-type=2&prefix=&delimiter=%2F&encoding-type=url",
                );
            }
            for _ in 0..scene.random.between(6, 60) {
                let agent = agents::aws_cli(&mut scene.random, machine, "s3.cp");
                let key = world.pick(&mut scene.random, bucket, "", true);
                scene.get(&base.with_agent(agent), time, bucket, &key);
                time += scene.random.between(5, 600) as i64;
            }
            if scene.random.chance(200) {
                let scratch = format!("scratch/{}.csv", hex(&mut scene.random, 6));
                let agent = agents::aws_cli(&mut scene.random, machine, "s3.cp");
                scene.put(&base.with_agent(agent), time, bucket, &scratch, 90_000);
                let agent = agents::aws_cli(&mut scene.random, machine, "s3.rm");
                scene.delete(&base.with_agent(agent), time + 60, bucket, &scratch);
            }
        }
    }
}

/// Accountants read the invoices of a month in order.
fn accountants(scene: &mut Scene) {
    for _ in 0..scene.some(4) {
        let requester = scene.world.user("accounting");
        let who = scene
            .innocent(Net::Office, "accountant")
            .signing(&requester)
            .with_agent("Cyberduck/8.7.3.40992 (Windows 10/10.0) (amd64)");
        let world = Rc::clone(&scene.world);
        for _ in 0..scene.random.between(1, 3) {
            let mut time = scene.by_day();
            let first = scene.random.below(1_500);
            for number in first..first + scene.random.between(20, 240) {
                scene.get(&who, time, DOCS, &format!("invoices/2026/invoice-{}.pdf", world.first_invoice + number));
                time += scene.random.between(1, 4) as i64;
            }
        }
    }
}

/// Migrations copy every object onto itself to change encryption or storage class, with a role that has been used
/// before.
fn migrations(scene: &mut Scene) {
    let requester = scene.world.role("storage-migration", "batch");
    for _ in 0..scene.some(2) {
        let machine = scene.random.bits();
        let agent = agents::boto3(&mut scene.random, machine);
        let who = scene.innocent(Net::Cloud, "storage_migration").signing(&requester).with_agent(agent);
        let world = Rc::clone(&scene.world);
        let keys = &world.buckets[ARCHIVE].keys;
        let first = scene.random.below(keys.len() as u64 / 2) as usize;
        for day in 0..scene.days as i64 {
            let mut time = scene.start + day * 86_400 + 3_600;
            scene.list(&who, time, ARCHIVE, "list-type=2&prefix=records%2F");
            for (key, size) in keys.iter().skip(first + 200 * day as usize).take(200) {
                scene.copy(&who, time, (ARCHIVE, key), (ARCHIVE, key), *size);
                time += scene.random.below(3) as i64;
            }
        }
    }
}

/// A reporting job reads ten times as much as usual, to recompute last year's figures.
fn backfill(scene: &mut Scene) {
    for index in 0..scene.some(3) {
        let requester = scene.world.user(&format!("reporting-{index}"));
        let agent = agents::sdk(&mut scene.random);
        let who = scene.innocent(Net::Cloud, "backfill").signing(&requester).with_agent(agent);
        let world = Rc::clone(&scene.world);
        let large_on = scene.random.below(scene.days.max(1)) as i64;
        for day in 0..scene.days as i64 {
            let mut time = scene.start + day * 86_400 + 18_000;
            let number = if day == large_on { scene.random.between(300, 900) } else { scene.random.between(20, 60) };
            scene.list(&who, time, LAKE, "list-type=2&prefix=events%2F");
            for _ in 0..number {
                let key = world.pick(&mut scene.random, LAKE, "events/", false);
                scene.get(&who, time, LAKE, &key);
                time += scene.random.below(5) as i64;
            }
        }
    }
}

/// Deployments of the site upload pages and delete old ones, each from a new machine.
fn deploys(scene: &mut Scene) {
    let requester = scene.world.role("site-deploy", "github");
    for _ in 0..scene.some(9) {
        let machine = scene.random.bits();
        let base = scene.innocent(Net::Hosting, "deploy").signing(&requester);
        let agent = agents::aws_cli(&mut scene.random, machine, "s3.sync");
        let who = base.with_agent(agent);
        let world = Rc::clone(&scene.world);
        let mut time = scene.by_day();
        scene.list(&who, time, SITE, "list-type=2&prefix=&encoding-type=url");
        for _ in 0..scene.random.between(5, 90) {
            let key = world.pick(&mut scene.random, SITE, "", false);
            scene.put(&who, time, SITE, &key, 20_000);
            time += i64::from(scene.random.chance(300));
        }
        for _ in 0..scene.random.below(12) {
            let key = world.pick(&mut scene.random, SITE, "", false);
            scene.delete(&who, time, SITE, &key);
        }
    }
}
