//! One tool's stay: its folder, its endpoints, and how its programs are run.

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::access_log::{AccessLog, Face};
use crate::environment::environment;
use crate::packages::{debian_packages, python_packages};

/// A tool that runs longer is ended, and what it left till then counts.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a tool may use.
pub(super) struct Visit<'a> {
    tool: &'static str,
    client: IpAddr,
    cache: &'a Path,
    /// Its own, empty at first, and its home.
    pub(super) folder: PathBuf,
    log: &'a AccessLog,
}

impl<'a> Visit<'a> {
    pub(super) fn new(tool: &'static str, client: IpAddr, cache: &'a Path, log: &'a AccessLog) -> io::Result<Self> {
        let folder = cache.join("visits").join(format!("{tool}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { tool, client, cache, folder, log })
    }

    /// A URL for it.
    pub(super) fn listen(&self, face: Face) -> String {
        self.log.listen(self.client, face)
    }

    /// Programs of Python packages.
    pub(super) fn python(&self, name: &str, requirements: &[&str]) -> io::Result<Programs> {
        Ok(Programs { folder: python_packages(self.cache, name, requirements)?, root: None })
    }

    /// Programs of a Debian package.
    pub(super) fn debian(&self, package: &str) -> io::Result<Programs> {
        let root = debian_packages(self.cache, package, &[package])?;
        Ok(Programs { folder: root.join("usr/bin"), root: Some(root) })
    }

    /// A file of its folder with that content.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content)?;
        Ok(path)
    }

    /// Runs a program in its folder, without anything of this machine's configuration. How it ends does not matter, for
    /// tools differ in what they call a success: what counts is in the log.
    pub(super) fn run(&self, programs: &Programs, endpoint: &str, program: &str, arguments: &[&str]) -> io::Result<()> {
        let said = File::options().create(true).append(true).open(self.folder.join("said.txt"))?;
        let mut command = Command::new(programs.folder.join(program));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", programs.path())
            .env("HOME", &self.folder)
            .env("PYTHONWARNINGS", "ignore")
            .envs(environment(endpoint.to_owned()))
            .env("AWS_ACCESS_KEY_ID", self.tool)
            .envs(programs.environment())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        let begin = Instant::now();
        let mut child = command.spawn().map_err(|error| io::Error::other(format!("{command:?}: {error}")))?;
        while child.try_wait()?.is_none() {
            if begin.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if std::env::var_os("S3LOG_KEEP_VISITS").is_none() {
            // What stays is in a folder for what is temporary.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Where programs are.
pub(super) struct Programs {
    folder: PathBuf,
    /// Of a Debian package, whose programs look for their files elsewhere.
    root: Option<PathBuf>,
}

impl Programs {
    /// Those that the system has.
    pub(super) fn of_the_system() -> Self {
        Self { folder: PathBuf::new(), root: None }
    }

    fn path(&self) -> String {
        let system = "/usr/local/bin:/usr/bin:/bin";
        match self.folder.as_os_str().is_empty() {
            true => system.to_owned(),
            false => format!("{}:{system}", self.folder.display()),
        }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(root) = &self.root else { return Vec::new() };
        let mut libraries = Vec::new();
        for folder in ["usr/lib", "lib"] {
            folders_of_libraries(&root.join(folder), &mut libraries);
        }
        let lua: Vec<String> = libraries.iter().map(|folder| format!("{folder}/lua/5.3/?.so")).collect();
        vec![
            ("LD_LIBRARY_PATH", libraries.join(":")),
            ("LUA_CPATH", lua.join(";")),
            ("NMAPDIR", root.join("usr/share/nmap").display().to_string()),
        ]
    }
}

fn folders_of_libraries(folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    found.push(folder.display().to_string());
    for entry in entries.flatten() {
        let is_of_lua = entry.file_name() == "lua";
        if entry.path().is_dir() && !is_of_lua {
            folders_of_libraries(&entry.path(), found);
        }
    }
}
