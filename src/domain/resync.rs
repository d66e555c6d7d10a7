//! Resync by differences: after a lost link, the source sends no snapshot, but the differences
//! from what it sent before. These events are collected. When all have arrived, they and the
//! observer's own list together form a snapshot.
//!
//! `reconcile` decides what this snapshot infers, as for any other snapshot.

use super::context::{DecideContext, DecideError};
use super::entry::{Entry, FullListing, Listing, Payload, Rules, Snapshot, SnapshotOrigin};
use super::event::{ChangeKind, LinkState, ReportedChange};
use super::names::{MemberId, NameId, NameTable, NumberMap, number};
use super::observer::Observer;
use super::order::Stamp;
use super::own_list::Collecting;
use super::reconcile;
use super::resolve::{ResolvedChange, ResolvedEvent, ResolvedPayload};
use super::roster::ChannelState;
use super::snapshot::{ListedMembers, MemberClaim, ResolvedListing};
use super::state::State;
use super::time::{self, Millis};

/// The resyncs that `event` completes, one for each channel on the same link.
/// The source has sent all their differences before `event`, so they are decided before it.
#[must_use]
pub fn resyncs_before(
    state: &State,
    names: &NameTable,
    event: &ResolvedEvent<'_>,
    rules: &Rules,
    now: Millis,
) -> Vec<ResolvedEvent<'static>> {
    if state.collecting == 0 {
        return Vec::new();
    }
    let name = event.observer;
    let observer = state.observers.get(&name);
    let Some(observer) = observer.filter(|observer| !observer.collecting.is_empty()) else {
        return Vec::new();
    };
    let recorded_at = now.max(state.recorded_at);
    let time = |ts| time::counted(ts, recorded_at, rules.max_ahead_ms).unwrap_or(recorded_at);
    let ends = match &event.payload {
        ResolvedPayload::Changes {
            channel,
            changes,
            together,
            ..
        } => {
            // The source has reached the latest time in the line.
            let times = lasting(changes, *together);
            let times = times.map(|it| time(it.who.stamp.or(event.stamp).ts));
            let Some(at) = times.max() else {
                return Vec::new();
            };
            ResyncEnd::Live {
                channel: *channel,
                at,
            }
        }
        ResolvedPayload::Link(link) if link.said.state == LinkState::Synced => ResyncEnd::Synced {
            channels: link.named.clone(),
            all: link.said.channels.is_empty(),
            at: time(event.stamp.ts),
        },
        _ => return Vec::new(),
    };
    let collecting = |channel: NameId| {
        let watch = state.channel(channel)?.watching.of(name)?;
        watch.collecting()
    };
    if let ResyncEnd::Live { channel, at } = &ends
        && collecting(*channel).is_some_and(|it| *at < it.complete_at(rules.resync_ms))
    {
        return Vec::new();
    }
    let mut complete: Vec<(NameId, Millis)> = observer
        .collecting
        .keys()
        .filter_map(|&channel| {
            let at = ends.of(observer, channel, collecting(channel)?, rules)?;
            Some((channel, at))
        })
        .collect();
    complete.sort_unstable_by(|&(a, _), &(b, _)| names.text(a).cmp(names.text(b)));
    let resync = |(channel, at)| ResolvedEvent {
        observer: name,
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: ResolvedPayload::Resync { channel, at },
    };
    complete.into_iter().map(resync).collect()
}

/// The changes of a line without the leaves that it takes back: the member joins behind the leave, or anywhere in a line
/// that applies `together`. Such a leave may make no entry, so its time must decide nothing: else a played log, which
/// has only what made entries, would end a resync elsewhere.
fn lasting<'a, 'e>(
    changes: &'a [ResolvedChange<'e>],
    together: bool,
) -> impl Iterator<Item = &'e ReportedChange<'e>> + use<'a, 'e> {
    let leaves = |change: &ReportedChange<'_>| change.kind == ChangeKind::Leave;
    let joins = changes.iter().enumerate();
    let joins = joins.filter(move |(_, (_, change))| !leaves(change));
    let last_join: NumberMap<MemberId, usize> =
        joins.map(|(place, &(member, _))| (member, place)).collect();
    let lasting = changes.iter().enumerate();
    let lasting = lasting.filter(move |(place, (member, change))| {
        let joins = last_join.get(member);
        !leaves(change) || joins.is_none_or(|join| !together && join < place)
    });
    lasting.map(|(_, &(_, change))| change)
}

/// The event that ends a resync.
enum ResyncEnd {
    /// A live event about a channel on the same link. It ends the resync only at or after
    /// [`Collecting::complete_at`].
    Live { channel: NameId, at: Millis },
    /// The source reports the end, for these channels or for all.
    Synced {
        channels: Vec<NameId>,
        all: bool,
        at: Millis,
    },
}

