//! Decides what follows from an event: the entries of its commit. It reads the state and changes nothing.

pub use super::context::DecideError;

use super::context::DecideContext;
use super::entry::{
    Commit, Entry, FullListing, ListedMember, Page, PageStep, Payload, Rules, SnapshotBegin,
    SnapshotOrigin, Text, TokenChange,
};
use super::event::ReportedToken;
use super::names::{MemberId, NameId, NameTable};
use super::order::Stamp;
use super::reconcile;
use super::resolve::{NumberedListing, ResolvedEvent, ResolvedPayload};
use super::roster::ChannelState;
use super::snapshot::MemberClaim;
use super::state::State;
use super::time::{self, Millis};
use super::watch;
use crate::limits;
use std::sync::Arc;

/// Decides what follows from `event`, recorded at `now` (or at the time of the last entry, if that is later). `names`
/// is the dictionary that [resolved](super::resolve::resolve) it.
///
/// # Errors
/// A [`DecideError`] when the event does not fit what came before it, or exceeds a limit.
///
/// # Panics
/// If the state is one [for questions](State::for_questions).
pub fn decide(
    state: &State,
    names: &NameTable,
    event: &ResolvedEvent<'_>,
    rules: &Rules,
    now: Millis,
) -> Result<Commit, DecideError> {
    assert!(
        !state.members.forgetful,
        "a state for questions cannot tell news from repetition"
    );
    let recorded_at = now.max(state.recorded_at);
    let ts = time::counted(event.stamp.ts, recorded_at, rules.max_ahead_ms);
    let context = DecideContext {
        state,
        names,
        rules,
        observer: event.observer,
        self_user: event.self_user,
        id: event.id.map(Arc::from),
        seq: state.head + 1,
        recorded_at,
        occurred_at: ts.unwrap_or(recorded_at),
        stamp: event.stamp,
        counted: Stamp {
            pos: event.stamp.pos,
            ts,
        },
    };
    context.commit(&event.payload)
}

impl DecideContext<'_> {
    fn commit(mut self, payload: &ResolvedPayload<'_>) -> Result<Commit, DecideError> {
        let entries = match payload {
            ResolvedPayload::Nothing => Vec::new(),
            ResolvedPayload::Changes {
                channel,
                changes,
                together,
                ..
            } => {
                let channel = self.channel(*channel)?;
                if self.collecting(channel).is_some() {
                    self.collected(channel, changes, *together)
                } else {
                    self.changes(channel, changes, *together)
                }
            }
            ResolvedPayload::Snapshot { channel, listing } => {
                let known = self.channel(*channel)?;
                let shown = self.shown(*channel, listing, self.counted);
                reconcile::reconcile(&self, known, shown, SnapshotOrigin::Listed)
            }
            ResolvedPayload::SnapshotBegin {
                channel,
                sync,
                incomplete,
            } => return self.begin(*channel, sync, *incomplete),
            ResolvedPayload::SnapshotPage {
                channel,
                sync,
                listing,
            } => return self.page(*channel, sync, listing),
            ResolvedPayload::SnapshotEnd {
                channel,
                sync,
                incomplete,
            } => {
                let known = self.channel(*channel)?;
                let open = self.open_sync(known, sync)?;
                reconcile::reconcile_pages(&self, (*channel, known), open, *incomplete)
            }
            ResolvedPayload::Link(link) => self.link(link)?,
            ResolvedPayload::Token { channel, said } => self.token(*channel, said)?,
            ResolvedPayload::Connection(said) => return Ok(self.connection(*said)),
            ResolvedPayload::Occupancy { channel, members } => {
                let known = self.channel(*channel)?;
                self.occupancy(*channel, known, *members)
            }
            ResolvedPayload::Resync { channel, at } => {
                let known = self.channel(*channel)?;
                self.resync(*channel, known, *at)?
            }
        };
        Ok(if entries.is_empty() {
            Commit::Nothing
        } else {
            Commit::Entries(entries)
        })
    }
}

impl<'a> DecideContext<'a> {
    fn open_sync(
        &self,
        channel: &'a ChannelState,
        sync: &str,
    ) -> Result<(&'a watch::Watch, &'a watch::PagedSnapshot), DecideError> {
        let watch = channel.watching.of(self.observer);
        watch
            .filter(|watch| watch.lost.is_none())
            .and_then(|watch| watch.sync.as_deref().map(|open| (watch, open)))
            .filter(|(_, open)| &*open.name == sync)
            .ok_or_else(|| DecideError::NotBegun {
                sync: sync.to_owned(),
            })
    }

    fn begin(&self, channel: NameId, sync: &str, incomplete: bool) -> Result<Commit, DecideError> {
        let known = self.channel(channel)?;
        let again = self
            .open_sync(known, sync)
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
        &self,
        channel: NameId,
        sync: &str,
        listing: &NumberedListing<'_>,
    ) -> Result<Commit, DecideError> {
        let known = self.channel(channel)?;
        let (_, open) = self.open_sync(known, sync)?;
        let line = self.counted.or(open.begin.stamp);
        let shown = self.shown(channel, listing, line);
        let open = known.watching.open_pages();
        if open + shown.members.len() + shown.topics.len() > limits::OPEN_PAGE_MEMBERS_MAX {
            return Err(DecideError::TooManyPageMembers);
        }
        // The page's own stamp fills the missing parts of its members' stamps.
        let counted = self.counted;
        let members = shown.members.iter().map(|&(member, claim)| {
            let stamp = claim.stamp.or(counted);
            (member, self.listed(member, &MemberClaim { stamp, ..claim }))
        });
        let mut members: Vec<(MemberId, ListedMember)> = members.collect();
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

    fn token(
        &self,
        channel: Option<NameId>,
        said: &ReportedToken<'_>,
    ) -> Result<Vec<Entry>, DecideError> {
        let reason = said.reason.as_deref().map(Text::from);
        let known = channel.map(|name| self.channel(name)).transpose()?;
        let what = Payload::Token(Box::new(TokenChange {
            channel,
            state: said.state,
            reason,
        }));
        Ok(vec![match known {
            Some(known) => self.entry(self.seq, known, what),
            None => self.outside_channels(self.seq, what),
        }])
    }
}
