//! Attacks on credentials: guessed, tampered with and stolen keys.

use std::rc::Rc;

use super::operations::{CONFIGURATION, configuration, denied_configuration, write_configuration};
use super::{Campaign, Loudness, sources};
use crate::labelled::agents;
use crate::labelled::scene::{Ask, Proof, Scene};
use crate::labelled::world::{BACKUPS, DOCS, EXPORTS, LAKE, STATE, UPLOADS, hex};

pub(super) fn brute_force(scene: &mut Scene, campaign: &Campaign) {
    let whole = scene.days * 86_400;
    let (number, gap) = match campaign.loudness {
        Loudness::Loud => (scene.random.between(120, 400), 2),
        Loudness::Medium => (scene.random.between(12, 30), 30),
        _ => (scene.random.between(6, 10), whole / 12),
    };
    for base in sources(scene, campaign, 1) {
        let machine = scene.random.bits();
        let mut time = scene.time_for((number * gap / 2) as i64, 0);
        for _ in 0..number {
            let agent = if scene.random.chance(500) {
                agents::boto3(&mut scene.random, machine)
            } else {
                agents::aws_cli(&mut scene.random, machine, "s3api.get-object")
            };
            let who = base.with_agent(agent);
            let bucket = *scene.random.pick(&[LAKE, BACKUPS, EXPORTS, STATE, UPLOADS]);
            let error = *scene.random.pick(&["InvalidAccessKeyId", "InvalidAccessKeyId", "SignatureDoesNotMatch"]);
            let key = hex(&mut scene.random, 6);
            let ask = match scene.random.below(4) {
                0 => Ask { query: "list-type=2", ..Ask::new(bucket, "REST.GET.BUCKET") },
                1 => Ask { query: "acl", ..Ask::new(bucket, "REST.GET.ACL") },
                2 => Ask::of(bucket, "REST.PUT.OBJECT", &key),
                _ => Ask::of(bucket, "REST.GET.OBJECT", &key),
            };
            scene.ask(&who, time, &Ask { proof: Proof::Failed, ..ask }.refused(403, error));
            time += scene.random.below(gap + 1) as i64;
        }
    }
}

/// Presigned URLs with a modified key.
pub(super) fn presigned(scene: &mut Scene, campaign: &Campaign) {
    let (number, gap) = match campaign.loudness {
        Loudness::Loud => (scene.random.between(30, 90), 3),
        Loudness::Medium => (scene.random.between(6, 12), 60),
        _ => (scene.random.between(3, 5), 20_000),
    };
    for base in sources(scene, campaign, 1) {
        let agent =
            if scene.random.chance(500) { agents::desktop(&mut scene.random) } else { "python-requests/2.31.0".into() };
        let who = base.with_agent(agent);
        let world = Rc::clone(&scene.world);
        let mut time = scene.time_for((number * gap / 2) as i64, 0);
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260301T060000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            hex(&mut scene.random, 64)
        );
        let first = scene.random.below(2_000);
        for step in 0..number {
            let key = if scene.random.chance(500) {
                format!("invoices/2026/invoice-{}.pdf", world.first_invoice + first + step)
            } else {
                world.pick(&mut scene.random, UPLOADS, "", false)
            };
            let bucket = if key.starts_with("inv") { DOCS } else { UPLOADS };
            let error = if scene.random.chance(800) { "SignatureDoesNotMatch" } else { "AccessDenied" };
            scene.ask(
                &who,
                time,
                &Ask { query: &query, proof: Proof::PresignedFailed, ..Ask::of(bucket, "REST.GET.OBJECT", &key) }
                    .refused(403, error),
            );
            time += scene.random.below(gap + 1) as i64;
        }
    }
}

/// A valid stolen key, used from a place where its owner never was.
pub(super) fn stolen(scene: &mut Scene, campaign: &Campaign) {
    let victim = match scene.random.below(4) {
        0 => scene.world.user("log-shipper"),
        1 => scene.world.user("studio-upload"),
        2 => {
            let index = scene.random.below(17);
            scene.world.user(&format!("analyst-{index}"))
        }
        _ => scene.world.user("backup-0"),
    };
    for base in sources(scene, campaign, 1) {
        let machine = scene.random.bits();
        let base = base.signing(&victim);
        let mut time = scene.time_for(30_000, 30);
        let world = Rc::clone(&scene.world);
        let (reads, gap, tour) = match campaign.loudness {
            Loudness::Loud => (scene.random.between(120, 400), 2, 14),
            Loudness::Medium => (scene.random.between(20, 60), 40, 6),
            _ => (scene.random.between(8, 14), 2_000, 2),
        };
        let bucket = *scene.random.pick(&[LAKE, EXPORTS, UPLOADS, DOCS]);
        for step in 0..tour {
            let agent = agents::aws_cli(&mut scene.random, machine, "s3api.get-bucket-acl");
            let who = base.with_agent(agent);
            let other = scene.random.below(20) as usize;
            if scene.random.chance(500) {
                denied_configuration(scene, &who, time, other, step % CONFIGURATION.len());
            } else {
                configuration(scene, &who, time, other, step % CONFIGURATION.len());
            }
            time += scene.random.between(1, gap) as i64;
        }
        let agent = if scene.random.chance(250) {
            "aws-cli/2.12.0 Python/3.11.8 Linux/6.6.15-kali2-amd64 exe/x86_64.kali.2024 prompt/off command/s3.sync"
                .into()
        } else {
            agents::aws_cli(&mut scene.random, machine, "s3.sync")
        };
        let who = base.with_agent(agent);
        scene.list(&who, time, bucket, "list-type=2&prefix=&encoding-type=url");
        let keys = &world.buckets[bucket].keys;
        let first = scene.random.below(keys.len() as u64 / 2) as usize;
        for (key, _) in keys.iter().skip(first).take(reads as usize) {
            time += scene.random.below(gap + 1) as i64;
            scene.get(&who, time, bucket, key);
        }
        if campaign.loudness == Loudness::Loud {
            for (key, _) in keys.iter().skip(first).take(scene.random.between(5, 30) as usize) {
                time += 1;
                scene.delete(&who, time, bucket, key);
            }
            if scene.random.chance(500) {
                write_configuration(scene, &who, time, bucket, 0, false);
            }
        }
    }
}

/// Finding out what a key may do: asks all buckets and is mostly refused.
pub(super) fn configuration_recon(scene: &mut Scene, campaign: &Campaign) {
    let (number, gap) = match campaign.loudness {
        Loudness::Loud => (scene.random.between(40, 120), 1),
        Loudness::Medium => (scene.random.between(8, 16), 20),
        _ => (scene.random.between(4, 6), 5_000),
    };
    let name = *scene.random.pick(&["studio-upload", "log-shipper", "svc-renderer"]);
    let user = scene.world.user(name);
    for base in sources(scene, campaign, 1) {
        let base = base.signing(&user);
        let machine = scene.random.bits();
        let mut time = scene.time_for((number * gap) as i64, 20);
        for step in 0..number {
            let agent = match scene.random.below(2) {
                0 => agents::aws_cli(&mut scene.random, machine, "s3api.get-bucket-policy"),
                _ => agents::boto3(&mut scene.random, machine),
            };
            let who = base.with_agent(agent);
            let bucket = scene.random.below(20) as usize;
            if scene.random.chance(800) {
                denied_configuration(scene, &who, time, bucket, (step * 5) as usize % CONFIGURATION.len());
            } else {
                configuration(scene, &who, time, bucket, (step * 5) as usize % CONFIGURATION.len());
            }
            time += scene.random.below(gap + 1) as i64;
        }
    }
}
