//! Who watches a channel, since when without a break, and up to when that is proven; and its gaps.

use super::entry::{Entry, ListedMember, Snapshot, SnapshotBegin, SnapshotGap, Text};
use super::names::{MemberId, NameId, NumberMap};
use super::observer::Observer;
use super::own_list::{Collected, Collecting, OwnList};
use super::time::Millis;
use crate::limits;
use std::collections::VecDeque;

/// A time during which an observer watched a channel without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedInterval {
    /// Who watched.
    pub observer: NameId,
    /// The time of its first message.
    pub since: Millis,
    /// The first entry of it.
    pub from_seq: u64,
    /// The last entry of it; `u64::MAX` while it goes on.
    pub to_seq: u64,
    /// The largest time of its messages so far.
    pub proof: Option<Millis>,
}

impl ObservedInterval {
    fn holds(&self, seq: u64) -> bool {
        self.from_seq <= seq && seq <= self.to_seq
    }
}

/// How one observer watches one channel.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(crate) observer: NameId,
    /// The first entry by which it has spoken of the channel; a page counts as part of the entry behind it.
    pub(crate) since_seq: u64,
    pub(crate) up: bool,
    /// It has given a complete snapshot since its link came up.
    pub(crate) given: bool,
    /// An incomplete snapshot has ended its proofs, until its next complete one.
    pub(crate) muted: bool,
    /// Live events behind this entry hold against its next snapshot.
    pub(crate) hold: Option<u64>,
    pub(crate) stretch: Option<ObservedInterval>,
    /// Its unfinished paged snapshot.
    pub(crate) sync: Option<Box<PagedSnapshot>>,
    /// Its connection was lost while it was up. All else stays as it was until then: if the feed goes on behind its
    /// last durable line it has never been away; anything else that is heard of it makes the loss final.
    pub(crate) lost: Option<PendingLoss>,
    /// What it last showed, from its first complete snapshot on.
    pub(crate) own_list: Option<Box<OwnList>>,
    /// Its source is sending, as differences, what was missed.
    pub(crate) collecting: Option<Box<Collecting>>,
}

/// A connection's loss that is not final yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingLoss {
    /// The entry that tells it.
    pub(crate) seq: u64,
    /// The last proof before it, about any channel: the loss itself was told.
    pub(crate) proof: Option<Millis>,
    /// How many gaps the channel had had before it.
    pub(crate) gaps: u32,
}

impl Watch {
    /// Whether it watches: while its source is still sending what was missed, it does not.
    pub(crate) fn is_up(&self) -> bool {
        self.up && self.lost.is_none() && self.collecting.is_none()
    }

    /// What its source has sent of what was missed, while it does so.
    pub(crate) fn collecting(&self) -> Option<&Collecting> {
        self.collecting.as_deref().filter(|_| self.lost.is_none())
    }

    /// The latest time of the differences that its source had sent before its snapshot came all the same: of each member
    /// the last one counts.
    pub(crate) fn collected_until(&self) -> Option<Millis> {
        let collecting = self.collecting.iter().flat_map(|it| it.members.values());
        let of_pages = self.sync.iter().flat_map(|it| it.collected.values());
        of_pages
            .chain(collecting)
            .map(|collected| collected.at)
            .max()
    }

    /// Its last stretch of watching: one that goes on, or one whose end is not final yet.
    fn stretch_now(&self) -> Option<ObservedInterval> {
        let stretch = self.stretch?;
        Some(match self.lost {
            Some(loss) => ObservedInterval {
                to_seq: loss.seq,
                proof: loss.proof,
                ..stretch
            },
            None => stretch,
        })
    }

    /// Its link goes down: what it was about to tell is void. Gives the stretch that this ends.
    pub(crate) fn go_down(&mut self) -> Option<ObservedInterval> {
        self.up = false;
        self.given = false;
        self.hold = None;
        self.sync = None;
        self.lost = None;
        self.collecting = None;
        self.stretch.take()
    }
}

/// A paged snapshot that has begun.
#[derive(Debug, Clone)]
pub struct PagedSnapshot {
    pub(crate) name: Text,
    pub(crate) begin: SnapshotBegin,
    pub(crate) self_user: Option<NameId>,
    pub(crate) incomplete: bool,
    pub(crate) id: Option<Text>,
    /// The last entry before it: live events behind it hold against the pages.
    pub(crate) head: u64,
    /// The proofs of the stretches that were going on when it began.
    pub(crate) proofs: Vec<ObservedInterval>,
    /// The channel's last proof when it began.
    pub(crate) channel_proof: Option<Millis>,
    pub(crate) topics: NumberMap<NameId, ()>,
    pub(crate) members: NumberMap<MemberId, ListedMember>,
    /// Differences that its source had sent before.
    pub(crate) collected: NumberMap<MemberId, Collected>,
}

