//! Scores moments. No `certain` answer of `who --at` may be wrong, also not with `known_at`. An answer with
//! `known_at` must equal the answer of a store that has recorded only the lines up to that time.

use super::knowledge::Knowledge;
use super::{Depth, Score, ScoreFault};
use crate::domain::time::Millis;
use crate::query::answer::{Certainty, CoverageAnswer, Who};
use crate::query::{MissedFilter, SessionFilter, WhoFilter, WhoWhen};
use crate::sim::rng::SimRng;
use crate::sim::run::{RecordedRun, RunError, SimRun};
use crate::sim::told::{SimLine, SimLink, SimPayload};
use crate::sim::world::{Position, WorldAction, channel_name};
use crate::store::{Store, StoreError};
use std::ops::Range;

/// Asks about moments at and around everything that happened or was reported.
pub(super) fn score(
    run: &SimRun,
    heard: &RecordedRun,
    depth: Depth,
    dice: &mut SimRng,
    score: &mut Score,
) -> Result<(), RunError> {
    let truth = Truth::of(run);
    let times: Vec<Millis> = run.told.iter().map(|told| told.recorded).collect();
    for channel in run.world.channels.clone() {
        let moments = moments(run, channel);
        for &at in &moments {
            if depth == Depth::Some && !dice.falls(100) {
                continue;
            }
            truth.ask(&heard.store, channel, at, None, score)?;
            let known_at = dice.pick(&times).copied();
            if dice.falls(300) {
                truth.ask(&heard.store, channel, at, known_at, score)?;
            }
        }
    }
    let prefixes = match depth {
        Depth::Every => 2,
        Depth::Some => usize::from(dice.falls(100)),
    };
    for _ in 0..prefixes {
        if let Some(&known_at) = dice.pick(&times) {
            then(run, heard, known_at, dice, score)?;
        }
    }
    Ok(())
}

/// The interesting moments of a channel, and the milliseconds next to them.
fn moments(run: &SimRun, channel: usize) -> Vec<Millis> {
    let world = &run.world;
    let changes = world.changes.iter().filter(|change| {
        let member = world.member(change.who);
        member.is_some_and(|member| member.channel == channel)
    });
    let happened = changes.flat_map(|change| [change.at, change.noticed]);
    let snapshots = run.told.iter().filter_map(|told| match &told.said {
        SimPayload::Snapshot(shown) if shown.channel == channel => told.stamp,
        SimPayload::End { channel: of, .. } if *of == channel => told.stamp,
        SimPayload::Link { .. } | SimPayload::Difference { .. } => told.stamp,
        _ => None,
    });
    // By these moments all differences have been sent.
    let resyncs = run.told.iter().filter_map(|told| match told.said {
        SimPayload::Difference { .. } => Some(told.stamp? + run.mix.rules.resync_ms),
        SimPayload::Link {
            event: SimLink::Resumed,
            ..
        } => Some(told.stamp? + run.mix.rules.resync_ms),
        _ => None,
    });
    let mut moments: Vec<Millis> = happened
        .map(|at| run.mix.stamped(at))
        .chain(snapshots)
        .chain(resyncs)
        .flat_map(|at| [at - 1, at, at + 1])
        .collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// Which members were truly present.
struct Truth<'a> {
    run: &'a SimRun,
    stays: Vec<Vec<Range<Millis>>>,
    /// After each line, the position as of which each member is known. Only for sources that notice late.
    known: Vec<Vec<Position>>,
}

impl<'a> Truth<'a> {
    fn of(run: &'a SimRun) -> Self {
        let everybody = 0..run.world.members.len();
        let stamped = |at| run.mix.stamped(at);
        let stays = everybody.clone().map(|who| run.world.stays(who, stamped));
        let mut knowledge = Knowledge::new(&run.world, run.mix.rules.resync_ms);
        let told = run.told.iter().filter(|_| run.world.is_presence());
        let known = told.map(|told| {
            knowledge.learn(told);
            everybody.clone().map(|who| knowledge.as_of(who)).collect()
        });
        Truth {
            run,
            stays: stays.collect(),
            known: known.collect(),
        }
    }

