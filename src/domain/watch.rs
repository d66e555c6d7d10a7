//! Who watches a channel, since when without a break, and up to when that is proven; and its gaps.

use super::entry::{Begin, Claim, Entry, GapSeen, Snapshot, Text};
use super::names::{Member, Name, NumberMap};
use super::own_list::{Collected, Collecting, OwnList};
use super::time::Millis;
use crate::limits;
use std::collections::VecDeque;

/// What is known of one observer, whatever the channel.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    /// The channels that it has sent a line about, or that a link line of it has named.
    pub(crate) channels: NumberMap<Name, ChannelLink>,
    /// It sends link lines.
    pub(crate) linked: bool,
    /// The entry at which it said that its link as a whole came up, until it went down.
    pub(crate) up_at: Option<u64>,
    /// Its last message about any channel.
    pub(crate) proof: Option<Proof>,
    /// Its last message about any of the channels that share one link.
    pub(crate) shared: Option<Proof>,
    /// Its ingest connection, since it first came up until it ended in order.
    pub(crate) connection: Option<Connected>,
    /// Channels of which its source is sending differences.
    pub(crate) collecting: NumberMap<Name, ()>,
}

impl Observer {
    /// Whether its ingest connection is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.is_some_and(|connection| !connection.lost)
    }

    /// The largest time of its messages so far, Unix ms.
    #[must_use]
    pub fn last_proof(&self) -> Option<Millis> {
        self.proof.map(|proof| proof.time)
    }

    /// Whether messages about other channels are proofs for this one.
    pub(crate) fn shares_link(&self, channel: Name) -> bool {
        let sharing = |link: &&ChannelLink| !link.own;
        self.linked
            && !self.has_own_link(channel)
            && self.channels.values().filter(sharing).nth(1).is_some()
    }

    /// Whether a link line has named the channel: it then has a link of its own, and what is heard of other channels
    /// proves nothing about it.
    pub(crate) fn has_own_link(&self, channel: Name) -> bool {
        self.channels.get(&channel).is_some_and(|link| link.own)
    }

    /// A link line has named a channel. What was heard of it is no longer a proof for the channels that share a link.
    pub(crate) fn give_own_link(&mut self, channel: Name) {
        let link = self.channels.entry(channel).or_default();
        if !std::mem::replace(&mut link.own, true) && link.proof.is_some() {
            self.share_proofs();
        }
    }

    /// Works out the last message about any of the channels that share one link.
    pub(crate) fn share_proofs(&mut self) {
        let sharing = self.channels.values().filter(|link| !link.own);
        self.shared = sharing.filter_map(|link| link.proof).reduce(|a, b| Proof {
            seq: a.seq.max(b.seq),
            time: a.time.max(b.time),
        });
    }

    /// Takes in the time of a message about a channel.
    pub(crate) fn hear(&mut self, channel: Name, seq: u64, time: Millis) {
        let later = |proof: Option<Proof>| Proof {
            seq,
            time: proof.map_or(time, |proof| proof.time.max(time)),
        };
        let link = self.channels.entry(channel).or_default();
        link.proof = Some(later(link.proof));
        if !link.own {
            self.shared = Some(later(self.shared));
        }
        self.proof = Some(later(self.proof));
    }

    /// The proof of a stretch of one of its channels that a link line ends: any message that came over the same link
    /// since the stretch began counts.
    pub(crate) fn proof_over_link(
        &self,
        channel: Name,
        stretch: Stretch,
        own_link: bool,
    ) -> Option<Millis> {
        let of_link = if own_link {
            self.channels.get(&channel).and_then(|link| link.proof)
        } else {
            self.shared
        };
        let of_link = of_link.filter(|proof| proof.seq >= stretch.from_seq);
        stretch.proof.max(of_link.map(|proof| proof.time))
    }
}

/// The last message of some kind: its entry, and the largest time so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) seq: u64,
    pub(crate) time: Millis,
}

/// How an observer hears of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChannelLink {
    /// A link line has named the channel: its link is its own. All other channels of the observer share one.
    pub(crate) own: bool,
    /// The last message about it.
    pub(crate) proof: Option<Proof>,
}

/// An ingest connection, or several that one feed went on over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connected {
    /// The entry at which it came up.
    pub(crate) since: u64,
    /// The time of that.
    pub(crate) at: Millis,
    /// It is down, and the feed has not gone on yet.
    pub(crate) lost: bool,
}

/// A time during which an observer watched a channel without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Who watched.
    pub observer: Name,
    /// The time of its first message.
    pub since: Millis,
    /// The first entry of it.
    pub from_seq: u64,
    /// The last entry of it; `u64::MAX` while it goes on.
    pub to_seq: u64,
    /// The largest time of its messages so far.
    pub proof: Option<Millis>,
}

impl Stretch {
    fn holds(&self, seq: u64) -> bool {
        self.from_seq <= seq && seq <= self.to_seq
    }
}

/// How one observer watches one channel.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(crate) observer: Name,
    pub(crate) up: bool,
    /// It has given a complete snapshot since its link came up.
    pub(crate) given: bool,
    /// An incomplete snapshot has ended its proofs, until its next complete one.
    pub(crate) muted: bool,
    /// Live events behind this entry hold against its next snapshot.
    pub(crate) hold: Option<u64>,
    pub(crate) stretch: Option<Stretch>,
    /// Its unfinished paged snapshot.
    pub(crate) sync: Option<Box<Sync>>,
    /// Its connection was lost while it was up. All else stays as it was until then: if the feed goes on behind its
    /// last durable line it has never been away; anything else that is heard of it makes the loss final.
    pub(crate) lost: Option<Loss>,
    /// What it last showed, from its first complete snapshot on.
    pub(crate) own_list: Option<Box<OwnList>>,
    /// Its source is sending, as differences, what was missed.
    pub(crate) collecting: Option<Box<Collecting>>,
}

