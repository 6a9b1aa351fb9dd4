//! `fixtures/` matches its README and the generator in `story`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use s3log_benches::{calendar, story};
use s3log_parser::{Field, Lines, Parser};

#[cfg(feature = "engine")]
use arrow::array::{Array, AsArray};
#[cfg(feature = "engine")]
use s3log_engine::decode::{Block, Content, RecordsDecoder};
#[cfg(feature = "engine")]
use s3log_engine::schema::{Table, TextLayout};

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Documentation and configuration files, which are not logs.
const NO_LOGS: [&str; 4] = ["README.md", ".gitattributes", "keys.json", "principals.toml"];
/// Folders that are not generated.
const BY_HAND: [&str; 7] = ["cdn/", "dialects/", "hostile/", "keys/", "mixed/", "rejects/", "structured/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// All log objects under a folder: path relative to `fixtures/`, and content, decompressed.
fn objects(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(objects(&path));
        } else if !NO_LOGS.iter().any(|name| path.ends_with(name)) {
            let parts = path.strip_prefix(root()).unwrap().iter().map(|part| part.to_str().unwrap());
            found.insert(parts.collect::<Vec<_>>().join("/"), unpacked(&fs::read(&path).unwrap()));
        }
    }
    found
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if bytes.starts_with(GZIP) {
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    } else if bytes.starts_with(ZSTD) {
        out = zstd::decode_all(bytes).unwrap();
    } else {
        out.extend_from_slice(bytes);
    }
    out
}

/// Counts of a log object.
#[cfg(feature = "engine")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    objects: usize,
    records: usize,
    ambiguous: usize,
    rejects: usize,
    headers: usize,
}

/// Counts by the decoder: records of buckets and of CDNs, as text and as JSON.
#[cfg(feature = "engine")]
fn account(path: &str, bytes: &[u8]) -> Account {
    let block = Block::new(path, bytes.to_vec());
    let is_s3 = |content: &Content| matches!(content, Content::S3 | Content::Undecided);
    let mut decoder = RecordsDecoder::for_columns(Table::Requests, &["source", "ambiguous"]).unwrap();
    let batch = decoder.decode(&block).unwrap();
    let counts = decoder.counts();
    assert_eq!(counts.others, 0, "{path}");
    let number = |count: u64| usize::try_from(count).unwrap();
    let account = Account {
        objects: 1,
        records: number(counts.rows),
        ambiguous: batch.column(1).as_boolean().true_count(),
        rejects: number(counts.rejects),
        headers: number(counts.headers),
    };
    assert_eq!(batch.num_rows(), account.records, "{path}");
    if block.parts().iter().all(|part| is_s3(part.content())) {
        assert_eq!(account, parsed(bytes), "{path}: decoder and parser differ");
    }
    account
}

/// Counts by the parser, which only reads S3 records.
#[cfg(feature = "engine")]
fn parsed(bytes: &[u8]) -> Account {
    let mut account = Account { objects: 1, ..Account::default() };
    let mut parser = Parser::new();
    for line in Lines::new(bytes).filter(|line| !line.is_blank()) {
        match parser.parse(line.bytes) {
            Ok(record) => {
                account.records += 1;
                account.ambiguous += usize::from(record.is_ambiguous());
            }
            Err(_) => account.rejects += 1,
        }
    }
    account
}

#[test]
fn the_story_is_told_again_in_the_same_bytes() {
    let kept = objects(&root());
    for story::File { path, bytes } in story::files().unwrap() {
        let kept = kept.get(&path).unwrap_or_else(|| panic!("{path} is missing: run `genlog fixtures`"));
        assert!(*kept == unpacked(&bytes), "{path} differs: run `genlog fixtures`");
    }
}

#[test]
fn nothing_is_left_of_an_earlier_story() {
    let told: Vec<String> = story::files().unwrap().into_iter().map(|file| file.path).collect();
    for path in objects(&root()).into_keys() {
        let by_hand = BY_HAND.iter().any(|folder| path.starts_with(folder));
        assert!(by_hand || told.contains(&path), "{path} is neither of the story nor written by hand");
    }
}

/// Rows of the README's table: path, objects, records, ambiguous records, rejects, headers, purpose.
#[cfg(feature = "engine")]
#[test]
fn the_readme_counts_what_is_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut left = objects(&root());
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let path = cells[1].trim_matches('`');
        let number = |cell: usize| cells[cell].parse().unwrap();
        let stated = Account {
            objects: number(2),
            records: number(3),
            ambiguous: number(4),
            rejects: number(5),
            headers: number(6),
        };
        let mut counted = Account::default();
        left.retain(|object, bytes| {
            let inside = object == path || (path.ends_with('/') && object.starts_with(path));
            if inside {
                let one = account(object, bytes);
                counted.objects += one.objects;
                counted.records += one.records;
                counted.ambiguous += one.ambiguous;
                counted.rejects += one.rejects;
                counted.headers += one.headers;
            }
            !inside
        });
        assert_eq!(counted, stated, "{path}");
    }
    assert!(left.is_empty(), "not in the README: {:?}", left.keys());
}

#[test]
fn all_together_are_small() {
    fn size(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { size(&path) } else { fs::metadata(&path).unwrap().len() }).sum()
    }
    assert!(size(&root()) < 1_100_000, "{}", size(&root()));
}

