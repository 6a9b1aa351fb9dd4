//! Client of a cluster: submits a plan, waits, and fetches rows and counts.

use super::codec::with_packed_objects;
use super::connection::{for_ballista, on_connection};
use super::job::{Job, Stages};
use super::server::{codec, session_config};
use super::{MAX_MESSAGE, RunOnCluster};
use crate::error::{Error, ErrorKind};
use crate::scan::{Progress, add_tally};
use crate::session::RemoteExecution;
use crate::store::{StoreOptions, Stores};
use ballista_core::client::BallistaClient;
use ballista_core::extension::{BallistaConfigGrpcEndpoint, SessionConfigExt as _};
use ballista_core::optimizer::with_ballista_optimizer_rules;
use ballista_core::serde::protobuf::execute_query_failure_result::Failure;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::execute_query_result::Result as Submitted;
use ballista_core::serde::protobuf::get_job_status_result::FlightProxy;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::protobuf::operator_metric::Metric;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    ExecuteQueryFailureResult, ExecuteQueryParams, GetJobMetricsParams, GetJobStatusParams, JobStageMetrics,
    KeyValuePair, OperatorMetricsSet, PartitionLocation,
};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version::insert_version_header;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::optimizer::Optimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_proto::physical_plan::{AsExecutionPlan as _, PhysicalExtensionCodec};
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::{StreamExt as _, TryStreamExt as _, future};
use regex::Regex;
use serde::Deserialize;
use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// Default port of a scheduler.
const PORT: u16 = 50050;
/// Number of tasks per core, so that cores which finish early find more work.
const PARTITIONS_PER_CORE: usize = 2;
/// Number of partitions while there is no executor yet and the number of cores is unknown.
const DEFAULT_PARTITIONS: usize = 16;
/// Timeout for connecting to the scheduler, and for its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Polling interval for the status of a job: short at first, longer for jobs that take longer.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Number of times a scheduler may say that it does not know a job.
const UNKNOWN: u32 = 50;
/// Timeout for sending a plan, which may take a while over a slow connection, and for having it taken.
const SUBMITTING: Duration = Duration::from_secs(600);
/// Time for which the status of a job may be unavailable.
const SILENCE: Duration = Duration::from_secs(10);
/// Number of times a job runs if executors are lost and its result cannot be trusted, and a task may lose its executor.
const ATTEMPTS: usize = 3;
/// Polling interval for the stages of a job.
const LOOK_EVERY: Duration = Duration::from_millis(500);

type Scheduler = SchedulerGrpcClient<Channel>;

/// A cluster, reached through its scheduler.
#[derive(Debug)]
pub struct Cluster {
    host: String,
    port: u16,
    cores: usize,
    executors: usize,
    rest: reqwest::Client,
    stores: Arc<Stores>,
    codec: Arc<dyn PhysicalExtensionCodec>,
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "df://{}:{}", self.host, self.port)
    }
}

/// An executor, as described by the scheduler's REST API.
#[derive(Deserialize)]
struct Executor {
    specification: Specification,
}

#[derive(Deserialize)]
struct Specification {
    vcores: usize,
}

