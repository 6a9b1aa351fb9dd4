//! Processes of a cluster that are killed, told to stop, or leave something behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use s3log_test_server::{Kind, Matching, Moment};

use super::{COUNT, Cluster, PATIENCE, RECOVERY, files, free_port, held_up};
use crate::{s3log, transcript};

#[test]
fn an_executor_that_is_killed_is_made_up_for() {
    let (_server, proxy, environment, mut cluster) = held_up(2);
    let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get), usize::MAX);
    let lost = cluster.executors.remove(0);
    let (answer, took) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| cluster.run(&environment, &COUNT));
        assert!(hold.wait_for(8, PATIENCE), "{}", cluster.logs());
        // Both executors have started.
        let killed = Instant::now();
        drop(lost);
        hold.release();
        (asked.join().unwrap(), killed.elapsed())
    });
    assert_eq!(
        transcript(&answer),
        "exit 0\n--- stdout\ncount(*),count(DISTINCT logs.key)\n3200,64\n",
        "{}",
        cluster.logs()
    );
    assert!(took < RECOVERY, "{took:?}");
}

const ROWS: [&str; 6] = ["query", "-F", "csv", "--no-header", "SELECT key FROM logs", "s3://logs/access/"];

/// Tasks whose results are lost are repeated; their first results are no part of the answer.
#[test]
fn an_executor_that_has_finished_tasks_is_made_up_for() {
    // One of both has finished tasks, and the other one waits for an object.
    for number in 0..2 {
        let (_server, proxy, environment, mut cluster) = held_up(2);
        let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get).key_contains("access/63"), usize::MAX);
        let lost = cluster.executors.remove(number);
        let answer = std::thread::scope(|scope| {
            let asked = scope.spawn(|| cluster.run(&environment, &ROWS));
            assert!(hold.wait_for(1, PATIENCE), "{}", cluster.logs());
            let begin = Instant::now();
            while cluster.tasks_done() == 0 {
                assert!(begin.elapsed() < PATIENCE, "{}", cluster.logs());
                std::thread::sleep(Duration::from_millis(50));
            }
            drop(lost);
            cluster.wait_for(1);
            hold.release();
            asked.join().unwrap()
        });
        let printed = transcript(&answer);
        assert!(printed.starts_with("exit 0"), "{printed}\n{}", cluster.logs());
        let mut rows: Vec<&str> = printed.lines().filter(|line| line.starts_with('k')).collect();
        assert_eq!(rows.len(), 3200, "{}", cluster.logs());
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 64);
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries.flat_map(|entry| below(entry.unwrap().path())).collect()
}

