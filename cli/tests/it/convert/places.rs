//! Locations of datasets: next to or below their log objects, but not above them; and datasets combined with log
//! objects.

use super::source::Logs;
use super::world::{Place, World};

const COUNTS: &str = "SELECT count(*), count(DISTINCT request_id), sum(bytes_sent), min(time), max(time) FROM logs";

/// Half of the log objects are converted; `query` reads each record once.
#[test]
fn a_dataset_and_its_log_objects_are_read_together() {
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &Logs::new(80, 91));
        let (source, dataset) = (world.source(), world.dataset());
        let ask = |sql: &str, sources: &[&str], flags: &[&str]| {
            let mut command = world.program();
            command.args(["query", "-q", sql, "-F", "csv", "--no-header"]).args(sources).args(flags);
            world.spawn(command).wait().expect(0).stdout
        };
        let expected = ask(COUNTS, &[&source], &[]);
        for shard in ["1/3", "2/3", "3/3"] {
            world.run(&["--shard", shard]).expect(0);
            for sources in [[dataset.as_str(), &source], [&source, &dataset]] {
                assert_eq!(ask(COUNTS, &sources, &[]), expected, "{shard}");
            }
            let range = ["--since", "2026-01-31T09:00:00Z", "--until", "2026-01-31T18:00:00Z"];
            assert_eq!(ask(COUNTS, &[&dataset, &source], &range), ask(COUNTS, &[&source], &range));
        }
        let range = ["--since", "2026-01-31T09:00:00Z", "--until", "2026-01-31T18:00:00Z"];
        let sql = "SELECT * FROM logs ORDER BY request_id, log_object";
        assert_eq!(ask(sql, &[&dataset], &range), ask(sql, &[&source], &range));
        let sql = "SELECT count(*), count(DISTINCT coalesce(object_key, key)) FROM logs WHERE time >= '2026-01-31T12:00:00Z' AND bucket = 'media'";
        assert_eq!(ask(sql, &[&dataset], &[]), ask(sql, &[&source], &[]));
        let sql = "SELECT request_id FROM logs ORDER BY time DESC, request_id LIMIT 5";
        assert_eq!(ask(sql, &[&dataset], &[]), ask(sql, &[&source], &[]));
    }
}

#[test]
fn rejects_of_a_dataset_are_those_of_its_log_objects() {
    let logs = Logs::new(60, 92);
    let world = World::new(Place::Bucket, &logs);
    let sql = "SELECT log_object, reason, line FROM rejects ORDER BY log_object, line";
    let expected = world.ask(sql, &world.source());
    world.run(&["--rejects", "s3://data/rejects", "--shard", "1/2"]).expect(0);
    let mut command = world.program();
    command.args(["query", "-q", sql, &world.dataset(), &world.source(), "-F", "csv", "--no-header"]);
    assert_eq!(world.spawn(command).wait().expect(0).stdout, expected);
    world.run(&["--rejects", "s3://data/rejects/"]).expect(0);
    assert_eq!(world.ask(sql, &world.dataset()), expected);
}

/// A log object is recognised however it is named: from another directory, or through a link.
#[test]
fn log_objects_are_known_by_any_name() {
    let world = World::new(Place::Directory, &Logs::new(20, 96));
    std::os::unix::fs::symlink(world.path("logs"), world.path("link")).unwrap();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    for (number, (from, source)) in
        [(".", "logs"), (".", "logs/."), (".", "link"), ("elsewhere", "../logs"), (".", "elsewhere/../link/")]
            .into_iter()
            .enumerate()
    {
        let mut command = world.program();
        command.current_dir(world.path(from)).args(["convert", source, "--to", &world.dataset(), "-F", "json"]);
        let ended = world.spawn(command).wait().expect(0);
        let objects = if number == 0 { 20 } else { 0 };
        assert!(ended.stdout.starts_with(&format!("{{\"objects\":{objects},")), "{source}: {}", ended.stdout);
        let both = world.ask("SELECT count(*) FROM logs", &world.dataset());
        let mut command = world.program();
        command.current_dir(world.path(from));
        command.args([
            "query",
            "-q",
            "SELECT count(*) FROM logs",
            source,
            &world.dataset(),
            "-F",
            "csv",
            "--no-header",
        ]);
        assert_eq!(world.spawn(command).wait().expect(0).stdout, both, "{source}");
    }
    // A dataset below the log objects is not read under another name, either.
    std::fs::rename(world.path("set"), world.path("logs/set")).unwrap();
    let mut command = world.program();
    command.args(["convert", "logs", "--to", "link/set", "-F", "json"]);
    let ended = world.spawn(command).wait().expect(0);
    assert!(ended.stdout.starts_with("{\"objects\":0,"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\"objects_already_converted\":20,"), "{}", ended.stdout);
}

