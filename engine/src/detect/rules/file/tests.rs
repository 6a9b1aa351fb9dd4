use super::*;
use crate::detect::rules::explain::Value;
use std::time::Duration;

/// The example of the documentation, with its layout, but existing tables.
const EXAMPLE: &str = r#"id = "S3D-103"
name = "Sensitive file probing"
family = "recon"            # scoring family
severity = "medium"
entity = "src"              # src | requester | referer | bucket
mitre = ["T1552.001", "T1595.003"]
cost = "B"
window = "7d"
explain = "{d} distinct sensitive keys requested, {ok} succeeded"
sql = """
WITH k AS (SELECT e.src, e.bucket, e.key, max(CASE WHEN e.status < 400 THEN 1 ELSE 0 END) AS ok, min(e.ts) AS first, max(e.ts) AS last
           FROM s3_events e LEFT JOIN good g ON g.bucket = e.bucket AND g.key = e.key
           WHERE e.sens_key AND e.anon AND NOT e.is_cdn AND coalesce(g.n, 0) < $min_good GROUP BY 1, 2, 3)
SELECT src, count(*) AS d, sum(ok) AS ok, min(first) AS first, max(last) AS last,
       least(0.97, CASE WHEN count(*) >= 3 THEN $c3 WHEN count(*) = 2 THEN $c2 ELSE $c1 END + 0.15 * max(ok)) AS confidence,
       array_slice(array_agg(key ORDER BY first), 1, 5) AS evidence
FROM k GROUP BY src
"""
[params]      # TOML: every top-level key, sql included, stands before the first [table]
min_good = 3
c1 = 0.35
c2 = 0.75
c3 = 0.93
[files]
sens = "lists/sensitive-keys.regex"
[[test]]
name = "env and git fire"
rows = [ {src="203.0.113.9", key=".env", status=403}, {src="203.0.113.9", key=".git/config", status=403} ]   # missing columns take defaults (GET, anonymous, bucket b, increasing ts)
expect = [ {src="203.0.113.9", confidence=">=0.7"} ]
[[test]]
name = "public compose file used by many does not"
rows = [ {src="198.51.100.1", key="docker-compose.yml"}, {src="198.51.100.2", key="docker-compose.yml"}, {src="198.51.100.3", key="docker-compose.yml"} ]
expect = []
"#;

/// A short rule.
const SHORT: &str = r#"id = "X-1"
name = "Short"
family = "own-family"
severity = "low"
sql = "SELECT src, 0.5 AS confidence FROM s3_trail WHERE status = $status"
[params]
status = 404
"#;

fn rule(text: &str) -> Result<Rule, Error> {
    match load(RuleSource::File("r.toml".to_owned()), text)? {
        RuleFile::Rule(rule) => Ok(*rule),
        RuleFile::Overlay(overlay) => panic!("{overlay:?}"),
    }
}

#[test]
fn the_example_loads() {
    let rule = rule(EXAMPLE).unwrap();
    assert_eq!(
        (rule.id.as_str(), rule.name.as_str(), rule.family.as_str()),
        ("S3D-103", "Sensitive file probing", "recon")
    );
    assert_eq!((rule.severity, rule.entity, rule.cost.as_deref()), (Severity::Medium, Entity::Src, Some("B")));
    assert_eq!(rule.mitre, ["T1552.001", "T1595.003"]);
    assert_eq!(rule.window, Some(Duration::from_secs(7 * 86_400)));
    assert!(rule.enabled && rule.scored && !rule.from_match);
    assert_eq!(rule.params.len(), 4);
    assert_eq!(rule.files["sens"], "lists/sensitive-keys.regex");
    assert_eq!(rule.tables().iter().map(String::as_str).collect::<Vec<_>>(), ["good", "s3_events"]);
    assert_eq!(rule.tests.iter().map(Case::fires).collect::<Vec<_>>(), [true, false]);
    let query = rule.query().unwrap();
    assert!(query.contains("< 3 GROUP BY") && query.contains("THEN 0.93 WHEN"), "{query}");
    let sentence = rule.explain.render(|column| Value::Integer(if column == "d" { 3 } else { 1 }), &rule.params);
    assert_eq!(sentence, "3 distinct sensitive keys requested, 1 succeeded");
    assert_eq!(rule.source.to_string(), "r.toml");
}

#[test]
fn what_is_not_said_has_defaults() {
    let rule = rule(SHORT).unwrap();
    assert_eq!((rule.entity, rule.window, rule.cost.as_deref()), (Entity::Src, None, None));
    assert!(rule.enabled && rule.scored && rule.tests.is_empty() && rule.explain.as_str().is_empty());
}

