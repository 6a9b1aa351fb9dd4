//! Output of proposals in the formats used to apply them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

use serde_json::json;

use super::{Audit, PrincipalKind, PrincipalUse, Proposal};
use crate::detect::rfc3339;
use crate::keys::{Grant, Replacement, granted};
use crate::shell_word::shell_word;
use crate::unprintable::is_unprintable;

/// A format of proposals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Calls of DigitalOcean's API with curl; the token is read from `DIGITALOCEAN_ACCESS_TOKEN`.
    Curl,
    /// Calls of doctl, DigitalOcean's command line.
    Doctl,
    /// Resources of the Terraform provider `digitalocean`.
    Terraform,
    /// IAM policies: the document itself for one principal, otherwise an object keyed by the ids of the principals.
    Iam,
}

/// Writes the proposals for all keys, or the policies for all IAM identities.
///
/// A key whose grants are already minimal as far as these logs show, or that was not used, gets a comment instead of a
/// proposal. Names come from requests and are untrusted: control characters are replaced in comments, and elsewhere
/// names are quoted for the shell or for Terraform.
///
/// # Errors
///
/// Fails if writing to `output` fails.
pub fn write(audit: &Audit, form: Form, output: &mut dyn io::Write) -> io::Result<()> {
    let mut text = String::new();
    if form == Form::Iam {
        policies(audit, &mut text);
    } else {
        head(audit, &mut text);
        let mut labels = BTreeSet::new();
        for (one, proposal) in keys(audit) {
            text.push('\n');
            key(one, proposal, form, &mut labels, &mut text);
        }
    }
    output.write_all(text.as_bytes())
}

/// A comment that describes what was audited.
fn head(audit: &Audit, text: &mut String) {
    let time = |micros: Option<i64>| micros.map_or_else(|| "never".to_owned(), rfc3339);
    comment(
        text,
        &format!("from {} requests, the first {}, the last {}", audit.requests, time(audit.first), time(audit.last)),
    );
    comment(
        text,
        &format!(
            "{} of the signed requests ({:.1} %) cannot be attributed to a key, user or role",
            audit.untold,
            audit.untold_share * 100.0
        ),
    );
}

/// Principals that may be keys: a canonical id is an account, and an ARN is an AWS identity.
fn keys(audit: &Audit) -> impl Iterator<Item = (&PrincipalUse, &Proposal)> {
    let keys = audit.principals.iter();
    let keys = keys.filter(|one| matches!(one.principal.kind, PrincipalKind::AccessKey | PrincipalKind::Other));
    keys.filter_map(|one| Some((one, one.proposal.as_ref()?)))
}

/// Writes a line that is a comment for both shells and Terraform.
fn comment(text: &mut String, line: &str) {
    text.push_str("# ");
    text.extend(line.chars().map(|letter| if is_unprintable(letter) { '\u{FFFD}' } else { letter }));
    text.push('\n');
}

fn key(one: &PrincipalUse, proposal: &Proposal, form: Form, labels: &mut BTreeSet<String>, text: &mut String) {
    let id = &one.principal.id;
    let name = one.name();
    let who = if name == id { id.clone() } else { format!("{name} ({id})") };
    if one.principal.kind == PrincipalKind::Other {
        comment(text, &format!("{who}: its key is not known; map it with --principals"));
        return;
    }
    if one.allowed() == 0 {
        comment(text, &format!("{who} was not used: nothing is proposed"));
        return;
    }
    if !one.is_granted_too_much() {
        let has = one.key.as_ref().map_or(&proposal.grants, |key| &key.grants);
        let judged = has.iter().filter(|grant| !one.not_judged.contains(grant));
        comment(text, &format!("{who} is granted what it needs and no more: {}", granted(judged)));
        return;
    }
    let Some(grants) = one.replacement() else {
        comment(text, &format!("{who}: nothing is proposed"));
        for caveat in one.caveats() {
            comment(text, &caveat);
        }
        return;
    };
    let now = one.key.as_ref().map(|key| format!(", in place of {}", granted(&key.grants)));
    comment(text, &format!("{who}: {}{}", granted(&grants), now.unwrap_or_default()));
    comment(
        text,
        &format!(
            "{} of {} requests that were allowed would have been refused",
            proposal.refused_by(&grants),
            proposal.tried
        ),
    );
    for caveat in one.caveats() {
        comment(text, &caveat);
    }
    // A name that could be taken for an option or is unreadable is not used.
    let is_good = |letter: char| !is_unprintable(letter) && !matches!(letter, '\'' | '"' | '\\');
    let name = if name.starts_with('-') || !name.chars().all(is_good) { id } else { name };
    let new_name = format!("{name}-least");
    match form {
        Form::Doctl => doctl(&new_name, &grants, text),
        Form::Terraform => terraform(&new_name, &grants, labels, text),
        Form::Curl | Form::Iam => curl(&new_name, &grants, text),
    }
}

