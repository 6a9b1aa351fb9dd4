//! The traces of real clients and attack tools in an access log.
//!
//! [`Footprints::take`] runs each of them against an [`AccessLog`] with its own address, with a limited number of
//! requests, over loopback. Tools are installed into a folder without root permissions ([`packages`](crate::packages));
//! those that cannot be installed are skipped and reported. `ordinary.rs` and `hostile.rs` define what each tool does.

mod hostile;
mod ordinary;
mod visit;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Mutex;

use self::visit::Visit;
use crate::access_log::{AccessLog, Public};
use crate::server::Server;

/// Objects are public, but cannot be listed: a website.
pub(crate) const SITE: &str = "site";
/// Objects and listings are public: open data.
pub(crate) const OPEN: &str = "open-data";
/// Only accessible to its users.
pub(crate) const PRIVATE: &str = "backups";
/// The pages of [`SITE`] and their assets.
const PAGES: [&str; 12] = [
    "index.html",
    "about.html",
    "contact.html",
    "assets/site.css",
    "assets/site.js",
    "assets/logo.svg",
    "images/team.jpg",
    "images/office.jpg",
    "images/product 1.jpg",
    "downloads/catalogue-2026.pdf",
    "downloads/price-list.csv",
    "robots.txt",
];

/// A tool, and what it does.
pub(crate) struct Tool {
    name: &'static str,
    visit: fn(&Visit<'_>) -> io::Result<()>,
}

/// The traces of a tool in the log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Footprint {
    /// The name of the tool.
    pub tool: &'static str,
    /// Its address in the log, not shared with other tools.
    pub client: IpAddr,
    /// Whether it is an attack.
    pub is_hostile: bool,
    /// Its lines, without line ends.
    pub lines: Vec<String>,
}

/// The traces of all tools.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Footprints {
    /// For the tools that ran.
    pub taken: Vec<Footprint>,
    /// Names of the tools that did not run, with the reason.
    pub skipped: Vec<(&'static str, String)>,
}

impl Footprints {
    /// Runs all tools. Their installations are kept in the folder `cache`.
    #[must_use]
    pub fn take(cache: &Path) -> Self {
        let tools =
            ordinary::TOOLS.iter().enumerate().map(|(index, tool)| (tool, false, [198, 51, 100, index as u8 + 1]));
        let others =
            hostile::TOOLS.iter().enumerate().map(|(index, tool)| (tool, true, [203, 0, 113, index as u8 + 1]));
        let waiting = Mutex::new(tools.chain(others).collect::<Vec<_>>());
        let footprints = Mutex::new(Self::default());
        // Most of the time, a tool is starting or waiting.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let Some((tool, is_hostile, client)) = waiting.lock().unwrap().pop() else { return };
                        let client = IpAddr::from(client);
                        let result = footprint(tool, client, cache);
                        let mut footprints = footprints.lock().unwrap();
                        match result {
                            Ok(lines) => {
                                footprints.taken.push(Footprint { tool: tool.name, client, is_hostile, lines });
                            }
                            Err(error) => footprints.skipped.push((tool.name, error.to_string())),
                        }
                    }
                });
            }
        });
        let mut footprints = footprints.into_inner().unwrap();
        footprints.taken.sort_by_key(|footprint| footprint.client);
        footprints
    }
}

/// Runs a tool against its own set of buckets with the same contents, and returns its lines.
fn footprint(tool: &Tool, client: IpAddr, cache: &Path) -> io::Result<Vec<String>> {
    let server = Server::builder().anonymous().access_key(tool.name).md5().start();
    let buckets = [(SITE, Public::Read), (OPEN, Public::ReadAndList), (PRIVATE, Public::Nothing)];
    for (bucket, _) in buckets {
        server.create_bucket(bucket);
    }
    for page in PAGES {
        server.put(SITE, page, format!("content of {page}\n").repeat(200));
    }
    for number in 0..40 {
        let day = number / 4 + 1;
        server.put(OPEN, format!("year=2026/month=01/day={day:02}/part-{number:05}.parquet"), "PAR1".repeat(500));
    }
    server.put(OPEN, "index.html", "<html><body>Open data</body></html>");
    server.put(PRIVATE, "2026-01-31/database.dump.gz", "dump".repeat(5000));
    let log = AccessLog::start(&server.endpoint(), &buckets);
    let visit = Visit::new(tool.name, client, cache, &log)?;
    (tool.visit)(&visit)?;
    Ok(log.lines_of(client))
}
