//! Log objects, a dataset made from them, and the program, in a directory or in buckets.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use s3log_test_server::{Builder, Kind, Proxy, Server};
use tempfile::TempDir;

use super::rows::{Rows, batches, check_times, columns_of};
use super::source::Logs;

/// A run that takes longer is considered hung.
const PATIENCE: Duration = Duration::from_secs(120);
/// Small batches, so that there are several; few attempts, so that failures are quick.
const ENVIRONMENT: [(&str, &str); 3] =
    [("S3LOG_BATCH_OBJECTS", "40"), ("S3LOG_BATCH_SIZE", "60000"), ("AWS_MAX_ATTEMPTS", "3")];
/// What a ledger contains at rest: no runners, no incomplete files, no probes.
const LEDGER: [(&str, &str); 3] =
    [("_s3log/log/", ".json"), ("_s3log/sources/", ".parquet"), ("_s3log/checkpoints/", ".json")];
/// Files that a ledger contains once.
const ONCE: [&str; 2] = ["_s3log/dataset.json", "_s3log/README.md"];

/// The location of everything.
pub(super) struct World {
    scratch: TempDir,
    store: Option<Store>,
    /// Numbers the output files of runs, so that each has its own.
    runs: Cell<usize>,
}

/// The buckets `logs` and `data`.
pub(super) struct Store {
    /// The endpoint that the program uses.
    pub(super) proxy: Proxy,
    pub(super) server: Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Directory,
    Bucket,
}

impl World {
    pub(super) fn new(place: Place, logs: &Logs) -> Self {
        match place {
            Place::Directory => Self::of(None, logs),
            Place::Bucket => Self::with_server(Server::builder(), logs),
        }
    }

    /// Buckets on a custom server.
    pub(super) fn with_server(builder: Builder, logs: &Logs) -> Self {
        let server = builder.start();
        server.create_bucket("logs");
        server.create_bucket("data");
        let proxy = Proxy::start(&server.endpoint());
        Self::of(Some(Store { proxy, server }), logs)
    }

    fn of(store: Option<Store>, logs: &Logs) -> Self {
        let world = Self { scratch: tempfile::tempdir().unwrap(), store, runs: Cell::default() };
        world.put(logs);
        world
    }

    /// Adds log objects.
    pub(super) fn put(&self, logs: &Logs) {
        for (name, bytes) in &logs.objects {
            self.put_object(name, bytes.clone());
        }
    }

    pub(super) fn put_object(&self, name: &str, bytes: Bytes) {
        match &self.store {
            Some(store) => store.server.put("logs", format!("access/{name}"), bytes),
            None => {
                fs::create_dir_all(self.path("logs")).unwrap();
                fs::write(self.path("logs").join(name), bytes).unwrap();
            }
        }
    }

    /// The servers of a world in buckets.
    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(super) fn source(&self) -> String {
        match self.store {
            Some(_) => "s3://logs/access/".to_owned(),
            None => self.path("logs").display().to_string(),
        }
    }

    pub(super) fn dataset(&self) -> String {
        match self.store {
            Some(_) => "s3://data/set".to_owned(),
            None => self.path("set").display().to_string(),
        }
    }

    /// The program with an empty environment.
    pub(super) fn program(&self) -> Command {
        self.environment(Command::new(assert_cmd::cargo::cargo_bin!("s3log")))
    }

    /// Gives another program the same environment.
    pub(super) fn environment(&self, mut command: Command) -> Command {
        command.current_dir(self.scratch.path()).env_clear().env("HOME", "/nonexistent").envs(ENVIRONMENT);
        if let Some(store) = &self.store {
            command.envs(store.proxy.environment());
        }
        command
    }

    pub(super) fn arguments(&self) -> [String; 4] {
        ["convert".to_owned(), self.source(), "--to".to_owned(), self.dataset()]
    }

    pub(super) fn begin(&self) -> Run {
        let mut command = self.program();
        command.args(self.arguments());
        self.spawn(command)
    }

    /// Begins a conversion with additional arguments.
    pub(super) fn begin_with(&self, flags: &[&str]) -> Run {
        let mut command = self.program();
        command.args(self.arguments()).args(flags);
        self.spawn(command)
    }

    /// Runs a conversion with additional arguments to its end.
    pub(super) fn run(&self, flags: &[&str]) -> Ended {
        self.begin_with(flags).wait()
    }

    /// The result of a query as CSV without header.
    pub(super) fn ask(&self, sql: &str, source: &str) -> String {
        let mut command = self.program();
        command.args(["query", "-q", sql, source, "-F", "csv", "--no-header"]);
        self.spawn(command).wait().expect(0).stdout
    }

