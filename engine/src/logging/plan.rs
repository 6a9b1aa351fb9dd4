//! Enabling and disabling logging: checks before the change, verification after it.

use super::policy::Delivery;
use super::target::{Target, permit};
use super::{Finding, KeyFormat, Level, LoggingSettings, Service, cannot_see, place};
use crate::error::{Error, ErrorKind};
use crate::store::{Control, Refusal, Stores};
use std::time::Duration;

/// Number of attempts to read settings back; they may take a moment to become visible.
const READ_BACKS: u32 = 4;
/// Pause before the second attempt, doubled for each further one.
const PAUSE: Duration = Duration::from_millis(250);

/// A request to enable logging for a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enable {
    /// The bucket to be logged.
    pub bucket: String,
    /// The bucket that receives log objects.
    pub target_bucket: String,
    /// Prefix of their names; if empty, the bucket's name and a slash.
    pub target_prefix: String,
    /// Format of the rest of their names. `None` keeps the current format, or uses the service's default.
    pub key_format: Option<KeyFormat>,
    /// Whether to drop the grants of existing settings.
    pub drop_grants: bool,
    /// Whether to replace different settings, and to ignore obstacles to delivery.
    pub forced: bool,
}

impl Enable {
    /// Fails if the service does not support the request, whatever the state of the buckets.
    fn check(&self, service: Service) -> Result<(), Error> {
        if let Some(why) = self.key_format.and_then(|format| service.refuses(format)) {
            return Err(Error::invalid(why).with_hint("leave --key-format out"));
        }
        if service == Service::Spaces && self.bucket == self.target_bucket {
            return Err(Error::invalid("Spaces writes no log of a bucket into the bucket itself")
                .in_object(place(&self.bucket))
                .with_hint("choose another bucket of the same region as --target"));
        }
        Ok(())
    }

    /// The resulting settings, given the existing ones.
    fn settings(&self, service: Service, before: Option<&LoggingSettings>) -> LoggingSettings {
        let target_prefix = match self.target_prefix.as_str() {
            "" => format!("{}/", self.bucket),
            prefix => prefix.to_owned(),
        };
        let same_place =
            before.filter(|before| before.target_bucket == self.target_bucket && before.target_prefix == target_prefix);
        let kept = same_place.map(|before| before.key_format);
        let grants = before.filter(|_| !self.drop_grants).map(|before| before.target_grants.clone());
        LoggingSettings {
            target_bucket: self.target_bucket.clone(),
            target_prefix,
            key_format: self.key_format.or(kept).unwrap_or_else(|| service.default_key_format()),
            target_grants: grants.unwrap_or_default(),
        }
    }
}

/// A prepared change of the logging settings of a bucket.
#[derive(Debug)]
pub struct Plan {
    /// The service that hosts the bucket.
    pub service: Service,
    /// The bucket whose logging is to be changed.
    pub bucket: String,
    /// The current settings; `None` if logging is off.
    pub before: Option<LoggingSettings>,
    /// The settings to be written; `None` to disable logging.
    pub wanted: Option<LoggingSettings>,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
    control: Control,
    region: String,
    account: Option<String>,
    /// Whether a name format was requested explicitly, and must be preserved by the store.
    insists_on_format: bool,
}

/// Checks both buckets, and prepares the change.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] if the service does not support the request. Also fails if the settings cannot be read or the
/// store does not answer. Other obstacles are findings.
pub async fn plan_enable(stores: &Stores, enable: &Enable) -> Result<Plan, Error> {
    let service = Service::at(stores.endpoint().await?.as_deref());
    enable.check(service)?;
    let control = stores.control().await?;
    let bucket = enable.bucket.as_str();
    let before = control.logging(bucket).await.map_err(|refusal| cannot_see(service, bucket, &refusal))?;
    let wanted = enable.settings(service, before.as_ref());
    let mut plan = Plan {
        service,
        bucket: bucket.to_owned(),
        before,
        wanted: Some(wanted.clone()),
        findings: Vec::new(),
        region: control.region(bucket),
        control,
        account: None,
        insists_on_format: enable.key_format.is_some(),
    };
    plan.look_at_names(enable, &wanted);
    if plan.look_at_buckets(&wanted, enable.forced).await? {
        plan.look_at_target(&wanted, enable.forced).await;
    }
    plan.look_at_settings(&wanted, enable.forced);
    Ok(plan)
}

