//! `s3log flag`: which client addresses are suspicious, and why.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use chrono::Utc;
use s3log_engine::detect::context::{CidrList, Context};
use s3log_engine::detect::deny::{DenyFormat, DenyList, DenyOptions, LeftOut, Selection};
use s3log_engine::detect::report::{Scope, markdown};
use s3log_engine::detect::{
    Band, Baseline, DetectOptions, Finding, Lists, Report, Source, backtest, detect, explain, findings_table, learn,
    ocsf,
};
use s3log_engine::session::Session;

use super::findings::{self, looked_at};
use super::session::{network_list, open_at, session_options};
use super::{Surroundings, rules};
use crate::accounting::Accounting;
use crate::args::{ContextArgs, DenyArgs, FlagArgs, FlagFormat, SourceArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::Messages;
use crate::output::{Format, Output, OutputSettings, Shape};
use crate::progress::Watch;

/// Flags addresses, or does what `--explain`, `--backtest` or `--learn` ask for.
///
/// # Errors
///
/// When there is no answer.
pub(crate) async fn run(mut arguments: FlagArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let start = Instant::now();
    let messages = surroundings.messages;
    // In whole seconds, as it is printed.
    let now = Utc::now().timestamp() * 1_000_000;
    arguments.format = format_of(&arguments);
    check(&arguments)?;
    let options = options(&arguments, now, &messages).await?;
    let output = open_output(&arguments, surroundings)?;
    let of_session = session_options(&arguments.source, &arguments.behaviour.work)?;
    let session = open_at(&arguments.place, &arguments.sources.names, of_session, &messages).await?;
    check_addresses(&session, &arguments, &messages)?;
    let mode = surroundings.progress(arguments.behaviour.progress);
    let mut watch = Watch::start(mode, surroundings.stderr, session.progress());
    watch.announce_large(&session, messages);
    let mut run = Run {
        arguments: &arguments,
        session: &session,
        options: &options,
        output,
        messages,
        verbose: surroundings.verbose,
        now,
    };
    let done = match (&arguments.learn, arguments.backtest, arguments.explain) {
        (Some(path), ..) => run.learn(path, &mut watch).await.map(|()| Exit::Done),
        (None, true, _) => run.backtest(&mut watch).await.map(|()| Exit::Done),
        (None, false, Some(source)) => run.explain(source, &mut watch).await,
        (None, false, None) => run.flag(&mut watch).await,
    };
    watch.stop();
    let exit = done?;
    run.output.commit()?;
    if surroundings.verbose {
        messages.note(&format!("took {:.3} s", start.elapsed().as_secs_f64()));
    }
    if let Some(fault) = options.context()?.geo_fault() {
        messages.warning(&fault.to_string(), fault.hint());
    }
    let mut accounting = Accounting::default();
    accounting.add(session.progress().snapshot(), false);
    let complete = accounting.judge(&session, arguments.behaviour.reject_limit(), &messages);
    // An alarm takes precedence over an incomplete answer.
    Ok(if exit == Exit::Found { exit } else { complete })
}

/// The requested format, otherwise the one of the file's extension. Either way, Markdown means the report.
fn format_of(arguments: &FlagArgs) -> FlagFormat {
    match (arguments.format, Format::of_output(arguments.destination.file())) {
        (FlagFormat::Result(Format::Auto), Some(Format::Markdown)) => FlagFormat::Report,
        (FlagFormat::Result(Format::Auto), Some(format)) => FlagFormat::Result(format),
        (format, _) => format,
    }
}

/// Rejects invalid combinations of flags before anything is read.
fn check(arguments: &FlagArgs) -> Result<(), Failure> {
    let other = match (arguments.explain.is_some(), arguments.backtest, arguments.learn.is_some()) {
        (true, ..) => Some("--explain"),
        (_, true, _) => Some("--backtest"),
        (.., true) => Some("--learn"),
        _ => None,
    };
    match (other, arguments.format) {
        (Some("--learn"), _) if arguments.destination.file().is_some() => {
            Err(Failure::usage("--output cannot be used with --learn, which names its own file"))
        }
        (Some(flag), FlagFormat::Report | FlagFormat::Ocsf | FlagFormat::Deny(_)) => {
            Err(Failure::usage(format!("{flag} cannot be written as a report, as events or as a deny list"))
                .with_hint("use -F json, -F csv or another format of results"))
        }
        (None, FlagFormat::Deny(DenyFormat::AwsBucketPolicy)) if arguments.deny.bucket.is_none() => {
            Err(Failure::usage("a bucket policy applies to one bucket").with_hint("name it: --bucket BUCKET"))
        }
        (None, FlagFormat::Deny(DenyFormat::AwsBucketPolicy)) if arguments.deny.exempt.is_empty() => {
            Err(Failure::usage("a bucket policy without an exempt administrator can lock everyone out")
                .with_hint("name one: --exempt arn:aws:iam::123456789012:role/admin"))
        }
        (None, FlagFormat::Deny(DenyFormat::SpacesBucketPolicy)) if !arguments.deny.full_access_keys => {
            Err(Failure::usage("Spaces accepts no bucket policy if keys with limited access are used on the bucket").with_hint(
                "if all keys have full access, pass --full-access-keys; otherwise block addresses with -F nginx, with \
                 -F cidr in a firewall, or with rules of the CDN",
            ))
        }
        (None, FlagFormat::Deny(DenyFormat::SpacesBucketPolicy)) if arguments.deny.bucket.is_none() => {
            Err(Failure::usage("a bucket policy applies to one bucket").with_hint("name it: --bucket BUCKET"))
        }
        (None, FlagFormat::Deny(format)) => {
            Ok(deny_options(&arguments.deny).check(format, arguments.deny.expires.0)?)
        }
        _ => Ok(()),
    }
}

/// Refuses deny lists of anonymised addresses, which belong to others or to nobody.
fn check_addresses(session: &Session, arguments: &FlagArgs, messages: &Messages) -> Result<(), Failure> {
    let anonymized = session.anonymized();
    let Some((dataset, method)) = anonymized.first() else { return Ok(()) };
    let what = format!("the addresses in `{dataset}` are anonymised ({method})");
    if matches!(arguments.format, FlagFormat::Deny(_)) {
        return Err(Failure::failed(format!("{what}: a deny list would block others"))
            .with_hint("run it over the log objects, or over a dataset with `--anonymize-ip none`"));
    }
    messages.warning(&format!("{what}: lists of networks and --geoip do not apply to them"), None);
    Ok(())
}

/// The options of deny lists.
fn deny_options(arguments: &DenyArgs) -> DenyOptions {
    DenyOptions {
        set_name: arguments.set_name.clone(),
        jail: arguments.jail.clone(),
        waf_scope: arguments.waf_scope.0,
        ip_version: arguments.ip_version.0,
        bucket: arguments.bucket.clone(),
        exempt: arguments.exempt.clone(),
        full_access_keys: arguments.full_access_keys,
    }
}

/// How many notes are printed.
const NOTES: usize = 5;

struct Run<'a> {
    arguments: &'a FlagArgs,
    session: &'a Session,
    options: &'a DetectOptions,
    output: Output,
    messages: Messages,
    verbose: bool,
    now: i64,
}

