//! One hour of a channel as Agora's presence service sees it. A join is seen at once, a leave only after a delay, and
//! a vanished user after a time-out. When much happens, the service reports once an interval.

use super::mix::{Events, Mix};
use super::rng::SimRng;
use super::world::{self, DAWN, MetaNumber, Person, World, WorldAction, WorldChange, WorldMember};
use crate::domain::time::Millis;
use std::ops::Range;

const MINUTE_MS: Millis = 60_000;
const HOUR_MS: Millis = 60 * MINUTE_MS;
/// A user who leaves and comes back within this time has not left.
pub(super) const DEBOUNCE_MS: Millis = 2_000;
/// The time between two reports where changes are not reported at once.
pub(super) const INTERVAL_MS: Millis = 30_000;
/// How long a vanished user may count as present.
pub(super) const TIMEOUT_MS: Millis = 300_000;
const TIMEOUT_MIN_MS: Millis = 10_000;
/// The longest delay between a change and the moment when it is noticed.
pub(super) const NOTICE_MS: Millis = TIMEOUT_MS + INTERVAL_MS;

impl World {
    /// The world of a seed.
    pub fn of(mix: &Mix, seed: u64) -> World {
        match mix.source.events {
            Events::Presence { intervals } => world(seed, intervals),
            _ => World::of_topics(mix, seed),
        }
    }
}

/// The world of a seed. With `intervals` the service reports once an interval during one or two stretches.
fn world(seed: u64, intervals: bool) -> World {
    let mut dice = SimRng::new(seed, 1);
    let channel = world::PRESENCE_CHANNEL;
    let users = 4 + dice.one_of(5);
    let members: Vec<WorldMember> = (0..users)
        .map(|user| WorldMember {
            channel,
            topic: world::PRESENCE_TOPIC,
            user,
            connection: None,
        })
        .collect();
    let intervals = if intervals {
        stretches(&mut dice)
    } else {
        Vec::new()
    };
    let mut changes = Vec::new();
    for who in 0..users {
        let noticed = noticed(&mut dice, who);
        changes.extend(once_an_interval(noticed, &intervals));
    }
    changes.sort_by_key(|change| change.noticed);
    let last = changes.last().map_or(DAWN, |change| change.noticed);
    World {
        members,
        channels: channel..channel + 1,
        changes,
        intervals,
        opening: DAWN + dice.within(0..10 * MINUTE_MS),
        dusk: last.max(DAWN + HOUR_MS) + 1,
    }
}

/// The ranges of time in which changes are reported once an interval.
fn stretches(dice: &mut SimRng) -> Vec<Range<Millis>> {
    let mut stretches = Vec::new();
    let mut from = DAWN;
    for _ in 0..1 + dice.one_of(2) {
        from += dice.within(5 * MINUTE_MS..20 * MINUTE_MS);
        let to = from + INTERVAL_MS * dice.within(6..30);
        stretches.push(from..to);
        from = to;
    }
    stretches
}

/// All changes of one user, with the moments when the service notices them.
fn noticed(dice: &mut SimRng, who: Person) -> Vec<WorldChange> {
    let mut changes: Vec<WorldChange> = Vec::new();
    let mut at = DAWN + dice.within(0..15 * MINUTE_MS);
    let mut there: Option<MetaNumber> = None;
    while at < DAWN + HOUR_MS {
        let mut change = WorldChange {
            who,
            deed: WorldAction::Went,
            at,
            noticed: at,
            vanished: false,
        };
        let wait = match there {
            None => {
                let meta = if dice.falls(500) {
                    0
                } else {
                    dice.within(1..world::METAS)
                };
                change.deed = WorldAction::Came(meta);
                dice.within(1..5 * MINUTE_MS)
            }
            Some(meta) if dice.falls(400) => {
                let other = (meta + dice.within(1..world::METAS)) % world::METAS;
                change.deed = WorldAction::Changed(other);
                dice.within(1..3 * MINUTE_MS)
            }
            Some(_) if dice.falls(350) => {
                change.vanished = true;
                change.noticed = at + dice.within(TIMEOUT_MIN_MS..TIMEOUT_MS + 1);
                dice.within(1..8 * MINUTE_MS)
            }
            Some(_) => {
                change.noticed = at + DEBOUNCE_MS;
                match dice.one_of(3) {
                    0 => dice.within(1..2 * DEBOUNCE_MS),
                    _ => dice.within(1..6 * MINUTE_MS),
                }
            }
        };
        there = change.deed.meta();
        add(&mut changes, change);
        at += wait;
    }
    changes
}

