//! `who`, time, `channels`, `missed` and what `ingest` counts (contract 3, 2.5.8, 2.5.11), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;
#[path = "support/told.rs"]
mod told;

use rollbook::domain::entry::Rules;
use rollbook::ingest::{How, Outcome};
use rollbook::query::{MissedFilter, WhoFilter, WhoWhen};
use rollbook::{Options, Store};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use told::{
    entries, entries_of, feed, missed, ms, not_found, store, store_by, store_on, sure, sure_by,
};

/// The clock of the tests' stores.
const NOW: i64 = 1_800_000_000_000;

/// `who --at`, at each moment.
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

fn outcome(text: &str) -> Outcome {
    support::take(&support::store_of(""), &feed(text), &How::default())
}

/// A clock to be set, and options with it.
fn clock() -> (Arc<AtomicI64>, Options) {
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    (
        now,
        Options {
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            ..Options::default()
        },
    )
}

fn effective(store: &Store) -> Vec<i64> {
    entries(store)
        .iter()
        .map(|entry| ms(&entry["effective_at"]).unwrap())
        .collect()
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
    let filter = WhoFilter {
        topic: Some("u".into()),
        ..WhoFilter::default()
    };
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
    let who = told::who(
        &store,
        &WhoFilter {
            when: WhoWhen::At(11),
            ..WhoFilter::default()
        },
    );
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
    let who = told::who(
        &store,
        &WhoFilter {
            when: WhoWhen::At(10),
            ..WhoFilter::default()
        },
    );
    assert_eq!(ms(&who["topics"][0]["publishers"][1]["since"]), Some(10));
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
    let filter = WhoFilter {
        when: WhoWhen::At(10),
        certain: true,
        ..WhoFilter::default()
    };
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
    let who = told::who(
        &store,
        &WhoFilter {
            when: WhoWhen::Seq(2),
            ..WhoFilter::default()
        },
    );
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
        &How::default(),
    );
    let known = |known_at, when| {
        sure_by(
            &store,
            &WhoFilter {
                when,
                known_at: Some(known_at),
                ..WhoFilter::default()
            },
        )
    };
    assert_eq!(known(1_000, WhoWhen::Head), "complete: a b");
    assert_eq!(known(1_999, WhoWhen::Head), "complete: a b");
    assert_eq!(known(2_000, WhoWhen::Head), "complete: b");
    assert_eq!(known(1_500, WhoWhen::At(8)), "complete: a");
    assert_eq!(known(2_000, WhoWhen::At(8)), "complete: a?");
    let of = |known_at| {
        missed(
            &store,
            &MissedFilter {
                known_at: Some(known_at),
                ..MissedFilter::default()
            },
        )
    };
    assert_eq!(of(1_500), [""; 0]);
    assert_eq!(of(2_500), ["1: joined d", "2: left d"]);
}

#[test]
fn recording_times_never_go_back() {
    let (now, options) = clock();
    now.store(1_000, Ordering::SeqCst);
    let store = store_on(options, "5 join a");
    now.store(900, Ordering::SeqCst);
    support::take(&store, &feed("6 join b\n- join d"), &How::default());
    let times: Vec<_> = entries(&store)
        .iter()
        .map(|e| ms(&e["recorded_at"]).unwrap())
        .collect();
    assert_eq!(times, [1_000; 3]);
    assert_eq!(effective(&store), [5, 6, 1_000]);
}

#[test]
fn rule_11_occurred_at_is_the_sources_time_else_that_of_the_recording() {
    let ahead = NOW + 60_000;
    let text = format!(
        "5 join a\n- join b\n0 join d\n{ahead} join e\n{} join f",
        ahead + 1
    );
    let store = store(&text);
    let times: Vec<_> = entries(&store)
        .iter()
        .map(|e| (ms(&e["occurred_at"]).unwrap(), ms(&e["source_ts"])))
        .collect();
    assert_eq!(times[..2], [(5, Some(5)), (NOW, None)]);
    assert_eq!((times[2].0, times[3]), (NOW, (ahead, Some(ahead))));
    assert_eq!(times[4], (NOW, Some(ahead + 1)));
}

