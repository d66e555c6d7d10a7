//! The queries against a model: a list of facts, folded slowly, by the words of the contract and not by the code.
//! What the store's `history` prints is the model's log; every other answer must be the model's own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)]

mod answers;
#[path = "../support/desk.rs"]
mod desk;
#[path = "../support/feeds.rs"]
mod feeds;
mod log;
mod resync;
#[path = "../support/shapes.rs"]
mod shapes;
mod stats;
mod traces;
mod watch;

use desk::Desk;
use feeds::{Shape, Tape, cases, tape};
use log::{Log, Part};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollbook::domain::entry::Rules;
use rollbook::query::answer::HistoryEntry;
use rollbook::query::{
    HistoryFilter, MissedFilter, SessionFilter, StatsFilter, WhoFilter, WhoWhen,
};
use rollbook::{Store, StoreError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use watch::Watched;

/// The model: the log, and how its channels were watched.
pub struct Model {
    log: Log,
    channels: BTreeMap<String, Watched>,
}

impl Model {
    fn of(log: Log) -> Model {
        let channels = watch::watch(&log);
        Model { log, channels }
    }
}

/// A store that has heard a tape line by line, and the model's log of it.
fn heard(tape: &Tape) -> (Desk, Model) {
    let desk = Desk::new();
    let mut log = Log::default();
    log.lossy = tape.rules.lossy;
    log.resync_ms = tape.rules.resync_ms;
    // The model is of what lines say; it knows no ingest connections yet.
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

/// An answer as JSON; `None` where there is no such channel.
fn found<T: serde::Serialize>(answer: Result<T, StoreError>) -> Option<Value> {
    match answer {
        Ok(answer) => Some(json(answer)),
        Err(StoreError::NoSuchChannel(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Moments at which something may turn: each time of each entry, and the one before it.
fn moments(model: &Model) -> BTreeSet<i64> {
    let times = model.log.entries.iter().flat_map(|entry| {
        [
            Some(entry.occurred_at),
            Some(entry.effective_at),
            entry.not_before,
        ]
    });
    times.flatten().flat_map(|at| [at - 1, at]).collect()
}

const CHANNELS: [&str; 4] = ["a", "b", "c", "nowhere"];

fn sessions(store: &Store, filter: &SessionFilter) -> Option<Value> {
    let mut all = Vec::new();
    let each = |session| {
        all.push(json(session));
        true
    };
    let answer = store.sessions(filter, each);
    found(answer.map(|()| all))
}

/// The entries that history lists: their seqs.
fn listed(store: &Store, filter: &HistoryFilter) -> Option<Value> {
    let mut seqs = Vec::new();
    let each = |entry: HistoryEntry| {
        seqs.push(entry.seq);
        true
    };
    let answer = store.history(filter, each);
    found(answer.map(|()| seqs))
}

/// An answer about a moment knows of no proof behind it; the model does not say which was the last one before.
fn no_later(answer: &Value, at: i64) {
    if let Some(proof) = answer["last_proof"].as_str() {
        assert!(proof <= log::time(at).as_str().unwrap(), "{answer}");
    }
}

/// Everything that is asked of the head, or of the log as it was known at a moment.
fn the_same(store: &Store, model: &Model, known_at: Option<i64>) {
    let mut moments: Vec<Option<i64>> = moments(model).into_iter().map(Some).collect();
    moments.push(None);
    for channel in CHANNELS {
        for &at in &moments {
            let when = at.map_or(WhoWhen::Head, WhoWhen::At);
            for (topic, certain) in [(None, false), (Some("t"), true)] {
                let filter = WhoFilter {
                    when,
                    known_at,
                    certain,
                    topic: topic.map(str::to_owned),
                };
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

/// Stays, figures, gaps and entries of a part of the log.
fn the_same_in(store: &Store, model: &Model, part: &Part) {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    let filter = SessionFilter {
        channel: owned(part.channel),
        topic: owned(part.topic),
        user: owned(part.user),
        from: part.from,
        to: part.to,
        known_at: part.known_at,
    };
    let right = answers::sessions(model, part).map(json);
    assert_eq!(sessions(store, &filter), right, "{filter:?}");
    let filter = StatsFilter {
        channel: owned(part.channel),
        topic: owned(part.topic),
        from: part.from,
        to: part.to,
        every_ms: part.every,
        known_at: part.known_at,
    };
    let right = stats::stats(model, part).map(json);
    assert_eq!(found(store.stats(&filter)), right, "{filter:?}");
    if let Some(channel) = part.channel {
        let filter = MissedFilter {
            gap: part.gap,
            since: part.from,
            known_at: part.known_at,
            ..MissedFilter::default()
        };
        let right = answers::missed(model, channel, part).map(json);
        let answer = found(store.missed(channel, &filter));
        assert_eq!(answer, right, "{channel} {filter:?}");
    }
    if part.known_at.is_none() {
        let kind = part
            .kind
            .map(|kind| serde_json::from_value(json(kind)).unwrap());
        let filter = HistoryFilter {
            channel: owned(part.channel),
            topic: owned(part.topic),
            user: owned(part.user),
            from: part.from,
            to: part.to,
            types: kind.into_iter().collect(),
            observed: part.observed,
            after_seq: part.after,
            limit: part.limit,
        };
        let right = answers::history(model, part).map(json);
        assert_eq!(listed(store, &filter), right, "{filter:?}");
    }
}

/// What only the head is asked.
fn the_same_now(store: &Store, model: &Model) {
    resync::check(&model.log);
    the_same(store, model, None);
    let channels = json(store.channels().unwrap());
    assert_eq!(channels, json(answers::channels(model)));
    for channel in CHANNELS {
        let right = answers::gaps(model, channel).map(json);
        assert_eq!(found(store.gaps(channel)), right, "gaps {channel}");
    }
}

/// Tapes on which store and model have come apart.
#[test]
fn what_once_came_apart() {
    let tapes: &[&[&str]] = &[
        // A channel without members has figures, too.
        &[r#"{"t":"link","state":"up","channels":["a"]}"#],
        // One whose leave and whose join may both have happened by then may be there.
        &[
            r#"{"t":"join","channel":"a","topic":"u","user":"cy"}"#,
            r#"{"t":"snapshot","channel":"a","topics":{},"ts":1800000000000}"#,
            r#"{"t":"join","channel":"a","topic":"u","user":"cy","ts":1800000000000}"#,
        ],
        // What an incomplete snapshot inferred is in the gap of which a link line tells later.
        &[
            r#"{"t":"join","channel":"a","topic":"u","user":"bob","ts":1800000000000}"#,
            r#"{"t":"snapshot","channel":"a","topics":{"u":[{"user":"bob","meta":1}]},"incomplete":true,"ts":1800000001000}"#,
            r#"{"t":"link","state":"down","ts":1800000002000}"#,
        ],
        // The line that tells of a gap is of an observer who was first heard after the moment.
        &[
            r#"{"t":"snapshot","channel":"b","topics":{},"ts":1800000000000}"#,
            r#"{"t":"join","channel":"b","topic":"t","user":"ann","ts":1800000014000,"observer":"o2"}"#,
            r#"{"t":"link","state":"down","ts":1800000000000}"#,
            r#"{"t":"link","state":"down","ts":1800000000000,"observer":"o2"}"#,
        ],
        // A link line about another channel: what proves something here, though a scan of this channel does not see it.
        &[
            r#"{"t":"snapshot","channel":"b","topics":{"t":[{"user":"ann"}]},"ts":1800000000000}"#,
            r#"{"t":"link","state":"up","channels":["a"],"ts":1800000000000}"#,
            r#"{"t":"snapshot","channel":"b","topics":{"t":[{"user":"bob"}]},"incomplete":true,"ts":1800000001000}"#,
            r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":1800000005000}"#,
            r#"{"t":"snapshot","channel":"b","topics":{},"ts":1800000006000}"#,
            r#"{"t":"join","channel":"b","topic":"t","user":"cy","ts":1800000007000}"#,
            r#"{"t":"join","channel":"a","topic":"t","user":"cy","ts":1800000009000}"#,
        ],
    ];
    let start = 1_800_000_000_000;
    for lines in tapes {
        let (desk, model) = heard(&Tape::of(Rules::default(), lines));
        the_same_now(&desk.store, &model);
        // A series ends where it is asked to, and the last moment is in it, were it the first of its stretch.
        for (from, to) in [
            (None, Some(start + 500)),
            (Some(start + 900), Some(start + 300)),
            (None, None),
        ] {
            let every = Some(1_000);
            the_same_in(
                &desk.store,
                &model,
                &Part {
                    from,
                    to,
                    every,
                    ..Part::default()
                },
            );
        }
    }
}

/// What may be asked; the moments stand for some of the log's own.
fn part() -> impl Strategy<Value = Part<'static>> {
    let moments = option::of(0i64..400);
    let names = (
        option::of(select(&["a", "b"][..])),
        option::of(select(&["t", "u", "v"][..])),
        option::of(select(&["ann", "bob"][..])),
    );
    let stretch = option::of(select(&[100, 700, 7_000][..]));
    let kinds = ["join", "leave", "update", "snapshot", "link", "token"];
    let entries = (
        option::of(select(kinds.to_vec())),
        option::of(any::<bool>()),
        0u64..12,
        option::of(0u64..12),
    );
    let gap = option::of(1u32..3);
    (names, moments.clone(), moments, stretch, entries, gap).prop_map(
        |((channel, topic, user), from, to, every, (kind, observed, after, limit), gap)| Part {
            channel,
            topic,
            user,
            from,
            to,
            every,
            kind,
            observed,
            after,
            limit,
            gap,
            known_at: None,
        },
    )
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn a_part_is_answered_like_the_model(tape in tape(Shape::Any, 30), asked in vec(part(), 8)) {
        let (desk, model) = heard(&tape);
        let moments: Vec<i64> = moments(&model).into_iter().collect();
        let moment = |at: i64| moments.get(at as usize % (moments.len() + 1)).copied();
        for part in asked {
            let (from, to) = (part.from.and_then(moment), part.to.and_then(moment));
            the_same_in(&desk.store, &model, &Part { from, to, ..part });
        }
    }

    #[test]
    fn the_head_is_answered_like_the_model(tape in tape(Shape::Any, 30)) {
        let (desk, model) = heard(&tape);
        the_same_now(&desk.store, &model);
    }

    /// As it was known at a moment, or as if the log ended at an entry: what the model says of the log until then.
    #[test]
    fn the_past_is_answered_like_the_model(tape in tape(Shape::Any, 20)) {
        let (desk, model) = heard(&tape);
        let recorded: BTreeSet<i64> = model.log.entries.iter().map(|entry| entry.recorded_at).collect();
        for known_at in recorded.into_iter().flat_map(|at| [at - 1, at]) {
            let known = Model::of(model.log.known_at(known_at));
            the_same(&desk.store, &known, Some(known_at));
        }
        for last in 0..=desk.store.head() + 1 {
            let until = Model::of(model.log.until(last));
            for channel in CHANNELS {
                let filter = WhoFilter { when: WhoWhen::Seq(last), ..WhoFilter::default() };
                let right = answers::who(&until, channel, None, None, false);
                assert_eq!(found(desk.store.who(channel, &filter)), right, "who {channel} --seq {last}");
            }
        }
    }
}
