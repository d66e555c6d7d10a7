//! The series of `stats` as a picture: a chart for the channel and for each topic, one below the other, over the same time.

use super::paper::{MARGIN, SvgPaper, WIDTH, place};
use crate::cli::moment::{Fine, WallClock, span as length};
use crate::cli::text::{count, many, name};
use crate::cli::timeline::series::{PeakCharts, PeakSeries};
use crate::cli::timeline::span::TimelineSpan;
use crate::cli::width::{WordCut, cut};
use crate::domain::time::Millis;
use crate::query::answer::Time;
use std::fmt::Write;

/// Where charts begin and end.
const LEFT: f64 = 190.0;
const RIGHT: f64 = WIDTH - MARGIN - 30.0;
/// The heights of a chart, and of the space above it.
const CHART: f64 = 56.0;
const ABOVE: f64 = 22.0;
/// Where the axis is.
const AXIS: f64 = 92.0;
/// As many columns as a terminal of this width would have.
const AXIS_COLUMNS: usize = 110;
/// The columns of a name.
const NAME_COLUMNS: usize = 24;

/// How many were present, over time. `title` names what was asked for.
#[must_use]
pub fn peaks(title: &str, every_ms: Millis, charts: &mut PeakCharts, wall: WallClock) -> String {
    let (series, left_out) = charts.finish();
    let (series, one_channel) = (series.to_vec(), same_channel(series));
    let mut paper = SvgPaper::new();
    paper.text("head", [MARGIN, 30.0], &name(title));
    // Only its ends matter here, and for the axis how wide it is.
    let ends = charts.span(1);
    let span = ends.and_then(|ends| TimelineSpan::new(ends.from(), ends.to(), AXIS_COLUMNS));
    let Some(span) = span else {
        paper.text(
            "faint",
            [MARGIN, 50.0],
            "nobody is known to have been there",
        );
        return paper.finish(70.0, title, "Nobody is known to have been there.");
    };
    let when = when(span, wall);
    let what = format!("the most at once, every {} · {when}", length(every_ms));
    paper.text("faint", [MARGIN, 50.0], &what);
    let bottom = AXIS + (CHART + ABOVE) * series.len() as f64;
    paper.axis(span, wall, [LEFT, RIGHT, AXIS, bottom]);
    let mut base = AXIS;
    for series in &series {
        base += CHART + ABOVE;
        chart(&mut paper, series, span, (base, one_channel));
    }
    let mut height = bottom + MARGIN;
    if left_out > 0 {
        let more = many(
            left_out,
            "more series is not drawn",
            "more series are not drawn",
        );
        paper.text("faint", [LEFT, bottom + 22.0], &more);
        height += 20.0;
    }
    let words: Vec<String> = series
        .iter()
        .map(|series| in_words(series, one_channel))
        .collect();
    let description = format!("{what}. {}.", words.join("; "));
    paper.finish(
        height,
        &format!("Presence in {}", name(title)),
        &description,
    )
}

fn same_channel(series: &[PeakSeries]) -> bool {
    let mut channels = series.iter().map(|series| &series.channel);
    let first = channels.next();
    channels.all(|channel| Some(channel) == first)
}

fn when(span: TimelineSpan, wall: WallClock) -> String {
    let (from, to) = (Time(span.from()), Time(span.to()));
    format!(
        "{} – {} (times in {})",
        wall.clock(from, None, Fine::Minutes),
        wall.clock(to, wall.day(from), Fine::Minutes),
        wall.zone_name()
    )
}

fn label(series: &PeakSeries, one_channel: bool) -> String {
    let topic = series.topic.as_deref().map_or("all".into(), name);
    if one_channel {
        return topic.into_owned();
    }
    format!("{} · {topic}", name(&series.channel))
}

fn in_words(series: &PeakSeries, one_channel: bool) -> String {
    let label = label(series, one_channel);
    format!("{label}: up to {}", count(series.most()))
}

/// A chart in steps, scaled to its own most; `base` is its lower edge.
fn chart(
    paper: &mut SvgPaper,
    series: &PeakSeries,
    span: TimelineSpan,
    (base, one_channel): (f64, bool),
) {
    let most = series.most();
    let y = |peak: u64| base - CHART * peak as f64 / most.max(1) as f64;
    let x = |at: Millis| place(span, at, LEFT, RIGHT);
    let (mut line, mut area) = (String::new(), String::new());
    for point in series.points() {
        let (from, to, top) = (x(point.from), x(point.to), y(point.peak));
        let pen = if line.is_empty() { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _ = write!(line, "{pen}{from:.1} {top:.1}H{to:.1}");
        let _ = write!(area, "M{from:.1} {base:.1}V{top:.1}H{to:.1}V{base:.1}Z");
    }
    let words = in_words(series, one_channel);
    paper.group(&words, |paper| {
        let label = cut(&label(series, one_channel), NAME_COLUMNS, WordCut::Middle);
        paper.text("end", [LEFT - 10.0, base - 3.0], &label);
        paper.line("line", [LEFT, base, RIGHT, base]);
        paper.path("maybe", &area);
        paper.path("edge", &line);
        paper.text("faint", [RIGHT + 6.0, y(most) + 5.0], &count(most));
    });
}