fn curl(name: &str, grants: &[Grant], text: &mut String) {
    let body = Replacement { name: name.to_owned(), grants: grants.to_vec() }.body().unwrap_or_default();
    text.push_str("curl -X POST https://api.digitalocean.com/v2/spaces/keys \\\n");
    text.push_str("  -H 'Content-Type: application/json' -H \"Authorization: Bearer $DIGITALOCEAN_ACCESS_TOKEN\" \\\n");
    let _ = writeln!(text, "  -d {}", shell_word(&body));
}

fn doctl(name: &str, grants: &[Grant], text: &mut String) {
    let grants = grants.iter().map(|grant| format!("bucket={};permission={}", grant.bucket, grant.permission));
    let grants: Vec<String> = grants.collect();
    let _ = writeln!(text, "doctl spaces keys create {} --grants {}", shell_word(name), shell_word(&grants.join(",")));
}

fn terraform(name: &str, grants: &[Grant], labels: &mut BTreeSet<String>, text: &mut String) {
    let clean =
        |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter.to_ascii_lowercase() } else { '_' };
    let base: String = name.chars().map(clean).collect();
    let base = if base.starts_with(|first: char| first.is_ascii_digit()) { format!("key_{base}") } else { base };
    let mut label = base.clone();
    let mut number = 2;
    while !labels.insert(label.clone()) {
        label = format!("{base}_{number}");
        number += 1;
    }
    let _ = writeln!(text, "resource \"digitalocean_spaces_key\" \"{label}\" {{\n  name = {}", hcl(name));
    for Grant { bucket, permission } in grants {
        let permission = hcl(permission.as_str());
        let _ = writeln!(text, "\n  grant {{\n    bucket     = {}\n    permission = {permission}\n  }}", hcl(bucket));
    }
    text.push_str("}\n");
}

fn policies(audit: &Audit, text: &mut String) {
    let identities = audit.principals.iter().filter(|one| one.principal.kind.has_policy());
    let with_policy = identities.filter_map(|one| Some((one, &one.proposal.as_ref()?.policy)));
    let policies: Vec<_> = with_policy.filter(|(_, policy)| !policy.is_empty()).collect();
    let pretty = match policies.as_slice() {
        [(_, policy)] => serde_json::to_string_pretty(policy),
        _ => {
            let named = policies.iter().map(|(one, policy)| (one.principal.id.clone(), json!(policy)));
            serde_json::to_string_pretty(&named.collect::<serde_json::Map<_, _>>())
        }
    };
    text.push_str(&pretty.unwrap_or_default());
    text.push('\n');
}

/// Quotes a text for Terraform.
fn hcl(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if letters.peek() == Some(&'{') => quoted.extend([letter, letter]),
            letter if is_unprintable(letter) => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

impl Proposal {
    /// What the user of the proposal must know.
    #[must_use]
    pub fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        if !self.not_covered.is_empty() {
            let mut names: Vec<&str> = self.not_covered.iter().map(|count| count.operation.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            caveats.push(format!("not covered, because what it needs is not known: {}", names.join(", ")));
        }
        if self.copies > 0 {
            let copies = match self.copies {
                1 => "1 copy was".to_owned(),
                copies => format!("{copies} copies were"),
            };
            caveats.push(format!(
                "{copies} written, whose records do not name their sources: reading these is covered where the source's bucket has a log here"
            ));
        }
        caveats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_for_terraform() {
        for (text, expected) in [
            ("a", "\"a\""),
            ("it's", "\"it's\""),
            ("$(id)", "\"$(id)\""),
            ("${x}%{y}$", "\"$${x}%%{y}$\""),
            ("a\"\\\n\u{1b}", "\"a\\\"\\\\\\n\\u001B\""),
        ] {
            assert_eq!(hcl(text), expected, "{text:?}");
        }
    }
}
