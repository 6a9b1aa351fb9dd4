use super::*;
use crate::schema::time_type;
use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    request_id: Option<&'static str>,
    operation: Option<&'static str>,
    key: Option<&'static str>,
    time: i64,
    version_id: Option<&'static str>,
}

const GET: Row = Row {
    request_id: Some("3E57427F33A59F07"),
    operation: Some("REST.GET.OBJECT"),
    key: Some("a/longer/key/than/twelve/bytes.jpg"),
    time: 5 * DAY + 1,
    version_id: None,
};

fn batch_in(text: &DataType, rows: &[Row]) -> RecordBatch {
    let texts = |value: fn(&Row) -> Option<&'static str>| -> ArrayRef {
        let texts: StringArray = rows.iter().map(value).collect();
        arrow::compute::cast(&texts, text).unwrap()
    };
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.time));
    let columns: [(&str, ArrayRef); 5] = [
        ("time", Arc::new(times.with_data_type(time_type()))),
        ("request_id", texts(|row| row.request_id)),
        ("operation", texts(|row| row.operation)),
        ("key", texts(|row| row.key)),
        ("version_id", texts(|row| row.version_id)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn batch(rows: &[Row]) -> RecordBatch {
    batch_in(&DataType::Utf8View, rows)
}

/// Committed identities by day, the days that were loaded, and whether the next load fails at its end.
#[derive(Clone, Default)]
struct Committed {
    days: Arc<Mutex<HashMap<i32, Vec<u128>>>>,
    loads: Arc<Mutex<Vec<i32>>>,
    fails: Arc<Mutex<bool>>,
}

impl Committed {
    fn add(&self, rows: &[Row]) {
        let batch = batch(rows);
        let mut committed = self.days.lock().unwrap();
        for (day, identity) in days_of(&batch).unwrap().into_iter().zip(hash_batch(Table::Logs, &batch).unwrap()) {
            committed.entry(day).or_default().extend(identity);
        }
    }
}

#[async_trait]
impl KnownIdentities for Committed {
    async fn load(&mut self, day: i32, into: &mut (dyn FnMut(u128) -> Result<(), Error> + Send)) -> Result<(), Error> {
        self.loads.lock().unwrap().push(day);
        tokio::task::yield_now().await;
        let identities = self.days.lock().unwrap().get(&day).cloned().unwrap_or_default();
        identities.into_iter().try_for_each(into)?;
        if std::mem::take(&mut *self.fails.lock().unwrap()) {
            return Err(Error::new(ErrorKind::Unreadable, "gone"));
        }
        Ok(())
    }
}

fn deduplicator(committed: &Committed) -> Deduplicator {
    Deduplicator::new(Table::Logs, Box::new(committed.clone()), 1 << 20)
}

async fn kept(deduplicator: &mut Deduplicator, rows: &[Row]) -> Vec<bool> {
    match deduplicator.keep(&batch(rows)).await.unwrap() {
        Some(kept) => {
            assert_eq!((kept.len(), kept.null_count()), (rows.len(), 0));
            assert!(kept.false_count() > 0, "nothing is said when all rows are kept");
            kept.values().iter().collect()
        }
        None => vec![true; rows.len()],
    }
}

#[tokio::test]
async fn repeats_are_dropped_within_a_batch_and_across_batches() {
    let mut deduplicator = deduplicator(&Committed::default());
    let other = Row { request_id: Some("891CE47D2EXAMPLE"), ..GET };
    assert_eq!(kept(&mut deduplicator, &[GET, other, GET, GET]).await, [true, true, false, false]);
    assert_eq!(kept(&mut deduplicator, &[other]).await, [false]);
    assert_eq!(kept(&mut deduplicator, &[]).await, [true; 0]);
    assert_eq!(deduplicator.duplicates(), 3);
}

#[tokio::test]
async fn records_of_one_request_are_not_duplicates() {
    let delete = Row { operation: Some("BATCH.DELETE.OBJECT"), key: Some("a"), ..GET };
    let rows = [
        GET,
        delete,
        Row { key: Some("b"), ..delete },
        Row { key: None, ..delete },
        Row { key: Some(""), ..delete },
        Row { version_id: Some("1"), ..delete },
        Row { version_id: Some(""), ..delete },
        Row { time: GET.time + 1, ..delete },
        // The same bytes, divided differently.
        Row { operation: Some("BATCH.DELETE.OBJECTa"), key: Some(""), ..delete },
        Row { operation: None, ..delete },
    ];
    assert_eq!(kept(&mut deduplicator(&Committed::default()), &rows).await, [true; 10]);
}

#[tokio::test]
async fn rows_without_a_request_id_are_kept() {
    let committed = Committed::default();
    let mut deduplicator = deduplicator(&committed);
    let row = Row { request_id: None, ..GET };
    assert_eq!(kept(&mut deduplicator, &[row, row]).await, [true, true]);
    assert_eq!(hash_batch(Table::Logs, &batch(&[row])).unwrap(), [None]);
    assert!(committed.loads.lock().unwrap().is_empty(), "no day is loaded for them");
    assert_eq!(kept(&mut deduplicator, &[row, GET, GET]).await, [true, true, false]);
}

#[tokio::test]
async fn days_are_loaded_once_when_they_are_met() {
    let committed = Committed::default();
    let before_1970 = Row { time: -1, ..GET };
    let next_day = Row { time: 6 * DAY, ..GET };
    committed.add(&[GET, before_1970]);
    let mut deduplicator = deduplicator(&committed);
    assert_eq!(kept(&mut deduplicator, &[next_day, GET, next_day, before_1970]).await, [true, false, false, false]);
    assert_eq!(kept(&mut deduplicator, &[GET]).await, [false]);
    assert_eq!(*committed.loads.lock().unwrap(), [6, 5, -1]);
    assert_eq!(deduplicator.duplicates(), 4);
}

#[tokio::test]
async fn a_day_that_could_not_be_loaded_is_loaded_again() {
    let committed = Committed::default();
    committed.add(&[GET]);
    *committed.fails.lock().unwrap() = true;
    let mut deduplicator = deduplicator(&committed);
    let error = deduplicator.keep(&batch(&[GET])).await.unwrap_err();
    assert_eq!((error.kind(), deduplicator.memory_used()), (ErrorKind::Unreadable, 0));
    assert_eq!(kept(&mut deduplicator, &[GET]).await, [false]);
}

#[tokio::test]
async fn memory_is_bounded() {
    let committed = Committed::default();
    let ids = |from: u64, to: u64| (from..to).map(|n| u128::from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    committed.days.lock().unwrap().insert(5, ids(0, 20_000).collect());
    for (limit, fits) in [(100, false), (500_000, false), (1_700_000, true)] {
        let mut deduplicator = Deduplicator::new(Table::Logs, Box::new(committed.clone()), limit);
        match deduplicator.keep(&batch(&[GET])).await {
            Ok(kept) => assert!(fits && kept.is_none(), "{limit}"),
            Err(error) => {
                assert!(!fits, "{limit}: {error}");
                assert!(error.to_string().contains(&format!("and {limit} are allowed")), "{error}");
                assert!(error.hint().unwrap().contains("--since"));
            }
        }
        assert!(deduplicator.memory_used() <= limit);
    }
}

#[test]
fn tables_take_what_is_counted() {
    let mut memory = Memory { used: 0, limit: usize::MAX };
    let mut identities = Identities::default();
    for n in 0..100_000_u64 {
        assert!(identities.insert(u128::from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)), &mut memory).unwrap());
        // Every growth of the table was accounted for.
        assert_eq!(memory.used, table_bytes(identities.set.capacity()));
    }
    assert_eq!(memory.used, (1 << 17) * 17 + 16);
    assert!(!identities.insert(0, &mut memory).unwrap());
}

#[test]
fn identities_do_not_depend_on_the_layout() {
    let rows = [GET, Row { version_id: Some("3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"), ..GET }];
    let identities = hash_batch(Table::Logs, &batch(&rows)).unwrap();
    assert_eq!(hash_batch(Table::Logs, &batch_in(&DataType::Utf8, &rows)).unwrap(), identities);
    assert_eq!(hash_batch(Table::Logs, &batch(&rows).slice(1, 1)).unwrap(), identities[1..]);
}

#[test]
fn columns_that_are_missing_or_of_another_type_are_named() {
    let complete = batch(&[GET]);
    for (position, name) in ["time", "request_id", "operation", "key", "version_id"].into_iter().enumerate() {
        let others: Vec<_> = (0..5).filter(|other| *other != position).collect();
        let error = hash_batch(Table::Logs, &complete.project(&others).unwrap()).unwrap_err();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        let mut columns: Vec<_> = complete
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .zip(complete.columns().to_vec())
            .collect();
        columns[position].1 = Arc::new(BooleanArray::from(vec![true]));
        let error = hash_batch(Table::Logs, &RecordBatch::try_from_iter(columns).unwrap()).unwrap_err();
        assert!(error.to_string().contains(&format!("`{name}` is Boolean")), "{error}");
    }
}

fn text() -> impl Strategy<Value = Option<&'static str>> {
    proptest::sample::select(vec![
        None,
        Some(""),
        Some("a"),
        Some("aa"),
        Some("\0"),
        Some("a text of more than 12 bytes"),
    ])
}

prop_compose! {
    fn row()(request_id in text(), operation in text(), key in text(), time in -2..2_i64, version_id in text()) -> Row {
        Row { request_id, operation, key, time: time * DAY / 2, version_id }
    }
}

proptest! {
    #[test]
    fn it_is_a_set_of_rows(
        committed_rows in proptest::collection::vec(row(), 0..40),
        batches in proptest::collection::vec(proptest::collection::vec(row(), 0..40), 0..6),
    ) {
        let committed = Committed::default();
        committed.add(&committed_rows);
        let mut seen: HashSet<Row> = committed_rows.into_iter().filter(|row| row.request_id.is_some()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut deduplicator = deduplicator(&committed);
        let mut duplicates = 0;
        for rows in batches {
            let expected: Vec<_> = rows.iter().map(|row| row.request_id.is_none() || seen.insert(*row)).collect();
            duplicates += expected.iter().filter(|kept| !**kept).count() as u64;
            prop_assert_eq!(runtime.block_on(kept(&mut deduplicator, &rows)), expected);
        }
        prop_assert_eq!(deduplicator.duplicates(), duplicates);
    }
}
