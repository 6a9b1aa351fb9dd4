//! Ballista's scheduler and executor with the functions, stores and operators of this crate.

use super::MAX_MESSAGE;
use super::codec::PhysicalCodec;
use super::connection::for_ballista;
use super::work_folder::WorkFolder;
use crate::error::{Error, ErrorKind};
use crate::functions;
use crate::session::registry;
use crate::store::{StoreOptions, Stores};
use ballista_core::extension::SessionConfigExt as _;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use ballista_core::utils::default_session_builder;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::health::spawn_health_server;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use datafusion_proto::physical_plan::PhysicalExtensionCodec;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::ctrl_c;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Time until a signal that ended an executor is noticed here, too.
const NOTICING: Duration = Duration::from_millis(200);

/// The base session configuration of every process in a cluster.
pub(super) fn session_config() -> SessionConfig {
    SessionConfig::new_with_ballista()
        .with_ballista_grpc_client_max_message_size(MAX_MESSAGE as usize)
        .with_ballista_override_create_grpc_client_endpoint(for_ballista())
}

/// A codec for the operators of Ballista and of this crate.
pub(super) fn codec(stores: &Arc<Stores>) -> Arc<dyn PhysicalExtensionCodec> {
    Arc::new(PhysicalCodec::new(Arc::new(BallistaPhysicalExtensionCodec::default()), Arc::clone(stores)))
}

/// Configures a scheduler with the operators and functions of this crate.
#[must_use]
pub fn scheduler(config: SchedulerConfig, stores: StoreOptions) -> SchedulerConfig {
    let stores = Arc::new(Stores::new(stores));
    let codec = codec(&stores);
    let mut config = config
        .with_override_config_producer(Arc::new(session_config))
        .with_override_session_builder(Arc::new(move |config| session_state(config, &stores)))
        .with_override_create_grpc_client_endpoint(for_ballista());
    config.override_physical_codec = Some(codec);
    config
}

/// Configures an executor with the operators and functions of this crate. `stores` defines how it accesses buckets. It
/// writes intermediate results to a folder of its own within the configured one, by default the system's temporary
/// folder.
///
/// # Errors
///
/// Fails if that folder cannot be created, or a function cannot be registered.
pub fn executor(config: ExecutorProcessConfig, stores: StoreOptions) -> Result<ExecutorProcessConfig, Error> {
    let stores = Arc::new(Stores::new(stores));
    let state = session_state(session_config(), &stores)
        .map_err(|error| Error::new(ErrorKind::Internal, "the executor cannot be set up").with_source(error))?;
    let functions = BallistaFunctionRegistry {
        scalar_functions: state.scalar_functions().clone(),
        aggregate_functions: state.aggregate_functions().clone(),
        window_functions: state.window_functions().clone(),
        higher_order_functions: state.higher_order_functions().clone(),
    };
    let codec = codec(&stores);
    let parent = config.work_dir.as_ref().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = WorkFolder::create(&parent)?;
    Ok(ExecutorProcessConfig {
        work_dir: Some(folder.path().display().to_string()),
        override_create_grpc_client_endpoint: Some(for_ballista()),
        override_function_registry: Some(Arc::new(functions)),
        override_config_producer: Some(Arc::new(session_config)),
        // The folder is deleted together with this configuration.
        override_runtime_producer: Some(Arc::new(move |_| runtime(&stores, Some(folder.path())))),
        override_physical_codec: Some(codec),
        ..config
    })
}

fn runtime(stores: &Arc<Stores>, folder: Option<&Path>) -> DataFusionResult<Arc<RuntimeEnv>> {
    let builder = RuntimeEnvBuilder::new().with_object_store_registry(registry(stores));
    match folder {
        Some(folder) => builder.with_temp_file_path(folder).build_arc(),
        None => builder.build_arc(),
    }
}

fn session_state(config: SessionConfig, stores: &Arc<Stores>) -> DataFusionResult<SessionState> {
    let state = SessionStateBuilder::new_from_existing(default_session_builder(config)?);
    let mut state = state.with_runtime_env(runtime(stores, None)?).build();
    functions::register(&mut state)?;
    Ok(state)
}

/// Runs a scheduler until the process is told to stop.
///
/// # Errors
///
/// Fails if the address is in use or the configuration is invalid.
pub async fn serve_scheduler(config: SchedulerConfig, address: SocketAddr) -> Result<(), Error> {
    let cannot = |error| Error::new(ErrorKind::Internal, "the scheduler stopped").with_source(error);
    let cluster = BallistaCluster::new_from_config(&config).await.map_err(cannot)?;
    start_server(cluster, address, Arc::new(config)).await.map_err(cannot)
}

/// Runs an executor until the process is told to stop, with a health check at the address `health`.
///
/// # Errors
///
/// Fails if the scheduler cannot be reached, no longer answers, or tells the executor to stop; and if an address is in
/// use.
pub async fn serve_executor(config: ExecutorProcessConfig, health: SocketAddr) -> Result<(), Error> {
    let scheduler = format!("{}:{}", config.scheduler_host, config.scheduler_port);
    let (stop, stopped) = oneshot::channel();
    let probes = spawn_health_server(health, config.health.clone(), stopped);
    let told = SpawnedTask::spawn(told_to_stop());
    let served = start_executor_process(Arc::new(config)).await;
    // The receiver is gone if the health server ended earlier.
    let _ = stop.send(());
    drop(probes.await);
    let stopped = |why: String| {
        Error::new(ErrorKind::Unreadable, why)
            .with_hint(format!("is there a scheduler at {scheduler}? restart the executor then"))
    };
    match served {
        Err(error) => Err(stopped("the executor stopped".to_owned()).with_source(error)),
        // Ballista ends an executor after several heartbeats without an answer.
        Ok(()) if timeout(NOTICING, told.join()).await.is_err() => {
            Err(stopped("the executor stopped, because the scheduler did not answer or considered it dead".to_owned()))
        }
        Ok(()) => Ok(()),
    }
}

/// Ends when the process is interrupted or terminated.
async fn told_to_stop() {
    #[cfg(unix)]
    if let Ok(mut terminated) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    drop(ctrl_c().await);
}
