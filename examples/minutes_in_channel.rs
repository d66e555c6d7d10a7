//! A custom projection: how many minutes each user was present in each channel, day by day.
//!
//! Every answer is a fold of the log. Rollbook's own answers are folds like this; it has no answer for minutes per
//! day. The projection receives each entry once, in order, and keeps what it needs. It can be dropped and rebuilt
//! from the first entry; or it is kept, and receives only the newer entries.
//!
//! Run it: `cargo run --example minutes_in_channel -- examples/weak-network-evening.jsonl`

use chrono::DateTime;
use rollbook::domain::{ChangeKind, Entry, Names, Payload};
use rollbook::ingest::{IngestOptions, Source, ingest};
use rollbook::{Options, Projection, Store};
use std::collections::BTreeMap;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A user in a channel. Names are kept as text: the numbers in entries are valid for one reading of the log only.
type Who = (String, String);

/// The projection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MinutesInChannel {
    /// Who is present: as how many members (a user may publish in several topics), and since when.
    present: BTreeMap<Who, (usize, i64)>,
    /// The milliseconds of stays that have ended, by user and by day since 1970.
    ended: BTreeMap<Who, BTreeMap<i64, i64>>,
    /// When the last entry of each channel took effect. Open stays count up to this time.
    until: BTreeMap<String, i64>,
}

impl Projection for MinutesInChannel {
    fn apply(&mut self, entry: &Entry, names: &Names) {
        let channel = match &entry.payload {
            Payload::Change(change) => names.key(change.member).channel,
            Payload::Snapshot(snapshot) => snapshot.channel,
            // These entries are about observers, not about members.
            _ => return,
        };
        let channel = names.text(channel).to_owned();
        self.until.insert(channel.clone(), entry.effective_at);
        // Stale, duplicate and unknown changes are in the log, but changed nothing. Inferred entries count like
        // observed ones.
        let Payload::Change(change) = &entry.payload else {
            return;
        };
        let joined = change.kind == ChangeKind::Join;
        if !change.is_applied() || !(joined || change.kind == ChangeKind::Leave) {
            return;
        }
        let who = (
            channel,
            names.text(names.key(change.member).user).to_owned(),
        );
        let (members, since) = self.present.remove(&who).unwrap_or((0, entry.effective_at));
        let members = if joined { members + 1 } else { members - 1 };
        if members > 0 {
            self.present.insert(who, (members, since));
        } else {
            add(
                self.ended.entry(who).or_default(),
                since,
                entry.effective_at,
            );
        }
    }
}

impl MinutesInChannel {
    /// Whole minutes by (channel, user, day since 1970).
    pub fn minutes(&self) -> BTreeMap<(String, String, i64), i64> {
        let mut all = self.ended.clone();
        for (who, &(_, since)) in &self.present {
            let until = self.until.get(&who.0).copied().unwrap_or(since);
            add(all.entry(who.clone()).or_default(), since, until);
        }
        let of_day = |((channel, user), days): (Who, BTreeMap<i64, i64>)| {
            days.into_iter()
                .map(move |(day, ms)| ((channel.clone(), user.clone(), day), ms / 60_000))
        };
        all.into_iter().flat_map(of_day).collect()
    }
}

/// Adds a stay to the days that it covers.
fn add(days: &mut BTreeMap<i64, i64>, from: i64, to: i64) {
    let mut at = from;
    while at < to {
        let day = at.div_euclid(DAY_MS);
        let end = to.min((day + 1) * DAY_MS);
        *days.entry(day).or_default() += end - at;
        at = end;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let feed = std::env::args()
        .nth(1)
        .ok_or("which file? give a feed, one event a line")?;
    // A store on disk is opened with `Store::open` instead.
    let store = Store::in_memory(Options::default())?;
    ingest(
        &store,
        Source::open(feed.as_ref())?,
        &IngestOptions::default(),
        &mut (),
    )?;

    let mut projection = MinutesInChannel::default();
    store.replay(.., &mut projection)?;
    for ((channel, user, day), minutes) in projection.minutes() {
        let day =
            DateTime::from_timestamp_millis(day * DAY_MS).ok_or("a day beyond all calendars")?;
        println!("{channel}  {}  {minutes:>4} min  {user}", day.date_naive());
    }
    Ok(())
}
