//! `sessions`: the stays of members, from join to leave, and the bounds of their length.

use super::answer::{self, Session, Time};
use super::member_names;
use crate::domain::entry::{Change, Entry, Origin, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::names::{MemberId, Names, NumberMap};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::store::{ScanScope, StateView, Store, StoreError, heard_of};

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
    /// Calls `each` with the matching stays: first the stays that have ended, in the order of their ends, then the
    /// open ones, in the order of their begins. Stops when `each` returns `false`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), concat!(
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"}]},"ts":1000}"#, "\n",
    /// #     r#"{"t":"link","state":"down","ts":2000}"#, "\n",
    /// #     r#"{"t":"link","state":"up","ts":8000}"#, "\n",
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"lily"}]},"ts":9000}"#, "\n",
    /// #     "nonsense\n",
    /// # ))?;
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let mut stays = Vec::new();
    /// store.sessions(&Default::default(), |stay| {
    ///     stays.push((stay.user, stay.min_ms, stay.max_ms));
    ///     true
    /// })?;
    /// // Tony was there already when the channel was first seen; lily came in the gap.
    /// assert_eq!(stays, [("tony".into(), 0, None), ("lily".into(), 0, Some(8_000))]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel.
    pub fn sessions(
        &self,
        filter: &SessionFilter,
        each: impl FnMut(Session) -> bool,
    ) -> Result<(), StoreError> {
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            known_at: filter.known_at,
            ..ScanScope::default()
        };
        // Any message of an observer may be a proof, and a scan of one channel sees only messages about that channel.
        let of_channel = |channel: &String| {
            self.as_of(filter.known_at, None, |state, names| {
                let name = names.find(channel);
                name.and_then(|name| state.last_proof(name))
            })
        };
        let proven = filter.channel.as_ref().map(of_channel).transpose()?;
        let mut stays = StayCollector {
            filter,
            proven: proven.flatten(),
            each,
            open: NumberMap::default(),
            stopped: false,
        };
        let (mut cursor, mut frames) = self.scan(&scope)?;
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    stays.take(entry, cursor.view());
                    if stays.stopped {
                        return Ok(());
                    }
                    cursor.apply_entry(entry);
                }
            }
            if let Some(renumbering) = cursor.forget_absent() {
                // The members of open stays are present, so none of them is forgotten.
                stays.open = renumbering.by_member(std::mem::take(&mut stays.open));
            }
        }
        if let Some(channel) = &filter.channel {
            heard_of(channel, &cursor.state, &cursor.names)?;
        }
        stays.give_open(&cursor.state, &cursor.names);
        Ok(())
    }
}

/// One end of a stay: when it took effect, and the bounds of when it really happened.
#[derive(Clone, Copy)]
struct StayEnd {
    seq: u64,
    effective_at: Millis,
    earliest: Option<Millis>,
    latest: Millis,
    /// It has a window.
    windowed: bool,
    inferred: bool,
    baseline: bool,
    lossy: bool,
    /// No observer was watching, or its own observer not yet, or the line reported an update: it may have happened
    /// long before.
    unseen: bool,
}

impl StayEnd {
    fn of(entry: &Entry, change: &Change, state: &State, names: &Names) -> StayEnd {
        let (inferred, baseline) = match change.origin {
            Origin::Observed => (false, false),
            Origin::Inferred(by) => (true, by.baseline),
        };
        let window = entry.window();
        let earliest = window.map_or(Some(entry.occurred_at), |window| window.not_before);
        let name = names.key(change.member).channel;
        let channel = state.channel(name);
        let blind = channel.is_some_and(|channel| {
            let beginning = channel.seen_whole() && !state.is_watching(entry.observer, name);
            beginning || channel.watching().is_blind()
        });
        StayEnd {
            seq: entry.seq,
            effective_at: entry.effective_at,
            earliest,
            latest: entry.occurred_at,
            windowed: window.is_some(),
            inferred,
            baseline,
            lossy: entry.lossy,
            unseen: blind || change.reported == ChangeKind::Update,
        }
    }

