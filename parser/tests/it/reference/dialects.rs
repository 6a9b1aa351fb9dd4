//! Ceph's journal records and VersityGW's lines.

use super::{
    INTEGERS, Reading, RefRecord, Reject, integer, is_dotted_operation, object_key, read, skip_spaces, status, time_at,
    token_behind, token_end, token_from, trimmed, without_spaces_at_end,
};
use s3log_parser::{Dialect, Field};
use std::ops::Range;

/// Reads one line, given without its line ending, that may be of this dialect.
pub(crate) fn read_as(dialect: Dialect, line: &[u8]) -> Result<Reading, Reject> {
    own(dialect, line).unwrap_or_else(|| read(line))
}

/// Whether the line is recognised as one of the dialect, complete or truncated.
pub(crate) fn is_of(dialect: Dialect, line: &[u8]) -> bool {
    own(dialect, line).is_some()
}

fn own(dialect: Dialect, line: &[u8]) -> Option<Result<Reading, Reject>> {
    match dialect {
        Dialect::CephJournal => journal(line),
        Dialect::VersityGw => versity(line),
        _ => None,
    }
}

/// Builds a record from its fields.
fn reading(
    line: &[u8],
    fields: &[(Field, Range<usize>)],
    extra: &[Range<usize>],
    ambiguous: bool,
    time: i64,
) -> Reading {
    let mut record = RefRecord { time: Some(time), ambiguous, ..RefRecord::default() };
    let mut pieces = Vec::new();
    for (field, range) in fields {
        let bytes = &line[range.clone()];
        record.raw[field.index()] = Some(bytes.into());
        record.text[field.index()] = if bytes == b"-" { None } else { Some(bytes.into()) };
        // The time's brackets are part of the line.
        let is_time = *field == Field::Time;
        pieces.push(if is_time { line[range.start - 1..range.end + 1].into() } else { bytes.into() });
    }
    for range in extra {
        record.extra_fields.push(line[range.clone()].into());
        pieces.push(line[range.clone()].into());
    }
    record.http_status = record.text(Field::HttpStatus).and_then(status);
    for (slot, field) in INTEGERS.into_iter().enumerate() {
        record.integers[slot] = record.text(field).and_then(integer);
    }
    record.acl_required = record.text(Field::AclRequired).map(|_| true);
    record.object_key = object_key(&record);
    Reading { record, pieces }
}

fn tokens_behind(line: &[u8], at: usize) -> Vec<Range<usize>> {
    let mut tokens: Vec<Range<usize>> = Vec::new();
    let mut at = at;
    while let Some(token) = token_behind(line, at) {
        at = token.end;
        tokens.push(token);
    }
    tokens
}

/// Owner, bucket, time, operation, key, size, version, etag. The key is what the last three leave.
fn journal(line: &[u8]) -> Option<Result<Reading, Reject>> {
    let line = trimmed(line);
    let owner = token_from(line, 0)?;
    let bucket = token_behind(line, owner.end)?;
    let open = token_behind(line, bucket.end)?.start;
    let seconds = time_at(line, open)?;
    let time = open..open + super::time::LENGTH;
    let behind = tokens_behind(line, time.end);
    let operation = behind.first()?.clone();
    if !is_dotted_operation(&line[operation.clone()]) {
        return None;
    }
    if behind.len() < 5 {
        return Some(Err(Reject::Dialect));
    }
    let [.., last_of_key, size, version, etag] = &behind[..] else { return None };
    let size_text = &line[size.clone()];
    if size_text != b"-" && integer(size_text).is_none() {
        return Some(Err(Reject::Dialect));
    }
    let fields = [
        (Field::BucketOwner, owner),
        (Field::Bucket, bucket),
        (Field::Time, time.start + 1..time.end - 1),
        (Field::Operation, operation),
        (Field::Key, behind[1].start..last_of_key.end),
        (Field::ObjectSize, size.clone()),
        (Field::VersionId, version.clone()),
    ];
    let ambiguous = super::holds_another_record(line, time.end);
    Some(Ok(reading(line, &fields, std::slice::from_ref(etag), ambiguous, seconds)))
}