/// A dataset is not read as log objects by the next run, however it is named.
#[test]
fn a_dataset_may_be_below_its_log_objects() {
    let logs = Logs::new(30, 93);
    let world = World::new(Place::Directory, &logs);
    let absolute = world.path("logs").display().to_string();
    let expected = world.expected();
    for (source, dataset, rejects) in [
        ("logs", "logs/set", "logs/rejects"),
        ("logs/", "./logs/set/", "logs/rejects/"),
        (&absolute, "logs/set", "logs/set/rejects"),
        ("logs", &format!("{absolute}/set"), "./logs/rejects"),
    ] {
        for objects in [30, 0, 0] {
            let mut command = world.program();
            command.args(["convert", source, "--to", dataset, "--rejects", rejects, "-F", "json"]);
            let ended = world.spawn(command).wait().expect(0);
            assert!(ended.stdout.starts_with(&format!("{{\"objects\":{objects},")), "{}", ended.stdout);
        }
        let (rows, _) = world.query(dataset);
        // Names of log objects are kept as given.
        assert_eq!(rows.len(), expected.rows.len());
        let sql = "SELECT count(*) FROM rejects";
        assert_eq!(world.ask(sql, dataset), format!("{}\n", logs.rejects));
        for directory in ["logs/set", "logs/rejects"] {
            let _ = std::fs::remove_dir_all(world.path(directory));
        }
    }
}

#[test]
fn a_dataset_may_be_below_its_log_objects_in_a_bucket() {
    let logs = Logs::new(30, 94);
    let world = World::new(Place::Bucket, &logs);
    let expected = world.ask(COUNTS, &world.source());
    for (source, dataset, rejects) in [
        ("s3://logs/access/", "s3://logs/set", "s3://logs/rejects"),
        ("s3://logs/access", "s3://logs/access/set/", "s3://logs/access/rejects/"),
        ("s3://logs", "s3://logs/access/set", "s3://logs/access/set/rejects"),
    ] {
        for objects in [30, 0] {
            let mut command = world.program();
            command.args(["convert", source, "--to", dataset, "--rejects", rejects, "-F", "json"]);
            let ended = world.spawn(command).wait().expect(0);
            assert!(ended.stdout.starts_with(&format!("{{\"objects\":{objects},")), "{source}: {}", ended.stdout);
        }
        assert_eq!(world.ask(COUNTS, dataset), expected);
        assert_eq!(world.ask("SELECT count(*) FROM rejects", dataset), format!("{}\n", logs.rejects));
        let server = &world.store().server;
        for key in server.keys("logs").iter().filter(|key| key.contains("_s3log/") || key.ends_with(".parquet")) {
            server.remove("logs", key);
        }
        assert_eq!(server.keys("logs").len(), 30);
    }
}

