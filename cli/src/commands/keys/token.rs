//! The API token, from a file or from the environment. It is never an argument, because other users of the machine
//! could see it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use s3log_engine::keys::Secret;

use super::variable;
use crate::args::ApiArgs;
use crate::commands::Surroundings;
use crate::failure::Failure;

/// The variable that `doctl` reads.
pub(super) const VARIABLE: &str = "DIGITALOCEAN_ACCESS_TOKEN";
/// Maximum length of a token in bytes.
const LONGEST: u64 = 4 << 10;

/// The token from --token-file, otherwise from the environment.
///
/// # Errors
///
/// When there is none, or the file cannot be read.
pub(super) fn of(arguments: &ApiArgs, surroundings: Surroundings) -> Result<Secret, Failure> {
    match &arguments.token_file {
        Some(path) => read(path, surroundings),
        None => variable(VARIABLE).map(|token| Secret::new(token.trim())).ok_or_else(|| {
            Failure::usage("no API token").with_hint(format!(
                "create one at https://cloud.digitalocean.com/account/api/tokens, and pass it in {VARIABLE} or with --token-file FILE"
            ))
        }),
    }
}

fn read(path: &Path, surroundings: Surroundings) -> Result<Secret, Failure> {
    let name = path.display();
    let cannot = |error| Failure::failed(format!("cannot read the token in `{name}`: {error}"));
    let file = File::open(path).map_err(cannot)?;
    warn_of_readers(path, &file, surroundings);
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(cannot)?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) || text.len() as u64 > LONGEST {
        return Err(Failure::failed(format!("`{name}` holds no token"))
            .with_hint("the file must contain only the token, on one line"));
    }
    Ok(Secret::new(token))
}

#[cfg(unix)]
fn warn_of_readers(path: &Path, file: &File, surroundings: Surroundings) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_shared = |metadata: std::fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o077 != 0;
    if file.metadata().is_ok_and(is_shared) {
        let name = path.display();
        surroundings
            .messages
            .warning(&format!("other users can read the token in `{name}`"), Some(&format!("run `chmod 600 {name}`")));
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Path, _: &File, _: Surroundings) {}
