//! Paged snapshots, and the hold between a link up and the snapshot (contract 2.5.7), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use told::{ends, entries, leaves, rejected, store, tells};

#[test]
fn it_takes_effect_at_its_end_as_one_with_that_lines_time() {
    let text = "10 begin s\n11 page s b\n12 page s a u/d\n20 end s";
    let all = [
        "snapshot",
        "~join a baseline",
        "~join b baseline",
        "~join u/d baseline",
    ];
    tells(text, &all);
    for entry in entries(&store(text)) {
        assert_eq!(told::ms(&entry["effective_at"]), Some(20), "{entry}");
    }
}

#[test]
fn it_is_whole_over_all_its_pages() {
    leaves(
        "5 join a\n5 join b\n5 join x\n10 begin s\n- page s a\n- page s b\n20 end s",
        "a b",
    );
}

#[test]
fn without_pages_it_is_empty() {
    leaves("5 join a\n10 begin s\n20 end s", "");
}

#[test]
fn pages_make_no_entry_until_the_end() {
    tells("5 join a\n10 begin s\n11 page s b", &["join a"]);
}

#[test]
fn a_live_join_that_is_in_no_page_stays() {
    leaves(
        "5 snap a\n10 begin s\n12 join z\n- page s a\n20 end s",
        "a z",
    );
    leaves(
        "5 snap a\n10 begin s\n- page s a\n12 join z\n20 end s",
        "a z",
    );
    leaves("- snap a\n- begin s\n- join z\n- page s a\n- end s", "a z");
}

#[test]
fn a_live_duplicate_join_of_one_in_no_page_stays() {
    leaves("5 snap a\n10 begin s\n12 join a\n20 end s", "a");
}

#[test]
fn a_live_leave_is_one_observed_leave_and_no_older_page_brings_it_back() {
    for page in ["- page s a b", "11 page s a b", "- page s a@11 b"] {
        for text in [
            format!("5 snap a b\n10 begin s\n12 leave a\n{page}\n20 end s"),
            format!("5 snap a b\n10 begin s\n{page}\n12 leave a\n20 end s"),
        ] {
            ends(&text, &["leave a", "snapshot"]);
            leaves(&text, "b");
        }
    }
}

#[test]
fn a_live_leave_is_applied_at_once() {
    leaves("5 snap a b\n10 begin s\n12 leave a", "b");
}

#[test]
fn a_live_update_holds_against_an_older_page() {
    leaves(
        "5 snap a=1\n10 begin s\n12 update a=2\n- page s a=1\n20 end s",
        "a=2",
    );
    leaves(
        "5 snap a=1\n10 begin s\n- page s a=1\n12 update a=2\n20 end s",
        "a=2",
    );
}

#[test]
fn a_page_that_is_newer_by_ts_or_pos_goes_before_a_live_event() {
    leaves(
        "5 snap a b\n10 begin s\n12 leave a\n- page s a@15 b\n20 end s",
        "a b",
    );
    leaves(
        "5 snap a b\n10 begin s\n12 leave a!12\n- page s a!15 b\n20 end s",
        "a b",
    );
    leaves(
        "5 snap a=1\n10 begin s\n12 update a=2\n- page s a=3@15\n20 end s",
        "a=3",
    );
    leaves(
        "5 snap a=1\n10 begin s\n12 update a=2!7\n- page s a=3!6\n20 end s",
        "a=2",
    );
}

#[test]
fn a_page_entry_older_than_what_is_known_changes_nothing_but_counts_as_seen() {
    leaves(
        "5 snap a=1 b\n9 update a=2\n10 begin s\n- page s a=1@7 b\n20 end s",
        "a=2 b",
    );
    leaves(
        "- snap a=1 b\n- update a=2!9\n- begin s\n- page s a=1!7 b\n- end s",
        "a=2 b",
    );
    ends(
        "5 snap a=1\n9 update a=2\n10 begin s\n- page s a=1@7\n20 end s",
        &["snapshot"],
    );
}

#[test]
fn a_member_in_no_page_was_absent_at_the_begin() {
    ends(
        "5 snap a b\n10 begin s\n- page s b\n20 end s",
        &["snapshot", "~leave a"],
    );
    // Knowledge from a time after the begin is kept, even if it arrived before the begin.
    leaves(
        "5 snap b\n11 join a\n10 begin s\n- page s b\n20 end s",
        "a b",
    );
    leaves("5 snap b\n9 join a\n10 begin s\n- page s b\n20 end s", "b");
    leaves(
        "- snap b\n- join a!11\n- begin s :pos=10\n- page s b\n- end s",
        "a b",
    );
}

#[test]
fn afterwards_too_the_absent_were_absent_at_the_begin_and_not_at_the_end() {
    let text = "5 snap b\n10 begin s\n- page s b\n20 end s\n";
    ends(&format!("{text}15 join z"), &["join z"]);
    ends(&format!("{text}9 join z"), &["join z stale"]);
    let text = "5 snap a b\n10 begin s\n- page s b\n20 end s\n";
    ends(&format!("{text}15 join a"), &["join a"]);
    ends(&format!("{text}9 join a"), &["join a stale"]);
}

