use super::*;
use crate::convert::partition::split;
use crate::convert::testing::{batch_of, ids, line};
use proptest::prelude::*;

const LIMITS: SorterLimits =
    SorterLimits { window: usize::MAX, max_window: usize::MAX, memory: usize::MAX, runs: 2, chunk: 1000 };

/// The partition of a run, and its rows: time and id.
type Run = (Arc<Partition>, Vec<(i64, String)>);

/// The rows of each run as times (seconds since 2026-11-23) and ids, and how they were emitted.
#[derive(Debug, Default)]
struct Seen {
    runs: BTreeMap<u64, Run>,
    emitted: Vec<Emitted>,
    /// Maximum size of the windows.
    most: usize,
}

const MIDNIGHT: i64 = 20_780 * 86_400;

/// Sorts batches of rows with these times and ascending ids.
fn sorted(limits: SorterLimits, batches: &[Vec<i64>]) -> Seen {
    let mut sorter = Sorter::new(limits);
    let mut seen = Seen::default();
    let mut id = 0;
    for times in batches {
        let lines = times.iter().map(|time| {
            id += 1;
            line(MIDNIGHT + time, "a", id)
        });
        for part in split(batch_of(&lines.collect::<String>()), false).unwrap() {
            let text = part.batch.num_rows() * 100;
            seen.emitted.extend(sorter.push(part, text).unwrap());
            seen.most = seen.most.max(sorter.bytes);
            assert_eq!(sorter.bytes, sorter.windows.values().map(|window| window.bytes).sum::<usize>());
        }
    }
    while let Some(emitted) = sorter.finish().unwrap() {
        seen.emitted.extend(emitted);
    }
    assert_eq!(sorter.bytes, 0);
    for emitted in &seen.emitted {
        let run = seen.runs.entry(emitted.run).or_insert_with(|| (Arc::clone(&emitted.partition), Vec::new()));
        assert_eq!(run.0, emitted.partition);
        let rows: Vec<_> = ids(&emitted.rows).into_iter().map(|(time, id)| (time / 1_000_000 - MIDNIGHT, id)).collect();
        assert_eq!(rows.len(), emitted.rows.len());
        let bounds = (rows.first().unwrap().0, rows.last().unwrap().0);
        assert_eq!(emitted.times, ((bounds.0 + MIDNIGHT) * 1_000_000, (bounds.1 + MIDNIGHT) * 1_000_000));
        run.1.extend(rows);
    }
    seen
}

fn times(seen: &Seen) -> Vec<Vec<i64>> {
    seen.runs.values().map(|(_, rows)| rows.iter().map(|(time, _)| *time).collect()).collect()
}

#[test]
fn what_comes_in_order_is_not_copied() {
    let seen = sorted(LIMITS, &[(0..300).collect(), (299..600).collect()]);
    assert_eq!(seen.emitted.len(), 1);
    let columns = seen.emitted[0].rows.column(0).unwrap();
    assert_eq!(columns.iter().map(|column| column.len()).collect::<Vec<_>>(), [300, 301]);
}

#[test]
fn rows_of_equal_time_stay_in_their_order() {
    let seen = sorted(LIMITS, &[vec![2, 1, 2], vec![1, 2, 0]]);
    let (_, rows) = &seen.runs[&0];
    let rows: Vec<_> = rows.iter().map(|(time, id)| (*time, id.as_str())).collect();
    assert_eq!(rows, [(0, "ID6"), (1, "ID2"), (1, "ID4"), (2, "ID1"), (2, "ID3"), (2, "ID5")]);
}

#[test]
fn jitter_within_the_window_gives_one_run() {
    let batches: Vec<Vec<i64>> =
        (0..50).map(|batch| (0..20).map(|row| batch * 20 + (row * 7) % 30).collect()).collect();
    let window = 100 * (100 + ROW);
    let seen = sorted(SorterLimits { window, max_window: window, ..LIMITS }, &batches);
    assert_eq!(seen.runs.len(), 1);
    assert!(seen.most <= window + 20 * (100 + ROW), "{}", seen.most);
    assert!(times(&seen)[0].is_sorted());
}

#[test]
fn a_window_grows_before_rows_come_too_late() {
    // Most batches are a little older than the one before; the window holds hardly more than both.
    let batches: Vec<Vec<i64>> =
        (0..40).map(|batch| (0..20).map(|row| (4 + batch / 4 - batch % 4) * 80 + row * 4).collect()).collect();
    let window = 45 * (100 + ROW);
    let fixed = sorted(SorterLimits { window, max_window: window, ..LIMITS }, &batches);
    assert!(fixed.runs.len() > 1);
    let grown = sorted(SorterLimits { window, max_window: 16 * window, ..LIMITS }, &batches);
    assert_eq!(grown.runs.len(), 1);
    let in_order: Vec<Vec<i64>> = (0..40).map(|batch| (0..20).map(|row| batch * 20 + row).collect()).collect();
    let kept = sorted(SorterLimits { window, max_window: 16 * window, ..LIMITS }, &in_order);
    assert!(kept.most <= window + 20 * (100 + ROW));
}

