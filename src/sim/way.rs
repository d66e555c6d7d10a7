//! The way from the source to the store: lines are merged, lost, delayed, doubled, and recorded.

use super::link::Wire;
use super::mix::{LinkKind, Stamps};
use super::told::{SentLine, SimLine, SimLink, SimPayload};
use super::world::Position;
use crate::domain::event::Connection;
use crate::domain::time::Millis;

impl Wire<'_> {
    /// Applies the faults of the way: some lines are lost, late, doubled or merged.
    pub fn weaken(&mut self) {
        self.sent.sort_by_key(|sent| (sent.at, sent.order));
        let source = self.mix.source;
        if source.together > 0 {
            self.put_together();
        }
        let mut burst_until = Millis::MIN;
        let mut weakened: Vec<SentLine> = Vec::with_capacity(self.sent.len());
        for mut sent in std::mem::take(&mut self.sent) {
            let live = matches!(sent.said, SimPayload::Changes { .. });
            let movable = live || matches!(sent.said, SimPayload::Snapshot(_));
            if live && self.dice.falls(source.lost) {
                if self.dice.falls(200) {
                    burst_until = sent.at + self.dice.within(0..6 * source.pace_ms);
                }
                continue;
            }
            if live && sent.at < burst_until {
                continue;
            }
            if movable && self.dice.falls(source.late) {
                sent.at += self.dice.within(1..5 * source.pace_ms);
            }
            if movable && self.dice.falls(source.twice) {
                let later = match self.dice.one_of(2) {
                    0 => 0,
                    _ => self.dice.within(1..5 * source.pace_ms),
                };
                let again = sent.clone();
                weakened.push(SentLine {
                    at: sent.at + later,
                    ..again
                });
            }
            weakened.push(sent);
        }
        // Lines that are in transit when the link is lost do not arrive.
        weakened.retain(|sent| {
            let own = matches!(
                sent.said,
                SimPayload::Link { .. } | SimPayload::Token(_) | SimPayload::Connection(_)
            );
            own || self.watched.iter().any(|up| up.contains(&sent.at))
        });
        weakened.sort_by_key(|sent| sent.at);
        self.sent = weakened;
    }

    /// Merges neighbouring live events into one line.
    fn put_together(&mut self) {
        let mut lines: Vec<SentLine> = Vec::with_capacity(self.sent.len());
        let mut shown = Vec::new();
        for sent in std::mem::take(&mut self.sent) {
            if let SimPayload::Snapshot(snapshot) = &sent.said {
                shown.push(snapshot.channel);
            }
            // In a `diff` a change looks like a join, so none is sent before the first snapshot.
            if let Some(last) = lines.last_mut()
                && self.goes_with(last, &sent)
                && sent
                    .said
                    .channel(self.world)
                    .is_some_and(|it| shown.contains(&it))
                && self.dice.falls(self.mix.source.together)
                && let (SimPayload::Changes { of, .. }, SimPayload::Changes { of: more, .. }) =
                    (&mut last.said, &sent.said)
            {
                of.extend(more);
                (last.at, last.stamp) = (sent.at, sent.stamp);
                continue;
            }
            lines.push(sent);
        }
        self.sent = lines;
    }

    /// Whether two lines report different members of the same channel.
    fn goes_with(&self, line: &SentLine, next: &SentLine) -> bool {
        let (SimPayload::Changes { of, .. }, SimPayload::Changes { of: more, .. }) =
            (&line.said, &next.said)
        else {
            return false;
        };
        let up = self.watched.iter().find(|up| up.contains(&line.at));
        let who = |at: &Position| self.world.change(*at).map(|change| change.who);
        let same = line.said.channel(self.world) == next.said.channel(self.world);
        let different = more
            .iter()
            .all(|at| of.iter().all(|other| who(other) != who(at)));
        same && different && up.is_some_and(|up| up.contains(&next.at))
    }

    /// Gives each line its time of recording, in the order in which the lines were sent. Where the connection to the
    /// store breaks off and is resumed, lines wait for it.
    pub fn arrive(
        mut self,
        observer: usize,
        recording_off: Millis,
        clock_off: Millis,
    ) -> Vec<SimLine> {
        let sent = std::mem::take(&mut self.sent);
        let source = self.mix.source;
        let mut last = Millis::MIN;
        // The connection event that comes with the next line.
        let mut greeting = None;
        let mut told = Vec::with_capacity(sent.len());
        for SentLine {
            at,
            stamp,
            id,
            said,
            ..
        } in sent
        {
            last = last.max(at + self.dice.within(0..source.latency_ms + 1));
            let stamp = self.stamp(&said, at, stamp, clock_off);
            let mut tell = |recorded, stamp, said| {
                told.push(SimLine {
                    observer,
                    recorded: recorded + recording_off,
                    stamp,
                    id,
                    said,
                });
            };
            match said {
                SimPayload::Connection(what @ Connection::Up) => greeting = Some(what),
                SimPayload::Connection(what) => {
                    greeting = None;
                    tell(last, None, SimPayload::Connection(what));
                }
                line => {
                    if greeting.is_none() && self.dice.falls(source.resumed) {
                        let back = last + self.dice.within(1..8 * source.pace_ms);
                        if self.dice.falls(800) {
                            let noticed = self.dice.within(last..back);
                            tell(noticed, None, SimPayload::Connection(self.broken()));
                        }
                        last = back;
                        greeting = Some(Connection::Resumed);
                    }
                    if let Some(what) = greeting.take() {
                        tell(last, stamp, SimPayload::Connection(what));
                    }
                    tell(last, stamp, line);
                }
            }
        }
        told
    }

    /// The time stamp of a line, if any.
    fn stamp(
        &mut self,
        said: &SimPayload,
        at: Millis,
        stamp: Millis,
        clock_off: Millis,
    ) -> Option<Millis> {
        let source = self.mix.source;
        match said {
            SimPayload::Connection(_) => None,
            // The moment at which the source had sent everything makes sense only by the source's clock.
            SimPayload::Link {
                event: SimLink::Synced,
                ..
            } => Some(at),
            // Some bridges stamp these lines by their own clock. A client like agora-rtm stamps them like other
            // events.
            SimPayload::Link { .. } | SimPayload::Token(_) => {
                let stamped = match source.link {
                    LinkKind::Client(_) => 900,
                    _ => 500,
                };
                Some(at + clock_off).filter(|_| self.dice.falls(stamped))
            }
            _ => Some(self.mix.stamped(stamp)).filter(|_| source.stamps != Stamps::None),
        }
    }
}
