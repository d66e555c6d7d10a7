//! Decides about live changes of members: each is applied, duplicate, stale, or a leave of an absent member.

use super::context::DecideContext;
use super::entry::{Change, Disposition, Entry, Late, Origin, Payload, Text};
use super::event::ChangeKind;
use super::names::{MemberId, NumberMap};
use super::order::{Order, Stamp};
use super::resolve::ResolvedChange;
use super::roster::ChannelState;
use super::slot::{LastUpdate, Presence};
use super::time::{self, Millis};
use crate::limits::TIME_MS_MIN;
use std::borrow::Cow;

/// A member's state after the earlier changes of the same line.
struct PendingMember<'a> {
    present: bool,
    known: bool,
    word: Option<LastUpdate>,
    changed_at: Option<Millis>,
    meta: Option<Cow<'a, Text>>,
}

impl<'a> DecideContext<'a> {
    pub(super) fn changes(
        &self,
        channel: &ChannelState,
        said: &[ResolvedChange<'_>],
        together: bool,
    ) -> Vec<Entry> {
        let is_there = |member| self.state.present(member).is_some();
        let changes = self.in_order(said, together, is_there);
        let mut seen: NumberMap<MemberId, PendingMember<'a>> = NumberMap::default();
        let mut effective_at = channel.effective_at;
        let mut entries = Vec::with_capacity(changes.len());
        let alone = changes.len() == 1;
        for &(member, change) in changes.iter() {
            let seq = self.seq + entries.len() as u64;
            let view = seen
                .remove(&member)
                .unwrap_or_else(|| self.view(channel, member));
            let entry = self.change((seq, effective_at), channel, (member, change), &view);
            effective_at = entry.effective_at;
            if !alone {
                seen.insert(member, view.after(&entry));
            }
            entries.push(entry);
        }
        entries
    }

    /// Records the differences that a source sends during a resync. They decide nothing yet.
    pub(super) fn collected(
        &self,
        channel: &ChannelState,
        said: &[ResolvedChange<'_>],
        together: bool,
    ) -> Vec<Entry> {
        let watch = channel.watching.of(self.observer);
        let list = watch.and_then(|watch| watch.own_list.as_deref());
        let is_listed = |member| {
            list.is_some_and(|list| list.has(member, self.state.present(member).is_some()))
        };
        let changes = self.in_order(said, together, is_listed);
        let mut effective_at = channel.effective_at;
        let mut entries = Vec::with_capacity(changes.len());
        for &(member, said) in changes.iter() {
            let seq = self.seq + entries.len() as u64;
            let what = Change {
                member,
                kind: said.kind,
                reported: said.kind,
                disposition: Disposition::Collected,
                meta: said.who.meta.as_deref().map(Text::from),
                reason: said.who.reason.as_deref().map(Text::from),
                origin: Origin::Observed,
                late: None,
            };
            let stamp = said.who.stamp.or(self.stamp);
            let ts = time::counted(stamp.ts, self.recorded_at, self.rules.max_ahead_ms);
            let occurred_at = ts.unwrap_or(self.recorded_at);
            effective_at = occurred_at.max(effective_at);
            entries.push(Entry {
                occurred_at,
                effective_at,
                stamp,
                ..self.entry(seq, channel, Payload::Change(what))
            });
        }
        entries
    }

    /// The changes of a line, in the order in which to apply them. If they apply `together`, leaves come first, and a
    /// member that `is_there` and both leaves and joins has changed: its leave is dropped.
    fn in_order<'c, 'e>(
        &self,
        said: &'c [ResolvedChange<'e>],
        together: bool,
        is_there: impl Fn(MemberId) -> bool,
    ) -> Cow<'c, [ResolvedChange<'e>]> {
        if !together {
            return Cow::Borrowed(said);
        }
        let mut changes = said.to_vec();
        let order = |kind| u8::from(kind != ChangeKind::Leave);
        changes.sort_by(|(a, x), (b, y)| {
            order(x.kind)
                .cmp(&order(y.kind))
                .then_with(|| self.names.compare(*a, *b))
        });
        let joining: NumberMap<MemberId, ()> = changes
            .iter()
            .filter(|(_, change)| change.kind != ChangeKind::Leave)
            .map(|&(member, _)| (member, ()))
            .collect();
        changes.retain(|(member, change)| {
            change.kind != ChangeKind::Leave || !joining.contains_key(member) || !is_there(*member)
        });
        Cow::Owned(changes)
    }

