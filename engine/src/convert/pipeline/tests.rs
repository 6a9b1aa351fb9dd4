//! Whole batches, with limits small enough to reach every bound.

use super::*;
use crate::convert::destination::FileSink;
use crate::convert::destination::memory::Memory;
use crate::convert::testing::line;
use crate::dataset::Room;
use crate::scan::LogObject;
use arrow::array::types::TimestampMicrosecondType;
use arrow::array::{Array as _, AsArray as _};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

const MIDNIGHT: i64 = 20_780 * 86_400;

const LIMITS: Limits = Limits {
    sorter: SorterLimits { window: 16 << 10, max_window: 32 << 10, memory: 64 << 10, runs: 2, chunk: 10 },
    files: FileLimits {
        target_size: 64 << 10,
        row_group_weight: 64 << 10,
        row_groups: 2,
        encoding: 1 << 30,
        files: 5,
        waiting: 16 << 10,
        output: 64 << 10,
        unsent: 64 << 10,
    },
    row_group_rows: 50,
    block: 1 << 10,
};

fn job(paths: &[impl AsRef<Path>], data: &Memory) -> Job {
    let object = |path: &Path| Unopened {
        object: LogObject::file(path.to_string_lossy().as_ref(), path.to_owned()),
        size: path.metadata().map_or(0, |metadata| metadata.len()),
        range: None,
    };
    Job {
        table: crate::schema::Table::Logs,
        objects: paths.iter().map(|path| object(path.as_ref())).collect(),
        concurrency: 2,
        threads: 2,
        lines: LineOptions::default().with_max_line(10_000),
        per_block: None,
        reject_block: None,
        dedupe: None,
        data: Arc::new(data.clone()),
        rejects: Some((Arc::new(data.clone()), "_rejects/".to_owned())),
        layout: Layout {
            first_number: 0,
            batch_id: "b1".to_owned(),
            by_bucket: false,
            target_size: 64 << 10,
            compression: Compression::default(),
            bloom: Vec::new(),
            memory: 0,
            metadata: vec![("s3log.batch".to_owned(), "b1".to_owned())],
        },
        progress: Arc::default(),
        stop: Arc::default(),
    }
}

fn run_within(job: Job, limits: Limits) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(write_within(job, limits))
}

fn run(job: Job) -> Outcome {
    run_within(job, LIMITS).unwrap()
}

/// Writes objects with these texts to a directory, which the caller must keep.
fn objects(texts: &[impl AsRef<[u8]>]) -> (tempfile::TempDir, Vec<std::path::PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let write = |(number, text): (usize, &_)| {
        let path = directory.path().join(format!("{number:03}"));
        std::fs::write(&path, AsRef::<[u8]>::as_ref(text)).unwrap();
        path
    };
    let paths = texts.iter().enumerate().map(write).collect();
    (directory, paths)
}

/// Times in seconds and ids of the rows of each data file, by path. Checks what must hold for every file.
fn rows(data: &Memory, outcome: &Outcome) -> BTreeMap<String, Vec<(i64, String)>> {
    let files = data.files.lock().unwrap();
    let mut rows = BTreeMap::new();
    for file in &outcome.files {
        let bytes = Bytes::from(files[&file.path].clone());
        assert_eq!(bytes.len() as u64, file.bytes);
        let mut found = Vec::new();
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>();
            let ids = batch.column_by_name("request_id").unwrap().as_string::<i32>();
            let buckets = batch.column_by_name("bucket").unwrap().as_string::<i32>();
            for row in 0..batch.num_rows() {
                let time = times.value(row) / 1_000_000;
                let day = time.div_euclid(86_400) - MIDNIGHT / 86_400 + 23;
                assert!(file.path.starts_with(&format!("day=2026-11-{day}/")), "{} {day}", file.path);
                if let Some((_, bucket)) = file.path.split_once("bucket=") {
                    assert!(bucket.starts_with(&format!("{}/", buckets.value(row))));
                }
                found.push((time, ids.value(row).to_owned()));
            }
        }
        assert!(found.is_sorted_by_key(|(time, _)| *time), "{}", file.path);
        assert_eq!(found.len() as u64, file.rows);
        assert_eq!(found.first().map(|(time, _)| time * 1_000_000), Some(file.min_time));
        assert_eq!(found.last().map(|(time, _)| time * 1_000_000), Some(file.max_time));
        rows.insert(file.path.clone(), found);
    }
    rows
}

