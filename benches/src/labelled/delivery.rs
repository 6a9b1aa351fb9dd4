//! Writes lines as log objects, delivered late and out of order, along with labels and context files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::cast::Net;
use super::scene::{Event, Scene};
use crate::calendar::DAY;
use crate::objects::object_name;
use crate::random::Random;

/// Maximum number of lines per object.
const LINES: usize = 3_000;

/// Writes all files under `folder`.
pub(super) fn write(scene: &mut Scene, extra: &Context, folder: &Path) -> io::Result<()> {
    write_logs(scene, &folder.join("logs"))?;
    fs::write(folder.join("labels.tsv"), labels(scene))?;
    let context = folder.join("context");
    fs::create_dir_all(&context)?;
    for (name, text) in [
        ("allow.txt", &extra.allow),
        ("cdn.txt", &extra.cdn),
        ("crawlers.txt", &extra.crawlers),
        ("intel.txt", &extra.intel),
    ] {
        fs::write(context.join(name), text)?;
    }
    Ok(())
}

/// What the owner of the buckets knows apart from the logs: lists of networks, one per line.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    pub(super) allow: String,
    pub(super) cdn: String,
    pub(super) crawlers: String,
    pub(super) intel: String,
}

fn write_logs(scene: &mut Scene, folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut random = Random::new(scene.random.bits());
    let mut events = std::mem::take(&mut scene.events);
    events.sort_by_key(|event| (event.bucket, event.time));
    for of_bucket in events.chunk_by(|one, other| one.bucket == other.bucket) {
        let mut gathered: Vec<&Event> = Vec::new();
        let mut late: Vec<(i64, &Event)> = Vec::new();
        let mut window = random.between(600, 10_000) as i64;
        for event in of_bucket {
            let full = gathered.len() >= LINES;
            if gathered.first().is_some_and(|first| full || event.time >= first.time + window) {
                deliver(scene, &mut gathered, &mut random, folder)?;
                window = random.between(600, 10_000) as i64;
                let now = event.time;
                gathered.extend(late.iter().filter(|(due, _)| *due <= now).map(|(_, event)| *event));
                late.retain(|(due, _)| *due > now);
                gathered.sort_by_key(|event| event.time);
                // Measure the window from the first line that is on time.
                if let Some(oldest) = gathered.first() {
                    window += event.time - oldest.time;
                }
            }
            match random.below(1000) {
                0..=2 => late.push((event.time + random.between(3_600, DAY as u64) as i64, event)),
                3..=20 => late.push((event.time, event)),
                _ => gathered.push(event),
            }
        }
        gathered.extend(late.iter().map(|(_, event)| *event));
        for part in gathered.chunks(LINES) {
            deliver(scene, &mut part.to_vec(), &mut random, folder)?;
        }
    }
    scene.events = events;
    Ok(())
}

fn deliver(scene: &Scene, gathered: &mut Vec<&Event>, random: &mut Random, folder: &Path) -> io::Result<()> {
    let Some(last) = gathered.iter().map(|event| event.time).max() else { return Ok(()) };
    for index in 1..gathered.len() {
        let other = index - random.below(index.min(40) as u64 + 1) as usize;
        gathered.swap(index, other);
    }
    let bytes: Vec<u8> =
        gathered.iter().flat_map(|event| &scene.text[event.start..event.start + event.length]).copied().collect();
    let delay = random.between(300, 5_400) as i64;
    gathered.clear();
    fs::write(folder.join(object_name(last + delay, random)), bytes)
}

fn labels(scene: &Scene) -> String {
    let mut out = String::from("src\tlabel\tname\tcampaign\tloudness\tshared\n");
    for source in scene.cast.sources.iter().filter(|source| source.lines > 0) {
        let label = if source.attack { "attack" } else { "benign" };
        let _ = writeln!(
            out,
            "{}\t{label}\t{}\t{}\t{}\t{}",
            source.text, source.name, source.campaign, source.loudness, source.shared
        );
    }
    out
}

/// Builds the lists of networks: declared ones, and a share of the attackers.
pub(super) fn context(scene: &mut Scene, crawlers: &[(&str, &[(&str, u8)])]) -> Context {
    let mut context = Context {
        allow: "# Our own scanner and our partners\n".into(),
        cdn: "# Servers of the CDN in front of the buckets\n198.19.64.0/22\n".into(),
        crawlers: "# Ranges as the operators publish them\n".into(),
        intel: "# Reported addresses\n".into(),
    };
    for (operator, ranges) in crawlers {
        let _ = writeln!(context.crawlers, "# {operator}");
        for (first, bits) in *ranges {
            let _ = writeln!(context.crawlers, "{first}/{bits}");
        }
    }
    let sources = std::mem::take(&mut scene.cast.sources);
    for source in sources.iter().filter(|source| source.lines > 0) {
        let cidr = if source.text.contains('/') { source.text.clone() } else { format!("{}/32", source.text) };
        match source.name {
            "own_scanner" | "partner_sync" => {
                let _ = writeln!(context.allow, "{cidr}");
            }
            "intel_listed" => {
                let _ = writeln!(context.intel, "{cidr}");
            }
            _ if source.attack && !source.shared && scene.random.chance(350) => {
                let _ = writeln!(context.intel, "{cidr}");
            }
            // Addresses are reassigned, and lists are not updated.
            _ if !source.attack && matches!(source.net, Net::Home | Net::Hosting) && scene.random.chance(3) => {
                let _ = writeln!(context.intel, "{cidr}");
            }
            _ => {}
        }
    }
    scene.cast.sources = sources;
    context.intel.push_str("# Networks that nobody here has heard of\n192.0.2.0/24\n203.0.113.64/26\n");
    context
}