    fn view(&self, channel: &ChannelState, member: MemberId) -> PendingMember<'a> {
        let slot = self.state.slot_or_unknown(member);
        PendingMember {
            present: slot.presence == Presence::Present,
            known: slot.presence != Presence::Unknown,
            word: channel.last_word(self.names.key(member).topic, slot),
            changed_at: slot.changed_at(),
            meta: slot.meta.as_ref().map(Cow::Borrowed),
        }
    }

    /// Decides about a change, to be the entry `seq`. `effective_at`: when the one before it takes effect.
    fn change(
        &self,
        (seq, effective_at): (u64, Millis),
        channel: &ChannelState,
        (member, change): ResolvedChange<'_>,
        view: &PendingMember<'_>,
    ) -> Entry {
        let stamp = change.who.stamp.or(self.stamp);
        let ts = time::counted(stamp.ts, self.recorded_at, self.rules.max_ahead_ms);
        let counted = Stamp { ts, ..stamp };
        let said = change.kind;
        let meta = change.who.meta.as_deref().map(Text::from);
        let order = view
            .word
            .map(|word| counted.against(word.stamp, self.rules.skew_tolerance_ms));
        let told_by_other = view.word.is_some_and(|word| {
            counted.is_at_time_of(word.stamp) && word.reporters.by_other(said, self.observer)
        });
        let (kind, disposition) = match order {
            _ if !view.known && channel.is_under_floor(counted) => (said, Disposition::Stale),
            // Checked before the positions: positions of two sources cannot be compared.
            _ if told_by_other => (said, Disposition::Duplicate),
            Some(Order::Older) => (said, Disposition::Stale),
            Some(Order::SameMessage) => (said, Disposition::Duplicate),
            _ => match (said, view.present) {
                (ChangeKind::Leave, true) => (ChangeKind::Leave, Disposition::Applied),
                (ChangeKind::Leave, false) => (ChangeKind::Leave, Disposition::Unknown),
                (_, true) if meta.is_none() || meta.as_ref() == view.meta() => {
                    (said, Disposition::Duplicate)
                }
                (_, true) => (ChangeKind::Update, Disposition::Applied),
                (_, false) => (ChangeKind::Join, Disposition::Applied),
            },
        };
        let leaves = (kind, disposition) == (ChangeKind::Leave, Disposition::Applied);
        let meta = if leaves { view.meta().cloned() } else { meta };
        let reason = change.who.reason.as_deref().map(Text::from);
        let occurred_at = ts.unwrap_or(self.recorded_at);
        let late_ms = change.who.late_ms;
        let late = (late_ms > 0 && disposition == Disposition::Applied).then(|| {
            let not_before = occurred_at.saturating_sub(late_ms).max(TIME_MS_MIN);
            Late {
                late_ms,
                not_before: view.changed_at.map_or(not_before, |changed| {
                    changed.min(occurred_at).max(not_before)
                }),
            }
        });
        let what = Payload::Change(Change {
            member,
            kind,
            reported: said,
            disposition,
            meta,
            reason,
            origin: Origin::Observed,
            late,
        });
        Entry {
            occurred_at,
            // A member's own time may lie before or after the time of the previous change.
            effective_at: occurred_at.max(effective_at),
            stamp,
            ..self.entry(seq, channel, what)
        }
    }
}

impl PendingMember<'_> {
    fn meta(&self) -> Option<&Text> {
        self.meta.as_deref()
    }

    fn after(self, entry: &Entry) -> Self {
        let Payload::Change(change) = &entry.payload else {
            return self;
        };
        if change.disposition == Disposition::Stale {
            return self;
        }
        let (present, meta) = match (change.is_applied(), change.kind) {
            (true, ChangeKind::Leave) => (false, None),
            (true, _) => (true, change.meta.clone().map(Cow::Owned)),
            (false, _) => (self.present, self.meta),
        };
        // A source orders whole lines. Within one line, a later change is not older, so `word` stays as before the
        // line.
        PendingMember {
            present,
            known: true,
            word: self.word,
            changed_at: match entry.window() {
                _ if !change.is_applied() => self.changed_at,
                Some(window) => window.not_before,
                None => Some(entry.occurred_at),
            },
            meta,
        }
    }
}
