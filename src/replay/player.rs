//! Which commits are played, and as which events.

use super::sink::{LineShape, LineSink, PlayedLine, ReplayFilter, SkippedEntry};
use super::{agora, own};
use crate::domain::behind::{
    closed_behind, event_behind, page_behind, resync_behind, roster_behind, standing_behind,
};
use crate::domain::entry::{ConnectionEnd, Entry, Page, PageStep, Payload, Recording, Rules};
use crate::domain::event::{Event, EventPayload};
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::renumbering::Renumbering;
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::store::{ScopedRecord, StateView};
use std::collections::HashSet;

/// Plays commits to a sink; in Rollbook's shape, also the pages between them.
pub(super) struct Player<'a> {
    filter: &'a ReplayFilter,
    shape: LineShape,
    sink: &'a mut dyn LineSink,
    /// Paged snapshots (observer and channel) whose begin was played.
    begun: HashSet<(NameId, NameId)>,
    opening: Opening,
    /// The next entry; for a commit, its first.
    next: u64,
    stopped: bool,
}

/// The rosters at the begin of the range: which are played already. Each channel has its own time, so what comes later in
/// the log may still be before the range.
#[derive(Default)]
struct Opening {
    /// They are wanted although the filter does not say so: what was before them is gone.
    must: Option<Millis>,
    /// When what follows the roster was recorded; what comes from elsewhere is recorded no earlier.
    recorded_at: Option<Millis>,
    /// A commit in the range, or behind it, was reached.
    begun: bool,
    /// The channels of which a roster was played, and the last entry that it shows.
    shown: NumberMap<NameId, u64>,
    /// The channels of which a commit in the range, or behind it, was reached.
    reached: NumberMap<NameId, ()>,
}

impl<'a> Player<'a> {
    pub fn new(filter: &'a ReplayFilter, shape: LineShape, sink: &'a mut dyn LineSink) -> Self {
        Player {
            filter,
            shape,
            sink,
            begun: HashSet::new(),
            opening: Opening::default(),
            next: 1,
            stopped: false,
        }
    }

    /// Plays the rosters first in any case: what was before this moment was pruned.
    pub fn begin_at(&mut self, moment: Millis) {
        self.opening.must = Some(moment);
    }

    fn is_in_range(&self, seq: u64, at: Millis) -> bool {
        let filter = self.filter;
        !self.is_before_range(seq, at)
            && filter.to.is_none_or(|to| at < to)
            && filter.to_seq.is_none_or(|to| seq <= to)
    }

    fn is_before_range(&self, seq: u64, at: Millis) -> bool {
        let filter = self.filter;
        filter.from.is_some_and(|from| at < from) || filter.from_seq.is_some_and(|from| seq < from)
    }

    /// Whether a commit concerns the wanted channel. A link line may have made an entry in each of several channels.
    fn is_of_channel(&self, entries: &[Entry], at: StateView<'_>) -> bool {
        let Some(wanted) = &self.filter.channel else {
            return true;
        };
        entries.iter().any(|entry| match at.channel_of(entry) {
            Some(channel) => at.names.text(channel) == wanted,
            None => at.is_shown_in(entry, at.names.find(wanted)),
        })
    }

    /// Plays the rosters at the begin of the range, if they are wanted and were not played: of all channels when the range
    /// is reached, and of one that had more to come before it, when that channel reaches it. `recorded_at` is when what
    /// follows was recorded.
    fn open(
        &mut self,
        observer: &str,
        reached: Option<NameId>,
        recorded_at: Option<Millis>,
        at: StateView<'_>,
    ) {
        self.opening.recorded_at = recorded_at;
        if !self.filter.standing && self.opening.must.is_none() {
            return;
        }
        if let Some(name) = self.filter.channel.as_deref() {
            if !std::mem::replace(&mut self.opening.begun, true)
                && let Some(channel) = at.names.find(name)
            {
                self.open_channel(channel, observer, at);
            }
            return;
        }
        if !std::mem::replace(&mut self.opening.begun, true) {
            self.open_rest(at);
        }
        if let Some(channel) = reached
            && self.opening.reached.insert(channel, ()).is_none()
        {
            self.open_outdated(channel, at);
        }
    }

