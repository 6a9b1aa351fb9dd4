//! Moto, an independent S3 server in Python, in a separate process. It supports writes: it honours conditions on puts
//! and completed uploads, and rejects parts that are too small.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::environment::environment;
use crate::packages::python_packages;

/// The tested version.
const REQUIREMENT: &str = "moto[server,s3]==5.2.1";
/// Python starts slowly, especially during a build.
const PATIENCE: Duration = Duration::from_secs(60);
/// A test process that is killed, or keeps its server in a `static`, never drops it. In that case the shell sees the
/// end of its standard input, and kills the server. The shell closes its own outputs, so that they end with the server.
pub(crate) const KEEPER: &str = r#""$0" "$@" & server=$!; exec >&- 2>&-; read -r _; kill -9 "$server"; wait "$server""#;

/// A running `moto_server`. It is killed when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Moto {
    endpoint: String,
    keeper: Child,
}

impl Moto {
    /// Starts the `moto_server` in `PATH`, or installs one into the directory `cache`.
    ///
    /// # Errors
    ///
    /// If there is none and it cannot be installed, the error says what to install.
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

    /// Its URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Environment variables that make a child process use this server, and none of the machine's configuration.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.endpoint())
    }

    fn run(program: &Path) -> io::Result<Self> {
        // Port 0: it picks a free port itself, without a race.
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

    /// The first response is the slowest, since modules are loaded for it.
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

/// The endpoint, read from a server's output after `text`. The rest of the output is drained, so that the server does
/// not block.
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
