//! `missed`: for every gap, who came and went while no observer watched. It is the main question of users, so this
//! table must be clear without help: words before numbers, dates only where the day changes.

use super::Table;
use super::grid::{self, PagedTable, note_hidden};
use crate::cli::moment::{Fine, clock, day, span};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{many, member, meta, name, tally};
use crate::domain::time::Millis;
use crate::limits::MISSED_COLLECTED_SHOWN_MAX;
use crate::query::answer::{EntryType, Evidence, Missed, MissedMember, Time};
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// The times of shorter gaps are shown in milliseconds.
const FINE_BELOW_MS: Millis = 10_000;

/// What happened to a member.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Joined,
    Left,
    Changed,
}

impl Fate {
    /// The sign makes it readable without colour, and from a distance.
    fn shown(self) -> (TextColor, &'static str) {
        match self {
            Fate::Joined => (TextColor::Joined, "+ joined"),
            Fate::Left => (TextColor::Left, "- left"),
            Fate::Changed => (TextColor::Changed, "~ changed"),
        }
    }
}

/// Draws the gaps of one channel.
#[derive(Debug)]
pub struct MissedTable {
    channel: String,
    /// The columns for which there was no room.
    hidden: BTreeSet<&'static str>,
    day: Option<NaiveDate>,
    gaps: u64,
    open: u64,
    unwatched_ms: Millis,
    joined: u64,
    left: u64,
    changed: u64,
}

impl MissedTable {
    /// A table for this channel, which is named even without gaps.
    #[must_use]
    pub fn new(channel: &str) -> MissedTable {
        MissedTable {
            channel: name(channel).into_owned(),
            hidden: BTreeSet::new(),
            day: None,
            gaps: 0,
            open: 0,
            unwatched_ms: 0,
            joined: 0,
            left: 0,
            changed: 0,
        }
    }

    fn count(&mut self, missed: &Missed) {
        self.gaps += 1;
        match missed.to {
            Some(to) => {
                self.unwatched_ms = self
                    .unwatched_ms
                    .saturating_add(to.0.saturating_sub(missed.from.0))
            }
            None => self.open += 1,
        }
        self.joined += missed.joined.len() as u64;
        self.left += missed.left.len() as u64;
        self.changed += missed.updated.len() as u64;
    }

    /// Writes the channel once, and the day when it changes.
    fn heading(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        from: Time,
    ) -> io::Result<()> {
        let new = day(from);
        let date = new.map_or_else(String::new, |day| format!("{day} (times in UTC)"));
        if self.gaps == 0 {
            writeln!(
                sink,
                "{} · {date}",
                view.ink(TextColor::Head, &self.channel)
            )?;
        } else if new != self.day {
            writeln!(sink, "\n{date}")?;
        }
        self.day = new;
        Ok(())
    }

    fn summary(&self) -> String {
        let mut parts = vec![many(self.gaps, "gap", "gaps")];
        if self.gaps > self.open {
            parts.push(format!("{} unwatched", span(self.unwatched_ms)));
        }
        if self.open > 0 {
            parts.push(format!("{} still open", self.open));
        }
        let people = tally(&[
            (self.joined, "joined", "joined"),
            (self.left, "left", "left"),
            (self.changed, "changed", "changed"),
        ]);
        if !people.is_empty() {
            parts.push(people);
        } else if self.gaps > self.open {
            parts.push("nobody came or went".to_owned());
        }
        if self.open > 0 {
            parts.push("who came or went in an open gap is not known yet".to_owned());
        }
        parts.join(" · ")
    }
}

impl Table<Missed> for MissedTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        missed: &Missed,
    ) -> io::Result<()> {
        self.heading(sink, view, missed.from)?;
        self.count(missed);
        writeln!(
            sink,
            "\n{}",
            view.ink(TextColor::Head, &headline(missed, self.day))
        )?;
        if !(missed.joined.is_empty() && missed.left.is_empty() && missed.updated.is_empty()) {
            let hidden = people(sink, view, missed, self.day)?;
            self.hidden.extend(hidden);
        } else if missed.to.is_some() {
            writeln!(sink, "  nobody came or went")?;
        }
        if missed.to.is_none() {
            writeln!(sink, "  {}", not_known_yet(missed))?;
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        if self.gaps == 0 {
            return writeln!(
                sink,
                "{} · no gaps: nothing was missed",
                view.ink(TextColor::Head, &self.channel)
            );
        }
        writeln!(sink, "\n{}", self.summary())?;
        note_hidden(sink, view, std::mem::take(&mut self.hidden))
    }
}

