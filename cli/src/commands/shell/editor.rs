//! The line editor, on a thread of its own because it blocks while it waits for keys.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::mpsc;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Helper};

use super::words::SharedWords;
use crate::failure::Failure;

const PROMPT: &str = "s3log> ";
const HISTORY_ENTRIES: usize = 2_000;

#[derive(Debug)]
pub(crate) enum Input {
    /// Complete statements, or one shell command.
    Text(String),
    /// Ctrl-C: the current input is discarded.
    Abandoned,
    /// Ctrl-D, or end of file.
    End,
}

/// Reads input one piece at a time.
pub(crate) struct Editor {
    #[cfg(unix)]
    _modes: Option<Modes>,
    requests: mpsc::Sender<()>,
    answers: tokio::sync::mpsc::Receiver<Result<Input, Failure>>,
}

impl Editor {
    /// Starts the thread. On a terminal, lines can be edited and are kept in a history; otherwise they are read as they
    /// are.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be used, or the thread cannot be started.
    pub(crate) fn start(interactive: bool, words: SharedWords) -> Result<Self, Failure> {
        if !interactive {
            return Self::on_thread(read_script);
        }
        #[cfg(unix)]
        let modes = Modes::of_terminal();
        let config = Config::builder()
            .auto_add_history(true)
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(HISTORY_ENTRIES)
            .map_err(|error| cannot_start(&error))?
            .build();
        let mut line: rustyline::Editor<Help, DefaultHistory> =
            rustyline::Editor::with_config(config).map_err(|error| cannot_start(&error))?;
        line.set_helper(Some(Help { words }));
        let history = history_file();
        if let Some(history) = &history {
            // A missing or unreadable history is not an error: there is none the first time.
            drop(line.load_history(history));
        }
        let editor = Self::on_thread(move || match line.readline(PROMPT) {
            Ok(text) => {
                if let Some(history) = &history {
                    drop(line.append_history(history));
                }
                Ok(Input::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Input::Abandoned),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(Failure::failed(format!("cannot read: {error}"))),
        })?;
        Ok(Self {
            #[cfg(unix)]
            _modes: modes,
            ..editor
        })
    }

    fn on_thread(mut read: impl FnMut() -> Result<Input, Failure> + Send + 'static) -> Result<Self, Failure> {
        let (requests, asked) = mpsc::channel();
        let (answer, answers) = tokio::sync::mpsc::channel(1);
        let thread = std::thread::Builder::new().name("editor".to_owned());
        let work = move || while asked.recv().is_ok() && answer.blocking_send(read()).is_ok() {};
        thread.spawn(work).map_err(|error| cannot_start(&error))?;
        Ok(Self {
            #[cfg(unix)]
            _modes: None,
            requests,
            answers,
        })
    }

    /// Waits for the next input.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be read any more.
    pub(crate) async fn read(&mut self) -> Result<Input, Failure> {
        if self.requests.send(()).is_err() {
            return Ok(Input::End);
        }
        self.answers.recv().await.unwrap_or(Ok(Input::End))
    }
}

/// The modes of the terminal before the editor changed them. They are restored when this is dropped, for a process that
/// is told to end while the editor waits for keys.
#[cfg(unix)]
struct Modes(nix::sys::termios::Termios);

#[cfg(unix)]
impl Modes {
    fn of_terminal() -> Option<Self> {
        nix::sys::termios::tcgetattr(io::stdin()).ok().map(Self)
    }
}

#[cfg(unix)]
impl Drop for Modes {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // The terminal may be gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

fn cannot_start(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot start the shell: {error}"))
}

/// The next statements or command of a script on standard input; the last one does not need a `;`.
fn read_script() -> Result<Input, Failure> {
    next_of_script(&mut std::io::stdin().lock()).map_err(|error| Failure::failed(format!("cannot read: {error}")))
}

fn next_of_script(script: &mut impl BufRead) -> io::Result<Input> {
    let mut text = String::new();
    loop {
        let start = text.len();
        if script.read_line(&mut text)? == 0 {
            break;
        }
        // Other lines complete nothing. Looking at the whole text for each would take long for long statements.
        let may_complete = start == 0 || text[start..].contains([';', '/']);
        if may_complete && is_complete(&text) {
            return Ok(Input::Text(text));
        }
    }
    Ok(if text.trim().is_empty() { Input::End } else { Input::Text(text) })
}

/// The history file, `$XDG_STATE_HOME/s3log/history`. Creates its directory if necessary.
fn history_file() -> Option<PathBuf> {
    let absolute = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| Some(std::env::home_dir()?.join(".local").join("state")))?;
    let directory = state.join("s3log");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

struct Help {
    words: SharedWords,
}

impl Helper for Help {}

impl Hinter for Help {
    type Hint = String;
}

impl Highlighter for Help {}

impl Completer for Help {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.words.complete(&line[..pos]))
    }
}

impl Validator for Help {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let complete = is_complete(context.input());
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Whether `text` can be run: empty, a shell command, or SQL that ends in a `;` outside of quotes and comments.
fn is_complete(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.starts_with('.') {
        return true;
    }
    match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => {
            let is_comment = |token: &&Token| {
                matches!(
                    token,
                    Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_))
                )
            };
            let is_space = |token: &&Token| matches!(token, Token::Whitespace(_));
            let only_comments =
                tokens.iter().all(|token| is_space(&token)) && tokens.iter().any(|token| is_comment(&token));
            only_comments || tokens.iter().rfind(|token| !is_space(token)) == Some(&Token::SemiColon)
        }
        // An open quote or comment continues on the next line.
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_statement_by_statement_and_its_end_is_not_lost() {
        let mut script: &[u8] = b"SELECT\n1;\n\n.tables\nSELECT ';\n'; SELECT 2";
        let mut texts = Vec::new();
        while let Input::Text(text) = next_of_script(&mut script).unwrap() {
            texts.push(text);
        }
        assert_eq!(texts, ["SELECT\n1;\n", "\n", ".tables\n", "SELECT ';\n'; SELECT 2"]);
    }

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_of_quotes_and_comments() {
        for text in ["", "SELECT 1;", "SELECT 1; -- done", ".tables", "SELECT ';' ;\n", "-- nothing", "/* nothing */"] {
            assert!(is_complete(text), "{text}");
        }
        for text in ["SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT /* ;", "SELECT 1; SELECT 2"] {
            assert!(!is_complete(text), "{text}");
        }
    }
}
