//! Schedules: appointments, and who is expected at them, from a CSV file as spreadsheets write it. Columns are found by
//! their names: `starts_at` and `ends_at`; `user` and `channel` may be there; others are left alone.

use crate::domain::time::Millis;
use crate::query::calendar::NeedsZone;
use crate::query::time::When;
use crate::query::{Appointment, Zone};
use csv::{ReaderBuilder, StringRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Who is expected at an appointment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Those whom the schedule names.
    pub users: BTreeSet<String>,
    /// A line names nobody, so that everybody may come.
    pub anybody: bool,
}

/// The appointments in one channel.
pub type Schedule = BTreeMap<Appointment, Expected>;

/// What is wrong with a schedule, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {what}", path.display())]
pub struct ScheduleError {
    path: PathBuf,
    line: u64,
    /// What is wrong.
    pub what: ScheduleProblem,
}

/// What is wrong with a schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleProblem {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is no CSV.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// A column is missing.
    #[error(
        "there is no column {0}: the first line names the columns, starts_at and ends_at at least"
    )]
    NoColumn(&'static str),
    /// A cell is no time.
    #[error("{column} \"{text}\": {why}")]
    NoTime {
        /// The column.
        column: &'static str,
        /// The cell.
        text: String,
        /// What a time looks like.
        why: String,
    },
    /// A time has no zone.
    #[error("{0}: {1}")]
    NoZone(&'static str, NeedsZone),
    /// An appointment ends before it begins.
    #[error("ends_at is not behind starts_at")]
    Order,
}

/// Against what times are resolved.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleClock {
    /// Now.
    pub now: Millis,
    /// The zone of times without one.
    pub zone: Option<Zone>,
}

/// Reads the appointments in a channel.
///
/// # Errors
/// What is wrong, with the file and the line.
pub fn read(path: &Path, channel: &str, clock: ScheduleClock) -> Result<Schedule, ScheduleError> {
    let wrong = |line: u64, what: ScheduleProblem| ScheduleError {
        path: path.to_owned(),
        line,
        what,
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(1, error.into()))?;
    // Spreadsheets put a mark in front, and some separate with semicolons.
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let semicolons = head.contains(';') && !head.contains(',');
    let mut rows = ReaderBuilder::new();
    // A cell that is missing is an empty one.
    rows.delimiter(if semicolons { b';' } else { b',' })
        .trim(csv::Trim::All)
        .flexible(true);
    let mut rows = rows.from_reader(text.as_bytes());
    let head = rows.headers().map_err(|error| wrong(1, error.into()))?;
    let columns = Columns::of(head).map_err(|what| wrong(1, what))?;
    let mut schedule = Schedule::new();
    for row in rows.records() {
        let row = row.map_err(|error| wrong(line_at(text, error.position()), error.into()))?;
        let in_channel = columns.cell(&row, columns.channel).unwrap_or(channel) == channel;
        // A line of another channel is read all the same: a mistake in it is one.
        let appointment = columns
            .appointment(&row, clock)
            .map_err(|what| wrong(line_at(text, row.position()), what))?;
        if !in_channel {
            continue;
        }
        let expected = schedule.entry(appointment).or_default();
        match columns.cell(&row, columns.user) {
            Some(user) => drop(expected.users.insert(user.to_owned())),
            None => expected.anybody = true,
        }
    }
    Ok(schedule)
}

/// The line of a row. Its position is that of the empty lines before it.
fn line_at(text: &str, position: Option<&csv::Position>) -> u64 {
    let byte = position.map_or(0, csv::Position::byte);
    let byte = usize::try_from(byte).unwrap_or(usize::MAX);
    let (before, rest) = text.split_at_checked(byte).unwrap_or((text, ""));
    let empty = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    let empty = rest.get(..empty).unwrap_or_default();
    let lines = before.bytes().chain(empty.bytes());
    1 + lines.filter(|byte| *byte == b'\n').count() as u64
}

/// Where the columns are.
struct Columns {
    starts_at: usize,
    ends_at: usize,
    user: Option<usize>,
    channel: Option<usize>,
}

impl Columns {
    fn of(head: &StringRecord) -> Result<Columns, ScheduleProblem> {
        let find = |name: &str| head.iter().position(|column| column == name);
        let needed = |name| find(name).ok_or(ScheduleProblem::NoColumn(name));
        Ok(Columns {
            starts_at: needed("starts_at")?,
            ends_at: needed("ends_at")?,
            user: find("user"),
            channel: find("channel"),
        })
    }

    /// A cell that says something.
    fn cell<'a>(&self, row: &'a StringRecord, column: Option<usize>) -> Option<&'a str> {
        row.get(column?).filter(|text| !text.is_empty())
    }

    fn appointment(
        &self,
        row: &StringRecord,
        clock: ScheduleClock,
    ) -> Result<Appointment, ScheduleProblem> {
        let time = |column: &'static str, at: usize| {
            let text = row.get(at).unwrap_or_default();
            let typed: Result<When, String> = text.parse();
            let typed = typed.map_err(|why| ScheduleProblem::NoTime {
                column,
                text: text.to_owned(),
                why,
            })?;
            let resolved = typed.resolve(clock.now, clock.zone);
            resolved.map_err(|error| ScheduleProblem::NoZone(column, error))
        };
        let starts_at = time("starts_at", self.starts_at)?;
        let ends_at = time("ends_at", self.ends_at)?;
        if ends_at <= starts_at {
            return Err(ScheduleProblem::Order);
        }
        Ok(Appointment { starts_at, ends_at })
    }
}
