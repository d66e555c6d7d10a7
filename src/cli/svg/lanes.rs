//! The lanes of a timeline as a picture. What is certain is solid, what is assumed hatched, and what is possible fades in or
//! out: each differs from the others without its colour.

use super::paper::{MARGIN, SvgPaper, WIDTH, place};
use crate::cli::moment::{Fine, WallClock, span as length};
use crate::cli::text::{many, member, name};
use crate::cli::timeline::lanes::{LaneCell, LaneKey, Lanes};
use crate::cli::width::{WordCut, cut};
use crate::query::answer::{Certainty, Time};
use std::ops::Range;

/// Where lanes begin and end.
const LEFT: f64 = 190.0;
const RIGHT: f64 = WIDTH - MARGIN;
/// The heights of a lane, of the bar in it, and of the name of a topic above its lanes.
const LANE: f64 = 18.0;
const BAR: f64 = 11.0;
const TOPIC: f64 = 24.0;
/// Where the axis is.
const AXIS: f64 = 92.0;
/// The columns of a name.
const NAME_COLUMNS: usize = 24;

/// A timeline of a channel.
#[must_use]
pub fn lanes(channel: &str, lanes: &Lanes, wall: WallClock) -> String {
    let picture = LanesSvg { lanes, wall };
    let mut rows = SvgPaper::new();
    let bottom = picture.rows(&mut rows);
    let mut paper = SvgPaper::new();
    let (from, to) = picture.ends();
    paper.text("head", [MARGIN, 30.0], &name(channel));
    let when = format!("{from} – {to} (times in {})", wall.zone_name());
    paper.text("faint", [MARGIN, 50.0], &when);
    paper.axis(lanes.span(), wall, [LEFT, RIGHT, AXIS, bottom]);
    picture.gaps(&mut paper, bottom);
    paper.append(rows);
    let height = picture.legend(&mut paper, bottom);
    paper.finish(
        height,
        &format!("Timeline of {}", name(channel)),
        &picture.words(&when),
    )
}

struct LanesSvg<'a> {
    lanes: &'a Lanes,
    wall: WallClock,
}

