//! Pruning by object names: no record is lost, and no more requests are sent than needed.

use super::*;
use s3log_engine::scan::Layout;

/// A year of objects, one every 15 minutes: 35 pages.
const OBJECTS: i64 = 365 * 96;
const FIRST: i64 = DAY_15 - 200 * DAY;

fn year(server: &Server, name: impl Fn(i64, u64) -> String) {
    let objects = (0..OBJECTS).map(|at| {
        let delivered = FIRST + at * 900;
        (name(delivered, at as u64), Bytes::from(record(delivered - 60, &format!("k{at}"))))
    });
    server.put_all("logs", objects);
}

/// An object every eight hours: more than a page.
fn sparse_year(server: &Server, name: impl Fn(i64, u64) -> String) {
    let objects = (0..365 * 3).map(|at| {
        let delivered = FIRST + at * 8 * HOUR;
        (name(delivered, at as u64), Bytes::from(record(delivered - 60, &format!("k{at}"))))
    });
    server.put_all("logs", objects);
}

fn hour(options: SessionOptions) -> SessionOptions {
    options.with_since(DAY_15 * MICROS + HOUR * MICROS).with_until(DAY_15 * MICROS + 2 * HOUR * MICROS)
}

/// Queries an hour of a year; returns the number of records, of LISTs and of GETs.
async fn ask(server: &Server, source: &str, layout: Layout, lateness: Option<i64>) -> (i64, usize, usize) {
    let options = hour(SessionOptions::new()).with_names(rules(layout, lateness));
    let session = open(&server.endpoint(), &[source], options).await;
    server.take_requests();
    let found = number(&session, "SELECT count(*) FROM logs").await.unwrap();
    let requests = server.take_requests();
    (found, count(&requests, Kind::List), count(&requests, Kind::Get))
}

