//! Aligned columns. A long list is drawn in pages, so that it streams. Every line fits the terminal: names give room up to
//! their longest word, then columns that may are left out, and in the end words are cut.

use crate::cli::moment::WallClock;
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::width::{WordCut, columns as columns_of, widest_word, wrap};
use chrono::NaiveDate;
use std::io::{self, Write};
use std::iter;

/// The number of rows on a page.
const PAGE_ROWS: usize = 256;
/// A column of names is as wide as its longest word, up to this.
const NAME_WIDTH_MIN: usize = 12;
/// Sentences in fewer columns cannot be read.
const PROSE_WIDTH_MIN: usize = 14;
/// What a column keeps where nothing else helps.
const LAST_WIDTH_MIN: usize = 3;
/// The space between two columns, in characters.
const SPACING: usize = 2;
/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnFlow {
    /// Words or times; never wraps.
    Firm,
    /// As `Firm`, and aligned to the right.
    Number,
    /// Names, which wrap between words.
    Name,
    /// Times and lengths, which wrap between the two ends of a window, and are never cut.
    Times,
    /// Sentences, which wrap.
    Prose,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    name: &'static str,
    flow: ColumnFlow,
    /// Columns with a rank are left out where there is no room, the lowest rank first.
    gives_way: Option<u8>,
}

impl Column {
    const fn new(name: &'static str, flow: ColumnFlow) -> Column {
        Column {
            name,
            flow,
            gives_way: None,
        }
    }

    /// Leaves the column out where there is no room; the lowest rank first.
    pub const fn gives_way(self, rank: u8) -> Column {
        Column {
            gives_way: Some(rank),
            ..self
        }
    }
}

/// A column of names, which may wrap.
pub const fn text(name: &'static str) -> Column {
    Column::new(name, ColumnFlow::Name)
}

/// A column of windows and lengths, which may wrap.
pub const fn times(name: &'static str) -> Column {
    Column::new(name, ColumnFlow::Times)
}

/// A column of sentences, which may wrap.
pub const fn prose(name: &'static str) -> Column {
    Column::new(name, ColumnFlow::Prose)
}

/// A column of words or times, which never wraps.
pub const fn firm(name: &'static str) -> Column {
    Column::new(name, ColumnFlow::Firm)
}

/// A column of numbers.
pub const fn number(name: &'static str) -> Column {
    Column::new(name, ColumnFlow::Number)
}

/// Text in a colour.
#[derive(Debug, Clone)]
pub struct GridCell {
    ink: TextColor,
    text: String,
}

/// A cell in a colour.
pub fn cell(ink: TextColor, text: impl ToString) -> GridCell {
    let text = text.to_string();
    GridCell { ink, text }
}

/// A row of cells, or a line over the whole width.
#[derive(Debug)]
enum GridRow {
    Cells(Vec<GridCell>),
    Line(String),
}

/// A long list in pages. Columns keep their widths from page to page if they fit.
#[derive(Debug)]
pub struct PagedTable {
    columns: Vec<Column>,
    rows: Vec<GridRow>,
    rows_max: usize,
    indent: usize,
    has_header: bool,
    /// What was measured so far, of each column.
    measures: Vec<Measure>,
    /// The columns under the last header; `None`: there is none yet.
    headed: Option<Vec<bool>>,
}

/// What a column needs.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    /// The columns of its widest cell.
    width: usize,
    /// The columns of its longest word.
    word: usize,
    /// One of its cells is not empty.
    filled: bool,
    /// It is left out.
    hidden: bool,
}

impl PagedTable {
    /// A table with these columns and no rows.
    pub fn new(columns: Vec<Column>) -> PagedTable {
        let head = |column: &Column| Measure {
            width: columns_of(column.name),
            word: columns_of(column.name),
            ..Measure::default()
        };
        PagedTable {
            measures: columns.iter().map(head).collect(),
            columns,
            rows: Vec::new(),
            rows_max: PAGE_ROWS,
            indent: 0,
            has_header: true,
            headed: None,
        }
    }

