//! Buckets from the command line: credentials, output, exit codes.

use std::path::Path;
use std::process::Output;

use s3log_test_server::{
    Fault, Kind, Matching, Moto, Proxy, Request, SECRET_KEY, Server, create_bucket_unsigned, put_all_unsigned,
    put_archived_unsigned,
};

use super::{line, s3log, transcript};

/// A server that requires signatures, with a bucket of thirty objects in two folders.
fn server() -> Server {
    let server = Server::start();
    server.create_bucket("logs");
    for at in 0..20 {
        server.put("logs", format!("access/{}", name(at)), line(&format!("k{at}"), "curl"));
    }
    for at in 0..10 {
        server.put("logs", format!("other/{at}.log"), line("x", "curl"));
    }
    server
}

/// The name of an hourly log object of 31 January.
fn name(hour: usize) -> String {
    format!("2026-01-31-{hour:02}-30-00-3E57427F33A5{hour:04X}")
}

fn run(environment: &[(&str, String)], arguments: &[&str]) -> Output {
    s3log().envs(environment.iter().map(|(name, value)| (*name, value))).args(arguments).output().unwrap()
}

/// The output, with everything replaced that changes between runs.
fn printed(output: &Output, endpoint: &str) -> String {
    let secret = transcript(output);
    assert!(!secret.contains(SECRET_KEY) && !secret.contains("Authorization"), "{secret}");
    secret.replace(endpoint, "http://ENDPOINT")
}