    /// The status of the dataset, if it exists.
    pub(super) fn status(&self) -> Option<serde_json::Value> {
        let mut command = self.program();
        command.args(["convert", "--status", &self.dataset(), "-F", "json"]);
        let status = self.spawn(command).wait();
        let is_none = status.stderr.contains("there is no dataset");
        (!is_none).then(|| serde_json::from_str(&status.expect(0).stdout).unwrap())
    }

    /// Runs a conversion to its end.
    pub(super) fn convert(&self) -> Ended {
        self.begin().wait()
    }

    pub(super) fn spawn(&self, mut command: Command) -> Run {
        let number = self.runs.replace(self.runs.get() + 1);
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.path(&format!("{name}-{number}")));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Run { child, stdout, stderr, begun: Instant::now() }
    }

    pub(super) fn clear_dataset(&self) {
        match &self.store {
            Some(store) => store.server.keys("data").iter().for_each(|key| store.server.remove("data", key)),
            None if self.path("set").exists() => fs::remove_dir_all(self.path("set")).unwrap(),
            None => {}
        }
    }

    /// All files below the destination, by relative name.
    pub(super) fn objects(&self) -> BTreeMap<String, Bytes> {
        let mut objects = BTreeMap::new();
        match &self.store {
            Some(store) => {
                for key in store.server.keys("data") {
                    let bytes = store.server.get("data", &key).unwrap_or_default();
                    objects.insert(key.strip_prefix("set/").unwrap_or(&key).to_owned(), bytes);
                }
            }
            None => objects = self.files("set"),
        }
        objects
    }

    /// All files below a directory, by relative name.
    pub(super) fn files(&self, directory: &str) -> BTreeMap<String, Bytes> {
        let mut files = BTreeMap::new();
        read_tree(&self.path(directory), "", &mut files);
        files
    }

    /// The names of the existing data files.
    pub(super) fn data_files(&self) -> Vec<String> {
        self.objects().into_keys().filter(|name| day_of(name).is_some()).collect()
    }

    /// The names of the committed data files, according to the program.
    pub(super) fn committed(&self) -> Vec<String> {
        let mut command = self.program();
        command.args(["convert", "--status", &self.dataset(), "-F", "json"]);
        let status = self.spawn(command).wait();
        if status.stderr.contains("there is no dataset") {
            return Vec::new();
        }
        let status = status.expect(0);
        // In any format, names of data files are strings with this extension.
        let texts = status.stdout.split('"').filter(|text| text.ends_with(".parquet"));
        let mut names: Vec<String> =
            texts.filter_map(|text| text.find("day=").map(|begin| text[begin..].to_owned())).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "a data file is named twice: {}", status.stdout);
        names
    }

    /// All rows of `logs` over these sources, and their columns.
    pub(super) fn query(&self, source: &str) -> (Rows, Vec<String>) {
        let path = self.path("rows.parquet");
        let mut command = self.program();
        command.args(["query", "-q", "SELECT * FROM logs", source, "-o"]).arg(&path);
        self.spawn(command).wait().expect(0);
        let batches = batches(fs::read(path).unwrap().into());
        let columns = columns_of(&batches[0]);
        let mut rows = Rows::default();
        rows.add(&batches, &columns);
        (rows, columns)
    }

    /// The expected contents of the dataset after all conversions.
    pub(super) fn expected(&self) -> Expected {
        let (rows, columns) = self.query(&self.source());
        Expected { rows, columns }
    }

    pub(super) fn rows_of(&self, names: &[String], columns: &[String]) -> Rows {
        let objects = self.objects();
        let mut rows = Rows::default();
        for name in names {
            let bytes = objects.get(name).unwrap_or_else(|| panic!("{name} is committed, and is not there"));
            let batches = batches(bytes.clone());
            check_times(name, day_of(name).unwrap_or_default(), &batches);
            rows.add(&batches, columns);
        }
        rows
    }

    /// After a complete conversion: every record is there once, and nothing else.
    pub(super) fn verify(&self, expected: &Expected) {
        let committed = self.verify_committed(expected);
        // A reader that ignores the ledger sees the same.
        assert_eq!(self.data_files(), committed, "data files that are there, and those that are committed");
        if let Some(difference) = self.query(&self.dataset()).0.difference(&expected.rows) {
            panic!("the program reads the dataset otherwise: {difference}");
        }
        self.verify_no_stray();
        self.verify_nothing_to_do();
    }

    /// Verifies that every record is in the committed data files once. Other files may exist.
    pub(super) fn verify_committed(&self, expected: &Expected) -> Vec<String> {
        let committed = self.committed();
        if let Some(difference) = self.rows_of(&committed, &expected.columns).difference(&expected.rows) {
            panic!("{difference}");
        }
        committed
    }

    /// Valid at any time: of each log object, all records are committed or none.
    pub(super) fn verify_so_far(&self, expected: &Expected) -> Rows {
        let rows = self.rows_of(&self.committed(), &expected.columns);
        let expected = expected.rows.by_log_object();
        for (log_object, found) in rows.by_log_object() {
            assert_eq!(Some(&found), expected.get(log_object), "of {log_object} is committed what it does not hold");
        }
        rows
    }

    /// Verifies that everything is a data file or part of the ledger, and nothing is unfinished.
    pub(super) fn verify_no_stray(&self) {
        self.verify_no_stray_but(&[]);
    }

    /// Like [`verify_no_stray`](Self::verify_no_stray), except for names with these prefixes.
    pub(super) fn verify_no_stray_but(&self, allowed: &[&str]) {
        for name in self.objects().keys().filter(|name| !allowed.iter().any(|allowed| name.starts_with(allowed))) {
            let is_of = |(folder, end): &(&str, &str)| {
                let rest = name.strip_prefix(folder).and_then(|name| name.strip_suffix(end));
                rest.is_some_and(|rest| !rest.contains(['/', '#', '.']))
            };
            let is_known = ONCE.contains(&name.as_str()) || LEDGER.iter().any(is_of);
            assert!(day_of(name).is_some() || is_known, "{name} was left over");
        }
        if let Some(store) = &self.store {
            assert_eq!(store.server.open_uploads("data"), [""; 0], "uploads that nobody completes any more");
        }
    }

    /// Verifies that another run finds nothing to do, without reading a log object.
    fn verify_nothing_to_do(&self) {
        let before = self.data_files();
        if let Some(store) = &self.store {
            store.server.take_requests();
        }
        self.convert().expect(0);
        assert_eq!(self.data_files(), before, "a further run wrote data files");
        if let Some(store) = &self.store {
            let requests = store.server.take_requests();
            let mut read = requests.iter().filter(|request| request.kind == Kind::Get && request.bucket == "logs");
            assert_eq!(read.next(), None, "a further run read a log object");
        }
        self.verify_no_stray();
    }
}

