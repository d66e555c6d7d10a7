//! The truth: channels, topics and users who join, change and leave. Nothing is observed here, and nothing is lost.

use super::mix::Mix;
use super::rng::SimRng;
use crate::domain::time::Millis;
use std::ops::Range;

/// When every world begins, Unix ms.
pub(super) const DAWN: Millis = 1_700_000_000_000;

/// Names that have broken programs before.
const CHANNELS: [&str; 5] = ["studio-7", "a/b c", "studio-70", "🎧", "message:studio-7"];
const TOPICS: [&str; 4] = ["chat", "__proto__", "gesture.*", "presence"];
/// The presence channel and topic, as places in both lists. The channels and topics of other worlds come before them.
pub(super) const PRESENCE_CHANNEL: usize = 4;
pub(super) const PRESENCE_TOPIC: usize = 3;
const USERS: [&str; 8] = [
    "ann",
    "bob",
    "cy ",
    "#dee",
    "🦀",
    "Ann",
    "null",
    "constructor",
];
const CONNECTIONS: [&str; 2] = ["c1", "c2"];
/// The number of different metadata values. It is small, so that some members change back to an earlier value.
pub(super) const METAS: i64 = 4;

/// A possible member: its place in [`World::members`].
pub(super) type Person = usize;
/// A place in the source's own order: the number of changes that it has taken in.
pub(super) type Position = usize;
/// The number of a metadata value.
pub(super) type MetaNumber = i64;

/// A member by the numbers of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorldMember {
    pub channel: usize,
    pub topic: usize,
    pub user: usize,
    /// `None` where the source allows only one instance of a user.
    pub connection: Option<usize>,
}

impl WorldMember {
    pub fn channel_name(self) -> &'static str {
        name(&CHANNELS, self.channel)
    }

    pub fn topic_name(self) -> &'static str {
        topic_name(self.topic)
    }

    pub fn user_name(self) -> &'static str {
        name(&USERS, self.user)
    }

    pub fn connection_name(self) -> &'static str {
        self.connection.map_or("", |at| name(&CONNECTIONS, at))
    }

    /// Topic, user and connection, as answers name them.
    pub fn key(self) -> [&'static str; 3] {
        [self.topic_name(), self.user_name(), self.connection_name()]
    }
}

fn name(names: &[&'static str], at: usize) -> &'static str {
    names.get(at).copied().unwrap_or_default()
}

pub(super) fn channel_name(at: usize) -> &'static str {
    name(&CHANNELS, at)
}

pub(super) fn topic_name(at: usize) -> &'static str {
    name(&TOPICS, at)
}

/// What a member did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorldAction {
    Came(MetaNumber),
    Changed(MetaNumber),
    Went,
}

impl WorldAction {
    /// The member's metadata after the action; `None` when it is absent.
    pub fn meta(self) -> Option<MetaNumber> {
        match self {
            WorldAction::Came(meta) | WorldAction::Changed(meta) => Some(meta),
            WorldAction::Went => None,
        }
    }
}

/// One true change.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorldChange {
    pub who: Person,
    pub deed: WorldAction,
    /// When it happened.
    pub at: Millis,
    /// When the source noticed it. The source reports, stamps and orders changes by this time.
    pub noticed: Millis,
    /// The user disappeared without a message; a time-out reported it.
    pub vanished: bool,
}

/// Everything that happened.
pub(super) struct World {
    pub members: Vec<WorldMember>,
    pub channels: Range<usize>,
    /// In the source's order: the first change has position 1.
    pub changes: Vec<WorldChange>,
    /// The ranges of time in which changes are reported once an interval.
    pub intervals: Vec<Range<Millis>>,
    /// The earliest moment at which an observer begins to watch. Some members are already present.
    pub opening: Millis,
    /// A moment after the last change.
    pub dusk: Millis,
}

impl World {
    /// A world whose members join topics.
    pub fn of_topics(mix: &Mix, seed: u64) -> World {
        let mut dice = SimRng::new(seed, 1);
        let channels = match mix.source.channels {
            0 => 1 + dice.one_of(2),
            channels => channels,
        };
        let topics = 1 + dice.one_of(PRESENCE_TOPIC);
        let users = 3 + dice.one_of(USERS.len() - 2);
        let members = members(channels, topics, users, mix.source.connections);
        let count = match mix.source.channels {
            0 => 10 + dice.one_of(40),
            _ => 20 + dice.one_of(80),
        };
        let mut making = Making {
            mix,
            dice,
            there: vec![None; members.len()],
            free_at: vec![DAWN; members.len()],
            changes: Vec::with_capacity(count),
            now: DAWN,
            busy_channels: mix.source.channels.max(1),
        };
        let early = making.dice.one_of(count / 3);
        let mut opening = DAWN;
        for made in 0..count {
            if made == early {
                opening = making.now;
            }
            making.step(&members);
        }
        let Making {
            mut changes, now, ..
        } = making;
        changes.sort_by_key(|change| change.noticed);
        let last = changes.last().map_or(now, |change| change.noticed);
        World {
            members,
            channels: 0..channels,
            changes,
            intervals: Vec::new(),
            opening,
            dusk: last + mix.source.pace_ms,
        }
    }

    pub fn member(&self, who: Person) -> Option<WorldMember> {
        self.members.get(who).copied()
    }

