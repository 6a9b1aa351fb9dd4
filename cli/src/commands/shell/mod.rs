//! `s3log shell`: an interactive SQL shell.

mod dot;
mod editor;
mod words;

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use datafusion::common::TableReference;
use indicatif::HumanBytes;
use s3log_engine::session::Session;

use self::dot::{Dot, HELP};
use self::editor::{Editor, Input};
use self::words::Words;
use super::session::{open_at, read_text, session_options};
use super::{Surroundings, schema};
use crate::accounting::Accounting;
use crate::args::{BehaviourArgs, ShellArgs, Sources};
use crate::diagnose::{did_you_mean, tables};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::{is_told_to_end, until_interrupted};
use crate::message::count;
use crate::output::escape::visible_lines;
use crate::output::{Format, Output, OutputSettings, Shape};
use crate::progress::Watch;
use crate::statement::Runner;

/// Runs the shell. On a terminal, an error is printed and the shell continues; otherwise the first error ends it, so
/// that a script does not continue.
///
/// # Errors
///
/// When the shell cannot start, or the first error of a script.
pub(crate) async fn run(arguments: ShellArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let ShellArgs { sources: Sources { names: sources }, datasets, source, output, behaviour, place } = arguments;
    if sources.iter().any(|source| source == "-") {
        return Err(Failure::usage("the shell reads statements from standard input, so `-` cannot be a source")
            .with_hint("`s3log query SQL -` reads log lines from standard input"));
    }
    let settings = surroundings.output(&output);
    let output = Output::open(output.destination.file(), settings.clone())?;
    let options = session_options(&source, &behaviour.work)?.with_raw(datasets.with_raw);
    let opening = open_at(&place, &sources, options, &surroundings.messages);
    let Some(session) = until_interrupted(opening).await? else {
        return Err(Failure::Interrupted);
    };
    let session = session?;
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        let mut holds =
            vec![count(session.object_count() as u64, "object"), HumanBytes(session.byte_count()).to_string()];
        if !session.locations().is_empty() {
            // The objects in buckets are only known once a query reads them.
            let buckets = count(session.locations().len() as u64, "location");
            holds = if session.object_count() == 0 { vec![buckets] } else { [holds, vec![buckets]].concat() };
        }
        let version = env!("CARGO_PKG_VERSION");
        let holds = holds.join(", ");
        surroundings.messages.plain(&format!("s3log {version}: {holds}. `.help` for help, Ctrl-D to leave."));
    }
    let mut shell = Shell {
        session,
        has_sources: !sources.is_empty(),
        output: Some(output),
        settings,
        accounting: Accounting::default(),
        exit: Exit::Done,
        behaviour,
        surroundings,
        interactive,
        timer: false,
    };
    let words = Words::of(shell.session.context()).shared();
    let mut editor = Editor::start(interactive, words.clone())?;
    loop {
        let Some(input) = until_interrupted(editor.read()).await? else {
            return Err(Failure::Interrupted);
        };
        let text = match input? {
            Input::Text(text) => text,
            Input::Abandoned => continue,
            Input::End => break,
        };
        match shell.answer(text.trim()).await {
            Ok(Next::Ask) => words.replace(Words::of(shell.session.context())),
            Ok(Next::Leave) => break,
            Err(failure @ Failure::Report(_)) if interactive => surroundings.messages.failure(&failure),
            Err(failure) => return Err(failure),
        }
    }
    shell.leave()
}

enum Next {
    Ask,
    Leave,
}

struct Shell {
    session: Session,
    has_sources: bool,
    /// Always present, except while it is being replaced.
    output: Option<Output>,
    settings: OutputSettings,
    accounting: Accounting,
    /// What follows from the statements judged so far.
    exit: Exit,
    behaviour: BehaviourArgs,
    surroundings: Surroundings,
    interactive: bool,
    timer: bool,
}

