//! Records what another log has again, behind what is known: each record becomes the event behind it, and the rules decide. Where
//! entries are missing before it, what it rests on may be missing, too; then only what it says itself is recorded.
//!
//! **Invariant:** nobody becomes certain by what is recorded here who was not there in the other log. A channel of which entries are
//! missing is blind until a snapshot that shows all of it. That is one whose list is known, and that nothing missing speaks
//! against.

use super::doubt::DoubtedChannels;
use super::listed::{self, SnapshotView};
use crate::domain::behind::{closed_behind, event_behind, page_behind};
use crate::domain::entry::{Change, Disposition, Entry, Payload, Rules, Snapshot, SnapshotOrigin};
use crate::domain::event::{Connection, Event, EventPayload};
use crate::domain::roster::ChannelState;
use crate::domain::time::Millis;
use crate::log::Record;
use crate::log::frame::{DecodedRecord, channel_hash};
use crate::query::repaired::Repaired;
use crate::store::{Rewriter, StateView};

/// Records another log into a store.
pub(super) struct Redecider {
    pub rewriter: Rewriter,
    pub report: Repaired,
    doubt: DoubtedChannels,
    /// Rejects before the first missing entry: only of these the numbers are known.
    numbered_rejects: Option<u64>,
    /// The card is lost, and with it the key of the digests.
    without_key: bool,
}

/// The observer of the entry that declares entries missing where no observer is known.
const NOBODY: &str = "repair";
const OLDER: &str = "it was older than something that is missing, and without that it would count";
const SAYS_NOTHING: &str = "without what is missing it says nothing new";
const DERIVED: &str = "it follows from differences, and some of them are missing";

impl Redecider {
    pub fn new(rewriter: Rewriter, report: Repaired, without_key: bool) -> Redecider {
        Redecider {
            rewriter,
            report,
            doubt: DoubtedChannels::default(),
            numbered_rejects: None,
            without_key,
        }
    }

    /// Declares that entries are missing here: each observer that is known loses sight of all its channels.
    pub fn declare_missing(&mut self) {
        let StateView { state, names } = self.rewriter.view();
        let observers = state.observers().map(|(name, _)| names.text(name));
        let mut observers: Vec<String> = observers.map(str::to_owned).collect();
        observers.sort_unstable();
        if observers.is_empty() {
            // Nobody is known yet. That something is missing must be in the log all the same.
            observers.push(NOBODY.to_owned());
        }
        for observer in observers {
            self.missing_of(&observer);
        }
        self.doubt.any_missing();
        let rejects = self.rewriter.rejects();
        self.numbered_rejects.get_or_insert(rejects);
    }

    /// It is as of the last thing known.
    fn missing_of(&mut self, observer: &str) {
        let how = (&Rules::default(), Millis::MIN);
        self.rewriter
            .connection(observer, Connection::Missing, None, how);
    }

    /// Records one record again.
    pub fn record(&mut self, record: DecodedRecord<'_>) {
        let record = match record {
            DecodedRecord::Commit(rules, entries) => return self.commit(rules, entries),
            DecodedRecord::Other(other, _) => other,
        };
        match record {
            Record::Commit { rules, entries } => self.commit(rules, entries),
            Record::Page { rules, page } => {
                let event = page_behind(page, self.rewriter.view().names);
                // A page whose begin is missing is no entry, and nothing follows from it.
                let _ = self.rewriter.record(&event, rules, page.recorded_at);
            }
            Record::Closed(closed) => {
                let event = closed_behind(closed, self.rewriter.view().names);
                let how = (&Rules::default(), closed.recorded_at);
                self.rewriter
                    .connection(&event.observer, Connection::Closed, None, how);
            }
            &Record::Settled(reject) => {
                if self.numbered_rejects.is_none_or(|known| reject <= known) {
                    self.rewriter.keep(record);
                }
            }
            Record::Reject(_) | Record::Progress(_) | Record::Forgotten(_) => {
                self.rewriter.keep(record);
            }
        }
    }

    fn commit(&mut self, rules: &Rules, entries: &[Entry]) {
        let Some(first) = entries.first() else {
            return;
        };
        self.report.redecided += entries.len() as u64;
        let view = self.rewriter.view();
        let channel = view.channel_of(first).map(|name| view.names.text(name));
        let hash = channel
            .filter(|_| !self.doubt.is_none())
            .map(channel_hash)
            .filter(|&hash| self.doubt.has(hash));
        match (&first.payload, hash) {
            (Payload::Link(link), _) if link.connection.is_some() => {
                self.connection(rules, entries);
            }
            (Payload::Change(_), Some(_)) => self.changes(rules, entries),
            (Payload::Snapshot(snapshot), Some(hash)) => {
                self.snapshot(rules, entries, snapshot, hash);
            }
            _ => {
                self.event(rules, entries);
            }
        }
        if hash.is_some_and(|hash| self.doubt.has(hash)) {
            self.blind(first);
        }
    }

    /// Sees to it that a channel in doubt is blind: what was heard of it for the first time behind the missing entries is not.
    fn blind(&mut self, entry: &Entry) {
        let view = self.rewriter.view();
        let channel = view
            .channel_of(entry)
            .and_then(|name| view.state.channel(name));
        let sees = |channel: &ChannelState| {
            channel.effective_seq() > 0 && channel.watching().open_gap().is_none()
        };
        if channel.is_some_and(sees) {
            let observer = view.names.text(entry.observer).to_owned();
            self.missing_of(&observer);
        }
    }

