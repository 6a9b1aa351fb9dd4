//! Destruction, encryption, tampering and defacement.

use std::rc::Rc;

use super::operations::{WRITES, write_configuration};
use super::{Campaign, Loudness, sources};
use crate::labelled::agents;
use crate::labelled::scene::{Ask, Scene, Who};
use crate::labelled::world::{
    ARCHIVE, ASSETS, BACKUPS, DOCS, EXPORTS, INGEST, LAKE, MAIL, MEDIA, SHARE, SITE, UPLOADS, hex,
};

/// Names of ransom notes.
const NOTES: [&str; 5] = [
    "FILES-ENCRYPTED.txt",
    "HOW_TO_RECOVER_FILES.txt",
    "README_FOR_DECRYPT.txt",
    "ransom_note.txt",
    "WARNING-YOUR-DATA.txt",
];

/// Sources with a stolen key.
fn thief(scene: &mut Scene, campaign: &Campaign) -> Vec<Who> {
    let victim = match scene.random.below(4) {
        0 => scene.world.user("backup-0"),
        1 => scene.world.user("log-shipper"),
        2 => scene.world.role("storage-migration", "batch"),
        _ => {
            let index = scene.random.below(17);
            scene.world.user(&format!("analyst-{index}"))
        }
    };
    let machine = scene.random.bits();
    sources(scene, campaign, 1)
        .into_iter()
        .map(|base| {
            let agent = if scene.random.chance(500) {
                agents::boto3(&mut scene.random, machine)
            } else {
                agents::aws_cli(&mut scene.random, machine, "s3.rm")
            };
            base.signing(&victim).with_agent(agent)
        })
        .collect()
}

fn amount(scene: &mut Scene, loudness: Loudness) -> usize {
    let number = match loudness {
        Loudness::Loud => scene.random.between(200, 600),
        Loudness::Medium => scene.random.between(15, 60),
        _ => scene.random.between(5, 9),
    };
    number as usize
}

/// The bucket and objects of an attack, and its start time.
fn prey(scene: &mut Scene, loudness: Loudness) -> (usize, Vec<(String, u64)>, i64) {
    let bucket = *scene.random.pick(&[ARCHIVE, ARCHIVE, SHARE, EXPORTS, BACKUPS]);
    let number = amount(scene, loudness);
    let world = Rc::clone(&scene.world);
    let keys = &world.buckets[bucket].keys;
    let first = scene.random.below(keys.len() as u64 / 3) as usize;
    let time = scene.time_for(8_000, 25);
    (bucket, keys.iter().skip(first).take(number).cloned().collect(), time)
}

fn note(scene: &mut Scene, who: &Who, time: i64, bucket: usize) {
    let name = *scene.random.pick(&NOTES);
    scene.put(who, time, bucket, name, 1_204);
}

/// Copies every object onto itself, encrypted with a key that only the attacker has.
pub(super) fn ransom_copy(scene: &mut Scene, campaign: &Campaign) {
    for who in thief(scene, campaign) {
        let (bucket, keys, mut time) = prey(scene, campaign.loudness);
        scene.list(&who, time, bucket, "list-type=2&prefix=&encoding-type=url");
        for (key, size) in &keys {
            scene.copy(&who, time, (bucket, key), (bucket, key), *size);
            time += scene.random.below(3) as i64;
        }
        if scene.random.chance(600) {
            write_configuration(scene, &who, time, bucket, 5, true);
        }
        if scene.random.chance(700) {
            note(scene, &who, time + 2, bucket);
        }
    }
}

/// Reads every object and writes it back under another name or the same one.
pub(super) fn ransom_rewrite(scene: &mut Scene, campaign: &Campaign) {
    for who in thief(scene, campaign) {
        let (bucket, keys, mut time) = prey(scene, campaign.loudness);
        let ending = *scene.random.pick(&[".enc", ".locked", ".crypt", ""]);
        scene.list(&who, time, bucket, "list-type=2&prefix=&encoding-type=url");
        for (key, size) in &keys {
            scene.get(&who, time, bucket, key);
            scene.put(&who, time + 2, bucket, &format!("{key}{ending}"), size + 32);
            if !ending.is_empty() {
                scene.delete(&who, time + 3, bucket, key);
            }
            time += scene.random.between(1, if campaign.loudness == Loudness::Slow { 700 } else { 9 }) as i64;
        }
        if scene.random.chance(600) {
            note(scene, &who, time + 2, bucket);
        }
    }
}

/// Deletes everything including versions, and leaves a note.
pub(super) fn ransom_delete(scene: &mut Scene, campaign: &Campaign) {
    for who in thief(scene, campaign) {
        let (bucket, keys, time) = prey(scene, campaign.loudness);
        scene.ask(&who, time, &Ask { query: "versions", sent: 190_000, ..Ask::new(bucket, "REST.GET.BUCKETVERSIONS") });
        for (step, part) in keys.chunks(200).enumerate() {
            scene.delete_many(&who, time + 5 + step as i64, bucket, part);
        }
        note(scene, &who, time + 30, bucket);
    }
}

