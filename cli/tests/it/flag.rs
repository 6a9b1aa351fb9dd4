//! `s3log flag` and `s3log rules`: output, refusals, exit codes.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

use crate::{exit_code, run, s3log};

/// A record of January 2026, old enough that nothing is provisional.
fn record(second: u32, address: &str, key: &str, status: u16, user_agent: &str) -> String {
    let error = match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        _ => "-",
    };
    format!(
        "0123456789abcdef photos [15/Jan/2026:10:{:02}:{:02} +0000] {address} - 3E57427F33A59F07 REST.GET.OBJECT {key} \
         \"GET /{key} HTTP/1.1\" {status} {error} 1234 1234 7 5 \"-\" \"{user_agent}\" - aWQ= - ECDHE-RSA-AES128-GCM-SHA256 - \
         photos.s3.us-east-1.amazonaws.com TLSv1.2 - -\n",
        second / 60,
        second % 60
    )
}

/// Two attackers, one of which sends escape sequences, and visitors.
fn logs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (second, key) in [".env", ".git/config", ".aws/credentials", "backup.sql", "id_rsa"].into_iter().enumerate() {
        text += &record(second as u32, "203.0.113.9", key, 403, "curl/8.5.0");
        text += &record(second as u32 + 60, "2001:db8:1:2::77", key, 404, "\u{1b}[2J<b>|x|</b>");
    }
    for second in 0..200 {
        let address = format!("192.0.2.{}", second % 20);
        text += &record(
            second,
            &address,
            &format!("img/{}.jpg", second % 7),
            200,
            "Mozilla/5.0 (X11; Linux) Firefox/128.0",
        );
    }
    fs::write(folder.path().join("2026-01-15-11-00-00-0123456789ABCDEF"), text).unwrap();
    folder
}

fn flag(folder: &Path, flags: &[&str]) -> String {
    let output = s3log().args(["flag", "-q"]).arg(folder).args(flags).output().unwrap();
    assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn findings_are_rows() {
    let folder = logs();
    let lines = flag(folder.path(), &["-F", "ndjson"]);
    let findings: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut addresses: Vec<_> = findings.iter().map(|finding| finding["client_ip"].as_str().unwrap()).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["2001:db8:1:2::/64", "203.0.113.9"]);
    let finding = findings.iter().find(|finding| finding["client_ip"] == "203.0.113.9").unwrap();
    assert_eq!(
        (&finding["band"], &finding["requests"], &finding["provisional"]),
        (&"block".into(), &5.into(), &false.into())
    );
    assert_eq!(finding["first_seen"], "2026-01-15T10:00:00Z");
    let probe = finding["detectors"].as_array().unwrap().iter().find(|signal| signal["id"] == "S3D-103").unwrap();
    assert_eq!(probe["samples"].as_array().unwrap().len(), 5);
    let measured: Value = serde_json::from_str(probe["measured"].as_str().unwrap()).unwrap();
    assert_eq!((&measured["d"], &measured["thresholds"]["min_good"]), (&5.into(), &3.into()));
    for format in ["csv", "tsv", "json", "line", "table"] {
        assert!(flag(folder.path(), &["-F", format]).contains("203.0.113.9"), "{format}");
    }
    let file = folder.path().join("../findings.parquet");
    let output =
        s3log().args(["flag"]).arg(folder.path()).args(["-o"]).arg(&file).args(["-F", "parquet"]).output().unwrap();
    assert!(output.status.success());
    let counted = run(&["query", &format!("SELECT count(*) FROM '{}'", file.display()), "-F", "csv", "--no-header"]);
    assert!(counted.contains("\n2\n"), "{counted}");
    fs::remove_file(file).unwrap();
}

#[test]
fn exit_codes_are_for_cron() {
    let folder = logs();
    let source = folder.path().to_str().unwrap();
    assert_eq!(exit_code(&["flag", source]), Some(0));
    assert_eq!(exit_code(&["flag", source, "--fail-on", "block"]), Some(4));
    let allow = folder.path().join("allow.list");
    fs::write(&allow, "203.0.113.0/24 ; name=own scanner\n2001:db8:1:2::77\n").unwrap();
    let logs = folder.path().join("2026-01-15-11-00-00-0123456789ABCDEF");
    let arguments = ["flag", logs.to_str().unwrap(), "--fail-on", "watch", "--allow", allow.to_str().unwrap()];
    assert_eq!(exit_code(&arguments), Some(0), "{}", run(&arguments));
    assert!(run(&arguments).contains("no address has a score of 0.6 or more; looked at 210 requests of 22 addresses"));
}

