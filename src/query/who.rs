//! `who`: the members of a channel at a moment, at an entry, or now, and how certain their presence is.

use super::answer::{Certainty, CoverageAnswer, Publisher, Time, TopicAnswer, Who};
use super::{coverage_answer, member_names, meta_answer};
use crate::domain::entry::{Disposition, Entry, Origin, Payload, Text};
use crate::domain::event::ChangeKind;
use crate::domain::names::{MemberId, NameId, Names, NumberMap};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::store::{ScanScope, ScanStart, StateCursor, Store, StoreError, channel_of, heard_of};
use std::collections::BTreeMap;

/// The moment of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhoWhen {
    /// The head of the log.
    #[default]
    Head,
    /// After all entries in effect at or before this moment, Unix ms.
    At(Millis),
    /// As if the log ended at this entry.
    Seq(u64),
}

/// What is asked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WhoFilter {
    /// Only this topic.
    pub topic: Option<String>,
    /// The moment.
    pub when: WhoWhen,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
    /// Leave out members who are only possibly there.
    pub certain: bool,
}

impl WhoFilter {
    /// The members at a moment, Unix ms.
    #[must_use]
    pub fn at(ms: Millis) -> Self {
        WhoFilter::default().when(WhoWhen::At(ms))
    }

    /// The members as if the log ended at this entry.
    #[must_use]
    pub fn at_seq(seq: u64) -> Self {
        WhoFilter::default().when(WhoWhen::Seq(seq))
    }

    /// Only this topic. Default: all.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// The moment. Default: the head of the log.
    #[must_use]
    pub fn when(mut self, when: WhoWhen) -> Self {
        self.when = when;
        self
    }

    /// The answer as of this recording time, Unix ms. Default: now.
    #[must_use]
    pub fn known_at(mut self, ms: Millis) -> Self {
        self.known_at = Some(ms);
        self
    }

    /// Whether to leave out members who are only possibly there. Default: no.
    #[must_use]
    pub fn certain(mut self, certain: bool) -> Self {
        self.certain = certain;
        self
    }
}

impl Store {
    /// The members that are, or were, in a channel.
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
    /// // Tony left, and lily joined, at some moment of the gap from 1000 to 9000.
    /// let who = store.who("room", &rollbook::query::WhoFilter::at(5_000))?;
    /// assert_eq!(who.coverage, rollbook::query::answer::CoverageAnswer::Blind);
    /// assert_eq!(who.topics[0].publishers.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel; [`StoreError::PastRetention`] if the moment
    /// or the entry was pruned.
    pub fn who(&self, channel: &str, filter: &WhoFilter) -> Result<Who, StoreError> {
        let mut who = match filter.when {
            WhoWhen::Head => self.who_at_head(channel, filter.known_at, None)?,
            WhoWhen::Seq(seq) => self.who_at_head(channel, filter.known_at, Some(seq))?,
            WhoWhen::At(at) => self.who_at(channel, filter.known_at, at)?,
        };
        if let Some(topic) = &filter.topic {
            who.topics.retain(|listed| listed.topic == *topic);
        }
        if filter.certain {
            for topic in &mut who.topics {
                topic
                    .publishers
                    .retain(|publisher| publisher.certainty != Certainty::Possible);
            }
            who.topics.retain(|topic| !topic.publishers.is_empty());
        }
        Ok(who)
    }

    fn who_at_head(
        &self,
        channel: &str,
        known_at: Option<Millis>,
        last: Option<u64>,
    ) -> Result<Who, StoreError> {
        self.as_of_channel(channel, known_at, last, |state, names| {
            let name = heard_of(channel, state, names)?;
            let coverage = coverage_answer(state.coverage(name));
            let lossy = state
                .channel(name)
                .is_some_and(|channel| channel.is_lossy());
            let certainty = base_certainty(coverage, lossy);
            let members = state.roster(name, names).into_iter().map(|present| Row {
                member: present.member,
                meta: present.meta.cloned(),
                since: Some(present.since),
                certainty,
            });
            let topics = by_topic(members.collect(), names);
            Ok(Who {
                channel: channel.to_owned(),
                at: None,
                seq: state.head(),
                coverage,
                last_proof: state.last_proof(name).map(Time),
                topics,
            })
        })?
    }

