//! What an entry means for who is present, and the rosters that follow from it. A fold over all of history that asks no
//! more than that is spared the rest of each entry. What else an entry does to the state is in `apply`.

use super::entry::{Entry, Origin, Payload};
use super::event::ChangeKind;
use super::names::{MemberId, NameId};
use super::time::Millis;

/// What an entry means for rosters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterEntry {
    /// A change of a member.
    Change {
        /// The member.
        member: MemberId,
        /// What changed.
        kind: ChangeKind,
        /// It changed the roster: it was no duplicate, and not stale.
        is_applied: bool,
        /// It follows from a snapshot.
        is_inferred: bool,
        /// When it took effect, Unix ms.
        effective_at: Millis,
    },
    /// A snapshot of a channel. What follows from it stands behind it, as changes.
    Snapshot {
        /// The channel.
        channel: NameId,
        /// When it took effect, Unix ms.
        effective_at: Millis,
    },
    /// A link, a token or a page of a snapshot, which names the channel. Its time is of another clock, and it may come at any
    /// place.
    Named(NameId),
}

impl RosterEntry {
    /// What an entry means: nothing, if it names no channel; of a link, one for each channel that it names.
    pub(crate) fn of(entry: &Entry, mut take: impl FnMut(RosterEntry)) {
        let effective_at = entry.effective_at;
        match &entry.payload {
            Payload::Change(change) => take(RosterEntry::Change {
                member: change.member,
                kind: change.kind,
                is_applied: change.is_applied(),
                is_inferred: change.origin != Origin::Observed,
                effective_at,
            }),
            Payload::Snapshot(snapshot) => take(RosterEntry::Snapshot {
                channel: snapshot.channel,
                effective_at,
            }),
            Payload::Link(link) => {
                let gaps = link.gaps.iter().map(|gap| gap.channel);
                let named = link.channel.into_iter().chain(gaps);
                named.for_each(|channel| take(RosterEntry::Named(channel)));
            }
            Payload::Token(token) => {
                let named = token.channel.into_iter();
                named.for_each(|channel| take(RosterEntry::Named(channel)));
            }
        }
    }
}

/// Which members are present, in all channels, by the entries that were applied: who came before the first of them is not
/// known. All are of one reader, whose numbers these are.
#[derive(Debug, Clone, Default)]
pub struct Rosters {
    /// By the member's number.
    is_present: Vec<bool>,
}

impl Rosters {
    /// Rosters of nobody.
    #[must_use]
    pub fn new() -> Rosters {
        Rosters::default()
    }

    /// Applies the next entry of the log.
    #[inline]
    pub fn apply(&mut self, entry: &RosterEntry) {
        let RosterEntry::Change {
            member,
            kind,
            is_applied: true,
            ..
        } = *entry
        else {
            return;
        };
        match kind {
            ChangeKind::Join => self.set(member, true),
            ChangeKind::Leave => self.set(member, false),
            ChangeKind::Update => {}
        }
    }

    #[inline]
    fn set(&mut self, member: MemberId, is_present: bool) {
        let at = member.0 as usize;
        if at >= self.is_present.len() {
            self.is_present.resize(at + 1, false);
        }
        if let Some(known) = self.is_present.get_mut(at) {
            *known = is_present;
        }
    }

    /// Whether a member is present.
    #[must_use]
    pub fn is_present(&self, member: MemberId) -> bool {
        let known = self.is_present.get(member.0 as usize);
        known.is_some_and(|is_present| *is_present)
    }

    /// The members that are present.
    pub fn members(&self) -> impl Iterator<Item = MemberId> + '_ {
        let present = self.is_present.iter().zip(0..);
        present.filter_map(|(is_present, number)| is_present.then_some(MemberId(number)))
    }
}
