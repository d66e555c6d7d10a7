//! Which observers watch a channel, since when without a break, and until when that is proven; and its gaps.

use super::entry::{Entry, ListedMember, Snapshot, SnapshotBegin, SnapshotGap, Text};
use super::interval::ObservedInterval;
use super::names::{MemberId, NameId, NumberMap};
use super::observer::Observer;
use super::own_list::{Collected, Collecting, OwnList};
use super::own_reports::OwnReports;
use super::time::Millis;
use crate::limits;
use std::collections::VecDeque;

/// How one observer watches one channel.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(crate) observer: NameId,
    /// The first entry in which it reported about the channel; a page counts as part of the entry after it.
    pub(crate) since_seq: u64,
    pub(crate) up: bool,
    /// It has sent a complete snapshot since its link came up.
    pub(crate) given: bool,
    /// An incomplete snapshot has ended its proofs, until its next complete one.
    pub(crate) muted: bool,
    /// Live events after this entry hold against its next snapshot.
    pub(crate) hold: Option<u64>,
    pub(crate) stretch: Option<ObservedInterval>,
    /// Its unfinished paged snapshot.
    pub(crate) sync: Option<Box<PagedSnapshot>>,
    /// Its connection was lost while it was up. All other fields stay as before the loss. If the feed continues after
    /// its last durable line, it was never away. Any other message of the observer makes the loss final.
    pub(crate) lost: Option<PendingLoss>,
    /// What its source last showed, from its first complete snapshot on.
    pub(crate) own_list: Option<Box<OwnList>>,
    /// The differences that its source is sending.
    pub(crate) collecting: Option<Box<Collecting>>,
    /// What it last reported itself; `None` while no other observer reports about the channel.
    pub(crate) reports: Option<Box<OwnReports>>,
}

/// The loss of a connection that is not final yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingLoss {
    /// The entry that records it.
    pub(crate) seq: u64,
    /// The last proof before it, from any channel on the same link: that counts, because the loss was reported.
    pub(crate) proof: Option<Millis>,
    /// How many gaps the channel had before it.
    pub(crate) gaps: u32,
}

impl Watch {
    /// Whether it watches. It does not while its source is still sending differences.
    pub(crate) fn is_up(&self) -> bool {
        self.up && self.lost.is_none() && self.collecting.is_none()
    }

    /// The differences that its source is sending; `None` outside a resync.
    pub(crate) fn collecting(&self) -> Option<&Collecting> {
        self.collecting.as_deref().filter(|_| self.lost.is_none())
    }

    /// The latest time of the differences that its source sent before its snapshot. For
    /// each member, the last difference counts.
    pub(crate) fn collected_until(&self) -> Option<Millis> {
        let collecting = self.collecting.iter().flat_map(|it| it.members.values());
        let of_pages = self.sync.iter().flat_map(|it| it.collected.values());
        of_pages
            .chain(collecting)
            .map(|collected| collected.at)
            .max()
    }

    /// Its last interval, if that continues or its end is not final yet.
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

    /// Takes its link down, and discards unfinished data. Returns the interval that this ends.
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
    /// The last entry before it: live events after it hold against the pages.
    pub(crate) head: u64,
    /// The intervals that were open when it began, with their proofs.
    pub(crate) proofs: Vec<ObservedInterval>,
    /// The channel's last proof when it began.
    pub(crate) channel_proof: Option<Millis>,
    pub(crate) topics: NumberMap<NameId, ()>,
    pub(crate) members: NumberMap<MemberId, ListedMember>,
    /// Differences that its source sent before it began.
    pub(crate) collected: NumberMap<MemberId, Collected>,
}

/// A gap that is still open.
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
    /// A gap is open: no observer watches.
    Blind,
}

/// How a channel is watched.
#[derive(Debug, Clone, Default)]
pub struct ChannelWatches {
    pub(crate) watches: Vec<Watch>,
    /// Ended intervals, oldest first.
    pub(crate) ended: VecDeque<ObservedInterval>,
    pub(crate) last_proof: Option<Millis>,
    /// The last proof from a message about the channel itself.
    pub(crate) heard_at: Option<Millis>,
    /// How many gaps there have been.
    pub(crate) gaps: u32,
    pub(crate) open_gap: Option<OpenGap>,
}