#[test]
fn rule_11_a_time_too_far_ahead_or_0_counts_as_missing_everywhere() {
    let ahead = NOW + 60_001;
    for text in [
        format!("{ahead} join a\n5 leave a"),
        "0 join a\n5 leave a".into(),
        "5 join a\n0 leave a".into(),
    ] {
        assert_eq!(told::told(&store(&text))[1], "leave a", "{text}");
    }
    let text = format!("5 snap a=1@{ahead} a=2@7");
    assert_eq!(told::roster(&store(&text)), "a=2", "{text}");
}

#[test]
fn rule_11_max_ahead_can_be_set() {
    let rules = Rules {
        max_ahead_ms: 10,
        ..Rules::default()
    };
    let store = store_by(rules, &format!("{} join a\n{} join b", NOW + 10, NOW + 11));
    let times: Vec<_> = entries(&store)
        .iter()
        .map(|e| ms(&e["occurred_at"]).unwrap())
        .collect();
    assert_eq!(times, [NOW + 10, NOW]);
}

#[test]
fn rule_11_effective_time_never_goes_back_within_a_channel() {
    assert_eq!(
        effective(&store(
            "10 join a\n5 join b\n20 join d\n7 join e :ch=d\n15 snap a"
        )),
        [10, 10, 20, 7, 20]
    );
    assert_eq!(effective(&store("10 diff +a@50 +b@7 +d")), [50, 50, 50]);
}

#[test]
fn rule_11_link_and_token_entries_take_part_but_do_not_move_it() {
    let text = "10 join a\n5 down :chs=c\n50 up :chs=c\n60 token renewed :ch=c\n20 join b\n8 token expired :ch=c";
    assert_eq!(effective(&store(text)), [10, 10, 50, 60, 20, 20]);
}

#[test]
fn channels_answers() {
    let text = "5 join a :ch=d\n5 snap a u/b b\n10 leave u/b\n8 join x#1\n20 leave a :ch=d";
    let channels = serde_json::to_value(store(text).channels().unwrap()).unwrap();
    let time = |ms: i64| format!("1970-01-01T00:00:00.0{ms:02}Z");
    let want = json!([
        {"channel": "c", "topics": 1, "present_now": 3, "entries": 6, "first_at": time(5), "last_at": time(10), "coverage": "complete"},
        {"channel": "d", "topics": 0, "present_now": 0, "entries": 2, "first_at": time(5), "last_at": time(20), "coverage": "partial"},
    ]);
    assert_eq!(channels, want);
}

#[test]
fn channels_counts_the_entries_that_history_shows() {
    let store = store(
        "1 up\n1 up :obs=p\n2 token renewed\n5 snap a\n6 down\n7 join x :ch=d\n8 up :chs=c,d,e\n9 token expired :ch=f\n\
         9 join q :obs=p :ch=d\n9 down :obs=p\n10 token renewed\n11 snap a\n4 join a",
    );
    for channel in store.channels().unwrap() {
        let shown = entries_of(&store, &channel.channel).len() as u64;
        assert_eq!(channel.entries, shown, "{}", channel.channel);
    }
}

#[test]
fn missed_says_who_joined_left_and_changed() {
    let store = store("1 up\n5 snap a=1 b=7 d\n8 down\n9 up\n20 snap a=2 d e=3\n30 snap a=2 d");
    assert_eq!(
        missed(&store, &MissedFilter::default()),
        ["1: joined e=3 left b=7 updated a=2", "2: left e=3"]
    );
    let of = |filter| missed(&store, &filter);
    assert_eq!(
        of(MissedFilter {
            gap: Some(2),
            ..MissedFilter::default()
        }),
        ["2: left e=3"]
    );
    let gaps = serde_json::to_value(store.gaps("c").unwrap()).unwrap();
    let counts =
        |gap: &Value| [&gap["joined"], &gap["left"], &gap["updated"]].map(|n| n.as_u64().unwrap());
    assert_eq!([counts(&gaps[0]), counts(&gaps[1])], [[1, 1, 1], [0, 1, 0]]);
    assert_eq!(gaps[0]["resumed"], false);
}

#[test]
fn missed_of_an_open_gap_has_no_to() {
    let store = store("1 up\n5 snap a\n8 down\n9 up");
    let missed =
        serde_json::to_value(store.missed("c", &MissedFilter::default()).unwrap()).unwrap();
    assert_eq!(
        (missed[0]["to"].clone(), missed[0]["evidence"].clone()),
        (Value::Null, json!("link"))
    );
}

