//! Detection through the public API: results do not depend on how logs are split, and user additions work.

use s3log_engine::detect::context::{CidrList, Context};
use s3log_engine::detect::deny::{DenyList, Selection};
use s3log_engine::detect::rules::RuleSet;
use s3log_engine::detect::{
    Band, Baseline, DetectOptions, EntityKind, Lists, Report, Timing, backtest, check_rules, detect, explain,
    findings_table, learn,
};
use s3log_engine::session::{Session, SessionOptions};
use std::collections::BTreeMap;
use std::path::Path;

/// The day after the lines of the rules' tests.
const NOW: i64 = 1_772_600_000_000_000;

fn options() -> DetectOptions {
    DetectOptions::new(NOW)
}

/// The lines of the tests of all shipped rules: ordinary clients, and attackers of every kind.
fn lines() -> Vec<String> {
    let rules = RuleSet::shipped().unwrap();
    let cases = rules.iter().flat_map(|rule| &rule.tests).enumerate();
    cases
        .flat_map(|(at, case)| {
            // The tests share addresses, but must not affect each other.
            let log = case
                .log()
                .replace("203.0.113.", &format!("198.18.{at}."))
                .replace("198.51.100.", &format!("198.19.{at}."));
            log.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

async fn session(folder: &Path, threads: usize) -> Session {
    let sources = [folder.display().to_string()];
    Session::open(&sources, SessionOptions::new().with_threads(threads)).await.unwrap()
}

/// Distributes lines over this many log objects.
fn write(folder: &Path, lines: &[String], objects: usize) {
    let mut texts = vec![String::new(); objects];
    for (at, line) in lines.iter().enumerate() {
        let text = &mut texts[at * 7 % objects];
        text.push_str(line);
        text.push('\n');
    }
    for (at, text) in texts.iter().enumerate() {
        std::fs::write(folder.join(format!("2026-03-03-00-00-00-{at:016X}")), text).unwrap();
    }
}

fn line(second: u32, address: &str, key: &str, status: u16) -> String {
    let error = match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        _ => "-",
    };
    format!(
        "79a5 photos [02/Mar/2026:10:{:02}:{:02} +0000] {address} - 3E57427F33A59F07 REST.GET.OBJECT {key} \
         \"GET /{key} HTTP/1.1\" {status} {error} 243 - 7 5 \"-\" \"curl/8.5.0\" - aWQ= - ECDHE-RSA-AES128-GCM-SHA256 - \
         photos.s3.us-east-1.amazonaws.com TLSv1.2 - -",
        second / 60,
        second % 60
    )
}

async fn found(lines: &[String], objects: usize, threads: usize, options: &DetectOptions) -> Report {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), lines, objects);
    let mut report = detect(&session(folder.path(), threads).await, options).await.unwrap();
    // How the logs were read is not part of the result.
    report.looked.plan.clear();
    report.looked.timing = Timing::default();
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_objects_nor_their_order_nor_threads_change_a_finding() {
    let lines = lines();
    let options = options();
    let expected = found(&lines, 1, 1, &options).await;
    let flagged = expected.findings.iter().filter(|finding| finding.band >= Band::Alert).count();
    assert!(flagged > 20, "{flagged} of {} are flagged", expected.findings.len());
    assert!(expected.findings.iter().any(|finding| !finding.detectors.iter().all(|signal| signal.samples.is_empty())));
    let backwards: Vec<String> = lines.iter().rev().cloned().collect();
    for (lines, objects, threads) in [(&lines, 3, 1), (&lines, 50, 4), (&backwards, 5, 3)] {
        let report = found(lines, objects, threads, &options).await;
        assert_eq!(report.looked, expected.looked);
        assert_eq!(report.notes, expected.notes);
        assert_eq!(report.findings.len(), expected.findings.len());
        for (found, expected) in report.findings.iter().zip(&expected.findings) {
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &lines(), 4);
    let session = session(folder.path(), 2).await;
    let report = detect(&session, &options()).await.unwrap();
    assert_eq!(report.looked.plan.matches("DataSourceExec").count(), 1, "{}", report.looked.plan);
    let read = session.progress().snapshot();
    assert_eq!((read.rows, read.objects), (report.looked.requests, 4));
}

/// The documentation's example of a rule that reads every request.
const EVERY_REQUEST: &str = r#"
id = "OWN-1"
name = "Anything at all"
family = "own"
severity = "low"
entity = "src"
explain = "{n} requests, {good} of keys that work for others"
sql = """
SELECT e.src, count(*) AS n, count(g.n) AS good, least(1.0, count(*) / 1000.0) AS confidence
FROM s3_events e LEFT JOIN good g ON g.bucket = e.bucket AND g.key = e.key
WHERE e.anon AND NOT e.is_cdn
GROUP BY e.src
"""
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_read_every_request() {
    let lines: Vec<String> =
        (0..700).map(|second| line(second, "192.0.2.7", &format!("a/{second}.jpg"), 200)).collect();
    let rules = RuleSet::shipped().unwrap().with_directory(vec![("own.toml".to_owned(), EVERY_REQUEST.to_owned())]);
    let report = found(&lines, 3, 2, &options().with_rules(rules.unwrap())).await;
    let own =
        report.findings.iter().flat_map(|finding| &finding.detectors).find(|signal| signal.id == "OWN-1").unwrap();
    // The trail has 64 of them, `s3_events` has all.
    assert!(own.explanation.starts_with("700 requests"), "{}", own.explanation);
    assert!((own.confidence - 0.7).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_requests_that_were_counted_are_shown() {
    let plain = |line: String| line.replace(" ECDHE-RSA-AES128-GCM-SHA256 ", " - ").replace(" TLSv1.2 ", " - ");
    let mut lines: Vec<String> = (0..10).map(|second| line(second, "192.0.2.7", "encrypted.jpg", 200)).collect();
    lines.extend((10..20).map(|second| plain(line(second, "192.0.2.8", "plain.jpg", 200))));
    let written = |second| line(second, "203.0.113.9", "poc.txt", 200).replace("GET", "PUT");
    let asked = |second| line(second, "203.0.113.9", "-", 403).replace("REST.GET.OBJECT", "REST.GET.ACL");
    lines.extend([written(30), asked(31), asked(32), written(33)]);
    let report = found(&lines, 3, 2, &options()).await;
    let note = report.notes.iter().find(|note| note.id == "S3D-603").unwrap();
    let shown: Vec<_> = note.samples.iter().map(|sample| sample.key.as_deref()).collect();
    assert_eq!(shown, [Some("plain.jpg"); 5]);
    let mut signals = report.findings.iter().flat_map(|finding| &finding.detectors);
    let write = signals.find(|signal| signal.id == "S3D-404").unwrap();
    let shown: Vec<_> = write.samples.iter().map(|sample| sample.operation.as_str()).collect();
    assert_eq!(shown, ["REST.PUT.OBJECT"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_condition_of_what_is_shown_is_told() {
    for (condition, told) in [("anon AND protocol = 'http'", "protocol"), ("status", "neither true nor false")] {
        let text = EVERY_REQUEST.replace("sql =", &format!("samples = \"{condition}\"\nsql ="));
        let rules = RuleSet::shipped().unwrap().with_directory(vec![("own.toml".to_owned(), text)]).unwrap();
        let error = check_rules(&rules).await.unwrap_err().to_string();
        assert!(error.contains("`samples` of OWN-1") && error.contains(told), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_on_a_list_is_never_flagged() {
    let probes = [".env", ".git/config", ".aws/credentials", "id_rsa", "backup.sql", "wp-login.php"];
    let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
    let lines: Vec<String> = addresses
        .iter()
        .flat_map(|address| probes.iter().enumerate().map(|(at, key)| line(at as u32, address, key, 403)))
        .collect();
    let list = |name: &str, text: &str| CidrList::parse(name, text, NOW).unwrap();
    let context = Context::new(NOW)
        .with_allow(&list("allow", "192.0.2.1"))
        .with_cdn(&list("cdn", "192.0.2.2/31 ; name=edge"))
        .with_deny(&list("deny", "192.0.2.4"));
    let report = found(&lines, 1, 1, &options().with_context(context)).await;
    let scores: BTreeMap<String, f64> =
        report.findings.iter().map(|finding| (finding.client_ip.to_string(), finding.score)).collect();
    assert!(scores.get("192.0.2.1").is_none_or(|score| *score == 0.0), "{scores:?}");
    assert!(scores.get("192.0.2.2").is_none_or(|score| *score == 0.0), "{scores:?}");
    assert!(scores.get("192.0.2.3").is_none_or(|score| *score == 0.0), "{scores:?}");
    assert_eq!(scores.get("192.0.2.4"), Some(&1.0));
    let plain = found(&lines, 1, 1, &options()).await;
    assert_eq!(plain.findings.iter().filter(|finding| finding.band == Band::Block).count(), 4);
    assert_eq!(findings_table::batch(&plain.findings).unwrap().num_rows(), plain.findings.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_named_when_many_of_them_do_the_same() {
    let lines: Vec<String> = (1..=6)
        .flat_map(|host| {
            let address = format!("198.51.100.{host}");
            [".env", ".git/config", "id_rsa"].map(|key| line(host, &address, key, 403))
        })
        .collect();
    let report = found(&lines, 2, 2, &options()).await;
    let note =
        report.notes.iter().find(|note| note.entity_kind == EntityKind::Network && note.id == "S3D-103").unwrap();
    assert_eq!((note.entity.as_str(), note.evidence.len()), ("198.51.100.0/24", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_normal_is_learned_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let history: Vec<String> = lines().iter().map(|line| line.replace("Mar/2026", "Feb/2026")).collect();
    write(folder.path(), &history, 2);
    let learned = learn(&session(folder.path(), 2).await, &options()).await.unwrap();
    let mut bytes = Vec::new();
    learned.write(&mut bytes).unwrap();
    assert_eq!(Baseline::read(bytes.clone().into()).unwrap(), learned);
    let error = Baseline::read(bytes[..bytes.len() / 2].to_vec().into()).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("--learn")), "{error}");
    let with = found(&lines(), 2, 2, &options().with_baseline(learned)).await;
    let without = found(&lines(), 2, 2, &options()).await;
    assert_eq!(with.looked, without.looked);
    assert_ne!(with.findings, without.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_explained() {
    let mut lines: Vec<String> = (0..50).map(|second| line(second, "192.0.2.9", "photo.jpg", 200)).collect();
    lines.extend([".env", ".git/config", "id_rsa"].map(|key| line(51, "192.0.2.1", key, 403)));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &lines, 2);
    let session = session(folder.path(), 2).await;
    let told = explain(&session, &options(), "192.0.2.1".parse().unwrap()).await.unwrap();
    let finding = told.finding.unwrap();
    assert!(finding.band >= Band::Alert);
    assert_eq!((told.timeline.len(), told.days.len(), told.days[0].anon_object_fails), (3, 1, 3));
    let told = explain(&session, &options(), "192.0.2.9".parse().unwrap()).await.unwrap();
    assert_eq!(told.finding.map(|finding| (finding.score, finding.requests)), Some((0.0, 50)));
    let told = explain(&session, &options(), "192.0.2.77".parse().unwrap()).await.unwrap();
    assert_eq!((told.finding, told.timeline.len()), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_allowed_is_not_denied_and_the_explanation_says_both() {
    let list = |name: &str, text: &str| CidrList::parse(name, text, NOW).unwrap();
    let (scanner, neighbour) = ("2001:db8:1:2::77", "2001:db8:1:2::5");
    // Requests of the network in two objects: either address may be seen first.
    let lines: Vec<String> = [(scanner, ".env"), (neighbour, "a.jpg"), (neighbour, "id_rsa"), (scanner, ".git/config")]
        .map(|(address, key)| line(51, address, key, 403))
        .to_vec();
    for (allow, deny, told) in [
        (neighbour, scanner, ["allow office (2001:db8:1:2::5)", "deny bad (2001:db8:1:2::77)"]),
        (scanner, "2001:db8:1:2::/64", ["allow office (2001:db8:1:2::77)", "deny bad (2001:db8:1:2::/64)"]),
        ("2001:db8::/32", "2001:db8:1:2::/64", ["allow office (2001:db8::/32)", "deny bad (2001:db8:1:2::/64)"]),
    ] {
        let context = Context::new(NOW).with_allow(&list("office", allow)).with_deny(&list("bad", deny));
        let options = options().with_context(context);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &lines, 2);
        let session = session(folder.path(), 2).await;
        for address in [scanner, neighbour] {
            let explanation = explain(&session, &options, address.parse().unwrap()).await.unwrap();
            let finding = explanation.finding.unwrap();
            assert_eq!(
                (finding.score, finding.listed.allow, finding.listed.deny),
                (0.0, true, false),
                "{allow} {deny}"
            );
            let lists: Vec<String> = explanation.lists.iter().map(|(kind, entry)| format!("{kind} {entry}")).collect();
            assert_eq!(lists, told);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_day_is_tried_by_itself() {
    let of_day =
        |day: u32, key: &str| line(1, "192.0.2.1", key, 403).replace("02/Mar/2026", &format!("{day:02}/Mar/2026"));
    let lines: Vec<String> =
        [of_day(2, ".env"), of_day(2, ".git/config"), of_day(2, "id_rsa"), of_day(3, "backup.sql")].to_vec();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &lines, 2);
    let days = backtest(&session(folder.path(), 2).await, &options()).await.unwrap();
    let of_rule: Vec<_> = days.iter().filter(|day| day.id == "S3D-103").collect();
    assert_eq!(of_rule.iter().map(|day| (day.requests, day.fired)).collect::<Vec<_>>(), [(3, 1), (1, 1)]);
    assert!(of_rule[0].confidence > of_rule[1].confidence);
    assert_eq!((of_rule[0].alert, of_rule[1].alert), (1, 0));
}

#[test]
fn lists_are_replaced_by_name() {
    assert!(Lists::with(&[("sensitive-keys", "^only-this$")]).is_ok());
    assert!(Lists::with(&[("no-such-list", "")]).unwrap_err().to_string().contains("sensitive-keys"));
}

/// A line with this user agent and referer.
fn line_of(second: u32, address: &str, key: &str, status: u16, agent: &str, referer: &str) -> String {
    line(second, address, key, status).replace("\"-\" \"curl/8.5.0\"", &format!("\"{referer}\" \"{agent}\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_choose_names_nobody_beyond_a_bound_in_whatever_order() {
    let rules = EVERY_REQUEST
        .replace("{n} requests", "{ip} {longest}")
        .replace("count(*) AS n", "min(e.client_ip) AS ip, max(length(e.referer_host)) AS longest");
    let rules = rules.replace("s3_events", "s3_trail");
    let rules = RuleSet::shipped().unwrap().with_directory(vec![("own.toml".to_owned(), rules)]).unwrap();
    let options = options().with_rules(rules);
    let host = "a".repeat(7000);
    let many = |second: u32| format!("2001:db8:0:1::{:x}", second + 1);
    let few = |second: u32| format!("2001:db8:0:2::{:x}", second % 9 + 1);
    let lines: Vec<String> = (0..300)
        .flat_map(|at| {
            [many(at), few(at)].map(|ip| line_of(at, &ip, "a.env", 403, "curl/8.5.0", &format!("https://{host}/")))
        })
        .collect();
    for (objects, threads) in [(1, 1), (7, 2)] {
        let report = found(&lines, objects, threads, &options).await;
        let said = |source: &str| {
            let finding = report.findings.iter().find(|finding| finding.client_ip.to_string() == source).unwrap();
            finding.detectors.iter().find(|signal| signal.id == "OWN-1").unwrap().explanation.clone()
        };
        for (source, expected) in
            [("2001:db8:0:1::/64", "2001:db8:0:1::/64 253, "), ("2001:db8:0:2::/64", "2001:db8:0:2::1 253, ")]
        {
            assert!(said(source).starts_with(expected), "{}", said(source));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_of_a_crawler_clears_nobody() {
    let crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let probes = [".env", ".git/config", ".aws/credentials", "backup.sql", "id_rsa"];
    let of = |agent: &'static str| {
        let probes = probes.iter().enumerate();
        probes.map(move |(at, key)| line_of(at as u32, "66.249.66.7", key, 403, agent, "-"))
    };
    let mixed: Vec<String> =
        of("curl/8.5.0").chain([line_of(9, "66.249.66.7", "robots.txt", 200, crawler, "-")]).collect();
    let report = found(&mixed, 1, 1, &options()).await;
    assert!(report.findings[0].band >= Band::Alert, "{:?}", report.findings[0]);
    let proven: Vec<String> = of(crawler).collect();
    let report = found(&proven, 1, 1, &options()).await;
    assert!(report.findings.iter().all(|finding| finding.band == Band::None), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_be_denied_cannot_say_that_he_is_a_cdn() {
    let lines: Vec<String> =
        (0..40).map(|at| line_of(at, "203.0.113.66", "a.jpg", 200, "Amazon CloudFront", "-")).collect();
    let deny = CidrList::parse("deny", "203.0.113.66", NOW).unwrap();
    let context = Context::new(NOW).with_crawlers_of(&Lists::shipped().unwrap()).unwrap().with_deny(&deny);
    let options = options().with_context(context);
    let report = found(&lines, 1, 1, &options).await;
    let list = DenyList::select(&report.findings, &options.context().unwrap(), &Selection::new(NOW)).unwrap();
    assert_eq!(list.networks().len(), 1, "{}", list.left_out());
}
