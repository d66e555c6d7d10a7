//! Laws of the store: a checkpoint and its tail equal the fold of the log; batches make no difference; acknowledged
//! lines survive whatever the engine does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::panic, missing_docs)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::limits::TOMBSTONES_PER_CHANNEL_MAX;
use rollbook::log::engine::fault::FaultJournal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::query::answer::{DispositionAnswer, EntryType, HistoryEntry, OriginAnswer};
use rollbook::query::{HistoryFilter, WhoFilter, WhoWhen};
use rollbook::store::{Durability, LineCounts, RecordError, Ticket};
use rollbook::{Options, Store};
use rollbook_support::desk::Desk;
use rollbook_support::feeds;
use rollbook_support::feeds::{Heard, NOW, START, Shape, Tape, cases, tape};
use rollbook_support::reference::Reference;
use std::collections::BTreeSet;
use std::sync::Arc;

fn memory() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new())
}

fn cut(mut lines: &[Heard], sizes: &[usize]) -> Vec<Vec<Heard>> {
    let mut parts = Vec::new();
    for &size in sizes {
        let (part, rest) = lines.split_at(size.min(lines.len()));
        parts.push(part.to_vec());
        lines = rest;
    }
    parts.push(lines.to_vec());
    parts
}

/// All answers of a store, as text.
fn answers(desk: &Desk) -> Vec<String> {
    let store = &desk.store;
    let mut answers = desk.history_json();
    let times: BTreeSet<i64> = desk
        .history()
        .iter()
        .flat_map(|entry| {
            [
                entry.occurred_at.0,
                entry.effective_at.0 - 1,
                entry.effective_at.0,
            ]
        })
        .collect();
    for channel in store.channels().unwrap() {
        let name = &channel.channel;
        answers.push(json(&channel));
        let gaps = store.gaps(name).unwrap();
        answers.extend(gaps.iter().map(json));
        let missed = store.missed(name, &Default::default()).unwrap();
        answers.extend(missed.iter().map(json));
        let seqs = 1..=store.head();
        for after_seq in seqs.clone().step_by(5) {
            let filter = HistoryFilter::default()
                .channel(name.clone())
                .after_seq(after_seq);
            for entry in store.history(&filter).unwrap() {
                let entry = entry.unwrap();
                answers.push(json(&entry));
            }
        }
        let whens = times.iter().map(|&at| WhoWhen::At(at));
        let whens = whens.chain(seqs.map(WhoWhen::Seq));
        for when in whens.chain([WhoWhen::Head]) {
            let filter = WhoFilter::default().when(when);
            // The channel may not be recorded yet at this moment.
            let who = store.who(name, &filter);
            answers.push(who.map_or_else(|error| error.to_string(), |who| json(&who)));
        }
    }
    answers
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn verified(desk: &Desk) {
    let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:#?}", verified.problems);
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_checkpoint_and_its_tail_are_the_fold(tape in tape(Shape::Any, 40), sizes in vec(0usize..12, 0..6)) {
        let engine = memory();
        in_parts(&tape, &cut(&tape.lines, &sizes), || Desk::on(&engine));
    }

    /// A repeated id is answered with the entry that it made the first time, whatever came in between.
    /// A store that was opened again knows nothing of its frames, and learns of them from queries.
    #[test]
    fn earlier_queries_change_no_answer(mut tape in tape(Shape::Any, 40), half in any::<Index>()) {
        // A store that is opened again ends the connections that are up.
        tape.lines.retain(|heard| !heard.text.starts_with('^'));
        let engine = memory();
        let (before, after) = tape.lines.split_at(half.index(tape.lines.len() + 1));
        Desk::on(&engine).hear(&tape, before);
        let desk = Desk::on(&engine);
        answers(&desk);
        desk.hear(&tape, after);
        let asked = [answers(&desk), answers(&desk)];
        drop(desk);
        let fresh = answers(&Desk::on(&engine));
        prop_assert_eq!(asked, [fresh.clone(), fresh]);
    }

    #[test]
    fn retries_survive(tape in tape(Shape::Any, 40), sizes in vec(0usize..12, 0..4)) {
        let engine = memory();
        let parts = cut(&tape.lines, &sizes);
        for part in &parts {
            Desk::on(&engine).hear(&tape, part);
        }
        let reference = Reference::of(&with_restarts(&tape, &parts));
        let desk = Desk::on(&engine);
        for heard in &tape.lines {
            let Ok(event) = rollbook::feed::parse(heard.text.as_bytes(), &feeds::DEFAULTS) else { continue };
            let Some(id) = &event.id else { continue };
            let Some(&seq) = reference.ids.get(&(event.observer.to_string(), id.to_string())) else { continue };
            let receipt = desk.hear_one(&tape, heard).unwrap();
            prop_assert_eq!((receipt.tally.retries, receipt.tally.entries), (1, 0));
            prop_assert_eq!(receipt.seqs, vec![Some(seq)]);
        }
        prop_assert_eq!(desk.store.head(), reference.state.head());
    }

    #[test]
    fn batches_do_not_matter(tape in tape(Shape::Any, 40), sizes in vec(1usize..12, 0..6)) {
        let still: Vec<Heard> = tape.lines.iter().map(|heard| Heard { now: NOW, text: heard.text.clone() }).collect();
        let tape = Tape { lines: still, ..tape };
        let singly = Desk::of(&tape);
        let together = Desk::new();
        let all = together.hear_together(&tape, &tape.lines).unwrap();
        let batched = Desk::new();
        // No receipt is awaited here, so some batches are synced together.
        let batches = cut(&tape.lines, &sizes);
        let tickets: Vec<_> = batches.iter().map(|lines| batched.store.submit(tape.batch(lines)).unwrap()).collect();
        let mut tally = LineCounts::default();
        for ticket in tickets {
            tally.add(&ticket.wait().unwrap().tally);
        }
        prop_assert_eq!(tally, all.tally);
        counted(&tally, &singly);
        let history = singly.history_json();
        for desk in [&singly, &together, &batched] {
            prop_assert_eq!(&desk.history_json(), &history);
            prop_assert_eq!(&desk.described(), &singly.described());
            verified(desk);
        }
    }
}

/// A receipt counts what history shows.
fn counted(tally: &LineCounts, desk: &Desk) {
    let history = desk.history();
    let count = |of: &dyn Fn(&HistoryEntry) -> bool| {
        history.iter().filter(|entry| of(entry)).count() as u64
    };
    let of = |kind, origin| {
        count(&|entry| {
            (entry.kind, entry.origin, entry.disposition)
                == (kind, origin, DispositionAnswer::Applied)
        })
    };
    let disposed = |disposition| count(&|entry| entry.disposition == disposition);
    let mut recounted = LineCounts::default();
    recounted.events = tally.events;
    recounted.entries = history.len() as u64;
    recounted.joins = of(EntryType::Join, OriginAnswer::Observed);
    recounted.leaves = of(EntryType::Leave, OriginAnswer::Observed);
    recounted.updates = of(EntryType::Update, OriginAnswer::Observed);
    recounted.snapshots = count(&|entry| entry.kind == EntryType::Snapshot);
    recounted.inferred_joins = of(EntryType::Join, OriginAnswer::Inferred);
    recounted.inferred_leaves = of(EntryType::Leave, OriginAnswer::Inferred);
    recounted.inferred_updates = of(EntryType::Update, OriginAnswer::Inferred);
    recounted.baseline_joins = count(&|entry| entry.baseline);
    recounted.duplicates = disposed(DispositionAnswer::Duplicate);
    recounted.stale = disposed(DispositionAnswer::Stale);
    recounted.unknown = disposed(DispositionAnswer::Unknown);
    recounted.collected = disposed(DispositionAnswer::Collected);
    recounted.retries = tally.retries;
    recounted.retries_differing = tally.retries_differing;
    recounted.rejected = tally.rejected;
    recounted.forbidden = tally.forbidden;
    recounted.clamped = count(&|entry| entry.effective_at.0 - entry.occurred_at.0 > 60_000);
    recounted.first_seq = history.first().map(|entry| entry.seq);
    recounted.last_seq = history.last().map(|entry| entry.seq);
    assert_eq!(*tally, recounted);
    let rejects = desk.store.rejects().unwrap().map(Result::unwrap).count() as u64;
    assert_eq!(rejects, tally.rejected);
}

/// The tape with the `restart` lines that opening the store again makes after each part.
fn with_restarts(tape: &Tape, parts: &[Vec<Heard>]) -> Tape {
    let mut reference = Reference::default();
    let mut lines = Vec::new();
    for part in parts {
        part.iter()
            .for_each(|heard| reference.line(heard, &tape.rules));
        lines.extend(part.iter().cloned());
        for heard in reference.restarts() {
            reference.line(&heard, &tape.rules);
            lines.push(heard);
        }
    }
    let rules = tape.rules;
    Tape { rules, lines }
}

/// A writer leaves a checkpoint when it ends, so every part of the tape starts at one.
fn in_parts(tape: &Tape, parts: &[Vec<Heard>], open: impl Fn() -> Desk) {
    let mut reference = Reference::default();
    for part in parts {
        let desk = open();
        desk.hear(tape, part);
        for heard in part {
            reference.line(heard, &tape.rules);
        }
        assert_eq!(desk.described(), reference.state.describe(&reference.names));
        drop(desk);
        for heard in reference.restarts() {
            reference.line(&heard, &tape.rules);
        }
        let whole = reference.state.describe(&reference.names);
        let desk = open();
        assert_eq!(desk.described(), whole);
        assert_eq!(desk.folded(None), whole);
    }
    // What follows from more lines does not depend on the source of the state either.
    let unbroken = answers(&Desk::of(&with_restarts(tape, parts)));
    let desk = open();
    assert_eq!(answers(&desk), unbroken);
    assert!(desk.store.rebuild().unwrap());
    assert_eq!(answers(&desk), unbroken);
    let whole = reference.state.describe(&reference.names);
    assert_eq!(desk.described(), whole);
    verified(&desk);
}

proptest! {
    // Few cases, since each opening writes a segment of megabytes.
    #![proptest_config(cases(3))]

    #[test]
    fn on_disk_too(tape in tape(Shape::Any, 30), sizes in vec(0usize..12, 0..2)) {
        let dir = tempfile::tempdir().unwrap();
        let open = |options: Options| {
            let durability = Durability::None;
            Store::open(dir.path(), options.durability(durability))
        };
        in_parts(&tape, &cut(&tape.lines, &sizes), || Desk::with(open));
    }
}

/// So many members leave that tombstones are dropped. The raised floor must be in the checkpoint as in the log.
#[test]
fn the_floor_survives() {
    let leaves: Vec<String> = (0..TOMBSTONES_PER_CHANNEL_MAX + 3)
        .map(|n| format!(r#"{{"user":"{n}","ts":{}}}"#, START + n as i64))
        .collect();
    let many = format!(
        r#"{{"t":"diff","channel":"a","leaves":{{"t":[{}]}}}}"#,
        leaves.join(",")
    );
    let rules = Rules::default().max_ahead_ms(1_000_000);
    let first = Tape::of(rules, &[&many]);
    // In byte order "0", "1" and "10" are dropped first, so the floor is 10 ms after the start.
    let join = |user: &str, ts: i64| {
        format!(r#"{{"t":"join","channel":"a","topic":"t","user":"{user}","ts":{ts}}}"#)
    };
    let late = [
        join("x", START + 10),
        join("y", START + 11),
        join("0", START + 5),
    ];
    let then = Tape::of(rules, &late.each_ref().map(String::as_str));
    let engine = memory();
    let desk = Desk::on(&engine);
    desk.hear(&first, &first.lines);
    let before = desk.described();
    drop(desk);
    let desk = Desk::on(&engine);
    assert_eq!(desk.described(), before);
    desk.hear(&then, &then.lines);
    let filter = HistoryFilter::default().after_seq(leaves.len() as u64);
    let mut what = Vec::new();
    for entry in desk.store.history(&filter).unwrap() {
        let entry = entry.unwrap();
        what.push(entry.disposition);
    }
    assert_eq!(
        what,
        [
            DispositionAnswer::Stale,
            DispositionAnswer::Applied,
            DispositionAnswer::Stale
        ]
    );
    let after = desk.described();
    drop(desk);
    let desk = Desk::on(&engine);
    assert_eq!(desk.described(), after);
    assert_eq!(desk.folded(None), after);
}

/// The state as of an entry has no pages that came after it, even if a checkpoint after those pages is kept.
#[test]
fn as_of_an_entry_later_pages_have_not_come() {
    let tape = Tape::of(
        Rules::default(),
        &[
            r#"{"t":"link","state":"up","ts":1800000000000}"#,
            r#"{"t":"snapshot_begin","channel":"a","sync":"s","ts":1800000000000}"#,
        ],
    );
    in_parts(&tape, &cut(&tape.lines, &[]), {
        let engine = memory();
        move || Desk::on(&engine)
    });
}

/// A fault of the engine.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Append { good: u64, torn: usize },
    Sync { good: u64 },
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0u64..8, 0usize..2).prop_map(|(good, torn)| Fault::Append { good, torn }),
        (0u64..8).prop_map(|good| Fault::Sync { good }),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_was_acknowledged_survives(
        tape in tape(Shape::Any, 40),
        sizes in vec(1usize..8, 0..10),
        fault in fault(),
        survivors in 0u64..3,
        wait in any::<bool>(),
        crash in any::<bool>(),
    ) {
        let still: Vec<Heard> = tape.lines.iter().map(|heard| Heard { now: NOW, text: heard.text.clone() }).collect();
        let tape = Tape { lines: still, ..tape };
        let engine = Arc::new(FaultJournal::new(MemoryJournal::new()));
        match fault {
            Fault::Append { good, torn } => engine.fail_append(good, torn),
            Fault::Sync { good } => engine.fail_sync(good),
        }
        let decided = Desk::of(&tape).history_json();
        let desk = Desk::on(&engine);
        let mut failed = false;
        let mut acknowledged = 0;
        let mut tickets = Vec::new();
        let mut settle = |ticket: Ticket, failed: &mut bool| match ticket.wait() {
            Ok(receipt) => {
                assert!(!*failed, "nothing is acknowledged behind a failure");
                acknowledged = acknowledged.max(receipt.tally.last_seq.unwrap_or(0));
            }
            Err(error) => {
                assert!(matches!(error, RecordError::Poisoned(_)), "{error}");
                *failed = true;
            }
        };
        for lines in cut(&tape.lines, &sizes) {
            match desk.store.submit(tape.batch(&lines)) {
                Ok(ticket) if wait => settle(ticket, &mut failed),
                Ok(ticket) => tickets.push(ticket),
                Err(RecordError::Poisoned(_)) => break,
                Err(other) => panic!("{other}"),
            }
        }
        for ticket in tickets {
            settle(ticket, &mut failed);
        }
        // Reading continues, and shows only what is durable.
        let read = desk.history_json();
        prop_assert!(read.len() as u64 >= acknowledged);
        prop_assert_eq!(read.len() as u64, desk.store.head());
        prop_assert_eq!(&read[..], &decided[..read.len()]);
        prop_assert_eq!(desk.described(), desk.folded(None));
        if failed {
            let refused = desk.hear_together(&tape, &tape.lines);
            prop_assert!(matches!(refused, Err(RecordError::Poisoned(_))));
            prop_assert_eq!(desk.store.head(), read.len() as u64);
        }
        drop(desk);
        // Without a crash of the machine, everything that was written is there.
        let survivors = if crash { survivors } else { u64::MAX };
        engine.crash(survivors).unwrap();
        let again = Desk::on(&engine);
        let mut left = again.history_json();
        left.retain(|entry| !entry.contains(r#""reason":"restart""#));
        prop_assert!(left.len() >= read.len(), "{} of {}", left.len(), read.len());
        prop_assert_eq!(&left[..], &decided[..left.len()]);
        prop_assert_eq!(again.described(), again.folded(None));
        // And writing works again.
        again.hear_together(&tape, &tape.lines).unwrap();
        verified(&again);
        prop_assert_eq!(again.described(), again.folded(None));
    }
}

/// A commit of many values is there completely or not at all.
#[test]
fn a_torn_commit_of_many_values_is_gone() {
    let publishers: Vec<String> = (0..6_000u64)
        .map(|n| {
            let noise = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let more = noise.rotate_left(17).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            format!(r#"{{"user":"{n}","meta":"{noise:x}{more:x}"}}"#)
        })
        .collect();
    let snapshot = format!(
        r#"{{"t":"snapshot","channel":"a","topics":{{"t":[{}]}},"ts":1800000000000}}"#,
        publishers.join(",")
    );
    let first = r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":1800000000000}"#;
    let tape = Tape::of(Rules::default(), &[first, &snapshot]);
    let engine = Arc::new(FaultJournal::new(MemoryJournal::new()));
    Desk::on(&engine).hear(&tape, &tape.lines);
    let whole = rollbook::log::engine::Journal::head(&engine);
    assert!(whole > 3, "{whole} values");
    for torn in 0..whole as usize {
        let engine = Arc::new(FaultJournal::new(MemoryJournal::new()));
        let desk = Desk::on(&engine);
        desk.hear(&tape, &tape.lines[..1]);
        engine.fail_append(0, torn);
        desk.hear_one(&tape, &tape.lines[1]).unwrap_err();
        assert_eq!(desk.store.head(), 1);
        drop(desk);
        let desk = Desk::on(&engine);
        let left = desk.store.head();
        let all = torn as u64 == whole - 1;
        assert_eq!(left, if all { 6_003 } else { 1 }, "{torn} of {whole}");
        verified(&desk);
    }
}
