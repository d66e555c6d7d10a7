//! What can be known after each line: the newest report on each member, by the source's own order. Only the simulator
//! sees this order; the rules must reach the same result without it.

use super::lists::{ObserverLists, Resync};
use crate::domain::time::Millis;
use crate::sim::told::{Extent, SimLine, SimListing, SimPayload};
use crate::sim::world::{MetaNumber, Person, Position, World, WorldAction};
use std::collections::BTreeMap;

/// What is known of one member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The position that this shows; `None`: the member was never reported.
    pub as_of: Option<Position>,
    pub present: bool,
    pub meta: Option<MetaNumber>,
    /// The position at which the metadata was valid.
    pub meta_as_of: Position,
}

/// What a line changed about one member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lesson {
    pub who: Person,
    pub before: Known,
    pub after: Known,
}

/// All that a line changed.
pub(super) struct Learnt {
    pub lessons: Vec<Lesson>,
    /// Channels in which an observer's own list took effect as a snapshot.
    pub resyncs: Vec<usize>,
}

/// Unfinished pages: the position at which they began, and their lists.
type OpenPages<'a> = (Position, Vec<&'a SimListing>);

/// What is known of all members.
pub(super) struct Knowledge<'a> {
    world: &'a World,
    of: Vec<Known>,
    pages: BTreeMap<(usize, usize), OpenPages<'a>>,
    /// By channel: whether a complete snapshot was seen.
    seen_whole: Vec<bool>,
    lists: ObserverLists<'a>,
    /// The current line is a snapshot older than one that was seen.
    stale: bool,
}

impl<'a> Knowledge<'a> {
    pub fn new(world: &'a World, resync_ms: Millis) -> Self {
        Knowledge {
            world,
            of: vec![Known::default(); world.members.len()],
            pages: BTreeMap::new(),
            seen_whole: vec![false; world.channels.end],
            lists: ObserverLists::new(world, resync_ms),
            stale: false,
        }
    }

    /// Whether a complete snapshot of a channel has been seen.
    pub fn has_seen_whole(&self, channel: usize) -> bool {
        self.seen_whole.get(channel).copied().unwrap_or_default()
    }

    /// The position as of which a member is known.
    pub fn as_of(&self, who: Person) -> Position {
        self.of.get(who).and_then(|known| known.as_of).unwrap_or(0)
    }

    /// Takes in a line.
    pub fn learn(&mut self, told: &'a SimLine) -> Learnt {
        let mut lessons = Vec::new();
        let taken = self.lists.take(told);
        let resyncs = taken.resyncs.iter().map(|resync| resync.channel).collect();
        for resync in &taken.resyncs {
            self.resync(resync, &mut lessons);
        }
        self.stale = taken.stale;
        match &told.said {
            _ if taken.collected => {}
            SimPayload::Difference { who, present, read } => {
                let meta = self.world.state(*who, *read).filter(|_| *present);
                self.teach(*who, *read, *read, *present, meta, &mut lessons);
            }
            SimPayload::Changes { of, bare } => {
                for &position in of {
                    self.change(position, *bare, &mut lessons);
                }
            }
            SimPayload::Interval { of, apart } => {
                for &position in of {
                    self.of_interval(position, *apart, &mut lessons);
                }
            }
            SimPayload::Snapshot(shown) => {
                match &taken.worked_in {
                    Some(worked_in) => self.resync(worked_in, &mut lessons),
                    None => self.shown(shown, shown.read, &mut lessons),
                }
                self.saw_whole(shown.channel, shown.extent);
            }
            SimPayload::Begin { sync, read, .. } => {
                self.pages
                    .insert((told.observer, *sync), (*read, Vec::new()));
            }
            SimPayload::Page { sync, shown } => {
                if let Some((_, pages)) = self.pages.get_mut(&(told.observer, *sync)) {
                    pages.push(shown);
                }
            }
            SimPayload::End { sync, channel, .. } => {
                if let Some((begun, pages)) = self.pages.remove(&(told.observer, *sync)) {
                    for shown in pages {
                        self.shown(shown, begun, &mut lessons);
                    }
                    self.saw_whole(*channel, Extent::Whole);
                }
            }
            SimPayload::Link { .. } | SimPayload::Token(_) | SimPayload::Connection(_) => {}
        }
        Learnt { lessons, resyncs }
    }

    fn resync(&mut self, resync: &Resync, lessons: &mut Vec<Lesson>) {
        self.stale = resync.stale;
        for &(who, present, meta) in &resync.shown {
            self.teach(who, resync.read, resync.read, present, meta, lessons);
        }
    }

    fn saw_whole(&mut self, channel: usize, extent: Extent) {
        if let Some(seen) = self.seen_whole.get_mut(channel) {
            *seen |= extent == Extent::Whole;
        }
    }

    fn change(&mut self, position: Position, bare: bool, lessons: &mut Vec<Lesson>) {
        let Some(change) = self.world.change(position) else {
            return;
        };
        let meta = match change.deed {
            WorldAction::Went => None,
            WorldAction::Came(meta) | WorldAction::Changed(meta) => Some(meta).filter(|_| !bare),
        };
        let present = change.deed != WorldAction::Went;
        self.teach(change.who, position, position, present, meta, lessons);
    }

    /// A join in the list of an interval carries no metadata; the metadata follows in the same line.
    fn of_interval(&mut self, position: Position, apart: bool, lessons: &mut Vec<Lesson>) {
        self.change(position, false, lessons);
        let Some(last) = lessons.last_mut().filter(|_| apart) else {
            return;
        };
        let came = self.world.change(position).map(|change| change.deed);
        if let (Some(WorldAction::Came(meta)), Some(position_of)) = (came, last.after.as_of)
            && meta != 0
            && position_of == position
        {
            let whole = last.after;
            last.after.meta = Some(0);
            let (who, before) = (last.who, last.after);
            lessons.push(Lesson {
                who,
                before,
                after: whole,
            });
        }
    }

    /// Absent members were absent when the snapshot began. Newer knowledge stays.
    fn shown(&mut self, shown: &SimListing, begun: Position, lessons: &mut Vec<Lesson>) {
        for &who in &shown.listed {
            let meta = self.world.state(who, shown.read);
            let meta = meta.filter(|_| !shown.bare);
            self.teach(who, shown.read, shown.read, true, meta, lessons);
        }
        for &who in &shown.absent {
            self.teach(who, begun, shown.read, false, None, lessons);
        }
    }

    /// Changes what is known of a member, unless something newer than `counts_as` is known.
    fn teach(
        &mut self,
        who: Person,
        counts_as: Position,
        as_of: Position,
        present: bool,
        meta: Option<MetaNumber>,
        lessons: &mut Vec<Lesson>,
    ) {
        let Some(known) = self.of.get_mut(who) else {
            return;
        };
        let before = *known;
        let newer = before
            .as_of
            .is_some_and(|known| known > counts_as || known >= as_of);
        // Differences carry no metadata of the members that stayed. A snapshot at the same position can still add it.
        let first_told = before.as_of == Some(as_of)
            && counts_as == as_of
            && present
            && before.present
            && meta.is_some()
            && (before.meta.is_none() || before.meta_as_of < as_of)
            && !self.stale;
        if newer && !first_told {
            return;
        }
        // A line without metadata does not change it.
        let keeps = present && before.present && meta.is_none();
        let after = Known {
            as_of: Some(as_of),
            present,
            meta: if keeps { before.meta } else { meta },
            meta_as_of: if keeps { before.meta_as_of } else { as_of },
        };
        *known = after;
        lessons.push(Lesson { who, before, after });
    }
}