#[test]
fn objects_that_each_cover_the_whole_day_do_not_scatter_over_runs() {
    // Of several servers, say: one object after the other, each in order.
    let batches: Vec<Vec<i64>> = (0..25).map(|host| (0..20).map(|row| row * 4_000 + host).collect()).collect();
    let window = 90 * (100 + ROW);
    let seen = sorted(SorterLimits { window, max_window: window, ..LIMITS }, &batches);
    let sizes: Vec<_> = seen.emitted.iter().map(|emitted| emitted.rows.len()).collect();
    assert_eq!(sizes, [100; 5]);
}

#[test]
fn rows_that_are_too_late_get_a_run_of_their_own_and_runs_are_few() {
    let limits = SorterLimits { window: 1, max_window: 1, ..LIMITS };
    // The window holds at most one row, since each push emits half of it, rounded up.
    let one_by_one = |times: &[i64]| sorted(limits, &times.iter().map(|time| vec![*time]).collect::<Vec<_>>());
    let seen = one_by_one(&[10, 20, 5, 30, 7, 25]);
    assert_eq!(times(&seen), [vec![10, 20, 30], vec![5, 7, 25]]);
    // A third run ends the least recently used one.
    let seen = one_by_one(&[10, 5, 11, 3, 12, 4]);
    assert_eq!(times(&seen), [vec![10, 11, 12], vec![5], vec![3, 4]]);
    let ended: Vec<_> = seen.emitted.iter().filter_map(|emitted| emitted.ended).collect();
    assert_eq!(ended, [1]);
}

#[test]
fn the_largest_partition_leaves_first() {
    let memory = 12 * (100 + ROW);
    let day = 86_400;
    let batches = [vec![1; 8], vec![day; 3], vec![2 * day; 2]];
    let seen = sorted(SorterLimits { memory, ..LIMITS }, &batches);
    assert_eq!(seen.emitted[0].partition.directory(), "day=2026-11-23/");
    assert_eq!(seen.emitted[0].rows.len(), 8, "a small window leaves as a whole");
}

#[test]
fn rows_that_are_read_twice_need_two_runs() {
    // Jitter in both halves; rows that the first half left in the window are ahead of all of the second.
    let batch = |start: i64| (0..20).map(|row| start + (row * 7) % 30).collect::<Vec<_>>();
    let batches: Vec<Vec<i64>> = (0..50).chain(0..50).map(|number| batch(number * 20)).collect();
    let window = 100 * (100 + ROW);
    let seen = sorted(SorterLimits { window, max_window: window, ..LIMITS }, &batches);
    assert_eq!(seen.runs.len(), 2);
}

#[test]
fn a_few_rows_do_not_keep_their_blocks() {
    // Each piece has one row that is far ahead.
    let batches: Vec<Vec<i64>> =
        (0..200).map(|batch| (0..50).map(|row| if row == 0 { 80_000 + batch } else { batch }).collect()).collect();
    let window = COMPACTED + (1 << 20);
    let seen = sorted(SorterLimits { window, max_window: window, ..LIMITS }, &batches);
    assert_eq!(seen.runs.len(), 1);
    assert!(times(&seen)[0].is_sorted());
    assert!(seen.most <= window + 50 * (100 + ROW));
}

proptest! {
    #[test]
    fn every_row_comes_out_once_sorted_and_in_its_partition(
        batches in prop::collection::vec(prop::collection::vec(-200_000_i64..200_000, 1..12), 0..12),
        window in 1_usize..20_000,
        max_window in 1_usize..20_000,
        memory in 1_usize..40_000,
        runs in 1_usize..4,
        chunk in 1_usize..20,
    ) {
        let seen = sorted(SorterLimits { window, max_window, memory, runs, chunk }, &batches);
        let mut found = Vec::new();
        for (partition, rows) in seen.runs.values() {
            prop_assert!(rows.is_sorted_by_key(|(time, _)| *time));
            for (time, id) in rows {
                prop_assert_eq!((time + MIDNIGHT).div_euclid(86_400), partition.day);
                found.push((id.clone(), *time));
            }
        }
        found.sort();
        let mut expected: Vec<_> =
            batches.iter().flatten().zip(1..).map(|(time, id)| (format!("ID{id}"), *time)).collect();
        expected.sort();
        prop_assert_eq!(found, expected);
        prop_assert!(seen.most <= memory + 12 * (100 + ROW));
        let mut sizes = seen.emitted.iter().map(|emitted| emitted.rows.len());
        prop_assert!(sizes.all(|rows| rows <= chunk));
    }
}