#[test]
fn a_new_begin_discards_the_unfinished_one() {
    leaves(
        "10 begin s\n- page s a\n12 begin r\n- page r b\n20 end r",
        "b",
    );
    leaves(
        "10 begin s\n- page s a\n12 begin s\n- page s b\n20 end s",
        "b",
    );
    assert_eq!(
        rejected("10 begin s\n12 begin r\n- page s a\n20 end s\n21 end r"),
        2
    );
}

#[test]
fn a_new_begin_of_another_channel_discards_nothing() {
    leaves("10 begin s\n- page s a\n12 begin r :ch=d\n20 end s", "a");
}

#[test]
fn a_lost_link_discards_it() {
    for lost in [
        "12 down",
        "12 down :chs=c",
        r#"{"event":"linkState","currentState":"DISCONNECTED","timestamp":12}"#,
    ] {
        let text =
            format!("1 up\n5 snap x\n10 begin s\n- page s a\n{lost}\n13 up\n- page s b\n20 end s");
        leaves(&text, "x");
        assert_eq!(rejected(&text), 2, "{text}");
    }
}

#[test]
fn the_lost_link_of_another_channel_or_observer_discards_nothing() {
    let around = |lost: &str| {
        format!("1 up\n5 snap x\n5 snap :ch=d\n10 begin s\n- page s a\n{lost}\n20 end s")
    };
    leaves(&around("12 down :chs=d"), "a");
    leaves(&around("12 down :obs=other"), "a");
}

#[test]
fn a_page_or_end_without_its_begin_is_rejected() {
    assert_eq!(rejected("10 page s a"), 1);
    assert_eq!(rejected("10 end s"), 1);
    assert_eq!(rejected("10 begin s\n11 page r a\n12 end r\n13 end s"), 2);
    assert_eq!(rejected("10 begin s\n13 end s\n14 page s a\n15 end s"), 2);
    assert_eq!(rejected("10 begin s\n11 page s a :ch=d\n13 end s :ch=d"), 2);
    tells("10 page s a\n11 end s", &[]);
}

#[test]
fn the_rest_goes_on_after_a_rejected_page() {
    leaves(
        "9 page r x\n10 begin s\n11 page s a\n11 page r b\n20 end s",
        "a",
    );
}

#[test]
fn a_member_on_two_pages_counts_once() {
    ends(
        "10 begin s\n- page s a=1\n- page s a=2\n20 end s",
        &["snapshot", "~join a=2 baseline"],
    );
    leaves(
        "10 begin s\n- page s a=1@9\n- page s a=2@8\n20 end s",
        "a=1",
    );
}

#[test]
fn between_link_up_and_snapshot_a_live_leave_holds() {
    let text = "1 up\n5 snap a b\n10 down\n20 up\n22 leave a\n";
    for snapshot in ["- snap a b", "21 snap a b", "- snap a@21 b"] {
        ends(&format!("{text}{snapshot}"), &["leave a", "snapshot"]);
    }
}

#[test]
fn between_link_up_and_snapshot_a_live_join_holds() {
    let text = "1 up\n5 snap a\n10 down\n20 up\n22 join z=1\n";
    leaves(&format!("{text}- snap a"), "a z=1");
    leaves(&format!("{text}21 snap a"), "a z=1");
    leaves(&format!("{text}- snap a z=0"), "a z=1");
}

#[test]
fn between_link_up_and_snapshot_a_snapshot_that_is_newer_goes_before() {
    leaves(
        "1 up\n5 snap a b\n10 down\n20 up\n22 leave a\n25 snap a b",
        "a b",
    );
    leaves("1 up\n5 snap a\n10 down\n20 up\n22 join z\n25 snap a", "a");
    leaves(
        "1 up\n- snap a :pos=1\n10 down\n20 up\n- join z!5\n- snap a :pos=6",
        "a",
    );
    leaves(
        "1 up\n- snap a :pos=1\n10 down\n20 up\n- join z!5\n- snap a :pos=4",
        "a z",
    );
}

#[test]
fn between_the_first_link_up_and_the_first_snapshot_too() {
    leaves("1 up\n2 join z\n- snap a", "a z");
    leaves(
        r#"{"event":"linkState","currentState":"CONNECTED","timestamp":1}
        2 join z
        - snap a"#,
        "a z",
    );
}

#[test]
fn what_was_known_before_the_link_up_does_not_hold() {
    leaves("1 up\n- snap a b\n- join d\n10 down\n20 up\n- snap b", "b");
}

#[test]
fn after_the_snapshot_the_hold_is_over() {
    let text = "1 up\n5 snap a b\n10 down\n20 up\n22 leave a\n22 join z\n- snap a b\n";
    leaves(text, "b z");
    leaves(&format!("{text}- snap a b"), "a b");
}

#[test]
fn a_feed_without_link_lines_has_no_such_hold() {
    leaves("5 snap a\n22 leave a\n- snap a", "a");
    leaves("5 snap a\n22 join z\n- snap a", "a");
    leaves("2 join z\n- snap a", "a");
}

#[test]
fn the_hold_is_of_the_observer_whose_link_came_up() {
    leaves(
        "1 up :obs=o\n5 snap a :obs=o\n6 join z :obs=o\n- snap a :obs=o",
        "a",
    );
}
