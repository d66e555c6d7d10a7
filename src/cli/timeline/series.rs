//! How many were present over time, of one channel or topic: the intervals of a series, in bounded room.

use super::span::TimelineSpan;
use crate::domain::time::Millis;
use crate::query::answer::Stats;

/// More intervals are united by twos.
const POINTS_MAX: usize = 1_024;

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakPoint {
    /// Its begin.
    pub from: Millis,
    /// Its end.
    pub to: Millis,
    /// The most members at once.
    pub peak: u64,
}

/// The intervals of a channel or topic, in order.
#[derive(Debug, Clone)]
pub struct PeakSeries {
    /// The channel.
    pub channel: String,
    /// `None`: the channel as a whole.
    pub topic: Option<String>,
    points: Vec<PeakPoint>,
    /// How many intervals a point unites.
    united: usize,
    /// How many the last point unites.
    in_last: usize,
}

impl PeakSeries {
    /// The series of a row, without intervals.
    #[must_use]
    pub fn of(row: &Stats) -> PeakSeries {
        PeakSeries {
            channel: row.channel.clone(),
            topic: row.topic.clone(),
            points: Vec::new(),
            united: 1,
            in_last: 0,
        }
    }

    /// Whether a row is about another interval of it.
    #[must_use]
    pub fn has(&self, row: &Stats) -> bool {
        self.channel == row.channel && self.topic == row.topic
    }

    /// Adds an interval.
    pub fn add(&mut self, row: &Stats) {
        let (Some(from), Some(to)) = (row.from, row.to) else {
            return;
        };
        let point = PeakPoint {
            from: from.0,
            to: to.0,
            peak: row.peak.map_or(0, |peak| peak.count),
        };
        match self.points.last_mut() {
            Some(last) if self.in_last < self.united => *last = unite(last, &point),
            _ => {
                self.points.push(point);
                self.in_last = 0;
            }
        }
        self.in_last += 1;
        if self.points.len() > POINTS_MAX {
            let twos = self.points.chunks(2);
            let twos = twos.filter_map(|two| Some(unite(two.first()?, two.last()?)));
            self.points = twos.collect();
            // An odd one is left over: the last.
            self.united *= 2;
        }
    }

    /// Its intervals, or several as one.
    #[must_use]
    pub fn points(&self) -> &[PeakPoint] {
        &self.points
    }

    /// The most members at once.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.points
            .iter()
            .map(|point| point.peak)
            .max()
            .unwrap_or_default()
    }

    /// The most members in each column of a span: of the intervals whose middle is in it.
    #[must_use]
    pub fn columns(&self, span: TimelineSpan) -> Vec<u64> {
        let mut columns = vec![0; span.columns()];
        for point in &self.points {
            let middle = point.from + (point.to - point.from) / 2;
            if let Some(column) = columns.get_mut(span.column(middle)) {
                *column = point.peak.max(*column);
            }
        }
        columns
    }
}

fn unite(a: &PeakPoint, b: &PeakPoint) -> PeakPoint {
    PeakPoint {
        from: a.from.min(b.from),
        to: a.to.max(b.to),
        peak: a.peak.max(b.peak),
    }
}

/// The series of some channels and topics, and how many more there were.
#[derive(Debug, Clone)]
pub struct PeakCharts {
    most: usize,
    series: Vec<PeakSeries>,
    last: Option<PeakSeries>,
    left_out: u64,
    every: Option<Millis>,
}

impl PeakCharts {
    /// At most so many series.
    #[must_use]
    pub fn new(most: usize) -> PeakCharts {
        PeakCharts {
            most,
            series: Vec::new(),
            last: None,
            left_out: 0,
            every: None,
        }
    }

    /// Takes the next row; those of a series come one after another.
    pub fn add(&mut self, row: &Stats) {
        if let (Some(from), Some(to)) = (row.from, row.to) {
            let length = to.0.saturating_sub(from.0);
            // The first and the last may be cut.
            self.every = self.every.max(Some(length));
        }
        match &mut self.last {
            Some(last) if last.has(row) => last.add(row),
            _ => {
                self.close();
                let mut series = PeakSeries::of(row);
                series.add(row);
                self.last = Some(series);
            }
        }
    }

    fn close(&mut self) {
        let Some(last) = self.last.take() else { return };
        if self.series.len() < self.most {
            self.series.push(last);
        } else {
            self.left_out += 1;
        }
    }

    /// All series, and how many were left out.
    pub fn finish(&mut self) -> (&[PeakSeries], u64) {
        self.close();
        (&self.series, self.left_out)
    }

    /// The time of all series, in at most so many columns: one for each interval where they are enough.
    #[must_use]
    pub fn span(&self, columns: usize) -> Option<TimelineSpan> {
        let points = || self.series.iter().flat_map(PeakSeries::points);
        let from = points().map(|point| point.from).min()?;
        let to = points().map(|point| point.to).max()?;
        let every = self.every.unwrap_or(1).max(1);
        let intervals = usize::try_from((to - from + every / 2) / every).unwrap_or(usize::MAX);
        TimelineSpan::new(from, to, columns.min(intervals.max(1)))
    }
}