impl LanesSvg<'_> {
    fn ends(&self) -> (String, String) {
        let (from, to) = (Time(self.lanes.span().from()), Time(self.lanes.span().to()));
        let known = self.wall.day(from);
        (
            self.wall.clock(from, None, Fine::Seconds),
            self.wall.clock(to, known, Fine::Seconds),
        )
    }

    fn words(&self, when: &str) -> String {
        let members = self.lanes.lanes().len() + self.lanes.left_out();
        format!(
            "{when}: {} and {}. Each bar shows what `who --at` answers for the middle of each of {} pieces of time: solid is \
             certain, hatched is assumed, fading is possible.",
            many(members as u64, "member", "members"),
            many(
                self.lanes.gaps().len() as u64,
                "gap in which nobody watched",
                "gaps in which nobody watched"
            ),
            self.lanes.span().columns(),
        )
    }

    /// Where a column begins.
    fn x(&self, column: usize) -> f64 {
        let span = self.lanes.span();
        place(span, span.begin(column), LEFT, RIGHT)
    }

    fn gaps(&self, paper: &mut SvgPaper, bottom: f64) {
        for gap in self.lanes.gaps() {
            let (from, to) = (self.x(gap.columns.start), self.x(gap.columns.end));
            let lasted = gap
                .to
                .map_or("still open".to_owned(), |to| length(to - gap.from));
            let title = format!("Gap {}: nobody watched ({lasted})", gap.gap);
            paper.group(&title, |paper| {
                let paint = "fill=\"url(#unwatched)\"";
                paper.rect(paint, [from, AXIS, to - from, bottom - AXIS]);
                let label = format!("gap {}", gap.gap);
                paper.text(
                    "gap-name middle",
                    [(from + to) / 2.0, bottom + 14.0],
                    &label,
                );
            });
        }
    }

    /// The lanes, each topic below its name. Returns where they end.
    fn rows(&self, paper: &mut SvgPaper) -> f64 {
        let mut above: Option<&str> = None;
        let mut y = AXIS + 4.0;
        for (lane, cells) in self.lanes.lanes() {
            if above != Some(&lane.topic) {
                above = Some(&lane.topic);
                let topic = cut(&name(&lane.topic), NAME_COLUMNS, WordCut::Middle);
                paper.text("topic", [LEFT, y + TOPIC - 7.0], &topic);
                y += TOPIC;
            }
            self.lane(paper, lane, cells, y);
            y += LANE;
        }
        y + 4.0
    }

    fn lane(&self, paper: &mut SvgPaper, lane: &LaneKey, cells: &[LaneCell], y: f64) {
        let whole = member(&lane.user, &lane.connection);
        paper.group(&whole, |paper| {
            let label = cut(&whole, NAME_COLUMNS, WordCut::Middle);
            paper.text("end", [LEFT - 10.0, y + LANE - 5.0], &label);
            paper.line("row", [LEFT, y + LANE / 2.0, RIGHT, y + LANE / 2.0]);
            let mut column = 0;
            for run in cells.chunk_by(|a, b| a == b) {
                let columns = column..column + run.len();
                let beside = [column.checked_sub(1), Some(columns.end)];
                let beside = beside.map(|at| at.and_then(|at| cells.get(at)).copied());
                column = columns.end;
                if let Some(cell) = run.first() {
                    self.run(paper, *cell, columns, (beside, y + (LANE - BAR) / 2.0));
                }
            }
        });
    }

    /// Equal cells in a row, and the cells before and behind them.
    fn run(
        &self,
        paper: &mut SvgPaper,
        cell: LaneCell,
        columns: Range<usize>,
        ([before, behind], top): ([Option<LaneCell>; 2], f64),
    ) {
        let (from, to) = (self.x(columns.start), self.x(columns.end));
        let bar = [from, top, to - from, BAR];
        let is_there = |cell: Option<LaneCell>| {
            let there = [Certainty::Certain, Certainty::Assumed].map(LaneCell::Present);
            cell.is_some_and(|cell| there.contains(&cell))
        };
        match cell {
            LaneCell::Absent => {}
            LaneCell::Short => paper.rect("class=\"sure\"", [from, top, 2.0, BAR]),
            LaneCell::Present(Certainty::Certain) => paper.rect("class=\"sure\"", bar),
            LaneCell::Present(Certainty::Assumed) => {
                paper.rect("class=\"edge\" style=\"fill:url(#assumed)\"", inner(bar));
            }
            LaneCell::Present(Certainty::Possible) => match (is_there(before), is_there(behind)) {
                (false, true) => paper.rect("fill=\"url(#comes)\"", bar),
                (true, false) => paper.rect("fill=\"url(#goes)\"", bar),
                _ => paper.rect("class=\"maybe\"", bar),
            },
        }
    }

    /// What is what. Returns the height of the picture.
    fn legend(&self, paper: &mut SvgPaper, bottom: f64) -> f64 {
        let y = bottom + 34.0;
        let mut x = LEFT;
        let samples = [
            ("class=\"sure\"", "certain"),
            (
                "class=\"edge\" style=\"fill:url(#assumed)\"",
                "assumed: nothing says otherwise",
            ),
            ("fill=\"url(#goes)\"", "possible: came or went unseen"),
            ("fill=\"url(#unwatched)\"", "nobody watched"),
        ];
        for (paint, words) in samples {
            paper.rect(paint, inner([x, y, 26.0, BAR]));
            paper.text("faint", [x + 32.0, y + BAR - 1.0], words);
            x += 54.0 + 6.2 * words.len() as f64;
        }
        let left_out = self.lanes.left_out() as u64;
        if left_out == 0 {
            return y + BAR + MARGIN;
        }
        let more = many(
            left_out,
            "more member is not drawn",
            "more members are not drawn",
        );
        paper.text("faint", [LEFT, y + BAR + 20.0], &more);
        y + BAR + 20.0 + MARGIN
    }
}

/// A bar whose line stays inside it.
fn inner([x, y, width, height]: [f64; 4]) -> [f64; 4] {
    [x + 0.5, y + 0.5, (width - 1.0).max(0.5), height - 1.0]
}
