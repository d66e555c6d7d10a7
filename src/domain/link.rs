//! Link lines: which channels one concerns, which gaps it opens, and how it changes the watches of those channels.

use super::context::{DecideContext, DecideError};
use super::entry::{Entry, GapChange, LinkChange, Payload, Text};
use super::event::{LinkState, Service};
use super::interval::ObservedInterval;
use super::names::{NameId, Names, NumberMap};
use super::own_list::Collecting;
use super::resolve::{LinkedChannel, ResolvedLink};
use super::state::State;
use super::watch::OpenGap;

/// The prefixes of presence channels; the name that the source gives follows.
const PRESENCE_PREFIXES: [&str; 2] = ["message:", STREAM_PREFIX];
/// The prefix for the presence of stream channels.
const STREAM_PREFIX: &str = "stream:";

impl Service {
    /// Whether a link line of this service that names no channel concerns `channel`.
    pub(crate) fn carries(self, channel: &str) -> bool {
        let presence = PRESENCE_PREFIXES
            .iter()
            .any(|prefix| channel.starts_with(prefix));
        match self {
            Service::All | Service::TopicsAndPresence => true,
            Service::Topics => !presence,
            Service::Presence => presence,
            Service::Other => false,
        }
    }

    /// The channels that a name may mean in a link line of this service.
    pub(crate) fn channels_of(self, name: &str) -> Vec<String> {
        let literal = (self != Service::Presence).then(|| name.to_owned());
        let presence = matches!(self, Service::Presence | Service::TopicsAndPresence);
        let prefixes = PRESENCE_PREFIXES.iter().filter(|_| presence);
        let prefixed = prefixes.map(|prefix| format!("{prefix}{name}"));
        literal.into_iter().chain(prefixed).collect()
    }
}

impl DecideContext<'_> {
    pub(super) fn link(&self, resolved: &ResolvedLink<'_>) -> Result<Vec<Entry>, DecideError> {
        let said = resolved.said;
        let state = match said.state {
            // Under these rules the source sends a snapshot.
            LinkState::UpWithDifferences if self.rules.resync_ms <= 0 => LinkState::Up,
            state => state,
        };
        let reason = said.reason.as_deref().map(Text::from);
        let link = |channel, service, except, gaps| {
            Payload::Link(Box::new(LinkChange {
                channel,
                state,
                service,
                except,
                reason: reason.clone(),
                gaps,
                connection: None,
            }))
        };
        // Channels that are not restored stay down. A lost link spares no channel.
        let unrestored = resolved.unrestored.iter().filter(|_| state.is_up());
        let except = self.channels_named(unrestored, &[]);
        // The SDK names message channels only; the presence of stream channels uses the same connection.
        let with_streams = said.service == Service::Presence && !said.channels.is_empty();
        let streams: Vec<NameId> = if with_streams {
            let known = self.state.channels_of(self.observer);
            let is_stream = |&name: &NameId| self.names.text(name).starts_with(STREAM_PREFIX);
            known.filter(is_stream).collect()
        } else {
            Vec::new()
        };
        let named = self.channels_named(resolved.channels.iter(), &streams);
        let service = match said.service {
            Service::TopicsAndPresence => Service::All,
            // It names channels, but no known one.
            Service::Presence if named.is_empty() && !said.channels.is_empty() => Service::Other,
            service => service,
        };
        if said.channels.is_empty() || service == Service::Other {
            let gaps = match state {
                _ if service == Service::Other => Vec::new(),
                LinkState::Up | LinkState::Synced => Vec::new(),
                // A link that came up with differences had been lost.
                LinkState::Down | LinkState::UpWithDifferences => self.gap_changes(|name| {
                    let spared = except.contains(&name);
                    self.gap_of_loss(service, name).filter(|_| !spared)
                }),
            };
            return Ok(vec![
                self.outside_channels(self.seq, link(None, service, except, gaps)),
            ]);
        }
        let mut entries = Vec::with_capacity(named.len());
        for name in named.into_iter().filter(|name| !except.contains(name)) {
            let channel = self.channel(name)?;
            let gap = match state {
                LinkState::Up | LinkState::Synced => None,
                LinkState::Down | LinkState::UpWithDifferences => self.gap_opened(name, true),
            };
            let gaps = gap.into_iter().collect();
            let seq = self.seq + entries.len() as u64;
            let what = link(Some(name), service, Vec::new(), gaps);
            entries.push(self.entry(seq, channel, what));
        }
        Ok(entries)
    }

    /// The channels that a link line names, and `others`, each once and in byte order. Presence has other names for
    /// them, and of these only those count that the observer has reported about.
    fn channels_named<'n>(
        &self,
        named: impl Iterator<Item = &'n LinkedChannel>,
        others: &[NameId],
    ) -> Vec<NameId> {
        let of_observer = |name| self.state.is_channel_of(self.observer, name);
        let named = named.filter(|channel| channel.literal || of_observer(channel.name));
        let mut channels: Vec<NameId> = named.map(|channel| channel.name).collect();
        channels.extend(others);
        channels.sort_unstable_by(|&a, &b| self.names.text(a).cmp(self.names.text(b)));
        channels.dedup();
        channels
    }

    fn gap_of_loss(&self, service: Service, name: NameId) -> Option<GapChange> {
        let carried = service.carries(self.names.text(name));
        self.gap_opened(name, false).filter(|_| carried)
    }

    /// The gap changes of the observer's channels, in the order of their names.
    pub(super) fn gap_changes(&self, of: impl Fn(NameId) -> Option<GapChange>) -> Vec<GapChange> {
        let mut channels: Vec<NameId> = self.state.channels_of(self.observer).collect();
        channels.sort_unstable_by(|&a, &b| self.names.text(a).cmp(self.names.text(b)));
        channels.into_iter().filter_map(of).collect()
    }

    /// The gap that opens when this observer, the last one of the channel, goes
    /// down. `named`: the line names the channel.
    pub(super) fn gap_opened(&self, name: NameId, named: bool) -> Option<GapChange> {
        let watching = &self.state.channels.get(&name)?.watching;
        let watch = watching.of(self.observer).filter(|watch| watch.is_up())?;
        if watching.open_gap.is_some() || watching.another_is_up(self.observer) {
            return None;
        }
        let observer = self.state.observers.get(&self.observer)?;
        let own_link = named || observer.has_own_link(name);
        let own = watch
            .stretch
            .and_then(|stretch| observer.proof_over_link(name, stretch, own_link));
        let at = watching.proven().max(own)?;
        Some(GapChange {
            channel: name,
            gap: watching.gaps + 1,
            at,
            opens: true,
        })
    }
}

