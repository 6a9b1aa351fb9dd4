//! Arguments of `cluster`, and `--cluster` of the other commands.

use clap::Args;

/// Where the work is done.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WhereArgs {
    /// Run on the cluster of this scheduler: df://host:50050; --threads is the number of partitions [default: two per core]
    #[cfg(feature = "cluster")]
    #[arg(long, env = "S3LOG_CLUSTER", hide_env_values = true, value_name = "URL", help_heading = "Behaviour")]
    pub cluster: Option<String>,
}

#[cfg(feature = "cluster")]
pub(crate) use processes::{ClusterArgs, ClusterCommand, ExecutorArgs, SchedulerArgs, tuned};

#[cfg(feature = "cluster")]
mod processes {
    use clap::builder::FalseyValueParser;
    use clap::{Arg, ArgAction, Args, Command, Subcommand};
    use s3log_engine::cluster::MAX_MESSAGE;

    use crate::args::StoreArgs;

    /// Arguments of `cluster`.
    #[derive(Debug, Args)]
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "\
Examples:
  s3log cluster scheduler --bind-host 10.0.0.1 --external-host 10.0.0.1
  s3log cluster executor --scheduler-host 10.0.0.1 --external-host 10.0.0.2
  s3log query \"SELECT count(*) FROM logs\" s3://my-logs/access/ --cluster df://10.0.0.1:50050

Anyone who can reach their ports can run queries with their credentials: use a private network."
    )]
    pub(crate) struct ClusterArgs {
        /// Which process.
        #[command(subcommand)]
        pub command: ClusterCommand,
    }

    /// A process of a cluster.
    #[derive(Debug, Subcommand)]
    pub(crate) enum ClusterCommand {
        /// Run a scheduler: takes plans, splits them into stages, and assigns work to executors
        Scheduler(Box<SchedulerArgs>),
        /// Run an executor: reads log objects and does the work
        Executor(Box<ExecutorArgs>),
    }

    /// Arguments of `cluster scheduler`.
    #[derive(Debug, Args)]
    pub(crate) struct SchedulerArgs {
        /// What Ballista's own scheduler takes.
        #[command(flatten)]
        pub config: ballista_scheduler::config::Config,
    }

    /// Arguments of `cluster executor`.
    #[derive(Debug, Args)]
    pub(crate) struct ExecutorArgs {
        /// What Ballista's own executor takes.
        #[command(flatten)]
        pub config: ballista_executor::config::Config,

        /// How buckets are reached.
        #[command(flatten)]
        pub store: StoreArgs,
    }

    /// Sets our defaults for Ballista's flags: a lost executor is noticed within half a minute, and a plan may name a
    /// million objects.
    pub(crate) fn tuned(command: Command) -> Command {
        let message = MAX_MESSAGE.to_string();
        let sizes = ["grpc_server_max_decoding_message_size", "grpc_server_max_encoding_message_size"];
        let scheduler = move |mut command: Command| {
            for size in sizes.into_iter().chain(["grpc_client_max_message_size"]) {
                command = with_default(command, size, message.clone());
            }
            // A client deletes its result once it has read it. This is for clients that were killed, and must leave
            // slow ones enough time.
            command = with_default(command, "finished_job_data_clean_up_interval_seconds", "86400".to_owned());
            // No page of another site may call the REST interface, and no visitor of `/` is sent to one.
            command = with_default(command, "cors_allowed_origins", "https://none.invalid".to_owned());
            command = with_default(command, "web_tui_route", "/tui".to_owned());
            command = with_default(command, "executor_timeout_seconds", "20".to_owned());
            with_default(command, "expire_dead_executor_interval_seconds", "5".to_owned())
                .about("Run a scheduler: takes plans, splits them into stages, and assigns work to executors")
                .disable_version_flag(true)
        };
        let message = MAX_MESSAGE.to_string();
        let executor = move |mut command: Command| {
            for size in sizes {
                command = with_default(command, size, message.clone());
            }
            // Cleans up after a scheduler that is gone and cannot ask for it.
            command = with_default(command, "job_data_clean_up_interval_seconds", "3600".to_owned());
            command = with_default(command, "job_data_ttl_seconds", "86400".to_owned());
            command = with_default(command, "executor_heartbeat_interval_seconds", "5".to_owned());
            with_default(command, "scheduler_connect_timeout_seconds", "30".to_owned())
                .about("Run an executor: reads log objects and does the work")
                .disable_version_flag(true)
        };
        command.mut_subcommand("cluster", |cluster| {
            let cluster = cluster.mut_subcommand("scheduler", scheduler).mut_subcommand("executor", executor);
            cluster.mut_subcommands(|command| command.mut_args(with_variable))
        })
    }

    /// Gives a flag of Ballista an environment variable, as our own flags have.
    fn with_variable(arg: Arg) -> Arg {
        let (None, Some(flag)) = (arg.get_env(), arg.get_long()) else { return arg };
        let name = format!("S3LOG_CLUSTER_{}", flag.replace('-', "_").to_uppercase());
        let arg = arg.env(name).hide_env_values(true);
        match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
            _ => arg,
        }
    }

    fn with_default(command: Command, id: &'static str, value: String) -> Command {
        command.mut_arg(id, move |arg: Arg| arg.default_value(value))
    }
}
