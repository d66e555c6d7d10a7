//! The cells of lanes. A cell shows what `who --at` answers for the middle of its time: the law of the timeline. What is
//! shorter than a column, and touches no middle, is marked where it begins, so that no stay and no gap is left out.

use super::span::TimelineSpan;
use crate::domain::time::Millis;
use crate::limits::TIMELINE_LANES_MAX;
use crate::query::answer::{Certainty, ClosedBy, Missed, Session, Who};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A member of a channel; its order is that of the lanes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// Its topic.
    pub topic: String,
    /// Its user.
    pub user: String,
    /// Its connection; empty if the source reports none.
    pub connection: String,
}

impl LaneKey {
    /// The member of a stay.
    #[must_use]
    pub fn of(stay: &Session) -> LaneKey {
        LaneKey {
            topic: stay.topic.clone().unwrap_or_default(),
            user: stay.user.clone(),
            connection: stay.connection.clone().unwrap_or_default(),
        }
    }
}

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LaneCell {
    /// Nobody.
    #[default]
    Absent,
    /// A stay in this time, too short to reach the middle of a cell.
    Short,
    /// What `who` says of the member at the middle.
    Present(Certainty),
}

/// A gap in which nobody watched, in columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapColumns {
    /// Its number in the channel.
    pub gap: u32,
    /// The columns that show it.
    pub columns: std::ops::Range<usize>,
    /// When it began and ended; `None` while it is open.
    pub from: Millis,
    /// Its end.
    pub to: Option<Millis>,
}

/// How many members a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnCount {
    /// Certainly there, or assumed to be.
    pub present: u64,
    /// Possibly there.
    pub possible: u64,
}

/// A timeline that is being filled.
#[derive(Debug, Clone)]
pub struct Lanes {
    span: TimelineSpan,
    user: Option<String>,
    lanes_max: usize,
    lanes: BTreeMap<LaneKey, Vec<LaneCell>>,
    /// Hashes of the members that are not drawn.
    left_out: HashSet<u64>,
    gaps: Vec<GapColumns>,
    counts: Vec<ColumnCount>,
}

impl Lanes {
    /// Empty lanes. `user`: only this user's.
    #[must_use]
    pub fn new(span: TimelineSpan, user: Option<&str>) -> Lanes {
        Lanes {
            span,
            user: user.map(str::to_owned),
            lanes_max: TIMELINE_LANES_MAX,
            lanes: BTreeMap::new(),
            left_out: HashSet::new(),
            gaps: Vec::new(),
            counts: vec![ColumnCount::default(); span.columns()],
        }
    }

    /// At most so many lanes. Default: [`TIMELINE_LANES_MAX`].
    #[must_use]
    pub fn lanes_max(mut self, most: usize) -> Lanes {
        self.lanes_max = most;
        self
    }

    /// Its time.
    #[must_use]
    pub fn span(&self) -> TimelineSpan {
        self.span
    }

    /// The lanes, by topic, user and connection.
    pub fn lanes(&self) -> impl ExactSizeIterator<Item = (&LaneKey, &[LaneCell])> {
        self.lanes
            .iter()
            .map(|(key, cells)| (key, cells.as_slice()))
    }

    /// How many members are not drawn.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// The gaps, in order.
    #[must_use]
    pub fn gaps(&self) -> &[GapColumns] {
        &self.gaps
    }

    /// How many members each column has; those that are not drawn count, too.
    #[must_use]
    pub fn counts(&self) -> &[ColumnCount] {
        &self.counts
    }

    /// Takes a gap. One in which nothing was missed is none.
    pub fn gap(&mut self, gap: &Missed) {
        if gap.closed_by == Some(ClosedBy::Resumed) {
            return;
        }
        let to = gap.to.map(|to| to.0);
        if let Some(columns) = self.span.shows(gap.from.0, to.unwrap_or(Millis::MAX)) {
            let (gap, from) = (gap.gap, gap.from.0);
            self.gaps.push(GapColumns {
                gap,
                columns,
                from,
                to,
            });
        }
    }

    /// Takes a stay: its lane is there, and it can be seen.
    pub fn stay(&mut self, stay: &Session) {
        let from = stay.joined_not_before.unwrap_or(stay.joined_at).0;
        let to = stay.left_at.map_or(Millis::MAX, |left| left.0);
        let Some(columns) = self.span.shows(from, to) else {
            return;
        };
        let middle = self.span.middle(columns.start);
        let is_short = middle < from || middle >= to;
        let Some(cells) = self.lane(LaneKey::of(stay)) else {
            return;
        };
        if let Some(cell) = cells.get_mut(columns.start)
            && is_short
            && *cell == LaneCell::Absent
        {
            *cell = LaneCell::Short;
        }
    }

    /// Takes the answer of `who` for the middle of a column.
    pub fn who(&mut self, column: usize, who: &Who) {
        let mut count = ColumnCount::default();
        for topic in &who.topics {
            for publisher in &topic.publishers {
                if self
                    .user
                    .as_ref()
                    .is_some_and(|user| *user != publisher.user)
                {
                    continue;
                }
                match publisher.certainty {
                    Certainty::Possible => count.possible += 1,
                    Certainty::Certain | Certainty::Assumed => count.present += 1,
                }
                let key = LaneKey {
                    topic: topic.topic.clone(),
                    user: publisher.user.clone(),
                    connection: publisher.connection.clone(),
                };
                let cell = self.lane(key).and_then(|cells| cells.get_mut(column));
                if let Some(cell) = cell {
                    *cell = LaneCell::Present(publisher.certainty);
                }
            }
        }
        if let Some(counted) = self.counts.get_mut(column) {
            *counted = count;
        }
    }

    /// The cells of a member; `None` if it is not drawn. The first lanes stay, so a member that is not drawn never will be.
    fn lane(&mut self, key: LaneKey) -> Option<&mut Vec<LaneCell>> {
        if !self.lanes.contains_key(&key) {
            let last = self.lanes.last_key_value().map(|(last, _)| last);
            if self.lanes.len() >= self.lanes_max && last.is_none_or(|last| *last < key) {
                self.left_out.insert(hash(&key));
                return None;
            }
            let cells = vec![LaneCell::Absent; self.span.columns()];
            self.lanes.insert(key.clone(), cells);
            if self.lanes.len() > self.lanes_max
                && let Some((last, _)) = self.lanes.pop_last()
            {
                self.left_out.insert(hash(&last));
            }
        }
        self.lanes.get_mut(&key)
    }
}

fn hash(key: &LaneKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
