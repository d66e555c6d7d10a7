//! `history`: the entries of the log.

use super::answer::{self, EntryState, EntryType, HistoryEntry, Time};
use super::meta_answer;
use crate::domain::entry::{Disposition, Entry, Origin, Payload, SnapshotOrigin};
use crate::domain::event::{ChangeKind, LinkState, TokenState};
use crate::domain::names::NameTable;
use crate::domain::time::Millis;
use crate::store::{EntryReader, EntryStep, ScanScope, ScanStart, StateView, Store, StoreError};
use std::iter::FusedIterator;

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
    /// The matching entries, in the order of the log.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rollbook::Event;
    /// use rollbook::query::HistoryFilter;
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// store.record(&[
    ///     Event::snapshot("room", [("chat", "tony")]).at(1_000),
    ///     Event::snapshot("room", [("chat", "lily")]).at(9_000),
    /// ])?;
    /// let mut users = Vec::new();
    /// for entry in store.history(&HistoryFilter::default().observed(false))? {
    ///     users.extend(entry?.user);
    /// }
    /// assert_eq!(users, ["tony", "tony", "lily"]); // the baseline join, the leave, the join
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel; [`StoreError::PastRetention`] if the whole
    /// range was pruned, or entries behind `after_seq` were; another error if the log cannot be read.
    pub fn history(&self, filter: &HistoryFilter) -> Result<History<'_>, StoreError> {
        if let Some(channel) = &filter.channel {
            self.expect_channel(channel)?;
        }
        self.expect_end(filter.to)?;
        self.expect_behind(filter.after_seq)?;
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            start: match filter.channel {
                Some(_) if filter.after_seq == 0 => ScanStart::First,
                // Only the state knows which entries without a channel belong to this one.
                Some(_) => ScanStart::Behind(filter.after_seq),
                None => ScanStart::Seq(filter.after_seq.saturating_add(1).max(self.begin())),
            },
            ..ScanScope::default()
        };
        let entries = EntryReader::new(self.scan(&scope)?);
        let entries = match filter.channel {
            Some(_) => entries,
            None => entries.without_state(),
        };
        Ok(History {
            entries,
            filter: filter.clone(),
            left: filter.limit.unwrap_or(u64::MAX),
        })
    }
}

/// The entries of a [`history`](Store::history), read from the log one after another. After an error there are no
/// more.
#[must_use = "entries are read only when they are asked for"]
pub struct History<'a> {
    entries: EntryReader<'a>,
    filter: HistoryFilter,
    /// How many entries may still be given.
    left: u64,
}

impl History<'_> {
    /// The next entry, in the form that `show` gives it.
    pub(crate) fn next_as<T>(
        &mut self,
        show: impl Fn(&Entry, &NameTable) -> T,
    ) -> Option<Result<T, StoreError>> {
        while self.left > 0 {
            match self.entries.advance() {
                Ok(EntryStep::Entry) => {}
                Ok(EntryStep::Renumbered(_)) => continue,
                Ok(EntryStep::End) => self.left = 0,
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            }
            let view = self.entries.cursor.view();
            let matching = |entry: &&Entry| self.filter.matches_entry(entry, view);
            if let Some(entry) = self.entries.entry().filter(matching) {
                self.left -= 1;
                return Some(Ok(show(entry, view.names)));
            }
        }
        None
    }
}

impl Iterator for History<'_> {
    type Item = Result<HistoryEntry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_as(history_entry)
    }
}

impl FusedIterator for History<'_> {}

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
        Payload::Change(change) => change_type(change.kind),
        Payload::Snapshot(_) => EntryType::Snapshot,
        Payload::Link(_) => EntryType::Link,
        Payload::Token(_) => EntryType::Token,
    }
}

pub(super) fn change_type(kind: ChangeKind) -> EntryType {
    match kind {
        ChangeKind::Join => EntryType::Join,
        ChangeKind::Leave => EntryType::Leave,
        ChangeKind::Update => EntryType::Update,
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
