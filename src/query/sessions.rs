//! `sessions`: the stays of members, from join to leave, and the bounds of their length.

use super::answer::{self, Session, Time};
use super::member_names;
use crate::domain::entry::Entry;
use crate::domain::names::{MemberId, Names};
use crate::domain::state::State;
use crate::domain::stay::{EndedStay, OpenStays, StayEnd};
use crate::domain::time::Millis;
use crate::store::{
    EntryReader, EntryStep, ScanScope, StateCursor, StateView, Store, StoreError, heard_of,
};
use std::iter::FusedIterator;
use std::vec;

/// The stays that are wanted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SessionFilter {
    /// In this channel.
    pub channel: Option<String>,
    /// In this topic.
    pub topic: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// Not ended at this moment, Unix ms.
    pub from: Option<Millis>,
    /// Begun before this moment, Unix ms.
    pub to: Option<Millis>,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
}

impl SessionFilter {
    /// Only this channel. Default: all.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Only this topic. Default: all.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only this user. Default: all.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Only stays that had not ended at this moment, Unix ms. Default: all.
    #[must_use]
    pub fn from(mut self, ms: Millis) -> Self {
        self.from = Some(ms);
        self
    }

    /// Only stays that had begun before this moment, Unix ms. Default: all.
    #[must_use]
    pub fn to(mut self, ms: Millis) -> Self {
        self.to = Some(ms);
        self
    }

    /// The answer as of this recording time, Unix ms. Default: now.
    #[must_use]
    pub fn known_at(mut self, ms: Millis) -> Self {
        self.known_at = Some(ms);
        self
    }
}

impl Store {
    /// The matching stays: first the stays that have ended, in the order of their ends, then the open ones, in the
    /// order of their begins.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rollbook::Event;
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// store.record(&[
    ///     Event::join("room", "chat", "tony").at(1_000),
    ///     Event::leave("room", "chat", "tony").at(4_000),
    /// ])?;
    /// let stays: Result<Vec<_>, _> = store.sessions(&Default::default())?.collect();
    /// assert_eq!((stays?[0].min_ms, "tony"), (3_000, "tony"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::PastRetention`] if the whole range was pruned; another one if the log cannot be read. That the log does not know the channel ([`StoreError::NoSuchChannel`]) is known
    /// only when it was read: then that is the only item.
    pub fn sessions(&self, filter: &SessionFilter) -> Result<Sessions<'_>, StoreError> {
        self.expect_end(filter.to)?;
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            known_at: filter.known_at,
            ..ScanScope::default()
        };
        // Any message of an observer may be a proof, and a scan of one channel sees only messages about that channel.
        let of_channel = |channel: &String| {
            self.as_of_channel(channel, filter.known_at, None, |state, names| {
                let name = names.find(channel);
                name.and_then(|name| state.last_proof(name))
            })
        };
        let proven = filter.channel.as_ref().map(of_channel).transpose()?;
        let (mut cursor, frames) = self.scan(&scope)?;
        let mut open = cursor.open.take().unwrap_or_default().stays;
        open.retain(|member| is_asked_for(filter, member, &cursor.names));
        Ok(Sessions {
            entries: EntryReader::new((cursor, frames)),
            stays: StayCollector {
                filter: filter.clone(),
                proven: proven.flatten(),
                open,
            },
            rest: None,
        })
    }
}

/// The stays of [`sessions`](Store::sessions), read from the log one after another. After an error there are no more.
#[must_use = "stays are read only when they are asked for"]
pub struct Sessions<'a> {
    entries: EntryReader<'a>,
    stays: StayCollector,
    /// After the last entry: the stays that are still open.
    rest: Option<vec::IntoIter<(MemberId, StayEnd)>>,
}

impl Sessions<'_> {
    /// The next stay that has ended.
    fn ended(&mut self) -> Result<Option<Session>, StoreError> {
        loop {
            match self.entries.advance()? {
                EntryStep::Entry => {}
                EntryStep::Renumbered(by) => {
                    self.stays.open.renumber(&by);
                    continue;
                }
                EntryStep::End => break,
            }
            let before = self.entries.cursor.view();
            let entry = self.entries.entry();
            if let Some(stay) = entry.and_then(|entry| self.stays.take(entry, before)) {
                return Ok(Some(stay));
            }
        }
        if let Some(channel) = &self.stays.filter.channel {
            let cursor = &self.entries.cursor;
            heard_of(channel, &cursor.state, &cursor.names)?;
        }
        Ok(None)
    }
}

impl Iterator for Sessions<'_> {
    type Item = Result<Session, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_none() {
            match self.ended() {
                Ok(Some(stay)) => return Some(Ok(stay)),
                Ok(None) => self.rest = Some(self.stays.open.drain().into_iter()),
                Err(error) => {
                    self.rest = Some(Vec::new().into_iter());
                    return Some(Err(error));
                }
            }
        }
        let StateCursor { state, names, .. } = &self.entries.cursor;
        let rest = self.rest.as_mut()?;
        rest.find_map(|(member, join)| self.stays.open_stay(member, join, state, names))
            .map(Ok)
    }
}