    /// Asks who was present at a moment, and checks every certain answer.
    fn ask(
        &self,
        store: &Store,
        channel: usize,
        at: Millis,
        known_at: Option<Millis>,
        score: &mut Score,
    ) -> Result<(), RunError> {
        if self.rests_on_a_connection(at, known_at) || self.seems_to_share(channel, known_at) {
            return Ok(());
        }
        let filter = WhoFilter {
            when: WhoWhen::At(at),
            known_at,
            ..WhoFilter::default()
        };
        let answer = match store.who(channel_name(channel), &filter) {
            Err(StoreError::NoSuchChannel(_)) => return Ok(()),
            answer => answer?,
        };
        score.moments += 1;
        let blur = self.run.mix.blur_ms();
        let as_known = || known_at.map_or_else(String::new, |at| format!(" as known at {at}"));
        let mut listed = Vec::new();
        let mut certain = false;
        for topic in &answer.topics {
            for publisher in &topic.publishers {
                let key = [topic.topic.as_str(), &publisher.user, &publisher.connection];
                let who = self.run.world.find(&answer.channel, key);
                listed.extend(who);
                if publisher.certainty != Certainty::Certain {
                    continue;
                }
                certain = true;
                let mut stays = who
                    .and_then(|who| self.stays.get(who))
                    .into_iter()
                    .flatten();
                let there = stays.any(|stay| stay.start <= at && stay.end > at - blur);
                let unnoticed = who.is_some_and(|who| self.is_unnoticed(who, at, known_at));
                if (!there && !unnoticed) || self.run.mix.rules.lossy {
                    score.fault(ScoreFault::Certain, || {
                        format!(
                            "who --at {at}{}: {key:?} is not certain to be there",
                            as_known()
                        )
                    });
                }
            }
        }
        // With two observers, one may report late what the other's snapshot already implies; that report is recorded
        // as stale. So this holds only for a single observer.
        let alone = self.run.mix.source.observers == 1;
        if alone && certain && answer.coverage == CoverageAnswer::Complete {
            self.nobody_is_lacking(channel, (at, known_at), &listed, &as_known(), score);
        }
        Ok(())
    }

    /// Whether the answer rests on an open connection whose observer has been silent since a moment. The guide trusts
    /// the connection then. A store cannot know of lines in transit or of a dead connection that is not noticed yet.
    fn rests_on_a_connection(&self, at: Millis, known_at: Option<Millis>) -> bool {
        let run = self.run;
        let heard = known_at.map_or(run.told.len(), |known_at| run.recorded_by(known_at));
        (0..run.mix.source.observers).any(|observer| {
            let (mut connected, mut last) = (false, None);
            let told = run.told.iter().take(heard);
            for told in told.filter(|told| told.observer == observer) {
                match told.said {
                    SimPayload::Connection(what) => connected = !what.is_loss(),
                    SimPayload::Link { .. } | SimPayload::Token(_) => {}
                    _ => last = last.max(told.stamp),
                }
            }
            connected && last.is_none_or(|last| last <= at)
        })
    }

    /// Whether a member's last action before a moment is unknown because the source notices late. Either the source
    /// had not noticed it when it last reported, or the link was lost and the action was undone before it was
    /// reported.
    fn is_unnoticed(&self, who: usize, at: Millis, known_at: Option<Millis>) -> bool {
        let world = &self.run.world;
        let heard = known_at.map_or(self.run.told.len(), |it| self.run.recorded_by(it));
        let mut last = None;
        let mut undone = world.changes.len() + 1;
        for (position, change) in world.between(who, 0, world.changes.len()) {
            if matches!(change.deed, WorldAction::Changed(_)) {
                continue;
            }
            if change.at > at {
                undone = position;
                break;
            }
            last = Some((position, change));
        }
        let Some((position, _)) = last.filter(|(_, last)| last.noticed > last.at) else {
            return false;
        };
        let mut known = self
            .known
            .iter()
            .take(heard)
            .filter_map(|line| line.get(who));
        world.is_presence() && !known.any(|as_of| (position..undone).contains(as_of))
    }

