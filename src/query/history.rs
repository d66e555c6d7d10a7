//! `history`: the entries of the log.

use super::answer::{self, EntryState, EntryType, HistoryEntry, Time};
use super::meta_answer;
use crate::domain::entry::{Disposition, Entry, Origin, Payload, SnapshotOrigin};
use crate::domain::event::{ChangeKind, LinkState, TokenState};
use crate::domain::names::NameTable;
use crate::domain::time::Millis;
use crate::store::{ScanScope, ScanStart, StateView, Store, StoreError};

/// The entries that are wanted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
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

impl HistoryFilter {
    /// Only this channel; also entries without a channel whose observer reports on it. Default: all.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Only this topic. Default: all.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only this user. Default: all.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Only entries in effect at or after this moment, Unix ms. Default: from the first one.
    #[must_use]
    pub fn from(mut self, ms: Millis) -> Self {
        self.from = Some(ms);
        self
    }

    /// Only entries in effect before this moment, Unix ms. Default: up to the last one.
    #[must_use]
    pub fn to(mut self, ms: Millis) -> Self {
        self.to = Some(ms);
        self
    }

    /// Only entries of these types. Default: of all types.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = EntryType>) -> Self {
        self.types = types.into_iter().collect();
        self
    }

    /// Only observed (`true`) or only inferred (`false`) entries. Default: both.
    #[must_use]
    pub fn observed(mut self, observed: bool) -> Self {
        self.observed = Some(observed);
        self
    }

    /// Only entries after this one. Default: 0, from the first one.
    #[must_use]
    pub fn after_seq(mut self, seq: u64) -> Self {
        self.after_seq = seq;
        self
    }

    /// At most this many entries. Default: all.
    #[must_use]
    pub fn limit(mut self, entries: u64) -> Self {
        self.limit = Some(entries);
        self
    }
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
    /// let inferred = rollbook::query::HistoryFilter::default().observed(false);
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
        mut each: impl FnMut(HistoryEntry, &Entry) -> bool,
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
        let (mut cursor, mut frames) = self.scan(&scope)?;
        let mut given = 0;
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    if filter.matches_entry(entry, cursor.view()) {
                        given += 1;
                        let shown = history_entry(entry, &cursor.names);
                        if !each(shown, entry) || filter.limit == Some(given) {
                            return Ok(());
                        }
                    }
                    if filter.channel.is_some() {
                        cursor.apply_entry(entry);
                    }
                }
            }
            cursor.forget_absent();
        }
        Ok(())
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

    /// Whether the filter matches an entry. `before` is the state before it.
    fn matches_entry(&self, entry: &Entry, before: StateView<'_>) -> bool {
        let names = before.names;
        let member = match &entry.payload {
            Payload::Change(change) => Some(names.key(change.member)),
            _ => None,
        };
        let fields = EntryFields {
            seq: entry.seq,
            effective_at: entry.effective_at,
            kind: entry_type(entry),
            inferred: entry.is_inferred(),
            topic: member.map(|key| names.text(key.topic)),
            user: member.map(|key| names.text(key.user)),
        };
        self.matches(&fields, |wanted| match before.channel_of(entry) {
            Some(channel) => names.text(channel) == wanted,
            None => before.is_shown_in(entry, names.find(wanted)),
        })
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
pub(crate) fn history_entry(entry: &Entry, names: &NameTable) -> HistoryEntry {
    let text = |name| names.text(name).to_owned();
    let mut shown = common_fields(entry, names);
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

/// The fields that do not depend on the payload.
fn common_fields(entry: &Entry, names: &NameTable) -> HistoryEntry {
    let inferred = entry.is_inferred();
    HistoryEntry {
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
        observer: names.text(entry.observer).to_owned(),
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
    }
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
