//! Laws of retention: a pruned store answers every question about what is retained as one that was not pruned, and refuses
//! the others; also opened again, rebuilt, pruned twice, and with more recorded behind.

use crate::evening;
use proptest::prelude::*;
use rollbook::care::VerifyDepth;
use rollbook::limits::BLOCK_ENTRIES;
use rollbook::log::engine::Journal;
use rollbook::query::HistoryFilter;
use rollbook::store::{BlockSize, StoreError};
use rollbook::{Options, Store};
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{NOW, START, Shape, Tape, cases, tape};
use rollbook_support::parts::Parts;
use rollbook_support::pruned::compare;
use std::sync::atomic::{AtomicBool, Ordering};

fn verified(store: &Store) {
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{verified:?}");
    let pruned = store.retained().map(|retained| retained.seq);
    assert_eq!(verified.pruned_seq, pruned);
    assert_eq!(verified.entries + pruned.unwrap_or(0), store.head());
}

/// The same, also opened again, and read without what is derived. Returns the pruned store.
fn compared(parts: &Parts, whole: &Parts) -> (Desk, Desk) {
    let (desk, plain) = (parts.open(), whole.open());
    compare(&desk.store, &plain.store);
    assert_eq!(desk.described(), plain.described());
    verified(&desk.store);
    assert!(desk.store.rebuild().unwrap());
    compare(&desk.store, &plain.store);
    drop(desk);
    let desk = parts.open();
    compare(&desk.store, &plain.store);
    (desk, plain)
}

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn pruned_anywhere_a_store_answers_what_is_left(
        tape in tape(Shape::Any, 24),
        every in 1_usize..6,
        most in 1_u64..12,
        goes in 1_u64..40,
        again in 1_u64..40,
        split: prop::sample::Index,
    ) {
        let (whole, parts) = (Parts::default(), Parts::default());
        let (plain, desk) = (whole.open(), parts.open());
        let size = BlockSize { least: 1, most };
        let (first, rest) = tape.lines.split_at(split.index(tape.lines.len() + 1));
        for (at, lines) in first.chunks(every).enumerate() {
            desk.hear(&tape, lines);
            plain.hear(&tape, lines);
            if at % 3 != 1 {
                desk.store.seal(size).unwrap();
            }
        }
        desk.store.prune_some(i64::MAX, goes).unwrap();
        compare(&desk.store, &plain.store);
        verified(&desk.store);
        prop_assert_eq!(desk.described(), plain.described());
        // What comes later may speak of the time before, of members who came before, and be late, stale or known.
        desk.hear(&tape, rest);
        plain.hear(&tape, rest);
        compare(&desk.store, &plain.store);
        desk.store.prune_some(i64::MAX, again).unwrap();
        desk.store.seal(size).unwrap();
        compare(&desk.store, &plain.store);
        drop((plain, desk));
        let (desk, plain) = compared(&parts, &whole);
        desk.hear(&tape, &tape.lines);
        plain.hear(&tape, &tape.lines);
        desk.store.prune_some(i64::MAX, again).unwrap();
        compare(&desk.store, &plain.store);
        verified(&desk.store);
    }
}

#[test]
fn pruned_at_each_place_an_evening_answers_what_is_left() {
    let tape = evening();
    let whole = Parts::default();
    whole.open().hear(&tape, &tape.lines);
    let size = BlockSize { least: 1, most: 5 };
    let mut places = 0;
    for goes in (1..=whole.open().store.head()).step_by(23) {
        let parts = whole.copied();
        let desk = parts.open();
        if goes % 2 == 0 {
            desk.store.seal(size).unwrap();
        }
        let pruned = desk.store.prune_some(i64::MAX, goes).unwrap();
        assert!(pruned.entries > 0);
        drop(desk);
        compared(&parts, &whole);
        places += 1;
    }
    assert!(places > 3);
}