    /// A table without a header, on one page, some columns from the left.
    pub fn bare(columns: Vec<Column>, indent: usize) -> PagedTable {
        PagedTable {
            measures: vec![Measure::default(); columns.len()],
            rows_max: usize::MAX,
            indent,
            has_header: false,
            ..PagedTable::new(columns)
        }
    }

    /// Adds a row; writes the page if it is full.
    pub fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: Vec<GridCell>,
    ) -> io::Result<()> {
        self.add(row);
        if self.rows.len() < self.rows_max {
            return Ok(());
        }
        self.flush(sink, view)
    }

    /// Adds a row to a table on one page.
    pub fn add(&mut self, row: Vec<GridCell>) {
        self.rows.push(GridRow::Cells(row));
    }

    /// Adds a line over the whole width, such as a date.
    pub fn line(&mut self, line: String) {
        self.rows.push(GridRow::Line(line));
    }

    /// Writes the rows that wait, and begins again with a header.
    pub fn restart(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.flush(sink, view)?;
        self.headed = None;
        Ok(())
    }

    /// Writes the last page, and which columns were left out.
    pub fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.flush(sink, view)?;
        note_hidden(sink, view, self.hidden())
    }

    /// The columns that were left out although they hold something.
    pub fn hidden(&self) -> impl Iterator<Item = &'static str> {
        let columns = self.columns.iter().zip(&self.measures);
        let hidden = columns.filter(|(_, measure)| measure.hidden && measure.filled);
        hidden.map(|(column, _)| column.name)
    }

    /// Writes the current page; the first page has the headings.
    pub fn flush(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        rows.iter().for_each(|row| self.measure(row));
        let widths = self.arrange(usize::from(view.width).saturating_sub(self.indent));
        let shown: Vec<bool> = self.measures.iter().map(|it| !it.hidden).collect();
        let mut needs_header = self.has_header && self.headed.as_ref() != Some(&shown);
        self.headed = Some(shown);
        for row in &rows {
            match row {
                GridRow::Line(line) => writeln!(sink, "{line}")?,
                GridRow::Cells(cells) => {
                    if std::mem::take(&mut needs_header) {
                        self.header(sink, view, &widths)?;
                    }
                    self.draw(sink, view, (cells, &widths))?;
                }
            }
        }
        Ok(())
    }

    fn measure(&mut self, row: &GridRow) {
        let GridRow::Cells(cells) = row else { return };
        for (cell, measure) in cells.iter().zip(&mut self.measures) {
            measure.filled |= !cell.text.is_empty();
            measure.width = measure.width.max(columns_of(&cell.text));
            measure.word = measure.word.max(widest_word(&cell.text));
        }
    }

    /// The width of each column; leaves out those for which there is no room.
    fn arrange(&mut self, room: usize) -> Vec<usize> {
        loop {
            let least: Vec<usize> = self.least();
            let between = self.between();
            if least.iter().sum::<usize>() + between <= room {
                return fill(&least, &self.wanted(), room - between);
            }
            let columns = self.columns.iter().zip(&mut self.measures);
            let shown = columns.filter(|(column, it)| column.gives_way.is_some() && !it.hidden);
            match shown.min_by_key(|(column, _)| column.gives_way) {
                Some((_, measure)) => measure.hidden = true,
                None => {
                    let last = |width: &usize| (*width).min(LAST_WIDTH_MIN);
                    let last: Vec<usize> = least.iter().map(last).collect();
                    return fill(&last, &least, room.saturating_sub(between));
                }
            }
        }
    }

    fn between(&self) -> usize {
        let shown = self.measures.iter().filter(|it| !it.hidden).count();
        SPACING * shown.saturating_sub(1)
    }

    fn wanted(&self) -> Vec<usize> {
        let width = |it: &Measure| if it.hidden { 0 } else { it.width };
        self.measures.iter().map(width).collect()
    }

    fn least(&self) -> Vec<usize> {
        let heads = |column: &Column| {
            if self.has_header {
                columns_of(column.name)
            } else {
                0
            }
        };
        let least = |(column, it): (&Column, &Measure)| match column.flow {
            _ if it.hidden => 0,
            ColumnFlow::Firm | ColumnFlow::Number => it.width,
            ColumnFlow::Name => it.word.min(NAME_WIDTH_MIN).max(heads(column)),
            ColumnFlow::Times => it.word,
            ColumnFlow::Prose => it.width.min(PROSE_WIDTH_MIN),
        };
        self.columns.iter().zip(&self.measures).map(least).collect()
    }

    fn header(
        &self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        widths: &[usize],
    ) -> io::Result<()> {
        let heads = self
            .columns
            .iter()
            .map(|column| cell(TextColor::Faint, column.name));
        let heads: Vec<GridCell> = heads.collect();
        self.draw(sink, view, (&heads, widths))?;
        let width = widths.iter().sum::<usize>() + self.between();
        writeln!(sink, "{}", "─".repeat(width))
    }

    /// Draws a row, which may take several lines.
    fn draw(
        &self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        (cells, widths): (&[GridCell], &[usize]),
    ) -> io::Result<()> {
        let columns = self
            .columns
            .iter()
            .zip(&self.measures)
            .zip(cells.iter().zip(widths));
        let columns: Vec<_> = columns.filter(|((_, it), _)| !it.hidden).collect();
        let wrapped = columns.iter().map(|((column, _), (cell, width))| {
            let at = match column.flow {
                ColumnFlow::Name => WordCut::Middle,
                _ => WordCut::End,
            };
            wrap(&cell.text, **width, at)
        });
        let wrapped: Vec<Vec<String>> = wrapped.collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or_default();
        for at in 0..height {
            let mut line = " ".repeat(self.indent);
            for (((column, _), (cell, width)), texts) in columns.iter().zip(&wrapped) {
                let text = texts.get(at).map_or("", String::as_str);
                let blank = " ".repeat(width.saturating_sub(columns_of(text)));
                let text = match text {
                    "" => String::new(),
                    text => view.ink(cell.ink, text),
                };
                let (before, behind) = match column.flow {
                    ColumnFlow::Number => (blank, String::new()),
                    _ => (String::new(), blank),
                };
                line.extend([before, text, behind]);
                line.extend(iter::repeat_n(' ', SPACING));
            }
            writeln!(sink, "{}", line.trim_end_matches(' '))?;
        }
        Ok(())
    }
}

