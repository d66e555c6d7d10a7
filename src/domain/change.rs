//! Decides about live changes of members: each is applied, duplicate, stale, or a leave of an absent member.

use super::context::DecideContext;
use super::entry::{Change, Disposition, Entry, Late, Origin, Payload, Text};
use super::event::{ChangeKind, ReportedChange};
use super::names::{MemberId, NameId, NumberMap};
use super::order::{Order, Stamp};
use super::resolve::ResolvedChange;
use super::roster::ChannelState;
use super::slot::{LastUpdate, Presence, Slot};
use super::time::{self, Millis};
use crate::limits::TIME_MS_MIN;
use std::borrow::Cow;

/// A member's state after the earlier changes of the same line.
#[derive(Clone)]
struct PendingMember {
    present: bool,
    known: bool,
    word: Option<LastUpdate>,
    changed_at: Option<Millis>,
    meta: Option<Text>,
}

impl DecideContext<'_> {
    pub(super) fn changes(
        &self,
        name: NameId,
        said: &[ResolvedChange<'_>],
        together: bool,
    ) -> Vec<Entry> {
        let is_there = |moment: &Self, member| moment.state.present(member).is_some();
        let changes = self.in_order(said, together, is_there);
        let nothing_known = ChannelState::default();
        let channel = self.state.channels.get(&name).unwrap_or(&nothing_known);
        let mut seen: NumberMap<MemberId, PendingMember> = NumberMap::default();
        let mut effective_at = channel.effective_at;
        let mut entries = Vec::with_capacity(changes.len());
        let alone = changes.len() == 1;
        for &(member, change) in changes.iter() {
            let seq = self.seq + entries.len() as u64;
            let view = seen
                .remove(&member)
                .unwrap_or_else(|| self.view(channel, member));
            let mut entry = self.change(seq, channel, member, change, &view);
            // A member's own time may lie before or after the time of the previous change.
            entry.effective_at = entry.occurred_at.max(effective_at);
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
        name: NameId,
        said: &[ResolvedChange<'_>],
        together: bool,
    ) -> Vec<Entry> {
        let is_listed = |moment: &Self, member| {
            let watch = moment.watch(name);
            let list = watch.and_then(|watch| watch.own_list.as_deref());
            list.is_some_and(|list| list.has(member, moment.state.present(member).is_some()))
        };
        let changes = self.in_order(said, together, is_listed);
        let nothing_known = ChannelState::default();
        let channel = self.state.channels.get(&name).unwrap_or(&nothing_known);
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
        is_there: impl Fn(&Self, MemberId) -> bool,
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
            change.kind != ChangeKind::Leave
                || !joining.contains_key(member)
                || !is_there(self, *member)
        });
        Cow::Owned(changes)
    }

    fn view(&self, channel: &ChannelState, member: MemberId) -> PendingMember {
        let unknown = Slot::default();
        let slot = self.state.slot(member).unwrap_or(&unknown);
        PendingMember {
            present: slot.presence == Presence::Present,
            known: slot.presence != Presence::Unknown,
            word: channel.last_word(self.names.key(member).topic, slot),
            changed_at: slot.changed_at,
            meta: slot.meta.clone(),
        }
    }

    fn change(
        &self,
        seq: u64,
        channel: &ChannelState,
        member: MemberId,
        change: &ReportedChange<'_>,
        view: &PendingMember,
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
                (_, true) if meta.is_none() || meta == view.meta => (said, Disposition::Duplicate),
                (_, true) => (ChangeKind::Update, Disposition::Applied),
                (_, false) => (ChangeKind::Join, Disposition::Applied),
            },
        };
        let leaves = (kind, disposition) == (ChangeKind::Leave, Disposition::Applied);
        let meta = if leaves { view.meta.clone() } else { meta };
        let reason = change.who.reason.as_deref().map(Text::from);
        let origin = Origin::Observed;
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
            origin,
            late,
        });
        Entry {
            occurred_at,
            stamp,
            ..self.entry(seq, channel, what)
        }
    }
}

impl PendingMember {
    fn after(self, entry: &Entry) -> PendingMember {
        let Payload::Change(change) = &entry.payload else {
            return self;
        };
        if change.disposition == Disposition::Stale {
            return self;
        }
        let (present, meta) = match (change.is_applied(), change.kind) {
            (true, ChangeKind::Leave) => (false, None),
            (true, _) => (true, change.meta.clone()),
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
