//! Rule 11: what a client sends in its request line and headers neither hides its record nor shifts a field that it
//! does not control.

use super::config;
use crate::lines_of::{AwsLine, aws_line, client_bytes};
use bstr::ByteSlice;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use s3log_parser::{Field, Parser};

/// Fields that clients do not control: all but those from request-URI to user agent.
fn untouchable() -> impl Iterator<Item = Field> {
    Field::ALL.into_iter().filter(|field| *field < Field::RequestUri || *field > Field::UserAgent)
}

/// The fields must come out as the line was made.
fn keeps(line: &AwsLine, fields: impl Iterator<Item = Field>) -> Result<(), TestCaseError> {
    let bytes = line.bytes();
    let record = match Parser::new().parse(&bytes) {
        Ok(record) => record,
        Err(error) => return Err(TestCaseError::fail(format!("{error}: {}", bytes.as_bstr()))),
    };
    for field in fields {
        prop_assert_eq!(
            record.raw(field).map(|text| text.as_bytes()),
            line.raw(field),
            "{} of\n{}",
            field,
            bytes.as_bstr()
        );
    }
    let extra: Vec<&[u8]> = record.extra_fields().map(|text| text.as_bytes()).collect();
    prop_assert_eq!(extra, line.extra_fields(), "extra fields of\n{}", bytes.as_bstr());
    Ok(())
}

/// A line in which request-URI, referer and user agent are quoted, as AWS does.
fn quoted_line() -> impl Strategy<Value = AwsLine> {
    aws_line().prop_filter("AWS quotes what clients send", |line| line.request_uri.is_some())
}

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn a_request_line_keeps_the_record(mut line in quoted_line(), text in client_bytes()) {
        line.request_uri = Some(text);
        keeps(&line, untouchable())?;
    }

    #[test]
    fn a_referer_keeps_everything_before_it(mut line in quoted_line(), text in client_bytes()) {
        line.referer = Some(text);
        keeps(&line, Field::ALL.into_iter().filter(|field| !matches!(field, Field::Referer | Field::UserAgent)))?;
    }

    #[test]
    fn a_user_agent_keeps_everything_before_it(mut line in quoted_line(), text in client_bytes()) {
        line.user_agent = Some(text);
        keeps(&line, Field::ALL.into_iter().filter(|field| *field != Field::UserAgent))?;
    }

    #[test]
    fn all_three_keep_the_record(
        mut line in quoted_line(),
        uri in client_bytes(),
        referer in client_bytes(),
        user_agent in client_bytes(),
    ) {
        line.request_uri = Some(uri);
        line.referer = Some(referer);
        line.user_agent = Some(user_agent);
        keeps(&line, untouchable())?;
    }
}
