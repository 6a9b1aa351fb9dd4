//! The steps to switch from one key to another, as text. It contains names chosen by other people and shell commands,
//! so everything in it is escaped for the terminal and quoted for the shell.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use s3log_engine::keys::{API_URL, Grant, Key, Permission, Replacement, granted};
use s3log_engine::shell_word;

use super::credentials::profile;
use crate::output::escape::{visible, visible_json};

/// A switch from one key to another.
pub(super) struct Change<'a> {
    pub(super) old: &'a Key,
    /// The replacement, as requested.
    pub(super) new: &'a Replacement,
    /// The id of the new key, once it has been created.
    pub(super) made: Option<&'a str>,
    /// The file for the secret, if one was named.
    pub(super) credentials: Option<&'a Path>,
    /// `https://api.digitalocean.com/v2/spaces/keys`.
    pub(super) keys_url: &'a str,
}

impl Change<'_> {
    /// The request, and the steps that follow.
    pub(super) fn plan(&self, body: &str) -> String {
        let Self { old, new, keys_url, .. } = self;
        let mut text = String::new();
        let created = old.created_at.as_deref().map(|time| format!(", created {time}")).unwrap_or_default();
        let old_grants = granted(&old.grants);
        let _ =
            writeln!(text, "old key {}", visible(&format!("{} `{}`{created}: {old_grants}", old.access_key, old.name)));
        let _ = writeln!(text, "new key {}", visible(&format!("`{}`: {}", new.name, granted(&new.grants))));
        let _ = writeln!(text, "\nThis would be sent (nothing was sent):\nPOST {keys_url}\n{}\n", visible_json(body));
        let _ = write!(text, "Then:\n{}", self.steps());
        text
    }

    /// The steps to switch over.
    pub(super) fn steps(&self) -> String {
        let Self { old, new, made, credentials, keys_url } = self;
        let old_id = &old.access_key;
        let profile = profile(&new.name);
        let file = shell_word(&credentials.map_or(Cow::Borrowed("FILE"), |path| path.to_string_lossy()));
        let mut text = String::new();
        let _ = match made {
            Some(id) => writeln!(
                text,
                "1. The new key is {id}, `{}`: {}. Its secret is in {file}, profile [{profile}], and nowhere else.",
                visible(&new.name),
                visible(&granted(&new.grants)),
            ),
            None => writeln!(
                text,
                "1. Create the new key: run the same command with --apply --credentials {file} instead of --dry-run. Its secret will be in that\n   \
                 file, profile [{profile}], and nowhere else."
            ),
        };
        // The API may return any text as the name of a bucket.
        let bucket = new.grants.first().map(|grant| grant.bucket.as_str()).filter(|bucket| !bucket.is_empty());
        let bucket = shell_word(&format!("s3://{}/", bucket.unwrap_or("BUCKET")));
        let base = keys_url.strip_suffix("/v2/spaces/keys").unwrap_or(keys_url);
        let doctl = if base == API_URL { "doctl".to_owned() } else { format!("doctl --api-url {}", shell_word(base)) };
        let has_full = |grants: &[Grant]| grants.iter().any(|grant| grant.permission == Permission::FullAccess);
        let refusal = match has_full(&old.grants) && !has_full(&new.grants) {
            true => "\n   A bucket with a bucket policy accepts no key with limited access, and so not the new one.",
            false => "",
        };
        let _ = write!(
            text,
            "\
2. Switch to it wherever {old_id} is used. To try it:
   AWS_SHARED_CREDENTIALS_FILE={file} s3log doctor {bucket} --profile {profile} --endpoint-url https://REGION.digitaloceanspaces.com{refusal}
3. Check in the access logs of its buckets whether {old_id} is still used:
   s3log keys audit s3://LOG-BUCKET/PREFIX/
   s3log query \"SELECT requester, count(*), max(time) FROM logs GROUP BY 1\" s3://LOG-BUCKET/PREFIX/
   DigitalOcean does not document what `requester` is in logs of Spaces, and logs arrive late or never: what is not found there may
   still be used.
4. Once it is no longer used, delete it with one of these commands; a deleted key cannot be restored:
   {doctl} spaces keys delete {old_id}
   curl --fail -X DELETE -H \"Authorization: Bearer $DIGITALOCEAN_ACCESS_TOKEN\" {}
",
            shell_word(&format!("{keys_url}/{old_id}"))
        );
        text
    }
}

/// The command that deletes a key, for a hint.
pub(super) fn delete(access_key: &str) -> String {
    format!("`doctl spaces keys delete {access_key}`")
}
