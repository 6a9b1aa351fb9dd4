//! Functions from text to text.
//!
//! A [`Row`] is a plain function of one row. It returns a slice of its argument or of a [`Scratch`] that is shared by
//! all rows of a batch, so a row allocates nothing. The result has the type of the first argument: `Utf8` for `Utf8`,
//! views for views.
//!
//! Results are copied even where a view into the argument's buffers would do: a copy costs about as much as validating
//! a view, and a view would keep a block of a megabyte alive for a short string.

use super::{Documented, FunctionDoc};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, GenericStringBuilder, LargeStringArray, OffsetSizeTrait, StringArray, StringViewArray,
    StringViewBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::types::{NativeType, logical_int64, logical_string};
use datafusion::common::{HashMap, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignatureClass, Volatility,
};
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Buffers shared by the rows of a batch. Their contents at the start of a row are unspecified.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// For bytes that may not be UTF-8.
    pub(super) bytes: Vec<u8>,
    /// For text.
    pub(super) text: String,
}

/// A function of one row; `None` is NULL. Arguments are never NULL.
pub(super) enum Row {
    /// Of one text.
    Text(for<'a> fn(&'a str, &'a mut Scratch) -> Option<&'a str>),
    /// Of one text, for expensive functions of columns with few distinct values: called once per distinct text of a
    /// batch.
    RepeatedText(for<'a> fn(&'a str) -> &'a str),
    /// Of a text and a second text.
    TextByText(for<'a> fn(&'a str, &str, &'a mut Scratch) -> Option<&'a str>),
    /// Of a text and an integer in this range.
    TextByInt(RangeInclusive<i64>, for<'a> fn(&'a str, i64, &'a mut Scratch) -> Option<&'a str>),
}

/// A [`Row`] as a DataFusion function.
pub(super) struct TextFunction {
    doc: &'static FunctionDoc,
    row: Row,
    signature: Signature,
    documentation: Documentation,
}

impl TextFunction {
    pub(super) fn documented(doc: &'static FunctionDoc, row: Row) -> Documented {
        let text = || Coercion::new_exact(TypeSignatureClass::Native(logical_string()));
        let integer = || {
            let from = vec![TypeSignatureClass::Integer];
            Coercion::new_implicit(TypeSignatureClass::Native(logical_int64()), from, NativeType::Int64)
        };
        let arguments = match &row {
            Row::Text(_) | Row::RepeatedText(_) => vec![text()],
            Row::TextByText(_) => vec![text(), text()],
            Row::TextByInt(..) => vec![text(), integer()],
        };
        let signature = Signature::coercible(arguments, Volatility::Immutable);
        let function = Self { doc, row, signature, documentation: doc.documentation() };
        Documented { doc, udf: ScalarUDF::new_from_impl(function) }
    }

    /// What is wrong with a constant second argument, if anything.
    fn fault(&self, second: &ScalarValue) -> Option<String> {
        let (Row::TextByInt(valid, _), ScalarValue::Int64(Some(number))) = (&self.row, second) else { return None };
        if valid.contains(number) {
            return None;
        }
        let (function, argument) = (self.doc.name, self.doc.arguments[1].0);
        Some(match *valid.end() {
            i64::MAX => format!("{function}: `{argument}` counts from {}, so {number} is not possible", valid.start()),
            end => {
                format!("{function}: `{argument}` goes from {} to {end}, so {number} is not possible", valid.start())
            }
        })
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        let texts = arguments[0].to_array(rows)?;
        match &self.row {
            Row::Text(row) => map(&texts, |_, text, scratch| row(text, scratch)),
            Row::RepeatedText(row) => map_distinct(&texts, *row),
            Row::TextByText(row) => {
                let second = Second::new(&arguments[1], rows, &DataType::Utf8View)?;
                let values = second.array.as_string_view();
                map(&texts, |i, text, scratch| row(text, values.value(second.valid(i)?), scratch))
            }
            Row::TextByInt(valid, row) => {
                let second = Second::new(&arguments[1], rows, &DataType::Int64)?;
                let values = second.array.as_primitive::<Int64Type>();
                map(&texts, |i, text, scratch| {
                    let number = values.value(second.valid(i)?);
                    if valid.contains(&number) { row(text, number, scratch) } else { None }
                })
            }
        }
    }
}

