//! The commands. Each takes its arguments and returns an exit code.

mod account;
mod check;
#[cfg(feature = "cluster")]
mod cluster;
mod compact;
mod completions;
mod convert;
mod doctor;
mod explained;
mod findings;
mod flag;
mod functions;
mod keys;
mod logging;
mod man;
mod plan;
mod query;
mod rules;
mod schema;
mod session;
mod shell;
mod spill;
mod status;

use std::future::Future;
use std::num::NonZeroUsize;
use std::time::Duration;

use s3log_engine::convert::Stop;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::args::{Command, GeneralArgs, OutputArgs};
use crate::config::Configuration;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::until_interrupted;
use crate::message::Messages;
use crate::output::{Format, OutputSettings};
use crate::progress::ProgressMode;
use crate::terminal::{self, Colour};

/// How long an interrupted run may take to remove its temporary files.
const CLEANUP: Duration = Duration::from_secs(2);

/// The environment of a command: standard streams and general flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub messages: Messages,
    /// Width of the terminal on standard output; `None` if it is not a terminal.
    stdout: Option<usize>,
    stderr: bool,
    color: Colour,
    quiet: bool,
    verbose: bool,
}

impl Surroundings {
    /// Inspects the standard streams and the environment.
    pub(crate) fn of(general: &GeneralArgs) -> Self {
        let stdout = terminal::stdout_width();
        let stderr = terminal::stderr_is_terminal();
        Self {
            messages: Messages::new(terminal::paint(general.color, stderr), general.quiet),
            stdout,
            stderr,
            color: general.color,
            quiet: general.quiet,
            verbose: general.verbose,
        }
    }

    /// The output settings for results.
    fn output(&self, arguments: &OutputArgs) -> OutputSettings {
        OutputSettings {
            format: arguments.format,
            header: !arguments.no_header,
            null: arguments.null.clone(),
            terminal: self.stdout,
            color: self.color,
            quiet: self.quiet,
        }
    }

    /// The output settings for text with its own headings, which does not depend on the extension of the file.
    fn prose(&self) -> OutputSettings {
        OutputSettings {
            format: Format::Table,
            header: true,
            null: None,
            terminal: self.stdout,
            color: self.color,
            quiet: true,
        }
    }

    /// How progress is shown.
    fn progress(&self, mode: ProgressMode) -> ProgressMode {
        if self.quiet && mode == ProgressMode::Auto { ProgressMode::None } else { mode }
    }
}

/// Runs a command.
///
/// # Errors
///
/// When the command fails.
pub(crate) fn dispatch(
    command: Command,
    surroundings: Surroundings,
    configuration: Configuration,
) -> Result<Exit, Failure> {
    match command {
        Command::Query(arguments) => {
            let threads = arguments.behaviour.work.threads;
            block_on(threads, query::run(arguments, surroundings))
        }
        Command::Shell(arguments) => {
            let threads = arguments.behaviour.work.threads;
            let runtime = runtime(threads)?;
            let ended = runtime.block_on(shell::run(arguments, surroundings));
            runtime.shutdown_timeout(CLEANUP);
            spill::remove();
            ended
        }
        Command::Flag(arguments) => {
            let threads = arguments.behaviour.work.threads;
            block_on(threads, flag::run(*arguments, surroundings))
        }
        Command::Rules(arguments) => block_on(None, rules::run(arguments, surroundings)),
        Command::Check(arguments) => {
            let threads = arguments.behaviour.work.threads;
            block_on(threads, check::run(arguments, surroundings))
        }
        Command::Convert(arguments) => {
            let threads = arguments.behaviour.work.threads;
            let stop = Stop::new();
            block_on_until_stopped(threads, &stop.clone(), convert::run(arguments, surroundings, stop))
        }
        Command::Compact(arguments) => {
            let threads = arguments.work.threads;
            let stop = Stop::new();
            block_on_until_stopped(threads, &stop.clone(), compact::run(arguments, surroundings, stop))
        }
        Command::Keys(arguments) => {
            // The first Ctrl-C does not interrupt the creation of a key: nobody would have its secret.
            let stop = Stop::new();
            let threads = keys::threads(&arguments);
            block_on_until_stopped(threads, &stop.clone(), keys::run(*arguments, surroundings, stop))
        }
        Command::Plan(arguments) => block_on(None, plan::run(arguments, surroundings)),
        Command::Doctor(arguments) => block_on(None, doctor::run(arguments, surroundings, configuration)),
        Command::Logging(arguments) => block_on(None, logging::run(arguments, surroundings)),
        Command::Schema(arguments) => schema::run(&arguments, surroundings),
        Command::Functions(arguments) => functions::run(&arguments, surroundings),
        #[cfg(feature = "cluster")]
        Command::Cluster(arguments) => cluster::run(arguments, surroundings),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

fn runtime(threads: Option<NonZeroUsize>) -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    builder.enable_all().build().map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
}

/// Runs `work` to completion, or until the process is told to stop.
fn block_on(
    threads: Option<NonZeroUsize>,
    work: impl Future<Output = Result<Exit, Failure>> + Send + 'static,
) -> Result<Exit, Failure> {
    run_task(threads, work, async |task| {
        if let Some(ended) = end_of(task).await {
            return ended;
        }
        task.abort();
        // The task and its temporary files are dropped at its next await point. A second Ctrl-C does not wait for that.
        let dropped = tokio::time::timeout(CLEANUP, task);
        drop(until_interrupted(dropped).await);
        Err(Failure::Interrupted)
    })
}

/// Runs `work` to completion. When told to stop, it rolls back unfinished work; when told again, it ends immediately
/// and leaves that to the next run.
fn block_on_until_stopped(
    threads: Option<NonZeroUsize>,
    stop: &Stop,
    work: impl Future<Output = Result<Exit, Failure>> + Send + 'static,
) -> Result<Exit, Failure> {
    run_task(threads, work, async |task| {
        if let Some(ended) = end_of(task).await {
            return ended;
        }
        stop.now();
        if let Some(ended) = end_of(task).await {
            return ended;
        }
        task.abort();
        Err(Failure::Interrupted)
    })
}

type Task = JoinHandle<Result<Exit, Failure>>;

/// Starts `work` and lets `watch` wait for its end.
/// The work is a separate task, so that Ctrl-C works even while it is blocked writing to a pipe that nobody reads.
fn run_task(
    threads: Option<NonZeroUsize>,
    work: impl Future<Output = Result<Exit, Failure>> + Send + 'static,
    watch: impl AsyncFnOnce(&mut Task) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let runtime = runtime(threads)?;
    let ended = runtime.block_on(async { watch(&mut tokio::spawn(work)).await });
    // A thread may be blocked on standard input forever.
    runtime.shutdown_timeout(Duration::from_millis(200));
    spill::remove();
    ended
}

/// The result of a task; `None` if the process is told to stop first.
async fn end_of(task: &mut Task) -> Option<Result<Exit, Failure>> {
    match until_interrupted(task).await {
        Ok(None) => None,
        Ok(Some(Ok(ended))) => Some(ended),
        Ok(Some(Err(error))) => Some(Err(
            Failure::internal(error).with_hint("this is a bug; please report it with the command that triggers it")
        )),
        Err(failure) => Some(Err(failure)),
    }
}
