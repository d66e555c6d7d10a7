//! Asks a model and a store the same questions. The fuzz target `events` uses this file, too.

pub mod answers;
pub mod log;
mod resync;
mod stats;
mod watch;

use crate::desk::Desk;
use crate::feeds::{self, Tape};
use log::{Log, Part};
use rollbook::query::answer::{HistoryEntry, Session};
use rollbook::query::{
    HistoryFilter, MissedFilter, SessionFilter, StatsFilter, WhoFilter, WhoWhen,
};
use rollbook::{Store, StoreError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use watch::Watched;

/// The model: the log, and who watched its channels.
pub struct Model {
    pub log: Log,
    pub channels: BTreeMap<String, Watched>,
}

impl Model {
    pub fn of(log: Log) -> Model {
        let channels = watch::watch(&log);
        Model { log, channels }
    }
}

/// A store that has recorded a tape line by line, and the model's log of it.
pub fn heard(tape: &Tape) -> (Desk, Model) {
    let desk = Desk::new();
    let mut log = Log::default();
    log.lossy = tape.rules.lossy;
    log.resync_ms = tape.rules.resync_ms;
    log.max_ahead_ms = tape.rules.max_ahead_ms;
    // The model does not cover ingest connections.
    let lines = tape.lines.iter();
    for heard in lines.filter(|heard| feeds::connection(&heard.text).is_none()) {
        let behind = desk.store.head();
        let receipt = desk.hear_one(tape, heard).unwrap();
        if receipt.tally.rejected == 0 && receipt.tally.retries == 0 {
            log.tell(heard, behind, desk.store.head());
        }
    }
    let lines = desk.history_json();
    log.entries = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (desk, Model::of(log))
}

fn json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// An answer as JSON; `None` if there is no such channel.
pub fn found<T: serde::Serialize>(answer: Result<T, StoreError>) -> Option<Value> {
    match answer {
        Ok(answer) => Some(json(answer)),
        Err(StoreError::NoSuchChannel(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Moments at which an answer may change: each time of each entry, and the millisecond before it.
pub fn moments(model: &Model) -> BTreeSet<i64> {
    let times = model.log.entries.iter().flat_map(|entry| {
        [
            Some(entry.occurred_at),
            Some(entry.effective_at),
            entry.not_before,
        ]
    });
    times.flatten().flat_map(|at| [at - 1, at]).collect()
}

pub const CHANNELS: [&str; 4] = ["a", "b", "c", "nowhere"];

fn sessions(store: &Store, filter: &SessionFilter) -> Option<Value> {
    let all = store.sessions(filter).and_then(Iterator::collect);
    found(all as Result<Vec<Session>, _>)
}

/// The seqs of the entries that history lists.
fn listed(store: &Store, filter: &HistoryFilter) -> Option<Value> {
    let all = store.history(filter).and_then(Iterator::collect);
    let seqs = |all: Vec<HistoryEntry>| Vec::from_iter(all.iter().map(|entry| entry.seq));
    found(all.map(seqs))
}

/// The last proof in an answer about a moment must not be later than it. The model does not know earlier last proofs.
pub fn no_later(answer: &Value, at: i64) {
    if let Some(proof) = answer["last_proof"].as_str() {
        assert!(proof <= log::time(at).as_str().unwrap(), "{answer}");
    }
}

/// Asks everything about the head, or about the log as it was known at a moment.
pub fn the_same(store: &Store, model: &Model, known_at: Option<i64>) {
    let mut moments: Vec<Option<i64>> = moments(model).into_iter().map(Some).collect();
    moments.push(None);
    for channel in CHANNELS {
        for &at in &moments {
            let when = at.map_or(WhoWhen::Head, WhoWhen::At);
            for (topic, certain) in [(None, false), (Some("t"), true)] {
                let mut filter = WhoFilter::default().when(when).certain(certain);
                filter.known_at = known_at;
                filter.topic = topic.map(str::to_owned);
                let mut right = answers::who(model, channel, at, topic, certain);
                let mut answer = found(store.who(channel, &filter));
                if let (Some(at), Some(right), Some(answer)) = (at, &mut right, &mut answer) {
                    no_later(answer, at);
                    right["last_proof"].take();
                    answer["last_proof"].take();
                }
                assert_eq!(answer, right, "who {channel} {filter:?}");
            }
        }
        the_same_in(
            store,
            model,
            &Part {
                known_at,
                channel: Some(channel),
                ..Part::default()
            },
        );
    }
    the_same_in(
        store,
        model,
        &Part {
            known_at,
            ..Part::default()
        },
    );
}

/// Compares stays, figures, gaps and entries of a part of the log.
pub fn the_same_in(store: &Store, model: &Model, part: &Part) {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    let mut filter = SessionFilter::default();
    filter.channel = owned(part.channel);
    filter.topic = owned(part.topic);
    filter.user = owned(part.user);
    filter.from = part.from;
    filter.to = part.to;
    filter.known_at = part.known_at;
    let right = answers::sessions(model, part).map(json);
    assert_eq!(sessions(store, &filter), right, "{filter:?}");
    let mut filter = StatsFilter::default();
    filter.channel = owned(part.channel);
    filter.topic = owned(part.topic);
    filter.from = part.from;
    filter.to = part.to;
    filter.every_ms = part.every;
    filter.known_at = part.known_at;
    let right = stats::stats(model, part).map(json);
    assert_eq!(found(store.stats(&filter)), right, "{filter:?}");
    if let Some(channel) = part.channel {
        let mut filter = MissedFilter::default();
        filter.gap = part.gap;
        filter.since = part.from;
        filter.known_at = part.known_at;
        let right = answers::missed(model, channel, part).map(json);
        let answer = found(store.missed(channel, &filter));
        assert_eq!(answer, right, "{channel} {filter:?}");
    }
    if part.known_at.is_none() {
        let kind = part
            .kind
            .map(|kind| serde_json::from_value(json(kind)).unwrap());
        let mut filter = HistoryFilter::default().types(kind).after_seq(part.after);
        filter.channel = owned(part.channel);
        filter.topic = owned(part.topic);
        filter.user = owned(part.user);
        filter.from = part.from;
        filter.to = part.to;
        filter.observed = part.observed;
        filter.limit = part.limit;
        let right = answers::history(model, part).map(json);
        assert_eq!(listed(store, &filter), right, "{filter:?}");
    }
}

/// Compares the answers that exist only for the head.
pub fn the_same_now(store: &Store, model: &Model) {
    resync::check(&model.log);
    the_same(store, model, None);
    let channels = json(store.channels().unwrap());
    assert_eq!(channels, json(answers::channels(model)));
    for channel in CHANNELS {
        let right = answers::gaps(model, channel).map(json);
        assert_eq!(found(store.gaps(channel)), right, "gaps {channel}");
    }
}
