//! The company's own machines and people, its partner, and S3's actions on its behalf.

use super::company::{self, BACKUPS, LAKE, MEDIA, SITE};
use super::scribe::{Request, Scribe};
use super::visitors::{SCRIPTS, STYLE};

const HOUR: i64 = 3600;
const MIB: u64 = 1 << 20;

/// A deployment: lists, uploads, and removes obsolete files.
pub(super) fn deploy(scribe: &mut Scribe, start: i64, script: (&str, u64), removed: &[(&str, u64)]) {
    const PAGES: [(&str, u64); 7] = [
        ("index.html", 14_802),
        ("pricing.html", 9_377),
        ("about/index.html", 7_204),
        ("blog/index.html", 11_950),
        ("blog/2026/01/hello world.html", 18_433),
        ("docs/index.html", 13_066),
        ("docs/api/v2.html", 41_228),
    ];
    let client = company::ci();
    let list = Request::new(start, &SITE, &client, "REST.GET.BUCKET");
    scribe.request(&Request { query: "list-type=2&prefix=&encoding-type=url", sent: Some(8_112), ..list });
    for (number, (key, size)) in PAGES.into_iter().chain([STYLE, script]).enumerate() {
        let time = start + 1 + number as i64 / 3;
        scribe.request(&Request::new(time, &SITE, &client, "REST.PUT.OBJECT").object(key, size));
    }
    if !removed.is_empty() {
        scribe.delete_many(start + 6, &SITE, &client, removed);
    }
    // Its role may not read the backups; the step was left in by mistake.
    let denied = Request::new(start + 8, &BACKUPS, &client, "REST.GET.BUCKET").refused(403, "AccessDenied");
    scribe.request(&Request { query: "list-type=2&prefix=site%2F", ..denied });
}

/// The two deployments: the first removes the old script, the second restores it.
pub(super) fn deployments(scribe: &mut Scribe, first: i64, second: i64) {
    let [old, new] = SCRIPTS;
    let removed = [old, ("assets/app-7f3a.js.map", 640_208), ("img/old banner.png", 88_410)];
    deploy(scribe, first, new, &removed);
    deploy(scribe, second, old, &[]);
}

/// Hourly processing: reads an hour of events, writes the aggregates under a temporary name, and renames them.
pub(super) fn compute(scribe: &mut Scribe, midnight: i64, date: &str, slow_hour: Option<i64>) {
    const ACCESS_POINT: Option<&str> = Some("arn:aws:s3:us-east-1:123456789012:accesspoint/lake-etl");
    for hour in 0..24 {
        let client = company::etl(scribe.random.below(4));
        let mut time = midnight + hour * HOUR + 300 + scribe.random.below(60) as i64;
        let folder = format!("events/date={date}/hour={hour:02}/");
        let prefix = folder.replace('=', "%3D").replace('/', "%2F");
        let query = format!("list-type=2&delimiter=%2F&max-keys=5000&prefix={prefix}&fetch-owner=false");
        let list = Request::new(time, &LAKE, &client, "REST.GET.BUCKET");
        scribe.request(&Request { query: &query, sent: Some(1_830), access_point: ACCESS_POINT, ..list });
        for part in 0..scribe.random.between(1, 3) {
            time += scribe.random.between(1, 20) as i64;
            let key = format!("{folder}part-{part:05}.parquet");
            let size = 96 * MIB + scribe.random.below(64 * MIB);
            let get = Request::new(time, &LAKE, &client, "REST.GET.OBJECT").object(&key, size);
            let get = Request { access_point: ACCESS_POINT, status: 206, ..get };
            if slow_hour == Some(hour) {
                for attempt in 0..3 {
                    let slow = Request { time: time + attempt, ..get.clone() };
                    scribe.request(&slow.refused(503, "SlowDown"));
                }
            }
            let sent = Some(size / 3 + scribe.random.below(size / 3));
            scribe.request(&Request { time: time + 4, sent, ..get });
        }
        let [temporary, result] =
            ["_temporary/0/", ""].map(|folder| format!("aggregates/{folder}date={date}/part-{hour:05}.parquet"));
        let size = 4 * MIB + scribe.random.below(MIB);
        time += 30;
        scribe.request(&Request::new(time, &LAKE, &client, "REST.PUT.OBJECT").object(&temporary, size));
        scribe.copy(time + 1, &client, (&LAKE, &temporary), (&LAKE, &result), size);
        let delete = Request::new(time + 2, &LAKE, &client, "REST.DELETE.OBJECT");
        scribe.request(&Request { key: Some(&temporary), status: 204, ..delete });
    }
}

/// A partner downloads the whole export, some of it twice.
pub(super) fn export(scribe: &mut Scribe, start: i64, objects: u64) {
    let client = company::partner();
    let list = Request::new(start, &LAKE, &client, "REST.GET.BUCKET");
    scribe.request(&Request { query: "list-type=2&prefix=export%2F2025%2F", sent: Some(48_120), ..list });
    let mut time = start + 2;
    for number in 0..objects {
        let key = format!("export/2025/part-{number:05}.parquet");
        let size = 900 * MIB + scribe.random.below(3_000 * MIB);
        let get = Request::new(time, &LAKE, &client, "REST.GET.OBJECT").object(&key, size);
        if number % 29 == 11 {
            // The connection broke, so it starts again.
            scribe.request(&Request { sent: Some(size / 5), ..get.clone() });
            time += 20;
        }
        scribe.request(&Request { time, ..get });
        time += scribe.random.between(40, 90) as i64;
    }
}

