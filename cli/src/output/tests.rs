//! Every format, for the same data, on a terminal and in a pipe.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, IntervalMonthDayNanoArray, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, IntervalMonthDayNano, Schema};
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::format::writer_of;
use super::ipc::Flavour;
use super::{Format, Output, OutputSettings, Paint, Shape};
use crate::terminal::Colour;

/// Rows that try to break the output: quotes, separators, line ends, escape sequences, bidi overrides, markup.
fn hostile() -> RecordBatch {
    let time = TimestampMicrosecondArray::from(vec![1_769_853_600_000_000, 1_769_853_600_000_001, 0]);
    let agents = StringViewArray::from(vec![
        Some("curl/8.1 | `rm` <img src=x> [a](b) *c* & \\d"),
        Some("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}gpj.exe\u{2066}\u{200b}\u{7f}"),
        None,
    ]);
    let keys = StringArray::from(vec![Some("a,\"b\"\tc"), Some("line\r\n999 = 1\n"), Some("")]);
    let bytes = Int64Array::from(vec![Some(1234), None, Some(-1)]);
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("x"), None]);
    lists.append_null();
    lists.append_value([Some("\u{1b}[1m\"")]);
    RecordBatch::try_from_iter([
        ("time", Arc::new(time.with_timezone("UTC")) as ArrayRef),
        ("user_agent", Arc::new(agents)),
        ("key", Arc::new(keys)),
        ("bytes\u{1b}[0m", Arc::new(bytes)),
        ("extra", Arc::new(lists.finish())),
    ])
    .unwrap()
}

fn settings(format: Format, terminal: Option<usize>) -> OutputSettings {
    OutputSettings { format, header: true, null: None, terminal, color: Colour::Never, quiet: false }
}

fn render(batches: &[RecordBatch], format: Format, shape: Shape, settings: &OutputSettings) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = writer_of(
        &mut out,
        (format, settings.format == Format::Auto),
        shape,
        settings,
        Paint::default(),
        Flavour::Stream,
    );
    writer.begin(&batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    out
}

fn text(batch: &RecordBatch, format: Format, terminal: Option<usize>) -> String {
    let out = render(std::slice::from_ref(batch), format, Shape::Rows, &settings(format, terminal));
    String::from_utf8(out).unwrap()
}

/// Escapes control characters, so that snapshots show the exact bytes.
fn bytes_of(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.escape_debug())).collect()
}

const TEXT_FORMATS: [Format; 7] =
    [Format::Table, Format::Csv, Format::Tsv, Format::Json, Format::Ndjson, Format::Markdown, Format::Line];

