//! What snapshots mean (contract 2.5.2 to 2.5.4, 2.5.10, and the order of 2.6), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use serde_json::{Value, json};
use told::{coverage, ends, entries, gaps_of, leaves, missed, store, tells, told as history};

/// A snapshot line of Agora's JavaScript SDK at 20: (topic, users, total of the topic), and the total of topics.
fn js(topics: &[(&str, &str, Option<u64>)], total: Option<u64>) -> String {
    agora(
        topics,
        total,
        ["topicName", "totalPublisher", "totalTopics"],
        json!({"eventType": "SNAPSHOT"}),
    )
}

/// The same line of the native SDKs.
fn native(topics: &[(&str, &str, Option<u64>)], total: Option<u64>) -> String {
    agora(
        topics,
        total,
        ["topic", "publisherCount", "topicInfoCount"],
        json!({"type": 1}),
    )
}

fn agora(
    topics: &[(&str, &str, Option<u64>)],
    total: Option<u64>,
    [topic_key, count_key, total_key]: [&str; 3],
    mut line: Value,
) -> String {
    let info = |&(topic, users, count): &(&str, &str, Option<u64>)| {
        let publishers: Vec<Value> = users
            .split_whitespace()
            .map(|user| json!({"publisherUserId": user}))
            .collect();
        let mut info = json!({topic_key: topic, "publishers": publishers});
        if let Some(count) = count {
            info[count_key] = json!(count);
        }
        info
    };
    line["channelName"] = json!("c");
    line["publisher"] = json!("");
    line["timestamp"] = json!(20);
    line["topicInfos"] = topics.iter().map(info).collect();
    if let Some(total) = total {
        line[total_key] = json!(total);
    }
    line.to_string()
}

/// Sends a snapshot in both shapes while t/a, t/b and u/d are present. Checks the roster and the completeness.
#[track_caller]
fn then(topics: &[(&str, &str, Option<u64>)], total: Option<u64>, roster: &str, complete: bool) {
    for line in [js(topics, total), native(topics, total)] {
        let text = format!("5 join a\n5 join b\n5 join u/d\n{line}");
        let store = store(&text);
        assert_eq!(told::roster(&store), roster, "{line}");
        assert_eq!(entries(&store)[3]["complete"], complete, "{line}");
        let covered = if complete { "complete" } else { "partial" };
        assert_eq!(coverage(&store, "c"), covered, "{line}");
    }
}

#[test]
fn rule_2_a_snapshot_is_the_whole_truth() {
    leaves("5 join a\n5 join b\n5 join u/d\n20 snap b e", "b e");
    then(&[("t", "b e", None)], None, "b e", true);
    then(&[("t", "b e", Some(2))], Some(1), "b e", true);
}

#[test]
fn rule_2_a_topic_without_publishers_is_empty() {
    then(&[("t", "", None), ("u", "d", None)], None, "u/d", true);
    then(
        &[("t", "", Some(0)), ("u", "d", Some(1))],
        Some(2),
        "u/d",
        true,
    );
    leaves(
        r#"5 join a
        5 join u/d
        {"t":"snapshot","channel":"c","ts":20,"topics":{"t":[],"u":[{"user":"d"}]}}"#,
        "u/d",
    );
}

#[test]
fn rule_2_an_empty_snapshot_empties_the_channel() {
    then(&[], None, "", true);
    then(&[], Some(0), "", true);
    ends("5 join a\n20 snap", &["join a", "snapshot", "~leave a"]);
}

#[test]
fn rule_2_an_empty_snapshot_is_not_the_same_as_none() {
    assert_eq!(coverage(&store("5 join a\n6 leave a"), "c"), "partial");
    assert_eq!(coverage(&store("5 snap"), "c"), "complete");
}

#[test]
fn rule_3_incomplete_shows_no_absence_at_all() {
    leaves("5 join a\n5 join b\n5 join u/d\n20 part b e", "a b e u/d");
    leaves("5 join a\n20 part", "a");
    let own = |text: &str| format!("5 join a\n5 join b\n5 join u/d\n{text}");
    let line = r#"{"t":"snapshot","channel":"c","ts":20,"incomplete":true,"topics":{"t":[]}}"#;
    leaves(&own(line), "a b u/d");
}

#[test]
fn rule_3_incomplete_false_is_complete() {
    let line = r#"{"t":"snapshot","channel":"c","ts":20,"incomplete":false,"topics":{}}"#;
    leaves(&format!("5 join a\n{line}"), "");
}

