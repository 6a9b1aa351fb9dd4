//! Enabling and disabling access logs: on moto, an independent server, and on a server that refuses.

use std::path::Path;
use std::process::Output;

use s3log_test_server::{Client, Moto, SECRET_KEY, Server, create_bucket_unsigned, put_unsigned};

use super::{s3log, transcript};

/// Moto requires a signature but does not verify it.
const SIGNED: (&str, &str) = (
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x",
);

/// Permits delivery of log objects of all buckets to `logs`.
const PERMISSIVE: &str = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":["s3:PutObject"],"Resource":"arn:aws:s3:::logs/*"}]}"#;

type Environment = Vec<(&'static str, String)>;

/// A series of runs as one text, for a snapshot.
struct Story {
    environment: Environment,
    /// Replacement for the endpoint in the text.
    endpoint: String,
    text: String,
}

impl Story {
    fn new(mut environment: Environment, endpoint: String) -> Self {
        environment.push(("AWS_MAX_ATTEMPTS", "1".to_owned()));
        Self { environment, endpoint, text: String::new() }
    }

    /// Runs `s3log logging` with these arguments, appends the output, and returns it.
    fn run(&mut self, arguments: &str) -> Output {
        let variables = self.environment.iter().map(|(name, value)| (*name, value.as_str()));
        let output = s3log().envs(variables).arg("logging").args(arguments.split(' ')).output().unwrap();
        let printed = transcript(&output).replace(&self.endpoint, "http://ENDPOINT");
        assert!(!printed.contains(SECRET_KEY) && !printed.contains("Signature="), "{printed}");
        self.text.push_str(&format!("$ s3log logging {arguments}\n{printed}\n"));
        output
    }

    fn tell(&mut self, what: &str) {
        self.text.push_str(&format!("({what})\n\n"));
    }
}

/// Snapshots without anything that changes between runs.
macro_rules! assert_story {
    ($name:expr, $story:expr) => {
        insta::with_settings!({filters => vec![
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            // Moto delivers logs of the requests in this test, too.
            (r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}", "NAME"),
        ]}, {
            insta::assert_snapshot!($name, $story.text);
        });
    };
}

fn moto(buckets: &[&str]) -> Moto {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    for bucket in buckets {
        create_bucket_unsigned(&moto.endpoint(), bucket).unwrap();
    }
    moto
}

/// Sends a raw HTTP request.
fn raw(moto: &Moto, method: &str, target: &str, body: &str) -> String {
    let response = Client::new(&moto.endpoint()).send(method, target, &[SIGNED], body.as_bytes()).unwrap();
    assert!(response.status < 300, "{method} {target}: {} {}", response.status, response.text());
    response.text()
}

fn settings_of(moto: &Moto, bucket: &str) -> String {
    raw(moto, "GET", &format!("/{bucket}?logging"), "")
}

/// Puts the printed statement into a policy unchanged.
fn put_printed_statement(moto: &Moto, bucket: &str, output: &Output) -> String {
    let printed = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = printed.lines().skip_while(|line| *line != "{").collect();
    let end = lines.iter().position(|line| *line == "}").unwrap();
    let statement = lines[..=end].join("\n");
    let policy = format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statement}]}}");
    raw(moto, "PUT", &format!("/{bucket}?policy"), &policy);
    statement
}

/// Adds the buckets `photos` and `logs`.
fn with_buckets(server: Server) -> Server {
    server.create_bucket("photos");
    server.create_bucket("logs");
    server
}

/// Variables that make this server answer under the name of a service, by acting as its proxy.
fn at(service: &str, server: &str, mut environment: Environment) -> Environment {
    environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL_S3");
    environment.push(("AWS_ENDPOINT_URL_S3", service.to_owned()));
    environment.push(("HTTP_PROXY", server.to_owned()));
    environment.push(("AWS_ENDPOINT_URL_STS", server.to_owned()));
    environment
}

#[test]
fn on_and_off() {
    let moto = moto(&["photos", "logs"]);
    let mut story = Story::new(moto.environment(), moto.endpoint());
    story.run("status s3://photos");
    story.run("status s3://photos -F json");
    let refused = story.run("enable s3://photos --target s3://logs/photos/");
    put_printed_statement(&moto, "logs", &refused);
    story.tell("the statement is put into the policy of s3://logs, as it was printed");
    story.run("enable s3://photos --target s3://logs/photos/");
    story.run("status s3://photos");
    let name = "photos/2026-01-31-10-00-00-3E57427F3E57427F";
    put_unsigned(&moto.endpoint(), "logs", name, super::line("a", "curl").as_bytes()).unwrap();
    story.tell("a log object is delivered");
    story.run("status s3://photos");
    story.run("status s3://photos -F json");
    story.run("enable s3://photos --target s3://logs/photos/");
    story.run("enable s3://photos --target s3://logs/photos/new");
    assert!(settings_of(&moto, "photos").contains("<TargetPrefix>photos/</TargetPrefix>"));
    // Moto only supports these resource patterns: exactly the prefix, or everything.
    raw(&moto, "PUT", "/logs?policy", PERMISSIVE);
    story.run("enable s3://photos --target s3://logs/photos/new --force -F json");
    assert!(settings_of(&moto, "photos").contains("<TargetPrefix>photos/new</TargetPrefix>"));
    story.run("disable s3://photos --dry-run");
    assert!(settings_of(&moto, "photos").contains("TargetPrefix"));
    story.run("disable s3://photos");
    assert!(!settings_of(&moto, "photos").contains("TargetPrefix"));
    story.run("disable s3://photos");
    story.run("disable s3://photos -F json");
    assert_story!("on_and_off", story);
}

#[test]
fn what_is_not_right_is_said_before_anything_is_changed() {
    let moto = moto(&["photos", "logs"]);
    let mut story = Story::new(moto.environment(), moto.endpoint());
    for arguments in [
        "status s3://nothing",
        "status s3://photos/2026/",
        "status photos",
        "status s3://photos --no-sign-request",
        "enable s3://nothing --target s3://logs/a/",
        "enable s3://photos --target s3://nothing/a/",
        "enable s3://photos --target logs",
        "enable s3://photos",
        "enable s3://photos --target s3://logs/ --key-format daily",
        "enable s3://photos --target s3://photos/log/ --dry-run",
        "disable s3://nothing",
    ] {
        let code = story.run(arguments).status.code();
        assert!(matches!(code, Some(1 | 2)), "{arguments}: {code:?}");
    }
    assert!(!settings_of(&moto, "photos").contains("LoggingEnabled"));
    story.environment.retain(|(name, _)| *name != "AWS_ACCESS_KEY_ID");
    story.run("status s3://photos");
    assert_story!("not_right", story);
}

/// The XML printed by a dry run has the same effect as the command when something else sends it.
#[test]
fn a_dry_run_prints_what_would_be_put() {
    let moto = moto(&["photos", "logs"]);
    raw(&moto, "PUT", "/logs?policy", PERMISSIVE);
    let mut story = Story::new(moto.environment(), moto.endpoint());
    let odd = "enable s3://photos --target s3://logs/a&b<c>\"ü";
    let xml = String::from_utf8(story.run(&format!("{odd} --dry-run")).stdout).unwrap();
    let nothing = settings_of(&moto, "photos");
    raw(&moto, "PUT", "/photos?logging", &xml);
    let by_hand = settings_of(&moto, "photos");
    assert_ne!(by_hand, nothing);
    assert_eq!(story.run("disable s3://photos").status.code(), Some(0));
    assert_eq!(settings_of(&moto, "photos"), nothing);
    assert_eq!(story.run(odd).status.code(), Some(0));
    assert_eq!(settings_of(&moto, "photos"), by_hand);
    let xml = String::from_utf8(story.run("disable s3://photos --dry-run").stdout).unwrap();
    raw(&moto, "PUT", "/photos?logging", &xml);
    assert_eq!(settings_of(&moto, "photos"), nothing);
    story.run("enable s3://photos --target s3://logs --key-format delivery-time --dry-run -F json");
    assert_story!("dry_run", story);
}

#[test]
fn a_dry_run_puts_nothing_and_the_run_puts_the_same() {
    let server = with_buckets(Server::start());
    let mut story = Story::new(server.environment(), server.endpoint());
    let arguments = "enable s3://photos --target s3://logs/photos/ --key-format event-time";
    let printed = String::from_utf8(story.run(&format!("{arguments} --dry-run")).stdout).unwrap();
    assert!(server.requests().iter().all(|request| !request.kind.is_write()), "{:?}", server.requests());
    assert!(server.logging_bodies().is_empty());
    assert_eq!(story.run(arguments).status.code(), Some(0), "{}", story.text);
    let printed_off = String::from_utf8(story.run("disable s3://photos --dry-run").stdout).unwrap();
    assert_eq!(story.run("disable s3://photos").status.code(), Some(0), "{}", story.text);
    assert_eq!(server.logging_bodies(), [printed.trim_end(), printed_off.trim_end()]);
}

#[test]
fn grants_are_kept_unless_they_are_given_up() {
    let moto = moto(&["photos", "logs"]);
    raw(&moto, "PUT", "/logs?policy", PERMISSIVE);
    let settings = r#"<BucketLoggingStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LoggingEnabled><TargetBucket>logs</TargetBucket>
        <TargetGrants><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
        <URI>http://acs.amazonaws.com/groups/global/AuthenticatedUsers</URI></Grantee><Permission>READ</Permission></Grant></TargetGrants>
        <TargetPrefix>old/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"#;
    raw(&moto, "PUT", "/photos?logging", settings);
    let mut story = Story::new(moto.environment(), moto.endpoint());
    story.run("status s3://photos");
    story.run("enable s3://photos --target s3://logs/new/ --force");
    assert!(settings_of(&moto, "photos").contains("AuthenticatedUsers"));
    story.run("enable s3://photos --target s3://logs/new/ --force --drop-grants");
    assert!(!settings_of(&moto, "photos").contains("AuthenticatedUsers"));
    assert_story!("grants", story);
}

/// AWS accepts settings that have no effect, so permission to deliver is checked first.
#[test]
fn at_aws_a_permission_is_looked_for() {
    let moto = moto(&["photos", "logs"]);
    let environment = at("http://s3.us-east-1.amazonaws.com", &moto.endpoint(), moto.environment());
    let mut story = Story::new(environment, moto.endpoint());
    let blocked = story.run("enable s3://photos --target s3://logs/photos/");
    assert!(!settings_of(&moto, "photos").contains("LoggingEnabled"));
    let statement = put_printed_statement(&moto, "logs", &blocked);
    assert!(statement.contains("\"aws:SourceAccount\": \"123456789012\""), "{statement}");
    story.tell("the statement is put into the policy of s3://logs, as it was printed");
    story.run("enable s3://photos --target s3://logs/photos/ --dry-run");
    story.run("enable s3://photos --target s3://logs/photos/");
    assert!(settings_of(&moto, "photos").contains("<TargetPrefix>photos/</TargetPrefix>"));
    story.run("enable s3://logs --target s3://logs/self/ --dry-run");
    story.run("enable s3://logs --target s3://photos/logs/ --dry-run");
    assert_story!("at_aws", story);
}

#[test]
fn spaces() {
    let server = with_buckets(Server::start());
    let environment = at("http://nyc3.digitaloceanspaces.com", &server.endpoint(), server.environment());
    let mut story = Story::new(environment, server.endpoint());
    story.run("enable s3://photos --target s3://logs/photos/ --key-format event-time");
    story.run("enable s3://photos --target s3://photos/logs/");
    story.run("enable s3://photos --target s3://nothing/");
    story.run("enable s3://photos --target s3://logs/photos/ --dry-run");
    assert!(server.logging_bodies().is_empty());
    story.run("enable s3://photos --target s3://logs/photos/ --endpoint-url http://nyc3.digitaloceanspaces.com");
    assert!(!server.logging_bodies()[0].contains("TargetObjectKeyFormat"));
    assert_story!("spaces", story);
}

#[test]
fn who_refuses_and_what_to_do() {
    let mut text = String::new();
    let aws = "http://s3.us-east-1.amazonaws.com";
    let spaces = "http://nyc3.digitaloceanspaces.com";
    let enable = "enable s3://photos --target s3://logs/photos/ --force";
    for (service, method, status, code, arguments) in [
        (aws, "GET", 403, "AccessDenied", "status s3://photos"),
        (aws, "PUT", 403, "AccessDenied", enable),
        (aws, "PUT", 400, "CrossLocationLoggingProhibited", enable),
        (spaces, "GET", 403, "AccessDenied", "status s3://photos"),
        (spaces, "PUT", 403, "AccessDenied", enable),
        ("", "GET", 501, "NotImplemented", "status s3://photos"),
        ("", "GET", 405, "MethodNotAllowed", "enable s3://photos --target s3://logs/a/"),
        ("", "PUT", 501, "NotImplemented", enable),
        ("", "PUT", 400, "InvalidTargetBucketForLogging", enable),
        ("", "GET", 403, "SignatureDoesNotMatch", "status s3://photos"),
    ] {
        let server = with_buckets(Server::builder().refuses(method, "logging", status, code).start());
        let environment = match service {
            "" => server.environment(),
            service => at(service, &server.endpoint(), server.environment()),
        };
        let mut story = Story::new(environment, server.endpoint());
        assert_eq!(story.run(arguments).status.code(), Some(1), "{}", story.text);
        text.push_str(&format!("## {service} {method} {code}\n{}", story.text));
    }
    insta::assert_snapshot!("refused", text);
}

#[test]
fn settings_that_are_taken_and_not_kept_are_an_error() {
    let server = with_buckets(Server::builder().forgets_logging().start());
    let mut story = Story::new(server.environment(), server.endpoint());
    story.run("enable s3://photos --target s3://logs/photos/");
    assert_eq!(server.logging_bodies().len(), 1);
    // Moto does not return the format of names.
    let moto = moto(&["photos", "logs"]);
    raw(&moto, "PUT", "/logs?policy", PERMISSIVE);
    (story.environment, story.endpoint) = (moto.environment(), moto.endpoint());
    story.run("enable s3://photos --target s3://logs/photos/ --key-format event-time");
    assert_story!("not_kept", story);
}

#[test]
fn a_bucket_of_another_region_is_found_there() {
    let server = with_buckets(Server::start());
    server.move_bucket("photos", "eu-central-1");
    let mut story = Story::new(server.environment(), server.endpoint());
    story.run("status s3://photos");
    story.run("enable s3://photos --target s3://logs/photos/");
    assert!(server.logging_bodies().is_empty());
    server.move_bucket("logs", "eu-central-1");
    story.run("enable s3://photos --target s3://logs/photos/");
    story.run("status s3://photos");
    story.run("disable s3://photos");
    assert_story!("elsewhere", story);
}

/// Settings are visible even without permission to list the target.
#[test]
fn a_target_that_cannot_be_listed_is_no_failure() {
    let server = with_buckets(Server::builder().refuses("GET", "list-type", 403, "AccessDenied").start());
    let mut story = Story::new(server.environment(), server.endpoint());
    story.run("enable s3://photos --target s3://logs/photos/");
    story.run("status s3://photos");
    story.run("status s3://photos -F json");
    assert_story!("not_listed", story);
}

/// The newest log object is found after more than a page of older ones.
#[test]
fn the_newest_of_many() {
    let server = with_buckets(Server::start());
    let content = super::line("a", "curl");
    for day in 1..=28 {
        for at in 0..40 {
            server.put("logs", format!("photos/2026-02-{day:02}-10-{at:02}-00-3E57427F3E57427F"), content.clone());
        }
    }
    let now = chrono::Utc::now().format("%Y-%m-%d-%H-%M-%S").to_string();
    let newest = format!("photos/{now}-3E57427F3E57427F");
    server.put("logs", newest.clone(), content);
    let mut story = Story::new(server.environment(), server.endpoint());
    story.run("enable s3://photos --target s3://logs/photos/");
    server.take_requests();
    let output = story.run("status s3://photos -F json");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &status["log_objects"];
    assert_eq!((&found["listed"], &found["has_more"]), (&1000.into(), &true.into()), "{status}");
    assert_eq!(found["newest"].as_str(), Some(newest.as_str()));
    let lists = server.requests().iter().filter(|request| request.kind == s3log_test_server::Kind::List).count();
    assert_eq!(lists, 2);
}

#[test]
fn help() {
    for command in ["status", "enable", "disable"] {
        insta::assert_snapshot!(format!("help_{command}"), super::run(&["logging", command, "--help"]));
    }
}
