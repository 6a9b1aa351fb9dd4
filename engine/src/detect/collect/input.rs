//! The columns of `requests` that detection reads.

use crate::error::{Error, ErrorKind};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};

/// Names of the columns.
pub(crate) const COLUMNS: [&str; 20] = [
    "time",
    "client_ip",
    "requester",
    "bucket",
    "operation",
    "method",
    "path",
    "query",
    "object_key",
    "status",
    "error_code",
    "bytes_sent",
    "object_size",
    "referer",
    "user_agent",
    "version_id",
    "authentication_type",
    "is_cdn_fetch",
    "tls_version",
    "scheme",
];

/// The columns of a batch.
#[derive(Debug)]
pub(crate) struct Input {
    time: arrow::array::TimestampMicrosecondArray,
    pub client_ip: StringViewArray,
    pub requester: StringViewArray,
    pub bucket: StringViewArray,
    pub operation: StringViewArray,
    pub method: StringViewArray,
    pub path: StringViewArray,
    pub query: StringViewArray,
    pub object_key: StringViewArray,
    status: Int32Array,
    pub error_code: StringViewArray,
    bytes_sent: Int64Array,
    object_size: Int64Array,
    pub referer: StringViewArray,
    pub user_agent: StringViewArray,
    pub version_id: StringViewArray,
    pub authentication_type: StringViewArray,
    is_cdn_fetch: BooleanArray,
    pub tls_version: StringViewArray,
    pub scheme: StringViewArray,
}

impl Input {
    /// Extracts [`COLUMNS`] from a batch.
    pub(crate) fn new(batch: &RecordBatch) -> Result<Self, Error> {
        let column = |name: &str| -> Result<&ArrayRef, Error> {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::new(ErrorKind::Internal, format!("the requests have no column `{name}`")))
        };
        let text = |name: &str| -> Result<StringViewArray, Error> {
            let array = column(name)?;
            Ok(match array.data_type() {
                DataType::Utf8View => array.as_string_view().clone(),
                _ => arrow::compute::cast(array, &DataType::Utf8View)?.as_string_view().clone(),
            })
        };
        let wrong = |name: &str| Error::new(ErrorKind::Internal, format!("the column `{name}` has another type"));
        Ok(Self {
            time: column("time")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong("time"))?.clone(),
            client_ip: text("client_ip")?,
            requester: text("requester")?,
            bucket: text("bucket")?,
            operation: text("operation")?,
            method: text("method")?,
            path: text("path")?,
            query: text("query")?,
            object_key: text("object_key")?,
            status: column("status")?.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong("status"))?.clone(),
            error_code: text("error_code")?,
            bytes_sent: column("bytes_sent")?
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| wrong("bytes_sent"))?
                .clone(),
            object_size: column("object_size")?
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| wrong("object_size"))?
                .clone(),
            referer: text("referer")?,
            user_agent: text("user_agent")?,
            version_id: text("version_id")?,
            authentication_type: text("authentication_type")?,
            is_cdn_fetch: column("is_cdn_fetch")?.as_boolean_opt().ok_or_else(|| wrong("is_cdn_fetch"))?.clone(),
            tls_version: text("tls_version")?,
            scheme: text("scheme")?,
        })
    }

    pub(crate) fn time(&self, row: usize) -> i64 {
        self.time.value(row)
    }

    pub(crate) fn status(&self, row: usize) -> Option<i32> {
        self.status.is_valid(row).then(|| self.status.value(row))
    }

    pub(crate) fn bytes_sent(&self, row: usize) -> Option<u64> {
        number(&self.bytes_sent, row)
    }

    pub(crate) fn object_size(&self, row: usize) -> Option<u64> {
        number(&self.object_size, row)
    }

    pub(crate) fn is_cdn_fetch(&self, row: usize) -> bool {
        self.is_cdn_fetch.is_valid(row) && self.is_cdn_fetch.value(row)
    }
}

fn number(array: &Int64Array, row: usize) -> Option<u64> {
    if array.is_valid(row) { u64::try_from(array.value(row)).ok() } else { None }
}

/// The text of a row; `None` if NULL.
#[inline]
pub(crate) fn text(array: &StringViewArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}
