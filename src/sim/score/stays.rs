//! Scores stays: `sessions` must list each stay that the log knows, and the true length must lie within its bounds.

use super::knowledge::{Knowledge, Lesson};
use super::{Score, ScoreFault};
use crate::domain::time::Millis;
use crate::query::SessionFilter;
use crate::query::answer::{EntryType, HistoryEntry, OriginAnswer, Session};
use crate::sim::run::{RunError, SimRun};
use crate::sim::world::{Person, WorldAction, WorldChange};
use crate::store::Store;

/// A stay of the log, with its true start and end.
struct Stay {
    who: Person,
    began: Millis,
    /// `None`: the stay goes on.
    ended: Option<Millis>,
}

/// Collects stays from the entries.
pub(super) struct StayScorer<'a> {
    run: &'a SimRun,
    open: Vec<Stay>,
    over: Vec<Stay>,
    /// The last effective time of each channel.
    now: Vec<Millis>,
}

impl<'a> StayScorer<'a> {
    pub fn new(run: &'a SimRun) -> Self {
        StayScorer {
            run,
            open: Vec::new(),
            over: Vec::new(),
            now: vec![Millis::MIN; run.world.channels.end],
        }
    }

    /// Changes and snapshots move a channel's time.
    pub fn time_goes_on(&mut self, entry: &HistoryEntry) {
        if matches!(entry.kind, EntryType::Link | EntryType::Token) {
            return;
        }
        let named = |at: usize| crate::sim::world::channel_name(at);
        for (channel, now) in self.now.iter_mut().enumerate() {
            if entry.channel.as_deref() == Some(named(channel)) {
                *now = (*now).max(entry.effective_at.0);
            }
        }
    }

    /// Takes a join or a leave that was found.
    pub fn take(&mut self, entry: &HistoryEntry, lesson: &Lesson) {
        let world = &self.run.world;
        let stamped = |at| self.run.mix.stamped(at);
        let up_to = lesson.after.as_of.unwrap_or(0);
        match entry.kind {
            EntryType::Join => {
                let came = world
                    .between(lesson.who, 0, up_to)
                    .filter(|(_, change)| matches!(change.deed, WorldAction::Came(_)));
                if let Some((_, came)) = came.last() {
                    self.open.push(Stay {
                        who: lesson.who,
                        began: stamped(came.at),
                        ended: None,
                    });
                }
            }
            EntryType::Leave => {
                let behind = lesson.before.as_of.unwrap_or(0);
                let mut went = world
                    .between(lesson.who, behind, up_to)
                    .filter(|(_, change)| change.deed == WorldAction::Went);
                // An observed leave is the last one. Of several unseen leaves, the first one ended the stay.
                let went = match entry.origin {
                    OriginAnswer::Observed => went.last(),
                    OriginAnswer::Inferred => went.next(),
                };
                let open = self.open.iter().position(|stay| stay.who == lesson.who);
                if let (Some((_, went)), Some(open)) = (went, open) {
                    let stay = self.open.remove(open);
                    let ended = Some(stamped(went.at));
                    self.over.push(Stay { ended, ..stay });
                }
            }
            _ => {}
        }
    }

    /// Compares the stays with the store's sessions.
    pub fn score(
        self,
        store: &Store,
        knowledge: &Knowledge<'_>,
        score: &mut Score,
    ) -> Result<(), RunError> {
        let sessions = store.sessions(&SessionFilter::default())?;
        let sessions = sessions.collect::<Result<Vec<_>, _>>()?;
        let stays = self.over.iter().chain(&self.open);
        if sessions.len() != self.over.len() + self.open.len() {
            score.fault(ScoreFault::Session, || {
                let known = self.over.len() + self.open.len();
                format!(
                    "{} sessions, where the entries tell of {known}",
                    sessions.len()
                )
            });
            return Ok(());
        }
        for (session, stay) in sessions.iter().zip(stays) {
            self.compare(session, stay, knowledge, score);
        }
        Ok(())
    }

    /// A member's first leave after the last position that is known of it.
    fn unseen(&self, who: Person, knowledge: &Knowledge<'_>) -> Option<&WorldChange> {
        let world = &self.run.world;
        let mut unseen = world.between(who, knowledge.as_of(who), world.changes.len());
        let went = unseen.find(|(_, change)| change.deed == WorldAction::Went);
        went.map(|(_, went)| went)
    }

    fn compare(
        &self,
        session: &Session,
        stay: &Stay,
        knowledge: &Knowledge<'_>,
        score: &mut Score,
    ) {
        let Some(member) = self.run.world.member(stay.who) else {
            return;
        };
        let [topic, connection] = [&session.topic, &session.connection];
        let [topic, connection] = [topic, connection].map(|it| it.as_deref().unwrap_or_default());
        let key = [topic, &session.user, connection];
        let is_it = session.channel == member.channel_name() && key == member.key();
        let goes_on = stay.ended.is_none() == session.left_at.is_none();
        let now = self.now.get(member.channel).copied().unwrap_or_default();
        // Absences that no observer could see count as presence. An open stay ended after the last known position.
        let ended = stay.ended.unwrap_or_else(|| {
            let went = self.unseen(stay.who, knowledge);
            went.map_or(now, |went| self.run.mix.stamped(went.at).min(now))
        });
        let lasted = ended - stay.began;
        let blur = self.run.mix.blur_ms();
        // A leave that the source has not noticed yet cannot be known.
        let noticed = match (stay.ended, self.run.world.is_presence()) {
            (None, true) => self.unseen(stay.who, knowledge).map(|went| went.noticed),
            _ => None,
        };
        let at_least = noticed.map_or(lasted, |noticed| noticed.min(now) - stay.began);
        let too_short = session.min_ms > (at_least + blur).max(0);
        let too_long = session.max_ms.is_some_and(|max| max < lasted - blur);
        if !is_it || !goes_on || too_short || too_long {
            score.fault(ScoreFault::Session, || {
                let json = serde_json::to_string(session).unwrap_or_default();
                let began = stay.began;
                format!("{json} is {key:?} from {began} to {ended}, {lasted} ms")
            });
        }
        let lossy = self.run.mix.rules.lossy;
        if lossy && (session.min_ms, session.max_ms) != (0, None) {
            score.fault(ScoreFault::Session, || {
                format!("bounds of {key:?}, though the feed is lossy")
            });
        }
    }
}
