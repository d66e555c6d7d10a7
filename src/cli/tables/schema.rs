//! `schema`: the columns of answers, with a line for each answer.

use super::Table;
use super::grid::{PagedTable, cell, firm, prose};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::export::schema::{SchemaRow, TABLES};
use std::io::{self, Write};

/// Draws columns.
#[derive(Debug)]
pub struct SchemaTable {
    sheet: PagedTable,
    answer: String,
}

impl Default for SchemaTable {
    fn default() -> SchemaTable {
        SchemaTable {
            sheet: SchemaTable::sheet(),
            answer: String::new(),
        }
    }
}

impl SchemaTable {
    fn sheet() -> PagedTable {
        PagedTable::new(vec![
            firm("column"),
            firm("kind").gives_way(2),
            firm("empty").gives_way(1),
            prose("meaning"),
        ])
    }
}

impl Table<SchemaRow> for SchemaTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &SchemaRow,
    ) -> io::Result<()> {
        if self.answer != row.answer {
            self.sheet.restart(sink, view)?;
            let between = if self.answer.is_empty() { "" } else { "\n" };
            let known = TABLES.iter().find(|table| table.name == row.answer);
            let of_row = known.map_or("", |table| table.row);
            let name = view.ink(TextColor::Head, &row.answer);
            writeln!(sink, "{between}{name} · a row: {of_row}")?;
            self.answer.clone_from(&row.answer);
        }
        let empty = if row.nullable { "may be" } else { "" };
        let cells = vec![
            cell(TextColor::Plain, &row.field),
            cell(TextColor::Faint, &row.kind),
            cell(TextColor::Faint, empty),
            cell(TextColor::Plain, &row.meaning),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)
    }
}