/// The expected contents of a dataset.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) rows: Rows,
    pub(super) columns: Vec<String>,
}

/// The day in the name of a data file; `None` for other files.
pub(super) fn day_of(name: &str) -> Option<&str> {
    let (day, rest) = name.strip_prefix("day=")?.split_once('/')?;
    let file = rest.strip_prefix("bucket=").map_or(Some(rest), |rest| rest.split_once('/').map(|(_, file)| file))?;
    let is_day = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (is_day && file.ends_with(".parquet") && !file.contains(['/', '#'])).then_some(day)
}

fn read_tree(directory: &Path, prefix: &str, objects: &mut BTreeMap<String, Bytes>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        // Files may disappear in the meantime, because the program may be running.
        if entry.file_type().unwrap().is_dir() {
            read_tree(&entry.path(), &format!("{name}/"), objects);
        } else if let Ok(bytes) = fs::read(entry.path()) {
            objects.insert(name, bytes.into());
        }
    }
}

/// Sends a signal to a running program.
pub(super) fn signal(run: &Run, signal: &str) {
    assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
}

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub(super) struct Run {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    begun: Instant,
}

impl Run {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended or this time has passed; returns whether it has ended.
    pub(super) fn wait_until(&mut self, end: Duration) -> bool {
        loop {
            if self.has_ended() {
                return true;
            }
            match end.checked_sub(self.begun.elapsed()) {
                None => return false,
                Some(left) => std::thread::sleep(left.min(Duration::from_micros(500))),
            }
        }
    }

    /// Waits until it ends by itself.
    pub(super) fn wait(mut self) -> Ended {
        let has_ended = self.wait_until(PATIENCE);
        let ended = self.kill();
        assert!(has_ended, "it hangs: {ended:?}");
        ended
    }

    /// Kills it with SIGKILL, unless it has ended by itself.
    pub(super) fn kill(mut self) -> Ended {
        let took = self.begun.elapsed();
        let _ = self.child.kill();
        let code = self.child.wait().unwrap().code();
        let [stdout, stderr] = [&self.stdout, &self.stderr].map(|path| {
            let text = fs::read(path).unwrap();
            let _ = fs::remove_file(path);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ended { code, stdout, stderr, took }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if it was ended by a signal.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

impl Ended {
    /// Checks the exit code.
    #[track_caller]
    pub(super) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that it failed with exit code 1 and a message that contains these words.
    #[track_caller]
    pub(super) fn expect_failure(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        assert!(self.stderr.contains("error: "), "{}", self.stderr);
        let said = self.stderr.to_lowercase();
        for word in words {
            assert!(said.contains(&word.to_lowercase()), "{word:?} is not in {}", self.stderr);
        }
        self
    }
}