impl ResyncEnd {
    /// The moment at which this event ends the resync of a channel; `None`: it does not end it.
    fn of(
        &self,
        observer: &Observer,
        channel: NameId,
        collecting: &Collecting,
        rules: &Rules,
    ) -> Option<Millis> {
        match self {
            ResyncEnd::Live { channel: of, at } => {
                let shares = |name| !observer.has_own_link(name);
                let same_link = *of == channel || (shares(*of) && shares(channel));
                let complete_at = collecting.complete_at(rules.resync_ms);
                (same_link && *at >= complete_at).then_some(complete_at)
            }
            ResyncEnd::Synced { channels, all, at } => {
                (*all || channels.contains(&channel)).then(|| collecting.latest().max(*at))
            }
        }
    }
}

/// The occupancy that a line reports beside its changes: how many members its source counts after them.
#[must_use]
pub fn occupancy_behind(event: &ResolvedEvent<'_>) -> Option<ResolvedEvent<'static>> {
    let ResolvedPayload::Changes {
        channel,
        occupancy: Some(members),
        ..
    } = event.payload
    else {
        return None;
    };
    Some(ResolvedEvent {
        observer: event.observer,
        self_user: None,
        id: None,
        stamp: event.stamp,
        payload: ResolvedPayload::Occupancy { channel, members },
    })
}

impl DecideContext<'_> {
    /// The differences of a channel that this observer's source is sending; `None` outside a resync.
    pub(super) fn collecting<'c>(&self, channel: &'c ChannelState) -> Option<&'c Collecting> {
        channel.watching.of(self.observer)?.collecting()
    }

    /// The observer's own list, as a snapshot of the moment `at`, when all differences have arrived.
    pub(super) fn resync(
        &mut self,
        name: NameId,
        channel: &ChannelState,
        at: Millis,
    ) -> Result<Vec<Entry>, DecideError> {
        self.occurred_at = at;
        self.counted = Stamp {
            pos: None,
            ts: Some(at),
        };
        let shown = self
            .own_list(name, channel)
            .ok_or(DecideError::NothingCollected)?;
        let origin = SnapshotOrigin::Differences;
        Ok(reconcile::reconcile(self, channel, shown, origin))
    }

    fn own_list<'c>(&self, name: NameId, channel: &'c ChannelState) -> Option<ResolvedListing<'c>> {
        let watch = channel.watching.of(self.observer)?;
        let (list, collecting) = (watch.own_list.as_deref()?, watch.collecting()?);
        let in_roster = |member| self.state.present(member).is_some();
        let only_here = list.differs.keys().copied();
        let only_here = only_here.filter(|&member| !in_roster(member));
        let both = channel.roster.iter().copied();
        let both = both.filter(|&member| list.has(member, true));
        // Of a list that is not known, only what the source has just sent is sure.
        let sent = |member| collecting.members.get(&member).is_some_and(|it| it.present);
        let mut members = ListedMembers::with_capacity(channel.roster.len());
        let mut topics: NumberMap<NameId, bool> = NumberMap::default();
        let listed = both.chain(only_here);
        for member in listed.filter(|&member| !list.unsure || sent(member)) {
            topics.insert(self.names.key(member).topic, false);
            let collected = collecting.members.get(&member);
            let claim = MemberClaim {
                meta: collected.and_then(|collected| collected.meta.as_deref()),
                stamp: Stamp::NONE,
            };
            members.claim(member, claim, Stamp::NONE);
        }
        Some(ResolvedListing {
            channel: name,
            self_user: list.self_user,
            incomplete: list.unsure,
            topics_missing: false,
            topics,
            members,
        })
    }

    /// A snapshot entry that lists no member, where the source's count differs from
    /// the roster's size: something was missed.
    pub(super) fn occupancy(
        &self,
        name: NameId,
        channel: &ChannelState,
        members: u64,
    ) -> Vec<Entry> {
        let present = channel.roster.len();
        if present as u64 == members || self.collecting(channel).is_some() {
            return Vec::new();
        }
        let snapshot = Snapshot {
            channel: name,
            self_user: None,
            origin: SnapshotOrigin::Occupancy,
            stale: false,
            complete: false,
            listed: u32::try_from(members).unwrap_or(u32::MAX),
            claims: Listing::Whole(FullListing {
                incomplete: true,
                ..FullListing::default()
            }),
            held: Vec::new(),
            begin: None,
            gap: None,
            count: number(present),
            digest: [0; 32],
        };
        let what = Payload::Snapshot(Box::new(snapshot));
        vec![self.entry(self.seq, channel, what)]
    }
}
