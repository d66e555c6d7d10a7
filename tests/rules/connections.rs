//! Ingest connections (contract 2.5.12, its second paragraph, and 2.7), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook::Store;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::domain::event::Connection;
use rollbook::feed::{self, Defaults};
use rollbook::log::Progress;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::query::{MissedFilter, WhoFilter, WhoWhen};
use rollbook::store::{Batch, BatchLine};
use rollbook_support as support;
use std::sync::Arc;
use told::{clock, coverage, entries, gaps_of, missed, ms, roster, sure, told, window, windows};

/// Ingests a feed in which `^up`, `^resumed`, `^lost`, `^restart`, `^missing` and `^closed` stand for events of a connection:
/// that of the observer named after them, or else of `default`. Returns how many lines were rejected.
fn hear(store: &Store, text: &str) -> u64 {
    let defaults = Defaults::of("default");
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let parsed = |line: &str| {
        let json = told::feed(line);
        let event = feed::parse(json.trim().as_bytes(), &defaults).unwrap();
        event.into_owned()
    };
    let line = |(at, line): (usize, &&str)| match line.strip_prefix('^') {
        None => BatchLine::Event(parsed(line).into()),
        Some(said) => {
            let mut words = said.split_whitespace();
            let what = match words.next().unwrap() {
                "up" => Connection::Up,
                "resumed" => Connection::Resumed,
                "lost" => Connection::Lost,
                "restart" => Connection::Restart,
                "missing" => Connection::Missing,
                "closed" => Connection::Closed,
                other => panic!("{other}"),
            };
            let observer = words.next().unwrap_or("default").to_owned();
            let first = lines.get(at + 1).filter(|line| !line.starts_with('^'));
            let at = first.and_then(|line| parsed(line).stamp.ts);
            BatchLine::Connection { observer, what, at }
        }
    };
    let lines = lines.iter().enumerate().map(line);
    let batch = Batch::new(lines.collect(), Rules::default());
    let receipt = store.submit(batch).unwrap().wait().unwrap();
    receipt.tally.rejected
}

fn heard(text: &str) -> Store {
    let store = Store::in_memory(support::options()).unwrap();
    assert_eq!(hear(&store, text), 0);
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:#?}", verified.problems);
    store
}

fn resumed(store: &Store) -> Vec<bool> {
    let gaps = store.gaps("c").unwrap().into_iter();
    gaps.map(|gap| gap.resumed).collect()
}

#[test]
fn a_connection_is_up_at_its_first_event() {
    let store = heard("^up\n5 join a\n7 join b");
    assert_eq!(told(&store), ["link up *", "join a", "join b"]);
    let up = &entries(&store)[0];
    assert_eq!(ms(&up["occurred_at"]), Some(5));
    assert!(up["reason"].is_null() && up["channel"].is_null() && up["source_ts"].is_null());
}

#[test]
fn one_that_is_lost_goes_down_at_its_last_proof_and_opens_gaps() {
    for (what, reason) in [("lost", "connection_lost"), ("restart", "restart")] {
        let store = heard(&format!(
            "^up\n5 snap a\n6 snap b :ch=d\n9 join x :ch=d\n^{what}"
        ));
        let down = entries(&store).pop().unwrap();
        assert_eq!(
            (down["state"].as_str(), down["reason"].as_str()),
            (Some("down"), Some(reason))
        );
        assert_eq!(ms(&down["occurred_at"]), Some(9));
        // A link event reports the loss, so a message about any channel is a proof.
        assert_eq!(gaps_of(&store, "c"), ["1 link 9..?"]);
        assert_eq!(gaps_of(&store, "d"), ["1 link 9..?"]);
        assert_eq!(coverage(&store, "c"), "blind");
    }
}

#[test]
fn missing_entries_open_gaps_at_the_last_message_about_each_channel_and_nothing_resumes_them() {
    let store = heard("^up\n5 snap a\n6 snap b :ch=d\n9 join x :ch=d\n^missing\n^resumed");
    assert_eq!(gaps_of(&store, "c"), ["1 link 5..?"]);
    assert_eq!(gaps_of(&store, "d"), ["1 link 9..?"]);
    let said = entries(&store);
    let mut reasons = said.iter().filter_map(|entry| entry["reason"].as_str());
    assert!(reasons.any(|reason| reason == "entries_missing"));
    assert_eq!(hear(&store, "12 snap a"), 0);
    assert_eq!(gaps_of(&store, "c"), ["1 link 5..12"]);
}

