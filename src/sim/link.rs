//! The weak link: which snapshots and live events a source sends to an observer while the link is up, and what the
//! observer reports when the link is lost. `way` decides what happens to these lines in transit.

use super::mix::{LinkKind, Mix, Stamps};
use super::rng::SimRng;
use super::told::{Extent, SentLine, SimLine, SimLink, SimListing, SimPayload, SimToken};
use super::world::{Person, Position, World};
use crate::domain::event::Connection;
use crate::domain::time::Millis;
use std::ops::Range;

/// All lines of all observers, in the order in which the store records them.
pub(super) fn tell(mix: &Mix, world: &World, seed: u64) -> Vec<SimLine> {
    let mut dice = SimRng::new(seed, 2);
    let off = mix.source.clocks_off_ms;
    let recording_off = dice.within(-off..off + 1);
    let mut told = Vec::new();
    for observer in 0..mix.source.observers {
        let mut wire = Wire {
            mix,
            world,
            agora: mix.speaks_agora(seed),
            dice: SimRng::new(seed, 3 + observer as u64),
            sent: Vec::new(),
            watched: Vec::new(),
            ids: 0,
        };
        let clock_off = wire.dice.within(-off..off + 1);
        match mix.source.link {
            LinkKind::Client(reconnection) => wire.follow(&reconnection, observer),
            LinkKind::Steady | LinkKind::Told | LinkKind::Silent | LinkKind::Served => wire.watch(),
        }
        wire.weaken();
        told.extend(wire.arrive(observer, recording_off, clock_off));
    }
    told.sort_by_key(|told| told.recorded);
    told
}

/// One observer's connection to the source.
pub(super) struct Wire<'a> {
    pub mix: &'a Mix,
    pub world: &'a World,
    pub agora: bool,
    pub dice: SimRng,
    pub sent: Vec<SentLine>,
    /// The ranges of time in which it was up.
    pub watched: Vec<Range<Millis>>,
    pub ids: usize,
}

