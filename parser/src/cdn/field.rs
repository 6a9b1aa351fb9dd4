//! The table of all CDN log fields: the single source of their names, types, order and documentation.
//!
//! Names and order follow AWS's page "Standard log file fields" of CloudFront. Column names are the lower-case field
//! names with every non-letter replaced by `_`; `date` and `time` form one column.

use crate::field::Distinct;
/// Type of a field's decoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text as written. CloudFront percent-encodes what clients send.
    Text,
    /// An instant, in seconds, or in milliseconds if the log has `timestamp(ms)`.
    Time,
    /// A three-digit HTTP status; `000` is 0.
    Status,
    /// An unsigned integer that fits into an `i64`.
    Integer,
    /// A decimal number of seconds.
    Seconds,
}

/// Metadata of a field: one row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// The field itself.
    pub field: Field,
    /// Column name.
    pub name: &'static str,
    /// Name in a `#Fields:` line.
    pub title: &'static str,
    /// Type of the decoded value.
    pub kind: Kind,
    /// Expected cardinality of the values.
    pub distinct: Distinct,
    /// First year in which AWS wrote the field.
    pub since: u16,
    /// Unit of a number, or the empty string.
    pub unit: &'static str,
    /// Description in one sentence.
    pub doc: &'static str,
    /// Example value as it appears in a line.
    pub example: &'static str,
}

macro_rules! fields {
    ($($variant:ident $name:literal $title:literal $kind:ident $distinct:ident $since:literal $unit:literal
        $example:literal $doc:literal;)*) => {
        /// A field of a CDN log record: first those of the 33 legacy columns in order, then the optional ones.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $doc] $variant,)*
        }

        /// Metadata of every field, indexed by [`Field::index`].
        pub const FIELDS: [FieldInfo; Field::COUNT] = [
            $(FieldInfo {
                field: Field::$variant,
                name: $name,
                title: $title,
                kind: Kind::$kind,
                distinct: Distinct::$distinct,
                since: $since,
                unit: $unit,
                doc: $doc,
                example: $example,
            },)*
        ];

        impl Field {
            /// Every field, in the order of the table.
            pub const ALL: [Field; Field::COUNT] = [$(Field::$variant,)*];
            /// Number of fields.
            pub const COUNT: usize = [$($name,)*].len();
        }
    };
}

