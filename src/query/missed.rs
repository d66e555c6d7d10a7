//! `missed` and `gaps`: the times in which no observer watched a channel, and what must have happened in them.

use super::answer::{ClosedBy, CollectedChange, Evidence, Gap, Missed, MissedMember, Time};
use super::history::change_type;
use super::meta_answer;
use super::retention::past;
use crate::domain::entry::{Entry, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::gaps::{ChannelGaps, GapClosing, GapMember, GapRecord, GapReport};
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
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel; [`StoreError::PastRetention`] if the gap was
    /// pruned.
    pub fn missed(&self, channel: &str, filter: &MissedFilter) -> Result<Vec<Missed>, StoreError> {
        let gaps = self.gaps_found(channel, filter.known_at, true)?;
        if let Some(gap) = filter.gap {
            self.expect_gap(channel, gap, filter.known_at, &gaps)?;
        }
        let wanted = |found: &GapRecord| {
            found.closed_by != Some(GapClosing::Resumed)
                && filter.gap.is_none_or(|gap| found.gap == gap)
                && filter
                    .since
                    .is_none_or(|since| found.to.is_none_or(|to| to > since))
        };
        let gaps = gaps.into_iter().filter(wanted);
        let shown = gaps.map(|found| {
            let missed = missed_answer(channel, found);
            if filter.detail {
                missed
            } else {
                missed.plain()
            }
        });
        Ok(shown.collect())
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
        let gaps = self.gaps_found(channel, None, true)?.into_iter();
        Ok(gaps.map(|found| gap_answer(channel, &found)).collect())
    }

    /// Refuses a gap that the channel has had, and that is not among those found: it was over, and was pruned.
    fn expect_gap(
        &self,
        channel: &str,
        gap: u32,
        known_at: Option<Millis>,
        found: &[GapRecord],
    ) -> Result<(), StoreError> {
        let Some(retained) = self.retained() else {
            return Ok(());
        };
        let had = self.as_of_channel(channel, known_at, None, |state, names| {
            let known = names.find(channel).and_then(|name| state.channel(name));
            known.map_or(0, |known| known.watching().gaps_so_far())
        })?;
        let is_known = found.iter().any(|found| found.gap == gap);
        if !is_known && (1..=had).contains(&gap) {
            return Err(past(retained));
        }
        Ok(())
    }

    /// When nobody watched a channel, without the gaps in which nothing was missed.
    pub(super) fn gap_times(
        &self,
        channel: &str,
        known_at: Option<Millis>,
    ) -> Result<Vec<(Millis, Option<Millis>)>, StoreError> {
        let gaps = self.gaps_found(channel, known_at, false)?.into_iter();
        let gaps = gaps.filter(|found| found.closed_by != Some(GapClosing::Resumed));
        Ok(gaps.map(|found| (found.from, found.to)).collect())
    }

    /// The gaps, with what happened in them if that is asked for.
    fn gaps_found(
        &self,
        channel: &str,
        known_at: Option<Millis>,
        changes: bool,
    ) -> Result<Vec<GapRecord>, StoreError> {
        let scope = ScanScope {
            channel: Some(channel),
            known_at,
            ..ScanScope::default()
        };
        let (mut cursor, mut frames) = self.scan(&scope)?;
        let known = cursor.names.find(channel);
        let open = cursor.open.take();
        let open = open.and_then(|mut open| open.gaps.remove(&known?));
        let mut gaps: ChannelGaps = open.unwrap_or_default();
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    if changes || !matches!(entry.payload, Payload::Change(_)) {
                        take(&mut gaps, entry, channel, cursor.view());
                    }
                    cursor.apply_entry(entry);
                }
                if changes && commit.is_whole() {
                    gaps.note_vanished(commit.all, &cursor.state, &cursor.names);
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

/// Takes an entry, as far as it concerns a channel. `before` is the state before it.
fn take(gaps: &mut ChannelGaps, entry: &Entry, channel: &str, before: StateView<'_>) {
    let StateView { state, names } = before;
    match &entry.payload {
        Payload::Link(link) => {
            let of_channel = |of| names.text(of) == channel;
            let changes = link.gaps.iter().filter(|change| of_channel(change.channel));
            changes.for_each(|change| gaps.take_link(entry, change));
        }
        Payload::Snapshot(snapshot) if names.text(snapshot.channel) == channel => {
            gaps.take_snapshot(entry.seq, snapshot);
        }
        Payload::Change(change) if names.text(names.key(change.member).channel) == channel => {
            gaps.take_change(entry, change, state, names);
        }
        Payload::Snapshot(_) | Payload::Change(_) | Payload::Token(_) => {}
    }
}

fn missed_answer(channel: &str, found: GapRecord) -> Missed {
    let of_kind = |kind| {
        let changes = found.changes.iter().filter(|change| change.kind == kind);
        changes.map(member_answer).collect()
    };
    Missed {
        gap: found.gap,
        channel: channel.to_owned(),
        from: Time(found.from),
        to: found.to.map(Time),
        evidence: evidence_answer(found.evidence),
        closed_by: found.closed_by.map(closing_answer),
        joined: of_kind(ChangeKind::Join),
        left: of_kind(ChangeKind::Leave),
        updated: of_kind(ChangeKind::Update),
        collected: found.collected.iter().map(collected_answer).collect(),
        vanished: found.vanished.iter().map(ToString::to_string).collect(),
    }
}

fn gap_answer(channel: &str, found: &GapRecord) -> Gap {
    let count = |kind| {
        let changes = found.changes.iter().filter(|change| change.kind == kind);
        changes.count() as u64
    };
    Gap {
        gap: found.gap,
        channel: channel.to_owned(),
        from: Time(found.from),
        to: found.to.map(Time),
        evidence: evidence_answer(found.evidence),
        closed_by: found.closed_by.map(closing_answer),
        resumed: found.closed_by == Some(GapClosing::Resumed),
        joined: count(ChangeKind::Join),
        left: count(ChangeKind::Leave),
        updated: count(ChangeKind::Update),
    }
}

fn evidence_answer(evidence: GapReport) -> Evidence {
    match evidence {
        GapReport::Link => Evidence::Link,
        GapReport::Snapshot => Evidence::Snapshot,
    }
}

fn closing_answer(closing: GapClosing) -> ClosedBy {
    match closing {
        GapClosing::Snapshot => ClosedBy::Snapshot,
        GapClosing::Differences => ClosedBy::Differences,
        GapClosing::Resumed => ClosedBy::Resumed,
    }
}

fn collected_answer(member: &GapMember) -> CollectedChange {
    CollectedChange {
        kind: change_type(member.kind),
        member: member_answer(member),
    }
}

fn member_answer(member: &GapMember) -> MissedMember {
    MissedMember {
        topic: member.topic.to_string(),
        user: member.user.to_string(),
        connection: member.connection.to_string(),
        meta: meta_answer(member.meta.as_ref()),
        not_before: member.not_before.map(Time),
        not_after: member.not_after.map(Time),
    }
}
