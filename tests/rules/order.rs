//! Which event is older than what is known (contract 2.5.6), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::domain::entry::Rules;
use std::fmt::Write;
use told::{ends, leaves, roster, store, store_by, tells, told};

#[test]
fn the_log_is_in_the_order_of_arrival() {
    tells(
        "50 join a\n40 join b\n30 join d",
        &["join a", "join b", "join d"],
    );
}

#[test]
fn stale_by_pos_where_both_have_one() {
    ends("- join a!10\n- leave a!9", &["leave a stale"]);
    ends("- join a!10.5\n- leave a!10.4", &["leave a stale"]);
    ends("- join a!10.5\n- leave a!10.6", &["leave a"]);
    ends("- join a!10.5\n- leave a!11.0", &["leave a"]);
    ends("- join a!9\n- leave a!10", &["leave a"]);
}

#[test]
fn pos_goes_before_time() {
    ends("50 join a!10\n40 leave a!11", &["leave a"]);
    ends("50 join a!10\n60 leave a!9", &["leave a stale"]);
}

#[test]
fn stale_by_source_time_where_not_both_have_a_pos() {
    ends("50 join a\n49 leave a", &["leave a stale"]);
    ends("50 join a!10\n49 leave a", &["leave a stale"]);
    ends("50 join a\n49 leave a!99", &["leave a stale"]);
    ends("50 join a!10\n51 leave a", &["leave a"]);
}

#[test]
fn never_stale_where_not_both_have_either() {
    ends("- join a\n5 leave a", &["leave a"]);
    ends("5 join a\n- leave a", &["leave a"]);
    ends("- join a!10\n5 leave a", &["leave a"]);
    ends("5 join a\n- leave a!1", &["leave a"]);
    ends("- join a\n- leave a", &["leave a"]);
}

#[test]
fn a_stale_event_changes_nothing() {
    leaves("50 join a=1\n40 leave a\n30 update a=2\n45 join a=3", "a=1");
}

#[test]
fn a_stale_event_does_not_count_as_newer_afterwards() {
    // Stale by its `pos`. Its later time must not make the next leave stale.
    ends(
        "10 join a!10\n90 leave a!5\n50 leave a",
        &["leave a stale", "leave a"],
    );
}

#[test]
fn duplicates_raise_newness() {
    ends(
        "10 join a\n20 join a\n15 leave a",
        &["join a duplicate", "leave a stale"],
    );
}

#[test]
fn unknown_leaves_raise_newness() {
    ends(
        "20 leave a\n15 join a",
        &["leave a unknown", "join a stale"],
    );
    ends("20 leave a\n21 join a", &["leave a unknown", "join a"]);
    ends(
        "10 join a\n20 leave a\n40 leave a\n30 join a",
        &["leave a unknown", "join a stale"],
    );
}

#[test]
fn a_snapshot_that_covered_the_member_raises_newness() {
    ends("10 join a\n20 snap a\n15 leave a", &["leave a stale"]);
    ends("20 snap a\n15 join b", &["join b stale"]);
    ends("20 snap u/x\n15 join b", &["join b stale"]);
    ends("20 snap\n15 join b", &["join b stale"]);
    ends("20 snap a\n21 join b", &["join b"]);
    ends("- snap a :pos=20\n- join b!19", &["join b stale"]);
    ends("- snap a :pos=20\n- join b!21", &["join b"]);
}

#[test]
fn an_incomplete_snapshot_covers_what_it_shows_only() {
    ends("20 part a\n15 leave a", &["leave a stale"]);
    ends("20 part a\n15 join b", &["join b"]);
    let topic_t_whole = r#"{"eventType":"SNAPSHOT","channelName":"c","publisher":"","timestamp":20,"totalTopics":2,"topicInfos":[{"topicName":"t","publishers":[{"publisherUserId":"a"}]}]}"#;
    ends(&format!("{topic_t_whole}\n15 join b"), &["join b stale"]);
    ends(&format!("{topic_t_whole}\n15 join u/b"), &["join u/b"]);
}

#[test]
fn equal_pos_is_the_same_message_again() {
    ends("- join a!10\n- leave a!10", &["leave a duplicate"]);
    ends("- join a=1!10\n- join a=2!10", &["join a=2 duplicate"]);
    ends(
        "- join a!9\n- leave a!10\n- leave a!10",
        &["leave a duplicate"],
    );
    leaves("- join a!10\n- leave a!10", "a");
}