fn id_set(rows: &BTreeMap<String, Vec<(i64, String)>>) -> Vec<String> {
    let mut ids: Vec<_> = rows.values().flatten().map(|(_, id)| id.clone()).collect();
    ids.sort();
    ids
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut ids: Vec<_> = numbers.into_iter().map(|id| format!("ID{id}")).collect();
    ids.sort();
    ids
}

fn lines(times: impl IntoIterator<Item = i64>, first_id: usize) -> String {
    times.into_iter().zip(first_id..).map(|(time, id)| line(MIDNIGHT + time, "photos", id)).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn one_batch_with_everything() {
    let texts = [lines(0..300, 0), "no record\n\n".to_owned() + &lines([86_400, 5], 300), lines(301..400, 302)];
    let (_kept, paths) = objects(&texts);
    let data = Memory::default();
    let outcome = run(job(&paths, &data));
    assert_eq!((outcome.lines, outcome.blank_lines, outcome.rows, outcome.rejects), (402, 1, 401, 1));
    assert_eq!((outcome.objects_read, outcome.failed.len(), outcome.spoiled), (3, 0, false));
    let rows = rows(&data, &outcome);
    assert_eq!(id_set(&rows), ids(0..401));
    let rejected = &outcome.reject_files;
    assert_eq!(
        rejected.iter().map(|file| (file.path.as_str(), file.rows)).collect::<Vec<_>>(),
        [("_rejects/b1-rejects-0.parquet", 1)]
    );
    let files = data.files.lock().unwrap();
    let reject = Bytes::from(files["_rejects/b1-rejects-0.parquet"].clone());
    let batch = ParquetRecordBatchReaderBuilder::try_new(reject).unwrap().build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column_by_name("line").unwrap().as_string::<i32>().value(0), "no record");
    assert_eq!(batch.column_by_name("log_object").unwrap().as_string::<i32>().value(0), paths[1].to_string_lossy());
}

#[test]
fn the_same_objects_give_the_same_files() {
    let texts = [lines((0..300).map(|row| (row * 37) % 200), 0), lines((0..500).map(|row| row * 331 % 200_000), 300)];
    let (_kept, paths) = objects(&texts);
    let all = (0..3).map(|_| {
        let data = Memory::default();
        run(job(&paths, &data));
        let files = data.files.lock().unwrap().clone();
        assert!(files.len() > 3);
        files
    });
    let all: Vec<_> = all.collect();
    assert!(all[0] == all[1] && all[1] == all[2]);
}

#[test]
fn what_stands_in_a_file() {
    let (_kept, paths) = objects(&[lines(0..120, 0)]);
    let data = Memory::default();
    let mut job = job(&paths, &data);
    job.layout.bloom = ["remote_ip", "requester", "request_id", "key", "object_key"].map(str::to_owned).to_vec();
    let outcome =
        run_within(job, Limits { files: FileLimits { target_size: 1 << 30, ..LIMITS.files }, ..LIMITS }).unwrap();
    assert_eq!(outcome.files.len(), 1);
    let bytes = Bytes::from(data.files.lock().unwrap()[&outcome.files[0].path].clone());
    let reader = SerializedFileReader::new(bytes.clone()).unwrap();
    let metadata = reader.metadata();
    let group_rows: Vec<_> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    assert!(group_rows.len() >= 3 && group_rows.iter().all(|rows| *rows <= 50), "{group_rows:?}");
    assert_eq!(group_rows.iter().sum::<i64>(), 120);
    let file = metadata.file_metadata();
    assert!(file.created_by().unwrap().starts_with("s3log version "));
    assert!(file.key_value_metadata().unwrap().iter().any(|pair| pair.key == "s3log.batch"));
    let group = metadata.row_group(0);
    let sorting = group.sorting_columns().unwrap();
    assert_eq!((sorting.len(), sorting[0].column_idx, sorting[0].descending), (1, 2, false));
    let with_filters: Vec<_> = group.columns().iter().filter(|column| column.bloom_filter_offset().is_some()).collect();
    assert_eq!(with_filters.len(), 5);
    let id = group.columns().iter().find(|column| column.column_path().string() == "request_id").unwrap();
    assert!(id.statistics().is_none() && id.dictionary_page_offset().is_none());
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let schema = builder.schema();
    let key = schema.field_with_name("key").unwrap();
    assert_eq!(key.metadata()["aws_title"], "Key");
    assert_eq!(key.metadata()[parquet::arrow::PARQUET_FIELD_ID_META_KEY], "8");
    assert!(
        schema.field_with_name("object_key").unwrap().metadata()["description"].ends_with("coalesce(object_key, key).")
    );
    assert_eq!(schema.field_with_name("bytes_sent").unwrap().metadata()["unit"], "bytes");
    let batch = builder.build().unwrap().next().unwrap().unwrap();
    let object_key = batch.column_by_name("object_key").unwrap();
    assert_eq!(object_key.as_string::<i32>().value(0), "photos/a-key-of-some-length-0 ");
}

