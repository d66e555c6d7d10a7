//! Stays one after another, as the log knows them: what `sessions`, the figures of users and `attendance` are made of.

use super::intervals::TimeInterval;
use super::meta_filter::MetaFilter;
use crate::domain::entry::{Change, Entry, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::names::{MemberId, Names, NumberMap};
use crate::domain::state::State;
use crate::domain::stay::{EndedStay, OpenStays, StayEnd};
use crate::domain::time::Millis;
use crate::store::{EntryReader, EntryStep, ScanScope, StateCursor, Store, StoreError, heard_of};
use std::vec;

/// The stays that are read.
#[derive(Debug, Clone, Default)]
pub(super) struct StayScope {
    /// In this channel.
    pub channel: Option<String>,
    /// In this topic.
    pub topic: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// Not of members with such metadata.
    pub without: MetaFilter,
    /// As of this recording time.
    pub known_at: Option<Millis>,
}

impl StayScope {
    /// Whether the stays of a member are asked for.
    fn has(&self, member: MemberId, names: &Names) -> bool {
        let key = names.key(member);
        let is = |wanted: &Option<String>, name| {
            let wanted = wanted.as_deref();
            wanted.is_none_or(|wanted| wanted == names.text(name))
        };
        is(&self.channel, key.channel) && is(&self.topic, key.topic) && is(&self.user, key.user)
    }
}

/// A stay.
pub(super) struct KnownStay {
    pub member: MemberId,
    pub join: StayEnd,
    /// `None`: it goes on.
    pub leave: Option<StayEnd>,
    /// From when the join took effect until the leave did, or until the channel's last effective time.
    pub present: TimeInterval,
    pub bounds: StayBounds,
}

/// The bounds of a stay: the member was there in all of `sure`, and at most in `most`.
#[derive(Debug, Clone, Copy)]
pub(super) struct StayBounds {
    pub sure: TimeInterval,
    pub most: TimeInterval,
    /// Its source may lose or reorder single events.
    pub lossy: bool,
    /// The join was not seen to be one: what bounds `most` is no window of it.
    pub unseen: bool,
}

impl StayBounds {
    /// `left` is when the leave happened, at the earliest and at the latest. `blind_from` is the begin of the gap in
    /// which a join was reported.
    fn of(join: &StayEnd, left: (Millis, Millis), lossy: bool, blind_from: Option<Millis>) -> Self {
        let unseen = join.baseline || (!join.inferred && join.unseen);
        if lossy {
            let (sure, most) = (
                TimeInterval::new(join.latest, join.latest),
                TimeInterval::ALL,
            );
            return StayBounds {
                sure,
                most,
                lossy,
                unseen,
            };
        }
        let sure = TimeInterval::new(join.latest, left.0);
        let earliest = match join.earliest {
            Some(earliest) if !unseen => earliest,
            _ if join.baseline => Millis::MIN,
            _ => blind_from.map_or(Millis::MIN, |from| from.min(join.latest)),
        };
        let most = TimeInterval::new(earliest, left.1).hull(sure);
        StayBounds {
            sure,
            most,
            lossy,
            unseen,
        }
    }

    /// The least length, ms.
    pub fn min_ms(&self) -> Millis {
        self.sure.length().unwrap_or_default()
    }

    /// The greatest length, ms; `None` if nobody can say.
    pub fn max_ms(&self) -> Option<Millis> {
        self.most.length().filter(|_| !self.unseen)
    }
}

/// What comes next.
pub(super) enum StayStep {
    /// A stay begins: its member, and when.
    Began(MemberId, Millis),
    /// A stay is over.
    Ended(KnownStay),
    /// A stay that has begun is not asked for after all.
    Dropped(MemberId),
    /// A stay goes on at the end of the log.
    Open(KnownStay),
}

/// Reads stays: their begins and ends as the log has them, and then those that go on, in the order of their begins.
/// Behind an error there is nothing more.
pub(super) struct StayReader<'a> {
    entries: EntryReader<'a>,
    scope: StayScope,
    /// The last proof of the requested channel.
    proven: Option<Millis>,
    stays: OpenStays,
    /// The stays that had begun where the store begins, as long as they are not reported.
    begun: Vec<(MemberId, Millis)>,
    /// For joins that were reported in a gap: where that begins.
    blind_from: NumberMap<MemberId, Millis>,
    /// From when on nothing was pruned, where older entries were.
    pub retained_from: Option<Millis>,
    /// Behind the last entry: the stays that go on.
    rest: Option<vec::IntoIter<(MemberId, StayEnd)>>,
}

impl Store {
    /// Reads the stays of a scope.
    pub(super) fn stays(&self, scope: StayScope) -> Result<StayReader<'_>, StoreError> {
        let scanned = ScanScope {
            channel: scope.channel.as_deref(),
            known_at: scope.known_at,
            textless: scope.without.is_empty(),
            ..ScanScope::default()
        };
        // Any message of an observer may be a proof, and a scan of one channel sees only messages about that channel.
        let of_channel = |channel: &String| {
            self.as_of_channel(channel, scope.known_at, None, |state, names| {
                let name = names.find(channel);
                name.and_then(|name| state.last_proof(name))
            })
        };
        let proven = scope.channel.as_ref().map(of_channel).transpose()?;
        let (mut cursor, frames) = self.scan(&scanned)?;
        let open = cursor.open.take();
        let retained_from = open.as_ref().map(|open| open.retained_from);
        let mut stays = open.unwrap_or_default().stays;
        let StateCursor { state, names, .. } = &cursor;
        let meta = |member| state.present(member).and_then(|present| present.meta);
        stays.retain(|member| scope.has(member, names) && !scope.without.matches(meta(member)));
        let mut begun = stays.begins();
        begun.reverse();
        Ok(StayReader {
            entries: EntryReader::new((cursor, frames)),
            scope,
            proven: proven.flatten(),
            stays,
            begun,
            blind_from: NumberMap::default(),
            retained_from,
            rest: None,
        })
    }
}

