//! Selects the format of a result and creates its writer.

use std::io::{self, Write as _};
use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::csv::CsvWriter;
use super::ipc::{Flavour, IpcWriter};
use super::json::{JsonWriter, Layout};
use super::line::LineWriter;
use super::markdown::MarkdownWriter;
use super::nothing::NullWriter;
use super::parquet::ParquetWriter;
use super::plan::PlanWriter;
use super::table::{Overflow, TableStyle, TableWriter, TooWide};
use super::tsv::TsvWriter;
use super::{Destination, Paint, ResultWriter};
use crate::failure::Failure;
use crate::terminal::{self, Colour};

/// A format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// By the extension of --output; otherwise a table on a terminal and CSV in a pipe
    Auto,
    /// A table in a box, cut to the width of the terminal
    Table,
    /// Comma-separated values
    Csv,
    /// Tab-separated values, escaped by backslashes
    Tsv,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    #[value(alias = "jsonl")]
    Ndjson,
    /// A table in GitHub's Markdown
    #[value(alias = "md")]
    Markdown,
    /// One `column = value` a line
    Line,
    /// Parquet, zstd
    Parquet,
    /// Arrow IPC: the file format in a file, the stream format in a pipe
    Arrow,
    /// Read everything, print nothing
    Null,
}

impl Format {
    /// The format for a file name; `None` if its extension is unknown. A name without extension means CSV, as for a
    /// pipe.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        let Some(extension) = path.extension() else { return Some(Self::Csv) };
        Some(match extension.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "json" => Self::Json,
            "ndjson" | "jsonl" => Self::Ndjson,
            "md" | "markdown" => Self::Markdown,
            "txt" => Self::Table,
            "parquet" => Self::Parquet,
            "arrow" | "arrows" | "ipc" | "feather" => Self::Arrow,
            _ => return None,
        })
    }

    /// The format selected by the extension of `--output`, for commands that also write other formats. `None` means the
    /// default for pipes, or an unknown extension, which [`Output::open`] reports.
    pub(crate) fn of_output(path: Option<&Path>) -> Option<Self> {
        with_extension(path).and_then(Self::of_path)
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }
}

/// Whether `--output` selects JSON, for commands that only write text or JSON.
/// # Errors
/// When the extension selects another format: text in a file called `a.parquet` would be confusing.
pub(super) fn is_json(path: Option<&Path>, command: &str) -> Result<bool, Failure> {
    let Some(path) = with_extension(path) else { return Ok(false) };
    match Format::of_path(path) {
        Some(Format::Json) => Ok(true),
        Some(Format::Table) => Ok(false),
        _ => Err(Failure::usage(format!("`s3log {command}` cannot write the format of `{}`", path.display()))
            .with_hint("use the extension txt or json, or choose a format with -F")),
    }
}

/// The output file, if its extension is meaningful. For devices and named pipes it is not.
fn with_extension(path: Option<&Path>) -> Option<&Path> {
    let is_there_as_another = |path: &Path| std::fs::metadata(path).is_ok_and(|there| !there.is_file());
    path.filter(|path| path.extension().is_some() && !is_there_as_another(path))
}

/// Width of a terminal whose width is unknown.
const OTHER_WIDTH: usize = 80;

/// The kind of a result, as far as it affects the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Rows,
    /// Rows of text, such as documentation: a table wraps them instead of cutting them.
    Prose,
    /// The plans of `EXPLAIN`.
    Plan,
}

/// How results look, independent of their destination.
#[derive(Clone, Debug)]
pub(crate) struct OutputSettings {
    /// The requested format.
    pub format: Format,
    /// Whether to print column names.
    pub header: bool,
    /// Text for NULL; `None` for the format's default.
    pub null: Option<String>,
    /// Width of the terminal; `None` if the output is not a terminal.
    pub terminal: Option<usize>,
    pub color: Colour,
    /// Whether to leave out everything but data, such as the number of rows.
    pub quiet: bool,
}