    /// Ends the play: the rosters of channels that never reached the range.
    pub fn end(&mut self, at: StateView<'_>) {
        self.open("default", None, None, at);
        if self.filter.channel.is_none() && (self.filter.standing || self.opening.must.is_some()) {
            self.open_rest(at);
        }
    }

    /// Plays the rosters of all channels that have not reached the range, and of which this is not played.
    fn open_rest(&mut self, at: StateView<'_>) {
        let known = at.state.channels().map(|(name, _)| name);
        let reached = &self.opening.reached;
        let mut rest: Vec<NameId> = known.filter(|name| !reached.contains_key(name)).collect();
        rest.sort_unstable_by(|&a, &b| at.names.text(a).cmp(at.names.text(b)));
        for channel in rest {
            self.open_outdated(channel, at);
        }
    }

    fn open_outdated(&mut self, channel: NameId, at: StateView<'_>) {
        let Some(known) = at.state.channel(channel) else {
            return;
        };
        let last = known.effective_seq();
        if last == 0 || self.opening.shown.insert(channel, last) == Some(last) {
            return;
        }
        // Whose list it is decides nothing; so it is the one who spoke of the channel first.
        let observer = known.watching().observers_by(u64::MAX).next();
        let observer = observer.map_or("default", |observer| at.names.text(observer));
        self.open_channel(channel, observer, at);
    }

    /// Plays the roster of a channel, if that has earlier history.
    fn open_channel(&mut self, channel: NameId, observer: &str, at: StateView<'_>) {
        let StateView { state, names } = at;
        let Some(event) = roster_behind(channel, observer, state, names) else {
            return;
        };
        let begin = self.filter.from.max(self.opening.must);
        let moment = begin.or(event.stamp.ts).unwrap_or(Millis::MIN);
        let recording = Recording {
            recorded_at: self.opening.recorded_at,
            ..Recording::default()
        };
        self.say(&event, recording, self.next, moment);
        for event in resync_behind(channel, observer, state, names) {
            self.say(&event, recording, self.next, moment);
        }
    }

    fn event(&mut self, entries: &[Entry], state: &State, names: &Names) -> Option<Event<'static>> {
        let mut event = self.whole_event(entries, state, names)?;
        if let (Some(wanted), EventPayload::Link(link)) = (&self.filter.channel, &mut event.payload)
        {
            // A play of one channel shows nothing of other channels.
            link.channels.retain(|channel| channel == wanted);
            link.unrestored.retain(|channel| channel == wanted);
        }
        Some(event)
    }

    fn whole_event(
        &mut self,
        entries: &[Entry],
        state: &State,
        names: &Names,
    ) -> Option<Event<'static>> {
        let first = entries.first()?;
        if let Payload::Snapshot(snapshot) = &first.payload
            && snapshot.begin.is_some()
            && !self.begun.remove(&(first.observer, snapshot.channel))
        {
            let inferred = entries.get(1..).unwrap_or_default();
            return Some(standing_behind(first, snapshot, inferred, state, names));
        }
        event_behind(entries, state, names)
    }

    fn say(&mut self, event: &Event<'_>, recording: Recording, seq: u64, at: Millis) {
        let lines = match self.shape {
            LineShape::Agora => agora::lines(event),
            LineShape::Rollbook => own::lines(event, recording),
        };
        match lines {
            Ok(lines) => {
                for text in &lines {
                    self.stopped = self.stopped || !self.sink.line(&PlayedLine { seq, at, text });
                }
            }
            Err(error) => self.untold(seq, error.to_string()),
        }
    }

    fn untold(&mut self, seq: u64, why: String) {
        self.sink.untold(&SkippedEntry { seq, why });
    }
}