    fn who_at(
        &self,
        channel: &str,
        known_at: Option<Millis>,
        at: Millis,
    ) -> Result<Who, StoreError> {
        self.expect_moment(at)?;
        // Later entries reach back: what the head knows of the channel limits what is certain about any moment.
        let (watched, lossy) = self.as_of_channel(channel, known_at, None, |state, names| {
            let name = heard_of(channel, state, names)?;
            let lossy = state
                .channel(name)
                .is_some_and(|channel| channel.is_lossy());
            Ok::<_, StoreError>((state.is_watched_at(name, at), lossy))
        })??;
        let (mut end, mut later) = self.read_to(channel, known_at, at)?;
        let name = end.names.intern(channel);
        let (state, names) = (&end.state, &end.names);
        let of_channel = state.channel(name);
        if let Some(open) = of_channel.and_then(|channel| channel.watching().open_gap()) {
            // A later entry may have moved its begin further back.
            let known = later.gaps.entry(open.gap).or_insert((open.from, None));
            known.0 = known.0.min(open.from);
        }
        let gap_from = later.gap_from();
        let coverage = match coverage_answer(state.coverage(name)) {
            _ if gap_from.is_some() => CoverageAnswer::Blind,
            CoverageAnswer::Blind if of_channel.is_some_and(|channel| channel.seen_whole()) => {
                CoverageAnswer::Complete
            }
            CoverageAnswer::Blind => CoverageAnswer::Partial,
            known => known,
        };
        // Proofs from other channels on the same link are in the gap's beginning, and only there.
        let heard = of_channel.and_then(|channel| channel.watching().heard_at());
        let base = base_certainty(coverage, lossy || !watched);
        let rows = later.rows(name, state, names, base);
        Ok(Who {
            channel: channel.to_owned(),
            at: Some(Time(at)),
            // This seq is the same wherever the cursor began.
            seq: of_channel.map_or(0, |channel| channel.effective_seq()),
            coverage,
            last_proof: heard.max(gap_from).map(Time),
            topics: by_topic(rows, names),
        })
    }

    /// The state with what is in effect at a moment, and what later entries say about the moment.
    fn read_to(
        &self,
        channel: &str,
        known_at: Option<Millis>,
        at: Millis,
    ) -> Result<(StateCursor, LaterEntries), StoreError> {
        let scope = ScanScope {
            channel: Some(channel),
            start: ScanStart::InEffectAt(at),
            known_at,
            ..ScanScope::default()
        };
        let mut later = LaterEntries::new(at);
        // Whether an entry that takes effect after the moment was found.
        let mut passed = false;
        let (mut cursor, mut frames) = self.scan(&scope)?;
        let mut name = cursor.names.intern(channel);
        // After the moment only entries that reach back to it matter.
        while let Some(mut frame) =
            frames.next_if(&mut cursor, |_, back_to| !passed || back_to <= at)?
        {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    // Entries without a channel count here, too, and so do link entries of any channel: the state
                    // must know which observers send link lines.
                    let of = channel_of(entry, &cursor.names);
                    let elsewhere = of.is_some_and(|of| of != name);
                    if elsewhere && !matches!(entry.payload, Payload::Link(_)) {
                        continue;
                    }
                    let moves = matches!(entry.payload, Payload::Change(_) | Payload::Snapshot(_));
                    passed |= moves && entry.effective_at > at;
                    if passed {
                        later.take(entry, name);
                    } else {
                        cursor.apply_entry(entry);
                    }
                }
            }
            // What `later` holds is numbered with these names.
            if !passed && cursor.forget_absent().is_some() {
                name = cursor.names.intern(channel);
            }
        }
        Ok((cursor, later))
    }
}

fn base_certainty(coverage: CoverageAnswer, unproven: bool) -> Certainty {
    if coverage == CoverageAnswer::Blind || unproven {
        Certainty::Assumed
    } else {
        Certainty::Certain
    }
}

struct Row {
    member: MemberId,
    meta: Option<Text>,
    since: Option<Millis>,
    certainty: Certainty,
}

fn by_topic(rows: Vec<Row>, names: &Names) -> Vec<TopicAnswer> {
    let mut topics: Vec<TopicAnswer> = Vec::new();
    for row in rows {
        let [topic, user, connection] = member_names(row.member, names);
        let publisher = Publisher {
            user,
            connection,
            meta: meta_answer(row.meta.as_ref()),
            since: row.since.map(Time),
            certainty: row.certainty,
        };
        match topics.last_mut().filter(|last| last.topic == topic) {
            Some(last) => last.publishers.push(publisher),
            None => topics.push(TopicAnswer {
                topic,
                publishers: vec![publisher],
            }),
        }
    }
    topics
}

