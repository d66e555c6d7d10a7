//! Tombstones of members that have left, in the order of their creation. Who gets one, and when the oldest are dropped,
//! is in `departed`.
//!
//! A tombstone without a stamp makes no event stale and raises no floor. It is kept, under a limit of its own,
//! because it shows that its member was seen, and when.

use super::names::MemberId;
use super::piece_list::PieceList;
use super::slot::Slot;
use std::collections::VecDeque;

/// Tombstones in the order of their creation. Those of members that came back are skipped,
/// and removed when they are the greater part.
#[derive(Debug, Clone, Default)]
pub struct TombstoneQueue {
    queue: VecDeque<(u64, MemberId)>,
    living: usize,
}

impl TombstoneQueue {
    const NONE: TombstoneQueue = TombstoneQueue {
        queue: VecDeque::new(),
        living: 0,
    };

    pub(crate) fn new(queue: VecDeque<(u64, MemberId)>) -> Self {
        TombstoneQueue {
            living: queue.len(),
            queue,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.living
    }

    /// Tombstones of members that have not come back, oldest first, each with the entry that made it.
    pub(crate) fn iter<'a>(
        &'a self,
        slots: &'a PieceList<Slot>,
    ) -> impl Iterator<Item = (u64, MemberId)> + 'a {
        self.queue
            .iter()
            .copied()
            .filter(|&(seq, member)| is_current(slots, member, seq))
    }

    pub(super) fn push(&mut self, seq: u64, member: MemberId) {
        self.queue.push_back((seq, member));
        self.living += 1;
    }

    /// Counts one tombstone less, and removes the skipped ones when they are too many.
    pub(super) fn lose_one(&mut self, slots: &PieceList<Slot>) {
        self.living = self.living.saturating_sub(1);
        if self.queue.len() > 2 * self.living + 64 {
            self.queue
                .retain(|&(seq, member)| is_current(slots, member, seq));
        }
    }

    pub(super) fn oldest(&mut self, slots: &PieceList<Slot>) -> Option<MemberId> {
        while let Some((seq, member)) = self.queue.pop_front() {
            if is_current(slots, member, seq) {
                return Some(member);
            }
        }
        None
    }
}

/// Tombstones, split by whether they have a stamp.
#[derive(Debug, Clone, Default)]
pub struct Tombstones {
    pub(crate) stamped: TombstoneQueue,
    pub(crate) unstamped: TombstoneQueue,
}

impl Tombstones {
    pub(super) const NONE: Tombstones = Tombstones {
        stamped: TombstoneQueue::NONE,
        unstamped: TombstoneQueue::NONE,
    };

    /// How many tombstones there are.
    pub(crate) fn len(&self) -> usize {
        self.stamped.len() + self.unstamped.len()
    }

    /// All of them.
    pub(crate) fn iter<'a>(
        &'a self,
        slots: &'a PieceList<Slot>,
    ) -> impl Iterator<Item = (u64, MemberId)> + 'a {
        self.stamped.iter(slots).chain(self.unstamped.iter(slots))
    }

    pub(super) fn part(&mut self, stamped: bool) -> &mut TombstoneQueue {
        if stamped {
            &mut self.stamped
        } else {
            &mut self.unstamped
        }
    }

    pub(super) fn full(&mut self, limit: usize) -> Option<&mut TombstoneQueue> {
        let Tombstones { stamped, unstamped } = self;
        [stamped, unstamped]
            .into_iter()
            .find(|part| part.len() > limit)
    }
}

fn is_current(slots: &PieceList<Slot>, member: MemberId, seq: u64) -> bool {
    slots
        .get(member.0)
        .is_some_and(|slot| slot.departed_at() == Some(seq))
}
