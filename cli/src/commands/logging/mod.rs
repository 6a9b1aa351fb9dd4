//! `s3log logging`: whether a bucket is logged, and turning that on and off.

mod answer;
mod look;

use s3log_engine::logging::{self, Enable, Finding, Level, Plan};
use s3log_engine::store::{Location, Stores};
use s3log_engine::{Error, ErrorKind};
use serde_json::Value;

use super::Surroundings;
use crate::args::{LoggingArgs, LoggingCommand, LoggingDisableArgs, LoggingEnableArgs, LoggingStatusArgs, StoreArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ReportFormat, json_page, say};

/// Runs a subcommand.
///
/// # Errors
///
/// When settings cannot be read or changed, or a finding blocks the change.
pub(crate) async fn run(arguments: LoggingArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    match arguments.command {
        LoggingCommand::Status(arguments) => status(arguments, surroundings).await,
        LoggingCommand::Enable(arguments) => enable(arguments, surroundings).await,
        LoggingCommand::Disable(arguments) => disable(arguments, surroundings).await,
    }
}

async fn status(arguments: LoggingStatusArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let bucket = whole_bucket(&arguments.logged.bucket)?;
    let stores = stores(&arguments.logged.store)?;
    let status = logging::status(&stores, &bucket).await?;
    let query = status.settings.as_ref().map(|settings| look::query(status.service, settings, &arguments.logged.store));
    say(&match arguments.logged.format {
        ReportFormat::Auto | ReportFormat::Text => answer::status(&status, query.as_deref()),
        ReportFormat::Json => page(&answer::status_json(&status, query.as_deref()), surroundings)?,
    })?;
    if let Some(Err(error)) = &status.delivered {
        surroundings.messages.warning(&error.to_string(), error.hint());
    }
    if status.settings.is_none() {
        surroundings.messages.note(&format!(
            "`s3log logging enable s3://{bucket} --target s3://LOGS/{bucket}/` turns it on for later requests"
        ));
    }
    Ok(Exit::Done)
}

async fn enable(arguments: LoggingEnableArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let target = Location::parse(&arguments.target).map_err(usage)?;
    let enable = Enable {
        bucket: whole_bucket(&arguments.logged.bucket)?,
        target_bucket: target.bucket().to_owned(),
        target_prefix: target.prefix().to_owned(),
        key_format: arguments.key_format.map(|format| format.0),
        drop_grants: arguments.drop_grants,
        forced: arguments.force,
    };
    let stores = stores(&arguments.logged.store)?;
    let plan = logging::plan_enable(&stores, &enable).await.map_err(usage)?;
    let change =
        Change { plan, store: arguments.logged.store, format: arguments.logged.format, dry_run: arguments.dry_run };
    change.run(surroundings).await
}

async fn disable(arguments: LoggingDisableArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let bucket = whole_bucket(&arguments.logged.bucket)?;
    let stores = stores(&arguments.logged.store)?;
    let plan = logging::plan_disable(&stores, &bucket).await?;
    let change =
        Change { plan, store: arguments.logged.store, format: arguments.logged.format, dry_run: arguments.dry_run };
    change.run(surroundings).await
}

/// A plan, and how to carry it out.
struct Change {
    plan: Plan,
    store: StoreArgs,
    format: ReportFormat,
    dry_run: bool,
}

impl Change {
    async fn run(self, surroundings: Surroundings) -> Result<Exit, Failure> {
        let plan = &self.plan;
        tell(&plan.findings, surroundings);
        if plan.is_blocked() {
            return Err(Failure::failed(match self.dry_run {
                true => "nothing would be changed",
                false => "nothing was changed",
            }));
        }
        let outcome = if plan.is_done() {
            answer::Outcome::NothingToDo
        } else if self.dry_run {
            answer::Outcome::WouldPut(plan.body().await?)
        } else {
            tell(&plan.apply().await?, surroundings);
            answer::Outcome::Changed
        };
        let query = plan.wanted.as_ref().map(|settings| look::query(plan.service, settings, &self.store));
        say(&match self.format {
            ReportFormat::Auto | ReportFormat::Text => answer::change(plan, &outcome, query.as_deref()),
            ReportFormat::Json => page(&answer::change_json(plan, &outcome, query.as_deref()), surroundings)?,
        })?;
        if let answer::Outcome::WouldPut(_) = outcome {
            surroundings
                .messages
                .note(&format!("this would be sent to s3://{}/?logging; nothing was changed", plan.bucket));
        }
        Ok(Exit::Done)
    }
}

fn page(answer: &Value, surroundings: Surroundings) -> Result<String, Failure> {
    Ok(json_page(answer, surroundings.stdout.is_some())? + "\n")
}

/// Prints the findings, the worst last, so that blocking ones come right before the error.
fn tell(findings: &[Finding], surroundings: Surroundings) {
    let messages = &surroundings.messages;
    for level in [Level::Notes, Level::Warns, Level::Blocks] {
        for finding in findings.iter().filter(|finding| finding.level == level) {
            let hint = finding.hint.as_deref();
            match level {
                Level::Notes => messages.note(&finding.message),
                Level::Warns => messages.warning(&finding.message, hint),
                Level::Blocks => {
                    let failure = Failure::failed(&*finding.message);
                    messages.failure(&match hint {
                        Some(hint) => failure.with_hint(hint),
                        None => failure,
                    });
                }
            }
        }
    }
}

fn stores(arguments: &StoreArgs) -> Result<Stores, Failure> {
    if arguments.no_sign_request {
        return Err(Failure::usage(
            "--no-sign-request cannot be used here: reading or changing settings requires a signature",
        )
        .with_hint("remove it, and unset S3LOG_NO_SIGN_REQUEST"));
    }
    Ok(Stores::new(arguments.options()))
}

/// The bucket of `s3://BUCKET`.
fn whole_bucket(source: &str) -> Result<String, Failure> {
    let location = Location::parse(source).map_err(usage)?;
    match location.prefix() {
        "" => Ok(location.bucket().to_owned()),
        prefix => Err(Failure::usage(format!("logging applies to a whole bucket, not to the prefix `{prefix}`"))
            .with_hint(format!("use s3://{}", location.bucket()))),
    }
}

/// Reports requests without effect, or not supported by the service, as errors of the command line.
fn usage(error: Error) -> Failure {
    if error.kind() != ErrorKind::Invalid {
        return Failure::from(error);
    }
    let failure = Failure::usage(error.to_string());
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
