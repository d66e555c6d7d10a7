//! Decides what follows from an event: the entries of its commit. It reads the state and
//! changes nothing; only the dictionary may grow.

pub use super::context::DecideError;

use super::context::DecideContext;
use super::entry::{
    Commit, Entry, FullListing, ListedMember, Page, PageStep, Payload, Rules, SnapshotBegin,
    SnapshotOrigin, Text, TokenChange,
};
use super::event::{Event, EventPayload, ReportedToken, Str};
use super::names::{MemberId, NameId, Names};
use super::order::Stamp;
use super::reconcile;
use super::state::State;
use super::time::{self, Millis};
use super::watch;
use crate::limits;
use std::sync::Arc;

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

impl<'a> DecideContext<'a> {
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
}
