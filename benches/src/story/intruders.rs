//! Three attackers: a loud one, one that changes addresses, and a patient one.

use super::company::{BACKUPS, Client, LAKE, MEDIA, SITE};
use super::scribe::{Request, Scribe};

/// Probes the web site for a hundred common mistakes within some minutes.
pub(super) fn loud(scribe: &mut Scribe, start: i64) {
    const PATHS: [&str; 26] = [
        ".env",
        ".git/config",
        ".git/HEAD",
        ".aws/credentials",
        ".ssh/id_rsa",
        ".DS_Store",
        ".htpasswd",
        "admin.php",
        "backup.zip",
        "backup.tar.gz",
        "config.json",
        "config.php.bak",
        "credentials.json",
        "db.sql",
        "dump.sql",
        "phpinfo.php",
        "server-status",
        "terraform.tfstate",
        "users.csv",
        "web.config",
        "wp-admin/install.php",
        "wp-config.php.bak",
        "wp-login.php",
        "xmlrpc.php",
        "docker-compose.yml",
        "id_rsa.pub",
    ];
    const FOLDERS: [&str; 4] = ["", "old/", "backup/", "api/"];
    let client = Client::anonymous("203.0.113.66".into(), "Mozilla/5.0");
    let mut time = start;
    for folder in FOLDERS {
        for path in PATHS {
            let key = format!("{folder}{path}");
            let probe = Request::new(time, &SITE, &client, "WEBSITE.GET.OBJECT").object(&key, 0);
            scribe.request(&probe.refused(404, "NoSuchKey"));
            time += scribe.random.between(2, 6) as i64;
        }
    }
}

/// Asks every bucket for its configuration, from many addresses of one network.
pub(super) fn changing(scribe: &mut Scribe, start: i64) {
    const QUESTIONS: [(&str, &str); 9] = [
        ("REST.HEAD.BUCKET", ""),
        ("REST.GET.BUCKET", "list-type=2&max-keys=1000"),
        ("REST.GET.ACL", "acl"),
        ("REST.GET.BUCKETPOLICY", "policy"),
        ("REST.GET.BUCKETVERSIONS", "versions"),
        ("REST.GET.UPLOADS", "uploads"),
        ("REST.GET.WEBSITE", "website"),
        ("REST.GET.CORS", "cors"),
        ("REST.PUT.OBJECT", ""),
    ];
    let mut time = start;
    for bucket in [&MEDIA, &LAKE, &BACKUPS] {
        for turn in 0..2 {
            for (operation, query) in QUESTIONS {
                let host = scribe.random.between(1, 9);
                let ip = format!("2001:db8:bad:c0de::{host:x}");
                let client = Client::anonymous(ip, "python-requests/2.32.3");
                let ask = Request::new(time, bucket, &client, operation).refused(403, "AccessDenied");
                let key = Some("poc.txt").filter(|_| operation == "REST.PUT.OBJECT");
                scribe.request(&Request { query, key, ..ask });
                time += scribe.random.between(5, 40) as i64 + turn;
            }
        }
    }
}

/// Guesses names of dumps for two days, at most two per hour. In the end one of them is accessible.
pub(super) fn patient(scribe: &mut Scribe, start: i64, end: i64, opened: (i64, &str)) {
    const DUMP: u64 = 384 << 20;
    let client = Client::anonymous("198.51.100.99".into(), "curl/8.5.0");
    let mut time = start;
    let mut day = 1;
    while time < end {
        let key = if time < opened.0 || day % 3 > 0 {
            format!("db/dump-2025-12-{day:02}.sql.gz")
        } else {
            opened.1.to_owned()
        };
        let get = Request::new(time, &BACKUPS, &client, "REST.GET.OBJECT").object(&key, DUMP);
        scribe.request(&if key == opened.1 && time >= opened.0 {
            Request { by_acl: true, ..get }
        } else {
            get.refused(403, "AccessDenied")
        });
        day = day % 31 + 1;
        time += scribe.random.between(1_900, 3_300) as i64;
    }
}