/// The line of a date, above the rows of that day.
pub fn day_line(view: &TerminalStyle, wall: WallClock, day: Option<NaiveDate>) -> String {
    let day = day.map_or_else(|| "?".to_owned(), |day| day.to_string());
    view.ink(
        TextColor::Head,
        &format!("{day} (times in {})", wall.zone_name()),
    )
}

/// Names the columns that were left out.
pub fn note_hidden(
    sink: &mut dyn Write,
    view: &TerminalStyle,
    hidden: impl IntoIterator<Item = &'static str>,
) -> io::Result<()> {
    let hidden: Vec<&str> = hidden.into_iter().collect();
    if hidden.is_empty() {
        return Ok(());
    }
    let note = format!("not shown at this width: {}", hidden.join(", "));
    writeln!(sink, "{}", view.ink(TextColor::Faint, &note))
}

/// Widths between `least` and `wanted` that fill the room: the narrow columns get what they want first.
fn fill(least: &[usize], wanted: &[usize], room: usize) -> Vec<usize> {
    let at_level = |level: usize| {
        let widths = least.iter().zip(wanted);
        widths.map(move |(least, wanted)| (*wanted).min(level).max(*least))
    };
    let fits = |level: &usize| at_level(*level).sum::<usize>() <= room;
    let level = (0..=room).rev().find(fits).unwrap_or_default();
    let mut widths: Vec<usize> = at_level(level).collect();
    let mut left = room.saturating_sub(widths.iter().sum());
    for (width, wanted) in widths.iter_mut().zip(wanted) {
        if left > 0 && *width < *wanted {
            *width += 1;
            left -= 1;
        }
    }
    widths
}