impl FusedIterator for Sessions<'_> {}

fn not_before(end: &StayEnd) -> Option<Time> {
    end.earliest
        .filter(|_| end.windowed && !end.baseline)
        .map(Time)
}

fn origin(end: &StayEnd) -> answer::OriginAnswer {
    if end.inferred {
        answer::OriginAnswer::Inferred
    } else {
        answer::OriginAnswer::Observed
    }
}

struct StayCollector {
    filter: SessionFilter,
    /// The last proof of the requested channel.
    proven: Option<Millis>,
    open: OpenStays,
}

/// Whether the stays of a member are asked for.
fn is_asked_for(filter: &SessionFilter, member: MemberId, names: &Names) -> bool {
    let key = names.key(member);
    let is = |wanted: &Option<String>, name| {
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted == names.text(name))
    };
    is(&filter.channel, key.channel) && is(&filter.topic, key.topic) && is(&filter.user, key.user)
}

impl StayCollector {
    /// Takes an entry; the stay that it ends, if it is asked for. `before` is the state before it.
    fn take(&mut self, entry: &Entry, before: StateView<'_>) -> Option<Session> {
        let StateView { state, names } = before;
        let filter = &self.filter;
        let wanted = |member| is_asked_for(filter, member, names);
        let EndedStay {
            member,
            join,
            leave: end,
        } = self.open.take(entry, state, names, wanted)?;
        let channel = state.channel(names.key(member).channel);
        let lossy = end.lossy || join.lossy || channel.is_some_and(|channel| channel.is_lossy());
        let earliest = end.earliest.unwrap_or(end.latest);
        let bounds = StayBounds::of(&join, earliest, end.latest, lossy);
        self.stay(member, join, Some(end), bounds, names)
    }

    /// A stay, if the filter's times want it.
    fn stay(
        &self,
        member: MemberId,
        join: StayEnd,
        leave: Option<StayEnd>,
        bounds: StayBounds,
        names: &Names,
    ) -> Option<Session> {
        let filter = &self.filter;
        // A member who left at a moment is not there at that moment. A stay of zero length at that moment is kept.
        let over = |from| {
            leave.is_some_and(|leave| leave.effective_at <= from) && join.effective_at < from
        };
        if filter.from.is_some_and(over) || filter.to.is_some_and(|to| join.effective_at >= to) {
            return None;
        }
        let [topic, user, connection] = member_names(member, names);
        Some(Session {
            channel: names.text(names.key(member).channel).to_owned(),
            topic,
            user,
            connection,
            joined_at: Time(join.effective_at),
            joined_not_before: not_before(&join),
            left_at: leave.map(|leave| Time(leave.effective_at)),
            left_not_before: leave.as_ref().and_then(not_before),
            join_origin: origin(&join),
            leave_origin: leave.as_ref().map(origin),
            baseline: join.baseline,
            min_ms: bounds.min_ms,
            max_ms: bounds.max_ms,
        })
    }

    /// A stay that is open at the end.
    fn open_stay(
        &self,
        member: MemberId,
        join: StayEnd,
        state: &State,
        names: &Names,
    ) -> Option<Session> {
        let name = names.key(member).channel;
        let channel = state.channel(name)?;
        let last = channel.effective_at();
        let gap = channel.watching().open_gap().map(|gap| gap.from);
        let proven = self.proven.max(state.last_proof(name));
        // The member was surely there only while an observer was watching: without any proof, at no time.
        let proven = proven.unwrap_or(join.latest);
        let sure = gap.map_or(proven, |gap| gap.min(proven)).min(last);
        let lossy = join.lossy || channel.is_lossy();
        let bounds = StayBounds::of(&join, sure, last, lossy);
        self.stay(member, join, None, bounds, names)
    }
}

/// The minimum and the maximum length of a stay.
#[derive(Clone, Copy)]
struct StayBounds {
    min_ms: Millis,
    max_ms: Option<Millis>,
}

impl StayBounds {
    fn of(join: &StayEnd, left_earliest: Millis, left_latest: Millis, lossy: bool) -> StayBounds {
        if lossy {
            return StayBounds {
                min_ms: 0,
                max_ms: None,
            };
        }
        let min_ms = left_earliest.saturating_sub(join.latest).max(0);
        let unbounded = join.baseline || (!join.inferred && join.unseen);
        let longest = |from: Millis| left_latest.saturating_sub(from).max(min_ms);
        StayBounds {
            min_ms,
            max_ms: join.earliest.filter(|_| !unbounded).map(longest),
        }
    }
}
