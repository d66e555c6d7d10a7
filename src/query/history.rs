//! `history`: the entries of the log.

use super::answer::{self, EntryState, EntryType, HistoryEntry, Time};
use super::meta_answer;
use crate::domain::entry::{Disposition, Entry, Origin, Payload, SnapshotOrigin};
use crate::domain::event::{ChangeKind, LinkState, TokenState};
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::store::{ScanFlow, ScanScope, ScanStart, StateView, Store, StoreError, Visitor};

/// The entries that are wanted.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Of this channel; also entries without a channel whose observer reports on it.
    pub channel: Option<String>,
    /// Of this topic.
    pub topic: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// In effect at or after this moment, Unix ms.
    pub from: Option<Millis>,
    /// In effect before this moment, Unix ms.
    pub to: Option<Millis>,
    /// Of one of these types; empty: of all types.
    pub types: Vec<EntryType>,
    /// Only observed (`true`) or only inferred (`false`) entries.
    pub observed: Option<bool>,
    /// After this entry.
    pub after_seq: u64,
    /// At most this many.
    pub limit: Option<u64>,
}

impl Store {
    /// Calls `each` with the matching entries, in the order of the log. Stops when it returns `false`.
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
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let inferred = rollbook::query::HistoryFilter { observed: Some(false), ..Default::default() };
    /// let mut users = Vec::new();
    /// store.history(&inferred, |entry| {
    ///     users.extend(entry.user);
    ///     true
    /// })?;
    /// assert_eq!(users, ["tony", "tony", "lily"]); // the baseline join, the leave, the join
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel; another error if the log cannot be read.
    pub fn history(
        &self,
        filter: &HistoryFilter,
        mut each: impl FnMut(HistoryEntry) -> bool,
    ) -> Result<(), StoreError> {
        self.history_beside(filter, |shown, _| each(shown))
    }

    /// The same, but `each` also gets the entry of the log.
    pub(crate) fn history_beside(
        &self,
        filter: &HistoryFilter,
        each: impl FnMut(HistoryEntry, &Entry) -> bool,
    ) -> Result<(), StoreError> {
        if let Some(channel) = &filter.channel {
            self.expect_channel(channel)?;
        }
        if filter.limit == Some(0) {
            return Ok(());
        }
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            start: match filter.channel {
                // Only the state knows which entries without a channel belong to this one.
                Some(_) => ScanStart::Behind(filter.after_seq),
                None => ScanStart::Seq(filter.after_seq.saturating_add(1)),
            },
            ..ScanScope::default()
        };
        self.scan(
            &scope,
            &mut HistoryScan {
                filter,
                each,
                left: filter.limit,
            },
        )
        .map(drop)
    }
}

/// The fields of an entry that a filter checks, whatever the entry's form.
pub(super) struct EntryFields<'a> {
    pub seq: u64,
    pub effective_at: Millis,
    pub kind: EntryType,
    pub inferred: bool,
    pub topic: Option<&'a str>,
    pub user: Option<&'a str>,
}

impl HistoryFilter {
    /// Whether the filter matches an entry. `is_of` returns whether the entry is shown in a channel.
    pub(super) fn matches(&self, seen: &EntryFields<'_>, is_of: impl FnOnce(&str) -> bool) -> bool {
        let named = |wanted: &Option<String>, name: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == name
        };
        seen.seq > self.after_seq
            && self.from.is_none_or(|from| seen.effective_at >= from)
            && self.to.is_none_or(|to| seen.effective_at < to)
            && (self.types.is_empty() || self.types.contains(&seen.kind))
            && self
                .observed
                .is_none_or(|observed| observed != seen.inferred)
            && named(&self.topic, seen.topic)
            && named(&self.user, seen.user)
            && self.channel.as_deref().is_none_or(is_of)
    }
}

struct HistoryScan<'a, F> {
    filter: &'a HistoryFilter,
    each: F,
    left: Option<u64>,
}

impl<F: FnMut(HistoryEntry, &Entry) -> bool> HistoryScan<'_, F> {
    fn matches(&self, at: StateView<'_>, entry: &Entry) -> bool {
        let change = match &entry.payload {
            Payload::Change(change) => Some(at.names.key(change.member)),
            _ => None,
        };
        let seen = EntryFields {
            seq: entry.seq,
            effective_at: entry.effective_at,
            kind: entry_type(entry),
            inferred: entry.is_inferred(),
            topic: change.map(|key| at.names.text(key.topic)),
            user: change.map(|key| at.names.text(key.user)),
        };
        self.filter
            .matches(&seen, |wanted| match at.channel_of(entry) {
                Some(channel) => at.names.text(channel) == wanted,
                None => at.is_shown_in(entry, at.names.find(wanted)),
            })
    }
}