#[test]
fn what_a_crash_left_of_pruning_is_the_old_begin_or_the_new_one() {
    let tape = evening();
    let whole = Parts::default();
    whole.open().hear(&tape, &tape.lines);
    for sealed in [false, true] {
        let before = whole.copied();
        let most = if sealed { 5 } else { BLOCK_ENTRIES };
        if sealed {
            let size = BlockSize { least: 1, most };
            before.open().store.seal(size).unwrap();
        }
        let after = before.copied();
        let pruned = after.open().store.prune_some(i64::MAX, 40).unwrap();
        let base = after.object(0).unwrap();
        let begin = after.engine.first();
        // The base is stored, and all blocks and frames are there, or the first of them are gone.
        let numbers = before.numbers();
        let kept = after.numbers();
        let gone: Vec<u64> = numbers
            .into_iter()
            .filter(|number| !kept.contains(number))
            .collect();
        assert_eq!(gone.is_empty(), !sealed);
        for removed in 0..=gone.len() {
            let crashed = before.copied();
            crashed.put(0, &base);
            gone[..removed]
                .iter()
                .for_each(|&number| crashed.remove(number));
            assert_eq!(crashed.open().store.retained(), pruned.retained);
            assert_eq!(crashed.numbers(), kept);
            compare(&crashed.open().store, &whole.open().store);
        }
        for trimmed in (before.engine.first()..=begin).step_by(5) {
            let crashed = before.copied();
            crashed.put(0, &base);
            crashed.engine.trim(trimmed).unwrap();
            assert_eq!(crashed.open().store.retained(), pruned.retained);
            compare(&crashed.open().store, &whole.open().store);
            assert_eq!(crashed.engine.first(), begin);
        }
    }
}

#[test]
fn without_its_base_or_with_a_damaged_one_a_pruned_store_is_damaged() {
    let tape = evening();
    let parts = Parts::default();
    parts.open().hear(&tape, &tape.lines);
    parts.open().store.prune_some(i64::MAX, 30).unwrap();
    let base = parts.object(0).unwrap();
    let damaged = |what: &str| {
        let error = parts.store(Default::default()).err().unwrap();
        assert!(error.is_damage(), "{what}: {error}");
    };
    parts.remove(0);
    damaged("without it");
    for bit in (0..base.len() * 8).step_by(29) {
        let mut altered = base.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        parts.put(0, &altered);
        damaged(&format!("bit {bit}"));
    }
    for cut in (0..base.len()).step_by(17) {
        parts.put(0, &base[..cut]);
        damaged(&format!("cut at {cut}"));
    }
    parts.put(0, &base);
    parts.open();
}

/// A store with many small blocks.
fn long() -> (Desk, Vec<String>) {
    let desk = Desk::new();
    let join = |n: usize| {
        let what = ["join", "leave"][n / 40 % 2];
        let (user, ts) = (n % 40, START + n as i64);
        format!(r#"{{"t":"{what}","channel":"c","topic":"t","user":"u{user}","ts":{ts}}}"#)
    };
    let lines: Vec<String> = (0..2_000).map(join).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let tape = Tape::of(Default::default(), &lines);
    desk.hear(&tape, &tape.lines);
    let size = BlockSize { least: 1, most: 10 };
    desk.store.seal(size).unwrap();
    let history = desk.history_json();
    (desk, history)
}

#[test]
fn one_who_reads_meanwhile_gets_what_is_left_or_hears_that_it_went() {
    let (desk, history) = long();
    let store = &desk.store;
    let roster = serde_json::to_string(&store.who("c", &Default::default()).unwrap()).unwrap();
    let pruned = AtomicBool::new(false);
    let is_past = |error: &StoreError| matches!(error, StoreError::PastRetention { .. });
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for reader in 0..3 {
            let (pruned, history, roster) = (&pruned, &history, &roster);
            readers.push(scope.spawn(move || {
                let (mut whole, mut refused) = (0, 0);
                while !pruned.load(Ordering::SeqCst) {
                    let mut filter = HistoryFilter::default();
                    if reader == 1 {
                        filter = filter.channel("c");
                    }
                    let mut rows = Vec::new();
                    let read = store.history(&filter).and_then(|entries| {
                        for entry in entries {
                            rows.push(serde_json::to_string(&entry?).unwrap());
                        }
                        Ok(())
                    });
                    match read {
                        Ok(()) => {
                            assert!(history.ends_with(&rows));
                            whole += 1;
                        }
                        Err(error) => {
                            assert!(is_past(&error), "{error}");
                            refused += 1;
                        }
                    }
                    let who = store.who("c", &Default::default()).unwrap();
                    assert_eq!(serde_json::to_string(&who).unwrap(), *roster);
                    let stays = store
                        .sessions(&Default::default())
                        .and_then(|stays| stays.collect::<Result<Vec<_>, _>>());
                    assert!(stays.as_ref().err().is_none_or(is_past), "{stays:?}");
                }
                (whole, refused)
            }));
        }
        while store.prune_some(i64::MAX, 40).unwrap().entries > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        pruned.store(true, Ordering::SeqCst);
        let read: Vec<(u64, u64)> = readers.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(read.iter().any(|&(whole, _)| whole > 0), "{read:?}");
    });
    assert_eq!(store.retained().unwrap().seq, store.head() - 1);
}

