//! `timeline`: lanes of characters. Each cell differs from the others by its character alone; colour adds nothing.

use crate::cli::moment::{Fine, WallClock, span};
use crate::cli::spark::spark;
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, member, name};
use crate::cli::timeline::axis;
use crate::cli::timeline::lanes::{LaneCell, LaneKey, Lanes};
use crate::cli::width::{WordCut, columns, cut};
use crate::query::answer::{Certainty, Time};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The fewest columns of time that are drawn.
pub const LANE_COLUMNS_MIN: usize = 16;
/// The space between labels and lanes.
const SPACING: usize = 2;
/// The labels of the lines that are about all lanes.
const WATCHED: &str = "unwatched";
const PRESENT: &str = "present";

/// The widths of what stands before the lanes.
#[derive(Debug, Clone, Copy, Default)]
pub struct LaneLabels {
    topic: usize,
    member: usize,
}

impl LaneLabels {
    /// Makes room for a lane.
    pub fn add(&mut self, lane: &LaneKey) {
        self.topic = self.topic.max(columns(&name(&lane.topic)));
        self.member = self
            .member
            .max(columns(&member(&lane.user, &lane.connection)));
    }

    /// Labels that leave most of a terminal to the lanes, and how many columns are left.
    #[must_use]
    pub fn fit(self, view: &TerminalStyle) -> (LaneLabels, usize) {
        let width = usize::from(view.width);
        let labels = LaneLabels {
            topic: self.topic.min(width / 8),
            member: self.member.min(width / 5).max(WATCHED.len()),
        };
        let left = width.saturating_sub(labels.width()).max(LANE_COLUMNS_MIN);
        (labels, left)
    }

    fn width(self) -> usize {
        self.topic + self.member + 2 * SPACING
    }
}

/// Draws a timeline of a channel.
///
/// # Errors
/// When it cannot be written.
pub fn timeline(
    sink: &mut dyn Write,
    view: &TerminalStyle,
    (channel, lanes, labels, wall): (&str, &Lanes, LaneLabels, WallClock),
) -> io::Result<()> {
    let (from, to) = (Time(lanes.span().from()), Time(lanes.span().to()));
    let from_to = format!(
        "{} – {} (times in {})",
        wall.clock(from, None, Fine::Seconds),
        wall.clock(to, wall.day(from), Fine::Seconds),
        wall.zone_name()
    );
    writeln!(
        sink,
        "{} · {from_to}\n",
        view.ink(TextColor::Head, &name(channel))
    )?;
    let picture = LanePicture {
        lanes,
        labels,
        wall,
        view,
    };
    picture.axis(sink)?;
    picture.unwatched(sink)?;
    picture.rows(sink)?;
    picture.present(sink)?;
    picture.legend(sink)
}

struct LanePicture<'a> {
    lanes: &'a Lanes,
    labels: LaneLabels,
    wall: WallClock,
    view: &'a TerminalStyle,
}

