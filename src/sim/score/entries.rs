//! Scores the entries of the log. All changes that could be seen must be found, no change may be invented, and the
//! true time of each inferred entry must lie in its window.

use super::knowledge::{Knowledge, Lesson};
use super::stays::StayScorer;
use super::{Score, ScoreFault};
use crate::domain::time::Millis;
use crate::query::HistoryFilter;
use crate::query::answer::{DispositionAnswer, EntryType, HistoryEntry, Meta, OriginAnswer};
use crate::sim::mix::Stamps;
use crate::sim::run::{RecordedRun, RunError, SimRun};
use crate::sim::told::{SimLine, SimPayload};
use crate::sim::world::{self, Person, channel_name};

/// Compares the log with what could be known, line by line.
pub(super) fn score(run: &SimRun, heard: &RecordedRun, score: &mut Score) -> Result<(), RunError> {
    let history = heard.store.history(&HistoryFilter::default())?;
    let history = history.collect::<Result<Vec<_>, _>>()?;
    let mut knowledge = Knowledge::new(&run.world, run.mix.rules.resync_ms);
    let mut stays = StayScorer::new(run);
    let mut rest = history.as_slice();
    for (told, &head) in run.told.iter().zip(&heard.heads) {
        let (of_line, behind) = rest.split_at(rest.partition_point(|entry| entry.seq <= head));
        rest = behind;
        let baseline = |channel| !knowledge.has_seen_whole(channel);
        let first_seen: Vec<bool> = (0..run.world.channels.end).map(baseline).collect();
        let learnt = knowledge.learn(told);
        let line = ScoredLine {
            run,
            told,
            first_seen: &first_seen,
        };
        line.compare(&learnt.lessons, of_line, &mut stays, score);
        line.resyncs(&learnt.resyncs, of_line, score);
    }
    stays.score(&heard.store, &knowledge, score)
}

/// One line, for comparison with the entries that it made.
struct ScoredLine<'a> {
    run: &'a SimRun,
    told: &'a SimLine,
    /// By channel: whether no complete snapshot had been seen before.
    first_seen: &'a [bool],
}

