use std::ffi::OsStr;

use super::*;
use crate::args::Cli;

const FILE: &str = "/home/me/.config/s3log/s3log.toml";

fn read(text: &str) -> Settings {
    Settings::parse(text, Path::new(FILE).parent().unwrap(), &Cli::syntax()).unwrap()
}

/// The error message for an invalid file, without the file name.
fn problem(text: &str) -> String {
    let problem = Settings::parse(text, Path::new(FILE).parent().unwrap(), &Cli::syntax()).unwrap_err();
    let Failure::Report(report) = problem.in_file(Path::new(FILE), text) else { panic!("{text}") };
    assert_eq!(report.exit.code(), 2);
    let message = report.message.strip_prefix(&format!("{FILE}:")).unwrap().to_owned();
    report.hint.map_or(message.clone(), |hint| format!("{message}\n{hint}"))
}

/// The defaults of a flag after reading the file, with the command in use.
fn defaults(settings: &Settings, used: &[&str], flag: &str) -> Vec<String> {
    let used: Vec<String> = used.iter().map(|name| (*name).to_owned()).collect();
    let mut command = &settings.apply(Cli::syntax(), &used);
    for name in used.iter().filter(|_| !["color", "quiet", "verbose"].contains(&flag)) {
        command = command.find_subcommand(name).unwrap();
    }
    let flag = command.get_arguments().find(|found| found.get_long() == Some(flag)).unwrap();
    flag.get_default_values().iter().map(|value| OsStr::to_string_lossy(value).into_owned()).collect()
}

#[test]
fn keys_at_the_top_are_of_every_command_and_tables_win() {
    let settings = read(
        "threads = 4\nquiet = true\n\n[convert]\nthreads = 8\n\n[query]\nquiet = false\n\n[keys]\napi-timeout = '1m'\n\n\
         [keys.audit]\napi-timeout = '2m'\n",
    );
    for (used, flag, expected) in [
        (&["query"][..], "threads", "4"),
        (&["check"], "threads", "4"),
        (&["convert"], "threads", "8"),
        (&["keys", "audit"], "threads", "4"),
        (&["keys", "audit"], "api-timeout", "2m"),
        (&["keys", "list"], "api-timeout", "1m"),
        // Global flags can be set for a single command, too.
        (&["check"], "quiet", "true"),
        (&["query"], "quiet", "false"),
        // Other flags keep their defaults.
        (&["query"], "format", "auto"),
    ] {
        assert_eq!(defaults(&settings, used, flag), [expected], "{used:?} --{flag}");
    }
    // The order in the file does not matter: a subtable may precede the keys of its parent.
    let settings = read("keys.audit.api-timeout = '2m'\nkeys.api-timeout = '1m'\n");
    assert_eq!(defaults(&settings, &["keys", "audit"], "api-timeout"), ["2m"]);
    assert_eq!(read(""), Settings::default());
}

#[test]
fn values_are_what_the_flag_makes_of_them() {
    let cases: &[(&str, &[&str], &str, &[&str])] = &[
        ("strict = true", &["query"], "strict", &["true"]),
        ("strict = false", &["query"], "strict", &["false"]),
        ("redact-uri = false", &["convert"], "redact-uri", &["false"]),
        ("threads = 0x10", &["query"], "threads", &["16"]),
        ("threads = '16'", &["query"], "threads", &["16"]),
        ("batch-objects = 10_000", &["convert"], "batch-objects", &["10000"]),
        ("min-score = 0.5", &["flag"], "min-score", &["0.5"]),
        ("ip-version = 6", &["flag"], "ip-version", &["6"]),
        ("since = 2026-01-31", &["query"], "since", &["2026-01-31"]),
        ("since = 2026-01-31T10:00:00Z", &["query"], "since", &["2026-01-31T10:00:00Z"]),
        ("since = '7d'", &["query"], "since", &["7d"]),
        ("null = ''", &["query"], "null", &[""]),
        ("null = '-'", &["query"], "null", &["-"]),
        ("profile = '123'", &["query"], "profile", &["123"]),
        ("map = ['a.example=a', 'b.example=b']", &["query"], "map", &["a.example=a", "b.example=b"]),
        ("map = 'a.example=a,b.example=b'", &["query"], "map", &["a.example=a", "b.example=b"]),
        ("map = ['a.example=a']\n[query]\nmap = []", &["query"], "map", &[]),
    ];
    for (text, used, flag, expected) in cases {
        assert_eq!(defaults(&read(text), used, flag), *expected, "{text}");
    }
}

