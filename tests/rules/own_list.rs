//! The own list of an observer (contract 2.5.13) when its snapshots arrive behind newer events of its own, and other
//! observers report about the same members. What a resync infers shows who is on the list.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::Store;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use told::{gaps_of, roster, store_by, told};

/// Two observers that have the same list.
const BOTH: &str = "10 up :obs=o\n50 snap a b :obs=o\n10 up :obs=p\n60 snap a b :obs=p";
/// The link of `o` is lost, and comes up again. Its source has no differences to send.
const RESYNC: &str = "100 down :obs=o\n200 resync :obs=o\n300 join y :obs=o";

fn store(text: &str) -> Store {
    let store = store_by(Rules::default().resync_ms(100), text);
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:#?}", verified.problems);
    store
}

/// Two observers; then these lines, then a resync. `wanted`: the entries from the resync's snapshot on.
#[track_caller]
fn both(text: &str, wanted: &[&str]) -> Store {
    ends(&format!("{BOTH}\n{text}\n{RESYNC}"), wanted)
}

/// One observer; then these lines, then a resync.
#[track_caller]
fn alone(text: &str, wanted: &[&str]) -> Store {
    ends(
        &format!("10 up\n50 snap a b\n{text}\n{RESYNC}").replace(" :obs=o", ""),
        wanted,
    )
}

#[track_caller]
fn ends(text: &str, wanted: &[&str]) -> Store {
    let store = store(text);
    let told = told(&store);
    let from = told.iter().rposition(|entry| entry == "link up *").unwrap();
    assert_eq!(told[from + 1..], *wanted, "of {told:#?}");
    store
}

/// The resync infers nothing.
const NOTHING: &[&str] = &["snapshot", "join y"];

#[test]
fn an_overtaken_snapshot_does_not_undo_a_leave_that_another_observer_has_covered() {
    // The snapshot of `p` covers the leave, so nothing else is known of `b` any more.
    both(
        "80 leave b :obs=o\n90 snap a :obs=p\n70 snap a b :obs=o",
        NOTHING,
    );
    // The same for an incomplete snapshot, and for one in pages.
    both(
        "80 leave b :obs=o\n90 snap a :obs=p\n70 part a b :obs=o",
        NOTHING,
    );
    let pages = "70 begin s :obs=o\n80 leave b :obs=o\n90 snap a :obs=p\n- page s a b :obs=o\n85 end s :obs=o";
    both(pages, NOTHING);
    // A snapshot that is newer than the leave counts.
    both(
        "80 leave b :obs=o\n90 snap a :obs=p\n85 snap a b :obs=o",
        &["snapshot", "~join b", "join y"],
    );
}

#[test]
fn an_overtaken_snapshot_does_not_undo_a_join_that_another_observer_has_covered() {
    // `z` left, which `o` has not heard, and came back while the link of `o` was lost: there is no difference.
    let text = "80 join z :obs=o\n90 snap a b :obs=p\n70 snap a b :obs=o\n120 join z :obs=p";
    both(text, NOTHING);
    // What `p` lists becomes the last word on `z`, but the list of `o` has it all the same.
    both(
        "80 join z :obs=o\n90 part z :obs=p\n70 snap a b :obs=o",
        NOTHING,
    );
}

#[test]
fn what_another_observer_reports_of_a_member_hides_no_event_of_ones_own() {
    both(
        "80 leave b :obs=o\n90 leave b :obs=p\n70 snap a b :obs=o",
        NOTHING,
    );
    both(
        "80 join z :obs=o\n90 join z :obs=p\n70 snap a b :obs=o",
        NOTHING,
    );
    // Its own event was stale, and is newer than the snapshot all the same.
    both(
        "90 leave b :obs=p\n80 leave b :obs=o\n70 snap a b :obs=o",
        NOTHING,
    );
    both(
        "95 snap a :obs=p\n80 leave b :obs=o\n70 snap a b :obs=o",
        NOTHING,
    );
}

#[test]
fn a_snapshot_that_its_own_source_has_overtaken_does_not_count() {
    for line in ["70 snap a b :obs=o", "70 part a b :obs=o"] {
        alone(
            &format!("80 leave b :obs=o\n90 snap a :obs=o\n{line}"),
            NOTHING,
        );
        both(
            &format!("80 leave b :obs=o\n90 snap a :obs=o\n{line}"),
            NOTHING,
        );
        // Another observer has no part in it: its own snapshot at 90 is newer.
        both(
            &format!("90 snap a :obs=o\n95 snap a :obs=p\n{line}"),
            NOTHING,
        );
    }
}

