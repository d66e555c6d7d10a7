//! `serve --check`: the settings in effect.

use super::Table;
use super::grid::{PagedTable, cell, firm, text};
use crate::cli::settings::SettingRow;
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::shown;
use std::io::{self, Write};

/// Draws settings.
#[derive(Debug)]
pub struct SettingsTable(PagedTable);

impl Default for SettingsTable {
    fn default() -> SettingsTable {
        SettingsTable(PagedTable::new(vec![
            firm("setting"),
            text("value"),
            text("from"),
        ]))
    }
}

impl Table<SettingRow> for SettingsTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &SettingRow,
    ) -> io::Result<()> {
        let value = row.value.as_deref().unwrap_or("–");
        let ink = match row.source.as_str() {
            "default" => TextColor::Faint,
            _ => TextColor::Plain,
        };
        let cells = vec![
            cell(TextColor::Plain, &row.setting),
            cell(ink, shown(value)),
            cell(TextColor::Faint, shown(&row.source)),
        ];
        self.0.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.0.flush(sink, view)
    }
}
