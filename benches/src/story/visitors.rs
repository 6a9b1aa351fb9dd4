//! People who visit the web site, and machines that do so on their behalf.

use super::company::{self, Client, MEDIA, SITE};
use super::scribe::{Request, Scribe};
use crate::calendar::DAY;
use crate::random::Random;

const HOUR: i64 = 3600;
/// Activity by hour of the day.
const BUSY: [u64; 24] = [2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 10, 11, 12, 12, 11, 10, 9, 9, 8, 7, 5, 3];

const BROWSERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:134.0) Gecko/20100101 Firefox/134.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
];
const APP: &str = "ExampleApp/4.2.0 (iPhone; iOS 18.2; Scale/3.00)";

/// Pages, their sizes and the picture on each.
const PAGES: [(&str, u64, &str); 8] = [
    ("index.html", 14_802, "img/hero.jpg"),
    ("pricing.html", 9_377, "img/plans.png"),
    ("about/index.html", 7_204, "img/team.jpg"),
    ("blog/index.html", 11_950, "img/blog.jpg"),
    ("blog/2026/01/hello world.html", 18_433, "img/hello.jpg"),
    ("blog/2025/11/lake-house.html", 22_041, "img/lake.jpg"),
    ("docs/index.html", 13_066, "img/map.svg"),
    ("docs/api/v2.html", 41_228, "img/api.svg"),
];

/// The web site's script before the deployment and after it.
pub(super) const SCRIPTS: [(&str, u64); 2] = [("assets/app-7f3a.js", 182_344), ("assets/app-91c2.js", 184_120)];
pub(super) const STYLE: (&str, u64) = ("assets/site.css", 28_114);

/// The time span without the old script: from its removal to its restoration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// A random second of a day, weighted by activity.
pub(super) fn busy_second(random: &mut Random, midnight: i64) -> i64 {
    let mut share = random.below(BUSY.iter().sum());
    let mut hour = 0;
    for (index, weight) in BUSY.iter().enumerate() {
        if share < *weight {
            hour = index as i64;
            break;
        }
        share -= weight;
    }
    midnight + hour * HOUR + random.below(3600) as i64
}

/// Visits of a day. In the gap some visitors have a cached page whose script is gone: 404.
pub(super) fn browse(scribe: &mut Scribe, midnight: i64, visits: u64, gap: Gap) {
    for _ in 0..visits {
        let visitor = scribe.random.below(70);
        let ip = match visitor % 4 {
            0 => format!("2001:db8:1:{:x}::{:x}", visitor, 16 + visitor * 7),
            _ => format!("192.0.2.{}", 100 + visitor),
        };
        let client = Client::anonymous(ip, BROWSERS[(visitor % 5) as usize]);
        let mut time = busy_second(&mut scribe.random, midnight);
        // Returning visitors revalidate: 304.
        let returning = visitor.is_multiple_of(3) && scribe.random.chance(600);
        let stale = time >= gap.from && time < gap.to && visitor.is_multiple_of(3);
        for page in 0..scribe.random.between(1, 2) {
            let (key, size, picture) = *scribe.random.pick(&PAGES);
            let path = key.strip_suffix("index.html").unwrap_or(key).replace(' ', "%20");
            let from = if page == 0 { *scribe.random.pick(&REFERERS) } else { "http://www.example.com/" };
            let get = Request::new(time, &SITE, &client, "WEBSITE.GET.OBJECT");
            scribe.request(&Request {
                path: Some(&path),
                referer: Some(from).filter(|from| !from.is_empty()),
                ..get.clone().object(key, size)
            });
            let here = format!("http://www.example.com/{path}");
            let script = if time < gap.from || stale { SCRIPTS[0] } else { SCRIPTS[1] };
            for (key, size) in [STYLE, script, (picture, 64_000 + 977 * picture.len() as u64)] {
                time += scribe.random.below(2) as i64;
                let asset = Request { time, referer: Some(&here), ..get.clone().object(key, size) };
                let gone = stale && key == SCRIPTS[0].0;
                scribe.request(&if gone {
                    asset.refused(404, "NoSuchKey")
                } else if returning {
                    Request { status: 304, sent: None, ..asset }
                } else {
                    asset
                });
            }
            time += scribe.random.between(20, 90) as i64;
        }
    }
}