#[test]
fn object_keys_stand_only_where_they_differ_from_keys() {
    let plain = lines([0], 0).replace("%2520", "");
    let odd = lines([1], 1).replace("%2520", "%zz");
    let (_kept, paths) = objects(&[plain + &odd + &lines([2], 2)]);
    let data = Memory::default();
    let outcome = run(job(&paths, &data));
    let bytes = Bytes::from(data.files.lock().unwrap()[&outcome.files[0].path].clone());
    let batch = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap().next().unwrap().unwrap();
    let object_key = batch.column_by_name("object_key").unwrap();
    assert_eq!((0..3).map(|row| object_key.is_null(row)).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn an_object_that_breaks_off_spoils_the_batch() {
    let mut cut = gzip(&lines(0..500, 0));
    cut.truncate(cut.len() - 20);
    let directory = Path::new("/").to_owned();
    let (_kept, mut paths) = objects(&[lines([1], 500).into_bytes(), cut, lines([2], 501).into_bytes()]);
    paths.push(directory);
    let data = Memory::default();
    let outcome = run(job(&paths, &data));
    assert!(outcome.spoiled);
    assert_eq!(outcome.failed.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1, 3], "it reads on");
    assert_eq!((outcome.objects_read, outcome.files.len()), (2, 0));
    assert!(data.files.lock().unwrap().is_empty(), "nothing was finished");
}

/// Completes files some time after an object has failed, whether anybody waits or not, as disks and stores do.
#[derive(Clone)]
struct Late {
    memory: Memory,
    progress: Arc<Progress>,
    begun: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
}

struct LateFile {
    late: Late,
    path: String,
}

#[async_trait]
impl Destination for Late {
    async fn create(&self, path: &str) -> Result<Box<dyn FileSink>, Error> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(LateFile { late: self.clone(), path: path.to_owned() }))
    }
}

#[async_trait]
impl FileSink for LateFile {
    async fn write(&mut self, _bytes: Bytes, _room: Room) -> Result<(), Error> {
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        let Self { late: Late { memory, progress, under_way, .. }, path } = *self;
        under_way.fetch_add(1, Ordering::Relaxed);
        let done = tokio::task::spawn_blocking(move || {
            while progress.unreadable().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(30));
            memory.files.lock().unwrap().insert(path, Vec::new());
            under_way.fetch_sub(1, Ordering::Relaxed);
        });
        done.await.map_err(stopped)
    }
}

/// Otherwise files deleted by the caller could appear again.
#[test]
fn nothing_is_written_any_more_when_a_batch_was_spoiled() {
    let days = (0..1_000).map(|row| (row * 7 % 20) * 86_400 + row);
    let mut cut = gzip(&lines(days, 0));
    cut.truncate(cut.len() - 20);
    let (_kept, paths) = objects(&[cut]);
    let mut job = job(&paths, &Memory::default());
    let late = Late {
        memory: Memory::default(),
        progress: Arc::clone(&job.progress),
        begun: Arc::default(),
        under_way: Arc::default(),
    };
    job.data = Arc::new(late.clone());
    job.layout.first_number = 7;
    let outcome = run(job);
    assert!(outcome.spoiled);
    assert!(!late.memory.files.lock().unwrap().is_empty(), "files were on their way when the object broke off");
    assert_eq!(late.under_way.load(Ordering::Relaxed), 0);
    assert_eq!(outcome.next_number, 7 + late.begun.load(Ordering::Relaxed) as u64);
}

