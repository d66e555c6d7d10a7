//! The members of a channel that an observer's source last showed, and the differences that it sends after a lost
//! link. Data only: `listing` keeps it, and `resync` decides when the differences are complete.
//!
//! The own list of an observer equals the roster, except for changes that other observers reported and changes that
//! the roster did not take over. So only the members that differ are stored.

use super::entry::{Change, Entry, Text};
use super::event::ChangeKind;
use super::names::{MemberId, NameId, NumberMap};
use super::order::Stamp;
use super::time::Millis;

/// An observer's own list of a channel.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnList {
    /// Its own user, where its last complete snapshot named it: its lists may omit this user.
    pub(crate) self_user: Option<NameId>,
    /// The stamp of the newest complete snapshot or resync in it: an older snapshot of its observer changes nothing.
    pub(crate) as_of: Stamp,
    /// So much came before the last snapshot arrived that who is on the list is not known, until the next complete one.
    pub(crate) unsure: bool,
    /// Members that are in exactly one of this list and the roster.
    pub(crate) differs: NumberMap<MemberId, ()>,
}

impl OwnList {
    /// Whether the list has a member. `in_roster`: whether the roster has it.
    pub(crate) fn has(&self, member: MemberId, in_roster: bool) -> bool {
        in_roster != self.differs.contains_key(&member)
    }

    pub(super) fn set(&mut self, member: MemberId, listed: bool, in_roster: bool) {
        if listed == in_roster {
            self.differs.remove(&member);
        } else {
            self.differs.insert(member, ());
        }
    }
}

/// Differences that a source sends after its link came up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collecting {
    /// The time of the line by which the link came up.
    pub(crate) up_at: Millis,
    /// The time of the first difference.
    pub(crate) first_at: Option<Millis>,
    /// The latest time of any difference.
    pub(crate) latest_at: Option<Millis>,
    /// The last difference of each member.
    pub(crate) members: NumberMap<MemberId, Collected>,
}

impl Collecting {
    pub(crate) fn since(up_at: Millis) -> Collecting {
        Collecting {
            up_at,
            ..Collecting::default()
        }
    }

    /// When they are complete, if the source takes no longer than `resync_ms` to send them.
    pub(crate) fn complete_at(&self, resync_ms: i64) -> Millis {
        self.first_at
            .map_or(self.up_at, |first| first.max(self.up_at))
            .saturating_add(resync_ms)
    }

    /// The latest time of any of them, or of the link's coming up.
    pub(crate) fn latest(&self) -> Millis {
        self.latest_at
            .map_or(self.up_at, |latest| latest.max(self.up_at))
    }

    pub(super) fn add(&mut self, entry: &Entry, change: &Change) {
        let at = entry.occurred_at;
        self.first_at = self.first_at.or(Some(at));
        self.latest_at = self.latest_at.max(Some(at));
        let present = change.reported != ChangeKind::Leave;
        let known = self.members.remove(&change.member);
        let known = known.filter(|known| known.present && present);
        let meta = change.meta.clone().filter(|_| present);
        let collected = Collected {
            present,
            meta: meta.or_else(|| known.and_then(|known| known.meta)),
            stamp: entry.counted(),
            at,
        };
        self.members.insert(change.member, collected);
    }
}

/// The last difference that a source sent about one member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Collected {
    /// It is present.
    pub(crate) present: bool,
    /// Its metadata, if that was sent.
    pub(crate) meta: Option<Text>,
    /// Its stamp, as far as it counts.
    pub(crate) stamp: Stamp,
    /// The time of the difference.
    pub(crate) at: Millis,
}
