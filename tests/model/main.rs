//! Compares the queries with a model: a list of facts, folded slowly, written from the contract and not from the
//! code. The model's log is what the store's `history` prints; every other answer must equal the model's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)]

mod traces;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollbook::domain::entry::Rules;
use rollbook::query::WhoFilter;
use rollbook_support::feeds::{Shape, Tape, cases, tape};
use rollbook_support::model::log::Part;
use rollbook_support::model::{
    CHANNELS, Model, answers, found, heard, moments, the_same, the_same_in, the_same_now,
};
use std::collections::BTreeSet;

/// Tapes on which store and model once differed.
#[test]
fn what_once_came_apart() {
    let tapes: &[&[&str]] = &[
        // A channel without members has figures, too.
        &[r#"{"t":"link","state":"up","channels":["a"]}"#],
        // Both the leave and the join of a member may have happened by then, so it may be present.
        &[
            r#"{"t":"join","channel":"a","topic":"u","user":"cy"}"#,
            r#"{"t":"snapshot","channel":"a","topics":{},"ts":1800000000000}"#,
            r#"{"t":"join","channel":"a","topic":"u","user":"cy","ts":1800000000000}"#,
        ],
        // An entry that an incomplete snapshot inferred lies in the gap that a later link line reports.
        &[
            r#"{"t":"join","channel":"a","topic":"u","user":"bob","ts":1800000000000}"#,
            r#"{"t":"snapshot","channel":"a","topics":{"u":[{"user":"bob","meta":1}]},"incomplete":true,"ts":1800000001000}"#,
            r#"{"t":"link","state":"down","ts":1800000002000}"#,
        ],
        // The line that reports a gap comes from an observer that was first recorded after the moment.
        &[
            r#"{"t":"snapshot","channel":"b","topics":{},"ts":1800000000000}"#,
            r#"{"t":"join","channel":"b","topic":"t","user":"ann","ts":1800000014000,"observer":"o2"}"#,
            r#"{"t":"link","state":"down","ts":1800000000000}"#,
            r#"{"t":"link","state":"down","ts":1800000000000,"observer":"o2"}"#,
        ],
        // A link line about another channel decides what is a proof here, but a scan of this channel misses it.
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
        // A series ends at the requested time. The last moment belongs to it even as the first moment of its step.
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

/// The filters of a question; the moments are later replaced by times of the log.
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

    /// Answers with `known_at`, or at an entry, must equal those of the model of the log up to then.
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
                let filter = WhoFilter::at_seq(last);
                let right = answers::who(&until, channel, None, None, false);
                assert_eq!(found(desk.store.who(channel, &filter)), right, "who {channel} --seq {last}");
            }
        }
    }
}
