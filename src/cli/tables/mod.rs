//! The tables: answers for people on a terminal. Each question has one file; the common parts are in `grid`.
//!
//! A table is drawn from the answer alone. Nothing here queries the store, and no output here is for programs.

mod bench;
mod figures;
mod grid;
mod history;
mod lists;
mod missed;
mod people;
mod repair;
mod schema;
#[cfg(feature = "server")]
mod settings;
mod simulation;
mod summary;
mod timeline;
mod who;

pub use bench::BenchTable;
pub use figures::{SessionsTable, StatsTable};
pub use history::HistoryTable;
pub use lists::{ChannelsTable, ForgottenTable, GapsTable, RejectsTable};
pub use missed::MissedTable;
pub use people::{AttendanceTable, UsersTable};
pub use repair::repair;
pub use schema::SchemaTable;
#[cfg(feature = "server")]
pub use settings::SettingsTable;
pub use simulation::SimulationTable;
pub use summary::{ingest, verify};
pub use timeline::{LANE_COLUMNS_MIN, LaneLabels, timeline};
pub use who::who;

use super::style::TerminalStyle;
use std::io::{self, Write};

/// Draws the rows of a list as they arrive.
pub trait Table<T> {
    /// Adds the next row; it may be drawn later, together with others.
    ///
    /// # Errors
    /// When it cannot be written.
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &T) -> io::Result<()>;

    /// Draws the rows not drawn yet, for a list that continues later.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        let _ = (sink, view);
        Ok(())
    }

    /// Draws the rows not drawn yet, and a summary.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()>;
}