impl Shell {
    async fn answer(&mut self, text: &str) -> Result<Next, Failure> {
        if text.trim_matches(';').trim().is_empty() {
            return Ok(Next::Ask);
        }
        if !text.starts_with('.') {
            self.run(text).await?;
            return Ok(Next::Ask);
        }
        match Dot::parse(text)? {
            Dot::Help => self.say(HELP)?,
            Dot::Quit => return Ok(Next::Leave),
            Dot::Tables => {
                let names: Vec<String> = tables(self.session.context()).into_iter().collect();
                self.say(&names.join("\n"))?;
            }
            Dot::Schema(Some(table)) => self.describe(&table).await?,
            Dot::Schema(None) => {
                for table in tables(self.session.context()) {
                    self.say(&table)?;
                    self.describe(&table).await?;
                }
            }
            Dot::Functions => self.run("SHOW FUNCTIONS").await?,
            Dot::Mode(format) => {
                self.settings.format = format;
                if let Some(output) = &mut self.output {
                    output.set_format(format);
                }
            }
            Dot::Output(path) => {
                // Open the new output first: if that fails, results continue to go to the old one.
                let next = match Output::open(path.as_deref(), self.settings.clone()) {
                    // The screen cannot show the format of the file.
                    Err(_) if path.is_none() => {
                        self.settings.format = Format::Auto;
                        Output::open(None, self.settings.clone())?
                    }
                    next => next?,
                };
                if let Some(last) = self.output.replace(next) {
                    last.commit()?;
                }
            }
            Dot::Read(path) => {
                let sql = read_text(&path)?;
                self.run(&sql).await?;
            }
            Dot::Timer(on) => self.timer = on,
        }
        Ok(Next::Ask)
    }

    /// Runs statements. Ctrl-C cancels the statements, but not the shell.
    async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        let start = Instant::now();
        let Some(output) = &mut self.output else { return Ok(()) };
        output.interrupted_by_prompt();
        let mode = self.surroundings.progress(self.behaviour.progress);
        let mut watch = Watch::start(mode, self.surroundings.stderr, self.session.progress());
        watch.announce_large(&self.session, self.surroundings.messages);
        let mut runner = Runner {
            session: &self.session,
            has_sources: self.has_sources,
            output,
            accounting: &mut self.accounting,
            watch: &mut watch,
            first_row: None,
        };
        let ended = until_interrupted(runner.run(sql)).await?;
        watch.stop();
        let messages = self.surroundings.messages;
        match ended {
            Some(rows) => {
                if let Some(rows) = rows?
                    && self.timer
                {
                    messages.plain(&format!("{} in {:.3} s", count(rows, "row"), start.elapsed().as_secs_f64()));
                }
                if self.interactive {
                    self.judge();
                }
            }
            // A script ends, as with any error.
            None if !self.interactive || is_told_to_end() => return Err(Failure::Interrupted),
            None => messages.plain("cancelled"),
        }
        Ok(())
    }

    /// Prints our own text where results go.
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        let Some(output) = &mut self.output else { return Ok(()) };
        let text = visible_lines(text);
        let line_end = if text.is_empty() { "" } else { "\n" };
        if !output.takes_prose() {
            let mut screen = std::io::stdout().lock();
            return write!(screen, "{text}{line_end}").and_then(|()| screen.flush()).map_err(Failure::from_output);
        }
        write!(output.sink(), "{text}{line_end}").and_then(|()| output.flush()).map_err(Failure::from_output)
    }

    async fn describe(&mut self, table: &str) -> Result<(), Failure> {
        let context = self.session.context();
        // By the exact name: `.schema` is not SQL, where upper-case names need quotes.
        let Ok(provider) = context.table_provider(TableReference::bare(table)).await else {
            let names = tables(context);
            let hint = did_you_mean(table, names.iter().map(String::as_str));
            return Err(Failure::failed(format!("no table `{table}`"))
                .with_hint(hint.unwrap_or_else(|| "`.tables` lists them".to_owned())));
        };
        let Some(output) = &mut self.output else { return Ok(()) };
        output.print(Shape::Prose, &schema::columns(&provider.schema())?)?;
        output.flush().map_err(Failure::from_output)
    }

    /// Reports what is missing from the answers since the last call.
    fn judge(&mut self) {
        let limit = self.behaviour.reject_limit();
        let exit = self.accounting.judge(&self.session, limit, &self.surroundings.messages);
        if exit != Exit::Done {
            self.exit = exit;
        }
        self.accounting = Accounting::from_now(&self.session);
    }

    /// Commits the output file and reports what is missing from the answers.
    fn leave(mut self) -> Result<Exit, Failure> {
        if let Some(output) = self.output.take() {
            output.commit()?;
        }
        self.judge();
        Ok(self.exit)
    }
}