#[test]
fn what_has_a_score() {
    for (severity, entity, scored, expected) in [
        ("info", "src", "", Ok(false)),
        ("low", "src", "", Ok(true)),
        ("low", "requester", "", Ok(true)),
        ("low", "bucket", "", Ok(false)),
        ("low", "referer", "scored = false", Ok(false)),
        ("info", "src", "scored = true", Ok(true)),
        ("high", "src", "scored = false", Ok(false)),
        ("high", "bucket", "scored = true", Err("r.toml:6: a rule about `bucket` is not scored")),
    ] {
        let text = format!(
            "id='X'\nname='X'\nfamily='recon'\nseverity='{severity}'\nentity='{entity}'\n{scored}\nsql='SELECT 1 AS {entity}, 0.1 AS confidence'"
        );
        let found = rule(&text).map(|rule| rule.scored).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{text}");
    }
}

#[test]
fn a_rule_says_which_requests_it_shows() {
    assert_eq!(rule(SHORT).unwrap().samples_condition().unwrap(), None);
    let rule = rule(&SHORT.replace("sql =", "samples = \"anon AND status = $status\"\nsql =")).unwrap();
    assert_eq!(rule.samples_condition().unwrap().as_deref(), Some("anon AND status = 404"));
}

#[test]
fn a_match_is_a_rule() {
    let text = "id='X'\nname='X'\nfamily='recon'\nseverity='low'\nexplain='{n} of {d}'\n[match]\nwhere='anon'\nwithin='24h'\nconfidence=0.9";
    let rule = rule(text).unwrap();
    assert!(rule.from_match);
    assert_eq!(rule.window, Some(Duration::from_secs(86_400)));
    assert_eq!(rule.tables().iter().map(String::as_str).collect::<Vec<_>>(), ["s3_trail_24h"]);
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let change = |from: &str, to: &str| {
        assert!(SHORT.contains(from), "{from}");
        SHORT.replace(from, to)
    };
    for (text, message, hint) in [
        (
            "x",
            "r.toml:1: key with no value, expected `=`",
            "the file is TOML: texts between quotes, every key above the first [table]",
        ),
        ("name = 'x'", "r.toml:1: there is no `id`", "a rule begins with an id, such as `id = \"S3D-103\"`"),
        ("id = 'a b'", "r.toml:1: `a b` is not a rule id", "letters, digits, `-`, `_` and `.`, such as \"S3D-103\""),
        (
            "id = 'a'",
            "r.toml:1: there is only an id",
            "a rule has `name`, `family`, `severity` and `sql` or [match]; to tune one, add `enabled` or [params]",
        ),
        (
            &change("name = \"Short\"", ""),
            "r.toml:1: there is no `name`",
            "a short title, such as `name = \"Sensitive file probing\"`",
        ),
        (
            &change("\"Short\"", "\" \""),
            "r.toml:2: `name` is empty",
            "a short title, such as `name = \"Sensitive file probing\"`",
        ),
        (&change("name =", "nmae ="), "r.toml:2: `nmae` is not a known key here", "did you mean `name`?"),
        (
            &change("\"own-family\"", "\"My Family\""),
            "r.toml:3: `My Family` is not a family name",
            "small letters, digits, `-` and `_`; shipped rules have: recon, spoof, auth, identity, exfil, impact, cost, intel",
        ),
        (&change("\"low\"", "\"lo\""), "r.toml:4: `lo` is not a severity", "one of: info, low, medium, high, critical"),
        (
            &change("\"low\"", "\"low\"\nentity = \"source\""),
            "r.toml:5: a rule cannot be about `source`",
            "there are: `src`, `requester`, `referer`, `bucket`",
        ),
        (
            &change("\"low\"", "\"low\"\nentity = \"bucket\""),
            "r.toml:6: the SQL does not return `bucket`",
            "a rule about `bucket` returns `bucket` and `confidence`",
        ),
        (
            &change("AS confidence", "AS sure"),
            "r.toml:5: the SQL does not return `confidence`",
            "a rule about `src` returns `src` and `confidence`",
        ),
        (
            &change("\"low\"", "\"low\"\nmitre = [\"T1595\", \"T15\"]"),
            "r.toml:5: `T15` is not a MITRE ATT&CK technique",
            "such as \"T1595\" or \"T1595.003\"",
        ),
        (
            &change("\"low\"", "\"low\"\ncost = \"E\""),
            "r.toml:5: `E` is not a cost class",
            "A one pass, B a join, C windows over sorted rows, D history, S sequences",
        ),
        (
            &change("\"low\"", "\"low\"\nwindow = \"a week\""),
            "r.toml:5: `window = \"a week\"` is not a duration",
            "a number with a unit: \"30m\", \"24h\", \"7d\"",
        ),
        (
            &change("\"low\"", "\"low\"\nexplain = \"{n}\""),
            "r.toml:5: `explain` shows `{n}`, which the rule's SQL does not return",
            "there are: `src`, `confidence`",
        ),
        (
            &change("\"low\"", "\"low\"\nsamples = \"status =\""),
            "r.toml:5: `samples = \"status =\"` is not a SQL expression: Expected: an expression, found: EOF",
            "write an expression as after SELECT or WHERE, without a comment",
        ),
        (
            &change("\"low\"", "\"low\"\nsamples = \"status = $sttus\""),
            "r.toml:5: `$sttus` is not a parameter of the rule",
            "did you mean `status`?",
        ),
        (&change("$status", "$sttus"), "r.toml:5: `$sttus` is not a parameter of the rule", "did you mean `status`?"),
        (
            &change("s3_trail ", "s3_trials "),
            "r.toml:5: `s3_trials` is not a table that rules can read",
            "did you mean `s3_trail`?",
        ),
        (
            &change("status = 404", "status = [404]"),
            "r.toml:7: the parameter `status` has no value that SQL can compare with",
            "a number, a text, true or false",
        ),
        (
            &change("status = 404", "status = nan"),
            "r.toml:7: the parameter `status` has no value that SQL can compare with",
            "a number, a text, true or false",
        ),
        (
            &change("status = 404", "status = 404\nenabled = false"),
            "r.toml:8: `enabled` stands in [params], and is a key of the file",
            "in TOML every key stands above the first [table]",
        ),
        (
            &change("status = 404", "status = 404\nMin = 1"),
            "r.toml:8: `Min` is not a parameter name",
            "small letters, digits and `_`, a letter first",
        ),
        (
            &change("status = 404", "status = 404\n[match]\nwhere=\"a\"\nconfidence=1"),
            "r.toml:8: both `sql` and [match] are given",
            "a rule has either `sql`, or a table [match]",
        ),
        (
            "id='X'\nname='X'\nfamily='x'\nseverity='low'",
            "r.toml:1: neither `sql` nor [match] is given",
            "a rule has either `sql`, or a table [match]",
        ),
        (
            "id='X'\nname='X'\nfamily='x'\nseverity='low'\nsql='''\nSELECT src,\n0.1 AS confidence\nFROM s3_trail WHERE )\n'''",
            "r.toml:8: the SQL cannot be parsed: Expected: an expression, found: )",
            "",
        ),
        (
            "id='X'\nname='X'\nfamily='x'\nseverity='low'\n[match]\nwher='a'\nconfidence=1",
            "r.toml:6: `wher` is not a known key here",
            "did you mean `where`?",
        ),
        (
            "id='X'\nname='X'\nfamily='x'\nseverity='low'\n[match]\nwhere='a'\nconfidence=2",
            "r.toml:5: `confidence = 2.0` is not from 0 to 1",
            "1 means: certainly an attacker",
        ),
        (
            &change("[params]", "[[test]]\nname='t'\nexplain='x'\nrows=[{}]\nexpect=[]\n[params]"),
            "r.toml:8: `explain` is not a known key here",
            "`explain` stands above the first [table]",
        ),
        (
            &change(
                "[params]",
                "[[test]]\nname='t'\nrows=[{}]\nexpect=[]\n[[test]]\nname='t'\nrows=[{}]\nexpect=[]\n[params]",
            ),
            "r.toml:10: two tests are called `t`",
            "give each a name of its own",
        ),
        (
            &change("[params]", "[[test]]\nname='t'\nrows=[\n{},\n{keyy='x'}\n]\nexpect=[]\n[params]"),
            "r.toml:10: `keyy` is not a known key here",
            "did you mean `key`?",
        ),
        (
            &change("[params]", "[[test]]\nname='t'\nrows=[\n{},\n{src='x'}\n]\nexpect=[]\n[params]"),
            "r.toml:10: `x` is not an address",
            "such as \"203.0.113.9\", \"203.0.113.{i%250}\", or \"-\" for the service itself",
        ),
    ] {
        let error = rule(text).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().unwrap_or_default()), (message, hint), "{text}");
    }
}