/// Reads a time with the month in full by shortening it to three letters. Returns the end of the time and its
/// seconds.
fn full_time_at(line: &[u8], at: usize) -> Option<(usize, i64)> {
    for month in [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ] {
        let rest = line.get(at + 4..)?;
        if rest.starts_with(month.as_bytes()) && rest.get(month.len()) == Some(&b'/') {
            let short = [&line[at..at + 4], &month.as_bytes()[..3], &rest[month.len()..]].concat();
            let seconds = time_at(&short, 0)?;
            return Some((at + super::time::LENGTH - 3 + month.len(), seconds));
        }
    }
    None
}

/// 26 unquoted fields; the last but one repeats bucket and key.
fn versity(line: &[u8]) -> Option<Result<Reading, Reject>> {
    let line = trimmed(line);
    let owner = token_from(line, 0)?;
    let bucket_start = token_behind(line, owner.end)?.start;
    // The bucket has no slash, so it extends to the first token with one, the time.
    let first = tokens_behind(line, owner.end).into_iter().find(|token| line[token.clone()].contains(&b'/'))?;
    let (end, seconds) = full_time_at(line, first.start)?;
    if first.start == bucket_start || (end < line.len() && line[end] != b' ') {
        return None;
    }
    let time = first.start..end;
    let is_may = time.len() == super::time::LENGTH;
    // A truncated line. With May as month it may be from another system.
    let cut = if is_may { None } else { Some(Err(Reject::Dialect)) };
    let bucket = bucket_start..without_spaces_at_end(line, time.start);

    let behind = tokens_behind(line, time.end);
    let [remote_ip, requester, request_id, operation, ..] = &behind[..] else { return cut };
    let key_start = skip_spaces(line, operation.end);
    if !line[key_start..].ends_with(b" Yes") {
        return cut;
    }
    let acl_required = line.len() - 3..line.len();
    let body = without_spaces_at_end(line, line.len() - 3);

    // All possible ends of the line, last one first.
    let mut ends = Vec::new();
    for arn in (key_start..body).rev() {
        if !line[arn..body].starts_with(b" arn:aws:s3:::") {
            continue;
        }
        let mut starts = Vec::new();
        let mut at = arn;
        for _ in 0..5 {
            let end = without_spaces_at_end(&line[..at], at).max(key_start);
            let mut start = end;
            while start > key_start && line[start - 1] != b' ' {
                start -= 1;
            }
            if start < end {
                starts.insert(0, start..end);
            }
            at = start;
        }
        if starts.len() == 5 && &line[starts[0].clone()] == b"SigV4" && &line[starts[2].clone()] == b"AuthHeader" {
            let arn = skip_spaces(line, arn)..body;
            starts.extend([arn, acl_required.clone()]);
            ends.push(starts);
        }
    }
    let Some(rightmost) = ends.first().cloned() else { return cut };

    // Ends that repeat the key. The rest of the line is only read for the first four of them.
    let repeating: Vec<_> = ends
        .iter()
        .filter_map(|end| repeated_key(line, &bucket, key_start, end).map(|key| (key, end.clone())))
        .collect();
    let mut readings: Vec<_> = repeating
        .iter()
        .take(4)
        .filter_map(|(key, end)| middle(line, key.end, end[0].start).map(|middle| (key.clone(), middle, end.clone())))
        .collect();
    let mut ambiguous = readings.len() != 1 || repeating.len() > 4;
    if readings.is_empty() {
        let key = key_start..token_end(line, key_start).min(without_spaces_at_end(line, rightmost[0].start));
        match middle(line, key.end.max(key_start), rightmost[0].start) {
            Some(middle) if !key.is_empty() => readings.push((key, middle, rightmost)),
            _ => return cut,
        }
    }
    let (key, (between, unsure), end) = readings.swap_remove(0);
    ambiguous |= unsure || (time.end..line.len()).any(|at| line[at] == b'[' && full_time_at(line, at).is_some());

    let mut places = vec![owner, bucket, time.start + 1..time.end - 1];
    places.extend([remote_ip.clone(), requester.clone(), request_id.clone(), operation.clone(), key]);
    places.extend(between);
    places.extend(end);
    let fields: Vec<_> = Field::ALL.into_iter().zip(places).collect();
    assert_eq!(fields.len(), 26);
    Some(Ok(reading(line, &fields, &[], ambiguous, seconds)))
}

