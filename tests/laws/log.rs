//! Laws of the log, on arbitrary feeds of all shapes and rules. The state is the fold of every prefix of the log.
//! History alone gives every roster. Windows and gaps are in order. Every decision can be made again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::panic, missing_docs)]

use proptest::prelude::*;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::log::Record;
use rollbook::log::frame::{Encoder, FramePosition, Packing};
use rollbook::log::salts::Salts;
use rollbook::query::answer::{
    Certainty, DispositionAnswer, EntryType, HistoryEntry, OriginAnswer, Who,
};
use rollbook::query::{HistoryFilter, WhoFilter, WhoWhen};
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{Shape, cases, tape};
use rollbook_support::reference::Reference;
use std::collections::{BTreeMap, BTreeSet};

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn the_fold_of_the_log_is_the_state_at_every_prefix(tape in tape(Shape::Any, 30)) {
        let desk = Desk::of(&tape);
        let reference = Reference::of(&tape);
        prop_assert_eq!(desk.store.head(), reference.state.head());
        for (seq, described) in (1..).zip(&reference.described) {
            prop_assert_eq!(&desk.folded(Some(seq)), described, "at entry {}", seq);
        }
        let whole = reference.state.describe(&reference.names);
        prop_assert_eq!(&desk.folded(None), &whole);
        prop_assert_eq!(&desk.described(), &whole);
    }

    #[test]
    fn what_is_forgotten_changes_nothing(tape in tape(Shape::Any, 60), every in 1_usize..5) {
        let (mut whole, mut forgetful) = (Reference::default(), Reference::default());
        for (n, heard) in tape.lines.iter().enumerate() {
            let known = whole.entries.len();
            whole.line(heard, &tape.rules);
            forgetful.line(heard, &tape.rules);
            prop_assert_eq!(&whole.described, &forgetful.described);
            prop_assert_eq!(frame(&whole, known), frame(&forgetful, known), "at line {}", n + 1);
            if n % every == 0 {
                forgetful.state.forget_absent(&mut forgetful.names);
            }
        }
        forgetful.state.forget_absent(&mut forgetful.names);
        prop_assert_eq!(
            forgetful.state.describe(&forgetful.names),
            whole.state.describe(&whole.names)
        );
        prop_assert!(forgetful.names.len() <= whole.names.len());
    }

    #[test]
    fn every_decision_can_be_made_again(tape in tape(Shape::Any, 60)) {
        let desk = Desk::of(&tape);
        let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
        prop_assert!(verified.ok, "{:#?}", verified.problems);
        prop_assert_eq!(verified.entries, desk.store.head());
    }

    #[test]
    fn history_is_in_order(tape in tape(Shape::Any, 60)) {
        in_order(&Desk::of(&tape));
    }

    #[test]
    fn history_alone_gives_every_roster(tape in tape(Shape::Any, 30)) {
        rosters(&Desk::of(&tape));
    }
}

/// The entries after the first `known`, as bytes: complete except for the numbers of names.
fn frame(reference: &Reference, known: usize) -> Option<Vec<Vec<u8>>> {
    let entries = reference.entries[known..].to_vec();
    let place = FramePosition {
        first_seq: entries.first()?.seq,
        ..FramePosition::FIRST
    };
    let records = [Record::Commit {
        rules: Rules::default(),
        entries,
    }];
    let mut encoder = Encoder::new(Salts::from_seed([7; 32]), Packing::Plain);
    let frame = encoder.encode(place, &records, &reference.names).unwrap();
    Some(frame.values)
}

fn in_order(desk: &Desk) {
    let history = desk.history();
    let mut effective = BTreeMap::new();
    let mut recorded = i64::MIN;
    for (seq, entry) in (1..).zip(&history) {
        assert_eq!(entry.seq, seq, "dense");
        assert!(entry.recorded_at.0 >= recorded, "{entry:?}");
        recorded = entry.recorded_at.0;
        if entry.origin == OriginAnswer::Inferred {
            let (from, to) = (entry.not_before, entry.not_after.unwrap());
            assert!(from.is_none_or(|from| from <= to), "{entry:?}");
            assert!(entry.effective_at >= to, "{entry:?}");
            assert!(!entry.baseline || from.is_none(), "{entry:?}");
            let by = &history[entry.snapshot_seq.unwrap() as usize - 1];
            assert_eq!(by.kind, EntryType::Snapshot, "{entry:?}");
            // A snapshot with collected events worked in takes effect at the latest of their times.
            assert!(by.occurred_at <= to && to <= by.effective_at, "{entry:?}");
            assert_eq!(entry.channel, by.channel);
        }
        if !matches!(entry.kind, EntryType::Link | EntryType::Token) {
            assert!(entry.effective_at >= entry.occurred_at, "{entry:?}");
            let last = effective
                .entry(entry.channel.clone())
                .or_insert(entry.effective_at);
            assert!(*last <= entry.effective_at, "{entry:?}");
            *last = entry.effective_at;
        }
    }
    for channel in desk.store.channels().unwrap() {
        let mut shown = Vec::new();
        let filter = HistoryFilter::default().channel(channel.channel.clone());
        for entry in desk.store.history(&filter).unwrap() {
            let entry = entry.unwrap();
            shown.push(entry.effective_at);
        }
        assert_eq!(channel.entries, shown.len() as u64, "{channel:?}");
        assert_eq!(channel.first_at, shown.first().copied(), "{channel:?}");
        assert_eq!(channel.last_at, shown.last().copied(), "{channel:?}");
        let gaps = desk.store.gaps(&channel.channel).unwrap();
        for (number, gap) in (1..).zip(&gaps) {
            assert_eq!(gap.gap, number, "dense");
            assert!(gap.to.is_none_or(|to| gap.from <= to), "{gap:?}");
            let last = number as usize == gaps.len();
            assert!(last || gap.to.is_some(), "only the last is open: {gap:?}");
        }
        let missed = desk.store.missed(&channel.channel, &Default::default());
        for missed in missed.unwrap() {
            let gap = &gaps[missed.gap as usize - 1];
            let counts =
                [&missed.joined, &missed.left, &missed.updated].map(|list| list.len() as u64);
            assert_eq!(counts, [gap.joined, gap.left, gap.updated]);
        }
    }
}