impl LanePicture<'_> {
    /// A line with its labels.
    fn line(&self, sink: &mut dyn Write, [topic, member]: [&str; 2], rest: &str) -> io::Result<()> {
        let padded = |text: &str, width: usize| {
            let text = cut(text, width, WordCut::Middle);
            let blank = width.saturating_sub(columns(&text)) + SPACING;
            format!("{text}{}", " ".repeat(blank))
        };
        let topic = padded(topic, self.labels.topic);
        let line = format!("{topic}{}{rest}", padded(member, self.labels.member));
        writeln!(sink, "{}", line.trim_end())
    }

    /// A dates' line where there are several, a line of times, and the ruler.
    fn axis(&self, sink: &mut dyn Write) -> io::Result<()> {
        let span = self.lanes.span();
        let marks = axis::marks(span, self.wall, 1);
        let line = || AxisLine::new(span.columns());
        let mut dates = line();
        if marks.iter().any(|mark| mark.date.is_some()) {
            let begin = self.wall.day(Time(span.from()));
            let first = begin.map(|day| (0, day)).into_iter();
            let new = marks
                .iter()
                .filter_map(|mark| Some((span.column(mark.at), mark.date?)));
            let all: Vec<_> = first
                .chain(new)
                .map(|(at, day)| (at, day.to_string()))
                .collect();
            // The first is in the headline, too: it gives way to the next.
            let fits = |next: &&(usize, String)| next.0 > next.1.len();
            let skipped = all.get(1).is_some_and(|next| !fits(&next));
            for (column, date) in all.iter().skip(usize::from(skipped)) {
                dates.put(*column, date);
            }
        }
        let (mut times, mut ruler) = (line(), line());
        for mark in &marks {
            let column = span.column(mark.at);
            times.put(column, &mark.label);
            ruler.rule(column);
        }
        ruler.rule_to(span.columns());
        let dates = Some(dates.text).filter(|dates| !dates.is_empty() && *dates != times.text);
        for line in dates.into_iter().chain([times.text, ruler.text]) {
            self.line(sink, ["", ""], &self.view.ink(TextColor::Faint, &line))?;
        }
        Ok(())
    }

    /// The gaps, by their numbers.
    fn unwatched(&self, sink: &mut dyn Write) -> io::Result<()> {
        if self.lanes.gaps().is_empty() {
            return Ok(());
        }
        let mut line = AxisLine::new(self.lanes.span().columns());
        for gap in self.lanes.gaps() {
            line.gap(gap.gap, gap.columns.clone());
        }
        self.line(
            sink,
            ["", WATCHED],
            &self.view.ink(TextColor::Left, &line.text),
        )
    }

    fn rows(&self, sink: &mut dyn Write) -> io::Result<()> {
        let mut above: Option<&str> = None;
        for (lane, cells) in self.lanes.lanes() {
            let topic = match above {
                Some(above) if above == lane.topic => String::new(),
                _ => name(&lane.topic).into_owned(),
            };
            above = Some(&lane.topic);
            let member = member(&lane.user, &lane.connection);
            self.line(sink, [&topic, &member], &self.cells(cells))?;
        }
        Ok(())
    }

    /// The characters of a lane, each run of equal ones in its colour.
    fn cells(&self, cells: &[LaneCell]) -> String {
        let shown: Vec<(TextColor, char)> = (0..)
            .zip(cells)
            .map(|(column, cell)| self.shown(column, *cell))
            .collect();
        let runs = shown.chunk_by(|a, b| a == b);
        let inked = runs.filter_map(|run| {
            let (ink, c) = *run.first()?;
            let text = c.to_string().repeat(run.len());
            Some(if c == ' ' {
                text
            } else {
                self.view.ink(ink, &text)
            })
        });
        inked.collect()
    }

    fn shown(&self, column: usize, cell: LaneCell) -> (TextColor, char) {
        match cell {
            LaneCell::Present(Certainty::Certain) => (TextColor::Plain, CERTAIN),
            LaneCell::Present(Certainty::Assumed) => (TextColor::Plain, ASSUMED),
            LaneCell::Present(Certainty::Possible) => (TextColor::Changed, POSSIBLE),
            LaneCell::Short => (TextColor::Plain, SHORT),
            LaneCell::Absent if self.is_gap(column) => (TextColor::Faint, GAP),
            LaneCell::Absent => (TextColor::Plain, ' '),
        }
    }

    fn is_gap(&self, column: usize) -> bool {
        let gaps = self.lanes.gaps();
        gaps.iter().any(|gap| gap.columns.contains(&column))
    }

    /// How many were there, over time.
    fn present(&self, sink: &mut dyn Write) -> io::Result<()> {
        let counts = self.lanes.counts();
        let most = counts
            .iter()
            .map(|count| count.present)
            .max()
            .unwrap_or_default();
        let counts = counts.iter().map(|count| count.present);
        self.line(sink, ["", PRESENT], &spark(counts, most))
    }

    /// The characters that were used, and sums.
    fn legend(&self, sink: &mut dyn Write) -> io::Result<()> {
        let span_of_column = span(self.lanes.span().column_ms());
        writeln!(
            sink,
            "\na character is {span_of_column}, and shows what `who --at` says of its middle"
        )?;
        let has = |wanted: LaneCell| self.lanes.lanes().any(|(_, cells)| cells.contains(&wanted));
        let used = [
            (
                has(LaneCell::Present(Certainty::Certain)),
                CERTAIN,
                "certain",
            ),
            (
                has(LaneCell::Present(Certainty::Assumed)),
                ASSUMED,
                "assumed",
            ),
            (
                has(LaneCell::Present(Certainty::Possible)),
                POSSIBLE,
                "possible",
            ),
            (has(LaneCell::Short), SHORT, "shorter than a character"),
            (!self.lanes.gaps().is_empty(), GAP, "nobody watched"),
        ];
        let used = used.iter().filter(|(used, _, _)| *used);
        let used: Vec<String> = used.map(|(_, c, word)| format!("{c} {word}")).collect();
        if !used.is_empty() {
            writeln!(sink, "{}", used.join("  "))?;
        }
        writeln!(sink, "{}", self.sums())?;
        match self.lanes.left_out() {
            0 => Ok(()),
            more => writeln!(
                sink,
                "{} not drawn: --topic and --user choose others",
                many(more as u64, "more member is", "more members are")
            ),
        }
    }

    fn sums(&self) -> String {
        let members = (self.lanes.lanes().len() + self.lanes.left_out()) as u64;
        let topics: BTreeSet<&str> = self
            .lanes
            .lanes()
            .map(|(lane, _)| lane.topic.as_str())
            .collect();
        let counts = self.lanes.counts().iter();
        let most = counts.map(|count| count.present).max().unwrap_or_default();
        let mut sums = vec![
            many(members, "member", "members"),
            many(topics.len() as u64, "topic", "topics"),
            format!("up to {} in a column", count(most)),
        ];
        let gaps = self.lanes.gaps().len() as u64;
        if gaps > 0 {
            sums.push(many(gaps, "gap", "gaps"));
        }
        sums.join(" · ")
    }
}