/// The key at `start`, if this end of the line repeats it.
fn repeated_key(line: &[u8], bucket: &Range<usize>, start: usize, end: &[Range<usize>]) -> Option<Range<usize>> {
    let path = &line[end[5].clone()][b"arn:aws:s3:::".len()..];
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let bucket = &line[bucket.clone()];
    let path = match path.strip_prefix(bucket) {
        Some(path) => path,
        None if bucket == b"-" => path,
        None => return None,
    };
    let key: &[u8] = match path {
        b"" | b"/" => b"-",
        _ => {
            let key = path.strip_prefix(b"/")?;
            &key[skip_spaces(key, 0)..]
        }
    };
    let limit = without_spaces_at_end(line, end[0].start);
    let fits = !key.is_empty() && start <= limit && line[start..limit].starts_with(key);
    (fits && line[start..limit].get(key.len()) == Some(&b' ')).then_some(start..start + key.len())
}

/// Path, status, error code, four numbers, referer, user agent, version id, host id; and whether they are uncertain.
fn middle(line: &[u8], start: usize, end: usize) -> Option<(Vec<Range<usize>>, bool)> {
    let end = without_spaces_at_end(line, end);
    if start > end {
        return None;
    }
    let text = &line[..end];
    let mut tokens = Vec::new();
    let mut at = start;
    while let Some(token) = token_from(text, at) {
        at = token.end;
        tokens.push(token);
    }
    let path = tokens.first()?.start;
    let is_number = |token: &Range<usize>| integer(&line[token.clone()]).is_some();
    let is_status = |token: &Range<usize>| token.len() == 3 && status(&line[token.clone()]).is_some();

    // The alternatives after the first token: a word as error code, or a sentence.
    let mut sentences = Vec::new();
    if let Some(first) = tokens.get(1)
        && is_status(first)
    {
        for number in 3..tokens.len() {
            if tokens.get(number..number + 4).is_some_and(|four| four.iter().all(is_number)) {
                let mut six = vec![first.clone(), tokens[2].start..tokens[number - 1].end];
                six.extend_from_slice(&tokens[number..number + 4]);
                sentences.push(six);
            }
        }
    }
    let is_failure = tokens.get(1).is_some_and(|status| &line[status.clone()] == b"500");
    let words: Vec<(usize, Vec<Range<usize>>)> = (0..tokens.len())
        .filter_map(|number| {
            let six = tokens.get(number + 1..number + 7)?;
            let fits = is_status(&six[0]) && six[2..].iter().all(is_number);
            fits.then(|| (number, six.to_vec()))
        })
        .collect();
    let is_word = !is_failure && words.first().is_some_and(|(number, _)| *number == 0);
    let (last_of_path, six, mut unsure) = if is_word {
        (0, words[0].1.clone(), words.len() > 1)
    } else if let Some(sentence) = sentences.first() {
        let elsewhere = words.iter().any(|(number, _)| *number > 0);
        (0, sentence.clone(), sentences.len() > 1 || elsewhere)
    } else {
        let (number, six) = words.iter().find(|(number, _)| *number > 0)?;
        (*number, six.clone(), words.iter().filter(|(number, _)| *number > 0).count() > 1)
    };

    let path_end = tokens[last_of_path].end;
    let rest: Vec<_> = tokens.into_iter().filter(|token| token.start >= six[5].end).collect();
    let [referer, agent @ .., version, host_id] = &rest[..] else { return None };
    let user_agent = agent.first()?.start..agent.last()?.end;
    let referer_text = &line[referer.clone()];
    unsure |= referer_text != b"-" && !referer_text.windows(3).any(|three| three == b"://");
    unsure |= agent.len() > 1 && agent.iter().any(|word| &line[word.clone()] == b"-");

    let mut places = Vec::new();
    places.push(path..path_end);
    places.extend(six);
    places.extend([referer.clone(), user_agent, version.clone(), host_id.clone()]);
    Some((places, unsure))
}
