//! An Arrow column prepared for printing cell by cell, as plain text or as JSON.
//! Every type is converted to one of a few representations once per batch, so that a cell costs a match and no
//! downcast. Types without a representation of their own (intervals, durations, unions) are printed by Arrow.

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, LargeBinaryArray,
    StringArray, StringViewArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::escape::{is_unprintable, push_json_escape};
use super::push_fmt;
use super::time::{push_date, push_timestamp};

/// A column whose cells can be printed.
#[derive(Debug)]
pub(crate) struct Column {
    values: Values,
}

#[derive(Debug)]
enum Values {
    Null,
    Boolean(BooleanArray),
    Int(Int64Array),
    UInt(UInt64Array),
    Float32(Float32Array),
    Float64(Float64Array),
    Text(StringViewArray),
    Timestamp(Int64Array, TimeUnit),
    Date(Int32Array),
    Bytes(LargeBinaryArray),
    List {
        offsets: OffsetBuffer<i64>,
        nulls: Option<NullBuffer>,
        items: Box<Column>,
    },
    Struct {
        nulls: Option<NullBuffer>,
        fields: Vec<(String, Column)>,
    },
    Map {
        offsets: OffsetBuffer<i32>,
        nulls: Option<NullBuffer>,
        keys: Box<Column>,
        values: Box<Column>,
    },
    /// Numeric text that JSON writes without quotes: decimals.
    Number(StringArray),
    Other(StringArray),
}

/// Whether cells of this type are right-aligned in tables.
pub(crate) fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_numeric(values),
        other => other.is_numeric(),
    }
}

/// Whether cutting a cell of this type would change its meaning: numbers, times.
pub(crate) fn is_rigid(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_rigid(values),
        DataType::Boolean => true,
        other => other.is_numeric() || other.is_temporal(),
    }
}