/// A failed put may have been carried out. Committing the next attempt would leave files beside it that nobody removes.
#[test]
fn a_batch_that_was_spoiled_is_not_tried_again_after_a_put_that_failed() {
    struct Lost(Arc<Progress>);
    #[async_trait]
    impl Destination for Lost {
        async fn create(&self, _path: &str) -> Result<Box<dyn FileSink>, Error> {
            Ok(Box::new(Self(Arc::clone(&self.0))))
        }
    }
    #[async_trait]
    impl FileSink for Lost {
        async fn write(&mut self, _bytes: Bytes, _room: Room) -> Result<(), Error> {
            Ok(())
        }
        async fn finish(self: Box<Self>) -> Result<(), Error> {
            while self.0.unreadable().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(Error::invalid("no answer"))
        }
    }
    let days = (0..1_000).map(|row| (row * 7 % 20) * 86_400 + row);
    let mut cut = gzip(&lines(days, 0));
    cut.truncate(cut.len() - 20);
    let (_kept, paths) = objects(&[cut]);
    let mut job = job(&paths, &Memory::default());
    job.data = Arc::new(Lost(Arc::clone(&job.progress)));
    assert_eq!(run_within(job, LIMITS).unwrap_err().to_string(), "no answer");
}

#[test]
fn an_object_that_cannot_be_opened_spoils_nothing() {
    let (_kept, mut paths) = objects(&[lines([1], 0), lines([2], 1)]);
    paths.insert(1, Path::new("/").to_owned());
    let data = Memory::default();
    let outcome = run(job(&paths, &data));
    assert!(!outcome.spoiled);
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!(outcome.failed[0].0, 1);
    assert_eq!(id_set(&rows(&data, &outcome)), ids(0..2));
}

#[test]
fn a_flag_stops_it_between_objects() {
    let (_kept, paths) = objects(&(0..20).map(|object| lines([object], object as usize)).collect::<Vec<_>>());
    let data = Memory::default();
    let mut job = job(&paths, &data);
    job.stop.store(true, Ordering::Relaxed);
    let outcome = run(job);
    assert_eq!((outcome.objects_read, outcome.rows, outcome.files.len()), (0, 0, 0));
    job = super::tests::job(&paths, &data);
    let (stop, seen) = (Arc::clone(&job.stop), Arc::new(AtomicBool::new(false)));
    job.per_block = Some(Arc::new(move |batch| {
        seen.store(true, Ordering::Relaxed);
        stop.store(true, Ordering::Relaxed);
        Ok(batch)
    }));
    let outcome = run(job);
    // Blocks contain several objects; some were read ahead.
    assert_eq!(outcome.rows, outcome.objects_read as u64);
    assert!(outcome.objects_read > 0);
    assert_eq!(id_set(&rows(&data, &outcome)), ids(0..outcome.objects_read));
}

/// Remembers all request ids.
#[derive(Default)]
struct Seen(std::collections::HashSet<String>);

