//! Gaps: where one observer's link lines tell of every loss, each gap begins at the channel's last proof over the link
//! that was lost, and ends with the next whole of the channel, whether it is listed or told as differences.

use super::lists::{ObserverLists, Resync};
use super::{Score, ScoreFault};
use crate::domain::time::Millis;
use crate::query::answer::Evidence;
use crate::sim::mix::LinkKind;
use crate::sim::run::{RecordedRun, RunError, SimRun};
use crate::sim::told::{SimLink, SimPayload};
use crate::sim::world::channel_name;
use crate::store::StoreError;

/// From when, and to when if it is over.
type GapBounds = (Millis, Option<Millis>);

/// One channel.
#[derive(Debug, Default)]
struct Watched {
    /// A link line has named it: it has a link of its own.
    named: bool,
    /// Its whole was seen, and the link has been up since.
    watching: bool,
    /// The last message about it.
    own: Option<Millis>,
    /// The last message over the link, if it shares it with the others that are not named.
    shared: Option<Millis>,
    /// The last effective time.
    now: Option<Millis>,
    gaps: Vec<GapBounds>,
}

/// Compares the gaps that link lines tell of with those that the store knows.
pub(super) fn score(run: &SimRun, heard: &RecordedRun, score: &mut Score) -> Result<(), RunError> {
    let told_alone = run.mix.source.observers == 1;
    let by_client = matches!(run.mix.source.link, LinkKind::Client(_));
    // An interval's total can show that something was missed: that ends proofs, too.
    if !told_alone || !by_client || run.world.is_presence() {
        return Ok(());
    }
    let expected = expected(run);
    for (channel, expected) in run.world.channels.clone().zip(expected) {
        let gaps = match heard.store.gaps(channel_name(channel)) {
            Err(StoreError::NoSuchChannel(_)) => continue,
            gaps => gaps?,
        };
        // A snapshot that comes although nothing was lost makes a gap of its own.
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
        // A link that resumes while it is up was lost just before.
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

/// A snapshot, or differences that are as good. It takes effect when what was collected was told; to other channels it
/// proves what its own time does.
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
        // What a link has carried counts as soon as the channel is seen whole, and be it seen late.
        if other == channel && watched.watching {
            watched.own = watched.own.max(Some(at));
        } else if other != channel && shares {
            watched.shared = watched.shared.max(Some(stamp));
        }
    }
}
