//! What live events do (contract 2.5.1, 2.5.5, and `diff` of 2.4), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook_support as support;
use told::{ends, entries, leaves, rejected, store, tells};

/// A line of Agora's JavaScript SDK; its topics are JSON.
fn js(kind: &str, publisher: &str, topics: &str) -> String {
    format!(
        r#"{{"eventType":"{kind}","channelName":"c","publisher":"{publisher}","timestamp":9,"topicInfos":{topics}}}"#
    )
}

/// A line of Agora's native SDKs.
fn native(kind: u8, publisher: &str, topics: &str) -> String {
    format!(
        r#"{{"type":{kind},"channelName":"c","publisher":"{publisher}","timestamp":9,"topicInfos":{topics}}}"#
    )
}

const A_AND_B: &str =
    r#"[{"topicName":"t","publishers":[{"publisherUserId":"a"},{"publisherUserId":"b"}]}]"#;
const NATIVE_A_AND_B: &str =
    r#"[{"topic":"t","publishers":[{"publisherUserId":"a"},{"publisherUserId":"b"}]}]"#;

#[test]
fn rule_1_live_applies_to_the_listed_publishers_who_are_the_publisher() {
    tells(&js("REMOTE_JOIN", "a", A_AND_B), &["join a"]);
    tells(&native(2, "b", NATIVE_A_AND_B), &["join b"]);
}

#[test]
fn rule_1_live_without_a_publisher_applies_to_all_listed() {
    tells(&js("REMOTE_JOIN", "", A_AND_B), &["join a", "join b"]);
    tells(&native(2, "", NATIVE_A_AND_B), &["join a", "join b"]);
}

#[test]
fn rule_1_a_listed_topic_without_publishers_means_the_publisher() {
    let topics = r#"[{"topicName":"t","publishers":[]},{"topicName":"u","publishers":[]}]"#;
    tells(&js("REMOTE_JOIN", "a", topics), &["join a", "join u/a"]);
}

