//! A program that runs beside a test, and ends with it in any case.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::moto::KEEPER;

/// A running program. It is killed, without a chance to clean up, when this is dropped and when this process ends.
#[derive(Debug)]
pub struct Process {
    keeper: Child,
}

impl Process {
    /// Starts a program with only these environment variables; its output goes to a file.
    ///
    /// # Errors
    ///
    /// Fails if there is no shell, or if the file cannot be written.
    pub fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        printed: &Path,
    ) -> io::Result<Self> {
        let printed = File::create(printed)?;
        let keeper = Command::new("sh")
            .args(["-c", &KEEPER.replace("exec >&- 2>&-; ", "")])
            .arg(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(printed.try_clone()?)
            .stderr(printed)
            .spawn()?;
        Ok(Self { keeper })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
