//! What all entries of one line share while it is decided: the state, the dictionary, the rules, the line's time and place.
//! The rules themselves are in the files that decide (`decide`, `change`, `reconcile`, `link`, `connection`, `resync`).

use super::entry::{Entry, ListedMember, Payload, Rules, Text};
use super::names::{MemberId, NameId, NameTable, NumberMap};
use super::order::Stamp;
use super::resolve::NumberedListing;
use super::roster::{ChannelState, UNKNOWN_CHANNEL};
use super::snapshot::{ListedMembers, MemberClaim, ResolvedListing};
use super::state::State;
use super::time::{self, Millis};
use crate::limits;

/// Why an event is refused. Its line is kept as a reject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecideError {
    /// A page or an end of a paged snapshot that has not begun, or that was discarded.
    NotBegun {
        /// The name of the paged snapshot.
        sync: String,
    },
    /// Too many observers of one channel.
    TooManyObservers,
    /// The unfinished paged snapshot of the channel lists too many members.
    TooManyPageMembers,
    /// A resync of a channel for which no differences are being collected.
    NothingCollected,
}

impl std::fmt::Display for DecideError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecideError::NotBegun { sync } => write!(
                f,
                "the paged snapshot \"{sync}\" has not begun here, or a new begin or a lost link has discarded it; send its snapshot_begin first"
            ),
            DecideError::TooManyObservers => write!(
                f,
                "the channel has {} observers already; that is the limit",
                limits::OBSERVERS_PER_CHANNEL_MAX
            ),
            DecideError::TooManyPageMembers => write!(
                f,
                "the unfinished paged snapshot would list more than {} members; that is the limit",
                limits::OPEN_PAGE_MEMBERS_MAX
            ),
            DecideError::NothingCollected => {
                f.write_str("no differences of the channel are being collected")
            }
        }
    }
}

impl std::error::Error for DecideError {}

/// What all entries of a line share.
pub(super) struct DecideContext<'a> {
    pub state: &'a State,
    pub names: &'a NameTable,
    pub rules: &'a Rules,
    pub observer: NameId,
    pub self_user: Option<NameId>,
    pub id: Option<Text>,
    /// The seq of the line's first entry.
    pub seq: u64,
    pub recorded_at: Millis,
    pub occurred_at: Millis,
    /// As reported.
    pub stamp: Stamp,
    /// As far as it counts.
    pub counted: Stamp,
}

impl<'a> DecideContext<'a> {
    pub fn effective_at(&self, channel: &ChannelState) -> Millis {
        self.occurred_at.max(channel.effective_at)
    }

    pub fn entry(&self, seq: u64, channel: &ChannelState, what: Payload) -> Entry {
        Entry {
            seq,
            recorded_at: self.recorded_at,
            occurred_at: self.occurred_at,
            effective_at: self.effective_at(channel),
            observer: self.observer,
            id: self.id.clone(),
            stamp: self.stamp,
            lossy: self.rules.lossy,
            payload: what,
        }
    }

    /// What is known of a channel.
    pub(super) fn known(&self, name: NameId) -> &'a ChannelState {
        self.state.channels.get(&name).unwrap_or(&UNKNOWN_CHANNEL)
    }

    /// The channel of the event. Refused if the channel already has the maximum of observers and this one is new to it.
    pub(super) fn channel(&self, name: NameId) -> Result<&'a ChannelState, DecideError> {
        let channel = self.known(name);
        let full = channel.watching.watches.len() >= limits::OBSERVERS_PER_CHANNEL_MAX;
        if full && channel.watching.of(self.observer).is_none() {
            return Err(DecideError::TooManyObservers);
        }
        Ok(channel)
    }

    /// The list of a snapshot or a page, each member and topic once. `line` is the stamp of members without their own.
    pub(super) fn shown<'e>(
        &self,
        channel: NameId,
        listing: &NumberedListing<'e>,
        line: Stamp,
    ) -> ResolvedListing<'e> {
        let said = listing.said;
        let mut members = ListedMembers::with_capacity(listing.members.len());
        let mut numbers = listing.members.iter();
        // How many publishers a topic should have, and how many distinct ones are listed.
        let mut topics: NumberMap<NameId, (u64, u64)> = NumberMap::default();
        for (said, &topic) in said.topics.iter().zip(&listing.topics) {
            let listed_before = members.len();
            // The event's members are first: the other iterator must not lose one at the end of a topic.
            for (who, &member) in said.members.iter().zip(&mut numbers) {
                let ts = time::counted(who.stamp.ts, self.recorded_at, self.rules.max_ahead_ms);
                let stamp = Stamp { ts, ..who.stamp };
                let meta = who.meta.as_deref();
                members.claim(member, MemberClaim { meta, stamp }, line);
            }
            let (total, distinct) = topics.entry(topic).or_default();
            *total = (*total).max(said.total.unwrap_or(0));
            *distinct += (members.len() - listed_before) as u64;
        }
        ResolvedListing {
            channel,
            self_user: self.self_user,
            incomplete: said.incomplete,
            topics_missing: said
                .total_topics
                .is_some_and(|total| total > topics.len() as u64),
            topics: topics
                .into_iter()
                .map(|(name, (total, listed))| (name, listed < total))
                .collect(),
            members,
        }
    }

    /// A claim as an entry has it. Equal metadata shares the text that is stored for the member.
    pub(super) fn listed(&self, member: MemberId, claim: &MemberClaim<'_>) -> ListedMember {
        let known = self.state.slot_or_unknown(member).meta.as_ref();
        let text = |meta: &str| match known.filter(|known| ***known == *meta) {
            Some(known) => Text::clone(known),
            None => Text::from(meta),
        };
        ListedMember {
            meta: claim.meta.map(text),
            stamp: claim.stamp,
        }
    }

    pub(super) fn outside_channels(&self, seq: u64, what: Payload) -> Entry {
        Entry {
            effective_at: self.occurred_at,
            ..self.entry(seq, &UNKNOWN_CHANNEL, what)
        }
    }
}
