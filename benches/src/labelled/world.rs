//! The account: its buckets, their content and permissions. Names and sizes are derived from the seed.

use std::collections::HashMap;

use crate::random::Random;

/// Indices in [`World::buckets`].
pub(super) const SITE: usize = 0;
pub(super) const ASSETS: usize = 1;
pub(super) const MEDIA: usize = 2;
pub(super) const OPEN: usize = 3;
pub(super) const PACKAGES: usize = 4;
pub(super) const FIRMWARE: usize = 5;
pub(super) const UPLOADS: usize = 6;
pub(super) const INGEST: usize = 7;
pub(super) const LAKE: usize = 8;
pub(super) const CACHE: usize = 9;
pub(super) const BACKUPS: usize = 10;
pub(super) const DOCS: usize = 11;
pub(super) const LOGS: usize = 12;
pub(super) const BLOG: usize = 13;
pub(super) const STATE: usize = 14;
pub(super) const EXPORTS: usize = 15;
pub(super) const ARCHIVE: usize = 16;
pub(super) const MAIL: usize = 17;
pub(super) const SHARE: usize = 18;
pub(super) const TILES: usize = 19;
const COUNT: usize = 20;

/// Publicly readable buckets.
pub(super) const PUBLIC: [usize; 9] = [SITE, ASSETS, MEDIA, OPEN, PACKAGES, FIRMWARE, BLOG, MAIL, TILES];

/// A bucket with its content and anonymous permissions.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) host: String,
    /// Host of its website endpoint, if it has one.
    pub(super) website: Option<String>,
    /// Whether it is publicly readable.
    pub(super) read: bool,
    /// Whether it is publicly listable, so that a missing key gives 404 instead of 403.
    pub(super) list: bool,
    /// Keys and sizes, in lexical order.
    pub(super) keys: Vec<(String, u64)>,
    sizes: HashMap<String, u64>,
    /// One bit for each part of its configuration that is not set.
    pub(super) unset: u64,
}

impl Bucket {
    pub(super) fn size(&self, key: &str) -> Option<u64> {
        self.sizes.get(key).copied()
    }

    /// The keys with this prefix.
    pub(super) fn under(&self, prefix: &str) -> &[(String, u64)] {
        let start = self.keys.partition_point(|(key, _)| key.as_str() < prefix);
        let rest = &self.keys[start..];
        let end = rest.partition_point(|(key, _)| key.starts_with(prefix));
        &rest[..end]
    }
}

/// Everything that does not change over time.
#[derive(Debug)]
pub(super) struct World {
    pub(super) owner: String,
    pub(super) account: String,
    pub(super) region: &'static str,
    pub(super) buckets: Vec<Bucket>,
    /// First folder of each video.
    pub(super) videos: Vec<String>,
    /// Missing objects that many pages of the site and the blog link to.
    pub(super) broken: Vec<String>,
    /// Number of the first invoice.
    pub(super) first_invoice: u64,
}

const COMPANIES: [&str; 12] = [
    "northwind",
    "bluebarn",
    "acorn",
    "tidewater",
    "lumen",
    "marlow",
    "kestrel",
    "fernhill",
    "orbita",
    "sandbox7",
    "quillon",
    "polder",
];
const WORDS: [&str; 40] = [
    "pricing",
    "about",
    "contact",
    "team",
    "press",
    "careers",
    "guide",
    "tour",
    "features",
    "security",
    "terms",
    "privacy",
    "news",
    "events",
    "partners",
    "support",
    "faq",
    "status",
    "roadmap",
    "changelog",
    "shop",
    "summer",
    "winter",
    "spring",
    "launch",
    "studio",
    "gallery",
    "history",
    "method",
    "report",
    "research",
    "season",
    "travel",
    "garden",
    "kitchen",
    "market",
    "harbor",
    "valley",
    "river",
    "forest",
];