#[test]
fn a_cursor_that_lags_behind_is_refused_and_one_at_the_head_goes_on() {
    let (desk, history) = long();
    let store = &desk.store;
    let mut behind = store.cursor(0, None).unwrap();
    assert_eq!(behind.next_batch(store, 5, 1 << 20).unwrap().len(), 5);
    let mut ahead = store.cursor(store.head() - 3, None).unwrap();
    store.prune_some(i64::MAX, 500).unwrap();
    let mut left = 0;
    let refused = loop {
        match behind.next_batch(store, 5, 1 << 20) {
            Ok(batch) => left += batch.len(),
            Err(error) => break error,
        }
    };
    // What it had read ahead it may still give.
    assert!(left < 500, "{left}");
    assert!(
        matches!(refused, StoreError::PastRetention { .. }),
        "{refused}"
    );
    assert_eq!(ahead.next_batch(store, 50, 1 << 20).unwrap().len(), 3);
    let mut begins = store.cursor(0, None).unwrap();
    let first = begins.next_batch(store, 1, 1 << 20).unwrap();
    let first = serde_json::to_string(&first[0].entry).unwrap();
    assert_eq!(
        Some(&first),
        history.get(store.retained().unwrap().seq as usize)
    );
}

#[test]
fn a_store_with_a_retention_prunes_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let at = |now: i64| Options::default().clock(move || now);
    for n in 0..5 {
        let store = Store::open(dir.path(), at(START + n)).unwrap();
        let user = format!("u{n}");
        store
            .record(&[rollbook::Event::join("c", "t", &*user).at(START + n)])
            .unwrap();
    }
    let who = |store: &Store| {
        serde_json::to_string(&store.who("c", &Default::default()).unwrap()).unwrap()
    };
    let roster = who(&Store::open(dir.path(), at(START)).unwrap());
    let store = Store::open(dir.path(), at(START + 1_003).retain_ms(1_000)).unwrap();
    let began = std::time::Instant::now();
    while store.retained().is_none() {
        assert!(began.elapsed().as_secs() < 20, "nothing is pruned");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // Those recorded before START + 3.
    assert_eq!(store.retained().unwrap().seq, 3);
    assert_eq!(who(&store), roster);
    store.close().unwrap();
}

#[test]
fn rejects_and_ids_have_an_age_of_their_own() {
    let parts = Parts::default();
    let line = |user: &str, id: &str| {
        format!(
            r#"{{"t":"join","channel":"c","topic":"t","user":"{user}","id":"{id}","ts":{START}}}"#
        )
    };
    let desk = parts.open();
    let (first, second) = (line("a", "1"), line("b", "2"));
    for lines in [[&first, "bad"], [&second, "worse"]] {
        let tape = Tape::of(Default::default(), &lines);
        desk.hear(&tape, &tape.lines);
    }
    let n = |desk: &Desk| -> Vec<u64> {
        desk.store
            .rejects()
            .unwrap()
            .map(|reject| reject.unwrap().n)
            .collect()
    };
    assert_eq!(n(&desk), [1, 2]);
    // What is rejected now is not older than now.
    assert_eq!(desk.store.prune(NOW).unwrap().entries, 0);
    assert_eq!(desk.store.prune(NOW + 1).unwrap().entries, 2);
    assert_eq!(n(&desk), [2], "it keeps its number");
    drop(desk);
    // The ids outlive their entries, also without what is derived.
    let desk = parts.open();
    desk.store.rebuild().unwrap();
    drop(desk);
    let desk = parts.open();
    let tape = Tape::of(Default::default(), &[&first, &second]);
    for heard in &tape.lines {
        let receipt = desk.hear_one(&tape, heard).unwrap();
        assert_eq!(receipt.tally.retries, 1);
    }
    assert_eq!(desk.store.head(), 2);
}
