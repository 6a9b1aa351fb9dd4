//! Distributed execution: a scheduler and two executors as processes, compared with a single machine.

mod left_out;
mod losses;

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use bytes::Bytes;
use s3log_test_server::{
    Client, Kind, Matching, Moment, Moto, Process, Proxy, Server, create_bucket_unsigned, put_all_unsigned,
};
use tempfile::TempDir;

use super::{line, s3log, transcript};

/// How long a process may take to start while a build is running.
const PATIENCE: Duration = Duration::from_secs(120);
/// A lost executor must be detected, and its work repeated, within this time.
const RECOVERY: Duration = Duration::from_secs(60);

/// A scheduler and executors with two cores each.
struct Cluster {
    url: String,
    rest: String,
    scheduler: Option<Process>,
    executors: Vec<Process>,
    folder: TempDir,
}

impl Cluster {
    /// Starts the processes; `environment` tells executors how to reach buckets.
    fn start(executors: usize, environment: &[(&str, String)]) -> Self {
        Self::start_with(executors, environment, &[])
    }

    /// Like [`start`](Self::start), with more flags for the scheduler.
    fn start_with(executors: usize, environment: &[(&str, String)], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let arguments = [
            "cluster",
            "scheduler",
            "--bind-host=127.0.0.1",
            "--external-host=127.0.0.1",
            &format!("--bind-port={port}"),
            "--executor-timeout-seconds=5",
            "--expire-dead-executor-interval-seconds=1",
        ];
        let arguments = [&arguments[..], flags].concat();
        let scheduler = start(&arguments, environment, &folder.path().join("scheduler.log"));
        let mut cluster = Self {
            url: format!("df://127.0.0.1:{port}"),
            rest: format!("http://127.0.0.1:{port}"),
            scheduler: Some(scheduler),
            executors: Vec::new(),
            folder,
        };
        for number in 0..executors {
            let ports = [free_port(), free_port(), free_port()];
            let work = cluster.folder.path().join(format!("work-{number}"));
            std::fs::create_dir(&work).unwrap();
            let arguments = [
                "cluster",
                "executor",
                "--scheduler-host=127.0.0.1",
                &format!("--scheduler-port={port}"),
                "--bind-host=127.0.0.1",
                "--external-host=127.0.0.1",
                &format!("--bind-port={}", ports[0]),
                &format!("--bind-grpc-port={}", ports[1]),
                &format!("--bind-health-port={}", ports[2]),
                "--executor-heartbeat-interval-seconds=1",
                "--vcores=2",
                "--memory-pool-size=0",
                &format!("--work-dir={}", work.display()),
            ];
            let log = cluster.folder.path().join(format!("executor-{number}.log"));
            cluster.executors.push(start(&arguments, environment, &log));
        }
        cluster.wait_for(executors);
        cluster
    }