/// The nightly dump as a multipart upload, a copy of yesterday's aggregates, and the replication to another Region.
pub(super) fn backup(scribe: &mut Scribe, midnight: i64, date: &str) {
    const PARTS: u64 = 6;
    const PART: u64 = 64 * MIB;
    let client = company::backup();
    let key = format!("db/dump-{date}.sql.gz");
    let start = midnight + 2 * HOUR + 1_800;
    let begin = Request {
        key: Some(&key),
        query: "uploads",
        sent: Some(331),
        ..Request::new(start, &BACKUPS, &client, "REST.POST.UPLOADS")
    };
    scribe.request(&begin);
    for part in 1..=PARTS {
        let query = format!("partNumber={part}&uploadId=EXAMPLEUPLOAD{}", date.replace('-', ""));
        let put = Request::new(start + 9 * part as i64, &BACKUPS, &client, "REST.PUT.PART").object(&key, PART);
        scribe.request(&Request { query: &query, ..put });
    }
    let query = format!("uploadId=EXAMPLEUPLOAD{}", date.replace('-', ""));
    let end = Request::new(start + 70, &BACKUPS, &client, "REST.POST.UPLOAD").object(&key, PARTS * PART);
    scribe.request(&Request { query: &query, sent: Some(329), ..end });
    for part in 0..4 {
        let from = format!("aggregates/date={date}/part-{part:05}.parquet");
        scribe.copy(start + 100 + part, &client, (&LAKE, &from), (&BACKUPS, &format!("lake/{from}")), 4 * MIB);
    }
    let service = company::replication();
    let put = Request::new(start + 600, &BACKUPS, &service, "REST.PUT.OBJECT").object(&key, PARTS * PART);
    scribe.request(&Request { version: Some("3HL4kqtJvjVBH40NrjfkdEXAMPLE7xyz"), ..put });
}

/// Actions of lifecycle rules and of a batch job after midnight.
pub(super) fn lifecycle(scribe: &mut Scribe, midnight: i64, date: &str) {
    for number in 0..8 {
        let key = format!("uploads/2025/12/{:02}/photo {number}.jpg", 1 + number);
        scribe.lifecycle(midnight + 700 + number as i64, &MEDIA, "S3.EXPIRE.OBJECT", &key, 900_000 + 71_003 * number);
    }
    for number in 0..5 {
        let key = format!("db/dump-2025-12-{:02}.sql.gz", 10 + number);
        let operation = if number == 4 { "S3.CREATE.DELETEMARKER" } else { "S3.TRANSITION_SIA.OBJECT" };
        scribe.lifecycle(midnight + 760 + number as i64, &BACKUPS, operation, &key, 384 * MIB);
    }
    scribe.lifecycle(midnight + 800, &BACKUPS, "S3.DELETE.UPLOAD", "db/dump-2026-01-02.sql.gz", 0);
    let job = format!("6f1c2d3e-4a5b-4c6d-8e7f-0a1b{}", date.replace('-', ""));
    scribe.checksum(midnight + 5 * HOUR, &BACKUPS, &job, "db/dump-2025-12-31.sql.gz", 384 * MIB);
}

/// The administrator inspects the buckets in the console.
pub(super) fn console(scribe: &mut Scribe, start: i64) {
    const QUESTIONS: [(&str, &str, u64); 10] = [
        ("REST.GET.LOCATION", "location", 137),
        ("REST.GET.VERSIONING", "versioning", 162),
        ("REST.GET.ENCRYPTION", "encryption", 426),
        ("REST.GET.ACL", "acl", 480),
        ("REST.GET.BUCKETPOLICY", "policy", 611),
        ("REST.GET.POLICY_STATUS", "policyStatus", 140),
        ("REST.GET.PUBLIC_ACCESS_BLOCK", "publicAccessBlock", 0),
        ("REST.GET.LOGGING_STATUS", "logging", 304),
        ("REST.GET.TAGGING", "tagging", 0),
        ("REST.HEAD.BUCKET", "", 0),
    ];
    let client = company::alice();
    for (number, (operation, query, sent)) in QUESTIONS.into_iter().enumerate() {
        let ask = Request::new(start + number as i64 / 4, &BACKUPS, &client, operation);
        scribe.request(&match query {
            "publicAccessBlock" => Request { query, ..ask.refused(404, "NoSuchPublicAccessBlockConfiguration") },
            "tagging" => Request { query, ..ask.refused(404, "NoSuchTagSet") },
            _ => Request { query, sent: Some(sent), ..ask },
        });
    }
}

/// The administrator makes one dump public: the mistake of the story.
pub(super) fn publish(scribe: &mut Scribe, time: i64, key: &str) {
    let client = company::alice();
    let tag = Request::new(time - 40, &BACKUPS, &client, "REST.PUT.OBJECT_TAGGING");
    scribe.request(&Request { key: Some(key), query: "tagging", ..tag });
    let grant = Request::new(time, &BACKUPS, &client, "REST.PUT.ACL");
    scribe.request(&Request { key: Some(key), query: "acl", ..grant });
}
