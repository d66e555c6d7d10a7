//! Ingest connections: what follows when one comes up, is lost, or resumes.
//!
//! A connection is not the source's link: while it is up, the source may still have been away. So connection events
//! do not count as link lines of the observer. A loss is provisional ([`PendingLoss`]): the feed may come back and
//! continue after its last durable line, and then it was never away. Any other message of the observer about a
//! channel makes the loss final in that channel.
//!
//! Where a damaged log was repaired, entries are missing: what an observer reported then is not known. That is final, and ends
//! its connection, its link and its lists alike.
//!
//! An observer has one connection at a time. A new feed that comes up while another is up
//! replaces it, so the other connection is lost.

use super::context::DecideContext;
use super::entry::{Commit, ConnectionEnd, Entry, GapChange, LinkChange, Payload, Text};
use super::event::{Connection, LinkState, ReportedConnection, Service};
use super::names::NameId;
use super::observer::Connected;
use super::order::Stamp;
use super::state::State;
use super::time::{self, Millis};
use super::watch::PendingLoss;

impl DecideContext<'_> {
    /// Decides what follows from an event of the observer's connection. An event without news makes no entry.
    pub(super) fn connection(&self, said: ReportedConnection) -> Commit {
        let known = self.state.observers.get(&self.observer);
        let known = known.and_then(|observer| observer.connection);
        let up = known.is_some_and(|connection| !connection.lost);
        let entries = match said.what {
            Connection::Up if up => vec![
                self.goes_down(self.seq, Connection::Lost, known),
                self.comes_up(self.seq + 1, said),
            ],
            Connection::Up => vec![self.comes_up(self.seq, said)],
            // The feed is back before the server noticed the loss of its old connection.
            Connection::Resumed if up => Vec::new(),
            Connection::Resumed => vec![self.comes_up(self.seq, said)],
            Connection::Lost | Connection::Restart if up => {
                vec![self.goes_down(self.seq, said.what, known)]
            }
            Connection::Closed if up => {
                let (observer, recorded_at) = (self.observer, self.recorded_at);
                return Commit::Closed(ConnectionEnd {
                    observer,
                    recorded_at,
                });
            }
            Connection::Lost | Connection::Restart | Connection::Closed => Vec::new(),
            Connection::Missing => vec![self.goes_missing(known)],
        };
        if entries.is_empty() {
            Commit::Nothing
        } else {
            Commit::Entries(entries)
        }
    }

    fn comes_up(&self, seq: u64, said: ReportedConnection) -> Entry {
        let at = time::counted(said.at, self.recorded_at, self.rules.max_ahead_ms);
        let (reason, gaps) = match said.what {
            Connection::Resumed => (
                Some("resumed"),
                self.gap_changes(|name| self.gap_over(name)),
            ),
            _ => (None, Vec::new()),
        };
        self.entry_of(seq, at.unwrap_or(self.recorded_at), said.what, reason, gaps)
    }

    fn goes_down(&self, seq: u64, what: Connection, known: Option<Connected>) -> Entry {
        let reason = match what {
            Connection::Restart => "restart",
            _ => "connection_lost",
        };
        let gaps = self.gap_changes(|name| self.gap_opened(name, false));
        self.entry_of(seq, self.proven_until(known), what, Some(reason), gaps)
    }

    fn goes_missing(&self, known: Option<Connected>) -> Entry {
        let gaps = self.gap_changes(|name| self.gap_of_missing(name));
        let (what, reason) = (Connection::Missing, Some("entries_missing"));
        self.entry_of(self.seq, self.proven_until(known), what, reason, gaps)
    }

    /// Until when the observer is proven to have been there, if it is gone now.
    fn proven_until(&self, known: Option<Connected>) -> Millis {
        let observer = self.state.observers.get(&self.observer);
        let proof = observer.and_then(|observer| observer.proof);
        // A connection without a proof of its own is proven only for the moment when it came up.
        match (proof, known) {
            (Some(proof), Some(known)) if proof.seq > known.since => proof.time,
            (_, Some(known)) => known.at,
            (proof, None) => proof.map_or(self.recorded_at, |proof| proof.time),
        }
    }

    /// The gap of a channel of which entries are missing, unless another observer still watches it. What was lost took effect
    /// no earlier than the last message about the channel itself; messages about other channels prove nothing here. A gap
    /// that is open already begins there, too.
    fn gap_of_missing(&self, name: NameId) -> Option<GapChange> {
        let channel = self.state.channels.get(&name)?;
        let watching = &channel.watching;
        let spoken_of = (channel.effective_seq > 0).then_some(channel.effective_at);
        let at = watching.heard_at.or(spoken_of)?;
        let gap = match watching.open_gap {
            Some(open) => (at < open.from).then_some(open.gap)?,
            None if watching.another_is_up(self.observer) => return None,
            None => watching.gaps + 1,
        };
        Some(GapChange {
            channel: name,
            gap,
            at,
            opens: true,
        })
    }

    fn entry_of(
        &self,
        seq: u64,
        at: Millis,
        what: Connection,
        reason: Option<&str>,
        gaps: Vec<GapChange>,
    ) -> Entry {
        let link = LinkChange {
            channel: None,
            state: if what.is_loss() {
                LinkState::Down
            } else {
                LinkState::Up
            },
            service: Service::All,
            except: Vec::new(),
            reason: reason.map(Text::from),
            gaps,
            connection: Some(what),
        };
        Entry {
            occurred_at: at,
            effective_at: at,
            stamp: Stamp::NONE,
            lossy: false,
            ..self.outside_channels(seq, Payload::Link(Box::new(link)))
        }
    }

    /// The gap that ends, because the feed that resumes has watched its channel all the time. A gap that was open
    /// before the connection was lost stays open.
    fn gap_over(&self, channel: NameId) -> Option<GapChange> {
        let watching = &self.state.channels.get(&channel)?.watching;
        let loss = watching.of(self.observer)?.lost?;
        let open = watching.open_gap.filter(|open| open.gap > loss.gaps)?;
        Some(GapChange {
            channel,
            gap: open.gap,
            at: open.from,
            opens: false,
        })
    }
}

