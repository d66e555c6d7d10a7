//! Retries, time, `channels`, `missed`, and what `ingest` counts (contract 2.5.8, 2.5.11, 3), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::domain::entry::Rules;
use rollbook::ingest::{IngestOptions, IngestOutcome};
use rollbook::query::{MissedFilter, WhoWhen};
use rollbook_support as support;
use serde_json::{Value, json};
use told::{effective, entries, entries_of, feed, missed, ms, store, store_by, sure};

/// The time of the tests' stores.
const NOW: i64 = 1_800_000_000_000;

fn outcome(text: &str) -> IngestOutcome {
    support::take(
        &support::store_of(""),
        &feed(text),
        &IngestOptions::default(),
    )
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
    let rules = Rules::default().max_ahead_ms(10);
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
        [10, 10, 20, 7, 20, 20]
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
    assert_eq!(of(MissedFilter::default().gap(2)), ["2: left e=3"]);
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
        {nonsense
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
    // 9 member events, 3 snapshots, 4 link and token lines.
    assert_eq!((t.events, t.entries), (16, 21));
    assert_eq!((t.first_seq, t.last_seq), (Some(1), Some(21)));
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
        &IngestOptions::default(),
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

#[test]
fn rule_11_before_1970_there_is_time_too() {
    let store = store("-90000 join a\n-80000 join b\n5 join d");
    assert_eq!(effective(&store), [-90_000, -80_000, 5]);
    assert_eq!(sure(&store, WhoWhen::At(-85_000)), "partial: a");
}
