//! `who` (contract 3), sentence by sentence: moments, entries, `known_at`, and certainty.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::ingest::IngestOptions;
use rollbook::query::{MissedFilter, WhoFilter, WhoWhen};
use rollbook_support as support;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use told::{
    clock, effective, entries, feed, missed, ms, not_found, store, store_on, sure, sure_by,
};

/// Asserts `who --at` at each moment.
#[track_caller]
fn at(text: &str, moments: &[(i64, &str)]) {
    let store = store(text);
    for &(at, want) in moments {
        assert_eq!(
            sure(&store, WhoWhen::At(at)),
            want,
            "at {at} of {:#?}",
            told::told(&store)
        );
    }
}

#[test]
fn the_head_has_no_at_and_is_sorted_bytewise() {
    let store = store("5 snap b a#2 a#10 Z u/a é T/x\n6 leave u/a");
    let who = told::who(&store, &WhoFilter::default());
    assert_eq!(
        (&who["channel"], &who["at"], &who["seq"]),
        (&json!("c"), &Value::Null, &json!(9))
    );
    assert_eq!(sure(&store, WhoWhen::Head), "complete: T/x Z a#10 a#2 b é");
    let topics: Vec<_> = who["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["topic"].clone())
        .collect();
    assert_eq!(topics, ["T", "t"]);
}

#[test]
fn one_topic_of_it() {
    let store = store("5 snap a u/b");
    let filter = WhoFilter::default().topic("u");
    assert_eq!(sure_by(&store, &filter), "complete: u/b");
}

#[test]
fn a_channel_that_was_never_heard_of_is_not_found() {
    let store = store("5 snap a");
    assert!(not_found(store.who("nobody", &WhoFilter::default())));
    assert!(not_found(store.gaps("nobody")));
    assert!(not_found(store.missed("nobody", &MissedFilter::default())));
}

#[test]
fn at_is_all_in_effect_at_or_before() {
    let text = "5 snap a\n10 join b\n12 leave a\n20 join z";
    at(
        text,
        &[
            (4, "partial:"),
            (5, "complete: a"),
            (9, "complete: a"),
            (10, "complete: a b"),
            (12, "complete: b"),
        ],
    );
    let store = store(text);
    let who = told::who(&store, &WhoFilter::at(11));
    assert_eq!((ms(&who["at"]), &who["seq"]), (Some(11), &json!(3)));
    assert_eq!(ms(&who["topics"][0]["publishers"][1]["since"]), Some(10));
}

#[test]
fn at_or_after_the_last_proof_it_is_assumed() {
    at(
        "5 snap a\n10 join b",
        &[
            (9, "complete: a"),
            (10, "complete: a~ b~"),
            (99, "complete: a~ b~"),
        ],
    );
}

#[test]
fn the_head_itself_is_certain() {
    assert_eq!(
        sure(&store("5 snap a\n10 join b"), WhoWhen::Head),
        "complete: a b"
    );
    assert_eq!(sure(&store("5 join a"), WhoWhen::Head), "partial: a");
}

#[test]
fn inside_the_window_of_an_inferred_join_or_leave_it_is_possible() {
    at(
        "5 snap a d\n20 snap b d\n30 join z",
        &[
            (4, "partial:"),
            (5, "blind: a? b?^ d~"),
            (19, "blind: a? b?^ d~"),
            (20, "complete: b d"),
        ],
    );
}

#[test]
fn the_window_begins_at_not_before() {
    at(
        "1 up\n5 snap a\n8 join d\n10 down\n11 up\n20 snap b d\n30 join z",
        &[
            (7, "complete: a"),
            (8, "blind: a? b?^ d~"),
            (20, "complete: b d"),
        ],
    );
}

#[test]
fn the_window_of_an_inferred_update_makes_nobody_possible() {
    at(
        "5 snap a=1\n20 snap a=2\n30 join z",
        &[(10, "blind: a=1~"), (20, "complete: a=2")],
    );
}

#[test]
fn a_baseline_join_makes_nobody_possible() {
    at(
        "5 join x\n20 snap a x\n30 join z",
        &[(10, "partial: x"), (20, "complete: a x")],
    );
}

#[test]
fn between_occurred_at_and_effective_at_it_is_possible() {
    at(
        "1 snap d\n10 join a\n5 join b\n7 leave d\n20 join z",
        &[
            (4, "complete: d"),
            (5, "complete: b?^ d"),
            (7, "complete: b?^ d?"),
            (9, "complete: b?^ d?"),
            (10, "complete: a b"),
        ],
    );
    let store = store("1 snap\n10 join a\n5 join b\n20 join z");
    let who = told::who(&store, &WhoFilter::at(10));
    assert_eq!(ms(&who["topics"][0]["publishers"][1]["since"]), Some(10));
}

#[test]
fn a_stale_leave_changes_nothing_but_leaves_a_doubt_whether_the_stay_went_through() {
    at(
        "1 snap a b\n10 join b\n7 leave b\n20 join z",
        &[
            (6, "complete: a b"),
            (7, "complete: a b?"),
            (9, "complete: a b?"),
            (10, "complete: a b"),
        ],
    );
    // It says nothing about a stay that came after it.
    at(
        "1 snap b\n10 leave b\n12 join b\n15 join a\n10 leave b\n20 join z",
        &[
            (9, "complete: b"),
            (10, "complete:"),
            (12, "complete: b"),
            (14, "complete: b"),
        ],
    );
    // And a join that never took effect lists no member.
    at(
        "1 snap\n10 leave b\n5 join b\n20 join z",
        &[(5, "complete:"), (10, "complete:")],
    );
}

#[test]
fn inside_a_gap_it_is_assumed() {
    at(
        "1 up\n5 snap a\n8 join b\n10 down\n15 up\n20 snap a b\n30 join z",
        &[
            (7, "complete: a"),
            (8, "blind: a~ b~"),
            (10, "blind: a~ b~"),
            (19, "blind: a~ b~"),
            (20, "complete: a b"),
        ],
    );
}

#[test]
fn inside_an_open_gap_the_head_is_assumed() {
    let store = store("1 up\n5 snap a\n8 join b\n10 down");
    assert_eq!(sure(&store, WhoWhen::Head), "blind: a~ b~");
    assert_eq!(sure(&store, WhoWhen::At(9)), "blind: a~ b~");
    assert_eq!(sure(&store, WhoWhen::At(7)), "complete: a");
}

#[test]
fn certain_leaves_the_possible_out() {
    let store = store("5 snap a d\n20 snap b d\n30 join z");
    let filter = WhoFilter::at(10).certain(true);
    assert_eq!(sure_by(&store, &filter), "blind: d~");
    let store = self::store("5 snap a\n20 snap\n30 join z");
    assert_eq!(told::who(&store, &filter)["topics"], json!([]));
}

#[test]
fn seq_is_as_if_the_log_ended_there() {
    let store = store("1 up\n5 join x\n6 snap x a\n8 down\n9 up\n20 snap b x");
    let told = told::told(&store);
    let after = |entry: &str| 1 + told.iter().position(|told| told == entry).unwrap() as u64;
    let seq = |entry: &str| sure(&store, WhoWhen::Seq(after(entry)));
    assert_eq!(seq("join x"), "partial: x");
    assert_eq!(seq("~join a baseline"), "complete: a x");
    assert_eq!(seq("link down *"), "blind: a~ x~");
    assert_eq!(seq("~join b"), "complete: b x");
    let who = told::who(&store, &WhoFilter::at_seq(2));
    assert_eq!((&who["seq"], &who["at"]), (&json!(2), &Value::Null));
}

#[test]
fn known_at_is_what_would_have_been_answered_then() {
    let (now, options) = clock();
    now.store(1_000, Ordering::SeqCst);
    let store = store_on(options, "5 snap a\n10 join b");
    now.store(2_000, Ordering::SeqCst);
    support::take(
        &store,
        &feed("7 leave a\n20 snap b d\n30 snap b"),
        &IngestOptions::default(),
    );
    let known =
        |known_at, when| sure_by(&store, &WhoFilter::default().when(when).known_at(known_at));
    assert_eq!(known(1_000, WhoWhen::Head), "complete: a b");
    assert_eq!(known(1_999, WhoWhen::Head), "complete: a b");
    assert_eq!(known(2_000, WhoWhen::Head), "complete: b");
    assert_eq!(known(1_500, WhoWhen::At(8)), "complete: a");
    assert_eq!(known(2_000, WhoWhen::At(8)), "complete: a?");
    let of = |known_at| missed(&store, &MissedFilter::default().known_at(known_at));
    assert_eq!(of(1_500), [""; 0]);
    assert_eq!(of(2_500), ["1: joined d", "2: left d"]);
}

#[test]
fn recording_times_never_go_back() {
    let (now, options) = clock();
    now.store(1_000, Ordering::SeqCst);
    let store = store_on(options, "5 join a");
    now.store(900, Ordering::SeqCst);
    support::take(
        &store,
        &feed("6 join b\n- join d"),
        &IngestOptions::default(),
    );
    let times: Vec<_> = entries(&store)
        .iter()
        .map(|e| ms(&e["recorded_at"]).unwrap())
        .collect();
    assert_eq!(times, [1_000; 3]);
    assert_eq!(effective(&store), [5, 6, 1_000]);
}

#[test]
fn at_looks_ahead_over_a_long_log() {
    let mut text = "1 up\n5 snap a b\n8 join b\n10 down :chs=c\n".to_owned();
    for n in 0..20_000 {
        text += &format!("{} join u{n} :ch=d\n", 11 + n);
    }
    text += "30000 snap b x\n";
    for n in 0..20_000 {
        text += &format!("{} join u{n} :ch=d\n", 30_001 + n);
    }
    let store = store(&text);
    assert_eq!(sure(&store, WhoWhen::At(7)), "complete: a b");
    assert_eq!(sure(&store, WhoWhen::At(9)), "blind: a? b~ x?^");
    assert_eq!(sure(&store, WhoWhen::At(29_999)), "blind: a? b~ x?^");
    assert_eq!(sure(&store, WhoWhen::At(30_000)), "complete: b~ x~");
}