#[test]
fn missed_has_what_incomplete_snapshots_inside_the_gap_inferred() {
    let store = store("1 up\n5 snap a=1\n8 down\n9 up\n12 part a=2 b\n15 part d\n20 snap b d");
    assert_eq!(
        missed(&store, &MissedFilter::default()),
        ["1: joined b d left a=2 updated a=2"]
    );
}

#[test]
fn missed_has_them_where_the_gap_opens_backwards_too() {
    let store = store("5 snap a\n8 join b\n12 part a b d\n20 snap a b d");
    assert_eq!(told::gaps_of(&store, "c"), ["1 snapshot 8..20"]);
    assert_eq!(missed(&store, &MissedFilter::default()), ["1: joined d"]);
}

#[test]
fn missed_has_no_baseline_joins_and_nothing_that_was_observed() {
    let gap = "1 up\n2 join a\n3 down\n4 up\n";
    assert_eq!(
        missed(&store(&format!("{gap}10 snap a z")), &Default::default()),
        ["1:"]
    );
    assert_eq!(
        missed(
            &store(&format!("{gap}6 join y\n10 snap y")),
            &Default::default()
        ),
        ["1: left a"]
    );
}

#[test]
fn ingest_counts() {
    let outcome = outcome(
        "1 up
        5 snap a=1 b
        6 join a=1
        7 join d
        8 update d=2
        9 leave z
        4 leave d
        10 leave b
        11 diff +x +y -a
        12 down
        13 up
        20 snap x=1 d=2 q

        3 snap q
        nonsense
        21 token renewed
        {\"eventType\":\"NONE\",\"channelName\":\"c\",\"publisher\":\"x\",\"timestamp\":9,\"topicInfos\":[]}",
    );
    let t = outcome.tally;
    assert_eq!((t.joins, t.leaves, t.updates), (3, 2, 1));
    assert_eq!(
        (t.snapshots, t.stale, t.duplicates, t.unknown),
        (3, 2, 1, 1)
    );
    assert_eq!(
        (
            t.inferred_joins,
            t.baseline_joins,
            t.inferred_leaves,
            t.inferred_updates
        ),
        (3, 2, 1, 1)
    );
    assert_eq!((t.rejected, t.retries, t.clamped), (1, 0, 0));
    // Members 10, snapshots 3, link and token lines 4.
    assert_eq!((t.events, t.entries), (17, 22));
    assert_eq!((t.first_seq, t.last_seq), (Some(1), Some(22)));
}

#[test]
fn ingest_counts_a_link_line_once_and_a_paged_snapshot_once() {
    let t = outcome("5 up :chs=c,d,e\n6 begin s\n7 page s a\n8 end s").tally;
    assert_eq!((t.events, t.entries, t.snapshots), (2, 5, 1));
}

#[test]
fn ingest_counts_what_takes_effect_more_than_60_s_late_as_clamped() {
    let t = outcome("200000 join a\n140000 join b\n139999 join d\n1 join x :ch=d").tally;
    assert_eq!(t.clamped, 1);
}

#[test]
fn rule_8_the_same_observer_and_id_again_is_not_appended() {
    let t = outcome(
        "5 join a :id=k\n5 join a :id=k\n6 leave a :id=k\n7 join a :id=k :obs=p\n8 join b :id=l",
    )
    .tally;
    assert_eq!((t.entries, t.events, t.retries), (3, 3, 2));
    let store = store("5 snap a b :id=k\n6 up :chs=c,d :id=m\n7 leave a");
    let again = support::take(
        &store,
        &feed("5 snap a b :id=k\n6 up :chs=c,d :id=m\n8 join q :id=n"),
        &How::default(),
    );
    assert_eq!(
        (
            again.tally.entries,
            again.tally.retries,
            again.tally.first_seq
        ),
        (1, 2, Some(7))
    );
}

#[test]
fn rule_8_an_id_is_at_most_128_bytes() {
    let t = outcome(&format!(
        "5 join a :id={}\n5 join b :id={}",
        "k".repeat(128),
        "k".repeat(129)
    ))
    .tally;
    assert_eq!((t.entries, t.rejected), (1, 1));
}

#[test]
fn rule_8_each_observed_entry_of_a_line_bears_its_id() {
    let store = store("5 diff +a +b :id=k\n6 snap :id=l\n7 up :chs=c,d :id=m");
    let ids: Vec<_> = entries(&store).iter().map(|e| e["id"].clone()).collect();
    assert_eq!(json!(ids), json!(["k", "k", "l", null, null, "m", "m"]));
}
