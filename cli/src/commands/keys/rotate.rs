//! `s3log keys rotate`: creates a second key next to the first and prints the next steps. It deletes nothing.

use std::io::Write as _;

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
            "{} is not granted {}, and the new key would be",
            old.access_key,
            granted(wider)
        ))
        .with_hint("--wider lets the new key do more than the old one"));
    }
    let mut change = Change {
        old: &old,
        new: &new,
        made: None,
        credentials: arguments.credentials.as_deref(),
        keys_url: account.api.keys_url(),
    };
    let Some(path) = arguments.credentials.as_deref().filter(|_| arguments.apply) else {
        print(&change.plan(&new.body()?))?;
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
            "the key {id} was made, but its secret cannot be written to `{}`: {error}; nobody has it",
            path.display()
        ))
        .with_hint(format!("delete that key, {}, and try again", delete(&id)))
    })?;
    if id == old.access_key {
        // The last of the steps would delete the new key.
        return Err(Failure::failed(format!("the API gave the new key the id of the old one, {id}: delete neither"))
            .with_hint(format!("its secret is in `{}`; is --api-url the API of DigitalOcean?", path.display())));
    }
    change.made = Some(&id);
    print(&change.steps())?;
    Ok(if is_as_wanted(&made, &new, surroundings.messages) { account.exit() } else { Exit::Incomplete })
}

/// Checks the command line before anything is sent, and returns the requested grants.
fn check(arguments: &KeysRotateArgs) -> Result<Option<Vec<Grant>>, Failure> {
    // Not a rule of clap, because `S3LOG_APPLY=false` means no --apply.
    match (arguments.dry_run, arguments.apply) {
        (true, false) | (false, true) => {}
        (false, false) => {
            return Err(Failure::usage("say whether the new key is to be made")
                .with_hint("--dry-run shows what would be done, --apply --credentials FILE does it"));
        }
        (true, true) => return Err(Failure::usage("--dry-run and --apply cannot both be")),
    }
    if arguments.full_access && !arguments.grants.is_empty() {
        return Err(Failure::usage("full access cannot stand beside other grants")
            .with_hint("a key has full access to all buckets, or grants for buckets: --full-access or --grant"));
    }
    match &arguments.credentials {
        None if arguments.apply => {
            return Err(Failure::usage("--apply needs a file for the secret, which the API tells once")
                .with_hint("name one that is not there yet: --credentials FILE"));
        }
        Some(path) if path.symlink_metadata().is_ok() => {
            return Err(Failure::failed(format!("`{}` is there already, and is not written over", path.display()))
                .with_hint("name another file: --credentials FILE"));
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
                "others may be called `{wanted}`, too, as keys are missing in the list"
            ))
            .with_hint(format!("if that one is meant, say its id: {}", key.access_key)));
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
                .with_hint(format!("say which one by its id: {}", ids.join(", "))));
        }
    };
    // The id is printed in shell commands.
    if !is_access_key(&key.access_key) {
        return Err(Failure::failed(format!("the key `{wanted}` has an id that is none: `{}`", key.access_key))
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
                    &format!("nobody knows whether the key `{}` was made", self.name),
                    Some("`s3log keys list` shows whether it is there. If so, its secret is lost: delete that key"),
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
            &format!("the API made {id} with other grants than it was asked for: {}", granted(&made.key.grants)),
            Some(&format!("if that is not what you want, delete it: {}", delete(id))),
        );
    }
    is_same
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::from_output)
}