fields! {
    Time "time" "date time" Time Many 2009 "" "2026-01-15\t10:22:41"
        "When the response was finished, in UTC: `date` and `time`, or `timestamp(ms)`.";
    XEdgeLocation "x_edge_location" "x-edge-location" Text Few 2009 "" "FRA56-P4"
        "Edge location that answered: mostly an airport and a number.";
    ScBytes "sc_bytes" "sc-bytes" Integer Many 2009 "bytes" "2390"
        "Bytes that were sent to the viewer, headers included.";
    CIp "c_ip" "c-ip" Text Many 2009 "" "192.0.2.3"
        "Address of the viewer, IPv4 or IPv6, or of the proxy before it.";
    CsMethod "cs_method" "cs-method" Text Few 2009 "" "GET"
        "HTTP method.";
    CsHost "cs_host" "cs(Host)" Text Few 2009 "" "d111111abcdef8.cloudfront.net"
        "Domain name of the distribution, whatever the viewer asked for.";
    CsUriStem "cs_uri_stem" "cs-uri-stem" Text Many 2009 "" "/photos/a%2520b.jpg"
        "Path of the request without its query, percent-encoded once more than the viewer sent it.";
    ScStatus "sc_status" "sc-status" Status Few 2009 "" "200"
        "HTTP status of the response; `000` when the viewer left before there was one.";
    CsReferer "cs_referer" "cs(Referer)" Text Many 2009 "" "https://www.example.com/"
        "Value of the Referer header, percent-encoded.";
    CsUserAgent "cs_user_agent" "cs(User-Agent)" Text Many 2009 "" "Mozilla/5.0%20(X11;%20Linux%20x86_64)"
        "Value of the User-Agent header, percent-encoded; twice between 2013 and 2019.";
    CsUriQuery "cs_uri_query" "cs-uri-query" Text Many 2010 "" "size=large"
        "Query of the request without its `?`, percent-encoded.";
    CsCookie "cs_cookie" "cs(Cookie)" Text Many 2012 "" "theme=dark;%20lang=en"
        "Value of the Cookie header, percent-encoded; NULL unless the distribution logs cookies.";
    XEdgeResultType "x_edge_result_type" "x-edge-result-type" Text Few 2012 "" "Hit"
        "How the response is classed after its last byte: `Hit`, `RefreshHit`, `Miss`, `Error` and others.";
    XEdgeRequestId "x_edge_request_id" "x-edge-request-id" Text Unique 2012 ""
        "EXAMPLEk1pkpNfBQ39sYMnjjUQjmH2w1wdJnbHYTbag21o0EXAMPLE=="
        "Id of the request, which no other request has.";
    XHostHeader "x_host_header" "x-host-header" Text Few 2013 "" "www.example.com"
        "Value of the Host header that the viewer sent.";
    CsProtocol "cs_protocol" "cs-protocol" Text Few 2013 "" "https"
        "`http`, `https`, `ws` or `wss`.";
    CsBytes "cs_bytes" "cs-bytes" Integer Many 2013 "bytes" "305"
        "Bytes that the viewer sent, headers included.";
    TimeTaken "time_taken" "time-taken" Seconds Many 2014 "seconds" "0.358"
        "From the viewer's request to the last byte of the response.";
    XForwardedFor "x_forwarded_for" "x-forwarded-for" Text Many 2015 "" "198.51.100.7,%20203.0.113.9"
        "Value of the X-Forwarded-For header: addresses, as whoever sent it wrote them.";
    SslProtocol "ssl_protocol" "ssl-protocol" Text Few 2015 "" "TLSv1.3"
        "TLS version that was negotiated; NULL for HTTP.";
    SslCipher "ssl_cipher" "ssl-cipher" Text Few 2015 "" "TLS_AES_128_GCM_SHA256"
        "TLS cipher that was negotiated; NULL for HTTP.";
    XEdgeResponseResultType "x_edge_response_result_type" "x-edge-response-result-type" Text Few 2015 "" "Hit"
        "How the response is classed before its first byte: what a ratio of cache hits counts.";
    CsProtocolVersion "cs_protocol_version" "cs-protocol-version" Text Few 2016 "" "HTTP/2.0"
        "HTTP version of the request.";
    FleStatus "fle_status" "fle-status" Text Few 2018 "" "Processed"
        "What field-level encryption did with the body of the request.";
    FleEncryptedFields "fle_encrypted_fields" "fle-encrypted-fields" Integer Few 2018 "fields" "4"
        "How many fields were encrypted.";
    CPort "c_port" "c-port" Integer Many 2019 "" "52834"
        "Port of the viewer.";
    TimeToFirstByte "time_to_first_byte" "time-to-first-byte" Seconds Many 2019 "seconds" "0.102"
        "From the viewer's request to the first byte of the response.";
    XEdgeDetailedResultType "x_edge_detailed_result_type" "x-edge-detailed-result-type" Text Few 2019 ""
        "OriginShieldHit"
        "As `x_edge_result_type`, or which error it was.";
    ScContentType "sc_content_type" "sc-content-type" Text Few 2019 "" "text/html;%20charset=UTF-8"
        "Value of the response's Content-Type header, percent-encoded.";
    ScContentLen "sc_content_len" "sc-content-len" Integer Many 2019 "bytes" "2024"
        "Value of the response's Content-Length header.";
    ScRangeStart "sc_range_start" "sc-range-start" Integer Many 2019 "bytes" "0"
        "First byte of the range that was sent, if one was.";
    ScRangeEnd "sc_range_end" "sc-range-end" Integer Many 2019 "bytes" "1048575"
        "Last byte of the range that was sent, if one was.";
    DistributionId "distribution_id" "DistributionId" Text Few 2024 "" "EDFDVBD6EXAMPLE"
        "Id of the distribution; only where the log was set up to have it.";
    CCountry "c_country" "c-country" Text Few 2024 "" "DE"
        "Country of the viewer; only where the log was set up to have it.";
    Asn "asn" "asn" Integer Many 2024 "" "64496"
        "Autonomous system of the viewer; only where the log was set up to have it.";
}

crate::formats::field_methods!();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field.index(), index);
            assert_eq!(Field::ALL[index], info.field);
            assert_eq!(Field::from_name(info.name), Some(info.field));
        }
        assert_eq!(Field::COUNT, 35);
        assert_eq!(Field::from_name("log_object"), None);
    }

    #[test]
    fn columns_are_the_titles_without_punctuation() {
        for info in FIELDS.iter().filter(|info| !matches!(info.field, Field::Time | Field::DistributionId)) {
            let snake = info.title.to_lowercase().replace(['-', '(', ')'], "_");
            assert_eq!(info.name, snake.trim_end_matches('_'));
        }
    }
}
