//! Prism, an independent HTTP server driven by an OpenAPI description, in a separate process. It rejects requests that
//! the description does not allow, or that lack the required credentials.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::moto::{KEEPER, announced};
use crate::packages::node_packages;

/// The last version for Node 18 and later.
const REQUIREMENT: &str = "@stoplight/prism-cli@5.14.2";

/// A running `prism mock`. It is killed when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Prism {
    endpoint: String,
    keeper: Child,
}

impl Prism {
    /// Starts a server for a description. Its packages are installed into the directory `cache` if needed.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be installed, or does not understand the description.
    pub fn start(cache: &Path, description: &Path) -> io::Result<Self> {
        let programs = node_packages(cache, "prism", &[REQUIREMENT])?;
        // If the system has no `node`, it is next to the program.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path: Vec<PathBuf> = [programs.clone()].into_iter().chain(std::env::split_paths(&path)).collect();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(programs.join("prism"))
            // Port 0: it picks a free port itself. A single process, so that killing it ends everything.
            .args(["mock", "--errors", "--multiprocess", "false", "-h", "127.0.0.1", "-p", "0"])
            .arg(description)
            .env("PATH", std::env::join_paths(path).map_err(io::Error::other)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = keeper.stdout.take().expect("standard output is piped");
        let mut prism = Self { endpoint: String::new(), keeper };
        // Printed once it listens.
        prism.endpoint = announced(stdout, "Prism is listening on ")?;
        Ok(prism)
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