/// Prepares disabling the logging of a bucket.
///
/// # Errors
///
/// Fails if the settings cannot be read.
pub async fn plan_disable(stores: &Stores, bucket: &str) -> Result<Plan, Error> {
    let control = stores.control().await?;
    let service = Service::at(control.endpoint());
    let before = control.logging(bucket).await.map_err(|refusal| cannot_see(service, bucket, &refusal))?;
    Ok(Plan {
        service,
        bucket: bucket.to_owned(),
        before,
        wanted: None,
        findings: Vec::new(),
        region: control.region(bucket),
        control,
        account: None,
        insists_on_format: false,
    })
}

/// The result of looking for a bucket.
enum Found {
    /// It exists, in this region if the store said so.
    There(Option<String>),
    Missing,
}

impl Plan {
    /// Whether the settings are already as wanted.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.before == self.wanted
    }

    /// Whether a finding blocks the change.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Blocks)
    }

    /// The XML body that [`Plan::apply`] would send. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Fails if the body cannot be serialized.
    pub async fn body(&self) -> Result<String, Error> {
        self.control.logging_body(&self.bucket, self.wanted.as_ref()).await
    }

    /// Makes the change, whatever the findings, and reads the settings back. Returns a finding for each deviation from
    /// what was wanted.
    ///
    /// # Errors
    ///
    /// Fails if the store refuses, or accepts the settings without storing them.
    pub async fn apply(&self) -> Result<Vec<Finding>, Error> {
        let put = self.control.put_logging(&self.bucket, self.wanted.as_ref()).await?;
        put.map_err(|refusal| self.cannot_change(&refusal))?;
        let mut pause = PAUSE;
        let mut found = self.read_back().await?;
        for _ in 1..READ_BACKS {
            if found == self.wanted {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            found = self.read_back().await?;
        }
        self.compare(found)
    }

    async fn read_back(&self) -> Result<Option<LoggingSettings>, Error> {
        let read = self.control.logging(&self.bucket).await;
        read.map_err(|refusal| {
            cannot_see(self.service, &self.bucket, &refusal).with_note("the store accepted the new settings before")
        })
    }

    /// Compares the stored settings with the wanted ones.
    fn compare(&self, found: Option<LoggingSettings>) -> Result<Vec<Finding>, Error> {
        if found == self.wanted {
            return Ok(Vec::new());
        }
        let lost = |message: String| {
            Err(Error::new(ErrorKind::Unwritable, message)
                .in_object(place(&self.bucket))
                .with_hint("this store does not do what it reports; the reason cannot be determined from outside"))
        };
        let (wanted, found) = match (&self.wanted, found) {
            (Some(wanted), Some(found)) => (wanted, found),
            (Some(_), None) => {
                return lost("the store accepted the settings but did not keep them: logging is still off".to_owned());
            }
            (None, found) => {
                let still = found.map(|found| found.target()).unwrap_or_default();
                return lost(format!("the store accepted the change, but logging is still on, to {still}"));
            }
        };
        if found.target() != wanted.target() {
            return lost(format!(
                "the store accepted the settings but kept others: log objects go to {}, not to {}",
                found.target(),
                wanted.target()
            ));
        }
        let mut findings = Vec::new();
        if found.key_format != wanted.key_format {
            let message = format!(
                "the store kept the target but not the format of names: they are {}, not {}",
                found.key_format, wanted.key_format
            );
            if self.insists_on_format {
                return lost(message);
            }
            findings.push(Finding::new(Level::Warns, message));
        }
        if found.target_grants != wanted.target_grants {
            findings
                .push(Finding::new(Level::Warns, "the store did not keep the grants on log objects as they were put"));
        }
        Ok(findings)
    }

    /// The error for a store that refuses the change.
    fn cannot_change(&self, refusal: &Refusal) -> Error {
        let error = refusal.explain("its logging settings cannot be changed", &place(&self.bucket));
        if error.hint().is_some() {
            return error;
        }
        let told = |finding: &Finding| finding.hint.as_deref().is_some_and(|hint| hint.contains('{'));
        let hint = match (refusal.code.as_deref(), &self.wanted) {
            (Some("InvalidTargetBucketForLogging"), Some(_)) if self.findings.iter().any(told) => {
                Some("add the statement above to the target's policy".to_owned())
            }
            (Some("InvalidTargetBucketForLogging"), Some(wanted)) if self.service.wants_permission() => {
                Some(permit(&self.delivery(wanted)))
            }
            (Some("CrossLocationLoggingProhibited"), Some(_)) => {
                Some(format!("choose a target in the region of {}", place(&self.bucket)))
            }
            (Some("AccessControlListNotSupported"), Some(_)) => {
                Some("the target accepts no grants; drop those of the existing settings with --drop-grants".to_owned())
            }
            _ => self.service.advice(refusal, true),
        };
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn delivery<'a>(&'a self, wanted: &'a LoggingSettings) -> Delivery<'a> {
        Delivery {
            source: &self.bucket,
            target: &wanted.target_bucket,
            prefix: &wanted.target_prefix,
            account: self.account.as_deref(),
            region: &self.region,
        }
    }

    fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn look_at_names(&mut self, enable: &Enable, wanted: &LoggingSettings) {
        let prefix = &wanted.target_prefix;
        if enable.target_prefix.is_empty() {
            self.note(Finding::new(
                Level::Notes,
                format!("no prefix was given: `{prefix}` keeps these log objects apart from those of other buckets"),
            ));
        } else if !prefix.ends_with('/') {
            self.note(Finding::new(
                Level::Notes,
                format!("the prefix does not end with `/`: names will continue directly after `{prefix}`"),
            ));
        }
        if wanted.target_bucket == self.bucket {
            self.note(
                Finding::new(
                    Level::Blocks,
                    format!(
                        "{} would log into itself: every log object is one more request, which is logged again, endlessly",
                        place(&self.bucket)
                    ),
                )
                .with_hint("choose another bucket as --target, or use --force")
                .unless(enable.forced),
            );
        }
    }

    /// Checks whether the target exists, and the regions of both buckets. Returns whether further checks make sense.
    async fn look_at_buckets(&mut self, wanted: &LoggingSettings, forced: bool) -> Result<bool, Error> {
        let target = wanted.target_bucket.as_str();
        if target == self.bucket {
            return Ok(true);
        }
        let (source_head, head, of_target) =
            tokio::join!(self.control.head(&self.bucket), self.control.head(target), self.control.logging(target));
        // The settings of the source could be read; other failures on it are no reason to stop.
        let source_region = source_head.ok().flatten();
        let Found::There(region) = self.look_for_target(head, target, source_region.as_deref())? else {
            return Ok(false);
        };
        if let (Some(source), Some(region)) = (&source_region, &region)
            && source != region
        {
            let (shown, bucket) = (place(target), place(&self.bucket));
            let message =
                format!("{shown} is in {region} and {bucket} in {source}: logs are only delivered within a region");
            let hint = format!("choose a target in {source}");
            self.note(Finding::new(Level::Blocks, message).with_hint(hint));
            return Ok(false);
        }
        if let Some(source) = source_region {
            self.region = source;
        }
        if let Ok(Some(of_target)) = of_target {
            self.look_at_log_of_target(target, &of_target, forced);
        }
        Ok(true)
    }

    /// Whether the target exists, judging by its answer.
    fn look_for_target(
        &mut self,
        head: Result<Option<String>, Refusal>,
        target: &str,
        source_region: Option<&str>,
    ) -> Result<Found, Error> {
        let shown = place(target);
        match head {
            Ok(region) => Ok(Found::There(region)),
            Err(refusal) if refusal.is_missing_bucket() => {
                let hint = match (self.service, source_region) {
                    (Service::Spaces, _) => {
                        "create it first, in the region of this endpoint: source and target must be in the same region"
                            .to_owned()
                    }
                    (_, Some(region)) => format!("create it first with `aws s3 mb {shown} --region {region}`"),
                    _ => "create it first, or check its name".to_owned(),
                };
                self.note(Finding::new(Level::Blocks, format!("there is no bucket {shown}")).with_hint(hint));
                Ok(Found::Missing)
            }
            Err(refusal) if refusal.is_denied() => {
                let hint = "it must belong to the account of the source; with s3:ListBucket on it, this can be checked";
                let message = format!("{shown} cannot be inspected: {refusal}");
                self.note(Finding::new(Level::Warns, message).with_hint(hint));
                Ok(Found::There(refusal.region))
            }
            Err(refusal) if refusal.is_elsewhere() && refusal.region.is_some() => Ok(Found::There(refusal.region)),
            Err(refusal) => Err(refusal.explain("the target cannot be inspected", &shown)),
        }
    }

    /// Reports the consequences if the target is logged itself.
    fn look_at_log_of_target(&mut self, target: &str, of_target: &LoggingSettings, forced: bool) {
        let (shown, to) = (place(target), of_target.target());
        let (level, what) = if of_target.target_bucket == self.bucket {
            (
                Level::Blocks,
                format!("{shown} has its own log delivered to {to}: each log makes the other grow, endlessly"),
            )
        } else {
            let message = format!("{shown} is logged itself, to {to}: every delivered log object adds a record there");
            (Level::Warns, message)
        };
        self.note(Finding::new(level, what).with_hint("a bucket for logs should not be logged itself").unless(forced));
    }

    /// Checks whether log objects can be written to the target.
    async fn look_at_target(&mut self, wanted: &LoggingSettings, forced: bool) {
        if matches!(self.service, Service::Spaces | Service::Without(_)) {
            return;
        }
        let is_aws = self.service == Service::Aws;
        let (target, account) =
            tokio::join!(Target::look(&self.control, &wanted.target_bucket), self.control.account(is_aws));
        self.account = account;
        let found = target.findings(self.service, &self.delivery(wanted), forced);
        self.findings.extend(found);
        if target.takes_no_grants() && !wanted.target_grants.is_empty() {
            let target = place(&wanted.target_bucket);
            self.note(
                Finding::new(
                    Level::Blocks,
                    format!("the existing settings have grants on log objects, but {target} accepts none (its owner is enforced)"),
                )
                .with_hint("drop them with --drop-grants"),
            );
        }
    }

    /// Checks the existing settings. If they are already as wanted, nothing is written, and no finding blocks.
    fn look_at_settings(&mut self, wanted: &LoggingSettings, forced: bool) {
        let Some(before) = &self.before else { return };
        if before == wanted {
            for finding in &mut self.findings {
                if finding.level == Level::Blocks {
                    finding.level = Level::Warns;
                }
            }
            return;
        }
        let both = format!("\n  now    {}\n  asked  {}", in_words(before), in_words(wanted));
        let finding = match forced {
            true => Finding::new(Level::Notes, format!("other settings are replaced{both}")),
            false => Finding::new(
                Level::Blocks,
                format!("logging of {} is already on, with other settings{both}", place(&self.bucket)),
            )
            .with_hint("replace them with --force"),
        };
        self.note(finding);
    }
}

/// Settings as one line of text.
fn in_words(settings: &LoggingSettings) -> String {
    let grants: Vec<String> = settings.target_grants.iter().map(ToString::to_string).collect();
    let grants = if grants.is_empty() { String::new() } else { format!(", {}", grants.join(", ")) };
    format!("{}, names {}{grants}", settings.target(), settings.key_format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enable(target_prefix: &str, key_format: Option<KeyFormat>) -> Enable {
        Enable {
            bucket: "photos".to_owned(),
            target_bucket: "logs".to_owned(),
            target_prefix: target_prefix.to_owned(),
            key_format,
            drop_grants: false,
            forced: false,
        }
    }

    #[test]
    fn what_is_not_said_stays_or_is_the_services_default() {
        use KeyFormat::{DeliveryTime, EventTime, Simple};
        let before = |prefix, format| Some(enable(prefix, Some(format)).settings(Service::Aws, None));
        for (service, before, said, expected) in [
            (Service::Aws, None, None, EventTime),
            (Service::Aws, None, Some(Simple), Simple),
            (Service::Spaces, None, None, Simple),
            (Service::Backblaze, None, None, Simple),
            (Service::Other, None, Some(EventTime), EventTime),
            (Service::Aws, before("a/", Simple), None, Simple),
            (Service::Aws, before("a/", Simple), Some(DeliveryTime), DeliveryTime),
            (Service::Aws, before("b/", Simple), None, EventTime),
        ] {
            let settings = enable("a/", said).settings(service, before.as_ref());
            assert_eq!(
                (settings.key_format, settings.target().as_str()),
                (expected, "s3://logs/a/"),
                "{service:?} {before:?}"
            );
        }
        assert_eq!(enable("", None).settings(Service::Aws, None).target(), "s3://logs/photos/");
    }

    #[test]
    fn what_spaces_does_not_offer() {
        let refused = |enable: Enable| enable.check(Service::Spaces).map_err(|error| error.to_string());
        assert_eq!(refused(enable("a/", None)), Ok(()));
        assert_eq!(refused(enable("a/", Some(KeyFormat::Simple))), Ok(()));
        assert!(refused(enable("a/", Some(KeyFormat::EventTime))).is_err());
        let itself = Enable { target_bucket: "photos".to_owned(), ..enable("a/", None) };
        assert!(refused(itself.clone()).is_err() && itself.check(Service::Aws).is_ok());
    }
}