#[test]
fn rule_3_fewer_topics_than_the_total_show_the_listed_ones_only() {
    then(&[("t", "a", None)], Some(2), "a u/d", false);
    then(&[("t", "a", Some(1))], Some(2), "a u/d", false);
    then(&[("t", "", None)], Some(2), "u/d", false);
    then(&[], Some(1), "a b u/d", false);
}

#[test]
fn rule_3_fewer_publishers_than_the_total_show_no_absence_in_that_topic() {
    then(
        &[("t", "a", Some(2)), ("u", "", Some(0))],
        Some(2),
        "a b",
        false,
    );
    then(
        &[("t", "", Some(1)), ("u", "d", Some(1))],
        None,
        "a b u/d",
        false,
    );
    then(
        &[("t", "a", Some(2)), ("u", "e", None)],
        None,
        "a b u/e",
        false,
    );
}

#[test]
fn rule_3_a_topic_not_listed_is_empty_where_all_topics_are_listed() {
    then(&[("t", "a", Some(2))], Some(1), "a b", false);
    then(&[("t", "a", Some(2))], None, "a b", false);
}

#[test]
fn rule_3_both_short() {
    then(&[("t", "a", Some(2))], Some(2), "a b u/d", false);
}

#[test]
fn rule_3_publishers_are_counted_distinct() {
    then(&[("t", "a a", Some(2))], Some(1), "a b", false);
    then(&[("t", "a a", Some(1))], Some(1), "a", true);
}

#[test]
fn rule_3_more_than_the_total_is_complete() {
    then(&[("t", "a b", Some(1))], Some(1), "a b", true);
    then(
        &[("t", "a", None), ("u", "d", None)],
        Some(1),
        "a u/d",
        true,
    );
}

#[test]
fn rule_3_joins_and_updates_are_inferred_from_what_it_shows() {
    ends(
        "5 snap a=1\n20 part a=2 e",
        &["snapshot part", "~update a=2", "~join e"],
    );
}

#[test]
fn rule_3_it_changes_no_coverage() {
    assert_eq!(coverage(&store("5 part a"), "c"), "partial");
    assert_eq!(coverage(&store("5 snap a\n20 part"), "c"), "complete");
    assert_eq!(
        coverage(&store("1 up\n5 snap a\n8 down\n9 up\n20 part a"), "c"),
        "blind"
    );
}

#[test]
fn rule_3_it_closes_no_gap() {
    let text = "1 up\n5 snap a\n8 down\n9 up\n20 part a";
    assert_eq!(gaps_of(&store(text), "c"), ["1 link 5..?"]);
    assert_eq!(
        gaps_of(&store(&format!("{text}\n30 snap a")), "c"),
        ["1 link 5..30"]
    );
}

#[test]
fn rule_4_who_turns_up_in_the_first_complete_snapshot_is_baseline() {
    tells(
        "5 snap a b",
        &["snapshot", "~join a baseline", "~join b baseline"],
    );
    ends("5 join a\n6 snap a b", &["snapshot", "~join b baseline"]);
    ends(
        "5 join a\n6 snap b",
        &["snapshot", "~leave a", "~join b baseline"],
    );
}

#[test]
fn rule_4_incomplete_snapshots_do_not_end_the_baseline() {
    tells(
        "5 part a\n6 part b\n7 snap a b d\n8 snap a b d e",
        &[
            "snapshot part",
            "~join a baseline",
            "snapshot part",
            "~join b baseline",
            "snapshot",
            "~join d baseline",
            "snapshot",
            "~join e",
        ],
    );
}

#[test]
fn rule_4_an_empty_first_snapshot_ends_the_baseline() {
    tells("5 snap\n8 snap a", &["snapshot", "snapshot", "~join a"]);
    tells(
        "5 snap\n8 part a",
        &["snapshot", "snapshot part", "~join a"],
    );
}

#[test]
fn rule_4_who_was_seen_before_is_not_baseline() {
    ends("5 join a\n6 leave a\n10 snap a", &["snapshot", "~join a"]);
    ends("5 leave a\n10 snap a", &["snapshot", "~join a"]);
}

#[test]
fn rule_4_a_second_observers_first_snapshot_is_no_baseline() {
    ends(
        "5 snap a :obs=o\n10 snap a b :obs=p",
        &["snapshot", "~join b"],
    );
}

#[test]
fn rule_4_baseline_joins_have_no_not_before_and_are_not_missed() {
    let store = store("1 up\n2 join a\n3 down\n4 up\n10 snap b");
    assert_eq!(told::windows(&store), ["leave a 2..10", "join b ?..10"]);
    assert_eq!(missed(&store, &Default::default()), ["1: left a"]);
}

#[test]
fn rule_4_each_channel_has_its_own() {
    ends(
        "5 snap a\n8 snap a :ch=d",
        &["snapshot in d", "~join a in d baseline"],
    );
}

