//! `s3log keys`: access keys of an account.

mod audit;
mod audited;
mod credentials;
mod list;
mod operations;
mod rotate;
mod steps;
mod token;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use s3log_engine::convert::Stop;
use s3log_engine::keys::{API_URL, Api, ApiOptions, Notice};

use super::Surroundings;
use crate::args::{ApiArgs, KeysArgs, KeysCommand};
use crate::exit::Exit;
use crate::failure::Failure;

/// The variable that `doctl` reads, too.
const API_URL_VARIABLE: &str = "DIGITALOCEAN_API_URL";

/// Runs a subcommand. When told to stop, it only continues if a key is being created.
///
/// # Errors
///
/// When the API cannot be reached or refuses, or something cannot be written.
pub(crate) async fn run(arguments: KeysArgs, surroundings: Surroundings, stop: Stop) -> Result<Exit, Failure> {
    match arguments.command {
        KeysCommand::List(given) => until_stopped(&stop, list::run(&given, surroundings)).await,
        KeysCommand::Audit(given) => until_stopped(&stop, audit::run(&given, surroundings)).await,
        KeysCommand::Operations(given) => operations::run(&given, surroundings),
        KeysCommand::Rotate(given) => rotate::run(&given, surroundings, &stop).await,
    }
}

/// The number of threads, if it was given.
pub(crate) fn threads(arguments: &KeysArgs) -> Option<NonZeroUsize> {
    match &arguments.command {
        KeysCommand::Audit(given) => given.behaviour.work.threads,
        _ => None,
    }
}

/// The API of an account, and whether it reported all keys.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) api: Api,
    missed: Arc<AtomicBool>,
}

impl Account {
    /// Opens the API according to flags and environment. Retries and omissions are reported on standard error.
    ///
    /// # Errors
    ///
    /// When there is no token, or the token must not be sent to the URL.
    pub(super) fn open(arguments: &ApiArgs, surroundings: Surroundings) -> Result<Self, Failure> {
        let messages = surroundings.messages;
        let missed = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&missed);
        let listener = move |notice: &Notice| match notice {
            Notice::Waiting { why, pause } => messages.note(&format!("{why}; retrying in {pause:?}")),
            Notice::Incomplete(what) => {
                heard.store(true, Ordering::Relaxed);
                messages.incomplete(what, Some("run it again; if this persists, check the control panel"));
            }
            _ => {}
        };
        let url = arguments.api_url.clone().or_else(|| variable(API_URL_VARIABLE));
        let options = ApiOptions {
            url: url.unwrap_or_else(|| API_URL.to_owned()),
            patience: arguments.api_timeout.0,
            listener: Some(Arc::new(listener)),
            ..ApiOptions::new(token::of(arguments, surroundings)?)
        };
        Ok(Self { api: Api::new(options)?, missed })
    }

    /// Whether there is a token, so that the API can be called.
    pub(super) fn has_token(arguments: &ApiArgs) -> bool {
        arguments.token_file.is_some() || variable(token::VARIABLE).is_some()
    }

    /// The exit code after success: [`Exit::Incomplete`] if the API may have omitted keys.
    pub(super) fn exit(&self) -> Exit {
        if self.missed.load(Ordering::Relaxed) { Exit::Incomplete } else { Exit::Done }
    }
}

/// Runs work that may be interrupted at any point, until it is done or told to stop.
async fn until_stopped<T>(stop: &Stop, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = stop.told_now() => Err(Failure::Interrupted),
    }
}

/// An environment variable; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