/// A dataset in the place of its log objects would hide them.
#[test]
fn a_dataset_is_not_where_its_log_objects_are() {
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &Logs::new(5, 95));
        let source = world.source();
        let source = source.trim_end_matches('/');
        for (source, dest) in [(source, format!("{source}/")), (source, source.to_owned())] {
            for flags in [&[][..], &["--dry-run"]] {
                let mut command = world.program();
                command.args(["convert", source, "--to", &dest]).args(flags);
                world.spawn(command).wait().expect_failure(&["cannot be where its log objects are", "of its own"]);
            }
        }
        assert_eq!(world.ask("SELECT count(DISTINCT log_object) FROM logs", source), "5\n");
    }
}

/// A dataset above them would hide them, too, even if it was there before, and whatever the sources are called.
#[test]
fn a_dataset_is_not_above_its_log_objects() {
    let logs = Logs::new(5, 97);
    let refused = |world: &World, source: &str, dest: &str| {
        for flags in [&[][..], &["--dry-run"]] {
            let mut command = world.program();
            command.args(["convert", source, "--to", dest]).args(flags);
            world.spawn(command).wait().expect_failure(&["cannot be above its log objects", "of its own"]);
        }
    };
    let world = World::new(Place::Directory, &logs);
    std::fs::create_dir(world.path("all")).unwrap();
    std::fs::rename(world.path("logs"), world.path("all/2026")).unwrap();
    std::os::unix::fs::symlink(world.path("all"), world.path("link")).unwrap();
    std::fs::write(world.path("list"), "all/2026\n").unwrap();
    let first = format!("all/2026/{}", logs.objects[0].0);
    let before = world.files("all").len();
    for (source, dest) in [
        ("all/2026", "all"),
        ("all/2026/", "./all/"),
        ("all/2026/*", "all"),
        (&first, "all/2026"),
        ("@list", "all"),
        ("link/2026", "all"),
        ("all/2026", "link"),
        ("all/2026", "."),
        // The dataset is below the named source, but above log objects in it.
        ("all", "all/2026"),
        ("a*", "all/2026"),
    ] {
        refused(&world, source, dest);
        assert_eq!(world.files("all").len(), before, "{source} to {dest}");
    }
    assert_eq!(world.ask("SELECT count(DISTINCT log_object) FROM logs", "all"), "5\n");

    let world = World::new(Place::Bucket, &logs);
    for (source, dest) in [
        ("s3://logs/access/", "s3://logs/"),
        ("s3://logs/access", "s3://logs"),
        ("s3://logs", "s3://logs/access"),
        ("s3://logs/acc", "s3://logs/access/"),
    ] {
        refused(&world, source, dest);
        assert_eq!(world.store().server.keys("logs").len(), 5, "{source} to {dest}");
    }
}

/// A prefix that clients and stores normalise would create a dataset that nobody finds again.
#[test]
fn a_dataset_is_at_a_prefix_that_means_itself() {
    let world = World::new(Place::Bucket, &Logs::new(3, 99));
    for prefix in ["./set", "a/../set", "a//set", "a/./set/"] {
        let place = format!("s3://data/{prefix}");
        let source = world.source();
        for arguments in [
            &["convert", &source, "--to", &place][..],
            &["convert", &source, "--to", "s3://data/set", "--rejects", &place],
            &["convert", "--status", &place],
            &["compact", &place],
        ] {
            let mut command = world.program();
            command.args(arguments);
            world.spawn(command).wait().expect_failure(&[prefix.trim_end_matches('/'), "hint: ", "`..`"]);
        }
    }
    assert!(world.store().server.keys("data").is_empty());
}

