use super::*;
use crate::detect::rules::lint::Level;
use crate::detect::rules::parameters::ParamValue;
use s3log_parser::Parser;

const OWN: &str = "id='X-1'\nname='Own'\nfamily='recom'\nseverity='low'\nsql='SELECT *, now() AS t, first_value(key) OVER () AS k, 2 AS confidence FROM s3_events'\n[params]\nmin=1";

fn files(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn shipped_rules_load_and_need_nothing() {
    let set = RuleSet::shipped().unwrap();
    assert!(!set.is_empty());
    let remarks: Vec<_> = set.lint().iter().map(ToString::to_string).collect();
    assert_eq!(remarks, [""; 0]);
    let ids: Vec<_> = set.iter().map(|rule| rule.id.clone()).collect();
    assert!(ids.is_sorted());
    for rule in set.iter() {
        assert!(
            rule.source.file().starts_with(&format!("{}-", rule.id)),
            "{} stands in {}",
            rule.id,
            rule.source.file()
        );
        assert!(rule.name.starts_with(char::is_uppercase), "{}", rule.name);
        rule.query().unwrap();
    }
}

#[test]
fn lines_of_the_tests_of_shipped_rules_are_records() {
    for rule in RuleSet::shipped().unwrap().iter() {
        for test in &rule.tests {
            for log in [Some(test.log()), test.history_log()].into_iter().flatten() {
                for line in log.lines() {
                    let record = Parser::new().parse(line.as_bytes());
                    assert!(record.is_ok(), "{}, {}: {line}: {:?}", rule.id, test.name, record.err());
                }
            }
        }
    }
}

#[test]
fn a_directory_adds_replaces_and_tunes() {
    let replaced = "id='S3D-105'\nname='Mine'\nfamily='recon'\nseverity='high'\nsql='SELECT src, 0.1 AS confidence FROM sources'\n[params]\nx=1";
    let set = RuleSet::shipped().unwrap();
    let count = set.len();
    let set = set
        .with_directory(files(&[
            ("a.toml", "id='S3D-105'\n[params]\nx=2"),
            ("b.toml", replaced),
            ("c.toml", OWN),
            ("d.toml", "id='S3D-103'\nenabled=false"),
        ]))
        .unwrap();
    assert_eq!(set.len(), count + 1);
    let rule = set.get("s3d-105").unwrap();
    assert_eq!((rule.name.as_str(), &rule.params["x"]), ("Mine", &ParamValue::Integer(2)));
    assert_eq!(
        (rule.source.to_string().as_str(), rule.tuned_by.as_slice()),
        ("b.toml", ["a.toml".to_owned()].as_slice())
    );
    assert!(!set.enabled().any(|rule| rule.id == "S3D-103"));
    assert!(set.tables().contains("s3_events"));
}

#[test]
fn what_is_wrong_with_a_directory() {
    let overlay = "id='S3D-103'\nenabled=false";
    for (given, message, hint) in [
        (
            files(&[("a.toml", OWN), ("b.toml", OWN)]),
            "b.toml: X-1 is also defined in a.toml",
            "a directory may have only one file per rule; remove one of them",
        ),
        (
            files(&[("a.toml", overlay), ("b.toml", overlay)]),
            "b.toml: S3D-103 is also defined in a.toml",
            "a directory may have only one file per rule; remove one of them",
        ),
        (files(&[("a.toml", "id='S3D-104x'\nenabled=false")]), "a.toml: there is no rule `S3D-104x`", ""),
        (
            files(&[("a.toml", "id='Z'\nenabled=false")]),
            "a.toml: there is no rule `Z`",
            "`s3log rules list` lists them",
        ),
        (
            files(&[("a.toml", ""), ("b.toml", ""), ("c.toml", OWN)]),
            "a.toml:1: there is no `id`",
            "a rule begins with an id, such as `id = \"S3D-103\"`; 1 more files are wrong: `s3log rules lint` lists them",
        ),
    ] {
        let error = RuleSet::shipped().unwrap().with_directory(given).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(hint.is_empty() || error.hint() == Some(hint), "{message}: {:?}", error.hint());
    }
    let (set, errors) = RuleSet::default().with_what_loads(files(&[("a.toml", ""), ("b.toml", OWN)]));
    assert_eq!((set.len(), errors.len()), (1, 1));
}

#[test]
fn ids_that_are_near_are_named() {
    let set = RuleSet::shipped().unwrap();
    let error = set.get("S3D103").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.hint()),
        ("there is no rule `S3D103`", Some("did you mean `S3D-103`?"))
    );
}

#[test]
fn lint_says_what_could_be_better() {
    let set = RuleSet::default().with_directory(files(&[("c.toml", OWN)])).unwrap();
    let remarks = set.lint();
    assert!(remarks.iter().all(|remark| remark.rule == "X-1" && remark.file == "c.toml"));
    assert_eq!(remarks[0].level, Level::Error);
    let messages: Vec<_> = remarks.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "X-1: error: the parameter `min` is not used: write `$min` in the SQL, or take it out",
            "X-1: warning: it has no test that fires: add a [[test]] with rows that it has to find",
            "X-1: warning: it has no test that does not fire: add a [[test]] with `expect = []`",
            "X-1: warning: it has no `explain`: readers do not learn what it found",
            "X-1: warning: it has no `description`: say what fires, what does not, and why",
            "X-1: warning: it has no `mitre`: name the techniques that it finds",
            "X-1: warning: its family `recom` is its own; `recon` is probably meant",
            "X-1: warning: its SQL returns `*`: name the columns, so that `explain` can be checked",
            "X-1: warning: its SQL calls `now`: the same log gives a different result on every run",
            "X-1: warning: its SQL calls `first_value` without an order: the same log gives a different result on every run",
            "X-1: warning: it reads `s3_events`, which holds every request: `s3_trail` has all that is not ordinary",
        ]
    );
    let high =
        OWN.replace("*, now() AS t, first_value(key) OVER () AS k, 2", "src, 2").replace("s3_events", "s3_trail");
    let none = high.replace("2 AS", "n AS");
    for (text, message) in [
        (high, "its confidence can reach 2.00, and what is above 1 is cut: write `least(0.95, …)`"),
        (none, "its confidence has no bound, and what is above 1 is cut: write `least(0.95, …)`"),
    ] {
        let set = RuleSet::default().with_directory(files(&[("c.toml", &text)])).unwrap();
        assert_eq!(set.lint().last().map(|remark| remark.message.as_str()), Some(message));
    }
}
