//! The stays of members that go on: what is known of their joins. What a stay's length can be is the business of the
//! question; here is only what must be remembered of a join until the leave comes.

use super::entry::{Change, Entry, Origin, Payload};
use super::event::ChangeKind;
use super::names::{MemberId, Names, NumberMap};
use super::renumbering::Renumbering;
use super::state::State;
use super::time::Millis;

/// One end of a stay: when it took effect, and the bounds of when it really happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StayEnd {
    /// Its entry.
    pub seq: u64,
    /// When it took effect.
    pub effective_at: Millis,
    /// It happened at or after this; `None`: nobody knows.
    pub earliest: Option<Millis>,
    /// It happened at or before this.
    pub latest: Millis,
    /// It has a window.
    pub windowed: bool,
    /// It was inferred.
    pub inferred: bool,
    /// The member was there when the channel was first seen.
    pub baseline: bool,
    /// Its source may lose or reorder single events.
    pub lossy: bool,
    /// No observer was watching, or its own observer not yet, or the line reported an update: it may have happened
    /// long before.
    pub unseen: bool,
}

impl StayEnd {
    /// The end that a change makes. `state` is the state before its entry.
    #[must_use]
    pub fn of(entry: &Entry, change: &Change, state: &State, names: &Names) -> StayEnd {
        let (inferred, baseline) = match change.origin {
            Origin::Observed => (false, false),
            Origin::Inferred(by) => (true, by.baseline),
        };
        let window = entry.window();
        let earliest = window.map_or(Some(entry.occurred_at), |window| window.not_before);
        let name = names.key(change.member).channel;
        let channel = state.channel(name);
        let blind = channel.is_some_and(|channel| {
            let beginning = channel.seen_whole() && !state.is_watching(entry.observer, name);
            beginning || channel.watching().is_blind()
        });
        StayEnd {
            seq: entry.seq,
            effective_at: entry.effective_at,
            earliest,
            latest: entry.occurred_at,
            windowed: window.is_some(),
            inferred,
            baseline,
            lossy: entry.lossy,
            unseen: blind || change.reported == ChangeKind::Update,
        }
    }
}

/// A stay that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedStay {
    /// The member.
    pub member: MemberId,
    /// Its join.
    pub join: StayEnd,
    /// Its leave.
    pub leave: StayEnd,
}

/// The stays that go on, by member.
#[derive(Debug, Clone, Default)]
pub struct OpenStays {
    joins: NumberMap<MemberId, StayEnd>,
}

impl OpenStays {
    /// Stays that go on, each by the join that began it.
    #[must_use]
    pub fn of(joins: impl IntoIterator<Item = (MemberId, StayEnd)>) -> OpenStays {
        OpenStays {
            joins: joins.into_iter().collect(),
        }
    }

    /// Takes an entry that concerns a member who is `wanted`; returns the stay that it ends. `state` is the state before
    /// the entry.
    pub fn take(
        &mut self,
        entry: &Entry,
        state: &State,
        names: &Names,
        wanted: impl FnOnce(MemberId) -> bool,
    ) -> Option<EndedStay> {
        let Payload::Change(change) = &entry.payload else {
            return None;
        };
        let member = change.member;
        if !change.is_applied() || change.kind == ChangeKind::Update || !wanted(member) {
            return None;
        }
        let end = StayEnd::of(entry, change, state, names);
        if change.kind == ChangeKind::Join {
            self.joins.insert(member, end);
            return None;
        }
        let join = self.joins.remove(&member)?;
        let leave = end;
        Some(EndedStay {
            member,
            join,
            leave,
        })
    }

    /// The join of a member's stay.
    #[must_use]
    pub fn join(&self, member: MemberId) -> Option<StayEnd> {
        self.joins.get(&member).copied()
    }

    /// Their members, and when each began, in that order.
    #[must_use]
    pub fn begins(&self) -> Vec<(MemberId, Millis)> {
        let mut begun: Vec<_> = self.joins.iter().collect();
        begun.sort_unstable_by_key(|(_, join)| join.seq);
        let begun = begun.into_iter();
        begun
            .map(|(&member, join)| (member, join.effective_at))
            .collect()
    }

    /// Keeps the stays of some members only.
    pub fn retain(&mut self, is_kept: impl Fn(MemberId) -> bool) {
        self.joins.retain(|&member, _| is_kept(member));
    }

    /// Replaces the numbers of members after the dictionary was renumbered. The members of open stays are present, so
    /// none of them is forgotten.
    pub fn renumber(&mut self, by: &Renumbering) {
        self.joins = by.by_member(std::mem::take(&mut self.joins));
    }

    /// All of them, in the order of their begins. None is left.
    pub fn drain(&mut self) -> Vec<(MemberId, StayEnd)> {
        let mut open: Vec<(MemberId, StayEnd)> = self.joins.drain().collect();
        open.sort_unstable_by_key(|(_, join)| join.seq);
        open
    }
}
