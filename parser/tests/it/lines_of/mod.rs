//! Strategies that generate lines: well-formed ones of every age, hostile ones, damaged ones, and soup.
//!
//! Start at [`any_line`].

mod broken;
mod dialects;
mod hostile;
mod soup;
mod well_formed;

pub(crate) use broken::mutated_line;
pub(crate) use dialects::{DialectLine, flagged_line, journal_line, versity_line};
pub(crate) use hostile::{client_bytes, hostile_line};
pub(crate) use soup::{byte_soup, number_text, time_text, token_soup};
pub(crate) use well_formed::{AwsLine, aws_line, dialect_line};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner that generates the same lines every time.
pub(crate) fn deterministic() -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The next line of a strategy.
pub(crate) fn one_of(strategy: &impl Strategy<Value = Vec<u8>>, runner: &mut TestRunner) -> Vec<u8> {
    match strategy.new_tree(runner) {
        Ok(tree) => tree.current(),
        Err(reason) => panic!("no line: {reason}"),
    }
}

/// A line from any of the strategies.
pub(crate) fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => aws_line().prop_map(|line| line.bytes()),
        1 => dialect_line(),
        1 => flagged_line(),
        2 => hostile_line(),
        2 => mutated_line(),
        3 => token_soup(),
        2 => byte_soup(),
    ]
}

/// Guards against generators that only produce rejects, which would prove nothing.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use s3log_parser::Field;

    /// Of 1000 lines: number of records, of ambiguous ones, of those with extra fields, and of those whose key or
    /// requester contains a space.
    fn counts(strategy: impl Strategy<Value = Vec<u8>>) -> [usize; 4] {
        let mut runner = deterministic();
        let mut counts = [0; 4];
        for _ in 0..1000 {
            let line = one_of(&strategy, &mut runner);
            if let Ok(reading) = reference::read(&line) {
                let record = reading.record;
                let has_space = |field| record.text(field).is_some_and(|text| text.contains(&b' '));
                let spaced = has_space(Field::Key) || has_space(Field::Requester);
                let is = [true, record.ambiguous, !record.extra_fields.is_empty(), spaced];
                for (count, is) in counts.iter_mut().zip(is) {
                    *count += usize::from(is);
                }
            }
        }
        counts
    }

    #[test]
    fn generators_reach_records_of_every_kind_and_rejects() {
        let aws = counts(aws_line().prop_map(|line| line.bytes()));
        assert_eq!((aws[0], aws[1]), (1000, 0), "well-formed lines are records, and not ambiguous");
        assert!(aws[2] > 100 && aws[3] > 50, "{aws:?}");
        for (name, counts) in [
            ("dialects", counts(dialect_line())),
            ("hostile lines", counts(hostile_line())),
            ("mutated lines", counts(mutated_line())),
            ("token soup", counts(token_soup())),
            ("byte soup", counts(byte_soup())),
        ] {
            let [records, ambiguous, extra, spaced] = counts;
            assert!(records > 200 && records < 1000, "{name}: {counts:?}");
            assert!(ambiguous > 10 && extra > 2 && spaced > 15, "{name}: {counts:?}");
        }
    }
}
