//! Moto, an S3 server written in Python by others, in a process of its own. It can be written to as well: conditions of puts and
//! of completed uploads are honoured, parts that are too small are refused.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::environment::environment;
use crate::packages::python_packages;

/// What it is tested with.
const REQUIREMENT: &str = "moto[server,s3]==5.2.1";
/// Python starts slowly, the more so beside a build.
const PATIENCE: Duration = Duration::from_secs(60);
/// A test process that is killed, or keeps its server in a `static`, never drops it. The shell sees its own standard input
/// end then, and ends the server. Without the shell's copies of them, outputs end with the server.
pub(crate) const KEEPER: &str = r#""$0" "$@" & server=$!; exec >&- 2>&-; read -r _; kill -9 "$server"; wait "$server""#;

/// A running `moto_server`. It is killed when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Moto {
    endpoint: String,
    keeper: Child,
}

impl Moto {
    /// Starts the `moto_server` of the `PATH`, or one that it installs into the directory `cache`, once.
    ///
    /// # Errors
    ///
    /// Says what to install if there is none and none can be installed.
    pub fn start(cache: &Path) -> io::Result<Self> {
        let found = Self::run(Path::new("moto_server"));
        let not_found = match found {
            Ok(moto) => return Ok(moto),
            Err(error) => error,
        };
        let program = python_packages(cache, "moto", &[REQUIREMENT]).map_err(|error| {
            io::Error::other(format!(
                "moto_server does not start ({not_found}) and cannot be installed ({error}): \
                 install Python and `pip install '{REQUIREMENT}'`"
            ))
        })?;
        Self::run(&program.join("moto_server"))
    }

    /// Its URL: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Variables with which a child process finds this server, and nothing of this machine's configuration.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.endpoint())
    }

    fn run(program: &Path) -> io::Result<Self> {
        // Port 0: it finds a free one by itself, and nobody else takes it in between.
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("S3_IGNORE_SUBDOMAIN_BUCKETNAME", "1")
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = keeper.stderr.take().expect("standard error is piped");
        let mut moto = Self { endpoint: String::new(), keeper };
        moto.endpoint = announced(stderr, "Running on ")?;
        moto.wait_for_answer()?;
        Ok(moto)
    }

    /// The first answer takes longest: it loads what it needs then.
    fn wait_for_answer(&self) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            match Client::new(&self.endpoint).patience(PATIENCE).get("/moto-api/") {
                Ok(_) => return Ok(()),
                Err(error) if begin.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The endpoint, from what a server writes behind this text. The rest, a line a request, is read and forgotten, lest it be held up.
pub(crate) fn announced(output: impl io::Read + Send + 'static, text: &str) -> io::Result<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let begin = Instant::now();
    let mut lines = Vec::new();
    loop {
        match receiver.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
            Ok(line) => match line.split_once(text) {
                Some((_, endpoint)) => return Ok(endpoint.trim().to_owned()),
                None => lines.push(line),
            },
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(io::Error::other(lines.join("; "))),
        }
    }
}
