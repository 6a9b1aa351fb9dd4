//! `s3log keys`: access keys, and what is done with them.

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

/// Where `doctl` looks for another API, too.
const API_URL_VARIABLE: &str = "DIGITALOCEAN_API_URL";

/// Does what was asked for. Told to stop, it goes on only if a key is being made.
///
/// # Errors
///
/// When the API cannot be asked or refuses, or something cannot be written.
pub(crate) async fn run(arguments: KeysArgs, surroundings: Surroundings, stop: Stop) -> Result<Exit, Failure> {
    match arguments.command {
        KeysCommand::List(given) => until_stopped(&stop, list::run(&given, surroundings)).await,
        KeysCommand::Audit(given) => until_stopped(&stop, audit::run(&given, surroundings)).await,
        KeysCommand::Operations(given) => operations::run(&given, surroundings),
        KeysCommand::Rotate(given) => rotate::run(&given, surroundings, &stop).await,
    }
}

/// How many threads are to be used, where that was said.
pub(crate) fn threads(arguments: &KeysArgs) -> Option<NonZeroUsize> {
    match &arguments.command {
        KeysCommand::Audit(given) => given.behaviour.threads,
        _ => None,
    }
}

/// The API of an account, and whether it told all that was asked.
#[derive(Debug)]
pub(super) struct Account {
    /// The API.
    pub(super) api: Api,
    missed: Arc<AtomicBool>,
}

impl Account {
    /// The API that flags and environment lead to. What happens on the way is said on standard error.
    ///
    /// # Errors
    ///
    /// There is no token, or the URL is none that one may be sent to.
    pub(super) fn open(arguments: &ApiArgs, surroundings: Surroundings) -> Result<Self, Failure> {
        let messages = surroundings.messages;
        let missed = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&missed);
        let listener = move |notice: &Notice| match notice {
            Notice::Waiting { why, pause } => messages.note(&format!("{why}; trying again in {pause:?}")),
            Notice::Incomplete(what) => {
                heard.store(true, Ordering::Relaxed);
                messages.incomplete(what, Some("run it again; if it stays so, look in the control panel"));
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

    /// Whether there is a token, so that the API can be asked.
    pub(super) fn is_known(arguments: &ApiArgs) -> bool {
        arguments.token_file.is_some() || variable(token::VARIABLE).is_some()
    }

    /// How a command ends that did what it had to: [`Exit::Incomplete`] if the API may not have told all keys.
    pub(super) fn exit(&self) -> Exit {
        if self.missed.load(Ordering::Relaxed) { Exit::Incomplete } else { Exit::Done }
    }
}

/// Does what may be left at any point, until it is told to stop.
async fn until_stopped<T>(stop: &Stop, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = stop.told_now() => Err(Failure::Interrupted),
    }
}

/// A variable of the environment; one that is empty is as good as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