impl World {
    pub(super) fn new(random: &mut Random) -> Self {
        let company = *random.pick(&COMPANIES);
        let region = *random.pick(&["eu-central-1", "us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2"]);
        let mut owner = Vec::new();
        random.hex(64, &mut owner);
        let first_invoice = random.between(2_000, 60_000);
        let videos = (0..random.between(50, 90))
            .map(|_| format!("vod/{}-{}", random.pick(&WORDS), hex(random, 6)))
            .collect::<Vec<_>>();
        let environment = *random.pick(&["-prod", "", "-live", "-eu"]);
        let suffixes: [&[&str]; COUNT] = [
            &["site", "web"],
            &["static", "assets", "cdn-origin"],
            &["media", "video", "vod"],
            &["open-data", "public-datasets", "opendata"],
            &["packages", "repo", "artifacts-public"],
            &["firmware", "ota", "device-updates"],
            &["uploads", "user-files", "incoming"],
            &["ingest", "beacon", "events-in"],
            &["data-lake", "lake-raw", "analytics"],
            &["ci-cache", "build-cache"],
            &["backups", "backup-eu", "snapshots"],
            &["documents", "invoices", "customer-docs"],
            &["logs", "log-archive"],
            &["blog", "wp-media", "magazine"],
            &["tfstate", "infra-state"],
            &["exports", "reports", "extracts"],
            &["archive", "records", "cold"],
            &["mail-assets", "newsletter"],
            &["share", "team-files"],
            &["tiles", "maps"],
        ];
        let keys = contents(random, &videos, first_invoice);
        let buckets = suffixes
            .iter()
            .zip(keys)
            .enumerate()
            .map(|(index, (suffixes, mut keys))| {
                let website = matches!(index, SITE | BLOG);
                let name = if website {
                    format!("{}.{company}.example.com", if index == SITE { "www" } else { random.pick(suffixes) })
                } else {
                    format!("{company}-{}{environment}", random.pick(suffixes))
                };
                keys.sort();
                keys.dedup_by(|one, other| one.0 == other.0);
                Bucket {
                    host: if website {
                        format!("s3.{region}.amazonaws.com")
                    } else {
                        format!("{name}.s3.{region}.amazonaws.com")
                    },
                    website: website.then(|| name.clone()),
                    read: PUBLIC.contains(&index) || matches!(index, DOCS | EXPORTS),
                    list: matches!(index, OPEN | EXPORTS) || (PUBLIC.contains(&index) && random.chance(300)),
                    sizes: keys.iter().cloned().collect(),
                    keys,
                    name,
                    unset: random.bits() | random.bits(),
                }
            })
            .collect();
        let broken = (0..30).map(|index| match index % 5 {
            0 => format!("images/{}-{}.jpg", random.pick(&WORDS), random.pick(&WORDS)),
            1 => format!("assets/old-{}.css", random.pick(&WORDS)),
            2 => format!("{}-2019.html", random.pick(&WORDS)),
            3 => format!(
                "wp-content/uploads/20{}/{:02}/{}.jpg",
                random.between(14, 21),
                random.between(1, 12),
                random.pick(&WORDS)
            ),
            _ => format!("files/{}.pdf", random.pick(&WORDS)),
        });
        let broken = broken.collect();
        let account = (0..12).map(|_| char::from(b'1' + random.below(9) as u8)).collect();
        Self {
            owner: String::from_utf8_lossy(&owner).into_owned(),
            account,
            region,
            buckets,
            videos,
            broken,
            first_invoice,
        }
    }

    /// Draws a key of a bucket with this prefix; if `skewed`, some are more popular than others.
    pub(super) fn pick(&self, random: &mut Random, bucket: usize, prefix: &str, skewed: bool) -> String {
        let keys = self.buckets[bucket].under(prefix);
        let bound = keys.len() as u64;
        let mut index = random.below(bound);
        if skewed {
            // Keys are ordered by name, so spread the popular ones over them.
            index = random.below(index + 1).min(random.below(bound)) * 7919 % bound.max(1);
        }
        keys.get(index as usize).map_or_else(|| "index.html".into(), |(key, _)| key.clone())
    }