impl StayReader<'_> {
    /// The names of members.
    pub fn names(&self) -> &Names {
        &self.entries.cursor.names
    }

    /// The next step; `None` behind the last.
    ///
    /// # Errors
    /// The log is damaged, or does not know the channel, which is known only when it was read.
    pub fn step(&mut self) -> Result<Option<StayStep>, StoreError> {
        if let Some((member, at)) = self.begun.pop() {
            return Ok(Some(StayStep::Began(member, at)));
        }
        if self.rest.is_none() {
            match self.advance() {
                Ok(Some(step)) => return Ok(Some(step)),
                Ok(None) => self.rest = Some(self.stays.drain().into_iter()),
                Err(error) => {
                    self.rest = Some(Vec::new().into_iter());
                    return Err(error);
                }
            }
        }
        let mut rest = self.rest.take().unwrap_or_default();
        let next = rest.find_map(|(member, join)| self.open_stay(member, join));
        self.rest = Some(rest);
        Ok(next.map(StayStep::Open))
    }

    fn advance(&mut self) -> Result<Option<StayStep>, StoreError> {
        loop {
            match self.entries.advance()? {
                EntryStep::Entry => {}
                EntryStep::Renumbered(by) => {
                    self.stays.renumber(&by);
                    self.blind_from = by.by_member(std::mem::take(&mut self.blind_from));
                    continue;
                }
                EntryStep::End => break,
            }
            let StateCursor { state, names, .. } = &self.entries.cursor;
            let Some(entry) = self.entries.entry() else {
                continue;
            };
            let Payload::Change(change) = &entry.payload else {
                continue;
            };
            if !change.is_applied() || !self.scope.has(change.member, names) {
                continue;
            }
            let known = StayMemory {
                scope: &self.scope,
                stays: &mut self.stays,
                blind_from: &mut self.blind_from,
            };
            if let Some(step) = known.take(entry, change, state, names) {
                return Ok(Some(step));
            }
        }
        if let Some(channel) = &self.scope.channel {
            let cursor = &self.entries.cursor;
            heard_of(channel, &cursor.state, &cursor.names)?;
        }
        Ok(None)
    }

    /// A stay that goes on at the end of the log.
    fn open_stay(&self, member: MemberId, join: StayEnd) -> Option<KnownStay> {
        let StateCursor { state, names, .. } = &self.entries.cursor;
        let name = names.key(member).channel;
        let channel = state.channel(name)?;
        let last = channel.effective_at();
        let gap = channel.watching().open_gap().map(|gap| gap.from);
        let proven = self.proven.max(state.last_proof(name));
        // The member was surely there only while an observer was watching: without any proof, at no time.
        let proven = proven.unwrap_or(join.latest);
        let sure = gap.map_or(proven, |gap| gap.min(proven)).min(last);
        let lossy = join.lossy || channel.is_lossy();
        let blind_from = self.blind_from.get(&member).copied();
        Some(KnownStay {
            member,
            join,
            leave: None,
            present: TimeInterval::new(join.effective_at, last),
            bounds: StayBounds::of(&join, (sure, last), lossy, blind_from),
        })
    }
}

/// What is remembered of the stays that go on.
struct StayMemory<'a> {
    scope: &'a StayScope,
    stays: &'a mut OpenStays,
    blind_from: &'a mut NumberMap<MemberId, Millis>,
}

impl StayMemory<'_> {
    /// Takes a change of a member who is asked for. `state` is the state before it.
    fn take(
        self,
        entry: &Entry,
        change: &Change,
        state: &State,
        names: &Names,
    ) -> Option<StayStep> {
        let member = change.member;
        let left_out = || self.scope.without.matches(change.meta.as_ref());
        match change.kind {
            ChangeKind::Join if left_out() => None,
            ChangeKind::Join => {
                self.stays.take(entry, state, names, |_| true);
                let channel = state.channel(names.key(member).channel);
                if let Some(gap) = channel.and_then(|channel| channel.watching().open_gap()) {
                    self.blind_from.insert(member, gap.from);
                }
                Some(StayStep::Began(member, entry.effective_at))
            }
            ChangeKind::Update => {
                let drops = self.stays.join(member).is_some() && left_out();
                if drops {
                    self.stays.retain(|other| other != member);
                }
                drops.then_some(StayStep::Dropped(member))
            }
            ChangeKind::Leave => {
                let ended = self.stays.take(entry, state, names, |_| true)?;
                let blind_from = self.blind_from.remove(&member);
                Some(StayStep::Ended(ended_stay(ended, blind_from, state, names)))
            }
        }
    }
}

/// A stay that has ended. `state` is the state before its leave.
fn ended_stay(
    EndedStay {
        member,
        join,
        leave,
    }: EndedStay,
    blind_from: Option<Millis>,
    state: &State,
    names: &Names,
) -> KnownStay {
    let channel = state.channel(names.key(member).channel);
    let lossy = leave.lossy || join.lossy || channel.is_some_and(|channel| channel.is_lossy());
    let earliest = leave.earliest.unwrap_or(leave.latest);
    KnownStay {
        member,
        join,
        leave: Some(leave),
        present: TimeInterval::new(join.effective_at, leave.effective_at),
        bounds: StayBounds::of(&join, (earliest, leave.latest), lossy, blind_from),
    }
}