impl Run<'_> {
    async fn flag(&mut self, watch: &mut Watch) -> Result<Exit, Failure> {
        let deny = matches!(self.arguments.format, FlagFormat::Deny(_));
        let default = if deny { Band::Block } else { Band::Alert };
        let min_score = self.arguments.min_score.unwrap_or(default.min_score());
        // Addresses below the threshold are counted down to the watch band.
        let options = self.options.clone().with_min_score(min_score.min(Band::Watch.min_score()));
        let report = detect(self.session, &options).await?;
        watch.stop();
        let shown: Vec<Finding> =
            report.findings.iter().filter(|finding| finding.score >= min_score).cloned().collect();
        match self.arguments.format {
            FlagFormat::Deny(_) => self.deny(&report.findings, min_score)?,
            FlagFormat::Ocsf => {
                let options = ocsf::OcsfOptions::new(self.now);
                ocsf::write(self.output.sink(), &shown, &options).map_err(Failure::from_output)?;
            }
            FlagFormat::Report => {
                let text = markdown(&shown, &report.notes, &self.scope(&report, min_score));
                self.write(&text)?;
            }
            FlagFormat::Result(Format::Auto) if self.output.is_terminal() => {
                let text = findings::list(&shown, self.output.paint());
                self.write(&text)?;
            }
            FlagFormat::Result(_) if self.output.format() == Format::Table => {
                if !shown.is_empty() {
                    self.output.print(Shape::Prose, &findings::summary(&shown)?)?;
                }
            }
            FlagFormat::Result(_) => self.output.print(Shape::Rows, &findings_table::batch(&shown)?)?,
        }
        // On a terminal, findings come before the messages about them.
        self.output.flush().map_err(Failure::from_output)?;
        self.say(&report, &shown, min_score);
        if self.verbose {
            let timing = report.looked.timing;
            self.messages.note(&format!(
                "reading and counting {:.3} s, tables {:.3} s, rules {:.3} s",
                timing.pass.as_secs_f64(),
                timing.tables.as_secs_f64(),
                timing.rules.as_secs_f64()
            ));
        }
        let worst = report.findings.iter().map(|finding| finding.band).max().unwrap_or_default();
        Ok(match self.arguments.fail_on {
            Some(band) if worst >= band.0 => Exit::Found,
            _ => Exit::Done,
        })
    }

    /// Reports on standard error what was examined, and what is missing from the answer.
    fn say(&self, report: &Report, shown: &[Finding], min_score: f64) {
        let looked = looked_at(&report.looked);
        if shown.is_empty() {
            self.messages.note(&format!("no address has a score of {min_score} or more; looked at {looked}"));
            let below = |from: f64| report.findings.iter().filter(|finding| finding.score >= from).count();
            let watched = below(Band::Watch.min_score());
            if watched > 0 && min_score > Band::Watch.min_score() {
                let addresses = crate::message::count(watched as u64, "address");
                self.messages.note(&format!("{addresses} scored at least 0.3; `--min-score 0.3` shows them"));
            }
        } else {
            let addresses = crate::message::count(shown.len() as u64, "address");
            self.messages.note(&format!("{addresses} flagged; looked at {looked}"));
            if matches!(self.arguments.format, FlagFormat::Result(_)) && self.output.is_terminal() {
                self.messages.note("`--explain IP` shows everything about one address; -F json includes measurements and sample requests");
            }
        }
        for note in report.notes.iter().take(NOTES) {
            let entity =
                if note.entity.is_empty() { "(unknown: --map names the buckets of CDN hosts)" } else { &note.entity };
            self.messages.note(&format!(
                "{} {}: {} [{}]",
                note.entity_kind,
                crate::output::escape::visible(entity),
                crate::output::escape::visible(&note.explanation),
                note.id
            ));
        }
        if report.notes.len() > NOTES {
            let more = crate::message::count((report.notes.len() - NOTES) as u64, "note");
            self.messages
                .note(&format!("{more} more about buckets, requesters and networks; `-F markdown` shows them"));
        }
        if report.looked.keys_left_out {
            self.messages.note(
                "more missing names were requested than can be tracked; for some, the number of sources is unknown",
            );
        }
        if let Some(from) = report.looked.provisional_from {
            let from = crate::output::time::rfc3339(from);
            self.messages.note(&format!("provisional from {from} on: log objects of that time may still be delivered"));
        }
    }

    fn scope(&self, report: &Report, min_score: f64) -> Scope {
        let progress = self.session.progress().snapshot();
        Scope {
            made: self.now,
            sources: self.arguments.sources.names.clone(),
            objects: progress.objects,
            bytes: progress.bytes,
            records: report.looked.requests,
            rejects: progress.rejects,
            first: report.looked.first,
            last: report.looked.last,
            provisional_from: report.looked.provisional_from,
            rules: usize::try_from(report.looked.rules).unwrap_or_default(),
            min_score,
            notes: Vec::new(),
        }
    }

    fn deny(&mut self, findings: &[Finding], min_score: f64) -> Result<(), Failure> {
        let FlagFormat::Deny(format) = self.arguments.format else { return Ok(()) };
        let DenyArgs { max_entries, aggregate, expires, .. } = self.arguments.deny;
        // A set of AWS WAF holds addresses of one version; the others must not use up its entries.
        let version = (format == DenyFormat::AwsWaf).then_some(deny_options(&self.arguments.deny).ip_version);
        let good_for = expires.0;
        let selection = Selection { min_score, max_entries, version, aggregate, good_for, ..Selection::new(self.now) };
        let context = self.options.context()?;
        let list = DenyList::select(findings, &context, &selection)?;
        let printed = list.print(format, &deny_options(&self.arguments.deny))?;
        self.write(&printed.text)?;
        for warning in &printed.warnings {
            self.messages.warning(warning, None);
        }
        let left_out = list.left_out().to_string();
        if left_out != LeftOut::default().to_string() {
            self.messages.note(&format!("not on the list: {left_out}"));
        }
        Ok(())
    }

    async fn learn(&mut self, path: &Path, watch: &mut Watch) -> Result<(), Failure> {
        let baseline = learn(self.session, self.options).await?;
        watch.stop();
        let mut bytes = Vec::new();
        baseline.write(&mut bytes)?;
        let cannot = |error: std::io::Error| Failure::failed(format!("cannot write `{}`: {error}", path.display()));
        let mut destination = crate::output::Destination::file(path).map_err(cannot)?;
        destination.write_all(&bytes).map_err(cannot)?;
        destination.commit().map_err(cannot)?;
        self.messages.note(&format!("wrote the baseline to `{}`; use it with --baseline", path.display()));
        Ok(())
    }

    async fn backtest(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let days = backtest(self.session, self.options).await?;
        watch.stop();
        let fired: Vec<_> = days.iter().filter(|day| day.fired > 0).collect();
        self.output.print(Shape::Rows, &findings::backtest(&fired)?)?;
        let all: std::collections::BTreeSet<i64> = days.iter().map(|day| day.day).collect();
        let rules = self.options.rules().map_or(0, |rules| rules.enabled().count());
        self.messages.note(&format!(
            "{rules} rules over {}, each day with the preceding days as baseline; rules without findings are omitted",
            crate::message::count(all.len() as u64, "day")
        ));
        Ok(())
    }

    async fn explain(&mut self, source: Source, watch: &mut Watch) -> Result<Exit, Failure> {
        let explanation = explain(self.session, self.options, source).await?;
        watch.stop();
        let FlagFormat::Result(format) = self.arguments.format else { return Ok(Exit::Done) };
        match (&explanation.finding, format) {
            (Some(finding), Format::Auto | Format::Table) => {
                let text = super::explained::page(finding, &explanation, self.output.paint());
                self.write(&text)?;
            }
            (None, Format::Auto | Format::Table) => {}
            // Without a finding, programs get a result without rows rather than no result.
            (finding, _) => self.output.print(Shape::Rows, &findings_table::batch(finding.as_slice())?)?,
        }
        if explanation.finding.is_none() {
            self.output.flush().map_err(Failure::from_output)?;
            let looked = looked_at(&explanation.report.looked);
            self.messages.note(&format!("{source} made no request; looked at {looked}"));
        }
        let band = explanation.finding.map(|finding| finding.band).unwrap_or_default();
        Ok(match self.arguments.fail_on {
            Some(wanted) if band >= wanted.0 => Exit::Found,
            _ => Exit::Done,
        })
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.output.sink().write_all(text.as_bytes()).map_err(Failure::from_output)
    }
}

