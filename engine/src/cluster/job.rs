//! A job on a cluster: its stages, what lost executors mean for its result, and what remains to be done at its end.

use super::client::Cluster;
use crate::scan::StageProgress;
use ballista_core::serde::protobuf::{CancelJobParams, CleanJobDataParams, PartitionLocation};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Timeout for cancelling a job, and for deleting its result.
const ENDING: Duration = Duration::from_secs(1);

/// A job. While it runs, dropping it cancels it; once it has a result, dropping it deletes the result from the
/// executors, which would otherwise keep it for a day.
#[derive(Debug)]
pub(super) struct Job {
    id: String,
    cluster: Arc<Cluster>,
    state: JobState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobState {
    Running,
    HasResult,
    /// The scheduler cleans up by itself.
    Failed,
}

impl Job {
    pub(super) fn new(id: String, cluster: Arc<Cluster>) -> Self {
        Self { id, cluster, state: JobState::Running }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn succeeded(&mut self) {
        self.state = JobState::HasResult;
    }

    pub(super) fn failed(&mut self) {
        self.state = JobState::Failed;
    }
}

impl Drop for Job {
    /// Runs in its own thread and runtime: after an interrupt, the caller's runtime may end right away.
    fn drop(&mut self) {
        if self.state == JobState::Failed {
            return;
        }
        let (cluster, job_id, state) = (Arc::clone(&self.cluster), std::mem::take(&mut self.id), self.state);
        let ending = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let ended = async {
                let Ok(mut scheduler) = cluster.scheduler().await else { return };
                // Best effort: nothing can be done about a failure here.
                match state {
                    JobState::Running => drop(scheduler.cancel_job(CancelJobParams { job_id }).await),
                    _ => {
                        let all = CleanJobDataParams { job_id, remove_stage_ids: Vec::new() };
                        drop(scheduler.clean_job_data(all).await);
                    }
                }
            };
            drop(runtime.block_on(async { tokio::time::timeout(ENDING, ended).await }));
        });
        drop(ending.join());
    }
}

/// Stages of a job, as described by the scheduler's REST API.
#[derive(Debug, Deserialize)]
pub(super) struct Stages {
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    stage_id: String,
    stage_status: String,
    tasks: Vec<Option<Task>>,
}

#[derive(Debug, Deserialize)]
struct Task {
    id: u32,
    partition_id: Vec<u32>,
    /// `"Running"`, `"Successful"`, or an object keyed by the name of another state.
    status: serde_json::Value,
}

impl Task {
    fn is_successful(&self) -> bool {
        self.status == "Successful"
    }

    /// Whether its executor was lost, together with its result if it had one.
    fn is_lost(&self) -> bool {
        self.status["Failed"]["reason"] == "ResultLost"
    }
}

impl Stages {
    /// The progress of each stage, in their order.
    pub(super) fn progress(&self) -> Vec<StageProgress> {
        let mut stages: Vec<_> = self.stages.iter().map(StageProgress::from).collect();
        stages.sort_by_key(|stage| stage.stage);
        stages
    }

    /// Whether the job must run again as a whole, because its result cannot be trusted after the loss of an executor.
    ///
    /// Ballista repeats tasks whose results were lost, and if a stage lost part of its input, all tasks of that stage
    /// (`rollback_running_stage` in its `execution_graph.rs`). But results of such a stage that were already passed on
    /// are kept, so that rows may be twice in the input of a later stage, or in the result. Nothing tells whether that
    /// happened.
    pub(super) fn must_run_again(&self) -> bool {
        self.stages.len() > 1 && self.tasks().any(Task::is_lost)
    }

    /// Selects what belongs to the result of a successful job; `None` if it must run again.
    ///
    /// Even in a job of one stage, the results of lost tasks are still in the list that Ballista returns.
    pub(super) fn select(&self, mut locations: Vec<PartitionLocation>) -> Option<Vec<PartitionLocation>> {
        if self.must_run_again() {
            return None;
        }
        if self.tasks().any(Task::is_lost) {
            let successful: HashSet<u32> =
                self.tasks().filter(|task| task.is_successful()).map(|task| task.id).collect();
            locations.retain(|location| successful.contains(&location.map_partition_id));
        }
        Some(locations)
    }

