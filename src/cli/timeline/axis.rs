//! The marks of a time axis, at round times of the clock on the wall.

use super::span::TimelineSpan;
use crate::cli::moment::{Fine, WallClock};
use crate::domain::time::Millis;
use crate::query::answer::Time;
use chrono::NaiveDate;

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// The distances between two marks.
const STEPS: [Millis; 28] = [
    1,
    5,
    10,
    50,
    100,
    500,
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    84 * DAY,
    364 * DAY,
    3_640 * DAY,
];

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisMark {
    /// The moment.
    pub at: Millis,
    /// Its time of day, or its date where marks are days apart.
    pub label: String,
    /// Its date, if that is another one than that of the mark before.
    pub date: Option<NaiveDate>,
}

/// The marks of a span. `characters`: how many columns of a span a character of a label takes, at least one.
#[must_use]
pub fn marks(span: TimelineSpan, wall: WallClock, characters: usize) -> Vec<AxisMark> {
    let begin = wall.wall_ms(Time(span.from())).unwrap_or(span.from());
    let offset = begin - span.from();
    let length = i128::from(span.to() - span.from());
    let fits = |step: &&Millis| {
        let columns = i128::from(**step) * span.columns() as i128 / length;
        columns >= ((width(**step) + 2) * characters.max(1)) as i128
    };
    let Some(&step) = STEPS.iter().find(fits) else {
        return Vec::new();
    };
    let mut day = wall.day(Time(span.from()));
    let mut marks = Vec::new();
    let mut at = begin.div_euclid(step) * step - offset;
    while at < span.to() {
        if at >= span.from() {
            let new = wall.day(Time(at));
            let date = new.filter(|new| day != Some(*new));
            day = new;
            let label = label(at, step, wall);
            marks.push(AxisMark { at, label, date });
        }
        at += step;
    }
    marks
}

/// The characters of a label.
fn width(step: Millis) -> usize {
    match step {
        DAY.. => "2026-05-14".len(),
        MINUTE.. => "20:00".len(),
        SECOND.. => "20:00:00".len(),
        _ => "20:00:00.000".len(),
    }
}

fn label(at: Millis, step: Millis, wall: WallClock) -> String {
    let (at, day) = (Time(at), wall.day(Time(at)));
    match step {
        DAY.. => day.map_or_else(String::new, |day| day.to_string()),
        MINUTE.. => wall.clock(at, day, Fine::Minutes),
        SECOND.. => wall.clock(at, day, Fine::Seconds),
        _ => wall.clock(at, day, Fine::Millis),
    }
}