impl<F: FnMut(HistoryEntry, &Entry) -> bool> Visitor for HistoryScan<'_, F> {
    fn renumbers(&self) -> bool {
        true
    }

    fn entry(&mut self, at: StateView<'_>, entry: &Entry) -> Result<ScanFlow, StoreError> {
        let on = if self.filter.channel.is_some() {
            ScanFlow::Apply
        } else {
            ScanFlow::Skip
        };
        if !self.matches(at, entry) {
            return Ok(on);
        }
        if !(self.each)(history_entry(entry, at.names), entry) {
            return Ok(ScanFlow::Stop);
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return Ok(ScanFlow::Stop);
            }
        }
        Ok(on)
    }
}

pub(super) fn entry_type(entry: &Entry) -> EntryType {
    match &entry.payload {
        Payload::Change(change) => match change.kind {
            ChangeKind::Join => EntryType::Join,
            ChangeKind::Leave => EntryType::Leave,
            ChangeKind::Update => EntryType::Update,
        },
        Payload::Snapshot(_) => EntryType::Snapshot,
        Payload::Link(_) => EntryType::Link,
        Payload::Token(_) => EntryType::Token,
    }
}

/// An entry as `history` shows it.
pub(crate) fn history_entry(entry: &Entry, names: &Names) -> HistoryEntry {
    let text = |name| names.text(name).to_owned();
    let inferred = entry.is_inferred();
    let mut shown = HistoryEntry {
        seq: entry.seq,
        channel: None,
        kind: entry_type(entry),
        topic: None,
        user: None,
        connection: None,
        meta: None,
        occurred_at: Time(entry.occurred_at),
        recorded_at: Time(entry.recorded_at),
        effective_at: Time(entry.effective_at),
        observer: text(entry.observer),
        state: None,
        origin: if inferred {
            answer::OriginAnswer::Inferred
        } else {
            answer::OriginAnswer::Observed
        },
        disposition: answer::DispositionAnswer::Applied,
        snapshot_seq: None,
        not_before: None,
        not_after: None,
        baseline: false,
        reason: None,
        id: entry.id.as_deref().filter(|_| !inferred).map(str::to_owned),
        pos: entry.stamp.pos.filter(|_| !inferred),
        source_ts: entry.stamp.ts.filter(|_| !inferred).map(Time),
        members: None,
        complete: None,
    };
    match &entry.payload {
        Payload::Change(change) => {
            let key = names.key(change.member);
            shown.channel = Some(text(key.channel));
            shown.topic = Some(text(key.topic));
            shown.user = Some(text(key.user));
            shown.connection = Some(text(key.conn));
            shown.meta = meta_answer(change.meta.as_ref());
            shown.disposition = disposition_answer(change.disposition);
            shown.reason = change.reason.as_deref().map(str::to_owned);
            if let Origin::Inferred(by) = change.origin {
                shown.snapshot_seq = Some(by.snapshot_seq);
                shown.baseline = by.baseline;
            }
            if let Some(window) = entry.window() {
                shown.not_before = window.not_before.map(Time);
                shown.not_after = Some(Time(window.not_after));
            }
        }
        Payload::Snapshot(snapshot) => {
            shown.channel = Some(text(snapshot.channel));
            if snapshot.stale {
                shown.disposition = answer::DispositionAnswer::Stale;
            }
            shown.reason = snapshot_reason(snapshot.origin).map(str::to_owned);
            shown.members = Some(snapshot.listed);
            shown.complete = Some(snapshot.complete);
        }
        Payload::Link(link) => {
            shown.channel = link.channel.map(text);
            shown.state = Some(match link.state {
                LinkState::Up | LinkState::UpWithDifferences => EntryState::Up,
                LinkState::Synced => EntryState::Synced,
                LinkState::Down => EntryState::Down,
            });
            shown.reason = link.reason.as_deref().map(str::to_owned);
        }
        Payload::Token(token) => {
            shown.channel = token.channel.map(text);
            shown.state = Some(token_answer(token.state));
            shown.reason = token.reason.as_deref().map(str::to_owned);
        }
    }
    shown
}

/// The reason of a snapshot that no source sent.
fn snapshot_reason(origin: SnapshotOrigin) -> Option<&'static str> {
    match origin {
        SnapshotOrigin::Listed => None,
        SnapshotOrigin::Differences => Some("resync"),
        SnapshotOrigin::Occupancy => Some("occupancy"),
    }
}

fn disposition_answer(disposition: Disposition) -> answer::DispositionAnswer {
    match disposition {
        Disposition::Applied => answer::DispositionAnswer::Applied,
        Disposition::Duplicate => answer::DispositionAnswer::Duplicate,
        Disposition::Stale => answer::DispositionAnswer::Stale,
        Disposition::Unknown => answer::DispositionAnswer::Unknown,
        Disposition::Collected => answer::DispositionAnswer::Collected,
    }
}

fn token_answer(state: TokenState) -> EntryState {
    match state {
        TokenState::WillExpire => EntryState::WillExpire,
        TokenState::Expired => EntryState::Expired,
        TokenState::Renewed => EntryState::Renewed,
        TokenState::Revoked => EntryState::Revoked,
    }
}