/// What entries that take effect after a moment say about the moment.
struct LaterEntries {
    at: Millis,
    /// Members with a window around the moment; for a member who joins later, with the metadata of the join.
    open: NumberMap<MemberId, Option<Option<Text>>>,
    /// Members with a leave at or before the moment that was reported too late to be applied; with the time of the
    /// last such leave. It changes nothing, but a member who was there at that time has not certainly stayed.
    doubted: NumberMap<MemberId, Millis>,
    /// The gaps found, with their start and end.
    gaps: BTreeMap<u32, (Millis, Option<Millis>)>,
}

impl LaterEntries {
    fn new(at: Millis) -> Self {
        LaterEntries {
            at,
            open: NumberMap::default(),
            doubted: NumberMap::default(),
            gaps: BTreeMap::new(),
        }
    }

    /// The begin of the gap around the moment.
    fn gap_from(&self) -> Option<Millis> {
        let inside = |&&(from, to): &&(Millis, Option<Millis>)| {
            from <= self.at && to.is_none_or(|to| self.at < to)
        };
        self.gaps.values().find(inside).map(|&(from, _)| from)
    }

    /// The members at the moment: those of the state, and those who may have been there. `base` is the certainty of a
    /// member of whom later entries say nothing.
    fn rows(self, channel: NameId, state: &State, names: &Names, base: Certainty) -> Vec<Row> {
        let mut open = self.open;
        let mut rows: Vec<Row> = Vec::new();
        for present in state.roster(channel, names) {
            let left = self.doubted.get(&present.member);
            let doubted = left.is_some_and(|&left| present.since <= left);
            let unsure = open.remove(&present.member).is_some() || doubted;
            rows.push(Row {
                member: present.member,
                meta: present.meta.cloned(),
                since: Some(present.since),
                certainty: if unsure { Certainty::Possible } else { base },
            });
        }
        rows.extend(open.into_iter().filter_map(|(member, coming)| {
            Some(Row {
                member,
                meta: coming?,
                since: None,
                certainty: Certainty::Possible,
            })
        }));
        rows.sort_by(|a, b| names.compare(a.member, b.member));
        rows
    }

    /// Takes an entry; `channel` is the channel of the question.
    fn take(&mut self, entry: &Entry, channel: NameId) {
        match &entry.payload {
            Payload::Change(change) if change.disposition == Disposition::Applied => {
                let baseline = matches!(change.origin, Origin::Inferred(by) if by.baseline);
                let from = match entry.window() {
                    Some(window) => window.not_before.filter(|_| !baseline),
                    None => Some(entry.occurred_at),
                };
                let inside =
                    from.is_some_and(|from| from <= self.at) && self.at < entry.effective_at;
                match change.kind {
                    ChangeKind::Join if inside => {
                        // Even if an earlier leave of the member may already have happened.
                        let coming = self.open.entry(change.member).or_insert(None);
                        coming.get_or_insert_with(|| change.meta.clone());
                    }
                    ChangeKind::Leave if inside => {
                        self.open.entry(change.member).or_insert(None);
                    }
                    _ => {}
                }
            }
            Payload::Change(change)
                if change.disposition == Disposition::Stale
                    && change.kind == ChangeKind::Leave
                    && (entry.occurred_at..entry.effective_at).contains(&self.at) =>
            {
                let left = self.doubted.entry(change.member).or_insert(Millis::MIN);
                *left = entry.occurred_at.max(*left);
            }
            Payload::Snapshot(snapshot) => {
                let Some(seen) = snapshot.gap else { return };
                if let Some(from) = seen.opened {
                    self.gaps.insert(seen.gap, (from, seen.closed));
                } else if let Some(to) = seen.closed {
                    // The gap was opened before: its start is known from the state or from a link entry.
                    self.gaps.entry(seen.gap).or_insert((Millis::MAX, None)).1 = Some(to);
                }
            }
            Payload::Link(link) => {
                for change in link.gaps.iter().filter(|change| change.channel == channel) {
                    if change.opens {
                        self.gaps.insert(change.gap, (change.at, None));
                    } else {
                        // Nothing was missed, so this gap must not count.
                        self.gaps
                            .insert(change.gap, (Millis::MAX, Some(Millis::MIN)));
                    }
                }
            }
            _ => {}
        }
    }
}
