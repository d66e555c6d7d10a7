//! The stays of one user in a channel or a topic, over topics and connections: those that overlap or touch are one. A
//! reconnect over a second connection counts once, and so does a member who was found under another connection behind a
//! gap.

use super::intervals::{IntervalSet, TimeInterval};
use super::stays::{KnownStay, StayStep};
use crate::domain::names::{MemberId, Names};
use crate::domain::stay::StayEnd;
use crate::domain::time::Millis;
use std::collections::{HashMap, VecDeque};

/// Over what stays are united.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Over the connections in a topic.
    Topic,
    /// Over the topics and connections in a channel.
    Channel,
}

/// One user in a channel or a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UserPlace {
    pub channel: String,
    /// `None`: the channel as a whole.
    pub topic: Option<String>,
    pub user: String,
}

/// Stays as one.
#[derive(Debug, Clone)]
pub(super) struct UnitedStay {
    pub place: UserPlace,
    /// The first join.
    pub join: StayEnd,
    /// The last leave; `None` while one of the stays goes on.
    pub leave: Option<StayEnd>,
    pub present: TimeInterval,
    /// If the first join is not known exactly, the moment before which it did not happen; likewise the last leave.
    pub joined_not_before: Option<Millis>,
    pub left_not_before: Option<Millis>,
    /// When the user was surely there, and when at most.
    pub sure: IntervalSet,
    pub most: IntervalSet,
    /// One of the stays is of a lossy source.
    pub lossy: bool,
    /// The join of one of the stays was not seen to be one.
    pub unseen: bool,
}

impl UnitedStay {
    /// A stay by itself.
    fn of(place: UserPlace, stay: &KnownStay) -> UnitedStay {
        let KnownStay {
            join,
            leave,
            present,
            bounds,
            ..
        } = stay;
        let [mut sure, mut most] = [IntervalSet::default(), IntervalSet::default()];
        sure.insert(bounds.sure);
        most.insert(bounds.most);
        UnitedStay {
            place,
            join: *join,
            leave: *leave,
            present: *present,
            joined_not_before: not_before(join),
            left_not_before: leave.as_ref().and_then(not_before),
            sure,
            most,
            lossy: bounds.lossy,
            unseen: bounds.unseen,
        }
    }

    /// Adds a stay that overlaps or touches this one.
    fn add(&mut self, stay: &KnownStay) {
        let joined = not_before(&stay.join);
        let first = stay.join.effective_at < self.present.from;
        let (own, other) = match first {
            true => (joined, self.joined_not_before),
            false => (self.joined_not_before, joined),
        };
        // A later join may have a window that begins before the first one.
        let begin = self.present.from.min(stay.join.effective_at);
        let other = other.filter(|at| *at < begin);
        self.joined_not_before = own.into_iter().chain(other).min();
        if first {
            self.join = stay.join;
        }
        self.left_not_before = match (self.leave, stay.leave) {
            (Some(known), Some(leave)) => {
                let last = if leave.effective_at >= known.effective_at {
                    leave
                } else {
                    known
                };
                let ends = [known, leave].map(|end| end.earliest.unwrap_or(end.latest));
                let latest = self.left_not_before.into_iter().chain(ends).max();
                self.leave = Some(last);
                latest.filter(|_| not_before(&last).is_some())
            }
            _ => {
                self.leave = None;
                None
            }
        };
        let (own, more) = (self.present, stay.present);
        self.present = TimeInterval::new(own.from.min(more.from), own.to.max(more.to));
        self.sure.insert(stay.bounds.sure);
        self.most.insert(stay.bounds.most);
        self.lossy |= stay.bounds.lossy;
        self.unseen |= stay.bounds.unseen;
    }
}

/// The begin of the window of an end, if it has one.
pub(super) fn not_before(end: &StayEnd) -> Option<Millis> {
    end.earliest.filter(|_| end.windowed && !end.baseline)
}

/// A stay that is being united.
#[derive(Default)]
struct Uniting {
    /// How many members are there.
    open: usize,
    so_far: Option<UnitedStay>,
}

/// Unites stays as they begin and end. It remembers those that go on, and of each channel those that ended at its last
/// effective time: another one may begin at that very moment.
pub(super) struct StayUnion {
    scale: Scale,
    uniting: HashMap<UserPlace, Uniting>,
    /// By channel: when the last ones ended, and which.
    ended: HashMap<String, (Millis, Vec<UserPlace>)>,
    ready: VecDeque<UnitedStay>,
}