#[test]
fn a_gap_that_is_open_when_entries_are_missing_began_earlier() {
    let store = heard("^up\n5 snap a\n6 snap b :ch=d\n9 join x :ch=d\n^lost\n^missing\n12 join y");
    assert_eq!(gaps_of(&store, "c"), ["1 link 5..?"]);
    assert_eq!(gaps_of(&store, "d"), ["1 link 9..?"]);
    assert_eq!(coverage(&store, "c"), "blind");
}

#[test]
fn one_that_has_proved_nothing_goes_down_when_it_came_up() {
    let store = heard("^up\n5 up\n^lost");
    let down = entries(&store).pop().unwrap();
    assert_eq!(ms(&down["occurred_at"]), Some(5));
    // A proof of an earlier connection is no proof of this one.
    let store = heard("^up\n5 snap a\n^closed\n^up\n8 up\n^lost");
    let down = entries(&store).pop().unwrap();
    assert_eq!(ms(&down["occurred_at"]), Some(8));
}

#[test]
fn what_is_known_already_makes_no_entry() {
    for known in [
        "^lost",
        "^restart",
        "^closed",
        "^up\n5 snap a\n^lost\n^lost\n^restart\n^closed",
    ] {
        let down = heard(known);
        let links = told(&down)
            .iter()
            .filter(|told| *told == "link down *")
            .count();
        assert_eq!(links, usize::from(known.len() > 10), "{known}");
    }
    // The feed is resumed before the old connection was reported lost.
    assert_eq!(told(&heard("^up\n5 snap a\n^resumed\n6 join b")).len(), 4);
}

#[test]
fn a_feed_that_goes_on_has_missed_nothing() {
    let store = heard("^up\n5 snap a b\n9 join c\n^lost\n^resumed\n20 leave b\n30 join d");
    assert_eq!(gaps_of(&store, "c"), ["1 link 9..20"]);
    assert_eq!(resumed(&store), [true]);
    assert!(missed(&store, &MissedFilter::default()).is_empty());
    assert_eq!(coverage(&store, "c"), "complete");
    let up = &entries(&store)[6];
    assert_eq!(
        (up["state"].as_str(), up["reason"].as_str()),
        (Some("up"), Some("resumed"))
    );
    // At a moment: as if the connection had never been lost. As of an entry: as it was known then.
    assert_eq!(sure(&store, WhoWhen::At(15)), "complete: a b c");
    assert_eq!(sure(&store, WhoWhen::Seq(6)), "blind: a~ b~ c~");
    assert_eq!(sure(&store, WhoWhen::Seq(7)), "complete: a b c");
}

#[test]
fn windows_do_not_widen_by_a_gap_that_is_over() {
    let broken =
        heard("^up\n1 up\n5 snap a b\n9 join c\n^lost\n^resumed\n20 join d\n30 snap c d e");
    let unbroken = heard("^up\n1 up\n5 snap a b\n9 join c\n20 join d\n30 snap c d e");
    assert_eq!(windows(&broken), windows(&unbroken));
    assert_eq!(window(&broken, "a"), "20..30");
    assert_eq!(window(&broken, "e"), "20..30");
    // The loss itself counted proofs from other channels. A resumed feed does not keep them.
    let quiet = "^up\n5 snap a\n9 join x :ch=d";
    let broken = heard(&format!(
        "{quiet}\n^lost\n^resumed\n20 join y :ch=d\n30 snap"
    ));
    let unbroken = heard(&format!("{quiet}\n20 join y :ch=d\n30 snap"));
    assert_eq!(window(&broken, "a"), "5..30");
    assert_eq!(windows(&broken), windows(&unbroken));
    assert_eq!(gaps_of(&broken, "c"), ["1 link 9..20", "2 snapshot 5..30"]);
    assert_eq!(gaps_of(&unbroken, "c"), ["1 snapshot 5..30"]);
}

#[test]
fn what_was_inferred_before_a_gap_that_is_over_is_in_the_next() {
    let text = "^up\n5 snap a\n8 part b\n^lost\n^resumed\n9 token renewed\n30 snap a b";
    let store = heard(text);
    assert_eq!(gaps_of(&store, "c"), ["1 link 5..9", "2 snapshot 5..30"]);
    assert_eq!(missed(&store, &MissedFilter::default()), ["2: joined b"]);
}

