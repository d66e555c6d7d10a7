//! The way from the source to the store: lines are put together, lost, late, doubled, and recorded.

use super::link::{Said, Sent, Told, Wire};
use super::mix::Stamps;
use super::world::Position;
use crate::domain::time::Millis;

impl Wire<'_> {
    /// What the way does to the lines: some are lost, late, doubled or put together.
    pub fn weaken(&mut self) {
        self.sent.sort_by_key(|sent| (sent.at, sent.order));
        let source = self.mix.source;
        if source.together > 0 {
            self.put_together();
        }
        let mut burst_until = Millis::MIN;
        let mut weakened: Vec<Sent> = Vec::with_capacity(self.sent.len());
        for mut sent in std::mem::take(&mut self.sent) {
            let live = matches!(sent.said, Said::Changes { .. });
            let movable = live || matches!(sent.said, Said::Snapshot(_));
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
                weakened.push(Sent {
                    at: sent.at + later,
                    ..again
                });
            }
            weakened.push(sent);
        }
        // What is still on its way when the link is lost reaches nobody.
        weakened.retain(|sent| {
            let own = matches!(sent.said, Said::Link { .. } | Said::Token(_));
            own || self.watched.iter().any(|up| up.contains(&sent.at))
        });
        weakened.sort_by_key(|sent| sent.at);
        self.sent = weakened;
    }

    /// Live events that stand side by side come in one line.
    fn put_together(&mut self) {
        let mut lines: Vec<Sent> = Vec::with_capacity(self.sent.len());
        let mut shown = Vec::new();
        for sent in std::mem::take(&mut self.sent) {
            if let Said::Snapshot(snapshot) = &sent.said {
                shown.push(snapshot.channel);
            }
            // In a `diff` a change looks like a join: none comes before a snapshot.
            if let Some(last) = lines.last_mut()
                && self.goes_with(last, &sent)
                && self.channel_of(&sent).is_some_and(|it| shown.contains(&it))
                && self.dice.falls(self.mix.source.together)
                && let (Said::Changes { of, .. }, Said::Changes { of: more, .. }) =
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

    /// The channel of live changes.
    fn channel_of(&self, line: &Sent) -> Option<usize> {
        let Said::Changes { of, .. } = &line.said else {
            return None;
        };
        let change = self.world.change(*of.first()?)?;
        Some(self.world.member(change.who)?.channel)
    }

    /// Whether two lines are of different people in one channel.
    fn goes_with(&self, line: &Sent, next: &Sent) -> bool {
        let (Said::Changes { of, .. }, Said::Changes { of: more, .. }) = (&line.said, &next.said)
        else {
            return false;
        };
        let up = self.watched.iter().find(|up| up.contains(&line.at));
        let who = |at: &Position| self.world.change(*at).map(|change| change.who);
        let same = self.channel_of(line) == self.channel_of(next);
        let different = more
            .iter()
            .all(|at| of.iter().all(|other| who(other) != who(at)));
        same && different && up.is_some_and(|up| up.contains(&next.at))
    }

    /// Gives each line the time at which it is recorded: none overtakes another on the last stretch.
    pub fn arrive(self, observer: usize, recording_off: Millis, clock_off: Millis) -> Vec<Told> {
        let Wire {
            mix,
            sent,
            mut dice,
            ..
        } = self;
        let mut last = Millis::MIN;
        let mut told = Vec::with_capacity(sent.len());
        for Sent {
            at,
            stamp,
            id,
            said,
            ..
        } in sent
        {
            last = last.max(at + dice.within(0..mix.source.latency_ms + 1));
            let own = matches!(said, Said::Link { .. } | Said::Token(_));
            let stamp = if own {
                // Some bridges stamp these, by their own clock.
                Some(at + clock_off).filter(|_| dice.falls(500))
            } else {
                Some(mix.stamped(stamp)).filter(|_| mix.source.stamps != Stamps::None)
            };
            told.push(Told {
                observer,
                recorded: last + recording_off,
                stamp,
                id,
                said,
            });
        }
        told
    }
}