/// Destination and format of the results of one run.
pub(crate) struct Output {
    destination: Destination,
    settings: OutputSettings,
    paint: Paint,
    /// The format from the file's extension, if any.
    by_name: Option<Format>,
    stream: bool,
    results: usize,
    /// Results begun but not finished.
    unfinished: usize,
}

impl Output {
    /// Opens standard output, or the file at `path` (`-` is standard output).
    ///
    /// # Errors
    ///
    /// When the file cannot be created, no format was requested and the extension selects none, or binary data would go
    /// to a terminal.
    pub(crate) fn open(path: Option<&Path>, mut settings: OutputSettings) -> Result<Self, Failure> {
        let path = path.filter(|path| *path != Path::new("-"));
        let destination = match path {
            None => Destination::stdout(),
            Some(path) => Destination::file(path)
                .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?,
        };
        // The width of a terminal other than standard output is not known.
        settings.terminal = destination.is_terminal().then(|| settings.terminal.unwrap_or(OTHER_WIDTH));
        let paint = terminal::paint(settings.color, destination.is_terminal());
        let by_name = match path {
            Some(path) if settings.format == Format::Auto && destination.is_regular_file() => {
                Some(Format::of_path(path).ok_or_else(|| {
                    Failure::usage(format!("cannot tell the format from the name `{}`", path.display()))
                        .with_hint("choose one, such as `-F csv`, or use an extension: csv, tsv, json, ndjson, md, txt, parquet, arrow")
                })?)
            }
            _ => None,
        };
        let stream = path.is_some_and(|path| path.extension().is_some_and(|extension| extension == "arrows"));
        let output = Self { destination, settings, paint, by_name, stream, results: 0, unfinished: 0 };
        if output.format().is_binary() && output.destination.is_terminal() {
            return Err(no_bytes_on_a_terminal());
        }
        Ok(output)
    }

    /// The format of results.
    pub(crate) fn format(&self) -> Format {
        match (self.settings.format, self.by_name) {
            (Format::Auto, Some(format)) => format,
            (Format::Auto, None) if self.settings.terminal.is_some() => Format::Table,
            (Format::Auto, None) => Format::Csv,
            (format, _) => format,
        }
    }

    /// Changes the format of later results.
    pub(crate) fn set_format(&mut self, format: Format) {
        self.settings.format = format;
    }

