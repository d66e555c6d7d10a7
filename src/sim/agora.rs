//! Simulates a client like agora-rtm. Each channel has its own link, and a loss is noticed late. After a resumed
//! session the client sends no snapshot: it sends the differences between the server's list and its own. The rates
//! come from the mix.

use super::link::Wire;
use super::mix::Reconnection;
use super::told::{SimLink, SimPayload};
use super::world::{Person, Position, WorldAction};
use crate::domain::time::Millis;
use std::collections::BTreeSet;
use std::ops::Range;

/// A user whom the server does not name within this time after a resumption counts as gone.
const UNNAMED_MS: Millis = 3_000;
/// How long the server may take to send its list.
const LIST_MS: Millis = 1_500;
/// How late a snapshot may arrive when live events overtake it.
const LATE_MS: Millis = 5_000;
/// After `UNNAMED_MS`, how long a bridge may wait before it reports that all differences have been sent.
const SYNCED_MS: Millis = 6_000;
/// All differences have been sent by this time (`--resync`). Links that are lost again are mostly lost before.
const TOLD_BY_MS: Millis = 10_000;

/// One link, and the client's own lists of its channels.
struct AgoraSession {
    channels: Vec<usize>,
    /// The channel that link lines name; `None`: they name no channel.
    named: Option<usize>,
    /// The members on the client's own list of each channel; `None` before the first snapshot.
    lists: Vec<Option<BTreeSet<Person>>>,
}