impl Watch {
    /// Whether a complete snapshot of it would show that something may have been missed without a report: it has
    /// already sent one since its link came up, or had begun a paged one.
    pub(crate) fn gives_again(&self, linked: bool, paged: bool) -> bool {
        self.given || (!linked && !paged && self.sync.is_some())
    }
}

impl ChannelWatches {
    /// Nobody has watched it.
    pub(super) const NONE: ChannelWatches = ChannelWatches {
        watches: Vec::new(),
        ended: VecDeque::new(),
        last_proof: None,
        heard_at: None,
        gaps: 0,
        open_gap: None,
    };

    /// The open gap, if there is one.
    #[must_use]
    pub fn open_gap(&self) -> Option<OpenGap> {
        self.open_gap
    }

    /// How many gaps there have been.
    #[must_use]
    pub fn gaps_so_far(&self) -> u32 {
        self.gaps
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

    /// The watch of an observer, created if it is new. If the observer's link came up as a whole, the link has been
    /// up for this channel since then. `seq` is the entry about the channel.
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
                let alone = self.watches.is_empty();
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
                    reports: (!alone).then(Box::default),
                });
                self.watches.len() - 1
            }
        };
        #[allow(clippy::indexing_slicing)] // found or pushed just above
        &mut self.watches[at]
    }

    /// The observers that had reported about the channel up to the entry `seq`.
    pub fn observers_by(&self, seq: u64) -> impl Iterator<Item = NameId> + '_ {
        let by_then = self.watches.iter().filter(move |it| it.since_seq <= seq);
        by_then.map(|watch| watch.observer)
    }

    /// The last proof from a message about the channel itself, Unix ms.
    #[must_use]
    pub fn heard_at(&self) -> Option<Millis> {
        self.heard_at
    }

    /// Records a proof from a message about the channel itself.
    pub(crate) fn hear(&mut self, proof: Option<Millis>) {
        self.last_proof = self.last_proof.max(proof);
        self.heard_at = self.heard_at.max(proof);
    }

    /// Whether no observer is known to watch, though one did before.
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

    /// The channel's last proof, including the proofs of losses that are not final yet.
    pub(crate) fn proven(&self) -> Option<Millis> {
        let lost = self.watches.iter().filter_map(|watch| watch.lost?.proof);
        lost.chain(self.last_proof).max()
    }

    /// Makes the loss of an observer's connection final, if there is one.
    pub(crate) fn settle(&mut self, observer: NameId) {
        let of_observer = |watch: &&mut Watch| watch.observer == observer && watch.lost.is_some();
        if let Some(watch) = self.watches.iter_mut().find(of_observer) {
            let ended = watch.stretch_now();
            let seq = ended.map_or(0, |stretch| stretch.to_seq);
            watch.go_down();
            self.break_off(ended, seq);
        }
    }

    /// Forgets what an observer's link and lists are, at the entry `seq`: what it reported from there on is missing.
    pub(crate) fn lose_sight(&mut self, observer: NameId, seq: u64) {
        self.settle(observer);
        let mut watches = self.watches.iter_mut();
        if let Some(watch) = watches.find(|watch| watch.observer == observer) {
            watch.own_list = None;
            watch.reports = watch.reports.as_ref().map(|_| Box::default());
            let ended = watch.go_down();
            self.break_off(ended, seq);
        }
    }

    /// Applies a stale snapshot. Its end also discards its pages. If it is newer than all earlier messages of its own
    /// observer, another observer's snapshot made it stale. Then something may have been missed before it, and what
    /// it shows is not in the roster: its observer proves nothing until its next snapshot.
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

    /// Ends an interval whose end a link reported, at the entry `seq`.
    pub(crate) fn break_off(&mut self, stretch: Option<ObservedInterval>, seq: u64) {
        self.last_proof = self
            .last_proof
            .max(stretch.and_then(|stretch| stretch.proof));
        self.end(stretch, seq);
    }

    /// Ends an interval at the entry `seq`.
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

    /// The last moment up to which an observer watched without a break since the entry `seq`. For a paged snapshot,
    /// only proofs from before its begin count.
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

    /// The intervals that continue, as the log's head knows them; `channel` is the name of this channel. While link
    /// lines report gaps, any message over the same link proves that its observer watches.
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

    /// Whether an observer is proven to have watched at a moment. The silence of a connected observer means that
    /// nothing happened. For moments before all stored intervals, the answer is yes: there only the gaps count.
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
    /// Whether this snapshot closed the gap.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }
}
