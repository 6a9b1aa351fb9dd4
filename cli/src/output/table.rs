//! A table with borders.
//! It streams: the first [`SAMPLE_ROWS`] rows determine the column widths, later rows are printed as they arrive. On a
//! terminal the table fits the width: the widest columns shrink first, down to [`NARROWEST`], and cells are cut with
//! `…` or wrapped. Numbers and times are never cut. A result with too many columns becomes lines of `column = value`
//! or, if a table was requested explicitly, shows as many columns as fit and says so.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::escape::visible;
use super::line::LineWriter;
use super::value::{is_numeric, is_rigid};
use super::{Paint, ResultWriter, columns_of};

/// How many rows determine the column widths.
const SAMPLE_ROWS: usize = 1_000;
/// Text columns never become narrower than this.
const NARROWEST: usize = 8;

/// What to do with a cell that is wider than its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// Cut it, ending in `…`.
    Cut,
    /// Continue on the next line.
    Wrap,
}

/// What to do with a result that has too many columns for the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooWide {
    /// Print lines of `column = value` instead.
    Lines,
    /// Leave out columns, and say so.
    Hide,
}

/// How a table looks.
#[derive(Clone, Debug)]
pub(crate) struct TableStyle {
    /// Whether to print column names.
    pub header: bool,
    /// Text for NULL.
    pub null: String,
    /// Width of the terminal; `None` if the output is not a terminal, and nothing is cut.
    pub width: Option<usize>,
    /// What to do with cells that do not fit.
    pub overflow: Overflow,
    /// What to do with results that do not fit.
    pub too_wide: TooWide,
    /// Whether to print the number of rows at the end.
    pub footer: bool,
    pub paint: Paint,
}

pub(crate) struct TableWriter<W: Write> {
    style: TableStyle,
    names: Vec<String>,
    numeric: Vec<bool>,
    rigid: Vec<bool>,
    rows: u64,
    state: State<W>,
}

type Row = Vec<Option<String>>;

enum State<W: Write> {
    /// The column widths are not known yet.
    Sampling(W, Vec<Row>),
    Table(Grid<W>),
    Lines(LineWriter<W>),
    Done,
}

struct Grid<W> {
    sink: W,
    /// Widths of the visible columns.
    widths: Vec<usize>,
    /// Whether columns were left out; every row then ends in `…`.
    hidden: bool,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(sink: W, style: TableStyle) -> Self {
        Self {
            style,
            names: Vec::new(),
            numeric: Vec::new(),
            rigid: Vec::new(),
            rows: 0,
            state: State::Sampling(sink, Vec::new()),
        }
    }

    /// Chooses the column widths, or another layout, and prints the sampled rows.
    fn decide(&mut self) -> io::Result<()> {
        let State::Sampling(sink, rows) = std::mem::replace(&mut self.state, State::Done) else { return Ok(()) };
        let spans = self.spans(&rows);
        let (widths, hidden) = match self.style.width {
            None => (spans.iter().map(|span| span.widest).collect(), false),
            Some(width) => match fit(&spans, width) {
                Some(widths) => (widths, false),
                None if self.style.too_wide == TooWide::Lines => {
                    let mut lines = LineWriter::new(sink, Some(&self.style.null), self.style.paint);
                    lines.set_names(self.names.iter().map(String::as_str));
                    for row in &rows {
                        lines.write_row(row.iter().map(Option::as_deref))?;
                    }
                    self.state = State::Lines(lines);
                    return Ok(());
                }
                None => (fit_some(&spans, width), true),
            },
        };
        let mut grid = Grid { sink, widths, hidden };
        grid.top(self)?;
        for row in &rows {
            grid.row(self, row)?;
        }
        self.state = State::Table(grid);
        Ok(())
    }

    fn spans(&self, rows: &[Row]) -> Vec<Span> {
        let mut cells = vec![1; self.names.len()];
        for row in rows {
            for (width, cell) in cells.iter_mut().zip(row) {
                *width = (*width).max(cell.as_deref().unwrap_or(&self.style.null).width());
            }
        }
        let columns = cells.into_iter().zip(&self.names).zip(&self.rigid);
        let span = |((cells, name), rigid): ((usize, &String), &bool)| {
            let widest = if self.style.header { cells.max(name.width()) } else { cells };
            Span { narrowest: if *rigid { cells } else { widest.min(NARROWEST) }, widest }
        };
        columns.map(span).collect()
    }