impl Player<'_> {
    /// Plays a record. `before` is the state before it.
    pub fn play(&mut self, record: &ScopedRecord<'_>, before: StateView<'_>) {
        match record {
            // Also a commit of which only the first entries are in the scope.
            ScopedRecord::Commit(commit) => {
                self.play_commit(commit.rules, commit.all, before);
                self.next = commit.all.last().map_or(self.next, |last| last.seq + 1);
            }
            ScopedRecord::Page {
                rules,
                page,
                next_seq,
            } => {
                self.next = *next_seq;
                self.play_page(before, rules, page);
            }
            ScopedRecord::Closed { end, next_seq } => {
                self.next = *next_seq;
                self.play_closed(end, before);
            }
            ScopedRecord::Reject(_)
            | ScopedRecord::Settled(_)
            | ScopedRecord::Progress(_)
            | ScopedRecord::Forgotten(_) => {}
        }
    }

    /// Whether the sink wants no more lines.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Replaces the numbers of names after the dictionary was renumbered.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        let begun = self.begun.drain().filter_map(|(observer, channel)| {
            Some((renumbering.name(observer)?, renumbering.name(channel)?))
        });
        self.begun = begun.collect();
        let Opening { shown, reached, .. } = &mut self.opening;
        *shown = renumbering.by_name(std::mem::take(shown));
        *reached = renumbering.by_name(std::mem::take(reached));
    }

    fn play_commit(&mut self, rules: &Rules, entries: &[Entry], before: StateView<'_>) {
        let StateView { state, names } = before;
        let Some(first) = entries.first() else {
            return;
        };
        let (seq, at) = (first.seq, first.effective_at);
        self.next = seq;
        if self.is_before_range(seq, at) || !self.is_of_channel(entries, before) {
            return;
        }
        let (observer, channel) = (names.text(first.observer), before.channel_of(first));
        self.open(observer, channel, Some(first.recorded_at), before);
        if self.stopped || !self.is_in_range(seq, at) {
            return;
        }
        match self.event(entries, state, names) {
            Some(event) => self.say(&event, recording(first.recorded_at, rules), seq, at),
            None => self.untold(seq, "no event can have made these entries".to_owned()),
        }
    }

    fn play_closed(&mut self, closed: &ConnectionEnd, before: StateView<'_>) {
        let (seq, moment) = (self.next, closed.recorded_at);
        if self.filter.channel.is_some() || !self.is_in_range(seq, moment) {
            return;
        }
        let event = closed_behind(closed, before.names);
        let recording = recording(closed.recorded_at, &Rules::default());
        self.say(&event, recording, seq, moment);
    }

    fn play_page(&mut self, at: StateView<'_>, rules: &Rules, page: &Page) {
        let name = at.names.text(page.channel);
        let of_channel = self.filter.channel.as_deref().is_none_or(|of| of == name);
        if self.shape != LineShape::Rollbook || !of_channel {
            return;
        }
        let seq = self.next;
        let known = at.state.channel(page.channel);
        let effective_at = known.map_or(Millis::MIN, |channel| channel.effective_at());
        let (open, mut moment) = ((page.observer, page.channel), effective_at);
        if let PageStep::Begin { begin, .. } = &page.step {
            // A paged snapshot that began in the range is played to its end; of an earlier one only the end, as one
            // line.
            moment = moment.max(begin.occurred_at);
            if self.is_in_range(seq, moment) {
                self.begun.insert(open);
            } else {
                self.begun.remove(&open);
            }
        }
        if !self.begun.contains(&open) {
            return;
        }
        let (observer, channel) = (at.names.text(page.observer), Some(page.channel));
        self.open(observer, channel, Some(page.recorded_at), at);
        let event = page_behind(page, at.names);
        self.say(&event, recording(page.recorded_at, rules), seq, moment);
    }
}

fn recording(recorded_at: Millis, rules: &Rules) -> Recording {
    Recording {
        recorded_at: Some(recorded_at),
        rules: Some(*rules).filter(|rules| *rules != Rules::default()),
        connection: None,
    }
}