#[test]
fn another_feed_that_comes_up_closes_nothing() {
    let store = heard("^up\n5 snap a\n9 join b\n^lost\n^up\n20 join d");
    assert_eq!(gaps_of(&store, "c"), ["1 link 9..?"]);
    assert_eq!(coverage(&store, "c"), "blind");
    hear(&store, "30 snap b d");
    assert_eq!(gaps_of(&store, "c"), ["1 link 9..30"]);
    assert_eq!(missed(&store, &MissedFilter::default()), ["1: left a"]);
    assert_eq!(window(&store, "a"), "9..30");
    assert_eq!(resumed(&store), [false]);
}

#[test]
fn what_else_is_heard_of_the_observer_makes_a_loss_final() {
    let store = heard("^up\n5 snap a\n5 snap a :ch=d\n^lost\n8 join b\n^resumed\n9 join c");
    assert_eq!(
        gaps_of(&store, "c"),
        ["1 link 5..?"],
        "there it was heard otherwise"
    );
    assert_eq!(gaps_of(&store, "d"), ["1 link 5..9"]);
}

#[test]
fn a_new_feed_replaces_a_connection_that_is_up() {
    let store = heard("^up\n5 snap a\n9 join b\n^up\n20 join c");
    assert_eq!(
        told(&store)[3..],
        ["join b", "link down *", "link up *", "join c"]
    );
    assert_eq!(gaps_of(&store, "c"), ["1 link 9..?"]);
}

#[test]
fn one_that_ends_in_order_opens_no_gap() {
    let store = heard("^up\n5 snap a\n9 join b\n^closed");
    assert_eq!(coverage(&store, "c"), "complete");
    assert_eq!(told(&store).last().unwrap(), "join b");
    hear(&store, "^up\n20 join c\n30 snap a b c");
    assert_eq!(gaps_of(&store, "c"), ["1 snapshot 20..30"]);
    let again = heard("^up\n5 snap a\n^closed\n^resumed\n20 join c");
    assert!(gaps_of(&again, "c").is_empty());
}

#[test]
fn what_the_source_called_down_stays_down() {
    let store = heard("^up\n1 up\n5 snap a\n8 down\n^lost\n^resumed\n9 token renewed");
    assert_eq!(
        gaps_of(&store, "c"),
        ["1 link 5..?"],
        "down while down opens nothing"
    );
    assert_eq!(coverage(&store, "c"), "blind");
    let store = heard("^up\n1 up\n5 snap a\n8 down\n9 up\n^lost\n^resumed\n10 join b");
    assert_eq!(
        gaps_of(&store, "c"),
        ["1 link 5..?"],
        "a gap that was open stays open"
    );
    hear(&store, "12 snap a b");
    assert_eq!(gaps_of(&store, "c"), ["1 link 5..12"]);
}

#[test]
fn a_feed_that_goes_on_may_be_in_the_middle_of_pages() {
    let begun = "^up\n5 begin s\n6 page s a";
    let store = heard(&format!("{begun}\n^lost\n^resumed\n7 page s b\n8 end s"));
    assert_eq!(roster(&store), "a b");
    // A connection that is not resumed discards its pages.
    let store = heard(&format!("{begun}\n^lost"));
    assert_eq!(hear(&store, "^up\n7 page s b\n8 end s"), 2);
    let store = heard(&format!("{begun}\n^lost"));
    assert_eq!(
        hear(&store, "7 page s b\n^resumed\n8 end s"),
        1,
        "refused while it is lost"
    );
}

#[test]
fn a_channel_is_blind_only_while_none_of_its_observers_is_up() {
    let both = "^up o\n5 snap a :obs=o\n^up p\n6 snap a :obs=p\n^lost o";
    let store = heard(both);
    assert!(gaps_of(&store, "c").is_empty());
    hear(&store, "8 join b :obs=p\n^lost p");
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..?"]);
    // Observer `o` is resumed: it has missed nothing.
    hear(&store, "^resumed o\n9 join x :obs=o");
    assert_eq!(gaps_of(&store, "c"), ["1 link 8..9"]);
    assert_eq!(resumed(&store), [true]);
    hear(
        &store,
        "^resumed p\n10 join y :obs=p\n20 snap a b x y :obs=p",
    );
    assert_eq!(coverage(&store, "c"), "complete");
    // The other observer's snapshot ended the gap before the feed was resumed, so the gap still counts.
    let store =
        heard("^up o\n5 snap a :obs=o\n^lost o\n8 snap b :obs=p\n^resumed o\n9 join x :obs=o");
    assert_eq!(gaps_of(&store, "c"), ["1 link 5..8"]);
    assert_eq!(resumed(&store), [false]);
    assert_eq!(
        missed(&store, &MissedFilter::default()),
        ["1: joined b left a"]
    );
}