#[test]
fn rule_10_self_is_never_inferred_to_have_left_by_its_own_observer() {
    leaves("5 join me\n5 join a\n10 snap :self=me", "me");
    leaves(
        "5 join me\n5 join u/me\n5 join me#2\n10 snap :self=me",
        "me me#2 u/me",
    );
    leaves("5 join me=1\n10 snap me=2 :self=me", "me=2");
}

#[test]
fn rule_10_another_observers_snapshot_may_take_self_away() {
    leaves("5 join me :obs=o :self=me\n10 snap :obs=p :self=you", "");
    leaves("5 join me :obs=o :self=me\n10 snap :obs=p", "");
}

#[test]
fn rule_10_an_observed_leave_of_self_is_a_leave() {
    ends("5 join me :self=me\n6 leave me :self=me", &["leave me"]);
}

#[test]
fn rule_10_holds_for_paged_snapshots() {
    leaves(
        "5 join me\n6 begin s :self=me\n7 page s a :self=me\n8 end s :self=me",
        "a me",
    );
}

#[test]
fn inferred_entries_are_leaves_then_updates_then_joins_each_sorted() {
    ends(
        "5 snap a=1 Z=1 z=1 u/b T/b b#2 b#1 b#10\n\
         20 snap a=2 Z=2 u/a x#2 x#10 x é T/x",
        &[
            "snapshot",
            "~leave T/b",
            "~leave b#1",
            "~leave b#10",
            "~leave b#2",
            "~leave z=1",
            "~leave u/b",
            "~update Z=2",
            "~update a=2",
            "~join T/x",
            "~join x",
            "~join x#10",
            "~join x#2",
            "~join é",
            "~join u/a",
        ],
    );
}

#[test]
fn sorting_goes_by_name_not_by_the_names_run_together() {
    ends(
        "20 snap a!/a a/z",
        &["snapshot", "~join a/z baseline", "~join a!/a baseline"],
    );
    ends(
        "5 snap\n20 snap a#z a-#b",
        &["snapshot", "~join a#z", "~join a-#b"],
    );
}

#[test]
fn inferred_entries_name_the_snapshot_right_before_them() {
    let store = store("5 snap a b\n7 join x\n20 snap b d");
    let all = entries(&store);
    let seqs: Vec<_> = all
        .iter()
        .map(|e| (e["seq"].clone(), e["snapshot_seq"].clone()))
        .collect();
    let want = [
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, None),
        (5, None),
        (6, Some(5)),
        (7, Some(5)),
        (8, Some(5)),
    ];
    assert_eq!(seqs, want.map(|(seq, by)| (json!(seq), json!(by))));
    for entry in &all[5..] {
        assert_eq!(told::ms(&entry["not_after"]), Some(20), "{entry}");
        assert_eq!(told::ms(&entry["effective_at"]), Some(20), "{entry}");
        assert_eq!(
            (&entry["id"], &entry["pos"], &entry["source_ts"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert_eq!(entry["disposition"], "applied");
    }
}

#[test]
fn after_it_the_roster_equals_the_snapshot() {
    leaves(
        "5 join a=1\n5 join b\n5 join u/a\n6 leave b\n20 snap b=3 a=2 v/q#7",
        "a=2 b=3 v/q#7",
    );
}

#[test]
fn the_same_snapshot_again_infers_nothing() {
    for again in [
        "20 snap a=1 u/b",
        "30 snap u/b a=1",
        "- snap a=1.0 u/b",
        "30 snap a u/b",
    ] {
        let text = format!("20 snap a=1 u/b\n{again}");
        let history = history(&store(&text));
        assert_eq!(history[3..], ["snapshot"], "{again}");
    }
}

#[test]
fn the_entry_of_a_snapshot_says_how_many_it_listed_and_whether_it_was_complete() {
    let store = store("5 snap a b u/d\n6 part a\n7 snap");
    let said: Vec<_> = entries(&store)
        .iter()
        .filter(|e| e["type"] == "snapshot")
        .map(|e| (e["members"].clone(), e["complete"].clone()))
        .collect();
    let want = [(3, true), (1, false), (0, true)];
    assert_eq!(said, want.map(|(n, complete)| (json!(n), json!(complete))));
    assert!(entries(&store)[1]["members"].is_null() && entries(&store)[1]["complete"].is_null());
}

#[test]
fn a_snapshot_touches_its_channel_only() {
    let store = store("5 join a :ch=d\n6 snap b");
    assert_eq!(
        history(&store),
        ["join a in d", "snapshot", "~join b baseline"]
    );
}