impl State {
    pub(super) fn apply_link(&mut self, entry: &Entry, link: &LinkChange, names: &Names) {
        if let Some(what) = link.connection {
            return self.apply_connection(entry, link, what);
        }
        let observer = self.observers.entry(entry.observer).or_default();
        let targets: Vec<NameId> = match link.channel {
            Some(channel) => vec![channel],
            None => {
                let except: NumberMap<NameId, ()> =
                    link.except.iter().map(|&name| (name, ())).collect();
                let known = observer.channels.keys().copied();
                known
                    .filter(|&channel| link.service.carries(names.text(channel)))
                    .filter(|channel| !except.contains_key(channel))
                    .collect()
            }
        };
        if link.channel.is_none() {
            let as_a_whole = matches!(link.service, Service::All | Service::Topics);
            if as_a_whole && link.state != LinkState::Synced {
                observer.up_at = link.state.is_up().then_some(entry.seq);
            }
            observer.linked |= as_a_whole;
        }
        observer.linked |= !targets.is_empty();
        for name in targets {
            self.apply_link_to(name, entry, link);
            self.note_collecting(entry.observer, name);
        }
        self.apply_gaps(link);
    }

    fn apply_link_to(&mut self, name: NameId, entry: &Entry, link: &LinkChange) {
        let observer = self.observers.entry(entry.observer).or_default();
        let channel = self.channels.entry(name).or_default();
        channel.lossy |= entry.lossy;
        channel.watching.settle(entry.observer);
        if link.channel.is_some() {
            observer.give_own_link(name);
        }
        let own_link = observer.has_own_link(name);
        let watch = channel
            .watching
            .of_mut(entry.observer, observer, name, entry.seq);
        let resumed = link.state == LinkState::UpWithDifferences;
        let collects = resumed && watch.own_list.is_some();
        let mut ended = None;
        if resumed || link.state == LinkState::Down {
            ended = watch.go_down().map(|stretch| ObservedInterval {
                proof: observer.proof_over_link(name, stretch, own_link),
                ..stretch
            });
        }
        match link.state {
            LinkState::Up | LinkState::UpWithDifferences => {
                watch.up = true;
                watch.hold = watch.hold.or(Some(entry.seq));
                watch.collecting = collects.then(|| Box::new(Collecting::since(entry.occurred_at)));
            }
            LinkState::Synced | LinkState::Down => {}
        }
        channel.watching.break_off(ended, entry.seq);
    }

    pub(super) fn apply_gaps(&mut self, link: &LinkChange) {
        for change in &link.gaps {
            let watching = &mut self.channels.entry(change.channel).or_default().watching;
            watching.gaps = watching.gaps.max(change.gap);
            watching.open_gap = change.opens.then_some(OpenGap {
                gap: change.gap,
                from: change.at,
            });
        }
    }
}
