//! A resync by differences (contract 2.5.13), sentence by sentence. A source here takes up to 10 ms to send them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::Store;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::query::{MissedFilter, WhoWhen};
use told::{entries, gaps_of, missed, roster, store_by, sure, told, window, windows};

/// A link that is lost after the last proof at 8, and comes up again at 20 with differences.
const LOST: &str = "1 up\n5 snap a b\n8 update a=1\n10 down\n20 resync";

fn by_differences(text: &str) -> Store {
    let rules = Rules::default().resync_ms(10);
    let store = store_by(rules, text);
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:#?}", verified.problems);
    store
}

/// The history after the entries of [`LOST`]: link, snapshot, two baseline joins, update, link, link.
#[track_caller]
fn goes_on(text: &str, wanted: &[&str]) -> Store {
    let store = by_differences(&format!("{LOST}\n{text}"));
    assert_eq!(told(&store)[7..], *wanted);
    store
}

#[test]
fn differences_are_collected_and_change_nothing() {
    let store = goes_on(
        "21 leave b\n22 join z",
        &["leave b collected", "join z collected"],
    );
    assert_eq!(roster(&store), "a=1 b");
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..?"]);
    assert_eq!(sure(&store, WhoWhen::At(22)), "blind: a=1~ b~");
}

#[test]
fn a_live_event_that_comes_late_enough_ends_it() {
    let late = "leave b collected,snapshot,~leave b,join y";
    let wanted: Vec<&str> = late.split(',').collect();
    // The time counts from the first difference, because that came later than the link up.
    let store = goes_on("22 leave b\n32 join y", &wanted);
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..32"]);
    assert_eq!(window(&store, "b"), "8..32");
    let snapshot = &entries(&store)[8];
    assert_eq!(snapshot["reason"], "resync");
    assert!(snapshot["source_ts"].is_null() && snapshot["id"].is_null());
    goes_on(
        "22 leave b\n31 join y",
        &["leave b collected", "join y collected"],
    );
}

#[test]
fn without_differences_it_is_counted_from_the_link_up() {
    let store = goes_on("30 join y", &["snapshot", "join y"]);
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..30"]);
    assert_eq!(roster(&store), "a=1 b y");
}

#[test]
fn the_source_may_say_that_it_has_sent_all() {
    let store = goes_on(
        "21 leave b\n22 synced",
        &["leave b collected", "snapshot", "~leave b", "link synced *"],
    );
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..22"]);
    // Not before the differences that it has sent.
    let store = goes_on(
        "21 leave b\n15 synced",
        &["leave b collected", "snapshot", "~leave b", "link synced *"],
    );
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..21"]);
    // A `synced` of another channel has no effect here.
    goes_on(
        "21 leave b\n22 synced :chs=d",
        &["leave b collected", "link synced in d"],
    );
}

#[test]
fn any_channel_of_the_same_link_ends_it_and_none_of_another() {
    goes_on("30 join y :ch=d", &["snapshot", "join y in d"]);
    let apart = LOST
        .replace("1 up", "1 up :chs=c")
        .replace("resync", "resync :chs=c");
    let store = by_differences(&format!("{apart}\n30 join y :ch=d"));
    assert_eq!(told(&store)[7..], ["join y in d"]);
}

#[test]
fn a_second_link_up_begins_anew() {
    let store = goes_on(
        "21 leave b\n22 resync\n31 join y\n42 join x",
        &[
            "leave b collected",
            "link up *",
            "join y collected",
            "snapshot",
            "~leave b",
            "~join y",
            "join x",
        ],
    );
    // The first difference after the second link up came at 31.
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..41"]);
    assert_eq!(windows(&store)[2..], ["leave b 8..41", "join y 8..41"]);
}

#[test]
fn a_link_up_while_the_link_is_up_tells_of_a_loss_before_it() {
    let text = "1 up\n5 snap a b\n8 update a=1\n20 resync\n21 leave b\n31 join y";
    let store = by_differences(text);
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..31"]);
    assert_eq!(window(&store, "b"), "8..31");
}

#[test]
fn a_lost_link_ends_it_and_the_own_list_goes_on() {
    let store = goes_on(
        "21 leave b\n22 down\n40 resync\n50 join y",
        &[
            "leave b collected",
            "link down *",
            "link up *",
            "snapshot",
            "~leave b",
            "join y",
        ],
    );
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..50"]);
    // A link up of another kind does so too: the source then sends a snapshot.
    let store = goes_on(
        "21 leave b\n22 up\n40 join y",
        &["leave b collected", "link up *", "join y"],
    );
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..?"]);
}