#[test]
fn a_connection_makes_no_feed_with_link_lines() {
    // An incomplete snapshot ends the proofs of an observer without link lines.
    let store = heard("^up\n5 snap a\n7 part b\n9 join c\n20 snap b c");
    assert_eq!(gaps_of(&store, "c"), ["1 snapshot 5..20"]);
    // And its live events do not count as newer than its snapshot.
    let store = heard("^up\n- join x\n- snap");
    assert_eq!(roster(&store), "");
}

#[test]
fn while_somebody_is_connected_his_silence_is_certain() {
    let store = heard("^up\n5 snap a");
    assert_eq!(sure(&store, WhoWhen::At(1_000)), "complete: a");
    hear(&store, "^lost");
    assert_eq!(sure(&store, WhoWhen::At(1_000)), "blind: a~");
    assert_eq!(sure(&store, WhoWhen::At(4)), "partial:");
    let store = heard("^up\n5 snap a\n^closed");
    assert_eq!(sure(&store, WhoWhen::At(1_000)), "complete: a~");
    // An observer that is connected, but down in this channel, does not watch it.
    let store = heard("^up o\n5 snap a :obs=o\n8 down :obs=o\n5 snap a :obs=p");
    assert_eq!(sure(&store, WhoWhen::At(1_000)), "complete: a~");
}

#[test]
fn known_at_is_before_it_went_on() {
    let (now, options) = clock();
    let store = Store::in_memory(options).unwrap();
    let at = |ms, text: &str| {
        now.store(ms, std::sync::atomic::Ordering::SeqCst);
        hear(&store, text);
    };
    at(10, "^up\n5 snap a\n^lost");
    at(20, "^resumed\n15 join b");
    let known = |known_at| {
        let filter = WhoFilter::at(10).known_at(known_at);
        told::sure_by(&store, &filter)
    };
    assert_eq!(known(12), "blind: a~");
    assert_eq!(known(20), "complete: a");
}

fn opened(engine: &Arc<MemoryJournal>) -> Store {
    let options = support::options();
    Store::on(Box::new(Arc::clone(engine)), options).unwrap()
}

#[test]
fn a_store_that_finds_one_up_says_so_once() {
    let engine = Arc::new(MemoryJournal::new());
    let store = opened(&engine);
    hear(
        &store,
        "^up\n5 snap a\n^up p\n7 snap a :obs=p\n^up q\n8 join x :ch=d :obs=q\n^closed q",
    );
    drop(store);
    for _ in 0..3 {
        let store = opened(&engine);
        let ends: Vec<_> = entries(&store).into_iter().skip(7).collect();
        let ends: Vec<_> = ends
            .iter()
            .map(|end| {
                (
                    end["observer"].as_str().unwrap(),
                    end["reason"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(ends, [("default", "restart"), ("p", "restart")]);
        assert_eq!(gaps_of(&store, "c"), ["1 link 7..?"]);
        assert!(gaps_of(&store, "d").is_empty());
        assert!(store.rebuild().unwrap());
    }
    // The feed may still be resumed.
    let store = opened(&engine);
    hear(&store, "^resumed p\n9 join b :obs=p");
    assert_eq!(gaps_of(&store, "c"), ["1 link 7..9"]);
    assert!(store.verify(VerifyDepth::Deep, |_| {}).unwrap().ok);
}

#[test]
fn a_feed_is_known_by_its_observer_and_name() {
    let engine = Arc::new(MemoryJournal::new());
    let store = opened(&engine);
    let progress =
        |observer, feed, line| BatchLine::Progress(Progress::of_feed(observer, feed, line));
    let lines = vec![
        progress("o", "f", 3),
        progress("of", "", 4),
        progress("o", "g", 5),
        progress("o", "f", 7),
    ];
    let batch = Batch::new(lines, Rules::default());
    store.submit(batch).unwrap().wait().unwrap();
    drop(store);
    let store = opened(&engine);
    let position = |observer, feed| store.feed_position(observer, feed).unwrap();
    assert_eq!(
        (position("o", "f"), position("of", ""), position("o", "g")),
        (7, 4, 5)
    );
    assert_eq!(
        (position("p", "f"), position("o", "h"), position("", "of")),
        (0, 0, 0)
    );
}
