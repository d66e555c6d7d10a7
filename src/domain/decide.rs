//! Decides what follows from an event: the entries of its commit. It reads the state and
//! changes nothing; only the dictionary may grow.

use super::entry::{
    Commit, Entry, FullListing, ListedMember, Page, PageStep, Payload, Rules, SnapshotBegin,
    SnapshotOrigin, Text, TokenChange,
};
use super::event::{Event, EventPayload, ReportedMember, ReportedToken, Str};
use super::names::{MemberId, MemberKey, NameId, Names, NumberMap};
use super::order::Stamp;
use super::reconcile;
use super::roster::ChannelState;
use super::snapshot::{ListedMembers, ResolvedListing};
use super::state::State;
use super::time::{self, Millis};
use super::watch;
use crate::limits;
use std::sync::Arc;

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

/// Decides what follows from `event`, recorded at `now` (or at the time of the last entry, if that is later).
///
/// # Errors
/// A [`DecideError`] when the event does not fit what came before it, or exceeds a limit.
pub fn decide(
    state: &State,
    names: &mut Names,
    event: &Event<'_>,
    rules: &Rules,
    now: Millis,
) -> Result<Commit, DecideError> {
    let recorded_at = now.max(state.recorded_at);
    let observer = names.intern(&event.observer);
    let self_user = event.self_user.as_deref().map(|user| names.intern(user));
    let ts = time::counted(event.stamp.ts, recorded_at, rules.max_ahead_ms);
    let mut moment = DecideContext {
        state,
        names,
        rules,
        observer,
        self_user,
        id: event.id.as_deref().map(Arc::from),
        seq: state.head + 1,
        recorded_at,
        occurred_at: ts.unwrap_or(recorded_at),
        stamp: event.stamp,
        counted: Stamp {
            pos: event.stamp.pos,
            ts,
        },
    };
    let entries = match &event.payload {
        EventPayload::Nothing => Vec::new(),
        EventPayload::Changes {
            channel,
            changes,
            together,
            ..
        } => {
            let channel = moment.channel(channel)?;
            if moment.collecting(channel).is_some() {
                moment.collected(channel, changes, *together)
            } else {
                moment.changes(channel, changes, *together)
            }
        }
        EventPayload::Snapshot { channel, shown } => {
            let channel = moment.channel(channel)?;
            let shown = moment.shown(channel, shown, moment.counted);
            reconcile::reconcile(&moment, shown, SnapshotOrigin::Listed)
        }
        EventPayload::SnapshotBegin {
            channel,
            sync,
            incomplete,
        } => {
            return moment.begin(channel, sync, *incomplete);
        }
        EventPayload::SnapshotPage {
            channel,
            sync,
            shown,
        } => return moment.page(channel, sync, shown),
        EventPayload::SnapshotEnd {
            channel,
            sync,
            incomplete,
        } => {
            let channel = moment.channel(channel)?;
            let (watch, open) = moment.open_sync(channel, sync)?;
            reconcile::reconcile_pages(&moment, channel, watch, open, *incomplete)
        }
        EventPayload::Link(link) => moment.link(link)?,
        EventPayload::Token(token) => moment.token(token)?,
        EventPayload::Connection(said) => return Ok(moment.connection(*said)),
        EventPayload::Occupancy { channel, members } => {
            let channel = moment.channel(channel)?;
            moment.occupancy(channel, *members)
        }
        EventPayload::Resync { channel, at } => {
            let channel = moment.channel(channel)?;
            moment.resync(channel, *at)?
        }
    };
    Ok(if entries.is_empty() {
        Commit::Nothing
    } else {
        Commit::Entries(entries)
    })
}