impl Cluster {
    /// Connects to a scheduler at `df://host:port` and asks for its executors.
    ///
    /// # Errors
    ///
    /// Fails if the address is malformed or no scheduler answers.
    pub async fn connect(address: &str) -> Result<Arc<Self>, Error> {
        let (host, port) = host_and_port(address)?;
        let unreachable = |error: reqwest::Error| {
            Error::new(ErrorKind::NotFound, "no scheduler found")
                .in_object(address)
                .with_source(error.without_url())
                .with_hint("start one with `s3log cluster scheduler`, which serves its REST interface on the same port")
        };
        let rest = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(unreachable)?;
        let asked = rest.get(format!("http://{host}:{port}/api/executors")).send().await;
        let answer = asked.and_then(reqwest::Response::error_for_status).map_err(unreachable)?;
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let executors: Vec<Executor> = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "what answers is not a scheduler of this version")
                .in_object(address)
                .with_source(error)
        })?;
        let cores = executors.iter().map(|executor| executor.specification.vcores).sum();
        let stores = Arc::new(Stores::new(StoreOptions::default()));
        let codec = codec(&stores);
        Ok(Arc::new(Self { host, port, cores, executors: executors.len(), rest, stores, codec }))
    }

    /// Number of executors at the time of connecting.
    #[must_use]
    pub fn executors(&self) -> usize {
        self.executors
    }

    /// Number of tasks that all executors together can run in parallel.
    #[must_use]
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// Session options that make plans run on this cluster.
    #[must_use]
    pub fn remote_execution(self: &Arc<Self>) -> RemoteExecution {
        RemoteExecution {
            config: session_config(),
            hand_over: Arc::new(RunOnCluster::new(Arc::clone(self))),
            prepare: Arc::new(|builder| {
                builder.with_optimizer_rules(with_ballista_optimizer_rules(&Optimizer::default().rules))
            }),
            partitions: match self.cores {
                0 => DEFAULT_PARTITIONS,
                cores => cores * PARTITIONS_PER_CORE,
            },
        }
    }

    /// Runs a plan. The counts of its scans are added to `progress` before the first row is returned.
    pub(super) async fn run(
        self: Arc<Self>,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        progress: Option<Arc<Progress>>,
    ) -> Result<Answer> {
        let schema = plan.schema();
        let submission = self.submission(with_packed_objects(plan, &self.stores)?, &context)?;
        for _ in 0..ATTEMPTS {
            let finished = self.finished(submission.clone(), progress.as_ref()).await?;
            let Some(Finished { job, locations, proxy }) = finished else { continue };
            let stages = self.metrics(job.id()).await?;
            if let Some(progress) = &progress {
                progress.set_stages(Vec::new());
                let operators = stages.iter().flat_map(|stage| &stage.operators);
                for metric in operators.flat_map(|operator| &operator.metrics) {
                    if let Some(Metric::Count(count)) = &metric.metric {
                        add_tally(progress, &count.name, count.value);
                    }
                }
            }
            let proxy = self.proxy(proxy)?;
            let settings = GrpcClientConfig::from(&context.session_config().ballista_config());
            let rows = futures::stream::iter(locations).then(move |location| {
                let (this, settings, proxy) = (Arc::clone(&self), settings.clone(), proxy.clone());
                async move { this.rows(location, proxy, &settings).await }
            });
            // The executors keep the result until its last row, or until nobody wants it any more.
            let end = futures::stream::once(async move { drop(job) }).filter_map(|()| future::ready(None));
            let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten().chain(end)));
            return Ok(Answer { rows, stages });
        }
        Err(self.losing(&format!("in each of {ATTEMPTS} attempts")).into())
    }

    /// Submits a plan and waits for its result; `None` if it must run again.
    async fn finished(
        self: &Arc<Self>,
        submission: ExecuteQueryParams,
        progress: Option<&Arc<Progress>>,
    ) -> Result<Option<Finished>, Error> {
        let mut request = tonic::Request::new(submission);
        insert_version_header(request.metadata_mut());
        let submitted = self.scheduler_within(SUBMITTING).await?.execute_query(request).await;
        let submitted = submitted.map_err(|status| match is_of_connection(&status) {
            true => self.lost(status),
            false => self.refused(status.message()),
        })?;
        let mut job = match submitted.into_inner().result {
            Some(Submitted::Success(taken)) => Job::new(taken.job_id, Arc::clone(self)),
            Some(Submitted::Failure(refused)) => return Err(self.refused(&reason_of(refused))),
            None => return Err(self.lost("it does not report the state of the plan")),
        };
        let mut scheduler = self.scheduler().await?;
        let mut next_look = Instant::now() + LOOK_EVERY;
        let (mut pause, mut unknown, mut silent_since) = (SHORTEST_PAUSE, 0, None);
        loop {
            match scheduler.get_job_status(GetJobStatusParams { job_id: job.id().to_owned() }).await {
                Ok(answer) => {
                    silent_since = None;
                    let said = answer.into_inner();
                    match said.status.and_then(|status| status.status) {
                        Some(Status::Successful(done)) => {
                            job.succeeded();
                            let selected = self.stages(job.id()).await?.select(done.partition_location);
                            let proxy = said.flight_proxy;
                            return Ok(selected.map(|locations| Finished { job, locations, proxy }));
                        }
                        Some(Status::Failed(failed)) => {
                            job.failed();
                            return Err(self.failed(&failed.error));
                        }
                        Some(_) => {}
                        // It takes a moment until a new job is known.
                        None if unknown < UNKNOWN => unknown += 1,
                        None => return Err(self.lost("it no longer knows the job")),
                    }
                }
                Err(status) => {
                    let since: Instant = *silent_since.get_or_insert_with(Instant::now);
                    if !is_of_connection(&status) || since.elapsed() > SILENCE {
                        return Err(self.lost(status));
                    }
                }
            }
            if Instant::now() >= next_look {
                // Failures are ignored: progress is best effort, and losses are looked at again when the job is done.
                if let Ok(stages) = self.stages(job.id()).await {
                    if stages.must_run_again() {
                        return Ok(None);
                    }
                    if stages.most_losses() > ATTEMPTS {
                        return Err(self.losing("again and again while they did the same task"));
                    }
                    if let Some(progress) = progress {
                        progress.set_stages(stages.progress());
                    }
                }
                next_look = Instant::now() + LOOK_EVERY;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn submission(&self, plan: Arc<dyn ExecutionPlan>, context: &TaskContext) -> Result<ExecuteQueryParams> {
        let node = PhysicalPlanNode::try_from_physical_plan(plan, self.codec.as_ref())
            .map_err(|error| cannot_travel(&error))?;
        let mut bytes = Vec::new();
        node.try_encode(&mut bytes)?;
        let settings = context.session_config().options().entries();
        let settings = settings.into_iter().map(|entry| KeyValuePair { key: entry.key, value: entry.value }).collect();
        Ok(ExecuteQueryParams {
            query: Some(Query::PhysicalPlan(bytes)),
            settings,
            session_id: context.session_id(),
            operation_id: context.task_id().unwrap_or_else(|| context.session_id()),
        })
    }

    /// Connects to the scheduler.
    pub(super) async fn scheduler(&self) -> Result<Scheduler, Error> {
        self.scheduler_within(PATIENCE).await
    }

    /// Connects to the scheduler; each call may take this long.
    async fn scheduler_within(&self, timeout: Duration) -> Result<Scheduler, Error> {
        let unreachable = |error: tonic::transport::Error| {
            Error::new(ErrorKind::NotFound, "the scheduler is gone").in_object(self.to_string()).with_source(error)
        };
        let endpoint = create_grpc_client_endpoint(format!("http://{}:{}", self.host, self.port), None);
        let endpoint = endpoint.map_err(|error| {
            Error::new(ErrorKind::Invalid, "it is not an address").in_object(self.to_string()).with_source(error)
        })?;
        let channel = on_connection(endpoint).timeout(timeout).connect().await.map_err(unreachable)?;
        Ok(SchedulerGrpcClient::new(channel)
            .max_encoding_message_size(MAX_MESSAGE as usize)
            .max_decoding_message_size(MAX_MESSAGE as usize))
    }

    /// The metrics of the stages of a finished job.
    async fn metrics(&self, job: &str) -> Result<Vec<JobStageMetrics>, Error> {
        let metrics = self.scheduler().await?.get_job_metrics(GetJobMetricsParams { job_id: job.to_owned() }).await;
        Ok(metrics.map_err(|status| self.lost(status))?.into_inner().stages)
    }

    /// The stages of a job.
    async fn stages(&self, job: &str) -> Result<Stages, Error> {
        let lost = |error: reqwest::Error| self.lost(error.without_url());
        let url = format!("http://{}:{}/api/job/{job}/stages", self.host, self.port);
        let answer = self.rest.get(url).send().await;
        let bytes = answer.and_then(reqwest::Response::error_for_status).map_err(lost)?.bytes().await.map_err(lost)?;
        serde_json::from_slice(&bytes).map_err(|error| self.lost(error))
    }

    /// Host and port of the Flight proxy, if rows are not fetched from the executors directly.
    fn proxy(&self, proxy: Option<FlightProxy>) -> Result<Option<(String, u16)>, Error> {
        match proxy {
            None | Some(FlightProxy::Local(false)) => Ok(None),
            Some(FlightProxy::Local(true)) => Ok(Some((self.host.clone(), self.port))),
            Some(FlightProxy::External(address)) => host_and_port(&format!("df://{address}")).map(Some),
        }
    }

    /// The rows of one partition of the last stage, from the executor that has it.
    async fn rows(
        &self,
        location: PartitionLocation,
        proxy: Option<(String, u16)>,
        settings: &GrpcClientConfig,
    ) -> Result<SendableRecordBatchStream> {
        let layout = location.layout();
        let (Some(executor), Some(partition)) = (location.executor_meta, location.partition_id) else {
            return Err(self.lost("it does not say where the rows are").into());
        };
        let port = u16::try_from(executor.port).unwrap_or_default();
        let (host_here, port_here) = proxy.unwrap_or_else(|| (executor.host.clone(), port));
        let gone = |error| {
            Error::new(ErrorKind::Unreadable, "an executor does not return its rows")
                .in_object(format!("{host_here}:{port_here}"))
                .with_source(error)
                .with_hint(
                    "executors must be reachable from here, unless the scheduler runs with --enable-embedded-flight-proxy",
                )
        };
        let client = BallistaClient::try_new(
            &host_here,
            port_here,
            settings.max_message_size,
            settings.use_tls,
            Some(Arc::new(BallistaConfigGrpcEndpoint::new(for_ballista()))),
            settings.io_retries_times,
            settings.io_retry_wait_time_ms,
            settings.initial_connection_window_size,
            settings.initial_stream_window_size,
        );
        let mut client = client.await.map_err(gone)?;
        let (id, file) = (&executor.id, location.file_id);
        let rows =
            client.fetch_partition_proxied(id, &partition.into(), file, layout, &executor.host, port, true).await;
        Ok(rows.map_err(gone)?)
    }

    fn refused(&self, why: &str) -> Error {
        Error::new(ErrorKind::Unsupported, format!("the scheduler rejected the plan: {why}"))
            .in_object(self.to_string())
            .with_hint("run the same version of s3log on all machines")
    }

    /// The error for executors that keep getting lost.
    fn losing(&self, when: &str) -> Error {
        Error::new(ErrorKind::Unreadable, format!("executors were lost {when}"))
            .in_object(self.to_string())
            .with_hint("did they run out of memory? their logs and the scheduler's say more")
    }

    fn lost(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Unreadable, "the scheduler was lost")
            .in_object(self.to_string())
            .with_source(why)
            .with_hint("the jobs of a scheduler that stops are lost; run the query again")
    }

    /// The error of a failed job. If the executor's message contains an error of this crate, in `Debug` form, it is
    /// restored.
    fn failed(&self, message: &str) -> Error {
        static OURS: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let text = r#""((?:[^"\\]|\\.)*)""#;
            let maybe = |name: &str| format!(r"{name}: (?:None|Some\({text}\))");
            let pattern = format!(r"Error \{{ kind: (\w+), message: {text}, {}, {}", maybe("object"), maybe("hint"));
            Regex::new(&pattern).ok()
        });
        let Some(ours) = OURS.as_ref().and_then(|ours| ours.captures(message)) else {
            return Error::new(ErrorKind::Internal, format!("the cluster could not run it: {message}"));
        };
        let text = |at: usize| ours.get(at).map(|text| text.as_str().replace(r#"\""#, r#"""#).replace(r"\\", r"\"));
        // An executor of a later version may know other kinds.
        let kind = ours.get(1).and_then(|kind| ErrorKind::from_name(kind.as_str())).unwrap_or(ErrorKind::Unreadable);
        let error = Error::new(kind, text(2).unwrap_or_default());
        let error = text(3).into_iter().fold(error, Error::in_object);
        text(4).into_iter().fold(error, Error::with_hint)
    }
}

/// The error for a plan that cannot be serialized.
fn cannot_travel(error: &DataFusionError) -> Error {
    if let Some(ours) = Error::find(error) {
        return ours.repeated();
    }
    let message = error.to_string();
    // The message ends with the `Debug` form of the whole operator.
    let operator = message.rsplit_once("Plan: ").map(|(_, plan)| plan.split(|letter: char| !letter.is_alphanumeric()));
    let operator = operator.and_then(|mut words| words.next()).filter(|name| !name.is_empty());
    let what = match operator {
        Some(operator) => format!("this query has a part that cannot be sent to a cluster: {operator}"),
        None => format!("this query cannot be sent to a cluster: {message}"),
    };
    Error::new(ErrorKind::Unsupported, what)
        .with_hint("run it without --cluster, or save that part to a Parquet file first")
}

/// Why the scheduler rejected a plan.
fn reason_of(refused: ExecuteQueryFailureResult) -> String {
    match refused.failure {
        Some(Failure::SessionNotFound(why) | Failure::PlanParsingFailure(why) | Failure::SqlParsingFailure(why)) => why,
        None => "it does not say why".to_owned(),
    }
}

/// A job that has succeeded, and where its result is.
struct Finished {
    job: Job,
    locations: Vec<PartitionLocation>,
    proxy: Option<FlightProxy>,
}

/// The result of a job.
pub(super) struct Answer {
    pub(super) rows: SendableRecordBatchStream,
    /// Metrics of each stage.
    pub(super) stages: Vec<JobStageMetrics>,
}

/// The operators of each stage with their metrics, as text.
pub(super) fn text_of(stages: &[JobStageMetrics]) -> String {
    let mut text = String::new();
    for stage in stages {
        let _ = writeln!(text, "stage {}: {} partitions", stage.stage_id, stage.partitions);
        for operator in &stage.operators {
            let depth = 2 * (operator.depth as usize + 1);
            let _ = write!(text, "{:depth$}{}", "", operator.operator_desc);
            let metrics = OperatorMetricsSet { metrics: operator.metrics.clone() };
            // A scheduler of another version may send metrics that are unknown here.
            if let Ok(metrics) = TryInto::<MetricsSet>::try_into(metrics) {
                let metrics = metrics.aggregate_by_name().sorted_for_display().timestamps_removed();
                let _ = write!(text, ", metrics=[{metrics}]");
            }
            text.push('\n');
        }
    }
    text
}

/// Whether a call failed because of the connection, and not because of what was asked.
fn is_of_connection(status: &tonic::Status) -> bool {
    use tonic::Code::{Cancelled, DeadlineExceeded, Unavailable, Unknown};
    matches!(status.code(), Cancelled | DeadlineExceeded | Unavailable | Unknown)
}

fn host_and_port(address: &str) -> Result<(String, u16), Error> {
    let invalid = || {
        Error::new(ErrorKind::Invalid, "it is not the address of a scheduler")
            .in_object(address)
            .with_hint("write a scheduler as df://host:50050")
    };
    let url = url::Url::parse(address).map_err(|error| invalid().with_source(error))?;
    let is_bare = matches!(url.path(), "" | "/")
        && (url.username(), url.password(), url.query(), url.fragment()) == ("", None, None, None);
    match (url.scheme(), url.host_str()) {
        ("df", Some(host)) if !host.is_empty() && is_bare => Ok((host.to_owned(), url.port().unwrap_or(PORT))),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_executors_say_is_found() {
        let stores = Arc::new(Stores::new(StoreOptions::default()));
        let (host, rest, codec) = ("h".to_owned(), reqwest::Client::new(), codec(&stores));
        let cluster = Cluster { host, port: 1, cores: 1, executors: 1, rest, stores, codec };
        let ours = Error::new(ErrorKind::Denied, r#"it says "no" \ never"#).in_object("s3://logs/a").with_hint("ask");
        let message = format!("Job failed: Task failed: DataFusionError(External({ours:?}))");
        let found = cluster.failed(&message);
        assert_eq!(found.to_string(), r#"s3://logs/a: it says "no" \ never"#);
        assert_eq!((found.kind(), found.hint()), (ErrorKind::Denied, Some("ask")));
        let found = cluster.failed("all executors were lost");
        assert_eq!(found.to_string(), "the cluster could not run it: all executors were lost");
    }

    #[test]
    fn addresses() {
        for (address, expected) in [
            ("df://localhost:50050", Some(("localhost", 50050))),
            ("df://scheduler", Some(("scheduler", PORT))),
            ("df://[2001:db8::1]:7", Some(("[2001:db8::1]", 7))),
            ("http://localhost:50050", None),
            ("localhost:50050", None),
            ("df://host/path", None),
            ("df://ann:secret@host", None),
            ("df://host?x=1", None),
            ("df://", None),
            ("", None),
        ] {
            let found = host_and_port(address).ok();
            assert_eq!(found.as_ref().map(|(host, port)| (host.as_str(), *port)), expected, "{address}");
        }
    }
}