#[test]
fn on_a_terminal() {
    let all: Vec<String> =
        TEXT_FORMATS.iter().map(|format| format!("{format:?}\n{}", text(&hostile(), *format, Some(100)))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn in_a_pipe() {
    let all: Vec<String> = TEXT_FORMATS
        .iter()
        .map(|format| format!("{format:?}\n{}", bytes_of(&text(&hostile(), *format, None))))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn no_terminal_ever_gets_a_character_that_it_would_obey() {
    for format in TEXT_FORMATS {
        for width in [20, 60, 100, 300] {
            let text = text(&hostile(), format, Some(width));
            let obeyed: Vec<char> = text.chars().filter(|c| *c != '\n' && super::escape::is_unprintable(*c)).collect();
            // Except for TSV's own separator.
            let obeyed: Vec<char> = obeyed.into_iter().filter(|c| format != Format::Tsv || *c != '\t').collect();
            assert_eq!(obeyed, [] as [char; 0], "{format:?}");
        }
    }
}

#[test]
fn json_on_a_terminal_is_the_same_json() {
    let plain = |text: String| {
        text.replace("\\u009b", "\u{9b}")
            .replace("\\u202e", "\u{202e}")
            .replace("\\u2066", "\u{2066}")
            .replace("\\u200b", "\u{200b}")
            .replace("\\u007f", "\u{7f}")
    };
    for format in [Format::Json, Format::Ndjson] {
        assert_eq!(plain(text(&hostile(), format, Some(80))), text(&hostile(), format, None));
    }
}

#[test]
fn a_file_is_not_painted_because_the_program_stands_on_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let open = |color| {
        let settings = OutputSettings { color, ..settings(Format::Table, Some(80)) };
        Output::open(Some(&directory.path().join("a.txt")), settings).unwrap()
    };
    // `CLICOLOR_FORCE` may be set in the environment of the test.
    let elsewhere = crate::terminal::paint(Colour::Auto, false);
    assert_eq!(open(Colour::Auto).paint().strong("time"), elsewhere.strong("time"));
    assert_eq!(open(Colour::Always).paint().strong("time"), "\u{1b}[1mtime\u{1b}[0m");
}

#[test]
fn without_header_and_with_another_null() {
    let settings = OutputSettings { header: false, null: Some("-".to_owned()), ..settings(Format::Csv, None) };
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(StringArray::from(vec![Some("-"), None, Some("")])) as ArrayRef),
        ("b", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
    ])
    .unwrap();
    let render =
        |format| String::from_utf8(render(std::slice::from_ref(&batch), format, Shape::Rows, &settings)).unwrap();
    // The text `-` differs from NULL, which CSV can express.
    assert_eq!(render(Format::Csv), "\"-\",1\n-,-\n,3\n");
    assert_eq!(render(Format::Tsv), "-\t1\n-\t-\n\t3\n");
    assert_eq!(render(Format::Table), "┌───┬───┐\n│ - │ 1 │\n│ - │ - │\n│   │ 3 │\n└───┴───┘\n");
}

#[test]
fn no_rows() {
    let empty = hostile().slice(0, 0);
    let all: Vec<String> =
        TEXT_FORMATS.iter().map(|format| format!("{format:?}\n{}", text(&empty, *format, Some(100)))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_table_that_is_too_wide_becomes_lines_or_says_what_it_hides() {
    let auto = render(&[hostile()], Format::Table, Shape::Rows, &settings(Format::Auto, Some(40)));
    let asked = render(&[hostile()], Format::Table, Shape::Rows, &settings(Format::Table, Some(40)));
    insta::assert_snapshot!(format!("{}\n{}", String::from_utf8(auto).unwrap(), String::from_utf8(asked).unwrap()));
}

#[test]
fn prose_is_wrapped_and_plans_are_text() {
    let batch = RecordBatch::try_from_iter([
        ("name", Arc::new(StringArray::from(vec!["logical_plan", "physical_plan"])) as ArrayRef),
        (
            "meaning",
            Arc::new(StringArray::from(vec![
                "Projection: count of everything\n  TableScan: logs",
                "DataSourceExec: \u{1b}[31m",
            ])),
        ),
    ])
    .unwrap();
    let settings = settings(Format::Table, Some(40));
    let prose = render(std::slice::from_ref(&batch), Format::Table, Shape::Prose, &settings);
    let plan = render(&[batch], Format::Table, Shape::Plan, &settings);
    insta::assert_snapshot!(format!("{}\n{}", String::from_utf8(prose).unwrap(), String::from_utf8(plan).unwrap()));
}

#[test]
fn a_number_after_the_first_rows_is_not_cut() {
    let column = |number: i64, rows| {
        let array: ArrayRef = Arc::new(Int64Array::from(vec![number; rows]));
        RecordBatch::try_from_iter([("n", array)]).unwrap()
    };
    let batches = [column(1, 1_000), column(23_456, 1)];
    let out = render(&batches, Format::Table, Shape::Rows, &settings(Format::Table, Some(80)));
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().skip(1002).take(2).collect::<Vec<_>>(), ["│ 1 │", "│ 23456 │"]);
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let column = |number: i64| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
    let fields = ["id", "v", "id", "v_1", "v"].map(|name| Field::new(name, DataType::Int64, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let batch = RecordBatch::try_new(schema, (0..5).map(column).collect()).unwrap();
    assert_eq!(text(&batch, Format::Ndjson, None), "{\"id\":0,\"v\":1,\"id_1\":2,\"v_1\":3,\"v_2\":4}\n");
    let stream = render(&[batch], Format::Arrow, Shape::Rows, &settings(Format::Arrow, None));
    let schema = StreamReader::try_new(stream.as_slice(), None).unwrap().schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "v", "id_1", "v_1", "v_2"]);
}

#[test]
fn no_text_becomes_a_link_in_markdown() {
    let agent = "see https://host.example and www.host.example @user #1 ~~s~~ _em_ $x$\u{202e}";
    let batch = RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec![agent])) as ArrayRef)]).unwrap();
    let expected = r"| see https:\//host.example and www\.host.example \@user \#1 \~\~s\~\~ \_em\_ \$x\$\\u{202e} |";
    assert_eq!(text(&batch, Format::Markdown, None).lines().last(), Some(expected));
}