impl Column {
    /// Converts `array` to its printable representation.
    ///
    /// # Errors
    ///
    /// When Arrow cannot convert the array, which would be a bug in the operator that produced it.
    pub(crate) fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        use DataType as T;
        let values = match array.data_type() {
            T::Null => Values::Null,
            T::Boolean => Values::Boolean(array.as_boolean().clone()),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => {
                Values::Int(cast(array, &T::Int64)?.as_primitive::<Int64Type>().clone())
            }
            T::UInt64 => Values::UInt(array.as_primitive().clone()),
            T::Float16 | T::Float32 => Values::Float32(cast(array, &T::Float32)?.as_primitive().clone()),
            T::Float64 => Values::Float64(array.as_primitive().clone()),
            T::Utf8 | T::LargeUtf8 | T::Utf8View => Values::Text(cast(array, &T::Utf8View)?.as_string_view().clone()),
            T::Timestamp(unit, _) => {
                Values::Timestamp(cast(array, &T::Int64)?.as_primitive::<Int64Type>().clone(), *unit)
            }
            T::Date32 => Values::Date(cast(array, &T::Int32)?.as_primitive::<Int32Type>().clone()),
            T::Date64 => {
                Values::Timestamp(cast(array, &T::Int64)?.as_primitive::<Int64Type>().clone(), TimeUnit::Millisecond)
            }
            T::Binary | T::LargeBinary | T::FixedSizeBinary(_) | T::BinaryView => {
                Values::Bytes(cast(array, &T::LargeBinary)?.as_binary::<i64>().clone())
            }
            T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => {
                let list = cast(array, &T::LargeList(item.clone()))?;
                let list = list.as_list::<i64>();
                Values::List {
                    offsets: list.offsets().clone(),
                    nulls: list.nulls().cloned(),
                    items: Box::new(Self::new(list.values())?),
                }
            }
            T::Struct(fields) => {
                let array = array.as_struct();
                let columns = array.columns().iter().map(Self::new).collect::<Result<Vec<_>, _>>()?;
                Values::Struct {
                    nulls: array.nulls().cloned(),
                    fields: fields.iter().map(|field| field.name().clone()).zip(columns).collect(),
                }
            }
            T::Map(_, _) => {
                let map = array.as_map();
                Values::Map {
                    offsets: map.offsets().clone(),
                    nulls: map.nulls().cloned(),
                    keys: Box::new(Self::new(map.keys())?),
                    values: Box::new(Self::new(map.values())?),
                }
            }
            T::Dictionary(_, values) => return Self::new(&cast(array, values)?),
            T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => {
                Values::Number(as_arrow_prints(array)?)
            }
            _ => Values::Other(as_arrow_prints(array)?),
        };
        Ok(Self { values })
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        let is_null = |nulls: &Option<NullBuffer>| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        match &self.values {
            Values::Null => true,
            Values::Boolean(array) => array.is_null(row),
            Values::Int(array) | Values::Timestamp(array, _) => array.is_null(row),
            Values::UInt(array) => array.is_null(row),
            Values::Float32(array) => array.is_null(row),
            Values::Float64(array) => array.is_null(row),
            Values::Text(array) => array.is_null(row),
            Values::Date(array) => array.is_null(row),
            Values::Bytes(array) => array.is_null(row),
            Values::Number(array) | Values::Other(array) => array.is_null(row),
            Values::List { nulls, .. } | Values::Struct { nulls, .. } | Values::Map { nulls, .. } => is_null(nulls),
        }
    }

    /// Appends the cell as plain text; nothing for NULL. Lists, structs and maps are JSON.
    pub(crate) fn push_text(&self, row: usize, out: &mut String) {
        if self.is_null(row) {
            return;
        }
        match &self.values {
            Values::Null => {}
            Values::Boolean(array) => out.push_str(if array.value(row) { "true" } else { "false" }),
            Values::Int(array) => push_fmt(out, format_args!("{}", array.value(row))),
            Values::UInt(array) => push_fmt(out, format_args!("{}", array.value(row))),
            Values::Float32(array) => push_fmt(out, format_args!("{:?}", array.value(row))),
            Values::Float64(array) => push_fmt(out, format_args!("{:?}", array.value(row))),
            Values::Text(array) => out.push_str(array.value(row)),
            Values::Timestamp(array, unit) => push_timestamp(array.value(row), *unit, out),
            Values::Date(array) => push_date(array.value(row), out),
            Values::Bytes(array) => push_hex(array.value(row), out),
            Values::Number(array) | Values::Other(array) => out.push_str(array.value(row)),
            Values::List { .. } | Values::Struct { .. } | Values::Map { .. } => self.push_json(row, false, out),
        }
    }

    /// Appends the cell as a JSON value. `terminal`: use JSON escapes for characters that a terminal would obey.
    /// Numbers that JSON cannot represent (`NaN`, infinities) become null.
    pub(crate) fn push_json(&self, row: usize, terminal: bool, out: &mut String) {
        if self.is_null(row) {
            out.push_str("null");
            return;
        }
        match &self.values {
            Values::Null => out.push_str("null"),
            Values::Boolean(_) | Values::Int(_) | Values::UInt(_) | Values::Number(_) => self.push_text(row, out),
            Values::Float32(array) if !array.value(row).is_finite() => out.push_str("null"),
            Values::Float64(array) if !array.value(row).is_finite() => out.push_str("null"),
            Values::Float32(_) | Values::Float64(_) => self.push_text(row, out),
            Values::Text(array) => push_json_text(array.value(row), terminal, out),
            Values::Other(array) => push_json_text(array.value(row), terminal, out),
            Values::Timestamp(..) | Values::Date(_) | Values::Bytes(_) => {
                out.push('"');
                self.push_text(row, out);
                out.push('"');
            }
            Values::List { offsets, items, .. } => {
                out.push('[');
                for (n, item) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    // Offsets of a valid list are never negative.
                    items.push_json(usize::try_from(item).unwrap_or_default(), terminal, out);
                }
                out.push(']');
            }
            Values::Struct { fields, .. } => {
                out.push('{');
                for (n, (name, column)) in fields.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    push_json_text(name, terminal, out);
                    out.push(':');
                    column.push_json(row, terminal, out);
                }
                out.push('}');
            }
            Values::Map { offsets, keys, values, .. } => {
                out.push('{');
                let mut key = String::new();
                for (n, item) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    let item = usize::try_from(item).unwrap_or_default();
                    key.clear();
                    keys.push_text(item, &mut key);
                    push_json_text(&key, terminal, out);
                    out.push(':');
                    values.push_json(item, terminal, out);
                }
                out.push('}');
            }
        }
    }
}

/// Appends `text` as a JSON string. `terminal`: use JSON escapes for characters that a terminal would obey.
pub(crate) fn push_json_text(text: &str, terminal: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c < ' ' || (terminal && is_unprintable(c)) => push_json_escape(c, out),
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn push_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        push_fmt(out, format_args!("{byte:02x}"));
    }
}