/// What all entries of a line share.
pub(super) struct DecideContext<'a> {
    pub state: &'a State,
    pub names: &'a mut Names,
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

    /// The channel's name. Refused if the channel already has the maximum of observers and this one is new to it.
    pub(super) fn channel(&mut self, name: &str) -> Result<NameId, DecideError> {
        let name = self.names.intern(name);
        match self.state.channels.get(&name) {
            Some(channel)
                if channel.watching.watches.len() >= limits::OBSERVERS_PER_CHANNEL_MAX
                    && channel.watching.of(self.observer).is_none() =>
            {
                Err(DecideError::TooManyObservers)
            }
            _ => Ok(name),
        }
    }

    pub fn member(&mut self, channel: NameId, topic: NameId, who: &ReportedMember<'_>) -> MemberId {
        let user = self.names.intern(&who.user);
        let conn = self.names.intern(&who.conn);
        self.names.member(MemberKey {
            channel,
            topic,
            user,
            conn,
        })
    }

    /// The list of a snapshot or a page, each member and topic once. `line` is the stamp of members without their own.
    fn shown(
        &mut self,
        channel: NameId,
        said: &super::event::ReportedListing<'_>,
        line: Stamp,
    ) -> ResolvedListing {
        let listed: usize = said.topics.iter().map(|topic| topic.members.len()).sum();
        let mut members = ListedMembers::with_capacity(listed);
        // A wrong guess costs more than none. So guess only after a member for which it was, or would have been, right.
        let (mut before, mut in_order) = (None, false);
        // How many publishers a topic should have, and how many distinct ones are listed.
        let mut topics: NumberMap<NameId, (u64, u64)> = NumberMap::default();
        for said in &said.topics {
            let topic = self.names.intern(&said.topic);
            let listed_before = members.len();
            for who in &said.members {
                let behind = before.filter(|_| in_order).and_then(|before: MemberId| {
                    let named = [who.user.as_ref(), who.conn.as_ref()];
                    self.names.member_behind(before, [channel, topic], named)
                });
                let member = behind.unwrap_or_else(|| self.member(channel, topic, who));
                in_order = before.is_some_and(|before| before.is_followed_by(member));
                before = Some(member);
                let ts = time::counted(who.stamp.ts, self.recorded_at, self.rules.max_ahead_ms);
                let stamp = Stamp { ts, ..who.stamp };
                let meta = who.meta.as_deref().map(|meta| self.meta(member, meta));
                members.claim(member, ListedMember { meta, stamp }, line);
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

    /// Metadata as a text. Equal metadata shares the text that is stored for the member: most claims change nothing.
    fn meta(&self, member: MemberId, meta: &str) -> Text {
        let known = self
            .state
            .slot(member)
            .and_then(|slot| slot.meta.as_ref())
            .filter(|known| ***known == *meta);
        known.map_or_else(|| Text::from(meta), Text::clone)
    }

    fn open_sync(
        &self,
        channel: NameId,
        sync: &str,
    ) -> Result<(&'a watch::Watch, &'a watch::PagedSnapshot), DecideError> {
        let channel = self.state.channels.get(&channel);
        channel
            .and_then(|channel| channel.watching.of(self.observer))
            .filter(|watch| watch.lost.is_none())
            .and_then(|watch| watch.sync.as_deref().map(|open| (watch, open)))
            .filter(|(_, open)| &*open.name == sync)
            .ok_or_else(|| DecideError::NotBegun {
                sync: sync.to_owned(),
            })
    }

    fn begin(
        mut self,
        channel: &Str<'_>,
        sync: &Str<'_>,
        incomplete: bool,
    ) -> Result<Commit, DecideError> {
        let channel = self.channel(channel)?;
        let again = self
            .open_sync(channel, sync)
            .is_ok_and(|(_, open)| open.id.is_some() && open.id == self.id);
        if again {
            return Ok(Commit::Nothing);
        }
        let begin = SnapshotBegin {
            stamp: self.counted,
            occurred_at: self.occurred_at,
        };
        let (self_user, id) = (self.self_user, self.id.clone());
        Ok(self.step(
            channel,
            sync,
            PageStep::Begin {
                begin,
                self_user,
                incomplete,
                id,
            },
        ))
    }

    fn page(
        mut self,
        channel: &Str<'_>,
        sync: &Str<'_>,
        said: &super::event::ReportedListing<'_>,
    ) -> Result<Commit, DecideError> {
        let channel = self.channel(channel)?;
        let (_, open) = self.open_sync(channel, sync)?;
        let line = self.counted.or(open.begin.stamp);
        let shown = self.shown(channel, said, line);
        let of_channel = self.state.channels.get(&channel);
        let open = of_channel.map_or(0, |channel| channel.watching.open_pages());
        if open + shown.members.len() + shown.topics.len() > limits::OPEN_PAGE_MEMBERS_MAX {
            return Err(DecideError::TooManyPageMembers);
        }
        // The page's own stamp fills the missing parts of its members' stamps.
        let counted = self.counted;
        let mut members: Vec<(MemberId, ListedMember)> = shown
            .members
            .into_claims()
            .into_iter()
            .map(|(member, claim)| {
                (
                    member,
                    ListedMember {
                        stamp: claim.stamp.or(counted),
                        ..claim
                    },
                )
            })
            .collect();
        members.sort_unstable_by(|a, b| self.names.compare(a.0, b.0));
        let mut topics: Vec<(NameId, bool)> = shown
            .topics
            .into_keys()
            .map(|topic| (topic, false))
            .collect();
        topics.sort_unstable_by(|a, b| self.names.text(a.0).cmp(self.names.text(b.0)));
        let page = FullListing {
            incomplete: false,
            topics_missing: false,
            topics,
            members,
        };
        Ok(self.step(channel, sync, PageStep::Members(page)))
    }

    fn step(&self, channel: NameId, sync: &str, step: PageStep) -> Commit {
        let (observer, recorded_at) = (self.observer, self.recorded_at);
        Commit::Page(Page {
            observer,
            channel,
            sync: Text::from(sync),
            recorded_at,
            step,
        })
    }

    fn token(&mut self, said: &ReportedToken<'_>) -> Result<Vec<Entry>, DecideError> {
        let reason = said.reason.as_deref().map(Text::from);
        let channel = said
            .channel
            .as_deref()
            .map(|name| self.channel(name))
            .transpose()?;
        let what = Payload::Token(Box::new(TokenChange {
            channel,
            state: said.state,
            reason,
        }));
        Ok(vec![match channel {
            Some(channel) => self.within(self.seq, channel, what),
            None => self.outside_channels(self.seq, what),
        }])
    }

    pub(super) fn within(&self, seq: u64, channel: NameId, what: Payload) -> Entry {
        let nothing_known = ChannelState::default();
        self.entry(
            seq,
            self.state.channels.get(&channel).unwrap_or(&nothing_known),
            what,
        )
    }

    pub(super) fn outside_channels(&self, seq: u64, what: Payload) -> Entry {
        Entry {
            effective_at: self.occurred_at,
            ..self.entry(seq, &ChannelState::default(), what)
        }
    }
}