    pub(super) fn user(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:user/{name}", self.account)
    }

    pub(super) fn role(&self, role: &str, session: &str) -> String {
        format!("arn:aws:sts::{}:assumed-role/{role}/{session}", self.account)
    }
}

/// A string of `count` hexadecimal digits.
pub(super) fn hex(random: &mut Random, count: usize) -> String {
    let mut out = Vec::with_capacity(count);
    random.hex(count, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn word(random: &mut Random) -> &'static str {
    random.pick::<&'static str>(&WORDS)
}

/// The keys and sizes of each bucket.
fn contents(random: &mut Random, videos: &[String], first_invoice: u64) -> [Vec<(String, u64)>; COUNT] {
    let mut all: [Vec<(String, u64)>; COUNT] = Default::default();
    let mut put = |bucket: usize, key: String, size: u64| all[bucket].push((key, size));
    for page in WORDS {
        put(SITE, format!("{page}.html"), random.between(4_000, 60_000));
        put(SITE, format!("{page}/index.html"), random.between(4_000, 60_000));
        for _ in 0..3 {
            put(SITE, format!("{page}/{}.html", random.pick(&WORDS)), random.between(4_000, 60_000));
            put(SITE, format!("images/{page}-{}.webp", random.pick(&WORDS)), random.between(9_000, 400_000));
            put(ASSETS, format!("img/{page}-{}.jpg", hex(random, 8)), random.between(9_000, 700_000));
        }
        put(ASSETS, format!("js/{page}.{}.js", hex(random, 8)), random.between(3_000, 400_000));
        put(ASSETS, format!("css/{page}.{}.css", hex(random, 8)), random.between(1_000, 90_000));
        put(MAIL, format!("campaigns/{page}/header.png"), random.between(9_000, 90_000));
        put(MAIL, format!("campaigns/{page}/footer.png"), random.between(5_000, 20_000));
        for month in 1..=12 {
            put(
                BLOG,
                format!("20{}/{month:02}/{page}/index.html", random.between(19, 25)),
                random.between(9_000, 90_000),
            );
            put(
                BLOG,
                format!("wp-content/uploads/20{}/{month:02}/{page}.jpg", random.between(22, 25)),
                random.between(9_000, 900_000),
            );
        }
    }
    for key in [
        "index.html",
        "404.html",
        "robots.txt",
        "sitemap.xml",
        "css/site.css",
        "js/site.js",
        "feed.xml",
        "manifest.json",
    ] {
        put(SITE, key.into(), random.between(300, 30_000));
        put(BLOG, key.into(), random.between(300, 30_000));
    }
    if random.chance(500) {
        put(SITE, "favicon.ico".into(), 4_286);
    }
    // Names that look like secrets but are intentionally public.
    put(OPEN, "demo/docker-compose.yml".into(), 2_210);
    put(OPEN, "demo/northwind-sample.sql".into(), 9_200_000);
    put(PACKAGES, "examples/.env.example".into(), 412);
    for video in videos {
        put(MEDIA, format!("{video}/master.m3u8"), 900);
        put(MEDIA, format!("{video}/poster.jpg"), 80_000);
        put(MEDIA, format!("{video}/720p/index.m3u8"), 4_000);
        for segment in 0..random.between(30, 80) {
            put(MEDIA, format!("{video}/720p/seg-{segment:05}.ts"), random.between(700_000, 2_400_000));
        }
        put(
            MEDIA,
            format!("episodes/{}.mp3", video.rsplit('/').next().unwrap_or("x")),
            random.between(20_000_000, 90_000_000),
        );
        put(
            MEDIA,
            format!("mp4/{}.mp4", video.rsplit('/').next().unwrap_or("x")),
            random.between(30_000_000, 900_000_000),
        );
    }
    put(MEDIA, "speedtest/10MB.bin".into(), 10_485_760);
    for dataset in ["climate", "genomes", "traffic"] {
        put(OPEN, format!("{dataset}/README.md"), 3_000);
        for year in 2015..2025 {
            for part in 0..random.between(20, 50) {
                put(
                    OPEN,
                    format!("{dataset}/{year}/part-{part:04}.parquet"),
                    random.object_size(300_000_000).max(9_000),
                );
            }
        }
    }
    for letter in WORDS {
        for release in 1..=random.between(3, 6) {
            put(
                PACKAGES,
                format!("debian/pool/main/{}/{letter}/{letter}_{release}.2-1_amd64.deb", &letter[..1]),
                random.object_size(9_000_000).max(9_000),
            );
            put(
                PACKAGES,
                format!("maven/com/example/{letter}/{release}.0.0/{letter}-{release}.0.0.jar"),
                random.object_size(9_000_000).max(9_000),
            );
            put(PACKAGES, format!("maven/com/example/{letter}/{release}.0.0/{letter}-{release}.0.0.pom"), 2_900);
            put(
                PACKAGES,
                format!("pypi/{letter}/{letter}-{release}.0-py3-none-any.whl"),
                random.object_size(2_000_000).max(9_000),
            );
        }
        put(PACKAGES, format!("pypi/{letter}/index.html"), 1_800);
        put(PACKAGES, format!("maven/com/example/{letter}/maven-metadata.xml"), 700);
    }
    for suite in ["stable", "testing"] {
        for key in
            ["InRelease", "Release", "Release.gpg", "main/binary-amd64/Packages.gz", "main/i18n/Translation-de.gz"]
        {
            put(PACKAGES, format!("debian/dists/{suite}/{key}"), random.between(2_000, 900_000));
        }
    }
    for model in 1..=8 {
        put(FIRMWARE, format!("devices/m{model}/latest.json"), 410);
        for version in 1..=6 {
            put(FIRMWARE, format!("devices/m{model}/fw-1.{version}.0.bin"), random.between(1_000_000, 18_000_000));
        }
    }
    for number in 0..random.between(2_500, 4_000) {
        put(
            UPLOADS,
            format!("u/{}/{}.{}", hex(random, 6), hex(random, 12), random.pick(&["jpg", "png", "pdf", "mp4"])),
            random.object_size(90_000_000),
        );
        put(DOCS, format!("invoices/2026/invoice-{}.pdf", first_invoice + number), random.between(40_000, 200_000));
        put(ARCHIVE, format!("records/{}/{}.xml", number % 40, hex(random, 10)), random.between(4_000, 900_000));
        put(
            LAKE,
            format!("events/dt=2026-0{}-{:02}/part-{:05}.snappy.parquet", number % 3 + 1, number % 28 + 1, number % 97),
            random.object_size(200_000_000).max(9_000),
        );
    }
    for _ in 0..random.between(800, 1_500) {
        put(
            BACKUPS,
            format!("restic/data/{}/{}", hex(random, 2), hex(random, 32)),
            random.between(4_000_000, 17_000_000),
        );
        put(CACHE, format!("cas/{}", hex(random, 40)), random.object_size(40_000_000));
        put(
            SHARE,
            format!(
                "projects/{}/{}-{}.{}",
                random.pick(&WORDS),
                random.pick(&WORDS),
                random.between(1, 99),
                random.pick(&["docx", "xlsx", "pptx", "pdf"])
            ),
            random.object_size(20_000_000),
        );
        put(
            EXPORTS,
            format!("customers/{}/export-{}.csv", random.pick(&WORDS), hex(random, 6)),
            random.object_size(60_000_000).max(2_000),
        );
    }
    for x in 500..530 {
        for y in 300..330 {
            put(TILES, format!("osm/10/{x}/{y}.png"), random.between(700, 40_000));
        }
    }
    for environment in ["prod", "staging", "dev"] {
        for stack in ["network", "cluster", "data", "dns"] {
            put(STATE, format!("{environment}/{stack}/terraform.tfstate"), random.between(9_000, 2_000_000));
        }
    }
    all
}