#[test]
fn a_snapshot_of_the_sources_own_ends_it() {
    // A snapshot newer than the difference overrides it.
    let store = goes_on(
        "21 join z\n25 snap a",
        &["join z collected", "snapshot", "~leave b"],
    );
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..25"]);
    // If the snapshot is older or of the same time, the difference stays, and the snapshot takes effect at its time.
    for at in [25, 26] {
        let store = goes_on(
            &format!("{at} join z\n25 snap a"),
            &["join z collected", "snapshot", "~leave b", "~join z"],
        );
        assert_eq!(gaps_of(&store, "c"), [format!("1 link 8..{at}")]);
        assert_eq!(window(&store, "z"), format!("8..{at}"));
    }
    // The begin of a paged snapshot ends it, too.
    let store = goes_on(
        "26 leave b\n25 begin s\n- page s a b\n27 end s\n40 join y",
        &["leave b collected", "snapshot", "~leave b", "join y"],
    );
    assert_eq!(roster(&store), "a=1 y");
}

#[test]
fn without_an_own_list_nothing_is_collected() {
    let store = by_differences("1 up\n5 join a\n10 down\n20 resync\n21 leave a");
    assert_eq!(told(&store).last().unwrap(), "leave a");
}

#[test]
fn zero_turns_the_rule_off() {
    let rules = Rules::default().resync_ms(0);
    let store = store_by(rules, &format!("{LOST}\n21 leave b\n50 join y"));
    assert_eq!(told(&store)[7..], ["leave b", "join y"]);
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..?"]);
}

#[test]
fn the_own_list_is_what_its_observer_was_sent_whatever_became_of_it() {
    // Another observer reported that `b` left. Observer `o` missed that, and does not bring `b` back.
    let text = "1 up :obs=o\n5 snap a b :obs=o\n1 up :obs=p\n6 snap a b :obs=p\n10 down :obs=o\n12 leave b :obs=p\n20 resync :obs=o\n21 leave b :obs=o\n31 join y :obs=o";
    let store = by_differences(text);
    assert_eq!(roster(&store), "a y");
    // `z` joined while `o` was away, and `p` reported it. The completed list of `o` has `z` as well.
    let text = "1 up :obs=o\n5 snap a b :obs=o\n1 up :obs=p\n6 snap a b :obs=p\n10 down :obs=o\n12 join z :obs=p\n20 resync :obs=o\n21 join z :obs=o\n31 join y :obs=o";
    let store = by_differences(text);
    assert_eq!(roster(&store), "a b y z");
    assert_eq!(gaps_of(&store, "c"), [""; 0]);
}

#[test]
fn the_order_of_the_source_holds_for_the_own_list_too() {
    // An overtaken snapshot, stale or not, does not remove a member that has joined since.
    for overtaken in ["6 snap a b", "4 snap a b"] {
        let text =
            format!("1 up\n5 snap a b\n9 join z\n{overtaken}\n10 down\n20 resync\n30 join y");
        assert_eq!(roster(&by_differences(&text)), "a b y z", "{overtaken}");
    }
}

#[test]
fn a_snapshot_that_a_resync_has_overtaken_takes_nobody_off_the_own_list() {
    let text = "21 leave b\n29 join z\n32 join y\n28 snap a b\n40 down\n50 resync\n60 join x";
    let store = by_differences(&format!("{LOST}\n{text}"));
    assert_eq!(roster(&store), "a=1 x y z");
}

#[test]
fn metadata_that_it_does_not_bear_it_does_not_prove() {
    let store = goes_on(
        "30 join y\n40 down\n45 up\n50 snap a=2 b y",
        &[
            "snapshot",
            "join y",
            "link down *",
            "link up *",
            "snapshot",
            "~update a=2",
        ],
    );
    assert_eq!(window(&store, "a"), "8..50");
}

#[test]
fn metadata_that_was_sent_counts() {
    let store = goes_on(
        "21 join z=7\n31 join y",
        &["join z=7 collected", "snapshot", "~join z=7", "join y"],
    );
    assert_eq!(roster(&store), "a=1 b y z=7");
}

#[test]
fn self_is_spared_unless_its_leave_was_sent() {
    let text = "1 up :self=me\n5 snap a :self=me\n6 join me :self=me\n10 down\n20 resync";
    let store = by_differences(&format!("{text}\n30 join y"));
    assert_eq!(roster(&store), "a me y");
    let store = by_differences(&format!("{text}\n21 leave me\n31 join y"));
    assert_eq!(roster(&store), "a y");
}

#[test]
fn an_open_gap_shows_what_was_collected_so_far_in_detail_only() {
    let store = goes_on(
        "21 leave b\n22 join z",
        &["leave b collected", "join z collected"],
    );
    let filter = MissedFilter::default().detail(true);
    let gap = store.missed("c", &filter).unwrap().remove(0);
    let users: Vec<&str> = gap
        .collected
        .iter()
        .map(|it| it.member.user.as_str())
        .collect();
    assert_eq!(users, ["b", "z"]);
    assert!(
        store.missed("c", &MissedFilter::default()).unwrap()[0]
            .collected
            .is_empty()
    );
    assert_eq!(missed(&store, &MissedFilter::default()).len(), 1);
}
