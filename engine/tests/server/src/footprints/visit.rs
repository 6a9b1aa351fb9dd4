//! A run of one tool: its folder, its endpoints, and how its programs are started.

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::access_log::{AccessLog, Face};
use crate::environment::environment;
use crate::packages::{debian_packages, python_packages};

/// A tool that runs longer is killed; its traces up to then count.
const PATIENCE: Duration = Duration::from_secs(40);

/// The environment of a tool.
pub(super) struct Visit<'a> {
    tool: &'static str,
    client: IpAddr,
    cache: &'a Path,
    /// Its own folder, initially empty, and its home directory.
    pub(super) folder: PathBuf,
    log: &'a AccessLog,
}

impl<'a> Visit<'a> {
    pub(super) fn new(tool: &'static str, client: IpAddr, cache: &'a Path, log: &'a AccessLog) -> io::Result<Self> {
        let folder = cache.join("visits").join(format!("{tool}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { tool, client, cache, folder, log })
    }

    /// Adds an endpoint for the tool.
    pub(super) fn listen(&self, face: Face) -> String {
        self.log.listen(self.client, face)
    }

    /// Installs Python packages.
    pub(super) fn python(&self, name: &str, requirements: &[&str]) -> io::Result<Programs> {
        Ok(Programs { folder: python_packages(self.cache, name, requirements)?, root: None })
    }

    /// Installs a Debian package.
    pub(super) fn debian(&self, package: &str) -> io::Result<Programs> {
        let root = debian_packages(self.cache, package, &[package])?;
        Ok(Programs { folder: root.join("usr/bin"), root: Some(root) })
    }

    /// Writes a file in the tool's folder.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content)?;
        Ok(path)
    }

    /// Runs a program in the tool's folder, without the machine's configuration. The exit status is ignored, because
    /// tools disagree on what a success is, and only the log matters.
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
            // Best effort: the folder is inside of a temporary one.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A folder with programs.
pub(super) struct Programs {
    folder: PathBuf,
    /// The root of a Debian package, whose programs expect their files elsewhere.
    root: Option<PathBuf>,
}

impl Programs {
    /// The programs installed on the system.
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