/// The second argument: a column, or one constant for all rows.
struct Second {
    array: ArrayRef,
    constant: bool,
}

impl Second {
    fn new(value: &ColumnarValue, rows: usize, data_type: &DataType) -> Result<Self> {
        let constant = matches!(value, ColumnarValue::Scalar(_));
        let array = cast(&value.to_array(if constant { 1 } else { rows })?, data_type)?;
        Ok(Self { array, constant })
    }

    /// Index of the value for a row; `None` if it is NULL.
    fn valid(&self, row: usize) -> Option<usize> {
        let at = if self.constant { 0 } else { row };
        self.array.is_valid(at).then_some(at)
    }
}

/// Maps each text; `row` gets the row number and the text.
fn map<F>(texts: &ArrayRef, mut row: F) -> Result<ArrayRef>
where
    F: for<'a> FnMut(usize, &'a str, &'a mut Scratch) -> Option<&'a str>,
{
    match texts.data_type() {
        DataType::Utf8View => {
            let texts = texts.as_string_view();
            let mut builder = StringViewBuilder::with_capacity(texts.len());
            let mut scratch = Scratch::default();
            for (i, text) in texts.iter().enumerate() {
                builder.append_option(text.and_then(|text| row(i, text, &mut scratch)));
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::Utf8 => Ok(map_offsets::<i32, _>(texts, row)),
        DataType::LargeUtf8 => Ok(map_offsets::<i64, _>(texts, row)),
        other => internal_err!("{other} is not a type of text"),
    }
}

fn map_offsets<O, F>(texts: &ArrayRef, mut row: F) -> ArrayRef
where
    O: OffsetSizeTrait,
    F: for<'a> FnMut(usize, &'a str, &'a mut Scratch) -> Option<&'a str>,
{
    let texts = texts.as_string::<O>();
    // Most results are much shorter than their arguments; the builder grows if needed.
    let mut builder = GenericStringBuilder::<O>::with_capacity(texts.len(), texts.len() * 16);
    let mut scratch = Scratch::default();
    for (i, text) in texts.iter().enumerate() {
        builder.append_option(text.and_then(|text| row(i, text, &mut scratch)));
    }
    Arc::new(builder.finish())
}

/// Maps each text; `row` is called once per distinct text.
fn map_distinct(texts: &ArrayRef, row: for<'a> fn(&'a str) -> &'a str) -> Result<ArrayRef> {
    Ok(match texts.data_type() {
        DataType::Utf8View => Arc::new(distinct(texts.as_string_view().iter(), row).collect::<StringViewArray>()),
        DataType::Utf8 => Arc::new(distinct(texts.as_string::<i32>().iter(), row).collect::<StringArray>()),
        DataType::LargeUtf8 => Arc::new(distinct(texts.as_string::<i64>().iter(), row).collect::<LargeStringArray>()),
        other => return internal_err!("{other} is not a type of text"),
    })
}

fn distinct<'a>(
    texts: impl Iterator<Item = Option<&'a str>>,
    row: fn(&'a str) -> &'a str,
) -> impl Iterator<Item = Option<&'a str>> {
    let mut known = HashMap::new();
    texts.map(move |text| text.map(|text| *known.entry(text).or_insert_with(|| row(text))))
}

impl ScalarUDFImpl for TextFunction {
    fn name(&self) -> &str {
        self.doc.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Report an invalid constant before anything is read.
        if let Some(fault) = arguments.scalar_arguments.get(1).copied().flatten().and_then(|second| self.fault(second))
        {
            return plan_err!("{fault}");
        }
        Ok(Arc::new(Field::new(self.name(), arguments.arg_fields[0].data_type().clone(), true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(ColumnarValue::Scalar(second)) = arguments.args.get(1)
            && let Some(fault) = self.fault(second)
        {
            return exec_err!("{fault}");
        }
        if arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
            let result = self.evaluate(&arguments.args, 1)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        self.evaluate(&arguments.args, arguments.number_rows).map(ColumnarValue::Array)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

// Function names are unique.
impl PartialEq for TextFunction {
    fn eq(&self, other: &Self) -> bool {
        self.doc.name == other.doc.name
    }
}

impl Eq for TextFunction {}

impl Hash for TextFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.doc.name.hash(state);
    }
}

impl std::fmt::Debug for TextFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextFunction").field("name", &self.doc.name).finish_non_exhaustive()
    }
}
