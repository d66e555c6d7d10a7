//! `who`: the members of a channel at a moment, at an entry, or now, and how certain their presence is.

use super::answer::{Certainty, CoverageAnswer, Publisher, Time, TopicAnswer, Who};
use super::{coverage_answer, member_names, meta_answer};
use crate::domain::entry::{Disposition, Entry, Origin, Payload, Text};
use crate::domain::event::ChangeKind;
use crate::domain::names::{MemberId, NameId, Names, NumberMap, Renumbering};
use crate::domain::time::Millis;
use crate::log::frame::FrameHeader;
use crate::store::{
    ScanFlow, ScanScope, ScanStart, StateView, Store, StoreError, Visitor, heard_of,
};

/// The moment of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// // Tony left, and lily joined, at some moment of the gap from 1000 to 9000.
    /// let filter = rollbook::query::WhoFilter {
    ///     when: rollbook::query::WhoWhen::At(5_000),
    ///     ..Default::default()
    /// };
    /// let who = store.who("room", &filter)?;
    /// assert_eq!(who.coverage, rollbook::query::answer::CoverageAnswer::Blind);
    /// assert_eq!(who.topics[0].publishers.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel.
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
        self.as_of(known_at, last, |state, names| {
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
        // Later entries reach back: what the head knows of the channel limits what is certain about any moment.
        let (watched, lossy) = self.as_of(known_at, None, |state, names| {
            let name = heard_of(channel, state, names)?;
            let lossy = state
                .channel(name)
                .is_some_and(|channel| channel.is_lossy());
            Ok::<_, StoreError>((state.is_watched_at(name, at), lossy))
        })??;
        let mut moment = AtMoment::new(channel, at);
        let scope = ScanScope {
            channel: Some(channel),
            start: ScanStart::InEffectAt(at),
            known_at,
            ..ScanScope::default()
        };
        let end = self.scan(&scope, &mut moment)?;
        let (state, names) = (&end.state, &end.names);
        let Some(name) = names.find(channel) else {
            return Err(StoreError::NoSuchChannel(channel.to_owned()));
        };
        let mut coverage = coverage_answer(state.coverage(name));
        if coverage == CoverageAnswer::Blind {
            let seen = state
                .channel(name)
                .is_some_and(|channel| channel.seen_whole());
            coverage = if seen {
                CoverageAnswer::Complete
            } else {
                CoverageAnswer::Partial
            };
        }
        if let Some(open) = state
            .channel(name)
            .and_then(|channel| channel.watching().open_gap())
        {
            moment.gaps.entry(open.gap).or_insert((open.from, None)).0 = open.from;
        }
        let inside =
            |&(from, to): &(Millis, Option<Millis>)| from <= at && to.is_none_or(|to| at < to);
        let gap = moment.gaps.values().find(|gap| inside(gap));
        if gap.is_some() {
            coverage = CoverageAnswer::Blind;
        }
        // Proofs from other channels on the same link are in the gap's beginning, and only there.
        let heard = state.channel(name).and_then(|it| it.watching().heard_at());
        let last_proof = heard.max(gap.map(|&(from, _)| from));
        let base = base_certainty(coverage, lossy || !watched);
        let mut rows: Vec<Row> = state
            .roster(name, names)
            .into_iter()
            .map(|present| Row {
                member: present.member,
                meta: present.meta.cloned(),
                since: Some(present.since),
                certainty: base,
            })
            .collect();
        for row in &mut rows {
            let may_have_left = |&left: &Millis| row.since.is_some_and(|since| since <= left);
            let doubted = moment.doubted.get(&row.member).is_some_and(may_have_left);
            if moment.open.remove(&row.member).is_some() || doubted {
                row.certainty = Certainty::Possible;
            }
        }
        rows.extend(moment.open.into_iter().filter_map(|(member, coming)| {
            let meta = coming?;
            Some(Row {
                member,
                meta,
                since: None,
                certainty: Certainty::Possible,
            })
        }));
        rows.sort_by(|a, b| names.compare(a.member, b.member));
        let topics = by_topic(rows, names);
        // This seq is the same whether the fold began at a checkpoint or at the first entry.
        let seq = state
            .channel(name)
            .map_or(0, |channel| channel.effective_seq());
        let at = Some(Time(at));
        Ok(Who {
            channel: channel.to_owned(),
            at,
            seq,
            coverage,
            last_proof: last_proof.map(Time),
            topics,
        })
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

/// Folds what is in effect at a moment, and looks ahead for later entries that reach back to it.
struct AtMoment<'a> {
    channel: &'a str,
    name: Option<NameId>,
    at: Millis,
    /// An entry that takes effect after the moment was found.
    passed: bool,
    /// Members with a window around the moment; for a member who joins later, with the metadata of the join.
    open: NumberMap<MemberId, Option<Option<Text>>>,
    /// Members with a leave at or before the moment that was reported too late to be applied; with the time of the
    /// last such leave. It changes nothing, but a member who was there at that time has not certainly stayed.
    doubted: NumberMap<MemberId, Millis>,
    /// The gaps found, with their start and end.
    gaps: std::collections::BTreeMap<u32, (Millis, Option<Millis>)>,
}

impl<'a> AtMoment<'a> {
    fn new(channel: &'a str, at: Millis) -> Self {
        let (open, doubted, gaps) = Default::default();
        AtMoment {
            channel,
            name: None,
            at,
            passed: false,
            open,
            doubted,
            gaps,
        }
    }

    fn look_ahead(&mut self, entry: &Entry) {
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
                for change in link
                    .gaps
                    .iter()
                    .filter(|change| Some(change.channel) == self.name)
                {
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

impl Visitor for AtMoment<'_> {
    fn renumbers(&self) -> bool {
        !self.passed
    }

    fn renumbered(&mut self, renumbering: &Renumbering) {
        self.name = self.name.and_then(|name| renumbering.name(name));
    }

    fn wants(&mut self, header: &FrameHeader) -> bool {
        !self.passed || header.reaches_back_to <= self.at
    }

    fn entry(&mut self, at: StateView<'_>, entry: &Entry) -> Result<ScanFlow, StoreError> {
        if self.name.is_none() {
            self.name = at.names.find(self.channel);
        }
        // Entries without a channel count here, too, and so do link entries of any channel: the state must know which
        // observers send link lines.
        let channel = at.channel_of(entry);
        let elsewhere = channel.is_some_and(|channel| Some(channel) != self.name);
        if elsewhere && !matches!(entry.payload, Payload::Link(_)) {
            return Ok(ScanFlow::Skip);
        }
        let moves = matches!(&entry.payload, Payload::Change(_) | Payload::Snapshot(_));
        self.passed |= moves && entry.effective_at > self.at;
        if self.passed {
            self.look_ahead(entry);
            return Ok(ScanFlow::Skip);
        }
        Ok(ScanFlow::Apply)
    }
}
