//! Writes answers to standard output in the requested format. [`Output::one`] writes one answer. [`Output::list`]
//! streams a list row by row, so its length does not matter.
//!
//! `tables` draws tables, `export` makes CSV records.

use super::exit::Failure;
use super::style::TerminalStyle;
use super::tables::Table;
use super::text::{Terminal, on_terminal};
use crate::export::record::{Csv, ExportRow, json_line};
use clap::ValueEnum;
use std::io::{self, BufWriter, IsTerminal, Write};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Table,
    /// One JSON value, indented: an object, or an array for what lists
    Json,
    /// JSON lines: an object a line
    Jsonl,
    /// A header and rows; what is nested is JSON text
    Csv,
}

impl OutputFormat {
    /// The requested format; by default tables on a terminal, JSON lines in a pipe.
    #[must_use]
    pub fn resolve(asked: Option<OutputFormat>, terminal: bool) -> OutputFormat {
        match asked {
            Some(format) => format,
            None if terminal => OutputFormat::Table,
            None => OutputFormat::Jsonl,
        }
    }
}

/// The destination of answers.
pub struct Output<'w> {
    format: OutputFormat,
    view: TerminalStyle,
    sink: Box<dyn Write + 'w>,
    terminal: bool,
}

impl Output<'static> {
    /// Standard output, locked and buffered.
    #[must_use]
    pub fn stdout(asked: Option<OutputFormat>) -> Output<'static> {
        let stdout = io::stdout();
        let format = OutputFormat::resolve(asked, stdout.is_terminal());
        let terminal = stdout.is_terminal();
        let sink = BufWriter::with_capacity(BUFFER_BYTES, stdout.lock());
        let sink: Box<dyn Write> = Box::new(sink);
        if terminal {
            return Output::on_terminal(format, TerminalStyle::of_stdout(), sink);
        }
        Output::new(format, TerminalStyle::of_stdout(), sink)
    }
}

impl<'w> Output<'w> {
    /// An output to any other destination.
    #[must_use]
    pub fn new(format: OutputFormat, view: TerminalStyle, sink: Box<dyn Write + 'w>) -> Output<'w> {
        Output {
            format,
            view,
            sink,
            terminal: false,
        }
    }

    /// An output to a terminal: control characters are escaped.
    #[must_use]
    pub fn on_terminal(
        format: OutputFormat,
        view: TerminalStyle,
        sink: Box<dyn Write + 'w>,
    ) -> Output<'w> {
        let sink = match format {
            // Tables escape names themselves, and contain colour codes.
            OutputFormat::Table => sink,
            OutputFormat::Json | OutputFormat::Jsonl | OutputFormat::Csv => {
                Box::new(Terminal::new(sink))
            }
        };
        let terminal = true;
        Output {
            terminal,
            ..Output::new(format, view, sink)
        }
    }

    /// Whether an answer is written with the details that JSON leaves out.
    #[must_use]
    pub fn has_details(&self) -> bool {
        matches!(self.format, OutputFormat::Table | OutputFormat::Csv)
    }

