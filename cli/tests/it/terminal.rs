//! `s3log shell` on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::root;

/// More than any machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell, and the terminal that it runs on.
struct Screen {
    shell: Child,
    terminal: OpenptyResult,
    keys: File,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl Screen {
    fn of_shell(sources: &[&str]) -> Self {
        let terminal = openpty(None, None).unwrap();
        let side = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("s3log"));
        command.current_dir(root()).env_clear().env("HOME", "/nonexistent").env("TERM", "xterm");
        command.arg("shell").args(sources).stdin(side()).stdout(side()).stderr(side());
        let shell = command.spawn().unwrap();
        let keys = File::from(terminal.master.try_clone().unwrap());
        let mut screen = keys.try_clone().unwrap();
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(len) = screen.read(&mut some) {
                if sender.send(some[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { shell, terminal, keys, shown, text: String::new() }
    }

    /// Waits until the terminal shows a text, and returns everything up to there since the last call.
    fn until(&mut self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.text.find(wanted) {
                return self.text.drain(..at + wanted.len()).collect();
            }
            let left = end.saturating_duration_since(Instant::now());
            let more = self.shown.recv_timeout(left).unwrap_or_else(|_| panic!("no {wanted:?} in {:?}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal.slave).unwrap().local_flags.contains(LocalFlags::ICANON)
    }
}

#[test]
fn a_shell_that_is_told_to_end_leaves_the_terminal_as_it_was() {
    let mut screen = Screen::of_shell(&["fixtures/bucket/archive"]);
    screen.until("s3log> ");
    let end = Instant::now() + PATIENCE;
    while !screen.is_raw() {
        assert!(Instant::now() < end, "the editor does not change the terminal");
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-TERM", &screen.shell.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(screen.shell.wait().unwrap().code(), Some(130));
    assert!(!screen.is_raw());
}

#[test]
fn what_is_missing_from_an_answer_is_told_after_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log"), [crate::line("a", "-"), "no record\n".to_owned()].concat()).unwrap();
    let mut screen = Screen::of_shell(&[&directory.path().display().to_string()]);
    screen.until("s3log> ");
    screen.press("SELECT count(*) AS n FROM logs;\r");
    screen.until("1 line is not a record and missing from the answer");
    screen.until("s3log> ");
    screen.press("\x04");
    assert_eq!(screen.shell.wait().unwrap().code(), Some(0));
}
