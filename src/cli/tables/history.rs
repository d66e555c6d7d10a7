//! `history`: the log, one entry per line, in log order.

use super::Table;
use super::grid::{self, PagedTable, day_line, firm, number, prose, text};
use crate::cli::moment::{Fine, WallClock, clock, day, span};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{many, member, meta, name, shown};
use crate::limits::CLAMPED_MS;
use crate::query::answer::{
    DispositionAnswer, EntryState, EntryType, HistoryEntry, OriginAnswer, Time,
};
use chrono::NaiveDate;
use std::io::{self, Write};

/// Draws entries.
#[derive(Debug)]
pub struct HistoryTable {
    sheet: PagedTable,
    with_channel: bool,
    day: Option<NaiveDate>,
    entries: u64,
}

impl HistoryTable {
    /// `one_channel`: all entries are of one channel, so no column names it.
    #[must_use]
    pub fn new(one_channel: bool) -> HistoryTable {
        let mut columns = vec![number("seq").gives_way(4), firm("time"), firm("what")];
        if !one_channel {
            columns.push(text("channel"));
        }
        columns.extend([
            text("topic").gives_way(3),
            text("who"),
            prose("note").gives_way(2),
            prose("meta").gives_way(1),
        ]);
        HistoryTable {
            sheet: PagedTable::new(columns),
            with_channel: !one_channel,
            day: None,
            entries: 0,
        }
    }
}

impl Table<HistoryEntry> for HistoryTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        entry: &HistoryEntry,
    ) -> io::Result<()> {
        let new = day(entry.effective_at);
        if self.entries == 0 || new != self.day {
            self.sheet.line(day_line(view, WallClock::default(), new));
            self.day = new;
        }
        self.entries += 1;
        let (ink, what) = what(entry);
        let mut row = vec![
            grid::cell(TextColor::Faint, entry.seq),
            grid::cell(
                TextColor::Plain,
                clock(entry.effective_at, new, Fine::Millis),
            ),
            grid::cell(ink, what),
        ];
        if self.with_channel {
            row.push(grid::cell(
                TextColor::Plain,
                entry.channel.as_deref().map_or("(all)".into(), name),
            ));
        }
        let who = entry.user.as_deref().map_or_else(String::new, |user| {
            member(user, entry.connection.as_deref().unwrap_or_default())
        });
        row.extend([
            grid::cell(
                TextColor::Plain,
                entry.topic.as_deref().map_or("".into(), name),
            ),
            grid::cell(TextColor::Plain, who),
            grid::cell(TextColor::Plain, note(entry)),
            grid::cell(TextColor::Faint, meta(view, entry.meta.as_deref())),
        ]);
        self.sheet.row(sink, view, row)
    }

    fn flush(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.flush(sink, view)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        if self.entries == 0 {
            return writeln!(sink, "no entries");
        }
        writeln!(sink, "\n{}", many(self.entries, "entry", "entries"))
    }
}

/// The type, with a colour only if the entry was applied.
fn what(entry: &HistoryEntry) -> (TextColor, String) {
    let (ink, what) = match entry.kind {
        EntryType::Join => (TextColor::Joined, "+ join"),
        EntryType::Leave => (TextColor::Left, "- leave"),
        EntryType::Update => (TextColor::Changed, "~ update"),
        EntryType::Snapshot => (TextColor::Plain, "= snapshot"),
        EntryType::Link => (TextColor::Plain, "link"),
        EntryType::Token => (TextColor::Plain, "token"),
    };
    let ink = if entry.disposition == DispositionAnswer::Applied {
        ink
    } else {
        TextColor::Faint
    };
    match entry.state {
        Some(state) => (ink, format!("{what} {}", state_words(state))),
        None => (ink, what.to_owned()),
    }
}

fn state_words(state: EntryState) -> &'static str {
    match state {
        EntryState::Up => "up",
        EntryState::Synced => "synced",
        EntryState::Down => "down",
        EntryState::WillExpire => "will expire",
        EntryState::Expired => "expired",
        EntryState::Renewed => "renewed",
        EntryState::Revoked => "revoked",
    }
}

/// Additional information, in words.
fn note(entry: &HistoryEntry) -> String {
    let mut notes = Vec::new();
    match entry.disposition {
        DispositionAnswer::Applied => {}
        DispositionAnswer::Unknown => notes.push("was not there".to_owned()),
        DispositionAnswer::Duplicate => notes.push("duplicate".to_owned()),
        DispositionAnswer::Stale => notes.push("stale".to_owned()),
        DispositionAnswer::Collected => notes.push("collected: one of the differences".to_owned()),
    }
    if let Some(members) = entry.members {
        let whole = if entry.complete == Some(false) {
            ", incomplete"
        } else {
            ""
        };
        notes.push(format!(
            "{}{whole}",
            many(u64::from(members), "member", "members")
        ));
    }
    if entry.baseline {
        notes.push("there when first seen".to_owned());
    } else if entry.origin == OriginAnswer::Inferred {
        notes.push(inferred(entry));
    } else if let Some(first) = entry.not_before {
        let since = clock(first, day(entry.effective_at), Fine::Millis);
        notes.push(format!("noticed late: after {since}"));
    }
    let late_ms = entry.effective_at.0.saturating_sub(entry.occurred_at.0);
    if late_ms > CLAMPED_MS {
        notes.push(format!("occurred {} before", span(late_ms)));
    }
    if let Some(reason) = &entry.reason {
        notes.push(shown(reason).into_owned());
    }
    notes.join("; ")
}

/// The window of an inferred entry. It ends when the entry takes effect, so only its start is shown.
fn inferred(entry: &HistoryEntry) -> String {
    let by = entry
        .snapshot_seq
        .map_or_else(String::new, |seq| format!(" by {seq}"));
    let since = |first: Time| clock(first, day(entry.effective_at), Fine::Millis);
    match entry.not_before {
        Some(first) => format!("inferred{by}: after {}", since(first)),
        None => format!("inferred{by}"),
    }
}
