//! What an observer itself last reported about the members of a channel.
//!
//! A snapshot may arrive behind newer events of its own source. It must not undo them in the observer's own list, whatever
//! others have reported since. So these events are remembered apart from the state of their members, in which the last
//! update counts, from any observer, and which a complete snapshot clears.
//!
//! Only a channel with several observers needs this: while an observer is alone, all updates are its own.

use super::names::{MemberId, NumberMap};
use super::order::{Order, Stamp};
use crate::limits;

/// The last reports of one observer, as far as its next snapshot may be older.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnReports {
    pub(crate) last: NumberMap<MemberId, OwnReport>,
    /// The newest of the reports that are no longer remembered one by one.
    pub(crate) forgotten: Option<ReportOrder>,
}

/// The last report about one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnReport {
    pub(crate) order: ReportOrder,
    /// The member was present after it.
    pub(crate) present: bool,
}

/// The place of a report in the log, and in its source's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportOrder {
    pub(crate) seq: u64,
    pub(crate) stamp: Stamp,
}

/// What its own reports say against an observer's snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnSaid {
    /// Nothing: no report is newer.
    Nothing,
    /// A newer report says whether the member is present.
    Present(bool),
    /// There may have been a newer report, which is no longer remembered.
    Forgotten,
}

impl ReportOrder {
    /// Whether the report holds against a snapshot. Where their order is not known, or their time is the same, it does if
    /// it came after the entry `hold`.
    pub(super) fn holds_against(self, snapshot: Stamp, hold: Option<u64>) -> bool {
        match snapshot.against(self.stamp, 0) {
            Order::Older => true,
            Order::Newer => false,
            Order::SameMessage | Order::SameTime | Order::Forgiven | Order::Unknown => {
                hold.is_some_and(|hold| self.seq > hold)
            }
        }
    }
}

impl OwnReports {
    /// Remembers a report. `present`: how many members the channel has.
    pub(super) fn add(&mut self, member: MemberId, report: OwnReport, present: usize) {
        let mut report = report;
        if let Some(before) = self.last.get(&member) {
            report.order.stamp = report.order.stamp.since(before.order.stamp);
        }
        self.last.insert(member, report);
        self.limit(present);
    }

    /// Forgets the oldest quarter of the reports, if there are too many. Reports of one entry go together, so that the
    /// numbers of members make no difference.
    pub(super) fn limit(&mut self, present: usize) {
        let most = present.max(limits::OWN_REPORTS_MIN);
        if self.last.len() <= most {
            return;
        }
        let mut seqs: Vec<u64> = self.last.values().map(|it| it.order.seq).collect();
        let over = self.last.len() - (most - most / 4);
        let (_, &mut until, _) = seqs.select_nth_unstable(over - 1);
        let mut dropped = self.forgotten;
        self.last.retain(|_, report| {
            let stays = report.order.seq > until;
            if !stays {
                dropped = Some(newest(dropped, report.order));
            }
            stays
        });
        self.forgotten = dropped;
    }

    /// Records that there was a report which is not remembered for itself.
    pub(super) fn forget(&mut self, order: ReportOrder) {
        self.forgotten = Some(newest(self.forgotten, order));
    }

    /// What holds about a member against a snapshot that shows it with this stamp.
    pub(super) fn said(&self, member: MemberId, shown: Stamp, hold: Option<u64>) -> OwnSaid {
        let holds = |order: ReportOrder| order.holds_against(shown, hold);
        match self.last.get(&member) {
            Some(report) if holds(report.order) => OwnSaid::Present(report.present),
            _ if self.forgotten.is_some_and(holds) => OwnSaid::Forgotten,
            _ => OwnSaid::Nothing,
        }
    }

    /// What stands against an event about a member that has this stamp, and that is stale.
    pub(super) fn said_since(&self, member: MemberId, stamp: Stamp) -> OwnSaid {
        let newer = |order: &ReportOrder| stamp.against(order.stamp, 0) == Order::Older;
        match self.last.get(&member) {
            Some(report) if newer(&report.order) => OwnSaid::Present(report.present),
            Some(_) => OwnSaid::Nothing,
            None if self.forgotten.as_ref().is_some_and(newer) => OwnSaid::Forgotten,
            None => OwnSaid::Nothing,
        }
    }

    /// Keeps only the reports that `hold` against a snapshot.
    pub(super) fn keep(&mut self, holds: impl Fn(MemberId, ReportOrder) -> bool) {
        if self.last.is_empty() {
            return;
        }
        // A new map, so that the memory of the others is given back.
        let last = std::mem::take(&mut self.last).into_iter();
        self.last = last
            .filter(|&(member, report)| holds(member, report.order))
            .collect();
    }
}

/// The larger part of each.
fn newest(known: Option<ReportOrder>, order: ReportOrder) -> ReportOrder {
    let Some(known) = known else { return order };
    ReportOrder {
        seq: known.seq.max(order.seq),
        stamp: Stamp {
            pos: known.stamp.pos.max(order.stamp.pos),
            ts: known.stamp.ts.max(order.stamp.ts),
        },
    }
}
