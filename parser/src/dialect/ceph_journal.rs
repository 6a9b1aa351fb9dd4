//! Ceph's journal records: `owner bucket [time] operation key size version etag`.
//!
//! Ceph writes keys verbatim, including spaces, but never a space in the three fields after them (`log_record` in
//! `src/rgw/rgw_bucket_logging.cc`). So the key is what these leave, and the split is unique. The etag has no column
//! and becomes an extra field.

use super::{last_token, place};
use crate::ambiguity::holds_second_record;
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::field_set::FieldSet;
use crate::record::{Form, HEAD, Record};
use crate::token::{at_token_end, long_token, skip_spaces, token, trim_end_spaces};
use crate::value::number::is_number_or_null;
use crate::value::operation::is_dotted;
use crate::value::time::{self, Minute};

/// Locates the fields of a journal record. Returns `None` if the line is not recognised as one, i.e. has no dotted
/// operation where other records have the remote IP.
pub(super) fn read<'a>(minute: &mut Minute, line: &'a [u8], record: &mut Record<'a>) -> Option<Result<(), Error>> {
    let (rest, owner) = long_token(skip_spaces(line)).ok()?;
    let (rest, bucket) = token(skip_spaces(rest)).ok()?;
    let bracket = skip_spaces(rest);
    let (behind_time, seconds) = minute.bracketed(bracket).ok()?;
    let (rest, operation) = token(skip_spaces(behind_time)).ok()?;
    if !at_token_end(behind_time) || !is_dotted(operation) {
        return None;
    }

    // Split from the right; what remains is the key.
    let rest = trim_end_spaces(skip_spaces(rest));
    let cut = |field| Some(Err(Error::new(ErrorKind::Missing, field, line.len())));
    let Some((rest, _etag)) = last_token(rest) else { return cut(Field::Key) };
    let Some((rest, version)) = last_token(rest) else { return cut(Field::ObjectSize) };
    let Some((key, size)) = last_token(rest) else { return cut(Field::VersionId) };
    if key.is_empty() {
        return cut(Field::VersionId);
    }
    let size_place = place(line, size);
    if !is_number_or_null(size) {
        return Some(Err(Error::new(ErrorKind::Number, Field::ObjectSize, size_place.start as usize)));
    }

    let version_place = place(line, version);
    let mut present = FieldSet::EXTRA_FIELDS | FieldSet::AMBIGUOUS;
    for (field, span) in [
        (Field::BucketOwner, place(line, owner)),
        (Field::Bucket, place(line, bucket)),
        (Field::Time, place(line, &bracket[1..time::LEN - 1])),
        (Field::Operation, place(line, operation)),
        (Field::Key, place(line, key)),
        (Field::ObjectSize, size_place),
        (Field::VersionId, version_place),
    ] {
        record.spans[field.index()] = span;
        present = present.with(field);
    }
    // Missing fields then read as if they had not been requested.
    record.wanted = record.wanted.intersection(present);
    record.form = Form::CephJournal;
    record.time = seconds;
    record.ambiguous = record.wanted.contains_all(FieldSet::AMBIGUOUS) && holds_second_record(behind_time);
    record.tail_start = version_place.start;
    record.rest_start = version_place.end;
    record.located = HEAD as u8 + 1;
    record.misfits = 0;
    record.march_2019 = None;
    Some(Ok(()))
}
