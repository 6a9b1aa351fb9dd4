//! The generated part of `fixtures/`: two days of a small company, as recorded in its log bucket.
//!
//! There are four buckets: a web site, media behind a CDN, a data lake, and backups. Events of 14 and 15 January
//! 2026:
//!
//! - People read the web site. A deployment on the 14th at 14:05 removes a script that cached pages still ask for:
//!   404, until a second deployment on the 15th at 09:10 restores it.
//! - Machines process the lake every hour; on the 15th at 06:00 they are throttled: 503.
//! - On the 15th after 01:10 a partner downloads the whole export: most of the bytes of both days.
//! - On the 14th after 22:11 somebody probes the web site for common mistakes. On the 15th after 11:30 somebody else
//!   asks all buckets for their configuration, from many addresses of one network. Both get only 403 and 404.
//! - A third attacker slowly guesses names of dumps. On the 15th at 16:20 the administrator makes one of them public,
//!   and in the evening it is downloaded without a signature.
//!
//! [`files`] returns the files, [`write()`] writes them to a folder. The rest of `fixtures/` is written by hand.

mod archive;
mod company;
mod delivery;
mod intruders;
mod scribe;
mod staff;
mod visitors;

use std::fs;
use std::io;
use std::path::Path;

use crate::calendar::{DAY, midnight};
use crate::objects::Packing;
use crate::random::Random;
use crate::row::Era;
pub(crate) use scribe::encode;

use company::{BACKUPS, LAKE, MEDIA, SITE};
use scribe::Scribe;
use visitors::Gap;

const SEED: u64 = 20_260_114;
const HOUR: i64 = 3600;
const MINUTE: i64 = 60;
/// The dump that the administrator publishes by mistake.
const PUBLISHED: &str = "db/dump-2025-12-24.sql.gz";

/// A file of the fixtures.
#[derive(Clone, Debug)]
pub struct File {
    /// Path under `fixtures/`, with `/` as separator.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Writes the generated files under `folder`; other files are left alone.
///
/// # Errors
///
/// Fails if a folder or file cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    for File { path, bytes } in files()? {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// The generated files. Their bytes are the same on every run and platform, except for compressed files, which depend
/// on the version of the compressor.
///
/// # Errors
///
/// Fails if a compressor fails.
pub fn files() -> io::Result<Vec<File>> {
    let mut files = two_days();
    files.extend(old_times());
    files.extend(compressed()?);
    files.extend(odd_shapes());
    Ok(files)
}

/// The story itself: `bucket/logs` and `bucket/partitioned`.
fn two_days() -> Vec<File> {
    let first = midnight(2026, 1, 14);
    let second = first + DAY;
    let gap = Gap { from: first + 14 * HOUR + 5 * MINUTE, to: second + 9 * HOUR + 10 * MINUTE };
    let mut scribe = Scribe::new(SEED, Era::TODAY);
    for (day, date) in [(first, "2026-01-14"), (second, "2026-01-15")] {
        visitors::browse(&mut scribe, day, 50, gap);
        visitors::robots(&mut scribe, day);
        visitors::cdn(&mut scribe, day, 70);
        visitors::app(&mut scribe, day, &date.replace('-', "/"), 24);
        staff::compute(&mut scribe, day, date, (day == second).then_some(6));
        staff::backup(&mut scribe, day, date);
        staff::lifecycle(&mut scribe, day, date);
    }
    staff::deployments(&mut scribe, gap.from, gap.to);
    staff::console(&mut scribe, first + 10 * HOUR + 17 * MINUTE);
    staff::console(&mut scribe, second + 16 * HOUR + 18 * MINUTE);
    let published = second + 16 * HOUR + 20 * MINUTE;
    staff::publish(&mut scribe, published, PUBLISHED);
    staff::export(&mut scribe, second + HOUR + 10 * MINUTE, 105);
    intruders::loud(&mut scribe, first + 22 * HOUR + 11 * MINUTE);
    intruders::changing(&mut scribe, second + 11 * HOUR + 30 * MINUTE);
    intruders::patient(&mut scribe, first + 900, second + DAY, (published, PUBLISHED));

    let Scribe { mut random, mut events, .. } = scribe;
    events.retain(|event| (first..second + DAY).contains(&event.time));
    let mut files = Vec::new();
    for bucket in [&SITE, &LAKE, &BACKUPS] {
        let log = delivery::log_of(bucket, &events);
        files.extend(delivery::by_delivery_time("bucket/logs/", log, &mut random));
    }
    let log = delivery::log_of(&MEDIA, &events);
    files.extend(delivery::by_event_time("bucket/partitioned/", log, &mut random));
    files
}

/// `bucket/archive`: one object per era.
fn old_times() -> Vec<File> {
    let mut random = Random::new(SEED + 1);
    let deliveries = archive::deliveries().into_iter();
    deliveries.map(|old| delivery::object("bucket/archive/", old.time, &old.events, &mut random)).collect()
}

/// `compressed`: lines as in the story, for the two days before it.
fn compressed() -> io::Result<Vec<File>> {
    let mut random = Random::new(SEED + 2);
    let days = [(12, Packing::Zstd, ".zst"), (13, Packing::Gzip, "")];
    let packed = days.map(|(day, packing, suffix)| {
        let day = midnight(2026, 1, day);
        let mut scribe = Scribe::new(SEED + 3 + day as u64, Era::TODAY);
        visitors::browse(&mut scribe, day, 12, Gap { from: i64::MAX, to: i64::MAX });
        let plain = delivery::object("compressed/", day + DAY + HOUR, &scribe.events, &mut random);
        Ok(File { path: plain.path + suffix, bytes: packing.pack(&plain.bytes)? })
    });
    packed.into_iter().collect()
}

/// `shapes`: valid records in lines that deviate from what S3 writes.
fn odd_shapes() -> Vec<File> {
    let day = midnight(2026, 1, 11);
    let mut scribe = Scribe::new(SEED + 4, Era::TODAY);
    visitors::browse(&mut scribe, day, 2, Gap { from: i64::MAX, to: i64::MAX });
    let lines: Vec<&[u8]> = scribe.events.iter().map(|event| event.line.trim_ascii_end()).take(6).collect();
    let mut edited = b"\xEF\xBB\xBF".to_vec();
    edited.extend(lines.join(b"\r\n".as_slice()));
    let mut blanks = b"\n".to_vec();
    blanks.extend(lines.join(b"\n\n \t \r\n".as_slice()));
    blanks.extend_from_slice(b"\n\n");
    let file = |name: &str, bytes| File { path: format!("shapes/{name}"), bytes };
    vec![file("crlf-bom-no-last-newline.log", edited), file("blank-lines.log", blanks), file("empty.log", Vec::new())]
}
