//! Laws of reading what entries mean for rosters alone: it says what whole entries say, whatever is sealed.

use crate::evening;
use proptest::prelude::*;
use rollbook::Store;
use rollbook::domain::{MemberId, NameTable, RosterEntry, Rosters};
use rollbook::query::StatsFilter;
use rollbook::store::{BlockSize, StoreError};
use rollbook_support::feeds::{Shape, cases, tape};
use rollbook_support::parts::Parts;
use std::collections::{BTreeMap, BTreeSet};

/// What the changes and snapshots of a range mean for rosters, channel by channel.
fn roster_entries(
    store: &Store,
    range: impl std::ops::RangeBounds<u64>,
) -> BTreeMap<String, Vec<String>> {
    let mut channels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut reader = store.roster_entries(range).unwrap();
    while let Some((entries, names)) = reader.next_piece().unwrap() {
        for entry in entries {
            let (channel, what) = match *entry {
                RosterEntry::Change { member: it, .. } => {
                    let what = format!("{:?} {entry:?}", member(it, names));
                    (names.key(it).channel, what)
                }
                RosterEntry::Snapshot { channel, .. } => (channel, format!("{entry:?}")),
                // Those that only name a channel come in any order, and pages are no entries.
                _ => continue,
            };
            // Another store gives other numbers.
            let of_channel = channels.entry(names.text(channel).to_owned());
            of_channel.or_default().push(without_numbers(&what));
        }
    }
    channels
}

fn without_numbers(what: &str) -> String {
    let parts = what.split("Id(");
    let behind = |part: &str| {
        part.trim_start_matches(|it: char| it.is_ascii_digit())
            .to_owned()
    };
    parts.map(behind).collect()
}

/// The rosters at an entry, which must be those of the state there.
fn expect_rosters(store: &Store, last: u64) -> Result<(), TestCaseError> {
    let (mut rosters, mut present) = (Rosters::new(), BTreeSet::new());
    let mut reader = store.roster_entries(..=last).unwrap();
    while let Some((entries, names)) = reader.next_piece().unwrap() {
        entries.iter().for_each(|entry| rosters.apply(entry));
        present = rosters.members().map(|it| member(it, names)).collect();
    }
    let expected = store.as_of(None, Some(last), |state, names| {
        let rosters = state.channels().flat_map(|(_, channel)| channel.roster());
        rosters
            .map(|&it| member(it, names))
            .collect::<BTreeSet<_>>()
    });
    prop_assert_eq!(present, expected.unwrap());
    Ok(())
}

fn member(member: MemberId, names: &NameTable) -> [String; 4] {
    let key = names.key(member);
    [key.channel, key.topic, key.user, key.conn].map(|name| names.text(name).to_owned())
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn rosters_are_those_of_the_state_whatever_is_sealed(
        tape in tape(Shape::Any, 30),
        every in 1_usize..6,
        most in 1_u64..40,
        from: prop::sample::Index,
    ) {
        let (unsealed, parts) = (Parts::default(), Parts::default());
        let (plain, desk) = (unsealed.open(), parts.open());
        plain.hear(&tape, &tape.lines);
        for lines in tape.lines.chunks(every) {
            desk.hear(&tape, lines);
            desk.store.seal(BlockSize { least: 1, most }).unwrap();
        }
        let head = desk.store.head();
        for last in 1..=head {
            expect_rosters(&desk.store, last)?;
        }
        let from = 1 + from.index(head.max(1) as usize) as u64;
        prop_assert_eq!(roster_entries(&desk.store, ..), roster_entries(&plain.store, ..));
        prop_assert_eq!(roster_entries(&desk.store, from..), roster_entries(&plain.store, from..));
    }
}

/// The evening in blocks of a few entries.
fn sealed_evening() -> Parts {
    let (tape, parts) = (evening(), Parts::default());
    let desk = parts.open();
    desk.hear(&tape, &tape.lines);
    let size = BlockSize { least: 1, most: 12 };
    assert!(desk.store.seal(size).unwrap().blocks > 3);
    drop(desk);
    parts
}

#[test]
fn behind_a_damaged_block_nothing_is_given() {
    let parts = sealed_evening();
    for &number in parts.numbers().iter().skip(1) {
        let whole = parts.object(number).unwrap();
        let desk = parts.open();
        let mut altered = whole.clone();
        // The first byte behind the front, which was read already (FORMAT.md).
        let header = u32::from_le_bytes(altered[8..12].try_into().unwrap()) as usize;
        altered[16 + header] ^= 1;
        parts.put(number, &altered);
        let mut reader = desk.store.roster_entries(..).unwrap();
        let error = loop {
            match reader.next_piece() {
                Ok(given) => assert!(
                    given.is_some(),
                    "block {number}: its damage was not noticed"
                ),
                Err(error) => break error,
            }
        };
        assert!(error.is_damage(), "block {number}: {error}");
        assert!(reader.next_piece().unwrap().is_none(), "block {number}");
        let error = desk.store.stats(&StatsFilter::default()).unwrap_err();
        assert!(error.is_damage(), "block {number}: {error}");
        parts.put(number, &whole);
        assert!(desk.store.stats(&StatsFilter::default()).is_ok());
    }
}

#[test]
fn a_series_of_too_many_intervals_is_refused_while_a_second_thread_reads() {
    let desk = sealed_evening().open();
    let each_ms = StatsFilter::default().every_ms(1);
    let refused = desk.store.stats(&each_ms).unwrap_err();
    assert!(matches!(refused, StoreError::TooManyBuckets), "{refused}");
}