/// What is not known in an open gap, what has been collected so far, and what will close it.
fn not_known_yet(missed: &Missed) -> String {
    if missed.collected.is_empty() {
        return "not known yet: the next snapshot will show who came or went".to_owned();
    }
    let collected = missed.collected.iter().map(|it| {
        let sign = match it.kind {
            EntryType::Leave => '-',
            EntryType::Update => '~',
            _ => '+',
        };
        let who = member(&it.member.user, &it.member.connection);
        format!("{sign} {} {who}", name(&it.member.topic))
    });
    let most = MISSED_COLLECTED_SHOWN_MAX;
    let listed: Vec<String> = collected.take(most).collect();
    let more = missed.collected.len().saturating_sub(most);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "not known yet: the source has sent {}{more} so far; the next event after the resync, or a snapshot, will close the gap",
        listed.join(", ")
    )
}

/// The headline of a gap.
fn headline(missed: &Missed, day: Option<NaiveDate>) -> String {
    let fine = fine(missed);
    let from = clock(missed.from, day, fine);
    let until = match missed.to {
        Some(to) => {
            let length = span(to.0.saturating_sub(missed.from.0));
            format!("{} ({length})", clock(to, day, fine))
        }
        None => "still open".to_owned(),
    };
    let why = match missed.evidence {
        Evidence::Link => "link lost (evidence: link)",
        Evidence::Snapshot => "no link event (evidence: snapshot)",
    };
    format!("Gap {} · {from} → {until} · {why}", missed.gap)
}

fn fine(missed: &Missed) -> Fine {
    match missed.to {
        Some(to) if to.0.saturating_sub(missed.from.0) < FINE_BELOW_MS => Fine::Millis,
        _ => Fine::Seconds,
    }
}

/// The members, by topic. Returns the columns for which there was no room.
fn people(
    sink: &mut dyn Write,
    view: &TerminalStyle,
    missed: &Missed,
    day: Option<NaiveDate>,
) -> io::Result<Vec<&'static str>> {
    let fine = fine(missed);
    let mut topics: BTreeMap<&str, Vec<(Fate, &MissedMember)>> = BTreeMap::new();
    let fates = [
        (Fate::Joined, &missed.joined),
        (Fate::Left, &missed.left),
        (Fate::Changed, &missed.updated),
    ];
    for (fate, members) in fates {
        for who in members {
            topics.entry(&who.topic).or_default().push((fate, who));
        }
    }
    let mut table = PagedTable::bare(
        vec![
            grid::text("topic"),
            grid::firm("what"),
            grid::text("member"),
            grid::firm("when"),
            grid::prose("metadata").gives_way(1),
        ],
        2,
    );
    for (topic, members) in topics {
        let vanished = missed.vanished.iter().any(|gone| gone == topic);
        let mut topic_name = name(topic).into_owned();
        if vanished {
            topic_name.push_str(" (vanished)");
        }
        for (fate, who) in members {
            let (ink, fate) = fate.shown();
            table.add(vec![
                // Only the first member's row names the topic.
                grid::cell(
                    if vanished {
                        TextColor::Left
                    } else {
                        TextColor::Plain
                    },
                    std::mem::take(&mut topic_name),
                ),
                grid::cell(ink, fate),
                grid::cell(TextColor::Plain, member(&who.user, &who.connection)),
                grid::cell(TextColor::Plain, window(who, missed, day, fine)),
                grid::cell(TextColor::Faint, meta(view, who.meta.as_deref())),
            ]);
        }
    }
    table.flush(sink, view)?;
    Ok(table.hidden().collect())
}

/// When the change must have happened: in its own window, or in the gap if a server did not report a window.
fn window(who: &MissedMember, missed: &Missed, day: Option<NaiveDate>, fine: Fine) -> String {
    let (not_before, not_after) = match who.not_after {
        Some(last) => (who.not_before, last),
        None => (Some(missed.from), missed.to.unwrap_or(missed.from)),
    };
    let last = clock(not_after, day, fine);
    match not_before {
        None => format!("by {last}"),
        Some(first) if first == not_after => format!("at {last}"),
        Some(first) => format!("{} – {last}", clock(first, day, fine)),
    }
}
