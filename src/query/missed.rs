//! `missed` and `gaps`: the times in which no observer watched a channel, and what must have happened in them.

use super::answer::{ClosedBy, CollectedChange, Evidence, Gap, Missed, MissedMember, Time};
use super::history::entry_type;
use super::{member_names, meta_answer};
use crate::domain::entry::{
    Change, Disposition, Entry, LinkChange, Origin, Payload, Snapshot, SnapshotOrigin,
};
use crate::domain::event::ChangeKind;
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::time::Millis;
use crate::store::{ScanScope, StateView, Store, StoreError, heard_of};

/// The gaps that are wanted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MissedFilter {
    /// Only this gap.
    pub gap: Option<u32>,
    /// Only gaps that had not ended at this moment, Unix ms.
    pub since: Option<Millis>,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
    /// Include the details for users: windows, and topics that vanished.
    pub detail: bool,
}

impl MissedFilter {
    /// Only this gap. Default: all.
    #[must_use]
    pub fn gap(mut self, gap: u32) -> Self {
        self.gap = Some(gap);
        self
    }

    /// Only gaps that had not ended at this moment, Unix ms. Default: all.
    #[must_use]
    pub fn since(mut self, ms: Millis) -> Self {
        self.since = Some(ms);
        self
    }

    /// The answer as of this recording time, Unix ms. Default: now.
    #[must_use]
    pub fn known_at(mut self, ms: Millis) -> Self {
        self.known_at = Some(ms);
        self
    }

    /// Whether to include the details for users: windows, and topics that vanished. Default: no.
    #[must_use]
    pub fn detail(mut self, detail: bool) -> Self {
        self.detail = detail;
        self
    }
}

impl Store {
    /// For every gap of a channel: who joined, left and changed while no observer watched.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), concat!(
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"}]},"ts":1000}"#, "\n",
    /// #     r#"{"t":"link","state":"down","ts":2000}"#, "\n",
    /// #     r#"{"t":"link","state":"up","ts":8000}"#, "\n",
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"lily"}]},"ts":9000}"#, "\n",
    /// #     "nonsense\n",
    /// # ))?;
    /// # let source = rollbook::ingest::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let missed = store.missed("room", &Default::default())?;
    /// assert_eq!(missed[0].joined[0].user, "lily");
    /// assert_eq!(missed[0].left[0].user, "tony");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel.
    pub fn missed(&self, channel: &str, filter: &MissedFilter) -> Result<Vec<Missed>, StoreError> {
        let gaps = self.gaps_found(channel, filter.known_at)?;
        let wanted = |found: &FoundGap| {
            !found.resumed
                && filter.gap.is_none_or(|gap| found.missed.gap == gap)
                && filter
                    .since
                    .is_none_or(|since| found.missed.to.is_none_or(|to| to.0 > since))
        };
        Ok(gaps
            .into_iter()
            .filter(wanted)
            .map(|found| {
                if filter.detail {
                    found.missed
                } else {
                    found.missed.plain()
                }
            })
            .collect())
    }

    /// The gaps of a channel.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), concat!(
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"}]},"ts":1000}"#, "\n",
    /// #     r#"{"t":"link","state":"down","ts":2000}"#, "\n",
    /// #     r#"{"t":"link","state":"up","ts":8000}"#, "\n",
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"lily"}]},"ts":9000}"#, "\n",
    /// #     "nonsense\n",
    /// # ))?;
    /// # let source = rollbook::ingest::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let gaps = store.gaps("room")?;
    /// assert_eq!((gaps[0].from.0, gaps[0].to.map(|to| to.0)), (1_000, Some(9_000)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel.
    pub fn gaps(&self, channel: &str) -> Result<Vec<Gap>, StoreError> {
        let gaps = self.gaps_found(channel, None)?.into_iter();
        Ok(gaps
            .map(
                |FoundGap {
                     missed, resumed, ..
                 }| Gap {
                    gap: missed.gap,
                    channel: missed.channel,
                    from: missed.from,
                    to: missed.to,
                    evidence: missed.evidence,
                    closed_by: missed.closed_by,
                    resumed,
                    joined: missed.joined.len() as u64,
                    left: missed.left.len() as u64,
                    updated: missed.updated.len() as u64,
                },
            )
            .collect())
    }

    fn gaps_found(
        &self,
        channel: &str,
        known_at: Option<Millis>,
    ) -> Result<Vec<FoundGap>, StoreError> {
        let scope = ScanScope {
            channel: Some(channel),
            known_at,
            ..ScanScope::default()
        };
        let mut gaps = Gaps {
            channel,
            found: Vec::new(),
            by_snapshot: None,
            loose: Vec::new(),
            loosed_by: None,
        };
        let (mut cursor, mut frames) = self.scan(&scope)?;
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    gaps.take(entry, cursor.view());
                    cursor.apply_entry(entry);
                }
                if commit.is_whole() {
                    gaps.note_vanished(commit.all, cursor.view());
                }
            }
            cursor.forget_absent();
        }
        heard_of(channel, &cursor.state, &cursor.names)?;
        Ok(gaps.found)
    }
}

