//! `s3log keys rotate`: creates a second key next to the first and prints the next steps. It deletes nothing.

use s3log_engine::convert::Stop;
use s3log_engine::keys::{Api, Grant, Key, NewKey, Permission, Replacement, granted, is_access_key};
use s3log_engine::{Error, ErrorKind};

use super::credentials::{CredentialsFile, profile};
use super::steps::{Change, delete};
use super::{Account, until_stopped};
use crate::args::KeysRotateArgs;
use crate::commands::Surroundings;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::Messages;
use crate::output::say;

/// How many keys of the same name are listed.
const MOST_TOLD: usize = 5;

/// Shows what would be done, or does it.
///
/// # Errors
///
/// When the command line is invalid, the API refuses, or the secret cannot be written.
pub(super) async fn run(arguments: &KeysRotateArgs, surroundings: Surroundings, stop: &Stop) -> Result<Exit, Failure> {
    let grants = check(arguments)?;
    let account = Account::open(&arguments.api, surroundings)?;
    let old = until_stopped(stop, find(&account, &arguments.key)).await?;
    let new = Replacement::of(&old, arguments.name.as_deref(), grants)?;
    let wider = new.wider_than(&old);
    if !wider.is_empty() && !arguments.wider {
        return Err(Failure::failed(format!(
            "{} is not granted {}, but the new key would be",
            old.access_key,
            granted(wider)
        ))
        .with_hint("--wider allows the new key more than the old one"));
    }
    let mut change = Change {
        old: &old,
        new: &new,
        made: None,
        credentials: arguments.credentials.as_deref(),
        keys_url: account.api.keys_url(),
    };
    let Some(path) = arguments.credentials.as_deref().filter(|_| arguments.apply) else {
        say(change.plan(&new.body()?))?;
        return Ok(account.exit());
    };
    if stop.is_told() {
        return Err(Failure::Interrupted);
    }
    let file = CredentialsFile::create(path)?;
    let made = make(&account.api, &new, surroundings.messages).await?;
    let id = made.key.access_key.clone();
    file.write(&profile(&new.name), &made).map_err(|error| {
        Failure::failed(format!(
            "the key {id} was created, but its secret cannot be written to `{}` and is lost: {error}",
            path.display()
        ))
        .with_hint(format!("delete that key with {}, then try again", delete(&id)))
    })?;
    if id == old.access_key {
        // The last of the steps would delete the new key.
        return Err(Failure::failed(format!("the API gave the new key the id of the old one, {id}: delete neither"))
            .with_hint(format!("its secret is in `{}`; is --api-url the API of DigitalOcean?", path.display())));
    }
    change.made = Some(&id);
    say(change.steps())?;
    Ok(if is_as_wanted(&made, &new, surroundings.messages) { account.exit() } else { Exit::Incomplete })
}

/// Checks the command line before anything is sent, and returns the requested grants.
fn check(arguments: &KeysRotateArgs) -> Result<Option<Vec<Grant>>, Failure> {
    // Not a rule of clap, because `S3LOG_APPLY=false` means no --apply.
    match (arguments.dry_run, arguments.apply) {
        (true, false) | (false, true) => {}
        (false, false) => {
            return Err(Failure::usage("--apply or --dry-run is required")
                .with_hint("preview with --dry-run, or create the key with --apply --credentials FILE"));
        }
        (true, true) => return Err(Failure::usage("--dry-run and --apply cannot be combined")),
    }
    if arguments.full_access && !arguments.grants.is_empty() {
        return Err(Failure::usage("--full-access cannot be combined with --grant")
            .with_hint("a key has either full access to all buckets or grants for single buckets"));
    }
    match &arguments.credentials {
        None if arguments.apply => {
            return Err(Failure::usage("--apply requires --credentials, because the API shows the secret only once")
                .with_hint("choose a file that does not exist yet: --credentials FILE"));
        }
        Some(path) if path.symlink_metadata().is_ok() => {
            return Err(Failure::failed(format!("`{}` already exists and will not be overwritten", path.display()))
                .with_hint("choose another file: --credentials FILE"));
        }
        _ => {}
    }
    let grants = if arguments.full_access {
        vec![Grant { bucket: String::new(), permission: Permission::FullAccess }]
    } else {
        arguments.grants.iter().map(|grant| grant.0.clone()).collect()
    };
    Ok(Some(grants).filter(|grants| !grants.is_empty()))
}

/// The key with this id, otherwise the only one with this name.
async fn find(account: &Account, wanted: &str) -> Result<Key, Failure> {
    let looks_like_id = wanted.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if looks_like_id && is_access_key(wanted) {
        match account.api.key(wanted).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return Ok(found?),
        }
    }
    let keys = account.api.keys().await?;
    let by_id = keys.iter().find(|key| key.access_key == wanted);
    let named: Vec<&Key> = keys.iter().filter(|key| key.name == wanted).collect();
    let key = match (by_id, named.as_slice()) {
        (Some(key), _) => key,
        (None, [key]) if account.exit() == Exit::Done => key,
        (None, [key]) => {
            return Err(Failure::failed(format!(
                "the list of keys is incomplete: others may be called `{wanted}` as well"
            ))
            .with_hint(format!("if you mean this one, pass its id: {}", key.access_key)));
        }
        (None, []) => {
            return Err(Failure::from(Error::new(ErrorKind::NotFound, format!("no key is called `{wanted}`")))
                .with_hint("`s3log keys list` shows names and ids of this account's keys"));
        }
        (None, several) => {
            let mut ids: Vec<&str> = several.iter().take(MOST_TOLD).map(|key| key.access_key.as_str()).collect();
            if several.len() > MOST_TOLD {
                ids.push("…");
            }
            return Err(Failure::failed(format!("{} keys are called `{wanted}`", several.len()))
                .with_hint(format!("pass the id of one: {}", ids.join(", "))));
        }
    };
    // The id is printed in shell commands.
    if !is_access_key(&key.access_key) {
        return Err(Failure::failed(format!("the key `{wanted}` has an invalid id: `{}`", key.access_key))
            .with_hint("is --api-url the API of DigitalOcean?"));
    }
    Ok(key.clone())
}

/// Creates the key. If interrupted while waiting for the answer, explains what that means.
async fn make(api: &Api, new: &Replacement, messages: Messages) -> Result<NewKey, Failure> {
    struct Asking<'a> {
        name: &'a str,
        messages: Messages,
        is_answered: bool,
    }

    impl Drop for Asking<'_> {
        fn drop(&mut self) {
            if !self.is_answered {
                self.messages.incomplete(
                    &format!("it is unknown whether the key `{}` was created", self.name),
                    Some("`s3log keys list` shows whether it exists; if so, its secret is lost: delete that key"),
                );
            }
        }
    }

    let mut asking = Asking { name: &new.name, messages, is_answered: false };
    let made = api.create(&new.name, &new.grants).await;
    asking.is_answered = true;
    Ok(made?)
}

/// Warns if the new key differs from the requested one, and returns whether it matches.
fn is_as_wanted(made: &NewKey, new: &Replacement, messages: Messages) -> bool {
    let sorted = |grants: &[Grant]| {
        let mut grants = grants.to_vec();
        grants.sort();
        grants
    };
    let is_same = sorted(&made.key.grants) == sorted(&new.grants);
    if !is_same {
        let id = &made.key.access_key;
        messages.incomplete(
            &format!("the API created {id} with other grants than requested: {}", granted(&made.key.grants)),
            Some(&format!("if you do not want it, delete it: {}", delete(id))),
        );
    }
    is_same
}