    /// Writes one answer. `table` draws it as a table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn one<T: ExportRow>(
        &mut self,
        answer: &T,
        table: impl FnOnce(&mut dyn Write, &TerminalStyle, &T) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let sink = &mut *self.sink;
        let done = match self.format {
            OutputFormat::Table => table(sink, &self.view, answer),
            OutputFormat::Json => serde_json::to_string_pretty(answer)
                .map_err(io::Error::from)
                .and_then(|json| writeln!(sink, "{json}")),
            OutputFormat::Jsonl => json_line(sink, answer),
            OutputFormat::Csv => {
                let mut csv = Csv::new(sink);
                csv.row(answer).and_then(|()| csv.finish())
            }
        };
        done.map_err(|error| Failure::output(&error))
    }

    /// How tables are drawn.
    #[must_use]
    pub fn style(&self) -> TerminalStyle {
        self.view
    }

    /// Draws a picture of characters, in any format: there is no other form of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn picture(
        &mut self,
        draw: impl FnOnce(&mut dyn Write, &TerminalStyle) -> io::Result<()>,
    ) -> Result<(), Failure> {
        draw(&mut *self.sink, &self.view).map_err(|error| Failure::output(&error))
    }

    /// Starts a list. `table` draws its rows as a table. The list must be ended by [`ListOutput::finish`].
    pub fn list<T: ExportRow, B: Table<T>>(&mut self, table: B) -> ListOutput<'_, T, B> {
        let sink = &mut *self.sink;
        let mode = match self.format {
            OutputFormat::Table => ListMode::Table(table, sink),
            OutputFormat::Json => ListMode::Json { first: true, sink },
            OutputFormat::Jsonl => ListMode::Jsonl(sink),
            OutputFormat::Csv => ListMode::Csv(Box::new(Csv::new(sink))),
        };
        ListOutput {
            mode,
            view: self.view,
        }
    }

    /// Writes one line unchanged, in any format: for data with its own format (`replay`). For a terminal it is
    /// escaped.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        if self.terminal {
            let line = String::from_utf8_lossy(line);
            self.text(on_terminal(&line).as_bytes())?;
        } else {
            self.text(line)?;
        }
        self.text(b"\n")
    }

    /// Writes a text unchanged, in any format.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn text(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.sink
            .write_all(text)
            .map_err(|error| Failure::output(&error))
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.sink.flush().map_err(|error| Failure::output(&error))
    }

    /// Writes what is buffered, at the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}

/// A list that is being written.
#[must_use = "a list must be finished"]
pub struct ListOutput<'o, T, B> {
    mode: ListMode<'o, T, B>,
    view: TerminalStyle,
}

enum ListMode<'o, T, B> {
    Table(B, &'o mut (dyn Write + 'o)),
    Json {
        first: bool,
        sink: &'o mut (dyn Write + 'o),
    },
    Jsonl(&'o mut (dyn Write + 'o)),
    Csv(Box<Csv<T, &'o mut (dyn Write + 'o)>>),
}

impl<T: ExportRow, B: Table<T>> ListOutput<'_, T, B> {
    /// Writes the next row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&mut self, row: &T) -> Result<(), Failure> {
        let done = match &mut self.mode {
            ListMode::Table(table, sink) => table.row(*sink, &self.view, row),
            ListMode::Json { first, sink } => {
                let lead: &[u8] = if std::mem::take(first) {
                    b"[\n"
                } else {
                    b",\n"
                };
                sink.write_all(lead)
                    .and_then(|()| write_element(*sink, row))
            }
            ListMode::Jsonl(sink) => json_line(*sink, row),
            ListMode::Csv(csv) => csv.row(row),
        };
        done.map_err(|error| Failure::output(&error))
    }

    /// Writes what is buffered, for a list that continues later.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let done = match &mut self.mode {
            ListMode::Table(table, sink) => {
                table.flush(*sink, &self.view).and_then(|()| sink.flush())
            }
            ListMode::Json { sink, .. } | ListMode::Jsonl(sink) => sink.flush(),
            ListMode::Csv(csv) => csv.finish(),
        };
        done.map_err(|error| Failure::output(&error))
    }

    /// Ends the list: closes the array, adds a table's summary, writes an empty CSV's header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<(), Failure> {
        let done = match self.mode {
            ListMode::Table(mut table, sink) => table.finish(sink, &self.view),
            ListMode::Json { first: true, sink } => sink.write_all(b"[]\n"),
            ListMode::Json { first: false, sink } => sink.write_all(b"\n]\n"),
            ListMode::Jsonl(_) => Ok(()),
            ListMode::Csv(mut csv) => csv.finish(),
        };
        done.map_err(|error| Failure::output(&error))
    }
}

/// Writes one element of an array, indented: as it stands in an array of its own.
fn write_element<T: ExportRow>(sink: &mut dyn Write, row: &T) -> io::Result<()> {
    let mut json = Vec::with_capacity(1 << 10);
    serde_json::to_writer_pretty(&mut json, &[row])?;
    let element = json.strip_prefix(b"[\n");
    let element = element.and_then(|json| json.strip_suffix(b"\n]"));
    sink.write_all(element.unwrap_or(&json))
}
