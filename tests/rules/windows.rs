//! When an inferred change can have happened: `not_before` (contract 2.6), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::domain::entry::Rules;
use rollbook::query::WhoWhen;
use told::{gaps_of, store, store_by, sure, window, windows};

/// Asserts the windows of a feed's inferred entries, without baseline joins.
#[track_caller]
fn spans(text: &str, want: &[&str]) {
    let store = store(text);
    let windows: Vec<String> = windows(&store)
        .into_iter()
        .filter(|w| !w.contains('?'))
        .collect();
    assert_eq!(windows, *want, "of {:#?}", told::told(&store));
}

fn slack(ms: i64) -> Rules {
    Rules::default().slack_ms(ms)
}

fn lossy() -> Rules {
    Rules::default().lossy(true)
}

#[test]
fn baseline_joins_have_none() {
    assert_eq!(
        windows(&store("5 snap a b")),
        ["join a ?..5", "join b ?..5"]
    );
    assert_eq!(
        windows(&store("1 up\n2 join x\n5 snap a x")),
        ["join a ?..5"]
    );
}

#[test]
fn it_happened_between_the_last_proof_and_the_snapshot() {
    spans(
        "1 up\n5 snap a=1 b\n8 join x\n10 down\n15 up\n20 snap a=2 d",
        &[
            "leave b 8..20",
            "leave x 8..20",
            "update a=2 8..20",
            "join d 8..20",
        ],
    );
}

#[test]
fn proofs_are_duplicates_stale_and_unknown_ones_too() {
    let around =
        |line: &str| format!("1 up\n5 snap a b\n6 join b\n{line}\n10 down\n11 up\n20 snap b");
    spans(&around("8 join b"), &["leave a 8..20"]);
    spans(&around("8 leave z"), &["leave a 8..20"]);
    spans(&around("8 part b"), &["leave a 8..20"]);
    // The latest proof so far counts.
    spans(&around("8 join b\n7 leave b"), &["leave a 8..20"]);
}

#[test]
fn link_and_token_lines_none_begin_and_pages_are_no_proofs() {
    let none =
        r#"{"eventType":"NONE","channelName":"c","publisher":"x","timestamp":9,"topicInfos":[]}"#;
    for line in [
        "9 token will_expire",
        "9 token renewed :ch=c",
        "9 up",
        none,
        "9 begin s",
        "8 begin s\n9 page s a@9",
    ] {
        spans(
            &format!("1 up\n5 snap a\n{line}\n10 down\n11 up\n20 snap"),
            &["leave a 5..20"],
        );
    }
}

#[test]
fn a_proof_is_of_its_occurred_at_and_not_of_its_effective_time() {
    spans(
        "1 up\n5 snap a\n30 join x :ch=d\n7 join y :ch=d\n31 down\n32 up\n40 snap",
        &["leave a 30..40"],
    );
    spans("5 snap a b\n20 snap b\n- snap b", &["leave a 5..20"]);
}

#[test]
fn from_the_first_line_where_the_channel_has_had_no_snapshot() {
    spans(
        "1 up\n5 join a\n8 join b\n10 down\n11 up\n20 snap b",
        &["leave a 8..20"],
    );
    spans("5 join a\n8 join b\n20 snap b", &["leave a 8..20"]);
}

#[test]
fn after_a_lost_link_no_proof_until_the_complete_snapshot() {
    spans(
        "1 up\n5 snap a b\n6 down\n7 up\n9 join b\n20 snap b",
        &["leave a 5..20"],
    );
    spans(
        "1 up\n5 snap a b\n6 down\n7 up\n9 join b\n10 down\n11 up\n20 snap b",
        &["leave a 5..20"],
    );
    spans(
        "1 up\n5 snap a b\n6 down\n7 up\n9 part b\n20 snap b",
        &["leave a 5..20"],
    );
}

#[test]
fn or_the_time_of_the_members_own_entry_if_that_is_later() {
    spans(
        "1 up\n5 snap a\n6 down\n7 up\n9 join z\n20 snap a",
        &["leave z 9..20"],
    );
    spans(
        "1 up\n5 snap a=1\n6 down\n7 up\n9 update a=2\n20 snap a=3",
        &["update a=3 9..20"],
    );
    spans(
        "1 up\n5 snap a\n6 down\n7 up\n9 join a\n20 snap",
        &["leave a 9..20"],
    );
}

#[test]
fn or_of_the_last_snapshot_that_covered_it() {
    spans(
        "1 up\n5 snap a\n6 down\n7 up\n12 part a\n20 snap",
        &["leave a 12..20"],
    );
    spans("5 snap a\n8 snap a\n20 snap", &["leave a 8..20"]);
    spans("5 snap a\n8 snap a\n20 snap a z", &["join z 8..20"]);
}

