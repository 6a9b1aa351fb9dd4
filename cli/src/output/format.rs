//! Which format a result gets, and the writer for it.

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
    /// The format that the name of a file asks for; `None` when its extension is of no format. A name without an
    /// extension is CSV, like a pipe.
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

    /// The format that `--output` asks for by the extension of its file, for commands that write more than results. `None` is
    /// that of a pipe, or an extension of no format, which [`Output::open`] tells.
    pub(crate) fn of_output(path: Option<&Path>) -> Option<Self> {
        with_extension(path).and_then(Self::of_path)
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }
}

/// Whether `--output` asks for JSON, of a command that writes text for people or JSON, and nothing else.
///
/// # Errors
///
/// When the name of the file asks for something else: text in a file called `a.parquet` would surprise who opens it.
pub(super) fn is_json(path: Option<&Path>, command: &str) -> Result<bool, Failure> {
    let Some(path) = with_extension(path) else { return Ok(false) };
    match Format::of_path(path) {
        Some(Format::Json) => Ok(true),
        Some(Format::Table) => Ok(false),
        _ => {
            Err(Failure::usage(format!("`s3log {command}` does not write what the name `{}` asks for", path.display()))
                .with_hint("use the extension txt or json, or say with -F what to write"))
        }
    }
}

/// The file that is written, if the extension of its name means something: that of a device or a named pipe does not.
fn with_extension(path: Option<&Path>) -> Option<&Path> {
    let is_there_as_another = |path: &Path| std::fs::metadata(path).is_ok_and(|there| !there.is_file());
    path.filter(|path| path.extension().is_some() && !is_there_as_another(path))
}

/// What a statement returns, as far as it matters for its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Rows of data.
    Rows,
    /// Rows of prose, such as documentation: a table wraps them instead of cutting.
    Prose,
    /// The plans of `EXPLAIN`.
    Plan,
}

/// How results look, whatever their destination.
#[derive(Clone, Debug)]
pub(crate) struct OutputSettings {
    /// The format that was asked for.
    pub format: Format,
    /// Whether to print the names of the columns.
    pub header: bool,
    /// What stands for NULL; `None` for the usual one of each format.
    pub null: Option<String>,
    /// Columns of the terminal that is written to; `None` when it is none.
    pub terminal: Option<usize>,
    /// When to use colours.
    pub color: Colour,
    /// Whether to leave out what is not data, such as the number of rows.
    pub quiet: bool,
}

/// Where results go, and in which format, for one run.
pub(crate) struct Output {
    destination: Destination,
    settings: OutputSettings,
    paint: Paint,
    /// The format by the name of the file, when there is one.
    by_name: Option<Format>,
    stream: bool,
    results: usize,
    /// Results that were begun and not finished.
    unfinished: usize,
}

