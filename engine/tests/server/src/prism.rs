//! Prism, an HTTP server written by others that answers out of an OpenAPI description, in a process of its own. A request that the
//! description does not allow, or that comes without the credentials it asks for, gets an error.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::moto::{KEEPER, announced};
use crate::packages::node_packages;

/// The last version that runs on Node 18 and later.
const REQUIREMENT: &str = "@stoplight/prism-cli@5.14.2";

/// A running `prism mock`. It is killed when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Prism {
    endpoint: String,
    keeper: Child,
}

impl Prism {
    /// Starts one for a description, out of packages that are installed into the directory `cache`, once.
    ///
    /// # Errors
    ///
    /// It cannot be installed, or does not understand the description.
    pub fn start(cache: &Path, description: &Path) -> io::Result<Self> {
        let programs = node_packages(cache, "prism", &[REQUIREMENT])?;
        // `node` stands beside the program, where the system has none.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path: Vec<PathBuf> = [programs.clone()].into_iter().chain(std::env::split_paths(&path)).collect();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(programs.join("prism"))
            // Port 0: it finds a free one by itself. One process: what is killed is all of it.
            .args(["mock", "--errors", "--multiprocess", "false", "-h", "127.0.0.1", "-p", "0"])
            .arg(description)
            .env("PATH", std::env::join_paths(path).map_err(io::Error::other)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = keeper.stdout.take().expect("standard output is piped");
        let mut prism = Self { endpoint: String::new(), keeper };
        // It says so once it listens.
        prism.endpoint = announced(stdout, "Prism is listening on ")?;
        Ok(prism)
    }

    /// Its URL: `http://127.0.0.1:PORT`.
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
