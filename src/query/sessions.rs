//! `sessions`: the stays of members, from join to leave, and the bounds of their length.

use super::answer::{OriginAnswer, Session, Time};
use super::intervals::TimeInterval;
use super::member_names;
use super::stays::{KnownStay, StayReader, StayScope, StayStep};
use super::united::{Scale, StayUnion, UnitedStay, UserPlace, not_before};
use crate::domain::names::Names;
use crate::domain::stay::StayEnd;
use crate::domain::time::Millis;
use crate::store::{Store, StoreError};
use std::iter::FusedIterator;

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
    /// Whose stays each line is.
    pub per: StaysPer,
    /// Whether stays end at `from` and `to`, with all their bounds.
    pub clip: bool,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
}

/// What one line of `sessions` is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaysPer {
    /// A stay of a member: of one connection in one topic.
    #[default]
    Member,
    /// The stays of a user in a topic, over connections: those that overlap or touch are one.
    Topic,
    /// The stays of a user in a channel, over topics and connections.
    Channel,
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

    /// Whether stays are united over connections, or over topics as well. Default: each stay has its line.
    #[must_use]
    pub fn per(mut self, per: StaysPer) -> Self {
        self.per = per;
        self
    }

    /// Whether stays end at `from` and `to`, with all their bounds. Default: they are listed whole.
    #[must_use]
    pub fn clip(mut self, clip: bool) -> Self {
        self.clip = clip;
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
        let stays = self.stays(StayScope {
            channel: filter.channel.clone(),
            topic: filter.topic.clone(),
            user: filter.user.clone(),
            known_at: filter.known_at,
            ..StayScope::default()
        })?;
        let scale = match filter.per {
            StaysPer::Member => None,
            StaysPer::Topic => Some(Scale::Topic),
            StaysPer::Channel => Some(Scale::Channel),
        };
        Ok(Sessions {
            stays,
            union: scale.map(StayUnion::new),
            lines: StayLines {
                asked: TimeInterval {
                    from: filter.from.unwrap_or(Millis::MIN),
                    to: filter.to.unwrap_or(Millis::MAX),
                },
                clip: filter.clip,
            },
            over: false,
        })
    }
}

/// The stays of [`sessions`](Store::sessions), read from the log one after another. After an error there are no more.
#[must_use = "stays are read only when they are asked for"]
pub struct Sessions<'a> {
    stays: StayReader<'a>,
    union: Option<StayUnion>,
    lines: StayLines,
    over: bool,
}

impl Sessions<'_> {
    /// The next line.
    fn line(&mut self) -> Result<Option<Session>, StoreError> {
        loop {
            let united = self.union.as_mut().and_then(StayUnion::pop);
            if let Some(line) = united.and_then(|united| self.lines.united(united)) {
                return Ok(Some(line));
            }
            if self.over && self.union.as_ref().is_none_or(StayUnion::is_idle) {
                return Ok(None);
            }
            if self.over {
                continue;
            }
            let step = self.stays.step()?;
            self.over = step.is_none();
            let names = self.stays.names();
            match (&mut self.union, step) {
                (Some(union), step) => union.take(step.as_ref(), names),
                (None, Some(StayStep::Ended(stay) | StayStep::Open(stay))) => {
                    if let Some(line) = self.lines.single(&stay, names) {
                        return Ok(Some(line));
                    }
                }
                (None, _) => {}
            }
        }
    }
}

impl Iterator for Sessions<'_> {
    type Item = Result<Session, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line();
        if line.is_err() {
            (self.over, self.union) = (true, None);
        }
        line.transpose()
    }
}

impl FusedIterator for Sessions<'_> {}

fn origin(end: &StayEnd) -> OriginAnswer {
    if end.inferred {
        OriginAnswer::Inferred
    } else {
        OriginAnswer::Observed
    }
}

/// The ends of a line.
struct LineEnds {
    join: StayEnd,
    leave: Option<StayEnd>,
    present: TimeInterval,
    joined_not_before: Option<Millis>,
    left_not_before: Option<Millis>,
}

/// Makes the lines.
struct StayLines {
    /// The time asked for.
    asked: TimeInterval,
    clip: bool,
}

impl StayLines {
    /// The line of a stay, if the time asked for wants it.
    fn single(&self, stay: &KnownStay, names: &Names) -> Option<Session> {
        let KnownStay {
            join,
            leave,
            present,
            bounds,
            ..
        } = stay;
        if !self.wants(*present, leave.is_some()) {
            return None;
        }
        let (min_ms, max_ms) = match self.clip {
            true => {
                let [sure, most] = [bounds.sure, bounds.most].map(|it| it.within(self.asked));
                (sure.length().unwrap_or_default(), most.length())
            }
            false => (bounds.min_ms(), bounds.max_ms()),
        };
        let [topic, user, connection] = member_names(stay.member, names);
        let place = UserPlace {
            channel: names.text(names.key(stay.member).channel).to_owned(),
            topic: Some(topic),
            user,
        };
        let ends = LineEnds {
            join: *join,
            leave: *leave,
            present: *present,
            joined_not_before: not_before(join),
            left_not_before: leave.as_ref().and_then(not_before),
        };
        Some(self.line((place, Some(connection)), ends, (min_ms, max_ms)))
    }

    /// The line of united stays, if the time asked for wants it.
    fn united(&self, stay: UnitedStay) -> Option<Session> {
        if !self.wants(stay.present, stay.leave.is_some()) {
            return None;
        }
        let bounds = if self.clip {
            self.asked
        } else {
            TimeInterval::ALL
        };
        let min_ms = stay.sure.length_within(bounds).unwrap_or_default();
        let max_ms = stay.most.length_within(bounds);
        let max_ms = max_ms.filter(|_| self.clip || !stay.unseen);
        let ends = LineEnds {
            join: stay.join,
            leave: stay.leave,
            present: stay.present,
            joined_not_before: stay.joined_not_before,
            left_not_before: stay.left_not_before,
        };
        Some(self.line((stay.place, None), ends, (min_ms, max_ms)))
    }

    /// A member who left at a moment is not there at that moment. A stay of zero length at that moment is kept.
    fn wants(&self, present: TimeInterval, has_ended: bool) -> bool {
        let asked = self.asked;
        let over = has_ended && present.to <= asked.from && present.from < asked.from;
        !over && present.from < asked.to
    }

    fn line(
        &self,
        (place, connection): (UserPlace, Option<String>),
        ends: LineEnds,
        (min_ms, max_ms): (Millis, Option<Millis>),
    ) -> Session {
        let LineEnds {
            join,
            leave,
            present,
            ..
        } = ends;
        let cut = if self.clip {
            self.asked
        } else {
            TimeInterval::ALL
        };
        // Where a stay is cut nobody joined or left.
        let joined_not_before = ends.joined_not_before.filter(|_| present.from >= cut.from);
        let left = leave.filter(|_| present.to <= cut.to);
        let stayed = self.clip && left.is_none() && present.to >= cut.to;
        Session {
            channel: place.channel,
            topic: place.topic,
            user: place.user,
            connection,
            joined_at: Time(present.from.max(cut.from)),
            joined_not_before: joined_not_before.map(|at| Time(at.max(cut.from))),
            left_at: match left {
                Some(left) => Some(Time(left.effective_at)),
                None => stayed.then_some(Time(cut.to)),
            },
            left_not_before: left
                .and(ends.left_not_before)
                .map(|at| Time(at.max(cut.from))),
            join_origin: origin(&join),
            leave_origin: left.as_ref().map(origin),
            baseline: join.baseline,
            min_ms,
            max_ms,
        }
    }
}