impl Missed {
    /// The answer without the details: the JSON of `--format json`.
    #[must_use]
    pub fn plain(mut self) -> Missed {
        self.collected.clear();
        self.vanished.clear();
        let all = [&mut self.joined, &mut self.left, &mut self.updated];
        for member in all.into_iter().flatten() {
            (member.not_before, member.not_after) = (None, None);
        }
        self
    }
}

struct FoundGap {
    missed: Missed,
    resumed: bool,
    /// The `loose` changes at the time when the gap was reported.
    before: Vec<(ChangeKind, Millis, MissedMember)>,
}

impl FoundGap {
    fn add(&mut self, kind: ChangeKind, member: MissedMember) {
        match kind {
            ChangeKind::Join => self.missed.joined.push(member),
            ChangeKind::Leave => self.missed.left.push(member),
            ChangeKind::Update => self.missed.updated.push(member),
        }
    }
}

struct Gaps<'a> {
    channel: &'a str,
    found: Vec<FoundGap>,
    /// The last snapshot, if it concerned a gap, and the gap's number.
    by_snapshot: Option<(u64, u32)>,
    /// Changes that incomplete snapshots made one infer outside any known gap, while no observer was proven to watch,
    /// since the last complete snapshot. A gap that is reported later may have begun before them.
    loose: Vec<(ChangeKind, Millis, MissedMember)>,
    /// The last snapshot, if it was incomplete (or stale) and outside any known gap.
    loosed_by: Option<u64>,
}

