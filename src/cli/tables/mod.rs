//! The tables: answers as people read them on a terminal. One question a file; what they share is in `grid`.
//!
//! A table is drawn from the answer alone. Nothing here asks the store, and nothing here is for programs.

mod bench;
mod figures;
mod grid;
mod history;
mod lists;
mod missed;
mod simulation;
mod summary;
mod who;

pub use bench::BenchTable;
pub use figures::{SessionsTable, StatsTable};
pub use history::HistoryTable;
pub use lists::{ChannelsTable, GapsTable, RejectsTable};
pub use missed::MissedTable;
pub use simulation::SimulationTable;
pub use summary::{ingest, verify};
pub use who::who;

use super::style::TerminalStyle;
use std::io::{self, Write};

/// Draws the rows of a list as they come.
pub trait Table<T> {
    /// Takes the next row; it may be drawn later, together with others.
    ///
    /// # Errors
    /// When it cannot be written.
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &T) -> io::Result<()>;

    /// Draws what is still in hand, for a list that goes on later.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        let _ = (sink, view);
        Ok(())
    }

    /// Draws what is still in hand, and sums up.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()>;
}