/// A flag takes any file name and may be repeated; a variable holds names separated by commas.
#[test]
fn lists_may_be_several_and_have_any_name() {
    let folder = logs();
    let source = folder.path().to_str().unwrap();
    let lists = tempfile::tempdir().unwrap();
    let list = |name: &str, text: &str| {
        let path = lists.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own = list("own,scanner", "203.0.113.0/24\n");
    let partner = list("partner", "2001:db8:1:2::/64\n");
    let (one, none) = ("note: 1 address flagged; looked at", "note: no address has a score of 0.6 or more; looked at");
    assert!(run(&["flag", source, "--allow", &own]).contains(one));
    assert!(run(&["flag", source, "--allow", &own, "--allow", &partner]).contains(none));
    let with = |value: &str| {
        let output = s3log().args(["flag", source]).env("S3LOG_ALLOW", value).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(with(&partner).contains(one));
    assert!(with(&format!("{partner},{}", list("own", "203.0.113.0/24\n"))).contains(none));
}

#[test]
fn what_clients_write_stays_text() {
    let folder = logs();
    for flags in [&["-F", "table"][..], &["-F", "markdown"], &["--explain", "2001:db8:1:2::1"], &["-F", "csv"]] {
        let text = flag(folder.path(), flags);
        assert!(text.contains("2001:db8:1:2::/64"), "{flags:?}: {text}");
        assert!(!text.contains('\u{1b}') || flags.contains(&"csv"), "{flags:?}: {text}");
    }
    // Text inside of a code span is not interpreted as HTML.
    let report = flag(folder.path(), &["-F", "markdown"]);
    assert!(report.split('`').step_by(2).all(|outside| !outside.contains("<b>")), "{report}");
}

#[test]
fn deny_lists_hold_addresses_and_nothing_else() {
    let folder = logs();
    let list = flag(folder.path(), &["-F", "cidr"]);
    let entries: Vec<_> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(entries, ["203.0.113.9/32", "2001:db8:1:2::/64"], "{list}");
    for (format, part) in [
        ("nginx", "deny 203.0.113.9;"),
        ("ipset", "203.0.113.9"),
        ("nftables", "203.0.113.9"),
        ("fail2ban", "banip"),
        ("aws-waf", "203.0.113.9/32"),
    ] {
        assert!(flag(folder.path(), &["-F", format]).contains(part), "{format}");
    }
    let exempt = "arn:aws:iam::123456789012:role/admin";
    let policy = flag(folder.path(), &["-F", "aws-bucket-policy", "--bucket", "photos", "--exempt", exempt]);
    assert!(serde_json::from_str::<Value>(&policy).is_ok(), "{policy}");
    let source = folder.path().to_str().unwrap();
    assert_snapshot!(run(&["flag", source, "-F", "spaces-bucket-policy", "--bucket", "photos"]));
    assert_snapshot!(run(&["flag", source, "-F", "aws-bucket-policy", "--bucket", "photos"]));
    assert_snapshot!(run(&["flag", source, "-F", "nginx", "--explain", "203.0.113.9"]));
}

#[test]
fn events_are_of_a_standard() {
    let folder = logs();
    let line = flag(folder.path(), &["-F", "ocsf"]);
    let event: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert_eq!((&event["class_uid"], &event["type_uid"]), (&2004.into(), &200_401.into()));
}

#[test]
fn one_address_is_explained() {
    let folder = logs();
    assert_snapshot!(flag(folder.path(), &["--explain", "203.0.113.9"]));
    assert!(flag(folder.path(), &["--explain", "192.0.2.7"]).contains("No rule matched."));
    let nobody = run(&["flag", folder.path().to_str().unwrap(), "--explain", "198.51.100.1"]);
    assert!(nobody.contains("198.51.100.1 made no request; looked at 210 requests"), "{nobody}");
}

#[test]
fn the_name_of_a_file_tells_the_format() {
    let folder = logs();
    let results = tempfile::tempdir().unwrap();
    let source = folder.path().to_str().unwrap();
    let path = |name: &str| results.path().join(name).to_str().unwrap().to_owned();
    let written = |name: &str, flags: &[&str]| {
        assert_eq!(flag(folder.path(), &[&["-o", &path(name)][..], flags].concat()), "", "{name}");
        // The creation time differs between runs.
        let text = fs::read_to_string(path(name)).unwrap();
        text.lines().filter(|line| !line.starts_with("Made ")).map(|line| format!("{line}\n")).collect::<String>()
    };
    let explained: &[&str] = &["--explain", "203.0.113.9"];
    for (name, format, flags) in [
        ("a.md", "markdown", &[][..]),
        ("a.json", "json", &[]),
        ("a.txt", "table", &[]),
        ("a", "csv", &[]),
        ("b.json", "json", explained),
        ("b.csv", "csv", explained),
        ("b.txt", "table", explained),
        ("c.JSON", "json", &["--backtest"]),
    ] {
        let expected = written("expected", &[&["-F", format][..], flags].concat());
        assert_eq!(written(name, flags), expected, "{name} {flags:?}");
        assert_eq!(written("other.json", &[&["-F", format][..], flags].concat()), expected, "{name} {flags:?}");
    }
    // A name without extension gets the format of a pipe.
    assert_eq!(written("b", explained), flag(folder.path(), explained));
    assert!(written("a.md", &[]).starts_with("# Suspicious sources of requests\n"));
    assert_eq!(serde_json::from_str::<Vec<Value>>(&written("b.json", explained)).unwrap().len(), 1);
    let said = run(&["flag", source, "--explain", "203.0.113.9", "-F", "markdown"]);
    assert!(said.starts_with("exit 2\n") && said.contains("--explain cannot be written as a report"), "{said}");
    assert_eq!(run(&["flag", source, "--explain", "203.0.113.9", "-o", &path("new.md")]), said);
    let unknown = run(&["flag", source, "--explain", "203.0.113.9", "-o", &path("new.xlsx")]);
    assert!(unknown.starts_with("exit 2\n") && unknown.contains("cannot tell the format from the name"), "{unknown}");
    assert!(!Path::new(&path("new.md")).exists() && !Path::new(&path("new.xlsx")).exists());
}

#[test]
fn who_made_no_request_is_a_result_without_rows() {
    let folder = logs();
    let of = |address: &str, format: &str| flag(folder.path(), &["--explain", address, "-F", format]);
    let parsed = |address: &str| serde_json::from_str::<Vec<Value>>(&of(address, "json")).unwrap().len();
    assert_eq!((parsed("203.0.113.9"), parsed("198.51.100.1"), parsed("2001:db8:1:3::/64")), (1, 0, 0));
    let header = |address: &str| of(address, "csv").lines().next().map(str::to_owned);
    assert!(header("198.51.100.1").is_some_and(|header| header.starts_with("client_ip,")));
    assert_eq!(header("198.51.100.1"), header("203.0.113.9"));
    assert_eq!(of("198.51.100.1", "csv").lines().count(), 1);
    for format in ["ndjson", "table", "line", "null"] {
        assert_eq!(of("198.51.100.1", format), "", "{format}");
    }
}

#[test]
fn what_flag_names_can_be_explained() {
    let folder = logs();
    let source = folder.path().to_str().unwrap();
    let page = flag(folder.path(), &["--explain", "2001:db8:1:2::/64"]);
    assert!(page.starts_with("2001:db8:1:2::/64  score "), "{page}");
    for same in ["2001:db8:1:2::77", "2001:DB8:1:2::1", "2001:db8:1:2::77/64"] {
        assert_eq!(flag(folder.path(), &["--explain", same]), page, "{same}");
    }
    let nobody = run(&["flag", source, "--explain", "2001:db8:1:3::/64"]);
    assert!(nobody.contains("2001:db8:1:3::/64 made no request"), "{nobody}");
    for network in ["2001:db8:1::/48", "2001:db8:1:2::77/65", "203.0.113.0/24", "2001:db8:1:2::/640", "photos"] {
        let refused = run(&["flag", source, "--explain", network]);
        assert!(refused.starts_with("exit 2\n") && refused.contains("such as 2001:db8:0:1::/64"), "{refused}");
    }
}

#[test]
fn who_is_allowed_and_denied_is_allowed() {
    let folder = logs();
    let lists = tempfile::tempdir().unwrap();
    let list = |name: &str, network: &str| {
        let path = lists.path().join(name);
        fs::write(&path, network).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (allow, deny, address, network) in [
        ("203.0.113.0/24", "203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9", "203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9", "203.0.113.0/24", "203.0.113.9", "203.0.113.9"),
        ("2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:2::77", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::77", "2001:db8:1:2::77", "2001:db8:1:2::77", "2001:db8:1:2::/64"),
    ] {
        let (allow, deny) = (list("office", allow), list("bad", deny));
        let flag = |more: &[&str]| flag(folder.path(), &[&["--allow", &allow, "--deny", &deny][..], more].concat());
        for format in ["csv", "cidr"] {
            assert!(!flag(&["-F", format, "--min-score", "0.01"]).contains(network), "{allow} {deny} {format}");
        }
        let page = flag(&["--explain", address]);
        assert!(page.starts_with(&format!("{network}  score 0.00, none")), "{page}");
        let overruled = page.lines().find(|line| line.starts_with("on the list deny: "));
        assert!(overruled.is_some_and(|line| line.ends_with(", overruled by --allow")), "{page}");
    }
}

/// A signed record of January 2026.
fn signed(day: u32, minute: u32, address: &str, operation: &str, key: &str, user_agent: &str) -> String {
    let method = operation.split('.').nth(1).unwrap_or_default();
    format!(
        "0123456789abcdef photos [{day:02}/Jan/2026:{:02}:{:02}:00 +0000] {address} arn:aws:iam::123456789012:user/app \
         3E57427F33A59F07 {operation} {key} \"{method} /{key} HTTP/1.1\" 200 - 1234 1234 7 5 \"-\" \"{user_agent}\" - aWQ= SigV4 \
         ECDHE-RSA-AES128-GCM-SHA256 AuthHeader photos.s3.us-east-1.amazonaws.com TLSv1.2 - -\n",
        minute / 60,
        minute % 60
    )
}

#[test]
fn what_is_normal_is_learned_from_a_time_before() {
    let (before, now) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut earlier = String::new();
    for day in 1..=14 {
        for hour in 0..12 {
            earlier += &signed(day, hour * 60, "198.51.100.7", "REST.GET.OBJECT", "data/1.json", "Boto3/1.34.0");
        }
    }
    // A second host, which cleans up once a week.
    for (day, minute) in [3, 10].into_iter().flat_map(|day| (0..12).map(move |minute| (day, minute))) {
        let key = format!("old/{day}-{minute}.json");
        earlier += &signed(day, minute, "198.51.100.8", "REST.DELETE.OBJECT", &key, "Boto3/1.34.0");
    }
    let mut later = String::new();
    for hour in 0..24 {
        later += &signed(17, hour * 60, "198.51.100.7", "REST.GET.OBJECT", "data/1.json", "Boto3/1.34.0");
    }
    for minute in 0..12 {
        let key = format!("old/17-{minute}.json");
        later += &signed(17, 840 + minute, "198.51.100.8", "REST.DELETE.OBJECT", &key, "Boto3/1.34.0");
    }
    fs::write(before.path().join("2026-01-15-00-00-00-0123456789ABCDEF"), earlier).unwrap();
    fs::write(now.path().join("2026-01-18-00-00-00-0123456789ABCDEF"), later).unwrap();
    let profiles = tempfile::tempdir().unwrap();
    let profile = profiles.path().join("normal.profile");
    let output = s3log().arg("flag").arg(before.path()).arg("--learn").arg(&profile).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let profile_flags = ["--baseline", profile.to_str().unwrap()];
    let (without, with) = (flag(now.path(), &[]), flag(now.path(), &profile_flags));
    assert!(without.contains("198.51.100.8") && !with.contains("198.51.100.8"), "{without}{with}");
    // The requester is idle, except for the holder of its stolen key: only the baseline shows that the address is new.
    let mut stolen = signed(17, 60, "203.0.113.9", "REST.GET.BUCKET", "-", "rclone/v1.66.0");
    for minute in 0..90 {
        let key = format!("data/all-{minute}.json");
        stolen += &signed(17, 61 + minute, "203.0.113.9", "REST.GET.OBJECT", &key, "rclone/v1.66.0");
    }
    stolen += &signed(17, 160, "203.0.113.9", "REST.PUT.BUCKETPOLICY", "-", "rclone/v1.66.0");
    fs::write(now.path().join("2026-01-18-00-00-00-0123456789ABCDEF"), stolen).unwrap();
    let (without, with) = (flag(now.path(), &[]), flag(now.path(), &profile_flags));
    assert!(!without.contains("203.0.113.9") && with.contains("203.0.113.9"), "{without}{with}");
    assert!(flag(now.path(), &[&profile_flags[..], &["-F", "ndjson"]].concat()).contains("S3D-204"));
    assert!(flag(logs().path(), &["--backtest", "-F", "csv"]).contains("2026-01-15,S3D-103,"));
}

#[test]
fn rules_are_listed_shown_tested_and_linted() {
    let listed = run(&["rules", "-F", "csv"]);
    assert!(listed.contains("S3D-101,Key enumeration,recon,medium,src,true,true"), "{listed}");
    assert_eq!(listed, run(&["rules", "list", "-F", "csv"]));
    assert_snapshot!(run(&["rules", "show", "S3D-105"]));
    assert_snapshot!(run(&["rules", "show", "S3D-1O5"]));
    assert!(run(&["rules", "test", "S3D-103"]).contains("passed"));
    assert!(run(&["rules", "lint"]).starts_with("exit 0"));
    assert!(run(&["rules", "tables", "walks", "-F", "csv"]).contains("ascending_share"));
    assert!(run(&["rules", "lists", "payloads"]).contains("[jndi]"));
}

#[test]
fn rules_of_ones_own_are_added_and_checked() {
    let rules = tempfile::tempdir().unwrap();
    let own = r#"
id = "OWN-1"
name = "Reads pictures"
family = "own"
severity = "low"
explain = "{n} pictures"
[match]
where = "anon AND key_ext = 'jpg'"
at_least = 3
within = "24h"
confidence = 0.65
[[test]]
name = "three pictures fire"
rows = [{ src = "203.0.113.9", key = "img/{i}.jpg", repeat = 3 }]
expect = [{ src = "203.0.113.9", confidence = "0.65" }]
[[test]]
name = "two do not"
rows = [{ src = "203.0.113.9", key = "img/{i}.jpg", repeat = 2 }]
expect = []
"#;
    fs::write(rules.path().join("own.toml"), own).unwrap();
    fs::write(rules.path().join("tuned.toml"), "id = \"S3D-103\"\nenabled = false\n").unwrap();
    let directory = rules.path().to_str().unwrap();
    assert!(run(&["rules", "test", "OWN-1", "--rules", directory]).contains("2 tests of 1 rule passed"));
    let folder = logs();
    let found = flag(folder.path(), &["--rules", directory, "-F", "csv"]);
    assert!(found.contains("192.0.2.7") && !found.contains("S3D-103"), "{found}");
    fs::write(rules.path().join("own.toml"), own.replace("key_ext", "extension")).unwrap();
    let wrong = run(&["flag", folder.path().to_str().unwrap(), "--rules", directory]);
    assert!(wrong.starts_with("exit 1") && wrong.contains("OWN-1") && wrong.contains("extension"), "{wrong}");
}

#[test]
fn lists_of_ones_own_replace_those_of_their_name_and_no_file_is_passed_over() {
    let lists = tempfile::tempdir().unwrap();
    let directory = lists.path().to_str().unwrap();
    let list = || run(&["rules", "list", "--lists", directory]);
    let file = |name: &str, text: &str| fs::write(lists.path().join(name), text).unwrap();
    // Files that explain the directory are not lists.
    file("README.md", "our lists\n");
    file(".gitignore", "");
    for name in ["sensitive-keys", "sensitive-keys.regex"] {
        file(name, "report\n(\n");
        let said = list();
        assert!(said.contains("error: sensitive-keys, line 2: not a regular expression"), "{said}");
        file(name, "report\n");
        assert!(list().starts_with("exit 0\n"), "{}", list());
        let folder = logs();
        let found = flag(folder.path(), &["--lists", directory, "--explain", "203.0.113.9"]);
        assert!(!found.contains("S3D-103"), "{found}");
        fs::remove_file(lists.path().join(name)).unwrap();
    }
    for name in ["sensitive-key", "sensitive-keys.txt", "payloads.regex.bak"] {
        file(name, "report\n");
        let said = list();
        let path = lists.path().join(name).display().to_string();
        assert!(said.contains(&format!("error: `{path}`: no list has this name\n")), "{said}");
        assert!(said.contains("sensitive-keys, web-probes"), "{said}");
        fs::remove_file(lists.path().join(name)).unwrap();
    }
    file("payloads", "");
    file("payloads.regex", "");
    let said = list();
    assert!(
        said.contains("payloads.regex`: `") && said.contains("payloads` already replaces the list `payloads`"),
        "{said}"
    );
}

/// A deny list of anonymised addresses would block others.
#[test]
fn anonymised_addresses_are_not_denied() {
    let folder = logs();
    let dest = folder.path().join("set");
    let mut convert = s3log();
    convert.arg("convert").arg(folder.path()).arg("--to").arg(&dest).args(["--anonymize-ip", "truncate"]);
    assert!(convert.output().unwrap().status.success());
    let run = |format: &str| s3log().arg("flag").arg(&dest).args(["-F", format]).output().unwrap();
    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let denied = run("nginx");
    assert_eq!((denied.status.code(), denied.stdout.is_empty()), (Some(1), true), "{}", text(&denied));
    assert!(text(&denied).contains("are anonymised (truncate): a deny list would block others"), "{}", text(&denied));
    let found = run("csv");
    assert_eq!(found.status.code(), Some(0), "{}", text(&found));
    assert!(text(&found).contains("are anonymised (truncate)"), "{}", text(&found));
}