impl StayUnion {
    pub fn new(scale: Scale) -> StayUnion {
        StayUnion {
            scale,
            uniting: HashMap::new(),
            ended: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    fn place(&self, member: MemberId, names: &Names) -> UserPlace {
        let key = names.key(member);
        let text = |name| names.text(name).to_owned();
        UserPlace {
            channel: text(key.channel),
            topic: (self.scale == Scale::Topic).then(|| text(key.topic)),
            user: text(key.user),
        }
    }

    /// Whether none is whole at the moment.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// The next one that is whole.
    pub fn pop(&mut self) -> Option<UnitedStay> {
        self.ready.pop_front()
    }

    /// Takes what comes next; `None` is the end.
    pub fn take(&mut self, step: Option<&StayStep>, names: &Names) {
        match step {
            Some(StayStep::Began(member, at)) => self.began(*member, *at, names),
            Some(StayStep::Ended(stay)) => self.ended(stay, names),
            Some(StayStep::Dropped(member)) => self.dropped(*member, names),
            Some(StayStep::Open(stay)) => {
                self.end();
                self.goes_on(stay, names);
            }
            None => self.end(),
        }
    }

    /// A member's stay begins.
    fn began(&mut self, member: MemberId, at: Millis, names: &Names) {
        let place = self.place(member, names);
        self.pass(&place.channel, at);
        self.uniting.entry(place).or_default().open += 1;
    }

    /// A member's stay is over.
    fn ended(&mut self, stay: &KnownStay, names: &Names) {
        let place = self.place(stay.member, names);
        self.pass(&place.channel, stay.present.to);
        self.add(&place, stay);
        self.one_less(place, stay.present.to);
    }

    /// A member's stay counts no more.
    fn dropped(&mut self, member: MemberId, names: &Names) {
        let place = self.place(member, names);
        let so_far = self.uniting.get(&place).and_then(|it| it.so_far.as_ref());
        let at = so_far.map_or(Millis::MIN, |so_far| so_far.present.to);
        self.one_less(place, at);
    }

    /// A member's stay goes on at the end of the log; behind the end.
    fn goes_on(&mut self, stay: &KnownStay, names: &Names) {
        let place = self.place(stay.member, names);
        self.add(&place, stay);
        if let Some(uniting) = self.uniting.get_mut(&place) {
            uniting.open = uniting.open.saturating_sub(1);
            if uniting.open == 0 {
                let whole = self.uniting.remove(&place);
                self.ready.extend(whole.and_then(|it| it.so_far));
            }
        }
    }

    /// The log is at its end: what has ended is whole.
    fn end(&mut self) {
        let places = std::mem::take(&mut self.ended).into_values();
        let mut last: Vec<UnitedStay> = places
            .flat_map(|(_, places)| places)
            .filter_map(|place| whole(&mut self.uniting, &place))
            .collect();
        last.sort_by_key(|united| united.leave.map(|leave| leave.seq));
        self.ready.extend(last);
    }

    /// Time goes on in a channel: what ended before is whole.
    fn pass(&mut self, channel: &str, at: Millis) {
        if let Some((ended, places)) = self.ended.get_mut(channel)
            && *ended < at
        {
            let places = places.drain(..);
            self.ready
                .extend(places.filter_map(|place| whole(&mut self.uniting, &place)));
            self.ended.remove(channel);
        }
    }

    fn add(&mut self, place: &UserPlace, stay: &KnownStay) {
        let uniting = self.uniting.entry(place.clone()).or_default();
        match &mut uniting.so_far {
            Some(united) => united.add(stay),
            None => uniting.so_far = Some(UnitedStay::of(place.clone(), stay)),
        }
    }

    fn one_less(&mut self, place: UserPlace, at: Millis) {
        let Some(uniting) = self.uniting.get_mut(&place) else {
            return;
        };
        uniting.open = uniting.open.saturating_sub(1);
        if uniting.open > 0 {
            return;
        }
        if uniting.so_far.is_none() {
            self.uniting.remove(&place);
            return;
        }
        let new = || (at, Vec::new());
        let (ended, places) = self.ended.entry(place.channel.clone()).or_insert_with(new);
        *ended = at.max(*ended);
        places.push(place);
    }
}

/// A united stay, if nobody of its place is there.
fn whole(uniting: &mut HashMap<UserPlace, Uniting>, place: &UserPlace) -> Option<UnitedStay> {
    let none = |uniting: &Uniting| uniting.open == 0;
    uniting.get(place).filter(|it| none(it))?;
    uniting.remove(place)?.so_far
}
