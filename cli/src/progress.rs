//! Progress on standard error: a bar on a terminal, JSON lines for programs.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use s3log_engine::scan::{Progress, ProgressSnapshot, StageProgress};
use s3log_engine::session::Session;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::message::{Messages, count};
use crate::output::json_line;
use crate::output::time::seconds;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar when standard error is a terminal
    #[default]
    Auto,
    /// A bar
    Bar,
    /// One JSON object a second
    Json,
    /// Nothing
    None,
}

/// Runs that end sooner never show a bar.
const PATIENCE: Duration = Duration::from_millis(400);
const BAR_EVERY: Duration = Duration::from_millis(120);
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Runs that read more than this print a note first.
pub(crate) const MANY_OBJECTS: u64 = 10_000;
pub(crate) const MANY_BYTES: u64 = 10 << 30;

/// Shows the progress of a session until stopped or dropped.
pub(crate) struct Watch {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    task: Option<JoinHandle<()>>,
    /// Waits until the listing of a bucket exceeds the limits.
    large: Option<JoinHandle<()>>,
    /// To print a final JSON line.
    json: Option<Shown>,
}

/// What is shown: what a session reads from now on.
#[derive(Clone)]
struct Shown {
    progress: Arc<Progress>,
    before: ProgressSnapshot,
    start: Instant,
}

impl Shown {
    fn now(&self) -> ProgressSnapshot {
        self.progress.snapshot().since(&self.before)
    }

    fn json(&self) -> Result<String, Failure> {
        json(self.now(), &self.progress.stages(), self.start.elapsed())
    }
}

impl Watch {
    /// Starts showing `progress`. `stderr`: whether standard error is a terminal.
    pub(crate) fn start(mode: ProgressMode, stderr: bool, progress: &Arc<Progress>) -> Self {
        let shown = Shown { progress: Arc::clone(progress), before: progress.snapshot(), start: Instant::now() };
        let bar = Arc::new(Mutex::new(None));
        let bar_wanted = mode == ProgressMode::Bar || (mode == ProgressMode::Auto && stderr);
        let task = if bar_wanted {
            Some(tokio::spawn(draw(shown.clone(), Arc::clone(&bar))))
        } else if mode == ProgressMode::Json {
            Some(tokio::spawn(report(shown.clone())))
        } else {
            None
        };
        let json = (mode == ProgressMode::Json).then_some(shown);
        Self { bar, task, large: None, json }
    }

    /// Prints a note once the listing of a bucket exceeds the limits; its size is not known in advance.
    pub(crate) fn announce_large(&mut self, session: &Session, messages: Messages) {
        if !session.locations().is_empty() && self.large.is_none() {
            self.large = Some(tokio::spawn(announce(Arc::clone(session.progress()), Arc::clone(&self.bar), messages)));
        }
    }

    /// Stops and removes the bar, so that other text can follow.
    pub(crate) fn stop(&mut self) {
        if let Some(large) = self.large.take() {
            large.abort();
        }
        if let Some(task) = self.task.take() {
            task.abort();
            if let Some(shown) = &self.json {
                say(shown.json());
            }
        }
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn draw(shown: Shown, slot: Arc<Mutex<Option<ProgressBar>>>) {
    tokio::time::sleep(PATIENCE).await;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The templates are constant and valid; the default style is a fallback.
    let style = |template| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style("{spinner} {wide_msg}"));
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    let mut every = tokio::time::interval(BAR_EVERY);
    let mut with_length = false;
    loop {
        every.tick().await;
        let now = shown.now();
        // Held while drawing, so that nothing is drawn after the bar was removed.
        let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bar) = slot.as_ref() else { return };
        if now.bytes_total > 0 {
            if !with_length {
                bar.set_style(style("{bar:20.cyan/blue} {wide_msg}"));
                with_length = true;
            }
            bar.set_length(now.bytes_total.max(now.bytes));
            bar.set_position(now.bytes);
        }
        bar.set_message(sentence(now, &shown.progress.stages(), shown.start.elapsed()));
        bar.tick();
    }
}

async fn announce(progress: Arc<Progress>, bar: Arc<Mutex<Option<ProgressBar>>>, messages: Messages) {
    let mut every = tokio::time::interval(BAR_EVERY);
    loop {
        every.tick().await;
        let now = progress.snapshot();
        if now.objects_total <= MANY_OBJECTS && now.bytes_total <= MANY_BYTES {
            continue;
        }
        let listed = format!("{} with {}", count(now.objects_total, "object"), HumanBytes(now.bytes_total));
        let note = || {
            messages.note(&format!(
                "{listed} to read so far, still listing; `s3log plan` counts all of them, `WHERE time …` or --since reads less"
            ));
        };
        match bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(bar) => bar.suspend(note),
            None => note(),
        }
        return;
    }
}

async fn report(shown: Shown) {
    let mut every = tokio::time::interval(JSON_EVERY);
    every.tick().await;
    loop {
        every.tick().await;
        say(shown.json());
    }
}