    /// Records the event behind entries. Returns the first entry that it makes.
    fn event(&mut self, rules: &Rules, entries: &[Entry]) -> Option<u64> {
        let view = self.rewriter.view();
        let event = event_behind(entries, view.state, view.names);
        let (first, last) = (entries.first()?, entries.last()?);
        let recorded = match &event {
            // The later lines make it again, unless something before them is missing.
            Some(Event {
                payload: EventPayload::Resync { .. },
                ..
            }) => {
                if !self.doubt.is_none() {
                    self.report.leave_out(first.seq, last.seq, DERIVED);
                }
                return None;
            }
            Some(event) => self.rewriter.record(event, rules, first.recorded_at),
            None => Err("what it rests on is missing".to_owned()),
        };
        let recorded = recorded.and_then(|seq| seq.ok_or_else(|| SAYS_NOTHING.to_owned()));
        if let Err(why) = &recorded {
            self.report.leave_out(first.seq, last.seq, why);
        }
        recorded.ok()
    }

    /// Records the changes of a channel in doubt. One that was known to be out of date is left out: what it was older than may be
    /// missing.
    fn changes(&mut self, rules: &Rules, entries: &[Entry]) {
        let is_late = |entry: &Entry| {
            matches!(
                &entry.payload,
                Payload::Change(Change {
                    disposition: Disposition::Stale,
                    ..
                })
            )
        };
        let kept: Vec<Entry> = entries
            .iter()
            .filter(|entry| !is_late(entry))
            .cloned()
            .collect();
        for late in entries.iter().filter(|entry| is_late(entry)) {
            self.report.leave_out(late.seq, late.seq, OLDER);
        }
        if !kept.is_empty() {
            self.event(rules, &kept);
        }
    }

    /// Records what became of a connection. The loss of one whose coming up is missing counts, too.
    fn connection(&mut self, rules: &Rules, entries: &[Entry]) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return;
        };
        let Payload::Link(link) = &last.payload else {
            return;
        };
        let Some(what) = link.connection else { return };
        let StateView { state, names } = self.rewriter.view();
        let is_up = state
            .observers()
            .any(|(name, it)| name == last.observer && it.is_connected());
        let observer = names.text(last.observer).to_owned();
        if !self.doubt.is_none() && !is_up && (what.is_loss() || entries.len() > 1) {
            self.missing_of(&observer);
        }
        let at = Some(last.occurred_at);
        self.rewriter
            .connection(&observer, what, at, (rules, first.recorded_at));
    }

    /// Records a snapshot of a channel in doubt.
    fn snapshot(&mut self, rules: &Rules, entries: &[Entry], snapshot: &Snapshot, hash: u64) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return;
        };
        if snapshot.stale {
            return self.report.leave_out(first.seq, last.seq, OLDER);
        }
        match snapshot.origin {
            SnapshotOrigin::Listed => {}
            SnapshotOrigin::Differences => {
                return self.report.leave_out(first.seq, last.seq, DERIVED);
            }
            SnapshotOrigin::Occupancy => {
                self.event(rules, entries);
                return;
            }
        }
        let foreseen = self.foreseen(rules, entries, snapshot);
        let Some(view) = self.view_of(entries, snapshot) else {
            return;
        };
        if foreseen.is_none_or(|foreseen| !view.is_undisputed(&foreseen)) {
            let (leaves, rest) = (listed::leaves(view.inferred), view.what_it_says());
            self.report.weakened += 1;
            if !leaves.is_empty() {
                self.event(rules, &leaves);
            }
            self.event(rules, &[rest]);
            return;
        }
        let seq = self.event(rules, entries);
        let known = self.rewriter.view().state.channel(snapshot.channel);
        let shows = known.is_some_and(|channel| {
            let cover = channel.cover.filter(|cover| Some(cover.seq) == seq);
            cover.is_some() && channel.watching().open_gap().is_none()
        });
        if shows {
            self.doubt.shown(hash);
        }
    }

    /// What a snapshot would be behind what is known, if its list is known.
    fn foreseen(
        &mut self,
        rules: &Rules,
        entries: &[Entry],
        snapshot: &Snapshot,
    ) -> Option<Box<Snapshot>> {
        let key = (!self.without_key).then(|| self.rewriter.digest_key());
        let view = self
            .view_of(entries, snapshot)
            .filter(|it| it.is_known(key))?;
        let event = event_behind(entries, view.at.state, view.at.names)?;
        let recorded_at = view.entry.recorded_at;
        let foreseen = self.rewriter.foresee(&event, rules, recorded_at)?;
        match foreseen.into_iter().next()?.payload {
            Payload::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    fn view_of<'a>(
        &'a self,
        entries: &'a [Entry],
        snapshot: &'a Snapshot,
    ) -> Option<SnapshotView<'a>> {
        let (entry, inferred) = entries.split_first()?;
        Some(SnapshotView {
            entry,
            snapshot,
            inferred,
            at: self.rewriter.view(),
        })
    }
}