#[test]
fn two_gaps_in_a_row_reach_back_to_the_first_where_no_complete_snapshot_came() {
    let text = "1 up\n5 snap a\n6 down\n7 up\n9 part x\n10 down\n11 up\n20 snap x";
    assert_eq!(window(&store(text), "a"), "5..20");
    assert_eq!(gaps_of(&store(text), "c"), ["1 link 5..20"]);
}

#[test]
fn where_link_events_tell_of_the_gap_any_message_of_the_observer_counts() {
    spans(
        "1 up\n5 snap a\n8 join b :ch=d\n10 down\n11 up\n20 snap",
        &["leave a 8..20"],
    );
    spans(
        "1 up\n5 snap a\n8 snap b :ch=d\n10 down\n11 up\n20 snap",
        &["leave a 8..20"],
    );
    spans(
        "1 up\n5 snap a\n8 join b :ch=d :obs=p\n10 down\n11 up\n20 snap",
        &["leave a 5..20"],
    );
}

#[test]
fn a_channel_that_a_link_line_has_named_has_a_link_of_its_own() {
    // The other channel continues over its own link, or over the one that all unnamed channels share.
    for named in ["1 up :chs=c", "1 up", "1 up :chs=c,d"] {
        spans(
            &format!(
                "{named}\n5 snap a\n8 join b :ch=d\n10 down :chs=c\n14 join b :ch=d\n15 up :chs=c\n20 snap"
            ),
            &["leave a 5..20"],
        );
    }
    // A message over the shared link still counts. A message over another channel's own link does not.
    spans(
        "1 up\n5 snap a\n8 join b :ch=d\n9 join b :ch=e\n10 down :chs=e\n12 down\n13 up\n20 snap",
        &["leave a 8..20"],
    );
    // A line that names no channel ends all links.
    spans(
        "1 up :chs=c\n5 snap a\n8 join b :ch=d\n10 down\n11 up\n20 snap",
        &["leave a 5..20"],
    );
}

#[test]
fn what_is_heard_of_another_link_makes_nothing_certain() {
    let text = "1 up :chs=c\n2 up :chs=d\n5 snap a\n6 snap b :ch=d\n30 join z :ch=d";
    assert_eq!(sure(&store(text), WhoWhen::At(4)), "partial:");
    assert_eq!(sure(&store(text), WhoWhen::At(20)), "complete: a~");
    let shared = text.replace(":chs=c", "").replace(":chs=d", "");
    assert_eq!(sure(&store(&shared), WhoWhen::At(20)), "complete: a");
}

#[test]
fn where_link_events_tell_of_the_gap_what_comes_between_pages_counts() {
    for chs in ["", " :chs=c"] {
        let text = format!("1 up{chs}\n5 snap a\n6 begin s\n8 join b");
        assert_eq!(sure(&store(&text), WhoWhen::At(7)), "complete: a");
        spans(
            &format!("{text}\n10 down{chs}\n11 up{chs}\n20 snap"),
            &["leave a 8..20", "leave b 8..20"],
        );
    }
}

#[test]
fn where_no_link_event_told_of_the_gap_only_messages_about_that_channel_count() {
    spans(
        "5 snap a\n8 join b\n15 join x :ch=d\n20 snap b",
        &["leave a 8..20"],
    );
    spans(
        "1 up\n5 snap a\n8 join b\n15 join x :ch=d\n20 snap b",
        &["leave a 8..20"],
    );
}

#[test]
fn paged_only_messages_before_its_begin_count() {
    for first in ["", "1 up\n"] {
        let text =
            format!("{first}5 snap a b\n8 join b\n10 begin s\n12 join z\n- page s b\n20 end s");
        assert!(
            window(&store(&text), "a").starts_with("8.."),
            "{}",
            window(&store(&text), "a")
        );
    }
}

#[test]
fn an_observer_who_goes_on_watching_counts() {
    let text = "1 up :obs=o\n5 snap a x :obs=o\n6 up :obs=p\n7 snap a x :obs=p\n8 down :obs=o\n9 join x :obs=p\n10 up :obs=o\n20 snap x :obs=o";
    assert_eq!(window(&store(text), "a"), "9..20");
}

#[test]
fn an_observer_without_a_snapshot_of_its_own_proves_nothing() {
    let text = "1 up :obs=o\n5 snap a :obs=o\n7 down :obs=o\n9 join x :obs=p\n10 up :obs=o\n20 snap x :obs=o";
    assert_eq!(window(&store(text), "a"), "5..20");
}

