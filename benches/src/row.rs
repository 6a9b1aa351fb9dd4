//! A line as S3 writes it: the values of its fields, and which fields the line's year has.

use s3log_parser::Field;

use crate::calendar::TimeStamp;

/// Number of fields that every line has: up to the user agent.
const FIELDS_OF_2006: usize = 17;

/// The set of fields of a line, which depends on the year in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Era {
    fields: usize,
    iam_id: bool,
}

impl Era {
    /// All fields that are documented today.
    pub const TODAY: Self = Self { fields: Field::COUNT, iam_id: false };
    /// The days of March 2019 with an IAM id between version id and host id.
    pub const MARCH_2019: Self = Self { fields: 24, iam_id: true };

    /// The fields that AWS wrote in a year: 17 in 2006, 27 in 2026.
    pub fn of_year(year: u16) -> Self {
        let fields = Field::ALL.iter().filter(|field| field.info().since <= year).count();
        Self { fields: fields.max(FIELDS_OF_2006), iam_id: false }
    }

    /// Number of documented fields in a line of this era.
    pub fn fields(self) -> usize {
        self.fields
    }
}

/// The values of a line.
///
/// `None` stands for values that S3 leaves out, written as `-`. Like in S3's logs, nothing is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Canonical id of the bucket's owner.
    pub bucket_owner: &'a [u8],
    /// Name of the bucket.
    pub bucket: &'a [u8],
    /// Seconds since 1970, UTC.
    pub time: i64,
    /// Client address; `None` for actions of a service.
    pub remote_ip: Option<&'a [u8]>,
    /// Requester; `None` for anonymous requests.
    pub requester: Option<&'a [u8]>,
    /// Id of the request.
    pub request_id: &'a [u8],
    /// Operation, such as `REST.GET.OBJECT`.
    pub operation: &'a [u8],
    /// Key, encoded as by S3 for this operation.
    pub key: Option<&'a [u8]>,
    /// Request line.
    pub request_uri: Quoted<'a>,
    /// HTTP status.
    pub status: Option<u16>,
    /// S3 error code.
    pub error_code: Option<&'a [u8]>,
    /// Size of the response body in bytes.
    pub bytes_sent: Option<u64>,
    /// Size of the whole object in bytes.
    pub object_size: Option<u64>,
    /// Total time in milliseconds.
    pub total_time: Option<u64>,
    /// Turn-around time in milliseconds.
    pub turn_around_time: Option<u64>,
    /// Referer header.
    pub referer: Quoted<'a>,
    /// User-Agent header.
    pub user_agent: Quoted<'a>,
    /// Version id of the request.
    pub version_id: Option<&'a [u8]>,
    /// IAM id of the requester; only written in [`Era::MARCH_2019`].
    pub iam_id: Option<&'a [u8]>,
    /// Extended request id.
    pub host_id: Option<&'a [u8]>,
    /// `SigV2` or `SigV4`; `None` for unsigned requests.
    pub signature_version: Option<&'a [u8]>,
    /// TLS cipher suite.
    pub cipher_suite: Option<&'a [u8]>,
    /// `AuthHeader` or `QueryString`.
    pub authentication_type: Option<&'a [u8]>,
    /// Host header, i.e. the endpoint.
    pub host_header: Option<&'a [u8]>,
    /// TLS version, such as `TLSv1.3`.
    pub tls_version: Option<&'a [u8]>,
    /// ARN of the access point.
    pub access_point_arn: Option<&'a [u8]>,
    /// Whether the request needed an access control list to be authorised.
    pub acl_required: bool,
    /// AWS Region of the client.
    pub source_region: Option<&'a [u8]>,
    /// Unknown fields after all others.
    pub unknown: &'a [&'a [u8]],
}

/// How a quoted field is written.
#[derive(Clone, Copy, Debug)]
pub enum Quoted<'a> {
    /// A bare `-`, as in rows of batch deletes and for the read half of copies.
    Bare,
    /// `"-"`: the client did not send the header.
    Nothing,
    /// Text in quotes.
    Text(&'a [u8]),
}

impl Row<'static> {
    /// A row without any values.
    pub const BLANK: Self = Self {
        bucket_owner: b"-",
        bucket: b"-",
        time: 0,
        remote_ip: None,
        requester: None,
        request_id: b"-",
        operation: b"-",
        key: None,
        request_uri: Quoted::Nothing,
        status: None,
        error_code: None,
        bytes_sent: None,
        object_size: None,
        total_time: None,
        turn_around_time: None,
        referer: Quoted::Nothing,
        user_agent: Quoted::Nothing,
        version_id: None,
        iam_id: None,
        host_id: None,
        signature_version: None,
        cipher_suite: None,
        authentication_type: None,
        host_header: None,
        tls_version: None,
        access_point_arn: None,
        acl_required: false,
        source_region: None,
        unknown: &[],
    };
}