impl ScoredLine<'_> {
    fn compare(
        &self,
        lessons: &[Lesson],
        entries: &[HistoryEntry],
        stays: &mut StayScorer<'_>,
        score: &mut Score,
    ) {
        let mut expected: Vec<(EntryType, &Lesson)> = lessons
            .iter()
            .filter_map(|lesson| Some((expected(lesson)?, lesson)))
            .collect();
        for entry in entries {
            stays.time_goes_on(entry);
            let Some(who) = self.of_member(entry) else {
                continue;
            };
            let fits = |(kind, lesson): &(EntryType, &Lesson)| {
                *kind == entry.kind
                    && lesson.who == who
                    && (*kind == EntryType::Leave || lesson.after.meta == meta_of(&entry.meta))
            };
            let Some(found) = expected.iter().position(fits) else {
                score.fault(ScoreFault::Invented, || said(entry, "did not happen"));
                continue;
            };
            let (_, lesson) = expected.swap_remove(found);
            match entry.origin {
                OriginAnswer::Inferred => {
                    score.inferred += 1;
                    self.window(entry, lesson, score);
                }
                OriginAnswer::Observed => self.moment(entry, lesson, score),
            }
            stays.take(entry, lesson);
        }
        for (kind, lesson) in expected {
            score.fault(ScoreFault::Missed, || {
                let key = self
                    .run
                    .world
                    .member(lesson.who)
                    .map(world::WorldMember::key);
                format!(
                    "{kind:?} of {key:?}, shown by {:?}, is in no entry",
                    self.told.said
                )
            });
        }
    }

    /// Where an observer has sent all differences, and only there, its own list is in the log as a snapshot.
    fn resyncs(&self, expected: &[usize], entries: &[HistoryEntry], score: &mut Score) {
        let mut expected: Vec<&str> = expected.iter().map(|&it| channel_name(it)).collect();
        for entry in entries {
            let is_resync = entry.kind == EntryType::Snapshot
                && entry.reason.as_deref() == Some("resync")
                && entry.origin == OriginAnswer::Observed;
            if !is_resync {
                continue;
            }
            let channel = entry.channel.as_deref();
            match expected.iter().position(|it| Some(*it) == channel) {
                Some(found) => {
                    expected.swap_remove(found);
                }
                None => score.fault(ScoreFault::Invented, || said(entry, "is no resync")),
            }
        }
        for channel in expected {
            score.fault(ScoreFault::Missed, || {
                format!("no resync of {channel:?} here")
            });
        }
    }

    /// The member whose state an entry changed.
    fn of_member(&self, entry: &HistoryEntry) -> Option<Person> {
        if entry.disposition != DispositionAnswer::Applied {
            return None;
        }
        let key = [
            entry.topic.as_deref()?,
            entry.user.as_deref()?,
            entry.connection.as_deref()?,
        ];
        self.run.world.find(entry.channel.as_deref()?, key)
    }

    /// All changes between the earlier knowledge and the snapshot must lie in the window.
    fn window(&self, entry: &HistoryEntry, lesson: &Lesson, score: &mut Score) {
        let first_known = entry.kind == EntryType::Update && lesson.before.meta.is_none();
        if first_known {
            // No change: the metadata only became known.
            return;
        }
        let behind = match entry.kind {
            EntryType::Update => lesson.before.meta_as_of,
            _ => lesson.before.as_of.unwrap_or(0),
        };
        let up_to = lesson.after.as_of.unwrap_or(0);
        let Some(not_after) = entry.not_after else {
            score.fault(ScoreFault::Window, || said(entry, "has no not_after"));
            return;
        };
        let channel = self.run.world.member(lesson.who).map_or(0, |it| it.channel);
        let may_be_baseline = self.first_seen.get(channel).copied().unwrap_or_default();
        if entry.not_before.is_none() && !(entry.baseline && may_be_baseline) {
            score.fault(ScoreFault::Window, || said(entry, "has no not_before"));
        }
        let not_before = entry.not_before.map_or(Millis::MIN, |time| time.0);
        let mut happened = self.run.world.between(lesson.who, behind, up_to);
        let outside = happened.find(|(_, change)| {
            let at = self.run.mix.stamped(change.at);
            at < not_before || at > not_after.0
        });
        if let Some((position, change)) = outside {
            score.fault(ScoreFault::Window, || {
                let change = format!("{:?} at {} (position {position})", change.deed, change.at);
                said(entry, &format!("does not hold {change}"))
            });
        }
    }

    /// An observed change must have happened when the source says.
    fn moment(&self, entry: &HistoryEntry, lesson: &Lesson, score: &mut Score) {
        if !matches!(
            self.told.said,
            SimPayload::Changes { .. } | SimPayload::Interval { .. }
        ) {
            return;
        }
        let Some(change) = lesson
            .after
            .as_of
            .and_then(|position| self.run.world.change(position))
        else {
            return;
        };
        let stamped = self.run.mix.stamped(change.noticed);
        let has_times = self.run.mix.source.stamps != Stamps::None;
        if has_times && entry.occurred_at.0 != stamped {
            score.fault(ScoreFault::Window, || said(entry, "did not happen then"));
        }
        let late = self.run.world.late_ms(change);
        let holds = match (entry.not_before, entry.not_after) {
            (None, None) => late == 0,
            (Some(from), Some(to)) => {
                late > 0
                    && from.0 <= change.at
                    && change.at <= to.0
                    && to == entry.occurred_at
                    && from.0 >= to.0 - late
            }
            _ => false,
        };
        if !holds {
            score.fault(ScoreFault::Window, || {
                let at = change.at;
                said(
                    entry,
                    &format!(
                        "does not hold {:?} at {at}, up to {late} ms late",
                        change.deed
                    ),
                )
            });
        }
    }
}

/// The type of entry that a lesson should make, if any.
fn expected(lesson: &Lesson) -> Option<EntryType> {
    let Lesson { before, after, .. } = lesson;
    match (before.present, after.present) {
        (false, true) => Some(EntryType::Join),
        (true, false) => Some(EntryType::Leave),
        (true, true) if after.meta != before.meta => Some(EntryType::Update),
        _ => None,
    }
}

/// The number of the metadata, in any shape.
fn meta_of(meta: &Meta) -> Option<world::MetaNumber> {
    // The states of a user without states.
    if meta.as_ref()?.get() == "{}" {
        return Some(0);
    }
    let digits = meta.as_ref()?.get().chars().filter(char::is_ascii_digit);
    digits.collect::<String>().parse().ok()
}

fn said(entry: &HistoryEntry, complaint: &str) -> String {
    match serde_json::to_string(entry) {
        Ok(json) => format!("{json} {complaint}"),
        Err(error) => format!("entry {} ({error}) {complaint}", entry.seq),
    }
}
