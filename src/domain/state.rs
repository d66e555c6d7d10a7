//! The present state: the result of folding the log.
//!
//! Only [`apply`](State::apply) makes it: in the writer, on open, in every query, in replay.

use super::members::MemberTable;
use super::names::{MemberId, NameId, Names, NumberMap};
use super::observer::Observer;
use super::roster::ChannelState;
use super::slot::{Slot, UNKNOWN_MEMBER};
use super::time::Millis;
use super::watch::Coverage;

/// The fold of the log up to an entry.
///
/// ```
/// use rollbook::domain::entry::{Commit, Rules};
/// use rollbook::domain::{decide::decide, event::Event, names::Names, resolve::resolve, state::State};
/// let (mut names, mut state) = (Names::new(), State::new());
/// let event = Event::join("room", "gesture", "lily").at(1_000);
/// let resolved = resolve(&event, &mut names);
/// if let Ok(Commit::Entries(entries)) = decide(&state, &names, &resolved, &Rules::default(), 2_000) {
///     for entry in &entries { state.apply(entry, &names); }
/// }
/// let room = names.find("room").and_then(|room| state.channel(room)).unwrap();
/// assert_eq!(names.text(names.key(room.roster()[0]).user), "lily");
/// ```
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) head: u64,
    pub(crate) recorded_at: Millis,
    pub(crate) members: MemberTable,
    pub(crate) channels: NumberMap<NameId, ChannelState>,
    pub(crate) observers: NumberMap<NameId, Observer>,
    /// Observers whose ingest connection is up.
    pub(crate) connected: u64,
    /// Resyncs in progress: pairs of an observer and a channel for which its source is sending differences.
    pub(crate) collecting: u64,
}

/// A member that is present.
#[derive(Debug, Clone, Copy)]
pub struct PresentMember<'a> {
    /// The member.
    pub member: MemberId,
    /// Metadata, if any is known.
    pub meta: Option<&'a crate::domain::entry::Text>,
    /// The effective time of the join.
    pub since: Millis,
}

impl State {
    /// The state before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state before the first entry, for questions: it remembers nothing of members that have left, so it needs less
    /// memory. No event can be decided on it.
    #[must_use]
    pub fn for_questions() -> Self {
        let mut state = State::new();
        state.members.forgetful = true;
        state
    }

    /// The `seq` of the last applied entry; 0 before the first.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// When the last entry was recorded.
    #[must_use]
    pub fn recorded_at(&self) -> Millis {
        self.recorded_at
    }

    /// The known channels, in no order.
    pub fn channels(&self) -> impl Iterator<Item = (NameId, &ChannelState)> {
        self.channels.iter().map(|(&name, channel)| (name, channel))
    }

    /// The state of one channel.
    #[must_use]
    pub fn channel(&self, name: NameId) -> Option<&ChannelState> {
        self.channels.get(&name)
    }

    /// Whether an observer has reported about a channel.
    #[must_use]
    pub fn is_channel_of(&self, observer: NameId, channel: NameId) -> bool {
        self.observers
            .get(&observer)
            .is_some_and(|observer| observer.channels.contains_key(&channel))
    }

    /// The channels of an observer, in no order.
    pub fn channels_of(&self, observer: NameId) -> impl Iterator<Item = NameId> + '_ {
        self.observers
            .get(&observer)
            .into_iter()
            .flat_map(|observer| observer.channels.keys().copied())
    }

    /// How many observers have an ingest connection that is up.
    #[must_use]
    pub fn connected(&self) -> u64 {
        self.connected
    }

    /// Resyncs in progress: pairs of an observer and a channel for which its source is sending differences.
    #[must_use]
    pub fn resyncs_open(&self) -> u64 {
        self.collecting
    }

    /// The known observers, in no order.
    pub fn observers(&self) -> impl Iterator<Item = (NameId, &Observer)> {
        let observers = self.observers.iter();
        observers.map(|(&name, observer)| (name, observer))
    }

    /// Whether an observer last reported that its link as a whole is up.
    #[must_use]
    pub fn is_up(&self, observer: Option<NameId>) -> bool {
        let observer = observer.and_then(|name| self.observers.get(&name));
        observer.is_some_and(|observer| observer.linked && observer.up_at.is_some())
    }

    /// What is known of a present member.
    #[must_use]
    pub fn present(&self, member: MemberId) -> Option<PresentMember<'_>> {
        let slot = self.slot(member)?;
        Some(PresentMember {
            member,
            since: slot.since()?,
            meta: slot.meta.as_ref(),
        })
    }

    /// The present members of a channel, sorted by topic, user and connection.
    #[must_use]
    pub fn roster(&self, channel: NameId, names: &Names) -> Vec<PresentMember<'_>> {
        let members = self
            .channels
            .get(&channel)
            .map_or(&[][..], |channel| &channel.roster);
        let mut roster: Vec<_> = members
            .iter()
            .filter_map(|&member| self.present(member))
            .collect();
        roster.sort_by(|a, b| names.compare(a.member, b.member));
        roster
    }

    /// What is known of a channel now.
    #[must_use]
    pub fn coverage(&self, channel: NameId) -> Coverage {
        match self.channels.get(&channel) {
            Some(channel) if channel.watching.open_gap.is_some() => Coverage::Blind,
            Some(channel) if channel.seen_whole() => Coverage::Complete,
            _ => Coverage::Partial,
        }
    }

    /// The last moment at which any observer of a channel is known to have watched it.
    #[must_use]
    pub fn last_proof(&self, channel: NameId) -> Option<Millis> {
        let watching = &self.channels.get(&channel)?.watching;
        watching.last_proof_of_all(channel, |observer| self.observers.get(&observer))
    }

    /// Whether an observer watches a channel. After its link came up, it does not watch before its next snapshot.
    #[must_use]
    pub fn is_watching(&self, observer: NameId, channel: NameId) -> bool {
        let channel = self.channels.get(&channel);
        let watch = channel.and_then(|channel| channel.watching.of(observer));
        watch.is_some_and(|watch| watch.stretch.is_some())
    }

    /// Whether any observer of a channel is proven to have watched it at a moment.
    #[must_use]
    pub fn is_watched_at(&self, channel: NameId, at: Millis) -> bool {
        let watching = self.channels.get(&channel).map(|known| &known.watching);
        watching.is_some_and(|watching| {
            watching.is_watched_at(channel, at, |observer| self.observers.get(&observer))
        })
    }

    pub(crate) fn slot(&self, member: MemberId) -> Option<&Slot> {
        self.members.slots.get(member.0)
    }

    /// The slot of a member; an empty one if it has none yet.
    pub(super) fn slot_or_unknown(&self, member: MemberId) -> &Slot {
        self.slot(member).unwrap_or(&UNKNOWN_MEMBER)
    }
}