fn as_arrow_prints(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let texts = (0..array.len())
        .map(|row| if array.is_null(row) { Ok(None) } else { formatter.value(row).try_to_string().map(Some) });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int16Array, IntervalDayTimeArray,
        ListArray, MapBuilder, NullArray, StringBuilder, StructArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Field, IntervalDayTime};

    use super::*;

    fn text(array: impl Array + 'static) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        let column = Column::new(&array).unwrap();
        let cell = |row| {
            let mut out = String::new();
            column.push_text(row, &mut out);
            if column.is_null(row) { "NULL".to_owned() } else { out }
        };
        (0..array.len()).map(cell).collect()
    }

    fn json(array: impl Array + 'static, terminal: bool) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        let column = Column::new(&array).unwrap();
        let cell = |row| {
            let mut out = String::new();
            column.push_json(row, terminal, &mut out);
            out
        };
        (0..array.len()).map(cell).collect()
    }

    #[test]
    fn numbers() {
        assert_eq!(text(Int16Array::from(vec![Some(-3), None])), ["-3", "NULL"]);
        assert_eq!(text(UInt64Array::from(vec![u64::MAX])), ["18446744073709551615"]);
        assert_eq!(text(Float64Array::from(vec![1.0, 0.1, 1e300, f64::NAN])), ["1.0", "0.1", "1e300", "NaN"]);
        assert_eq!(json(Float64Array::from(vec![1.5, f64::NAN, f64::INFINITY]), false), ["1.5", "null", "null"]);
        let decimal = Decimal128Array::from(vec![Some(12345), None]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(json(decimal, false), ["123.45", "null"]);
        assert_eq!(text(NullArray::new(1)), ["NULL"]);
    }

    #[test]
    fn times_are_rfc_3339_in_utc_whatever_the_zone_of_the_column() {
        let array = TimestampMicrosecondArray::from(vec![1_769_853_600_000_000, 1_769_853_600_000_001]);
        let expected = ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000001Z"];
        assert_eq!(text(array.clone().with_timezone("+02:00")), expected);
        assert_eq!(text(array.clone()), expected);
        assert_eq!(json(array, false)[0], "\"2026-01-31T10:00:00Z\"");
        assert_eq!(text(Date32Array::from(vec![20_484, -1])), ["2026-01-31", "1969-12-31"]);
    }

    #[test]
    fn text_and_bytes() {
        assert_eq!(text(StringArray::from(vec![Some(""), None, Some("a\u{1b}b")])), ["", "NULL", "a\u{1b}b"]);
        assert_eq!(text(BinaryArray::from(vec![&b"\x00\xff"[..]])), ["00ff"]);
        let dictionary: DictionaryArray<arrow::datatypes::Int32Type> =
            vec![Some("a"), None, Some("a")].into_iter().collect();
        assert_eq!(text(dictionary), ["a", "NULL", "a"]);
    }

    #[test]
    fn json_text_is_escaped_as_json_and_for_a_terminal_on_request() {
        let array = StringArray::from(vec!["\"\\\n\u{1b}\u{202e}\u{e0041}é"]);
        assert_eq!(json(array.clone(), false), ["\"\\\"\\\\\\n\\u001b\u{202e}\u{e0041}é\""]);
        assert_eq!(json(array, true), ["\"\\\"\\\\\\n\\u001b\\u202e\\udb40\\udc41é\""]);
    }

    #[test]
    fn lists_structs_and_maps_are_json() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
        assert_eq!(text(list), ["[1,null]", "NULL", "[]"]);

        let text_field = Arc::new(Field::new("id", DataType::Utf8, true));
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["a\"b"]));
        assert_eq!(text(StructArray::from(vec![(text_field, ids)])), [r#"{"id":"a\"b"}"#]);

        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        map.keys().append_value("k");
        map.values().append_null();
        map.append(true).unwrap();
        assert_eq!(text(map.finish()), [r#"{"k":null}"#]);
    }

    #[test]
    fn a_sliced_list_prints_its_own_items() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)]), Some(vec![Some(2)])]);
        assert_eq!(text(list.slice(1, 1)), ["[2]"]);
    }

    #[test]
    fn rare_types_print_as_arrow_prints_them() {
        let array = IntervalDayTimeArray::from(vec![Some(IntervalDayTime::new(1, 0)), None]);
        assert_eq!(text(array), ["1 days", "NULL"]);
    }
}