fn open_output(arguments: &FlagArgs, surroundings: Surroundings) -> Result<Output, Failure> {
    let settings = match arguments.format {
        FlagFormat::Result(format) => OutputSettings { format, quiet: surroundings.quiet, ..surroundings.prose() },
        _ => surroundings.prose(),
    };
    Output::open(arguments.destination.file(), settings)
}

async fn options(arguments: &FlagArgs, now: i64, messages: &Messages) -> Result<DetectOptions, Failure> {
    let (rules, lists) = rules::load(&arguments.rules)?;
    let context = context(&arguments.context, &arguments.source, &lists, now, messages)?;
    let mut options = DetectOptions::new(now).with_rules(rules).with_lists(lists).with_context(context);
    if let Some(half_life) = arguments.half_life {
        options = options.with_half_life(half_life.0);
    }
    let baseline = baseline(arguments, &options, messages).await?;
    Ok(options.with_baseline(baseline))
}

/// The baseline: profiles written by `--learn`, and other logs.
async fn baseline(arguments: &FlagArgs, options: &DetectOptions, messages: &Messages) -> Result<Baseline, Failure> {
    let mut logs = Vec::new();
    let mut baseline = Baseline::default();
    for source in arguments.baseline.iter().flatten() {
        let path = Path::new(source);
        let is_parquet = std::fs::File::open(path).is_ok_and(|mut file| {
            let mut magic = [0; 4];
            std::io::Read::read_exact(&mut file, &mut magic).is_ok() && magic == *b"PAR1"
        });
        if is_parquet {
            let bytes = std::fs::read(path).map_err(|error| cannot_read(path, &error))?;
            let learned = Baseline::read(bytes.into()).map_err(|error| error.in_object(source.clone()))?;
            baseline.extend(learned);
        } else {
            logs.push(source.clone());
        }
    }
    if !logs.is_empty() {
        // From all times before the examined ones.
        let source = SourceArgs { since: None, until: arguments.source.since, ..arguments.source.clone() };
        let of_session = session_options(&source, &arguments.behaviour.work)?;
        let session = open_at(&arguments.place, &logs, of_session, messages).await?;
        baseline.extend(learn(&session, options).await?);
    }
    Ok(baseline)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot read `{}`: {error}", path.display()))
}