impl Gaps<'_> {
    /// Adds a gap that was reported. It includes the loose changes that were inferred in it before the report.
    fn open(&mut self, gap: u32, from: Millis, evidence: Evidence) {
        let missed = Missed {
            gap,
            channel: self.channel.to_owned(),
            from: Time(from),
            to: None,
            evidence,
            closed_by: None,
            joined: Vec::new(),
            left: Vec::new(),
            updated: Vec::new(),
            collected: Vec::new(),
            vanished: Vec::new(),
        };
        let before = std::mem::take(&mut self.loose);
        let mut found = FoundGap {
            missed,
            resumed: false,
            before: before.clone(),
        };
        for (kind, _, member) in before.into_iter().filter(|(_, at, _)| *at >= from) {
            found.add(kind, member);
        }
        self.found.push(found);
    }

    /// Ends a gap in which nothing was missed: the changes that were loose before it are loose again.
    fn over(&mut self, gap: u32, to: Millis) {
        if let Some(found) = self.of(gap) {
            found.resumed = true;
            found.missed.to = Some(Time(to));
            found.missed.closed_by = Some(ClosedBy::Resumed);
            let before = std::mem::take(&mut found.before);
            self.loose.splice(..0, before);
        }
    }

    /// Adds a difference that the source sent to the open gap.
    fn collect(&mut self, entry: &Entry, change: &Change, names: &Names) {
        let open = self.found.last_mut().filter(|it| it.missed.to.is_none());
        let Some(found) = open else { return };
        let member = missed_member(change, names);
        let kind = entry_type(entry);
        let collected = &mut found.missed.collected;
        let known = |it: &CollectedChange| {
            let (a, b) = (&it.member, &member);
            (&a.topic, &a.user, &a.connection) == (&b.topic, &b.user, &b.connection)
        };
        collected.retain(|it| !known(it));
        collected.push(CollectedChange { kind, member });
    }

    fn add(&mut self, gap: u32, kind: ChangeKind, member: MissedMember) {
        if let Some(found) = self.of(gap) {
            found.add(kind, member);
        }
    }

    fn of(&mut self, gap: u32) -> Option<&mut FoundGap> {
        self.found
            .iter_mut()
            .rev()
            .find(|found| found.missed.gap == gap)
    }
    /// Takes an entry. `before` is the state before it.
    fn take(&mut self, entry: &Entry, before: StateView<'_>) {
        match &entry.payload {
            Payload::Link(link) => self.take_link(entry, link, before.names),
            Payload::Snapshot(snapshot) => {
                if before.names.text(snapshot.channel) == self.channel {
                    self.take_snapshot(entry.seq, snapshot);
                }
            }
            Payload::Change(change) => {
                let channel = before.names.key(change.member).channel;
                if before.names.text(channel) == self.channel {
                    self.take_change(entry, change, before);
                }
            }
            Payload::Token(_) => {}
        }
    }

    fn take_link(&mut self, entry: &Entry, link: &LinkChange, names: &Names) {
        for change in &link.gaps {
            if names.text(change.channel) != self.channel {
                continue;
            }
            if change.opens {
                self.open(change.gap, change.at, Evidence::Link);
            } else {
                self.over(change.gap, entry.occurred_at.max(change.at));
            }
        }
    }

    fn take_snapshot(&mut self, seq: u64, snapshot: &Snapshot) {
        let settles = snapshot.complete && !snapshot.stale;
        self.by_snapshot = snapshot.gap.map(|seen| (seq, seen.gap));
        self.loosed_by = (!settles && snapshot.gap.is_none()).then_some(seq);
        if let Some(seen) = snapshot.gap {
            if let Some(from) = seen.opened {
                self.open(seen.gap, from, Evidence::Snapshot);
            }
            if let Some(found) = self.of(seen.gap) {
                found.missed.to = seen.closed.map(Time);
                if seen.is_closed() {
                    found.missed.collected.clear();
                }
                found.missed.closed_by = seen.closed.map(|_| match snapshot.origin {
                    SnapshotOrigin::Differences => ClosedBy::Differences,
                    SnapshotOrigin::Listed | SnapshotOrigin::Occupancy => ClosedBy::Snapshot,
                });
            }
        }
        if settles {
            self.loose.clear();
        }
    }

    /// Takes a change in the channel.
    fn take_change(&mut self, entry: &Entry, change: &Change, before: StateView<'_>) {
        let StateView { state, names } = before;
        let by = match change.origin {
            Origin::Inferred(by) if by.baseline => return,
            Origin::Inferred(by) => by,
            Origin::Observed => {
                if change.disposition == Disposition::Collected {
                    self.collect(entry, change, names);
                }
                return;
            }
        };
        let member = MissedMember {
            not_before: by.not_before.map(Time),
            not_after: Some(Time(entry.occurred_at)),
            ..missed_member(change, names)
        };
        let known = state.channel(names.key(change.member).channel);
        let is_blind = known.is_some_and(|known| known.watching().is_blind());
        match self.by_snapshot {
            Some((snapshot, gap)) if snapshot == by.snapshot_seq => {
                self.add(gap, change.kind, member);
            }
            _ if self.loosed_by == Some(by.snapshot_seq) && is_blind => {
                self.loose.push((change.kind, entry.effective_at, member));
            }
            _ => {}
        }
    }

    /// Notes the topics that a snapshot has emptied, after all its entries. `after` is the state after them.
    fn note_vanished(&mut self, entries: &[Entry], after: StateView<'_>) {
        let StateView { state, names } = after;
        let Some(Entry {
            seq,
            payload: Payload::Snapshot(snapshot),
            ..
        }) = entries.first()
        else {
            return;
        };
        let Some((_, gap)) = self.by_snapshot.filter(|(by, _)| by == seq) else {
            return;
        };
        let left = entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Change(change) if change.kind == ChangeKind::Leave => {
                Some(names.key(change.member).topic)
            }
            _ => None,
        });
        let mut gone: Vec<NameId> = left.collect();
        gone.dedup();
        if let Some(channel) = state.channel(snapshot.channel).filter(|_| !gone.is_empty()) {
            let alive: NumberMap<NameId, ()> = channel
                .roster()
                .iter()
                .map(|&member| (names.key(member).topic, ()))
                .collect();
            gone.retain(|topic| !alive.contains_key(topic));
        }
        if let Some(found) = self.of(gap) {
            let gone = gone.into_iter().map(|topic| names.text(topic).to_owned());
            found.missed.vanished.extend(gone);
        }
    }
}

/// The member of a change, without a window.
fn missed_member(change: &Change, names: &Names) -> MissedMember {
    let [topic, user, connection] = member_names(change.member, names);
    MissedMember {
        topic,
        user,
        connection,
        meta: meta_answer(change.meta.as_ref()),
        not_before: None,
        not_after: None,
    }
}
