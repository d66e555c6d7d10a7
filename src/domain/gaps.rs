//! The gaps of a channel, and the changes that must have happened in them: a fold over the channel's entries. It copies
//! the names of members, so that it does not depend on a dictionary. What a question shows of it is its own business.

use super::entry::{
    Change, Disposition, Entry, GapChange, Inference, Origin, Payload, Snapshot, SnapshotOrigin,
    Text,
};
use super::event::ChangeKind;
use super::names::{NameId, Names, NumberMap};
use super::state::State;
use super::time::Millis;

/// What revealed a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReport {
    /// A link event, or a connection that was lost.
    Link,
    /// A second snapshot, without a link event.
    Snapshot,
}

/// What ended a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapClosing {
    /// The next complete snapshot.
    Snapshot,
    /// The differences that a source sent in place of a snapshot.
    Differences,
    /// A feed that continued where it had stopped: nothing was missed.
    Resumed,
}

/// A member, and what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapMember {
    /// A join, leave or update.
    pub kind: ChangeKind,
    /// The topic.
    pub topic: Text,
    /// The user.
    pub user: Text,
    /// The connection.
    pub connection: Text,
    /// Metadata after the change; for a leave, the last known metadata.
    pub meta: Option<Text>,
    /// It happened at or after this.
    pub not_before: Option<Millis>,
    /// It happened at or before this; `None` for a difference that decides nothing yet.
    pub not_after: Option<Millis>,
}

impl GapMember {
    fn of(change: &Change, names: &Names) -> GapMember {
        let key = names.key(change.member);
        let [topic, user, connection] =
            [key.topic, key.user, key.conn].map(|name| Text::from(names.text(name)));
        GapMember {
            kind: change.kind,
            topic,
            user,
            connection,
            meta: change.meta.clone(),
            not_before: None,
            not_after: None,
        }
    }

    fn is_same(&self, other: &GapMember) -> bool {
        (&self.topic, &self.user, &self.connection)
            == (&other.topic, &other.user, &other.connection)
    }
}

/// A change outside any known gap, and when it took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LooseChange {
    /// When it took effect.
    pub at: Millis,
    /// What changed.
    pub member: GapMember,
}

/// A gap, and what happened in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRecord {
    /// Its number in the channel, from 1.
    pub gap: u32,
    /// The last proof before it.
    pub from: Millis,
    /// When it ended; `None` while it is open.
    pub to: Option<Millis>,
    /// What revealed it.
    pub evidence: GapReport,
    /// What ended it.
    pub closed_by: Option<GapClosing>,
    /// What happened in it.
    pub changes: Vec<GapMember>,
    /// The differences that the source has sent so far, while it is open.
    pub collected: Vec<GapMember>,
    /// Topics that had members before it and none after it.
    pub vanished: Vec<Text>,
    /// The loose changes at the time when it was reported.
    pub before: Vec<LooseChange>,
}

/// The gaps of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelGaps {
    /// The gaps so far; where a fold began behind the first entry, those that were open there, and later ones.
    pub found: Vec<GapRecord>,
    /// Changes that incomplete snapshots made one infer outside any known gap, while no observer was proven to watch,
    /// since the last complete snapshot. A gap that is reported later may have begun before them.
    pub loose: Vec<LooseChange>,
    /// The last snapshot, if it concerned a gap, and the gap's number. It matters within its own commit only.
    by_snapshot: Option<(u64, u32)>,
    /// The last snapshot, if it was incomplete (or stale) and outside any known gap. Likewise.
    loosed_by: Option<u64>,
}

impl ChannelGaps {
    /// What is known between two commits.
    #[must_use]
    pub fn between(found: Vec<GapRecord>, loose: Vec<LooseChange>) -> ChannelGaps {
        ChannelGaps {
            found,
            loose,
            by_snapshot: None,
            loosed_by: None,
        }
    }

    /// Forgets the gaps that have ended.
    pub fn forget_ended(&mut self) {
        self.found.retain(|found| found.to.is_none());
    }