#[test]
fn overlays_tune() {
    let overlay = |text: &str| match load(RuleSource::File("mine.toml".to_owned()), text) {
        Ok(RuleFile::Overlay(overlay)) => overlay,
        other => panic!("{other:?}"),
    };
    let mut tuned = rule(EXAMPLE).unwrap();
    tuned.tune(&overlay("id='S3D-103'\nenabled=false\n[params]\nmin_good=5\nc3=1")).unwrap();
    assert!(!tuned.enabled);
    assert_eq!(tuned.params["min_good"], ParamValue::Integer(5));
    assert_eq!(tuned.params["c3"], ParamValue::Float(1.0));
    assert_eq!(tuned.tuned_by, ["mine.toml"]);
    tuned.tune(&overlay("id='S3D-103'\nenabled=true")).unwrap();
    assert!(tuned.enabled);
    for (params, message, hint) in [
        ("min_god=1", "mine.toml:3: S3D-103 has no parameter `min_god`", "did you mean `min_good`?"),
        (
            "min_good='many'",
            "mine.toml:3: `min_good` of S3D-103 is a number, not a text",
            "the rule has `min_good = 5`",
        ),
    ] {
        let error = tuned.tune(&overlay(&format!("id='S3D-103'\n[params]\n{params}"))).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint()), (message, Some(hint)), "{params}");
    }
}