/// Objects delivered from that hour on. Allowing for clock skew, five minutes before it are included, but contain no
/// objects.
const FROM_THE_HOUR_ON: usize = (OBJECTS - 200 * 96 - 4) as usize;

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_a_year_of_flat_names() {
    let server = server();
    year(&server, |time, unique| format!("access/{}", name(time, unique)));
    // One page samples the names; the others start at the hour. In between, one request checks the names of the new
    // year.
    let pages = FROM_THE_HOUR_ON.div_ceil(1_000) + 2;
    for layout in [Layout::Auto, Layout::Flat, Layout::DeliveryTime] {
        let (found, lists, gets) = ask(&server, "s3://logs/access/", layout, None).await;
        // The object of midnight may be named after the day of its records.
        let midnight = usize::from(layout != Layout::DeliveryTime);
        assert_eq!((found, gets), (4, FROM_THE_HOUR_ON + midnight), "{layout:?}");
        assert!(lists <= pages, "{layout:?}: {lists} pages, {pages} expected");
        // With a limit on the delay of records, both ends are known: the sample, the page of the hour, and one check
        // after it.
        let (found, lists, gets) = ask(&server, "s3://logs/access/", layout, Some(HOUR)).await;
        assert_eq!(found, 4);
        assert!(lists <= 4 && gets <= 11, "{layout:?}: {lists} LIST, {gets} GET");
    }
    let (found, lists, gets) = ask(&server, "s3://logs/access/", Layout::None, None).await;
    assert_eq!((found, gets), (4, OBJECTS as usize));
    assert!(lists <= 36, "{lists}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_a_year_in_folders_of_days() {
    let server = server();
    let source = |name: &str| format!("access/111122223333/eu-west-1/{name}");
    year(&server, |time, unique| partitioned(&source("photos"), time, unique));
    let (found, lists, gets) = ask(&server, "s3://logs/access/", Layout::Auto, None).await;
    assert_eq!(found, 4);
    // An object of that day is named by midnight, which may stand for the whole day.
    assert!(gets <= FROM_THE_HOUR_ON + 5, "{gets}");
    assert!(lists <= gets.div_ceil(1_000) + 2, "{lists} pages for {gets} objects");
    let (found, lists, gets) = ask(&server, "s3://logs/access/", Layout::DeliveryTime, Some(HOUR)).await;
    assert_eq!(found, 4);
    assert!(lists <= 5 && gets <= 11, "{lists} LIST, {gets} GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_a_year_of_days_of_events() {
    let server = server();
    // Ten objects a day, named by their day, of two buckets.
    for source in ["photos", "videos"] {
        let objects = (0..3_650).map(|at| {
            let day = FIRST / DAY * DAY + at / 10 * DAY;
            let key = partitioned(&format!("access/111122223333/eu-west-1/{source}"), day, at as u64);
            (key, Bytes::from(record(day + at % 10 * HOUR, &format!("{source}{at}"))))
        });
        server.put_all("logs", objects);
    }
    for layout in [Layout::Auto, Layout::EventTime] {
        let (found, lists, gets) = ask(&server, "s3://logs/access/", layout, None).await;
        // All objects of the day may contain the hour; one of each bucket does.
        assert_eq!((found, gets), (2, 20), "{layout:?}");
        assert!(lists <= 8, "{layout:?}: {lists}");
    }
    let since = SessionOptions::new().with_since(DAY_15 * MICROS).with_until((DAY_15 + DAY) * MICROS);
    let session = open(&server.endpoint(), &["s3://logs/access/"], since).await;
    assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_prunes_as_flags_do() {
    let server = server();
    year(&server, |time, unique| format!("access/{}", name(time, unique)));
    let options = SessionOptions::new().with_names(rules(Layout::Auto, Some(HOUR)));
    let session = open(&server.endpoint(), &["s3://logs/access/"], options).await;
    for condition in [
        "time >= '2026-01-15T01:00:00Z' AND time < '2026-01-15T02:00:00Z'",
        "date_trunc('hour', time) = '2026-01-15T01:00:00Z'",
        "time BETWEEN '2026-01-15T01:00:00Z' AND '2026-01-15T01:59:59Z' AND http_status = 200",
    ] {
        server.take_requests();
        assert_eq!(keys(&session, condition).await.len(), 4, "{condition}");
        let requests = server.take_requests();
        assert!(count(&requests, Kind::Get) <= 11 && count(&requests, Kind::List) <= 4, "{condition}");
    }
    // Bounds at both ends: everything between them is listed, but only candidates are fetched.
    server.take_requests();
    let ends = "time < '2025-06-29T01:00:00Z' OR date_trunc('hour', time) = '2026-01-15T01:00:00Z'";
    assert_eq!(keys(&session, ends).await.len(), 9);
    assert!(count(&server.take_requests(), Kind::Get) <= 30);
}

/// Records delivered days late are found in all naming schemes, with all sound layouts.
#[tokio::test(flavor = "multi_thread")]
async fn late_records_are_found() {
    let late = DAY_15 + HOUR + 1_800;
    let flat = |days: i64| format!("access/{}", name(DAY_15 + days * DAY + 5, days as u64));
    let by_delivery =
        |days: i64| partitioned("access/111122223333/eu-west-1/photos", DAY_15 + days * DAY + 5, days as u64);
    // Late objects by event time have the name of their day.
    let by_event = |days: i64| partitioned("access/111122223333/eu-west-1/videos", DAY_15, 100 + days as u64);
    let unknown = |days: i64| format!("access/{days}-january.log");
    type Name<'a> = &'a dyn Fn(i64) -> String;
    let schemes: [(&str, Name<'_>, &[Layout]); 4] = [
        ("flat", &flat, &[Layout::Auto, Layout::Flat, Layout::DeliveryTime, Layout::None]),
        ("by delivery", &by_delivery, &[Layout::Auto, Layout::DeliveryTime, Layout::None]),
        ("by event", &by_event, &[Layout::Auto, Layout::EventTime, Layout::None]),
        ("unknown", &unknown, &[Layout::Auto, Layout::Flat, Layout::DeliveryTime, Layout::EventTime, Layout::None]),
    ];
    for (scheme, name, layouts) in schemes {
        let server = server();
        for days in [0, 1, 3, 9] {
            put(&server, &name(days), record(late, &format!("late{days}")));
        }
        // Enough before and after for several pages.
        sparse_year(&server, |time, unique| match scheme {
            "flat" => format!("access/{}", super::name(time, unique)),
            "unknown" => format!("access/{unique:06}.log"),
            "by event" => partitioned("access/111122223333/eu-west-1/videos", time / DAY * DAY, unique),
            _ => partitioned("access/111122223333/eu-west-1/photos", time, unique),
        });
        for layout in layouts {
            let session = open(
                &server.endpoint(),
                &["s3://logs/access/"],
                hour(SessionOptions::new()).with_names(rules(*layout, None)),
            )
            .await;
            let found = keys(&session, "key LIKE 'late%'").await;
            let expected: &[&str] = match scheme {
                // Delivered at five past midnight of that day, before the hour: it cannot contain it.
                "flat" | "by delivery" if *layout != Layout::None => &["late1", "late3", "late9"],
                _ => &["late0", "late1", "late3", "late9"],
            };
            assert_eq!(found, expected, "{scheme}, {layout:?}");
        }
    }
}

/// Names in unknown formats are read, wherever they sort among the others.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_never_left_out() {
    let server = server();
    let when = DAY_15 + HOUR + 60;
    let odd = [
        "access/!first",
        "access/0001",
        "access/zlast",
        // After the names of the previous year, and at the front, where the sample shows the mixture.
        "access/2026-99-99",
        "access/2025-01-01.gz",
        "access/2025-12-31.gz",
        "other.gz",
    ];
    for odd in odd {
        put(&server, odd, record(when, "odd"));
    }
    // Another account, whose number sorts among the years, and a source that changed its naming.
    put(&server, &partitioned("access/202511112222/eu-west-1/photos", when, 1), record(when, "odd"));
    put(&server, &format!("access/1/eu-west-1/photos/{}", name(when, 2)), record(when, "odd"));
    // Two groups with folders between them.
    for at in 0..1_500 {
        put(
            &server,
            &format!("access/{}", name(DAY_15 - 90 * DAY + at * 3_600, at as u64)),
            record(DAY_15 - 90 * DAY, "old"),
        );
        put(
            &server,
            &partitioned("access/1/eu-west-1/photos", DAY_15 - 90 * DAY + at * 3_600, at as u64),
            record(DAY_15 - 90 * DAY, "old"),
        );
    }
    for layout in [Layout::Auto, Layout::Flat, Layout::DeliveryTime, Layout::EventTime] {
        for lateness in [None, Some(HOUR)] {
            let options = hour(SessionOptions::new()).with_names(rules(layout, lateness));
            let session = open(&server.endpoint(), &["s3://logs/"], options).await;
            assert_eq!(keys(&session, "true").await, vec!["odd"; odd.len() + 2], "{layout:?}, {lateness:?}");
            assert!(session.progress().snapshot().pruned > 0);
        }
    }
}

/// Local files are pruned by the same rules as objects; EXPLAIN and plans show it.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_prunes_as_a_bucket_does() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = server();
    for day in -5..5 {
        for source in ["a", "b"] {
            let delivered = DAY_15 + day * DAY + if source == "a" { 0 } else { 7_200 };
            let path = partitioned(&format!("logs/1/eu-west-1/{source}"), delivered, day as u64);
            let content = record(DAY_15 + day * DAY, &format!("{source}{day}"));
            let file = directory.path().join(&path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, &content).unwrap();
            put(&bucket, &path, content);
        }
    }
    for layout in [Layout::Auto, Layout::DeliveryTime, Layout::EventTime, Layout::None] {
        for lateness in [None, Some(DAY)] {
            let options = || SessionOptions::new().with_names(rules(layout, lateness));
            let condition = "time >= '2026-01-15' AND time < '2026-01-16'";
            let files = open("http://127.0.0.1:1", &[directory.path().to_str().unwrap()], options()).await;
            let objects = open(&bucket.endpoint(), &["s3://logs/"], options()).await;
            assert_eq!(keys(&files, condition).await, ["a0", "b0"], "{layout:?}");
            assert_eq!(keys(&objects, condition).await, ["a0", "b0"], "{layout:?}");
            let (files, objects) = (files.progress().snapshot(), objects.progress().snapshot());
            assert_eq!((files.objects, files.pruned), (objects.objects, objects.pruned), "{layout:?}, {lateness:?}");
            assert_eq!(files.pruned == 0, layout == Layout::None);
        }
    }
}

/// Objects of a CDN, three an hour, compressed without saying so in their names.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_a_year_of_a_cdn() {
    let server = server();
    let line = |time: i64, number: i64| {
        let time = chrono::DateTime::from_timestamp(time, 0).unwrap().format("%Y-%m-%d\t%H:%M:%S");
        format!("#Fields: date time c-ip cs-uri-stem sc-status\n{time}\t192.0.2.3\t/k{number}\t200\n")
    };
    let objects = (0..365 * 24 * 3).map(|at| {
        let hour = (FIRST + at / 3 * HOUR).div_euclid(HOUR) * HOUR;
        let name = chrono::DateTime::from_timestamp(hour, 0).unwrap().format("%Y-%m-%d-%H");
        // The last object of an hour was finished in the next one.
        let time = hour + at % 3 * 1_795 + 20;
        (format!("access/E1EXAMPLE23ABC.{name}.{at:08x}"), Bytes::from(line(time, at)))
    });
    server.put_all("logs", objects);
    for layout in [Layout::Auto, Layout::Flat] {
        let options = hour(SessionOptions::new()).with_names(rules(layout, None));
        let session = open(&server.endpoint(), &["s3://logs/access/"], options).await;
        server.take_requests();
        for table in ["cdn", "requests"] {
            assert_eq!(number(&session, &format!("SELECT count(*) FROM {table}")).await.unwrap(), 3, "{layout:?}");
            let requests = server.take_requests();
            let (lists, gets) = (count(&requests, Kind::List), count(&requests, Kind::Get));
            // The hour and one on either side; the sample, and one check after each year.
            assert!(lists <= 4 && gets <= 12, "{layout:?}: {lists} LIST, {gets} GET");
        }
    }
}

/// A second source whose prefix begins with a year sorts among the names of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_begins_with_a_year_is_not_skipped() {
    let server = server();
    let old = (0..1_500).map(|at| {
        let delivered = DAY_15 - 300 * DAY + at * HOUR;
        (name(delivered, at as u64), Bytes::from(record(delivered - 60, "old")))
    });
    let wanted =
        ["", "2025-shop/"].map(|prefix| (format!("{prefix}{}", name(DAY_15 + HOUR, 7)), record(DAY_15 + 60, "k")));
    server.put_all("logs", old.chain(wanted.map(|(name, record)| (name, Bytes::from(record)))));
    let session = open(&server.endpoint(), &["s3://logs"], SessionOptions::new().with_since(DAY_15 * MICROS)).await;
    assert_eq!(number(&session, "SELECT count(*) FROM logs").await.unwrap(), 2);
}
