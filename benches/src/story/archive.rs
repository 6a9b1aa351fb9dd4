//! A few lines of every era, as in a bucket that is twenty years old.

use super::company::{Bucket, Client, LAKE, MEDIA, SITE, alice, ci, etl};
use super::scribe::{Event, Request, Scribe};
use crate::calendar::midnight;
use crate::row::Era;

/// Lines of one era and the time of their delivery.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) time: i64,
    pub(super) events: Vec<Event>,
}

/// Pictures of the early days, requested over `http`.
const EARLY: Bucket = Bucket { name: "media", host: "s3.amazonaws.com" };

/// One log object per era, oldest first.
pub(super) fn deliveries() -> Vec<Delivery> {
    vec![
        of_2006(midnight(2006, 10, 6) + 8_000),
        of_2013(midnight(2013, 9, 17) + 57_000),
        later(201_903, midnight(2019, 3, 16) + 30_000, Scribe::new(201_903, Era::MARCH_2019).with_hex_ids()),
        later(201_908, midnight(2019, 8, 2) + 41_000, Scribe::new(201_908, Era::of_year(2019)).with_hex_ids()),
        later(202_109, midnight(2021, 9, 9) + 12_000, Scribe::new(202_109, Era::of_year(2021))),
        later(202_305, midnight(2023, 5, 23) + 66_000, Scribe::new(202_305, Era::of_year(2023))),
        later(202_604, midnight(2026, 4, 1) + 3_000, Scribe::new(202_604, Era::TODAY)),
        later(202_612, midnight(2026, 12, 1) + 77_000, Scribe::new(202_612, Era::TODAY).with_unknown_field()),
    ]
}

fn delivered(scribe: Scribe) -> Delivery {
    let last = scribe.events.iter().map(|event| event.time).max().unwrap_or_default();
    Delivery { time: last + 1_500, events: scribe.events }
}

/// 17 fields: SOAP, requesters with 32 digits, an empty user agent.
fn of_2006(time: i64) -> Delivery {
    let mut scribe = Scribe::new(2006, Era::of_year(2006)).with_hex_ids();
    let known = |agent| Client::known("192.0.2.6", "65a0e7f1b2c3d4e5f60718293a4b5c6d", agent);
    let browser = Client::anonymous("192.0.2.61".into(), "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)");
    let [tool, silent] = [known("example-sync 0.3"), known("")];
    for (seconds, operation) in [(0, "SOAP.ListAllMyBuckets"), (4, "SOAP.CreateBucket"), (9, "SOAP.PutObject")] {
        let call = Request::new(time + seconds, &EARLY, &tool, operation);
        scribe.request(&Request { path: Some("soap"), sent: Some(512), ..call });
    }
    scribe.request(&Request::new(time + 30, &EARLY, &silent, "REST.PUT.OBJECT").object("object.png", 1_243));
    scribe.request(&Request::new(time + 60, &EARLY, &browser, "REST.GET.OBJECT").object("object.png", 1_243));
    scribe.request(
        &Request::new(time + 61, &EARLY, &browser, "REST.GET.OBJECT")
            .object("favicon.ico", 0)
            .refused(404, "NoSuchKey"),
    );
    delivered(scribe)
}

/// 18 fields: with the version id.
fn of_2013(time: i64) -> Delivery {
    let mut scribe = Scribe::new(2013, Era::of_year(2013)).with_hex_ids();
    let agent =
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/29.0.1547.66 Safari/537.36";
    let browser = Client::anonymous("198.51.100.13".into(), agent);
    for (number, key) in ["portfolio/1.jpg", "portfolio/2.jpg", "portfolio/it's.jpg"].into_iter().enumerate() {
        let get = Request::new(time + number as i64, &EARLY, &browser, "REST.GET.OBJECT").object(key, 51_000);
        scribe.request(&Request { referer: Some("http://www.example.com/show?name=a-%282007%29"), ..get });
    }
    let not_changed = Request::new(time + 5, &SITE, &browser, "WEBSITE.GET.OBJECT").object("index.html", 4_096);
    scribe.request(&Request { status: 304, sent: None, path: Some(""), ..not_changed });
    let versioned = Request::new(time + 8, &EARLY, &browser, "REST.GET.OBJECT").object("portfolio/1.jpg", 51_000);
    scribe.request(&Request { version: Some("null"), query: "versionId=null", ..versioned });
    delivered(scribe)
}

/// Fields of 2019 and later: console, upload, download, listing, copy, lifecycle. `number` varies the keys.
fn later(number: u64, time: i64, mut scribe: Scribe) -> Delivery {
    let [alice, ci, etl] = [alice(), ci(), etl(number)];
    let key = format!("reports/{number}/summary of the month.csv");
    let ask = Request::new(time, &LAKE, &alice, "REST.GET.ENCRYPTION");
    scribe.request(&Request {
        query: "encryption",
        ..ask.refused(404, "ServerSideEncryptionConfigurationNotFoundError")
    });
    scribe.request(&Request::new(time + 3, &SITE, &ci, "REST.PUT.OBJECT").object("index.html", 9_001));
    let list = Request::new(time + 7, &LAKE, &etl, "REST.GET.BUCKET");
    scribe.request(&Request { query: "list-type=2&prefix=reports%2F", sent: Some(1_234), ..list });
    let get = Request::new(time + 9, &LAKE, &etl, "REST.GET.OBJECT").object(&key, 70_000_000);
    let access_point = Some("arn:aws:s3:us-east-1:123456789012:accesspoint/lake-etl");
    scribe.request(&Request { access_point, ..get });
    let public = Client::anonymous("203.0.113.9".into(), "curl/7.64.1");
    let get = Request::new(time + 12, &MEDIA, &public, "REST.GET.OBJECT").object("logo.svg", 3_011);
    scribe.request(&Request { by_acl: true, ..get });
    scribe.copy(time + 20, &etl, (&LAKE, &key), (&LAKE, "reports/latest.csv"), 70_000_000);
    scribe.lifecycle(time + 40, &LAKE, "S3.EXPIRE.OBJECT", "reports/old.csv", 61_000_000);
    delivered(scribe)
}