/// From (topic, user, connection) to (metadata, since).
type Roster = BTreeMap<[String; 3], (Option<String>, i64)>;

fn fold(roster: &mut Roster, entry: &HistoryEntry) {
    if entry.disposition != DispositionAnswer::Applied {
        return;
    }
    let key = || [&entry.topic, &entry.user, &entry.connection].map(|name| name.clone().unwrap());
    let meta = entry.meta.as_ref().map(|meta| meta.get().to_owned());
    match entry.kind {
        EntryType::Join => {
            let before = roster.insert(key(), (meta, entry.effective_at.0));
            assert_eq!(before, None, "who joins was not there: {entry:?}");
        }
        EntryType::Update => roster.get_mut(&key()).expect("who changes is there").0 = meta,
        EntryType::Leave => {
            let (known, _) = roster.remove(&key()).expect("who leaves was there");
            assert_eq!(meta, known, "the last known: {entry:?}");
        }
        _ => {}
    }
}

/// The members that an answer shows as present.
fn there(who: &Who) -> Roster {
    let mut roster = Roster::new();
    for topic in &who.topics {
        for publisher in &topic.publishers {
            let Some(since) = publisher.since else {
                assert_eq!(publisher.certainty, Certainty::Possible);
                continue;
            };
            let key = [&topic.topic, &publisher.user, &publisher.connection];
            let meta = publisher.meta.as_ref().map(|meta| meta.get().to_owned());
            roster.insert(key.map(String::clone), (meta, since.0));
        }
    }
    roster
}

fn json(who: &Who) -> String {
    serde_json::to_string(who).unwrap()
}

fn rosters(desk: &Desk) {
    let history = desk.history();
    for channel in desk.store.channels().unwrap() {
        let channel = &channel.channel;
        let ask_as_known = |when, known_at| {
            let mut filter = WhoFilter::default().when(when);
            filter.known_at = known_at;
            desk.store.who(channel, &filter)
        };
        let ask = |when| ask_as_known(when, None);
        let of_channel = |entry: &&HistoryEntry| entry.channel.as_ref() == Some(channel);
        let mut roster = Roster::new();
        for (at, entry) in history.iter().enumerate() {
            if of_channel(&entry) {
                fold(&mut roster, entry);
            }
            // The channel may not be recorded yet at this entry.
            if let Ok(who) = ask(WhoWhen::Seq(entry.seq)) {
                assert_eq!(who.seq, entry.seq);
                assert_eq!(there(&who), roster, "{channel} at entry {}", entry.seq);
                let next = history.get(at + 1).map(|next| next.recorded_at);
                if next.is_none_or(|next| next > entry.recorded_at) {
                    let known_at = Some(entry.recorded_at.0);
                    let then = ask_as_known(WhoWhen::Head, known_at).unwrap();
                    assert_eq!(json(&then), json(&who), "as known at entry {}", entry.seq);
                }
            } else {
                assert_eq!(roster, Roster::new());
            }
        }
        assert_eq!(there(&ask(WhoWhen::Head).unwrap()), roster);
        let times: BTreeSet<i64> = history
            .iter()
            .filter(of_channel)
            .flat_map(|entry| [entry.occurred_at.0, entry.effective_at.0])
            .flat_map(|time| [time - 1, time, time + 1])
            .collect();
        for at in times {
            let mut roster = Roster::new();
            let mut last = 0; // the last change or snapshot in effect
            for entry in history.iter().filter(of_channel) {
                if entry.effective_at.0 <= at {
                    fold(&mut roster, entry);
                    if !matches!(entry.kind, EntryType::Link | EntryType::Token) {
                        last = entry.seq;
                    }
                }
            }
            let who = ask(WhoWhen::At(at)).unwrap();
            assert_eq!(there(&who), roster, "{channel} at {at}");
            assert_eq!(who.seq, last, "{channel} at {at}");
        }
    }
}