#[cfg(unix)]
#[test]
fn files_are_those_beside_the_configuration() {
    let settings = read(
        "rules = 'rules'\ngeoip = '/usr/share/geo.mmdb'\nallow = ['a.txt', '../b.txt']\n\
         baseline = ['normal.parquet', 's3://bucket/set', '@list', '/var/normal']\nmap = 'a=b'\n",
    );
    let folder = "/home/me/.config/s3log";
    for (flag, expected) in [
        ("rules", vec![format!("{folder}/rules")]),
        ("geoip", vec!["/usr/share/geo.mmdb".to_owned()]),
        ("allow", vec![format!("{folder}/a.txt"), format!("{folder}/../b.txt")]),
        (
            "baseline",
            vec![
                format!("{folder}/normal.parquet"),
                "s3://bucket/set".to_owned(),
                format!("@{folder}/list"),
                "/var/normal".to_owned(),
            ],
        ),
        ("map", vec!["a=b".to_owned()]),
    ] {
        assert_eq!(defaults(&settings, &["flag"], flag), expected, "{flag}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let cases = [
        "threads = 4\nendpoint_url = 'x'",
        "\n[query]\nthraeds = 4",
        "[query]\nbloom = ['key']",
        "sources = ['logs/']",
        "nothing-like-that = 1",
        "[qurey]\nthreads = 4",
        "[keys.adit]\nthreads = 4",
        "[query.check]\nthreads = 4",
        "[threads]\nn = 4",
        "query = 1",
        "[[query]]\nthreads = 4",
        "strict = 'yes'",
        "strict = 1",
        "threads = true",
        "threads = [1, 2]",
        "threads = 0",
        "threads = -1",
        "memory = 'lots'",
        "profile = 123",
        "allow = [\n  'a.txt',\n  7,\n]",
        "allow = ''",
        "color = 'alwais'",
        "layout = 'x'",
        "format = 'csv'",
        "since = 'yesterday'",
        "output = 'x'",
        "to = 's3://bucket/'",
        "[convert]\nfollow = '5m'",
        "[keys.rotate]\nwider = true",
        "config = 'other.toml'",
        "help = true",
        "threads = 1\nthreads = 2",
        "threads =\n",
        "threads = four",
        "[query",
    ];
    let said: Vec<String> = cases.iter().map(|text| format!("{text}\n=> {}\n", problem(text))).collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// Ids of arguments differ from names of flags: `--grant` has the id `grants`, and Ballista's ids have underscores.
#[cfg(feature = "cluster")]
#[test]
fn flags_of_other_programs_can_be_set() {
    let settings = read("cluster = 'df://10.0.0.1:50050'\n[flag]\ncluster = 'df://10.0.0.2:50050'\n");
    assert_eq!(defaults(&settings, &["query"], "cluster"), ["df://10.0.0.1:50050"]);
    assert_eq!(defaults(&settings, &["flag"], "cluster"), ["df://10.0.0.2:50050"]);
}

/// A default does not count as given, so it does not satisfy clap's requirement of a flag.
#[test]
fn no_flag_that_can_be_set_is_required() {
    fn look(command: &Command) {
        for flag in command.get_arguments().filter(|flag| flag.is_required_set()) {
            if let Some(name) = flag.get_long() {
                assert!(once::what(name).is_some(), "--{name} of {}", command.get_name());
            }
        }
        command.get_subcommands().for_each(look);
    }
    look(&Cli::syntax());
}