impl Output {
    /// Results to standard output, or to the file at `path` (`-` is standard output).
    ///
    /// # Errors
    ///
    /// When the file cannot be made, its name tells no format while none was asked for, or bytes would go to a terminal.
    pub(crate) fn open(path: Option<&Path>, mut settings: OutputSettings) -> Result<Self, Failure> {
        let path = path.filter(|path| *path != Path::new("-"));
        let destination = match path {
            None => Destination::stdout(),
            Some(path) => Destination::file(path)
                .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?,
        };
        if !destination.is_terminal() {
            settings.terminal = None;
        }
        let paint = terminal::paint(settings.color, destination.is_terminal());
        let by_name = match path {
            Some(path) if settings.format == Format::Auto && destination.is_regular_file() => {
                Some(Format::of_path(path).ok_or_else(|| {
                    Failure::usage(format!("the name `{}` tells no format", path.display()))
                        .with_hint("add one, such as `-F csv`, or use an extension: csv, tsv, json, ndjson, md, txt, parquet, arrow")
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

    /// The format that results get.
    pub(crate) fn format(&self) -> Format {
        match (self.settings.format, self.by_name) {
            (Format::Auto, Some(format)) => format,
            (Format::Auto, None) if self.settings.terminal.is_some() => Format::Table,
            (Format::Auto, None) => Format::Csv,
            (format, _) => format,
        }
    }

    /// Changes the format of the results to come.
    pub(crate) fn set_format(&mut self, format: Format) {
        self.settings.format = format;
    }

    /// Whether a person sees the results as they are written.
    pub(crate) fn is_terminal(&self) -> bool {
        self.settings.terminal.is_some()
    }

    /// The width to lay text out for, when a person sees it and asked for no format.
    pub(crate) fn prose_width(&self) -> Option<usize> {
        self.settings.terminal.filter(|_| self.settings.format == Format::Auto)
    }

    /// Colours of what is written.
    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// The sink itself, for text that is no result.
    pub(crate) fn sink(&mut self) -> &mut Destination {
        &mut self.destination
    }

    /// A writer for the next result.
    ///
    /// # Errors
    ///
    /// When the format holds one result only and this is the second.
    pub(crate) fn writer(&mut self, shape: Shape) -> Result<Box<dyn ResultWriter + '_>, Failure> {
        let format = self.format();
        if format.is_binary() && self.destination.is_terminal() {
            return Err(no_bytes_on_a_terminal());
        }
        self.results += 1;
        if self.results > 1 && format.is_binary() {
            return Err(Failure::failed("a Parquet or Arrow file holds one result, and this SQL returns more")
                .with_hint("run the statements one by one, or choose another format"));
        }
        let apart =
            matches!(format, Format::Markdown | Format::Line) || (format == Format::Table && self.is_terminal());
        if self.results > 1 && apart {
            // Two tables without a line between them would be read as one.
            self.destination.write_all(b"\n").map_err(Failure::from_output)?;
        }
        self.unfinished += 1;
        let flavour = if self.destination.is_regular_file() && !self.stream { Flavour::File } else { Flavour::Stream };
        let Self { destination, settings, paint, .. } = self;
        Ok(writer_of(destination, format, shape, settings, *paint, flavour))
    }

    /// Writes one whole result that is in memory, such as documentation.
    ///
    /// # Errors
    ///
    /// Those of [`writer`](Self::writer) and of the sink.
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

    /// Takes note that the last writer got its whole result.
    pub(crate) fn finished(&mut self) {
        self.unfinished = self.unfinished.saturating_sub(1);
    }

    /// Takes note that something else stands between the results on a terminal, such as a prompt.
    pub(crate) fn interrupted_by_prompt(&mut self) {
        if self.is_terminal() {
            self.results = 0;
        }
    }

    /// Writes what is buffered, so that a reader of a pipe sees it now.
    ///
    /// # Errors
    ///
    /// Those of the disk or the pipe.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.destination.flush()
    }

    /// Writes what is buffered and gives the file its name.
    ///
    /// # Errors
    ///
    /// Those of the disk or the pipe; or when a result in a file is not whole, since it was cancelled or failed.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        if self.unfinished > 0 && self.destination.is_regular_file() {
            return Err(Failure::failed("a result was cut off, so its file was not kept"));
        }
        self.destination.commit().map_err(Failure::from_output)
    }
}

fn no_bytes_on_a_terminal() -> Failure {
    Failure::usage("a terminal cannot show Parquet or Arrow")
        .with_hint("name a file: `-o result.parquet`, or send it to a pipe")
}

/// The writer of a format for one result.
pub(super) fn writer_of<'a, W: io::Write + Send + 'a>(
    sink: W,
    format: Format,
    shape: Shape,
    settings: &OutputSettings,
    paint: Paint,
    flavour: Flavour,
) -> Box<dyn ResultWriter + 'a> {
    let auto = settings.format == Format::Auto;
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
        Format::Markdown => Box::new(MarkdownWriter::new(sink, null, terminal)),
        Format::Line => Box::new(LineWriter::new(sink, null, terminal, paint)),
        Format::Parquet => Box::new(ParquetWriter::new(sink)),
        Format::Arrow => Box::new(IpcWriter::new(sink, flavour)),
        Format::Null => Box::new(NullWriter),
    }
}