const CERTAIN: char = '█';
const ASSUMED: char = '▓';
const POSSIBLE: char = '░';
const SHORT: char = '▏';
const GAP: char = '·';

/// A line above the lanes, which is filled from the left.
struct AxisLine {
    text: String,
    /// The columns that are filled.
    width: usize,
    /// The columns that there are.
    most: usize,
}

impl AxisLine {
    fn new(most: usize) -> AxisLine {
        let (text, width) = (String::new(), 0);
        AxisLine { text, width, most }
    }

    fn fill(&mut self, column: usize, with: char) {
        let more = column.saturating_sub(self.width);
        self.text.extend(std::iter::repeat_n(with, more));
        self.width += more;
    }

    /// A label, if there is room for it and a blank before it.
    fn put(&mut self, column: usize, label: &str) {
        let is_free = column >= self.width + usize::from(self.width > 0);
        if !is_free || column + columns(label) > self.most {
            return;
        }
        self.fill(column, ' ');
        self.text.push_str(label);
        self.width += columns(label);
    }

    /// A mark of the ruler.
    fn rule(&mut self, column: usize) {
        if column < self.width {
            return;
        }
        self.fill(column, '─');
        self.text.push('┬');
        self.width += 1;
    }

    fn rule_to(&mut self, column: usize) {
        self.fill(column, '─');
    }

    /// A gap: its number as far as there is room, then a line. Of two in one column the first is named.
    fn gap(&mut self, gap: u32, at: std::ops::Range<usize>) {
        if at.start < self.width {
            return;
        }
        self.fill(at.start, ' ');
        let number = gap.to_string();
        let number = number.get(..at.len().min(number.len())).unwrap_or_default();
        self.text.push_str(number);
        self.width += number.len();
        self.fill(at.end, '─');
    }
}