/// Deletes objects without a note.
pub(super) fn destruction(scene: &mut Scene, campaign: &Campaign) {
    for who in thief(scene, campaign) {
        let (bucket, keys, mut time) = prey(scene, campaign.loudness);
        if scene.random.chance(700) {
            scene.list(&who, time, bucket, "list-type=2&prefix=&encoding-type=url");
        }
        if campaign.loudness == Loudness::Loud && scene.random.chance(600) {
            for part in keys.chunks(300) {
                scene.delete_many(&who, time + 5, bucket, part);
                time += 2;
            }
            continue;
        }
        let gap = if campaign.loudness == Loudness::Slow { 400 } else { 5 };
        for (key, _) in &keys {
            time += scene.random.between(1, gap) as i64;
            scene.delete(&who, time, bucket, key);
        }
    }
}

/// Changes logging, policies, versioning and the like with a stolen key.
pub(super) fn tampering(scene: &mut Scene, campaign: &Campaign) {
    for who in thief(scene, campaign) {
        let mut time = scene.time_for(4_000, 25);
        let operations: Vec<usize> = match campaign.loudness {
            Loudness::Loud => (0..WRITES.len()).collect(),
            Loudness::Medium => vec![4, 2, 0],
            _ => vec![*scene.random.pick(&[4, 0, 3])],
        };
        let buckets = if campaign.loudness == Loudness::Loud { scene.random.between(2, 6) } else { 1 };
        for _ in 0..buckets {
            let bucket = *scene.random.pick(&[ARCHIVE, EXPORTS, UPLOADS, LAKE, DOCS]);
            for &operation in &operations {
                let allowed = scene.random.chance(650);
                write_configuration(scene, &who, time, bucket, operation, allowed);
                time += scene.random.between(1, 60) as i64;
            }
        }
    }
}

/// Anonymous uploads: shells, phishing pages, or proofs that writing is possible.
pub(super) fn uploads(scene: &mut Scene, campaign: &Campaign) {
    let (number, each) = match campaign.loudness {
        Loudness::Loud => (1, scene.random.between(10, 30)),
        Loudness::Medium => (1, scene.random.between(2, 4)),
        Loudness::Slow => (1, 1),
        Loudness::Distributed => (scene.random.between(4, 6), 1),
    };
    for base in sources(scene, campaign, number) {
        let agent = *scene.random.pick(&[
            "curl/7.88.1",
            "python-requests/2.31.0",
            "Go-http-client/1.1",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
        ]);
        let who = base.with_agent(agent);
        let mut time = scene.time_for(8_000, 5);
        for _ in 0..each {
            let bucket = *scene.random.pick(&[INGEST, INGEST, ASSETS, MEDIA, MAIL, SITE]);
            let tag = hex(&mut scene.random, 6);
            let key = match scene.random.below(8) {
                0 => "poc.txt".into(),
                1 => format!("{tag}.php"),
                2 => "shell.jsp".into(),
                3 => format!("login/{tag}/index.html"),
                4 => "test.html".into(),
                5 => format!("bugbounty-{tag}.txt"),
                6 => format!("{tag}.svg"),
                _ => format!("secure-update/{tag}.html"),
            };
            let operation = if scene.random.chance(150) { "REST.PUT.ACL" } else { "REST.PUT.OBJECT" };
            let query = if operation == "REST.PUT.ACL" { "acl" } else { "" };
            let ask = Ask { query, size: Some(scene.random.between(20, 9_000)), ..Ask::of(bucket, operation, &key) };
            if bucket == INGEST {
                scene.ask(&who, time, &ask);
                if scene.random.chance(400) {
                    scene.ask(&who, time + 3, &Ask { sent: 900, ..Ask::of(bucket, "REST.GET.OBJECT", &key) });
                }
            } else {
                scene.ask(&who, time, &ask.refused(403, "AccessDenied"));
            }
            time += scene.random.between(1, 90) as i64;
        }
    }
}

/// Replaces scripts of the site with a stolen key.
pub(super) fn defacement(scene: &mut Scene, campaign: &Campaign) {
    for who in thief(scene, campaign) {
        let time = scene.time_for(4_000, 25);
        let world = Rc::clone(&scene.world);
        scene.list(&who, time, ASSETS, "list-type=2&prefix=js%2F");
        for step in 0..scene.random.between(2, 8) as i64 {
            let key = world.pick(&mut scene.random, ASSETS, "js/", false);
            scene.get(&who, time + 10 * step + 5, ASSETS, &key);
            scene.put(&who, time + 10 * step + 9, ASSETS, &key, 90_000);
        }
        scene.put(&who, time + 100, SITE, "index.html", 4_000);
    }
}