    /// Whether it has nothing that a later entry could change.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.loose.is_empty() && self.found.iter().all(|found| found.to.is_some())
    }

    /// Adds a gap that was reported. It includes the loose changes that were inferred in it before the report.
    fn open(&mut self, gap: u32, from: Millis, evidence: GapReport) {
        if let Some(found) = self.of(gap).filter(|found| found.to.is_none()) {
            // Entries of it are missing: it began earlier than was known.
            let known = std::mem::replace(&mut found.from, from);
            let more = found
                .before
                .iter()
                .filter(|it| (from..known).contains(&it.at));
            let more: Vec<GapMember> = more.map(|loose| loose.member.clone()).collect();
            found.changes.splice(..0, more);
            return;
        }
        let before = std::mem::take(&mut self.loose);
        let within = before.iter().filter(|loose| loose.at >= from);
        let changes = within.map(|loose| loose.member.clone()).collect();
        self.found.push(GapRecord {
            gap,
            from,
            to: None,
            evidence,
            closed_by: None,
            changes,
            collected: Vec::new(),
            vanished: Vec::new(),
            before,
        });
    }

    /// Ends a gap in which nothing was missed: the changes that were loose before it are loose again.
    fn over(&mut self, gap: u32, to: Millis) {
        if let Some(found) = self.of(gap) {
            found.to = Some(to);
            found.closed_by = Some(GapClosing::Resumed);
            let before = std::mem::take(&mut found.before);
            self.loose.splice(..0, before);
        }
    }

    /// Adds a difference that the source sent to the open gap.
    fn collect(&mut self, change: &Change, names: &Names) {
        let open = self.found.last_mut().filter(|it| it.to.is_none());
        let Some(found) = open else { return };
        let member = GapMember::of(change, names);
        found.collected.retain(|it| !it.is_same(&member));
        found.collected.push(member);
    }

    fn of(&mut self, gap: u32) -> Option<&mut GapRecord> {
        self.found.iter_mut().rev().find(|found| found.gap == gap)
    }

    /// Takes what a link entry says of the channel.
    pub fn take_link(&mut self, entry: &Entry, change: &GapChange) {
        if change.opens {
            self.open(change.gap, change.at, GapReport::Link);
        } else {
            self.over(change.gap, entry.occurred_at.max(change.at));
        }
    }

    /// Takes a snapshot of the channel.
    pub fn take_snapshot(&mut self, seq: u64, snapshot: &Snapshot) {
        let settles = snapshot.complete && !snapshot.stale;
        self.by_snapshot = snapshot.gap.map(|seen| (seq, seen.gap));
        self.loosed_by = (!settles && snapshot.gap.is_none()).then_some(seq);
        if let Some(seen) = snapshot.gap {
            if let Some(from) = seen.opened {
                self.open(seen.gap, from, GapReport::Snapshot);
            }
            if let Some(found) = self.of(seen.gap) {
                found.to = seen.closed;
                if seen.is_closed() {
                    found.collected.clear();
                }
                found.closed_by = seen.closed.map(|_| match snapshot.origin {
                    SnapshotOrigin::Differences => GapClosing::Differences,
                    SnapshotOrigin::Listed | SnapshotOrigin::Occupancy => GapClosing::Snapshot,
                });
            }
        }
        if settles {
            self.loose.clear();
        }
    }

    /// Takes a change in the channel. `state` is the state before it.
    pub fn take_change(&mut self, entry: &Entry, change: &Change, state: &State, names: &Names) {
        match change.origin {
            Origin::Inferred(by) if by.baseline => {}
            Origin::Inferred(by) => self.take_inferred(entry, change, by, state, names),
            Origin::Observed if change.disposition == Disposition::Collected => {
                self.collect(change, names);
            }
            Origin::Observed => {}
        }
    }

    fn take_inferred(
        &mut self,
        entry: &Entry,
        change: &Change,
        by: Inference,
        state: &State,
        names: &Names,
    ) {
        let member = GapMember {
            not_before: by.not_before,
            not_after: Some(entry.occurred_at),
            ..GapMember::of(change, names)
        };
        let known = state.channel(names.key(change.member).channel);
        let is_blind = known.is_some_and(|known| known.watching().is_blind());
        match self.by_snapshot {
            Some((snapshot, gap)) if snapshot == by.snapshot_seq => {
                if let Some(found) = self.of(gap) {
                    found.changes.push(member);
                }
            }
            _ if self.loosed_by == Some(by.snapshot_seq) && is_blind => {
                let at = entry.effective_at;
                self.loose.push(LooseChange { at, member });
            }
            _ => {}
        }
    }

    /// Notes the topics that a snapshot has emptied, after all entries of its commit. `state` is the state after them.
    pub fn note_vanished(&mut self, entries: &[Entry], state: &State, names: &Names) {
        let Some(Entry {
            seq,
            payload: Payload::Snapshot(snapshot),
            ..
        }) = entries.first()
        else {
            return;
        };
        let Some((_, gap)) = self.by_snapshot.filter(|(by, _)| by == seq) else {
            return;
        };
        let left = entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Change(change) if change.kind == ChangeKind::Leave => {
                Some(names.key(change.member).topic)
            }
            _ => None,
        });
        let mut gone: Vec<NameId> = left.collect();
        gone.dedup();
        if let Some(channel) = state.channel(snapshot.channel).filter(|_| !gone.is_empty()) {
            let alive: NumberMap<NameId, ()> = channel
                .roster()
                .iter()
                .map(|&member| (names.key(member).topic, ()))
                .collect();
            gone.retain(|topic| !alive.contains_key(topic));
        }
        if let Some(found) = self.of(gap) {
            let gone = gone.into_iter().map(|topic| Text::from(names.text(topic)));
            found.vanished.extend(gone);
        }
    }
}