    fn push_row(&mut self, row: Row) -> io::Result<()> {
        self.rows += 1;
        let mut state = std::mem::replace(&mut self.state, State::Done);
        let result = match &mut state {
            State::Sampling(_, rows) => {
                rows.push(row);
                Ok(())
            }
            State::Table(grid) => grid.row(self, &row),
            State::Lines(lines) => lines.write_row(row.iter().map(Option::as_deref)),
            State::Done => Ok(()),
        };
        self.state = state;
        result?;
        if matches!(&self.state, State::Sampling(_, rows) if rows.len() >= SAMPLE_ROWS) {
            self.decide()
        } else {
            Ok(())
        }
    }
}

impl<W: Write + Send> ResultWriter for TableWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        self.names = schema.fields().iter().map(|field| visible(field.name()).into_owned()).collect();
        self.rigid = schema.fields().iter().map(|field| is_rigid(field.data_type())).collect();
        self.numeric = schema.fields().iter().map(|field| is_numeric(field.data_type())).collect();
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = columns_of(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            let mut cells = Vec::with_capacity(columns.len());
            for column in &columns {
                if column.is_null(row) {
                    cells.push(None);
                } else {
                    text.clear();
                    column.push_text(row, &mut text);
                    // Also in files and pipes: tables are for people, who will show the file on a terminal.
                    cells.push(Some(visible(&text).into_owned()));
                }
            }
            self.push_row(cells)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.decide()?;
        let count = |rows: u64| if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        if let State::Table(mut grid) = std::mem::replace(&mut self.state, State::Done) {
            grid.rule('└', '┴', '┘')?;
            let hidden = self.names.len() - grid.widths.len();
            if hidden > 0 {
                let (shown, all) = (grid.widths.len(), self.names.len());
                let hint = "choose columns, or use -F line";
                writeln!(grid.sink, "({}; {shown} of {all} columns fit: {hint})", count(self.rows))?;
            } else if self.style.footer {
                writeln!(grid.sink, "({})", count(self.rows))?;
            }
        }
        Ok(())
    }
}

impl<W: Write> Grid<W> {
    fn top(&mut self, table: &TableWriter<W>) -> io::Result<()> {
        self.rule('┌', '┬', '┐')?;
        if table.style.header {
            let paint = table.style.paint;
            let cells: Vec<Cell<'_>> =
                table.names.iter().map(|name| Cell { text: name, strong: true, faint: false }).collect();
            self.print(table, &cells, paint)?;
            self.rule('├', '┼', '┤')?;
        }
        Ok(())
    }

    fn row(&mut self, table: &TableWriter<W>, row: &Row) -> io::Result<()> {
        let cell = |cell| match cell {
            Some(text) => Cell { text, strong: false, faint: false },
            None => Cell { text: &table.style.null, strong: false, faint: true },
        };
        let cells: Vec<Cell<'_>> = row.iter().map(|text| cell(text.as_deref())).collect();
        self.print(table, &cells, table.style.paint)
    }

    fn rule(&mut self, left: char, middle: char, right: char) -> io::Result<()> {
        let hidden = self.hidden.then_some(1);
        let mut line = String::from(left);
        for (n, width) in self.widths.iter().copied().chain(hidden).enumerate() {
            if n > 0 {
                line.push(middle);
            }
            line.extend(std::iter::repeat_n('─', width + 2));
        }
        line.push(right);
        line.push('\n');
        self.sink.write_all(line.as_bytes())
    }

