use super::*;

fn lists() -> Lists {
    Lists::shipped().unwrap()
}

/// The names of a key's properties.
fn said(lists: &Lists, key: &str) -> String {
    let facts = KeyFacts::of(lists, key);
    let names = [
        (KeyFlags::SENSITIVE, "secret"),
        (KeyFlags::WEB_PROBE, "probe"),
        (KeyFlags::BENIGN_MISS, "benign"),
        (KeyFlags::RANSOM_NOTE, "note"),
        (KeyFlags::SUSPICIOUS_UPLOAD, "upload"),
        (KeyFlags::RISKY_CONTENT, "risky"),
        (KeyFlags::ENCRYPTED, "encrypted"),
        (KeyFlags::NUMBERED_PART, "part"),
    ];
    let names = names.into_iter().filter_map(|(flag, name)| facts.is(flag).then_some(name));
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn flags_of_keys() {
    let lists = lists();
    let mut wrong = Vec::new();
    for (key, expected) in [
        // Secrets.
        (".env", "secret"),
        ("app/.env.production", "secret"),
        ("backend/prod.env", "secret"),
        (".git/config", "secret"),
        ("site/.git/HEAD", "secret"),
        (".aws/credentials", "secret"),
        ("home/me/.ssh/id_rsa", "secret"),
        ("id_ed25519", "secret"),
        ("keys/server.pem", "secret"),
        ("ssl/example.com.key", "secret"),
        ("vault.kdbx", "secret"),
        ("terraform.tfstate", "secret"),
        ("env/prod.tfvars", "secret"),
        ("docker-compose.yml", "secret"),
        ("backup.sql.gz", "secret"),
        ("db/dump-2024-03-01.sql", "secret"),
        ("backup.zip", "secret"),
        ("www.tar.gz", "secret"),
        ("wp-config.php.bak", "secret"),
        ("web.config", "secret"),
        (".DS_Store", "secret"),
        ("config/database.yml", "secret"),
        ("credentials.json", "secret"),
        ("passwords.xlsx", "secret"),
        ("rootkey.csv", "secret"),
        ("%252eenv", "secret"),
        ("a/%2egit/config", "secret"),
        ("wp-config.php", "secret probe risky"),
        // Resembles secrets.
        (".env.example", ""),
        ("environment/readme.md", ""),
        ("docs/environments.env.md", ""),
        ("global-bundle.pem", ""),
        ("rds-combined-ca-bundle.pem", ""),
        ("certs/server.pem", ""),
        ("slides/q3 review.key", ""),
        ("migrations/V1__init.sql", ""),
        ("queries/top10.sql", ""),
        ("photos/keys.jpg", ""),
        ("github/config", ""),
        ("backup/2024/03/01/archive.zip", ""),
        ("example.tfvars", ""),
        // Probes.
        ("wp-login.php", "probe risky"),
        ("index.php", "probe risky"),
        ("blog/wp-admin/", "probe"),
        ("wp-includes/wlwmanifest.xml", "probe"),
        ("vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "probe risky"),
        ("phpmyadmin/", "probe"),
        ("phpMyAdmin-5.1.1/index.php", "probe risky"),
        ("actuator/env", "probe"),
        ("actuator", "probe"),
        ("server-status", "probe"),
        ("cgi-bin/luci", "probe"),
        ("owa/auth/logon.aspx", "probe risky"),
        ("HNAP1", "probe"),
        ("solr/admin/info/system", "probe"),
        ("etc/passwd", "probe"),
        ("latest/meta-data/iam/security-credentials/", "probe"),
        ("WEB-INF/web.xml", "probe"),
        ("login", "probe"),
        ("nmaplowercheck1712345678", "probe"),
        ("nice%20ports%2C/Tri%6Eity.txt%2ebak", "probe"),
        ("randomfile1", "probe"),
        // Resembles probes.
        ("docs/php-manual.pdf", ""),
        ("images/login.png", ""),
        ("assets/admin", ""),
        ("analysis/regression.do", ""),
        ("graphql/schema.graphql", ""),
        ("remote/logins-2024.csv", ""),
        ("union-select-report.pdf", ""),
        ("consoles/playstation.html", "risky"),
        // Benign misses.
        ("favicon.ico", "benign"),
        ("0a1b2c3d.narinfo", "benign"),
        ("nix-cache-info", "benign"),
        ("github.com/a/b/@v/list", "benign"),
        ("github.com/a/b/@v/v1.2.0.mod", "benign"),
        ("github.com/a/b/@latest", "benign"),
        ("a.narinfo.bak", ""),
        ("nix-cache-info.txt", ""),
        ("v/list", ""),
        ("latest", ""),
        ("@v/list.csv", ""),
        ("favicon-32x32.png", "benign"),
        ("apple-touch-icon-120x120-precomposed.png", "benign"),
        ("robots.txt", "benign"),
        ("ads.txt", "benign"),
        ("sitemap_index.xml.gz", "benign"),
        (".well-known/assetlinks.json", "benign"),
        (".well-known/acme-challenge/x1", "benign"),
        ("warehouse/t/_SUCCESS", "benign"),
        ("warehouse/t/_temporary/0/task_01", "benign"),
        ("delta/t/_delta_log/00000000000000000010.json", "benign"),
        ("dists/stable/main/i18n/Translation-en.xz", "benign"),
        ("dists/stable/main/binary-amd64/Packages.gz", "benign"),
        ("dists/stable/InRelease", "benign"),
        ("el9/x86_64/repodata/repomd.xml", "benign"),
        ("com/example/lib/maven-metadata.xml", "benign"),
        ("lib-1.0.jar.sha1", "benign"),
        ("dir_$folder$", "benign"),
        ("array/.zarray", "benign"),
        ("cache/node-modules-5d41402abc4b2a76b9719d911017c592.tar.zst", "benign"),
        ("data/2c/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "benign"),
        ("app.js.map", "benign"),
        ("index.html", "benign risky"),
        // Resembles benign misses.
        ("deadbeef", ""),
        ("5d41402abc4b", ""),
        ("success.txt", ""),
        ("f3b9c7de-8a41-4e0b-9d3c-0123456789ab", ""),
        // Ransom notes.
        ("HOW_TO_DECRYPT_FILES.txt", "note"),
        ("docs/how to recover your files.html", "note risky"),
        ("RECOVER-a1b2c3d-FILES.txt", "note"),
        ("README_FOR_DECRYPT.txt", "note"),
        ("!!!READ_ME!!!.txt", "note"),
        ("Restore-My-Files.txt", "note"),
        ("YOUR_FILES_ARE_ENCRYPTED.txt", "note"),
        ("ransom_note.txt", "note"),
        ("WARNING_READ_ME.txt", "note"),
        // Resembles ransom notes.
        ("README.txt", ""),
        ("read_me_first.txt", ""),
        ("help/how-to-restore-a-snapshot.html", "risky"),
        ("docs/how-to-recover-your-password.html", "risky"),
        ("important-dates.txt", ""),
        ("encrypted-data-types.md", ""),
        // Uploads.
        ("poc.html", "upload risky"),
        ("h1-poc.txt", "upload"),
        ("test.txt", "upload"),
        ("test-upload.txt", "upload"),
        ("bugbounty-researcher.html", "upload risky"),
        ("shell.php", "probe upload risky"),
        ("uploads/cmdshell.jsp", "probe upload risky"),
        ("hacked by nobody.html", "upload risky"),
        ("xss.svg", "upload risky"),
        ("office365-login.html", "upload risky"),
        // Resembles uploads.
        ("epoch.txt", ""),
        ("latest.txt", ""),
        ("seashells.png", ""),
        ("tests/test_results.csv", ""),
        ("testimonials.html", "risky"),
        ("shell-report-2024.pdf", ""),
        // Encrypted, parts, content.
        ("docs/plan.docx.lockbit", "encrypted"),
        ("docs/plan.docx.ENC", "encrypted"),
        ("docs/plan.docx.gpg", ""),
        ("Cargo.lock", "benign"),
        ("stream/seg-00012.ts", "part"),
        ("stream/720p_00012.m4s", "part"),
        ("src/app.ts", ""),
        ("photos/2024/03/part-00012.parquet", "part"),
        ("out/part-00000", "part"),
        ("tiles/12/655/1583.png", "part"),
        ("photos/2024/655.png", ""),
        ("array/0.12.3", "part"),
        ("array/c/0/12", "part"),
        ("app/main.4f2a.js", "risky"),
        ("page.svg", "risky"),
        ("photos/2024/03/IMG_0012.jpg", ""),
        ("", ""),
        ("/", ""),
    ] {
        let found = said(&lists, key);
        if found != expected {
            wrong.push(format!("{key}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn keys_are_decoded_until_nothing_changes() {
    let lists = lists();
    for (key, decoded) in [
        ("a/b c", "a/b c"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a/b"),
        ("a%25252Fb", "a/b"),
        ("a%2525252Fb", "a%2Fb"),
        ("100%", "100%"),
        ("100%25", "100%"),
        ("%zz%20", "%zz "),
        ("%ff.txt", "\u{FFFD}.txt"),
        ("a+b", "a+b"),
        ("été%C3%A9", "étéé"),
    ] {
        assert_eq!(KeyFacts::of(&lists, key).decoded, decoded, "{key}");
    }
}

#[test]
fn parts_of_keys() {
    let lists = lists();
    for (key, prefix, extension, number) in [
        ("photos/2024/IMG_0012.JPG", "photos", "jpg", Some(12)),
        ("invoice-000123.v2.pdf", "", "pdf", Some(123)),
        ("/a/b", "a", "", None),
        ("a.tar.gz", "", "gz", None),
        (".env", "", "", None),
        ("log.2024-03-01", "", "", Some(2024)),
        ("file.123", "", "", Some(123)),
        ("x/report.pdf?download", "x", "", None),
        ("a.averyveryverylongextension", "", "", None),
        ("a.é", "", "", None),
        ("1234567890123.log", "", "log", None),
        ("123456789012.log", "", "log", Some(123_456_789_012)),
        ("12/34.log", "12", "log", None),
        ("9c1185a5c5e9fc54612808977ee8f548b2258d31", "", "", None),
        ("f3b9c7de-8a41-4e0b-9d3c-0123456789ab.bin", "", "bin", None),
        ("order-4711-f3b9c7de-8a41-4e0b-9d3c-0123456789ab", "", "", None),
        ("order/4711/f3b9c7de-8a41-4e0b-9d3c-0123456789ab", "order", "", Some(4711)),
        ("2024-03-01T12/0007", "2024-03-01T12", "", Some(7)),
        ("", "", "", None),
        ("a.", "", "", None),
    ] {
        let facts = KeyFacts::of(&lists, key);
        assert_eq!((facts.prefix1(), facts.extension.as_str(), facts.number), (prefix, extension, number), "{key}");
    }
}

#[test]
fn kinds_of_keys() {
    let lists = lists();
    for (key, kind) in [
        ("a/index.html", KeyKind::Page),
        ("a/", KeyKind::Page),
        ("a.PHP", KeyKind::Page),
        ("a.css", KeyKind::Asset),
        ("a.js", KeyKind::Asset),
        ("a.mp4", KeyKind::Media),
        ("a.m3u8", KeyKind::Media),
        ("a.parquet", KeyKind::Other),
        ("a", KeyKind::Other),
    ] {
        assert_eq!(KeyFacts::of(&lists, key).kind, kind, "{key}");
    }
}