#[test]
fn a_bucket_is_a_source() {
    let server = server();
    let environment = server.environment();
    let output =
        run(&environment, &["query", "SELECT count(*) FROM logs", "s3://logs/access/2026-01-31-0", "s3://logs/other"]);
    insta::assert_snapshot!(printed(&output, &server.endpoint()), @r"
    exit 0
    --- stdout
    count(*)
    20
    ");
    let output = run(&environment, &["check", "s3://logs"]);
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    assert!(transcript(&output).contains("lines = rows + rejects: 30 = 30 + 0 (blank 0)"));
}

#[test]
fn a_plan_tells_what_would_be_read() {
    let server = server();
    let environment = server.environment();
    server.put_archived("logs", "other/archived", line("x", "curl"));
    server.take_requests();
    let sql = "SELECT count(*) FROM logs WHERE time >= '2026-01-31T12:00:00Z'";
    let output =
        run(&environment, &["plan", "-F", "line", sql, "s3://logs/access/", "s3://logs/other/", "fixtures/bucket"]);
    insta::assert_snapshot!("plan", printed(&output, &server.endpoint()));
    let requests = server.take_requests();
    let asks_what_it_is =
        |request: &Request| request.kind == Kind::Head && request.key.ends_with("_s3log/dataset.json");
    let reads_nothing = |request: &Request| request.kind == Kind::List || asks_what_it_is(request);
    assert!(requests.iter().all(reads_nothing), "a plan reads nothing");
    let output = run(&environment, &["query", &format!("EXPLAIN {sql}"), "s3://logs/"]);
    let text = printed(&output, &server.endpoint());
    assert!(text.contains("objects=19, bytes="), "{text}");
    assert!(text.contains("listed=31, pruned_by_name=12, archived=0, list_requests=1, get_requests=19"), "{text}");
    let output = run(&environment, &["query", &format!("EXPLAIN {sql}"), "s3://logs/access/", "s3://logs/other/"]);
    let text = printed(&output, &server.endpoint());
    assert!(text.contains("sources=[s3://logs/access/: objects=8, bytes="), "{text}");
    assert!(text.contains("; s3://logs/other/: objects=11, bytes="), "{text}");
    assert!(server.requests().iter().all(reads_nothing));
}

/// The configured region is `us-east-1`; requests follow buckets that are somewhere else, those for datasets and files, too.
#[test]
fn buckets_of_another_region_are_found() {
    let server = server();
    server.create_bucket("data");
    server.move_bucket("logs", "ap-southeast-2");
    server.move_bucket("data", "eu-central-1");
    let environment = server.environment();
    let run = |arguments: &[&str]| {
        let output = run(&environment, arguments);
        assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["convert", "s3://logs/", "--to", "s3://data/set"]);
    assert_eq!(run(&["query", "-F", "ndjson", "SELECT count(*) AS n FROM logs", "s3://data/set"]), "{\"n\":30}\n");
    let copy = "COPY (SELECT key FROM logs) TO 's3://data/keys.parquet'";
    run(&["query", copy, "s3://logs/"]);
    let sql = "SELECT count(*) AS n FROM 's3://data/keys.parquet'";
    assert_eq!(run(&["query", "-F", "ndjson", sql]), "{\"n\":30}\n");
}

#[test]
fn figures_of_a_run() {
    let server = server();
    let environment = server.environment();
    let sql = "SELECT count(*) AS n FROM logs";
    let output = run(
        &environment,
        &["query", "-v", "-F", "ndjson", sql, "--since", "2026-01-31T10:00:00Z", "s3://logs/access/"],
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"n\":10}\n");
    let figures = String::from_utf8_lossy(&output.stderr);
    for expected in [
        "\"objects_listed\":20",
        "\"objects_pruned\":10",
        "\"result_rows\":1",
        "\"objects\":10",
        "\"list_requests\":1",
        "\"get_requests\":10",
        "\"failed_attempts\":0",
        "\"records\":10",
        "\"first_row_seconds\":0.",
    ] {
        assert!(figures.contains(expected), "{expected} is not in {figures}");
    }
    let output = run(&environment, &["query", "-v", sql, "--since", "2026-01-31T10:00:00Z", "s3://logs/access/"]);
    let figures = String::from_utf8_lossy(&output.stderr);
    assert!(
        figures.contains("20 objects listed, 10 pruned by name, 0 archived; 1 LIST request, 10 GET requests, 0 failed attempts; first row after"),
        "{figures}"
    );
}

#[test]
fn what_is_missing_is_named_and_the_exit_code_says_so() {
    let server = server();
    let proxy = Proxy::start(&server.endpoint());
    let mut environment = proxy.environment();
    environment.push(("AWS_MAX_ATTEMPTS", "2".to_owned()));
    proxy.inject(Fault::Status(503), Matching::kind(Kind::Get).key_contains(&name(7)), usize::MAX);
    let output = run(&environment, &["query", "SELECT count(*) FROM logs", "s3://logs/access/"]);
    insta::assert_snapshot!("incomplete", printed(&output, &proxy.endpoint()));
}

#[test]
fn errors_of_buckets() {
    let server = server();
    let mut text = String::new();
    let with = |name: &'static str, value: &str| {
        let mut environment = server.environment();
        environment.retain(|(known, _)| *known != name);
        environment.push((name, value.to_owned()));
        environment
    };
    let query = |source: &'static str| vec!["query", "SELECT count(*) FROM logs", source];
    let mut wrong_profile = query("s3://logs/");
    wrong_profile.extend(["--profile", "audit"]);
    for (what, environment, arguments) in [
        ("no such prefix", server.environment(), query("s3://logs/none")),
        ("no such bucket", server.environment(), query("s3://nothing/")),
        ("no bucket", server.environment(), query("s3://")),
        ("wrong secret", with("AWS_SECRET_ACCESS_KEY", "wrong"), query("s3://logs/")),
        ("wrong key", with("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), query("s3://logs/")),
        ("no credentials", with("AWS_ACCESS_KEY_ID", ""), query("s3://logs/")),
        ("no such profile", server.environment(), wrong_profile),
        ("no endpoint", with("AWS_ENDPOINT_URL_S3", "nyc3.digitaloceanspaces.com"), query("s3://logs/")),
    ] {
        text.push_str(&format!("## {what}\n{}\n", printed(&run(&environment, &arguments), &server.endpoint())));
    }
    insta::assert_snapshot!("errors", text);
}

#[test]
fn a_doctor_says_what_won_and_whether_it_works() {
    let server = server();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let endpoint = server.endpoint();
    let config = write(
        "config",
        format!(
            "[default]\nregion = eu-west-1\n[profile audit]\nregion = eu-north-1\nendpoint_url = {endpoint}\ns3 =\n  addressing_style = path\n\
             [profile process]\ncredential_process = {}\n",
            write_process(directory.path())
        ),
    );
    let credentials =
        write("credentials", format!("[audit]\naws_access_key_id = test\naws_secret_access_key = {SECRET_KEY}\n"));
    let files = [
        ("AWS_CONFIG_FILE", config),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let mut text = String::new();
    let user_at_host = endpoint.replace("http://", "http://user:password@");
    for arguments in [
        vec!["doctor", "s3://logs/access/", "--profile", "audit"],
        vec!["doctor", "s3://logs/access/", "--profile", "process", "--endpoint-url", &endpoint],
        vec!["doctor", "--profile", "audit", "--region", "us-west-2", "--addressing", "virtual"],
        vec!["doctor", "--no-sign-request", "--endpoint-url", "https://nyc3.digitaloceanspaces.com"],
        vec!["doctor", "--no-sign-request", "--endpoint-url", &user_at_host],
        vec!["doctor"],
        vec!["doctor", "s3://nothing/", "--profile", "audit"],
    ] {
        let output = run(&files, &arguments);
        let printed = printed(&output, &endpoint);
        assert!(!printed.contains("password"), "{printed}");
        text.push_str(&format!(
            "$ s3log {}\n{printed}\n",
            arguments.join(" ").replace(&endpoint, "http://ENDPOINT").replace(&user_at_host, "http://USER@ENDPOINT")
        ));
    }
    insta::assert_snapshot!("doctor", text);
}

/// All places where `aws` finds credentials, as far as possible without AWS: moto issues the security tokens.
#[test]
fn credentials_come_from_where_aws_takes_them() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let metadata = metadata();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let token = write("token", "a.web.token");
    let role = "arn:aws:iam::123456789012:role/reader";
    let config = write(
        "config",
        &format!(
            "[default]\nregion = eu-west-1\n[profile role]\nrole_arn = {role}\nsource_profile = keys\n\
             [profile web]\nrole_arn = {role}\nweb_identity_token_file = {token}\n"
        ),
    );
    let credentials =
        write("credentials", "[keys]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret-of-a-file\n");
    let base = [
        ("AWS_CONFIG_FILE", config),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials),
        ("AWS_ENDPOINT_URL_STS", moto.endpoint()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-variables"),
        ("AWS_SESSION_TOKEN", "secret-token"),
    ];
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()), ("AWS_ROLE_ARN", role)];
    let instance = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str())];
    let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*format!("{metadata}/credentials"))];
    let nothing: [(&str, &str); 0] = [];
    let mut text = String::new();
    for (what, environment, arguments) in [
        ("variables", &keys[..], &[][..]),
        ("a profile that is asked for goes before variables", &keys, &["--profile", "keys"]),
        ("a profile that a variable asks for does not", &[&keys[..], &[("AWS_PROFILE", "keys")]].concat(), &[]),
        ("an older variable", &[("AWS_DEFAULT_PROFILE", "keys")], &[]),
        ("a role", &nothing, &["--profile", "role"]),
        ("a web identity of a profile", &nothing, &["--profile", "web"]),
        ("a web identity of variables", &web, &[]),
        ("a container", &container, &[]),
        ("an instance", &instance, &[]),
    ] {
        let environment: Vec<_> = base
            .iter()
            .map(|(name, value)| (*name, value.clone()))
            .chain(environment.iter().map(|(name, value)| (*name, (*value).to_owned())))
            .collect();
        let output = run(&environment, &[&["doctor", "-F", "tsv", "--no-header"], arguments].concat());
        let printed = transcript(&output);
        assert!(!printed.contains("secret-"), "{printed}");
        let line = printed.lines().find(|line| line.starts_with("credentials")).unwrap_or(&printed);
        let origin = line.rsplit('\t').next().unwrap_or_default();
        let key = line.split_whitespace().skip_while(|word| *word != "key").nth(1).unwrap_or_default();
        assert!(!key.is_empty(), "{what}: {printed}");
        // Some of the keys that moto generates are random.
        let known = ["AKIAE", "ASIACONTAINER", "ASIAINSTANCE"].iter().any(|known| key.starts_with(known));
        let key = if known { key.trim_end_matches(',') } else { "(new)" };
        text.push_str(&format!("{what}: {key} from {origin}\n"));
    }
    insta::assert_snapshot!(text);
}