fn is_documented(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            matches!(address.octets(), [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _])
        }
        IpAddr::V6(address) => address.segments().starts_with(&[0x2001, 0xdb8]),
    }
}

#[test]
fn addresses_are_those_set_aside_for_documentation() {
    for (path, bytes) in objects(&root()) {
        let mut parser = Parser::new();
        for line in Lines::new(&bytes) {
            let Ok(record) = parser.parse(line.bytes) else { continue };
            let Some(address) = record.text(Field::RemoteIp) else { continue };
            let parsed = address.to_string().parse().unwrap_or_else(|_| panic!("{path}: {address}"));
            assert!(is_documented(parsed), "{path}: {address}");
        }
    }
}

/// CDN logs and JSON, too, and the addresses in X-Forwarded-For.
#[cfg(feature = "engine")]
#[test]
fn addresses_of_requests_are_those_set_aside_for_documentation() {
    let schema = Table::Requests.schema(TextLayout::Plain);
    let columns = ["client_ip", "forwarded_for"].map(|name| schema.index_of(name).unwrap());
    for (path, bytes) in objects(&root()) {
        let block = Block::new(path.as_str(), bytes);
        let batch = RecordsDecoder::new(Table::Requests, &columns, TextLayout::Plain).decode(&block).unwrap();
        let clients = batch.column(0).as_string::<i32>();
        let forwarded = batch.column(1).as_list::<i32>().values().as_string::<i32>();
        for address in clients.iter().chain(forwarded).flatten() {
            // The header may claim anything, not only addresses.
            let Ok(parsed) = address.parse() else { continue };
            assert!(is_documented(parsed), "{path}: {address}");
        }
    }
}

/// What the README says about the Space and its CDN.
#[cfg(feature = "engine")]
#[test]
fn the_space_and_its_cdn_tell_their_story() {
    let mut decoder =
        RecordsDecoder::for_columns(Table::Requests, &["source", "bucket", "host", "is_cdn_fetch"]).unwrap();
    // Row counts by source, number of fetches, and number of rows of hosts with unknown bucket.
    let (mut rows, mut fetches, mut unknown) = (BTreeMap::new(), 0, 0);
    for (path, bytes) in objects(&root().join("mixed")) {
        let batch = decoder.decode(&Block::new(path.as_str(), bytes)).unwrap();
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string_view();
        let (source, bucket, host) = (text("source"), text("bucket"), text("host"));
        for row in 0..batch.num_rows() {
            *rows.entry(source.value(row).to_owned()).or_insert(0) += 1;
            unknown += usize::from(bucket.is_null(row) && host.value(row) == "cdn.example.com");
        }
        fetches += batch.column_by_name("is_cdn_fetch").unwrap().as_boolean().true_count();
    }
    assert_eq!(rows, BTreeMap::from([("cdn".to_owned(), 22), ("origin".to_owned(), 17)]));
    assert_eq!((fetches, unknown), (11, 8));
}

/// What the README says about the story.
#[test]
fn the_story_has_its_turns() {
    let mut published = 0;
    let mut slow = 0;
    let mut gone = 0;
    let mut partner = 0;
    let mut total = 0;
    for bytes in objects(&root().join("bucket/logs")).values() {
        let mut parser = Parser::new();
        for line in Lines::new(bytes) {
            let record = parser.parse(line.bytes).unwrap();
            let is = |field, value: &str| record.text(field).is_some_and(|text| text == value);
            let sent = record.integer(Field::BytesSent).unwrap_or(0);
            total += sent;
            if is(Field::Requester, "arn:aws:iam::111122223333:user/partner-sync") {
                partner += sent;
            }
            let anonymous = record.text(Field::Requester).is_none();
            published += usize::from(is(Field::Bucket, "backups") && anonymous && record.http_status() == Some(200));
            slow += usize::from(is(Field::ErrorCode, "SlowDown"));
            gone += usize::from(is(Field::Key, "assets/app-7f3a.js") && record.http_status() == Some(404));
        }
    }
    assert_eq!((published > 0, slow > 0, gone > 0), (true, true, true));
    assert!(partner > total * 9 / 10, "{partner} of {total}");
}

/// Pruning by name relies on this: no line is later than the delivery time in its object's name, and an object named
/// by a day only holds lines of that day.
#[test]
fn names_of_objects_tell_about_the_times_in_them() {
    for (path, bytes) in objects(&root().join("bucket")) {
        let (folder, name) = path.rsplit_once('/').unwrap();
        for line in Lines::new(&bytes) {
            let mut time = Vec::new();
            let seconds = Parser::new().parse(line.bytes).unwrap().time_seconds().unwrap();
            calendar::push_object_time(seconds, &mut time);
            let time = String::from_utf8(time).unwrap();
            if folder.starts_with("bucket/partitioned") {
                assert_eq!(time[..10], name[..10], "{path}");
                assert!(folder.ends_with(&time[..10].replace('-', "/")), "{path}");
                assert!(name[10..].starts_with("-00-00-00-"), "{path}");
            } else {
                assert!(time.as_str() < name, "{path}: {time}");
            }
        }
    }
}