#[test]
fn a_proof_later_than_the_snapshot_leaves_only_the_members_own() {
    spans("5 snap a\n30 join z\n20 snap z", &["leave a 5..20"]);
    spans(
        "5 snap a b\n7 join b\n8 join a\n30 join z\n20 snap b z",
        &["leave a 8..20"],
    );
    spans(
        "1 up\n5 snap a\n30 join z\n31 down\n32 up\n20 snap z",
        &["leave a 5..20"],
    );
}

#[test]
fn never_later_than_the_snapshot() {
    let rules = Rules::default().skew_tolerance_ms(50);
    assert_eq!(
        window(&store_by(rules, "5 snap a\n30 join a\n20 snap"), "a"),
        "20..20"
    );
}

#[test]
fn lossy_only_the_members_own_last_proof_counts() {
    let text = "5 snap a b\n8 join b\n9 join a\n12 join b\n20 snap b";
    assert_eq!(window(&store_by(lossy(), text), "a"), "9..20");
    let text = "1 up\n5 snap a\n8 join b\n10 down\n11 up\n20 snap b";
    assert_eq!(window(&store_by(lossy(), text), "a"), "5..20");
}

#[test]
fn lossy_nobody_is_certain() {
    let store = store_by(lossy(), "5 snap a\n8 join b\n30 join d");
    assert_eq!(sure(&store, WhoWhen::Head), "complete: a~ b~ d~");
    assert_eq!(sure(&store, WhoWhen::At(6)), "complete: a~");
    assert_eq!(sure(&store, WhoWhen::Seq(2)), "complete: a~");
}

#[test]
fn slack_moves_it_back() {
    let text = "1 up\n5 snap a\n8 join b\n10 down\n11 up\n20 snap b";
    assert_eq!(window(&store_by(slack(3), text), "a"), "5..20");
    assert_eq!(gaps_of(&store_by(slack(3), text), "c"), ["1 link 8..20"]);
    let own = "1 up\n5 snap a\n6 down\n7 up\n9 join z\n20 snap a";
    assert_eq!(window(&store_by(slack(3), own), "z"), "6..20");
    assert_eq!(windows(&store_by(slack(3), "5 snap a")), ["join a ?..5"]);
    assert_eq!(
        gaps_of(&store_by(slack(3), "5 snap a\n20 snap a"), "c"),
        ["1 snapshot 5..20"]
    );
    let rules = slack(3).lossy(true);
    assert_eq!(window(&store_by(rules, "9 snap a\n20 snap"), "a"), "6..20");
}

#[test]
fn an_incomplete_snapshot_of_an_observer_without_link_lines_ends_the_proofs() {
    spans(
        "5 snap a b\n8 join b\n12 part b\n14 join d\n20 snap b d",
        &["leave a 8..20"],
    );
    // From an observer with link lines it is a proof like any other message.
    spans(
        "1 up\n5 snap a b\n8 join b\n12 part b\n14 join d\n20 snap b d",
        &["leave a 14..20"],
    );
    spans(
        "1 up\n5 snap a b\n8 join b\n12 part b\n20 snap b",
        &["leave a 12..20"],
    );
}

#[test]
fn after_its_next_complete_snapshot_proofs_count_again() {
    spans(
        "5 snap a\n12 part a\n20 snap a\n25 join d\n30 snap d",
        &["leave a 25..30"],
    );
}

#[test]
fn what_an_incomplete_snapshot_infers_has_its_window_too() {
    spans(
        "1 up\n5 snap a=1\n8 join b\n10 down\n11 up\n15 part a=2 z",
        &["update a=2 8..15", "join z 8..15"],
    );
    spans(
        "5 snap a=1\n8 join b\n15 part a=2 z",
        &["update a=2 8..15", "join z 8..15"],
    );
}

#[test]
fn a_leave_inferred_and_undone_has_windows_that_follow_each_other() {
    spans(
        "5 snap a\n10 snap\n20 snap a",
        &["leave a 5..10", "join a 10..20"],
    );
}

#[test]
fn who_left_before_and_is_there_again() {
    spans(
        "1 up\n5 snap a b\n6 leave a\n8 join b\n10 down\n11 up\n20 snap a b",
        &["join a 8..20"],
    );
}

#[test]
fn a_message_of_another_channel_out_of_order_is_a_proof_all_the_same() {
    let store =
        store("1 up\n100 join x :ch=d\n5 snap a\n50 join y :ch=d\n60 down\n61 up\n200 snap");
    let window = window(&store, "a");
    assert!(
        ["50..200", "100..200"].contains(&window.as_str()),
        "{window}"
    );
}