#[async_trait]
impl Deduplicate for Seen {
    async fn keep(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>, Error> {
        let ids = batch.column_by_name("request_id").unwrap().as_string_view();
        let keep: Vec<_> = ids.iter().map(|id| self.0.insert(id.unwrap().to_owned())).collect();
        Ok(keep.contains(&false).then(|| keep.into()))
    }
}

#[test]
fn duplicates_are_left_out_in_order() {
    let (_kept, paths) = objects(&[lines(0..100, 0), lines(200..300, 50), lines([86_400 * 2, 7], 120)]);
    let data = Memory::default();
    let mut job = job(&paths, &data);
    job.dedupe = Some(Box::new(Seen::default()));
    let outcome = run(job);
    assert_eq!((outcome.rows, outcome.duplicates), (202, 52));
    let rows = rows(&data, &outcome);
    assert_eq!(id_set(&rows), ids(0..150));
    let of_50 = rows.values().flatten().find(|(_, id)| id == "ID50").unwrap();
    assert_eq!(of_50.0, MIDNIGHT + 50, "the first one stays");
}

#[test]
fn errors_of_the_destination_and_of_transformations_are_told() {
    struct Full;
    #[async_trait]
    impl Destination for Full {
        async fn create(&self, _path: &str) -> Result<Box<dyn crate::convert::destination::FileSink>, Error> {
            Ok(Box::new(Self))
        }
    }
    #[async_trait]
    impl crate::convert::destination::FileSink for Full {
        async fn write(&mut self, _bytes: Bytes, _room: Room) -> Result<(), Error> {
            Err(Error::invalid("the disk is full"))
        }
        async fn finish(self: Box<Self>) -> Result<(), Error> {
            Ok(())
        }
    }
    let (_kept, paths) = objects(&[lines(0..2000, 0)]);
    let mut full = job(&paths, &Memory::default());
    full.data = Arc::new(Full);
    assert_eq!(run_within(full, LIMITS).unwrap_err().to_string(), "the disk is full");
    let mut failing = job(&paths, &Memory::default());
    failing.per_block = Some(Arc::new(|_| Err(Error::invalid("no"))));
    assert_eq!(run_within(failing, LIMITS).unwrap_err().to_string(), "no");
    let mut panicking = job(&paths, &Memory::default());
    panicking.per_block = Some(Arc::new(|_| panic!("on purpose")));
    assert_eq!(run_within(panicking, LIMITS).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn many_partitions_within_few_files() {
    let days = 40;
    let text: String = (0..2000)
        .map(|row| {
            line(MIDNIGHT - 20 * 86_400 + (row * 7 % days) * 86_400 + row, ["a", "b"][row as usize % 2], row as usize)
        })
        .collect();
    let (_kept, paths) = objects(&[text]);
    let data = Memory::default();
    let mut job = job(&paths, &data);
    job.layout.by_bucket = true;
    let outcome = run(job);
    let mut partitions: Vec<_> = outcome.files.iter().filter_map(|file| file.path.rsplit_once('/')).collect();
    partitions.dedup_by_key(|(directory, _)| *directory);
    assert!(outcome.files.iter().map(|file| file.rows).sum::<u64>() == 2000 && partitions.len() >= 40);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_record_is_in_one_file_whatever_the_limits(
        objects_of_times in prop::collection::vec(prop::collection::vec(-86_400_i64..2 * 86_400, 0..40), 0..6),
        block in 64_usize..4_000,
        window in 1_usize..60_000,
        memory in 1_usize..120_000,
        chunk in 1_usize..50,
        row_group_rows in 1_usize..60,
        target_size in 1_u64..80_000,
        row_groups in 1_usize..3,
        files in 1_usize..4,
        part_size in prop::option::of(1_u64..60_000),
        unsent in 0_usize..60_000,
    ) {
        let mut id = 0;
        let texts: Vec<_> = objects_of_times.iter().map(|times| {
            let text = lines(times.iter().copied(), id) + "\nno record";
            id += times.len();
            text
        }).collect();
        let (_kept, paths) = objects(&texts);
        let data = Memory { part_size, ..Memory::default() };
        let limits = Limits {
            sorter: SorterLimits { window, max_window: 2 * window, memory, runs: 2, chunk },
            files: FileLimits { target_size, row_groups, files, unsent, ..LIMITS.files },
            row_group_rows,
            block,
        };
        let outcome = run_within(job(&paths, &data), limits).unwrap();
        let rows = rows(&data, &outcome);
        prop_assert_eq!(id_set(&rows), ids(0..id));
        prop_assert_eq!((outcome.rows, outcome.rejects), (id as u64, texts.len() as u64));
        prop_assert_eq!(outcome.lines, outcome.rows + outcome.rejects);
        prop_assert_eq!(outcome.blank_lines, texts.len() as u64);
    }
}