impl Wire<'_> {
    /// Brings the link up and loses it, again and again, until the world ends.
    fn watch(&mut self) {
        let pace = self.mix.source.pace_ms;
        let told = self.mix.source.link == LinkKind::Told;
        let mut up = self.world.opening + self.dice.within(0..pace);
        if self.mix.is_served() {
            self.say(up, SimPayload::Connection(Connection::Up));
        }
        if told && self.dice.falls(500) {
            self.link(up, SimLink::Up, None);
        }
        loop {
            let stay = match self.dice.one_of(4) {
                0 => self.dice.within(1..pace),
                _ => self.dice.within(pace..15 * pace),
            };
            let lost = match self.mix.source.link {
                LinkKind::Steady => self.world.dusk,
                LinkKind::Told | LinkKind::Silent | LinkKind::Served | LinkKind::Client(_) => {
                    up + stay
                }
            };
            self.session(up, lost);
            if lost >= self.world.dusk {
                return;
            }
            let away = match self.dice.one_of(2) {
                0 => self.dice.within(1..pace),
                _ => self.dice.within(pace..12 * pace),
            };
            let back = lost + away;
            match self.mix.source.link {
                LinkKind::Told => self.tell_of_the_link(lost, back),
                LinkKind::Served => self.tell_of_the_connection(lost, back),
                LinkKind::Steady | LinkKind::Silent | LinkKind::Client(_) => {}
            }
            if back >= self.world.dusk {
                return;
            }
            up = back;
        }
    }

    /// Reports the lost link after some delay, and then its return.
    fn tell_of_the_link(&mut self, lost: Millis, back: Millis) {
        let noticed = self.dice.within(lost..back);
        let expired = self.dice.falls(self.mix.source.expired);
        if expired {
            let warned = lost - self.mix.source.pace_ms;
            self.say(warned, SimPayload::Token(SimToken::WillExpire));
        }
        let event = if expired {
            SimLink::Expired
        } else {
            SimLink::Down
        };
        self.link(noticed, event, None);
        if expired {
            self.say(noticed, SimPayload::Token(SimToken::Expired));
            self.say(back, SimPayload::Token(SimToken::Renewed));
        }
        if back < self.world.dusk {
            self.link(back, SimLink::Up, None);
        }
    }

    /// The server notices the lost connection after some delay; at the latest when the next connection comes up.
    fn tell_of_the_connection(&mut self, lost: Millis, back: Millis) {
        if self.dice.falls(800) {
            let noticed = self.dice.within(lost..back);
            let what = self.broken();
            self.say(noticed, SimPayload::Connection(what));
        }
        self.say(back, SimPayload::Connection(Connection::Up));
    }

    /// How the connection broke off: it was lost, or its server died.
    pub fn broken(&mut self) -> Connection {
        if self.dice.falls(300) {
            Connection::Restart
        } else {
            Connection::Lost
        }
    }

    pub fn link(&mut self, at: Millis, event: SimLink, channel: Option<usize>) {
        self.say(at, SimPayload::Link { event, channel });
    }

    /// Sends a line that the observer itself makes: nothing can happen to it in transit.
    fn say(&mut self, at: Millis, said: SimPayload) {
        self.send(at, (0, 0), at, said);
    }

    pub fn send(&mut self, at: Millis, order: (Position, u8), stamp: Millis, said: SimPayload) {
        self.ids += 1;
        let id = self.ids;
        self.sent.push(SentLine {
            at,
            order,
            stamp,
            id,
            said,
        });
    }

    /// Sends what comes while the link is up: a snapshot of each channel, and live events.
    fn session(&mut self, up: Millis, lost: Millis) {
        self.watched.push(up..lost);
        let begun = self.sent.len();
        let subscribed = self.world.positions_at(up).1;
        let mut channels: Vec<usize> = self.world.channels.clone().collect();
        self.dice.shuffle(&mut channels);
        let mut at = up;
        let mut from = vec![subscribed; self.world.channels.end];
        for channel in channels {
            at += self.dice.within(0..self.mix.source.pace_ms / 4);
            // In Agora's shape a change looks like a join. Therefore its SDK begins with a complete snapshot.
            let first_watch = self.agora && !self.has_shown(channel);
            let silent = self.mix.source.link != LinkKind::Told || first_watch;
            let (first, mut free_at) = if first_watch {
                self.snapshot(channel, at, subscribed, false, 0)
            } else {
                self.snapshots(channel, at, subscribed, silent)
            };
            if let Some(from) = from.get_mut(channel).filter(|_| silent) {
                *from = first;
            }
            while self.dice.falls(self.mix.source.refreshed) {
                let later = free_at + self.dice.within(1..8 * self.mix.source.pace_ms);
                (_, free_at) = self.snapshots(channel, later, subscribed, false);
            }
        }
        for (index, change) in self.world.changes.iter().enumerate().skip(subscribed) {
            let position = index + 1;
            let channel = self.world.member(change.who).map_or(0, |it| it.channel);
            if from.get(channel).is_some_and(|&from| position > from) {
                let bare = self.dice.falls(self.mix.source.bare);
                let of = vec![position];
                let noticed = change.noticed;
                self.send(
                    noticed,
                    (position, 0),
                    noticed,
                    SimPayload::Changes { of, bare },
                );
            }
        }
        // Lines sent after the link was lost do not arrive.
        let mut place = 0;
        self.sent.retain(|sent| {
            place += 1;
            place <= begun || sent.at < lost
        });
    }

    /// Whether a snapshot of a channel has been sent.
    fn has_shown(&self, channel: usize) -> bool {
        self.sent.iter().any(|sent| match &sent.said {
            SimPayload::Snapshot(shown) => shown.channel == channel,
            _ => false,
        })
    }

    /// A position that can be read at a moment. It may lie between two changes of that moment.
    pub fn read_at(&mut self, moment: Millis, at_least: Position) -> Position {
        let (before, by) = self.world.positions_at(moment);
        let source = self.mix.source;
        // A presence service reports all changes of a moment together.
        if self.world.is_presence() {
            return by.max(at_least);
        }
        let in_order = source.late + source.overtaken + source.twice == 0;
        let ties = if in_order || source.stamps == Stamps::TimesAndPositions {
            self.dice.one_of(by - before + 1)
        } else {
            // Where lines arrive out of order, times alone must show which line is newer.
            by - before
        };
        (before + ties).max(at_least)
    }

    /// Sends one or more snapshots of a channel; the last one is usually complete. Returns the position that the
    /// first one shows, and the time at which the last one was sent.
    fn snapshots(
        &mut self,
        channel: usize,
        at: Millis,
        least: Position,
        punctual: bool,
    ) -> (Position, Millis) {
        let source = self.mix.source;
        if self.dice.falls(source.paged) {
            return self.pages(channel, at, least);
        }
        let incomplete = self.dice.falls(source.incomplete);
        let late = if !punctual && self.dice.falls(source.overtaken) {
            self.dice.within(1..2 * source.pace_ms)
        } else {
            0
        };
        let (read, at) = self.snapshot(channel, at, least, incomplete, late);
        if incomplete && self.dice.falls(800) {
            let later = at + 1 + self.dice.within(0..3 * source.pace_ms);
            return (read, self.snapshots(channel, later, read, false).1);
        }
        (read, at)
    }

    /// Sends a snapshot that arrives `late` ms after it was read.
    pub fn snapshot(
        &mut self,
        channel: usize,
        at: Millis,
        least: Position,
        incomplete: bool,
        late: Millis,
    ) -> (Position, Millis) {
        let read = self.read_at(at, least);
        let shown = self.shown(channel, read, incomplete);
        let stamp = at + self.dice.within(0..self.mix.source.stamped_late_ms + 1);
        self.send(at + late, (read, 1), stamp, SimPayload::Snapshot(shown));
        (read, at)
    }

    pub fn present(&self, channel: usize, read: Position) -> Vec<Person> {
        let of_channel = self.world.of_channel(channel);
        of_channel
            .filter(|&who| self.world.state(who, read).is_some())
            .collect()
    }

    pub fn shown(&mut self, channel: usize, read: Position, incomplete: bool) -> SimListing {
        let mut listed = self.present(channel, read);
        let topic_of = |who: &Person| self.world.member(*who).map_or(0, |member| member.topic);
        let mut totals: Vec<(usize, usize)> = Vec::new();
        for topic in listed.iter().map(topic_of) {
            match totals.iter_mut().find(|(counted, _)| *counted == topic) {
                Some((_, total)) => *total += 1,
                None => totals.push((topic, 1)),
            }
        }
        let left_out = self.dice.pick(&totals).map(|&(topic, _)| topic);
        let extent = match (incomplete, self.dice.one_of(3), left_out) {
            (false, ..) => Extent::Whole,
            // Rollbook's own shape only says that something is missing.
            (true, 1, Some(_)) if self.agora => Extent::TopicsLeftOut,
            (true, 2, Some(_)) if self.agora => Extent::PublishersLeftOut,
            (true, ..) => Extent::Part,
        };
        match extent {
            Extent::Whole => {}
            Extent::Part => listed.retain(|_| self.dice.falls(600)),
            Extent::TopicsLeftOut => listed.retain(|who| Some(topic_of(who)) != left_out),
            Extent::PublishersLeftOut => {
                let mut short = false;
                listed.retain(|who| {
                    let goes = Some(topic_of(who)) == left_out && (!short || self.dice.falls(300));
                    short |= goes;
                    !goes
                });
            }
        }
        let shows = |who: &Person| {
            let topic = topic_of(who);
            match extent {
                Extent::Whole => true,
                Extent::Part => false,
                // Only listed topics are known completely: an unlisted topic may have been left out.
                Extent::TopicsLeftOut => listed.iter().any(|other| topic_of(other) == topic),
                Extent::PublishersLeftOut => Some(topic) != left_out,
            }
        };
        let unlisted = self.world.of_channel(channel);
        let absent = unlisted
            .filter(|who| !listed.contains(who) && shows(who))
            .collect();
        let bare = self.dice.falls(self.mix.source.bare);
        SimListing {
            channel,
            read,
            listed,
            absent,
            totals,
            extent,
            bare,
        }
    }

    /// Sends a snapshot in pages. Each page is read when it is sent. Some snapshots are given up and begun again.
    fn pages(&mut self, channel: usize, begin: Millis, at_least: Position) -> (Position, Millis) {
        let sync = self.ids;
        let pace = self.mix.source.pace_ms;
        let first = self.read_at(begin, at_least);
        let read = first;
        self.send(
            begin,
            (read, 2),
            begin,
            SimPayload::Begin {
                sync,
                channel,
                read,
            },
        );
        let everybody: Vec<Person> = self.world.of_channel(channel).collect();
        let (mut at, mut read) = (begin, read);
        for part in everybody.chunks(1 + self.dice.one_of(everybody.len())) {
            at += self.dice.within(0..2 * pace);
            if self.dice.falls(100) {
                return (first, self.pages(channel, at + 1, read).1);
            }
            read = self.read_at(at, read);
            let is_there = |who: &Person| self.world.state(*who, read).is_some();
            let (listed, absent) = part.iter().copied().partition(is_there);
            let shown = SimListing {
                channel,
                read,
                listed,
                absent,
                totals: Vec::new(),
                extent: Extent::Whole,
                bare: self.dice.falls(self.mix.source.bare),
            };
            self.send(at, (read, 3), at, SimPayload::Page { sync, shown });
        }
        at += self.dice.within(0..pace);
        let read = self.read_at(at, read);
        self.send(
            at,
            (read, 4),
            at,
            SimPayload::End {
                sync,
                channel,
                read,
            },
        );
        (first, at)
    }
}