/// A gap that has not been closed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenGap {
    /// Its number in the channel, from 1.
    pub gap: u32,
    /// The last proof before it.
    pub from: Millis,
}

/// What is known of a channel at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// A snapshot was seen, and the link has been up since.
    Complete,
    /// No snapshot has been seen yet.
    Partial,
    /// Nobody watches.
    Blind,
}

/// How a channel is watched.
#[derive(Debug, Clone, Default)]
pub struct ChannelWatches {
    pub(crate) watches: Vec<Watch>,
    /// Ended stretches, oldest first.
    pub(crate) ended: VecDeque<ObservedInterval>,
    pub(crate) last_proof: Option<Millis>,
    /// The last proof that was a message about the channel itself.
    pub(crate) heard_at: Option<Millis>,
    /// How many gaps there have been.
    pub(crate) gaps: u32,
    pub(crate) open_gap: Option<OpenGap>,
}

impl Watch {
    /// Whether a complete snapshot of it would show that something may have been missed, though nothing told of it:
    /// it has given one, or had begun one in pages, since its link came up.
    pub(crate) fn gives_again(&self, linked: bool, paged: bool) -> bool {
        self.given || (!linked && !paged && self.sync.is_some())
    }
}

impl ChannelWatches {
    /// The gap that is open, if one is.
    #[must_use]
    pub fn open_gap(&self) -> Option<OpenGap> {
        self.open_gap
    }

    /// The unfinished paged snapshot of an observer, if it has one: its name, and whether it is known to be
    /// incomplete.
    #[must_use]
    pub fn open_sync(&self, observer: NameId) -> Option<(&str, bool)> {
        let watch = self.of(observer).filter(|watch| watch.lost.is_none())?;
        let sync = watch.sync.as_deref()?;
        Some((&sync.name, sync.incomplete))
    }

