//! Flags that a configuration file cannot set.
//! A file describes the environment: where buckets are, whose networks are whose, how many threads to use. What a
//! single run does, where its results go and what it may overwrite belongs on the command line; in a file it would
//! silently apply to every run. Add new flags of that kind to the list.

/// Reasons, each with the flags that it applies to.
const ONCE: &[(&str, &[&str])] = &[
    (
        "what a single run does",
        &["apply", "backtest", "dry-run", "explain", "file", "follow", "name", "print-prices", "shard", "status"],
    ),
    ("where the results of one run go", &["credentials", "learn", "output", "rejects", "target", "to"]),
    ("what one run may change beyond the usual", &["drop-grants", "force", "full-access", "grant", "wider"]),
    ("the location of the configuration file", &["config"]),
    ("what the program prints about itself", &["help", "version"]),
];

/// Why a flag cannot be set; `None` if it can.
pub(super) fn what(flag: &str) -> Option<&'static str> {
    ONCE.iter().find(|(_, flags)| flags.contains(&flag)).map(|(what, _)| *what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::args::Cli;

    /// The flags of all commands, without those from Ballista.
    fn flags(command: &clap::Command, found: &mut BTreeSet<String>) {
        found.extend(command.get_arguments().filter_map(|flag| flag.get_long()).map(str::to_owned));
        for below in command.get_subcommands().filter(|below| below.get_name() != "cluster") {
            flags(below, found);
        }
    }

    #[test]
    fn only_flags_that_are_there_are_listed() {
        let mut known = BTreeSet::from(["help".to_owned(), "version".to_owned()]);
        flags(&Cli::syntax(), &mut known);
        for flag in ONCE.iter().flat_map(|(_, flags)| *flags) {
            assert!(known.contains(*flag), "{flag}");
        }
    }

    /// Fails for every new flag, so that its author decides whether files may set it.
    #[test]
    fn what_can_be_set() {
        let mut known = BTreeSet::new();
        flags(&Cli::syntax(), &mut known);
        known.remove("cluster");
        let settable: Vec<String> = known.into_iter().filter(|flag| what(flag).is_none()).collect();
        insta::assert_snapshot!(settable.join("\n"));
    }
}