impl Wire<'_> {
    /// Simulates the observer's links to all channels until the world ends.
    pub fn follow(&mut self, how: &Reconnection, observer: usize) {
        let all = self.world.channels.clone();
        let shared = self.dice.falls(how.shared);
        let first_named = !self.dice.falls(how.unnamed);
        let links: Vec<Vec<usize>> = if shared {
            vec![all.collect()]
        } else {
            all.map(|channel| vec![channel]).collect()
        };
        // The client's other service has its own link, and loses it too.
        for _ in 0..self.dice.one_of(4) {
            let at = self.dice.within(self.world.opening..self.world.dusk);
            if self.agora {
                self.link(at, SimLink::Elsewhere, None);
            }
        }
        for channels in links {
            let session = AgoraSession {
                named: channels.first().copied().filter(|_| !shared),
                lists: vec![None; channels.len()],
                channels,
            };
            self.follow_link(how, observer < how.resuming, first_named, session);
        }
    }

    fn follow_link(
        &mut self,
        how: &Reconnection,
        resumes: bool,
        first_named: bool,
        mut session: AgoraSession,
    ) {
        let dusk = self.world.dusk;
        let mut up = self.world.opening + self.dice.within(0..self.mix.source.pace_ms);
        if first_named {
            self.link(up, SimLink::Up, session.named);
        }
        let mut resumed = false;
        loop {
            let stay = if how.up_ms == 0 {
                dusk
            } else if resumed && self.dice.falls(how.falls_again) {
                self.dice.within(1..TOLD_BY_MS + 2_000)
            } else {
                self.dice.within(1..how.up_ms)
            };
            let lost = (up + stay).min(dusk);
            self.watched.push(up..lost);
            // Other SDKs send a snapshot even after a resumption.
            let differences = resumed && self.dice.falls(900);
            for place in 0..session.channels.len() {
                self.hear(&mut session, place, differences, up..lost);
            }
            if resumed && self.dice.falls(how.synced) {
                let at = up + UNNAMED_MS + 1 + self.dice.within(0..SYNCED_MS);
                if at < lost {
                    self.link(at, SimLink::Synced, session.named);
                }
            }
            if lost >= dusk {
                return;
            }
            let noticed = lost + self.dice.within(0..how.noticed_ms);
            let back = noticed + 1 + self.dice.within(0..how.down_ms);
            resumed = resumes && self.dice.falls(how.resumed);
            // At times a loss is over before the client notices it.
            let unnoticed = resumed && self.dice.falls(100);
            if !unnoticed && noticed < dusk {
                self.link(noticed, SimLink::Down, session.named);
            }
            if back >= dusk {
                return;
            }
            if !resumed && resumes {
                let failed = self.dice.within(noticed..back);
                self.link(failed, SimLink::Failed, session.named);
            }
            let event = if resumed {
                SimLink::Resumed
            } else {
                SimLink::Up
            };
            self.link(back, event, session.named);
            up = back;
        }
    }

    /// Sends what one channel reports while the link is up.
    fn hear(
        &mut self,
        session: &mut AgoraSession,
        place: usize,
        differences: bool,
        up: Range<Millis>,
    ) {
        let (Some(&channel), Some(list)) =
            (session.channels.get(place), session.lists.get_mut(place))
        else {
            return;
        };
        let from = match list {
            Some(list) if differences => self.differences(channel, list, &up),
            _ => self.whole(channel, list, &up),
        };
        let Some(list) = list else { return };
        let changes = self.world.changes.len();
        self.live(channel, list, from..changes, up.end);
        // From now on the client's list equals the truth.
        let later = up.start + UNNAMED_MS + 1;
        if later < up.end && self.dice.falls(self.mix.source.refreshed) {
            let at = self.dice.within(later..up.end);
            let late = if self.dice.falls(self.mix.source.overtaken) {
                self.dice.within(0..(up.end - at).min(LATE_MS))
            } else {
                0
            };
            self.snapshot(channel, at, 0, false, late);
        }
    }

    /// Sends a snapshot, and at times live events before it. Returns the position after which live events follow.
    fn whole(
        &mut self,
        channel: usize,
        list: &mut Option<BTreeSet<Person>>,
        up: &Range<Millis>,
    ) -> Position {
        let at = up.start + self.dice.within(0..LIST_MS);
        let subscribed = self.world.positions_at(up.start).1;
        let read = self.read_at(at, subscribed);
        // A client sends no live events of a channel before it has a list of it.
        let early = list.is_some() && self.dice.falls(500);
        if let Some(list) = list.as_mut().filter(|_| early) {
            self.live(channel, list, subscribed..read, up.end);
        }
        if at >= up.end {
            return self.world.changes.len();
        }
        let shown = self.shown(channel, read, false);
        *list = Some(shown.listed.iter().copied().collect());
        self.send(at, (read, 1), at, SimPayload::Snapshot(shown));
        read
    }

    /// Sends how the server's list differs from the client's: leaves, then joins, in one burst. Users that the server
    /// did not name leave three seconds after the link came up. Returns the position after which live events follow.
    fn differences(
        &mut self,
        channel: usize,
        list: &mut BTreeSet<Person>,
        up: &Range<Millis>,
    ) -> Position {
        let listed_at = up.start + self.dice.within(0..LIST_MS);
        let read = self.world.positions_at(listed_at).1;
        let present: BTreeSet<Person> = self.present(channel, read).into_iter().collect();
        let mut gone: Vec<Person> = list.difference(&present).copied().collect();
        let mut come: Vec<Person> = present.difference(list).copied().collect();
        self.dice.shuffle(&mut gone);
        self.dice.shuffle(&mut come);
        let unnamed: Vec<Person> = gone
            .iter()
            .copied()
            .filter(|_| self.dice.falls(300))
            .collect();
        gone.retain(|who| !unnamed.contains(who));
        // It is one burst: no other event comes in between.
        let next = self.world.change(read + 1).map(|it| it.noticed);
        let burst_end = next.unwrap_or(Millis::MAX).saturating_sub(1);
        let mut at = listed_at;
        let told = gone.into_iter().map(|who| (who, false));
        for (who, is_there) in told.chain(come.into_iter().map(|who| (who, true))) {
            if at >= up.end {
                return read;
            }
            self.difference(at, who, is_there, read, list);
            at = (at + self.dice.within(0..3)).min(burst_end.max(listed_at));
        }
        let at = up.start + UNNAMED_MS;
        let by_then = self.world.positions_at(at).1;
        for who in unnamed {
            let mut since = self.world.between(who, read, by_then);
            let named = since.any(|(_, change)| matches!(change.deed, WorldAction::Came(_)));
            if !named && at < up.end {
                self.difference(at, who, false, by_then, list);
            }
        }
        read
    }

    fn difference(
        &mut self,
        at: Millis,
        who: Person,
        present: bool,
        read: Position,
        list: &mut BTreeSet<Person>,
    ) {
        if present {
            list.insert(who);
        } else {
            list.remove(&who);
        }
        let said = SimPayload::Difference { who, present, read };
        self.send(at, (read, 2), at, said);
    }

    /// Sends the live events of a range of positions. A user who comes back before the client noticed the absence
    /// makes no join.
    fn live(
        &mut self,
        channel: usize,
        list: &mut BTreeSet<Person>,
        positions: Range<Position>,
        lost: Millis,
    ) {
        let world = self.world;
        let changes = world.changes.iter().enumerate().take(positions.end);
        for (index, change) in changes.skip(positions.start) {
            let of = world.member(change.who);
            if change.noticed >= lost || of.is_none_or(|member| member.channel != channel) {
                continue;
            }
            let new = match change.deed {
                WorldAction::Came(_) => list.insert(change.who),
                WorldAction::Went => list.remove(&change.who),
                WorldAction::Changed(_) => true,
            };
            if !new {
                continue;
            }
            let position = index + 1;
            if world.in_interval(change) {
                self.in_interval(change.noticed, position);
                continue;
            }
            let of = vec![position];
            let said = SimPayload::Changes { of, bare: false };
            self.send(change.noticed, (position, 0), change.noticed, said);
        }
    }

    /// Adds a change to the line of its interval.
    fn in_interval(&mut self, at: Millis, position: Position) {
        if let Some(last) = self.sent.last_mut()
            && let (true, SimPayload::Interval { of, .. }) = (last.at == at, &mut last.said)
        {
            of.push(position);
            return;
        }
        let of = vec![position];
        let apart = self.agora;
        self.send(at, (position, 0), at, SimPayload::Interval { of, apart });
    }
}