    /// How often the executors of one partition's tasks were lost, at most.
    pub(super) fn most_losses(&self) -> usize {
        let most = |stage: &Stage| {
            let mut losses: HashMap<u32, usize> = HashMap::new();
            for task in stage.tasks.iter().flatten().filter(|task| task.is_lost()) {
                task.partition_id.iter().for_each(|partition| *losses.entry(*partition).or_insert(0) += 1);
            }
            losses.into_values().max().unwrap_or_default()
        };
        self.stages.iter().map(most).max().unwrap_or_default()
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.stages.iter().flat_map(|stage| stage.tasks.iter().flatten())
    }
}

impl From<&Stage> for StageProgress {
    fn from(stage: &Stage) -> Self {
        let is_done = |task: &&Option<Task>| task.as_ref().is_some_and(Task::is_successful);
        Self {
            stage: stage.stage_id.parse().unwrap_or_default(),
            tasks: stage.tasks.len(),
            done: stage.tasks.iter().filter(is_done).count(),
            is_done: stage.stage_status == "Successful",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(id: usize, tasks: &[&str]) -> String {
        let tasks: Vec<String> = tasks
            .iter()
            .enumerate()
            .map(|(id, status)| match *status {
                "Successful" | "Running" => format!(r#"{{"id":{id},"partition_id":[0],"status":"{status}"}}"#),
                reason => format!(
                    r#"{{"id":{id},"partition_id":[0],"status":{{"Failed":{{"reason":"{reason}","error":"x"}}}}}}"#
                ),
            })
            .collect();
        format!(r#"{{"stage_id":"{id}","stage_status":"Successful","tasks":[{}]}}"#, tasks.join(","))
    }

    fn stages(stages: &[String]) -> Stages {
        serde_json::from_str(&format!(r#"{{"stages":[{}]}}"#, stages.join(","))).unwrap()
    }

    /// The tasks whose results are selected of these.
    fn selected(stages: &Stages, tasks: &[u32]) -> Option<Vec<u32>> {
        let of = |task: &u32| PartitionLocation { map_partition_id: *task, ..PartitionLocation::default() };
        let selected = stages.select(tasks.iter().map(of).collect())?;
        Some(selected.iter().map(|location| location.map_partition_id).collect())
    }

    #[test]
    fn results_of_lost_tasks_are_left_out() {
        let whole = stages(&[stage(1, &["Successful", "Successful"])]);
        assert_eq!(selected(&whole, &[0, 1]), Some(vec![0, 1]));
        // Task 2 repeats task 1, and task 0 has two partitions.
        let repeated = stages(&[stage(1, &["Successful", "ResultLost", "Successful"])]);
        assert_eq!(selected(&repeated, &[0, 0, 1, 2]), Some(vec![0, 0, 2]));
        // A task that failed before it had a result.
        let failed = stages(&[stage(1, &["IoError", "Successful"]), stage(2, &["Successful"])]);
        assert_eq!(selected(&failed, &[0]), Some(vec![0]));
    }

    #[test]
    fn after_a_loss_jobs_of_several_stages_run_again() {
        let lost = stages(&[stage(1, &["Successful", "ResultLost", "Successful"]), stage(2, &["Successful"])]);
        assert!(lost.must_run_again());
        assert_eq!(selected(&lost, &[0]), None);
    }

    #[test]
    fn a_partition_that_loses_its_executors_is_noticed() {
        let stages = stages(&[stage(1, &["ResultLost", "ResultLost", "IoError", "Running"])]);
        assert_eq!((stages.most_losses(), stages.must_run_again()), (2, false));
    }

    #[test]
    fn progress_is_in_the_order_of_stages() {
        let progress = stages(&[stage(2, &["Running"]), stage(1, &["Successful", "ResultLost"])]).progress();
        let progress: Vec<_> = progress.iter().map(|stage| (stage.stage, stage.tasks, stage.done)).collect();
        assert_eq!(progress, [(1, 2, 1), (2, 1, 0)]);
    }
}