    pub(crate) fn of(&self, observer: NameId) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.observer == observer)
    }

    /// The watch of an observer, begun now if it is new. A feed whose link came up as a whole has been up
    /// for this channel since then. `seq` is the entry that speaks of it.
    pub(crate) fn of_mut(
        &mut self,
        name: NameId,
        observer: &mut Observer,
        channel: NameId,
        seq: u64,
    ) -> &mut Watch {
        let at = match self.watches.iter().position(|watch| watch.observer == name) {
            Some(at) => at,
            None => {
                observer.channels.entry(channel).or_default();
                self.watches.push(Watch {
                    observer: name,
                    since_seq: seq,
                    up: true,
                    given: false,
                    muted: false,
                    hold: observer.up_at,
                    stretch: None,
                    sync: None,
                    lost: None,
                    own_list: None,
                    collecting: None,
                });
                self.watches.len() - 1
            }
        };
        #[allow(clippy::indexing_slicing)] // found or pushed just above
        &mut self.watches[at]
    }

    /// The observers who had spoken of the channel by the entry `seq`.
    pub fn observers_by(&self, seq: u64) -> impl Iterator<Item = NameId> + '_ {
        let by_then = self.watches.iter().filter(move |it| it.since_seq <= seq);
        by_then.map(|watch| watch.observer)
    }

    /// The last proof among the messages about the channel itself, Unix ms.
    #[must_use]
    pub fn heard_at(&self) -> Option<Millis> {
        self.heard_at
    }

    /// Takes in a proof that is a message about the channel itself.
    pub(crate) fn hear(&mut self, proof: Option<Millis>) {
        self.last_proof = self.last_proof.max(proof);
        self.heard_at = self.heard_at.max(proof);
    }

    /// Whether nobody is known to be watching, though somebody was.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        let watches = |watch: &Watch| watch.stretch.is_some() && watch.lost.is_none();
        let nobody = !self.watches.iter().any(watches);
        self.open_gap.is_some() || (nobody && self.watches.iter().any(|watch| watch.muted))
    }

    /// Members and topics held by unfinished paged snapshots.
    pub(crate) fn open_pages(&self) -> usize {
        let syncs = self.watches.iter().filter_map(|watch| watch.sync.as_ref());
        syncs
            .map(|sync| sync.members.len() + sync.topics.len())
            .sum()
    }

    pub(crate) fn another_is_up(&self, observer: NameId) -> bool {
        self.watches
            .iter()
            .any(|watch| watch.is_up() && watch.observer != observer)
    }

    /// The channel's last proof, with those by which connections were lost.
    pub(crate) fn proven(&self) -> Option<Millis> {
        let lost = self.watches.iter().filter_map(|watch| watch.lost?.proof);
        lost.chain(self.last_proof).max()
    }

    /// Makes the loss of an observer's connection final, if it is lost.
    pub(crate) fn settle(&mut self, observer: NameId) {
        let of_observer = |watch: &&mut Watch| watch.observer == observer && watch.lost.is_some();
        if let Some(watch) = self.watches.iter_mut().find(of_observer) {
            let ended = watch.stretch_now();
            let seq = ended.map_or(0, |stretch| stretch.to_seq);
            watch.go_down();
            self.break_off(ended, seq);
        }
    }

    /// Takes in a snapshot that is stale. Pages are over with their end also then. And where it is newer than all that
    /// its own observer has said, only another one's has passed it over: something may have been missed before it, and
    /// what it shows is not in the roster, so that its observer proves nothing until his next one.
    pub(crate) fn passed_over(&mut self, entry: &Entry, snapshot: &Snapshot) {
        let of_observer = |watch: &&mut Watch| watch.observer == entry.observer;
        let Some(watch) = self.watches.iter_mut().find(of_observer) else {
            return;
        };
        if snapshot.begin.is_some() {
            watch.sync = None;
        }
        let newest =
            |stretch: &mut ObservedInterval| stretch.proof.is_some_and(|it| it < entry.occurred_at);
        if snapshot.complete && watch.given {
            let ended = watch.stretch.take_if(newest);
            self.end(ended, entry.seq.saturating_sub(1));
        }
    }

    /// Ends a stretch of watching of whose end a link has told, at the entry `seq`.
    pub(crate) fn break_off(&mut self, stretch: Option<ObservedInterval>, seq: u64) {
        self.last_proof = self
            .last_proof
            .max(stretch.and_then(|stretch| stretch.proof));
        self.end(stretch, seq);
    }

    /// Ends a stretch of watching at the entry `seq`.
    pub(crate) fn end(&mut self, stretch: Option<ObservedInterval>, seq: u64) {
        if let Some(stretch) = stretch {
            if self.ended.len() >= limits::ENDED_STRETCHES_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back(ObservedInterval {
                to_seq: seq,
                ..stretch
            });
        }
    }

    /// The last moment up to which somebody was watching without a break since the entry `seq`. With a paged
    /// snapshot, only what came before its begin counts.
    pub(crate) fn proof_since(&self, seq: u64, sync: Option<&PagedSnapshot>) -> Option<Millis> {
        let latest = self.watches.iter().filter_map(Watch::stretch_now);
        self.ended
            .iter()
            .copied()
            .chain(latest)
            .filter(|stretch| stretch.holds(seq))
            .filter_map(|stretch| match sync {
                Some(sync) if stretch.to_seq > sync.head => sync
                    .proofs
                    .iter()
                    .find(|then| {
                        (then.observer, then.from_seq) == (stretch.observer, stretch.from_seq)
                    })
                    .and_then(|then| then.proof),
                _ => stretch.proof,
            })
            .max()
    }

    /// The stretches of `channel`, which this is, that go on, as the log's head knows them: while link lines tell of
    /// gaps, any message over the same link proves that its observer watches.
    fn going_on<'a>(
        &self,
        channel: NameId,
        observer: impl Fn(NameId) -> Option<&'a Observer>,
    ) -> impl Iterator<Item = (&Watch, ObservedInterval)> {
        self.watches.iter().filter_map(move |watch| {
            let stretch = watch.stretch_now()?;
            let linked = observer(watch.observer).filter(|it| it.linked && watch.lost.is_none());
            let proof = linked.map_or(stretch.proof, |linked| {
                linked.proof_over_link(channel, stretch, linked.has_own_link(channel))
            });
            Some((watch, ObservedInterval { proof, ..stretch }))
        })
    }

    /// The last proof of all observers, as the log's head knows it.
    pub(crate) fn last_proof_of_all<'a>(
        &self,
        channel: NameId,
        observer: impl Fn(NameId) -> Option<&'a Observer>,
    ) -> Option<Millis> {
        let going_on = self.going_on(channel, observer);
        let going_on = going_on.filter_map(|(_, it)| it.proof);
        going_on.chain(self.proven()).max()
    }

    /// Whether an observer is proven to have watched at a moment; the silence of one who is connected says that nothing
    /// has happened. Of what lies before all stretches that are remembered, the gaps alone tell.
    pub(crate) fn is_watched_at<'a>(
        &self,
        channel: NameId,
        at: Millis,
        observer: impl Fn(NameId) -> Option<&'a Observer>,
    ) -> bool {
        let forgotten = self.ended.len() >= limits::ENDED_STRETCHES_MAX
            && self.ended.iter().all(|stretch| at < stretch.since);
        let connected = |watch: &Watch| {
            watch.is_up() && observer(watch.observer).is_some_and(Observer::is_connected)
        };
        let going_on = self.going_on(channel, &observer).map(|(watch, stretch)| {
            let silent = connected(watch).then_some(Millis::MAX);
            (stretch.since, stretch.proof.max(silent))
        });
        let ended = self.ended.iter().map(|it| (it.since, it.proof));
        let mut stretches = ended.chain(going_on);
        forgotten
            || stretches.any(|(since, proof)| since <= at && proof.is_some_and(|proof| at < proof))
    }
}

impl SnapshotGap {
    /// Whether the gap was over with this snapshot.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }
}
