//! Aligned columns: a thin layer over comfy-table. A long list is drawn in pages, so that it streams.

use crate::cli::style::{TerminalStyle, TextColor};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table,
    TableComponent, Width, presets,
};
use std::io::{self, Write};

/// The number of rows on a page.
const PAGE_ROWS: usize = 256;
/// What is not wider is not wrapped, even where the table gets wider than the terminal.
const NAME_WIDTH_MIN: u16 = 12;
/// The space between two columns, in characters.
const SPACING: u16 = 2;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Align to the right, as numbers.
    pub right: bool,
    /// Never wrap; names and notes may wrap.
    pub firm: bool,
}

/// A column of text, which may wrap.
pub const fn text(name: &'static str) -> Column {
    Column {
        name,
        right: false,
        firm: false,
    }
}

/// A column of words or times, which never wraps.
pub const fn firm(name: &'static str) -> Column {
    Column {
        name,
        right: false,
        firm: true,
    }
}

/// A column of numbers.
pub const fn number(name: &'static str) -> Column {
    Column {
        name,
        right: true,
        firm: true,
    }
}

/// A cell in a colour.
pub fn cell(ink: TextColor, text: impl ToString) -> Cell {
    let cell = Cell::new(text);
    match ink {
        TextColor::Plain => cell,
        TextColor::Joined => cell.fg(Color::Green),
        TextColor::Left => cell.fg(Color::Red),
        TextColor::Changed => cell.fg(Color::Yellow),
        TextColor::Head => cell.add_attribute(Attribute::Bold),
        TextColor::Faint => cell.add_attribute(Attribute::Dim),
    }
}

/// An empty table without borders, at most as wide as the terminal.
pub fn plain(view: &TerminalStyle) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(view.width)
        .force_no_tty();
    if view.colour {
        table.enforce_styling();
        table.style_text_only();
    }
    table
}

/// Writes a filled table, `indent` columns from the left; the columns in `firm` never wrap.
pub fn write(
    sink: &mut dyn Write,
    table: &mut Table,
    indent: u16,
    firm: &[usize],
) -> io::Result<()> {
    for (at, column) in table.column_iter_mut().enumerate() {
        if firm.contains(&at) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        column.set_padding((if at == 0 { indent } else { 0 }, SPACING));
    }
    for line in table.lines() {
        writeln!(sink, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A long list in pages. Columns keep their widths from page to page if they fit.
#[derive(Debug)]
pub struct PagedTable {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    widths: Vec<u16>,
}

impl PagedTable {
    /// A table with these columns and no rows.
    pub fn new(columns: Vec<Column>) -> PagedTable {
        PagedTable {
            columns,
            rows: Vec::new(),
            widths: Vec::new(),
        }
    }

    /// Adds a row; writes the page if it is full.
    pub fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: Vec<Cell>,
    ) -> io::Result<()> {
        self.rows.push(row);
        if self.rows.len() < PAGE_ROWS {
            return Ok(());
        }
        self.flush(sink, view)
    }

    /// Writes the current page; the first page has the headings.
    pub fn flush(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = plain(view);
        let first = self.widths.is_empty();
        if first {
            table.set_header(
                self.columns
                    .iter()
                    .map(|column| cell(TextColor::Faint, column.name)),
            );
            table.set_style(TableComponent::HeaderLines, '─');
        }
        table.add_rows(self.rows.drain(..));
        for (column, meaning) in table.column_iter_mut().zip(&self.columns) {
            if meaning.right {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if meaning.firm {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self.keep_widths(&mut table, view);
        write(sink, &mut table, 0, &[])
    }

    fn keep_widths(&mut self, table: &mut Table, view: &TerminalStyle) {
        self.widths.resize(self.columns.len(), 0);
        let wanted = table.column_max_content_widths();
        for (kept, wanted) in self.widths.iter_mut().zip(wanted) {
            *kept = wanted.max(*kept);
        }
        let total: u16 = self.widths.iter().fold(0, |sum, width| {
            sum.saturating_add(width.saturating_add(SPACING))
        });
        if total > view.width {
            // A name is broken only where it is long: the words of a narrow column cannot be read.
            let names = table.column_iter_mut().zip(&self.columns).zip(&self.widths);
            for ((column, _), &width) in names.filter(|((_, meaning), _)| !meaning.firm) {
                let least = width.min(NAME_WIDTH_MIN) + SPACING;
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
            }
            return;
        }
        for (column, &width) in table.column_iter_mut().zip(&self.widths) {
            // Column constraints include the padding.
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(
                width + SPACING,
            )));
        }
    }
}
