//! Scores gaps. Where link lines report every loss of one observer, each gap begins at the channel's last proof over
//! the lost link. It ends with the next complete list of the channel: a snapshot, or differences.

use super::lists::{ObserverLists, Resync};
use super::{Score, ScoreFault};
use crate::domain::time::Millis;
use crate::query::answer::Evidence;
use crate::sim::mix::LinkKind;
use crate::sim::run::{RecordedRun, RunError, SimRun};
use crate::sim::told::{SimLink, SimPayload};
use crate::sim::world::channel_name;
use crate::store::StoreError;

/// Start and end of a gap; the end is `None` while the gap is open.
type GapBounds = (Millis, Option<Millis>);

/// What is known of one channel.
#[derive(Debug, Default)]
struct Watched {
    /// A link line has named the channel: it has its own link.
    named: bool,
    /// A complete list was seen, and the link has been up since.
    watching: bool,
    /// The time of the last message about the channel.
    own: Option<Millis>,
    /// The time of the last message over the link that it shares with the other unnamed channels.
    shared: Option<Millis>,
    /// The last effective time.
    now: Option<Millis>,
    gaps: Vec<GapBounds>,
}

/// Compares the gaps that follow from the link lines with those of the store.
pub(super) fn score(run: &SimRun, heard: &RecordedRun, score: &mut Score) -> Result<(), RunError> {
    let told_alone = run.mix.source.observers == 1;
    let by_client = matches!(run.mix.source.link, LinkKind::Client(_));
    // An interval's total can show that something was missed; that also ends proofs.
    if !told_alone || !by_client || run.world.is_presence() {
        return Ok(());
    }
    let expected = expected(run);
    for (channel, expected) in run.world.channels.clone().zip(expected) {
        let gaps = match heard.store.gaps(channel_name(channel)) {
            Err(StoreError::NoSuchChannel(_)) => continue,
            gaps => gaps?,
        };
        // A snapshot that comes without a loss makes a gap with other evidence.
        let told = gaps.iter().filter(|gap| gap.evidence == Evidence::Link);
        let found = told.map(|gap| (gap.from.0, gap.to.map(|to| to.0)));
        let found: Vec<GapBounds> = found.collect();
        if found != expected {
            score.fault(ScoreFault::Gap, || {
                let name = channel_name(channel);
                format!("gaps of {name:?} are {found:?}, expected {expected:?}")
            });
        }
    }
    Ok(())
}

fn expected(run: &SimRun) -> Vec<Vec<GapBounds>> {
    let mut lists = ObserverLists::new(&run.world, run.mix.rules.resync_ms);
    let mut channels: Vec<Watched> = Vec::new();
    channels.resize_with(run.world.channels.end, Watched::default);
    for told in &run.told {
        let at = told.stamp.unwrap_or(told.recorded);
        let taken = lists.take(told);
        for Resync { channel, at, .. } in &taken.resyncs {
            whole(&mut channels, *channel, *at, *at);
        }
        match &told.said {
            SimPayload::Link { event, channel } => link(&mut channels, *event, *channel),
            SimPayload::Snapshot(_) if taken.stale => {}
            SimPayload::Snapshot(shown) => {
                let effect = taken.worked_in.as_ref().map_or(at, |it| it.at);
                whole(&mut channels, shown.channel, effect, at);
            }
            SimPayload::Changes { .. } if !taken.collected => {
                if let Some(channel) = told.said.channel(&run.world) {
                    message(&mut channels, channel, at, at);
                }
            }
            _ => {}
        }
    }
    channels.into_iter().map(|channel| channel.gaps).collect()
}

fn link(channels: &mut [Watched], event: SimLink, named: Option<usize>) {
    let lost = match event {
        SimLink::Elsewhere => return,
        SimLink::Up | SimLink::Synced => false,
        // A link that is resumed while it is up was lost just before.
        SimLink::Resumed | SimLink::Down | SimLink::Expired | SimLink::Failed => true,
    };
    for (channel, watched) in channels.iter_mut().enumerate() {
        if named.is_some_and(|named| named != channel) {
            continue;
        }
        watched.named |= named.is_some();
        if !lost {
            continue;
        }
        let shared = watched.shared.take().filter(|_| !watched.named);
        if !watched.watching {
            continue;
        }
        watched.watching = false;
        if let Some(from) = watched.own.max(shared) {
            watched.gaps.push((from, None));
        }
    }
}

/// Takes a snapshot, or differences that stand for one. For its channel it takes effect at `at`; for the other
/// channels it is a proof at its own time, `stamp`.
fn whole(channels: &mut [Watched], channel: usize, at: Millis, stamp: Millis) {
    if let Some(watched) = channels.get_mut(channel) {
        let to = watched.now.map_or(at, |now| now.max(at));
        if !watched.watching {
            watched.own = None;
        }
        watched.watching = true;
        if let Some((_, open @ None)) = watched.gaps.last_mut() {
            *open = Some(to);
        }
    }
    message(channels, channel, at, stamp);
}

/// A message about a channel proves that its link was up.
fn message(channels: &mut [Watched], channel: usize, at: Millis, stamp: Millis) {
    let shares = channels.get(channel).is_some_and(|watched| !watched.named);
    for (other, watched) in channels.iter_mut().enumerate() {
        if other == channel {
            watched.now = watched.now.max(Some(at));
        }
        // A message counts as soon as the channel is watched, even if its list arrived late.
        if other == channel && watched.watching {
            watched.own = watched.own.max(Some(at));
        } else if other != channel && shares {
            watched.shared = watched.shared.max(Some(stamp));
        }
    }
}