impl Row<'_> {
    /// Appends the line including its newline.
    pub fn render(&self, era: Era, stamp: &mut TimeStamp, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bucket_owner);
        token(Some(self.bucket), out);
        token(Some(stamp.render(self.time)), out);
        token(self.remote_ip, out);
        token(self.requester, out);
        token(Some(self.request_id), out);
        token(Some(self.operation), out);
        token(self.key, out);
        quoted(self.request_uri, out);
        number(self.status.map(u64::from), out);
        token(self.error_code, out);
        number(self.bytes_sent, out);
        number(self.object_size, out);
        number(self.total_time, out);
        number(self.turn_around_time, out);
        quoted(self.referer, out);
        quoted(self.user_agent, out);
        let tail = [
            self.version_id,
            self.host_id,
            self.signature_version,
            self.cipher_suite,
            self.authentication_type,
            self.host_header,
            self.tls_version,
            self.access_point_arn,
            self.acl_required.then_some(b"Yes"),
            self.source_region,
        ];
        for (index, value) in tail.iter().take(era.fields - FIELDS_OF_2006).enumerate() {
            token(*value, out);
            if index == 0 && era.iam_id {
                token(self.iam_id, out);
            }
        }
        for value in self.unknown {
            token(Some(value), out);
        }
        out.push(b'\n');
    }
}

#[inline]
fn token(value: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(value.unwrap_or(b"-"));
}

#[inline]
fn quoted(value: Quoted<'_>, out: &mut Vec<u8>) {
    match value {
        Quoted::Bare => out.extend_from_slice(b" -"),
        Quoted::Nothing => out.extend_from_slice(b" \"-\""),
        Quoted::Text(text) => {
            out.extend_from_slice(b" \"");
            out.extend_from_slice(text);
            out.push(b'"');
        }
    }
}

#[inline]
fn number(value: Option<u64>, out: &mut Vec<u8>) {
    out.push(b' ');
    match value {
        Some(value) => push_number(value, out),
        None => out.push(b'-'),
    }
}

/// Appends a number in decimal.
#[inline]
pub fn push_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(row: &Row<'_>, era: Era) -> String {
        let mut out = Vec::new();
        row.render(era, &mut TimeStamp::default(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn eras_have_the_fields_of_their_year() {
        let fields = |year| Era::of_year(year).fields();
        assert_eq!(
            [2006, 2011, 2012, 2018, 2019, 2021, 2022, 2025, 2026, 2040].map(fields),
            [17, 17, 18, 18, 24, 25, 26, 26, 27, 27]
        );
        assert_eq!(Era::of_year(2026), Era::TODAY);
    }

    #[test]
    fn a_line_reads_as_s3_writes_it() {
        let row = Row {
            bucket_owner: b"79a5",
            bucket: b"media",
            time: 1_549_411_238,
            remote_ip: Some(b"192.0.2.3"),
            request_id: b"3E57427F3EXAMPLE",
            operation: b"REST.GET.OBJECT",
            key: Some(b"a.jpg"),
            request_uri: Quoted::Text(b"GET /a.jpg HTTP/1.1"),
            status: Some(200),
            bytes_sent: Some(113),
            referer: Quoted::Bare,
            user_agent: Quoted::Text(b"curl/8.4.0"),
            iam_id: Some(b"AIDAEXAMPLEEXAMPLE"),
            host_id: Some(b"s9lz="),
            acl_required: true,
            unknown: &[b"new"],
            ..Row::BLANK
        };
        let start = "79a5 media [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT a.jpg \
                     \"GET /a.jpg HTTP/1.1\" 200 - 113 - - - - \"curl/8.4.0\"";
        assert_eq!(render(&row, Era::TODAY), format!("{start} - s9lz= - - - - - - Yes - new\n"));
        assert_eq!(render(&row, Era::MARCH_2019), format!("{start} - AIDAEXAMPLEEXAMPLE s9lz= - - - - - new\n"));
        assert_eq!(render(&Row { unknown: &[], ..row }, Era::of_year(2006)), format!("{start}\n"));
    }

    #[test]
    fn numbers_have_all_their_digits() {
        let mut out = Vec::new();
        for value in [0, 10, u64::MAX] {
            push_number(value, &mut out);
            out.push(b' ');
        }
        assert_eq!(out, b"0 10 18446744073709551615 ");
    }
}