#[test]
fn the_event_of_another_observer_with_the_same_time_and_type_is_a_duplicate() {
    ends(
        "10 join a=1 :obs=o\n10 join a=2 :obs=p",
        &["join a=2 duplicate"],
    );
    ends(
        "5 join a :obs=o\n10 leave a :obs=o\n10 leave a :obs=p",
        &["leave a duplicate"],
    );
    ends(
        "5 join a=1\n10 update a=2 :obs=o\n10 update a=3 :obs=p",
        &["update a=3 duplicate"],
    );
}

#[test]
fn the_event_of_another_observer_with_the_same_time_and_another_type_wins() {
    ends("10 join a :obs=o\n10 leave a :obs=p", &["leave a"]);
}

#[test]
fn the_late_echo_of_another_observer_is_stale() {
    ends(
        "10 join a :obs=o\n20 leave a :obs=o\n10 join a :obs=p",
        &["join a stale"],
    );
}

#[test]
fn at_equal_time_the_newcomer_wins() {
    ends("10 join a\n10 leave a", &["leave a"]);
    ends("10 join a\n10 leave a\n10 join a", &["leave a", "join a"]);
    ends("10 join a=1\n10 join a=2", &["update a=2"]);
    ends("10 join a\n10 snap", &["snapshot", "~leave a"]);
    ends("5 join a\n10 leave a\n10 snap a", &["snapshot", "~join a"]);
    ends("10 snap a\n10 leave a", &["leave a"]);
}

#[test]
fn a_snapshot_changes_nothing_that_another_observers_event_of_the_same_time_decided() {
    ends(
        "5 join a :obs=o\n10 leave a :obs=o\n10 snap a :obs=p",
        &["leave a", "snapshot"],
    );
    ends("10 join a :obs=o\n10 snap :obs=p", &["join a", "snapshot"]);
    ends(
        "10 join a=1 :obs=o\n10 snap a=2 :obs=p",
        &["join a=1", "snapshot"],
    );
    ends("9 join a :obs=o\n10 snap :obs=p", &["snapshot", "~leave a"]);
}

#[test]
fn a_late_join_does_not_bring_back_who_has_left() {
    ends("10 join a\n20 leave a\n15 join a", &["join a stale"]);
    ends("10 join a\n20 leave a\n21 join a", &["join a"]);
    ends("- join a!10\n- leave a!20\n- join a!15", &["join a stale"]);
    leaves("5 snap a\n20 snap\n15 join a", "");
}

#[test]
fn a_snapshot_older_than_a_leave_does_not_bring_back_who_has_left() {
    leaves("10 join a\n10 join b\n20 leave a\n15 snap a b", "b");
    leaves("5 snap a b\n20 leave a\n15 snap a b", "b");
    leaves("5 snap a b\n20 leave a\n15 part a b", "b");
    leaves("5 snap b\n20 leave a\n15 snap a b", "b");
}

#[test]
fn a_snapshot_older_than_a_join_does_not_take_away() {
    leaves("5 snap b\n20 join a\n15 snap b", "a b");
    leaves("5 snap a=1\n20 update a=2\n15 snap a=1", "a=2");
}

#[test]
fn a_member_of_a_snapshot_with_an_older_ts_of_its_own_is_not_brought_back() {
    leaves("10 join a\n20 leave a\n30 snap a@15", "");
    leaves("- join a!10\n- leave a!20\n- snap a!15 :pos=30", "");
    leaves("10 join a\n20 leave a\n30 snap a@25", "a");
}

#[test]
fn a_complete_snapshot_that_is_newer_takes_the_place_of_tombstones() {
    leaves("10 join a\n20 leave a\n30 snap a", "a");
    ends(
        "10 join a\n20 leave a\n30 snap\n25 join a",
        &["join a stale"],
    );
    ends("10 join a\n20 leave a\n30 snap\n31 join a", &["join a"]);
    // An older snapshot leaves them in place.
    ends(
        "10 join a\n40 leave a\n30 snap\n35 join a",
        &["join a stale"],
    );
}

#[test]
fn without_pos_and_ts_no_tombstone_is_kept() {
    ends("10 join a\n- leave a\n5 join a", &["join a"]);
}

#[test]
fn a_snapshot_older_than_the_last_complete_one_is_stale() {
    ends("5 join z\n20 snap a b\n19 snap z", &["snapshot stale"]);
    ends("20 snap a b\n19 part z", &["snapshot part stale"]);
    ends("- snap a :pos=20\n- snap z :pos=19", &["snapshot stale"]);
    leaves("20 snap a b\n19 snap z", "a b");
}

#[test]
fn a_snapshot_older_than_the_last_incomplete_one_is_not() {
    ends("20 part a\n19 snap b", &["snapshot", "~join b baseline"]);
}