    /// Waits until the scheduler knows this many executors.
    fn wait_for(&self, executors: usize) {
        let begin = Instant::now();
        loop {
            let answer = Client::new(&self.rest).patience(Duration::from_secs(5)).get("/api/executors");
            let known = answer.map(|answer| String::from_utf8_lossy(&answer.body).matches("\"vcores\":2").count());
            if known.as_ref().is_ok_and(|known| *known == executors) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{known:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the scheduler's REST interface returns.
    fn ask(&self, path: &str) -> serde_json::Value {
        let answer = Client::new(&self.rest).patience(Duration::from_secs(5)).get(path).unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Number of tasks of the only job that have succeeded.
    fn tasks_done(&self) -> usize {
        let jobs = self.ask("/api/jobs");
        let Some(job) = jobs[0]["job_id"].as_str() else { return 0 };
        self.ask(&format!("/api/job/{job}/stages")).to_string().matches(r#""status":"Successful""#).count()
    }

    /// The logs of the processes, to explain a failed test.
    fn logs(&self) -> String {
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            let text = if path.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
            let last: Vec<&str> = text.lines().rev().take(40).collect();
            format!("== {}\n{}\n", path.display(), last.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        std::fs::read_dir(self.folder.path()).unwrap().map(read).collect()
    }

    /// Runs the program on the cluster.
    fn run(&self, environment: &[(&str, String)], arguments: &[&str]) -> Output {
        let mut command = s3log();
        command.envs(environment.iter().map(|(name, value)| (*name, value)));
        command.args(arguments).args(["--cluster", &self.url]).output().unwrap()
    }

    /// Runs the program on the cluster and on one machine; both must print the same.
    fn same(&self, environment: &[(&str, String)], arguments: &[&str]) -> String {
        let mut alone = s3log();
        alone.envs(environment.iter().map(|(name, value)| (*name, value)));
        let alone = transcript(&alone.args(arguments).output().unwrap());
        let here = transcript(&self.run(environment, arguments));
        assert_eq!(here, alone, "{arguments:?}\n{}", self.logs());
        here
    }
}

fn start(arguments: &[&str], environment: &[(&str, String)], printed: &Path) -> Process {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Process::start(assert_cmd::cargo::cargo_bin!("s3log"), &arguments, environment, printed).unwrap()
}

/// Another process could take the port before it is used, which hardly ever happens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Queries of all kinds, each with a defined row order.
const QUERIES: &[&str] = &[
    "SELECT count(*) FROM logs",
    "SELECT http_status, count(*), sum(bytes_sent) FROM logs GROUP BY 1 ORDER BY 1",
    "SELECT remote_ip, sum(bytes_sent) AS bytes FROM logs GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5",
    "SELECT DISTINCT operation FROM logs ORDER BY 1",
    "SELECT count(DISTINCT remote_ip), count(DISTINCT key) FROM logs",
    "SELECT time, remote_ip, operation, key FROM logs ORDER BY time, request_id, key LIMIT 20",
    "SELECT a.operation, count(*) FROM logs a JOIN logs b ON a.request_id = b.request_id GROUP BY 1 ORDER BY 1",
    "SELECT operation, n, rank() OVER (ORDER BY n DESC, operation) FROM \
     (SELECT operation, count(*) AS n FROM logs GROUP BY 1) ORDER BY 3",
    "SELECT * FROM (SELECT remote_ip, key, row_number() OVER (PARTITION BY remote_ip ORDER BY time, request_id, key) AS n \
     FROM logs) WHERE n = 1 ORDER BY 1, 2",
    "SELECT date_trunc('hour', time) AS hour, count(*) FROM logs WHERE http_status >= 400 GROUP BY 1 ORDER BY 1",
    "SELECT uri_method(request_uri), user_agent_family(user_agent), count(*) FROM logs GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*) FROM logs WHERE ip_in_cidr(remote_ip, ['192.0.2.0/24', '2001:db8::/32'])",
    "SELECT ip_prefix(remote_ip, 24) AS network, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3",
    "SELECT key FROM logs WHERE key LIKE '%a%' AND operation = 'REST.GET.OBJECT' ORDER BY key, time, request_id LIMIT 10",
    "SELECT max(bytes_sent) FROM logs WHERE bytes_sent > (SELECT avg(bytes_sent) FROM logs)",
    "SELECT count(*) FROM logs WHERE requester NOT IN (SELECT requester FROM logs WHERE http_status = 403)",
    "WITH ips AS (SELECT remote_ip, count(*) AS n FROM logs GROUP BY 1) \
     SELECT l.http_status, max(i.n) FROM logs l JOIN ips i USING (remote_ip) GROUP BY 1 ORDER BY 1",
    "SELECT http_status, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY object_size) IS NULL FROM logs GROUP BY 1 ORDER BY 1",
    "SELECT count(*), min(time), max(time) FROM logs WHERE log_object LIKE '%2026%'",
    "SELECT cs_method, sc_status, count(*) FROM cdn GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT source, method, count(*) FROM requests GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*), sum(bytes_sent) FROM visitor_requests",
    "SELECT reason, count(*) FROM rejects GROUP BY 1 ORDER BY 1",
    "SELECT log_object, line_number FROM rejects ORDER BY 1, 2 LIMIT 7",
    "SELECT status, count(*) FROM (SELECT http_status AS status FROM logs UNION ALL SELECT sc_status FROM cdn) \
     GROUP BY 1 ORDER BY 1",
    "SELECT l.operation, count(r.line_number) FROM logs l LEFT JOIN rejects r ON l.log_object = r.log_object GROUP BY 1 ORDER BY 1",
    "SELECT 1 + 1",
    "SELECT table_name, table_type FROM information_schema.tables ORDER BY 1",
];

/// Sources with all kinds of lines.
const SOURCES: &[&str] =
    &["fixtures/bucket", "fixtures/mixed", "fixtures/rejects", "fixtures/compressed", "fixtures/cdn"];

#[test]
fn every_query_gives_the_rows_of_one_machine() {
    let cluster = Cluster::start(2, &[]);
    let all = QUERIES.join(";\n");
    let arguments = [&["query", "-F", "csv", &all][..], SOURCES].concat();
    let printed = cluster.same(&[], &arguments);
    assert!(printed.starts_with("exit 0") && printed.lines().count() > 100, "{printed}");
    // One at a time, so that no query hides another.
    for sql in QUERIES {
        let plan = cluster.run(&[], &[&["query", "-F", "line", &format!("EXPLAIN {sql}")][..], SOURCES].concat());
        let plan = String::from_utf8(plan.stdout).unwrap();
        assert_eq!(
            plan.contains("ClusterExec"),
            !sql.starts_with("SELECT 1") && !sql.contains("information_schema"),
            "{sql}\n{plan}"
        );
    }
    // Flags that affect what is read, and the exit code.
    for flags in [
        &["--since", "2026-01-15T11:00:00Z", "--until", "2026-01-15T13:00:00Z"][..],
        &["--strict"],
        &["--max-rejects", "1%"],
        &["--dialect", "versitygw"],
        &["--map", "cdn.example.com=photos"],
        &["--threads", "7"],
    ] {
        let sql = "SELECT bucket, count(*) FROM requests GROUP BY 1 ORDER BY 1; SELECT count(*) FROM logs";
        cluster.same(&[], &[&["query", "-F", "csv", sql][..], SOURCES, flags].concat());
    }
}

#[test]
fn what_cannot_be_read_is_told_as_on_one_machine() {
    let cluster = Cluster::start(1, &[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good"), line("a", "curl").repeat(3)).unwrap();
    std::fs::write(folder.path().join("broken.gz"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5]).unwrap();
    let source = folder.path().display().to_string();
    let printed = cluster.same(&[], &["query", "SELECT count(*) FROM logs", &source]);
    assert!(printed.starts_with("exit 3") && printed.contains("broken.gz"), "{printed}");
    let printed = transcript(&cluster.run(&[], &["query", "SELECT count(*) FROM logs", "-"]));
    assert!(printed.contains("standard input cannot be read on other machines"), "{printed}");
    let networks = folder.path().join("networks");
    std::fs::write(&networks, "192.0.2.0/24\n").unwrap();
    let networks = networks.display().to_string();
    let sql = "SELECT count(*) FROM requests";
    let printed = transcript(&cluster.run(&[], &["query", sql, "fixtures/cdn", "--cdn-cidr", &networks]));
    assert!(printed.starts_with("exit 1") && printed.contains("networks of a CDN"), "{printed}");
}

#[test]
fn many_that_cannot_be_read_are_counted_and_some_named() {
    let cluster = Cluster::start(1, &[]);
    let folder = tempfile::tempdir().unwrap();
    for at in 0..1_100 {
        std::fs::write(folder.path().join(format!("{at}.gz")), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5]).unwrap();
    }
    let source = folder.path().display().to_string();
    let sql = "SELECT count(*) FROM logs";
    // Which objects are named depends on the order of execution.
    let printed = transcript(&cluster.run(&[], &["query", "--threads", "1", "-q", sql, &source]));
    assert!(printed.starts_with("exit 3") && printed.contains("1,100 objects"), "{printed}");
}

#[test]
fn what_cannot_be_sent_is_said_in_words() {
    let cluster = Cluster::start(1, &[]);
    let sql = "WITH RECURSIVE t AS (SELECT count(*) AS n FROM logs UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t";
    let printed = transcript(&cluster.run(&[], &["query", sql, "fixtures/mixed"]));
    assert!(
        printed.starts_with("exit 1") && printed.contains("cannot be sent to a cluster: RecursiveQueryExec"),
        "{printed}"
    );
    assert!(printed.contains("hint: run it without --cluster"), "{printed}");
    // Query errors on executors are reported as on one machine.
    let sql = "SELECT CAST(key AS BIGINT) FROM logs";
    let printed = transcript(&cluster.run(&[], &["query", sql, "fixtures/mixed"]));
    assert!(printed.starts_with("exit 1") && printed.contains("Cannot cast string"), "{printed}");
}

#[test]
fn the_job_of_an_interrupted_client_is_cancelled() {
    let (_server, proxy, environment, cluster) = held_up(1);
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset").display().to_string();
    let convert = ["convert", "s3://logs/access/", "--to", &dataset];
    let jobs = || {
        let jobs = Client::new(&cluster.rest).patience(Duration::from_secs(5)).get("/api/jobs").unwrap();
        String::from_utf8_lossy(&jobs.body).into_owned()
    };
    for (number, arguments) in [&COUNT[..], &convert].into_iter().enumerate() {
        proxy.clear();
        let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get), usize::MAX);
        let mut client = std::process::Command::new(assert_cmd::cargo::cargo_bin!("s3log"))
            .args(arguments)
            .args(["--cluster", &cluster.url])
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Requests of the previous job may still be held. What matters is that this job is running and its client knows
        // it.
        let begin = Instant::now();
        loop {
            let jobs = jobs();
            if jobs.matches("job_id").count() > number && jobs.contains(r#""status":"Running""#) {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{jobs}\n{}", cluster.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(500));
        let told = std::process::Command::new("kill").args(["-INT", &client.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert_eq!(client.wait().unwrap().code(), Some(130));
        let begin = Instant::now();
        loop {
            let jobs = jobs();
            // A conversion may end by itself before it is cancelled: writers check whether their batch is still open.
            let goes_on = [r#""status":"Running""#, r#""status":"Queued""#].iter().any(|status| jobs.contains(status));
            if jobs.contains("Cancelled") && !goes_on {
                break;
            }
            assert!(begin.elapsed() < RECOVERY, "{jobs}\n{}", cluster.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
        hold.release();
    }
    // Its output is gone, and the next run does all of the work.
    let next = s3log().envs(environment.iter().map(|(name, value)| (*name, value))).args(convert).output().unwrap();
    let printed = transcript(&next);
    assert!(printed.contains("lines = rows + rejects: 3,200 = 3,200 + 0"), "{printed}");
    let (there, named) = files(&dataset);
    assert_eq!(there, named);
}

#[test]
fn files_are_written_where_somebody_asks_for_them() {
    let cluster = Cluster::start(1, &[]);
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("status.parquet").display().to_string();
    let sql = format!("COPY (SELECT http_status, count(*) AS n FROM logs GROUP BY 1) TO '{written}'");
    cluster.run(&[], &["query", &sql, "fixtures/bucket"]);
    let back = format!("SELECT * FROM '{written}' ORDER BY 1");
    let expected = "SELECT http_status, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1";
    let expected = s3log().args(["query", "-F", "csv", expected, "fixtures/bucket"]).output().unwrap();
    assert_eq!(s3log().args(["query", "-F", "csv", &back]).output().unwrap().stdout, expected.stdout);
    // Queries of a table created from logs run locally.
    let made =
        "CREATE TABLE few AS SELECT key, http_status FROM logs; SELECT count(*) FROM few WHERE http_status = 200";
    cluster.same(&[], &["query", "-F", "csv", made, "fixtures/bucket"]);
}

#[test]
fn datasets_are_read_too() {
    let cluster = Cluster::start(2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset").display().to_string();
    let rejects = folder.path().join("rejects").display().to_string();
    let converted = s3log().args(["convert", "fixtures/bucket/logs", "--to", &dataset, "--rejects", &rejects]).output();
    assert_eq!(converted.unwrap().status.code(), Some(0));
    let sql = "SELECT count(*), sum(bytes_sent), min(time), max(time) FROM logs; \
               SELECT operation, count(object_key) FROM logs GROUP BY 1 ORDER BY 1; \
               SELECT method, count(*) FROM requests GROUP BY 1 ORDER BY 1; \
               SELECT count(*) FROM logs WHERE time < '2026-01-15'; \
               SELECT count(*) FROM rejects";
    let printed = cluster.same(&[], &["query", "-F", "csv", sql, &dataset]);
    assert!(printed.starts_with("exit 0"), "{printed}");
    // A dataset, and logs that are not in it.
    let sql = "SELECT count(*), count(DISTINCT log_object) FROM logs";
    cluster.same(&[], &["query", "-F", "csv", sql, &dataset, "fixtures/bucket", "fixtures/mixed"]);
}

#[test]
fn buckets_are_listed_here_and_read_there() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    create_bucket_unsigned(&moto.endpoint(), "logs").unwrap();
    let objects: Vec<(String, Bytes)> = (0..120)
        .map(|at| {
            (
                format!("access/2026-01-31-{:02}-00-00-3E57427F33A5{at:04X}", at % 24),
                line(&format!("k{}", at % 7), "curl").into(),
            )
        })
        .collect();
    put_all_unsigned(&moto.endpoint(), "logs", &objects).unwrap();
    let environment = moto.environment();
    let cluster = Cluster::start(2, &environment);
    let sql = "SELECT key, count(*) FROM logs GROUP BY 1 ORDER BY 1; SELECT count(DISTINCT log_object) FROM logs; \
               SELECT log_object FROM logs ORDER BY 1 LIMIT 3; SELECT count(*) FROM logs WHERE log_object LIKE '%-07-00%'";
    let printed = cluster.same(&environment, &["query", "-F", "csv", sql, "s3://logs/access/"]);
    assert!(printed.starts_with("exit 0") && printed.contains("s3://logs/access/2026-01-31-00-00-00-"), "{printed}");
    let sql = "SELECT count(*) FROM logs";
    cluster.same(
        &environment,
        &["query", "-F", "csv", sql, "s3://logs/", "fixtures/bucket", "--until", "2026-01-31T09:00:00Z"],
    );
    // A missing bucket is detected before executors are asked to read it.
    let missing = transcript(&cluster.run(&environment, &["query", sql, "s3://nothing/"]));
    assert!(missing.starts_with("exit 1") && missing.contains("s3://nothing"), "{missing}");
}

/// A bucket behind a proxy, and a cluster that reads it.
fn held_up(executors: usize) -> (Server, Proxy, Vec<(&'static str, String)>, Cluster) {
    let server = Server::start();
    server.create_bucket("logs");
    for at in 0..64 {
        server.put("logs", format!("access/{at:02}"), line(&format!("k{at}"), "curl").repeat(50));
    }
    let proxy = Proxy::start(&server.endpoint());
    let mut environment = server.environment();
    for (name, value) in &mut environment {
        *value = if *name == "AWS_ENDPOINT_URL_S3" { proxy.endpoint() } else { value.clone() };
    }
    let cluster = Cluster::start(executors, &environment);
    (server, proxy, environment, cluster)
}

const COUNT: [&str; 5] = ["query", "-F", "csv", "SELECT count(*), count(DISTINCT key) FROM logs", "s3://logs/access/"];

/// The contents of a dataset, sorted.
fn content(dataset: &str) -> String {
    let sql = "SELECT * EXCLUDE (log_object), regexp_replace(log_object, '^.*/', '') FROM logs ORDER BY time, request_id, operation, key";
    transcript(&s3log().args(["query", "-F", "csv", sql, dataset]).output().unwrap())
}

/// The numbers of data files that exist, and that the ledger names.
fn files(dataset: &str) -> (usize, usize) {
    let walk = |folder: &Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.collect()
    };
    let days = walk(Path::new(dataset)).into_iter().filter(|path| path.to_string_lossy().contains("day="));
    let there = days.flat_map(|day| walk(&day)).count();
    let status = s3log().args(["convert", "--status", dataset, "-F", "json"]).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    (there, status["files"].as_array().unwrap().len())
}

#[test]
fn a_conversion_is_shared_out_and_committed_once() {
    let cluster = Cluster::start(2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let (here, alone) = (name("here"), name("alone"));
    let source = ["fixtures/bucket", "fixtures/mixed", "fixtures/rejects"];
    let convert = |to: &str| {
        let rejects = format!("{to}-rejects");
        let arguments = ["convert", "--batch-size", "200000", "--threads", "4", "--to", to, "--rejects"];
        [&arguments[..], &[&rejects], &source]
            .concat()
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect::<Vec<_>>()
    };
    let on_one = s3log().args(convert(&alone)).output().unwrap();
    let arguments = convert(&here);
    let shared = cluster.run(&[], &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let last = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(&shared), last(&on_one), "{}\n{}", transcript(&shared), cluster.logs());
    assert!(last(&shared).starts_with("lines = rows + rejects"), "{}", transcript(&shared));
    assert_eq!(content(&here), content(&alone));
    let (there, named) = files(&here);
    assert_eq!(there, named);
    assert!(there > files(&alone).1, "{there} files: several processes wrote");
    // Rejects are the same, and a second run has nothing to do.
    let sql = "SELECT count(*), count(DISTINCT reason) FROM rejects";
    let rejects = |to: &str| transcript(&s3log().args(["query", "-F", "csv", sql, to]).output().unwrap());
    assert_eq!(rejects(&here), rejects(&alone));
    let again = cluster.run(&[], &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(last(&again).starts_with("lines = rows + rejects: 0"), "{}", transcript(&again));
    // Whatever needs all records in order, or a secret, stays on one machine.
    let key = name("ip.key");
    std::fs::write(&key, "3bd1f0a97c5e2846b0d7e1c4925fa86d17e4c2b95a08f36d4e71b2c80f59ad63\n").unwrap();
    for (flags, why) in [
        (&["--dedupe", "record"][..], "duplicates cannot be detected on a cluster"),
        (&["--anonymize-ip", "keyed", "--ip-key", key.as_str()], "addresses cannot be encrypted on a cluster"),
    ] {
        let dest = name("refused");
        let refused = cluster.run(&[], &[&["convert", "fixtures/mixed", "--to", &dest][..], flags].concat());
        let printed = transcript(&refused);
        assert!(printed.starts_with("exit 1") && printed.contains(why) && !Path::new(&dest).exists(), "{printed}");
    }
}

#[test]
fn findings_are_those_of_one_machine() {
    let cluster = Cluster::start(2, &[]);
    for format in ["json", "csv"] {
        let arguments =
            ["flag", "-F", format, "--min-score", "0.2", "fixtures/bucket", "fixtures/mixed", "fixtures/hostile"];
        // -q, because a note contains the time up to which the logs are complete, which depends on the current time.
        let printed = cluster.same(&[], &[&arguments[..], &["-q"]].concat());
        assert!(printed.lines().count() > 5, "{printed}");
    }
}

#[test]
fn a_client_that_reaches_nobody_but_the_scheduler_gets_its_rows() {
    let cluster = Cluster::start_with(1, &[], &["--enable-embedded-flight-proxy"]);
    let sql = "SELECT operation, count(*) FROM logs GROUP BY 1 ORDER BY 1";
    cluster.same(&[], &["query", "-F", "csv", sql, "fixtures/bucket"]);
    // What was done, by stage.
    let sql = format!("EXPLAIN ANALYZE {sql}");
    let told = cluster.run(&[], &["query", "-F", "line", &sql, "fixtures/bucket"]);
    let told = String::from_utf8(told.stdout).unwrap();
    for part in ["stage 1: 4 partitions", "DataSourceExec", "stage 2:", "ShuffleReaderExec", "s3log.rows="] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn progress_is_told_by_stages() {
    let (_server, proxy, environment, cluster) = held_up(1);
    let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get), usize::MAX);
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| cluster.run(&environment, &[&COUNT[..], &["--progress", "json"]].concat()));
        assert!(hold.wait_for(4, PATIENCE), "{}", cluster.logs());
        std::thread::sleep(Duration::from_millis(2500));
        hold.release();
        asked.join().unwrap()
    });
    let told = String::from_utf8(answer.stderr).unwrap();
    let begun =
        told.lines().any(|line| line.contains(r#""stages":[{"stage":1,"tasks":"#) && line.contains(r#""done":0}"#));
    assert!(begun, "{told}");
    let last = told.lines().last().unwrap();
    assert!(last.contains(r#""objects":64,"objects_total":64"#) && last.contains(r#""records":3200"#), "{told}");
}

#[test]
fn without_a_scheduler_nothing_runs() {
    let url = format!("df://127.0.0.1:{}", free_port());
    let printed = super::run(&["query", "SELECT count(*) FROM logs", "fixtures/bucket", "--cluster", &url]);
    assert!(printed.starts_with("exit 1") && printed.contains(&format!("{url}: no scheduler found")), "{printed}");
    let printed = super::run(&["query", "SELECT count(*) FROM logs", "fixtures/bucket", "--cluster", "localhost"]);
    assert!(printed.contains("write a scheduler as df://host:50050"), "{printed}");
}

#[test]
fn flags_are_ballistas() {
    // The descriptions are Ballista's; defaults and variables are ours.
    let flags = |process: &str| super::run(&["cluster", process, "--help"]);
    let (scheduler, executor) = (flags("scheduler"), flags("executor"));
    for (help, flag, default) in [
        (&scheduler, "bind-port", "50050"),
        (&scheduler, "executor-timeout-seconds", "20"),
        (&scheduler, "expire-dead-executor-interval-seconds", "5"),
        (&scheduler, "grpc-server-max-decoding-message-size", "536870912"),
        (&scheduler, "grpc-client-max-message-size", "536870912"),
        (&executor, "scheduler-port", "50050"),
        (&executor, "executor-heartbeat-interval-seconds", "5"),
        (&executor, "scheduler-connect-timeout-seconds", "30"),
        (&executor, "grpc-server-max-decoding-message-size", "536870912"),
    ] {
        let (_, about) = help.split_once(&format!("--{flag} ")).unwrap_or_else(|| panic!("{flag}"));
        let about: String = about.lines().take_while(|line| !line.trim_start().starts_with("--")).collect();
        assert!(about.contains(&format!("[default: {default}]")), "{flag}: {about}");
        let variable = format!("[env: S3LOG_CLUSTER_{}]", flag.replace('-', "_").to_uppercase());
        assert!(about.contains(&variable), "{flag}: {about}");
    }
    assert!(scheduler.contains("Run a scheduler: takes plans") && executor.contains("--endpoint-url <URL>"));
    insta::assert_snapshot!("help", super::run(&["cluster", "--help"]));
    let printed = super::run(&["cluster", "scheduler", "--bind-host", "localhost"]);
    assert!(printed.starts_with("exit 2") && printed.contains("--bind-host must be an IP address"), "{printed}");
}
