//! Flags that a configuration file cannot set.
//!
//! A file says how things are: where buckets are, which networks are whose, how many threads. What one run is to do, where
//! its results go and what it may break is said when it is run; in a file it would be done again and again, unseen. A new
//! flag of that kind joins the list.

/// What flags say that cannot be set, and which these are.
const ONCE: &[(&str, &[&str])] = &[
    (
        "what one run is to do",
        &["apply", "backtest", "dry-run", "explain", "file", "follow", "name", "print-prices", "shard", "status"],
    ),
    ("where the results of one run go", &["credentials", "learn", "output", "rejects", "target", "to"]),
    ("what one run may change beyond the usual", &["drop-grants", "force", "full-access", "grant", "wider"]),
    ("where the configuration file is", &["config"]),
    ("that help is wanted", &["help", "version"]),
];

/// What a flag says that cannot be set; `None` if it can.
pub(super) fn what(flag: &str) -> Option<&'static str> {
    ONCE.iter().find(|(_, flags)| flags.contains(&flag)).map(|(what, _)| *what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::args::Cli;

    /// Flags of all commands, without what Ballista brings along.
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

    /// Whoever adds a flag sees here that files can set it, and decides whether that is right.
    #[test]
    fn what_can_be_set() {
        let mut known = BTreeSet::new();
        flags(&Cli::syntax(), &mut known);
        known.remove("cluster");
        let settable: Vec<String> = known.into_iter().filter(|flag| what(flag).is_none()).collect();
        insta::assert_snapshot!(settable.join("\n"));
    }
}