    /// All possible members of a channel.
    pub fn of_channel(&self, channel: usize) -> impl Iterator<Item = Person> + '_ {
        let of = move |(_, member): &(Person, &WorldMember)| member.channel == channel;
        self.members
            .iter()
            .enumerate()
            .filter(of)
            .map(|(who, _)| who)
    }

    /// Finds a member by its names.
    pub fn find(&self, channel: &str, key: [&str; 3]) -> Option<Person> {
        self.members
            .iter()
            .position(|member| member.channel_name() == channel && member.key() == key)
    }

    pub fn change(&self, at: Position) -> Option<&WorldChange> {
        self.changes.get(at.checked_sub(1)?)
    }

    /// The changes of one member after position `behind`, up to and including position `up_to`.
    pub fn between(
        &self,
        who: Person,
        behind: Position,
        up_to: Position,
    ) -> impl Iterator<Item = (Position, &WorldChange)> {
        let changes = self.changes.iter().enumerate().map(|(at, it)| (at + 1, it));
        changes
            .take(up_to)
            .skip(behind)
            .filter(move |(_, change)| change.who == who)
    }

    /// The metadata of a member at a position; `None` when it is absent.
    pub fn state(&self, who: Person, at: Position) -> Option<MetaNumber> {
        let last = self
            .changes
            .iter()
            .take(at)
            .rev()
            .find(|it| it.who == who)?;
        last.deed.meta()
    }

    /// The ranges of time in which a member was present, by `clock`. A stay that never ended goes to the end of time.
    pub fn stays(&self, who: Person, clock: impl Fn(Millis) -> Millis) -> Vec<Range<Millis>> {
        let mut stays: Vec<Range<Millis>> = Vec::new();
        for (_, change) in self.between(who, 0, self.changes.len()) {
            let at = clock(change.at);
            match change.deed {
                WorldAction::Came(_) => stays.push(at..Millis::MAX),
                WorldAction::Changed(_) => {}
                WorldAction::Went => {
                    if let Some(last) = stays.last_mut() {
                        last.end = at;
                    }
                }
            }
        }
        stays
    }

    /// How many changes the source has noticed before a moment, and how many up to and including it.
    pub fn positions_at(&self, moment: Millis) -> (Position, Position) {
        let before = self.changes.partition_point(|it| it.noticed < moment);
        let by = self.changes.partition_point(|it| it.noticed <= moment);
        (before, by)
    }
}

fn members(channels: usize, topics: usize, users: usize, connections: bool) -> Vec<WorldMember> {
    let ways: &[Option<usize>] = if connections {
        &[Some(0), Some(1)]
    } else {
        &[None]
    };
    let mut members = Vec::new();
    for channel in 0..channels {
        for topic in 0..topics {
            for user in 0..users {
                members.extend(ways.iter().map(|&connection| WorldMember {
                    channel,
                    topic,
                    user,
                    connection,
                }));
            }
        }
    }
    members
}

/// A world under construction.
struct Making<'a> {
    mix: &'a Mix,
    dice: SimRng,
    there: Vec<Option<MetaNumber>>,
    /// When each member can act again: no member does two things at once.
    free_at: Vec<Millis>,
    changes: Vec<WorldChange>,
    now: Millis,
    /// The number of channels over which the few busy members are spread.
    busy_channels: usize,
}

impl Making<'_> {
    /// One member acts. At times a member that leaves moves to another connection or topic, which is a second action.
    fn step(&mut self, members: &[WorldMember]) {
        let pace = self.mix.source.pace_ms;
        let wait = match self.dice.one_of(4) {
            // Different members may act at the same time.
            0 => self.dice.within(0..2),
            _ => self.dice.within(0..2 * pace),
        };
        self.now += wait;
        // Few members are busy, so that some of them come back while no observer watches.
        let busy = self.dice.one_of(members.len());
        let who = if self.dice.falls(600) {
            let of_channel = members.len() / self.busy_channels;
            let channel = match self.busy_channels {
                1 => 0,
                channels => self.dice.one_of(channels),
            };
            channel * of_channel + busy % 3.min(of_channel)
        } else {
            busy
        };
        let Some(&there) = self.there.get(who) else {
            return;
        };
        let deed = match there {
            None => WorldAction::Came(self.dice.within(0..METAS)),
            Some(meta) if self.dice.falls(400) => {
                WorldAction::Changed((meta + self.dice.within(1..METAS)) % METAS)
            }
            Some(_) => WorldAction::Went,
        };
        self.does(who, deed);
        if deed == WorldAction::Went && self.dice.falls(400) {
            self.moves(who, members);
        }
    }

    /// A user who has left one place appears in another place of the same channel.
    fn moves(&mut self, from: Person, members: &[WorldMember]) {
        let Some(old) = members.get(from) else { return };
        let is_other = |(who, member): &(Person, &WorldMember)| {
            *who != from && member.channel == old.channel && member.user == old.user
        };
        let places: Vec<Person> = members
            .iter()
            .enumerate()
            .filter(is_other)
            .map(|(who, _)| who)
            .collect();
        let to = self.dice.pick(&places).copied();
        let absent = |to: &Person| self.there.get(*to).is_some_and(Option::is_none);
        if let Some(to) = to.filter(absent) {
            let meta = self.dice.within(0..METAS);
            self.does(to, WorldAction::Came(meta));
        }
    }

    fn does(&mut self, who: Person, deed: WorldAction) {
        let Some(free_at) = self.free_at.get_mut(who) else {
            return;
        };
        let at = self.now.max(*free_at);
        self.now = at;
        // The source notices the actions of one member in their true order.
        let late = self.dice.within(0..self.mix.source.notice_ms + 1);
        let noticed = (at + late).max(*free_at);
        *free_at = noticed + 1;
        if let Some(there) = self.there.get_mut(who) {
            *there = deed.meta();
        }
        self.changes.push(WorldChange {
            who,
            deed,
            at,
            noticed,
            vanished: false,
        });
    }
}
