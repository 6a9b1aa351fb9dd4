//! `s3log cluster`: runs the processes of a cluster.

use std::net::SocketAddr;

use ballista_core::config::LogRotationPolicy;
use ballista_executor::executor_process::ExecutorProcessConfig;
use ballista_scheduler::config::SchedulerConfig;
use s3log_engine::cluster::{executor, scheduler, serve_executor, serve_scheduler};
use s3log_engine::store::StoreOptions;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

use super::Surroundings;
use crate::args::{ClusterArgs, ClusterCommand, ExecutorArgs, SchedulerArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// Stack size of the threads in bytes: deep plans are traversed recursively.
const STACK: usize = 32 << 20;

/// Runs a scheduler or executor until it is told to stop.
///
/// # Errors
///
/// When it cannot start, or stops by itself.
pub(crate) fn run(arguments: ClusterArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().thread_stack_size(STACK).build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    match arguments.command {
        ClusterCommand::Scheduler(arguments) => runtime.block_on(run_scheduler(*arguments, surroundings)),
        ClusterCommand::Executor(arguments) => runtime.block_on(run_executor(*arguments, surroundings)),
    }
}

async fn run_scheduler(arguments: SchedulerArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let config = arguments.config;
    let name = format!("scheduler_{}_{}_{}", config.namespace, config.external_host, config.bind_port);
    let log = Log {
        levels: &config.log_level_setting,
        folder: config.log_dir.as_deref(),
        rotation: config.log_rotation_policy,
        name: &name,
        threads: config.print_thread_info,
    };
    log.start();
    let address = address(&config.bind_host, config.bind_port)?;
    warn_of_strangers(address, surroundings);
    if !address.ip().is_loopback() && config.external_host == "localhost" {
        surroundings.messages.warning(
            "executors on other machines will look for this scheduler at `localhost`, and their queries will hang",
            Some("set --external-host to the address at which they reach this machine"),
        );
    }
    let config = SchedulerConfig::try_from(config).map_err(|error| Failure::usage(error.to_string()))?;
    serve_scheduler(scheduler(config, StoreOptions::default()), address).await?;
    Ok(Exit::Done)
}

async fn run_executor(arguments: ExecutorArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let ExecutorArgs { config, store } = arguments;
    let name = format!("executor_{}_{}", config.external_host.as_deref().unwrap_or("localhost"), config.bind_port);
    let log = Log {
        levels: &config.log_level_setting,
        folder: config.log_dir.as_deref(),
        rotation: config.log_rotation_policy,
        name: &name,
        threads: config.print_thread_info,
    };
    log.start();
    let health = address(&config.bind_host, config.bind_health_port)?;
    warn_of_strangers(health, surroundings);
    let config = ExecutorProcessConfig::try_from(config).map_err(|error| Failure::usage(error.to_string()))?;
    serve_executor(executor(config, store.options())?, health).await?;
    Ok(Exit::Done)
}

fn address(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let host: std::net::IpAddr = host.parse().map_err(|_| {
        Failure::usage(format!("--bind-host must be an IP address, and `{host}` is not one"))
            .with_hint("use 0.0.0.0 to listen on all addresses; --external-host is the name that other machines use")
    })?;
    Ok(SocketAddr::new(host, port))
}

/// Warns if the port is reachable from other machines: neither process authenticates its peers.
fn warn_of_strangers(address: SocketAddr, surroundings: Surroundings) {
    if !address.ip().is_loopback() {
        surroundings.messages.warning(
            "anyone who can reach this port can run queries with its credentials and read the traffic, which is not encrypted",
            Some("expose its ports only to a network that you trust; CLUSTER.md explains why"),
        );
    }
}

/// Where the process writes its log, according to the flags of Ballista's own programs.
struct Log<'a> {
    levels: &'a str,
    folder: Option<&'a str>,
    rotation: LogRotationPolicy,
    name: &'a str,
    threads: bool,
}

impl Log<'_> {
    fn start(&self) {
        let levels = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| self.levels.to_owned());
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_thread_names(self.threads)
            .with_thread_ids(self.threads)
            .with_env_filter(EnvFilter::new(levels));
        match self.folder {
            Some(folder) => {
                let rotation = match self.rotation {
                    LogRotationPolicy::Minutely => Rotation::MINUTELY,
                    LogRotationPolicy::Hourly => Rotation::HOURLY,
                    LogRotationPolicy::Daily => Rotation::DAILY,
                    LogRotationPolicy::Never => Rotation::NEVER,
                };
                log.with_writer(RollingFileAppender::new(rotation, folder, self.name)).init();
            }
            None => log.with_writer(std::io::stderr).init(),
        }
    }
}