    /// Whether results go to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.settings.terminal.is_some()
    }

    /// Whether text other than results may be in the output: not in files of a format for programs.
    pub(crate) fn takes_prose(&self) -> bool {
        !self.destination.is_regular_file() || matches!(self.format(), Format::Table | Format::Line | Format::Markdown)
    }

    /// The width for prose, if the output is a terminal and no format was requested.
    pub(crate) fn prose_width(&self) -> Option<usize> {
        self.settings.terminal.filter(|_| self.settings.format == Format::Auto)
    }

    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// The sink itself, for text that is not a result.
    pub(crate) fn sink(&mut self) -> &mut Destination {
        &mut self.destination
    }

    /// Starts a writer for the next result.
    ///
    /// # Errors
    ///
    /// When the format allows only one result and this is the second.
    pub(crate) fn writer(&mut self, shape: Shape) -> Result<Box<dyn ResultWriter + '_>, Failure> {
        let format = self.format();
        if format.is_binary() && self.destination.is_terminal() {
            return Err(no_bytes_on_a_terminal());
        }
        self.results += 1;
        if self.results > 1 && format.is_binary() {
            return Err(Failure::failed("a Parquet or Arrow file can only hold one result, but this SQL returns more")
                .with_hint("run the statements one by one, or choose another format"));
        }
        let apart =
            matches!(format, Format::Markdown | Format::Line) || (format == Format::Table && self.is_terminal());
        if self.results > 1 && apart {
            // Without an empty line, two tables would look like one.
            self.destination.write_all(b"\n").map_err(Failure::from_output)?;
        }
        self.unfinished += 1;
        let flavour = if self.destination.is_regular_file() && !self.stream { Flavour::File } else { Flavour::Stream };
        let Self { destination, settings, paint, by_name, .. } = self;
        let auto = settings.format == Format::Auto && by_name.is_none();
        Ok(writer_of(destination, (format, auto), shape, settings, *paint, flavour))
    }

    /// Writes a complete result that is in memory, such as documentation.
    ///
    /// # Errors
    ///
    /// Those of [`writer`](Self::writer), and I/O errors.
    pub(crate) fn print(&mut self, shape: Shape, batch: &arrow::array::RecordBatch) -> Result<(), Failure> {
        let mut writer = self.writer(shape)?;
        let schema: SchemaRef = batch.schema();
        let written: io::Result<()> =
            writer.begin(&schema).and_then(|()| writer.write(batch)).and_then(|()| writer.finish());
        drop(writer);
        written.map_err(Failure::from_output)?;
        self.finished();
        Ok(())
    }

    /// Records that the last writer received its complete result.
    pub(crate) fn finished(&mut self) {
        self.unfinished = self.unfinished.saturating_sub(1);
    }

    /// Records that other text, such as a prompt, separates the results on a terminal.
    pub(crate) fn interrupted_by_prompt(&mut self) {
        if self.is_terminal() {
            self.results = 0;
        }
    }

    /// Flushes the buffer, so that a reader of a pipe sees the results now.
    ///
    /// # Errors
    ///
    /// I/O errors.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.destination.flush()
    }

    /// Flushes the buffer and gives the file its name.
    ///
    /// # Errors
    ///
    /// I/O errors, or a result in a file that is incomplete because it was cancelled or failed.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        if self.unfinished > 0 && self.destination.is_regular_file() {
            return Err(Failure::failed("a result is incomplete, so its file was not kept"));
        }
        self.destination.commit().map_err(Failure::from_output)
    }
}

fn no_bytes_on_a_terminal() -> Failure {
    Failure::usage("a terminal cannot show Parquet or Arrow")
        .with_hint("write to a file, such as `-o result.parquet`, or pipe the output")
}

/// The writer of `format` for one result. `auto`: neither the user nor a name selected the format.
pub(super) fn writer_of<'a, W: io::Write + Send + 'a>(
    sink: W,
    (format, auto): (Format, bool),
    shape: Shape,
    settings: &OutputSettings,
    paint: Paint,
    flavour: Flavour,
) -> Box<dyn ResultWriter + 'a> {
    let terminal = settings.terminal.is_some();
    let (header, null) = (settings.header, settings.null.as_deref());
    if shape == Shape::Plan && (auto || format == Format::Table) {
        return Box::new(PlanWriter::new(sink, terminal, paint));
    }
    match format {
        Format::Auto | Format::Table => {
            let style = TableStyle {
                header,
                null: null.unwrap_or(if shape == Shape::Prose { "" } else { "NULL" }).to_owned(),
                width: settings.terminal,
                overflow: if shape == Shape::Prose { Overflow::Wrap } else { Overflow::Cut },
                too_wide: if auto || shape == Shape::Prose { TooWide::Lines } else { TooWide::Hide },
                footer: terminal && !settings.quiet && shape == Shape::Rows,
                paint,
            };
            Box::new(TableWriter::new(sink, style))
        }
        Format::Csv => Box::new(CsvWriter::new(sink, header, null, terminal)),
        Format::Tsv => Box::new(TsvWriter::new(sink, header, null, terminal)),
        Format::Json => Box::new(JsonWriter::new(sink, Layout::Array, terminal)),
        Format::Ndjson => Box::new(JsonWriter::new(sink, Layout::Lines, terminal)),
        Format::Markdown => Box::new(MarkdownWriter::new(sink, null)),
        Format::Line => Box::new(LineWriter::new(sink, null, paint)),
        Format::Parquet => Box::new(ParquetWriter::new(sink)),
        Format::Arrow => Box::new(IpcWriter::new(sink, flavour)),
        Format::Null => Box::new(NullWriter),
    }
}