    fn print(&mut self, table: &TableWriter<W>, cells: &[Cell<'_>], paint: Paint) -> io::Result<()> {
        let lay_out = |text: &str, width: usize| match (table.style.width, table.style.overflow) {
            (None, _) => vec![text.to_owned()],
            (Some(_), Overflow::Cut) => vec![cut(text, width)],
            (Some(_), Overflow::Wrap) => wrap(text, width),
        };
        let columns = cells.iter().zip(&self.widths).zip(&table.rigid).map(|((cell, width), rigid)| {
            // A number after the sample may be wider than its column. Part of it would be another number.
            if *rigid && !cell.strong { vec![cell.text.to_owned()] } else { lay_out(cell.text, *width) }
        });
        let columns: Vec<Vec<String>> = columns.collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(1);
        let mut out = String::new();
        for line in 0..height {
            out.push('│');
            for (n, (column, width)) in columns.iter().zip(&self.widths).enumerate() {
                let text = column.get(line).map_or("", String::as_str);
                let padding = " ".repeat(width.saturating_sub(text.width()));
                let painted = match cells.get(n) {
                    Some(cell) if cell.strong => paint.strong(text),
                    Some(cell) if cell.faint => paint.faint(text),
                    _ => text.into(),
                };
                let right = table.numeric.get(n).copied().unwrap_or(false);
                let (before, after) = if right { (padding.as_str(), "") } else { ("", padding.as_str()) };
                for part in [" ", before, &painted, after, " │"] {
                    out.push_str(part);
                }
            }
            if self.hidden {
                out.push_str(if line == 0 { " … │" } else { "   │" });
            }
            out.push('\n');
        }
        self.sink.write_all(out.as_bytes())
    }
}

struct Cell<'a> {
    text: &'a str,
    strong: bool,
    faint: bool,
}

/// Limits for the width of a column.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// If narrower, the meaning of its cells would change.
    narrowest: usize,
    /// At this width, nothing is cut.
    widest: usize,
}

/// Column widths that fit into `width` including borders and padding: the widest columns shrink to a common width.
/// `None` if a column would be narrower than allowed.
fn fit(spans: &[Span], width: usize) -> Option<Vec<usize>> {
    let room = width.checked_sub(3 * spans.len() + 1)?;
    let at_level = |level: usize| spans.iter().map(move |span| level.clamp(span.narrowest, span.widest));
    let fits = |level: &usize| at_level(*level).sum::<usize>() <= room;
    let level = (1..=room.max(1)).take_while(fits).last()?;
    let mut spare = room - at_level(level).sum::<usize>();
    let widths = at_level(level).zip(spans).map(|(width, span)| {
        let extra = usize::from(width == level && width < span.widest && spare > 0);
        spare -= extra;
        width + extra
    });
    Some(widths.collect())
}

/// Widths of as many columns from the left as fit next to a final `…` column, but at least one.
fn fit_some(spans: &[Span], width: usize) -> Vec<usize> {
    let width = width.saturating_sub(4);
    let fitting = (1..spans.len()).rev().find_map(|columns| fit(&spans[..columns], width));
    fitting.unwrap_or_else(|| spans.iter().take(1).map(|span| span.narrowest).collect())
}

/// Cuts `text` to `width` terminal columns, the last of which is `…` if something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// Wraps `text` into lines of at most `width` columns, at spaces where possible.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        if used > 0 && used + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(widest: usize) -> Span {
        Span { narrowest: widest.min(NARROWEST), widest }
    }

    #[test]
    fn the_widest_columns_give_way_first() {
        assert_eq!(fit(&[3, 40, 20].map(text), 80), Some(vec![3, 40, 20]));
        assert_eq!(fit(&[3, 40, 20].map(text), 60), Some(vec![3, 27, 20]));
        assert_eq!(fit(&[3, 40, 40].map(text), 60), Some(vec![3, 24, 23]));
        assert_eq!(fit(&[30, 30, 30].map(text), 30), None);
        assert_eq!(fit(&[1; 40].map(text), 80), None);
    }

    #[test]
    fn numbers_and_times_are_not_cut_but_their_names_are() {
        let time = Span { narrowest: 20, widest: 20 };
        let number = Span { narrowest: 3, widest: 16 };
        assert_eq!(fit(&[time, text(50), number], 50), Some(vec![20, 10, 10]));
        assert_eq!(fit(&[time, time, text(50)], 40), None);
    }

    #[test]
    fn every_fitted_row_is_exactly_as_wide_as_the_terminal() {
        for width in 40..120 {
            let widths = fit(&[10, 300, 45, 2].map(text), width).unwrap();
            assert_eq!(widths.iter().sum::<usize>() + 3 * 4 + 1, width);
        }
    }

    #[test]
    fn at_least_one_column_is_shown() {
        assert_eq!(fit_some(&[30, 30, 30].map(text), 60), [25, 24]);
        assert_eq!(fit_some(&[30, 30, 30].map(text), 5), [8]);
    }

    #[test]
    fn cutting_counts_columns_of_the_terminal() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