#[test]
fn a_table_streams_with_the_widths_of_its_first_rows() {
    let column = |text: &str, rows| {
        let array: ArrayRef = Arc::new(StringArray::from(vec![text; rows]));
        RecordBatch::try_from_iter([("a", array)]).unwrap()
    };
    let batches = [column("ab", 1_000), column("a longer one", 1)];
    let lines = |terminal| {
        let out = render(&batches, Format::Table, Shape::Rows, &settings(Format::Table, terminal));
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(Some(80))[1003], "│ a… │");
    // A file is never cut, even if the box breaks.
    assert_eq!(lines(None)[1003], "│ a longer one │");
}

#[test]
fn parquet_and_arrow_hold_the_same_rows_in_plain_types() {
    let expected = hostile();
    let out = render(&[hostile(), hostile()], Format::Parquet, Shape::Rows, &settings(Format::Parquet, None));
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let parquet: Vec<RecordBatch> = reader.map(Result::unwrap).collect();

    let stream = render(&[hostile(), hostile()], Format::Arrow, Shape::Rows, &settings(Format::Arrow, None));
    let stream: Vec<RecordBatch> =
        StreamReader::try_new(stream.as_slice(), None).unwrap().map(Result::unwrap).collect();

    let mut file = Vec::new();
    let mut writer = writer_of(
        &mut file,
        (Format::Arrow, false),
        Shape::Rows,
        &settings(Format::Arrow, None),
        Paint::default(),
        Flavour::File,
    );
    writer.begin(&expected.schema()).unwrap();
    writer.write(&expected).unwrap();
    writer.write(&expected).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let file: Vec<RecordBatch> =
        FileReader::try_new(std::io::Cursor::new(file), None).unwrap().map(Result::unwrap).collect();

    for batches in [parquet, stream, file] {
        assert_eq!(batches[0].schema().field(1).data_type(), &DataType::Utf8);
        let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        assert_eq!(all.num_rows(), 6);
        let bytes = all.column(3).as_any().downcast_ref::<arrow::array::PrimitiveArray<Int64Type>>().unwrap();
        assert_eq!(bytes.iter().collect::<Vec<_>>()[..3], [Some(1234), None, Some(-1)]);
        assert_eq!(text(&all.slice(3, 3), Format::Ndjson, None), text(&expected, Format::Ndjson, None));
    }
}

/// Parquet has no type for them that is in use.
#[test]
fn intervals_are_text_in_parquet() {
    let intervals = IntervalMonthDayNanoArray::from(vec![Some(IntervalMonthDayNano::new(1, 2, 3_500_000_000)), None]);
    let batch = RecordBatch::try_from_iter([("lasted", Arc::new(intervals) as ArrayRef)]).unwrap();
    let out = render(std::slice::from_ref(&batch), Format::Parquet, Shape::Rows, &settings(Format::Parquet, None));
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(out)).unwrap().build().unwrap();
    assert_eq!(text(&reader.next().unwrap().unwrap(), Format::Csv, None), text(&batch, Format::Csv, None));
}

#[test]
fn a_file_with_half_a_result_gets_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    let mut output = Output::open(Some(&path), settings(Format::Auto, None)).unwrap();
    output.print(Shape::Rows, &hostile()).unwrap();
    output.writer(Shape::Rows).unwrap().begin(&hostile().schema()).unwrap();
    assert!(output.commit().is_err());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
