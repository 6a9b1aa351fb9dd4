//! `s3log keys audit`: compares what keys did with what they are granted.

use std::io::Write as _;
use std::time::Instant;

use chrono::Utc;
use s3log_engine::detect::{DetectOptions, Finding, detect};
use s3log_engine::keys::audit::{Audit, AuditOptions, Form, PrincipalMap, audit, write};
use s3log_engine::keys::{Key, keys_from_json};
use s3log_engine::session::Session;

use super::{Account, audited};
use crate::accounting::Accounting;
use crate::args::{AuditFormat, KeysAuditArgs};
use crate::commands::session::{self, read_text, session_options};
use crate::commands::{Surroundings, flag, rules};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::Messages;
use crate::output::escape::visible;
use crate::output::{Output, json_page};
use crate::progress::Watch;

/// Runs the audit and prints the report or the proposals.
///
/// # Errors
///
/// When there is no audit.
pub(super) async fn run(arguments: &KeysAuditArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let start = Instant::now();
    let messages = surroundings.messages;
    if arguments.flag && arguments.sources.names.iter().any(|source| source == "-") {
        return Err(Failure::usage("--flag reads the sources twice, but standard input can only be read once")
            .with_hint("save it to a file and pass that file"));
    }
    let is_json = match arguments.format {
        AuditFormat::Report(format) => format.is_json(arguments.destination.file(), "keys audit")?,
        AuditFormat::Proposal(_) => false,
    };
    // Errors in the files are reported before anything is read or requested.
    let mut options = AuditOptions::new().with_folders(arguments.folders);
    if let Some(path) = &arguments.principals {
        let (name, text) = (path.display().to_string(), read_text(path)?);
        options = options.with_principals(PrincipalMap::parse(&name, &text)?);
    }
    let detection = if arguments.flag { Some(detection(arguments, &messages)?) } else { None };
    let (keys, mut exit) = account(arguments, surroundings).await?;
    if let Some(keys) = keys {
        options = options.with_keys(keys);
    }
    let mut output = Output::open(arguments.destination.file(), surroundings.prose())?;
    if let Some(detection) = detection {
        let session = open(arguments, &messages).await?;
        options = options.with_findings(findings(arguments, &session, &detection, surroundings).await?);
    }
    let session = open(arguments, &messages).await?;
    let mode = surroundings.progress(arguments.behaviour.progress);
    let mut watch = Watch::start(mode, surroundings.stderr, session.progress());
    watch.announce_large(&session, messages);
    let found = audit(&session, &options).await;
    watch.stop();
    let mut found = found?;
    if let Some(wanted) = &arguments.principal {
        only(&mut found, wanted)?;
    }
    if arguments.format == AuditFormat::Proposal(Form::Iam) {
        say_caveats(&found, &messages)?;
    }
    print(&found, arguments.format, is_json, &mut output)?;
    output.commit()?;
    if surroundings.verbose {
        messages.note(&format!("took {:.3} s", start.elapsed().as_secs_f64()));
    }
    let mut accounting = Accounting::default();
    accounting.add(session.progress().snapshot(), false);
    if exit == Exit::Done {
        exit = accounting.judge(&session, arguments.behaviour.reject_limit(), &messages);
    }
    Ok(exit)
}

async fn open(arguments: &KeysAuditArgs, messages: &Messages) -> Result<Session, Failure> {
    let options = session_options(&arguments.source, &arguments.behaviour.work)?;
    session::open(&arguments.sources.names, options, messages).await
}

/// The keys of the account, if they can be determined, and whether the list is complete.
async fn account(arguments: &KeysAuditArgs, surroundings: Surroundings) -> Result<(Option<Vec<Key>>, Exit), Failure> {
    if let Some(path) = &arguments.keys {
        let text = read_text(path)?;
        let keys = keys_from_json(text.as_bytes()).map_err(|error| error.in_object(path.display().to_string()))?;
        return Ok((Some(keys), Exit::Done));
    }
    if !Account::has_token(&arguments.api) {
        return Ok((None, Exit::Done));
    }
    let account = Account::open(&arguments.api, surroundings)?;
    let keys = account.api.keys().await?;
    Ok((Some(keys), account.exit()))
}

fn detection(arguments: &KeysAuditArgs, messages: &Messages) -> Result<DetectOptions, Failure> {
    let now = Utc::now().timestamp() * 1_000_000;
    let (rules, lists) = rules::load(&arguments.rules)?;
    let context = flag::context(&arguments.context, &arguments.source, &lists, now, messages)?;
    Ok(DetectOptions::new(now).with_rules(rules).with_lists(lists).with_context(context))
}

async fn findings(
    arguments: &KeysAuditArgs,
    session: &Session,
    options: &DetectOptions,
    surroundings: Surroundings,
) -> Result<Vec<Finding>, Failure> {
    let mode = surroundings.progress(arguments.behaviour.progress);
    let mut watch = Watch::start(mode, surroundings.stderr, session.progress());
    watch.announce_large(session, surroundings.messages);
    let report = detect(session, options).await;
    watch.stop();
    Ok(report?.findings)
}

/// Keeps only one principal.
fn only(audit: &mut Audit, wanted: &str) -> Result<(), Failure> {
    let is = |id: &str, name: &str| id == wanted || name == wanted;
    let matching = audit.principals.iter().filter(|one| is(&one.principal.id, one.name())).count();
    if matching == 0 {
        return Err(Failure::failed(format!("no principal or key is called `{wanted}`"))
            .with_hint("without --principal, the audit lists all of them"));
    }
    audit.principals.retain(|one| is(&one.principal.id, one.name()));
    audit.remarks.retain(|one| is(&one.principal.id, &one.name));
    Ok(())
}

/// Reports the caveats of a policy, which the policy itself cannot express.
fn say_caveats(audit: &Audit, messages: &Messages) -> Result<(), Failure> {
    let with_policy = || audit.principals.iter().filter(|one| one.principal.kind.has_policy());
    if !with_policy().any(|one| one.proposal.as_ref().is_some_and(|proposal| !proposal.policy.is_empty())) {
        return Err(Failure::failed(
            "no policy to propose: no IAM user or role made an allowed request of a known kind",
        )
        .with_hint("without -F, the audit shows who did what"));
    }
    for one in with_policy() {
        for caveat in one.caveats() {
            messages.note(&format!("{}: {}", visible(one.name()), visible(&caveat)));
        }
    }
    Ok(())
}

fn print(audit: &Audit, format: AuditFormat, is_json: bool, output: &mut Output) -> Result<(), Failure> {
    let written = match format {
        AuditFormat::Proposal(form) => write(audit, form, &mut output.sink()),
        AuditFormat::Report(_) if is_json => {
            let json = json_page(audit, output.is_terminal())?;
            writeln!(output.sink(), "{json}")
        }
        AuditFormat::Report(_) => {
            let text = audited::text(audit, output.paint());
            output.sink().write_all(text.as_bytes())
        }
    };
    written.map_err(Failure::from_output)
}
