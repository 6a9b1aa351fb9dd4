//! Profiles: round trips, and errors for damaged files.

use super::*;
use arrow::array::StringArray;
use arrow::datatypes::{Field, Schema};
use std::collections::HashMap;

const DAY: i64 = 86_400_000_000;

/// One row of each kind.
fn baseline() -> Baseline {
    let pair = |src: &str, country: Option<&str>| KnownPair {
        requester: "arn:aws:iam::123456789012:user/ann".to_owned(),
        src: src.to_owned(),
        first: 20_500 * DAY + 5,
        requests: 7,
        families: vec!["aws-cli".to_owned(), "curl".to_owned()],
        net: "AS64500".to_owned(),
        country: country.map(str::to_owned),
    };
    Baseline {
        pairs: vec![pair("192.0.2.7", Some("DE")), KnownPair { families: Vec::new(), ..pair("192.0.2.8", None) }],
        requester_days: vec![KnownRequesterDay {
            requester: "ann".to_owned(),
            day: 20_500,
            requests: 1,
            read_keys: 2,
            bytes_sent: 3,
            srcs: 4,
        }],
        source_days: vec![KnownSourceDay {
            src: "192.0.2.7".to_owned(),
            bucket: "photos".to_owned(),
            day: -1,
            requests: 1,
            anon_requests: 2,
            ok_reads: 3,
            anon_ok_reads: 4,
            anon_lists_ok: 5,
            writes: 6,
            read_keys: 7,
            bytes_sent: 1 << 40,
        }],
        deleters: BTreeMap::from([(("192.0.2.7".to_owned(), String::new()), -5)]),
        open_users: HashMap::from([("photos".to_owned(), 3), ("films".to_owned(), 1)]),
        keys: vec![(7, [0; MOST_GOOD]), (u64::MAX, std::array::from_fn(|at| u32::MAX - at as u32))],
    }
}

fn file(rows: impl Iterator<Item = Row>) -> Bytes {
    let mut bytes = Vec::new();
    write_rows(&mut bytes, rows).unwrap();
    bytes.into()
}

/// A file with one row of each kind, with one column replaced or removed.
fn file_with(name: &str, other: Option<ArrayRef>) -> Bytes {
    let mut rows: Vec<Row> = baseline().rows().collect();
    let schema = schema_of(COLUMNS.iter().map(|(column, _)| column));
    let batch = batch_of(&schema, &mut rows).unwrap();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.filter_map(|(field, column)| {
        let column = if field.name() == name { other.clone()? } else { Arc::clone(column) };
        Some((Field::new(field.name(), column.data_type().clone(), true), column))
    });
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = writer(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes.into()
}

fn error(bytes: Bytes) -> String {
    let error = Baseline::read(bytes).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("--learn")), "{error}");
    error.to_string()
}

#[test]
fn what_was_written_is_read() {
    let baseline = baseline();
    assert_eq!(Baseline::read(file(baseline.rows())).unwrap(), baseline);
    assert_eq!(Baseline::read(file(std::iter::empty())).unwrap(), Baseline::default());
}

#[test]
fn columns_keep_name_and_type() {
    let columns: Vec<_> = COLUMNS.iter().map(|((name, kind, _), _)| (*name, *kind)).collect();
    let expected = [
        ("kind", Kind::Text),
        ("requester", Kind::Text),
        ("src", Kind::Text),
        ("bucket", Kind::Text),
        ("time", Kind::Time),
        ("requests", Kind::Integer),
        ("anon_requests", Kind::Integer),
        ("anon_lists_ok", Kind::Integer),
        ("writes", Kind::Integer),
        ("ok_reads", Kind::Integer),
        ("anon_ok_reads", Kind::Integer),
        ("read_keys", Kind::Integer),
        ("bytes_sent", Kind::Integer),
        ("srcs", Kind::Integer),
        ("families", Kind::Texts),
        ("net", Kind::Text),
        ("country", Kind::Text),
        ("key", Kind::Integer),
        ("good", Kind::Texts),
    ];
    assert_eq!(columns, expected);
}

#[test]
fn text_of_any_layout_is_read() {
    let sources = ["192.0.2.7", "192.0.2.8", "-", "192.0.2.7", "192.0.2.7", "-", "-", "-", "-"];
    let read = Baseline::read(file_with("src", Some(Arc::new(StringArray::from(sources.to_vec()))))).unwrap();
    assert_eq!((read.pairs.len(), read.pairs[1].src.as_str()), (2, "192.0.2.8"));
}

#[test]
fn an_error_names_the_column() {
    let numbers = || Some(Arc::new(StringArray::from(vec!["7"; 9])) as ArrayRef);
    let lists = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)));
    for (name, other, expected) in [
        ("requests", None, "the profile is damaged: it has no column `requests`".to_owned()),
        ("families", None, "the profile is damaged: it has no column `families`".to_owned()),
        ("requests", numbers(), "the profile is damaged: the column `requests` is Utf8, and not Int64".to_owned()),
        (
            "src",
            Some(optional_integers(std::iter::repeat_n(Some(7), 9))),
            "the profile is damaged: the column `src` is Int64, and not Utf8View".to_owned(),
        ),
        ("good", Some(times(std::iter::repeat_n(Some(0), 9))), {
            let time = crate::schema::time_type();
            format!("the profile is damaged: the column `good` is {time}, and not {lists}")
        }),
    ] {
        assert_eq!(error(file_with(name, other)), expected, "{name}");
    }
}

#[test]
fn an_error_names_column_and_row() {
    type Damage = fn(&mut Row);
    let cases: [(&str, Damage, &str); 9] = [
        (PAIR, |row| row.kind = None, "column `kind` of row {} has no value"),
        (PAIR, |row| row.src = None, "column `src` of row {} has no value"),
        (PAIR, |row| row.time = None, "column `time` of row {} has no value"),
        (REQUESTER, |row| row.requester = None, "column `requester` of row {} has no value"),
        (SOURCE, |row| row.anon_requests = Some(-1), "column `anon_requests` of row {} is less than nothing"),
        (DELETER, |row| row.time = None, "column `time` of row {} has no value"),
        (OPEN, |row| row.bucket = None, "column `bucket` of row {} has no value"),
        (KEY, |row| row.key = None, "column `key` of row {} has no value"),
        (
            KEY,
            |row| row.good = vec!["7".to_owned(), "no hash".to_owned()],
            "column `good` of row {} holds something else than hashes",
        ),
    ];
    // More rows than are written or read at a time.
    let before = ROWS + 100;
    for (kind, damage, expected) in cases {
        let sound = || baseline().rows().find(|row| row.kind.as_deref() == Some(kind)).unwrap();
        let mut wrong = sound();
        damage(&mut wrong);
        let rows = std::iter::repeat_with(sound).take(before).chain([wrong, sound()]);
        let expected = expected.replace("{}", &(before + 1).to_string());
        assert_eq!(error(file(rows)), format!("the profile is damaged: {expected}"));
    }
}

#[test]
fn kinds_of_later_versions_are_passed_over_and_other_files_refused() {
    let later = Row { kind: text("later"), ..Row::default() };
    assert_eq!(Baseline::read(file([later].into_iter())).unwrap(), Baseline::default());
    assert!(error(Bytes::from_static(b"no Parquet")).starts_with("it is not a profile"));
    let mut bytes = Vec::new();
    let schema = schema_of(COLUMNS.iter().map(|(column, _)| column));
    ArrowWriter::try_new(&mut bytes, schema, None).unwrap().close().unwrap();
    assert_eq!(error(bytes.into()), "it is a Parquet file, but not a profile");
}