#[test]
fn a_stale_snapshot_says_nothing_about_its_members() {
    ends(
        "20 snap a\n19 snap a\n- leave a",
        &["snapshot stale", "leave a"],
    );
    let store = store("5 snap a\n20 snap a\n10 snap b\n30 join z");
    assert_eq!(told::gaps_of(&store, "c"), ["1 snapshot 5..20"]);
}

#[test]
fn skew_tolerance_forgives_that_much() {
    let tolerant = |text| {
        let rules = Rules::default().skew_tolerance_ms(5);
        told(&store_by(rules, text)).pop().unwrap()
    };
    assert_eq!(tolerant("20 join a\n16 leave a"), "leave a");
    assert_eq!(tolerant("20 join a\n15 leave a"), "leave a");
    assert_eq!(tolerant("20 join a\n14 leave a"), "leave a stale");
    assert_eq!(tolerant("20 join a\n20 leave a\n15 join a"), "join a");
    assert_eq!(tolerant("20 snap a\n16 leave a"), "leave a");
    assert_eq!(tolerant("20 snap a\n16 snap"), "~leave a");
    assert_eq!(tolerant("20 snap a\n14 snap"), "snapshot stale");
    assert_eq!(tolerant("- join a!20\n- leave a!16"), "leave a stale");
}

/// Leaves of this many members from 1001 on, one each millisecond (or position).
fn many(count: usize, pos: bool) -> String {
    let mut lines = String::new();
    for user in 0..count {
        let at = 1001 + user;
        let stamp = if pos {
            format!("- leave u{user:05}!{at}")
        } else {
            format!("{at} leave u{user:05}")
        };
        writeln!(lines, "{stamp}").unwrap();
    }
    lines
}

#[test]
fn the_floor_rises_to_the_time_of_the_tombstone_that_is_dropped() {
    let text = many(65_600, false)
        + "1064 join u00000\n1064 join new1\n1065 join new2\n1065 join u00064\n1065 join u00065\n900 join u65599";
    let told = told(&store(&text));
    assert_eq!(
        told[65_600..],
        [
            "join u00000 stale",
            "join new1 stale",
            "join new2",
            "join u00064",
            "join u00065 stale",
            "join u65599 stale",
        ]
    );
}

#[test]
fn the_floor_rises_to_the_pos_of_the_tombstone_that_is_dropped() {
    let text = many(65_600, true) + "- join new1!1064\n- join new2!1065\n- join new3\n7 join new4";
    let told = told(&store(&text));
    assert_eq!(
        told[65_600..],
        ["join new1 stale", "join new2", "join new3", "join new4"]
    );
}

#[test]
fn the_floor_touches_none_who_is_known() {
    let text = "1 join here\n".to_owned() + &many(65_600, false) + "1001 leave here";
    assert_eq!(told(&store(&text)).pop().unwrap(), "leave here");
}

#[test]
fn up_to_65536_tombstones_there_is_no_floor() {
    let text = many(65_536, false) + "500 join new1\n500 join u00000";
    assert_eq!(
        told(&store(&text))[65_536..],
        ["join new1", "join u00000 stale"]
    );
}

#[test]
fn the_floor_is_of_one_channel() {
    let text = many(65_600, false) + "5 join new1 :ch=d";
    assert_eq!(told(&store(&text)).pop().unwrap(), "join new1 in d");
}

#[test]
fn a_member_below_the_floor_stays_out_until_something_newer_says_so() {
    let text = many(65_600, false) + "1000 join new1\n2000 join new1";
    assert_eq!(roster(&store(&text)), "new1");
}

#[test]
fn without_pos_and_ts_none_takes_the_place_of_a_tombstone() {
    let mut text = "20 leave a\n".to_owned();
    for user in 0..65_600 {
        writeln!(text, "- leave u{user:05}").unwrap();
    }
    text += "15 join new\n15 join a";
    let told = told(&store(&text));
    assert_eq!(told[65_601..], ["join new", "join a stale"]);
}

#[test]
fn skew_tolerance_does_not_add_up() {
    let tolerant = |text| {
        let rules = Rules::default().skew_tolerance_ms(5);
        told(&store_by(rules, text)).pop().unwrap()
    };
    assert_eq!(
        tolerant("20 join a\n16 join a=1\n14 leave a"),
        "leave a stale"
    );
    assert_eq!(
        tolerant("20 join a\n16 snap a\n14 leave a"),
        "leave a stale"
    );
    assert_eq!(tolerant("20 snap a\n16 snap a\n12 snap"), "snapshot stale");
}

#[test]
fn the_same_time_and_type_of_another_observer_is_a_duplicate_whatever_the_pos() {
    ends(
        "10 join a=1!5 :obs=o\n10 join a=2!6 :obs=p",
        &["join a=2 duplicate"],
    );
}
