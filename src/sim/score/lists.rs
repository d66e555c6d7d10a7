//! The own lists of observers ([guide](crate::guide::semantics#resync-by-differences)): the members that each
//! observer's own lines show as present, and what is still being collected. This follows the guide, independently of
//! the rules in `domain`.

use crate::domain::time::Millis;
use crate::sim::told::{Extent, SimLine, SimLink, SimListing, SimPayload};
use crate::sim::world::{MetaNumber, Person, Position, World, WorldAction};
use std::collections::BTreeMap;

/// The last report of one observer on one member.
#[derive(Debug, Clone, Copy)]
struct OwnListed {
    present: bool,
    as_of: Position,
}

/// A channel whose differences are being collected.
#[derive(Debug, Clone, Default)]
struct OwnCollecting {
    up: Millis,
    first: Option<Millis>,
    latest: Option<Millis>,
    /// The position of the latest live event.
    position: Position,
    metas: BTreeMap<Person, MetaNumber>,
}

/// One channel, as one observer reports it.
#[derive(Debug, Clone, Default)]
struct ObserverList {
    /// `None` before the first complete snapshot.
    of: Option<BTreeMap<Person, OwnListed>>,
    collecting: Option<OwnCollecting>,
    /// Whether a link line has named the channel.
    named: bool,
}

/// An own list that takes effect as a snapshot of its channel.
pub(super) struct Resync {
    pub channel: usize,
    /// When it takes effect.
    pub at: Millis,
    /// It is older than a snapshot that was seen.
    pub stale: bool,
    /// The position that it shows.
    pub read: Position,
    /// All members of the channel: whether each is present, and its metadata if that was reported.
    pub shown: Vec<(Person, bool, Option<MetaNumber>)>,
}

/// The effect of a line.
pub(super) struct LineEffect {
    /// Resyncs that take effect before the line.
    pub resyncs: Vec<Resync>,
    /// The line is only collected.
    pub collected: bool,
    /// For a snapshot that ends a collecting: the list with later collected events worked in.
    pub worked_in: Option<Resync>,
    /// The line is a snapshot older than one that was seen.
    pub stale: bool,
}

/// The own lists of all observers.
pub(super) struct ObserverLists<'a> {
    world: &'a World,
    /// By observer and channel.
    lists: BTreeMap<(usize, usize), ObserverList>,
    /// The time of each channel's last complete snapshot.
    last_whole: BTreeMap<usize, Millis>,
    resync_ms: Millis,
}

impl<'a> ObserverLists<'a> {
    pub fn new(world: &'a World, resync_ms: Millis) -> Self {
        ObserverLists {
            world,
            lists: BTreeMap::new(),
            last_whole: BTreeMap::new(),
            resync_ms,
        }
    }

    /// Takes in a line.
    pub fn take(&mut self, told: &SimLine) -> LineEffect {
        let at = told.stamp.unwrap_or(told.recorded);
        let mut taken = LineEffect {
            resyncs: Vec::new(),
            collected: false,
            worked_in: None,
            stale: false,
        };
        match &told.said {
            SimPayload::Link { event, channel } => {
                self.link(told.observer, at, *event, *channel, &mut taken.resyncs);
            }
            SimPayload::Changes { .. }
            | SimPayload::Interval { .. }
            | SimPayload::Difference { .. } => {
                self.live(told, at, &mut taken);
            }
            SimPayload::Snapshot(shown) if shown.extent == Extent::Whole => {
                let last = self.last_whole.get(&shown.channel);
                taken.stale = last.is_some_and(|&last| at < last);
                taken.worked_in = self.whole(told.observer, at, shown, taken.stale);
            }
            _ => {}
        }
        taken
    }

    fn link(
        &mut self,
        observer: usize,
        at: Millis,
        event: SimLink,
        named: Option<usize>,
        resyncs: &mut Vec<Resync>,
    ) {
        if event == SimLink::Elsewhere {
            return;
        }
        if let Some(channel) = named {
            self.lists.entry((observer, channel)).or_default().named = true;
        }
        let covers = |key: (usize, usize)| key.0 == observer && named.is_none_or(|it| it == key.1);
        let covered: Vec<(usize, usize)> = self.lists.keys().copied().collect();
        for key in covered.into_iter().filter(|key| covers(*key)) {
            let Some(list) = self.lists.get_mut(&key) else {
                continue;
            };
            match event {
                SimLink::Resumed => {
                    let collecting = OwnCollecting {
                        up: at,
                        ..OwnCollecting::default()
                    };
                    list.collecting = list.of.is_some().then_some(collecting);
                }
                SimLink::Synced => {
                    let until = list.collecting.as_ref().map(|it| it.until(at));
                    resyncs.extend(until.and_then(|until| self.end(key, until)));
                }
                _ => list.collecting = None,
            }
        }
    }