#[test]
fn results_do_not_stay_on_executors() {
    let cluster = Cluster::start(1, &[]);
    let sql = "SELECT key, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3";
    cluster.same(&[], &["query", "-F", "csv", sql, "fixtures/bucket"]);
    let begin = Instant::now();
    loop {
        let files = files_below(&cluster.folder.path().join("work-0"));
        if files.len() == 1 && files[0].ends_with("lock") {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{files:?}\n{}", cluster.logs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts an executor that can be told to stop, with this working folder.
fn executor(cluster: &Cluster, work: &Path) -> std::process::Child {
    let ports = [free_port(), free_port(), free_port()];
    let scheduler = cluster.rest.rsplit(':').next().unwrap();
    std::process::Command::new(assert_cmd::cargo::cargo_bin!("s3log"))
        .args(["cluster", "executor", "--scheduler-host=127.0.0.1", "--bind-host=127.0.0.1", "--vcores=2"])
        .arg(format!("--scheduler-port={scheduler}"))
        .arg(format!("--bind-port={}", ports[0]))
        .arg(format!("--bind-grpc-port={}", ports[1]))
        .arg(format!("--bind-health-port={}", ports[2]))
        .arg("--executor-heartbeat-interval-seconds=1")
        .arg("--memory-pool-size=0")
        .arg(format!("--work-dir={}", work.display()))
        .env_clear()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn an_executor_deletes_only_what_is_its_own() {
    let mut cluster = Cluster::start(0, &[]);
    let work = tempfile::tempdir().unwrap();
    let other = work.path().join("photos/2026");
    std::fs::create_dir_all(&other).unwrap();
    // When it is told to stop.
    let running = executor(&cluster, work.path());
    cluster.wait_for(1);
    let told = std::process::Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(running.wait_with_output().unwrap().status.code(), Some(0));
    cluster.wait_for(0);
    // When its scheduler is gone.
    let running = executor(&cluster, work.path());
    cluster.wait_for(1);
    cluster.scheduler = None;
    let ended = running.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{printed}");
    assert!(printed.contains("the executor stopped, because the scheduler did not answer"), "{printed}");
    assert!(other.is_dir());
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 1);
}

#[test]
fn a_scheduler_that_is_killed_is_an_error() {
    let (_server, proxy, environment, mut cluster) = held_up(1);
    let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get), usize::MAX);
    let scheduler = cluster.scheduler.take();
    let (answer, took) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| cluster.run(&environment, &COUNT));
        assert!(hold.wait_for(4, PATIENCE), "{}", cluster.logs());
        let killed = Instant::now();
        drop(scheduler);
        (asked.join().unwrap(), killed.elapsed())
    });
    hold.release();
    let printed = transcript(&answer);
    assert!(printed.starts_with("exit 1") && printed.contains("the scheduler was lost"), "{printed}");
    assert!(took < RECOVERY, "{took:?}");
}

#[test]
fn a_conversion_survives_an_executor() {
    let (_server, proxy, environment, mut cluster) = held_up(2);
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset").display().to_string();
    let arguments = ["convert", "s3://logs/access/", "--to", &dataset, "--batch-size", "400000", "--threads", "4"];
    let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get), usize::MAX);
    let lost = cluster.executors.remove(0);
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| cluster.run(&environment, &arguments));
        assert!(hold.wait_for(8, PATIENCE), "{}", cluster.logs());
        drop(lost);
        hold.release();
        asked.join().unwrap()
    });
    let printed = transcript(&answer);
    assert!(
        printed.starts_with("exit 0") && printed.contains("lines = rows + rejects: 3,200 = 3,200 + 0"),
        "{printed}\n{}",
        cluster.logs()
    );
    let (there, named) = files(&dataset);
    assert_eq!(there, named);
}

#[test]
fn a_conversion_whose_scheduler_is_killed_is_taken_back_and_completed_by_the_next_run() {
    let (_server, proxy, environment, mut cluster) = held_up(1);
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("dataset").display().to_string();
    let arguments = ["convert", "s3://logs/access/", "--to", &dataset, "--threads", "2"];
    let hold = proxy.hold(Moment::Before, Matching::kind(Kind::Get), usize::MAX);
    let scheduler = cluster.scheduler.take();
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| cluster.run(&environment, &arguments));
        assert!(hold.wait_for(4, PATIENCE), "{}", cluster.logs());
        drop(scheduler);
        asked.join().unwrap()
    });
    let printed = transcript(&answer);
    assert!(printed.starts_with("exit 1") && printed.contains("the scheduler was lost"), "{printed}");
    hold.release();
    // The executor may continue for a while; what it writes is in no commit.
    let next = s3log().envs(environment.iter().map(|(name, value)| (*name, value))).args(arguments).output().unwrap();
    let printed = transcript(&next);
    assert!(printed.contains("lines = rows + rejects: 3,200 = 3,200 + 0"), "{printed}");
    let count =
        s3log().args(["query", "-F", "csv", "SELECT count(*), count(DISTINCT key) FROM logs", &dataset]).output();
    assert_eq!(transcript(&count.unwrap()), "exit 0\n--- stdout\ncount(*),count(DISTINCT logs.key)\n3200,64\n");
}