const REFERERS: [&str; 5] = ["", "", "https://search.example.net/", "https://news.example.org/item?id=4711", ""];

/// A search engine and an uptime monitor.
pub(super) fn robots(scribe: &mut Scribe, midnight: i64) {
    let crawler =
        Client::anonymous("192.0.2.200".into(), "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.net/)");
    let mut time = midnight + 4 * HOUR + scribe.random.below(1800) as i64;
    scribe.request(&Request::new(time, &SITE, &crawler, "WEBSITE.GET.OBJECT").object("robots.txt", 68));
    for (key, size, _) in PAGES {
        time += scribe.random.between(8, 40) as i64;
        scribe.request(&Request::new(time, &SITE, &crawler, "WEBSITE.GET.OBJECT").object(key, size));
    }
    let monitor = Client::anonymous("2001:db8:77::10".into(), "uptime/2.4");
    for turn in 0..DAY / HOUR {
        let time = midnight + turn * HOUR + 7;
        let head = Request::new(time, &SITE, &monitor, "WEBSITE.HEAD.OBJECT");
        scribe.request(&Request { path: Some(""), ..head.object("index.html", PAGES[0].1) });
    }
}

/// The CDN's servers, which fetch from `media` with an identity whose name contains spaces.
pub(super) fn cdn(scribe: &mut Scribe, midnight: i64, fetches: u64) {
    const FILM: u64 = 48_234_496;
    const PART: u64 = 1 << 20;
    for _ in 0..fetches {
        let client = company::cdn(scribe.random.below(24));
        let time = busy_second(&mut scribe.random, midnight);
        let get = Request::new(time, &MEDIA, &client, "REST.GET.OBJECT");
        if scribe.random.chance(300) {
            scribe.request(&Request { status: 206, sent: Some(PART), ..get.object("video/launch.mp4", FILM) });
            continue;
        }
        let picture = scribe.random.between(1, 40);
        let key = format!("img/products/{picture:03}/front view.jpg");
        let size = 80_000 + 3_217 * picture;
        scribe.request(&if picture > 38 {
            get.object(&key, size).refused(404, "NoSuchKey")
        } else {
            get.object(&key, size)
        });
    }
}

/// The mobile app: presigned URLs, some of them expired, and form uploads.
pub(super) fn app(scribe: &mut Scribe, midnight: i64, date: &str, downloads: u64) {
    for number in 0..downloads {
        let device = scribe.random.below(24);
        let client = Client {
            requester: Some("arn:aws:iam::123456789012:user/app-uploader"),
            ..Client::anonymous(format!("2001:db8:2:{device:x}::1"), APP)
        };
        let time = busy_second(&mut scribe.random, midnight);
        let key = format!("uploads/{date}/photo {number}.jpg");
        let mut signature = Vec::new();
        scribe.random.hex(64, &mut signature);
        let signature = String::from_utf8_lossy(&signature);
        let day = date.replace('/', "");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F{day}%2Fus-east-1%2Fs3%2F\
             aws4_request&X-Amz-Date={day}T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        );
        if number % 8 == 0 {
            upload(scribe, time - 45, &key);
        }
        let size = 900_000 + 71_003 * number;
        let get = Request::new(time, &MEDIA, &client, "REST.GET.OBJECT").object(&key, size);
        let get = if device.is_multiple_of(7) { get.refused(403, "AccessDenied") } else { get };
        scribe.request(&Request { query: &query, ..get });
    }
}

/// A browser sends a preflight request and then a form, which contains the key.
fn upload(scribe: &mut Scribe, time: i64, key: &str) {
    let client = Client::anonymous("192.0.2.141".into(), BROWSERS[0]);
    let referer = Some("http://www.example.com/upload");
    let ask = Request::new(time, &MEDIA, &client, "REST.OPTIONS.PREFLIGHT");
    scribe.request(&Request { referer, ..ask });
    let send = Request::new(time + 1, &MEDIA, &client, "REST.POST.OBJECT").object(key, 900_000);
    scribe.request(&Request { referer, path: Some(""), status: 204, ..send });
}