impl State {
    pub(super) fn apply_connection(&mut self, entry: &Entry, link: &LinkChange, what: Connection) {
        let observer = self.observers.entry(entry.observer).or_default();
        self.connected -= u64::from(observer.is_connected());
        let fresh = Connected {
            since: entry.seq,
            at: entry.occurred_at,
            lost: false,
        };
        observer.connection = match what {
            Connection::Up => Some(fresh),
            Connection::Resumed => Some(Connected {
                lost: false,
                ..observer.connection.unwrap_or(fresh)
            }),
            Connection::Lost | Connection::Restart => Some(Connected {
                lost: true,
                ..observer.connection.unwrap_or(fresh)
            }),
            Connection::Closed | Connection::Missing => None,
        };
        self.connected += u64::from(observer.is_connected());
        match what {
            Connection::Up => observer.up_at = observer.linked.then_some(entry.seq),
            // Live events from here on hold against snapshots of channels that are new then.
            Connection::Missing => observer.up_at = observer.up_at.map(|_| entry.seq),
            _ => {}
        }
        let channels: Vec<NameId> = observer.channels.keys().copied().collect();
        for &name in &channels {
            let channel = self.channels.entry(name).or_default();
            let gaps = channel.watching.gaps;
            let own_link = observer.has_own_link(name);
            let watch = channel
                .watching
                .of_mut(entry.observer, observer, name, entry.seq);
            match what {
                Connection::Lost | Connection::Restart if watch.up && watch.lost.is_none() => {
                    let stretch = watch.stretch;
                    watch.lost = Some(PendingLoss {
                        seq: entry.seq,
                        proof: stretch
                            .and_then(|stretch| observer.proof_over_link(name, stretch, own_link)),
                        gaps,
                    });
                }
                Connection::Resumed => watch.lost = None,
                Connection::Up if watch.lost.is_some() => {
                    channel.watching.settle(entry.observer);
                    let watch = channel
                        .watching
                        .of_mut(entry.observer, observer, name, entry.seq);
                    watch.up = true;
                    // A feed without link lines has no such hold.
                    watch.hold = observer.linked.then_some(entry.seq);
                }
                Connection::Missing => channel.watching.lose_sight(entry.observer, entry.seq),
                // A link that the source reported as down stays down until the source reports otherwise.
                _ => {}
            }
        }
        for name in channels {
            self.note_collecting(entry.observer, name);
        }
        self.apply_gaps(link);
    }

    /// Applies the clean end of a connection, which is no entry.
    pub fn apply_closed(&mut self, closed: &ConnectionEnd) {
        self.recorded_at = self.recorded_at.max(closed.recorded_at);
        if let Some(observer) = self.observers.get_mut(&closed.observer) {
            self.connected -= u64::from(observer.is_connected());
            observer.connection = None;
        }
    }
}