#[test]
fn the_first_snapshot_may_be_overtaken_as_well() {
    let first = "10 up :obs=o\n10 up :obs=p\n60 snap a b :obs=p";
    for text in [
        "80 leave b :obs=o\n90 snap a :obs=p\n70 snap a b :obs=o",
        "80 leave b :obs=o\n90 leave b :obs=p\n70 snap a b :obs=o",
        "80 leave b :obs=o\n70 snap a b :obs=o",
    ] {
        ends(&format!("{first}\n{text}\n{RESYNC}"), NOTHING);
    }
    // `o` was alone when it reported the leave.
    let text = "10 up :obs=o\n20 join a :obs=o\n20 join b :obs=o\n80 leave b :obs=o\n90 snap a :obs=p\n70 snap a b :obs=o";
    ends(&format!("{text}\n{RESYNC}"), NOTHING);
    ends(
        &format!("10 up :obs=o\n20 join a :obs=o\n80 join z :obs=o\n70 snap a b :obs=o\n{RESYNC}"),
        NOTHING,
    );
}

#[test]
fn a_member_that_a_snapshot_lists_with_a_newer_time_stays() {
    let text = "70 snap a b z@95 :obs=o\n80 snap a b :obs=o";
    alone(text, NOTHING);
    both(text, NOTHING);
    // Another observer's snapshot makes the second one stale.
    both(
        &text.replace("80 snap", "90 snap a b :obs=p\n80 snap"),
        NOTHING,
    );
    both(
        &text.replace("80 snap", "75 leave z :obs=o\n80 snap"),
        NOTHING,
    );
}

#[test]
fn a_difference_is_not_undone_by_an_overtaken_snapshot() {
    let text = "100 down :obs=o\n200 resync :obs=o\n210 leave b :obs=o\n250 snap a :obs=p\n205 snap a b :obs=o\n310 join y :obs=o";
    ends(
        &format!("{BOTH}\n{text}"),
        &[
            "leave b collected",
            "snapshot",
            "~leave b",
            "snapshot stale",
            "snapshot",
            "join y",
        ],
    );
}

#[test]
fn an_event_that_comes_again_late_does_not_count_again() {
    let again = "60 join z :obs=o\n80 leave z :obs=o\n60 join z :obs=o";
    alone(again, NOTHING);
    both(again, NOTHING);
    both(
        &again.replace("80 leave", "90 snap a b :obs=p\n80 leave"),
        NOTHING,
    );
    // Its own snapshot has shown since that `z` is absent.
    let again = "60 join z :obs=o\n80 leave z :obs=o\n90 snap a b :obs=o\n60 join z :obs=o";
    alone(again, NOTHING);
    both(again, NOTHING);
}

/// So many members that `o` has reported about that the oldest reports are forgotten.
fn crowd(members: usize) -> String {
    let lines = (0..members).map(|n| format!("85 leave x{n} :obs=o\n"));
    lines.collect::<String>().trim_end().to_owned()
}

#[test]
fn a_list_of_which_too_much_was_forgotten_says_only_what_its_source_has_sent() {
    let passed = crowd(1_100);
    let lines = format!("80 leave b :obs=o\n{passed}\n90 snap a :obs=p\n70 snap a b :obs=o");
    // Whether `b` is on the list is not known. The gap stays open.
    let lost =
        "100 down :obs=o\n101 down :obs=p\n200 resync :obs=o\n210 join z :obs=o\n310 join y :obs=o";
    let store = ends(
        &format!("{BOTH}\n{lines}\n{lost}"),
        &["join z collected", "snapshot part", "~join z", "join y"],
    );
    assert_eq!(roster(&store), "a y z");
    assert_eq!(gaps_of(&store, "c"), ["1 link 90..?"]);
    // The next complete snapshot that is newer makes it known again.
    let lines = format!("{lines}\n95 snap a b :obs=o\n97 leave b :obs=o");
    both(&lines, NOTHING);
}

#[test]
fn a_tombstone_that_was_dropped_is_no_loss_to_an_observer_that_is_alone() {
    let passed = crowd(65_536);
    alone(
        &format!("80 leave b :obs=o\n{passed}\n70 snap a b :obs=o"),
        NOTHING,
    );
}