#[test]
fn rule_1_an_empty_topic_without_a_publisher_is_nobody() {
    tells(
        &js("REMOTE_JOIN", "", r#"[{"topicName":"t","publishers":[]}]"#),
        &[],
    );
}

#[test]
fn rule_1_a_live_event_is_never_a_snapshot() {
    let b = r#"[{"topicName":"t","totalPublisher":1,"publishers":[{"publisherUserId":"b"}]}]"#;
    let lines = format!(
        "{}\n{}",
        js("SNAPSHOT", "", A_AND_B),
        js("REMOTE_LEAVE", "b", b)
    );
    leaves(&lines, "a");
    leaves(&format!("5 join z\n{}", js("REMOTE_JOIN", "b", b)), "b z");
}

#[test]
fn rule_1_none_makes_no_entry_and_is_no_reject() {
    let lines = format!(
        "{}\n{}",
        js("NONE", "a", A_AND_B),
        native(0, "", NATIVE_A_AND_B)
    );
    tells(&lines, &[]);
    assert_eq!(rejected(&lines), 0);
}

#[test]
fn rule_1_a_live_line_that_applies_to_nobody_makes_no_entry() {
    let line = js("REMOTE_LEAVE", "z", A_AND_B);
    tells(&line, &[]);
    assert_eq!(rejected(&line), 0);
}

#[test]
fn rule_1_a_total_of_the_wrong_type_rejects_the_line() {
    let topics = |total: &str| {
        format!(
            r#"[{{"topicName":"t","totalPublisher":{total},"publishers":[{{"publisherUserId":"a"}}]}}]"#
        )
    };
    for total in [r#""1""#, "1.5", "true", "[]", "-1"] {
        for kind in ["SNAPSHOT", "REMOTE_JOIN", "REMOTE_LEAVE"] {
            let line = js(kind, "a", &topics(total));
            assert_eq!(rejected(&line), 1, "{line}");
            let line =
                js(kind, "a", A_AND_B).replacen('{', &format!(r#"{{"totalTopics":{total},"#), 1);
            assert_eq!(rejected(&line), 1, "{line}");
        }
        let line = native(1, "", NATIVE_A_AND_B).replacen(
            '{',
            &format!(r#"{{"topicInfoCount":{total},"#),
            1,
        );
        assert_eq!(rejected(&line), 1, "{line}");
        let line = native(
            2,
            "a",
            &topics(total)
                .replace("topicName", "topic")
                .replace("totalPublisher", "publisherCount"),
        );
        assert_eq!(rejected(&line), 1, "{line}");
    }
}

#[test]
fn rule_1_without_topic_infos_the_line_is_rejected_and_empties_nothing() {
    for kind in ["SNAPSHOT", "REMOTE_JOIN", "REMOTE_LEAVE"] {
        let line =
            format!(r#"{{"eventType":"{kind}","channelName":"c","publisher":"a","timestamp":9}}"#);
        assert_eq!(rejected(&line), 1, "{line}");
        leaves(&format!("5 join a\n{line}"), "a");
    }
    assert_eq!(
        rejected(r#"{"type":1,"channelName":"c","publisher":"","timestamp":9}"#),
        1
    );
}

#[test]
fn rule_5_a_join_of_the_present_with_the_same_meta_is_a_duplicate() {
    tells(
        "5 join a=1\n9 join a=1",
        &["join a=1", "join a=1 duplicate"],
    );
}

#[test]
fn rule_5_a_join_with_other_meta_is_one_update() {
    tells("5 join a=1\n9 join a=2", &["join a=1", "update a=2"]);
    tells("5 join a=1\n9 update a=2", &["join a=1", "update a=2"]);
}

#[test]
fn rule_5_a_leave_of_the_unknown_changes_nothing() {
    tells("5 leave a", &["leave a unknown"]);
    tells(
        "5 join a\n6 leave a\n7 leave a",
        &["join a", "leave a", "leave a unknown"],
    );
}

#[test]
fn rule_5_an_update_of_the_unknown_is_a_join() {
    tells("5 update a=1", &["join a=1"]);
    tells(
        "5 join a\n6 leave a\n7 update a=3",
        &["join a", "leave a", "join a=3"],
    );
}

#[test]
fn rule_5_a_rejoin_after_a_leave_is_a_join() {
    tells(
        "5 join a=1\n6 leave a\n7 join a=1",
        &["join a=1", "leave a=1", "join a=1"],
    );
}

#[test]
fn rule_5_meta_is_compared_as_json() {
    let same = [
        (r#"{"x":1,"y":[1,2]}"#, r#"{"y":[1,2],"x":1}"#),
        ("1", "1.0"),
        ("1", "1e0"),
        ("100", "1E+2"),
        ("0.1", "1e-1"),
        ("0", "-0"),
        ("0", "0e99"),
        ("1.50", "1.5"),
        (r#"{"n":[{"m":10}]}"#, r#"{"n":[{"m":1e1}]}"#),
        (r#"{"x":2}"#, r#"{"x":1,"x":2}"#),
        (r#""\u0041""#, r#""A""#),
        ("null", "null"),
    ];
    let other = [
        ("1", r#""1""#),
        ("[1,2]", "[2,1]"),
        ("10000000000000000000000", "10000000000000000000001"),
        ("0.1", "0.10000000000000000000001"),
        (r#"{"x":1}"#, r#"{"x":2,"y":1}"#),
        (r#"{"x":1}"#, r#"{"X":1}"#),
        (r#"{"x":1}"#, r#"{"x":2,"x":3}"#),
        ("null", "0"),
        ("null", "false"),
        ("1", "null"),
        ("{}", "[]"),
    ];
    let second = |one: &str, two: &str| {
        let join = |meta: &str, ts: u8| {
            format!(
                r#"{{"t":"join","channel":"c","topic":"t","user":"a","ts":{ts},"meta":{meta}}}"#
            )
        };
        let store = store(&format!("{}\n{}", join(one, 5), join(two, 6)));
        let entry = entries(&store).remove(1);
        (
            entry["type"].as_str().unwrap().to_owned(),
            entry["disposition"].as_str().unwrap().to_owned(),
        )
    };
    for (one, two) in same {
        assert_eq!(
            second(one, two),
            ("join".into(), "duplicate".into()),
            "{one} {two}"
        );
    }
    for (one, two) in other {
        assert_eq!(
            second(one, two),
            ("update".into(), "applied".into()),
            "{one} {two}"
        );
    }
}

#[test]
fn rule_5_missing_meta_says_nothing_and_what_is_known_stays() {
    tells("5 join a=1\n6 join a", &["join a=1", "join a duplicate"]);
    leaves("5 join a=1\n6 join a", "a=1");
    tells("5 join a=1\n6 snap a", &["join a=1", "snapshot"]);
    leaves("5 join a=1\n6 snap a", "a=1");
    leaves("5 join a=1\n6 diff +a", "a=1");
}

#[test]
fn rule_5_an_explicit_null_is_a_value() {
    tells("5 join a=1\n6 join a=null", &["join a=1", "update a"]);
    leaves("5 join a=1\n6 join a=null", "a");
    tells("5 join a=null\n6 join a=1", &["join a", "update a=1"]);
    ends("5 snap a=1\n6 snap a=null", &["snapshot", "~update a"]);
}

#[test]
fn rule_5_a_snapshot_with_other_meta_is_one_update() {
    ends("5 snap a=1\n6 snap a=2", &["snapshot", "~update a=2"]);
}

#[test]
fn rule_5_a_leave_bears_the_last_known_meta() {
    ends("5 join a=1\n6 leave a", &["leave a=1"]);
    ends(
        "5 join a=1\n6 update a=2\n7 join a\n8 leave a",
        &["leave a=2"],
    );
    ends("5 join a=1\n6 diff -a", &["leave a=1"]);
    ends("5 snap a=1\n6 snap", &["snapshot", "~leave a=1"]);
}

#[test]
fn rule_5_a_new_stay_does_not_inherit_the_meta_of_the_old() {
    // The metadata of an earlier stay does not count for a new one: the leave ended it.
    ends("5 join a=1\n6 leave a\n7 join a", &["join a"]);
}

#[test]
fn history_meta_of_what_changed_nothing_is_what_the_line_said() {
    ends("5 join a=1\n6 join a=1", &["join a=1 duplicate"]);
    ends("5 join a=1\n6 join a", &["join a duplicate"]);
    ends("5 leave a=7", &["leave a=7 unknown"]);
    ends("5 leave a", &["leave a unknown"]);
    ends("5 join a=1\n4 join a=2", &["join a=2 stale"]);
    ends("5 join a=1\n4 leave a", &["leave a stale"]);
}

#[test]
fn rule_5_a_member_twice_in_a_snapshot_counts_once() {
    tells("5 snap a=1 a=1", &["snapshot", "~join a=1 baseline"]);
}

#[test]
fn rule_5_of_a_member_twice_in_a_snapshot_the_newest_counts_else_the_last() {
    leaves("50 snap a=1 a=2", "a=2");
    leaves("50 snap a=1@8 a=2@7", "a=1");
    leaves("50 snap a=1@7 a=2@8", "a=2");
    leaves("50 snap a=1!8 a=2!7", "a=1");
    leaves("50 snap a=1!7.1 a=2!7.2", "a=2");
    leaves("50 snap a=1@7 a=2@7", "a=2");
}

#[test]
fn members_differ_by_topic_user_and_connection() {
    leaves(
        "5 join a\n5 join a#1\n5 join a#2\n5 join u/a\n6 leave a#1",
        "a a#2 u/a",
    );
}

#[test]
fn names_are_kept_byte_for_byte() {
    for name in [
        "__proto__",
        "a b",
        "#",
        "😀",
        "/",
        ".",
        "*",
        "A",
        "\\u0000",
        "e\u{301}",
        "\u{e9}",
    ] {
        let line =
            format!(r#"{{"t":"join","channel":"c","topic":"{name}","user":"{name}","ts":5}}"#);
        let store = support::store_of(&line);
        let entry = entries(&store).remove(0);
        let name = name.replace("\\u0000", "\0");
        assert_eq!(
            (&entry["topic"], &entry["user"]),
            (&name.clone().into(), &name.into())
        );
    }
}

#[test]
fn diff_applies_leaves_then_joins_each_sorted() {
    tells(
        "5 join b\n5 join u/a\n5 join a#2\n5 join a#1\n9 diff +z +u/y +y -u/a -b -a#2 -a#1",
        &[
            "join b",
            "join u/a",
            "join a#2",
            "join a#1",
            "leave a#1",
            "leave a#2",
            "leave b",
            "leave u/a",
            "join y",
            "join z",
            "join u/y",
        ],
    );
}

#[test]
fn diff_a_present_member_in_both_is_one_update_or_duplicate() {
    tells("5 join a=1\n9 diff -a +a=2", &["join a=1", "update a=2"]);
    tells(
        "5 join a=1\n9 diff -a=1 +a=1",
        &["join a=1", "join a=1 duplicate"],
    );
}

#[test]
fn diff_an_absent_member_in_both_is_there_afterwards() {
    leaves("5 diff -a +a", "a");
    leaves("- diff -a +a", "a");
}

#[test]
fn diff_an_absent_member_in_both_is_there_afterwards_with_a_pos_too() {
    leaves("- diff -a +a :pos=3", "a");
}

#[test]
fn diff_says_nothing_of_those_it_does_not_name() {
    leaves("5 snap a b\n9 diff +d -b", "a d");
}

#[test]
fn diff_members_own_pos_and_ts_count_each_instead_of_the_lines() {
    let store = store("50 diff +a@7 +b!9.2 +d :pos=3");
    let stamps: Vec<_> = entries(&store)
        .iter()
        .map(|e| (told::ms(&e["source_ts"]), e["pos"].to_string()))
        .collect();
    let want = [(Some(7), "[3,0]"), (Some(50), "[9,2]"), (Some(50), "[3,0]")];
    assert_eq!(stamps, want.map(|(ts, pos)| (ts, pos.to_owned())));
}

#[test]
fn unknown_fields_are_ignored() {
    tells(
        r#"{"t":"join","channel":"c","topic":"t","user":"a","ts":5,"x":{"y":[]}}"#,
        &["join a"],
    );
}