/// A pipe or device has different contents each time under the same name, so it cannot be converted. It can be queried.
#[cfg(target_os = "linux")]
#[test]
fn log_objects_are_regular_files() {
    let logs = Logs::new(3, 98);
    let world = World::new(Place::Directory, &logs);
    let (name, _) = &logs.objects[0];
    std::fs::write(world.path("list"), "-\n").unwrap();
    let shell = |script: &str| {
        let mut command = world.environment(std::process::Command::new("sh"));
        let program = assert_cmd::cargo::cargo_bin!("s3log");
        command.args(["-c", script, "sh"]).arg(program).arg(format!("logs/{name}")).env("PATH", "/usr/bin:/bin");
        world.spawn(command).wait()
    };
    for script in [
        r#"cat "$2" | "$1" convert - --to set"#,
        r#"cat "$2" | "$1" convert @list --to set"#,
        r#"cat "$2" | "$1" convert /dev/stdin --to set"#,
        r#"cat "$2" | "$1" convert /dev/fd/0 --to set"#,
        r#"cat "$2" | "$1" convert logs /proc/self/fd/0 --to set --dry-run"#,
        r#"mkfifo pipe && "$1" convert pipe --to set"#,
        r#""$1" convert /dev/null --to set"#,
        // A file that has been deleted.
        r#"cp "$2" gone && exec 3<gone && rm gone && "$1" convert /dev/fd/3 --to set"#,
    ] {
        shell(script).expect_failure(&["because a later run could not recognize", "to a file first"]);
        assert!(!world.path("set").exists(), "{script}");
    }
    let count = |source: &str| {
        let sql = "SELECT count(*) FROM logs";
        shell(&format!(r#"cat "$2" | "$1" query -q "{sql}" {source} -F csv --no-header"#)).expect(0).stdout
    };
    assert_eq!(count("/dev/stdin"), count("$2"));
    // A regular file behind such a name is recognised by its own name.
    shell(r#""$1" convert /dev/stdin --to set <"$2""#).expect(0);
    let again = shell(r#""$1" convert "$2" --to set -F json"#).expect(0);
    assert!(again.stdout.contains("\"objects_already_converted\":1,"), "{}", again.stdout);
}

/// A dataset without records, or without records in the time range, still gives an answer.
#[test]
fn nothing_is_left_to_read() {
    let world = World::new(Place::Directory, &Logs { objects: Vec::new(), records: 0, rejects: 0 });
    world.put_object("nothing", bytes::Bytes::new());
    world.run(&[]).expect(0);
    let dataset = world.dataset();
    assert_eq!(world.ask("SELECT bucket, count(*) FROM logs GROUP BY 1", &dataset), "");
    assert_eq!(world.ask("SELECT key FROM logs ORDER BY time LIMIT 3", &dataset), "");
    let mut command = world.program();
    command.args(["keys", "audit", &dataset]);
    let audited = world.spawn(command).wait().expect(0);
    assert!(audited.stdout.contains("No requests found."), "{}", audited.stdout);
}

/// A dataset is recognised however it is named, and so are its files.
#[test]
fn a_dataset_that_is_named_twice_is_read_once() {
    let count = "SELECT count(*) FROM logs";
    let logs = Logs::new(20, 97);
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &logs);
        world.run(&[]).expect(0);
        let expected = format!("{}\n", logs.records);
        let ask = |sources: &[&str]| {
            let mut command = world.program();
            command.args(["query", "-q", count, "-F", "csv", "--no-header"]).args(sources);
            world.spawn(command).wait().expect(0).stdout
        };
        let dataset = world.dataset();
        let with_slash = format!("{dataset}/");
        assert_eq!(ask(&[&dataset, &dataset, &with_slash]), expected);
        if place == Place::Directory {
            std::os::unix::fs::symlink(world.path("set"), world.path("link")).unwrap();
            let url = format!("file://{dataset}");
            assert_eq!(ask(&["set", "./set", "logs/../set", "link", &dataset, &url]), expected);
            assert_eq!(ask(&["set", "set/day=*/*.parquet"]), expected);
            assert_eq!(ask(&["link/day=*/*.parquet", "set"]), expected);
        }
        let flagged = |sources: &[&str]| {
            let mut command = world.program();
            command.args(["flag", "--min-score", "0.01", "-F", "csv"]).args(sources);
            let ended = world.spawn(command).wait().expect(0);
            (ended.stdout, ended.stderr)
        };
        assert_eq!(flagged(&[&dataset, &with_slash]), flagged(&[&dataset]));
    }
}

/// A quoted glob matches what the shell's would, and a list matches its lines. `convert` skips datasets among them.
#[test]
fn globs_and_lists_name_datasets() {
    let (first, second) = (Logs::new(20, 98), Logs::more(10));
    let world = World::new(Place::Directory, &first);
    world.run(&[]).expect(0);
    std::fs::create_dir(world.path("both")).unwrap();
    std::fs::rename(world.path("set"), world.path("both/a-set")).unwrap();
    std::fs::remove_dir_all(world.path("logs")).unwrap();
    world.put(&second);
    std::fs::rename(world.path("logs"), world.path("both/a-logs")).unwrap();
    std::fs::write(world.path("list"), "both/a-set\n").unwrap();
    std::fs::write(world.path("lists"), "both/a-logs\nboth/a-set\nboth/a-s*\n").unwrap();
    let both = first.records + second.records;
    for (source, expected) in [
        ("both/a-*", both),
        ("*/a-*", both),
        ("both/*s", second.records),
        ("both/a-s*", first.records),
        ("@list", first.records),
        ("@lists", both),
    ] {
        assert_eq!(world.ask("SELECT count(*) FROM logs", source), format!("{expected}\n"), "{source}");
    }
    // However often it runs.
    for objects in [10, 0] {
        let mut command = world.program();
        command.args(["convert", "both/*", "--to", "both/new", "-F", "json"]);
        let ended = world.spawn(command).wait().expect(0);
        assert!(ended.stdout.starts_with(&format!("{{\"objects\":{objects},")), "{}", ended.stdout);
    }
    let mut command = world.program();
    command.args(["convert", "@list", "--to", "both/newer"]);
    world.spawn(command).wait().expect_failure(&["both/a-set", "it is already a dataset"]);
}

/// Files of a dataset that something else deleted or cut off.
#[test]
fn missing_and_damaged_files_are_reported() {
    for place in [Place::Directory, Place::Bucket] {
        let world = World::new(place, &Logs::new(40, 95));
        world.convert().expect(0);
        let files = world.data_files();
        let (Some(lost), Some(cut)) = (files.first(), files.last()) else { panic!("no files") };
        match place {
            Place::Directory => {
                std::fs::remove_file(world.path("set").join(lost)).unwrap();
                std::fs::write(world.path("set").join(cut), "PAR1").unwrap();
            }
            Place::Bucket => {
                world.store().server.remove("data", &format!("set/{lost}"));
                world.store().server.put("data", format!("set/{cut}"), "PAR1");
            }
        }
        let run = |arguments: &[&str]| {
            let mut command = world.program();
            command.args(arguments);
            world.spawn(command).wait()
        };
        let dataset = world.dataset();
        let said = run(&["convert", "--status", &dataset]).expect(3).stderr;
        assert!(said.contains(&format!("`{lost}`: it is missing")), "{said}");
        assert!(said.contains(&format!("`{cut}`: it has 4 bytes, and was written with ")), "{said}");
        assert!(said.contains("2 files missing or damaged, with "), "{said}");
        let status = run(&["convert", "--status", &dataset, "-F", "json"]).expect(3).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let [first, second] = [0, 1].map(|at| &status["defects"][at]);
        assert_eq!((first["file"]["path"].as_str(), &first["found"]), (Some(lost.as_str()), &serde_json::Value::Null));
        assert_eq!((second["file"]["path"].as_str(), &second["found"]), (Some(cut.as_str()), &4.into()));
        let day = lost.strip_prefix("day=").and_then(|path| path.split('/').next()).unwrap();
        let sql = format!("SELECT count(DISTINCT key) FROM logs WHERE time::date = '{day}'");
        let said = run(&["query", "-q", &sql, &dataset]).expect(1).stderr;
        assert!(said.contains(&format!("{dataset}/{lost}: a file of the dataset is missing")), "{said}");
    }
}