    fn not_before(&self) -> Option<Time> {
        self.earliest
            .filter(|_| self.windowed && !self.baseline)
            .map(Time)
    }

    fn origin(&self) -> answer::OriginAnswer {
        if self.inferred {
            answer::OriginAnswer::Inferred
        } else {
            answer::OriginAnswer::Observed
        }
    }
}

struct StayCollector<'a, F> {
    filter: &'a SessionFilter,
    /// The last proof of the requested channel.
    proven: Option<Millis>,
    each: F,
    open: NumberMap<MemberId, StayEnd>,
    stopped: bool,
}

impl<F: FnMut(Session) -> bool> StayCollector<'_, F> {
    fn is_asked_for(&self, member: MemberId, names: &Names) -> bool {
        let [topic, user, _] = member_names(member, names);
        let channel = names.text(names.key(member).channel);
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
        is(&self.filter.channel, channel)
            && is(&self.filter.topic, &topic)
            && is(&self.filter.user, &user)
    }

    /// Takes an entry. `before` is the state before it.
    fn take(&mut self, entry: &Entry, before: StateView<'_>) {
        let StateView { state, names } = before;
        let Payload::Change(change) = &entry.payload else {
            return;
        };
        if !change.is_applied()
            || change.kind == ChangeKind::Update
            || !self.is_asked_for(change.member, names)
        {
            return;
        }
        let end = StayEnd::of(entry, change, state, names);
        if change.kind == ChangeKind::Join {
            self.open.insert(change.member, end);
        } else if let Some(join) = self.open.remove(&change.member) {
            let channel = state.channel(names.key(change.member).channel);
            let lossy =
                end.lossy || join.lossy || channel.is_some_and(|channel| channel.is_lossy());
            let earliest = end.earliest.unwrap_or(end.latest);
            let bounds = StayBounds::of(&join, earliest, end.latest, lossy);
            self.give(change.member, join, Some(end), bounds, names);
        }
    }

    fn give(
        &mut self,
        member: MemberId,
        join: StayEnd,
        leave: Option<StayEnd>,
        bounds: StayBounds,
        names: &Names,
    ) {
        let filter = self.filter;
        // A member who left at a moment is not there at that moment. A stay of zero length at that moment is kept.
        let over = |from| {
            leave.is_some_and(|leave| leave.effective_at <= from) && join.effective_at < from
        };
        if filter.from.is_some_and(over) || filter.to.is_some_and(|to| join.effective_at >= to) {
            return;
        }
        let [topic, user, connection] = member_names(member, names);
        let session = Session {
            channel: names.text(names.key(member).channel).to_owned(),
            topic,
            user,
            connection,
            joined_at: Time(join.effective_at),
            joined_not_before: join.not_before(),
            left_at: leave.map(|leave| Time(leave.effective_at)),
            left_not_before: leave.and_then(|leave| leave.not_before()),
            join_origin: join.origin(),
            leave_origin: leave.map(|leave| leave.origin()),
            baseline: join.baseline,
            min_ms: bounds.min_ms,
            max_ms: bounds.max_ms,
        };
        self.stopped |= !(self.each)(session);
    }

    fn give_open(&mut self, state: &State, names: &Names) {
        let mut open: Vec<(MemberId, StayEnd)> = self.open.drain().collect();
        open.sort_unstable_by_key(|(_, join)| join.seq);
        for (member, join) in open {
            if self.stopped {
                return;
            }
            let name = names.key(member).channel;
            let Some(channel) = state.channel(name) else {
                continue;
            };
            let last = channel.effective_at();
            let gap = channel.watching().open_gap().map(|gap| gap.from);
            let proven = self.proven.max(state.last_proof(name));
            // The member was surely there only while an observer was watching: without any proof, at no time.
            let proven = proven.unwrap_or(join.latest);
            let sure = gap.map_or(proven, |gap| gap.min(proven)).min(last);
            let lossy = join.lossy || channel.is_lossy();
            let bounds = StayBounds::of(&join, sure, last, lossy);
            self.give(member, join, None, bounds, names);
        }
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