/// A connection's loss that is not final yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
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

    /// Its last stretch of watching: one that goes on, or one whose end is not final yet.
    fn stretch_now(&self) -> Option<Stretch> {
        let stretch = self.stretch?;
        Some(match self.lost {
            Some(loss) => Stretch {
                to_seq: loss.seq,
                proof: loss.proof,
                ..stretch
            },
            None => stretch,
        })
    }

    /// Its link goes down: what it was about to tell is void. Gives the stretch that this ends.
    pub(crate) fn go_down(&mut self) -> Option<Stretch> {
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
pub struct Sync {
    pub(crate) name: Text,
    pub(crate) begin: Begin,
    pub(crate) self_user: Option<Name>,
    pub(crate) incomplete: bool,
    pub(crate) id: Option<Text>,
    /// The last entry before it: live events behind it hold against the pages.
    pub(crate) head: u64,
    /// The proofs of the stretches that were going on when it began.
    pub(crate) proofs: Vec<Stretch>,
    /// The channel's last proof when it began.
    pub(crate) channel_proof: Option<Millis>,
    pub(crate) topics: NumberMap<Name, ()>,
    pub(crate) members: NumberMap<Member, Claim>,
    /// Differences that its source had sent before.
    pub(crate) collected: NumberMap<Member, Collected>,
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
pub struct Watching {
    pub(crate) watches: Vec<Watch>,
    /// Ended stretches, oldest first.
    pub(crate) ended: VecDeque<Stretch>,
    pub(crate) last_proof: Option<Millis>,
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

impl Watching {
    /// The gap that is open, if one is.
    #[must_use]
    pub fn open_gap(&self) -> Option<OpenGap> {
        self.open_gap
    }

    /// The unfinished paged snapshot of an observer, if it has one: its name, and whether it is known to be
    /// incomplete.
    #[must_use]
    pub fn open_sync(&self, observer: Name) -> Option<(&str, bool)> {
        let watch = self.of(observer).filter(|watch| watch.lost.is_none())?;
        let sync = watch.sync.as_deref()?;
        Some((&sync.name, sync.incomplete))
    }

    pub(crate) fn of(&self, observer: Name) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.observer == observer)
    }

    /// The watch of an observer, begun now if it is new. A feed whose link came up as a whole has been up
    /// for this channel since then.
    pub(crate) fn of_mut(
        &mut self,
        name: Name,
        observer: &mut Observer,
        channel: Name,
    ) -> &mut Watch {
        let at = match self.watches.iter().position(|watch| watch.observer == name) {
            Some(at) => at,
            None => {
                observer.channels.entry(channel).or_default();
                self.watches.push(Watch {
                    observer: name,
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

    pub(crate) fn another_is_up(&self, observer: Name) -> bool {
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
    pub(crate) fn settle(&mut self, observer: Name) {
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
        let newest = |stretch: &mut Stretch| stretch.proof.is_some_and(|it| it < entry.occurred_at);
        if snapshot.complete && watch.given {
            let ended = watch.stretch.take_if(newest);
            self.end(ended, entry.seq.saturating_sub(1));
        }
    }

    /// Ends a stretch of watching of whose end a link has told, at the entry `seq`.
    pub(crate) fn break_off(&mut self, stretch: Option<Stretch>, seq: u64) {
        self.last_proof = self
            .last_proof
            .max(stretch.and_then(|stretch| stretch.proof));
        self.end(stretch, seq);
    }

    /// Ends a stretch of watching at the entry `seq`.
    pub(crate) fn end(&mut self, stretch: Option<Stretch>, seq: u64) {
        if let Some(stretch) = stretch {
            if self.ended.len() >= limits::ENDED_STRETCHES_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back(Stretch {
                to_seq: seq,
                ..stretch
            });
        }
    }

    /// The last moment up to which somebody was watching without a break since the entry `seq`. With a paged
    /// snapshot, only what came before its begin counts.
    pub(crate) fn proof_since(&self, seq: u64, sync: Option<&Sync>) -> Option<Millis> {
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
        channel: Name,
        observer: impl Fn(Name) -> Option<&'a Observer>,
    ) -> impl Iterator<Item = (&Watch, Stretch)> {
        self.watches.iter().filter_map(move |watch| {
            let stretch = watch.stretch_now()?;
            let linked = observer(watch.observer).filter(|it| it.linked && watch.lost.is_none());
            let proof = linked.map_or(stretch.proof, |linked| {
                linked.proof_over_link(channel, stretch, linked.has_own_link(channel))
            });
            Some((watch, Stretch { proof, ..stretch }))
        })
    }

    /// The last proof of all observers, as the log's head knows it.
    pub(crate) fn last_proof_of_all<'a>(
        &self,
        channel: Name,
        observer: impl Fn(Name) -> Option<&'a Observer>,
    ) -> Option<Millis> {
        let going_on = self.going_on(channel, observer);
        let going_on = going_on.filter_map(|(_, it)| it.proof);
        going_on.chain(self.proven()).max()
    }

    /// Whether an observer is proven to have watched at a moment; the silence of one who is connected says that nothing
    /// has happened. Of what lies before all stretches that are remembered, the gaps alone tell.
    pub(crate) fn is_watched_at<'a>(
        &self,
        channel: Name,
        at: Millis,
        observer: impl Fn(Name) -> Option<&'a Observer>,
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

impl GapSeen {
    /// Whether the gap was over with this snapshot.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }
}