    /// Whether link lines name channels but have not named this one yet: until then it seems to share its link.
    fn seems_to_share(&self, channel: usize, known_at: Option<Millis>) -> bool {
        let heard = known_at.map_or(self.run.told.len(), |it| self.run.recorded_by(it));
        let named = |told: &SimLine| match told.said {
            SimPayload::Link { channel, .. } => channel,
            _ => None,
        };
        let heard = self.run.told.iter().take(heard);
        let is_named = heard.filter_map(named).any(|it| it == channel);
        !is_named && self.run.told.iter().any(|told| named(told).is_some())
    }

    /// Where an answer is certain and the coverage complete, no present member may be missing.
    fn nobody_is_lacking(
        &self,
        channel: usize,
        (at, known_at): (Millis, Option<Millis>),
        listed: &[usize],
        as_known: &str,
        score: &mut Score,
    ) {
        let blur = self.run.mix.blur_ms();
        for who in self.run.world.of_channel(channel) {
            let mut stays = self.stays.get(who).into_iter().flatten();
            let there = stays.any(|stay| stay.start <= at - blur && stay.end > at);
            if there && !listed.contains(&who) && !self.is_unnoticed(who, at, known_at) {
                score.fault(ScoreFault::Certain, || {
                    let key = self.run.world.member(who).map(|member| member.key());
                    format!("who --at {at}{as_known}: {key:?} is lacking")
                });
            }
        }
    }
}

/// Compares answers with `known_at` with the answers of a store that recorded only the lines up to then.
fn then(
    run: &SimRun,
    heard: &RecordedRun,
    known_at: Millis,
    dice: &mut SimRng,
    score: &mut Score,
) -> Result<(), RunError> {
    let earlier = run.tell(run.recorded_by(known_at), heard.rules)?;
    for channel in run.world.channels.clone() {
        let moments = moments(run, channel);
        let mut whens = vec![WhoWhen::Head];
        whens.extend((0..4).filter_map(|_| dice.pick(&moments).copied().map(WhoWhen::At)));
        let name = channel_name(channel);
        let mut differ = |question: &str, now: Option<String>, then: Option<String>| {
            if now != then {
                score.fault(ScoreFault::KnownAt, || {
                    format!("{question} of {name:?} as known at {known_at}: {now:?}, was {then:?}")
                });
            }
        };
        for when in whens {
            let who = |store: &Store, known_at| {
                let filter = WhoFilter {
                    when,
                    known_at,
                    ..WhoFilter::default()
                };
                answer(store.who(name, &filter)).map(|who: Option<Who>| json(who.as_ref()))
            };
            differ(
                &format!("who {when:?}"),
                who(&heard.store, Some(known_at))?,
                who(&earlier.store, None)?,
            );
        }
        let missed = |store: &Store, known_at| {
            let filter = MissedFilter {
                known_at,
                ..MissedFilter::default()
            };
            answer(store.missed(name, &filter)).map(|missed| missed.and_then(|it| json(Some(&it))))
        };
        differ(
            "missed",
            missed(&heard.store, Some(known_at))?.filter(|it| it != "[]"),
            missed(&earlier.store, None)?.filter(|it| it != "[]"),
        );
    }
    let (now, then) = (
        sessions(&heard.store, Some(known_at))?,
        sessions(&earlier.store, None)?,
    );
    if now != then {
        score.fault(ScoreFault::KnownAt, || {
            format!("sessions as known at {known_at}: {now:?}, were {then:?}")
        });
    }
    Ok(())
}

/// All sessions with `known_at`.
fn sessions(store: &Store, known_at: Option<Millis>) -> Result<Vec<String>, RunError> {
    let filter = SessionFilter {
        known_at,
        ..SessionFilter::default()
    };
    let mut sessions = Vec::new();
    for session in store.sessions(&filter)? {
        let session = session?;
        sessions.extend(json(Some(&session)));
    }
    Ok(sessions)
}

/// `None` for a channel that is not recorded yet.
fn answer<T>(answer: Result<T, StoreError>) -> Result<Option<T>, RunError> {
    match answer {
        Err(StoreError::NoSuchChannel(_)) => Ok(None),
        answer => Ok(Some(answer?)),
    }
}

fn json(answer: Option<&impl serde::Serialize>) -> Option<String> {
    serde_json::to_string(answer?).ok()
}