/// Simulates the metadata endpoints of containers and instances, and returns its address.
fn metadata() -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let keys = |id: &str| {
        format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{id}","SecretAccessKey":"secret-of-metadata","Token":"secret-token",
            "LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2126-01-01T00:00:00Z"}}"#
        )
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let len = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..len]);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match path {
                "/credentials" => ("200 OK", keys("ASIACONTAINER")),
                "/latest/api/token" => ("200 OK", "token".to_owned()),
                "/latest/meta-data/iam/security-credentials/" => ("200 OK", "reader".to_owned()),
                "/latest/meta-data/iam/security-credentials/reader" => ("200 OK", keys("ASIAINSTANCE")),
                _ => ("404 Not Found", String::new()),
            };
            let len = body.len();
            let head =
                "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Type: application/json\r\nConnection: close";
            write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {len}\r\n\r\n{body}").unwrap();
        }
    });
    format!("http://{address}")
}

/// Writes a program that prints credentials, as `credential_process` expects.
fn write_process(directory: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = directory.join("process");
    let answer = format!(r#"{{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "{SECRET_KEY}"}}"#);
    std::fs::write(&path, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Against moto, an independent server: listings beyond 1,000 names, path style, refused requests.
#[test]
fn another_server() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let endpoint = moto.endpoint();
    for bucket in ["logs", "more"] {
        create_bucket_unsigned(&endpoint, bucket).unwrap();
    }
    // Hourly from 1 January on.
    let objects: Vec<_> = (0..1_500)
        .map(|at| {
            let (day, hour) = (at / 24, at % 24);
            let date = format!("2026-{:02}-{:02}", day / 28 + 1, day % 28 + 1);
            (format!("access/{date}-{hour:02}-30-00-3E57427F33A5{at:04X}"), line(&format!("k{at}"), "curl").into())
        })
        .collect();
    put_all_unsigned(&endpoint, "logs", &objects).unwrap();
    put_all_unsigned(&endpoint, "more", &[("ü b+&.log".to_owned(), line("odd", "curl").into())]).unwrap();
    put_archived_unsigned(&endpoint, "logs", "access/archived", line("archived", "curl").as_bytes()).unwrap();
    let environment = moto.environment();
    let count = |arguments: &[&str]| {
        let output = run(&environment, &[&["query", "-q", "SELECT count(DISTINCT key) FROM logs"], arguments].concat());
        transcript(&output)
    };
    assert_eq!(count(&["s3://logs/acc", "s3://more"]), "exit 0\n--- stdout\ncount(DISTINCT logs.key)\n1501\n");
    // Names of February, beyond the first page, delivered at most a day late.
    let february = ["s3://logs/", "--since", "2026-02-02", "--until", "2026-02-04", "--max-lateness", "1d"];
    let plan = run(&environment, &[&["plan", "-F", "ndjson"], &february[..]].concat());
    let plan = transcript(&plan);
    assert!(plan.contains("\"objects\":72") || plan.contains("\"objects\":73"), "{plan}");
    assert!(plan.contains("\"list_requests\":3") || plan.contains("\"list_requests\":2"), "{plan}");
    let refused = count(&["s3://logs/", "--no-sign-request"]);
    assert!(refused.starts_with("exit 1") || refused.starts_with("exit 3"), "{refused}");
    assert!(refused.contains("AccessDenied") || refused.contains("403"), "{refused}");
    assert!(count(&["s3://gone/"]).contains("NoSuchBucket"));
}