/// Adds a change. A user who is back before the absence was noticed has stayed.
fn add(changes: &mut Vec<WorldChange>, change: WorldChange) {
    let unnoticed = changes.last().is_some_and(|last| last.noticed >= change.at);
    let (true, WorldAction::Came(meta)) = (unnoticed, change.deed) else {
        changes.push(change);
        return;
    };
    changes.pop();
    let before = changes.last().and_then(|last| last.deed.meta());
    if before != Some(meta) {
        let deed = WorldAction::Changed(meta);
        changes.push(WorldChange { deed, ..change });
    }
}

/// Merges changes within an interval: only the difference at the interval's end is noticed, and at that moment.
fn once_an_interval(changes: Vec<WorldChange>, intervals: &[Range<Millis>]) -> Vec<WorldChange> {
    let mut told: Vec<WorldChange> = Vec::new();
    let mut rest = changes.as_slice();
    let mut was: Option<MetaNumber> = None;
    while let Some((first, behind)) = rest.split_first() {
        let Some(end) = end_of_interval(first.noticed, intervals) else {
            told.push(*first);
            (was, rest) = (first.deed.meta(), behind);
            continue;
        };
        let within = rest.partition_point(|change| change.noticed <= end);
        let (group, behind) = rest.split_at(within);
        rest = behind;
        let is = group.last().and_then(|last| last.deed.meta());
        let last_of = |of: fn(&WorldChange) -> bool| group.iter().rev().find(|it| of(it)).copied();
        let told_of = match (was, is) {
            (None, Some(meta)) => {
                let came = last_of(|it| matches!(it.deed, WorldAction::Came(_)));
                came.map(|came| (came, WorldAction::Came(meta)))
            }
            (Some(_), None) => {
                last_of(|it| it.deed == WorldAction::Went).map(|went| (went, WorldAction::Went))
            }
            (Some(before), Some(meta)) if before != meta => {
                group.last().map(|last| (*last, WorldAction::Changed(meta)))
            }
            _ => None,
        };
        told.extend(told_of.map(|(change, deed)| WorldChange {
            deed,
            noticed: end,
            ..change
        }));
        was = is;
    }
    told
}

/// The end of the interval in which a change is reported; `None`: it is reported at once.
fn end_of_interval(noticed: Millis, intervals: &[Range<Millis>]) -> Option<Millis> {
    let of = intervals
        .iter()
        .find(|of| noticed > of.start && noticed <= of.end)?;
    let begun = (noticed - of.start - 1) / INTERVAL_MS;
    Some(of.start + (begun + 1) * INTERVAL_MS)
}

impl World {
    /// Whether a change is reported in the list of an interval.
    pub fn in_interval(&self, change: &WorldChange) -> bool {
        end_of_interval(change.noticed, &self.intervals).is_some()
    }

    /// The longest delay with which this change may have been noticed.
    pub fn late_ms(&self, change: &WorldChange) -> Millis {
        let of_interval = if self.in_interval(change) {
            INTERVAL_MS
        } else {
            0
        };
        let of_leave = match (change.deed, change.vanished) {
            (WorldAction::Went, true) => TIMEOUT_MS,
            (WorldAction::Went, false) if self.is_presence() => DEBOUNCE_MS,
            _ => 0,
        };
        of_interval + of_leave
    }

    /// Whether this is a world of a channel's presence, not of topics.
    pub fn is_presence(&self) -> bool {
        self.channels.start == world::PRESENCE_CHANNEL
    }
}