    fn live(&mut self, told: &SimLine, at: Millis, taken: &mut LineEffect) {
        let Some(channel) = told.said.channel(self.world) else {
            return;
        };
        let key = (told.observer, channel);
        taken.resyncs.extend(self.end_if_over(key, at));
        let list = self.lists.entry(key).or_default();
        let named = list.named;
        taken.collected = list.collecting.is_some();
        if !taken.collected {
            let keys: Vec<(usize, usize)> = self.lists.keys().copied().collect();
            let same_link = |key: &(usize, usize)| {
                let other = self.lists.get(key).is_some_and(|list| !list.named);
                key.0 == told.observer && !named && other
            };
            let others: Vec<(usize, usize)> = keys.into_iter().filter(same_link).collect();
            for other in others {
                taken.resyncs.extend(self.end_if_over(other, at));
            }
        }
        for (who, present, as_of, meta) in said(self.world, &told.said) {
            let Some(list) = self.lists.get_mut(&key) else {
                continue;
            };
            if let Some(of) = &mut list.of {
                of.insert(who, OwnListed { present, as_of });
            }
            if let Some(collecting) = &mut list.collecting {
                collecting.first.get_or_insert(at);
                collecting.latest = collecting.latest.max(Some(at));
                collecting.position = collecting.position.max(as_of);
                match meta {
                    Some(meta) => collecting.metas.insert(who, meta),
                    None => collecting.metas.remove(&who),
                };
            }
        }
    }

    /// Ends a channel's collecting if an event at this time shows that all differences have been sent.
    fn end_if_over(&mut self, key: (usize, usize), at: Millis) -> Option<Resync> {
        let collecting = self.lists.get(&key)?.collecting.as_ref()?;
        let last = collecting.first.unwrap_or(collecting.up);
        let until = last.max(collecting.up) + self.resync_ms;
        if at < until {
            return None;
        }
        self.end(key, until)
    }

    fn end(&mut self, key: (usize, usize), until: Millis) -> Option<Resync> {
        let list = self.lists.get_mut(&key)?;
        let collecting = list.collecting.take()?;
        let (before, _) = self.world.positions_at(until);
        let stale = self
            .last_whole
            .get(&key.1)
            .is_some_and(|&last| until < last);
        if !stale {
            self.last_whole.insert(key.1, until);
        }
        let of = list.of.as_ref()?;
        let shown = self.world.of_channel(key.1).map(|who| {
            let present = of.get(&who).is_some_and(|listed| listed.present);
            (who, present, collecting.metas.get(&who).copied())
        });
        Some(Resync {
            channel: key.1,
            at: until,
            stale,
            read: before.max(collecting.position),
            shown: shown.collect(),
        })
    }

    /// Takes a snapshot of the source itself. Reports of a later position stay.
    fn whole(
        &mut self,
        observer: usize,
        at: Millis,
        shown: &SimListing,
        stale: bool,
    ) -> Option<Resync> {
        let list = self.lists.entry((observer, shown.channel)).or_default();
        let of = list.of.get_or_insert_with(BTreeMap::new);
        let mut worked_in = Vec::new();
        for who in self.world.of_channel(shown.channel) {
            let listed = OwnListed {
                present: shown.listed.contains(&who),
                as_of: shown.read,
            };
            let later = of.get(&who).filter(|it| it.as_of > shown.read);
            let holds = later.copied().unwrap_or(listed);
            of.insert(who, holds);
            let meta = self.world.state(who, holds.as_of);
            worked_in.push((who, holds.present, meta.filter(|_| holds.present)));
        }
        if stale {
            return None;
        }
        let collected = list.collecting.take();
        let latest = collected.as_ref().and_then(|it| it.latest);
        let effect = latest.map_or(at, |latest| latest.max(at));
        self.last_whole.insert(shown.channel, effect);
        let collecting = collected?;
        Some(Resync {
            channel: shown.channel,
            at: effect,
            stale: false,
            read: collecting.position.max(shown.read),
            shown: worked_in,
        })
    }
}

impl OwnCollecting {
    /// When all differences had been sent, according to a line of the source with this time.
    fn until(&self, synced: Millis) -> Millis {
        synced.max(self.up).max(self.latest.unwrap_or(Millis::MIN))
    }
}

/// What a live line reports: each member, whether it is present, the position, and the metadata.
fn said(world: &World, said: &SimPayload) -> Vec<(Person, bool, Position, Option<MetaNumber>)> {
    match said {
        SimPayload::Interval { of, .. } => {
            let said = SimPayload::Changes {
                of: of.clone(),
                bare: false,
            };
            self::said(world, &said)
        }
        SimPayload::Changes { of, bare } => of
            .iter()
            .filter_map(|&position| {
                let change = world.change(position)?;
                let meta = match change.deed {
                    WorldAction::Went => None,
                    WorldAction::Came(meta) | WorldAction::Changed(meta) => {
                        Some(meta).filter(|_| !bare)
                    }
                };
                Some((change.who, change.deed != WorldAction::Went, position, meta))
            })
            .collect(),
        SimPayload::Difference { who, present, read } => {
            let meta = world.state(*who, *read).filter(|_| *present);
            vec![(*who, *present, *read, meta)]
        }
        _ => Vec::new(),
    }
}