/// The contents of the network lists and databases.
pub(super) fn context(
    arguments: &ContextArgs,
    source: &SourceArgs,
    lists: &Lists,
    now: i64,
    messages: &Messages,
) -> Result<Context, Failure> {
    type With = fn(Context, &CidrList) -> Context;
    let mut context = Context::new(now).with_crawlers_of(lists)?;
    for (paths, with) in [
        (&arguments.allow, Context::with_allow as With),
        (&arguments.deny, Context::with_deny),
        (&source.cdn.cdn_cidr, Context::with_cdn),
        (&arguments.crawlers, Context::with_crawlers),
        (&arguments.intel, Context::with_intel),
    ] {
        for path in paths.iter().flatten() {
            let list = network_list(path, now)?;
            if list.expired() > 0 {
                let entries = crate::message::count(list.expired() as u64, "entry");
                messages.warning(&format!("`{}`: {entries} past `until=`, ignored", path.display()), None);
            }
            context = with(context, &list);
        }
    }
    let bytes = |path: &Path| std::fs::read(path).map_err(|error| cannot_read(path, &error));
    if let Some(path) = &arguments.geoip {
        context = context.with_geoip(&path.display().to_string(), bytes(path)?)?;
    }
    if let Some(path) = &arguments.asn {
        context = context.with_asn(&path.display().to_string(), bytes(path)?)?;
    }
    Ok(context)
}