/// The text of the bar: objects, bytes, records, rejects, rate, time left.
fn sentence(now: ProgressSnapshot, stages: &[StageProgress], elapsed: Duration) -> String {
    // A cluster reports what it read only at the end; until then, show how many of its tasks are done.
    if let Some(stage) = stages.iter().rfind(|stage| stage.tasks > 0)
        && stages.iter().any(|stage| !stage.is_done)
    {
        let StageProgress { stage, tasks, done, .. } = stage;
        return format!("stage {stage} of {}: {done}/{tasks} tasks, {}", stages.len(), HumanDuration(elapsed));
    }
    if now.objects_total == 0 && now.bytes == 0 {
        return "working".to_owned();
    }
    let of =
        |part: String, whole: u64, whole_text: String| if whole > 0 { format!("{part}/{whole_text}") } else { part };
    let objects = of(HumanCount(now.objects).to_string(), now.objects_total, HumanCount(now.objects_total).to_string());
    let bytes = of(HumanBytes(now.bytes).to_string(), now.bytes_total, HumanBytes(now.bytes_total).to_string());
    let mut text = format!("{objects} objects, {bytes}, {} records", HumanCount(now.rows));
    if now.rejects > 0 {
        text.push_str(&format!(", {} rejects", HumanCount(now.rejects)));
    }
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 && now.bytes > 0 {
        let rate = now.bytes as f64 / seconds;
        text.push_str(&format!(", {}/s", HumanBytes(rate as u64)));
        let left = now.bytes_total.saturating_sub(now.bytes);
        if left > 0 {
            text.push_str(&format!(", {} left", HumanDuration(Duration::from_secs_f64(left as f64 / rate))));
        }
    }
    text
}

fn json(now: ProgressSnapshot, stages: &[StageProgress], elapsed: Duration) -> Result<String, Failure> {
    let stage = |at: &StageProgress| StageFigures { stage: at.stage, tasks: at.tasks, done: at.done };
    let figures = Figures {
        objects: now.objects,
        objects_total: now.objects_total,
        bytes: now.bytes,
        bytes_total: now.bytes_total,
        records: now.rows,
        rejects: now.rejects,
        objects_pruned: now.pruned,
        objects_archived: now.archived,
        seconds: seconds(elapsed),
        stages: stages.iter().map(stage).collect(),
    };
    json_line(&figures, false)
}

/// A line of JSON progress.
#[derive(Serialize)]
struct Figures {
    objects: u64,
    objects_total: u64,
    bytes: u64,
    bytes_total: u64,
    records: u64,
    rejects: u64,
    objects_pruned: u64,
    objects_archived: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<StageFigures>,
}

/// Progress of a stage on a cluster.
#[derive(Serialize)]
struct StageFigures {
    stage: u32,
    tasks: usize,
    done: usize,
}

/// Writes one line, if there is one. A failure is ignored: there is nowhere to report it.
fn say(line: Result<String, Failure>) {
    if let Ok(line) = line {
        drop(writeln!(io::stderr().lock(), "{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> ProgressSnapshot {
        let mut now = ProgressSnapshot::default();
        (now.objects_total, now.bytes_total) = (1_200, 300 << 20);
        (now.objects, now.bytes, now.rows, now.rejects) = (400, 100 << 20, 123_456, 3);
        now
    }

    #[test]
    fn the_bar_says_everything() {
        insta::assert_snapshot!(sentence(now(), &[], Duration::from_secs(2)),
            @"400/1,200 objects, 100.00 MiB/300.00 MiB, 123,456 records, 3 rejects, 50.00 MiB/s, 4 seconds left");
    }

    #[test]
    fn without_totals_it_promises_nothing() {
        let mut now = now();
        (now.objects_total, now.bytes_total, now.rejects) = (0, 0, 0);
        insta::assert_snapshot!(sentence(now, &[], Duration::from_secs(2)),
            @"400 objects, 100.00 MiB, 123,456 records, 50.00 MiB/s");
    }

    #[test]
    fn a_query_that_reads_no_log_counts_none() {
        let stage = |stage, tasks, done| StageProgress { stage, tasks, done, is_done: tasks > 0 && tasks == done };
        let stages = [stage(1, 8, 8), stage(2, 4, 1), stage(3, 0, 0)];
        let running = sentence(now(), &stages, Duration::from_secs(2));
        assert_eq!(running, "stage 2 of 3: 1/4 tasks, 2 seconds");
        assert!(json(now(), &stages, Duration::ZERO).unwrap().ends_with(
            r#","stages":[{"stage":1,"tasks":8,"done":8},{"stage":2,"tasks":4,"done":1},{"stage":3,"tasks":0,"done":0}]}"#
        ));
        assert_eq!(sentence(ProgressSnapshot::default(), &[], Duration::from_secs(2)), "working");
    }

    #[test]
    fn json_lines() {
        insta::assert_snapshot!(json(now(), &[], Duration::from_millis(1500)).unwrap(),
            @r#"{"objects":400,"objects_total":1200,"bytes":104857600,"bytes_total":314572800,"records":123456,"rejects":3,"objects_pruned":0,"objects_archived":0,"seconds":1.5}"#);
    }
}
