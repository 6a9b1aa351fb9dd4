//! Locates the configuration file.
//! Never in the current directory: logs are often analysed in directories that others write to, and a file there could
//! send signed requests or a token to someone else (`endpoint-url`, `api-url`).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file; `None` if none is read.
    pub file: Option<PathBuf>,
    /// What selected the file, or why there is none.
    pub origin: String,
}

impl Place {
    /// The file named by `--config` or its variable (none if empty), otherwise the user's file if it exists.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let Ok(Some(named)) = matches.try_get_one::<PathBuf>("config") else {
            return Self::usual(|name| std::env::var_os(name));
        };
        let by = match matches.value_source("config") {
            Some(ValueSource::EnvVariable) => "S3LOG_CONFIG",
            _ => "--config",
        };
        Self { file: Some(named.clone()).filter(|file| !file.as_os_str().is_empty()), origin: by.to_owned() }
    }

    /// The file in the user's configuration directory. Relative paths are ignored, as the XDG specification demands;
    /// they would depend on the current directory.
    fn usual(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let Some(folder) = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config"))) else {
            return Self { file: None, origin: "no HOME".to_owned() };
        };
        let file = folder.join("s3log").join("s3log.toml");
        // Looking into the home directory of another user, as under `sudo -u`, may fail.
        match file.try_exists() {
            Ok(true) => Self { file: Some(file), origin: "default".to_owned() },
            Ok(false) | Err(_) => Self { file: None, origin: format!("no {}", file.display()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_xdg_then_that_of_the_home() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let below = folder.path().join(name).join("s3log");
            std::fs::create_dir_all(&below).unwrap();
            std::fs::write(below.join("s3log.toml"), "").unwrap();
            folder.path().join(name)
        };
        let (xdg, home) = (write("xdg"), folder.path().join("home"));
        write("home/.config");
        let empty = folder.path().join("empty");
        let found = |xdg: Option<&PathBuf>, home: Option<&PathBuf>| {
            Place::usual(|name| {
                let path = if name == "HOME" { home } else { xdg };
                path.map(|path| path.clone().into_os_string())
            })
        };
        let in_home = home.join(".config/s3log/s3log.toml");
        assert_eq!(found(Some(&xdg), Some(&home)).file, Some(xdg.join("s3log/s3log.toml")));
        assert_eq!(found(None, Some(&home)).file, Some(in_home.clone()));
        // XDG_CONFIG_HOME wins even if there is no file in it.
        assert_eq!(found(Some(&empty), Some(&home)).file, None);
        // Relative paths are ignored.
        assert_eq!(found(Some(&PathBuf::new()), Some(&home)).file, Some(in_home.clone()));
        assert_eq!(found(Some(&PathBuf::from("xdg")), Some(&home)).file, Some(in_home));
        let none = Place { file: None, origin: "no HOME".to_owned() };
        assert_eq!(found(None, Some(&PathBuf::from("home"))), none);
        assert_eq!(found(None, None), none);
    }
}
